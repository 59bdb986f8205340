"""What stands before every call: who is it, is it too much, and its body, read no further than allowed."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar

import anyio
from starlette.requests import ClientDisconnect, Request

from sync_orchestration.intake.announcer import PUSHED, Announcer
from sync_orchestration.intake.doorkeeper import Doorkeeper
from sync_orchestration.intake.json_text import BadJsonError, Read, read_json
from sync_orchestration.intake.kinds import BAD_JSON, NO_ACCESS, TOO_LARGE, TOO_SLOW, CallError
from sync_orchestration.intake.service import Caller
from sync_orchestration.intake.settings import IntakeSettings, Sender
from sync_orchestration.intake.throttle import Gate, Rates

_HOOKS_AT_ONCE = 2
_HOOKS_WAITING = 100

_Result = TypeVar("_Result")


class Entrance:
    """Lets calls in. Pushes and hooks have places of their own, so that a crowd of one never shuts out the other."""

    def __init__(self, settings: IntakeSettings, announcer: Announcer) -> None:
        limits = settings.limits
        self.limits = limits
        self.doorkeeper = Doorkeeper.of(settings)
        self.rates = Rates(limits.calls_per_second, limits.burst)
        self.announcer = announcer
        self._gate = Gate(limits.running + limits.waiting)
        self._hook_gate = Gate(_HOOKS_AT_ONCE + _HOOKS_WAITING)
        self._workers = anyio.CapacityLimiter(limits.running)
        self._hook_workers = anyio.CapacityLimiter(_HOOKS_AT_ONCE)

    def sender_of(self, request: Request) -> Sender:
        """Return who calls; raises CallError (NO_ACCESS)."""
        sender = self.doorkeeper.sender(request.headers.get("authorization"))
        if sender is None:
            raise CallError(NO_ACCESS)
        request.scope["intake.sender"] = sender.name
        return sender

    @asynccontextmanager
    async def caller(self, request: Request) -> AsyncIterator[Caller]:
        """Let a sender in for the length of a call; then tell of what it has brought. Raises CallError."""
        caller = Caller(self.sender_of(request))
        self.rates.take(caller.sender.name)
        with self._gate.entered():
            try:
                yield caller
            finally:
                for sync in sorted(caller.news):
                    self.announcer.announce(PUSHED, sync)

    async def read(self, request: Request) -> Read:
        """Return the JSON of a call's body; raises CallError."""
        body = await read_body(request, self.limits.body_bytes, self.limits.body_seconds)
        return await self.work(partial(_parsed, body, self.limits.depth))

    async def work(self, job: Callable[[], _Result]) -> _Result:
        """Run what blocks in a thread; so many at a time as the limits say."""
        return await anyio.to_thread.run_sync(job, limiter=self._workers)

    @asynccontextmanager
    async def hook(self) -> AsyncIterator[None]:
        """Let a hook in for the length of its call. Raises CallError (OVERLOADED)."""
        with self._hook_gate.entered():
            yield

    async def hook_work(self, job: Callable[[], _Result]) -> _Result:
        """Run what blocks in a thread of the hooks."""
        return await anyio.to_thread.run_sync(job, limiter=self._hook_workers)


async def read_body(request: Request, most: int, seconds: float) -> bytes:
    """Return a body of at most `most` bytes; one that announces more is refused unread.

    Raises CallError (TOO_LARGE, or TOO_SLOW when it has not arrived after `seconds`).
    """
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and (len(declared) > 18 or int(declared) > most):
        raise _too_large(most)
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(seconds):
            async for part in request.stream():
                size += len(part)
                if size > most:
                    raise _too_large(most)
                parts.append(part)
    except (TimeoutError, ClientDisconnect) as error:
        raise CallError(TOO_SLOW) from error
    return b"".join(parts)


def _too_large(most: int) -> CallError:
    return CallError(TOO_LARGE, f"A body has at most {most} bytes; send the records in parts.")


def _parsed(body: bytes, depth: int) -> Read:
    try:
        return read_json(body, depth)
    except BadJsonError as error:
        raise CallError(BAD_JSON, f"The body is not JSON that this service reads: {error}.") from error
