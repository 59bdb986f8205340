"""Looks at interface rows that claim and change nothing: for dry runs."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row

from sync_orchestration.interface.queries import query
from sync_orchestration.interface.rows import ClaimedRow, Operation, Payload, Status


@dataclass(frozen=True, slots=True)
class KnownRow:
    """What is known of a record that was landed before."""

    record_key: str
    operation: Operation
    status: Status
    payload_hash: str | None
    target_id: str | None
    written: Payload | None


def due_rows(conn: Connection[Any], sync: str) -> list[ClaimedRow]:
    """Return the rows that a run would write now, oldest position first."""
    with conn.cursor(row_factory=class_row(ClaimedRow)) as cur:
        return cur.execute(query("due_rows"), {"sync": sync}).fetchall()


def known_rows(
    conn: Connection[Any], sync: str, keys: Sequence[str] | None, but: Collection[str] = ()
) -> list[KnownRow]:
    """Return the rows of `keys`; without keys, all that are not deleted, save those of `but`."""
    params = {"sync": sync, "keys": None if keys is None else list(keys), "but": list(but)}
    with conn.cursor(row_factory=class_row(KnownRow)) as cur:
        return cur.execute(query("known_rows"), params).fetchall()
