"""Finding and making records by their names: name_search and name_create."""

from .crud import create
from .database import Env
from .errors import Json, UserError
from .query import search

_PATTERN_OPERATORS = ("ilike", "like", "=ilike", "=like")


def name_search(
    env: Env, model: str, name: str, domain: Json = None, *, operator: str = "ilike", limit: int | None = 100
) -> list[int]:
    """Return the ids of the records whose name (or another naming field) matches."""
    base = list(domain or [])
    if name == "" and operator in _PATTERN_OPERATORS:
        return search(env, model, base, limit=limit)
    if model == "res.country" and len(name) == 2:
        # Two letters are tried as a code first, whatever the operator and the case.
        by_code = search(env, model, [("code", "=ilike", name), *base], limit=limit)
        by_name = search(env, model, [("name", operator, name), ("id", "not in", by_code), *base], limit=limit)
        return [*by_code, *by_name][:limit]
    if model == "res.partner.category":
        name = name.rsplit(" / ", 1)[-1]
    return search(env, model, [("display_name", operator, name), *base], limit=limit)


def name_create(env: Env, model: str, name: str) -> int:
    """Create a record from its name alone."""
    rec_name = env.model(model).rec_names[0]
    field = "name" if rec_name == "complete_name" else rec_name
    if field not in env.model(model).fields:
        raise UserError(f"Cannot execute name_create, no _rec_name defined on {model}")
    return create(env, model, [{field: name}])[0]
