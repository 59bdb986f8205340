"""The interface database as a Dagster resource."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import dagster as dg
import psycopg

from sync_orchestration.interface.database import connect, database_url
from sync_orchestration.interface.migrate import migrate


class InterfaceDatabase(dg.ConfigurableResource):  # type: ignore[type-arg]
    """PostgreSQL with the interface tables: SYNC_POSTGRES_URL, else the project's embedded server."""

    def missing_variables(self) -> list[str]:
        """Return nothing: the database needs no variable, so a sync that reads it is never switched off by one."""
        return []

    @contextmanager
    def session(self) -> Iterator[psycopg.Connection[Any]]:
        """Connect for a block; the tables are brought to this code's version first. Raises DatabaseError."""
        url = database_url()
        _migrated(url)
        with connect(url) as conn:
            yield conn


@cache
def _migrated(url: str) -> str:
    return migrate(url)
