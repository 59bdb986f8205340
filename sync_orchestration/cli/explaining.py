"""`explain`: one record's whole story, printed."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from rich.table import Table

from sync_orchestration.cli.environment import load_settings
from sync_orchestration.cli.headless import chosen
from sync_orchestration.cli.output import out, print_json, shown
from sync_orchestration.cli.usage import UsageError
from sync_orchestration.components.database import InterfaceDatabase
from sync_orchestration.components.metadata import shorten
from sync_orchestration.components.story import NextWrite, Story, nearest_keys, read_stories
from sync_orchestration.definitions import load_project
from sync_orchestration.mapping.explain import ExplainedField
from sync_orchestration.pipeline.outlook import Coming

_WIDEST = 48
_COLOURS = {"processed": "green", "failed": "red", "skipped": "yellow"}
_WOULD = {
    "create": "would make it",
    "update": "would change it",
    "delete": "would delete or archive it",
    "unchanged": "would change nothing",
    "skip": "would skip it",
    "fail": "would fail it again",
    "wait": "would let it wait",
}


def stories_of(name: str, key: str) -> list[Story]:
    """Return the stories of a key. Raises UsageError for an unknown sync or key, which names the nearest ones."""
    load_settings()
    project = load_project()
    chosen(project, [name])
    settings = project.syncs[name]
    with InterfaceDatabase().session() as conn:
        found = read_stories(conn, settings, project.connections, key)
        near = [] if found else nearest_keys(conn, settings, key)
    if not found:
        hint = f"The nearest are {', '.join(near)}." if near else "None has arrived yet: run the sync first."
        raise UsageError(f"{name} knows no record {key!r}. {hint}")
    return found


def story_json(story: Story) -> dict[str, Any]:
    """Return a story for programs: times in ISO 8601, everything else as it is."""
    told: dict[str, Any] = _plain(asdict(story))
    return told


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def print_stories(stories: list[Story], *, as_json: bool) -> None:
    """Print the stories of a key, one after the other."""
    if as_json:
        print_json({"stories": [story_json(story) for story in stories]})
        return
    for story in stories:
        for part in (_head, _standing, _received, _mapped, _would, _coming, _tries, _advice):
            part(story)
        out.print()


def _head(story: Story) -> None:
    row = story.row
    out.print(
        f"[bold]{shown(row.sync)} {shown(row.record_key)}[/bold]  ({shown(row.entity)} of {shown(row.source_system)})"
    )
    out.print(f"  {_place(story)}", markup=False)


def _place(story: Story) -> str:
    row, window = story.row, story.window
    position = _moment(datetime.fromtimestamp(row.position, UTC)) if story.by_time else str(row.position)
    if window is None or story.by_time:
        return f"window {row.partition_key}, position {position}, received {_moment(row.received_at)}"
    span = f"{window.start}–{window.end - 1}"
    return f"window {row.partition_key} (positions {span}), position {position}, received {_moment(row.received_at)}"


def _standing(story: Story) -> None:
    row = story.row
    colour = _COLOURS.get(row.status, "cyan")
    out.print(f"  [{colour}]{row.status}[/{colour}]  {shown(story.outlook.standing)}")
    times = {
        "failing since": row.first_failed_at,
        "last try": row.last_attempt_at,
        "last written": row.processed_at,
    }
    said = [f"{name} {_moment(moment)}" for name, moment in times.items() if moment is not None]
    tries = "1 try" if row.attempts == 1 else f"{row.attempts} tries"
    out.print(f"  {'; '.join([*said, f'{tries} in this state of the record'])}", markup=False)


def _received(story: Story) -> None:
    if story.row.payload is None:
        return
    _title("Received")
    table = _table("field", "value")
    for name, value in story.row.payload.items():
        table.add_row(shown(name), _cell(value))
    for name, value in (story.register or {}).items():
        table.add_row(shown(f"register.{name}"), _cell(value))
    out.print(table)
    if story.condition is not None:
        verdict = "[green]holds[/green]" if story.condition_holds else "[yellow]does not hold[/yellow]"
        out.print(f"  condition {shown(story.condition)}: {verdict}")


def _mapped(story: Story) -> None:
    if story.mapped is None:
        return
    _title("What the mapping makes of it")
    table = _table("field", "from", "becomes", "in the target")
    for field in story.mapped.fields:
        table.add_row(
            shown(field.field), shown(field.origin), _becomes(field), _compared(field.field, story.next_write)
        )
    out.print(table)
    for rule in story.mapped.rules:
        mark = f"[red]{shown(rule.complaint)}[/red]" if rule.complaint else "[green]holds[/green]"
        out.print(f"  rule {shown(rule.field)} {shown(rule.rule)}: {mark}")


def _becomes(field: ExplainedField) -> str:
    return f"[red]{shown(field.complaint)}[/red]" if field.complaint else _cell(field.value)


def _compared(field: str, write: NextWrite | None) -> str:
    """Say what the target holds of a field beside what it would be given."""
    if write is None or write.there is None:
        return ""
    there = _cell(write.there.get(field)) or "(empty)"
    if any(one.field == field for one in write.differences):
        return f"[yellow]{there}[/yellow]"
    if field not in write.there:
        return "[dim]has no such field[/dim]"
    return "[dim]the same[/dim]" if field in write.compared else f"[dim]stays: {there}[/dim]"


def _would(story: Story) -> None:
    if story.row.written is not None:
        _title("Last written")
        table = _table("field", "value")
        for name, value in story.row.written.items():
            table.add_row(shown(name), _cell(value))
        out.print(table)
    if story.problem:
        out.print(f"  [yellow]What the target holds is not known: {shown(story.problem)}[/yellow]")
    if story.next_write:
        write = story.next_write
        because = f": {shown(write.reason)}" if write.reason else ""
        out.print(f"  A try now {_WOULD[write.action]}{because}")
        if write.there is not None:
            for one in write.differences:
                out.print(
                    f"    {shown(one.field)}: {_cell(one.there) or '(empty)'} → {_cell(one.would_be) or '(empty)'}"
                )


def _coming(story: Story) -> None:
    _title("What comes next")
    for coming in story.outlook.coming:
        out.print(f"  {shown(_said(coming))}")


def _said(coming: Coming) -> str:
    return coming.what if coming.at is None else f"{coming.what} Not before {_moment(coming.at)}."


def _tries(story: Story) -> None:
    _title("Every try so far")
    if not story.tries:
        out.print("  none")
        return
    table = _table("time (UTC)", "", "status", "answer", "ms", "error", "run")
    for one in story.tries:
        table.add_row(
            f"{one.started_at.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
            shown(f"{one.operation} {one.model}"),
            one.status,
            "" if one.response_code is None else str(one.response_code),
            str(one.duration_ms),
            shown(one.error or ""),
            (one.run_id or "")[:8],
        )
    out.print(table)


def _advice(story: Story) -> None:
    if not story.outlook.advice:
        return
    _title("What you can do")
    for advice in story.outlook.advice:
        out.print(f"  {shown(advice.what)}")
        if advice.command:
            out.print(f"    [bold]{shown(advice.command)}[/bold]")


def _title(text: str) -> None:
    out.print(f"\n[bold]{text}[/bold]")


def _table(*columns: str) -> Table:
    return Table(*columns, box=None, header_style="dim", pad_edge=True)


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    return shown(shorten(" ".join(text.split()), _WIDEST))


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
