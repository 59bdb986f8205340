"""search and read: finding ids with the help of indexes, ordering them, and building what the client gets."""

import re
from collections.abc import Callable, Iterable
from itertools import islice

from .access import hidden_record
from .database import Env
from .domains import Compiler, Group, Leaf, leaves, parse
from .errors import Json, Row, UserError, WrongValueError
from .models import Field
from .switches import Operation
from .table import Table

_ORDER_TERM = re.compile(r"\s*\"?(\w+)\"?(\s+(asc|desc))?(\s+nulls (first|last))?\s*", re.IGNORECASE)


def search(
    env: Env, model: str, domain: Json, *, offset: int = 0, limit: int | None = None, order: str | None = None
) -> list[int]:
    """Return the ids the user may see that match the domain, in order."""
    definition = env.model(model)
    tree = parse(domain)
    if definition.has_active and env.active_test and all(leaf.field != "active" for leaf in leaves(tree)):
        tree = Group("&", (tree, Leaf("active", "=", value=True)))
    matches = Compiler(env.db, model).compile(tree)
    table = env.db.tables[model]
    visible = visible_ids(env, model)
    terms = _order_terms(env, model, order or definition.order)
    candidates = _candidates(table, tree)
    rows = table.rows
    found = (i for i in candidates if i in rows and matches(rows[i]) and (visible is None or i in visible))
    stop = None if limit is None else offset + limit
    if terms == [("id", False)]:
        return list(islice(found, offset, stop))
    return _sorted(env, model, list(found), terms)[offset:stop]


def visible_ids(env: Env, model: str, operation: Operation = "read") -> set[int] | None:
    """Return the ids the record rules leave to the user for an operation; None where there is no rule."""
    hidden = env.db.switches.hidden.get(model, {}).get(operation, ())
    if env.user.role != "portal" or model != "res.partner":
        return env.db.tables[model].rows.keys() - set(hidden) if hidden else None
    own = env.user.partner_id
    row = env.db.row(model, own) or {}
    family = {own, *env.db.tables[model].find("parent_id", [own]), *filter(None, [row.get("parent_id")])}
    return family - set(hidden)


def read(env: Env, model: str, ids: Iterable[int], fields: list[str] | None, *, names: bool = True) -> list[Row]:
    """Return the records as the RPC does; a missing id is just absent."""
    definition = env.model(model)
    wanted = list(dict.fromkeys(fields)) if fields else list(definition.fields)
    for name in wanted:
        if name not in definition.fields:
            where = f"in {model!r}" if env.db.version >= 19 else f"on model {model!r}"
            raise WrongValueError(f"Invalid field {name!r} {where}")
    getters = [(name, _getter(env, definition.fields[name], model, names=names)) for name in wanted if name != "id"]
    rows = env.db.tables[model].rows
    visible = visible_ids(env, model)
    answer: list[Row] = []
    for row_id in ids:
        row = rows.get(row_id)
        if row is None:
            continue
        if visible is not None and row_id not in visible:
            description = definition.description
            raise hidden_record(description, model, "read", env.user, env.db.display_name(model, row_id), row_id)
        record: Row = {"id": row_id}
        for name, getter in getters:
            record[name] = getter(row)
        answer.append(record)
    return answer


def _getter(env: Env, field: Field, model: str, *, names: bool) -> Callable[[Row], Json]:
    name, db = field.name, env.db
    if name == "display_name":
        return lambda row: db.display_name(model, row["id"])
    if name == "company_type":
        return lambda row: "company" if row["is_company"] else "person"
    if name == "child_ids":
        return lambda row: db.tables[model].find("parent_id", [row["id"]])
    if field.type == "datetime":
        return lambda row: row[name] and row[name][:19]
    if field.type == "many2one" and names:
        return lambda row: [row[name], db.display_name(field.relation, row[name])] if row[name] else False
    return lambda row: row[name]


def _candidates(table: Table, tree: Group) -> Iterable[int]:
    """Return the fewest ids, ascending, that an index says can match; all of them without an index."""
    best: list[int] | None = None
    for leaf in _conjunction(tree):
        found = _by_index(table, leaf)
        if found is not None and (best is None or len(found) < len(best)):
            best = found
    return table.sorted_ids() if best is None else best


def _conjunction(node: Leaf | Group) -> Iterable[Leaf]:
    if isinstance(node, Leaf):
        yield node
    elif node.operator == "&":
        for member in node.members:
            yield from _conjunction(member)


def _by_index(table: Table, leaf: Leaf) -> list[int] | None:
    if leaf.field == "id" and leaf.operator in (">", ">=") and isinstance(leaf.value, int):
        return table.ids_after(leaf.value - (leaf.operator == ">="))
    if leaf.operator not in ("=", "in"):
        return None
    values = leaf.value if leaf.operator == "in" and isinstance(leaf.value, list) else [leaf.value]
    if not all(values) or (isinstance(leaf.value, str) and leaf.operator == "in"):
        return None
    if leaf.field == "id":
        return sorted({value for value in values if value in table.rows})
    return sorted(set(table.find(leaf.field, values))) if _is_usable(table, leaf, values) else None


def _is_usable(table: Table, leaf: Leaf, values: list[Json]) -> bool:
    kind = int if leaf.field.endswith("_id") else str
    return table.has_index(leaf.field) and all(isinstance(value, kind) for value in values)


def _order_terms(env: Env, model: str, order: str) -> list[tuple[str, bool]]:
    terms = []
    for part in order.split(","):
        match = _ORDER_TERM.fullmatch(part)
        if match is None:
            raise UserError(
                f'Invalid "order" specified ({order}).'
                ' A valid "order" specification is a comma-separated list of valid field names'
                " (optionally followed by asc/desc for the direction)"
            )
        name = match[1]
        field = env.model(model).fields.get(name)
        if field is None or not (field.stored or name == "display_name"):
            raise WrongValueError(f"Invalid field {name!r} on model {model!r}")
        terms.append((name, (match[3] or "").lower() == "desc"))
    return terms


def _sorted(env: Env, model: str, ids: list[int], terms: list[tuple[str, bool]]) -> list[int]:
    rows = env.db.tables[model].rows
    for name, descending in reversed(terms):
        ids.sort(key=_sort_key(rows, _sort_value(env, model, name)), reverse=descending)
    return ids


def _sort_key(rows: dict[int, Row], value_of: Callable[[Row], Json]) -> Callable[[int], tuple[bool, Json]]:
    def key(row_id: int) -> tuple[bool, Json]:
        value = value_of(rows[row_id])
        # PostgreSQL puts NULL last when ascending, first when descending.
        return (value is False or value is None, value or 0)

    return key


def _sort_value(env: Env, model: str, name: str) -> Callable[[Row], Json]:
    field = env.model(model).fields[name]
    if field.type == "many2one":
        return lambda row: row[name] and env.db.display_name(field.relation, row[name]).casefold()
    if field.type in ("char", "text", "selection", "html"):
        return lambda row: row[name] and row[name].casefold()
    if field.type == "boolean":
        return lambda row: int(bool(row[name]))
    return lambda row: row[name]
