"""Hints from outside that something changed; durable, but never the truth: whoever takes one looks for itself.

Nobody has to read the table often: a hint is also told on the channel ``sync_wake`` (PostgreSQL's LISTEN), as
``kind/name``. A hint on the channel may be lost; the row stays until it is forgotten.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row

from sync_orchestration.interface.queries import query

CHANNEL = "sync_wake"
_MOST_HINTS = 10_000
"""Hints for single records that wait for one name; more become one hint for everything."""


@dataclass(frozen=True, slots=True)
class Wake:
    """A hint. `record_key` is empty where it names no record; `number` tells it from later hints for the same one."""

    record_key: str
    number: int
    received_at: datetime


def record_wake(
    conn: Connection[Any], kind: str, name: str, keys: Sequence[str] = (), *, bound: int = _MOST_HINTS
) -> None:
    """Note that a connection or sync should look at records, or (no keys) at whatever there is."""
    wanted = sorted(set(keys)) or [""]
    with conn.transaction():
        row = conn.execute(query("count_wakes"), {"kind": kind, "name": name, "bound": bound}).fetchone()
        if row is not None and row[0] + len(wanted) > bound:
            wanted = [""]
        conn.execute(query("record_wakes"), {"kind": kind, "name": name, "keys": wanted})


def waiting_wakes(conn: Connection[Any], kind: str, name: str, limit: int = _MOST_HINTS + 1) -> list[Wake]:
    """Return the hints that wait, oldest first; they wait on until they are forgotten."""
    with conn.cursor(row_factory=class_row(Wake)) as cur:
        return cur.execute(query("waiting_wakes"), {"kind": kind, "name": name, "limit": limit}).fetchall()


def forget_wakes(conn: Connection[Any], kind: str, name: str, wakes: Sequence[Wake]) -> int:
    """Delete hints that were followed, except those that have come again since; returns how many are gone."""
    params = {
        "kind": kind,
        "name": name,
        "keys": [wake.record_key for wake in wakes],
        "numbers": [wake.number for wake in wakes],
    }
    return conn.execute(query("forget_wakes"), params).rowcount


def notify(conn: Connection[Any], kind: str, name: str) -> None:
    """Tell whoever listens on the channel that there is something for `name`."""
    conn.execute(query("notify_waking"), {"whom": f"{kind}/{name}"})
