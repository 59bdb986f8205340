"""The retention does not take from a sync what another sync has still to read from its rows."""

from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from sync_orchestration.components.retention import still_read_by_others
from sync_orchestration.definitions import Project
from sync_orchestration.interface.database import connect
from sync_orchestration.interface.retention import Retention, purge
from sync_orchestration.interface.rows import (
    LandedRecord,
    Operation,
    Scope,
    Settlement,
    Worker,
    claim,
    hire_worker,
    land,
    settle,
)
from sync_orchestration.interface.settled import newest_settling
from sync_orchestration.interface.state import change_state, lock_state, read_state
from sync_orchestration.pipeline.history import refuse_rewound
from sync_orchestration.pipeline.relay import RelaySource

READ, READER = "contractors", "contractor_partners"
Conn = psycopg.Connection[Any]


@pytest.fixture
def worker(conn: Conn) -> Worker:
    return hire_worker(conn, "run-1")


def process(worker: Worker, key: str, position: int, payload: dict[str, Any] | None) -> None:
    """Land a record of the sync that is read, and settle it as written a hundred days ago."""
    conn = worker.connection
    operation: Operation = "delete" if payload is None else "update"
    digest = None if payload is None else str(payload)
    with conn.transaction():
        one = LandedRecord(key, "contractor", operation, position, "0", payload, digest)
        land(conn, sync=READ, source_system="alfresco", run_id="run-1", records=[one])
    rows = claim(worker, READ, Scope(), 10)
    with conn.transaction():
        settle(worker, sync=READ, target_system="alfresco", settlements=[Settlement(r, "processed", key) for r in rows])
    conn.execute("UPDATE sync.interface_row SET processed_at = now() - interval '100 days'")


def read_up_to(conn: Conn, position: int) -> None:
    with conn.transaction():
        change_state(conn, lock_state(conn, READER), last_position=position, fingerprint="interface table")


def purged(conn: Conn, project: Project) -> int:
    syncs = list(project.syncs.values())
    return purge(conn, Retention(still_read=still_read_by_others(conn, syncs)))["interface_row"]


def test_a_delete_stays_until_the_sync_that_reads_it_has_done_so(
    worker: Worker, own_project: Project, database_url: str
) -> None:
    conn = worker.connection

    @contextmanager
    def session() -> Any:
        with connect(database_url) as found:
            yield found

    process(worker, "here", 1, {"name": "Alfa"})
    process(worker, "gone", 2, {"name": "Beta"})
    read_up_to(conn, newest_settling(conn, READ) + 1)
    process(worker, "gone", 3, None)
    assert purged(conn, own_project) == 0, "nobody has heard of it yet"

    # Now it was read; but it is the newest settling, and a table that ends earlier looks as if it had been restored.
    read_up_to(conn, newest_settling(conn, READ) + 1)
    assert purged(conn, own_project) == 0
    refuse_rewound(read_state(conn, READER), RelaySource(session, READ).head().position)

    process(worker, "here", 4, {"name": "Alfa again"})
    assert purged(conn, own_project) == 1
    refuse_rewound(read_state(conn, READER), RelaySource(session, READ).head().position)


def test_a_sync_that_nobody_reads_keeps_no_delete_for_long(worker: Worker, own_project: Project) -> None:
    conn = worker.connection
    process(worker, "gone", 1, {"name": "Beta"})
    process(worker, "gone", 2, None)
    conn.execute("UPDATE sync.interface_row SET sync = 'flexi_partners'")
    assert purged(conn, own_project) == 1
