"""Compares a whole source with its target, record by record, as a table: what is missing, different or left over."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from sync_orchestration.interface.rows import ClaimedRow, Link
from sync_orchestration.mapping.scrub import SENSITIVE_NAMES, scrub
from sync_orchestration.pipeline.plan import PlannedWrite, Translation, plan_writes
from sync_orchestration.pipeline.protocols import Source, SourceRecord, Target

COLUMNS = ["record_key", "finding", "field", "in_source", "in_target"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The number of records compared, and one row of `differences` (columns COLUMNS) for each finding."""

    compared: int
    differences: pd.DataFrame

    @property
    def matches(self) -> bool:
        return self.differences.empty


def compare(
    source: Source,
    target: Target,
    translation: Translation,
    *,
    links: Mapping[str, Link],
    sensitive: frozenset[str] = SENSITIVE_NAMES,
) -> Comparison:
    """Read the whole source in pages and the target's records for each page; write nothing.

    `links` are those of the interface table by record key. Findings: `missing` (not in the target),
    `different` (a row a field), `refused` (rules or references do not let it through), `left over` (linked, but gone
    from the source). Raises SyncError.
    """
    found: list[tuple[str, str, str, str, str]] = []
    seen: set[str] = set()
    for page in source.snapshot(None):
        seen.update(record.key for record in page)
        rows = [_row(record, links.get(record.key), sensitive) for record in page]
        for plan in plan_writes(rows, translation, target, lambda _: {}):
            found.extend(_findings(plan))
    found.extend((key, "left over", "", "", link.target_id) for key, link in links.items() if key not in seen)
    return Comparison(len(seen), pd.DataFrame(found, columns=COLUMNS, dtype="string"))


def _row(record: SourceRecord, link: Link | None, sensitive: frozenset[str]) -> ClaimedRow:
    return ClaimedRow(
        sync="",
        source_system="",
        record_key=record.key,
        entity="",
        operation="update",
        position=0,
        payload=scrub(record.payload, sensitive),
        external_ids=list(record.external_ids),
        attempts=0,
        target_id=link.target_id if link else None,
        delete_confirmed=False,
        written=link.written if link else None,
    )


def _findings(plan: PlannedWrite) -> Iterator[tuple[str, str, str, str, str]]:
    key = plan.row.record_key
    if plan.action == "create" or (plan.current is not None and not plan.current.linked):
        yield key, "missing", "", "", ""
    elif plan.action in ("fail", "wait"):
        yield from ((key, "refused", error.field or "", error.message, "") for error in plan.errors)
    else:
        for name, (before, after) in (plan.changes or {}).items():
            yield key, "different", name, str(after), str(before)


def summary(differences: pd.DataFrame, known_failing: Sequence[str]) -> pd.DataFrame:
    """Count the findings by kind and field (columns finding, field, records, example), those of failing rows apart."""
    if differences.empty:
        return pd.DataFrame(columns=["finding", "field", "records", "example"])
    frame = differences.assign(
        finding=differences["finding"].where(~differences["record_key"].isin(list(known_failing)), "failing (known)")
    )
    grouped = frame.groupby(["finding", "field"], as_index=False)
    return grouped.agg(records=("record_key", "nunique"), example=("record_key", "first"))
