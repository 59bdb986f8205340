"""One database for all tests of the pipeline: each works on syncs of its own, so none sees another's rows."""

from collections.abc import Iterator
from itertools import count
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from sync_orchestration.interface.database import connect, migrate

Conn = psycopg.Connection[Any]

_numbers = count(1)


def new_sync() -> str:
    """Return the name of a sync that no other test has."""
    return f"toy_{next(_numbers)}"


@pytest.fixture(scope="session")
def pipeline_url(postgres_server: str) -> str:
    """The URL of the database that the tests of the pipeline share."""
    name = f"p_{uuid4().hex[:12]}"
    with psycopg.connect(postgres_server, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name}".encode())
    url = postgres_server.replace("/postgres?", f"/{name}?")
    migrate(url)
    return url


@pytest.fixture(scope="session")
def db(pipeline_url: str) -> Iterator[Conn]:
    """An autocommit connection to it, good for any number of examples."""
    with connect(pipeline_url) as conn:
        yield conn
