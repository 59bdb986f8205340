"""Pauses that servers asked for (429, Retry-After), known to every worker on every machine."""

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from psycopg import Connection
from psycopg.rows import scalar_row

from sync_orchestration.interface.queries import query

_ASK_AGAIN_SECONDS = 2.0


@dataclass(slots=True)
class SharedPause:
    """The pause of one server; safe to share between threads. The database is looked at every two seconds at most."""

    session: Callable[[], AbstractContextManager[Connection[Any]]]
    server: str
    _until: float = field(default=0.0, init=False)
    _asked: float = field(default=float("-inf"), init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def remaining(self) -> float:
        """Return for how many seconds nobody may ask the server; 0 when it may be asked."""
        with self._lock:
            if time.monotonic() - self._asked >= _ASK_AGAIN_SECONDS:
                self._asked = time.monotonic()
                self._until = max(self._until, time.monotonic() + self._stored())
            return max(0.0, self._until - time.monotonic())

    def prolong(self, seconds: float) -> None:
        """Remember that the server asked for `seconds` of patience; a longer pause stays as it is."""
        with self._lock:
            self._until = max(self._until, time.monotonic() + seconds)
            with self.session() as conn:
                conn.execute(query("write_pause"), {"server": self.server, "seconds": seconds})

    def _stored(self) -> float:
        with self.session() as conn, conn.cursor(row_factory=scalar_row) as cur:
            return float(cur.execute(query("read_pause"), {"server": self.server}).fetchone() or 0.0)
