"""A help desk over HTTP, the stand-in of docs/extending.md; two of them to try it: python -m … PORT PORT."""

import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sync_orchestration.sandbox.server import serve

TOKEN = "a-token-of-the-desks"
STATES = ("open", "waiting", "closed")


@dataclass
class Desk:
    """Tickets, the log of their changes, and every write that arrived. `before` hears of a request before it is done.

    A ticket is {number, title, customer, state}; the desk refuses an unknown state.
    """

    history: str = "desk-1"
    token: str = TOKEN
    tickets: dict[str, dict[str, Any]] = field(default_factory=dict)
    log: list[tuple[str, str]] = field(default_factory=list)
    writes: list[str] = field(default_factory=list)
    before: Callable[[str, str], None] = lambda method, path: None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, number: str, **values: Any) -> None:
        """Make or change a ticket."""
        with self.lock:
            self.log.append((number, "update" if number in self.tickets else "create"))
            self.tickets[number] = {"customer": None, "state": "open", **values, "number": number}

    def drop(self, number: str) -> bool:
        """Delete a ticket; False when it is not there."""
        with self.lock:
            if self.tickets.pop(number, None) is None:
                return False
            self.log.append((number, "delete"))
            return True

    def app(self) -> Starlette:
        routes = [
            Route("/about", self._about),
            Route("/changes", self._changes),
            Route("/tickets", self._list),
            Route("/tickets/{number}", self._put, methods=["PUT"]),
            Route("/tickets/{number}", self._delete, methods=["DELETE"]),
        ]
        return Starlette(routes=routes)

    async def _about(self, request: Request) -> Response:
        return self._answer(request, lambda: {"newest": len(self.log), "history": self.history})

    async def _changes(self, request: Request) -> Response:
        since, limit = int(request.query_params["since"]), int(request.query_params["limit"])

        def told() -> dict[str, Any]:
            start = max(since, 1)
            rows: list[dict[str, Any]] = [
                {"version": version, "ticket": ticket, "what": what}
                for version, (ticket, what) in enumerate(self.log, 1)
                if version >= start
            ]
            listed, more = rows[:limit], len(rows) > limit
            following = listed[-1]["version"] + 1 if listed else start
            return {"changes": listed, "next": following, "newest": len(self.log), "more": more}

        return self._answer(request, told)

    async def _list(self, request: Request) -> Response:
        asked = request.query_params

        def told() -> list[dict[str, Any]]:
            if "numbers" in asked:
                return [self.tickets[one] for one in asked["numbers"].split(",") if one in self.tickets]
            numbers = sorted(one for one in self.tickets if one > asked.get("after", ""))
            return [self.tickets[one] for one in numbers[: int(asked["limit"])]]

        return self._answer(request, told)

    async def _put(self, request: Request) -> Response:
        number, values = request.path_params["number"], await request.json()
        return self._answer(request, lambda: self._written(number, values))

    def _written(self, number: str, values: dict[str, Any]) -> Response:
        if values.get("state") not in STATES:
            said = {"errors": [{"field": "state", "message": f"must be one of {', '.join(STATES)}"}]}
            return JSONResponse(said, 422)
        self.writes.append(f"PUT {number}")
        self.put(number, **{name: value or None for name, value in values.items()})
        return JSONResponse(self.tickets[number])

    async def _delete(self, request: Request) -> Response:
        number = request.path_params["number"]

        def gone() -> Response:
            self.writes.append(f"DELETE {number}")
            return Response(status_code=204 if self.drop(number) else 404)

        return self._answer(request, gone)

    def _answer(self, request: Request, act: Callable[[], Any]) -> Response:
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return JSONResponse({"message": "who are you?"}, 401)
        self.before(request.method, request.url.path)
        answer = act()
        return answer if isinstance(answer, Response) else JSONResponse(answer)


def main(ports: list[int]) -> None:
    """Serve a desk with a few tickets on the first port and empty ones on the others, until Ctrl-C."""
    first, *others = Desk(), *(Desk(f"desk-{number}") for number in range(2, len(ports) + 1))
    for number in range(1, 4):
        first.put(f"T-{number}", title=f"Printer {number} is on fire", customer="Alfa Trade")
    with ExitStack() as stack:
        for desk, port in zip([first, *others], ports, strict=True):
            print(stack.enter_context(serve(desk.app(), port=port)), "token", desk.token)  # noqa: T201
        threading.Event().wait()


if __name__ == "__main__":
    main([int(one) for one in sys.argv[1:]])
