"""Predicates of the Records API as queries, with the surprises of Citeck's own conversion."""

from typing import Any

from sync_orchestration.sandbox.alfresco.afts import Junction, Not, Query, Range, Term
from sync_orchestration.sandbox.alfresco.errors import QueryError

Json = dict[str, Any]

_ECOS_TYPES = {"emodel/type@idocs-contractor": "idocs:contractor"}
_OPEN = {"gt": (False, True), "ge": (True, True), "lt": (True, False), "le": (True, True)}


def converted(predicate: Any) -> Query:
    """The query of a predicate; an empty predicate matches everything."""
    if not isinstance(predicate, dict):
        raise QueryError(f"Predicate is expected, not {predicate!r}")
    kind = str(predicate.get("t", "")).lower()
    value = predicate.get("val")
    if kind == "":
        return Junction("AND", ())
    if kind in ("and", "or"):
        return Junction("AND" if kind == "and" else "OR", tuple(converted(inner) for inner in value or ()))
    if kind == "not":
        return Not(converted(value))
    attribute = str(predicate.get("att") or predicate.get("a") or "")
    if kind in ("empty", "not-empty"):
        return Term("ISNULL" if kind == "empty" else "ISNOTNULL", attribute)
    return _comparison(kind, attribute, value)


def _comparison(kind: str, attribute: str, value: Any) -> Query:
    text = _text(value)
    match kind:
        case "gt" | "ge":
            query: Query = Range(attribute, text, None, *_OPEN[kind])
        case "lt" | "le":
            query = Range(attribute, None, text, *_OPEN[kind])
        case "eq" if attribute in ("TYPE", "_type", "ASPECT"):
            query = Term("ASPECT" if attribute == "ASPECT" else "TYPE", _ECOS_TYPES.get(text, text))
        case "eq" | "contains":
            query = _any_of(attribute, text, contains=kind == "contains")
        case "in":
            query = Junction("OR", tuple(Term(attribute, _text(item), exact=True) for item in value))
        case "starts" | "ends" | "like":
            pattern = {"starts": f"{text}*", "ends": f"*{text}", "like": text.replace("%", "*")}[kind]
            query = Term(attribute, pattern)
        case _:
            raise QueryError(f"Unknown predicate type: {kind}")
    return query


def _any_of(attribute: str, text: str, *, contains: bool) -> Query:
    """One value, or several: a comma splits a value into alternatives, a slash makes it an interval."""
    parts = text.split(",")
    if len(parts) > 1:
        return Junction("OR", tuple(_any_of(attribute, part, contains=contains) for part in parts))
    low, slash, high = text.partition("/")
    if slash:
        return Range(attribute, low or None, high or None, low_inclusive=True, high_inclusive=True)
    return Term(attribute, f"*{text}*" if contains else text, exact=not contains)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
