"""Who is looking? Tokens are exchanged for a signed cookie; forms carry a mark that only the cookie's owner can know.

The key of the signatures is this process's own: a restart ends all log-ins, and a copy of the configuration, in which
tokens may stand as hashes, helps nobody to forge one. Several processes behind one address need sticky sessions.
"""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from sync_orchestration.intake.doorkeeper import bearer_token, digest_of
from sync_orchestration.intake.settings import Operator

COOKIE = "sync_records"
PATH = "/records"
SECONDS = 8 * 60 * 60
"""How long a log-in lasts."""

_LONGEST_COOKIE = 1_000


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who is logged in. `mark` must come with every form that changes something; None: no cookie, no need."""

    name: str
    may_operate: bool
    mark: str | None = field(default=None, repr=False)


class Reception:
    """Knows the operators by their tokens and by the cookies that it has given out."""

    def __init__(self, operators: tuple[Operator, ...], clock: Callable[[], float] = time.time) -> None:
        """`clock` counts seconds since the epoch."""
        self._known = tuple((digest_of(token), operator) for operator in operators for token in operator.tokens)
        self._key = secrets.token_bytes(32)
        self._clock = clock

    @property
    def is_open(self) -> bool:
        return bool(self._known)

    def operator(self, token: bytes) -> Operator | None:
        """Return whose token it is. Every known token is compared, found or not."""
        digest = hashlib.sha256(token).digest()
        found: Operator | None = None
        for known, operator in self._known:
            if hmac.compare_digest(known, digest):
                found = operator
        return found

    def visitor(self, request: Request) -> Visitor | None:
        """Return who sends a request, by bearer token or by cookie; a wrong token is not helped by a cookie."""
        authorization = request.headers.get("authorization")
        if authorization is not None:
            operator = self.operator(bearer_token(authorization))
            return None if operator is None else Visitor(operator.name, operator.may == "operate")
        cookie = request.cookies.get(COOKIE, "")
        said = self._read(cookie)
        return None if said is None else Visitor(said[0], said[1], self._mark(cookie))

    def welcome(self, response: Response, operator: Operator, *, encrypted: bool) -> None:
        """Give out a cookie; `encrypted`: browsers send it over TLS only."""
        said = {"name": operator.name, "operate": operator.may == "operate", "until": self._clock() + SECONDS}
        body = _text(json.dumps({**said, "number": secrets.token_hex(8)}).encode())
        response.set_cookie(
            COOKIE,
            f"{body}.{self._signed('cookie', body)}",
            max_age=SECONDS,
            path=PATH,
            secure=encrypted,
            httponly=True,
            samesite="strict",
        )

    def farewell(self, response: Response) -> None:
        """Take the cookie back."""
        response.delete_cookie(COOKIE, path=PATH, httponly=True, samesite="strict")

    def sent_by_own_form(self, visitor: Visitor, mark: str) -> bool:
        """Tell whether a form is one that this visitor was given; a program with a bearer token has none."""
        return visitor.mark is None or hmac.compare_digest(visitor.mark.encode(), mark.encode())

    def _read(self, cookie: str) -> tuple[str, bool] | None:
        body, _, signature = cookie.partition(".")
        wanted = self._signed("cookie", body)
        if len(cookie) > _LONGEST_COOKIE or not hmac.compare_digest(wanted.encode(), signature.encode()):
            return None
        said = json.loads(base64.urlsafe_b64decode(body))
        return (said["name"], said["operate"]) if said["until"] > self._clock() else None

    def _mark(self, cookie: str) -> str:
        return self._signed("form", cookie)

    def _signed(self, purpose: str, text: str) -> str:
        return _text(hmac.digest(self._key, f"{purpose}:{text}".encode("utf-8", "replace"), "sha256"))


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode()
