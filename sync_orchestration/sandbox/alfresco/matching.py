"""Queries as functions that say whether a document matches."""

import re
from collections.abc import Callable
from typing import Any

from sync_orchestration.sandbox.alfresco.afts import Junction, Not, Query, Range, Term
from sync_orchestration.sandbox.alfresco.errors import QueryError
from sync_orchestration.sandbox.alfresco.model import is_a, is_type, short_qname
from sync_orchestration.sandbox.alfresco.nodes import Document, uuid_of

Matcher = Callable[[Document], bool]

_UNSUPPORTED = ("PATH", "ANCESTOR", "PARENT", "TEXT", "ALL", "SITE", "TAG")


def compiled(query: Query) -> Matcher:
    """The function that tells whether a document matches `query`."""
    match query:
        case Junction(operator="AND"):
            operands = [compiled(operand) for operand in query.operands]
            return lambda document: all(matches(document) for matches in operands)
        case Junction():
            operands = [compiled(operand) for operand in query.operands]
            return lambda document: any(matches(document) for matches in operands)
        case Not(operand):
            inner = compiled(operand)
            return lambda document: not inner(document)
        case Range():
            return _range(query)
        case Term():
            return _term(query)


def _term(term: Term) -> Matcher:
    if term.field in _UNSUPPORTED:
        raise QueryError(f"The stand-in does not search by {term.field}")
    special = _SPECIAL_FIELDS.get(term.field)
    return special(short_qname(term.value)) if special else _value(term)


def _type(name: str) -> Matcher:
    _check_type(name)
    return lambda document: is_a(document["TYPE"], name)


def _exact_type(name: str) -> Matcher:
    _check_type(name)
    return lambda document: bool(document["TYPE"] == name)


def _check_type(name: str) -> None:
    if not is_type(name):
        raise QueryError(f"Unknown type: {name}")


def _aspect(name: str) -> Matcher:
    return lambda document: name in document["ASPECTS"]


def _exists(name: str) -> Matcher:
    return lambda document: document.get(name) is not None


def _missing(name: str) -> Matcher:
    return lambda document: document.get(name) is None


def _id(reference: str) -> Matcher:
    uuid = uuid_of(reference)
    return lambda document: bool(document["sys:node-uuid"] == uuid)


def _dbid(number: str) -> Matcher:
    return lambda document: str(document["sys:node-dbid"]) == number


def _value(term: Term) -> Matcher:
    # `*` and `?` are wildcards; without `=` a text also matches by one of its words.
    pattern = "".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in term.value)
    fits = re.compile(pattern, re.IGNORECASE | re.DOTALL).fullmatch

    def matches(document: Document) -> bool:
        for text in _texts(document.get(term.field)):
            if fits(text) or (not term.exact and any(fits(word) for word in re.split(r"[\s\"]+", text))):
                return True
        return False

    return matches


def _range(term: Range) -> Matcher:
    def matches(document: Document) -> bool:
        value = document.get(term.field)
        if value is None:
            return False
        return _above(value, term) and _below(value, term)

    return matches


def _above(value: Any, term: Range) -> bool:
    if term.low is None:
        return True
    low = _comparable(term.low, value)
    return bool(value >= low if term.low_inclusive else value > low)


def _below(value: Any, term: Range) -> bool:
    if term.high is None:
        return True
    high = _comparable(term.high, value)
    return bool(value <= high if term.high_inclusive else value < high)


def _comparable(bound: str, value: Any) -> Any:
    if not isinstance(value, int):
        return bound
    if not bound.lstrip("-").isdigit():
        raise QueryError(f"For input string: {bound}")
    return int(bound)


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


_SPECIAL_FIELDS: dict[str, Callable[[str], Matcher]] = {
    "TYPE": _type,
    "EXACTTYPE": _exact_type,
    "ASPECT": _aspect,
    "EXACTASPECT": _aspect,
    "EXISTS": _exists,
    "ISNOTNULL": _exists,
    "ISNULL": _missing,
    "ISUNSET": _missing,
    "ID": _id,
    "DBID": _dbid,
}
