"""Traces of jobs: off, and nothing imported, unless ``OTEL_EXPORTER_OTLP_ENDPOINT`` is set.

All that happens to a job is one trace, whichever process it happens in: the trace's id is the job's own id, so that
nothing has to be stored with a task or handed on by those who insert rows. The span of its enqueueing is the root,
where a service of Python put it in; a row inserted by others has none, and its slices hang below an unseen one.
"""

import importlib
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from time import time_ns
from typing import Any, Final, TypeVar
from uuid import UUID

from worker.clock import monotonic
from worker.errors import ConfigurationError
from worker.leases import Lease

T = TypeVar("T")
Attribute = str | int | float | bool

_traces: Any = None
"""What was made by `configure_tracing`; None while traces are off."""
_NOTHING: Final[AbstractContextManager[None]] = nullcontext()
_page_began: ContextVar[float | None] = ContextVar("page_began", default=None)


def configure_tracing(endpoint: str, service: str) -> None:
    """Send spans to a collector from now on; nothing where ``endpoint`` is empty. Call once, at process start.

    Raises `ConfigurationError` when the extra ``traces`` is not installed.
    """
    global _traces
    if not endpoint:
        return
    try:
        module = importlib.import_module("worker.otlp")
    except ImportError as error:
        raise ConfigurationError(
            f"OTEL_EXPORTER_OTLP_ENDPOINT is set, and {error.name} is not installed; expected the extra for traces; "
            "install it with: pip install 'trawler[traces]', or unset the variable"
        ) from None
    _traces = module.Traces(endpoint, service)


def stop_tracing() -> None:
    """Send what is left, waiting a few seconds at most; off from then on."""
    global _traces
    traces, _traces = _traces, None
    if traces is not None:
        traces.stop()


def enqueued(job_ids: Iterable[str], began: float) -> None:
    """Jobs were put in by a call that began at this moment (monotonic seconds)."""
    if _traces is not None:
        for job_id in job_ids:
            _traces.root("enqueue", UUID(job_id), _nanoseconds(began), {"trawler.job": job_id})


def claimed(leases: Iterable[Lease], owner: str, began: float) -> None:
    """These were leased by a claim that began at this moment (monotonic seconds)."""
    if _traces is not None:
        for lease in leases:
            _traces.note("claim", UUID(lease.job_id), _nanoseconds(began), {**_names(lease), "trawler.process": owner})


def traced(work: Callable[[Lease], Awaitable[T]], lease: Lease) -> Callable[[Lease], Awaitable[T]]:
    """The work of a slice with a span around it; the work itself while traces are off."""
    if _traces is None:
        return work

    async def in_a_span(held: Lease) -> T:
        with _traces.span("slice", UUID(lease.job_id), None, _names(lease)):
            return await work(held)

    return in_a_span


def page_begins() -> None:
    """The slice asks for a page now."""
    if _traces is not None:
        _page_began.set(monotonic())


def page(seq: int, provider: str) -> AbstractContextManager[None]:
    """A span of the page in hand, from where it was asked for to the end of the block."""
    began = _page_began.get()
    if _traces is None or began is None:
        return _NOTHING
    told: dict[str, Attribute] = {"trawler.page": seq, "trawler.provider": provider}
    return _in_span("page", _nanoseconds(began), told)


def committed(began: float) -> None:
    """A page commit that began at this moment (monotonic seconds) was answered."""
    if _traces is not None:
        _traces.note("commit", None, _nanoseconds(began), {})


@contextmanager
def _in_span(name: str, start: int, attributes: dict[str, Attribute]) -> Iterator[None]:
    with _traces.span(name, None, start, attributes):
        yield


def _names(lease: Lease) -> dict[str, Attribute]:
    return {f"trawler.{name}": value for name, value in lease.names.items()}


def _nanoseconds(began: float) -> int:
    return time_ns() - round((monotonic() - began) * 1e9)
