"""One company: its records, the log of their changes, and the ways in which tests move both."""

import random
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from .changelog import ChangeLog
from .identifiers import find_record
from .records import Record, Table, Undo
from .schema import EVIDENCES, PARENTS
from .switches import FlexiSwitches
from .transactions import Transaction
from .validation import Problem, checked_values


class RecordRefusedError(ValueError):
    """The server would refuse the record; `problems` says why."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = list(problems)


@dataclass
class CompanyCard:
    """How a company shows in the list of companies."""

    id: int
    name: str
    title: str
    created: str
    licence_group: str
    state: str = "ESTABLISHED"


@dataclass
class Company:
    """The database of one company. Changes by these methods show in the feed like those made over HTTP."""

    card: CompanyCard
    switches: Callable[[], FlexiSwitches]
    clock: Callable[[], datetime]
    rng: random.Random
    lock: threading.RLock
    on_commit: Callable[["Company"], None]
    log: ChangeLog = field(default_factory=ChangeLog)
    journal: list[Undo] = field(default_factory=list)
    tables: dict[str, Table] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for path, evidence in EVIDENCES.items():
            parent_field = PARENTS[path][1] if path in PARENTS else None
            self.tables[path] = Table(evidence, parent_field=parent_field)

    @property
    def name(self) -> str:
        return self.card.name

    @property
    def global_version(self) -> int:
        """The version that exports and the feed report."""
        if self.switches().global_version == "last_assigned":
            return self.log.last_assigned
        return self.log.highest_visible()

    def create(
        self,
        evidence: str,
        fields: Mapping[str, object],
        *,
        ext_ids: Iterable[str] = (),
        unchecked: bool = False,
        at: datetime | None = None,
    ) -> int:
        """Create a record and return its id; `unchecked` stores what today's validation refuses."""
        with self.transaction(started=at) as tx:
            values = self._checked(evidence, fields, None, unchecked=unchecked)
            return tx.create(evidence, values, tuple(ext_ids)).id

    def update(
        self,
        evidence: str,
        record_id: int,
        fields: Mapping[str, object],
        *,
        ext_ids: Iterable[str] | None = None,
        unchecked: bool = False,
    ) -> None:
        """Overwrite some fields of a record."""
        with self.transaction() as tx:
            record = self.tables[evidence].records[record_id]
            values = self._checked(evidence, fields, record, unchecked=unchecked)
            tx.update(evidence, record, values, record.ext_ids if ext_ids is None else tuple(ext_ids))

    def delete(self, evidence: str, record_id: int) -> None:
        """Delete a record together with its children."""
        with self.transaction() as tx:
            tx.delete(evidence, self.tables[evidence].records[record_id])

    def record(self, evidence: str, record_id: int) -> dict[str, str] | None:
        """Return the values of a record as they are stored, None if there is no such record."""
        with self.lock:
            record = self.tables[evidence].records.get(record_id)
            return None if record is None else {"id": str(record.id), **record.values}

    def find(self, evidence: str, identifier: str) -> int | None:
        """Return the numeric id behind any form of identifier."""
        with self.lock:
            return find_record(self.tables[evidence], identifier)

    def ids(self, evidence: str) -> list[int]:
        with self.lock:
            return list(self.tables[evidence].ordered("id"))

    def bulk_changes(self, n_changes: int, n_records: int, evidence: str = "adresar") -> list[int]:
        """Update random ones of the first `n_records` in a transaction each; returns the ids that changed."""
        with self.lock:
            ids = self.ids(evidence)[:n_records]
            table = self.tables[evidence]
            first_moment = self.clock() - timedelta(milliseconds=n_changes)
            touched = set()
            for i in range(n_changes):
                record = table.records[self.rng.choice(ids)]
                # Transactions overlap: recorded timestamps are not monotone over versions.
                moment = first_moment + timedelta(microseconds=1000 * i - self.rng.randrange(300_000))
                tx = Transaction(self, moment)
                tx.update(evidence, record, {"poznam": f"změna {i}"}, record.ext_ids)
                tx.commit()
                touched.add(record.id)
            self.on_commit(self)
            return sorted(touched)

    def noise_changes(self, n_changes: int) -> None:
        """Touch the yearly series, as every issued document does in a living company."""
        series = self.ids("rocni-rada") or [self.create("rocni-rada", {"rok": self.clock().year})]
        for i in range(n_changes):
            self.update("rocni-rada", series[0], {"cisAkt": i})

    def enable_changes(self) -> None:
        with self.lock:
            self.log.enabled = True

    def disable_changes(self) -> None:
        """Stop recording; what changes meanwhile is lost to the feed, the numbering goes on afterwards."""
        with self.lock:
            self.log.enabled = False

    def hold_versions(self) -> None:
        """From now on changes get versions, but the feed does not show them until they are released."""
        with self.lock:
            self.log.holding = True

    def release_versions(self) -> None:
        with self.lock:
            self.log.release()
            self.on_commit(self)

    def open_transaction(self) -> "OpenTransaction":
        """Start a transaction whose versions are given at once and whose effect shows only at its commit."""
        return OpenTransaction(self, self.clock())

    def restore(self, to_version: int, *, skip_changelog: bool = False) -> None:
        """Go back to the database as it was at `to_version`: records, id sequences and numbering.

        With `skip_changelog` the history of changes is not restored at all, as the server's restore allows.
        """
        with self.lock:
            kept: list[Undo] = []
            while self.journal:
                undo = self.journal.pop()
                if undo.version > to_version or (not undo.recorded and undo.version >= to_version):
                    table = self.tables[undo.evidence]
                    table.revert(undo)
                    if undo.before is None:
                        table.next_id = min(table.next_id, undo.record_id)
                else:
                    kept.append(undo)
            self.journal = kept[::-1]
            self.log.rewind(to_version)
            if skip_changelog:
                self.log.clear()

    def forget_changes_before(self, version: int) -> None:
        """Drop the oldest part of the feed, as a limited retention would."""
        with self.lock:
            self.log.forget_before(version)

    @contextmanager
    def transaction(self, *, started: datetime | None = None, versions: Sequence[int] = ()) -> Iterator[Transaction]:
        """Commit what the block does, or take all of it back if it raises."""
        with self.lock:
            tx = Transaction(self, started or self.clock(), list(versions))
            try:
                yield tx
            except BaseException:
                tx.roll_back()
                raise
            tx.commit()
            self.on_commit(self)

    def _checked(
        self, evidence: str, fields: Mapping[str, object], record: Record | None, *, unchecked: bool
    ) -> dict[str, str]:
        values, problems = checked_values(self.tables, evidence, fields, record)
        if unchecked:
            plain = {name: str(raw) for name, raw in fields.items() if name in EVIDENCES[evidence].by_name}
            return {**plain, **values}
        if problems:
            raise RecordRefusedError(problems)
        return values


