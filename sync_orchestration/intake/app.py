"""The intake as an ASGI app."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from types import MappingProxyType

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sync_orchestration.intake.announcer import Announcer, Whom, tell_all
from sync_orchestration.intake.answers import refusal
from sync_orchestration.intake.endpoints import Endpoints, tell_refusal
from sync_orchestration.intake.entrance import Entrance
from sync_orchestration.intake.hooks import Hooks
from sync_orchestration.intake.kinds import NO_METHOD, NO_METHOD_FOR_ADDRESS, CallError
from sync_orchestration.intake.records.desk import DESKS
from sync_orchestration.intake.records.routes import record_routes
from sync_orchestration.intake.records.views import SyncView
from sync_orchestration.intake.references import References
from sync_orchestration.intake.run_figures import RunFigures
from sync_orchestration.intake.service import Service
from sync_orchestration.intake.settings import IntakeSettings
from sync_orchestration.intake.storage import Storage
from sync_orchestration.intake.watch import Watch

_SPARE_SESSIONS = 6 + DESKS
"""Two for hooks and readiness, one for the announcer, three for what metrics ask at once, the record browser's own."""


class IntakeApp:
    """An ASGI app with database sessions, which the server's shutdown or `close` ends."""

    def __init__(self, app: Starlette, storage: Storage) -> None:
        self._app = app
        self._storage = storage

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve as ASGI asks."""
        await self._app(scope, receive, send)

    def close(self) -> None:
        """End the database sessions."""
        self._storage.close()


def intake_app(
    settings: IntakeSettings,
    database_url: str,
    references: Mapping[str, References],
    views: Mapping[str, SyncView] = MappingProxyType({}),
    relays: Mapping[str, str] = MappingProxyType({}),
    runs: Callable[[], RunFigures] | None = None,
) -> IntakeApp:
    """Put the intake together. `references` has for each sync that needs one who looks up its related records.

    `views` has for each sync what the record browser knows of it beside its rows. For the metrics, `relays` names the
    sync that a sync reads from, and `runs` tells of the runs of all syncs. The database is not touched before the first
    call. Raises IntakeConfigurationError.
    """
    limits = settings.limits
    storage = Storage(database_url, limits.running + _SPARE_SESSIONS, limits.database_seconds)
    service = Service.of(settings, storage, references, relays, runs)
    announcer = Announcer(partial(_tell, storage))
    entrance = Entrance(settings, announcer)
    endpoints = Endpoints(settings, service, entrance)
    hooks = Hooks(settings.hooks, storage, entrance, service.metrics)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        storage.close()

    app = Starlette(
        routes=[*endpoints.routes(), *hooks.routes(), *record_routes(settings, storage, views)],
        middleware=[Middleware(Watch)],
        exception_handlers={CallError: tell_refusal, HTTPException: _no_such_address},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return IntakeApp(app, storage)


def _tell(storage: Storage, whom: frozenset[Whom]) -> None:
    tell_all(whom, storage.run)


async def _no_such_address(_request: Request, error: Exception) -> Response:
    """Answer what the router refuses: an unknown address, or one that knows other HTTP methods only."""
    if isinstance(error, HTTPException) and error.status_code == 405:
        response = refusal(CallError(NO_METHOD_FOR_ADDRESS))
        response.headers.update(error.headers or {})
        return response
    return refusal(CallError(NO_METHOD, "There is nothing at this address."))
