"""The little of the CMIS query language that shows its traps: a query here never meets the index."""

import re

from sync_orchestration.sandbox.alfresco.afts import Junction, Not, Query, Term
from sync_orchestration.sandbox.alfresco.errors import QueryError

_SELECT = re.compile(
    r"\s*select\s+.+?\s+from\s+([\w:]+)(?:\s+(?:as\s+)?(?!where\b|order\b)\w+)?"
    r"(?:\s+where\s+(?P<where>.+?))?(?:\s+order\s+by\s+(?P<order>.+?))?\s*",
    re.IGNORECASE | re.DOTALL,
)
_EQUALS = re.compile(r"(?:\w+\.)?([\w:-]+)\s*=\s*'?([^']*)'?")
_NOT_NULL = re.compile(r"(?:\w+\.)?([\w:-]+)\s+is\s+not\s+null", re.IGNORECASE)
_ON_DBID = re.compile(r"node-dbid", re.IGNORECASE)
_AND = re.compile(r"\s+and\s+", re.IGNORECASE)


def parse(text: str) -> tuple[Query, tuple[tuple[str, bool], ...]]:
    """A SELECT as a query and its ORDER BY."""
    match = _SELECT.fullmatch(text)
    if match is None:
        raise QueryError(f"Failed to parse CMIS query: {text}")
    conditions = [_condition(part) for part in _AND.split(match["where"])] if match["where"] else []
    sort = tuple(_order(part) for part in match["order"].split(",")) if match["order"] else ()
    return Junction("AND", (Term("TYPE", match[1]), *conditions)), sort


def _condition(text: str) -> Query:
    if _ON_DBID.search(text):
        # Any comparison with the dbid is a predicate that fails: no rows, and no error either.
        return Not(Junction("AND", ()))
    if match := _NOT_NULL.fullmatch(text.strip()):
        return Term("ISNOTNULL", match[1])
    if match := _EQUALS.fullmatch(text.strip()):
        return Term(match[1], match[2], exact=True)
    raise QueryError(f"The stand-in does not know the CMIS condition {text}")


def _order(text: str) -> tuple[str, bool]:
    words = text.split()
    return words[0].rpartition(".")[2], len(words) < 2 or words[1].lower() != "desc"
