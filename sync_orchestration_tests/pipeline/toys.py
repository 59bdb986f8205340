"""A source and a target in memory, whose every request a test may watch, delay, disturb or refuse."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sync_orchestration.interface.rows import Payload
from sync_orchestration.mapping.records import RecordError, Reference
from sync_orchestration.pipeline.errors import TrackingOffError
from sync_orchestration.pipeline.protocols import (
    Change,
    ChangePage,
    CurrentRecord,
    Outcome,
    SourceHead,
    SourceRecord,
    TargetRecord,
)


def nothing(number: int, what: str) -> None:
    """Disturb no request."""


class KilledError(BaseException):
    """The process of a worker ends at this point; like KeyboardInterrupt it is nobody's to catch."""


@dataclass
class ToySource:
    """Records by key, with a feed of their changes. `before` hears of every request before it is served."""

    page: int = 3
    before: Callable[[int, str], None] = nothing
    fingerprint: str = "toy"
    tracking: bool = True
    records: dict[str, Payload] = field(default_factory=dict)
    feed: dict[int, Change] = field(default_factory=dict)
    position: int = 0
    requests: list[str] = field(default_factory=list)

    # What people do in it

    def put(self, key: str, *, at: int | None = None, **values: Any) -> int:
        """Create or change a record; `at` is a position that was reserved before."""
        operation = "update" if key in self.records else "create"
        self.records[key] = {**self.records.get(key, {"id": key, "children": []}), **values}
        return self._note(Change(key, "create" if operation == "create" else "update", self._position(at)))

    def drop(self, key: str, *, at: int | None = None) -> int:
        del self.records[key]
        return self._note(Change(key, "delete", self._position(at)))

    def add_child(self, key: str, child: str) -> int:
        """Add a part to a record; the feed names the record."""
        children = [*self.records[key]["children"], {"id": child}]
        self.records[key] = {**self.records[key], "children": children}
        return self._note(Change(key, "update", self._position(None)))

    def drop_child(self, key: str, child: str) -> int:
        """Take a part from a record; the feed knows only the part."""
        children = [one for one in self.records[key]["children"] if one["id"] != child]
        self.records[key] = {**self.records[key], "children": children}
        return self._note(Change("", "delete", self._position(None), part={"children": [{"id": child}]}))

    def reserve(self) -> int:
        """Begin a transaction: its position is taken now, its change shows later."""
        self.position += 1
        return self.position

    def rewind(self, position: int) -> None:
        """Restore a backup that knew of no later position."""
        self.feed = {p: change for p, change in self.feed.items() if p <= position}
        self.position = position

    @property
    def newest(self) -> int:
        return max(self.feed, default=0)

    def _position(self, reserved: int | None) -> int:
        return self.reserve() if reserved is None else reserved

    def _note(self, change: Change) -> int:
        self.feed[change.position] = change
        return change.position

    # What the pipeline asks of it

    def head(self) -> SourceHead:
        self._asked("head")
        if not self.tracking:
            raise TrackingOffError("the toy does not track changes")
        return SourceHead(self.newest, self.fingerprint)

    def peek(self, start: int) -> ChangePage:
        self._asked("peek")
        return self._page(start)

    def changes(self, start: int) -> Iterator[ChangePage]:
        while True:
            self._asked("feed")
            page = self._page(start)
            yield page
            if not page.more:
                return
            start = page.next_position

    def fetch(self, keys: Sequence[str]) -> Mapping[str, SourceRecord]:
        self._asked("fetch")
        assert len(set(keys)) == len(keys), "one record is fetched once"
        return {key: self._record(key) for key in keys if key in self.records}

    def snapshot(self, after: str | None) -> Iterator[Sequence[SourceRecord]]:
        while True:
            self._asked("list")
            keys = sorted(key for key in self.records if after is None or key > after)[: self.page]
            if not keys:
                return
            yield [self._record(key) for key in keys]
            after = keys[-1]

    def _page(self, start: int) -> ChangePage:
        positions = sorted(p for p in self.feed if p >= start)
        listed, more = positions[: self.page], len(positions) > self.page
        following = positions[self.page] if more else max([start - 1, *listed]) + 1
        return ChangePage([self.feed[p] for p in listed], following, self.newest, more)

    def _record(self, key: str) -> SourceRecord:
        return SourceRecord(key, dict(self.records[key]), (f"ext:{key}",))

    def _asked(self, what: str) -> None:
        self.requests.append(what)
        self.before(len(self.requests), what)


@dataclass
class ToyTarget:
    """Records by external id. `refuses` names the record (by its `name`) and why; `busy` is a passing reason."""

    before: Callable[[int, str], None] = nothing
    refuses: dict[str, str] = field(default_factory=dict)
    busy: set[str] = field(default_factory=set)
    countries: dict[str, int] = field(default_factory=dict)
    stored: dict[str, dict[str, Any]] = field(default_factory=dict)
    written: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    model: str = "toy"

    def resolve(self, references: Sequence[Reference]) -> Mapping[Reference, Any]:
        self._asked("resolve")
        return {r: self.countries[r.value] for r in references if r.value in self.countries}

    def current(self, records: Sequence[TargetRecord]) -> Mapping[str, CurrentRecord | RecordError]:
        self._asked("current")
        return {r.key: CurrentRecord(r.external_id, self.stored[r.external_id]) for r in records if self._has(r)}

    def same(self, field: str, current: Any, wanted: Any) -> bool:
        return bool(current == wanted)

    def upsert(self, records: Sequence[TargetRecord], current: Mapping[str, CurrentRecord]) -> Mapping[str, Outcome]:
        self._asked("upsert")
        return {record.key: self._upsert(record) for record in records}

    def delete(self, records: Sequence[TargetRecord]) -> Mapping[str, Outcome]:
        self._asked("delete")
        gone = [r for r in records if self.stored.pop(r.external_id, None) is not None]
        self.deleted += [r.key for r in gone]
        return {r.key: Outcome() for r in records}

    def _has(self, record: TargetRecord) -> bool:
        return record.external_id in self.stored

    def _upsert(self, record: TargetRecord) -> Outcome:
        name = record.values["name"]
        if name in self.busy:
            return Outcome(error=RecordError("busy", None, "another wrote it"), transient=True, response_code=200)
        if name in self.refuses:
            return Outcome(error=RecordError("refused", "name", self.refuses[name]), response_code=200)
        self.stored[record.external_id] = dict(record.values)
        self.written.append(record.key)
        return Outcome(record.external_id, response_code=200, duration_ms=7)

    def _asked(self, what: str) -> None:
        self.requests.append(what)
        self.before(len(self.requests), what)


@dataclass
class Notes:
    """An observer that remembers."""

    steps: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def progress(self, step: str, count: int) -> None:
        self.steps[step] = self.steps.get(step, 0) + count

    def warn(self, message: str) -> None:
        self.warnings.append(message)


def at_request(number: int, act: Callable[[], object]) -> Callable[[int, str], None]:
    """Return what a toy calls before each request: it acts before one of them."""

    def before(asked: int, what: str) -> None:
        if asked == number:
            act()

    return before


def fails(error: BaseException) -> Callable[[], object]:
    """Return an act that fails."""

    def act() -> None:
        raise error

    return act
