"""Who may ask at all: credentials, rights and the quota of calls."""

import base64
import binascii
import math
import time
from collections import deque
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from starlette.requests import Request

from sync_orchestration.sandbox.rest.answers import RefusedError
from sync_orchestration.sandbox.rest.switches import RestSwitches


class Access:
    """The credentials of the one client, and the calls that it has made of late. The caller holds the lock."""

    def __init__(self, user: str, password: str, token: str) -> None:
        self.user = user
        self.password = password
        self.token = token
        """The bearer token, and the key of ``X-Api-Key``."""
        self.over_quota = 0
        """How many calls were refused because of the quota."""
        self._recent: deque[float] = deque()

    def check(self, request: Request, switches: RestSwitches) -> None:
        """Refuse a request that may not be made, whatever it is about."""
        self._authenticate(request, switches)
        asked = f"{request.method} {request.url.path}"
        if any(asked.startswith(rule) or request.url.path.startswith(rule) for rule in switches.forbidden):
            raise RefusedError(403, f"You are not allowed to {asked}")
        self._count(switches)

    def _authenticate(self, request: Request, switches: RestSwitches) -> None:
        scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
        match switches.auth:
            case "none":
                return
            case "basic":
                right = scheme.lower() == "basic" and _decoded(sent) == f"{self.user}:{self.password}"
                challenge = 'Basic realm="sandbox", charset="UTF-8"'
            case "bearer":
                right = scheme.lower() == "bearer" and sent.strip() == self.token
                challenge = 'Bearer realm="sandbox"' + (', error="invalid_token"' if sent else "")
            case "key":
                right = request.headers.get("X-Api-Key") == self.token
                # No registered scheme; RFC 9110 wants a challenge with every 401.
                challenge = 'ApiKey realm="sandbox", header="X-Api-Key"'
        if not right:
            raise RefusedError(401, "Authentication is required", headers={"WWW-Authenticate": challenge})

    def _count(self, switches: RestSwitches) -> None:
        if switches.max_calls is None:
            return
        now = time.monotonic()
        while self._recent and self._recent[0] <= now - switches.window_seconds:
            self._recent.popleft()
        if len(self._recent) < switches.max_calls:
            self._recent.append(now)
            return
        self.over_quota += 1
        oldest = self._recent[0] if self._recent else now
        hint = _hint(oldest + switches.window_seconds - now, switches)
        raise RefusedError(switches.quota_status, "Too many requests", headers=hint)


def _hint(wait: float, switches: RestSwitches) -> dict[str, str]:
    """How the client learns when to come again; always rounded up."""
    seconds = max(1, math.ceil(wait))
    # Real time, not the clock of the records: a client compares it with its own.
    moment = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=seconds + 1)
    match switches.quota_hint:
        case "absent":
            return {}
        case "seconds":
            return {"Retry-After": str(seconds)}
        case "date":
            return {"Retry-After": format_datetime(moment, usegmt=True)}
        case "reset_epoch":
            return {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(moment.timestamp()))}
        case "reset_seconds":
            return {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(seconds)}


def _decoded(credentials: str) -> str | None:
    try:
        return base64.b64decode(credentials.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
