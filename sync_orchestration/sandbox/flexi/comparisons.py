"""Comparisons of one field with literals, by the type of the field."""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from .conditions import Condition
from .identifiers import find_record, is_identifier, is_numeric
from .records import Record, Table
from .schema import EVIDENCES, Evidence, Field
from .values import without_accents

Comparable = str | float
Reader = Callable[[Record], Comparable | None]

_WALL_TIME = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(\.\d+)?(Z|[+-]\d{2}:?\d{2})?")


class WqlError(ValueError):
    """The filter cannot be understood; the server answers 400."""


@dataclass(frozen=True)
class Context:
    """What a filter may refer to."""

    evidence: Evidence
    tables: Mapping[str, Table]
    now: Callable[[], datetime]


def _folded(text: str) -> str:
    return without_accents(text).lower()


def _contains(a: Comparable, b: Comparable) -> bool:
    return str(b) in str(a)


def _starts(a: Comparable, b: Comparable) -> bool:
    return str(a).startswith(str(b))


def _finishes(a: Comparable, b: Comparable) -> bool:
    return str(a).endswith(str(b))


Operator = Callable[[Comparable, Comparable], bool]

_EQUAL: dict[str, Operator] = dict.fromkeys(("=", "==", "eq"), operator.eq)
_UNEQUAL: dict[str, Operator] = dict.fromkeys(("<>", "!=", "ne", "neq"), operator.ne)
_ABOVE: dict[str, Operator] = {">": operator.gt, "gt": operator.gt, ">=": operator.ge, "gte": operator.ge}
_BELOW: dict[str, Operator] = {"<": operator.lt, "lt": operator.lt, "<=": operator.le, "lte": operator.le}
_PARTS: dict[str, Operator] = {
    "like": _contains,
    "begins": _starts,
    "ends": _finishes,
    "like similar": lambda a, b: _contains(_folded(str(a)), _folded(str(b))),
    "begins similar": lambda a, b: _starts(_folded(str(a)), _folded(str(b))),
    "ends similar": lambda a, b: _finishes(_folded(str(a)), _folded(str(b))),
}
COMPARISONS: Mapping[str, Operator] = {**_EQUAL, **_UNEQUAL, **_ABOVE, **_BELOW, **_PARTS}
"""Every operator with a value on its right, in all spellings."""


def condition_on(context: Context, path: str, name: str, literal: str) -> Condition:
    """Return the condition ``path operator literal``."""
    field, read = _reader(context, path)
    if field.name == "stitky" and literal.startswith("code:") and name in _EQUAL:
        label = literal.removeprefix("code:").upper()
        return Condition(lambda r: label in r.values["stitky"].upper().split(","))
    # The documentation: negative operators over a nested relation are unsupported, write not(...).
    if "." in path and name in _UNEQUAL:
        raise WqlError(f"{path} {name}")
    value = _literal(context, field, literal)
    compare = COMPARISONS[name]
    narrow_ids = frozenset({int(value)}) if path == "id" and name in _EQUAL else None
    above = int(value) - (name in (">=", "gte")) if path == "id" and name in _ABOVE else -1

    def test(record: Record) -> bool:
        own = read(record)
        return own is not None and compare(own, value)

    return Condition(test, narrow_ids, above)


def in_list(context: Context, path: str, literals: list[str]) -> Condition:
    """Return the condition ``path in (…)``."""
    field, read = _reader(context, path)
    values = frozenset(_literal(context, field, literal) for literal in literals)
    ids = frozenset(int(value) for value in values) if path == "id" else None
    return Condition(lambda r: read(r) in values, ids)


def nothing_said(context: Context, path: str, what: str) -> Condition:
    """Return the condition ``path is null|empty|true|false``."""
    field, read = _reader(context, path)
    if what in ("true", "false") and field.type == "logic":
        return Condition(lambda r: read(r) == what)
    if what not in ("null", "empty"):
        raise WqlError(f"is {what}")
    return Condition(lambda r: read(r) in (None, ""))


def _reader(context: Context, path: str) -> tuple[Field, Reader]:
    """Return the last field of the path and how to read its comparable value from a record."""
    name, _, rest = path.partition(".")
    field = context.evidence.by_name.get(name)
    if field is None:
        raise WqlError(f"neznámá vlastnost {name}")
    if not rest:
        return field, _plain_reader(field)
    if field.target is None:
        raise WqlError(path)
    records = context.tables[field.target].records
    inner_field, inner = _reader(Context(EVIDENCES[field.target], context.tables, context.now), rest)

    def read(record: Record) -> Comparable | None:
        key = record.values[name]
        target = records.get(int(key)) if key else None
        return None if target is None else inner(target)

    return inner_field, read


def _plain_reader(field: Field) -> Reader:
    name = field.name
    if name == "id":
        return lambda record: record.id
    if field.type in ("integer", "numeric"):
        return lambda record: float(record.values[name]) if record.values[name] else None
    if field.type == "date":
        return lambda record: record.values[name][:10] or None
    if field.type == "datetime":
        return lambda record: record.values[name][:23] or None
    if field.type == "string":
        return lambda record: record.values[name]
    return lambda record: record.values[name] or None


def _literal(context: Context, field: Field, literal: str) -> Comparable:
    if field.name == "id":
        return _target_id(context.tables[context.evidence.path], literal)
    if field.target is not None:
        return str(_target_id(context.tables[field.target], literal))
    if field.type in ("integer", "numeric"):
        try:
            return float(literal)
        except ValueError as error:
            raise WqlError(literal) from error
    if field.type == "date":
        return literal[:10]
    if field.type == "datetime":
        return _wall_time(literal)
    return literal


def _target_id(table: Table, literal: str) -> int:
    """Return the id that a literal names; -1, which no record has, for one that does not exist."""
    if not is_identifier(literal):
        raise WqlError(literal)
    if is_numeric(literal):
        return int(literal)
    found = find_record(table, literal)
    return -1 if found is None else found


def _wall_time(literal: str) -> str:
    """Return the server's local time; an offset is accepted and ignored, a bare date is refused."""
    match = _WALL_TIME.fullmatch(literal)
    if match is None:
        raise WqlError(literal)
    fraction = (match[2] or ".")[1:4].ljust(3, "0")
    return f"{match[1]}.{fraction}"
