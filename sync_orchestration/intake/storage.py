"""The intake's database sessions: a small pool, and patience with what passes by itself."""

import logging
import math
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import psycopg
from psycopg import Connection
from psycopg_pool import ConnectionPool

from sync_orchestration.intake.kinds import STORAGE_UNAVAILABLE, CallError
from sync_orchestration.interface.database import DatabaseError
from sync_orchestration.interface.intake import prepare_session
from sync_orchestration.interface.migrate import is_current

_log = logging.getLogger(__name__)

_TRIES = 3
_RETRY_AFTER = 5.0  # seconds that a caller is asked to wait
_PASSING_CLASSES = ("08", "25", "40", "53", "55", "57", "58")
"""Classes of SQLSTATE of a database that cannot just now: connection, read-only standby, rollback, resources, busy,
shut down, system error (PostgreSQL manual, appendix A)."""

_Result = TypeVar("_Result")


class Storage:
    """Database sessions for the calls of one process; opened at the first use. Safe to use from several threads."""

    def __init__(self, url: str, sessions: int, patience: float) -> None:
        """`patience`: seconds that a call waits for a session."""
        self._patience = patience
        self._opening = threading.Lock()
        self._opened = False
        self._pool: ConnectionPool[Connection[Any]] = ConnectionPool(
            url,
            min_size=1,
            max_size=sessions,
            kwargs={
                "autocommit": True,
                "connect_timeout": 5,
                "keepalives_idle": 30,
                "keepalives_interval": 10,
                "keepalives_count": 3,
                "application_name": "sync-orchestration intake",
            },
            configure=prepare_session,
            open=False,
            name="intake",
        )

    def run(self, work: Callable[[Connection[Any]], _Result], *, patience: float = math.inf) -> _Result:
        """Run `work`, which holds its own transaction and may be run again, on a session.

        Deadlocks and sessions that have died are tried again. Raises CallError (STORAGE_UNAVAILABLE, retryable) when
        the database cannot do it now.
        """
        self._open()
        for tries_left in reversed(range(_TRIES)):
            try:
                with self._pool.connection(timeout=min(patience, self._patience)) as conn:
                    return work(conn)
            except psycopg.Error as error:
                if not _passes(error):
                    raise
                if tries_left and _is_worth_another_try(error):
                    self._pool.check()
                    continue
                _log.warning("the database cannot just now: %s %s", type(error).__name__, error.sqlstate or "")
                raise CallError(STORAGE_UNAVAILABLE, retry_after=_RETRY_AFTER) from error
        raise AssertionError("unreachable: the last try returns or raises")

    def is_ready(self) -> bool:
        """Tell whether the database answers and its tables are of this program's version."""
        try:
            return self.run(is_current, patience=2.0)
        except (CallError, DatabaseError, psycopg.Error):
            return False

    def close(self) -> None:
        """End all sessions; those in use when they are given back."""
        if self._opened:
            self._pool.close()

    def _open(self) -> None:
        if not self._opened:
            with self._opening:
                if not self._opened:
                    self._pool.open()
                    self._opened = True


def _passes(error: psycopg.Error) -> bool:
    return isinstance(error, psycopg.OperationalError) or (error.sqlstate or "").startswith(_PASSING_CLASSES)


def _is_worth_another_try(error: psycopg.Error) -> bool:
    # No SQLSTATE: the session died under the work; 40: deadlock; 57P: the server is going down or has been restarted.
    code = error.sqlstate
    return type(error).__name__ != "PoolTimeout" and (code is None or code.startswith(("40", "57P")))
