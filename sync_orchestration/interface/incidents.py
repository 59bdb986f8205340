"""Incidents: faults that people are told of, and who has been told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from psycopg import Connection
from psycopg.rows import class_row, dict_row

from sync_orchestration.interface.queries import query
from sync_orchestration.interface.texts import storable

Kind = Literal["run_failure", "failed_rows", "standstill"]
Which = Literal["opened", "closed"]


@dataclass(frozen=True, slots=True)
class Standing:
    """How a subject stands: is an incident open, when did it begin, and when did that change last (None: never)."""

    is_open: bool = False
    began_at: datetime | None = None
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """What is told."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Untold:
    """An incident of which somebody has still to be told that it began, or that it is over."""

    id: int
    subject: str
    kind: Kind
    opened_title: str
    opened_message: str
    opened_accepted: list[str]
    notified_opened: bool
    closed_title: str | None
    closed_message: str | None
    closed_accepted: list[str]
    notified_closed: bool


def standings(conn: Connection[Any], kind: Kind) -> dict[str, Standing]:
    """Return how each subject stands that ever had an incident of this kind."""
    with conn.cursor(row_factory=dict_row) as cur:
        rows = cur.execute(query("incident_standings"), {"kind": kind}).fetchall()
    return {row.pop("subject"): Standing(**row) for row in rows}


def open_incident(conn: Connection[Any], subject: str, kind: Kind, at: datetime, message: Message) -> None:
    """Note that a fault has begun, unless one of its kind is open."""
    conn.execute(query("open_incident"), _params(subject, kind, at, message))


def close_incident(conn: Connection[Any], subject: str, kind: Kind, at: datetime, message: Message) -> None:
    """Note that a fault is over."""
    conn.execute(query("close_incident"), _params(subject, kind, at, message))


def _params(subject: str, kind: Kind, at: datetime, message: Message) -> dict[str, Any]:
    return {
        "subject": subject,
        "kind": kind,
        "at": at,
        "title": storable(message.title),
        "text": storable(message.text),
    }


def untold(conn: Connection[Any]) -> list[Untold]:
    """Return the incidents with messages that not everybody has taken, oldest first."""
    with conn.cursor(row_factory=class_row(Untold)) as cur:
        return cur.execute(query("untold_incidents")).fetchall()


def note_told(conn: Connection[Any], number: int, which: Which, accepted: Sequence[str], *, complete: bool) -> None:
    """Remember which addresses, by their marks, have taken one of an incident's two messages."""
    params = {"id": number, "accepted": list(accepted), "complete": complete}
    conn.execute(query("note_told_opened" if which == "opened" else "note_told_closed"), params)


def failed_by_sync(conn: Connection[Any]) -> Mapping[str, int]:
    """Return the number of failed rows of each sync that has any."""
    return dict(conn.execute(query("failed_by_sync")).fetchall())


def count_retried(conn: Connection[Any], sync: str) -> int:
    """Return the number of rows that have failed and are being tried again at present."""
    row = conn.execute(query("count_retried"), {"sync": sync}).fetchone()
    return 0 if row is None else int(row[0])
