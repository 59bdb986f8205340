"""Which fields of an Odoo record are read, and how a record's JSON looks to a mapping.

A path may lead through relational fields, ``country_id.code`` or ``category_id.name``: the related records are read in
batches, each once. False, by which Odoo says that a field of any type is empty, becomes None; a time becomes ISO 8601.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from sync_orchestration.interface.rows import Payload
from sync_orchestration.pipeline.errors import ConfigurationError, UnavailableError
from sync_orchestration.systems.odoo.client import OdooClient
from sync_orchestration.systems.odoo.errors import OdooError

_TO_MANY = ("one2many", "many2many")
_BATCH = 1_000


@dataclass(slots=True)
class RecordReading:
    """The fields of `model` that `paths` lead to. Related records are remembered for as long as this object lives."""

    client: OdooClient
    model: str
    paths: Iterable[str]
    _tree: dict[str, list[str]] = field(default_factory=dict, init=False)
    _related: dict[str, "RecordReading"] = field(default_factory=dict, init=False)
    _known: dict[int, Payload] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        for path in self.paths:
            # A number in a path chooses one of several related records; all of them are read.
            top, *rest = path.split(".")
            steps = [step for step in rest if not step.isdecimal()]
            self._tree.setdefault(top, []).extend([".".join(steps)] if steps else [])

    def names(self) -> list[str]:
        """Return the model's own fields to read.

        Raises ConfigurationError for a path that leads to no field of this Odoo, with the field that may be meant.
        """
        known = self.client.fields(self.model)
        for name, rests in self._tree.items():
            if name not in known:
                close = get_close_matches(name, known, n=1)
                meant = f"; is {close[0]} meant?" if close else ""
                raise ConfigurationError(f"This Odoo has no field {name!r} on {self.model}{meant}")
            if rests and not known[name].get("relation"):
                raise ConfigurationError(f"{self.model}.{name} is no relation, so {name}.{rests[0]} leads nowhere.")
            if rests:
                self._reading_of(name, known[name]["relation"]).names()
        return list(self._tree)

    def payloads(self, rows: Sequence[Payload]) -> dict[int, Payload]:
        """Return id → payload of rows as `search_read` gave them."""
        kinds = {name: self.client.fields(self.model)[name]["type"] for name in self.names()}
        for name, kind in kinds.items():
            if self._tree[name]:
                self._related[name].load({one for row in rows for one in _ids(row.get(name), kind)})
        return {row["id"]: self._payload(row, kinds) for row in rows}

    def load(self, ids: set[int]) -> None:
        """Read the records of `ids` that are not known yet."""
        missing = sorted(ids - self._known.keys())
        for start in range(0, len(missing), _BATCH):
            batch = missing[start : start + _BATCH]
            self._known.update(self.payloads(self._read(batch)))

    def _read(self, ids: Sequence[int]) -> list[Payload]:
        names = ["id", "display_name", *self.names()]
        try:
            rows = self.client.call(
                self.model,
                "search_read",
                domain=[["id", "in", ids]],
                fields=list(dict.fromkeys(names)),
                context={"active_test": False},
            )
        except OdooError as error:
            raise self.client.refused_reading(self.model, error) from None
        if not isinstance(rows, list) or not all(isinstance(row, dict) and "id" in row for row in rows):
            raise UnavailableError(f"Odoo answered {self.model}.search_read with something that is no list of records.")
        return rows

    def _payload(self, row: Payload, kinds: Mapping[str, str]) -> Payload:
        own: Payload = {"id": row["id"]}
        if "display_name" in row:
            own["display_name"] = row["display_name"]
        return own | {name: self._value(name, kind, row.get(name)) for name, kind in kinds.items()}

    def _value(self, name: str, kind: str, value: Any) -> Any:
        if kind == "boolean":
            return bool(value)
        if value is False or value is None:
            return [] if kind in _TO_MANY else None
        if kind == "many2one":
            return self._one(name, value)
        if kind in _TO_MANY and self._tree[name]:
            known = self._related[name]._known
            return [known[one] for one in value if one in known]
        if kind == "datetime" and isinstance(value, str):
            return value[:19].replace(" ", "T") + "Z"
        return value

    def _one(self, name: str, value: Any) -> Payload | None:
        """Return a related record as an object; one that this user may not see, or that is gone, has id and name."""
        told = value if isinstance(value, list | tuple) else [value]
        there: Payload = {"id": told[0], "display_name": told[1] if len(told) > 1 else None}
        if self._tree[name]:
            there |= self._related[name]._known.get(told[0], {})
        return there

    def _reading_of(self, name: str, model: str) -> "RecordReading":
        if name not in self._related:
            self._related[name] = RecordReading(self.client, model, self._tree[name])
        return self._related[name]


def _ids(value: Any, kind: str) -> list[int]:
    """Return the ids of related records in a value of a relational field."""
    if not value:
        return []
    return list(value) if kind in _TO_MANY else [value[0] if isinstance(value, list | tuple) else value]
