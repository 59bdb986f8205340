"""The two engines that answer queries: the database and the index. Only the index knows of ranges.

Where nobody asked for a sort that the engine can do, rows come in an order of no meaning (here: by uuid).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from sync_orchestration.sandbox.alfresco.afts import Junction, Not, Query, Range, Term
from sync_orchestration.sandbox.alfresco.errors import QueryError
from sync_orchestration.sandbox.alfresco.matching import compiled
from sync_orchestration.sandbox.alfresco.nodes import Document, Node
from sync_orchestration.sandbox.alfresco.switches import AlfrescoSwitches

DBID = ("sys:node-dbid", "DBID")
Consistency = Literal["DEFAULT", "EVENTUAL", "TRANSACTIONAL"]

_EVERYTHING = Junction("AND", ())
_DATABASE_FIELDS = ("TYPE", "EXACTTYPE", "ASPECT", "EXACTASPECT", "EXISTS", "ISNOTNULL", "ISNULL", "ISUNSET")


@dataclass(frozen=True)
class Search:
    """A query with its order and page. `limit` None means unlimited, which the repository does not grant."""

    query: Query
    sort: tuple[tuple[str, bool], ...] = ()
    skip: int = 0
    limit: int | None = 100
    consistency: Consistency = "DEFAULT"
    language: Literal["afts", "cmis"] = "afts"


@dataclass(frozen=True)
class Result:
    """One page. The database gives neither a total nor a transaction id: that is how one knows it."""

    page: list[Node]
    has_more: bool
    total: int | None = None
    last_tx_id: int | None = None

    @property
    def rows(self) -> list[Node]:
        """The page without the nodes that the index still lists although they are gone or out of sight."""
        return [node for node in self.page if node.is_readable]


class Store(Protocol):
    """What the engines need to see of the repository."""

    switches: AlfrescoSwitches
    txn: int
    index: "Index"

    def live_nodes(self) -> Iterable[Node]:
        """Every node that the database has."""
        ...


class Index:
    """The documents that have been indexed, by node-dbid, and the matches of the queries asked last."""

    def __init__(self) -> None:
        self._nodes: dict[int, Node] = {}
        self._matches: dict[Query, list[int]] = {}

    def put(self, node: Node) -> None:
        """Index the node as it is now."""
        node.indexed = node.as_document()
        self.restore(node)

    def restore(self, node: Node) -> None:
        """Take up a node with the document that it already has."""
        self._nodes[node.dbid] = node
        self._matches.clear()

    def drop(self, node: Node) -> None:
        """Forget the node."""
        self._nodes.pop(node.dbid, None)
        node.indexed = None
        self._matches.clear()

    def __len__(self) -> int:
        return len(self._nodes)

    def node(self, dbid: int) -> Node:
        """The node of an indexed dbid."""
        return self._nodes[dbid]

    def matches(self, query: Query) -> list[int]:
        """The dbids that match, ascending."""
        rest, low, high = _without_dbid_range(query)
        found = self._matches.get(rest)
        if found is None:
            matches = compiled(rest)
            found = sorted(d for d, node in self._nodes.items() if node.indexed and matches(node.indexed))
            self._matches[rest] = found
        return found[bisect_left(found, low) : bisect_right(found, high)]


def run(store: Store, search: Search) -> Result:
    """Answer a search with the engine that the repository would choose."""
    if search.consistency == "EVENTUAL" or (
        search.consistency == "DEFAULT" and store.switches.consistency == "EVENTUAL"
    ):
        return _from_index(store, search)
    if _database_can(search):
        return _from_database(store, search)
    if search.consistency == "TRANSACTIONAL":
        raise QueryError("Transactional query is not supported: Range term is unsupported")
    return _from_index(store, search)


def _from_database(store: Store, search: Search) -> Result:
    matches = compiled(_dbid_terms_fail(search.query))
    found = [node for node in store.live_nodes() if matches(node.as_document())]
    # Rows beyond the permission checks do not exist for the caller, whatever page is asked for.
    found = sorted(found, key=_meaningless_order)[: store.switches.max_permission_checks]
    found = [node for node in found if node.is_readable]
    if search.sort and not any(field in DBID for field, _ in search.sort):
        found = _sorted(found, search.sort, lambda node: node.as_document())
    end = len(found) if search.limit is None else search.skip + search.limit
    return Result(found[search.skip : end], has_more=end < len(found))


def _from_index(store: Store, search: Search) -> Result:
    if store.switches.index == "noindex":
        raise QueryError("No index is configured: Range term is unsupported")
    unmapped = _fields(search.query) | {field for field, _ in search.sort}
    if store.switches.index == "elasticsearch" and unmapped & set(DBID):
        raise QueryError("Search engine: field sys:node-dbid is not mapped")
    dbids = _ordered(store.index, store.index.matches(search.query), search.sort)
    limit = store.switches.max_permission_checks if search.limit is None else search.limit
    page = [store.index.node(dbid) for dbid in dbids[search.skip : search.skip + limit]]
    return Result(
        page,
        has_more=search.skip + limit < len(dbids),
        total=len(dbids),
        last_tx_id=store.txn,
    )


def _ordered(index: Index, dbids: list[int], sort: tuple[tuple[str, bool], ...]) -> list[int]:
    if sort and sort[0][0] in DBID:
        return dbids if sort[0][1] else dbids[::-1]
    nodes = sorted((index.node(dbid) for dbid in dbids), key=_meaningless_order)
    return [node.dbid for node in _sorted(nodes, sort, lambda node: node.indexed or {})]


def _sorted(nodes: list[Node], sort: tuple[tuple[str, bool], ...], document: Callable[[Node], Document]) -> list[Node]:
    for field, ascending in reversed(sort):
        nodes = sorted(nodes, key=lambda node: _sort_key(document(node).get(field)), reverse=not ascending)
    return nodes


def _sort_key(value: Any) -> tuple[bool, int, str]:
    number = value if isinstance(value, int) else 0
    return value is not None, number, str(value)


def _meaningless_order(node: Node) -> str:
    return node.uuid


def _database_can(search: Search) -> bool:
    """Whether the database engine takes the query; a range is the usual thing that it does not."""
    return search.language == "cmis" or all(
        isinstance(term, Term) and (term.exact or term.field in _DATABASE_FIELDS) for term in _terms(search.query)
    )


def _dbid_terms_fail(query: Query) -> Query:
    """In the database a node-dbid is a column, not a stored property: every predicate on it is false."""
    match query:
        case Term() | Range():
            return Not(_EVERYTHING) if query.field in DBID else query
        case Not(operand):
            return Not(_dbid_terms_fail(operand))
        case Junction():
            return replace(query, operands=tuple(_dbid_terms_fail(o) for o in query.operands))


def _terms(query: Query) -> Iterable[Term | Range]:
    match query:
        case Term() | Range():
            yield query
        case Not(operand):
            yield from _terms(operand)
        case Junction():
            for operand in query.operands:
                yield from _terms(operand)


def _fields(query: Query) -> set[str]:
    return {term.field for term in _terms(query)}


def _without_dbid_range(query: Query) -> tuple[Query, float, float]:
    """Split off the node-dbid ranges that the whole query is narrowed by, as inclusive bounds."""
    operands = query.operands if isinstance(query, Junction) and query.operator == "AND" else (query,)
    low, high = float("-inf"), float("inf")
    rest: list[Query] = []
    for operand in operands:
        if isinstance(operand, Range) and operand.field in DBID:
            lower, upper = _whole(operand.low), _whole(operand.high)
            if lower is not None:
                low = max(low, lower if operand.low_inclusive else lower + 1)
            if upper is not None:
                high = min(high, upper if operand.high_inclusive else upper - 1)
        elif isinstance(operand, Junction) and operand.operator == "AND":
            inner, inner_low, inner_high = _without_dbid_range(operand)
            low, high = max(low, inner_low), min(high, inner_high)
            rest.append(inner)
        else:
            rest.append(operand)
    return (rest[0] if len(rest) == 1 else Junction("AND", tuple(rest))), low, high


def _whole(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.lstrip("-").isdigit():
        raise QueryError(f"For input string: {text}")
    return int(text)
