"""What commands print: tables and sentences for people, JSON for programs, errors on stderr."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sync_orchestration.cli.supervisor import ServiceFailedError
from sync_orchestration.cli.usage import UsageError
from sync_orchestration.components.headless import COUNTED, RunReport
from sync_orchestration.interface.database import DatabaseError
from sync_orchestration.interface.embedded import EmbeddedPostgresError
from sync_orchestration.interface.rows import FailingRow
from sync_orchestration.mapping.plain_text import escaped_controls, plain
from sync_orchestration.pipeline.errors import SyncError

# A pipe has no width of its own; tables must not be cut off at eighty columns there.
_PIPE_WIDTH = 200
out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _PIPE_WIDTH)
err = Console(stderr=True, highlight=False, soft_wrap=True, width=None if sys.stderr.isatty() else _PIPE_WIDTH)


def shown(text: object) -> str:
    """Return a text from outside so that a table or a sentence shows it as it is: no mark-up, nothing of a terminal."""
    return escape(plain(str(text)))


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn a user's mistake or an unreachable system into one or two sentences and an exit code."""
    try:
        yield
    except UsageError as error:
        err.print(f"[red]{shown(error)}[/red]")
        raise typer.Exit(2) from None
    except (SyncError, DatabaseError, EmbeddedPostgresError) as error:
        err.print(f"[red]{shown(error)}[/red]")
        raise typer.Exit(1) from None
    except ServiceFailedError as error:  # with the last lines of the service's log
        for line in str(error).splitlines():
            err.print(f"[red]{shown(line)}[/red]")
        raise typer.Exit(1) from None


def print_json(value: Any) -> None:
    """Print a JSON document on stdout."""
    typer.echo(escaped_controls(json.dumps(value, ensure_ascii=False, indent=2, default=str)))


def report_json(report: RunReport, seconds: float) -> dict[str, Any]:
    """Return one sync's part of `run --json`."""
    counts = {name: report.counts[name] for name in COUNTED}
    rest = {"pending": report.pending, "requests": dict(report.requests), "seconds": round(seconds, 3)}
    return {**counts, **rest, "cursor": report.cursor or ""} | ({"error": report.problem} if report.problem else {})


def print_summary(reports: Mapping[str, RunReport]) -> None:
    """Print what syncs came to."""
    table = Table(
        "sync", "landed", "written", "unchanged", "failed", "skipped", "pending", box=None, header_style="bold"
    )
    for name, report in reports.items():
        c = report.counts
        numbers = (c["landed"], c["processed"], c["unchanged"], c["failed"], c["skipped"], report.pending)
        table.add_row(name, *map(str, numbers))
    out.print(table)


def print_failing(sync: str, rows: Sequence[FailingRow], total: int | None = None) -> None:
    """Print failing rows, one line each."""
    for row in rows:
        field = f" [dim]{shown(row.error_field)}[/dim]" if row.error_field else ""
        out.print(
            f"  [red]failed[/red] {shown(sync)} {row.operation} {shown(row.record_key)}{field}: "
            f"{shown(row.error_message or '')}"
        )
    if total is not None and total > len(rows):
        out.print(f"  … and {total - len(rows)} more: sync-orchestration status {sync} --failed")
