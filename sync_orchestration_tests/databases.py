"""Databases of a test's own on a PostgreSQL that runs already."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import psycopg

from sync_orchestration.interface.migrate import migrate


@contextmanager
def empty_database(server: str) -> Iterator[str]:
    """Create a database without any table for the length of a block; yields its URL."""
    name = f"t_{uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name}".encode())
    try:
        yield server.replace("/postgres?", f"/{name}?")
    finally:
        with psycopg.connect(server, autocommit=True) as conn:
            conn.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@contextmanager
def own_database(server: str) -> Iterator[str]:
    """Create a database with empty interface tables for the length of a block; yields its URL."""
    with empty_database(server) as url:
        migrate(url)
        yield url
