"""Sync state: how far a sync has come and what it waits for."""

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Literal

from psycopg import Connection
from psycopg.rows import class_row, scalar_row

from sync_orchestration.interface.queries import query
from sync_orchestration.interface.texts import storable

PassStatus = Literal["TRIGGER_WAITING", "IN_PROGRESS", "RETRY_WAITING", "ERROR"]


@dataclass(frozen=True, slots=True)
class SyncState:
    """One row of ``sync.sync_state``; what each field means stands in ``sql/schema_0001.sql``."""

    sync: str
    last_position: int | None
    count_processed: int
    status: PassStatus
    try_count: int
    next_try: datetime | None
    error: str | None
    config_hash: str | None
    fingerprint: str | None
    baseline_from: int | None
    baseline_after: str | None
    baseline_seen: datetime | None
    first_window: str | None
    recent_positions: list[int]
    pass_end: int | None
    processed_position: int | None
    updated_at: datetime

    @property
    def has_more_to_sweep(self) -> bool:
        """True while a sweep has not read up to where the source stood when it began."""
        return self.pass_end is not None and (self.last_position or 0) <= self.pass_end

    @property
    def baseline_is_due(self) -> bool:
        """True before the first full read has ended, or after a new one was ordered."""
        return self.last_position is None or self.baseline_from is not None


def read_state(conn: Connection[Any], sync: str) -> SyncState:
    """Return the state of a sync, made at first sight."""
    conn.execute(query("ensure_state"), {"sync": sync})
    return _one(conn, "read_state", sync)


def lock_state(conn: Connection[Any], sync: str) -> SyncState:
    """Return the state, locked until the caller's transaction ends."""
    conn.execute(query("ensure_state"), {"sync": sync})
    return _one(conn, "lock_state", sync)


def _one(conn: Connection[Any], name: str, sync: str) -> SyncState:
    with conn.cursor(row_factory=class_row(SyncState)) as cur:
        state = cur.execute(query(name), {"sync": sync}).fetchone()
    if state is None:
        raise RuntimeError(f"the state of sync {sync!r} vanished while it was read")
    return state


def all_states(conn: Connection[Any]) -> list[SyncState]:
    """Return the state of every sync that ever ran."""
    with conn.cursor(row_factory=class_row(SyncState)) as cur:
        return cur.execute(query("all_states")).fetchall()


def change_state(conn: Connection[Any], state: SyncState, **changes: Any) -> SyncState:
    """Write a changed state in the caller's transaction and return it."""
    changed = replace(state, **changes)
    conn.execute(query("write_state"), {**asdict(changed), "error": storable(changed.error)})
    return changed


def database_time(conn: Connection[Any]) -> datetime:
    """Return the database's clock, which stamps the rows."""
    with conn.cursor(row_factory=scalar_row) as cur:
        now = cur.execute(query("database_time")).fetchone()
    if not isinstance(now, datetime):
        raise TypeError("the database's clock did not answer with a time")
    return now
