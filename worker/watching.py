"""What every process does so that others may watch it: traces and reports of exceptions, where they are set."""

from worker.processes import release
from worker.reporting import configure_reporting, stop_reporting
from worker.settings import Settings
from worker.tracing import configure_tracing, stop_tracing


def begin_watching(settings: Settings, service: str) -> None:
    """Call once, after the logs are set up. Raises `ConfigurationError` when what is set cannot be done."""
    configure_tracing(settings.otlp_endpoint, service)
    configure_reporting(settings.sentry_dsn.get_secret_value(), service, release())


def end_watching() -> None:
    """Send what is left, at a clean end; waits a few seconds at most."""
    stop_tracing()
    stop_reporting()
