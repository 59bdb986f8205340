"""What a sync should do now: which windows to run, decided with one request to the source."""

from dataclasses import dataclass
from typing import Any

import psycopg

from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.interface.rows import pending_windows
from sync_orchestration.interface.state import SyncState, database_time, read_state
from sync_orchestration.pipeline.errors import UnavailableError
from sync_orchestration.pipeline.land import head_of, refuse_rewound, unseen
from sync_orchestration.pipeline.passes import remember_patience, waits_until
from sync_orchestration.pipeline.protocols import Source
from sync_orchestration.pipeline.windows import Window, neighbours, window_at, window_of_key, windows_between


@dataclass(frozen=True, slots=True)
class Plan:
    """The windows of the next run (none: nothing to do, for `reason`), and all windows that should exist."""

    windows: list[Window]
    known: list[Window]
    reason: str
    state: SyncState


def plan_next_run(
    conn: psycopg.Connection[Any], settings: SyncSettings, source: Source, *, at_once: bool = False
) -> Plan:
    """Ask the source once whether anything is new, and the interface table what waits; choose the next run.

    With `at_once` a pass that waits for its next try is not waited for.

    One run at a time reads a source, oldest windows first, so a long outage becomes a few runs one after another.
    Raises SyncError when the source cannot be asked or its history was reset.
    """
    state = read_state(conn, settings.name)
    until = waits_until(state, database_time(conn))
    if until and not at_once:
        return Plan([], [], f"waits until {until:%H:%M:%S} to try again after: {state.error}", state)
    size = settings.source.window
    waiting = [window_of_key(key, size) for key in pending_windows(conn, settings.name)]
    try:
        fresh = _fresh_windows(conn, settings, source, state)
    except UnavailableError as error:
        remember_patience(conn, settings.name, error)
        raise
    groups = neighbours([*waiting, *fresh], settings.triggers.windows_per_run)
    if not groups:
        return Plan([], [], "nothing new", state)
    reason = f"{len(fresh)} windows to read, {len(waiting)} with rows to write"
    return Plan(groups[0], [*waiting, *fresh], reason, state)


def _fresh_windows(
    conn: psycopg.Connection[Any], settings: SyncSettings, source: Source, state: SyncState
) -> list[Window]:
    size = settings.source.window
    if state.baseline_is_due:
        position = state.baseline_from
        if position is None:
            position = head_of(source, conn, settings.name).position
        return [window_at(position, size)]
    cursor = state.last_position or 0
    page = source.peek(max(cursor - settings.source.overlap, 0))
    refuse_rewound(state, page.newest)
    # A page can be full of what was landed before; then what follows it begins at the cursor.
    follows = page.more and page.next_position >= cursor
    if not unseen(page, state) and not follows:
        return []
    first = window_at(cursor, size)
    return list(windows_between(first.start, max(page.newest, cursor), size))
