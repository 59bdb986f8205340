"""`run --dry-run` and `log`: what a run would do, and what the runs have tried."""

from datetime import UTC
from typing import Any

from rich.table import Table

from sync_orchestration.cli.environment import load_settings
from sync_orchestration.cli.headless import chosen
from sync_orchestration.cli.output import err, out, print_json, shown
from sync_orchestration.components.chosen import preview
from sync_orchestration.components.database import InterfaceDatabase
from sync_orchestration.components.metadata import preview_sentence, shorten
from sync_orchestration.components.running import LogObserver
from sync_orchestration.definitions import load_project
from sync_orchestration.interface.attempts import read_attempts
from sync_orchestration.pipeline.preview import Preview

_SHOWN = 100
_SHOWN_AS_JSON = 100_000
_WIDEST = 60


def dry_run(names: list[str], *, everything: bool) -> dict[str, Preview]:
    """Return what bringing the named syncs (none: all) up to date would do. Raises UsageError, SyncError."""
    load_settings()
    project = load_project()
    observer = LogObserver.on(
        lambda line: err.print(shown(line), style="dim"), lambda line: err.print(shown(line), style="yellow")
    )
    found: dict[str, Preview] = {}
    with InterfaceDatabase().session() as conn:
        for name in chosen(project, names):
            settings = project.syncs[name]
            found[name] = preview(
                conn, settings, project.connections, [], observer, whole=everything, shown=_SHOWN_AS_JSON
            )
    return found


def print_previews(found: dict[str, Preview], *, as_json: bool) -> None:
    """Print what runs would do: a table of fields for each sync, or JSON with all of them."""
    if as_json:
        print_json({"syncs": {name: _preview_json(preview) for name, preview in found.items()}})
        return
    for name, one in found.items():
        out.print(f"[bold]{shown(name)}[/bold]: {preview_sentence(one)}")
        frame = one.table
        table = Table("", "record", "field", "before", "after", box=None, header_style="bold")
        for row in frame.head(_SHOWN).itertuples():
            cells = (row.action, row.record_key, row.field, row.before, row.after)
            table.add_row(*(shown(shorten(str(cell), _WIDEST)) for cell in cells))
        if len(frame):
            out.print(table)
        if len(frame) + one.more > _SHOWN:
            out.print(f"  … and {len(frame) + one.more - _SHOWN} more: sync-orchestration run {name} --dry-run --json")


def _preview_json(one: Preview) -> dict[str, Any]:
    rows = [{str(name): value for name, value in row.items()} for row in one.table.to_dict("records")]
    return {"would": dict(one.counts), "changes": rows, "more": one.more}


def attempts(name: str, key: str | None, limit: int) -> list[dict[str, Any]]:
    """Return the newest attempts of a sync, or of one of its records. Raises UsageError for an unknown sync."""
    load_settings()
    chosen(load_project(), [name])
    with InterfaceDatabase().session() as conn:
        return read_attempts(conn, name, key=key, limit=limit)


def print_attempts(found: list[dict[str, Any]], *, as_json: bool) -> None:
    """Print attempts, newest first."""
    if as_json:
        print_json({"attempts": found})
        return
    table = Table("time (UTC)", "record", "", "status", "answer", "ms", "error", "run", box=None, header_style="bold")
    for one in found:
        table.add_row(
            f"{one['started_at'].astimezone(UTC):%Y-%m-%d %H:%M:%S}",
            shown(one["record_key"]),
            shown(f"{one['operation']} {one['model']}"),
            one["status"],
            "" if one["response_code"] is None else str(one["response_code"]),
            str(one["duration_ms"]),
            shown(one["error"] or ""),
            (one["run_id"] or "")[:8],
        )
    out.print(table if found else "nothing was tried yet")
