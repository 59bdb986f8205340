"""Writes one record with one request."""

from dataclasses import dataclass, replace

from sync_orchestration.interface.rows import Payload
from sync_orchestration.mapping.diff import changed_fields
from sync_orchestration.mapping.records import RecordError
from sync_orchestration.pipeline.protocols import CurrentRecord, Outcome, TargetRecord
from sync_orchestration.systems.rest.addresses import filled
from sync_orchestration.systems.rest.bodies import UNKNOWN, as_json, nested, same_json, with_siblings, wrapped
from sync_orchestration.systems.rest.doubts import doubtful, key_holds, refused_again, request_key
from sync_orchestration.systems.rest.judging import (
    GONE,
    created,
    is_success,
    refuse_system_fault,
    refused,
    updated,
)
from sync_orchestration.systems.rest.looking import Looker
from sync_orchestration.systems.rest.sending import LostAnswerError, Reply, Sender
from sync_orchestration.systems.rest.settings import Resource


@dataclass(frozen=True, slots=True)
class Item:
    """One record ready to be sent: its whole body, and the values that it will hold then. No target id: a new one."""

    record: TargetRecord
    values: Payload
    body: Payload
    written: Payload
    current: CurrentRecord | None = None

    @property
    def target_id(self) -> str | None:
        return None if self.current is None else self.current.target_id


def item_of(resource: Resource, record: TargetRecord, current: CurrentRecord | None) -> Item | RecordError:
    """Make a record ready to be sent, or say why it cannot be."""
    values = as_json(record.values)
    if isinstance(values, RecordError):
        return values
    body = nested({**values, resource.key_field: record.external_id} if resource.key_field else values)
    # What is not written this time (it has the target's own value) stays as it was.
    written = {**(record.written or {}), **values} if current is not None else values
    return Item(record, values, body, written, current)


@dataclass(frozen=True, slots=True)
class SingleWriter:
    """Creates, updates and deletes records of one resource."""

    sender: Sender
    looker: Looker

    def write(self, item: Item, outcomes: dict[str, Outcome]) -> None:
        """Create or update a record; a known one that has vanished is created anew.

        Raises SyncError when the system is at fault.
        """
        if item.current is None or not self._update(item, item.current, outcomes):
            self.create(item, outcomes)

    def create(self, item: Item, outcomes: dict[str, Outcome]) -> None:
        """Create a record; one in doubt that nobody can look up, only where that makes no second one.

        Raises SyncError when the system is at fault.
        """
        resource, record = self.sender.resource, item.record
        call = resource.creating
        is_again = record.in_doubt and resource.find is None and call.method != "PUT"
        if is_again and not key_holds(resource, record):
            outcomes[record.key] = Outcome(error=doubtful(), in_doubt=True)
            return
        # One that has vanished may have been made anew by the try that is in doubt.
        made = None if item.current is None else self.looker.find_again(record)
        if isinstance(made, RecordError):
            outcomes[record.key] = Outcome(error=made, in_doubt=True)
            return
        if made is not None:
            self.confirm(item, made.target_id, outcomes)
            return
        path = filled(call.path, {"key": record.external_id})
        if isinstance(path, RecordError):
            outcomes[record.key] = Outcome(error=path)
            return
        # Put to a place of its own, a second time changes nothing.
        once = None if call.method == "PUT" else request_key(resource, [record])
        try:
            reply = self.sender.send(call, path, wrapped(item.body, resource.wrap), once)
        except LostAnswerError as lost:
            outcomes[record.key] = lost.outcome
            self.sender.missed(lost)
            return
        own_place = record.external_id if call.method == "PUT" and "{key}" in call.path else None
        if is_success(reply.answer):
            outcome = created(resource, reply, item.values, own_place)
            self._settle(record, reply, outcome, outcomes)
            if is_again and outcome.target_id is not None:
                self.confirm(item, outcome.target_id, outcomes)
        else:
            self._refuse(record, reply, outcomes, creates=True)
            if is_again or (once is not None and reply.answer.is_repeated):
                outcomes[record.key] = refused_again(outcomes[record.key])

    def confirm(self, item: Item, target_id: str, outcomes: dict[str, Outcome]) -> None:
        """Write a record that an earlier try may have made. Nobody knows what it holds, or if it is there still."""
        key = item.record.key
        outcomes.pop(key, None)
        nobody_knows = CurrentRecord(target_id, dict.fromkeys(item.values, UNKNOWN))
        if not self._update(item, nobody_knows, outcomes):
            # Made once, and deleted there since: the key would bring its old answer for ever.
            outcomes[key] = Outcome(error=doubtful("it was made, but is not there any more"), in_doubt=True)
        elif outcomes[key].error is not None:
            outcomes[key] = replace(outcomes[key], in_doubt=True)

    def _update(self, item: Item, current: CurrentRecord, outcomes: dict[str, Outcome]) -> bool:
        """Update a record; False when it is not there any more."""
        resource, record = self.sender.resource, item.record
        body = item.body if resource.updating.method == "PUT" else _changes(item, current)
        if not body:
            outcomes[record.key] = Outcome(current.target_id, written=item.written)
            return True
        path = filled(resource.updating.path, {"id": current.target_id, "key": record.external_id})
        if isinstance(path, RecordError):
            outcomes[record.key] = Outcome(error=path)
            return True
        reply = self.sender.send(resource.updating, path, wrapped(body, resource.wrap))
        if reply.answer.status in GONE:
            self.sender.heard(reply)
            return False
        if is_success(reply.answer):
            self._settle(record, reply, updated(resource, reply, current.target_id, item.written), outcomes)
        else:
            self._refuse(record, reply, outcomes, creates=False)
        return True

    def delete(self, record: TargetRecord, target_id: str, outcomes: dict[str, Outcome]) -> None:
        """Delete a record; one that is gone already is a success.

        Raises SyncError when the system is at fault.
        """
        call = self.sender.resource.deleting
        path = filled(call.path, {"id": target_id, "key": record.external_id})
        if isinstance(path, RecordError):
            outcomes[record.key] = Outcome(error=path)
            return
        reply = self.sender.send(call, path, None)
        if reply.answer.status in GONE:
            made = self.looker.find_again(record)
            if isinstance(made, CurrentRecord) and made.target_id != target_id:
                self.delete(record, made.target_id, outcomes)
                return
            error = made if isinstance(made, RecordError) else None
            status = reply.answer.status
            gone = Outcome(error=error, duration_ms=reply.took, response_code=status, in_doubt=error is not None)
            self._settle(record, reply, gone, outcomes)
        elif is_success(reply.answer):
            self._settle(record, reply, updated(self.sender.resource, reply, None, None), outcomes)
        else:
            self._refuse(record, reply, outcomes, creates=False)

    def _refuse(self, record: TargetRecord, reply: Reply, outcomes: dict[str, Outcome], *, creates: bool) -> None:
        http = self.sender.resource.http
        refuse_system_fault(http, reply.answer, first=not self.sender.has_answered, creates=creates)
        self._settle(record, reply, refused(http, reply), outcomes)

    def _settle(self, record: TargetRecord, reply: Reply, outcome: Outcome, outcomes: dict[str, Outcome]) -> None:
        outcomes[record.key] = outcome
        self.sender.heard(reply, outcome)


def _changes(item: Item, current: CurrentRecord) -> Payload:
    """Return the body of a partial update: what differs, and what nobody knows to be the same."""
    changed = changed_fields(item.values, current.values, lambda _, held, wanted: same_json(held, wanted))
    return nested({name: item.values[name] for name in with_siblings(changed, item.values)})
