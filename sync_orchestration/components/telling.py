"""One tick of the notifications: what has begun or is over is written down, then whoever has not heard is told."""

import time
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import dagster as dg
import psycopg

from sync_orchestration.components.run_ends import reason_of, run_ends
from sync_orchestration.interface import rows
from sync_orchestration.interface.incidents import (
    Kind,
    Message,
    Standing,
    Untold,
    Which,
    close_incident,
    count_retried,
    failed_by_sync,
    note_told,
    open_incident,
    standings,
    untold,
)
from sync_orchestration.interface.state import all_states, database_time
from sync_orchestration.mapping.scrub import mask
from sync_orchestration.pipeline.incident_texts import (
    FailedRecord,
    goes_on,
    rows_fail,
    rows_recovered,
    run_failed,
    run_recovered,
    stands_still,
)
from sync_orchestration.pipeline.incidents import (
    RETRY_IS_AWAITED,
    RunEnd,
    Threshold,
    Turn,
    newest_of_each,
    next_step,
    turns,
)
from sync_orchestration.systems.messengers import Messenger

_OVERLAP = 2 * RETRY_IS_AWAITED  # ends that were written late, and failures whose retry was awaited, are seen again
_LONGEST_GAP = timedelta(days=2)  # after a longer one only the newest run of each sync is told of
_SHOWN = 3
_SECONDS_FOR_TELLING = 25.0  # a tick has sixty, and one message may take twenty


@dataclass(frozen=True, slots=True)
class Watch:
    """What is watched, and what no message may hold."""

    syncs: Mapping[str, Threshold]
    secrets: Collection[str] = ()
    link: str | None = None
    ignored: Collection[str] = ()

    def masked(self, text: str) -> str:
        """Return a text from outside without secrets."""
        return mask(text, self.secrets)

    def link_to(self, path: str) -> str | None:
        return f"{self.link}/{path}" if self.link else None


def look_at_runs(
    conn: psycopg.Connection[Any], instance: dg.DagsterInstance, watch: Watch, since: datetime | None, now: datetime
) -> None:
    """Open and close incidents by how runs have ended since the last look (None: nobody has looked)."""
    gap = since is None or now - since > _LONGEST_GAP
    start = now - _LONGEST_GAP if since is None or gap else since - _OVERLAP
    ends = [end for end in run_ends(instance, start) if end.subject not in watch.ignored]
    by_subject: dict[str, list[RunEnd]] = defaultdict(list)
    for end in newest_of_each(ends, now) if gap else ends:
        by_subject[end.subject].append(end)
    with conn.transaction():
        before = standings(conn, "run_failure")
        for subject, found in by_subject.items():
            for turn in turns(before.get(subject, Standing()), found, now):
                _turn(conn, instance, watch, turn)


def _turn(conn: psycopg.Connection[Any], instance: dg.DagsterInstance, watch: Watch, turn: Turn) -> None:
    subject, at, is_sync = turn.end.subject, turn.end.ended_at, turn.end.subject in watch.syncs
    link = watch.link_to(f"runs/{turn.end.run_id}")
    if turn.step == "open":
        reason = watch.masked(reason_of(instance, turn.end.run_id))
        open_incident(conn, subject, "run_failure", at, run_failed(subject, at, reason, is_sync=is_sync, link=link))
    else:
        message = run_recovered(subject, turn.began_at, at, is_sync=is_sync, link=link)
        close_incident(conn, subject, "run_failure", at, message)


def look_at_states(conn: psycopg.Connection[Any], watch: Watch) -> None:
    """Open and close incidents of syncs that cannot begin a run, since their source cannot even be asked.

    One that is still trying is not told of yet, and a run that failed is told of by itself.
    """
    kind: Kind = "standstill"
    with conn.transaction():
        at, before = database_time(conn), standings(conn, kind)
        for state in (s for s in all_states(conn) if s.sync in watch.syncs and s.status == "TRIGGER_WAITING"):
            standing = before.get(state.sync, Standing())
            step = next_step(is_open=standing.is_open, fault=state.error is not None)
            link = watch.link_to(f"assets/{state.sync}/interface_status")
            if step == "open":
                reason = watch.masked(state.error or "")
                open_incident(conn, state.sync, kind, at, stands_still(state.sync, at, reason, link=link))
            elif step == "close":
                message = goes_on(state.sync, standing.began_at or at, at, link=link)
                close_incident(conn, state.sync, kind, at, message)


