"""The PostgreSQL that holds the interface tables: where it is, connections to it, its schema version."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import NullPool

from sync_orchestration.interface.embedded import embedded_url
from sync_orchestration.interface.queries import query

_MIGRATIONS = Path(__file__).parent / "migrations"
_ADDRESS = re.compile(r"postgres(ql)?://")
_NO_ADDRESS = (
    "SYNC_POSTGRES_URL is no address of a PostgreSQL: it is like postgresql://user:password@host:5432/database, with "
    "@, /, % and other special characters of the password percent-encoded."
)
_VERSION_TABLE = {"version_table": "alembic_version", "version_table_schema": "sync"}


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


def migrate(url: str) -> str:
    """Bring the interface tables to the version of this code; returns that version.

    Safe to call from several processes at once. Raises DatabaseError when the tables are newer than the code.
    """
    config = _alembic_config()
    head = known_version()
    with connect(url) as guard, _engine(url).connect() as connection:
        guard.execute("SELECT pg_advisory_lock(hashtext('sync_orchestration.migrate'))")
        guard.execute("CREATE SCHEMA IF NOT EXISTS sync")
        current = MigrationContext.configure(connection, opts=_VERSION_TABLE).get_current_revision()
        if current == head:
            return head
        connection.rollback()
        config.attributes["connection"] = connection
        config.attributes["version_table"] = _VERSION_TABLE
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise DatabaseError(
                f"The interface tables are of version {current}, which this program does not know (it knows {head}). "
                "Install the newer sync_orchestration, or restore the matching backup."
            ) from error
    return head


@cache
def known_version() -> str:
    """Return the version of the interface tables that this code works with."""
    return ScriptDirectory.from_config(_alembic_config()).get_current_head() or ""


def is_current(conn: psycopg.Connection[Any]) -> bool:
    """Tell whether the interface tables are of this code's version; False also where there are none."""
    try:
        row = conn.execute(query("schema_version")).fetchone()
    except psycopg.errors.UndefinedTable:
        return False
    return row is not None and row[0] == known_version()


def _alembic_config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


def _engine(url: str) -> Engine:
    return create_engine("postgresql+psycopg://" + url.split("://", 1)[1], poolclass=NullPool)
