"""Short forms for tests of the interface tables: land a record, look at its row, take one row through its life."""

from collections.abc import Iterable, Sequence
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

from sync_orchestration.interface.rows import (
    ClaimedRow,
    LandedRecord,
    Operation,
    Scope,
    Settlement,
    Status,
    Worker,
    claim,
    land,
    settle,
)
from sync_orchestration.mapping.diff import payload_hash

SYNC = "partners"
SOURCE = "flexi"
WINDOW = "000000000000"


def record(
    key: str,
    position: int,
    name: str | None = "A",
    *,
    operation: Operation = "update",
    window: str = WINDOW,
    external_ids: Sequence[str] = (),
) -> LandedRecord:
    """A record called `name`; None is a delete."""
    payload: dict[str, Any] | None = None if name is None else {"name": name}
    return LandedRecord(
        key=key,
        entity="adresar",
        operation="delete" if name is None else operation,
        position=position,
        partition_key=window,
        payload=payload,
        payload_hash=None if payload is None else payload_hash(payload),
        external_ids=external_ids,
    )


def land_these(conn: Connection[Any], *records: LandedRecord, force: bool = False) -> int:
    with conn.transaction():
        return land(conn, sync=SYNC, source_system=SOURCE, run_id="run-1", records=records, force=force)


def row_of(conn: Connection[Any], key: str) -> dict[str, Any]:
    with conn.cursor(row_factory=dict_row) as cur:
        found = cur.execute("SELECT * FROM sync.interface_row WHERE record_key = %s", [key]).fetchone()
    assert found is not None, f"there is no row of {key}"
    return found


def statuses(conn: Connection[Any]) -> dict[str, str]:
    return dict(conn.execute("SELECT record_key, status FROM sync.interface_row ORDER BY record_key").fetchall())


def claim_all(worker: Worker, *, limit: int = 100, keys: Sequence[str] | None = None) -> list[ClaimedRow]:
    return claim(worker, SYNC, Scope(keys=keys), limit)


def settle_as(worker: Worker, rows: Iterable[ClaimedRow], status: Status, **said: Any) -> int:
    settlements = [Settlement(row, status, said.get("target_id", row.record_key), **_rest(said)) for row in rows]
    with worker.connection.transaction():
        return settle(worker, sync=SYNC, target_system="odoo", settlements=settlements)


def _rest(said: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if name != "target_id"}


def process(worker: Worker, *records: LandedRecord) -> None:
    """Land records and settle them as written."""
    land_these(worker.connection, *records)
    settle_as(worker, claim_all(worker, keys=[record.key for record in records]), "processed")
