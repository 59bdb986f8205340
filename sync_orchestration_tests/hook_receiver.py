"""An address that web hooks are delivered to: a small server that keeps what comes, or the real intake behind it."""

import queue
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send


@dataclass(frozen=True)
class Call:
    """One call as it arrived."""

    path: str
    secret: str | None
    body: str = ""


@dataclass
class HookReceiver:
    """Answers 200, or the `statuses` that are prepared; with `inner` that app answers, and is done when it is noted."""

    inner: ASGIApp | None = None
    url: str = ""
    statuses: list[int] = field(default_factory=list)
    calls: "queue.Queue[Call]" = field(default_factory=queue.Queue)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        path, secret = request.url.path, request.headers.get("X-FB-Hook-SecKey")
        if self.inner is not None:
            await self.inner(scope, receive, send)
            self.calls.put(Call(path, secret))
            return
        body = (await request.body()).decode()
        self.calls.put(Call(path, secret, body))
        status = self.statuses.pop(0) if self.statuses else 200
        await Response(status_code=status)(scope, receive, send)

    def next(self) -> Call:
        """Return the next call, once it has come."""
        return self.calls.get(timeout=20)
