"""The processed records of one sync as the Source of another, so that syncs can be chained through the table."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from sync_orchestration.interface.settled import (
    SettledRow,
    newest_settling,
    settled_after_key,
    settled_by_key,
    settled_since,
)
from sync_orchestration.pipeline.protocols import Change, ChangePage, SourceHead, SourceRecord

SETTLED = "settled"
"""Under this name a record carries the number of its settling: a settling anew is a change, same payload or not."""


@dataclass(frozen=True, slots=True)
class RelaySource:
    """Records that `sync` has processed; one that it skipped or refused is not there. Positions count settlings."""

    session: Callable[[], AbstractContextManager[Connection[Any]]]
    sync: str
    page: int = 500

    def head(self) -> SourceHead:
        """Return the newest settling."""
        with self.session() as conn:
            return SourceHead(newest_settling(conn, self.sync), "interface table")

    def peek(self, start: int) -> ChangePage:
        """Return the first settlings at or after `start`."""
        return next(self.changes(start))

    def changes(self, start: int) -> Iterator[ChangePage]:
        """Yield the settlings at or after `start`."""
        while True:
            with self.session() as conn:
                newest = newest_settling(conn, self.sync)
                # One more than is listed tells whether there is more: a page that is just full is no sign of it.
                found = settled_since(conn, self.sync, start, self.page + 1)
            rows, more = found[: self.page], len(found) > self.page
            following = max(start, rows[-1].settled_version + 1) if rows else start
            yield ChangePage([_change(row) for row in rows], following, newest, more)
            if not more:
                return
            start = following

    def fetch(self, keys: Sequence[str]) -> Mapping[str, SourceRecord]:
        """Return the records of `keys` that are there."""
        with self.session() as conn:
            rows = settled_by_key(conn, self.sync, keys)
        return {row.record_key: _record(row) for row in rows if row.is_there}

    def snapshot(self, after: str | None) -> Iterator[Sequence[SourceRecord]]:
        """Yield all records that are there, by ascending key."""
        while True:
            with self.session() as conn:
                rows = settled_after_key(conn, self.sync, after, self.page)
            if not rows:
                return
            yield [_record(row) for row in rows if row.is_there]
            after = rows[-1].record_key


def _change(row: SettledRow) -> Change:
    if not row.is_there:
        return Change(row.record_key, "delete", row.settled_version)
    return Change(row.record_key, "update", row.settled_version, payload=_record(row).payload)


def _record(row: SettledRow) -> SourceRecord:
    return SourceRecord(row.record_key, {**(row.payload or {}), SETTLED: row.settled_version})
