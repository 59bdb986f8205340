"""Search domains: prefix notation to a tree, the tree to a predicate on stored rows."""

import operator as operators
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .database import Database
from .errors import Json, Row, WrongValueError
from .models import RELATIONAL, Field

Predicate = Callable[[Row], bool]

_PLAIN_OPERATORS = ("=", "!=", "<>", ">", ">=", "<", "<=", "=?", "in", "not in", "child_of", "any", "not any")
_PATTERN_OPERATORS = ("like", "ilike", "not like", "not ilike", "=like", "=ilike", "not =like", "not =ilike")
_OPERATORS = frozenset((*_PLAIN_OPERATORS, *_PATTERN_OPERATORS))
_COMPARISONS: dict[str, Callable[[Json, Json], bool]] = {
    ">": operators.gt,
    ">=": operators.ge,
    "<": operators.lt,
    "<=": operators.le,
}
_NEGATIONS = {"!=": "=", "<>": "=", "not in": "in", "not like": "like", "not ilike": "ilike"}


@dataclass(frozen=True)
class Leaf:
    """One condition."""

    field: str
    operator: str
    value: Json


@dataclass(frozen=True)
class Group:
    """Conditions joined by & or |; ! has one member."""

    operator: str
    members: tuple["Leaf | Group", ...]


def parse(domain: Json) -> Group:
    """Parse a domain; terms side by side are joined by &."""
    items = list(domain or [])
    position = 0

    def take() -> Leaf | Group:
        nonlocal position
        if position >= len(items):
            raise WrongValueError(f"Domain() invalid, a term is missing: {domain!r}")
        item = items[position]
        position += 1
        if item in ("&", "|"):
            return Group(item, (take(), take()))
        if item == "!":
            return Group("!", (take(),))
        return _leaf(item)

    members = []
    while position < len(items):
        members.append(take())
    return Group("&", tuple(members))


def _leaf(item: Json) -> Leaf | Group:
    if not isinstance(item, list | tuple) or len(item) != 3:
        raise WrongValueError(f"Domain() invalid item in domain: {item!r}")
    field, operator, value = item
    if field in (0, 1) and operator == "=":
        return Group("&" if field == value else "|", ())
    if not isinstance(field, str) or operator not in _OPERATORS:
        raise WrongValueError(f"Invalid operator {operator!r} in domain term {tuple(item)!r}")
    return Leaf(field, "!=" if operator == "<>" else operator, value)


def leaves(node: Leaf | Group) -> Iterable[Leaf]:
    """Yield every condition of the tree."""
    if isinstance(node, Leaf):
        yield node
    else:
        for member in node.members:
            yield from leaves(member)


class Compiler:
    """Turns the conditions on one model into predicates."""

    def __init__(self, db: Database, model: str) -> None:
        self.db = db
        self.model = db.models[model]

    def compile(self, node: Leaf | Group) -> Predicate:
        if isinstance(node, Leaf):
            return self._leaf(node)
        members = [self.compile(member) for member in node.members]
        if node.operator == "!":
            return _negated(members[0])
        if len(members) == 1:
            return members[0]
        if node.operator == "|":
            return lambda row: any(member(row) for member in members)
        return _conjoined(members)

    def _leaf(self, leaf: Leaf) -> Predicate:
        name, _, rest = leaf.field.partition(".")
        field = self._field(name, leaf)
        if rest or leaf.operator in ("any", "not any"):
            return self._through(field, rest, leaf)
        if leaf.operator == "child_of":
            return self._hierarchy(field, leaf)
        if leaf.operator in _NEGATIONS:
            return _negated(self._leaf(Leaf(leaf.field, _NEGATIONS[leaf.operator], leaf.value)))
        return self._positive(field, leaf)

    def _positive(self, field: Field, leaf: Leaf) -> Predicate:
        if field.name == "display_name":
            return self._any_name(leaf)
        if field.type in RELATIONAL:
            return self._relational(field, leaf)
        if field.type in ("datetime", "date"):
            return _temporal(field.name, leaf, self._moment(leaf), self._precision())
        return _plain(field, leaf)

    def _field(self, name: str, leaf: Leaf) -> Field:
        field = self.model.fields.get(name)
        if field is None:
            term = "leaf" if self.db.version < 19 else "condition"
            raise WrongValueError(
                f"Invalid field {self.model.name}.{name} in {term} ({leaf.field!r}, {leaf.operator!r}, {leaf.value!r})"
            )
        if not field.stored and field.name not in ("display_name", "child_ids"):
            raise WrongValueError(f"Non-stored field {self.model.name}.{name} cannot be searched.")
        return field

    def _any_name(self, leaf: Leaf) -> Predicate:
        members = [self._leaf(Leaf(name, leaf.operator, leaf.value)) for name in self.model.rec_names]
        return lambda row: any(member(row) for member in members)

    def _through(self, field: Field, rest: str, leaf: Leaf) -> Predicate:
        """Follow a relation; records it does not lead to never match."""
        if field.relation not in self.db.tables:
            raise WrongValueError(f"Invalid field {self.model.name}.{leaf.field} in domain")
        node = Group("&", (Leaf(rest, leaf.operator, leaf.value),)) if rest else parse(leaf.value)
        matches = Compiler(self.db, field.relation).compile(node)
        ids = {row_id for row_id, row in self.db.tables[field.relation].rows.items() if matches(row)}
        found = self._related(field, ids)
        return _negated(found) if leaf.operator == "not any" and not rest else found

    def _hierarchy(self, field: Field, leaf: Leaf) -> Predicate:
        model = self.model.name if field.name == "id" else field.relation
        rows = self.db.tables[model].rows
        wanted = {int(value) for value in _as_list(leaf.value) if value}

        def is_inside(row_id: int) -> bool:
            current: Json = row_id
            while current:
                if current in wanted:
                    return True
                current = rows[current].get("parent_id") if current in rows else False
            return False

        ids = {row_id for row_id in rows if is_inside(row_id)}
        return (lambda row: row["id"] in ids) if field.name == "id" else self._related(field, ids)

    def _relational(self, field: Field, leaf: Leaf) -> Predicate:
        if leaf.operator in ("=", "in") and not isinstance(leaf.value, str):
            values = {value for value in _as_list(leaf.value) if value}
            found = self._related(field, values)
            if any(not value for value in _as_list(leaf.value)):
                return lambda row: not row[field.name] or found(row)
            return found
        if leaf.operator in (">", ">=", "<", "<="):
            return _comparison(field.name, leaf.operator, leaf.value)
        names = Compiler(self.db, field.relation)
        matches = names.compile(Leaf("display_name", leaf.operator, leaf.value))
        ids = {row_id for row_id, row in self.db.tables[field.relation].rows.items() if matches(row)}
        return self._related(field, ids)

    def _related(self, field: Field, ids: set[int]) -> Predicate:
        name = field.name
        if field.type == "many2one":
            return lambda row: row[name] in ids and bool(row[name])
        if name == "child_ids":
            table = self.db.tables["res.partner"]
            return lambda row: any(child in ids for child in table.find("parent_id", [row["id"]]))
        return lambda row: any(one in ids for one in row[name])

    def _precision(self) -> int | None:
        # Measured: 18.0 compares write_date with its microseconds, 19.0 in whole seconds.
        return None if self.db.version < 19 else 19

    def _moment(self, leaf: Leaf) -> Json:
        value = leaf.value
        if not isinstance(value, str):
            return value
        text = value.replace("T", " ")
        zoned = re.search(r"(Z|[+-]\d\d:?\d\d)$", text[10:])
        if zoned:
            if self.db.version >= 19:
                raise WrongValueError(f"{value!r}: expecting only datetimes with no timezone")
            text = text[: 10 + zoned.start()]
        if len(text) == 10:
            text += " 23:59:59" if leaf.operator in (">", "<=") else " 00:00:00"
        return text if self.db.version < 19 else text[:19]


