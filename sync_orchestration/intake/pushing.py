"""A push: check every record, look up what the good ones name, store them, and say what became of each."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from psycopg import Connection

from sync_orchestration.intake.checks import DataChecker, bounded
from sync_orchestration.intake.envelopes import Envelope, read_envelope
from sync_orchestration.intake.kinds import REFERENCES_UNAVAILABLE, CallError
from sync_orchestration.intake.references import RememberingReferences, TargetUnreachableError
from sync_orchestration.interface.intake import Landed, PushedRecord, land_pushed
from sync_orchestration.mapping.diff import payload_hash
from sync_orchestration.mapping.records import JSON, RecordError, Reference
from sync_orchestration.mapping.scrub import scrub

Outcome = Literal["accepted", "unchanged", "stale", "refused"]
Stored = Callable[[Callable[[Connection[Any]], Landed]], Landed]
"""Runs work on a database session; raises CallError when there is none or it fails."""

_ATOMIC = RecordError("atomic", None, "not stored, since the call is atomic and another record was refused")


@dataclass(slots=True)
class _Item:
    """One record of a call on its way; `outcome` is None until it is known."""

    envelope: Envelope
    errors: list[RecordError]
    payload: dict[str, JSON] | None = None
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class RecordReport:
    """What became of one record of a call. `key` is None where the sender gave none that can be shown."""

    index: int
    key: str | None
    outcome: Outcome
    errors: tuple[RecordError, ...] = ()


@dataclass(frozen=True, slots=True)
class PushReport:
    """What became of all records of a call, in their order."""

    sync: str
    records: tuple[RecordReport, ...]

    @property
    def counts(self) -> dict[str, int]:
        found = Counter[str](one.outcome for one in self.records)
        return {"accepted": found["accepted"], "unchanged": found["unchanged"], "stale": found["stale"],
                "refused": found["refused"]}  # fmt: skip

    @property
    def is_refused(self) -> bool:
        """True when there were records, and all of them were refused."""
        return bool(self.records) and all(one.outcome == "refused" for one in self.records)

    def as_json(self) -> dict[str, Any]:
        """Return the answer: counts, one outcome for each record, and all errors of all records."""
        return {
            "sync": self.sync,
            **self.counts,
            "records": [{"index": one.index, "key": one.key, "outcome": one.outcome} for one in self.records],
            "errors": [
                {"index": one.index, "key": one.key, "field": e.field, "code": e.code, "message": e.message}
                for one in self.records
                for e in one.errors
            ],
        }


@dataclass(frozen=True, slots=True)
class Pusher:
    """Takes the pushes to one sync. Safe to use from several threads."""

    checker: DataChecker
    references: RememberingReferences | None = field(repr=False)

    def push(
        self, sender: str, records: Sequence[Any], stored: Stored, *, atomic: bool, suspicious: bool
    ) -> PushReport:
        """Check and store the records of one call; what is refused is stored nowhere.

        `suspicious`: texts may hold what PostgreSQL cannot store. Raises CallError when the target cannot be asked
        for related records or nothing can be stored; nothing is stored then.
        """
        items = [self._checked(record, suspicious=suspicious) for record in records]
        self._look_up(items)
        for item in items:
            if item.errors:
                item.outcome = "refused"
        if atomic and any(item.errors for item in items):
            for item in items:
                item.errors = item.errors or [_ATOMIC]
                item.outcome = "refused"
        winners = _newest_of_each_key([item for item in items if item.outcome is None])
        if winners:
            self._store(sender, winners, stored)
        return PushReport(self.checker.contract.name, tuple(map(_reported, range(len(items)), items)))

    def _checked(self, record: Any, *, suspicious: bool) -> _Item:
        contract = self.checker.contract
        envelope, errors = read_envelope(record, contract)
        item = _Item(envelope, errors)
        if envelope.data is not None:
            item.errors += self.checker.errors(envelope.key, envelope.data, suspicious=suspicious)
            item.payload = scrub(envelope.data, contract.sensitive)
        return item

    def _look_up(self, items: Sequence[_Item]) -> None:
        """Add the errors of the sync's own mapping, and of related records that the target does not have."""
        wanted: list[tuple[_Item, str, Reference]] = []
        for item in items:
            if item.payload is not None:
                named = {reference: name for name, reference in self._mapped(item)}
                # One that both name is told under the sender's own name for it.
                named |= {reference: name for name, reference in self.checker.references(item.payload)}
                wanted += [(item, name, reference) for reference, name in named.items()]
        if not wanted or self.references is None:
            return
        try:
            missing = self.references.missing(reference for _, _, reference in wanted)
        except TargetUnreachableError as error:
            raise CallError(REFERENCES_UNAVAILABLE, retry_after=error.retry_after) from error
        for item, name, reference in wanted:
            if reference in missing:
                said = f"the target has no {reference.model} with {reference.field} '{reference.value[:80]}'"
                item.errors.append(RecordError("unknown_reference", name, said))

    def _mapped(self, item: _Item) -> list[tuple[str, Reference]]:
        contract = self.checker.contract
        payload = item.payload
        if contract.mapping is None or payload is None:
            return []
        if contract.condition is not None and not contract.condition.holds(payload):
            return []
        mapped = contract.mapping.apply(payload)
        item.errors += mapped.errors
        named = [(name, value) for name, value in mapped.values.items() if isinstance(value, Reference)]
        # What a run makes need not be there, and a record of the same sync may come later.
        return [(name, value) for name, value in named if not value.create and not value.is_same_sync]

    def _store(self, sender: str, winners: Mapping[str, _Item], stored: Stored) -> None:
        contract = self.checker.contract
        records = [_row(item) for item in winners.values()]

        def work(conn: Connection[Any]) -> Landed:
            return land_pushed(conn, sync=contract.name, source_system=sender, entity=contract.entity, records=records)

        landed = stored(work)
        for key, item in winners.items():
            item.outcome = "accepted" if key in landed.accepted else "stale" if key in landed.stale else "unchanged"


def _newest_of_each_key(items: Sequence[_Item]) -> dict[str, _Item]:
    """Return the record that is to be stored of each key, as if they had come one after the other; the rest is stale.

    Between two versions the higher wins, otherwise the later one, which then also stands for the higher version.
    """
    newest: dict[str, _Item] = {}
    for item in items:
        before = newest.get(item.envelope.key)
        if before is None:
            newest[item.envelope.key] = item
            continue
        known, mine = before.envelope.version, item.envelope.version
        if known is not None and mine is not None and mine < known:
            item.outcome = "stale"
            continue
        before.outcome = "stale"
        if mine is None:
            item.envelope = item.envelope.with_version(known)
        newest[item.envelope.key] = item
    return newest


def _row(item: _Item) -> PushedRecord:
    envelope, payload = item.envelope, item.payload
    digest = None if payload is None else payload_hash(payload)
    return PushedRecord(envelope.key, envelope.operation, envelope.version, payload, digest)


def _reported(index: int, item: _Item) -> RecordReport:
    return RecordReport(index, item.envelope.shown_key, item.outcome or "refused", tuple(bounded(item.errors)))
