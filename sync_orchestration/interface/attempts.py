"""The log of attempts: one entry for each try at one row, never changed."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from psycopg import Connection
from psycopg.rows import dict_row

from sync_orchestration.interface.queries import query
from sync_orchestration.interface.texts import storable

AttemptStatus = Literal["success", "error", "skipped", "asked"]
"""`asked` is no try but the word of a person, who is named in `error`."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at one row. `duration_ms` is that of the request that carried the record with its batch."""

    sync: str
    source_system: str
    record_key: str
    model: str
    operation: str
    run_id: str
    started_at: datetime
    duration_ms: int
    status: AttemptStatus
    response_code: int | None = None
    error: str | None = None


def log_attempts(conn: Connection[Any], attempts: Iterable[Attempt]) -> None:
    """Append attempts in the caller's transaction."""
    with conn.cursor() as cur, cur.copy(query("insert_attempts")) as copy:
        for a in attempts:
            copy.write_row(
                (
                    a.sync,
                    a.source_system,
                    a.record_key,
                    a.model,
                    a.operation,
                    a.run_id,
                    a.started_at,
                    a.duration_ms,
                    a.status,
                    a.response_code,
                    storable(a.error),
                )
            )


def read_attempts(conn: Connection[Any], sync: str, *, key: str | None = None, limit: int = 50) -> list[dict[str, Any]]:
    """Return the newest attempts of a sync, or of one record, newest first."""
    with conn.cursor(row_factory=dict_row) as cur:
        return cur.execute(query("attempts"), {"sync": sync, "key": key, "limit": limit}).fetchall()
