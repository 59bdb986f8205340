"""The log of attempts, and the retention that keeps the tables bounded."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from psycopg import Connection

from sync_orchestration.interface.attempts import Attempt, log_attempts, read_attempts
from sync_orchestration.interface.database import DatabaseError
from sync_orchestration.interface.lookups import fresh_answers, store_answers
from sync_orchestration.interface.retention import Retention, purge
from sync_orchestration.interface.rows import Worker
from sync_orchestration.interface.state import database_time
from sync_orchestration.interface.wakes import record_wake, waiting_wakes
from sync_orchestration_tests.interface.at_hand import SYNC, land_these, process, record, row_of, statuses
from sync_orchestration_tests.interface.conftest import Hire

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


def kept_for(history: float = 90, hints: float = 7, answers: float = 30) -> Retention:
    """What becomes old after so many days."""
    return Retention(timedelta(days=history), timedelta(days=hints), timedelta(days=answers))


def since(at: datetime, conn: Conn) -> float:
    """Return how many days ago that was."""
    return (database_time(conn) - at) / timedelta(days=1)


@pytest.mark.parametrize("batch", [1, 2, 3, 100], ids="batches of {}".format)
def test_old_attempts_go_in_batches_and_young_ones_stay(conn: Conn, batch: int) -> None:
    log_attempts(conn, [attempt(str(n), NOON - timedelta(days=n)) for n in range(6)])
    purged = purge(conn, kept_for(history=since(NOON, conn) + 2.5), batch=batch)
    assert purged["interface_attempt"] == 3
    assert sum(purged.values()) == 3
    assert [a["record_key"] for a in read_attempts(conn, SYNC)] == ["2", "1", "0"]


def test_only_finished_deletes_are_purged(worker: Worker) -> None:
    conn = worker.connection
    process(worker, record("kept", 1), record("gone", 1), record("going", 1))
    process(worker, record("gone", 2, None))
    land_these(conn, record("going", 2, None))
    assert purge(conn, Retention())["interface_row"] == 0
    assert purge(conn, kept_for(history=0), batch=1)["interface_row"] == 1
    assert statuses(conn) == {"going": "pending", "kept": "processed"}


def test_a_processed_record_keeps_its_row_and_payload_however_old_it_is(worker: Worker) -> None:
    process(worker, record("1", 1, "Alfa"))
    worker.connection.execute("UPDATE sync.interface_row SET processed_at = '2001-01-01', received_at = '2001-01-01'")
    purge(worker.connection, kept_for(history=0, hints=0, answers=0))
    assert row_of(worker.connection, "1")["payload"] == {"name": "Alfa"}


def test_hints_pauses_and_answers_go_after_their_own_times(conn: Conn) -> None:
    record_wake(conn, "flexi", "flexi")
    record_wake(conn, "odoo", "odoo_to_rest", ["1", "2"])
    conn.execute("UPDATE sync.wake SET received_at = now() - interval '8 days' WHERE record_key IN ('', '1')")
    conn.execute("INSERT INTO sync.connection_pause VALUES ('a', now() - interval '8 days'), ('b', now())")
    store_answers(conn, "kontur/inn", {"1": [], "2": [{"ogrn": "1"}]})
    conn.execute("UPDATE sync.lookup_answer SET asked_at = now() - interval '31 days' WHERE number = '1'")
    purged = purge(conn, Retention())
    assert (purged["wake"], purged["connection_pause"], purged["lookup_answer"]) == (2, 1, 1)
    assert [wake.record_key for wake in waiting_wakes(conn, "odoo", "odoo_to_rest")] == ["2"]
    assert fresh_answers(conn, "kontur/inn", ["1", "2"], timedelta(days=400)) == {"2": [{"ogrn": "1"}]}


def test_what_another_sync_has_still_to_read_stays(worker: Worker) -> None:
    conn = worker.connection
    process(worker, record("read", 1), record("unread", 1))
    process(worker, record("read", 2, None))
    process(worker, record("unread", 2, None))
    unread = row_of(conn, "unread")["settled_version"]
    retention = replace(kept_for(history=0), still_read={SYNC: unread, "another sync": 1})
    assert purge(conn, retention)["interface_row"] == 1
    assert statuses(conn) == {"unread": "processed"}
    assert purge(conn, kept_for(history=0))["interface_row"] == 1


# Beside workers


def test_a_deleted_record_that_comes_back_at_this_moment_is_not_purged(worker: Worker, hire: Hire) -> None:
    conn, other = worker.connection, hire().connection
    process(worker, record("back", 1), record("gone", 1))
    process(worker, record("back", 2, None), record("gone", 2, None))
    with conn.transaction():
        land_these(conn, record("back", 3, "here again"))
        assert purge(other, kept_for(history=0))["interface_row"] == 1, "it waits for nobody"
    assert statuses(conn) == {"back": "pending"}
    assert purge(other, kept_for(history=0))["interface_row"] == 0


def test_a_sync_lands_claims_and_settles_while_a_batch_is_being_deleted(worker: Worker, hire: Hire) -> None:
    conn, other = worker.connection, hire().connection
    process(worker, record("gone", 1), record("here", 1))
    process(worker, record("gone", 2, None))
    log_attempts(conn, [attempt("1", NOON)])
    conn.execute("SET lock_timeout = '1ms'")
    with other.transaction():
        purged = purge(other, kept_for(history=0))
        assert (purged["interface_row"], purged["interface_attempt"]) == (1, 1)
        # The transaction is open, as that of a batch is for a moment; nobody waits for it.
        process(worker, record("here", 3, "renamed"), record("new", 3))
        log_attempts(conn, [attempt("2", NOON)])
    assert statuses(conn) == {"here": "processed", "new": "processed"}


def test_who_is_stopped_in_the_middle_goes_on_the_next_time(conn: Conn, hire: Hire) -> None:
    log_attempts(conn, [attempt(str(n), NOON + timedelta(seconds=n)) for n in range(10)])
    stopping = Interrupted(hire().connection, after=3)
    with pytest.raises(KeyboardInterrupt):
        purge(cast("Conn", stopping), kept_for(history=0), batch=2)
    assert len(read_attempts(conn, SYNC)) == 10 - 3 * 2
    assert purge(conn, kept_for(history=0), batch=2)["interface_attempt"] == 4


class Interrupted:
    """A connection whose user is stopped when so many deletes are done."""

    def __init__(self, conn: Conn, after: int) -> None:
        self._conn, self._left = conn, after

    def execute(self, text: str, *args: Any) -> Any:
        if "DELETE" in text:
            if self._left == 0:
                raise KeyboardInterrupt
            self._left -= 1
        return self._conn.execute(text, *args)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._conn, name)


def test_a_table_that_stays_locked_is_said_in_plain_words(
    conn: Conn, hire: Hire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync_orchestration.interface.retention._LOCK_MS", 1)
    log_attempts(conn, [attempt("1", NOON)])
    other = hire().connection
    with conn.transaction():
        conn.execute("LOCK TABLE sync.interface_row IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(DatabaseError, match=r"locked by somebody.* goes on"):
            purge(other, kept_for(history=0))
    assert read_attempts(conn, SYNC) == [], "what was deleted before stays so"
