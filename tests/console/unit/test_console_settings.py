"""The settings of the console: what fits, and what is told about what does not."""

import pytest

from worker.console_settings import exposure_misfit, is_loopback, load_console_settings
from worker.errors import ConfigurationError


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"password": "short"}, "CONSOLE_PASSWORD is 5 characters long; expected 8 or more"),
        ({"read_password": "short"}, "CONSOLE_READ_PASSWORD is 5 characters long"),
        ({"password": "the same one", "read_password": "the same one"}, "is the same as CONSOLE_PASSWORD"),
        ({"session_secret": "too short"}, "CONSOLE_SESSION_SECRET is 9 characters long; expected 32"),
        ({"trusted_proxies": "10.0.0.1, proxy"}, "CONSOLE_TRUSTED_PROXIES names 'proxy'"),
        ({"picture_hosts": "http://cdn.example"}, "CONSOLE_PICTURE_HOSTS names 'http://cdn.example'"),
        ({"picture_hosts": "https://a.example; script-src *"}, "CONSOLE_PICTURE_HOSTS names"),
        ({"export_to": "exports"}, "CONSOLE_EXPORT_TO is 'exports'"),
        ({"port": 70_000}, "CONSOLE_PORT"),
        ({"session_hours": 0}, "CONSOLE_SESSION_HOURS"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_wrong_setting_is_named_with_what_is_expected(given, told):
    with pytest.raises(ConfigurationError) as raised:
        load_console_settings(**given)
    assert told in str(raised.value)


def test_no_secret_is_repeated():
    with pytest.raises(ConfigurationError) as raised:
        load_console_settings(password="hunter2", session_secret="sesame-sesame")
    assert "hunter2" not in str(raised.value)
    assert "sesame" not in str(raised.value)


@pytest.mark.parametrize("host", ["::", "10.0.0.4", "console.example"])
def test_beyond_loopback_something_must_keep_others_out(host):
    settings = load_console_settings(host=host)
    assert "CONSOLE_PASSWORD or an API token" in (exposure_misfit(settings, has_api_tokens=False) or "")
    assert exposure_misfit(settings, has_api_tokens=True) is None
    assert exposure_misfit(load_console_settings(host=host, password="long enough"), has_api_tokens=False) is None


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost", "LOCALHOST"])
def test_on_loopback_nothing_is_asked_for(host):
    assert is_loopback(host)
    assert exposure_misfit(load_console_settings(host=host), has_api_tokens=False) is None
