"""What a sync should do now: which windows to run, decided with one request to the source."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg

from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.interface.rows import pending_windows
from sync_orchestration.interface.state import SyncState, database_time, read_state
from sync_orchestration.pipeline.errors import UnavailableError
from sync_orchestration.pipeline.history import (
    TRACKING_WAS_OFF,
    head_of,
    refuse_foreign_history,
    refuse_rewound,
    unseen,
)
from sync_orchestration.pipeline.passes import end_pass, remember_patience, waits_until
from sync_orchestration.pipeline.protocols import Source
from sync_orchestration.pipeline.windows import Window, neighbours, window_at, window_of_key, windows_between


@dataclass(frozen=True, slots=True)
class Plan:
    """The windows of the next run (none: nothing to do, for `reason`), and all windows that should exist.

    `asked` is False where the source was not asked, since the pass waits.
    """

    windows: list[Window]
    known: list[Window]
    reason: str
    state: SyncState
    asked: bool = True


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
        return Plan([], [], f"waits until {until:%H:%M:%S} to try again after: {state.error}", state, asked=False)
    if settings.source.sweeps and state.status == "ERROR" and not at_once:
        return Plan([], [], f"waits for its next trigger after: {state.error}", state)
    size = settings.source.window
    waiting = [window_of_key(key, size) for key in pending_windows(conn, settings.name)]
    try:
        fresh = _unswept(settings, state) if settings.source.sweeps else _fresh_windows(conn, settings, source, state)
    except UnavailableError as error:
        remember_patience(conn, settings.name, error)
        raise
    groups = neighbours([*waiting, *fresh], settings.triggers.windows_per_run)
    if not groups:
        if state.pass_end is not None:
            # Whoever worked at the sweep ended after its last row and before saying so.
            state = end_pass(conn, settings.name)
        return Plan([], [], "nothing new", state)
    reason = f"{len(fresh)} windows to read, {len(waiting)} with rows to write"
    # Partitions are ordered by when they were made, so none between the first window and the last may be missing.
    first = min(int(state.first_window or groups[0][0].key), groups[0][0].start)
    known = list(windows_between(first, groups[-1][-1].start, size))
    return Plan(groups[0], known, reason, state)


def rest(conn: psycopg.Connection[Any], settings: SyncSettings) -> Plan | None:
    """Return the plan to do nothing yet, where a trigger that fires every few seconds finds a pass in ERROR.

    It waits for a person; without a pause it would fail anew with every tick. A run by hand is always possible.
    A sweep waits for its cron instead.
    """
    if settings.source.sweeps:
        return None
    state = read_state(conn, settings.name)
    delays = settings.retry_policy.delays
    until = state.updated_at + (delays[-1] if delays else timedelta())
    if state.status != "ERROR" or until <= database_time(conn):
        return None
    return Plan([], [], f"tried again at {until:%H:%M:%S}, or by hand, after: {state.error}", state, asked=False)


def _unswept(settings: SyncSettings, state: SyncState) -> list[Window]:
    """Return the windows that a sweep under way has not read yet; none when it waits for its trigger."""
    if not state.has_more_to_sweep:
        return []
    return list(windows_between(state.last_position or 0, state.pass_end or 0, settings.source.window))


def _fresh_windows(
    conn: psycopg.Connection[Any], settings: SyncSettings, source: Source, state: SyncState
) -> list[Window]:
    size = settings.source.window
    if state.baseline_is_due:
        position = state.baseline_from
        if position is None:
            position = head_of(source, conn, settings.name).position
        return [window_at(position, size)]
    if state.status == "ERROR" or state.fingerprint == TRACKING_WAS_OFF:
        refuse_foreign_history(state, head_of(source, conn, settings.name))
    cursor = state.last_position or 0
    page = source.peek(max(cursor - settings.source.overlap, 0))
    refuse_rewound(state, page.newest)
    if not page.changes and state.recent_positions:
        # What was listed before is listed no more: a feed that is off looks like one without changes.
        refuse_foreign_history(state, head_of(source, conn, settings.name))
    # A page can be full of what was landed before; then what follows it begins at the cursor.
    follows = page.more and page.next_position >= cursor
    if not unseen(page, state) and not follows:
        return []
    first = window_at(cursor, size)
    return list(windows_between(first.start, max(page.newest, cursor), size))
