"""Looks at interface rows that claim and change nothing: for dry runs, and for records that name each other."""

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


def due_rows(
    conn: Connection[Any], sync: str, keys: Sequence[str] | None = None, *, again: bool = False
) -> list[ClaimedRow]:
    """Return the rows that a run would write now, oldest position first: of `keys`, or all.

    `again`: as if all of them, settled ones too, were taken up again (`requeue_rows`).
    """
    params = {"sync": sync, "keys": None if keys is None else list(keys), "again": again}
    with conn.cursor(row_factory=class_row(ClaimedRow)) as cur:
        return cur.execute(query("due_rows"), params).fetchall()


def known_rows(
    conn: Connection[Any], sync: str, keys: Sequence[str] | None, but: Collection[str] = ()
) -> list[KnownRow]:
    """Return the rows of `keys`; without keys, all that are not deleted, save those of `but`."""
    params = {"sync": sync, "keys": None if keys is None else list(keys), "but": list(but)}
    with conn.cursor(row_factory=class_row(KnownRow)) as cur:
        return cur.execute(query("known_rows"), params).fetchall()


@dataclass(frozen=True, slots=True)
class Relative:
    """A record of a sync that another one names."""

    status: Status
    operation: Operation
    target_id: str | None


def relatives(conn: Connection[Any], sync: str, source_system: str, keys: Collection[str]) -> dict[str, Relative]:
    """Return what is known of the records of one source system that others name by key."""
    params = {"sync": sync, "source_system": source_system, "keys": list(keys)}
    return {
        key: Relative(status, operation, target_id)
        for key, status, operation, target_id in conn.execute(query("relatives"), params)
    }


@dataclass(frozen=True, slots=True)
class Holder:
    """A record of a sync that a target record is."""

    source_system: str
    record_key: str
    operation: Operation
    status: Status

    @property
    def is_leaving(self) -> bool:
        """True when the record is gone from its source, dealt with or not."""
        return self.operation == "delete"

    @property
    def is_gone(self) -> bool:
        """True when that has been dealt with."""
        return self.is_leaving and self.status in ("processed", "skipped")


def holders(conn: Connection[Any], sync: str, target_ids: Collection[str]) -> dict[str, list[Holder]]:
    """Return the records of the sync that are linked to these target records, by target id."""
    found: dict[str, list[Holder]] = {}
    if not target_ids:
        return found
    params = {"sync": sync, "target_ids": list(target_ids)}
    for target_id, *holder in conn.execute(query("holders"), params):
        found.setdefault(target_id, []).append(Holder(*holder))
    return found
