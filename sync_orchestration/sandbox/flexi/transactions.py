"""One database transaction: changes of records, the feed rows they cause, and the way back."""

import random
from datetime import datetime
from typing import Protocol

from .changelog import ChangeLog, ChangeRow, Operation
from .records import Record, Table, Undo
from .schema import PARENTS
from .switches import FlexiSwitches
from .values import datetime_text, timestamp_text


class Tables(Protocol):
    """What a transaction works on: a company's records, their journal, the log of changes."""

    tables: dict[str, Table]
    journal: list[Undo]
    log: ChangeLog
    rng: random.Random

    def switches(self) -> FlexiSwitches: ...


class Transaction:
    """Changes records at once and publishes the rows at its commit.

    All rows of a transaction carry the time of its start (recorded web hooks show this). Versions that a
    rolled back transaction took stay unused, which is one source of the gaps.
    """

    def __init__(self, company: Tables, started: datetime, versions: list[int] | None = None) -> None:
        self._company = company
        self._timestamp = timestamp_text(started)
        self._last_update = datetime_text(started)
        self._versions = versions or []
        self._mark = len(company.journal)
        self._rows: list[ChangeRow] = []
        self._abandoned = False

    def create(
        self,
        evidence: str,
        values: dict[str, str],
        ext_ids: tuple[str, ...] = (),
        *,
        record_id: int | None = None,
    ) -> Record:
        table = self._company.tables[evidence]
        own_id = table.take_id() if record_id is None else record_id
        record = Record(own_id, {**table.evidence.blank, "id": str(own_id), **values}, ext_ids)
        record.values["lastUpdate"] = self._last_update
        if "createdDate" in record.values:
            record.values["createdDate"] = self._last_update
        table.insert(record)
        self._note("create", evidence, record, None, ())
        self._touch_parent(evidence, record)
        return record

    def update(self, evidence: str, record: Record, values: dict[str, str], ext_ids: tuple[str, ...]) -> None:
        ext_before = record.ext_ids
        table = self._company.tables[evidence]
        before = table.patch(record, {**values, "lastUpdate": self._last_update}, ext_ids)
        self._note("update", evidence, record, before, ext_before)
        if self._company.switches().duplicate_updates:
            for _ in range(self._company.rng.randint(2, 7)):
                self._note("update", evidence, record, {}, ext_ids)
        self._touch_parent(evidence, record)

    def delete(self, evidence: str, record: Record) -> None:
        table = self._company.tables[evidence]
        for collection in table.evidence.collections:
            for child in self._company.tables[collection.evidence].children_of(record.id):
                self._remove(collection.evidence, child)
        self._remove(evidence, record)
        self._touch_parent(evidence, record)

    def abandon(self) -> None:
        """Let the commit take everything back instead."""
        self._abandoned = True

    def commit(self) -> None:
        if self._abandoned:
            self.roll_back()
            return
        switches = self._company.switches()
        self._company.log.publish(
            self._rows,
            late_every=switches.late_visible_every,
            late_answers=switches.late_visible_answers,
        )

    def roll_back(self) -> None:
        journal = self._company.journal
        while len(journal) > self._mark:
            undo = journal.pop()
            self._company.tables[undo.evidence].revert(undo)

    def _remove(self, evidence: str, record: Record) -> None:
        self._company.tables[evidence].remove(record)
        self._note("delete", evidence, record, dict(record.values), record.ext_ids)

    def _touch_parent(self, evidence: str, record: Record) -> None:
        if evidence not in PARENTS:
            return
        parent_evidence, parent_field = PARENTS[evidence]
        parent_id = record.values[parent_field]
        parent = self._company.tables[parent_evidence].records.get(int(parent_id)) if parent_id else None
        # Recorded for invoice items; for contacts and bank accounts nothing public shows it.
        always = parent_evidence == "faktura-vydana"
        if parent is not None and (always or self._company.switches().child_change_updates_partner):
            self.update(parent_evidence, parent, {}, parent.ext_ids)

    def _note(
        self,
        operation: Operation,
        evidence: str,
        record: Record,
        before: dict[str, str] | None,
        ext_before: tuple[str, ...],
    ) -> None:
        company = self._company
        version = company.log.last_assigned
        if company.log.enabled:
            version = self._next_version()
            self._rows.append(
                ChangeRow(version, evidence, operation, self._timestamp, record.id, self._names(evidence, record))
            )
        company.journal.append(Undo(version, company.log.enabled, evidence, record.id, before, ext_before))

    def _next_version(self) -> int:
        if self._versions:
            return self._versions.pop(0)
        company = self._company
        return company.log.assign(company.rng, gaps=company.switches().version_gaps)

    def _names(self, evidence: str, record: Record) -> tuple[str, ...]:
        if self._company.tables[evidence].evidence.has_code:
            return (f"code:{record.values['kod']}", *record.ext_ids)
        return record.ext_ids
