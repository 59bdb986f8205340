"""A dry run: what bringing a sync up to date would create, change and delete, as a table. Nothing is sent or stored."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, islice
from typing import Any

import pandas as pd
from psycopg import Connection

from sync_orchestration.interface.looks import KnownRow, due_rows, holders, known_rows
from sync_orchestration.interface.rows import ClaimedRow, Operation, Payload
from sync_orchestration.interface.state import SyncState, read_state
from sync_orchestration.mapping.diff import payload_hash
from sync_orchestration.mapping.records import RecordError, Reference
from sync_orchestration.mapping.scrub import scrub
from sync_orchestration.pipeline.landing import Landing
from sync_orchestration.pipeline.plan import PlannedWrite, Translation, plan_writes
from sync_orchestration.pipeline.protocols import Change, CurrentRecord, Outcome, Source, Target, TargetRecord

COLUMNS = ["action", "record_key", "field", "before", "after"]
_NOT_MADE = -1


@dataclass(slots=True)
class Preview:
    """How many records would be created, updated, deleted, …, and the first `shown` fields that would change.

    `more` is the number of fields beyond those shown.
    """

    shown: int
    counts: Counter[str] = field(default_factory=Counter)
    more: int = 0
    _rows: list[tuple[str, str, str, str, str]] = field(default_factory=list)

    @property
    def table(self) -> pd.DataFrame:
        """One row a field (columns COLUMNS): its value in the target, and the one that would be written."""
        return pd.DataFrame(self._rows, columns=COLUMNS, dtype="string")

    def add(self, plan: PlannedWrite) -> None:
        if plan.action == "delete" and plan.row.target_id is None:
            return  # it never came to the target
        self.counts[plan.action] += 1
        lines = _lines(plan)
        room = self.shown - len(self._rows)
        self._rows += lines[:room]
        self.more += max(0, len(lines) - room)


@dataclass(frozen=True, slots=True)
class Previewer:
    """Reads source, rows and target of one sync as a run would, and writes none of them."""

    conn: Connection[Any]
    source: Source
    landing: Landing
    target: Target
    translation: Translation

    def everything_new(self, *, whole: bool = False, shown: int = 1_000) -> Preview:
        """Return what a run would do now; `whole`: as if the source were read whole. Raises SyncError."""
        state = read_state(self.conn, self.landing.sync)
        preview = Preview(shown)
        met: set[str] = set()
        if whole and self.landing.pushed:
            return self.again(shown=shown)
        reads_all = whole or self.landing.feed == "sweep" or (state.baseline_is_due and not self.landing.pushed)
        for batch in self._all() if reads_all else self._news(state):
            met.update(row.record_key for row in batch)
            self._plan(batch, preview)
        waiting = due_rows(self.conn, self.landing.sync)
        self._plan([row for row in waiting if row.record_key not in met], preview)
        if reads_all and self.landing.feed != "sweep":
            self._plan([_delete(row) for row in known_rows(self.conn, self.landing.sync, None, met)], preview)
        return preview

    def of(self, keys: Sequence[str], *, shown: int = 1_000) -> Preview:
        """Return what syncing these records would do now. Raises SyncError."""
        if self.landing.pushed:
            return self.again(keys, shown=shown)
        preview = Preview(shown)
        for batch in _batched(list(dict.fromkeys(keys)), self.landing.fetch_batch):
            fetched = self.source.fetch(batch)
            known = self._known(batch)
            found = [self._row(key, fetched[key].payload, known.get(key)) for key in batch if key in fetched]
            gone = [_delete(known[key]) for key in batch if key not in fetched and key in known]
            self._plan([*found, *gone], preview)
        return preview

    def again(self, keys: Sequence[str] | None = None, *, shown: int = 1_000) -> Preview:
        """Return what writing the rows of `keys`, or all, once more would do, without a word of the source."""
        preview = Preview(shown)
        self._plan(due_rows(self.conn, self.landing.sync, keys, again=True), preview)
        return preview

    def _all(self) -> Iterator[list[ClaimedRow]]:
        if self.landing.feed == "sweep":
            for page in self.source.changes(0):
                yield self._changed(page.changes)
            return
        for records in self.source.snapshot(None):
            known = self._known([record.key for record in records])
            yield [self._row(record.key, record.payload, known.get(record.key)) for record in records]

    def _news(self, state: SyncState) -> Iterator[list[ClaimedRow]]:
        """Yield the records that changed since the cursor, those aside whose rows say that it is done."""
        listed = set(state.recent_positions)
        for page in self.source.changes(max((state.last_position or 0) - self.landing.overlap, 0)):
            news = {change.key: change for change in page.changes if change.position not in listed and change.key}
            for batch in _batched(list(news.values()), self.landing.fetch_batch):
                known = self._known([change.key for change in batch])
                yield [row for row in self._changed(batch) if not _is_done(row, known.get(row.record_key))]

    def _changed(self, changes: Sequence[Change]) -> list[ClaimedRow]:
        wanted = [c.key for c in changes if c.payload is None and c.operation != "delete"]
        fetched = self.source.fetch(wanted) if wanted else {}
        known = self._known([change.key for change in changes])
        found = {key: record.payload for key, record in fetched.items()}
        found.update((c.key, c.payload) for c in changes if c.payload is not None)
        present = [self._row(key, payload, known.get(key)) for key, payload in found.items()]
        return present + [_delete(known[c.key]) for c in changes if c.key not in found and c.key in known]

    def _known(self, keys: Sequence[str]) -> dict[str, KnownRow]:
        return {row.record_key: row for row in known_rows(self.conn, self.landing.sync, keys)}

    def _row(self, key: str, payload: Payload, known: KnownRow | None) -> ClaimedRow:
        return _claimed(key, "update", scrub(payload, self.landing.sensitive), known)

    def _plan(self, batch: Sequence[ClaimedRow], preview: Preview) -> None:
        # Two senders may have the same key.
        for _, of_sender in groupby(sorted(batch, key=_sender), key=_sender):
            for some in _batched(list(of_sender), self.landing.fetch_batch):
                for plan in look_at(self.conn, self.landing.sync, some, self.translation, self.target):
                    preview.add(plan)


def look_at(
    conn: Connection[Any], sync: str, rows: Sequence[ClaimedRow], translation: Translation, target: Target
) -> list[PlannedWrite]:
    """Plan what a run would do with these rows, on a target that is only looked at. Raises SyncError."""

    return plan_writes(rows, translation, _ReadOnly(target), lambda target_ids: holders(conn, sync, target_ids))


@dataclass(frozen=True, slots=True)
class _ReadOnly:
    """A target that is only looked at; a related record that a run would make is one that is not made yet."""

    target: Target

    @property
    def model(self) -> str:
        return self.target.model

    def resolve(self, references: Sequence[Reference]) -> Mapping[Reference, Any]:
        asked = {replace(reference, create=False): reference for reference in references}
        found = {asked[reference]: value for reference, value in self.target.resolve(list(asked)).items()}
        return {r: _NOT_MADE for r in references if r.create} | found

    def current(self, records: Sequence[TargetRecord]) -> Mapping[str, CurrentRecord | RecordError]:
        return self.target.current(records)

    def same(self, field: str, current: Any, wanted: Any) -> bool:
        return wanted != _NOT_MADE and self.target.same(field, current, wanted)

    def upsert(self, records: Sequence[TargetRecord], current: Mapping[str, CurrentRecord]) -> Mapping[str, Outcome]:
        raise RuntimeError(f"a dry run was about to write {len(records)} records over {len(current)}")

    def delete(self, records: Sequence[TargetRecord]) -> Mapping[str, Outcome]:
        raise RuntimeError(f"a dry run was about to delete {len(records)} records")


def _claimed(key: str, operation: Operation, payload: Payload | None, known: KnownRow | None) -> ClaimedRow:
    return ClaimedRow(
        sync="",
        source_system="",
        record_key=key,
        entity="",
        operation=operation,
        position=0,
        payload=payload,
        external_ids=[],
        attempts=0,
        target_id=known.target_id if known else None,
        delete_confirmed=False,
        written=known.written if known else None,
    )


def _sender(row: ClaimedRow) -> str:
    return row.source_system


def _delete(known: KnownRow) -> ClaimedRow:
    return _claimed(known.record_key, "delete", None, known)


def _is_done(row: ClaimedRow, known: KnownRow | None) -> bool:
    """Tell whether the row of a record says that this very state of it was dealt with."""
    if known is None:
        return row.operation == "delete"
    if row.operation == "delete":
        return known.operation == "delete" and known.status == "processed"
    return known.status in ("processed", "skipped") and known.payload_hash == payload_hash(row.payload)


def _lines(plan: PlannedWrite) -> list[tuple[str, str, str, str, str]]:
    """Return what happens to a record: a line a field, or one for the record."""
    return [(plan.action, plan.row.record_key, *line) for line in changes_of(plan)]


def changes_of(plan: PlannedWrite) -> list[tuple[str, str, str]]:
    """Return field, value in the target and value that would be written of each field that a write would change.

    What concerns the whole record has no field.
    """
    match plan.action:
        case "create":
            values = plan.record.values if plan.record else {}
            return [(name, "", _shown(value)) for name, value in values.items() if _shown(value)]
        case "update":
            changes = [(name, _shown(old), _shown(new)) for name, (old, new) in (plan.changes or {}).items()]
            return changes or [("", "", f"is linked to {plan.current.target_id if plan.current else ''}")]
        case "delete":
            return [("", plan.row.target_id or "", "")]
        case "fail" | "wait":
            return [(error.field or "", "", error.message) for error in plan.errors]
        case "skip":
            return [("", "", plan.reason or "")]
        case "unchanged":
            return []


def _shown(value: Any) -> str:
    if value == _NOT_MADE:
        return "(made by the run)"
    return "" if value is None or value is False else str(value)


def _batched(items: Sequence[Any], size: int) -> Iterator[list[Any]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
