"""How each provider is reached: its host, its key, its limits. The only place that joins settings and adapters."""

from platforms.scrapecreators import client as scrapecreators
from platforms.transport import Transport
from worker.errors import ConfigurationError
from worker.settings import Settings


class Transports:
    """One transport a provider, made when it is first needed and kept for the life of the process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._made: dict[str, Transport] = {}

    def of(self, provider: str) -> Transport:
        """The provider's transport. Raises `ConfigurationError` when its key is not set."""
        if provider not in self._made:
            self._made[provider] = self._make(provider)
        return self._made[provider]

    async def aclose(self) -> None:
        """Close every connection."""
        for transport in self._made.values():
            await transport.aclose()

    def _make(self, provider: str) -> Transport:
        settings = self._settings
        if provider != scrapecreators.PROVIDER:
            raise ConfigurationError(f"provider {provider!r} is not known; expected {scrapecreators.PROVIDER!r}")
        key = settings.scrapecreators_api_key.get_secret_value()
        if not key:
            raise ConfigurationError(
                "SCRAPECREATORS_API_KEY is not set; expected the API key of ScrapeCreators; "
                "set it for the workers, restart them, then retry the job"
            )
        return Transport(
            settings.scrapecreators_base_url,
            {scrapecreators.KEY_HEADER: key},
            connect_seconds=settings.provider_connect_seconds,
            read_seconds=settings.provider_read_seconds,
            total_seconds=settings.provider_total_seconds,
            body_limit_bytes=int(settings.provider_body_limit_mb * 1_000_000),
            max_connections=settings.provider_connections,
        )
