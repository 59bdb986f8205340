"""The state of a sync: made at first sight, locked while it is changed, honest about a due full read."""

from typing import Any

import psycopg
import pytest
from psycopg import Connection

from sync_orchestration.interface.database import connect
from sync_orchestration.interface.state import all_states, change_state, database_time, lock_state, read_state

Conn = Connection[Any]


def test_a_sync_that_never_ran_waits_for_its_trigger_with_a_full_read_due(conn: Conn) -> None:
    state = read_state(conn, "partners")
    assert (state.status, state.last_position, state.try_count, state.baseline_is_due) == (
        "TRIGGER_WAITING",
        None,
        0,
        True,
    )
    assert [s.sync for s in all_states(conn)] == ["partners"]


@pytest.mark.parametrize(
    ("last_position", "baseline_from", "due"),
    [(None, None, True), (None, 5, True), (6, None, False), (6, 5, True)],
    ids=["never read", "being read", "read", "being read again"],
)
def test_a_full_read_is_due_until_one_has_ended(
    conn: Conn, last_position: int | None, baseline_from: int | None, due: bool
) -> None:
    state = change_state(conn, read_state(conn, "partners"), last_position=last_position, baseline_from=baseline_from)
    assert state.baseline_is_due is due


def test_every_field_that_is_changed_is_read_back(conn: Conn) -> None:
    now = database_time(conn)
    changes: dict[str, Any] = {
        "last_position": 7,
        "count_processed": 3,
        "status": "RETRY_WAITING",
        "try_count": 2,
        "next_try": now,
        "error": "Flexi cannot be reached",
        "config_hash": "c",
        "fingerprint": "f",
        "baseline_from": 1,
        "baseline_after": "k",
        "baseline_seen": now,
        "first_window": "000000000000",
        "recent_positions": [3, 5],
    }
    change_state(conn, read_state(conn, "partners"), **changes)
    found = read_state(conn, "partners")
    assert {name: getattr(found, name) for name in changes} == changes


def test_an_error_with_a_character_that_postgresql_refuses_is_still_remembered(conn: Conn) -> None:
    change_state(conn, read_state(conn, "partners"), error="Flexi answered “\x00\ud800”")
    assert read_state(conn, "partners").error == "Flexi answered “�?”"


def test_a_locked_state_cannot_be_changed_by_another_until_the_transaction_ends(database_url: str, conn: Conn) -> None:
    read_state(conn, "partners")
    with connect(database_url) as other:
        other.execute("SET lock_timeout = '50ms'")
        with conn.transaction():
            lock_state(conn, "partners")
            assert read_state(other, "partners").sync == "partners"
            with pytest.raises(psycopg.errors.LockNotAvailable), other.transaction():
                lock_state(other, "partners")
            with other.transaction():
                lock_state(other, "another_sync")
        with other.transaction():
            assert lock_state(other, "partners").sync == "partners"
