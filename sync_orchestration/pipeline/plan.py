"""Map and compare: what writing a batch of claimed rows would do, as a value that can be shown or applied."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from sync_orchestration.interface.looks import Relative
from sync_orchestration.interface.rows import ClaimedRow, Payload
from sync_orchestration.mapping.compile import Mapping as RecordMapping
from sync_orchestration.mapping.conditions import Condition
from sync_orchestration.mapping.diff import changed_fields
from sync_orchestration.mapping.records import MappedRecord, RecordError, Reference
from sync_orchestration.mapping.scrub import SENSITIVE_NAMES, scrub
from sync_orchestration.pipeline.lookup import Question
from sync_orchestration.pipeline.protocols import CurrentRecord, Target, TargetRecord
from sync_orchestration.pipeline.spans import span
from sync_orchestration.pipeline.taken import Holders, Taken, taken_external_ids

Action = Literal["create", "update", "delete", "unchanged", "skip", "fail", "wait"]

_KEPT = RecordError("kept", None, "gone from the source; what the target has of it stays there (deletion: keep)")

WAITS = "waits_for_record"
"""The code of a row that names another record of its sync which is not written yet."""


@dataclass(frozen=True, slots=True)
class Precedence:
    """Another sync whose word counts more: on target records that are its own too, it alone decides its `fields`,
    and whether they are deleted.

    `owned` tells which of some target ids are linked to that sync.
    """

    sync: str
    fields: frozenset[str]
    owned: Callable[[Sequence[str]], set[str]]


@dataclass(frozen=True, slots=True)
class Family:
    """Finds the records of a sync that others of it name by their keys.

    `find` takes a source system and keys; `value` turns a target id into what the target's field holds.
    """

    find: Callable[[str, Collection[str]], Mapping[str, Relative]]
    value: Callable[[str], Any] = str


@dataclass(frozen=True, slots=True)
class Translation:
    """How one sync turns source records into target records.

    `external_id` makes the stable id of a record in the target from its key. `when` is the condition under which
    a record takes part at all. `archive_field` is the flag whose fall hides a record in the target. `enrich` adds
    what was looked up to the payloads of rows, or says why there is nothing. With `keep_when_empty` an empty value
    leaves the target's as it is; the fields of `only_when_empty` are written only where the target has none. Fields
    named like one of `sensitive` are written nowhere, at any depth. `family` knows the records that others name.
    `identity` is the key that external ids are made of. With `keeps_deleted` nothing is deleted in the target.
    """

    mapping: RecordMapping
    external_id: Callable[[str], str]
    when: Condition | None = None
    archive_field: str | None = None
    enrich: Callable[[Sequence[ClaimedRow]], Mapping[str, Payload | Question]] | None = None
    keep_when_empty: bool = False
    only_when_empty: frozenset[str] = frozenset()
    precedence: Precedence | None = None
    sensitive: frozenset[str] = SENSITIVE_NAMES
    family: Family | None = None
    identity: Callable[[ClaimedRow], str] = lambda row: row.record_key
    keeps_deleted: bool = False


@dataclass(frozen=True, slots=True)
class PlannedWrite:
    """What is to happen to one row. `changes` names each field that differs: (before, after).

    `awaits` is the key of a record of the same sync that must be written first; `relatives` are the keys of those that
    its fields name.
    """

    row: ClaimedRow
    action: Action
    record: TargetRecord | None = None
    current: CurrentRecord | None = None
    changes: Mapping[str, tuple[Any, Any]] | None = None
    errors: tuple[RecordError, ...] = ()
    reason: str | None = None
    awaits: str | None = None
    relatives: Mapping[str, str] = field(default_factory=dict)


@span("map")
def plan_writes(
    rows: Sequence[ClaimedRow],
    translation: Translation,
    target: Target,
    holders: Callable[[Sequence[str]], Holders],
) -> list[PlannedWrite]:
    """Decide for each row what its write would be; reads the target, writes nothing.

    `holders` tells which records of this sync target ids belong to: those cannot be adopted, nor written as others.
    Raises SyncError when the target cannot be read.
    """
    planned = [_skipped_or_deleted(row, translation) for row in rows]
    done = _leaving([plan for plan in planned if plan is not None], translation.precedence)
    open_rows = [row for row, plan in zip(rows, planned, strict=True) if plan is None]
    enriched, unanswered = _enriched(open_rows, translation)
    records, failed = _target_records(enriched, translation, target)
    writes = [(row, record) for row, record, _ in records]
    # A delete of what was never written could be that of another's record.
    deletes = [(p.row, p.record) for p in done if p.action == "delete" and p.record and p.row.target_id is None]
    current = target.current([record for _, record in [*writes, *deletes]])
    held = holders(_unsure_ids([*writes, *deletes], current))
    taken = taken_external_ids(writes, deletes, current, held, lambda row: _external_id(row, translation))
    done = [replace(p, action="unchanged") if p.row.record_key in taken else p for p in done]
    current = {record.key: current[record.key] for _, record in writes if record.key in current}
    current = _without_foreign_links(current, set(held))
    owned = _owned(current, translation.precedence)
    compared = [
        replace(_compared(row, record, current.get(record.key), target, translation), relatives=named)
        if record.key not in taken
        else _refused(row, record, taken[record.key])
        for row, record, named in records
    ]
    return done + unanswered + failed + [_yielding(plan, translation.precedence, owned) for plan in compared]


def _unsure_ids(
    records: Sequence[tuple[ClaimedRow, TargetRecord]], current: Mapping[str, CurrentRecord | RecordError]
) -> list[str]:
    """Return the ids of what the target has for records that may be another's."""
    found = ((row, current.get(record.key)) for row, record in records)
    return [c.target_id for row, c in found if isinstance(c, CurrentRecord) and (row.target_id is None or not c.linked)]


