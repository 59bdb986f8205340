"""What landing makes of news: the newest state wins, nothing is doubled, no character is too strange."""

import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from sync_orchestration.interface import requeue, rows
from sync_orchestration.interface.rows import LandedRecord, Operation, Worker
from sync_orchestration.interface.state import database_time
from sync_orchestration.mapping.diff import canonical_text
from sync_orchestration_tests.interface.at_hand import (
    SOURCE,
    SYNC,
    claim_all,
    land_these,
    process,
    record,
    row_of,
    settle_as,
    statuses,
)

Conn = Connection[Any]


def test_a_new_record_waits_to_be_written_with_all_that_was_said_of_it(conn: Conn) -> None:
    landed = land_these(conn, record("7", 12, "A", operation="create", window="000000000010", external_ids=["code:A"]))
    row = row_of(conn, "7")
    assert landed == 1
    assert (row["status"], row["operation"], row["position"], row["partition_key"]) == (
        "pending",
        "create",
        12,
        "000000000010",
    )
    assert (row["payload"], row["external_ids"], row["source_system"], row["run_id"]) == (
        {"name": "A"},
        ["code:A"],
        SOURCE,
        "run-1",
    )


class Meeting(NamedTuple):
    """A processed row at position 5 called A meets news; `wins` tells whether the row is changed by it."""

    position: int
    name: str | None
    wins: bool
    status: str
    force: bool = False


MEETINGS = {
    "a newer position with another content is written": Meeting(6, "B", wins=True, status="pending"),
    "a newer position with the same content only moves on": Meeting(6, "A", wins=True, status="processed"),
    "a newer delete is written": Meeting(6, None, wins=True, status="pending"),
    "an older position is history": Meeting(4, "B", wins=False, status="processed"),
    "an older delete is history": Meeting(4, None, wins=False, status="processed"),
    "an older position is history even when forced": Meeting(4, "B", wins=False, status="processed", force=True),
    "the same position and content is no news": Meeting(5, "A", wins=False, status="processed"),
    "the same position with another content is written": Meeting(5, "B", wins=True, status="pending"),
    "a delete at the same position is written": Meeting(5, None, wins=True, status="pending"),
    "the same again, forced, is written again": Meeting(5, "A", wins=True, status="pending", force=True),
    "the same again at a newer position, forced": Meeting(6, "A", wins=True, status="pending", force=True),
}


@pytest.mark.parametrize("meeting", MEETINGS.values(), ids=MEETINGS.keys())
def test_news_meets_a_processed_row(worker: Worker, meeting: Meeting) -> None:
    process(worker, record("7", 5, "A"))
    conn = worker.connection
    before = row_of(conn, "7")

    landed = land_these(conn, record("7", meeting.position, meeting.name), force=meeting.force)

    after = row_of(conn, "7")
    assert landed == int(meeting.wins)
    assert after["status"] == meeting.status
    assert (after["received_at"] > before["received_at"]) is meeting.wins
    if meeting.wins:
        assert after["position"] == meeting.position
        assert after["payload"] == (None if meeting.name is None else {"name": meeting.name})
        assert (after["operation"] == "delete") is (meeting.name is None)
    else:
        assert after == before


def test_a_repeated_landing_tries_a_failed_record_again(worker: Worker) -> None:
    land_these(worker.connection, record("7", 5, "A"))
    settle_as(worker, claim_all(worker), "failed", error_code="email", error_message="no address")
    land_these(worker.connection, record("7", 5, "A"))
    assert row_of(worker.connection, "7")["status"] == "failed"
    land_these(worker.connection, record("7", 5, "A"), force=True)
    assert row_of(worker.connection, "7")["status"] == "pending"


def test_a_change_of_a_failed_record_puts_it_up_again_at_once(worker: Worker) -> None:
    land_these(worker.connection, record("7", 5, "A"))
    later = database_time(worker.connection) + timedelta(hours=1)
    settle_as(worker, claim_all(worker), "failed", error_code="busy", error_message="busy", next_attempt_at=later)
    land_these(worker.connection, record("7", 6, "B"))
    assert [row.record_key for row in claim_all(worker)] == ["7"]


class Told(NamedTuple):
    """What a source says of a record, and what the row says it is."""

    said: Operation
    linked: bool
    kept: Operation