def look_at_rows(conn: psycopg.Connection[Any], watch: Watch) -> None:
    """Open and close incidents by how many rows of each sync fail.

    A row that is being tried again still counts for an open incident: whether it is over is not known yet.
    """
    kind: Kind = "failed_rows"
    with conn.transaction():
        at = database_time(conn)
        failed, before = failed_by_sync(conn), standings(conn, kind)
        for sync in {*failed, *(name for name, standing in before.items() if standing.is_open)}:
            standing, threshold = before.get(sync, Standing()), watch.syncs.get(sync, Threshold())
            count = failed.get(sync, 0)
            uncertain = count_retried(conn, sync) if standing.is_open else 0
            known = _known(conn, sync) if threshold.share else 0
            step = next_step(is_open=standing.is_open, fault=threshold.is_passed(count + uncertain, known))
            link = watch.link_to(f"assets/{sync}/interface_status")
            if step == "open":
                open_incident(conn, sync, kind, at, _rows_fail(conn, watch, sync, count, link))
            elif step == "close":
                message = rows_recovered(sync, count, standing.began_at or at, at, link=link)
                close_incident(conn, sync, kind, at, message)


def _known(conn: psycopg.Connection[Any], sync: str) -> int:
    return sum(rows.counts_by_status(conn, sync).get(sync, {}).values())


def _rows_fail(conn: psycopg.Connection[Any], watch: Watch, sync: str, count: int, link: str | None) -> Message:
    failing = rows.failing_rows(conn, sync, limit=_SHOWN)
    first = [
        FailedRecord(
            row.operation,
            watch.masked(row.record_key),
            watch.masked(row.error_field) if row.error_field else None,
            watch.masked(row.error_message or "no reason is known"),
        )
        for row in failing
    ]
    since = failing[0].first_failed_at if failing else None
    return rows_fail(sync, count, since, first, link=link)


@dataclass(slots=True)
class Report:
    """What came of telling; each problem is a sentence about one messenger."""

    told: int = 0
    problems: list[str] = field(default_factory=list)
    later: bool = False

    @property
    def sentence(self) -> str:
        told = {0: "nothing new to tell", 1: "1 message accepted"}.get(self.told, f"{self.told} messages accepted")
        if self.told == 0 and (self.problems or self.later):
            told = "no message accepted"
        tail = ["the rest follows with the next tick"] if self.later else []
        return "; ".join([told, *self.problems, *tail])


def deliver(conn: psycopg.Connection[Any], people: Sequence[Messenger]) -> Report:
    """Tell everybody what they have not been told.

    Who has taken a message is written down at once, so that no other one's failure repeats it. One who does not take
    a message is left in peace until the next tick.
    """
    telling = _Telling(conn, people, time.monotonic() + _SECONDS_FOR_TELLING)
    for incident in untold(conn):
        telling.tell(incident)
    return telling.report


@dataclass(slots=True)
class _Telling:
    conn: psycopg.Connection[Any]
    people: Sequence[Messenger]
    deadline: float
    report: Report = field(default_factory=Report)
    silent: set[str] = field(default_factory=set)

    def tell(self, incident: Untold) -> None:
        """Tell of the beginning whoever has not heard of it, then of the end whoever has heard of the beginning."""
        everybody = [one.mark for one in self.people]
        heard = set(incident.opened_accepted)
        if not incident.notified_opened:
            message = Message(incident.opened_title, incident.opened_message)
            self._send(incident.id, "opened", message, heard, everybody)
        if incident.closed_title is not None and incident.closed_message is not None:
            message = Message(incident.closed_title, incident.closed_message)
            ready = [mark for mark in everybody if mark in heard or incident.notified_opened]
            self._send(incident.id, "closed", message, set(incident.closed_accepted), ready)

    def _send(self, number: int, which: Which, message: Message, accepted: set[str], ready: Collection[str]) -> None:
        """Send to whoever is ready for it and has not accepted it, and add to `accepted` whoever does now."""
        everybody = {one.mark for one in self.people}
        for one in self.people:
            if one.mark not in ready or one.mark in accepted or one.mark in self.silent:
                continue
            if time.monotonic() > self.deadline:
                self.report.later = True
                break
            problem = one.tell(message, "bad" if which == "opened" else "good")
            if problem is None:
                accepted.add(one.mark)
                self.report.told += 1
                note_told(self.conn, number, which, sorted(accepted), complete=accepted >= everybody)
            else:
                self.silent.add(one.mark)
                self.report.problems.append(f"{one} did not accept a message, which is sent again later: {problem}")
        if accepted >= everybody:
            # Also when the only one who had not accepted it is no longer to be told.
            note_told(self.conn, number, which, sorted(accepted), complete=True)
