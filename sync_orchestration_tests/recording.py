"""An app around a stand-in that remembers every request with its body."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    params: dict[str, list[str]]
    body: Any

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass
class Recording:
    """Plays `app`, and remembers what it was asked."""

    app: ASGIApp
    asked: list[Asked] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw, more = b"", True
        while more:
            message = await receive()
            raw += message.get("body", b"")
            more = message.get("more_body", False)
        params = parse_qs(scope["query_string"].decode())
        self.asked.append(Asked(scope["method"], scope["path"], params, json.loads(raw) if raw else None))
        given: list[Message] = [{"type": "http.request", "body": raw, "more_body": False}]

        async def replay() -> Message:
            return given.pop() if given else await receive()

        await self.app(scope, replay, send)

    def to(self, *paths: str) -> Sequence[Asked]:
        """The requests whose path ends like one of these."""
        return [asked for asked in self.asked if asked.path.endswith(paths)]
