"""Nodes as a Target: compared with a fresh read, changed one by one, a few at a time."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from sync_orchestration.mapping.diff import changed_fields
from sync_orchestration.mapping.records import RecordError, Reference
from sync_orchestration.pipeline.errors import ConfigurationError
from sync_orchestration.pipeline.protocols import CurrentRecord, Outcome, TargetRecord
from sync_orchestration.pipeline.spans import carried
from sync_orchestration.systems.alfresco.dialect import Dialect


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

        A search may lag behind the repository by seconds, so no difference is believed without a fresh read.
        """
        found: dict[str, CurrentRecord | RecordError] = {}
        doubtful: list[TargetRecord] = []
        for record in records:
            if record.seen is not None and not changed_fields(record.values, record.seen, self.same):
                found[record.key] = CurrentRecord(record.key, record.seen)
            else:
                doubtful.append(record)
        fresh = self.dialect.read([record.key for record in doubtful])
        for record in doubtful:
            if record.key in fresh:
                found[record.key] = CurrentRecord(record.key, fresh[record.key])
            else:
                found[record.key] = RecordError("vanished", None, "the node no longer exists")
        return found

    def same(self, field: str, current: Any, wanted: Any) -> bool:
        """Compare as text, trimmed; no value and an empty one are the same, for the server leaves both out."""
        del field
        return _text(current) == _text(wanted)

    def upsert(self, records: Sequence[TargetRecord], current: Mapping[str, CurrentRecord]) -> Mapping[str, Outcome]:
        """Change what differs of each node, and nothing else of it."""
        with ThreadPoolExecutor(max_workers=self.parallel) as pool:
            outcomes = list(pool.map(carried(self._change), records, (current[record.key] for record in records)))
        return dict(zip((record.key for record in records), outcomes, strict=True))

    def delete(self, records: Sequence[TargetRecord]) -> Mapping[str, Outcome]:
        """Leave deleted nodes alone: they are gone already."""
        return {record.key: Outcome() for record in records}

    def _change(self, record: TargetRecord, current: CurrentRecord) -> Outcome:
        changes = changed_fields(record.values, current.values, self.same)
        started = time.monotonic()
        refusal = self.dialect.change(record.key, {name: _sent(after) for name, (_, after) in changes.items()})
        took = round((time.monotonic() - started) * 1_000)
        if refusal is None:
            return Outcome(record.key, response_code=200, duration_ms=took)
        error = RecordError(refusal.code, None, refusal.message)
        return Outcome(None, error, refusal.transient, refusal.status, took)


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _sent(value: Any) -> Any:
    return None if value in (None, "") else value
