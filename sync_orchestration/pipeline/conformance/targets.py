"""Checks a Target: an outcome for each record, nothing made twice, and what was written is found as it was written."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sync_orchestration.pipeline.conformance.findings import Findings, check_description
from sync_orchestration.pipeline.protocols import CurrentRecord, Outcome, Target, TargetRecord


def check_target(
    target: Target,
    records: Sequence[TargetRecord],
    changed: Mapping[str, Any],
    *,
    refused: TargetRecord | None = None,
    existing: bool = False,
    archives: bool = False,
) -> list[str]:
    """Write records, change them, repeat each write, and delete them.

    `records` are new, or with `existing` they are there and have their target ids, for a target that makes none.
    `changed` are other values of theirs. `refused` is one that the target does not take. `archives`: what is deleted
    there can still be read.
    """
    found = Findings()
    with found.asking("current"):
        found.expect(target.current([]) == {}, "current finds something where nothing is asked for.")
    check_description(found, target)
    there = list(records)
    if not existing:
        with found.asking("upsert"):
            there = _check_making(found, target, records)
    if there:
        with found.asking("upsert"):
            _check_changing(found, target, there, changed)
        with found.asking("upsert"):
            _check_refusing(found, target, there[0], refused)
        with found.asking("delete"):
            _check_deleting(found, target, there, may_stay=existing or archives)
    return found.sentences


def _check_making(found: Findings, target: Target, records: Sequence[TargetRecord]) -> list[TargetRecord]:
    """Make new records twice, as after an answer that was lost; return them as they are linked then."""
    found.expect(not target.current(records), "current finds records that were not written yet.")
    _outcomes(found, "delete of records that are not there", target.delete(records), records)
    first = _outcomes(found, "upsert", target.upsert(records, {}), records)
    made = [
        replace(record, target_id=first[record.key].target_id, written=first[record.key].written)
        for record in records
        if record.key in first
    ]
    for record in made:
        found.expect(isinstance(record.target_id, str), f"upsert tells no target_id of {record.key}, which is a text.")
    doubtful = [replace(record, target_id=None, written=None, in_doubt=True) for record in made]
    again = _outcomes(found, "upsert, repeated,", target.upsert(doubtful, _held(target, doubtful)), doubtful)
    for record in made:
        same = record.key not in again or again[record.key].target_id == record.target_id
        found.expect(same, f"upsert made {record.key} twice, after a try whose answer was lost.")
    return made


def _check_changing(
    found: Findings, target: Target, records: Sequence[TargetRecord], changed: Mapping[str, Any]
) -> None:
    _expect_held(found, target, records, "was written")
    news = [replace(record, values={**record.values, **changed}) for record in records]
    outcomes = _outcomes(found, "upsert of changes", target.upsert(news, _held(target, news)), news)
    for record in news:
        told = outcomes.get(record.key)
        found.expect(told is None or told.target_id == record.target_id, f"upsert made another record of {record.key}.")
    after = [replace(one, written=outcomes[one.key].written) for one in news if one.key in outcomes]
    _expect_held(found, target, after, "was changed")


def _expect_held(found: Findings, target: Target, records: Sequence[TargetRecord], what: str) -> None:
    """Expect that the target has just what it was given, or each run would write it again."""
    held = target.current(records)
    for record in records:
        one = held.get(record.key)
        if not isinstance(one, CurrentRecord):
            found.expect(one is not None, f"current does not find {record.key} after it {what}.")
            found.expect(one is None, f"current fails for {record.key} after it {what}: {one}.")
            continue
        found.expect(one.target_id == record.target_id, f"current tells another target_id of {record.key}.")
        found.expect(one.linked, f"current says that {record.key} is not linked after it {what}.")
        for name, wanted in record.values.items():
            found.expect(
                target.same(name, one.values.get(name), wanted),
                f"after {record.key} {what}, {name} is {one.values.get(name)!r} and not {wanted!r}: each run would "
                "write it again.",
            )


def _check_refusing(found: Findings, target: Target, good: TargetRecord, refused: TargetRecord | None) -> None:
    if refused is None:
        return
    both = [refused, good]
    told = target.upsert(both, _held(target, both))
    outcome = told.get(refused.key)
    error = outcome.error if outcome else None
    found.expect(error is not None, f"upsert tells no error of {refused.key}, which must be refused.")
    found.expect(error is None or error.message, f"upsert tells no reason why {refused.key} is refused.")
    _outcomes(found, "upsert beside a refused record", told, [good])


def _check_deleting(found: Findings, target: Target, records: Sequence[TargetRecord], *, may_stay: bool) -> None:
    _outcomes(found, "delete", target.delete(records), records)
    _outcomes(found, "delete, repeated,", target.delete(records), records)
    if not may_stay:
        gone = [replace(record, target_id=None, written=None) for record in records]
        left = [key for key, one in target.current(gone).items() if isinstance(one, CurrentRecord)]
        found.expect(not left, f"current still finds {left[:1]} after its delete.")


def _outcomes(
    found: Findings, what: str, told: Mapping[str, Outcome], records: Sequence[TargetRecord]
) -> dict[str, Outcome]:
    """Return the outcomes that are good; expect one for each record."""
    for record in records:
        outcome = told.get(record.key)
        if found.expect(isinstance(outcome, Outcome), f"{what} tells no outcome of {record.key}.") and outcome:
            said = "" if outcome.error is None else outcome.error.message
            found.expect(outcome.error is None, f"{what} fails for {record.key}: {said}.")
    return {key: outcome for key, outcome in told.items() if outcome.error is None}


def _held(target: Target, records: Sequence[TargetRecord]) -> dict[str, CurrentRecord]:
    return {key: one for key, one in target.current(records).items() if isinstance(one, CurrentRecord)}
