"""Which providers a command is about."""

from scripts.ops.frame import USAGE, fail
from scripts.tables import plain
from worker.settings import load_settings


def known_provider(name: str) -> str:
    """The name, or the end of the command where it is none of a provider."""
    from actors.providers import PROVIDERS

    if name not in PROVIDERS:
        fail(f"{plain(name)}: no such provider; there are: {', '.join(PROVIDERS)}", USAGE)
    return name


def own_account(name: str) -> str | None:
    """The account that this machine's settings name for a provider; None where its credentials are not set."""
    from actors.providers import PROVIDERS

    reach = PROVIDERS[name](load_settings())
    return None if reach.missing else reach.account
