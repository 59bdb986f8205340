"""The HTTP addresses of the intake: JSON-RPC, REST, hooks, health, metrics, documentation."""

import json
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sync_orchestration.intake.answers import answer, refusal
from sync_orchestration.intake.documentation.openapi import openapi
from sync_orchestration.intake.documentation.page import page, page_policy
from sync_orchestration.intake.entrance import Entrance
from sync_orchestration.intake.kinds import BAD_PARAMS, CallError
from sync_orchestration.intake.metrics import CONTENT_TYPE
from sync_orchestration.intake.rpc import Dispatcher, RpcAnswer, calls_in, failed
from sync_orchestration.intake.service import Caller, Service
from sync_orchestration.intake.settings import IntakeSettings

_PUSH_FIELDS = frozenset({"records", "atomic"})


class Endpoints:
    """The endpoints for senders and for those who look after the service."""

    def __init__(self, settings: IntakeSettings, service: Service, entrance: Entrance) -> None:
        self._settings = settings
        self._service = service
        self._entrance = entrance
        self._dispatcher = Dispatcher(service)
        self._openapi = openapi(settings)
        self._page = page(settings)

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/rpc", self.rpc, methods=["POST"]),
            Route("/v1/{sync}/records", self.push, methods=["POST"]),
            Route("/v1/{sync}/records/{key:path}", self.status, methods=["GET"]),
            Route("/v1/{sync}/schema", self.schema, methods=["GET"]),
            Route("/healthz", self.health, methods=["GET"]),
            Route("/readyz", self.readiness, methods=["GET"]),
            Route("/metrics", self.metrics, methods=["GET"]),
            Route("/openapi.json", self.openapi, methods=["GET"]),
            Route("/docs", self.docs, methods=["GET"]),
        ]

    async def rpc(self, request: Request) -> Response:
        """Answer JSON-RPC; what stops the whole request is told in its shape too."""
        try:
            async with self._entrance.caller(request) as caller:
                read = await self._entrance.read(request)
                caller.suspicious = read.suspicious
                if (more := calls_in(read.value) - 1) and more < self._settings.limits.calls:
                    self._entrance.rates.take(caller.sender.name, more)
                told = await self._entrance.work(partial(self._dispatcher.answer, caller, read.value))
        except CallError as error:
            self._service.metrics.refused("unknown", error.kind.code)
            told = failed(error)
        return _rpc_response(told)

    async def push(self, request: Request) -> Response:
        """Take the records of a REST call."""
        with self._service.metrics.measured("records.push"):
            async with self._entrance.caller(request) as caller:
                read = await self._entrance.read(request)
                caller.suspicious = read.suspicious
                body, sync = read.value, request.path_params["sync"]
                report = await self._entrance.work(partial(self._pushed, caller, sync, body))
        return answer(report)

    def _pushed(self, caller: Caller, sync: str, body: Any) -> dict[str, Any]:
        if not isinstance(body, dict):
            raise CallError(BAD_PARAMS, "The body is not an object with records.")
        if unknown := sorted(set(body) - _PUSH_FIELDS):
            raise CallError(BAD_PARAMS, f"The body has no field {unknown[0][:80]!r}; it has records and atomic.")
        atomic = body.get("atomic", False)
        return self._service.push(caller, sync, body.get("records"), atomic=atomic).as_json()

    async def status(self, request: Request) -> Response:
        """Tell what became of a record."""
        with self._service.metrics.measured("records.status"):
            async with self._entrance.caller(request) as caller:
                sync, key = request.path_params["sync"], request.path_params["key"]
                told = await self._entrance.work(partial(self._service.status_of_one, caller, sync, key))
        return answer(told)

    async def schema(self, request: Request) -> Response:
        """Tell what a sync's data must be."""
        with self._service.metrics.measured("records.schema"):
            async with self._entrance.caller(request) as caller:
                told = self._service.schema(caller, request.path_params["sync"])
        return answer(told)

    async def health(self, _request: Request) -> Response:
        """The process is alive."""
        return answer({"status": "alive"})

    async def readiness(self, _request: Request) -> Response:
        """The database answers, and its tables are of this program's version."""
        if await self._entrance.hook_work(self._service.storage.is_ready):
            return answer({"status": "ready"})
        return answer({"status": "not ready"}, 503, {"Retry-After": "5"})

    async def metrics(self, request: Request) -> Response:
        """Figures for Prometheus."""
        if not self._settings.open_metrics:
            self._entrance.sender_of(request)
        text = await self._entrance.hook_work(self._service.metrics.text)
        return Response(text, headers={"Content-Type": CONTENT_TYPE})

    async def openapi(self, request: Request) -> Response:
        """The OpenAPI document."""
        if not self._settings.open_documentation:
            self._entrance.sender_of(request)
        return Response(json.dumps(self._openapi, ensure_ascii=False), media_type="application/json")

    async def docs(self, request: Request) -> Response:
        """The documentation as a page that needs nothing from elsewhere."""
        if not self._settings.open_documentation:
            self._entrance.sender_of(request)
        headers = {"Content-Security-Policy": page_policy()}
        return Response(self._page, headers=headers, media_type="text/html")


def _rpc_response(told: RpcAnswer) -> Response:
    if told.body is None:
        return Response(status_code=told.status)
    return answer(told.body, told.status, told.headers)


async def tell_refusal(_request: Request, error: Exception) -> Response:
    """Turn a CallError into its answer; for Starlette's exception handlers."""
    if not isinstance(error, CallError):
        raise error
    return refusal(error)
