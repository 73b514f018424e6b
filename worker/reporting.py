"""Reports of unexpected exceptions to Sentry: off, and nothing imported, unless ``SENTRY_DSN`` is set.

What is reported is what the log tells with a traceback, and what ends a process or thread. Secrets are cut as in logs;
neither local variables nor requests are sent.
"""

import importlib
from collections.abc import Mapping
from types import ModuleType
from typing import Any, Final

from worker.errors import ConfigurationError
from worker.redaction import redacted

_ENDING_SECONDS: Final = 2.0
_TAGS: Final = ("event", "job", "lane", "epoch", "task", "job_type")

_sentry: ModuleType | None = None


def configure_reporting(dsn: str, service: str, release: str) -> None:
    """Report from now on; nothing where ``dsn`` is empty. Call once, at process start.

    Raises `ConfigurationError` when the extra ``sentry`` is not installed, or the DSN is none.
    """
    global _sentry
    if not dsn:
        return
    try:
        sentry: Any = importlib.import_module("sentry_sdk")
    except ImportError:
        raise ConfigurationError(
            "SENTRY_DSN is set, and sentry_sdk is not installed; expected the extra for reports; "
            "install it with: pip install 'trawler[sentry]', or unset the variable"
        ) from None
    from sentry_sdk.integrations.atexit import AtexitIntegration
    from sentry_sdk.integrations.excepthook import ExcepthookIntegration
    from sentry_sdk.integrations.threading import ThreadingIntegration
    from sentry_sdk.utils import BadDsn

    try:
        sentry.init(
            dsn=dsn,
            release=release,
            # What the SDK would find and hook into by itself is more than exceptions.
            default_integrations=False,
            auto_enabling_integrations=False,
            integrations=[ExcepthookIntegration(), ThreadingIntegration(), AtexitIntegration(_silently)],
            before_send=_cut_secrets,
            include_local_variables=False,
            max_breadcrumbs=0,
            auto_session_tracking=False,
            shutdown_timeout=_ENDING_SECONDS,
        )
    except BadDsn:
        raise ConfigurationError(
            "SENTRY_DSN cannot be read; expected https://KEY@HOST/PROJECT, as Sentry shows it; correct it"
        ) from None
    sentry.set_tag("service", service)
    _sentry = sentry


def report(event: Mapping[str, Any]) -> None:
    """Report the exception of a log line, if it has one and tells of an error."""
    if _sentry is None or not event.get("exc_info") or event.get("level") not in ("error", "critical"):
        return
    with _sentry.new_scope() as scope:
        for name in _TAGS:
            if name in event:
                scope.set_tag(name, str(event[name]))
        found = event["exc_info"]
        _sentry.capture_exception(None if found is True else found)


def stop_reporting() -> None:
    """Send what is left, waiting a few seconds at most."""
    if _sentry is not None:
        _sentry.flush(timeout=_ENDING_SECONDS)


def _silently(pending: int, timeout: float) -> None:
    """What is told at the end of a process that has reports left: nothing."""


def _cut_secrets(event: Any, _: Any) -> Any:
    return redacted(event)
