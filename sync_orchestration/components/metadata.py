"""What the UI shows of a sync: counts as numbers that it plots, and the table of failing rows.

Dagster's tables neither sort nor page and clip beyond about five columns, so there are five short ones and the first
fifty rows; the whole list is one command away.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import psycopg

from sync_orchestration.interface import rows
from sync_orchestration.interface.rows import FailingRow
from sync_orchestration.interface.state import SyncState

SHOWN = 50
_COLUMNS = [
    dg.TableColumn("record", description="Operation and key of the record in its source."),
    dg.TableColumn("field", description="The target's fields that are wrong."),
    dg.TableColumn("error", description="Why the record was not written."),
    dg.TableColumn("tries", "int", description="How often it was tried in this state."),
    dg.TableColumn("failing since → last try", description="In UTC."),
]


def counts_metadata(counts: Mapping[str, float | int]) -> dict[str, dg.MetadataValue[Any]]:
    """Return counts as numeric metadata, which the UI plots over time."""
    return {
        name: dg.MetadataValue.float(value) if isinstance(value, float) else dg.MetadataValue.int(value)
        for name, value in counts.items()
    }


def failing_metadata(
    conn: psycopg.Connection[Any], sync: str, partition_keys: Sequence[str] | None = None
) -> dict[str, dg.MetadataValue[Any]]:
    """Return the number of failing rows and the table of the first of them, of all windows or of some."""
    total = rows.count_failing(conn, sync, partition_keys=partition_keys)
    found: dict[str, dg.MetadataValue[Any]] = {"failing_records": dg.MetadataValue.int(total)}
    if total:
        failing = rows.failing_rows(conn, sync, partition_keys=partition_keys, limit=SHOWN)
        found["failing"] = failing_table(failing)
        if total > len(failing):
            found["all_failing"] = dg.MetadataValue.text(f"sync-orchestration status {sync} --failed")
    return found


def failing_table(failing: Sequence[FailingRow]) -> dg.TableMetadataValue:
    """Return failing rows as a table of five columns."""
    records = [
        dg.TableRecord(
            {
                "record": f"{row.operation} {row.record_key}",
                "field": row.error_field or "",
                "error": row.error_message or "",
                "tries": row.attempts,
                "failing since → last try": _since(row),
            }
        )
        for row in failing
    ]
    return dg.MetadataValue.table(records, schema=dg.TableSchema(_COLUMNS))


def _since(row: FailingRow) -> str:
    first, last = short_time(row.first_failed_at), short_time(row.last_attempt_at)
    return first if first == last else f"{first} → {last}"


def short_time(moment: datetime | None) -> str:
    """Return a time in UTC without seconds, short enough for a table."""
    return "" if moment is None else moment.astimezone(UTC).strftime("%d %b %H:%M")


def state_json(state: SyncState) -> dict[str, Any]:
    """Return the sync state as people and programs are shown it."""
    return {
        "last_position": state.last_position,
        "count_processed": state.count_processed,
        "status": state.status,
        "try_count": state.try_count,
        "next_try": None if state.next_try is None else state.next_try.isoformat(),
        "error": state.error,
        "config_hash": state.config_hash,
    }
