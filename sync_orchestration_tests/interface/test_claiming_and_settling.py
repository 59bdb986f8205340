"""Who may write a row, and what becomes of it: claims, settlements, second tries, and workers that die."""

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from sync_orchestration.interface import requeue, rows
from sync_orchestration.interface.database import connect
from sync_orchestration.interface.rows import Scope, Worker, claim
from sync_orchestration.interface.state import database_time
from sync_orchestration_tests.interface.at_hand import (
    SYNC,
    claim_all,
    land_these,
    process,
    record,
    row_of,
    settle_as,
    statuses,
)
from sync_orchestration_tests.interface.conftest import Hire

Conn = Connection[Any]


def end_session(of: Worker, *, as_seen_by: Conn) -> None:
    """End a worker's session as a power cut would; returns when the server has buried it."""
    pid = of.connection.info.backend_pid
    as_seen_by.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])
    of.connection.close()


def test_rows_are_claimed_oldest_position_first(worker: Worker) -> None:
    land_these(worker.connection, record("b", 9), record("a", 9), record("c", 3), record("d", 11))
    assert [row.record_key for row in claim_all(worker, limit=3)] == ["c", "a", "b"]
    assert [row.record_key for row in claim_all(worker, limit=3)] == ["d"]
    assert claim_all(worker) == []


@pytest.mark.parametrize(
    ("scope", "claimed"),
    [
        (Scope(), ["1", "2", "3"]),
        (Scope(partition_keys=["w1"]), ["1", "2"]),
        (Scope(keys=["2", "3", "9"]), ["2", "3"]),
        (Scope(partition_keys=["w1"], keys=["2", "3"]), ["2"]),
        (Scope(partition_keys=[]), []),
        (Scope(keys=[]), []),
    ],
    ids=["everything", "a window", "chosen keys", "chosen keys of a window", "no window", "no key"],
)
def test_a_pass_claims_only_what_is_in_its_scope(worker: Worker, scope: Scope, claimed: list[str]) -> None:
    land_these(worker.connection, record("1", 1, window="w1"), record("2", 2, window="w1"), record("3", 3, window="w2"))
    assert [row.record_key for row in claim(worker, SYNC, scope, 10)] == claimed


def test_two_workers_never_claim_one_row(hire: Hire, conn: Conn) -> None:
    land_these(conn, *(record(f"{n:02}", n) for n in range(40)))
    one, other = hire(), hire()
    claimed: list[str] = []
    while batch := [*claim_all(one, limit=3), *claim_all(other, limit=4)]:
        claimed += [row.record_key for row in batch]
    assert sorted(claimed) == [f"{n:02}" for n in range(40)]


def test_a_row_that_another_worker_is_just_claiming_is_passed_over_without_waiting(hire: Hire, conn: Conn) -> None:
    land_these(conn, record("1", 1), record("2", 2))
    one, other = hire(), hire()
    other.connection.execute("SET lock_timeout = '5s'")
    with one.connection.transaction():
        one.connection.execute("SELECT 1 FROM sync.interface_row WHERE record_key = '1' FOR UPDATE")
        assert [row.record_key for row in claim_all(other)] == ["2"]


def test_a_workers_claims_end_with_its_session_and_no_earlier(hire: Hire, conn: Conn) -> None:
    land_these(conn, record("1", 1), record("2", 2))
    dying, living = hire(), hire()
    claim_all(dying, limit=1)
    claim_all(living, limit=1)
    assert rows.release_dead_claims(conn, SYNC) == 0
    end_session(dying, as_seen_by=conn)
    assert rows.pending_windows(conn, SYNC) == ["000000000000"]
    assert rows.release_dead_claims(conn, SYNC) == 1
    assert statuses(conn) == {"1": "pending", "2": "processing"}
    assert [row.record_key for row in claim_all(living)] == ["1"]


def test_a_window_that_a_living_worker_is_writing_does_not_wait_for_another(worker: Worker) -> None:
    land_these(worker.connection, record("1", 1))
    claim_all(worker)
    assert rows.pending_windows(worker.connection, SYNC) == []


def test_a_worker_whose_claim_was_taken_over_cannot_settle_it(hire: Hire, conn: Conn) -> None:
    """Its session has not ended, but somebody gave its row away."""
    land_these(conn, record("1", 1))
    slow, quick = hire(), hire()
    taken = claim_all(slow)
    rows.unclaim(slow, SYNC)
    claim_all(quick)
    assert settle_as(slow, taken, "failed", error_code="late", error_message="too late") == 0
    assert (row_of(conn, "1")["status"], row_of(conn, "1")["claimed_by"]) == ("processing", quick.number)


def test_a_worker_gives_back_only_its_own_rows(hire: Hire, conn: Conn) -> None:
    land_these(conn, record("1", 1), record("2", 2))
    one, other = hire(), hire()
    claim_all(one, limit=1)
    claim_all(other, limit=1)
    assert rows.unclaim(one, SYNC) == 1
    assert statuses(conn) == {"1": "pending", "2": "processing"}