@pytest.mark.parametrize(
    "told",
    [
        Told("create", linked=False, kept="create"),
        Told("create", linked=True, kept="update"),
        Told("update", linked=True, kept="update"),
        Told("delete", linked=True, kept="delete"),
    ],
    ids=str,
)
def test_a_record_is_created_only_while_the_target_has_none(worker: Worker, told: Told) -> None:
    land_these(worker.connection, record("7", 5, "A", operation="create"))
    settle_as(worker, claim_all(worker), "processed", target_id="41" if told.linked else None)
    name = None if told.said == "delete" else "B"
    land_these(worker.connection, record("7", 6, name, operation=told.said))
    assert row_of(worker.connection, "7")["operation"] == told.kept


def test_a_delete_of_a_record_that_never_arrived_is_no_news(conn: Conn) -> None:
    assert land_these(conn, record("7", 5, None)) == 0
    assert statuses(conn) == {}


def test_a_deleted_record_that_comes_back_is_written_although_it_is_as_it_was(worker: Worker) -> None:
    process(worker, record("7", 5, "A"))
    process(worker, record("7", 6, None))
    land_these(worker.connection, record("7", 7, "A"))
    assert row_of(worker.connection, "7")["status"] == "pending"


def test_the_rows_of_another_sync_are_not_touched(conn: Conn) -> None:
    land_these(conn, record("7", 5, "A"))
    with conn.transaction():
        rows.land(conn, sync="other", source_system=SOURCE, run_id="r", records=[record("7", 9, "Z")])
    assert row_of_sync(conn, SYNC) == [("7", 5, {"name": "A"})]
    assert row_of_sync(conn, "other") == [("7", 9, {"name": "Z"})]


def row_of_sync(conn: Conn, sync: str) -> list[tuple[Any, ...]]:
    return conn.execute(
        "SELECT record_key, position, payload FROM sync.interface_row WHERE sync = %s", [sync]
    ).fetchall()


def test_an_interrupted_landing_leaves_nothing(conn: Conn) -> None:
    def one_then_a_broken_source() -> Iterator[LandedRecord]:
        yield record("7", 5, "A")
        raise ConnectionError("the source went away")

    with pytest.raises(ConnectionError), conn.transaction():
        rows.land(conn, sync=SYNC, source_system=SOURCE, run_id="r", records=one_then_a_broken_source())
    assert statuses(conn) == {}
    assert land_these(conn, record("8", 5, "B")) == 1


STRANGE = {
    "NUL": ("a\x00b", "a�b"),
    "NUL as a key": ({"k\x00": 1}, {"k�": 1}),
    "NUL deep inside": ([{"x": ["\x00"]}], [{"x": ["�"]}]),
    "the letters of an escaped NUL": ("\\u0000", "\\u0000"),
    "both of them": ("\\u0000\x00", "\\u0000�"),
    "half a surrogate pair": ("a\ud800b", "a?b"),
    "a whole character beyond the plane": ("😀", "😀"),
    "a number without end": (math.inf, "Infinity"),
    "no number": ([math.nan, -math.inf], ["NaN", "-Infinity"]),
}


@pytest.mark.parametrize("rendered", [False, True], ids=["rendered here", "rendered before"])
@pytest.mark.parametrize(("given_value", "stored"), STRANGE.values(), ids=STRANGE.keys())
def test_a_character_that_postgresql_refuses_costs_itself_and_not_the_batch(
    conn: Conn, given_value: Any, stored: Any, rendered: bool
) -> None:
    payload = {"v": given_value}
    text = canonical_text(payload) if rendered else None
    strange = LandedRecord("7", "adresar", "update", 5, "000000000000", payload, "hash", payload_text=text)
    assert land_these(conn, strange, record("8", 6, "B")) == 2
    assert row_of(conn, "7")["payload"] == {"v": stored}


def test_a_strange_external_id_does_not_stop_the_batch(conn: Conn) -> None:
    assert land_these(conn, record("7", 5, "A", external_ids=["ext:\x00:\ud800"])) == 1
    assert row_of(conn, "7")["external_ids"] == ["ext:�:?"]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters()), inner, max_size=3),
    max_leaves=8,
)


