"""The log of attempts, and the retention that keeps the tables bounded."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg import Connection

from sync_orchestration.interface.attempts import Attempt, log_attempts, purge, read_attempts
from sync_orchestration.interface.rows import Worker
from sync_orchestration.interface.state import database_time
from sync_orchestration_tests.interface.at_hand import SYNC, land_these, process, record, statuses

Conn = Connection[Any]
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def attempt(key: str, at: datetime = NOON, **said: Any) -> Attempt:
    fixed = {"model": "res.partner", "operation": "update", "run_id": "run-1", "duration_ms": 40, "status": "success"}
    return Attempt(sync=SYNC, source_system="flexi", record_key=key, started_at=at, **{**fixed, **said})


def test_attempts_are_read_newest_first_for_a_sync_or_a_record(conn: Conn) -> None:
    log_attempts(conn, [attempt("1"), attempt("2", status="error", response_code=200, error="no address")])
    log_attempts(conn, [attempt("1", NOON + timedelta(minutes=1))])
    assert [a["record_key"] for a in read_attempts(conn, SYNC)] == ["1", "2", "1"]
    assert [a["record_key"] for a in read_attempts(conn, SYNC, limit=2)] == ["1", "2"]
    assert len(read_attempts(conn, SYNC, key="1")) == 2
    (failed,) = read_attempts(conn, SYNC, key="2")
    assert failed == {
        "record_key": "2",
        "model": "res.partner",
        "operation": "update",
        "status": "error",
        "response_code": 200,
        "duration_ms": 40,
        "started_at": NOON,
        "error": "no address",
        "run_id": "run-1",
    }
    assert read_attempts(conn, "other") == []


@pytest.mark.parametrize("error", ["a\x00b", "a\ud800b"], ids=["NUL", "half a surrogate pair"])
def test_an_error_that_postgresql_refuses_to_store_is_logged_without_the_odd_character(conn: Conn, error: str) -> None:
    log_attempts(conn, [attempt("1", status="error", error=error)])
    assert read_attempts(conn, SYNC)[0]["error"] in ("a�b", "a?b")


@pytest.mark.parametrize("batch", [1, 2, 3, 100], ids="batches of {}".format)
def test_old_attempts_go_in_batches_and_young_ones_stay(conn: Conn, batch: int) -> None:
    log_attempts(conn, [attempt(str(n), NOON - timedelta(days=n)) for n in range(6)])
    purged = purge(conn, before=NOON - timedelta(days=2), batch=batch)
    assert purged == {"interface_attempt": 3, "interface_row": 0, "incident": 0}
    assert [a["record_key"] for a in read_attempts(conn, SYNC)] == ["2", "1", "0"]


def test_only_finished_deletes_are_purged(worker: Worker) -> None:
    conn = worker.connection
    process(worker, record("kept", 1), record("gone", 1), record("going", 1))
    process(worker, record("gone", 2, None))
    land_these(conn, record("going", 2, None))
    assert purge(conn, before=database_time(conn) - timedelta(days=1))["interface_row"] == 0
    assert purge(conn, before=database_time(conn), batch=1)["interface_row"] == 1
    assert statuses(conn) == {"going": "pending", "kept": "processed"}
