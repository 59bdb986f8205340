"""Records of a REST API as a Target: compared with what they were given last, written a few at a time."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from sync_orchestration.mapping.records import RecordError, Reference
from sync_orchestration.pipeline.protocols import CurrentRecord, Outcome, TargetRecord
from sync_orchestration.systems.rest.batches import BatchWriter
from sync_orchestration.systems.rest.bodies import same_json
from sync_orchestration.systems.rest.doubts import doubtful
from sync_orchestration.systems.rest.looking import Looker
from sync_orchestration.systems.rest.sending import Job, Sender
from sync_orchestration.systems.rest.settings import Resource
from sync_orchestration.systems.rest.single import Item, SingleWriter, item_of


class RestTarget:
    """Writes one resource. What it raises on the way is a PartlyDoneError where some records were answered before."""

    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        self._looker = Looker(resource)
        self._sender = Sender(resource)
        self._single = SingleWriter(self._sender, self._looker)

    @property
    def model(self) -> str:
        """The path of the resource."""
        return self.resource.path

    def resolve(self, references: Sequence[Reference]) -> Mapping[Reference, Any]:
        """Find nothing: a REST API in general has no way to be asked for a value of another resource."""
        del references
        return {}

    def current(self, records: Sequence[TargetRecord]) -> Mapping[str, CurrentRecord | RecordError]:
        """Return the known records as they were written last, or read afresh with `verify`.

        A new record that may have been created in vain is looked up by its key, if the resource says how.
        """
        found = self._looker.look(records)
        return {key: one for key, one in found.items() if one is not None}

    def same(self, field: str, current: Any, wanted: Any) -> bool:
        """Compare as JSON; nothing and empty text are the same."""
        del field
        return same_json(current, wanted)

    def upsert(self, records: Sequence[TargetRecord], current: Mapping[str, CurrentRecord]) -> Mapping[str, Outcome]:
        """Create the records without a current one, update the others."""
        batch = self.resource.batch
        outcomes: dict[str, Outcome] = {}
        jobs: list[Job] = []
        together: list[Item] = []
        for record in records:
            item = item_of(self.resource, record, current.get(record.key))
            if isinstance(item, RecordError):
                outcomes[record.key] = Outcome(error=item)
            elif batch is not None and (item.target_id is None or batch.updates):
                together.append(item)
            else:
                jobs.append(partial(self._single.write, item))
        if batch is not None:
            writer = BatchWriter(self._sender, self._single, batch)
            jobs += [
                partial(writer.write, together[start : start + batch.size])
                for start in range(0, len(together), batch.size)
            ]
        return self._sender.run(jobs, outcomes)

    def delete(self, records: Sequence[TargetRecord]) -> Mapping[str, Outcome]:
        """Delete the records that are there; one of which that is in doubt is looked up first."""
        ids, outcomes = self._ids_to_delete(records)
        jobs: list[Job] = [
            partial(self._single.delete, record, ids[record.key]) for record in records if record.key in ids
        ]
        return self._sender.run(jobs, outcomes)

    def _ids_to_delete(self, records: Sequence[TargetRecord]) -> tuple[dict[str, str], dict[str, Outcome]]:
        """Return the ids of what is there, and the outcomes of what is not or cannot be told."""
        ids = {record.key: record.target_id for record in records if record.target_id is not None}
        outcomes: dict[str, Outcome] = {}
        looked_for: list[TargetRecord] = []
        for record in records:
            if record.target_id is not None:
                continue
            if not record.in_doubt or self.resource.find:
                looked_for.append(record)
            elif "{id}" in self.resource.deleting.path:
                outcomes[record.key] = Outcome(error=doubtful(), in_doubt=True)
            else:
                ids[record.key] = record.external_id
        for key, found in self._looker.look(looked_for).items():
            if isinstance(found, CurrentRecord):
                ids[key] = found.target_id
            else:
                # While nobody knows it may be there still.
                outcomes[key] = Outcome(error=found, in_doubt=found is not None)
        return ids, outcomes