def _refused(row: ClaimedRow, record: TargetRecord, taken: Taken) -> PlannedWrite:
    return PlannedWrite(row, "wait" if taken.passes else "fail", record, errors=(taken.error,))


def _enriched(
    rows: Sequence[ClaimedRow], translation: Translation
) -> tuple[list[tuple[ClaimedRow, Payload]], list[PlannedWrite]]:
    """Return the rows with what the mapping shall see of them; those without an answer are settled with the reason."""
    if translation.enrich is None:
        return [(row, row.payload or {}) for row in rows], []
    answers = translation.enrich(rows)
    answered: list[tuple[ClaimedRow, Payload]] = []
    unanswered: list[PlannedWrite] = []
    for row in rows:
        answer = answers[row.record_key]
        if not isinstance(answer, Question):
            answered.append((row, answer))
        elif answer.error is not None:
            action: Action = "skip" if answer.skip else "fail"
            unanswered.append(PlannedWrite(row, action, errors=(answer.error,), reason=answer.error.message))
    return answered, unanswered


def _skipped_or_deleted(row: ClaimedRow, translation: Translation) -> PlannedWrite | None:
    if row.operation == "delete" and translation.keeps_deleted:
        return PlannedWrite(row, "skip", errors=(_KEPT,), reason=_KEPT.message)
    if row.operation == "delete":
        record = _target_record(row, translation, {})
        return PlannedWrite(row, "delete", record)
    if translation.when is not None and not translation.when.holds(row.payload or {}):
        return PlannedWrite(row, "skip", reason=f"does not meet the condition: {translation.when.text}")
    return None


def _target_records(
    rows: Sequence[tuple[ClaimedRow, Payload]], translation: Translation, target: Target
) -> tuple[list[tuple[ClaimedRow, TargetRecord, dict[str, str]]], list[PlannedWrite]]:
    """Map the rows and resolve their references; a record's errors are gathered, not raised.

    With each record go the keys of the records of the same sync that its fields name.
    """
    mapped = [(row, translation.mapping.apply(payload)) for row, payload in rows]
    references = {v for _, m in mapped for v in m.values.values() if isinstance(v, Reference)}
    related = sorted((r for r in references if not r.is_same_sync), key=repr)
    relatives = _relatives(mapped, translation.family)
    found_there = target.resolve(related) if related else {}
    good: list[tuple[ClaimedRow, TargetRecord, dict[str, str]]] = []
    failed: list[PlannedWrite] = []
    for row, record in mapped:
        found = {**found_there, **relatives.get(row.source_system, {})}
        errors = (*record.errors, *_unknown_references(record, found))
        if errors:
            waits = all(error.code == WAITS for error in errors)
            awaited = _awaited(record, found)
            failed.append(PlannedWrite(row, "wait" if waits else "fail", errors=errors, awaits=awaited))
            continue
        values: dict[str, Any] = {f: found[v] if isinstance(v, Reference) else v for f, v in record.values.items()}
        values = scrub(values, translation.sensitive)
        if translation.keep_when_empty:
            values = {f: v for f, v in values.items() if v not in ("", None)}
        named = {f: v.value for f, v in record.values.items() if isinstance(v, Reference) and v.is_same_sync}
        good.append((row, _target_record(row, translation, values), named))
    return good, failed


def _target_record(row: ClaimedRow, translation: Translation, values: Mapping[str, Any]) -> TargetRecord:
    return TargetRecord(
        key=row.record_key,
        external_id=_external_id(row, translation),
        values=values,
        target_id=row.target_id,
        seen=row.payload,
        # After a try without an answer nobody knows what the target holds.
        written=None if row.in_doubt else row.written,
        in_doubt=row.in_doubt,
        first_tried_at=row.first_tried_at,
    )


def _external_id(row: ClaimedRow, translation: Translation) -> str:
    return translation.external_id(translation.identity(row))


