"""Tells whoever listens that there is something to do, after the commit and never in its way."""

import asyncio
import logging
from collections.abc import Callable

from psycopg import Connection

from sync_orchestration.intake.kinds import CallError
from sync_orchestration.interface.wakes import notify

_log = logging.getLogger(__name__)

Whom = tuple[str, str]
"""Kind and name: ('intake', sync) for pushed rows, kind and name of the hook for a hint."""

PUSHED = "intake"


class Announcer:
    """Gathers what is to be told while the last telling is under way, and tells each name once.

    A NOTIFY within the transaction of a push would make all pushes commit one after the other, since PostgreSQL
    holds a lock on its queue until the commit is on disk (PreCommit_Notify in async.c). Nothing is lost when a
    telling fails: the rows and hints themselves wait in their tables.
    """

    def __init__(self, tell: Callable[[frozenset[Whom]], None]) -> None:
        """`tell` is called in a thread of its own."""
        self._tell = tell
        self._waiting: set[Whom] = set()
        self._task: asyncio.Task[None] | None = None

    def announce(self, kind: str, name: str) -> None:
        """Have it told soon; to be called in the event loop."""
        self._waiting.add((kind, name))
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        while self._waiting:
            telling, self._waiting = frozenset(self._waiting), set()
            try:
                await asyncio.to_thread(self._tell, telling)
            except CallError as error:
                _log.warning("could not tell of %d names: %s", len(telling), error.kind.code)


def tell_all(whom: frozenset[Whom], run: Callable[[Callable[[Connection[object]], None]], None]) -> None:
    """Notify of each name on one session."""

    def work(conn: Connection[object]) -> None:
        for kind, name in sorted(whom):
            notify(conn, kind, name)

    run(work)
