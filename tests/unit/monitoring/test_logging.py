"""What a line of a log may not hold, at whatever depth."""

import json
import subprocess
import sys

from tests.fleet import ROOT
from worker.redaction import redacted

SECRET = "v9-very-secret"


def test_secrets_are_cut_in_lists_and_objects_too():
    told = {
        "why": ["bad_key", f"https://x/?api_key={SECRET}"],
        "spends": [{"account": "a", "detail": (f"token={SECRET}", 3)}],
        "number": 7,
        "nothing": None,
    }
    cut = redacted(told)
    assert SECRET not in json.dumps(cut)
    assert cut["number"] == 7
    assert cut["nothing"] is None
    assert cut["spends"][0]["account"] == "a"
    assert cut["why"] == ["bad_key", "https://x/?api_key=[cut]"]


def test_a_line_of_a_real_process_has_none_and_is_json():
    code = (
        "import structlog\n"
        "from worker.logging import configure_logging\n"
        "configure_logging('info', 'json')\n"
        "log = structlog.get_logger()\n"
        f"log.warning('breaker_changed', why=['bad_key', 'password={SECRET}'], told={{'a': ['token={SECRET}']}})\n"
        "try:\n"
        f"    raise ValueError('postgresql://user:{SECRET}@host/db')\n"
        "except ValueError:\n"
        "    log.exception('slice_failed', job='j')\n"
    )
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in told.stderr.splitlines()]
    assert [(line["event"], line["level"]) for line in lines] == [
        ("breaker_changed", "warning"),
        ("slice_failed", "error"),
    ]
    assert lines[0]["why"] == ["bad_key", "password=[cut]"]
    assert "ValueError" in lines[1]["exception"]
    assert SECRET not in told.stderr
