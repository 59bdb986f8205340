"""Writes many records with one request, and finds out what became of each, or which of them were to blame."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sync_orchestration.mapping.records import JSON, RecordError
from sync_orchestration.mapping.values import as_number
from sync_orchestration.pipeline.protocols import CurrentRecord, Outcome
from sync_orchestration.systems.rest.answers import BUSY, said_in
from sync_orchestration.systems.rest.bodies import nested, wrapped
from sync_orchestration.systems.rest.doubts import doubtful, refused_again, request_key
from sync_orchestration.systems.rest.judging import GONE, done, failed, is_success, refuse_system_fault, refused
from sync_orchestration.systems.rest.reading import key_text, parsed, read_at
from sync_orchestration.systems.rest.sending import LostAnswerError, Reply, Sender
from sync_orchestration.systems.rest.settings import BatchSettings, Call
from sync_orchestration.systems.rest.single import Item, SingleWriter

_BAD_WORDS = frozenset({"error", "failed", "failure", "fail", "invalid", "rejected", "refused", "false"})


@dataclass(frozen=True, slots=True)
class BatchWriter:
    """Writes batches of one resource. A known record that has vanished is created by `single`."""

    sender: Sender
    single: SingleWriter
    settings: BatchSettings

    def write(self, items: Sequence[Item], outcomes: dict[str, Outcome]) -> None:
        """Write a batch; one that is refused as a whole is halved until the culprits stand alone.

        Raises SyncError when the system is at fault; what was answered before is in `outcomes` then.
        """
        http, settings = self.sender.resource.http, self.settings
        body = wrapped([self._body(item) for item in items], settings.items)
        # What is put, or known already, is the same after a second time.
        is_repeatable = settings.method == "PUT" or all(item.target_id is not None for item in items)
        once = None if is_repeatable else request_key(self.sender.resource, [item.record for item in items])
        try:
            reply = self.sender.send(Call(settings.method, settings.path), settings.path, body, once)
        except LostAnswerError as lost:
            outcomes.update((item.record.key, lost.outcome) for item in items)
            self.sender.missed(lost)
            return
        answer = reply.answer
        if is_success(answer):
            self._take(items, reply, outcomes)
            return
        refuse_system_fault(http, answer, first=not self.sender.has_answered, creates=True)
        is_again = once is not None and answer.is_repeated
        if len(items) == 1 or answer.status in BUSY:
            outcome = refused_again(refused(http, reply)) if is_again else refused(http, reply)
            outcomes.update((item.record.key, outcome) for item in items)
            self.sender.heard(reply, outcome)
            return
        self.sender.heard(reply)
        # A server that broke may have done its work before, and one that is sent the same again may be at it still.
        if is_again or (once is not None and answer.status >= 500):
            items = self._not_made(items, reply, outcomes)
        middle = len(items) // 2
        for half in (items[:middle], items[middle:]):
            if half:
                self.write(half, outcomes)

    def _not_made(self, items: Sequence[Item], reply: Reply, outcomes: dict[str, Outcome]) -> Sequence[Item]:
        """Return the items that may be sent again although the server may have made them; nobody knows by its answer.

        Raises SyncError when it cannot be asked; all are in doubt then.
        """
        resource = self.sender.resource
        outcome = replace(refused(resource.http, reply), in_doubt=True)
        new = [item for item in items if item.target_id is None]
        outcomes.update((item.record.key, outcome) for item in new)
        if resource.find is None:
            why = outcome.error.message if outcome.error else ""
            asking = replace(outcome, error=doubtful(why), transient=False)
            outcomes.update((item.record.key, asking) for item in new)
            return [item for item in items if item.target_id is not None]
        found = self.single.looker.look([replace(item.record, in_doubt=True) for item in new])
        for item in new:
            there = found[item.record.key]
            if isinstance(there, CurrentRecord):
                self.single.confirm(item, there.target_id, outcomes)
            elif there is not None:
                outcomes[item.record.key] = Outcome(error=there, in_doubt=True)
            else:
                del outcomes[item.record.key]
        return [item for item in items if item.record.key not in outcomes]

    def _body(self, item: Item) -> JSON:
        if item.target_id is None:
            return item.body
        return item.body | nested({self.sender.resource.id_field: item.target_id})

    def _take(self, items: Sequence[Item], reply: Reply, outcomes: dict[str, Outcome]) -> None:
        """Join the results to their records; a record whose result is not there is in doubt."""
        results = self._results(items, reply)
        vanished: list[Item] = []
        heard: list[Outcome] = []
        for place, item in enumerate(items):
            outcome = self._unknown(reply) if place not in results else self._outcome(item, results[place], reply)
            if outcome.response_code in GONE and outcome.error is not None and item.target_id is not None:
                vanished.append(item)
                continue
            outcomes[item.record.key] = outcome
            heard.append(outcome)
        self.sender.heard(reply, *heard)
        for item in vanished:
            self.single.create(item, outcomes)

    def _results(self, items: Sequence[Item], reply: Reply) -> Mapping[int, JSON]:
        """Return the results by the place of their record in the batch."""
        try:
            body = parsed(reply.answer)
        except ValueError:
            return {}
        found = read_at(body, self.settings.results)
        if not isinstance(found, list):
            return {}
        if self.settings.index is None:
            return dict(enumerate(found)) if len(found) == len(items) else {}
        by_key = {item.record.external_id: place for place, item in enumerate(items)}
        places = ((self._place(read_at(result, self.settings.index), by_key), result) for result in found)
        return {place: result for place, result in places if place is not None and 0 <= place < len(items)}

    def _place(self, told: JSON, by_key: Mapping[str, int]) -> int | None:
        if isinstance(told, str) and told in by_key:
            return by_key[told]
        number = as_number(told)
        return int(number) if number is not None and number == number.to_integral_value() else None

    def _unknown(self, reply: Reply) -> Outcome:
        resource, answer = self.sender.resource, reply.answer
        message = f"the answer to the batch does not tell of this record, status {answer.status}: "
        error = RecordError("not_understood", None, f"{message}“{resource.http.quote(answer.body)}”")
        return Outcome(None, error, resource.find is not None, answer.status, reply.took, in_doubt=True)

    def _outcome(self, item: Item, result: JSON, reply: Reply) -> Outcome:
        settings, http = self.settings, self.sender.resource.http
        error = read_at(result, settings.result_error) if settings.result_error else None
        told = read_at(result, settings.result_status) if settings.result_status else None
        number = as_number(told)
        status = int(number) if number is not None and 100 <= number < 600 else None
        if error or (status or 0) >= 400 or told is False or str(told).lower() in _BAD_WORDS:
            said = said_in(error if isinstance(error, str | dict | list) and error else result, http.masked)
            return failed(reply, status if status and status >= 400 else 400, said)
        target_id = key_text(read_at(result, settings.result_id)) or key_text(result) or item.target_id
        if target_id is not None:
            return done(target_id, reply, item.written)
        message = f"the result tells no id at '{settings.result_id}', status {reply.answer.status}: "
        no_id = RecordError("no_id", None, f"{message}“{http.quote(reply.answer.body)}”")
        transient = self.sender.resource.find is not None
        return Outcome(None, no_id, transient, reply.answer.status, reply.took, in_doubt=True)
