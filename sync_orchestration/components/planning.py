"""What a sync should do now: which windows to run, decided with one request to the source."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import psycopg

from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.interface.requeue import requeue_rows
from sync_orchestration.interface.rows import pending_windows
from sync_orchestration.interface.source_names import only_other_source
from sync_orchestration.interface.state import SyncState, database_time, read_state
from sync_orchestration.pipeline.errors import ConfigurationError, UnavailableError
from sync_orchestration.pipeline.history import (
    TRACKING_WAS_OFF,
    first_position,
    head_of,
    news,
    refuse_foreign_history,
    refuse_rewound,
    unseen,
)
from sync_orchestration.pipeline.land import order_full_read
from sync_orchestration.pipeline.passes import end_pass, remember_patience, waits_until
from sync_orchestration.pipeline.protocols import Change, Source
from sync_orchestration.pipeline.sweep import reset
from sync_orchestration.pipeline.windows import Window, neighbours, window_at, window_of_key, windows_between

_PAGES_OF_A_LOOK = 10
_BETWEEN_LOOKS = timedelta(minutes=15)


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
    if settings.source.pushed:
        order_what_changed(conn, settings)
    size = settings.source.window
    waiting = [window_of_key(key, size) for key in pending_windows(conn, settings.name)]
    try:
        fresh = _to_read(conn, settings, source, state)
    except UnavailableError as error:
        remember_patience(conn, settings.name, error)
        raise
    groups = neighbours([*waiting, *fresh], settings.triggers.windows_per_run)
    if not groups:
        if state.pass_end is not None or (state.error is not None and not settings.source.sweeps):
            # Whoever worked at the sweep ended after its last row and before saying so; or the source could not be
            # asked, and now it can.
            state = end_pass(conn, settings.name)
        return Plan([], [], "nothing new", state)
    reason = f"{len(fresh)} windows to read, {len(waiting)} with rows to write"
    # Partitions are ordered by when they were made, so none between the first window and the last may be missing.
    first = min(_first_window(state, size) or groups[0][0], groups[0][0])
    known = list(windows_between(first.start, groups[-1][-1].start, size))
    return Plan(groups[0], known, reason, state)


def plan_inventory(conn: psycopg.Connection[Any], settings: SyncSettings, source: Source) -> Plan:
    """Choose the run that counts the source through: in the newest window, for news are as new as can be.

    Raises SyncError when the source cannot be asked.
    """
    state = order_what_changed(conn, settings)
    if state.baseline_is_due:
        return Plan([], [], "a full read comes before an inventory", state)
    if until := waits_until(state, database_time(conn)):
        return Plan([], [], f"waits until {until:%H:%M:%S} to try again after: {state.error}", state, asked=False)
    size = settings.source.window
    newest = window_at(max(source.head().position, state.last_position or 0), size)
    first = _first_window(state, size) or newest
    newest = max(first, newest)  # an empty source stands at 0
    return Plan([newest], list(windows_between(first.start, newest.start, size)), "an inventory is due", state)


def plan_for_trigger(conn: psycopg.Connection[Any], settings: SyncSettings, source: Source) -> Plan:
    """Choose the next run for a trigger that fires every few seconds or minutes, unless a pass in ERROR rests."""
    return _rest(conn, settings) or plan_next_run(conn, settings, source)


def _rest(conn: psycopg.Connection[Any], settings: SyncSettings) -> Plan | None:
    """Return the plan to do nothing yet, where a trigger that fires every few seconds finds a pass in ERROR.

    It waits for a person; without a pause it would fail anew with every tick. A run by hand is always possible.
    A sweep waits for its cron instead.
    """
    state = read_state(conn, settings.name)
    until = rests_until(settings, state)
    if until is None or until <= database_time(conn):
        return None
    return Plan([], [], f"tried again at {until:%H:%M:%S}, or by hand, after: {state.error}", state, asked=False)


def rests_until(settings: SyncSettings, state: SyncState) -> datetime | None:
    """Return until when triggers leave a pass in ERROR alone; None where it is in none, or its own cron begins it."""
    if settings.source.sweeps or state.status != "ERROR":
        return None
    delays = settings.retry_policy.delays
    return state.updated_at + (delays[-1] if delays else timedelta())


def order_everything(conn: psycopg.Connection[Any], settings: SyncSettings) -> None:
    """Let the next pass take up every record again: read from the source, or, of what was pushed, from the table."""
    if settings.source.pushed:
        requeue_rows(conn, settings.name)
    elif settings.source.sweeps:
        reset(conn, settings.name)
    else:
        order_full_read(conn, settings.name)


def order_what_changed(conn: psycopg.Connection[Any], settings: SyncSettings) -> SyncState:
    """Order a full read where what is read, or how it is mapped, has changed since the last run; return the state.

    Every record that was read before has changed with it, but no time tells so. What was pushed is in the table.
    Raises ConfigurationError when the source's connection has another name than before.
    """
    _refuse_renamed(conn, settings)
    state = read_state(conn, settings.name)
    if settings.source.feed == "times" and settings.differs_from(state.config_hash):
        if settings.source.pushed:
            requeue_rows(conn, settings.name)
            return state
        order_full_read(conn, settings.name)
        state = read_state(conn, settings.name)
    return state


def _refuse_renamed(conn: psycopg.Connection[Any], settings: SyncSettings) -> None:
    """Refuse to read under another name what is known under the old one: each record would be made a second time."""
    now = settings.source.connection
    if settings.source.pushed or (before := only_other_source(conn, settings.name, now)) is None:
        return
    raise ConfigurationError(
        f"{settings.name} has read from a connection named {before} so far, and its source is now {now}, whose records "
        f"would all be new and be made a second time. Give the connection the name {before} again; its address and "
        "user may be others. Another system is read by a sync of another name."
    )


def _first_window(state: SyncState, size: int) -> Window | None:
    return window_of_key(state.first_window, size) if state.first_window else None


def _to_read(conn: psycopg.Connection[Any], settings: SyncSettings, source: Source, state: SyncState) -> list[Window]:
    if settings.source.pushed:
        return []
    return _unswept(settings, state) if settings.source.sweeps else _fresh_windows(conn, settings, source)


def _unswept(settings: SyncSettings, state: SyncState) -> list[Window]:
    """Return the windows that a sweep under way has not read yet; none when it waits for its trigger."""
    if not state.has_more_to_sweep:
        return []
    return list(windows_between(state.last_position or 0, state.pass_end or 0, settings.source.window))


def _fresh_windows(conn: psycopg.Connection[Any], settings: SyncSettings, source: Source) -> list[Window]:
    size = settings.source.window
    by_time = settings.source.feed == "times"
    state = order_what_changed(conn, settings)
    if state.baseline_is_due:
        position = state.baseline_from
        if position is None:
            position = head_of(source, conn, settings.name).position
        return [window_at(first_position(conn, position, by_time=by_time), size)]
    if by_time:
        return _fresh_days(conn, settings, source, state)
    if state.status == "ERROR" or state.fingerprint == TRACKING_WAS_OFF:
        refuse_foreign_history(state, head_of(source, conn, settings.name))
    cursor = state.last_position or 0
    start = max(cursor - settings.source.overlap, 0)
    page = source.peek(start)
    refuse_rewound(state, page.newest)
    while page.more and start < page.next_position < cursor and not unseen(page, state):
        # Full of what was landed before, and short of the cursor: what is new comes after it.
        start = page.next_position
        page = source.peek(start)
    if not page.changes:
        # A feed that is off looks like one without changes; usually the overlap lists some that were read before.
        refuse_foreign_history(state, head_of(source, conn, settings.name))
    # A page can be full of what was landed before; then what follows it begins at the cursor.
    follows = page.more and page.next_position >= cursor
    if not unseen(page, state) and not follows:
        return []
    first = window_at(cursor, size)
    return list(windows_between(first.start, max(page.newest, cursor), size))


def _fresh_days(
    conn: psycopg.Connection[Any], settings: SyncSettings, source: Source, state: SyncState
) -> list[Window]:
    """Return the days with changes that have not been landed; usually one page tells, for it is the last.

    After many changes at once the overlap is full of what was landed; then a few pages are looked at, and from time to
    time a run that may find nothing is the lesser evil.
    """
    size = settings.source.window
    cursor = state.last_position or 0
    if state.status == "ERROR":
        refuse_foreign_history(state, head_of(source, conn, settings.name), by_time=True)
    page, fresh = None, list[Change]()
    for page in islice(source.changes(max(cursor - settings.source.overlap, 0)), _PAGES_OF_A_LOOK):
        if fresh := news(conn, settings.name, page.changes, settings.sensitive_names):
            break
    else:
        if page is None or not page.more or _was_in_vain(conn, source, state):
            return []
    newest = source.head().position if page.more else page.newest
    # Days on which nothing happened need no run.
    first = min((change.position for change in fresh if change.position >= cursor), default=cursor)
    return list(windows_between(window_at(first, size).start, max(newest, first), size))


def _was_in_vain(conn: psycopg.Connection[Any], source: Source, state: SyncState) -> bool:
    """Tell that nothing has happened since the cursor, and that a run has looked through the overlap lately."""
    if state.updated_at + _BETWEEN_LOOKS <= database_time(conn):
        return False
    page = source.peek((state.last_position or 0) + 1)
    return not page.changes and not page.more
