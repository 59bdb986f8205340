"""The PostgreSQL that holds the interface tables: where it is, and connections to it."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from sync_orchestration.interface.embedded import embedded_url
from sync_orchestration.interface.queries import query

_ADDRESS = re.compile(r"postgres(ql)?://")
_NO_ADDRESS = (
    "SYNC_POSTGRES_URL is no address of a PostgreSQL: it is like postgresql://user:password@host:5432/database, with "
    "@, /, % and other special characters of the password percent-encoded."
)


class DatabaseError(Exception):
    """The database cannot be used; the message says why and what to do."""


def state_dir() -> Path:
    """Return the folder of all local state: ``SYNC_STATE_DIR``, by default ``.sync`` in the working folder."""
    return Path(os.environ.get("SYNC_STATE_DIR") or ".sync").absolute()


def database_url() -> str:
    """Return ``SYNC_POSTGRES_URL``, or the URL of the project's embedded PostgreSQL, started if need be."""
    return os.environ.get("SYNC_POSTGRES_URL") or embedded_url(state_dir())


@contextmanager
def connect(url: str) -> Iterator[psycopg.Connection[Any]]:
    """Connect for the length of a block; transactions are the caller's (``with conn.transaction()``).

    Both sides look whether the other is still there, so within about a minute the server notices that a worker's
    machine is gone, and frees its rows and turns.

    Raises DatabaseError if the database cannot be reached.
    """
    if not _ADDRESS.match(url) or url.partition("?")[0].count("@") > 1:
        # An @ within the password makes the rest of it the name of a host, which messages tell.
        raise DatabaseError(_NO_ADDRESS)
    try:
        conn = psycopg.connect(
            url,
            autocommit=True,
            connect_timeout=10,
            keepalives_idle=30,
            keepalives_interval=10,
            keepalives_count=3,
        )
    except psycopg.ProgrammingError:
        # Its message quotes the address.
        raise DatabaseError(_NO_ADDRESS) from None
    except psycopg.OperationalError as error:
        raise DatabaseError(
            f"PostgreSQL cannot be reached ({_first_line(error)}). Check SYNC_POSTGRES_URL, or unset it to use the "
            "embedded server."
        ) from error
    with conn:
        conn.execute(query("notice_a_lost_machine"))
        yield conn


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
