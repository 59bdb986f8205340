"""Two records of one sync must never be one record of the target: whose external id is it?

Keys become external ids by rules that may make one of two (a space becomes an underscore, a sender goes before its
key). The record that has the external id keeps it; the other one is not written, and not deleted either.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from sync_orchestration.interface.looks import Holder
from sync_orchestration.interface.rows import ClaimedRow
from sync_orchestration.mapping.records import RecordError
from sync_orchestration.pipeline.protocols import CurrentRecord, TargetRecord

Holders = Mapping[str, Sequence[Holder]]
"""The records of a sync that target records are, by target id."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Why a record cannot have its external id. `passes`: the one that has it is about to leave."""

    error: RecordError
    passes: bool = False


def taken_external_ids(
    writes: Sequence[tuple[ClaimedRow, TargetRecord]],
    deletes: Sequence[tuple[ClaimedRow, TargetRecord]],
    current: Mapping[str, CurrentRecord | RecordError],
    holders: Holders,
    external_id: Callable[[ClaimedRow], str],
) -> dict[str, Taken]:
    """Return by key the records without a target id whose external id another record of their sync has.

    That is one which is linked to what the target has under the external id, or an earlier one of the batch.
    """
    found: dict[str, Taken] = {}
    first: dict[str, ClaimedRow] = {}
    linked_first = sorted(writes, key=lambda pair: pair[0].target_id is None)
    for row, record in [*linked_first, *deletes]:
        if row.target_id is None:
            if (earlier := first.get(record.external_id)) is not None:
                found[record.key] = _taken_by(earlier.source_system, earlier.record_key, row, record)
                continue
            if (holder := _holder(row, record, current.get(record.key), holders, external_id)) is not None:
                taken = _taken_by(holder.source_system, holder.record_key, row, record)
                found[record.key] = replace(taken, passes=holder.is_leaving)
                continue
        first.setdefault(record.external_id, row)
    return found


def _holder(
    row: ClaimedRow,
    record: TargetRecord,
    current: CurrentRecord | RecordError | None,
    holders: Holders,
    external_id: Callable[[ClaimedRow], str],
) -> Holder | None:
    """Return who has the external id already. One who has the target record by another one is there by a merge."""
    if not isinstance(current, CurrentRecord) or not current.linked:
        return None
    there = [holder for holder in holders.get(current.target_id, ()) if not holder.is_gone]
    return next(
        (
            holder
            for holder in sorted(there, key=lambda holder: holder.is_leaving)
            if external_id(replace(row, source_system=holder.source_system, record_key=holder.record_key))
            == record.external_id
        ),
        None,
    )


def _taken_by(source_system: str, key: str, row: ClaimedRow, record: TargetRecord) -> Taken:
    sender = "" if source_system == row.source_system else f" of {source_system}"
    message = (
        f"its external id {record.external_id} is already that of the record {key!r}{sender}: the two would overwrite "
        "each other; change one of the keys in the source"
    )
    return Taken(RecordError("already_linked", None, message))
