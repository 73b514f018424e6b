"""What background jobs do: one handler a job type, one file a handler.

A handler is found by its module being listed in `MODULES` or named in ``TRAWLER_HANDLERS``.
"""

from collections.abc import Mapping
from importlib import import_module

from actors.handlers.contract import Handler
from worker.errors import ConfigurationError

MODULES = (
    "actors.handlers.cleanup_jobs",
    "actors.handlers.complete_onboarding",
    "actors.handlers.enrich_creators",
    "actors.handlers.expire_trial",
    "actors.handlers.expire_trials",
    "actors.handlers.export_creators",
    "actors.handlers.finish_campaign",
    "actors.handlers.noop",
    "actors.handlers.process_events",
    "actors.handlers.reset_monthly_usage",
    "actors.handlers.schedule_trial_emails",
    "actors.handlers.send_email",
    "actors.handlers.send_trial_email",
    "actors.handlers.sync_subscription",
)


def load_handlers(further: str = "") -> Mapping[str, Handler]:
    """Every handler by job type; ``further`` names modules separated by commas, each with a ``HANDLER``.

    Raises `ConfigurationError` when a module cannot be loaded or two serve one job type.
    """
    handlers: dict[str, Handler] = {}
    for module in (*MODULES, *filter(None, (name.strip() for name in further.split(",")))):
        for handler in _handlers_of(module):
            if handler.job_type in handlers:
                raise ConfigurationError(
                    f"two handlers serve the job type {handler.job_type!r}; the second is {module}"
                )
            handlers[handler.job_type] = handler
    return handlers


def _handlers_of(module: str) -> list[Handler]:
    try:
        loaded = import_module(module)
    except ImportError as error:
        raise ConfigurationError(
            f"TRAWLER_HANDLERS names {module!r}, which cannot be imported: {error}; expected a module with HANDLERS"
        ) from error
    found = getattr(loaded, "HANDLERS", None)
    if not isinstance(found, tuple | list) or not all(isinstance(handler, Handler) for handler in found):
        raise ConfigurationError(f"the module {module!r} has no HANDLERS; expected a tuple of Handler")
    return list(found)
