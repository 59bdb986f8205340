"""The HTTP surface: access, formats, errors, and the control endpoints of the stand-in."""

from collections.abc import Awaitable, Callable
from html import escape

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from ..faults import FaultMiddleware
from . import about, hooks, routes
from .answers import Answer, FlexiError, to_json, to_xml, unknown_address
from .calls import Call, read_call
from .company import Company
from .world import FlexiWorld

_HEADERS = {"Cache-Control": "private, max-age=0, no-cache", "Vary": "Accept"}
_METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"]


def flexi_app(world: FlexiWorld) -> ASGIApp:
    """Return the server of `world` as an ASGI app; faults can be armed under ``/_sandbox/faults``."""

    async def serve(request: Request) -> Response:
        call = await read_call(request)
        try:
            if _registers_hook(call) and _check_access(world, call) is None:
                await run_in_threadpool(_try_hook, world, call)
            with world.lock:
                answer = _answer(world, call)
                if call.method != "GET" and call.segments[-1] not in ("get", "query"):
                    world.save()
        except FlexiError as error:
            answer = _error_answer(world, error)
        return _response(call, answer)

    app = Starlette(
        routes=[
            Route("/_sandbox/state", lambda _: JSONResponse(world.overview())),
            Route("/_sandbox/switches", _switches_endpoint(world), methods=["GET", "POST"]),
            Route("/_sandbox/actions", _actions_endpoint(world), methods=["POST"]),
            Route("/{path:path}", serve, methods=_METHODS),
        ]
    )
    return FaultMiddleware(app, world.faults)


def _answer(world: FlexiWorld, call: Call) -> Answer:
    if call.segments[:1] == ("login-logout",):
        return Answer(200, text="<html><body><form>Přihlášení</form></body></html>", media_type="text/html")
    if call.segments[:1] != ("c",):
        raise unknown_address(call.url)
    redirect = _check_access(world, call)
    if redirect is not None:
        return redirect
    pause = world.seconds_of_quota_pause()
    if pause is not None:
        error = FlexiError(429, "Denní limit počtu požadavků byl vyčerpán.")
        error.headers["Retry-After"] = str(pause)
        raise error
    if call.method in routes.WRITES and not {"content-length", "transfer-encoding"} & set(call.headers):
        raise FlexiError(411)
    if call.format not in ("json", "xml", "html"):
        raise FlexiError(406)
    if len(call.segments) == 1:
        return about.companies(world.companies.values())
    company = _company(world, call)
    return routes.company_route(company, world.hooks[company.name], call)


def _company(world: FlexiWorld, call: Call) -> Company:
    company = world.companies.get(call.segments[1])
    if company is None:
        raise unknown_address(call.url)
    return company


def _check_access(world: FlexiWorld, call: Call) -> Answer | None:
    """Return a redirect to the login form where the server sends one; raises FlexiError without access."""
    credentials = call.credentials()
    if credentials == (world.user, world.password):
        return None
    wants_form = world.switches.missing_auth == "redirect" and call.params.one("auth") != "http"
    if credentials is None and wants_form:
        return Answer(302, headers={"Location": "/login-logout/login.html"})
    error = FlexiError(401, "Je potřebná autorizace.", "authRequired")
    error.headers["WWW-Authenticate"] = 'Basic realm="ABRA Flexi"'
    raise error


def _registers_hook(call: Call) -> bool:
    plain = len(call.segments) == 3 and call.segments[2] == "hooks" and call.method in routes.WRITES
    return plain and not call.params.flag("skipUrlTest") and bool(call.params.one("url"))


def _try_hook(world: FlexiWorld, call: Call) -> None:
    hooks.try_address(_company(world, call), call.params)


def _error_answer(world: FlexiWorld, error: FlexiError) -> Answer:
    if error.status == 500 and world.switches.error_500_body == "html":
        page = f"<html><body><h1>HTTP 500</h1><pre>{escape(error.message or '')}</pre></body></html>"
        return Answer(500, text=page, media_type="text/html")
    return Answer(error.status, error.body(), headers=error.headers)


def _response(call: Call, answer: Answer) -> Response:
    quiet = call.params.flag("no-http-errors") and 400 <= answer.status < 500
    status = 200 if quiet else answer.status
    text, media_type = _content(call, answer)
    response = Response(text, status, {**_HEADERS, **answer.headers}, media_type)
    response.headers["Set-Cookie"] = "lang=cs;Version=1"
    return response


def _content(call: Call, answer: Answer) -> tuple[str, str]:
    if answer.text is not None:
        return answer.text, answer.media_type or "text/html"
    if answer.payload is None:
        return "", "text/html"
    if call.format == "xml":
        return to_xml(answer.payload), "application/xml"
    text = to_json(answer.payload)
    if call.format == "html":
        return f"<!DOCTYPE html><html><body><pre>{escape(text)}</pre></body></html>", "text/html"
    return text, "application/json"


Endpoint = Callable[[Request], Awaitable[Response]]


def _switches_endpoint(world: FlexiWorld) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        if request.method == "POST":
            try:
                world.change_switches(await request.json())
            except ValidationError as error:
                return JSONResponse({"error": str(error)}, 400)
            world.save()
        return JSONResponse(world.switches.model_dump())

    return endpoint


def _actions_endpoint(world: FlexiWorld) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        wanted = await request.json()
        company = world.companies.get(wanted.get("company", "demo"))
        action = _ACTIONS.get(wanted.get("action"))
        if company is None or action is None:
            return JSONResponse({"error": "unknown company or action", "actions": sorted(_ACTIONS)}, 400)
        with world.lock:
            action(world, company, wanted)
            world.save()
        return JSONResponse({"global_version": company.global_version})

    return endpoint


_ACTIONS: dict[str, Callable[[FlexiWorld, Company, dict[str, str]], object]] = {
    "bulk_changes": lambda _, c, p: c.bulk_changes(int(p["changes"]), int(p["records"])),
    "noise_changes": lambda _, c, p: c.noise_changes(int(p["changes"])),
    "enable_changes": lambda _w, c, _p: c.enable_changes(),
    "disable_changes": lambda _w, c, _p: c.disable_changes(),
    "hold_versions": lambda _w, c, _p: c.hold_versions(),
    "release_versions": lambda _w, c, _p: c.release_versions(),
    "restore": lambda w, c, p: w.restore(c.name, int(p["to_version"])),
    "forget_changes_before": lambda _, c, p: c.forget_changes_before(int(p["version"])),
}
