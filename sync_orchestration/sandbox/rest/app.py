"""The CRM over HTTP: routes, the way of a request through the server, and the switches of the sandbox."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import get_args

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sync_orchestration.sandbox.faults import FaultMiddleware
from sync_orchestration.sandbox.rest.answers import Answer, RefusedError, refusal_answer
from sync_orchestration.sandbox.rest.idempotency import fingerprint, key_of
from sync_orchestration.sandbox.rest.reading import list_answer, record_answer
from sync_orchestration.sandbox.rest.records import Collection
from sync_orchestration.sandbox.rest.switches import Paging, RestSwitches
from sync_orchestration.sandbox.rest.world import RestWorld
from sync_orchestration.sandbox.rest.writing import Writer

Work = Callable[[Request, bytes], Answer]
Endpoint = Callable[[Request], Awaitable[Response]]

_HELD_POLL = 0.005


def rest_app(world: RestWorld) -> ASGIApp:
    """The ASGI app that serves `world`."""
    service, control = _Service(world), _Control(world)
    # `/by/cursor/contacts` is `/contacts` with another paging, for clients that meet several APIs at once.
    routes = [
        route
        for prefix in ("", "/by/{paging}")
        for route in (
            Route(f"{prefix}/{{collection}}", service.endpoint(service.collection), methods=["GET", "POST"]),
            Route(f"{prefix}/{{collection}}/batch", service.endpoint(service.batch), methods=["POST"]),
            Route(
                f"{prefix}/{{collection}}/{{record_id}}",
                service.endpoint(service.item),
                methods=["GET", "PUT", "PATCH", "DELETE"],
            ),
        )
    ]
    sandbox = [
        Route("/_sandbox/state", control.state, methods=["GET"]),
        Route("/_sandbox/switches", control.switches, methods=["GET", "POST"]),
    ]
    app = Starlette(routes=[*sandbox, *routes], exception_handlers={HTTPException: service.unrouted})
    return FaultMiddleware(app, world.faults)


class _Service:
    def __init__(self, world: RestWorld) -> None:
        self.world = world

    def endpoint(self, work: Work) -> Endpoint:
        """A request's way: may it ask, was it asked before, the wait, the work."""

        async def endpoint(request: Request) -> Response:
            with self.world.arrival():
                try:
                    with self.world.lock:
                        self.world.access.check(request, self.world.switches)
                    body = await request.body()
                    return await self._once(request, body, work)
                except RefusedError as error:
                    return refusal_answer(error, self.world.switches).response()

        return endpoint

    async def _once(self, request: Request, body: bytes, work: Work) -> Response:
        """Do the work, or give the answer that an earlier request with the same key got."""
        key = self._key(request)
        if key is None:
            return (await self._done(request, body, work)).response()
        keys = self.world.idempotency
        with self.world.lock:
            earlier = keys.claim(key, fingerprint(request.method, request.url.path, body))
        if earlier is not None:
            return earlier.response(Idempotent_Replayed="true")
        try:
            answer = await self._done(request, body, work)
            if answer.status < 300 or (answer.status < 500 and self.world.switches.idempotency_keeps_failures):
                with self.world.lock:
                    keys.keep(key, answer)
                    self.world.save()
            return answer.response()
        finally:
            with self.world.lock:
                keys.release(key)

    def _key(self, request: Request) -> str | None:
        mode = self.world.switches.idempotency
        if request.method != "POST" or mode == "off":
            return None
        header = request.headers.get("Idempotency-Key")
        if not header and mode == "required":
            raise RefusedError(400, "Idempotency-Key is missing")
        return key_of(header) if header else None

    async def _done(self, request: Request, body: bytes, work: Work) -> Answer:
        await asyncio.sleep(self.world.switches.latency_seconds)
        while self.world.switches.held:
            await asyncio.sleep(_HELD_POLL)
        with self.world.lock:
            try:
                answer = work(request, body)
            except RefusedError as error:
                return refusal_answer(error, self.world.switches)
            if request.method not in ("GET", "HEAD"):
                self.world.save()
            return answer

    def collection(self, request: Request, body: bytes) -> Answer:
        collection = self._collection(request)
        if request.method == "POST":
            return Writer(self.world, collection).create(request, body)
        answer = list_answer(collection, request, self._paging(request), self.world.switches)
        self.world.page_served()
        return answer

    def item(self, request: Request, body: bytes) -> Answer:
        collection, record_id = self._collection(request), request.path_params["record_id"]
        writer = Writer(self.world, collection)
        match request.method:
            case "DELETE":
                return writer.delete(record_id)
            case "PUT" | "PATCH":
                return writer.update(request, body, record_id)
            case _:
                return record_answer(collection, record_id, self.world.switches)

    def batch(self, request: Request, body: bytes) -> Answer:
        collection = self._collection(request)
        if not self.world.switches.batches:
            raise RefusedError(404, "Not Found")
        return Writer(self.world, collection).batch(request, body)

    def _collection(self, request: Request) -> Collection:
        found = self.world.collections.get(request.path_params["collection"])
        if found is None:
            raise RefusedError(404, "Not Found")
        return found

    def _paging(self, request: Request) -> Paging:
        asked = request.path_params.get("paging", self.world.switches.paging)
        for style in get_args(Paging):
            if style == asked:
                known: Paging = style
                return known
        raise RefusedError(404, "Not Found")

    async def unrouted(self, _request: Request, error: Exception) -> Response:
        """Paths and methods that do not exist, refused like everything else."""
        if not isinstance(error, HTTPException):
            raise error
        refused = RefusedError(error.status_code, error.detail, headers=error.headers)
        return refusal_answer(refused, self.world.switches).response()


class _Control:
    def __init__(self, world: RestWorld) -> None:
        self.world = world

    async def state(self, _request: Request) -> Response:
        return JSONResponse(self.world.overview())

    async def switches(self, request: Request) -> Response:
        if request.method == "POST":
            sent = await request.json()
            with self.world.lock:
                current = self.world.switches.model_dump()
                self.world.switches = RestSwitches.model_validate(current | sent)
                self.world.save()
        return JSONResponse(json.loads(self.world.switches.model_dump_json()))
