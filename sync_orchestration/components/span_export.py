"""Sends spans by OTLP; the only module that needs the SDK of OpenTelemetry, which is the extra `telemetry`.

Whatever becomes of the spans, the sync goes on: they are queued and sent by a thread of their own, a full queue drops
the newest, and at the end of a process a receiver that does not answer is waited for only a moment.
"""

import atexit
import logging
import os
import threading
from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

from sync_orchestration.components.known_secrets import known_secrets
from sync_orchestration.mapping.scrub import mask

_SERVICE = "sync_orchestration"
_SECONDS_AT_EXIT = 2.0

_log = logging.getLogger(__name__)


class _Ids(RandomIdGenerator):
    """Numbers of traces that the steps of a run share."""

    def __init__(self, current: Callable[[], int | None]) -> None:
        self._current = current

    def generate_trace_id(self) -> int:
        return self._current() or super().generate_trace_id()


class _DiscreetExporter(SpanExporter):
    """Masks what is sent, and says once, not every five seconds, that nobody takes it."""

    def __init__(self, inner: SpanExporter) -> None:
        self._inner = inner
        self._has_complained = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        secrets = known_secrets()
        result = self._inner.export([_masked(one, secrets) for one in spans])
        if result is not SpanExportResult.SUCCESS and not self._has_complained:
            self._has_complained = True
            _log.warning("Traces cannot be delivered to the address in OTEL_EXPORTER_OTLP_ENDPOINT; syncs go on.")
        return result

    def shutdown(self) -> None:
        self._inner.shutdown()


def provider(trace_of_run: Callable[[], int | None]) -> TracerProvider:
    """Return what makes spans and sends them, set up by OTEL_* variables; `trace_of_run` numbers traces of runs."""
    _silence()
    named = {"OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"} & os.environ.keys()
    resource = Resource.create({} if named else {"service.name": _SERVICE})
    made = TracerProvider(resource=resource, id_generator=_Ids(trace_of_run), shutdown_on_exit=False)
    made.add_span_processor(BatchSpanProcessor(_DiscreetExporter(OTLPSpanExporter())))
    atexit.register(_end, made)
    return made


def _end(made: TracerProvider) -> None:
    """Send what is left, for a moment: a run that has ended is not held up by whoever looks at it."""
    sending = threading.Thread(target=made.shutdown, daemon=True)
    sending.start()
    sending.join(_SECONDS_AT_EXIT)


def _silence() -> None:
    # They tell of every failed try, with the address; that it fails is said above.
    for name in ("opentelemetry.exporter", "opentelemetry.sdk._shared_internal"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _masked(one: ReadableSpan, secrets: Sequence[str]) -> ReadableSpan:
    def plain(value: Any) -> Any:
        return mask(value, secrets) if isinstance(value, str) else value

    return ReadableSpan(
        name=plain(one.name),
        context=one.get_span_context(),
        parent=one.parent,
        resource=one.resource,
        attributes={name: plain(value) for name, value in (one.attributes or {}).items()},
        kind=one.kind,
        instrumentation_scope=one.instrumentation_scope,
        status=one.status,
        start_time=one.start_time,
        end_time=one.end_time,
    )
