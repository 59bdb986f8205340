"""The records of one evidence, and the marks from which any write can be undone."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

from .schema import Evidence
from .values import collation_key


@dataclass(slots=True)
class Record:
    """One record: every field as its wire text, a relation as the numeric id of its target."""

    id: int
    values: dict[str, str]
    ext_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Undo:
    """What one operation overwrote. `before` None: the record was created by it."""

    version: int
    recorded: bool
    evidence: str
    record_id: int
    before: dict[str, str] | None
    ext_ids: tuple[str, ...]


@dataclass
class Table:
    """All records of one evidence, found by numeric id, by code and by external id."""

    evidence: Evidence
    next_id: int = 1
    records: dict[int, Record] = field(default_factory=dict)
    _by_code: dict[str, int] = field(default_factory=dict)
    _by_ext: dict[str, int] = field(default_factory=dict)
    _by_parent: dict[str, dict[int, None]] = field(default_factory=dict)
    _orders: dict[str, list[int]] = field(default_factory=dict)
    parent_field: str | None = None

    def take_id(self) -> int:
        """Return a new numeric id; ids are never given twice, not even after a delete."""
        taken = self.next_id
        self.next_id += 1
        return taken

    def insert(self, record: Record) -> None:
        self.records[record.id] = record
        self.next_id = max(self.next_id, record.id + 1)
        self._index(record)
        self._orders.clear()

    def patch(self, record: Record, values: dict[str, str], ext_ids: tuple[str, ...]) -> dict[str, str]:
        """Overwrite some values; returns those that stood there before."""
        before = {name: record.values[name] for name in values}
        indexed = self._is_indexed(values) or ext_ids != record.ext_ids
        if indexed:
            self._unindex(record)
        record.values.update(values)
        record.ext_ids = ext_ids
        if indexed:
            self._index(record)
        if "kod" in values or "datVyst" in values:
            self._orders.clear()
        return before

    def remove(self, record: Record) -> None:
        del self.records[record.id]
        self._unindex(record)
        self._orders.clear()

    def revert(self, undo: Undo) -> None:
        """Take back one operation; must be called newest first."""
        record = self.records.get(undo.record_id)
        if undo.before is None:
            if record is not None:
                self.remove(record)
        elif record is None:
            self.insert(Record(undo.record_id, dict(undo.before), undo.ext_ids))
        else:
            self.patch(record, undo.before, undo.ext_ids)

    def id_of_code(self, code: str) -> int | None:
        return self._by_code.get(code.upper())

    def id_of_ext(self, ext_id: str) -> int | None:
        return self._by_ext.get(ext_id)

    def id_where(self, name: str, value: str) -> int | None:
        """Return the first record whose field has the value, e.g. an address by its IČO."""
        return next((r.id for r in self.records.values() if r.values[name] == value), None)

    def children_of(self, parent_id: int) -> list[Record]:
        return [self.records[i] for i in sorted(self._by_parent.get(str(parent_id), ()))]

    def ordered(self, order: str) -> list[int]:
        """Return all ids in the order of `id`, `kod` (Czech collation) or `datVyst` (newest first)."""
        if order not in self._orders:
            ids = sorted(self.records)
            if order == "kod" and "kod" in self.evidence.by_name:
                ids.sort(key=lambda i: collation_key(self.records[i].values["kod"]))
            elif order == "datVyst":
                ids.sort(key=lambda i: self.records[i].values["datVyst"], reverse=True)
            self._orders[order] = ids
        return self._orders[order]

    def ids_above(self, record_id: int) -> Iterable[int]:
        ids = self.ordered("id")
        return ids[bisect_right(ids, record_id) :]

    def _is_indexed(self, values: dict[str, str]) -> bool:
        return "kod" in values or (self.parent_field is not None and self.parent_field in values)

    def _index(self, record: Record) -> None:
        if self.evidence.has_code:
            self._by_code[record.values["kod"]] = record.id
        for ext_id in record.ext_ids:
            self._by_ext[ext_id] = record.id
        if self.parent_field is not None:
            self._by_parent.setdefault(record.values[self.parent_field], {})[record.id] = None

    def _unindex(self, record: Record) -> None:
        if self.evidence.has_code:
            self._by_code.pop(record.values["kod"], None)
        for ext_id in record.ext_ids:
            self._by_ext.pop(ext_id, None)
        if self.parent_field is not None:
            self._by_parent.get(record.values[self.parent_field], {}).pop(record.id, None)
