"""Who traces a sync sees every step and every request of a run; a receiver that is away disturbs no sync."""

import hashlib
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from socket import create_server

import pytest

from sync_orchestration.components import tracing
from sync_orchestration_tests.components.places import PARTNERS, REFUSED, SYNC, Place
from sync_orchestration_tests.span_receiver import Received, SpanReceiver, receiving, tracing_to

STEPS = {"read and land": {"read", "land"}, "map and write": {"map", "write", "settle"}}


@pytest.fixture
def receiver() -> Iterator[SpanReceiver]:
    with receiving() as served:
        yield served


def ancestors(span: Received, spans: list[Received]) -> list[str]:
    by_id = {one.id: one for one in spans}
    found = []
    while span.parent in by_id:
        span = by_id[span.parent]
        found.append(span.name)
    return found


def test_a_run_is_one_trace_of_its_steps_with_every_request_below_them(
    place: Place, receiver: SpanReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tracing_to(receiver.url, monkeypatch):
        request = place.requested()
        place.flexi.faults.reset_counts()
        result = place.run(tags=request.tags)
        assert result.success
        sent = sum(place.requests.values())
        spans = receiver.collect()
    run = [s for s in spans if s.trace == hashlib.sha256(result.run_id.encode()).digest()[:16].hex()]
    for step, parts in STEPS.items():
        (top,) = [s for s in run if s.name == step]
        assert top.attributes["sync.name"] == SYNC
        assert top.attributes["dagster.run.id"] == result.run_id
        first = request.tags["dagster/asset_partition_range_start"]
        assert top.attributes["sync.windows.first"] == first
        below = {s.name for s in run if step in ancestors(s, run)}
        assert parts <= below
    to_flexi = [s for s in run if s.attributes.get("sync.system") == "Flexi"]
    assert len([s for s in to_flexi if "read and land" in ancestors(s, run)]) > 3
    assert len(to_flexi) == sent, "each request of the run is told of"
    assert {s.attributes["url.template"] for s in to_flexi} >= {"/c/demo/changes.json", "/c/demo/adresar/{}"}
    writes = [s for s in run if s.attributes.get("sync.system") == "Odoo" and "write" in ancestors(s, run)]
    assert writes
    assert all(s.attributes["http.response.status_code"] == 200 for s in writes if not s.is_error)


def test_a_request_that_fails_is_told_by_its_kind_and_not_by_its_text(
    place: Place, receiver: SpanReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = place.requested()
    monkeypatch.setenv("FLEXI_URL", "http://127.0.0.1:9")
    with tracing_to(receiver.url, monkeypatch):
        assert not place.run(tags=request.tags).success
        spans = receiver.collect()
    (step,) = [s for s in spans if s.name == "read and land"]
    asked = [s for s in spans if s.attributes.get("server.address") == "127.0.0.1:9"]
    assert asked
    assert all((s.is_error, s.attributes["error.type"]) == (True, "ConnectionError") for s in asked)
    assert (step.is_error, step.attributes["error.type"]) == (True, "Failure")
    assert not any("refused" in str(s.attributes) for s in spans)


def test_nobody_at_the_address_of_the_traces_is_said_once_and_disturbs_no_sync(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(create_server(("127.0.0.1", 0))) as taken:
        free = taken.getsockname()[1]
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    receiver = SpanReceiver()
    with tracing_to(f"http://127.0.0.1:{free}", monkeypatch), caplog.at_level(logging.DEBUG):
        report = place.bring_up_to_date()
        receiver.collect()
        place.bring_up_to_date()
        receiver.collect()
    assert (report.problem, report.counts["processed"]) == (None, PARTNERS - REFUSED)
    about = [r.getMessage() for r in caplog.records if "OTEL_" in r.getMessage() or "127.0.0.1" in r.getMessage()]
    assert about == ["Traces cannot be delivered to the address in OTEL_EXPORTER_OTLP_ENDPOINT; syncs go on."]


def test_a_receiver_that_never_answers_holds_up_no_sync(
    place: Place, receiver: SpanReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.holds = True
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
    with tracing_to(receiver.url, monkeypatch):
        report = place.bring_up_to_date()
        assert receiver.is_called.wait(20)
        assert (report.problem, receiver.bodies) == (None, []), "the sync is over, and nothing was answered yet"
    assert report.counts["processed"] == PARTNERS - REFUSED


_SHORT_LIVED = """
from sync_orchestration.components.tracing import start_tracing
from sync_orchestration.pipeline.spans import span
start_tracing()
with span("the last one"):
    pass
"""


def _end_of_a_process(url: str) -> None:
    hours = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_EXPORTER_OTLP_TIMEOUT": "7200"}
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _SHORT_LIVED], env=os.environ | hours, check=True, timeout=120
    )


def test_a_process_that_ends_delivers_its_last_spans(receiver: SpanReceiver) -> None:
    _end_of_a_process(receiver.url)
    assert [span.name for span in receiver.spans] == ["the last one"]


def test_a_process_ends_although_the_receiver_never_answers(receiver: SpanReceiver) -> None:
    receiver.holds = True
    _end_of_a_process(receiver.url)
    assert receiver.is_called.is_set()
    assert receiver.bodies == []


def test_traces_without_what_sends_them_are_said_once_with_the_way_out(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "sync_orchestration.components.span_export", None)
    with tracing_to("http://127.0.0.1:9", monkeypatch):
        tracing.start_tracing()
        assert place.bring_up_to_date().problem is None
    said = [record.getMessage() for record in caplog.records if "Traces" in record.getMessage()]
    assert said == ["Traces are not sent: install sync-orchestration[telemetry], which brings what sends them."]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("OTEL_SDK_DISABLED", "true", []),
        ("OTEL_TRACES_EXPORTER", "none", []),
        (
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            "grpc",
            ["Traces are not sent: they are sent by http/protobuf only, not by grpc. Set OTEL_EXPORTER_OTLP_PROTOCOL."],
        ),
    ],
)
def test_the_standard_variables_switch_traces_off(
    name: str, value: str, said: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(name, value)
    with tracing_to("http://127.0.0.1:9", monkeypatch), pytest.raises(AssertionError, match="tracing is off"):
        SpanReceiver().collect()
    assert [record.getMessage() for record in caplog.records] == said


def test_what_sends_traces_is_not_even_loaded_where_nobody_traces() -> None:
    looking = (
        "import sys; print([m for m in sys.modules if m.startswith(('opentelemetry.sdk', 'opentelemetry.exporter'))])"
    )
    command = [sys.executable, "-W", "ignore", "-c", f"{_SHORT_LIVED}\n{looking}"]
    assert subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout.strip() == "[]"