def _awaited(record: MappedRecord, found: Mapping[Reference, Any]) -> str | None:
    """Return the key of a record of the same sync that is not written yet."""
    named = (v for v in record.values.values() if isinstance(v, Reference) and v.is_same_sync)
    return next((reference.value for reference in named if reference not in found), None)


def _unknown_references(record: MappedRecord, found: Mapping[Reference, Any]) -> list[RecordError]:
    return [
        RecordError(WAITS, name, f"waits for the record {value.value!r} of this sync, which is not written yet")
        if value.is_same_sync
        else RecordError(
            "unknown_reference", name, f"the target has no {value.model} with {value.field} {value.value!r}"
        )
        for name, value in record.values.items()
        if isinstance(value, Reference) and value not in found
    ]


def _relatives(
    mapped: Sequence[tuple[ClaimedRow, MappedRecord]], family: Family | None
) -> dict[str, dict[Reference, Any]]:
    """Return by source system what references to records of the same sync stand for, where those are written."""
    named: dict[str, set[Reference]] = {}
    for row, record in mapped:
        own = {v for v in record.values.values() if isinstance(v, Reference) and v.is_same_sync}
        if own:
            named.setdefault(row.source_system, set()).update(own)
    if not named or family is None:
        return {}
    found: dict[str, dict[Reference, Any]] = {}
    for source_system, references in named.items():
        known = family.find(source_system, {reference.value for reference in references})
        found[source_system] = {
            reference: family.value(target_id)
            for reference in references
            if (relative := known.get(reference.value)) is not None
            and relative.operation != "delete"
            and (target_id := relative.target_id) is not None
        }
    return found


def _without_foreign_links(
    current: Mapping[str, CurrentRecord | RecordError], taken: set[str]
) -> dict[str, CurrentRecord | RecordError]:
    """Drop adoptions of target records that another source record has, or that an earlier one of the batch takes."""
    kept: dict[str, CurrentRecord | RecordError] = {}
    for key, found in current.items():
        if isinstance(found, CurrentRecord) and not found.linked:
            if found.target_id in taken:
                continue
            taken.add(found.target_id)
        kept[key] = found
    return kept


def _compared(
    row: ClaimedRow,
    record: TargetRecord,
    current: CurrentRecord | RecordError | None,
    target: Target,
    translation: Translation,
) -> PlannedWrite:
    if isinstance(current, RecordError):
        return PlannedWrite(row, "fail", record, errors=(current,))
    if current is None:
        return PlannedWrite(row, "create", record)
    taken = {f for f in translation.only_when_empty if not target.same(f, current.values.get(f), "")}
    record = _without(record, taken)
    changes = changed_fields(record.values, current.values, target.same)
    if changes or not current.linked:
        return PlannedWrite(row, "update", record, current, changes)
    return PlannedWrite(row, "unchanged", record, current)


def _without(record: TargetRecord, fields: Collection[str]) -> TargetRecord:
    if not fields:
        return record
    return replace(record, values={f: v for f, v in record.values.items() if f not in fields})


def _owned(current: Mapping[str, CurrentRecord | RecordError], precedence: Precedence | None) -> set[str]:
    if precedence is None:
        return set()
    return precedence.owned([c.target_id for c in current.values() if isinstance(c, CurrentRecord)])


def _yielding(plan: PlannedWrite, precedence: Precedence | None, owned: set[str]) -> PlannedWrite:
    """Leave to the sync with precedence what it decides; a row that loses a field says so."""
    if precedence is None or plan.current is None or plan.record is None or plan.current.target_id not in owned:
        return plan
    record = _without(plan.record, precedence.fields)
    lost = {f: change for f, change in (plan.changes or {}).items() if f in precedence.fields}
    kept = {f: change for f, change in (plan.changes or {}).items() if f not in precedence.fields}
    if not lost:
        return replace(plan, record=record)
    differences = ", ".join(f"{f} is {before!r}, not {after!r}" for f, (before, after) in sorted(lost.items()))
    reason = f"{precedence.sync} has precedence: {differences}"
    error = RecordError("precedence", ", ".join(sorted(lost)), reason)
    action: Action = "update" if kept or not plan.current.linked else "skip"
    return replace(plan, action=action, record=record, changes=kept, errors=(error,), reason=reason)


def _leaving(planned: Sequence[PlannedWrite], precedence: Precedence | None) -> list[PlannedWrite]:
    """Leave target records to the sync with precedence that has them too: it alone decides whether they are deleted."""
    ids = [plan.row.target_id for plan in planned if plan.action == "delete" and plan.row.target_id is not None]
    if precedence is None or not ids:
        return list(planned)
    owned = precedence.owned(ids)
    reason = f"{precedence.sync} has precedence: the record is its own too, so it is not deleted"
    error = RecordError("precedence", None, reason)
    return [
        replace(plan, action="skip", errors=(error,), reason=reason)
        if plan.action == "delete" and plan.row.target_id in owned
        else plan
        for plan in planned
    ]
