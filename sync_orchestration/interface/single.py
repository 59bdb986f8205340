"""One record as a person looks at it: its row whole, its attempts in order, the hints that wait for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row, scalar_row

from sync_orchestration.interface.attempts import AttemptStatus
from sync_orchestration.interface.queries import query
from sync_orchestration.interface.rows import ClaimedRow, Operation, Payload, Status

_CANDIDATES = 20


@dataclass(frozen=True, slots=True)
class WholeRow:
    """One row of ``sync.interface_row``; what each field means stands in ``sql/schema_0001.sql`` and ``_0002.sql``."""

    sync: str
    source_system: str
    record_key: str
    entity: str
    operation: Operation
    position: int
    partition_key: str
    payload: Payload | None
    external_ids: list[str]
    received_at: datetime
    status: Status
    error_code: str | None
    error_field: str | None
    error_message: str | None
    attempts: int
    first_failed_at: datetime | None
    last_attempt_at: datetime | None
    next_attempt_at: datetime | None
    processed_at: datetime | None
    target_system: str | None
    target_id: str | None
    delete_confirmed: bool
    written: Payload | None
    in_doubt: bool
    awaits: str | None
    version: int | None
    run_id: str | None
    first_tried_at: datetime | None = None

    def as_claimed(self) -> ClaimedRow:
        """Return the row as a worker would claim it."""
        return ClaimedRow(
            sync=self.sync,
            source_system=self.source_system,
            record_key=self.record_key,
            entity=self.entity,
            operation=self.operation,
            position=self.position,
            payload=self.payload,
            external_ids=self.external_ids,
            attempts=self.attempts,
            target_id=self.target_id,
            delete_confirmed=self.delete_confirmed,
            written=self.written,
            in_doubt=self.in_doubt,
            first_tried_at=self.first_tried_at,
        )


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt at one record, or (status `asked`) one word of a person about it.

    `duration_ms` is that of the request that carried it with its batch.
    """

    started_at: datetime
    model: str
    operation: Operation
    status: AttemptStatus
    response_code: int | None
    duration_ms: int
    error: str | None
    run_id: str | None


@dataclass(frozen=True, slots=True)
class WaitingWake:
    """A hint from outside that nobody has followed yet; `record_key` is empty where it names no record."""

    kind: str
    name: str
    record_key: str
    received_at: datetime


def whole_rows(conn: Connection[Any], sync: str, key: str, source_system: str | None = None) -> list[WholeRow]:
    """Return the rows of a key: one, several where several senders have it, none where it is unknown."""
    params = {"sync": sync, "key": key, "source_system": source_system}
    with conn.cursor(row_factory=class_row(WholeRow)) as cur:
        return cur.execute(query("whole_rows"), params).fetchall()


def tries_at(conn: Connection[Any], row: WholeRow, limit: int) -> list[Try]:
    """Return the newest attempts at a row, up to `limit`, oldest first."""
    params = {"sync": row.sync, "source_system": row.source_system, "key": row.record_key, "limit": limit}
    with conn.cursor(row_factory=class_row(Try)) as cur:
        return cur.execute(query("attempts_of_row"), params).fetchall()


def waiting_wakes_of(conn: Connection[Any], names: Sequence[str], key: str) -> list[WaitingWake]:
    """Return the hints that wait for any of `names` and concern the record, oldest first."""
    with conn.cursor(row_factory=class_row(WaitingWake)) as cur:
        return cur.execute(query("wakes_of"), {"names": list(names), "key": key}).fetchall()


def near_keys(conn: Connection[Any], sync: str, key: str) -> list[str]:
    """Return keys that may have been meant by one that is unknown, unordered: parts of it, neighbours, target ids."""
    return _keys(conn, "near_keys", {"sync": sync, "key": key, "limit": _CANDIDATES})


def failing_keys_like(conn: Connection[Any], sync: str, prefix: str, limit: int) -> list[str]:
    """Return the first keys of failed rows that begin with `prefix`."""
    return _keys(conn, "failing_keys_like", {"sync": sync, "prefix": prefix, "limit": limit})


def _keys(conn: Connection[Any], name: str, params: dict[str, Any]) -> list[str]:
    with conn.cursor(row_factory=scalar_row) as cur:
        return [str(key) for key in cur.execute(query(name), params)]
