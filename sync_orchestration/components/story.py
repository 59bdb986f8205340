"""One record's whole story, read once for whoever tells it: the terminal, the browser, a program.

Nothing is sent or stored. The target is asked what it holds, as a dry run asks it; where it cannot be asked, the story
says so and tells the rest.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg

from sync_orchestration.components.chosen import open_both
from sync_orchestration.components.connections import Connection, unset_variables
from sync_orchestration.components.planning import rests_until
from sync_orchestration.components.run_requests import off_peak_wait
from sync_orchestration.components.running import LogObserver, OpenSource, OpenTarget
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.interface.looks import Relative, relatives
from sync_orchestration.interface.rows import Payload
from sync_orchestration.interface.single import (
    Try,
    WholeRow,
    near_keys,
    tries_at,
    waiting_wakes_of,
    whole_rows,
)
from sync_orchestration.interface.state import database_time, read_state
from sync_orchestration.mapping.explain import Explanation, explain
from sync_orchestration.mapping.scrub import scrub
from sync_orchestration.pipeline.errors import SyncError
from sync_orchestration.pipeline.lookup import ANSWER
from sync_orchestration.pipeline.outlook import Circumstances, Outlook, outlook
from sync_orchestration.pipeline.passes import waits_until
from sync_orchestration.pipeline.plan import Action, PlannedWrite
from sync_orchestration.pipeline.preview import changes_of, look_at
from sync_orchestration.pipeline.windows import Window, window_of_key

MOST_TRIES = 1_000
_NEAREST = 5


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that a write would change now; both values as people are shown them."""

    field: str
    there: str
    would_be: str


@dataclass(frozen=True, slots=True)
class NextWrite:
    """What a run would do with the record now.

    `there` is what the target holds, None where it has no such record or it was not asked. `compared` are the fields
    that count; the others are left as they are there (`keep_when_empty`, `only_when_empty`, `precedence`).
    """

    action: Action
    there: Payload | None
    compared: tuple[str, ...]
    differences: tuple[Difference, ...]
    reason: str | None


@dataclass(frozen=True, slots=True)
class Story:
    """All that can be told of one record of one sync.

    `window` is None where the partition's key no longer names one (its size was changed). `register` is the kept answer
    of the lookup. `condition_holds` and `mapped` are None for a delete, `next_write` is None where there is nothing to
    write or `problem` says why the target could not be asked.
    """

    row: WholeRow
    window: Window | None
    by_time: bool
    register: Payload | None
    condition: str | None
    condition_holds: bool | None
    mapped: Explanation | None
    next_write: NextWrite | None
    problem: str | None
    outlook: Outlook
    tries: tuple[Try, ...]


def read_stories(
    conn: psycopg.Connection[Any], settings: SyncSettings, connections: Mapping[str, Connection], key: str
) -> list[Story]:
    """Return the story of a key; several where several senders have it, none where it is unknown."""
    found = whole_rows(conn, settings.name, key)
    if not found:
        return []
    systems = _Systems.of(settings, connections)
    return [_story(conn, settings, connections, systems, row) for row in found]


def nearest_keys(conn: psycopg.Connection[Any], settings: SyncSettings, key: str) -> list[str]:
    """Return the known keys that a person may have meant by an unknown one, likeliest first."""
    found = near_keys(conn, settings.name, key)
    wanted = key.casefold()
    alike = sorted(found, key=lambda one: -difflib.SequenceMatcher(None, wanted, one.casefold()).ratio())
    return alike[:_NEAREST]


@dataclass(frozen=True, slots=True)
class _Systems:
    """The systems of a sync, opened; or the reason why they cannot be."""

    source: OpenSource | None
    target: OpenTarget | None
    problem: str | None = None

    @classmethod
    def of(cls, settings: SyncSettings, connections: Mapping[str, Connection]) -> "_Systems":
        try:
            return cls(*open_both(settings, connections, LogObserver.silent()))
        except SyncError as error:
            return cls(None, None, str(error))

    def pauses(self, now: datetime) -> dict[str, datetime]:
        """Return by connection until when its server wants to be left alone."""
        found = {}
        if self.source is not None and self.target is not None:
            settings, lookup = self.target.settings, self.target.lookup
            clients = {settings.source.connection: self.source.http, settings.target.connection: self.target.http}
            if settings.lookup is not None and lookup is not None:
                clients[settings.lookup.connection] = lookup.http
            for name, http in clients.items():
                wait = http.pause.remaining() if http is not None and http.pause is not None else 0.0
                if wait > 0:
                    found[name] = now + timedelta(seconds=wait)
        return found


