"""Looking at rows as people do: any filter, page by page, newest first, however many rows there are."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from psycopg import Connection
from psycopg.errors import QueryCanceled
from psycopg.rows import class_row, dict_row, scalar_row

from sync_orchestration.interface.queries import query
from sync_orchestration.interface.rows import Operation, Status

_MOST_WORDS = 20
_STATEMENT_MS = 5_000
_READ_FIRST = 500
"""So many of the newest rows are always looked through, those too that wait to be written."""

_MOST_MATCHES = 20_000
"""More rows than these with some words are not sorted: the newest of them are found by reading the newest rows."""


class TooSlowError(Exception):
    """A look takes longer than people wait for a page."""


@contextmanager
def bounded_look(conn: Connection[Any]) -> Iterator[None]:
    """Only read, and no statement for longer than five seconds. Raises TooSlowError."""
    try:
        with conn.transaction():
            conn.execute(query("limit_look"), {"statement_ms": _STATEMENT_MS})
            yield
    except QueryCanceled as error:
        raise TooSlowError from error


@dataclass(frozen=True, slots=True)
class RowFilter:
    """Which rows are wanted; None: any. `text` are words in key, error or payload; one with a * is how words begin.

    Times are from (inclusive) to (exclusive); those of failing mean rows that fail now, by when they began to.
    """

    sync: str | None = None
    status: Status | None = None
    error_code: str | None = None
    key: str | None = None
    text: str | None = None
    received_from: datetime | None = None
    received_to: datetime | None = None
    failed_from: datetime | None = None
    failed_to: datetime | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended: the next one begins after this row."""

    received_at: datetime
    record_key: str
    sync: str
    source_system: str


@dataclass(frozen=True, slots=True)
class ListedRow:
    """A row as it stands in a list."""

    sync: str
    source_system: str
    record_key: str
    operation: Operation
    status: Status
    error_code: str | None
    error_field: str | None
    error_message: str | None
    attempts: int
    received_at: datetime
    first_failed_at: datetime | None
    last_attempt_at: datetime | None
    next_attempt_at: datetime | None
    target_id: str | None

    @property
    def place(self) -> Place:
        return Place(self.received_at, self.record_key, self.sync, self.source_system)


@dataclass(frozen=True, slots=True)
class Count:
    """How many rows of a sync are in a status, counted up to a bound."""

    sync: str
    status: Status
    rows: int


@dataclass(frozen=True, slots=True)
class FailuresOfDay:
    """How many of the records that fail now began to on a day (UTC), with this code."""

    day: date
    code: str
    rows: int


def browse(conn: Connection[Any], wanted: RowFilter, *, limit: int, after: Place | None = None) -> list[ListedRow]:
    """Return the rows of a filter that were received last, after a place: at most `limit`."""
    params = {
        **asdict(wanted),
        "sources": [] if wanted.key is None else _sources(conn),
        "after_received": after.received_at if after else None,
        "after_key": after.record_key if after else None,
        "after_sync": after.sync if after else None,
        "after_source": after.source_system if after else None,
        "limit": limit,
    }
    if wanted.text is not None:
        return _with_words(conn, _words(wanted.text), params)
    with conn.cursor(row_factory=class_row(ListedRow)) as cur:
        return cur.execute(query("browse_rows"), params, prepare=False).fetchall()


def _with_words(conn: Connection[Any], words: str, params: dict[str, Any]) -> list[ListedRow]:
    if not words:
        return []
    params = {**params, "words": words, "most": _MOST_MATCHES + 1, "window": _READ_FIRST}
    with conn.transaction():
        among_newest = _among_newest(conn, params)
        if len(among_newest) == params["limit"]:
            return among_newest
        conn.execute(query("prefer_words"))
        with conn.cursor(row_factory=dict_row) as cur:
            found = cur.execute(query("browse_words"), params, prepare=False).fetchall()
        if not found or found[0]["matches"] <= _MOST_MATCHES:
            return [ListedRow(**{name: row[name] for name in ListedRow.__slots__}) for row in found]
        return _among_newest(conn, {**params, "window": None})


def _among_newest(conn: Connection[Any], params: dict[str, Any]) -> list[ListedRow]:
    """Return a page of the rows with some words among the newest `window`, or (None) among all, read in order."""
    conn.execute(query("prefer_newest"))
    with conn.cursor(row_factory=class_row(ListedRow)) as cur:
        return cur.execute(query("browse_words_among_newest"), params, prepare=False).fetchall()


def _words(text: str) -> str:
    """Return what PostgreSQL is asked for: all of these words; empty where there is none."""
    words = [word for word in text.split() if any(letter.isalnum() for letter in word)]
    return " & ".join(map(_quoted, words[:_MOST_WORDS]))


def _quoted(word: str) -> str:
    inner = word.rstrip("*").replace("\\", "\\\\").replace("'", "''")
    return f"'{inner}':*" if word.endswith("*") else f"'{inner}'"


def _sources(conn: Connection[Any]) -> list[str]:
    with conn.cursor(row_factory=scalar_row) as cur:
        return [str(name) for name in cur.execute(query("browse_sources"))]


def counts_up_to(conn: Connection[Any], bound: int) -> list[Count]:
    """Return the number of rows of each sync and status that has any, counted up to `bound`."""
    with conn.cursor(row_factory=class_row(Count)) as cur:
        return cur.execute(query("browse_places"), {"bound": bound}).fetchall()


def failures_by_day(conn: Connection[Any], sync: str | None, since: datetime, *, bound: int) -> list[FailuresOfDay]:
    """Return the records that fail now by day and code, oldest day first; of the `bound` that began to fail last."""
    params = {"sync": sync, "since": since, "bound": bound}
    with conn.cursor(row_factory=class_row(FailuresOfDay)) as cur:
        return cur.execute(query("failures_by_day"), params, prepare=False).fetchall()
