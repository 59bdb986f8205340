"""Records of an Odoo model as a Source: followed by write_date, counted through by id.

Measured on 18.0 and 19.0: write_date is returned cut to whole seconds, but 18 compares it with its microseconds and 19
in seconds, so only `>=` finds the same rows on both; and it is the start of the transaction, so that a row may become
visible long after a newer one was seen. Positions are those seconds, and each read begins an overlap behind the cursor.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sync_orchestration.interface.fields_seen import Shape
from sync_orchestration.interface.rows import Payload
from sync_orchestration.pipeline.errors import ConfigurationError, UnavailableError
from sync_orchestration.pipeline.protocols import Change, ChangePage, InventoryItem, SourceHead, SourceRecord
from sync_orchestration.systems.odoo.client import OdooClient
from sync_orchestration.systems.odoo.describing import described
from sync_orchestration.systems.odoo.errors import OdooError
from sync_orchestration.systems.odoo.reading import RecordReading

Domain = list[Any]
_INVENTORY_PAGE = 5_000
_TIME = "%Y-%m-%d %H:%M:%S"


@dataclass(slots=True)
class OdooSource:
    """The records of `model` that match `domain`, with the fields that `reading` names.

    Archived records count as gone unless `archived`. A key is the record's id as text.
    """

    client: OdooClient
    model: str
    reading: RecordReading
    domain: Domain = field(default_factory=list)
    page: int = 500
    archived: bool = False

    def head(self) -> SourceHead:
        """Return the newest write_date, in seconds since the epoch (0: there is no record)."""
        # PostgreSQL puts what is empty first when the newest is first.
        dated = [["write_date", "!=", False]]
        newest = self._search(dated, ["write_date"], order="write_date desc, id desc", limit=1)
        position = _seconds(newest[0]["write_date"]) if newest else 0
        return SourceHead(position, f"{self.client.database}/{self.model}")

    def peek(self, start: int) -> ChangePage:
        """Return the first changes at or after `start`: one request, and another where one page does not hold them."""
        page = next(self.changes(start))
        if not page.more:
            return page
        return ChangePage(page.changes, page.next_position, max(page.newest, self.head().position), more=True)

    def changes(self, start: int) -> Iterator[ChangePage]:
        """Yield the changes at or after `start`, oldest first; records that share a second are never torn apart."""
        while True:
            rows = self._search([["write_date", ">=", _text(start)]], self._names(), order="write_date, id")
            if len(rows) < self.page:
                newest = max([start, *map(_position, rows)])
                yield ChangePage(self._changes(rows), newest, newest, more=False)
                return
            last = _position(rows[-1])
            if last > start:
                # The rest of the last second may be on the next page, which begins with that second.
                rows = [row for row in rows if _position(row) < last]
                yield ChangePage(self._changes(rows), last, last, more=True)
                start = last
            else:
                yield from self._one_second(start)
                start += 1

    def _one_second(self, second: int) -> Iterator[ChangePage]:
        """Yield the many records of one second (one transaction has one write_date), in the order of their ids."""
        span = [["write_date", ">=", _text(second)], ["write_date", "<", _text(second + 1)]]
        for rows in self._by_id(span, self._names(), self.page):
            yield ChangePage(self._changes(rows), second, second, more=True)
        yield ChangePage([], second + 1, second, more=True)

    def fetch(self, keys: Sequence[str]) -> Mapping[str, SourceRecord]:
        """Return the records of `keys` that are there and match the domain."""
        ids = [int(key) for key in keys if key.isascii() and key.isdecimal()]
        found = self._search([["id", "in", ids]], self._names(), order="id", limit=len(ids)) if ids else []
        return {record.key: record for record in self._records(found)}

    def snapshot(self, after: str | None) -> Iterator[Sequence[SourceRecord]]:
        """Yield all records by ascending id, going on after the id `after`."""
        for rows in self._by_id([], self._names(), self.page, int(after or 0)):
            yield self._records(rows)

    def inventory(self) -> Iterator[Sequence[InventoryItem]]:
        """Yield every record's key and position, by ascending id."""
        names = ["write_date", *self._archive_flag()]
        for rows in self._by_id([], names, _INVENTORY_PAGE):
            yield [InventoryItem(str(row["id"]), _position(row)) for row in rows if self._is_there(row)]

    def select(self, domain: Domain) -> list[str]:
        """Return the keys of the source's records that also match `domain`, by ascending id."""
        pages = self._by_id(domain, self._archive_flag(), _INVENTORY_PAGE)
        return [str(row["id"]) for rows in pages for row in rows if self._is_there(row)]

    def describe(self) -> Mapping[str, Shape]:
        """Return what Odoo says of the model's fields and of those read through relations, one request a model."""
        return described(self.client, self.model, self.reading.paths)

    def _changes(self, rows: Sequence[Payload]) -> list[Change]:
        """Return the rows as changes: with their payload, or as deletes where they are archived."""
        payloads = self.reading.payloads([row for row in rows if self._is_there(row)])
        return [
            Change(str(row["id"]), "update", _position(row), payload=payloads[row["id"]])
            if row["id"] in payloads
            else Change(str(row["id"]), "delete", _position(row))
            for row in rows
        ]

    def _records(self, rows: Sequence[Payload]) -> list[SourceRecord]:
        there = [row for row in rows if self._is_there(row)]
        payloads = self.reading.payloads(there)
        return [SourceRecord(str(row["id"]), payloads[row["id"]], position=_position(row)) for row in there]

    def _is_there(self, row: Payload) -> bool:
        return self.archived or row.get("active", True) is not False

    def _names(self) -> list[str]:
        return list(dict.fromkeys([*self.reading.names(), "write_date", *self._archive_flag()]))

    def _archive_flag(self) -> list[str]:
        """Return the name of the flag that hides a record, where the model has one and it matters."""
        return ["active"] if not self.archived and "active" in self.client.fields(self.model) else []

    def _by_id(self, more: Domain, names: Sequence[str], size: int, after: int = 0) -> Iterator[list[Payload]]:
        while True:
            rows = self._search([*more, ["id", ">", after]], names, order="id", limit=size)
            if rows:
                yield rows
            if len(rows) < size:
                return
            after = rows[-1]["id"]

    def _search(self, more: Domain, names: Sequence[str], *, order: str, limit: int | None = None) -> list[Payload]:
        """Read records that match the domain and `more`, archived ones too."""
        wanted = ["id", *names]
        try:
            rows = self.client.call(
                self.model,
                "search_read",
                # Odoo joins whole domains that stand side by side by `and`.
                domain=[*self.domain, *more],
                fields=wanted,
                order=order,
                limit=self.page if limit is None else limit,
                context={"active_test": False},
            )
        except OdooError as error:
            if error.is_about_rights:
                raise self.client.refused_reading(self.model, error) from None
            raise ConfigurationError(
                f"Odoo refuses to search {self.model}: {error.message}. Check domain and fields of the source."
            ) from None
        if not isinstance(rows, list) or not all(
            isinstance(row, dict) and row.keys() >= set(wanted) and isinstance(row["id"], int) for row in rows
        ):
            raise UnavailableError(f"Odoo answered {self.model}.search_read with something that is no list of records.")
        return rows


def _position(row: Payload) -> int:
    return _seconds(row["write_date"])


def _seconds(value: Any) -> int:
    """Read a time of Odoo as whole seconds since the epoch; a record without one is the oldest."""
    if not isinstance(value, str):
        return 0
    try:
        return int(datetime.strptime(value[:19].replace("T", " "), _TIME).replace(tzinfo=UTC).timestamp())
    except ValueError:
        # Quoted only where it is nearly a time, for anything else may be anything.
        told = repr(value) if re.fullmatch(r"[\d:.TZ +-]{1,40}", value) else "a text"
        raise UnavailableError(f"Odoo answered with a write_date that is no time: {told}.") from None


def _text(position: int) -> str:
    """Write a position as the only form of a time that both 18 and 19 take in a domain."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=position)).strftime(_TIME)
