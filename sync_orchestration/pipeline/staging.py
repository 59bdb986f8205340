"""Stage: what a source says of its records, made into rows to land. No database is asked, so a thread may do it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sync_orchestration.interface.rows import LandedRecord, Operation
from sync_orchestration.mapping.diff import canonical_text, text_hash
from sync_orchestration.mapping.scrub import scrub
from sync_orchestration.pipeline.landing import Landing
from sync_orchestration.pipeline.protocols import Change, Source, SourceRecord
from sync_orchestration.pipeline.spans import within
from sync_orchestration.pipeline.windows import window_key


@dataclass(frozen=True, slots=True)
class Staged:
    """Rows to land in one go; `fetched` of them the source was asked for."""

    records: Sequence[LandedRecord]
    fetched: int

    @property
    def deleted(self) -> int:
        return sum(record.operation == "delete" for record in self.records)


@dataclass(frozen=True, slots=True)
class Stager:
    """Stages records of one sync; history before `first_window` has no partition of its own."""

    source: Source
    landing: Landing
    first_window: str

    def page(self, page: Iterable[SourceRecord], position: int) -> Staged:
        """Stage a page of a full read, at `position` where a record has none of its own."""
        records = [self._present(r, "create", position if r.position is None else r.position) for r in page]
        return Staged(records, len(records))

    def changes(self, changes: Sequence[Change], *, always: bool = False) -> Staged:
        """Fetch the records behind changes, as far as these do not carry them; one that is gone by now is a delete.

        `always`: also those that are said to be deleted. Raises SyncError when the source cannot be read.
        """
        keys = [c.key for c in changes if c.payload is None and (always or c.operation != "delete")]
        fetched = within("read", self.source.fetch, keys) if keys else {}
        records = []
        for change in changes:
            found = fetched.get(change.key)
            if change.payload is not None:
                found = SourceRecord(change.key, change.payload, change.external_ids)
            if found is not None:
                operation = "update" if change.operation == "delete" else change.operation
                records.append(self._present(found, operation, change.position))
            else:
                records.append(self._gone(change))
        return Staged(records, len(fetched))

    def _present(self, record: SourceRecord, operation: Operation, position: int) -> LandedRecord:
        payload = scrub(record.payload, self.landing.sensitive)
        text = canonical_text(payload)  # once, for the hash and for the table: that is what landing costs most
        position = max(position, record.position or 0)
        return LandedRecord(
            key=record.key,
            entity=self.landing.entity,
            operation=operation,
            position=position,
            partition_key=self._window_key(position),
            payload=payload,
            payload_hash=text_hash(text),
            external_ids=record.external_ids,
            payload_text=text,
        )

    def _gone(self, change: Change) -> LandedRecord:
        return LandedRecord(
            key=change.key,
            entity=self.landing.entity,
            operation="delete",
            position=change.position,
            partition_key=self._window_key(change.position),
            payload=None,
            payload_hash=None,
            external_ids=change.external_ids,
        )

    def _window_key(self, position: int) -> str:
        return max(window_key(position, self.landing.window_size), self.first_window)