def _story(
    conn: psycopg.Connection[Any],
    settings: SyncSettings,
    connections: Mapping[str, Connection],
    systems: _Systems,
    row: WholeRow,
) -> Story:
    payload, register = _seen_by_the_mapping(conn, systems, row)
    condition = settings.condition()
    next_write, problem = _next_write(conn, settings, systems, row)
    around = _circumstances(conn, settings, connections, systems, row, next_write.action if next_write else None)
    return Story(
        row=row,
        window=_window(settings, row),
        by_time=settings.source.feed == "times",
        register=register,
        condition=settings.when,
        condition_holds=None if condition is None or row.payload is None else condition.holds(row.payload),
        mapped=None if payload is None else explain(settings.compiled(), settings.mapping, settings.rules, payload),
        next_write=next_write,
        problem=problem,
        outlook=outlook(row, around),
        tries=tuple(tries_at(conn, row, MOST_TRIES)),
    )


def _window(settings: SyncSettings, row: WholeRow) -> Window | None:
    try:
        return window_of_key(row.partition_key, settings.source.window)
    except ValueError:
        return None


def _seen_by_the_mapping(
    conn: psycopg.Connection[Any], systems: _Systems, row: WholeRow
) -> tuple[Payload | None, Payload | None]:
    """Return the record with what was looked up, and that alone."""
    if row.operation == "delete" or row.payload is None:
        return None, None
    enrich = systems.target.translation_on(conn, only_kept=True).enrich if systems.target else None
    if enrich is None:
        return row.payload, None
    answer = enrich([row.as_claimed()])[row.record_key]
    if not isinstance(answer, Mapping):
        return row.payload, None
    return answer, answer.get(ANSWER)


def _next_write(
    conn: psycopg.Connection[Any], settings: SyncSettings, systems: _Systems, row: WholeRow
) -> tuple[NextWrite | None, str | None]:
    """Return what a run would do with the record, or why that cannot be told."""
    if row.operation == "delete" and row.status == "processed":
        return None, None
    if systems.target is None:
        return None, systems.problem
    translation = systems.target.translation_on(conn, only_kept=True)
    try:
        (plan,) = look_at(conn, settings.name, [row.as_claimed()], translation, systems.target.target)
    except SyncError as error:
        return None, str(error)
    return _as_next_write(plan, settings), None


def _as_next_write(plan: PlannedWrite, settings: SyncSettings) -> NextWrite:
    changes = changes_of(plan) if plan.action in ("create", "update") else []
    there = None if plan.current is None else scrub(dict(plan.current.values), settings.sensitive_names)
    compared = tuple(plan.record.values) if plan.record else ()
    reason = plan.reason or "; ".join(error.message for error in plan.errors) or None
    return NextWrite(plan.action, there, compared, tuple(Difference(*change) for change in changes), reason)


def _circumstances(
    conn: psycopg.Connection[Any],
    settings: SyncSettings,
    connections: Mapping[str, Connection],
    systems: _Systems,
    row: WholeRow,
    action: Action | None,
) -> Circumstances:
    now = database_time(conn)
    state = read_state(conn, settings.name)
    used = [connections[name] for name in settings.connections if name in connections]
    return Circumstances(
        looks=_looks(settings),
        state=state,
        pushed=settings.source.pushed,
        enabled=settings.enabled,
        unset=unset_variables(used),
        off_peak=off_peak_wait(settings),
        rests_until=waits_until(state, now) or rests_until(settings, state),
        pauses=systems.pauses(now),
        wakes=waiting_wakes_of(conn, [settings.name, settings.source.connection], row.record_key),
        awaited=_awaited(conn, row),
        action=action,
    )


def _awaited(conn: psycopg.Connection[Any], row: WholeRow) -> Relative | None:
    if row.awaits is None:
        return None
    return relatives(conn, row.sync, row.source_system, [row.awaits]).get(row.awaits)


def _looks(settings: SyncSettings) -> str:
    """Say what brings the sync to run, where Dagster is up."""
    triggers = settings.triggers
    seconds = f"every {triggers.poll_seconds} s"
    if settings.source.sweeps:
        cron = f"its cron {triggers.cron!r} ({triggers.timezone}) fires" if triggers.cron else "a person starts it"
        return f"While Dagster runs, its sensor looks {seconds} at a pass under way; a pass begins when {cron}."
    return f"While Dagster runs (`dev`, or a deployment), the sensor of the sync looks {seconds}."
