"""Logs: one JSON object a line with a static event name; ids, never objects. Secrets are cut by `redact`."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from worker.redaction import redacted
from worker.reporting import report


def _cut_secrets(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        event[key] = redacted(value)
    return event


def _report(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    report(event)
    return event


def configure_logging(level: str, style: str) -> None:
    """Send our logs and those of libraries to standard error in one form. Call once, at process start."""
    numeric = logging.getLevelNamesMapping()[level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        _report,
        structlog.processors.format_exc_info,
        _cut_secrets,
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if style == "console"
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(numeric),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer]
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    # Libraries tell of every message and connection at info; theirs is worth reading from warning on.
    root.setLevel(max(numeric, logging.WARNING))
