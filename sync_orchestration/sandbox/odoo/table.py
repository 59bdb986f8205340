"""Rows by id with hash indexes, and transactions that can be undone, held back and applied again."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .errors import Json, Row


class Table:
    """The rows of one model. Rows are never changed in place: an update puts a new dict."""

    def __init__(self, indexed: Iterable[str] = ()) -> None:
        self.rows: dict[int, Row] = {}
        self.next_id = 1
        self._indexes: dict[str, dict[Json, dict[int, None]]] = {name: {} for name in indexed}
        self._sorted: list[int] | None = []

    def take_id(self) -> int:
        """Return a fresh id; like a PostgreSQL sequence, a rollback gives none back."""
        row_id = self.next_id
        self.next_id += 1
        return row_id

    def put(self, row_id: int, row: Row | None) -> Row | None:
        """Insert, replace or (with None) remove a row; returns the row that was there."""
        old = self.rows.get(row_id)
        for name, index in self._indexes.items():
            self._reindex(index, row_id, old and old.get(name), row and row.get(name))
        if row is None:
            self.rows.pop(row_id, None)
            self._sorted = None
        else:
            self.rows[row_id] = row
            if old is None:
                self._remember_order(row_id)
        return old

    def ids_after(self, last: int) -> list[int]:
        """Return the ids greater than `last`, ascending."""
        ids = self.sorted_ids()
        return ids[bisect_right(ids, last) :]

    def sorted_ids(self) -> list[int]:
        """Return all ids, ascending. The list is the table's own: do not change it."""
        if self._sorted is None:
            self._sorted = sorted(self.rows)
        return self._sorted

    def has_index(self, name: str) -> bool:
        return name in self._indexes

    def find(self, name: str, values: Iterable[Json]) -> list[int]:
        """Return the ids of rows whose indexed field has one of the (non-empty) values."""
        index = self._indexes[name]
        return [row_id for value in values for row_id in index.get(value, ())]

    def _remember_order(self, row_id: int) -> None:
        if self._sorted is None:
            return
        if not self._sorted or self._sorted[-1] < row_id:
            self._sorted.append(row_id)
        else:
            self._sorted = None

    @staticmethod
    def _reindex(index: dict[Json, dict[int, None]], row_id: int, old: Json, new: Json) -> None:
        if old == new:
            return
        if old:
            bucket = index.get(old, {})
            bucket.pop(row_id, None)
            if not bucket:
                index.pop(old, None)
        if new:
            index.setdefault(new, {})[row_id] = None


@dataclass(frozen=True)
class Change:
    """One row before and after one statement; None where it did not exist."""

    model: str
    row_id: int
    old: Row | None
    new: Row | None


@dataclass
class Transaction:
    """The changes of one call. `started` is what write_date gets, with microseconds."""

    tables: Mapping[str, Table]
    started: str
    log: list[Change] = field(default_factory=list)
    hooks: list[tuple[str, Row]] = field(default_factory=list)

    def put(self, model: str, row_id: int, row: Row | None) -> None:
        old = self.tables[model].put(row_id, row)
        self.log.append(Change(model, row_id, old, row))

    def savepoint(self) -> int:
        return len(self.log)

    def rollback(self, savepoint: int = 0) -> None:
        """Undo the rows since the savepoint. Posted web hooks stay posted, as in Odoo."""
        while len(self.log) > savepoint:
            change = self.log.pop()
            self.tables[change.model].put(change.row_id, change.old)

    def hold_back(self) -> None:
        """Hide the changes from other transactions until :meth:`release`."""
        for change in reversed(self.log):
            self.tables[change.model].put(change.row_id, change.old)

    def release(self) -> None:
        """Make the changes visible that :meth:`hold_back` has hidden."""
        for change in self.log:
            self.tables[change.model].put(change.row_id, change.new)

    def net(self) -> dict[tuple[str, int], tuple[Row | None, Row | None]]:
        """Return each touched row as it was at the start and as it is now."""
        touched: dict[tuple[str, int], tuple[Row | None, Row | None]] = {}
        for change in self.log:
            key = (change.model, change.row_id)
            first = touched[key][0] if key in touched else change.old
            touched[key] = (first, change.new)
        return touched
