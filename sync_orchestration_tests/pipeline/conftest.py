"""One database for all tests of the pipeline: each works on syncs of its own, so none sees another's rows."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import psycopg
import pytest

from sync_orchestration.interface.database import connect
from sync_orchestration_tests.databases import own_database

Conn = psycopg.Connection[Any]

_numbers = count(1)


def new_sync() -> str:
    """Return the name of a sync that no other test has."""
    return f"toy_{next(_numbers)}"


@pytest.fixture(scope="session")
def pipeline_url(postgres_server: str) -> Iterator[str]:
    """The URL of the database that the tests of the pipeline share."""
    with own_database(postgres_server) as url:
        yield url


@pytest.fixture(scope="session")
def db(pipeline_url: str) -> Iterator[Conn]:
    """An autocommit connection to it, good for any number of examples."""
    with connect(pipeline_url) as conn:
        yield conn