@settings(suppress_health_check=[*settings().suppress_health_check, HealthCheck.function_scoped_fixture])
@given(payload=st.dictionaries(st.text(st.characters()), _JSON, max_size=4))
def test_any_payload_lands(conn: Conn, payload: dict[str, Any]) -> None:
    """Every example overwrites the same row."""
    one = LandedRecord("7", "adresar", "update", 5, "000000000000", payload, "hash")
    assert land_these(conn, one, force=True) == 1
    stored = row_of(conn, "7")["payload"]
    assert land_these(conn, replace(one, payload_text=canonical_text(payload)), force=True) == 1
    assert row_of(conn, "7")["payload"] == stored


def test_a_full_read_lands_a_delete_for_each_record_it_did_not_meet(worker: Worker) -> None:
    conn = worker.connection
    process(worker, record("1", 3), record("2", 3), record("3", 3, None), record("4", 9))
    process(worker, record("5", 3))
    process(worker, record("5", 4, None))
    began = database_time(conn)
    land_these(conn, record("1", 6), force=True)
    with conn.transaction():
        missing = rows.land_missing(
            conn,
            sync=SYNC,
            source_system=SOURCE,
            run_id="run-2",
            position=6,
            partition_key="000000000000",
            not_seen_since=began,
        )
    deleted = conn.execute(
        "SELECT record_key, position, status FROM sync.interface_row WHERE operation = 'delete' ORDER BY record_key"
    ).fetchall()
    # 1 was met, 3 never arrived, 4 is newer than the read, 5 was deleted before.
    assert (missing, deleted) == (1, [("2", 6, "pending"), ("5", 4, "processed")])


def test_positions_above_a_restored_history_are_lowered_so_that_news_wins(worker: Worker) -> None:
    conn = worker.connection
    process(worker, record("1", 90), record("2", 40))
    assert rows.rebase_positions(conn, SYNC, 50) == 1
    assert land_these(conn, record("1", 51, "B")) == 1
    assert (row_of(conn, "1")["payload"], row_of(conn, "2")["position"]) == ({"name": "B"}, 40)


def test_a_delete_done_long_ago_is_confirmed_when_its_window_is_read_again(worker: Worker) -> None:
    """Else reading a window again would hold its old deletes as a flood."""
    conn = worker.connection
    process(worker, record("1", 5))
    process(worker, record("1", 6, None))
    land_these(conn, record("1", 6, None), force=True)
    assert (row_of(conn, "1")["status"], rows.count_known_and_deletes(conn, SYNC)) == ("pending", (1, 0))


@pytest.mark.parametrize("force", [False, True])
def test_a_held_delete_is_not_confirmed_by_reading_it_again(worker: Worker, force: bool) -> None:
    conn = worker.connection
    process(worker, record("1", 5))
    land_these(conn, record("1", 6, None))
    settle_as(worker, claim_all(worker), "failed", error_code="delete_held", error_message="held")
    land_these(conn, record("1", 7, None), force=force)
    assert rows.count_known_and_deletes(conn, SYNC) == (1, 1)


def test_a_word_for_a_delete_does_not_count_for_the_next_one(worker: Worker) -> None:
    conn = worker.connection
    process(worker, record("1", 5))
    land_these(conn, record("1", 6, None))
    settle_as(worker, claim_all(worker), "failed", error_code="delete_held", error_message="held")
    requeue.requeue_failed(conn, SYNC, None, confirm_deletes=True)
    settle_as(worker, claim_all(worker), "processed")
    process(worker, record("1", 7, "A"))
    land_these(conn, record("1", 8, None))
    assert rows.count_known_and_deletes(conn, SYNC) == (1, 1)


def test_what_holds_a_part_is_found_by_the_part(conn: Conn) -> None:
    def with_contacts(key: str, *ids: str) -> LandedRecord:
        payload = {"kontakty": [{"id": one, "jmeno": "X"} for one in ids]}
        return LandedRecord(key, "adresar", "update", 5, "000000000000", payload, key)

    land_these(conn, with_contacts("1", "8", "9"), with_contacts("2", "9"), with_contacts("3"), record("4", 5, "A"))
    assert sorted(rows.keys_containing(conn, SYNC, {"kontakty": [{"id": "9"}]})) == ["1", "2"]
    assert rows.keys_containing(conn, SYNC, {"kontakty": [{"id": "7"}]}) == []
