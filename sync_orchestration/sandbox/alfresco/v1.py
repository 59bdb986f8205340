"""The v1 REST API: search, nodes, tickets, discovery and probes."""

import re
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sync_orchestration.sandbox.alfresco import afts, cmis
from sync_orchestration.sandbox.alfresco.auth import authenticated, ticket_in
from sync_orchestration.sandbox.alfresco.errors import (
    AuthenticationError,
    DisabledServiceError,
    EntityNotFoundError,
    InvalidArgumentError,
    PermissionDeniedError,
    UnavailableError,
)
from sync_orchestration.sandbox.alfresco.model import short_qname
from sync_orchestration.sandbox.alfresco.search import Search
from sync_orchestration.sandbox.alfresco.updates import v1_update
from sync_orchestration.sandbox.alfresco.views import NODE_INCLUDES, SEARCH_INCLUDES, node_entry, search_row
from sync_orchestration.sandbox.alfresco.world import AlfrescoWorld

Json = dict[str, Any]

_INCLUDE = re.compile(r"[A-Za-z]+(?:/[A-Za-z:]+)?")
_ALWAYS_IN_FIELDS = ("search", "location")


class V1Api:
    """Endpoints over one world; each is called with the world's lock held and raises `RepositoryError`."""

    def __init__(self, world: AlfrescoWorld) -> None:
        self.world = world

    def search(self, request: Request, body: Json) -> Response:
        authenticated(self.world, request)
        search, include = _search(body)
        result = self.world.search(search)
        stale = self.world.switches.stale_search_rows
        rows = [search_row(node, include, stale=stale) for node in result.rows]
        if fields := body.get("fields"):
            kept = {*fields, *include, *_ALWAYS_IN_FIELDS}
            rows = [{"entry": {k: v for k, v in row["entry"].items() if k in kept}} for row in rows]
        paging = body.get("paging") or {}
        pagination: Json = {"count": len(rows), "hasMoreItems": result.has_more}
        if result.total is not None:
            pagination["totalItems"] = result.total
        pagination |= {"skipCount": search.skip, "maxItems": int(paging.get("maxItems", 100))}
        answer: Json = {"pagination": pagination}
        # Only an index has a transaction id to show; an answer of the database has no context at all.
        if result.last_tx_id is not None:
            answer["context"] = {"consistency": {"lastTxId": result.last_tx_id}}
            if body.get("includeRequest"):
                answer["context"]["request"] = body
        return JSONResponse({"list": answer | {"entries": rows}})

    def get_node(self, request: Request) -> Response:
        authenticated(self.world, request)
        node = self.world.node(request.path_params["node_id"])
        if not node.is_readable:
            raise PermissionDeniedError("Permission was denied")
        return JSONResponse(node_entry(node, _node_include(request)))

    def put_node(self, request: Request, body: Json) -> Response:
        user = authenticated(self.world, request)
        node = self.world.node(request.path_params["node_id"])
        include = _node_include(request)
        self.world.write([v1_update(node, body)], user=user, surface="v1")
        return JSONResponse(node_entry(node, include))

    def create_ticket(self, _request: Request, body: Json) -> Response:
        user, password = body.get("userId"), body.get("password")
        if not user or not password:
            raise InvalidArgumentError("Invalid login details. Both userId and password must be provided.")
        if self.world.users.get(user) != password:
            raise PermissionDeniedError("Login failed")
        return JSONResponse({"entry": {"id": self.world.ticket_for(user), "userId": user}}, 201)

    def validate_ticket(self, request: Request) -> Response:
        ticket = self._own_ticket(request)
        return JSONResponse({"entry": {"id": ticket}})

    def delete_ticket(self, request: Request) -> Response:
        del self.world.tickets[self._own_ticket(request)]
        return Response(status_code=204)

    def _own_ticket(self, request: Request) -> str:
        ticket = request.query_params.get("alf_ticket") or ticket_in(request)
        if ticket is None:
            authenticated(self.world, request)
            raise InvalidArgumentError("Ticket base authentication required.")
        if ticket not in self.world.tickets:
            raise AuthenticationError("Authentication failed for Web Script")
        return ticket

    def probe(self, request: Request) -> Response:
        probe = request.path_params["probe_id"]
        if probe not in ("-ready-", "-live-"):
            raise EntityNotFoundError(f"The entity with id: {probe} was not found")
        if probe == "-ready-" and not self.world.switches.ready:
            raise UnavailableError("readyProbe: Failure - Tested")
        return JSONResponse({"entry": {"message": f"{probe.strip('-')}Probe: Success - Tested"}})

    def discovery(self, request: Request) -> Response:
        if not self.world.switches.discovery:
            raise DisabledServiceError("Discovery is disabled.")
        authenticated(self.world, request)
        return JSONResponse({"entry": {"repository": self._repository()}})

    def _repository(self) -> Json:
        version = {
            "major": "23",
            "minor": "2",
            "patch": "1",
            "hotfix": "0",
            "schema": 19200,
            "label": "rcd0e9bba-blocal",
            "display": "23.2.1.0 (rcd0e9bba-blocal) schema 19200",
        }
        status = {
            "isReadOnly": self.world.switches.read_only,
            "isAuditEnabled": True,
            "isQuickShareEnabled": True,
            "isThumbnailGenerationEnabled": True,
            "isDirectAccessUrlEnabled": False,
        }
        return {
            "id": "f5e9297e-793d-4cde-95a2-cdd415ad3087",
            "edition": "Community",
            "version": version,
            "status": status,
            "modules": [],
        }


