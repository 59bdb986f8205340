"""Alfresco with Citeck over HTTP: routes, errors, and the switches of the sandbox."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sync_orchestration.sandbox.alfresco.auth import authenticated, authenticated_at_gateway
from sync_orchestration.sandbox.alfresco.errors import (
    AuthenticationError,
    EntityNotFoundError,
    InvalidArgumentError,
    QueryError,
    RepositoryError,
    error_response,
)
from sync_orchestration.sandbox.alfresco.nodes import uuid_of
from sync_orchestration.sandbox.alfresco.records import RecordsApi
from sync_orchestration.sandbox.alfresco.switches import AlfrescoSwitches
from sync_orchestration.sandbox.alfresco.v1 import V1Api
from sync_orchestration.sandbox.alfresco.views import metadata
from sync_orchestration.sandbox.alfresco.world import AlfrescoWorld
from sync_orchestration.sandbox.faults import FaultMiddleware

Endpoint = Callable[[Request], Awaitable[Response]]

_PUBLIC = "/alfresco/api/-default-/public"
_NODE = f"{_PUBLIC}/alfresco/versions/1/nodes/{{node_id}}"
_TICKETS = f"{_PUBLIC}/authentication/versions/1/tickets"


def alfresco_app(world: AlfrescoWorld) -> ASGIApp:
    """The ASGI app that serves `world`, in the plain Alfresco and in the Citeck dialect."""
    v1, control = V1Api(world), _Control(world)
    app = Starlette(
        routes=[
            Route(f"{_PUBLIC}/search/versions/1/search", _with_body(world, v1.search), methods=["POST"]),
            Route(_NODE, _plain(world, v1.get_node), methods=["GET"]),
            Route(_NODE, _with_body(world, v1.put_node), methods=["PUT"]),
            Route(f"{_PUBLIC}/alfresco/versions/1/probes/{{probe_id}}", _plain(world, v1.probe)),
            Route(_TICKETS, _with_body(world, v1.create_ticket), methods=["POST"]),
            Route(f"{_TICKETS}/-me-", _plain(world, v1.validate_ticket), methods=["GET"]),
            Route(f"{_TICKETS}/-me-", _plain(world, v1.delete_ticket), methods=["DELETE"]),
            Route("/alfresco/api/discovery", _plain(world, v1.discovery)),
            *(Route(f"/alfresco/{service}/api/metadata", _metadata(world)) for service in ("s", "service")),
            *_records_routes(world),
            Route("/_sandbox/state", control.state),
            Route("/_sandbox/switches", control.switches, methods=["GET", "POST"]),
            Route("/_sandbox/track", control.track, methods=["POST"]),
            Route("/_sandbox/nodes/{node_id}", control.node, methods=["POST"]),
            Route("/{path:path}", _not_found, methods=["GET", "POST", "PUT", "DELETE"]),
        ]
    )
    return FaultMiddleware(app, world.faults)


def _plain(world: AlfrescoWorld, answer: Callable[[Request], Response]) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        try:
            with world.lock:
                return answer(request)
        except RepositoryError as error:
            return _refusal(world, error)

    return endpoint


def _with_body(world: AlfrescoWorld, answer: Callable[[Request, dict[str, Any]], Response]) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        try:
            body = _json(await request.body())
            with world.lock:
                return answer(request, body)
        except RepositoryError as error:
            return _refusal(world, error)

    return endpoint


def _refusal(world: AlfrescoWorld, error: RepositoryError) -> Response:
    status = world.switches.query_error_status if isinstance(error, QueryError) else None
    return error_response(error, status)


def _records_routes(world: AlfrescoWorld) -> list[Route]:
    """The Records API behind the gateway and as web scripts of Alfresco itself."""
    records = RecordsApi(world)

    def at_gateway(action: str) -> Endpoint:
        return _records(world, records, action, authenticated_at_gateway)

    def at_alfresco(action: str) -> Endpoint:
        return _records(world, records, action, authenticated)

    paths = {"/gateway/api/records": at_gateway}
    paths |= {f"/alfresco/{service}/citeck/ecos/records": at_alfresco for service in ("s", "service")}
    return [
        Route(f"{path}/{action}", endpoint(action), methods=["POST"])
        for path, endpoint in paths.items()
        for action in ("query", "mutate")
    ]


def _records(
    world: AlfrescoWorld,
    records: RecordsApi,
    action: str,
    login: Callable[[AlfrescoWorld, Request], str],
) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        try:
            user = login(world, request)
            body = _json(await request.body())
        except AuthenticationError as error:
            return error_response(error)
        except InvalidArgumentError as error:
            # Documented are 200, 401 and 500 only.
            return JSONResponse({"message": str(error)}, 500)
        with world.lock:
            return records.query(body) if action == "query" else records.mutate(body, user)

    return endpoint


def _metadata(world: AlfrescoWorld) -> Endpoint:
    def answer(request: Request) -> Response:
        authenticated(world, request)
        node = world.nodes.get(uuid_of(request.query_params.get("nodeRef", "")))
        if node is None or not node.is_readable:
            # The web script renders an empty object where there is no node, with status 200.
            return JSONResponse({})
        return JSONResponse(
            metadata(
                node,
                short="shortQNames" in request.query_params,
                rendered_numbers=world.switches.metadata_numbers == "freemarker",
            )
        )

    return _plain(world, answer)


async def _not_found(request: Request) -> Response:
    return error_response(EntityNotFoundError(f"The entity with id: {request.url.path} was not found"))


def _json(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw or b"{}")
    except ValueError as error:
        raise InvalidArgumentError(f"Could not read content from HTTP request body: {error}") from error
    if not isinstance(body, dict):
        raise InvalidArgumentError("Could not read content from HTTP request body: no JSON object")
    return body


class _Control:
    """What a person at the demo may change over HTTP."""

    def __init__(self, world: AlfrescoWorld) -> None:
        self.world = world

    async def state(self, _request: Request) -> Response:
        return JSONResponse(self.world.overview())

    async def switches(self, request: Request) -> Response:
        if request.method == "POST":
            changes = _json(await request.body())
            with self.world.lock:
                current = self.world.switches.model_dump()
                self.world.switches = AlfrescoSwitches.model_validate(current | changes)
                self.world.save()
        return JSONResponse(json.loads(self.world.switches.model_dump_json()))

    async def track(self, _request: Request) -> Response:
        self.world.track()
        return JSONResponse({"ok": True})

    async def node(self, request: Request) -> Response:
        """``{"trouble": "locked"}``, ``{"heal": "locked"}`` or ``{"properties": {"kpp": …}}``."""
        node_id, body = request.path_params["node_id"], _json(await request.body())
        if "trouble" in body:
            self.world.trouble(body["trouble"], node_id)
        if "heal" in body:
            self.world.heal(body["heal"], node_id)
        if "properties" in body:
            self.world.edit(node_id, **body["properties"])
        return JSONResponse({"troubles": sorted(self.world.nodes[node_id].troubles)})
