"""What those who look after the service see."""

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from sync_orchestration_tests.intake.world import FEED_SECRET, Intake, partner, serve_intake, with_limits
from sync_orchestration_tests.span_receiver import receiving, tracing_to


def figures(intake: Intake) -> dict[str, float]:
    text = intake.get("/metrics", token=None).text
    return {
        f"{sample.name}{[value for _, value in sorted(sample.labels.items())]}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_an_intake_with_its_database_is_ready(intake: Intake) -> None:
    assert intake.get("/healthz", token=None).json() == {"status": "alive"}
    assert intake.get("/readyz", token=None).json() == {"status": "ready"}


def test_an_intake_whose_tables_are_of_another_version_is_not_ready(intake: Intake) -> None:
    intake.sql("UPDATE sync.alembic_version SET version_num = '0001'")
    assert intake.get("/readyz").status_code == 503
    intake.sql("DROP TABLE sync.alembic_version")
    assert intake.get("/readyz").status_code == 503
    assert intake.get("/healthz").status_code == 200


def test_an_intake_without_its_database_says_try_again_and_refuses_nobody(database_url: str) -> None:
    away = re.sub(r"/t_\w+\?", "/no_such_database?", database_url)
    with serve_intake(away, with_limits(database_seconds=0.05)) as intake:
        assert intake.get("/healthz").status_code == 200
        assert intake.get("/readyz").status_code == 503
        answer = intake.push(partner("1"))
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["retryable"]) == (503, "storage_unavailable", True)
        assert answer.headers["Retry-After"] == "5"
        assert intake.rpc("records.status", ["partners", "1"]).json()["error"]["code"] == -32005
        hook = intake.post("/hooks/feed/demo", token=None, headers={"X-Secret": FEED_SECRET})
        assert hook.status_code == 503
        assert not any(name.startswith("intake_pending_rows") for name in figures(intake))


def test_sessions_that_the_server_has_ended_are_replaced_unnoticed(intake: Intake) -> None:
    intake.push(partner("1"))
    intake.fetch(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sync-orchestration intake'"
    )
    assert intake.outcomes(partner("2")) == ["accepted"]


def test_calls_and_records_are_counted(intake: Intake) -> None:
    intake.push(partner("1"), partner("2"), partner("3", ""))
    intake.push(partner("1"))
    intake.push(partner("4", ""))
    intake.rpc("records.push", {"sync": "partners", "records": [partner("1", "B", version=1)]})
    intake.rpc("no.such")
    intake.post("/rpc", "{")
    intake.get("/v1/partners/records/9", token="wrong")
    found = figures(intake)
    assert found["intake_records_total['accepted', 'partners']"] == 3
    assert found["intake_records_total['refused', 'partners']"] == 2
    assert found["intake_records_total['unchanged', 'partners']"] == 1
    assert found["intake_calls_total['records.push', 'ok']"] == 3
    assert found["intake_calls_total['records.push', 'records_refused']"] == 1
    assert found["intake_calls_total['unknown', 'no_method']"] == 1
    assert found["intake_calls_total['unknown', 'bad_json']"] == 1
    assert found["intake_calls_total['records.status', 'no_access']"] == 1
    assert found["intake_seconds_count['records.push']"] == 4
    assert found["intake_pending_rows['partners']"] == 2
    assert found["intake_pending_rows['notes']"] == 0


def test_an_address_that_does_not_exist_is_told_in_json(intake: Intake) -> None:
    answer = intake.get("/nowhere")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "no_method")
    answer = intake.get("/rpc")
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "wrong_verb")
    assert answer.headers["Allow"] == "POST"


def test_a_call_is_a_part_of_the_trace_that_its_sender_tells(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    trace, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    with receiving() as receiver, tracing_to(receiver.url, monkeypatch):
        for header in (f"00-{trace}-{span}-01", "no trace at all"):
            body = {"records": [partner("KEY")]}
            intake.post("/v1/partners/records", body, headers={"traceparent": header, "tracestate": "x=1"})
        intake.get("/healthz")
        theirs, own = receiver.collect()
    assert (theirs.trace, theirs.parent) == (trace, span)
    assert theirs.name == "POST /v1/{sync}/records"
    assert theirs.attributes["http.response.status_code"] == 200
    assert theirs.attributes["intake.sender"] == "shop"
    assert own.trace != trace
    assert not own.parent
