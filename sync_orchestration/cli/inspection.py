"""`check` and `status`: what is reachable, and what became of the records."""

from dataclasses import dataclass
from typing import Any

from rich.table import Table

from sync_orchestration.cli.environment import load_settings
from sync_orchestration.cli.headless import chosen
from sync_orchestration.cli.output import err, out, print_failing, shown
from sync_orchestration.components.database import InterfaceDatabase
from sync_orchestration.components.health import Health, check_connections
from sync_orchestration.components.metadata import state_json
from sync_orchestration.components.schema import SchemaLook, check_schemas
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.definitions import load_project
from sync_orchestration.interface.rows import FailingRow, counts_by_status, failing_rows
from sync_orchestration.interface.state import SyncState, read_state

_STATUSES = ("pending", "processing", "processed", "failed", "skipped")
_SHOWN = 20
_ALL = 1_000_000


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """Where one sync stands."""

    settings: SyncSettings
    counts: dict[str, int]
    state: SyncState
    failing: list[FailingRow]


def check() -> list[Health]:
    """Try every connection."""
    load_settings()
    project = load_project()
    return check_connections(project.connections, list(project.syncs.values()), project.notifications)


def schemas() -> dict[str, SchemaLook]:
    """Look whether the fields of every source and target are as they were; only what changed is told."""
    project = load_project()
    found = check_schemas(project.connections, list(project.syncs.values()))
    return {name: look for name, look in found.items() if look.drifts}


def schema_json(look: SchemaLook) -> dict[str, Any]:
    """Return one sync's part of `check --json`, where a field has changed."""
    fields = [{"side": d.side, "field": d.field, "was": d.was, "is": d.now} for d in look.drifts]
    return {"ok": not look.serious, "changed": fields}


def health_json(health: Health) -> dict[str, Any]:
    """Return one connection's part of `check --json`."""
    return {"ok": health.ok, "detail": health.detail, "milliseconds": health.milliseconds}


def print_health(found: list[Health]) -> None:
    """Print what was found of each connection."""
    table = Table("connection", "", "detail", "ms", box=None, header_style="bold")
    for h in found:
        mark = "[yellow]off[/yellow]" if h.switched_off else "[green]ok[/green]" if h.ok else "[red]failed[/red]"
        table.add_row(h.name, mark, shown(h.detail), str(h.milliseconds))
    out.print(table)


def status(name: str | None, *, failed: bool) -> dict[str, SyncStatus]:
    """Return where the named sync, or every sync, stands. Raises UsageError for an unknown name."""
    if load_settings():
        err.print("[dim]the running demo's servers are used[/dim]")
    project = load_project()
    names = chosen(project, [name]) if name else list(project.syncs)
    with InterfaceDatabase().session() as conn:
        counts = counts_by_status(conn)
        limit = _ALL if failed else _SHOWN
        return {
            n: SyncStatus(
                project.syncs[n],
                {s: counts.get(n, {}).get(s, 0) for s in _STATUSES},
                read_state(conn, n),
                failing_rows(conn, n, limit=limit),
            )
            for n in names
        }


def status_json(found: SyncStatus, *, failed: bool) -> dict[str, Any]:
    """Return one sync's part of `status --json`."""
    position = found.state.last_position
    return {
        "counts": found.counts,
        "cursor": "" if position is None else str(position),
        "state": state_json(found.state, found.settings),
        "rows": [_row_json(row) for row in found.failing] if failed else [],
    }


def _row_json(row: FailingRow) -> dict[str, Any]:
    return {
        "record_key": row.record_key,
        "source_system": row.source_system,
        "operation": row.operation,
        "error_code": row.error_code,
        "error_field": row.error_field,
        "error_message": row.error_message,
        "attempts": row.attempts,
        "first_failed_at": None if row.first_failed_at is None else row.first_failed_at.isoformat(),
        "next_attempt_at": None if row.next_attempt_at is None else row.next_attempt_at.isoformat(),
    }


def print_status(found: dict[str, SyncStatus], *, failed: bool) -> None:
    """Print where the syncs stand, and the failing rows if asked."""
    table = Table("sync", *_STATUSES, "cursor", "state", box=None, header_style="bold")
    for name, s in found.items():
        numbers = [str(s.counts[status_name]) for status_name in _STATUSES]
        table.add_row(name, *numbers, str(s.state.last_position or "-"), s.state.status)
    out.print(table)
    for name, s in found.items():
        if s.state.error:
            out.print(f"  [red]{shown(name)}: {shown(s.state.error)}[/red]")
        if failed:
            print_failing(name, s.failing)
