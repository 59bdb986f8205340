"""Around every request: security headers, one line of log, and a last resort for what nobody expected."""

import logging
import time

from opentelemetry.trace import Span
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sync_orchestration.intake.answers import SECURITY_HEADERS, answer, refusal
from sync_orchestration.intake.call_spans import call_span, note_answer
from sync_orchestration.intake.incidents import incident
from sync_orchestration.intake.rpc import failed

_access = logging.getLogger(f"{__package__}.access")


class Watch:
    """ASGI middleware. The log names the pattern of an address, never the address: a secret may be part of it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with call_span(scope) as opened:
            await self._handle(scope, receive, send, opened)

    async def _handle(self, scope: Scope, receive: Receive, send: Send, opened: Span) -> None:
        started = time.perf_counter()
        status = 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets an answer and no traceback
            told = incident(error)
            if status:
                raise ConnectionAbortedError from None  # half an answer is out; the server cuts it off
            if scope["path"] == "/rpc":
                rpc = failed(told)
                response = answer(rpc.body, rpc.status, rpc.headers)
            else:
                response = refusal(told)
            await response(scope, receive, watched)
        finally:
            route = getattr(scope.get("route"), "path", "-")
            milliseconds = (time.perf_counter() - started) * 1_000
            sender = scope.get("intake.sender", "-")
            said = "%s %s %d %.0f ms, sender %s"
            _access.info(said, scope["method"], route, status, milliseconds, sender, extra={"system": sender})
            note_answer(opened, scope["method"], route, status, sender)
