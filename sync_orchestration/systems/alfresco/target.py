"""Nodes as a Target: compared with a fresh read, changed one by one, a few at a time."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from sync_orchestration.mapping.diff import changed_fields
from sync_orchestration.mapping.records import RecordError, Reference
from sync_orchestration.pipeline.errors import ConfigurationError, SyncError, may_have_acted
from sync_orchestration.pipeline.protocols import CurrentRecord, Outcome, PartlyDoneError, TargetRecord
from sync_orchestration.pipeline.spans import carried
from sync_orchestration.systems.alfresco.dialect import Changed, Dialect, Properties, Refusal
from sync_orchestration.systems.alfresco.values import same_value, sent_value, was_taken

MOST_FORBIDDEN = 3
"""So many nodes that the user may not read, and none that it may, are no matter of single nodes."""

_VANISHED = Refusal("vanished", "the node no longer exists", 404)
_NOT_TAKEN = (
    "the server did not take {}: it answered the change with success, but the node holds another value. The property "
    "is protected there, or the model does not know it"
)


@dataclass(frozen=True, slots=True)
class _Sent:
    """One change that was answered: what was sent, the answer, and how many milliseconds it took."""

    key: str
    values: Properties
    answer: Changed | Refusal
    took: int


@dataclass(frozen=True, slots=True)
class AlfrescoTarget:
    """Changes properties of existing nodes; it creates and deletes none. `parallel` writes run at a time."""

    dialect: Dialect
    model: str
    parallel: int = 4

    def resolve(self, references: Sequence[Reference]) -> Mapping[Reference, Any]:
        """Refuse references: properties hold plain values."""
        if references:
            raise ConfigurationError("A mapping to Alfresco cannot use reference:, its properties are plain values.")
        return {}

    def current(self, records: Sequence[TargetRecord]) -> Mapping[str, CurrentRecord | RecordError]:
        """Read afresh the nodes that seem to differ; of the others, what the source said a moment ago stands.

        A search may lag behind the repository by seconds, so no difference is believed without a fresh read. Raises
        ConfigurationError where the user may read none of them.
        """
        found: dict[str, CurrentRecord | RecordError] = {}
        doubtful: list[TargetRecord] = []
        for record in records:
            if record.seen is not None and not changed_fields(record.values, record.seen, self.same):
                found[record.key] = CurrentRecord(record.key, record.seen)
            else:
                doubtful.append(record)
        fresh = self._read([record.key for record in doubtful])
        _refuse_missing_right(list(fresh.values()))
        for key, held in fresh.items():
            found[key] = held if isinstance(held, RecordError) else CurrentRecord(key, held)
        return found

    def same(self, field: str, current: Any, wanted: Any) -> bool:
        """Compare values as the server keeps them."""
        del field
        return same_value(current, wanted)

    def upsert(self, records: Sequence[TargetRecord], current: Mapping[str, CurrentRecord]) -> Mapping[str, Outcome]:
        """Change what differs of each node, and nothing else of it; then see whether the server has taken it.

        Raises the SyncError that stopped it, as a PartlyDoneError when some outcomes exist. A node that may have been
        changed, but could not be seen again, has none: the next pass compares it.
        """
        sent, stopped = self._send(records, current)
        outcomes: dict[str, Outcome] = {}
        stored: dict[str, Properties | RecordError] = {}
        unseen: list[str] = []
        for key, one in sent.items():
            if isinstance(one.answer, Refusal):
                outcomes[key] = _refused(one, one.answer)
            elif one.answer.stored is None:
                unseen.append(key)
            else:
                stored[key] = one.answer.stored
        if unseen and not stopped:
            try:
                stored |= self._read(unseen)
            except SyncError as error:
                stopped.append(error)
        outcomes |= {key: _seen(sent[key], held) for key, held in stored.items()}
        if not stopped:
            return outcomes
        cause = next((error for error in stopped if may_have_acted(error)), stopped[0])
        if outcomes:
            raise PartlyDoneError(cause, outcomes) from cause
        raise cause

    def delete(self, records: Sequence[TargetRecord]) -> Mapping[str, Outcome]:
        """Leave deleted nodes alone: they are gone already."""
        return {record.key: Outcome() for record in records}

    def _send(
        self, records: Sequence[TargetRecord], current: Mapping[str, CurrentRecord]
    ) -> tuple[dict[str, _Sent], list[SyncError]]:
        """Send the changes, a few at a time; nothing more after the first that shows the server to be at fault."""
        sent: dict[str, _Sent] = {}
        stopped: list[SyncError] = []

        def change(record: TargetRecord) -> None:
            if not stopped:
                try:
                    sent[record.key] = self._change(record, current[record.key])
                except SyncError as error:
                    stopped.append(error)

        with ThreadPoolExecutor(max_workers=self.parallel) as pool:
            list(pool.map(carried(change), records))
        return sent, stopped

    def _change(self, record: TargetRecord, current: CurrentRecord) -> _Sent:
        changes = changed_fields(record.values, current.values, self.same)
        values = {name: sent_value(after) for name, (_, after) in changes.items()}
        started = time.monotonic()
        answer = self.dialect.change(record.key, values)
        return _Sent(record.key, values, answer, round((time.monotonic() - started) * 1_000))

    def _read(self, keys: Sequence[str]) -> dict[str, Properties | RecordError]:
        """Return what each node holds now, or why that cannot be told."""
        fresh = self.dialect.read(keys)
        found: dict[str, Properties | RecordError] = {}
        for key in keys:
            held = fresh.get(key, _VANISHED)
            found[key] = RecordError(held.code, None, held.message) if isinstance(held, Refusal) else held
        return found


def _refuse_missing_right(read: Sequence[Properties | RecordError]) -> None:
    """Raise ConfigurationError where several nodes were forbidden and none could be read: the right is missing."""
    barred = [held for held in read if isinstance(held, RecordError) and held.code == "forbidden"]
    if len(barred) >= MOST_FORBIDDEN and all(isinstance(held, RecordError) for held in read):
        raise ConfigurationError(
            f"The search lists nodes of which the user may not read one, {len(barred)} were tried. Give it the right; "
            f"the first answer: {barred[0].message}"
        )


def _refused(sent: _Sent, refusal: Refusal) -> Outcome:
    error = RecordError(refusal.code, None, refusal.message)
    return Outcome(None, error, refusal.transient, refusal.status, sent.took)


def _seen(sent: _Sent, held: Properties | RecordError) -> Outcome:
    """Return the outcome of a change without objection: the server may have passed over some of it in silence."""
    if isinstance(held, RecordError):
        return Outcome(None, held, response_code=200, duration_ms=sent.took)
    if passed_over := [name for name, value in sent.values.items() if not was_taken(held.get(name), value)]:
        error = RecordError("not_taken", ", ".join(passed_over), _NOT_TAKEN.format(", ".join(passed_over)))
        return Outcome(None, error, response_code=200, duration_ms=sent.took)
    return Outcome(sent.key, response_code=200, duration_ms=sent.took)
