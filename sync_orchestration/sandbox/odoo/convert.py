"""The cells of ``load``: text to field values, with the messages of Odoo's ir.fields.converter."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from .database import Env
from .errors import DatabaseError, Json, NoSuchMethodError, OdooError, Row
from .models import Field, Model
from .naming import name_create, name_search
from .query import search

REFERENCES = frozenset({None, "id", ".id"})
_TRUE = frozenset({"1", "true", "yes"})
_FALSE = frozenset({"", "0", "false", "no"})
_DATETIME = re.compile(r"\d{4}-\d\d-\d\d( \d\d:\d\d(:\d\d)?)?")

SubRecord = Mapping[str | None, Json]


class CellError(Exception):
    """A cell that cannot be converted; `extra` holds moreinfo and the like."""

    def __init__(self, message: str, **extra: Json) -> None:
        super().__init__(message)
        self.message = message
        self.extra = extra


@dataclass(frozen=True)
class Converter:
    """Converts the records of one call of ``load``."""

    env: Env
    model: Model
    module: str
    flush_external: Callable[[str], None]
    flush_model: Callable[[str], None]

    def value(self, field: Field, cell: Json) -> tuple[Json, list[str]]:
        """Return the value of a cell and the warnings it gave; CellError where there is none."""
        if not cell:
            return False, []
        if field.type == "many2one":
            return self._many2one(field, cell)
        if field.type == "many2many":
            return self._many2many(field, cell)
        return self._scalar(field, cell), []

    def _scalar(self, field: Field, cell: Json) -> Json:
        if field.type == "boolean":
            return _boolean(cell)
        if field.type in ("integer", "float", "monetary"):
            return _number(field, cell)
        if field.type == "datetime":
            return _datetime(cell, str(self.env.context.get("tz") or self.env.user.tz or "UTC"))
        if field.type == "date":
            return _date(cell)
        return _selection(field, cell) if field.type == "selection" else cell

    def _many2one(self, field: Field, cell: SubRecord) -> tuple[Json, list[str]]:
        subfield = _reference_column(cell)
        return self._reference(field, subfield, cell[subfield])

    def _many2many(self, field: Field, cell: SubRecord) -> tuple[Json, list[str]]:
        subfield = _reference_column(cell)
        ids, warnings = [], []
        for part in cell[subfield].split(","):
            found, more = self._reference(field, subfield, part)
            ids.append(found)
            warnings += more
        return [[6, 0, [one for one in ids if one]]], warnings

    def _reference(self, field: Field, subfield: str | None, value: Json) -> tuple[Json, list[str]]:
        if subfield is None:
            return self._by_name(field, value)
        # "0", "false" and "no" clear a reference: Odoo asks its boolean parser first.
        is_text = subfield == "id" or isinstance(value, str)
        if is_text and _lowered(value) in _FALSE:
            return False, []
        found = self._by_external_id(field, value) if subfield == "id" else self._by_id(field, value)
        if found is None:
            raise self._no_match(field, subfield, value)
        return found, []

    def _by_id(self, field: Field, value: Json) -> int | None:
        try:
            row_id = int(value)
        except ValueError as error:
            text = f"Invalid database id '{value}' for the field '{field.string}'"
            raise CellError(text, moreinfo=_action(field, ".id")) from error
        if self.env.db.version >= 19:
            return row_id if self.env.db.row(field.relation, row_id) else None
        return row_id if search(self.env, field.relation, [("id", "=", row_id)]) else None

    def _by_external_id(self, field: Field, value: str) -> int | None:
        external_id = value if "." in value else f"{self.module}.{value}"
        self.flush_external(external_id)
        link = self.env.db.external_id(*external_id.split(".", 1))
        if link is None or self.env.db.row(field.relation, link["res_id"]) is None:
            return None
        if link["model"] != field.relation:
            raise CellError(
                f"Invalid external ID {external_id}: expected model {field.relation!r}, found {link['model']!r}"
            )
        return int(link["res_id"])

    def _by_name(self, field: Field, value: str) -> tuple[Json, list[str]]:
        self.flush_model(field.relation)
        ids = name_search(self.env, field.relation, str(value), operator="=")
        if len(ids) > 1:
            warning = f'Found multiple matches for value "{value}" in field "{field.string}" ({len(ids)} matches)'
            return ids[0], [warning]
        if ids:
            return ids[0], []
        return self._created(field, str(value)), []

    def _created(self, field: Field, name: str) -> int:
        enabled = (self.env.context.get("name_create_enabled_fields") or {}).get(field.name)
        # Measured on 19.0: for a many2many the name is still refused.
        if not enabled or (field.type == "many2many" and self.env.db.version >= 19):
            raise self._no_match(field, None, name)
        savepoint = self.env.tx.savepoint()
        try:
            return name_create(self.env, field.relation, name)
        except (OdooError, DatabaseError) as error:
            self.env.tx.rollback(savepoint)
            description = self.env.model(field.relation).description
            reason = (
                f"Cannot create new '{description}' records from their name alone."
                " Please create those records manually and try importing again."
            )
            raise self._no_match(field, None, name, reason) from error

    def _no_match(self, field: Field, subfield: str | None, value: Json, reason: str = "") -> CellError:
        kind = {None: "name", "id": "external id", ".id": "database id"}[subfield]
        message = f"No matching record found for {kind} '{value}' in field '{field.string}'"
        if reason:
            message += f" and the following error was encountered when we attempted to create one: {reason}"
        extra: Row = {"moreinfo": _action(field, subfield)}
        if self.env.context.get("import_file"):
            extra |= {"value": str(value)[:50], "field_type": kind}
        return CellError(message, **extra)


def _reference_column(cell: SubRecord) -> str | None:
    if set(cell) - REFERENCES:
        raise CellError("Can not create Many-To-One records indirectly, import the field separately")
    if len(cell) > 1:
        raise CellError("Ambiguous specification for field, only provide one of name, external id or database id")
    return next(iter(cell))


def _lowered(value: Json) -> str:
    if not isinstance(value, str):
        raise NoSuchMethodError(f"'{type(value).__name__}' object has no attribute 'lower'")
    return value.lower()


def _boolean(cell: Json) -> bool:
    text = _lowered(cell)
    if text not in _TRUE | _FALSE:
        raise CellError(
            f"Unknown value '{cell}' for boolean field '%(field)s'", moreinfo="Use '1' for yes and '0' for no"
        )
    return text in _TRUE


def _number(field: Field, cell: Json) -> Json:
    kind = "an integer" if field.type == "integer" else "a number"
    try:
        return int(cell) if field.type == "integer" else float(cell)
    except ValueError as error:
        raise CellError(f"'{cell}' does not seem to be {kind} for field '%(field)s'") from error


def _date(cell: Json) -> str:
    try:
        return datetime.strptime(str(cell)[:10], "%Y-%m-%d").strftime("%Y-%m-%d")  # noqa: DTZ007
    except ValueError as error:
        text = f"'{cell}' does not seem to be a valid date for field '%(field)s'"
        raise CellError(text, moreinfo="Use the format '2012-12-31'") from error


def _datetime(cell: Json, zone: str) -> str:
    """Convert local time of the user (or the context) to UTC, as the import does and create does not."""
    text = f"'{cell}' does not seem to be a valid datetime for field '%(field)s'"
    if not isinstance(cell, str) or not _DATETIME.fullmatch(cell):
        raise CellError(text, moreinfo="Use the format '2012-12-31 23:59:59'")
    try:
        local = datetime.fromisoformat(cell).replace(tzinfo=_zone(zone))
    except ValueError as error:
        raise CellError(text, moreinfo="Use the format '2012-12-31 23:59:59'") from error
    return local.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        # Odoo falls back to UTC for a zone it does not know.
        return ZoneInfo("UTC")


def _selection(field: Field, cell: Json) -> str:
    for key, label in field.selection:
        if str(cell).lower() in (key.lower(), label.lower()):
            return key
    raise CellError(
        f"Value '{cell}' not found in selection field '%(field)s'",
        moreinfo=[label for _, label in field.selection],
    )


def _action(field: Field, subfield: str | None) -> Row:
    action: Row = {
        "name": "Possible Values",
        "type": "ir.actions.act_window",
        "target": "new",
        "view_mode": "list,form",
        "views": [[False, "list"], [False, "form"]],
        "context": {"create": False},
        "help": "See all possible values",
        "res_model": field.relation if subfield is None else "ir.model.data",
    }
    return action if subfield is None else {**action, "domain": [["model", "=", field.relation]]}
