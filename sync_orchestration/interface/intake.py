"""Rows that other systems push: landing them by version, and what has become of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row, scalar_row

from sync_orchestration.interface.queries import query
from sync_orchestration.interface.rows import Operation, Payload, Status
from sync_orchestration.interface.texts import to_json

_STATEMENT_MS = 20_000
_LOCK_MS = 5_000
"""Whoever pushes waits at most so long for a row that is being settled or pushed by another call."""


@dataclass(frozen=True, slots=True)
class PushedRecord:
    """One record as a sender wants it known; `payload` is None for a delete, `version` None where arrival decides."""

    key: str
    operation: Operation
    version: int | None
    payload: Payload | None
    payload_hash: str | None


@dataclass(frozen=True, slots=True)
class Landed:
    """What became of pushed records: keys that are news, keys older than what is known. The others say nothing new."""

    accepted: frozenset[str]
    stale: frozenset[str]


@dataclass(frozen=True, slots=True)
class PushedRow:
    """A pushed record's fate as its sender may know it."""

    record_key: str
    operation: Operation
    status: Status
    version: int | None
    received_at: datetime
    attempts: int
    last_attempt_at: datetime | None
    next_attempt_at: datetime | None
    processed_at: datetime | None
    target_system: str | None
    target_id: str | None
    error_code: str | None
    error_field: str | None
    error_message: str | None


def prepare_session(conn: Connection[Any]) -> None:
    """Make a session ready for `land_pushed`; once for each session of a pool."""
    conn.execute(query("create_pushed"))
    conn.execute(query("limit_waits"), {"statement_ms": _STATEMENT_MS, "lock_ms": _LOCK_MS})


def land_pushed(
    conn: Connection[Any], *, sync: str, source_system: str, entity: str, records: Sequence[PushedRecord]
) -> Landed:
    """Store records, each key once, in a transaction of their own; they are as durable as the server makes a commit.

    The position of a row is the second of its arrival (Unix time), but always more than the row's last, so that
    windows are days (UTC). Raises psycopg.Error; nothing is stored then, or the answer of the commit was lost.
    """
    owner = {"sync": sync, "source_system": source_system}
    with conn.transaction(), conn.cursor(row_factory=scalar_row) as cur:
        with cur.copy(query("copy_pushed")) as copy:
            for record in records:
                payload = None if record.payload is None else to_json(record.payload)
                copy.write_row((record.key, record.operation, record.version, payload, record.payload_hash))
        accepted = frozenset(cur.execute(query("land_pushed"), {**owner, "entity": entity}).fetchall())
        stale: frozenset[str] = frozenset()
        if len(accepted) < len(records):
            stale = frozenset(cur.execute(query("stale_pushed"), owner).fetchall())
            cur.execute(query("raise_versions"), owner)
    return Landed(accepted, stale)


def pushed_rows(conn: Connection[Any], *, sync: str, source_system: str, keys: Sequence[str]) -> dict[str, PushedRow]:
    """Return the fate of those of `keys` that this sender has pushed."""
    params = {"sync": sync, "source_system": source_system, "keys": list(keys)}
    with conn.cursor(row_factory=class_row(PushedRow)) as cur:
        return {row.record_key: row for row in cur.execute(query("pushed_rows"), params)}


def pending_counts(conn: Connection[Any], syncs: Iterable[str], bound: int) -> dict[str, int]:
    """Return how many rows of each sync are still to be written, counted up to `bound`."""
    counts: dict[str, int] = {}
    for sync in syncs:
        row = conn.execute(query("count_pending_up_to"), {"sync": sync, "bound": bound}).fetchone()
        counts[sync] = 0 if row is None else int(row[0])
    return counts
