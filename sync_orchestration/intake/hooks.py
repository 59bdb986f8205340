"""Calls of other systems that something changed: a hint is noted, nothing is read, and the answer comes at once."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sync_orchestration.intake.doorkeeper import bearer_token
from sync_orchestration.intake.entrance import Entrance, read_body
from sync_orchestration.intake.json_text import BadJsonError, read_json
from sync_orchestration.intake.kinds import BAD_JSON, NO_ACCESS, CallError
from sync_orchestration.intake.metrics import Metrics
from sync_orchestration.intake.settings import Hook
from sync_orchestration.intake.storage import Storage
from sync_orchestration.interface.wakes import record_wake

_PATIENCE = 0.5  # seconds; a caller may wait no longer than one in all
_LARGEST_ID = 2**63 - 1


class Hooks:
    """The endpoints that hooks call."""

    def __init__(self, hooks: tuple[Hook, ...], storage: Storage, entrance: Entrance, metrics: Metrics) -> None:
        self._hooks: Mapping[tuple[str, str], Hook] = {(hook.kind, hook.name): hook for hook in hooks}
        self._storage = storage
        self._entrance = entrance
        self._metrics = metrics

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/hooks/{kind}/{name}", self.call, methods=["POST"]),
            Route("/hooks/{kind}/{name}/{secret}", self.call, methods=["POST"]),
        ]

    async def call(self, request: Request) -> Response:
        """Note a hint. The body of a hook without `key_field` is not even read."""
        kind, name = request.path_params["kind"], request.path_params["name"]
        hook = self._hooks.get((kind, name))
        with self._metrics.measured("hook"):
            if not self._entrance.doorkeeper.opens(hook, _secret_of(request, hook)) or hook is None:
                raise CallError(NO_ACCESS)
            async with self._entrance.hook():
                keys = [] if hook.key_field is None else [await self._key(request, hook.key_field)]
                await self._entrance.hook_work(partial(self._note, kind, name, keys))
            self._entrance.announcer.announce(kind, name)
        return Response(status_code=200)

    async def _key(self, request: Request, field: str) -> str:
        limits = self._entrance.limits
        body = await read_body(request, limits.hook_bytes, limits.body_seconds)
        try:
            value = read_json(body, limits.depth).value
        except BadJsonError as error:
            raise CallError(BAD_JSON) from error
        return _id(value, field)

    def _note(self, kind: str, name: str, keys: list[str]) -> None:
        self._storage.run(lambda conn: record_wake(conn, kind, name, keys), patience=_PATIENCE)


def _id(value: Any, field: str) -> str:
    """Return the id of the changed record as text; raises CallError where the body has none."""
    found = value.get(field) if isinstance(value, dict) else None
    if isinstance(found, bool) or not isinstance(found, int) or not 0 < found <= _LARGEST_ID:
        raise CallError(BAD_JSON, f"The body is not an object with the record's number as {field}.")
    return str(found)


def _secret_of(request: Request, hook: Hook | None) -> bytes:
    """Return the secret that a call carries, where the hook expects it."""
    if hook is not None and hook.header is not None:
        return request.headers.get(hook.header, "").encode("latin-1", "replace")
    secret = request.path_params.get("secret")
    return bearer_token(request.headers.get("authorization")) if secret is None else secret.encode()
