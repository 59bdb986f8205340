"""Records of a collection, and how they look from outside."""

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sync_orchestration.sandbox.rest.switches import RestSwitches

Json = dict[str, Any]
Id = int | str

READ_ONLY = frozenset({"id", "created_at", "updated_at", "deleted"})
"""Fields that the server sets; what a client sends in them is ignored, as most servers do."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record. It is never altered, only replaced, so that a snapshot of a collection is cheap."""

    number: int
    uuid: str
    values: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime
    deleted: bool = False

    def id(self, switches: RestSwitches) -> Id:
        return self.number if switches.ids == "integer" else self.uuid

    def served(self, switches: RestSwitches) -> Json:
        """The record as a client gets it."""
        updated = shown_time(self.updated_at, switches)
        if self.deleted:
            return {"id": self.id(switches), "updated_at": updated, "deleted": True}
        created = shown_time(self.created_at, switches)
        return {"id": self.id(switches), **self.values, "created_at": created, "updated_at": updated}


class Collection:
    """The records of one path, oldest first, those that were deleted included."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._records: dict[int, Record] = {}
        self._numbers: dict[str, int] = {}
        self._last = 0
        self._unsaved: dict[int, Record] = {}

    def __iter__(self) -> Iterator[Record]:
        return iter(self._records.values())

    def live(self) -> list[Record]:
        return [record for record in self if not record.deleted]

    def numbered(self, number: int) -> Record:
        return self._records[number]

    def add(self, values: Mapping[str, Any], now: datetime) -> Record:
        """Enter a new record under the next number; numbers are never used again."""
        number = self._last + 1
        # Derived, so that a world is the same each time it is built.
        name = str(uuid.uuid5(uuid.NAMESPACE_URL, f"https://sandbox.invalid/{self.name}/{number}"))
        return self.keep(Record(number, name, dict(values), now, now))

    def keep(self, record: Record) -> Record:
        """Put `record` in the place of the one with its number."""
        self._records[record.number] = record
        self._unsaved[record.number] = record
        self._numbers[record.uuid] = record.number
        self._last = max(self._last, record.number)
        return record

    def find(self, record_id: object, switches: RestSwitches) -> Record | None:
        """The record, deleted or not, that has this id under the switches; ids may come as text."""
        text = str(record_id)
        if switches.ids == "uuid":
            return self._records.get(self._numbers.get(text.lower(), 0))
        # A server that reads integers takes no other digits, no leading zero and nothing beyond 64 bits.
        is_number = text.isascii() and text.isdigit() and text[0] != "0" and len(text) < 19
        return self._records.get(int(text)) if is_number else None

    def snapshot(self) -> dict[int, Record]:
        return dict(self._records)

    def restore(self, snapshot: dict[int, Record]) -> None:
        """Go back to a snapshot. Numbers given since then stay used, as with a database sequence."""
        self._records = snapshot
        self._unsaved.clear()  # a request is saved whole or not at all

    def take_unsaved(self) -> list[Json]:
        """The records that have changed since this was asked last, for the state file."""
        taken = [_dumped(record) for record in self._unsaved.values()]
        self._unsaved.clear()
        return taken

    def load(self, stored: Json) -> None:
        """Take back a record that `take_unsaved` has given."""
        times = {name: datetime.fromisoformat(stored[name]) for name in ("created_at", "updated_at")}
        self.keep(Record(**(stored | times)))
        self._unsaved.clear()


def shown_time(moment: datetime, switches: RestSwitches) -> str | int:
    """A moment as the API writes it."""
    if switches.times == "epoch":
        return int(moment.timestamp())
    digits = {0: "seconds", 3: "milliseconds", 6: "microseconds"}[switches.time_digits]
    return moment.astimezone(UTC).isoformat(timespec=digits).replace("+00:00", "Z")


def deleted(record: Record, now: datetime) -> Record:
    """What is left of a record after its deletion."""
    return replace(record, deleted=True, updated_at=now)


def _dumped(record: Record) -> Json:
    return {
        "number": record.number,
        "uuid": record.uuid,
        "values": dict(record.values),
        "created_at": record.created_at.isoformat(),
        "updated_at": record.updated_at.isoformat(),
        "deleted": record.deleted,
    }
