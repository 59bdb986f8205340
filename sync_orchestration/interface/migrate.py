"""The version of the interface tables: brought up to this code's, and told. Alembic is imported nowhere else."""

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

from sync_orchestration.interface.database import DatabaseError, connect
from sync_orchestration.interface.queries import query

_MIGRATIONS = Path(__file__).parent / "migrations"
_VERSION_TABLE = {"version_table": "alembic_version", "version_table_schema": "sync"}


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
