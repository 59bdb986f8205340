"""Keeps the tables bounded: what is over and old goes, a batch a transaction, beside workers that write.

A processed record's row stays with its payload: comparisons, dry runs and syncs that read the table need both.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import psycopg
from psycopg import Connection

from sync_orchestration.interface.database import DatabaseError
from sync_orchestration.interface.queries import query
from sync_orchestration.interface.state import database_time
from sync_orchestration.interface.texts import to_json

_LOCK_MS = 5_000
"""Rows that somebody works on are passed over; a table that somebody changes is waited for so long."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How old things become.

    `history`: attempts, finished deletes, incidents that are over, fields of syncs that run no more. `hints`: calls of
    hooks that nobody took, for the poll finds what they told; pauses that are over. `answers`: of lookups.
    """

    history: timedelta = timedelta(days=90)
    hints: timedelta = timedelta(days=7)
    answers: timedelta = timedelta(days=30)
    still_read: Mapping[str, int] = field(default_factory=dict)
    """By sync: deletes settled at or after this version stay, for another sync has not read them yet."""


def purge(conn: Connection[Any], retention: Retention, *, batch: int = 5_000) -> dict[str, int]:
    """Delete what is over and older than its retention; returns counts by table.

    Each batch is a transaction: who stops in the middle goes on the next time. Raises DatabaseError when a table
    stays locked.
    """
    now = database_time(conn)
    kinds = {
        "purge_attempts": ("interface_attempt", retention.history),
        "purge_deleted_rows": ("interface_row", retention.history),
        "purge_incidents": ("incident", retention.history),
        "purge_fields": ("field_seen", retention.history),
        "purge_wakes": ("wake", retention.hints),
        "purge_pauses": ("connection_pause", retention.hints),
        "purge_answers": ("lookup_answer", retention.answers),
    }
    purged: dict[str, int] = {}
    for name, (table, age) in kinds.items():
        params = {"before": now - age, "limit": batch, "still_read": to_json(dict(retention.still_read))}
        purged[table] = _delete(conn, name, params, batch)
    return purged


def _delete(conn: Connection[Any], name: str, params: dict[str, Any], batch: int) -> int:
    total = 0
    while True:
        try:
            with conn.transaction():
                conn.execute(query("limit_lock_wait"), {"lock_ms": str(_LOCK_MS)})
                deleted = conn.execute(query(name), params).rowcount
        except psycopg.errors.LockNotAvailable as error:
            raise DatabaseError(
                "The interface tables are locked by somebody, perhaps by an upgrade. What was deleted stays so; the "
                "next run of purge_history goes on."
            ) from error
        total += deleted
        if deleted < batch:
            return total