@pytest.mark.parametrize(
    ("position", "name", "force"),
    [(6, "B", False), (5, "B", False), (6, "A", False), (6, None, False), (5, None, False), (5, "A", True)],
    ids=[
        "at a newer position",
        "at the same position",
        "the same content at a newer position",
        "a delete",
        "a delete at the same position",
        "the same, forced",
    ],
)
@pytest.mark.parametrize("outcome", ["processed", "failed", "skipped"])
def test_news_that_lands_while_a_row_is_written_is_written_next(
    hire: Hire, conn: Conn, position: int, name: str | None, force: bool, outcome: Any
) -> None:
    land_these(conn, record("1", 5, "A"))
    worker = hire()
    claimed = claim_all(worker)
    land_these(conn, record("1", position, name), force=force)
    assert row_of(conn, "1")["status"] == "processing"
    assert claim_all(hire()) == []

    later = database_time(conn) + timedelta(hours=1) if outcome == "failed" else None
    said = {"error_code": "busy", "error_message": "busy", "next_attempt_at": later} if later else {}
    settle_as(worker, claimed, outcome, target_id="41", **said)

    assert (row_of(conn, "1")["status"], row_of(conn, "1")["target_id"]) == ("pending", "41")
    (again,) = claim_all(worker)
    assert again.payload == (None if name is None else {"name": name})


def test_history_that_lands_while_a_row_is_written_changes_nothing(hire: Hire, conn: Conn) -> None:
    land_these(conn, record("1", 5, "A"))
    worker = hire()
    claimed = claim_all(worker)
    land_these(conn, record("1", 4, "old"))
    land_these(conn, record("1", 5, "A"))
    settle_as(worker, claimed, "processed")
    assert statuses(conn) == {"1": "processed"}


def test_news_that_lands_while_a_worker_dies_is_written_by_the_next(hire: Hire, conn: Conn) -> None:
    land_these(conn, record("1", 5, "A"))
    dying = hire()
    claim_all(dying)
    land_these(conn, record("1", 6, "B"))
    end_session(dying, as_seen_by=conn)
    rows.release_dead_claims(conn, SYNC)
    assert [row.payload for row in claim_all(hire())] == [{"name": "B"}]


def test_a_failure_is_kept_with_its_reason_its_field_and_since_when(worker: Worker) -> None:
    conn = worker.connection
    land_these(conn, record("1", 5))
    settle_as(worker, claim_all(worker), "failed", error_code="email", error_field="email", error_message="no address")
    (first,) = rows.failing_rows(conn, SYNC)
    assert (first.error_code, first.error_field, first.error_message, first.attempts, first.next_attempt_at) == (
        "email",
        "email",
        "no address",
        1,
        None,
    )
    requeue.requeue_failed(conn, SYNC, None)
    settle_as(worker, claim_all(worker), "failed", error_code="email", error_field="email", error_message="still none")
    (second,) = rows.failing_rows(conn, SYNC)
    assert (second.first_failed_at, second.attempts) == (first.first_failed_at, 2)
    assert first.last_attempt_at is not None
    assert second.last_attempt_at is not None
    assert second.last_attempt_at > first.last_attempt_at


def test_success_clears_the_error(worker: Worker) -> None:
    conn = worker.connection
    land_these(conn, record("1", 5))
    settle_as(worker, claim_all(worker), "failed", error_code="email", error_field="email", error_message="no address")
    requeue.requeue_failed(conn, SYNC, None)
    settle_as(worker, claim_all(worker), "processed", target_id="41")
    row = row_of(conn, "1")
    assert [row[n] for n in ("error_code", "error_field", "error_message", "first_failed_at")] == [None] * 4
    assert (row["target_id"], row["target_system"]) == ("41", "odoo")
    assert row["processed_at"] is not None


@pytest.mark.parametrize("text", ["a\x00b", "a\ud800b"], ids=["NUL", "half a surrogate pair"])
def test_a_reason_that_postgresql_refuses_to_store_does_not_lose_the_settlement(worker: Worker, text: str) -> None:
    land_these(worker.connection, record("1", 5))
    settle_as(worker, claim_all(worker), "failed", error_code="odd", error_field=text, error_message=text)
    assert row_of(worker.connection, "1")["error_message"] in ("a�b", "a?b")


def test_a_look_that_needed_no_write_is_no_attempt(worker: Worker) -> None:
    land_these(worker.connection, record("1", 5))
    settle_as(worker, claim_all(worker), "processed", counts=False)
    row = row_of(worker.connection, "1")
    assert (row["status"], row["attempts"], row["last_attempt_at"]) == ("processed", 0, None)


def test_a_passing_fault_is_due_again_when_its_time_has_come(worker: Worker) -> None:
    conn = worker.connection
    land_these(conn, record("due", 1), record("later", 2), record("never", 3))
    now = database_time(conn)
    for row in claim_all(worker):
        when = {"due": now - timedelta(seconds=1), "later": now + timedelta(hours=1)}.get(row.record_key)
        settle_as(worker, [row], "failed", error_code="x", error_message="x", next_attempt_at=when)
    assert rows.pending_windows(conn, SYNC) == ["000000000000"]
    assert requeue.requeue_due(conn, SYNC) == 1
    assert statuses(conn) == {"due": "pending", "later": "failed", "never": "failed"}
    assert [(row.record_key, row.attempts) for row in claim_all(worker)] == [("due", 1)]


