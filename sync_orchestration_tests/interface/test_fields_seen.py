"""What was seen of a system's fields is replaced whole, also by runs that look at the same time."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg

from sync_orchestration.interface.database import connect
from sync_orchestration.interface.fields_seen import Shape, remember_fields, seen_fields
from sync_orchestration_tests.benchmarks.running import wait_until

SYNC, SIDE = "flexi_partners", "target"


def test_two_runs_that_look_at_the_same_time_both_remember_what_they_saw(
    database_url: str, conn: psycopg.Connection[Any]
) -> None:
    before, after = {"name": Shape("char"), "vat": Shape("char")}, {"name": Shape("char"), "ref": Shape("char")}

    def someone_waits() -> bool:
        row = conn.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone()
        return row is not None and row[0] > 0

    with connect(database_url) as first, connect(database_url) as second, ThreadPoolExecutor(1) as thread:
        with first.transaction():
            remember_fields(first, SYNC, SIDE, before, "hash")
            other = thread.submit(remember_fields, second, SYNC, SIDE, after, "hash")
            assert wait_until(someone_waits, 60)
        other.result(60)
    assert seen_fields(conn, SYNC, SIDE).shapes == after
