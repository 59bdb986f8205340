"""Log-in, log-out, and the style sheet."""

from functools import partial
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sync_orchestration.intake.records.desk import Desk, Visit, read_form
from sync_orchestration.intake.records.login import PATH
from sync_orchestration.intake.records.rendering import page, style

_WRONG = "This token is not one of an operator."


class Front:
    """The way in and out."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/records/login", self.log_in, methods=["GET", "POST"]),
            Route("/records/logout", self._desk.serve(self.log_out), methods=["POST"]),
            Route("/records/records.css", self.style, methods=["GET"]),
        ]

    async def log_in(self, request: Request) -> Response:
        """Show the log-in page, or exchange a token for a cookie."""
        answer = self._enter if request.method == "POST" else self._door
        return await self._desk.guarded(request, partial(answer, request))

    async def _door(self, request: Request) -> Response:
        return page("login.html", visitor=None, next=_own(request.query_params.get("next", "")), trouble=None)

    async def _enter(self, request: Request) -> Response:
        self._desk.log_ins.take("anybody")
        form = await read_form(request)
        wanted = _own(form.get("next", ""))
        operator = self._desk.reception.operator(form.get("token", "").strip().encode())
        if operator is None:
            return page("login.html", 401, visitor=None, next=wanted, trouble=_WRONG)
        response = RedirectResponse(wanted, 303)
        encrypted = request.url.scheme == "https" or self._desk.settings.public_url.startswith("https://")
        self._desk.reception.welcome(response, operator, encrypted=encrypted)
        return response

    async def log_out(self, visit: Visit) -> Response:
        """Take the cookie back."""
        del visit
        response = RedirectResponse("/records/login", 303)
        self._desk.reception.farewell(response)
        return response

    async def style(self, request: Request) -> Response:
        """The one style sheet."""
        del request
        return Response(style(), media_type="text/css")


def _own(address: str) -> str:
    """Return an address of the record browser as it is, any other one as its first page: no link leads elsewhere."""
    parts = urlsplit(address) if address.isprintable() and "\\" not in address else urlsplit("")
    inside = parts.path == PATH or parts.path.startswith(f"{PATH}/")
    return address if inside and not parts.scheme and not parts.netloc and parts.path != "/records/login" else PATH
