"""Databases of a test's own on a PostgreSQL that runs already."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from uuid import uuid4

import psycopg

from sync_orchestration.interface.migrate import migrate

_TEMPLATE = "interface_tables"


@contextmanager
def empty_database(server: str) -> Iterator[str]:
    """Create a database without any table for the length of a block; yields its URL."""
    with _database(server, "template1") as url:
        yield url


@contextmanager
def own_database(server: str) -> Iterator[str]:
    """Create a database with empty interface tables for the length of a block; yields its URL."""
    _make_template(server)
    with _database(server, _TEMPLATE) as url:
        yield url


@contextmanager
def _database(server: str, template: str) -> Iterator[str]:
    name = f"t_{uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy".encode())
    try:
        yield _url(server, name)
    finally:
        with psycopg.connect(server, autocommit=True) as conn:
            conn.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@cache
def _make_template(server: str) -> None:
    """Make the tables once for each server: to copy them is several times as fast as to migrate each database."""
    with psycopg.connect(server, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {_TEMPLATE}".encode())
    migrate(_url(server, _TEMPLATE))


def _url(server: str, name: str) -> str:
    return server.replace("/postgres?", f"/{name}?")
