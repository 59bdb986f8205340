"""The processed records of a sync in the order of their settling, for whatever reads on from there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row

from sync_orchestration.interface.queries import query
from sync_orchestration.interface.rows import Operation, Payload, Status


@dataclass(frozen=True, slots=True)
class SettledRow:
    """A row as another sync left it; `settled_version` is unique, grows with every settling, and has gaps.

    `status` is that of the last settling, also while the row waits to be settled anew.
    """

    record_key: str
    operation: Operation
    settled_version: int
    payload: Payload | None
    status: Status

    @property
    def is_there(self) -> bool:
        """True for a record that its sync let through and that still exists."""
        return self.status == "processed" and self.operation != "delete" and self.payload is not None


def settled_since(conn: Connection[Any], sync: str, start: int, limit: int) -> list[SettledRow]:
    """Return rows settled at or after version `start`, in that order."""
    return _rows(conn, "settled_rows", {"sync": sync, "start": start, "limit": limit})


def settled_by_key(conn: Connection[Any], sync: str, keys: Sequence[str]) -> list[SettledRow]:
    """Return the rows of these keys."""
    return _rows(conn, "rows_by_key", {"sync": sync, "keys": list(keys)})


def settled_after_key(conn: Connection[Any], sync: str, after: str | None, limit: int) -> list[SettledRow]:
    """Return the next rows by ascending key."""
    return _rows(conn, "rows_after_key", {"sync": sync, "after": after, "limit": limit})


def newest_settling(conn: Connection[Any], sync: str) -> int:
    """Return the newest settled version of a sync; 0 before the first."""
    row = conn.execute(query("newest_settling"), {"sync": sync}).fetchone()
    return 0 if row is None else int(row[0])


def _rows(conn: Connection[Any], name: str, params: dict[str, Any]) -> list[SettledRow]:
    with conn.cursor(row_factory=class_row(SettledRow)) as cur:
        return cur.execute(query(name), params).fetchall()
