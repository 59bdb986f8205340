"""Turns at a server: so many requests may be under way there at a time, whoever on whichever machine sends them.

A turn is an advisory lock of PostgreSQL. The process holds its turns in a session that it keeps for nothing else, so
when it dies they are free. Who finds none free stands in the server's queue, a lock that the others see; nobody takes
a turn past it, so that a busy worker cannot keep all turns to itself.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from random import uniform
from typing import Any

import psycopg
from psycopg import Connection

from sync_orchestration.interface.queries import query

MOST_TURNS = 64
"""A server has no more; `sql/queries.sql` keeps six bits of a lock's number for them."""

_TURN_LOCKS = 0x5452  # the class of the advisory locks that are turns
_QUEUE_LOCKS = 0x5155  # … and of those that say that somebody waits for one
_SOONEST_LOOK, _LATEST_LOOK = 0.005, 0.03  # seconds between two looks for a turn; a look is one statement


@dataclass(frozen=True, slots=True)
class _Held:
    server: str
    number: int
    conn: Connection[Any]


@dataclass(slots=True)
class HeldTurns:
    """All turns that this process holds, at whichever server, in one session. Safe to share between threads."""

    session: Callable[[], AbstractContextManager[Connection[Any]]]
    _conn: Connection[Any] | None = field(default=None, init=False)
    _opened: ExitStack = field(default_factory=ExitStack, init=False)
    _numbers: dict[str, set[int]] = field(default_factory=dict, init=False)
    _lines: dict[str, threading.Lock] = field(default_factory=dict, init=False)
    _given_back: threading.Condition = field(default_factory=threading.Condition, init=False)

    @contextmanager
    def turn(self, server: str, parallel: int) -> Iterator[None]:
        """Wait for one of the server's `parallel` turns and hold it for a block.

        Raises DatabaseError or psycopg.Error when the database cannot be asked.
        """
        held = self._take(server, parallel)
        try:
            yield
        finally:
            self._give_back(held)

    def _take(self, server: str, parallel: int) -> _Held:
        # Threads of one process wait one behind the other, so that it looks for one turn at a time.
        with self._line(server):
            if held := self._try("take_turn", server, parallel):
                return held
            with self._queue(server):
                while (held := self._try("take_turn_in_queue", server, parallel)) is None:
                    with self._given_back:
                        self._given_back.wait(uniform(_SOONEST_LOOK, _LATEST_LOOK))  # noqa: S311 - no secret
                return held

    def _line(self, server: str) -> threading.Lock:
        with self._given_back:
            return self._lines.setdefault(server, threading.Lock())

    def _try(self, name: str, server: str, parallel: int) -> _Held | None:
        """Take a turn that is free, if one is."""
        with self._given_back:
            # The session would be given its own locks once more.
            free = sorted(set(range(parallel)) - self._numbers.get(server, set()))
            conn, number = self._ask(name, server, free=free) if free else (None, None)
            if conn is None or number is None:
                return None
            self._numbers.setdefault(server, set()).add(number)
            return _Held(server, number, conn)

    def _give_back(self, held: _Held) -> None:
        with self._given_back:
            self._given_back.notify_all()
            if held.conn is not self._conn:
                return
            self._numbers[held.server].discard(held.number)
            with suppress(psycopg.OperationalError):  # a session that was lost holds nothing any more
                self._ask("give_turn_back", held.server, number=held.number)

    @contextmanager
    def _queue(self, server: str) -> Iterator[None]:
        with self._given_back:
            conn, _ = self._ask("enter_queue", server)
        try:
            yield
        finally:
            with self._given_back, suppress(psycopg.OperationalError):
                if conn is self._conn:
                    self._ask("leave_queue", server)

    def _ask(self, name: str, server: str, **more: Any) -> tuple[Connection[Any], Any]:
        """Run a statement and return the session and the one value; anew where the session was lost meanwhile."""
        values = {"turns": _TURN_LOCKS, "queue": _QUEUE_LOCKS, "server": server, **more}
        conn = self._connection()
        try:
            row = conn.execute(query(name), values).fetchone()
        except psycopg.OperationalError:
            if not conn.closed:
                raise
            conn = self._connection()
            row = conn.execute(query(name), values).fetchone()
        return conn, row[0] if row else None

    def _connection(self) -> Connection[Any]:
        """Return the session; a new one where the last was lost, and what it held is free."""
        if self._conn is None or self._conn.closed:
            self._opened.close()
            self._numbers.clear()
            self._conn = self._opened.enter_context(self.session())
        return self._conn


@dataclass(frozen=True, slots=True)
class SharedTurns:
    """The turns of one server, of which a client may use `parallel`."""

    held: HeldTurns
    server: str
    parallel: int

    def turn(self) -> AbstractContextManager[None]:
        """Wait for a turn and hold it for a block."""
        return self.held.turn(self.server, self.parallel)
