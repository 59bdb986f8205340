"""What stands before every page of the record browser: who is it, may they, is it too much, and what went wrong."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar
from urllib.parse import parse_qsl, quote

import anyio
from psycopg import Connection
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sync_orchestration.intake.entrance import read_body
from sync_orchestration.intake.kinds import NO_ACCESS, CallError
from sync_orchestration.intake.records.filters import FilterError
from sync_orchestration.intake.records.login import Reception, Visitor
from sync_orchestration.intake.records.rendering import page
from sync_orchestration.intake.records.views import SyncView
from sync_orchestration.intake.settings import IntakeSettings
from sync_orchestration.intake.storage import Storage
from sync_orchestration.intake.throttle import Gate, Rates
from sync_orchestration.interface.browsing import TooSlowError, bounded_look
from sync_orchestration.interface.persons_word import TooManyWaitError

_AT_ONCE = 2
_SLOW_AT_ONCE = 2
DESKS = _AT_ONCE + _SLOW_AT_ONCE
"""What is worked on at once, pages and what takes its time: they have database sessions of their own, so that pushes
never wait for them."""

_WAITING = 20
_FORM_BYTES = 64 * 1024
_FORM_FIELDS = 40
_OFF = (
    "The record browser is switched off: set INTAKE_OPERATOR_TOKEN, or name an operator in defs/intake/defs.yaml, and "
    "start the intake again."
)

_said = logging.getLogger(f"{__package__}.words")
_Result = TypeVar("_Result")


class TroubleError(Exception):
    """A page cannot be given; `message` is for people."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


_EXPECTED = (TroubleError, CallError, FilterError, TooManyWaitError, TooSlowError)


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of somebody who is logged in; `form` has the fields of a form that was sent."""

    request: Request
    visitor: Visitor
    form: Mapping[str, str]


class Desk:
    """Serves visitors."""

    def __init__(self, settings: IntakeSettings, storage: Storage, views: Mapping[str, SyncView]) -> None:
        self.settings = settings
        self.views = views
        self.reception = Reception(settings.operators)
        self.log_ins = Rates(per_second=1, burst=20)
        self._storage = storage
        self._gate = Gate(DESKS + _WAITING)
        self._workers = anyio.CapacityLimiter(_AT_ONCE)
        self._slow_workers = anyio.CapacityLimiter(_SLOW_AT_ONCE)

    def serve(
        self, answer: Callable[[Visit], Awaitable[Response]], *, operate: bool = False
    ) -> Callable[[Request], Awaitable[Response]]:
        """Return an endpoint that lets in who may; `operate`: who may press buttons."""

        async def endpoint(request: Request) -> Response:
            return await self.guarded(request, lambda: self._visit(request, answer, operate=operate))

        return endpoint

    async def guarded(self, request: Request, answer: Callable[[], Awaitable[Response]]) -> Response:
        """Return the answer, or a page that says what is wrong."""
        if not self.reception.is_open:
            return page("message.html", 404, visitor=None, message=_OFF)
        try:
            with self._gate.entered():
                return await answer()
        except _EXPECTED as error:
            status, message, headers = _told(error)
            return page("message.html", status, headers, visitor=self.reception.visitor(request), message=message)

    async def _visit(
        self, request: Request, answer: Callable[[Visit], Awaitable[Response]], *, operate: bool
    ) -> Response:
        visitor = self.reception.visitor(request)
        if visitor is None:
            return _to_log_in(request)
        request.scope["intake.sender"] = visitor.name
        form: dict[str, str] = {}
        if request.method == "POST":
            form = await read_form(request)
            if not self.reception.sent_by_own_form(visitor, form.get("mark", "")):
                raise TroubleError(403, "This form is too old, or was not ours. Open the page anew and try again.")
        if operate and not visitor.may_operate:
            raise TroubleError(403, "You may look at records, but not change what becomes of them.")
        return await answer(Visit(request, visitor, form))

    async def look(self, job: Callable[[Connection[Any]], _Result]) -> _Result:
        """Run what only reads the tables in a thread. Raises TooSlowError where it takes too long, CallError."""
        return await anyio.to_thread.run_sync(partial(self.look_here, job), limiter=self._workers)

    def look_here(self, job: Callable[[Connection[Any]], _Result]) -> _Result:
        """Run what only reads the tables in this thread."""

        def bounded(conn: Connection[Any]) -> _Result:
            with bounded_look(conn):
                return job(conn)

        return self._storage.run(bounded)

    async def work(self, job: Callable[[Connection[Any]], _Result]) -> _Result:
        """Run what changes the tables in a thread. Raises CallError."""
        return await anyio.to_thread.run_sync(partial(self._storage.run, job), limiter=self._workers)

    async def take_time(self, job: Callable[[], _Result]) -> _Result:
        """Run what may take many seconds in a thread: it never keeps others from their pages."""
        return await anyio.to_thread.run_sync(job, limiter=self._slow_workers)

    def run_here(self, job: Callable[[Connection[Any]], _Result]) -> _Result:
        """Run what needs the database, but no bounds, in this thread. Raises CallError."""
        return self._storage.run(job)

    def show(self, visit: Visit, template: str, status: int = 200, **values: Any) -> Response:
        """Return a page for a visitor."""
        return page(template, status, visitor=visit.visitor, **values)

    def note(self, visit: Visit, said: str) -> None:
        """Write to the log what somebody has asked for."""
        _said.info("%s: %s", visit.visitor.name, said)


def _told(error: Exception) -> tuple[int, str, Mapping[str, str]]:
    """Return the HTTP status, the sentence for people, and the headers of what went wrong."""
    match error:
        case TroubleError():
            return error.status, error.message, {}
        case CallError():
            return error.kind.http, error.message, error.headers
        case FilterError():
            return 400, str(error), {}
        case TooManyWaitError():
            return 503, f"{error} Nothing was asked; try again when they are done.", {}
        case _:
            return 503, "This search takes too long. Narrow it: name a sync and a status, or a shorter time.", {}


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a form that was sent. Raises TroubleError or CallError for what is none."""
    body = await read_body(request, _FORM_BYTES, seconds=10.0)
    try:
        fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_FORM_FIELDS, errors="strict")
    except ValueError:
        raise TroubleError(400, "This is not a form of the record browser.") from None
    return dict(fields)


def _to_log_in(request: Request) -> Response:
    """Send people to the log-in page, and tell programs that their token is not one.

    Whoever follows a link of another site comes without the cookie, although they may have one: they come again from
    a page of ours, and then bring it.
    """
    if "authorization" in request.headers:
        raise CallError(NO_ACCESS, "This needs the token of an operator.")
    if request.method != "GET":
        raise TroubleError(401, "Your log-in is over. Log in, open the page anew and try again.")
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if request.headers.get("sec-fetch-site") == "cross-site":
        return page("again.html", here=wanted)
    return RedirectResponse(f"/records/login?next={quote(wanted, safe='')}", 303)
