"""A receiver of spans by OTLP over HTTP, which keeps what comes; and tracing switched on for the time of a test."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.trace import TracerProvider
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sync_orchestration.components import tracing
from sync_orchestration.sandbox.server import serve


@dataclass(frozen=True)
class Received:
    """One span as it arrived."""

    name: str
    trace: str
    id: str
    parent: str
    attributes: dict[str, str | int]
    is_error: bool


@dataclass
class SpanReceiver:
    """Answers 200 and keeps the spans; `holds` lets nobody have an answer until it is cleared of that."""

    url: str = ""
    spans: list[Received] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    is_called: threading.Event = field(default_factory=threading.Event)
    lets_go: threading.Event = field(default_factory=threading.Event)
    holds: bool = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await Request(scope, receive).body()
        self.is_called.set()
        if self.holds:
            await run_in_threadpool(self.lets_go.wait)
        self.bodies.append(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scoped in resource.scope_spans:
                self.spans += [_received(span) for span in scoped.spans]
        await Response(status_code=200)(scope, receive, send)

    def named(self, name: str) -> list[Received]:
        return [span for span in self.spans if span.name == name]

    def collect(self) -> list[Received]:
        """Have everything sent that has ended, and return all that has arrived."""
        provider = trace.get_tracer_provider()
        assert isinstance(provider, TracerProvider), "tracing is off"
        provider.force_flush()
        return self.spans


def _received(span: Span) -> Received:
    told: dict[str, str | int] = {one.key: one.value.string_value or one.value.int_value for one in span.attributes}
    is_error = span.status.code == 2
    return Received(span.name, span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex(), told, is_error)


@contextmanager
def receiving() -> Iterator[SpanReceiver]:
    receiver = SpanReceiver()
    with serve(receiver) as receiver.url:
        yield receiver
        receiver.lets_go.set()


@contextmanager
def tracing_to(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Switch tracing on, as a process does that is started with this variable, and off again."""
    with monkeypatch.context() as patch:
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        patch.setattr(tracing, "_said", set())
        # A process sets its provider once; the tests of one process take turns.
        patch.setattr(trace, "_TRACER_PROVIDER", None)
        patch.setattr(trace._TRACER_PROVIDER_SET_ONCE, "_done", False)
        tracing.start_tracing()
        try:
            yield
        finally:
            provider = trace.get_tracer_provider()
            if isinstance(provider, TracerProvider):
                threading.Thread(target=provider.shutdown, daemon=True).start()