def _conjoined(members: list[Predicate]) -> Predicate:
    if len(members) == 2:
        first, second = members
        return lambda row: first(row) and second(row)

    def matches(row: Row) -> bool:
        for member in members:  # noqa: SIM110 - a plain loop is twice as fast as all()
            if not member(row):
                return False
        return True

    return matches


def _negated(predicate: Predicate) -> Predicate:
    return lambda row: not predicate(row)


def _as_list(value: Json) -> list[Json]:
    return list(value) if isinstance(value, list | tuple | set) else [value]


def _plain(field: Field, leaf: Leaf) -> Predicate:
    name, operator, value = field.name, leaf.operator, leaf.value
    if operator == "=?":
        return (lambda _row: True) if not value else _plain(field, Leaf(name, "=", value))
    if operator in ("=", "in"):
        if operator == "in" and not isinstance(value, list | tuple):
            raise WrongValueError(f"Invalid value for the operator 'in': {value!r}")
        return _membership(field, _as_list(value) if operator == "in" else [value])
    if operator in (">", ">=", "<", "<="):
        return _comparison(name, operator, value)
    return _pattern(name, operator, str(value or ""))


def _membership(field: Field, values: list[Json]) -> Predicate:
    name = field.name
    if field.type == "boolean":
        wanted = {bool(value) for value in values}
        return lambda row: bool(row[name]) in wanted
    if field.type in ("integer", "float"):
        numbers = {int(value) if value is False else value for value in values}
        return lambda row: row[name] in numbers
    texts = {str(value) for value in values if value not in (False, None, "")}
    if len(texts) < len(values) and any(value in (False, None, "") for value in values):
        return lambda row: not row[name] or row[name] in texts
    return lambda row: row[name] in texts


def _temporal(name: str, leaf: Leaf, moment: Json, precision: int | None) -> Predicate:
    if leaf.operator == "in":
        members = [_temporal(name, Leaf(name, "=", one), one, precision) for one in _as_list(leaf.value)]
        return lambda row: any(member(row) for member in members)
    if leaf.operator != "=":
        return _comparison(name, leaf.operator, moment, precision)
    if not moment:
        return lambda row: not row[name]
    return lambda row: bool(row[name]) and row[name][:precision] == moment


def _comparison(name: str, operator: str, value: Json, precision: int | None = None) -> Predicate:
    """Compare in the stored type's own order, texts up to `precision`; an empty field never matches."""
    if value is False or value is None:
        return lambda _row: False
    compare = _COMPARISONS[operator]
    if isinstance(value, str):
        return lambda row: bool(row[name]) and compare(row[name][:precision], value)
    return lambda row: row[name] is not False and compare(row[name], value)


def _pattern(name: str, operator: str, value: str) -> Predicate:
    if operator.startswith("not "):
        return _negated(_pattern(name, operator.removeprefix("not "), value))
    anchored = operator.startswith("=")
    flags = re.DOTALL | (re.IGNORECASE if operator.endswith("ilike") else 0)
    body = "".join({"%": ".*", "_": "."}.get(char) or re.escape(char) for char in value)
    pattern = re.compile(body if anchored else f".*{body}.*", flags)
    return lambda row: bool(row[name]) and pattern.fullmatch(str(row[name])) is not None
