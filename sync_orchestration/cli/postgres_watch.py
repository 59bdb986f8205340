"""Keeps the embedded PostgreSQL running while services need it: one that was killed is started again at once.

A server that was stopped on purpose (`sync-orchestration stop`, `make clean`) stays stopped; it has taken its
`postmaster.pid` with it, which a killed one could not.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sync_orchestration.interface.embedded import EmbeddedPostgresError, embedded_url, has_crashed

_LOOK_SECONDS = 0.25
_LONGEST_PAUSE = 30.0


@contextmanager
def postgres_kept(state_dir: Path, tell: Callable[[str], None]) -> Iterator[None]:
    """Look after the server under `state_dir` for the length of a block.

    `tell` hears, in a thread of its own, what happened: one sentence for people.
    """
    over = threading.Event()
    watch = threading.Thread(target=_watch, args=(state_dir, tell, over), name="postgres-watch", daemon=True)
    watch.start()
    try:
        yield
    finally:
        over.set()
        watch.join()


def _watch(state_dir: Path, tell: Callable[[str], None], over: threading.Event) -> None:
    pause = _LOOK_SECONDS
    while not over.wait(pause):
        try:
            if not has_crashed(state_dir):
                pause = _LOOK_SECONDS
                continue
            tell("was killed; starts again")
            embedded_url(state_dir)
        except EmbeddedPostgresError as error:
            tell(str(error))
            pause = min(max(pause, 1.0) * 2, _LONGEST_PAUSE)
