"""What the UI shows of a sync: counts as numbers that it plots, and the failing rows.

Dagster's tables neither sort nor page. At 1400 pixels an asset's Overview shows some forty characters of a row before
it clips, the Checks tab has room for five columns, and the dialog of a Markdown value for all seven. So the same fifty
rows are given in three forms.
"""

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import dagster as dg
import psycopg

from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.interface import rows
from sync_orchestration.interface.attempts import read_attempts
from sync_orchestration.interface.rows import FailingRow
from sync_orchestration.interface.state import SyncState
from sync_orchestration.mapping.plain_text import plain
from sync_orchestration.pipeline.preview import Preview
from sync_orchestration.pipeline.sweep import state_of_sweep

SHOWN = 50
_NARROW = 26
_FIELD = 60


def counts_metadata(counts: Mapping[str, float | int]) -> dict[str, dg.MetadataValue[Any]]:
    """Return counts as numeric metadata, which the UI plots over time."""
    return {
        name: dg.MetadataValue.float(value) if isinstance(value, float) else dg.MetadataValue.int(value)
        for name, value in counts.items()
    }


def failing_metadata(
    conn: psycopg.Connection[Any], sync: str, partition_keys: Sequence[str] | None = None, *, wide: bool = False
) -> dict[str, dg.MetadataValue[Any]]:
    """Return the number of failing rows and the first of them, of all windows or of some, and where all of them are.

    `wide` is for the Checks tab, which has room for five columns.
    """
    total = rows.count_failing(conn, sync, partition_keys=partition_keys)
    found: dict[str, dg.MetadataValue[Any]] = {"failing_records": dg.MetadataValue.int(total)}
    if browser := _record_browser(sync):
        found["record_browser"] = dg.MetadataValue.url(browser)
    if total:
        failing = rows.failing_rows(conn, sync, partition_keys=partition_keys, limit=SHOWN)
        found["failing_in_full"] = dg.MetadataValue.md(_markdown(sync, failing, total))
        found["failing"] = _wide_table(failing) if wide else _narrow_table(failing)
    return found


def _record_browser(sync: str) -> str | None:
    """Return where the failing rows are seen, all of them; None where it is not known how people reach the intake."""
    address = os.environ.get("INTAKE_PUBLIC_URL", "").rstrip("/")
    return f"{address}/records?{urlencode({'sync': sync, 'status': 'failed'})}" if address else None


def _narrow_table(failing: Sequence[FailingRow]) -> dg.TableMetadataValue:
    columns = [
        dg.TableColumn("record", description="Operation and key of the record in its source."),
        dg.TableColumn("why", description="Field and beginning of the error; failing_in_full has all of it."),
    ]
    records = [
        dg.TableRecord({"record": plain(f"{row.operation} {row.record_key}"), "why": shorten(_error(row), _NARROW)})
        for row in failing
    ]
    return dg.MetadataValue.table(records, schema=dg.TableSchema(columns))


def _wide_table(failing: Sequence[FailingRow]) -> dg.TableMetadataValue:
    columns = [
        dg.TableColumn("record", description="Operation and key of the record in its source."),
        dg.TableColumn("field", description="The target's fields that are wrong."),
        dg.TableColumn("error", description="Why the record was not written."),
        dg.TableColumn("tries", "int", description="How often it was tried in this state."),
        dg.TableColumn("failing since → last try", description="In UTC."),
    ]
    records = [
        dg.TableRecord(
            {
                "record": plain(f"{row.operation} {row.record_key}"),
                "field": plain(row.error_field or ""),
                "error": plain(row.error_message or ""),
                "tries": row.attempts,
                "failing since → last try": _since(row),
            }
        )
        for row in failing
    ]
    return dg.MetadataValue.table(records, schema=dg.TableSchema(columns))


