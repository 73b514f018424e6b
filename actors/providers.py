"""How each provider is reached: its host, its key, its limits. The only place that joins settings and adapters."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from pydantic import SecretStr

from platforms.apify import client as apify
from platforms.authority import Authority
from platforms.instagram_graph import client as instagram_graph
from platforms.scrapecreators import client as scrapecreators
from platforms.tiktok_research import client as tiktok_research
from platforms.tiktok_research.client_token import ClientToken
from platforms.transport import Transport
from platforms.youtube_data_api import client as youtube_data_api
from worker.errors import ConfigurationError
from worker.settings import Settings


@dataclass(frozen=True, slots=True)
class Reach:
    """Where a provider is and what it wants to see; ``secrets`` are the settings it cannot do without."""

    base_url: str
    secrets: Mapping[str, SecretStr]
    headers: Mapping[str, str] = field(default_factory=dict)
    own_account: str = ""
    """The id of our own account with the provider, where requests name it."""
    authority: Callable[[], Authority] | None = None
    """Makes what gives further headers for each call, where a fixed key is not enough."""

    @property
    def missing(self) -> list[str]:
        """Names of the settings that are not set."""
        return [name for name, secret in self.secrets.items() if not secret.get_secret_value()]

    @property
    def keys(self) -> tuple[str, ...]:
        """What nobody may read in an answer; the id of our own account is no secret, and answers do hold it."""
        told = (secret.get_secret_value() for secret in self.secrets.values())
        return tuple(secret for secret in told if secret != self.own_account)

    @property
    def account(self) -> str:
        """A short fingerprint of the credentials, for ledgers and limits."""
        told = "\n".join(secret.get_secret_value() for secret in self.secrets.values())
        return hashlib.sha256(told.encode()).hexdigest()[:8]


def _scrapecreators(settings: Settings) -> Reach:
    key = settings.scrapecreators_api_key
    return Reach(
        settings.scrapecreators_base_url,
        {"SCRAPECREATORS_API_KEY": key},
        {scrapecreators.KEY_HEADER: key.get_secret_value()},
    )


def _apify(settings: Settings) -> Reach:
    token = settings.apify_token
    return Reach(
        settings.apify_base_url,
        {"APIFY_TOKEN": token},
        {apify.AUTHORITY_HEADER: f"Bearer {token.get_secret_value()}"},
    )


def _youtube_data_api(settings: Settings) -> Reach:
    key = settings.youtube_api_key
    return Reach(
        settings.youtube_base_url,
        {"YOUTUBE_API_KEY": key},
        {youtube_data_api.KEY_HEADER: key.get_secret_value()},
    )


def _instagram_graph(settings: Settings) -> Reach:
    token, account = settings.instagram_graph_token, settings.instagram_graph_user_id
    return Reach(
        settings.instagram_graph_base_url,
        {"INSTAGRAM_GRAPH_TOKEN": token, "INSTAGRAM_GRAPH_USER_ID": account},
        {instagram_graph.AUTHORITY_HEADER: f"Bearer {token.get_secret_value()}"},
        own_account=account.get_secret_value(),
    )


def _tiktok_research(settings: Settings) -> Reach:
    key, secret = settings.tiktok_client_key, settings.tiktok_client_secret
    return Reach(
        settings.tiktok_research_base_url,
        {"TIKTOK_CLIENT_KEY": key, "TIKTOK_CLIENT_SECRET": secret},
        authority=lambda: ClientToken(key.get_secret_value(), secret.get_secret_value()),
    )


PROVIDERS: Final[Mapping[str, Callable[[Settings], Reach]]] = {
    scrapecreators.PROVIDER: _scrapecreators,
    apify.PROVIDER: _apify,
    youtube_data_api.PROVIDER: _youtube_data_api,
    instagram_graph.PROVIDER: _instagram_graph,
    tiktok_research.PROVIDER: _tiktok_research,
}
"""Every provider that an adapter names."""


class Providers:
    """One transport a provider, made when it is first needed and kept for the life of the process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._reaches = {name: reach(settings) for name, reach in PROVIDERS.items()}
        self._made: dict[str, Transport] = {}

    def configured(self, provider: str) -> bool:
        """Whether its credentials are set."""
        return not self._reaches[provider].missing

    def account(self, provider: str) -> str:
        """Which account its calls are made and charged to."""
        return self._reaches[provider].account

    def of(self, provider: str) -> Transport:
        """The provider's transport. Raises `ConfigurationError` when its credentials are not set."""
        if provider not in self._made:
            self._made[provider] = self._make(self._reaches[provider])
        return self._made[provider]

    async def aclose(self) -> None:
        """Close every connection."""
        for transport in self._made.values():
            await transport.aclose()

    def _make(self, reach: Reach) -> Transport:
        if reach.missing:
            raise ConfigurationError(
                f"{' and '.join(reach.missing)} {'is' if len(reach.missing) == 1 else 'are'} not set; expected the "
                "credentials of the provider; "
                "set them for the workers, restart them, then retry the job"
            )
        settings = self._settings
        return Transport(
            reach.base_url,
            reach.headers,
            connect_seconds=settings.provider_connect_seconds,
            read_seconds=settings.provider_read_seconds,
            total_seconds=settings.provider_total_seconds,
            body_limit_bytes=int(settings.provider_body_limit_mb * 1_000_000),
            max_connections=settings.provider_connections,
            account=reach.own_account,
            secrets=reach.keys,
            authority=reach.authority() if reach.authority else None,
        )
