"""What has become of pushed records, as their sender may know it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sync_orchestration.interface.intake import PushedRow

STATUSES = {
    "pending": "Stored, and waiting to be written to the target.",
    "processed": "Written to the target, or found to be there as wanted already.",
    "failed": "Could not be written; `errors` say why. With `next_attempt_at` it is tried again by itself.",
    "skipped": "Not for the target; `reason` says why.",
    "unknown": "You have pushed no record with this key to this sync.",
}


def fates(keys: Sequence[str], rows: Mapping[str, PushedRow]) -> list[dict[str, Any]]:
    """Return the fate of each key in the order asked."""
    return [fate(key, rows.get(key)) for key in keys]


def fate(key: str, row: PushedRow | None) -> dict[str, Any]:
    """Return one record's fate; times are ISO 8601 with offset."""
    if row is None:
        return {"key": key, "status": "unknown"}
    told: dict[str, Any] = {
        "key": key,
        "status": "pending" if row.status == "processing" else row.status,
        "operation": row.operation,
        "version": row.version,
        "received_at": _time(row.received_at),
        "attempts": row.attempts,
    }
    if row.target_id is not None:
        told |= {"target_system": row.target_system, "target_id": row.target_id}
    match row.status:
        case "processed":
            told["processed_at"] = _time(row.processed_at)
        case "failed":
            error = {"field": row.error_field, "code": row.error_code, "message": row.error_message}
            told |= {
                "errors": [error],
                "last_attempt_at": _time(row.last_attempt_at),
                "next_attempt_at": _time(row.next_attempt_at),
            }
        case "skipped":
            told["reason"] = row.error_message
    return told


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