def _markdown(sync: str, failing: Sequence[FailingRow], total: int) -> str:
    lines = [
        "| record | operation | field | error | tries | first failed | last try |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {_cell(row.record_key)} | {row.operation} | {_cell(row.error_field)} | {_cell(row.error_message)} "
        f"| {row.attempts} | {short_time(row.first_failed_at)} | {short_time(row.last_attempt_at)} |"
        for row in failing
    ]
    more = f"The first {len(failing)} of {total}. " if total > len(failing) else ""
    return "\n".join(lines) + (
        f"\n\n{more}All of them: `sync-orchestration status {sync} --failed`. After mending a record: "
        f"`sync-orchestration retry {sync}`, or the job `retry_failed_records`."
    )


def _cell(text: str | None) -> str:
    """Keep what came from outside from being read as Markdown or HTML."""
    line = " ".join(plain(text or "").split())
    # A colon, an at sign and a dot make links of plain addresses.
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>()#+!|~&:@." else c for c in line)


def _error(row: FailingRow) -> str:
    return plain(f"{row.error_field}: {row.error_message}" if row.error_field else row.error_message or "")


def shorten(text: str, length: int) -> str:
    """Return `text` with at most `length` characters, the last of them an ellipsis if some are missing."""
    return text if len(text) <= length else text[: length - 1] + "…"


def _since(row: FailingRow) -> str:
    first, last = short_time(row.first_failed_at), short_time(row.last_attempt_at)
    return first if first == last else f"{first} → {last}"


def short_time(moment: datetime | None) -> str:
    """Return a time in UTC without seconds, short enough for a table."""
    return "" if moment is None else moment.astimezone(UTC).strftime("%d %b %H:%M")


def attempts_metadata(conn: psycopg.Connection[Any], sync: str) -> dict[str, dg.MetadataValue[Any]]:
    """Return the newest tries at records, with what was answered; nothing where none was made yet."""
    found = read_attempts(conn, sync, limit=SHOWN)
    if not found:
        return {}
    lines = [
        "| time (UTC) | record | operation | status | answer | ms | error |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {short_time(one['started_at'])} | {_cell(one['record_key'])} | {one['operation']} {_cell(one['model'])} "
        f"| {one['status']} | {one['response_code'] or ''} | {one['duration_ms']} | {_cell(one['error'])} |"
        for one in found
    ]
    more = f"The newest {len(found)}. All of them: `sync-orchestration log {sync}`, of one record: `--key`."
    return {"latest_attempts": dg.MetadataValue.md("\n".join([*lines, "", more]))}


def preview_sentence(preview: Preview) -> str:
    """Say what a dry run has found."""
    told = {"create": "created", "update": "changed", "delete": "deleted", "skip": "skipped", "fail": "failed"}
    would = ", ".join(f"{preview.counts[action]} {word}" for action, word in told.items())
    return f"would be {would}; {preview.counts['unchanged']} unchanged. Nothing was sent."


def preview_metadata(preview: Preview) -> dict[str, dg.MetadataValue[Any]]:
    """Return what a dry run has found: counts, and the first fields that would change."""
    records = [
        dg.TableRecord(
            {
                "record": plain(f"{row.action} {row.record_key}"),
                "field": plain(str(row.field)),
                "before": shorten(plain(str(row.before)), _FIELD),
                "after": shorten(plain(str(row.after)), _FIELD),
            }
        )
        for row in preview.table.head(SHOWN).itertuples()
    ]
    counts = counts_metadata({f"would_{action}": number for action, number in sorted(preview.counts.items())})
    return counts | ({"changes": dg.MetadataValue.table(records)} if records else {})


def moment_of(position: int | None) -> str:
    """Return a position that is a time, in seconds since the epoch, as people read it."""
    return "" if position is None else datetime.fromtimestamp(position, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def state_json(state: SyncState, settings: SyncSettings) -> dict[str, Any]:
    """Return the sync state as people and programs are shown it; that of a sweep with Citeck's original keys."""
    if settings.source.sweeps:
        return state_of_sweep(state)
    return {
        "last_position": state.last_position,
        "count_processed": state.count_processed,
        "status": state.status,
        "try_count": state.try_count,
        "next_try": None if state.next_try is None else state.next_try.isoformat(),
        "error": state.error,
        "config_hash": state.config_hash,
    }
