"""Passwords, sessions, tokens of forms, waits of logins, names of the host."""

import pytest
from starlette.responses import Response

from console.security.headers import content_policy, host_allowed
from console.security.login_limit import OF_ADDRESS, OF_ALL, WINDOW_SECONDS, LoginLimit
from console.security.passwords import Role, role_of
from console.security.sessions import Sessions
from worker.console_settings import load_console_settings

BOTH = load_console_settings(password="the operators'", read_password="the readers'")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("password", "role"),
    [("the operators'", Role.OPERATOR), ("the readers'", Role.READER), ("", None), ("the operators", None)],
)
def test_a_password_gives_its_role(password, role):
    assert role_of(BOTH, password) is role


def test_an_unset_password_lets_nobody_in():
    assert role_of(load_console_settings(password="the operators'"), "") is None
    assert role_of(load_console_settings(), "") is None


def cookie_of(sessions: Sessions, session, secure: bool = False) -> tuple[str, str]:
    response = Response()
    sessions.write(response, session, secure=secure)
    header = response.headers["set-cookie"]
    return header.partition("=")[2].partition(";")[0], header


def test_a_session_comes_back_from_its_cookie_and_from_no_other():
    sessions = Sessions(BOTH)
    session = sessions.new(Role.READER, "  Bo   Li ")
    value, _ = cookie_of(sessions, session)
    assert sessions.read(value) == session
    assert session.name == "Bo Li"
    assert sessions.read(value[:-2] + ("AA" if value[-2:] != "AA" else "BB")) is None
    assert Sessions(BOTH).read(value) is None, "another start has another secret"


def test_a_changed_password_ends_every_session():
    kept = {"session_secret": "s" * 32, "read_password": "the readers'"}
    value, _ = cookie_of(sessions := Sessions(load_console_settings(password="first one", **kept)), sessions.new())
    assert Sessions(load_console_settings(password="first one", **kept)).read(value)
    assert Sessions(load_console_settings(password="second one", **kept)).read(value) is None


def test_the_cookie_is_kept_from_scripts_and_other_sites_and_over_https_from_other_hosts():
    sessions = Sessions(BOTH)
    _, plain = cookie_of(sessions, sessions.new())
    _, secure = cookie_of(sessions, sessions.new(), secure=True)
    for header in (plain, secure):
        assert {"HttpOnly", "SameSite=strict", "Path=/"} <= {part.strip() for part in header.split(";")}
    assert "Secure" not in plain
    assert secure.startswith("__Host-")
    assert "Secure" in secure


def test_a_form_s_token_is_of_one_session_and_never_twice_the_same_text():
    sessions = Sessions(BOTH)
    mine, other = sessions.new(Role.OPERATOR), sessions.new(Role.OPERATOR)
    tokens = {sessions.form_token(mine) for _ in range(10)}
    assert len(tokens) == 10
    assert all(sessions.good_token(mine, token) for token in tokens)
    assert not any(sessions.good_token(other, token) for token in tokens)
    assert not any(sessions.good_token(mine, token) for token in ("", ".", "a.b", "\udcff.\udcff"))


def test_a_few_wrong_passwords_of_an_address_make_it_wait_and_no_other():
    limit = LoginLimit(clock := Clock())
    for _ in range(OF_ADDRESS):
        assert limit.wait("a") == 0
        limit.failed("a")
    assert 0 < limit.wait("a") <= WINDOW_SECONDS + 1
    assert limit.wait("b") == 0
    clock.now += WINDOW_SECONDS + 1
    assert limit.wait("a") == 0


def test_who_has_many_addresses_waits_too():
    limit = LoginLimit(Clock())
    for number in range(OF_ALL):
        limit.failed(f"address {number}")
    assert limit.wait("a new one") > 0


def test_the_right_password_forgets_the_wrong_ones():
    limit = LoginLimit(Clock())
    for _ in range(OF_ADDRESS):
        limit.failed("a")
    limit.passed("a")
    assert limit.wait("a") == 0


@pytest.mark.parametrize("host", ["127.0.0.1:8600", "localhost", "[::1]:8600", "LOCALHOST:1"])
def test_without_a_password_names_of_this_machine_are_allowed(host):
    assert host_allowed(load_console_settings(), host)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8600", "127.0.0.1.evil.example", "", "10.0.0.1"])
def test_without_a_password_no_other_name_is(host):
    assert not host_allowed(load_console_settings(), host)
    assert not host_allowed(load_console_settings(allowed_hosts="evil.example"), host)


def test_with_a_password_the_named_hosts_are_allowed_or_any_where_none_is_named():
    named = load_console_settings(password="long enough", allowed_hosts="console.example, other.example")
    assert host_allowed(named, "Console.example:443")
    assert host_allowed(named, "localhost:8600")
    assert not host_allowed(named, "third.example")
    assert host_allowed(BOTH, "third.example")


def test_the_content_policy_allows_nothing_that_stands_in_a_page():
    policy = content_policy(("https://*.cdn.example",))
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "img-src 'self' data: https://*.cdn.example;" in policy
    assert "https:" not in content_policy(())
