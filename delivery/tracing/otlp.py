"""OpenTelemetry's own tracer, sending over OTLP/HTTP; the only door to it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from delivery.tracing import Fact, Span

PATH = "/v1/traces"
EVERY = 1000
"""Milliseconds spans wait to be sent together: what a killed process loses."""

GOODBYE = 3000
"""Milliseconds a process that ends gives to what is left."""

KINDS = {"server": SpanKind.SERVER, "client": SpanKind.CLIENT, "internal": SpanKind.INTERNAL}

W3C = TraceContextTextMapPropagator()


class Told:
    """A span of OpenTelemetry's, in our words."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def note(self, **facts: Fact) -> None:
        """Say more of it."""
        self._span.set_attributes(named(facts))

    def rename(self, name: str) -> None:
        """Give it a better name."""
        self._span.update_name(name)

    def fail(self, why: str) -> None:
        """Mark it as gone wrong."""
        self._span.set_status(Status(StatusCode.ERROR, why))


class Tracing:
    """What one process traces.

    Sampling, headers and limits are OpenTelemetry's own (OTEL_TRACES_SAMPLER, …).
    """

    def __init__(self, endpoint: str) -> None:
        url = endpoint if endpoint.endswith(PATH) else endpoint.rstrip("/") + PATH
        self._provider = TracerProvider(resource=Resource.create({"service.name": "push-gateway"}))
        exporter = OTLPSpanExporter(endpoint=url)
        self._provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=EVERY))
        self._tracer = self._provider.get_tracer("push-gateway")

    @contextmanager
    def span(
        self, name: str, *, parent: str | None, kind: str, facts: Mapping[str, Fact]
    ) -> Iterator[Span]:
        """Trace what happens inside; what it raises is named by its type alone."""
        # words of an exception may hold a token or a key
        with self._tracer.start_as_current_span(
            name,
            context=W3C.extract({"traceparent": parent}, contexts.Context()) if parent else None,
            kind=KINDS[kind],
            attributes=named(facts),
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            told = Told(span)
            try:
                yield told
            except GeneratorExit:  # whoever used a generator has had enough of it
                raise
            except BaseException as error:
                told.fail(type(error).__name__)
                raise

    def traceparent(self) -> str | None:
        """Give the name of the present span, where there is one."""
        carrier: dict[str, str] = {}
        W3C.inject(carrier)
        return carrier.get("traceparent")

    def close(self) -> None:
        """Send what is left."""
        self._provider.force_flush(GOODBYE)


def named(facts: Mapping[str, Fact]) -> Mapping[str, Fact]:
    """Give facts under OpenTelemetry's names, with dots."""
    return {name.replace("__", "."): value for name, value in facts.items()}
