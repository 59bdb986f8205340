"""Traces of runs: switched on by the standard OTEL_* variables, and nothing at all without them.

A run is one trace, whichever processes its steps run in: the number of the trace is made of the run's id.
"""

import hashlib
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import dagster as dg
from opentelemetry import trace

from sync_orchestration.pipeline.spans import span

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_SPOKEN = "http/protobuf"

_log = logging.getLogger(__name__)
_trace_of_run: ContextVar[int | None] = ContextVar("trace_of_run", default=None)
_said: set[str] = set()


def trace_of_run() -> int | None:
    """Return the number of the trace of the run that is under way here."""
    return _trace_of_run.get()


def start_tracing() -> None:
    """Send spans from now on to where the environment says, if it does; safe to call again.

    What is wrong with that is said once, in the log; no sync fails of it.
    """
    if not _is_asked_for() or not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return
    if (protocol := _first_of(_PROTOCOLS) or _SPOKEN) != _SPOKEN:
        _say_once(f"Traces are not sent: they are sent by {_SPOKEN} only, not by {protocol}. Set {_PROTOCOLS[1]}.")
        return
    try:
        from sync_orchestration.components.span_export import provider  # noqa: PLC0415 - the SDK is an extra
    except ImportError:
        _say_once("Traces are not sent: install sync-orchestration[telemetry], which brings what sends them.")
        return
    trace.set_tracer_provider(provider(trace_of_run))


def _is_asked_for() -> bool:
    off = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or os.environ.get("OTEL_TRACES_EXPORTER") == "none"
    return not off and _first_of(ENDPOINTS) is not None


def _first_of(names: tuple[str, ...]) -> str | None:
    return next((value for name in names if (value := os.environ.get(name))), None)


def _say_once(sentence: str) -> None:
    if sentence not in _said:
        _said.add(sentence)
        _log.warning(sentence)


@contextmanager
def traced(
    context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext | dg.OpExecutionContext,
    sync: str,
    step: str | None = None,
) -> Iterator[None]:
    """Open the span of a step (by default the whole job) for the length of a block; a run is one trace."""
    run_id, job = context.run.run_id, context.run.job_name
    told: dict[str, str | int] = {"sync.name": sync, "dagster.run.id": run_id}
    if isinstance(context, dg.AssetExecutionContext) and context.has_partition_key_range:
        windows = context.partition_key_range
        told |= {"sync.windows.first": windows.start, "sync.windows.last": windows.end}
    token = _trace_of_run.set(int.from_bytes(hashlib.sha256(run_id.encode()).digest()[:16]))
    try:
        with span(step or job, told):
            yield
    finally:
        _trace_of_run.reset(token)
