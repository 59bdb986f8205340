"""A list of a REST API as a Source: its positions are the times of the records' last changes."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime

from sync_orchestration.mapping.records import JSON, RecordError
from sync_orchestration.pipeline.errors import ConfigurationError, UnavailableError
from sync_orchestration.pipeline.protocols import Change, ChangePage, InventoryItem, SourceHead, SourceRecord
from sync_orchestration.pipeline.spans import carried
from sync_orchestration.systems.rest.addresses import filled
from sync_orchestration.systems.rest.answers import fault_of
from sync_orchestration.systems.rest.listing import ChangedBy, Collection, Listed, ListPage, pages
from sync_orchestration.systems.rest.reading import get_json, read_at, shape
from sync_orchestration.systems.rest.times import position_of, written_time

_ENOUGH = 10
"""So many records without a readable time of change, and none with one, are no matter of single records."""


@dataclass(frozen=True, slots=True)
class RestSource:
    """A collection of records. Positions are seconds since the epoch (UTC).

    Without `collection.changed` there are no changes to list, and only the inventory finds them. The server's order
    of the list is not relied on, so a read of changes counts only when it has come to its end.
    """

    collection: Collection
    warn: Callable[[str], None] = lambda _: None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def head(self) -> SourceHead:
        """Return the time now, without a request: nothing can have changed later."""
        collection = self.collection
        where = collection.http.masked(f"{collection.http.settings.shown_url.rstrip('/')}{collection.path}")
        return SourceHead(self._clock(), where)

    def peek(self, start: int) -> ChangePage:
        """Return the first page of changes from `start` on."""
        with closing(self._change_pages(start)) as found:
            return next(found)

    def changes(self, start: int) -> Iterator[ChangePage]:
        """Yield the changes from `start` on with their payloads, page by page.

        As the pages are in no order, only the last one has a `next_position` beyond `start`.
        """
        return self._change_pages(start)

    def _change_pages(self, start: int) -> Generator[ChangePage, None, None]:
        began = max(self._clock(), start)
        changed = self.collection.changed
        if changed is None:
            yield ChangePage([], began, began, more=False)
            return
        filters = {} if changed.param is None else {changed.param: written_time(start, changed.format)}
        reached = start
        for page in pages(self.collection, filters, self.warn):
            changes = []
            for record in page.records:
                told = self._position(record.payload, began)
                reached = max(reached, told or 0)
                # A time that cannot be read must not hide its record.
                position = began if told is None else told
                if position >= start:
                    changes.append(self._change(record, position))
            changes.sort(key=lambda change: change.position)
            yield ChangePage(changes, start if page.more else reached, began, page.more)

    def fetch(self, keys: Sequence[str]) -> Mapping[str, SourceRecord]:
        """Return the records as they are now: one request each where they can be asked for, otherwise one listing."""
        found: dict[str, SourceRecord] = {}
        paths = {key: path for key in keys if isinstance(path := self._path_of(key), str)}
        if paths:
            with ThreadPoolExecutor(max_workers=self.collection.parallel) as pool:
                answers = pool.map(carried(self._fetched), paths.keys(), paths.values())
                found.update((record.key, record) for record in answers if record is not None)
        if unlisted := set(keys) - paths.keys():
            for page in self._present():
                found.update((record.key, self._record(record)) for record in page if record.key in unlisted)
        return found

    def snapshot(self, after: str | None) -> Iterator[Sequence[SourceRecord]]:
        """Yield all records. Lists have no order to go on in, so `after` is not used: it is from the beginning."""
        del after
        for number, page in enumerate(self._present()):
            if number == 0:
                self._refuse_timeless(page)
            yield [self._record(record) for record in page]

    def _refuse_timeless(self, page: Sequence[Listed]) -> None:
        """Raise ConfigurationError when none of a page of records has the time of its change: it is not there."""
        changed = self.collection.changed
        if changed is None or len(page) < _ENOUGH:
            return
        if all(self._position(record.payload, self._clock()) is None for record in page):
            raise ConfigurationError(
                f"No record of {self.collection.shown} tells when it changed at '{changed.field}' (format "
                f"{changed.format}): the first one has {shape(page[0].payload)}. Correct source.changed."
            )

    def inventory(self) -> Iterator[Sequence[InventoryItem]]:
        """Yield all records with their payloads; one without a time has its newest change now."""
        began = self._clock()
        for page in self._present():
            items = []
            for record in page:
                told = self._position(record.payload, began)
                items.append(InventoryItem(record.key, began if told is None else told, record.payload))
            yield items

    def _present(self) -> Iterator[Sequence[Listed]]:
        """Yield what the list holds, page by page, without those that only say that they are gone."""
        page: ListPage
        for page in pages(self.collection, {}, self.warn):
            if kept := [record for record in page.records if not self._is_gone(record.payload)]:
                yield kept

    def _path_of(self, key: str) -> str | RecordError | None:
        template = self.collection.record_path
        return None if template is None else filled(template, {"key": key})

    def _fetched(self, key: str, path: str) -> SourceRecord | None:
        collection = self.collection
        answer, body = get_json(collection.http, path, list(collection.params.items()), collection.headers)
        if answer.status in (404, 410):
            return None
        if not 200 <= answer.status < 300:
            raise fault_of(collection.http, answer)
        record = read_at(body, collection.record)
        if not isinstance(record, dict):
            raise UnavailableError(
                f"{collection.http.settings.name} answered {collection.http.masked(answer.what)} without a record: the "
                f"answer has {shape(body)}."
            )
        return None if self._is_gone(record) else self._record(Listed(key, record))

    def _record(self, record: Listed) -> SourceRecord:
        return SourceRecord(record.key, record.payload, position=self._position(record.payload, self._clock()))

    def _change(self, record: Listed, position: int) -> Change:
        if self._is_gone(record.payload):
            return Change(record.key, "delete", position)
        return Change(record.key, "update", position, payload=record.payload)

    def _is_gone(self, payload: JSON) -> bool:
        deleted = self.collection.deleted
        return deleted is not None and deleted.holds(payload)

    def _position(self, payload: JSON, latest: int) -> int | None:
        """Return when a record changed, at most `latest`: a server's clock that is ahead must not move ours."""
        changed: ChangedBy | None = self.collection.changed
        told = None if changed is None else position_of(read_at(payload, changed.field), changed.format)
        return None if told is None else min(told, latest)

    def _clock(self) -> int:
        return int(self.now().timestamp())