def _search(body: Json) -> tuple[Search, frozenset[str]]:
    """The search that a request body asks for, and what its rows must include."""
    query = body.get("query")
    if not isinstance(query, dict) or not query.get("query"):
        raise InvalidArgumentError("Required query parameter is missing.")
    include = frozenset(body.get("include") or ())
    for name in include - SEARCH_INCLUDES:
        raise InvalidArgumentError(f"An invalid argument was received {name}")
    paging = body.get("paging") or {}
    skip, limit = _integer(paging, "skipCount", 0), _integer(paging, "maxItems", 100)
    if limit < 1:
        raise InvalidArgumentError("Only positive values supported for maxItems.")
    if skip < 0:
        raise InvalidArgumentError("Negative values not supported for skipCount.")
    language = str(query.get("language", "afts")).lower()
    if language == "cmis":
        return _cmis_search(body, query["query"], skip, limit), include
    if language != "afts":
        raise InvalidArgumentError(f"The stand-in does not speak the query language {language}")
    parsed = [afts.parse(text) for text in (query["query"], *_filter_queries(body))]
    return Search(
        query=parsed[0] if len(parsed) == 1 else afts.Junction("AND", tuple(parsed)),
        sort=_sort(body),
        skip=skip,
        # `limits` does not add to the paging, it takes its place.
        limit=None if body.get("limits") else limit,
    ), include


def _integer(paging: Json, name: str, default: int) -> int:
    value = str(paging.get(name, default))
    if not value.lstrip("-").isdigit():
        raise InvalidArgumentError(f"Invalid paging: {name} is not a number")
    return int(value)


def _cmis_search(body: Json, text: str, skip: int, limit: int) -> Search:
    if body.get("sort") or body.get("filterQueries"):
        raise InvalidArgumentError("Sort and filter queries are not supported for the CMIS language.")
    query, sort = cmis.parse(text)
    return Search(query, sort, skip, limit, language="cmis")


def _filter_queries(body: Json) -> list[str]:
    filters = body.get("filterQueries") or []
    return [item["query"] for item in filters if isinstance(item, dict) and item.get("query")]


def _sort(body: Json) -> tuple[tuple[str, bool], ...]:
    sort = body.get("sort") or []
    definitions = sort if isinstance(sort, list) else [sort]
    fields = []
    for definition in definitions:
        kind = definition.get("type", "FIELD")
        if kind == "FIELD" and not definition.get("field"):
            raise InvalidArgumentError("Required field is missing from sort.")
        if kind == "FIELD":
            name = short_qname(str(definition["field"]).removeprefix("@"))
            fields.append((name, bool(definition.get("ascending", False))))
    return tuple(fields)


def _node_include(request: Request) -> frozenset[str]:
    names = [name for name in request.query_params.get("include", "").split(",") if name]
    for name in names:
        # The grammar of the parameter has no hyphen, so `properties/sys:node-dbid` cannot be asked for.
        if not _INCLUDE.fullmatch(name):
            raise InvalidArgumentError(f"The include {name} is not valid")
        if name.partition("/")[0] not in NODE_INCLUDES:
            raise InvalidArgumentError(f"An invalid argument was received {name}")
    return frozenset(names)