@dataclass
class OpenTransaction:
    """A transaction that others do not see yet, although its versions are already given.

    This is how a lower version becomes visible after a higher one: numbers come from a sequence inside
    transactions that are still open.
    """

    company: Company
    started: datetime
    _versions: list[int] = field(default_factory=list)
    _operations: list[Callable[[Transaction], object]] = field(default_factory=list)

    def create(self, evidence: str, fields: Mapping[str, object]) -> int:
        company = self.company
        with company.lock:
            record_id = company.tables[evidence].take_id()
            values = company._checked(evidence, fields, None, unchecked=False)
            self._add(lambda tx: tx.create(evidence, values, record_id=record_id))
            return record_id

    def update(self, evidence: str, record_id: int, fields: Mapping[str, object]) -> None:
        company = self.company
        with company.lock:
            record = company.tables[evidence].records[record_id]
            values = company._checked(evidence, fields, record, unchecked=False)
            self._add(lambda tx: tx.update(evidence, record, values, record.ext_ids))

    def delete(self, evidence: str, record_id: int) -> None:
        with self.company.lock:
            record = self.company.tables[evidence].records[record_id]
            self._add(lambda tx: tx.delete(evidence, record))

    def commit(self) -> list[int]:
        """Make everything visible at once; returns the versions that had been given."""
        with self.company.transaction(started=self.started, versions=self._versions) as tx:
            for operation in self._operations:
                operation(tx)
        return self._versions

    def _add(self, operation: Callable[[Transaction], object]) -> None:
        company = self.company
        if company.log.enabled:
            self._versions.append(company.log.assign(company.rng, gaps=company.switches().version_gaps))
        self._operations.append(operation)
