"""A source in memory whose positions are seconds, which its records may share, as those of Odoo; and a sync of it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from psycopg.rows import dict_row

from sync_orchestration.interface import rows
from sync_orchestration.interface.rows import Payload, Scope, Settlement, hire_worker
from sync_orchestration.interface.state import SyncState, read_state
from sync_orchestration.pipeline.inventory import InventoryCounts, take_inventory
from sync_orchestration.pipeline.land import Reader
from sync_orchestration.pipeline.landing import Landing
from sync_orchestration.pipeline.protocols import Change, ChangePage, InventoryItem, SourceHead, SourceRecord
from sync_orchestration.pipeline.windows import DAY
from sync_orchestration_tests.pipeline.conftest import Conn, new_sync
from sync_orchestration_tests.pipeline.toys import Notes, nothing

NOON = int(datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp())
OVERLAP = 60


@dataclass
class TimedSource:
    """Records by key, each with the second of its newest change. `before` hears of every request before it is served.

    Those that are `archived` are told of as deleted, those that are `unlisted` are found only when asked for.
    """

    page: int = 3
    before: Callable[[int, str], None] = nothing
    fingerprint: str = "timed toy"
    now: int = NOON
    records: dict[str, Payload] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)
    archived: set[str] = field(default_factory=set)
    unlisted: set[str] = field(default_factory=set)
    requests: list[str] = field(default_factory=list)

    # What people do in it

    def put(self, key: str, *, at: int | None = None, **values: Any) -> int:
        """Create or change a record now, or in a transaction that began at `at` and shows only now."""
        self.records[key] = {**self.records.get(key, {"id": key}), **values}
        self.times[key] = self.now if at is None else at
        return self.times[key]

    def archive(self, key: str, *, at: int | None = None) -> None:
        self.archived.add(key)
        self.times[key] = self.now if at is None else at

    def bring_back(self, key: str) -> None:
        self.archived.discard(key)
        self.times[key] = self.now

    def drop(self, key: str) -> None:
        """Delete a record; nothing tells of it."""
        del self.records[key], self.times[key]
        self.archived.discard(key)

    def wait(self, seconds: int) -> None:
        self.now += seconds

    @contextmanager
    def backup(self) -> Iterator[None]:
        """Take a backup that is restored when the block ends; time goes on."""
        kept = dict(self.records), dict(self.times), set(self.archived)
        yield
        self.records, self.times, self.archived = kept

    @property
    def there(self) -> dict[str, Payload]:
        """What a reader should know of."""
        return {key: record for key, record in self.records.items() if key not in self.archived}

    # What the pipeline asks of it

    def head(self) -> SourceHead:
        self._asked("head")
        return SourceHead(max(self.times.values(), default=0), self.fingerprint)

    def peek(self, start: int) -> ChangePage:
        return next(self.changes(start))

    def changes(self, start: int) -> Iterator[ChangePage]:
        after = (start, "")
        while True:
            self._asked("feed")
            listed = sorted((time, key) for key, time in self.times.items() if (time, key) > after)
            page, more = listed[: self.page], len(listed) > self.page
            newest = max([start, *(time for time, _ in page)])
            yield ChangePage([self._change(key) for _, key in page], newest, newest, more)
            if not more:
                return
            after = page[-1]

    def fetch(self, keys: Sequence[str]) -> Mapping[str, SourceRecord]:
        self._asked("fetch")
        assert len(set(keys)) == len(keys), "one record is fetched once"
        return {key: self._record(key) for key in keys if key in self.there}

    def snapshot(self, after: str | None) -> Iterator[Sequence[SourceRecord]]:
        for page in self._pages("list", after or ""):
            yield [self._record(key) for key in page]

    def inventory(self) -> Iterator[Sequence[InventoryItem]]:
        for page in self._pages("count", ""):
            yield [InventoryItem(key, self.times[key]) for key in page]

    def _pages(self, what: str, after: str) -> Iterator[list[str]]:
        while True:
            self._asked(what)
            keys = sorted(key for key in self.there if key > after and key not in self.unlisted)[: self.page]
            if not keys:
                return
            yield keys
            after = keys[-1]

    def _change(self, key: str) -> Change:
        if key in self.archived:
            return Change(key, "delete", self.times[key])
        return Change(key, "update", self.times[key], payload=dict(self.records[key]))

    def _record(self, key: str) -> SourceRecord:
        return SourceRecord(key, dict(self.records[key]), position=self.times[key])

    def _asked(self, what: str) -> None:
        self.requests.append(what)
        self.before(len(self.requests), what)


@dataclass
class TimedSync:
    """A sync of such a source, read by as many readers as the test likes."""

    db: Conn
    source: TimedSource = field(default_factory=TimedSource)
    overlap: int = OVERLAP
    name: str = field(default_factory=new_sync)
    notes: Notes = field(default_factory=Notes)

    def reader(self, **landing: Any) -> Reader:
        settings = {"window_size": DAY, "overlap": self.overlap, "fetch_batch": 2, "chunk": 4, "feed": "times"}
        chosen = Landing(self.name, "toy", "thing", **{**settings, **landing})
        return Reader(self.db, self.source, chosen, "run", self.notes)

    def read(self, until: int | None = None, **landing: Any) -> Reader:
        reader = self.reader(**landing)
        reader.bring_up_to_date(until)
        return reader

    def count(self, **landing: Any) -> InventoryCounts:
        return take_inventory(self.reader(**landing))

    @property
    def state(self) -> SyncState:
        return read_state(self.db, self.name)

    def rows(self) -> dict[str, dict[str, Any]]:
        with self.db.cursor(row_factory=dict_row) as cur:
            found = cur.execute("SELECT * FROM sync.interface_row WHERE sync = %s", [self.name]).fetchall()
        return {row["record_key"]: row for row in found}

    def landed(self) -> dict[str, Any]:
        """What the table says the source holds."""
        return {key: row["payload"] for key, row in self.rows().items() if row["operation"] != "delete"}

    def pending(self) -> set[str]:
        return {key for key, row in self.rows().items() if row["status"] == "pending"}

    def settle_everything(self) -> None:
        """Write all that is pending to a target that always agrees."""
        worker = hire_worker(self.db, "run")
        claimed = rows.claim(worker, self.name, Scope(), 1_000)
        with self.db.transaction():
            done = [Settlement(row, "processed", row.record_key) for row in claimed]
            rows.settle(worker, sync=self.name, target_system="toy", settlements=done)
