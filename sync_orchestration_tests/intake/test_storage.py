"""A database that cannot just now is asked again where that helps, and nobody is refused for it."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg import Connection, errors

from sync_orchestration.intake.kinds import STORAGE_UNAVAILABLE, CallError
from sync_orchestration.intake.storage import Storage
from sync_orchestration.interface.database import connect


@pytest.fixture
def storage(database_url: str) -> Iterator[Storage]:
    opened = Storage(database_url, 2, 30.0)
    yield opened
    opened.close()


def raising(*faults: psycopg.Error) -> Callable[[Connection[Any]], int]:
    """Work that fails so often, then says how many tries it took."""
    left = list(faults)

    def work(_conn: Connection[Any]) -> int:
        if left:
            raise left.pop(0)
        return len(faults) + 1

    return work


def test_a_deadlock_is_tried_again(storage: Storage) -> None:
    assert storage.run(raising(errors.DeadlockDetected(), errors.SerializationFailure())) == 3


def test_a_deadlock_without_end_is_given_up(storage: Storage) -> None:
    with pytest.raises(CallError) as told:
        storage.run(raising(*[errors.DeadlockDetected()] * 9))
    assert told.value.kind is STORAGE_UNAVAILABLE


@pytest.mark.parametrize(
    "fault",
    [
        errors.LockNotAvailable,
        errors.QueryCanceled,
        errors.DiskFull,
        errors.ReadOnlySqlTransaction,
        errors.TooManyConnections,
    ],
)
def test_what_a_second_try_would_not_mend_means_try_again_later(storage: Storage, fault: type[psycopg.Error]) -> None:
    with pytest.raises(CallError) as told:
        storage.run(raising(fault()))
    assert (told.value.kind, told.value.retry_after) == (STORAGE_UNAVAILABLE, 5.0)


def test_sessions_that_the_server_has_ended_are_all_replaced(database_url: str) -> None:
    storage = Storage(database_url, 6, 30.0)
    meeting = threading.Barrier(6, timeout=30)

    def busy(conn: Connection[Any]) -> int:
        meeting.wait()
        return conn.info.backend_pid

    try:
        with ThreadPoolExecutor(6) as pool:
            sessions = list(pool.map(lambda _: storage.run(busy), range(6)))
        with connect(database_url) as other:
            other.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) AS pid", [sessions])
        assert storage.run(lambda conn: conn.execute("SELECT pg_backend_pid()").fetchone()) not in [
            (session,) for session in sessions
        ]
    finally:
        storage.close()


def test_a_fault_of_ours_is_not_passed_off_as_the_databases(storage: Storage) -> None:
    with pytest.raises(errors.UndefinedTable):
        storage.run(lambda conn: conn.execute("SELECT * FROM nowhere"))


def test_a_row_that_somebody_holds_is_waited_for_but_not_for_ever(storage: Storage, database_url: str) -> None:
    def hurried(conn: Connection[Any]) -> None:
        conn.execute("SET lock_timeout = '10ms'")
        conn.execute("LOCK TABLE sync.wake")

    with connect(database_url) as other, other.transaction():
        other.execute("LOCK TABLE sync.wake")
        with pytest.raises(CallError):
            storage.run(hurried)


def test_sessions_wait_for_locks_and_statements_for_a_bounded_time(storage: Storage) -> None:
    limits = storage.run(
        lambda conn: conn.execute(
            "SELECT current_setting('lock_timeout'), current_setting('statement_timeout')"
        ).fetchone()
    )
    assert limits == ("5s", "20s")