def fail_three(worker: Worker) -> None:
    land_these(worker.connection, record("held", 1), record("bad", 2), record("worse", 3), record("good", 4))
    for row in claim_all(worker):
        if row.record_key == "good":
            settle_as(worker, [row], "processed")
        else:
            code = "delete_held" if row.record_key == "held" else "email"
            settle_as(worker, [row], "failed", error_code=code, error_message=code)


@pytest.mark.parametrize(
    ("keys", "confirmed", "requeued"),
    [
        (None, False, {"bad", "worse"}),
        (None, True, {"held", "bad", "worse"}),
        (["bad", "good", "unknown"], False, {"bad"}),
        (["held"], False, set()),
        (["held"], True, {"held"}),
        ([], True, set()),
    ],
    ids=["all", "all and the held ones", "chosen", "a held one", "a held one with a word", "none"],
)
def test_a_person_puts_failed_rows_through_again(
    worker: Worker, keys: list[str] | None, confirmed: bool, requeued: set[str]
) -> None:
    fail_three(worker)
    assert set(requeue.requeue_failed(worker.connection, SYNC, keys, confirm_deletes=confirmed)) == requeued
    assert {row.record_key: row.delete_confirmed for row in claim_all(worker)} == {
        key: key == "held" for key in requeued
    }


def test_confirmed_deletes_are_not_counted_as_a_flood(worker: Worker) -> None:
    conn = worker.connection
    process(worker, record("1", 1), record("2", 1), record("3", 1))
    land_these(conn, record("1", 2, None), record("2", 2, None))
    assert rows.count_known_and_deletes(conn, SYNC) == (3, 2)
    settle_as(worker, claim_all(worker, limit=1), "failed", error_code="delete_held", error_message="held")
    requeue.requeue_failed(conn, SYNC, None, confirm_deletes=True)
    assert rows.count_known_and_deletes(conn, SYNC) == (3, 1)


def test_what_a_person_is_shown_is_counted_and_ordered(worker: Worker) -> None:
    conn = worker.connection
    fail_three(worker)
    assert rows.counts_by_status(conn, SYNC) == {SYNC: {"failed": 3, "processed": 1}}
    assert rows.counts_by_status(conn) == {SYNC: {"failed": 3, "processed": 1}}
    assert rows.counts_by_status(conn, "other") == {}
    assert (rows.count_failing(conn, SYNC), rows.count_failing(conn, SYNC, partition_keys=["elsewhere"])) == (3, 0)
    assert [row.record_key for row in rows.failing_rows(conn, SYNC, limit=2)] == ["held", "bad"]
    assert rows.failing_keys(conn, SYNC) == ["bad", "held", "worse"]


def test_links_to_the_target_are_those_of_records_that_should_be_there(worker: Worker) -> None:
    conn = worker.connection
    process(worker, record("1", 1), record("2", 1))
    process(worker, record("2", 2, None))
    assert rows.links(conn, SYNC) == {"1": rows.Link("1")}
    assert rows.known_targets(conn, SYNC, ["1", "2", "3"]) == {"1", "2"}


PLACE = ("odoo", "res.partner")


def test_one_worker_at_a_time_looks_for_records_to_adopt(database_url: str, conn: Conn) -> None:
    with connect(database_url) as other:
        other.execute("SET lock_timeout = '50ms'")
        with rows.adoption_lock(conn, *PLACE, wanted=True):
            with pytest.raises(psycopg.errors.LockNotAvailable), rows.adoption_lock(other, *PLACE, wanted=True):
                pass
            with rows.adoption_lock(other, *PLACE, wanted=False):
                pass
            with rows.adoption_lock(other, PLACE[0], "res.users", wanted=True):
                pass
            with rows.adoption_lock(other, "another odoo", PLACE[1], wanted=True):
                pass
        with rows.adoption_lock(other, *PLACE, wanted=True):
            pass


def test_a_doubt_says_since_when_the_very_same_is_to_be_written(worker: Worker) -> None:
    def first_tried(manner: str = "m") -> Any:
        (row,) = claim(worker, SYNC, Scope(), 10, manner)
        rows.unclaim(worker, SYNC)
        return row.first_tried_at

    land_these(worker.connection, record("1", 1, "A"))
    begun = first_tried()
    assert begun is not None
    assert first_tried() == begun, "the doubt goes on"
    assert first_tried("other") is None, "something else is sent for the same payload"
    land_these(worker.connection, record("1", 2, "B"))
    assert first_tried() is None
    land_these(worker.connection, record("1", 3, None))
    assert first_tried() is None
    land_these(worker.connection, record("1", 4, "A"))
    assert first_tried() == begun
    (row,) = claim(worker, SYNC, Scope(), 10, "m")
    settle_as(worker, [row], "processed")
    land_these(worker.connection, record("1", 5, "C"))
    assert first_tried() > begun, "that is another making"
