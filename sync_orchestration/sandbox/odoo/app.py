"""The HTTP face of the stand-in: routes, status codes, headers, and the sandbox's own controls."""

import asyncio
import json
from datetime import timedelta

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from ..faults import FaultMiddleware
from .calls import Outcome, perform
from .errors import Json, OdooError
from .faulttext import body_of
from .json2 import database_of, request_of
from .jsonrpc import JsonRpcAnswer, dispatch
from .switches import OdooSwitches
from .world import SERVER_VERSIONS, OdooWorld


def odoo_app(world: OdooWorld) -> ASGIApp:
    """Return the ASGI app that serves `world`."""
    pages = _Pages(world)
    routes = [
        Route("/jsonrpc", pages.jsonrpc, methods=["POST"]),
        Route("/_sandbox/state", pages.state, methods=["GET"]),
        Route("/_sandbox/switches", pages.switches, methods=["POST"]),
        Route("/_sandbox/late", pages.late, methods=["POST"]),
    ]
    if world.version >= 19:
        routes += [
            Route("/web/version", pages.version, methods=["GET"]),
            Route("/json/2/{model}/{method}", pages.json2, methods=["POST"]),
        ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _html_error})
    return FaultMiddleware(app, world.faults)


class _Pages:
    """The endpoints."""

    def __init__(self, world: OdooWorld) -> None:
        self.world = world

    async def jsonrpc(self, request: HttpRequest) -> Response:
        if not self.world.switches.legacy_rpc:
            return _html(404, "Not Found")
        if not _is_json(request):
            return _html(400 if self.world.version < 19 else 415, "Bad Content-Type")
        try:
            envelope = json.loads(await request.body())
            request_id, params = envelope.get("id"), envelope.get("params") or {}
        except (ValueError, AttributeError):
            return _closing(Response("Invalid JSON data", 400, media_type="text/plain"))
        answer = JsonRpcAnswer(self.world, request_id)
        try:
            served = dispatch(self.world, params)
            result = await self._finished(served)
        except OdooError as error:
            return _json(answer.error(error))
        return _json(answer.result(result))

    async def json2(self, request: HttpRequest) -> Response:
        if database_of(self.world, request.headers.get("x-odoo-database")) is None:
            return _html(404, "Not Found")
        if not _is_json(request):
            return _html(415, "Unsupported Media Type")
        model, method = request.path_params["model"], request.path_params["method"]
        authorization = request.headers.get("authorization", "")
        body = await request.body()
        try:
            call = request_of(self.world, model, method, authorization, body)
            result = await self._finished(perform(self.world, call))
        except OdooError as error:
            headers = {"www-authenticate": "bearer"} if error.status == 401 else {}
            fault = json.dumps(body_of(error, self.world.version)).encode()
            return _json(fault, error.status, headers)
        return _json(json.dumps(result).encode())

    async def version(self, _request: HttpRequest) -> Response:
        version, info = SERVER_VERSIONS[self.world.version]
        return _json(json.dumps({"version": version, "version_info": info}).encode())

    async def state(self, _request: HttpRequest) -> Response:
        return JSONResponse(self.world.summary())

    async def switches(self, request: HttpRequest) -> Response:
        changed = {**self.world.switches.model_dump(), **await request.json()}
        try:
            self.world.switches = OdooSwitches.model_validate(changed)
        except ValidationError as error:
            return JSONResponse({"error": str(error)}, 422)
        return JSONResponse(self.world.switches.model_dump(mode="json"))

    async def late(self, request: HttpRequest) -> Response:
        """Commit a call as a transaction that has begun `seconds` ago."""
        asked = await request.json()
        started = self.world.db.clock() - timedelta(seconds=float(asked["seconds"]))
        args, kwargs = asked.get("args", []), asked.get("kwargs", {})
        result = self.world.call(asked["model"], asked["method"], *args, started=started, **kwargs)
        return JSONResponse({"result": result})

    async def _finished(self, served: tuple[Json, float] | Outcome) -> Json:
        """Wait as long as the call costs, post its web hooks, and return its result."""
        if not isinstance(served, Outcome):
            await asyncio.sleep(served[1])
            return served[0]
        if served.seconds:
            await asyncio.sleep(served.seconds)
        if served.posts:
            await asyncio.to_thread(served.deliver)
        return served.finish()


def _is_json(request: HttpRequest) -> bool:
    return request.headers.get("content-type", "").split(";")[0].strip() == "application/json"


async def _html_error(_request: HttpRequest, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return _html(status, {404: "Not Found", 405: "Method Not Allowed"}.get(status, "Error"))


def _html(status: int, title: str) -> Response:
    page = f"<!doctype html>\n<html lang=en>\n<title>{status} {title}</title>\n<h1>{title}</h1>\n"
    return _closing(Response(page, status, media_type="text/html"))


def _json(body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return _closing(Response(body, status, headers, media_type="application/json"))


def _closing(response: Response) -> Response:
    # Measured: Odoo keeps no connection alive, threaded or prefork.
    response.headers["connection"] = "close"
    return response
