"""Spans to a collector, by OpenTelemetry's own SDK. Imported by `worker.tracing` alone, where traces are on."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final
from uuid import UUID

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import NonRecordingSpan, SpanContext, Status, StatusCode, TraceFlags
from opentelemetry.util.types import AttributeValue

from worker.processes import HOST, release

Attributes = Mapping[str, AttributeValue]

_LOW: Final = (1 << 64) - 1
_root_of: ContextVar[UUID | None] = ContextVar("root_of", default=None)
"""The job whose root span is being made."""
SENDING_SECONDS: Final = 3.0
"""Longest time that one try to send spans may take, and so, roughly, that a process's end may wait for."""


class _Ids(RandomIdGenerator):
    """Ids by chance, but for the root of a job, which everybody can tell from the job's id."""

    def generate_trace_id(self) -> int:
        job = _root_of.get()
        return super().generate_trace_id() if job is None else job.int

    def generate_span_id(self) -> int:
        job = _root_of.get()
        return super().generate_span_id() if job is None else root_span(job)


def root_span(job: UUID) -> int:
    """The id of the span of a job's enqueueing."""
    return (job.int & _LOW) or 1


class Traces:
    """The spans of one process. A collector that is away costs spans, and no job."""

    def __init__(self, endpoint: str, service: str) -> None:
        about = {"service.name": f"trawler-{service}", "service.version": release(), "host.name": HOST}
        self._provider = TracerProvider(
            # All spans: which jobs are worth keeping a collector knows better, once they have ended.
            sampler=ALWAYS_ON,
            resource=Resource.create(about),
            id_generator=_Ids(),
            shutdown_on_exit=False,
        )
        exporter = OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces", timeout=SENDING_SECONDS)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("trawler")

    def root(self, name: str, job: UUID, start: int, attributes: Attributes) -> None:
        """Note the root span of a job, from ``start`` (nanoseconds since 1970) to now."""
        present = _root_of.set(job)
        try:
            span = self._tracer.start_span(name, Context(), attributes=attributes, start_time=start)
        finally:
            _root_of.reset(present)
        span.end()

    def note(self, name: str, job: UUID | None, start: int, attributes: Attributes) -> None:
        """Note a span of a job, or below the present span, from ``start`` to now."""
        self._tracer.start_span(name, _below(job), attributes=attributes, start_time=start).end()

    @contextmanager
    def span(self, name: str, job: UUID | None, start: int | None, attributes: Attributes) -> Iterator[None]:
        """A span of a job, or below the present span, around a block. Of an exception it tells the type alone."""
        with self._tracer.start_as_current_span(
            name,
            _below(job),
            attributes=attributes,
            start_time=start,
            # Its text may hold what nobody outside may read.
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            except BaseException as error:
                span.set_status(Status(StatusCode.ERROR, type(error).__name__))
                raise

    def stop(self) -> None:
        """Send what is left."""
        self._provider.shutdown()


def _below(job: UUID | None) -> Context | None:
    """Where a span of a job hangs: below its root, whichever process made that; None is the present span."""
    if job is None:
        return None
    root = SpanContext(job.int, root_span(job), is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    return trace.set_span_in_context(NonRecordingSpan(root), Context())
