"""The settings of an S3-compatible store: what is refused, and that no secret is among the words."""

import pytest

from worker.settings import load_settings
from worker.store_settings import StoreAccess, store_misfits


def misfits(http_allowed: bool = False, **changes: str) -> list[str]:
    fields = {
        "key_id": "AKIA1",
        "secret": "hidden-secret",
        "token": "",
        "region": "us-east-1",
        "endpoint": "",
        "ca_bundle": "",
    }
    return store_misfits(StoreAccess(**{**fields, **changes}, seconds=30), http_allowed)


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "https://minio.example.com",
        "https://minio.example.com:9000",
        "https://0f1e.r2.cloudflarestorage.com",
        "http://127.0.0.1:9000",
        "http://localhost:9000",
        "http://[::1]:9000",
    ],
)
def test_an_address_may_be_secure_or_on_this_machine(endpoint):
    assert misfits(endpoint=endpoint) == []


@pytest.mark.parametrize(
    "endpoint", ["http://minio:9000", "http://10.0.0.1", "http://169.254.169.254", "http://localhost.x.example"]
)
def test_another_needs_a_setting_of_its_own(endpoint):
    (told,) = misfits(endpoint=endpoint)
    assert f"AWS_ENDPOINT_URL is {endpoint!r}" in told
    assert "TRAWLER_OBJECT_STORE_HTTP=true" in told
    assert misfits(True, endpoint=endpoint) == []


@pytest.mark.parametrize(
    "endpoint",
    ["minio:9000", "https://", "https://x.example/path", "https://x.example?a=b", "file:///etc", "https://x:port"],
)
def test_what_is_no_address_is_refused(endpoint):
    (told,) = misfits(True, endpoint=endpoint)
    assert "AWS_ENDPOINT_URL" in told
    assert "expected https://host:port" in told


def test_all_that_is_wrong_is_told_at_once_without_a_secret():
    told = misfits(
        key_id="", secret="hidden secret", token="hidden\ntoken", region="a/b", endpoint="https://a:hidden@b"
    )
    assert [line.split()[0] for line in told] == [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_REGION",
        "AWS_ENDPOINT_URL",
    ]
    assert "hidden" not in "".join(told)


def test_a_file_of_certificates_must_be_there(tmp_path):
    (told,) = misfits(ca_bundle=str(tmp_path / "ca.pem"))
    assert "AWS_CA_BUNDLE is" in told
    assert "PEM" in told
    (tmp_path / "ca.pem").touch()
    assert misfits(ca_bundle=str(tmp_path / "ca.pem")) == []


@pytest.mark.parametrize("region", ["us-east-1", "auto", "eu-central-1", "garage"])
def test_a_region_is_any_name(region):
    assert misfits(region=region) == []


def test_printing_settings_or_what_is_read_of_them_shows_no_secret(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA1")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden-secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "hidden-token")
    settings = load_settings(_env_file=None)
    assert settings.store_access.secret == "hidden-secret"
    assert "hidden" not in repr(settings) + repr(settings.store_access)


def test_what_other_tools_have_set_keeps_no_process_from_starting(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "localstack:4566")
    assert load_settings(_env_file=None).aws_endpoint_url == "localstack:4566"


def test_a_text_loses_every_credential_it_repeats():
    access = StoreAccess("AKIA1", "AKIA1-secret", "a-token", "us-east-1", "", "", 30)
    assert access.without_secrets("AKIA1 AKIA1-secret a-token") == "[cut] [cut] [cut]"
