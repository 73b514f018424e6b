"""Which role a password gives."""

import hashlib
import hmac
from enum import StrEnum

from worker.console_settings import ConsoleSettings


class Role(StrEnum):
    """What somebody may do."""

    OPERATOR = "operator"
    """See and change everything."""
    READER = "reader"
    """See everything, change nothing."""


def role_of(settings: ConsoleSettings, password: str) -> Role | None:
    """The role that a password gives, None for a wrong one. Takes as long whatever the password is."""
    found = None
    for role, secret in ((Role.READER, settings.read_password), (Role.OPERATOR, settings.password)):
        expected = secret.get_secret_value()
        if hmac.compare_digest(_digest(expected), _digest(password)) and expected:
            found = role
    return found


def _digest(text: str) -> bytes:
    # Digests are of one length, so that the comparison tells nothing of the password's.
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()
