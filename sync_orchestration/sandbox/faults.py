"""Faults that a stand-in server commits on request, and the count of what it was asked.

A rule says which requests it hits (method, path pattern), what goes wrong and how often. Rules are set in
process (``Faults.add``) or from outside over HTTP (``POST /_sandbox/faults``), so that a person can break the
demo's servers with curl.
"""

import asyncio
import random
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

FaultKind = Literal[
    "status",  # answer `status` with `headers` and `body` instead of doing the work
    "reset",  # cut the connection before the work is done
    "reset_after",  # do the work, then cut the connection without an answer
    "hang",  # answer nothing for `seconds`, the work not done, then cut the connection
    "hang_after",  # do the work, then keep silent for `seconds` and cut the connection
    "truncate",  # do the work, send only half of the body
    "html",  # an HTML page with status 200 instead of the answer
    "slow",  # do the work, send the body in small pieces over `seconds`
    "endless",  # do the work, send the body but for its end, then blanks while somebody listens, at most `seconds`
]


_BLANK_EVERY = 0.02  # seconds


class FaultRule(BaseModel):
    """One way to misbehave: which requests, what happens, how many times."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: FaultKind
    path: str = ".*"
    method: str | None = None
    status: int = 500
    headers: dict[str, str] = {}
    body: str = "<html><body>Internal error</body></html>"
    seconds: float = 1.0
    times: int | None = 1
    skip: int = 0
    probability: float = 1.0


@dataclass
class _ArmedRule:
    rule: FaultRule
    left: int | None
    to_skip: int


@dataclass
class Faults:
    """The armed rules of one stand-in and its request counts. Safe to use from other threads.

    `at_once` is the largest number of requests that were under way at a time.
    """

    seed: int = 0
    requests: Counter[str] = field(default_factory=Counter)
    injected: Counter[str] = field(default_factory=Counter)
    at_once: int = 0

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way = 0
        self._armed: list[_ArmedRule] = []
        self._random = random.Random(self.seed)

    def add(self, rule: FaultRule) -> None:
        """Arm a rule; rules are tried in the order in which they were added."""
        with self._lock:
            self._armed.append(_ArmedRule(rule, rule.times, rule.skip))

    def clear(self) -> None:
        """Disarm every rule; the counts stay."""
        with self._lock:
            self._armed.clear()

    def reset_counts(self) -> None:
        """Start counting requests and injected faults anew."""
        with self._lock:
            self.requests.clear()
            self.injected.clear()
            self.at_once = self._under_way

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Count a request as under way for a block."""
        with self._lock:
            self._under_way += 1
            self.at_once = max(self.at_once, self._under_way)
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1

    def draw(self, method: str, path: str) -> FaultRule | None:
        """Count the request and return the rule that hits it, if one does."""
        with self._lock:
            self.requests[f"{method} {path}"] += 1
            for armed in self._armed:
                if not self._hits(armed, method, path):
                    continue
                if armed.left is not None:
                    armed.left -= 1
                self.injected[armed.rule.kind] += 1
                return armed.rule
            return None

    def _hits(self, armed: _ArmedRule, method: str, path: str) -> bool:
        rule = armed.rule
        if armed.left == 0 or (rule.method or method) != method or not re.search(rule.path, path):
            return False
        if armed.to_skip:
            armed.to_skip -= 1
            return False
        return self._random.random() < rule.probability


class FaultMiddleware:
    """ASGI middleware: serves ``/_sandbox/faults`` and ``/_sandbox/requests``, commits the armed faults."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self.app = app
        self.faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path: str = scope["path"]
        if path.startswith("/_sandbox/faults") or path == "/_sandbox/requests":
            response = await self._control(Request(scope, receive))
            await response(scope, receive, send)
            return
        if path.startswith("/_sandbox/"):
            await self.app(scope, receive, send)
            return
        with self.faults.under_way():
            rule = self.faults.draw(scope["method"], path)
            if rule is None:
                await self.app(scope, receive, send)
            else:
                await self._commit(rule, scope, receive, send)

    async def _control(self, request: Request) -> Response:
        if request.url.path == "/_sandbox/requests":
            if request.method == "DELETE":
                self.faults.reset_counts()
            counts = {"requests": dict(self.faults.requests), "injected": dict(self.faults.injected)}
            return JSONResponse({**counts, "at_once": self.faults.at_once})
        if request.method == "DELETE":
            self.faults.clear()
        elif request.method == "POST":
            self.faults.add(FaultRule.model_validate(await request.json()))
        return JSONResponse({"ok": True})

    async def _commit(self, rule: FaultRule, scope: Scope, receive: Receive, send: Send) -> None:
        if rule.kind == "status":
            await Response(rule.body, rule.status, {"content-type": "text/html", **rule.headers})(scope, receive, send)
        elif rule.kind == "html":
            await Response("<html><body>Sign in</body></html>", 200, media_type="text/html")(scope, receive, send)
        elif rule.kind in ("reset", "hang"):
            await self._cut(rule, send)
        else:
            await self._misanswer(rule, scope, receive, send)

    async def _misanswer(self, rule: FaultRule, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the app do the work, then spoil the delivery of its answer."""
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        await self.app(scope, receive, keep)
        body = b"".join(m.get("body", b"") for m in messages if m["type"] == "http.response.body")
        start = next(m for m in messages if m["type"] == "http.response.start")
        if rule.kind in ("reset_after", "hang_after"):
            await self._cut(rule, send)
        elif rule.kind == "truncate":
            headers = [(k, v) for k, v in start["headers"] if k.lower() != b"content-length"]
            await send({**start, "headers": [*headers, (b"content-length", str(len(body)).encode())]})
            await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
            _abort(send)
        elif rule.kind == "endless":
            headers = [(k, v) for k, v in start["headers"] if k.lower() != b"content-length"]
            await send({**start, "headers": headers})
            await self._never_end(rule, body[:-1], receive, send)
        else:
            await send(start)
            pieces = 20
            size = len(body) // pieces + 1
            for i in range(0, len(body), size):
                await asyncio.sleep(rule.seconds / pieces)
                await send({"type": "http.response.body", "body": body[i : i + size], "more_body": True})
            await send({"type": "http.response.body", "body": b""})

    async def _never_end(self, rule: FaultRule, body: bytes, receive: Receive, send: Send) -> None:
        leaving = asyncio.ensure_future(_left(receive))
        for _ in range(int(rule.seconds / _BLANK_EVERY)):
            await send({"type": "http.response.body", "body": body, "more_body": True})
            body = b" "
            if (await asyncio.wait([leaving], timeout=_BLANK_EVERY))[0]:
                return
        leaving.cancel()
        _abort(send)

    async def _cut(self, rule: FaultRule, send: Send) -> None:
        if rule.kind.startswith("hang"):
            await asyncio.sleep(rule.seconds)
        _abort(send)


async def _left(receive: Receive) -> None:
    """Return when the client listens no more."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _abort(send: Send) -> None:
    """Close the client's connection at once.

    ASGI has no such message; uvicorn's ``send`` is a method of the request cycle, which holds the transport.
    """
    transport: asyncio.Transport = send.__self__.transport  # type: ignore[attr-defined]
    transport.abort()
