"""Kontur.Focus over HTTP. Errors are plain text, as clients of the real service have recorded them."""

import json
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sync_orchestration.sandbox.company import Company
from sync_orchestration.sandbox.faults import FaultMiddleware
from sync_orchestration.sandbox.kontur.switches import KonturSwitches
from sync_orchestration.sandbox.kontur.world import KonturWorld, Method, Param

MAX_NUMBERS = 100
_KEY_PREFIX = 20


def kontur_app(world: KonturWorld) -> ASGIApp:
    """The ASGI app that serves `world`."""
    service = _Service(world)
    app = Starlette(
        routes=[
            Route("/api3/req", service.method("req"), methods=["GET"]),
            Route("/api3/egrDetails", service.method("egrDetails"), methods=["GET"]),
            Route("/api3/stat", service.stat, methods=["GET"]),
            Route("/api3/{method}/userform", service.userform, methods=["GET"]),
            Route("/_sandbox/state", service.state, methods=["GET"]),
            Route("/_sandbox/switches", service.set_switches, methods=["GET", "POST"]),
        ]
    )
    return FaultMiddleware(app, world.faults)


class _Service:
    def __init__(self, world: KonturWorld) -> None:
        self.world = world

    def method(self, method: Method) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            with self.world.lock:
                return self._refusal(method, request) or self._companies(method, request)

        return endpoint

    def _refusal(self, method: Method, request: Request) -> Response | None:
        """The answer to a caller who may not ask, whatever the question."""
        switches = self.world.switches
        if request.query_params.get("key") != self.world.key:
            return _text("No valid key specified", 403)
        if switches.key_expired:
            return _text("Key is expired", 403)
        if method not in switches.tariff:
            return _text("Method is not included in the tariff", 403)
        if not self.world.may_call():
            return _too_many_requests(switches)
        return None

    def _companies(self, method: Method, request: Request) -> Response:
        world = self.world
        if request.query_params.get("xml", "false").lower() == "true":
            return _text("The stand-in serves no xml", 501)
        asked = {param: _numbers(request, param) for param in ("inn", "ogrn")}
        if world.switches.above_limit == "refuse" and any(len(n) > MAX_NUMBERS for n in asked.values()):
            return _text("Too many inn/ogrn values", 400)
        usable = self._usable(asked["inn"], "inn"), self._usable(asked["ogrn"], "ogrn")
        if not any(usable):
            return _text("inn/ogrn param is not specified", 400)
        companies = self._chosen(*usable)
        if not world.pay(method, companies):
            return _text("Limit is exceeded", world.switches.exhausted_status)
        return Response(world.answer(method, companies), media_type="application/json")

    def _usable(self, numbers: list[str], param: Param) -> list[str]:
        """The well-formed numbers, each once. Malformed ones are ignored as long as one is left."""
        asked = numbers[:MAX_NUMBERS]
        self.world.asked.update(asked)
        return [n for n in dict.fromkeys(asked) if self.world.is_well_formed(param, n)]

    def _chosen(self, inns: list[str], ogrns: list[str]) -> list[Company]:
        by_inn = {c.ogrn: c for inn in inns for c in self.world.find("inn", inn)}
        by_ogrn = {c.ogrn: c for ogrn in ogrns for c in self.world.find("ogrn", ogrn)}
        if not inns or not ogrns or self.world.switches.both_params == "union":
            return list((by_inn | by_ogrn).values())
        if self.world.switches.both_params == "inn":
            return list(by_inn.values())
        return [company for ogrn, company in by_inn.items() if ogrn in by_ogrn]

    async def stat(self, request: Request) -> Response:
        key = request.query_params.get("key", "")
        with self.world.lock:
            if key not in (self.world.key, self.world.key[:_KEY_PREFIX]):
                return _text("Param 'key' not specified or invalid", 400)
            return JSONResponse(self.world.stat())

    async def userform(self, request: Request) -> Response:
        # A page for people, not an endpoint; configurations name it by mistake.
        return HTMLResponse(f"<html><body><h1>{request.path_params['method']}</h1><form></form></body></html>")

    async def state(self, _request: Request) -> Response:
        return JSONResponse(self.world.overview())

    async def set_switches(self, request: Request) -> Response:
        if request.method == "POST":
            with self.world.lock:
                current = self.world.switches.model_dump()
                self.world.switches = KonturSwitches.model_validate(current | await request.json())
                self.world.save()
        return JSONResponse(json.loads(self.world.switches.model_dump_json()))


def _numbers(request: Request, param: Param) -> list[str]:
    return [number for number in request.query_params.get(param, "").split(",") if number]


def _too_many_requests(switches: KonturSwitches) -> Response:
    headers = {} if switches.retry_after is None else {"Retry-After": str(switches.retry_after)}
    return PlainTextResponse("Too many requests", 429, headers)


def _text(body: str, status: int) -> Response:
    return PlainTextResponse(body, status)
