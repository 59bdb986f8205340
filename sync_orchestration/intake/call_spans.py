"""The span of one call: part of the sender's own trace, where it tells that in the header `traceparent`."""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.datastructures import Headers
from starlette.types import Scope

_PROPAGATOR = TraceContextTextMapPropagator()
_UNTOLD = frozenset({"/healthz", "/readyz", "/metrics"})
"""Who looks whether the service is alive asks every few seconds, and nobody wants to read of it."""


@contextmanager
def call_span(scope: Scope) -> Iterator[Span]:
    """Open the span of a call for the length of a block; `note_answer` gives it its name."""
    if scope["path"] in _UNTOLD:
        yield INVALID_SPAN
        return
    parent = Headers(scope=scope).get("traceparent", "")
    with trace.get_tracer("sync_orchestration").start_as_current_span(
        "call",
        _PROPAGATOR.extract({"traceparent": parent}),
        SpanKind.SERVER,
        record_exception=False,
        set_status_on_exception=False,
    ) as opened:
        yield opened


def note_answer(opened: Span, method: str, route: str, status: int, sender: str) -> None:
    """Note what was called, by the pattern of its address, and how it was answered."""
    if not opened.is_recording():
        return
    opened.update_name(f"{method} {route}")
    opened.set_attributes(
        {
            "http.request.method": method,
            "http.route": route,
            "http.response.status_code": status,
            "intake.sender": sender,
        }
    )
    if status >= 500:
        opened.set_attribute("error.type", str(status))
        opened.set_status(Status(StatusCode.ERROR))
