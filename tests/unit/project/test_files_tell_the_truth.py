"""Files that repeat what the code says, compared with the code."""

import re
import subprocess

import pytest

from worker.api_settings import ApiSettings
from worker.console_settings import ConsoleSettings
from worker.settings import ROOT, Settings

EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")


def variables() -> dict[str, object]:
    """Name and default of every setting, as the environment has them."""
    console = {f"CONSOLE_{name.upper()}": field.default for name, field in ConsoleSettings.model_fields.items()}
    api = {str(field.validation_alias): field.default for field in ApiSettings.model_fields.values()}
    return (
        {
            str(field.validation_alias or f"TRAWLER_{name.upper()}"): field.default
            for name, field in Settings.model_fields.items()
        }
        | console
        | api
    )


def test_the_example_environment_lists_every_setting_and_no_other():
    listed = re.findall(r"^(?:# )?([A-Z][A-Z_]+)=", EXAMPLE, re.MULTILINE)
    assert sorted(listed) == sorted(variables())


@pytest.mark.parametrize("name", [name for name in variables() if name != "TRAWLER_HOME"])
def test_the_example_environment_shows_the_default(name):
    default = variables()[name]
    shown = re.search(rf"^(?:# )?{name}=(.*)$", EXAMPLE, re.MULTILINE)
    told = default.get_secret_value() if hasattr(default, "get_secret_value") else default
    assert shown
    assert shown[1] == (f"{told:g}" if isinstance(told, float) else str(told))


@pytest.mark.parametrize("name", ["requirements.lock", "requirements.installer.lock"])
def test_a_lock_has_hashes_and_names_no_host(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    pinned = re.findall(r"^[a-z0-9][\w.-]*==", text, re.MULTILINE)
    assert pinned
    assert text.count("--hash=sha256:") >= len(pinned)
    assert not re.search(r"://|--(extra-)?index-url|--find-links", text)


def test_the_run_script_describes_every_command_it_has():
    script = (ROOT / "run").read_text(encoding="utf-8")
    described = set(re.findall(r"^  ([a-z-]+)  ", script, re.MULTILINE))
    known = set(re.findall(r"^    ([a-z-]+)\) ", script, re.MULTILINE)) | {"check", "help"}
    assert described == known


@pytest.mark.parametrize("argument", ["help", "--help"])
def test_the_run_script_shows_its_help(argument):
    told = subprocess.run([ROOT / "run", argument], capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (0, "")
    assert "demo" in told.stdout


def test_the_run_script_refuses_a_command_it_does_not_have():
    told = subprocess.run([ROOT / "run", "fly"], capture_output=True, text=True, check=False)
    assert told.returncode == 2
    assert "There is no command 'fly'" in told.stderr


def test_every_link_between_documents_leads_somewhere():
    for page in [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}"


def test_no_module_is_longer_than_two_ideas():
    packages = ("worker", "actors", "db", "platforms", "scripts", "console", "bench")
    modules = [path for package in packages for path in (ROOT / package).rglob("*.py")]
    assert len(modules) > 50
    assert [path for path in modules if len(path.read_text(encoding="utf-8").splitlines()) > 400] == []
