"""The file of named statements and the code that uses it know each other."""

import re
from collections.abc import Iterator
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection

import sync_orchestration
from sync_orchestration.interface.database import connect
from sync_orchestration.interface.queries import query
from sync_orchestration_tests.databases import own_database

PACKAGE = Path(sync_orchestration.__file__).parent
SQL = resources.files("sync_orchestration.interface").joinpath("sql/queries.sql").read_text("utf-8")
NAMES = re.findall(r"^-- name: (\w+)$", SQL, re.MULTILINE)
CODE = {path: path.read_text("utf-8") for path in sorted(PACKAGE.rglob("*.py")) if "sandbox" not in path.parts}


def test_no_name_is_given_twice() -> None:
    assert sorted(NAMES) == sorted(set(NAMES))


@pytest.mark.parametrize("name", NAMES)
def test_every_statement_is_used(name: str) -> None:
    assert [path.name for path, text in CODE.items() if f'"{name}"' in text], f"no module uses the statement {name}"


def test_every_name_that_the_code_uses_is_a_statement() -> None:
    used = {name for text in CODE.values() for name in re.findall(r'\bquery\("(\w+)"\)', text)}
    assert used
    assert used <= set(NAMES)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(KeyError, match="no_such_statement"):
        query("no_such_statement")


@pytest.fixture(scope="module")
def shared_conn(postgres_server: str) -> Iterator[Connection[Any]]:
    """A connection to a database in which nothing is ever committed."""
    with own_database(postgres_server) as url, connect(url) as conn:
        yield conn


@pytest.mark.parametrize("name", NAMES)
def test_every_statement_is_one_that_postgresql_understands(shared_conn: Connection[Any], name: str) -> None:
    """Run with NULLs for its parameters: whatever it may object to, it is not the statement's grammar or names."""
    parameters: dict[str, Any] = dict.fromkeys(re.findall(r"%\((\w+)\)s", query(name)))
    needed = ("create_staging", "create_settling", "create_inventory", "create_pushed")
    if query(name).startswith("COPY"):
        return
    with shared_conn.transaction(force_rollback=True):
        if name not in needed:
            for one in needed:
                shared_conn.execute(query(one))
        with suppress(psycopg.errors.NotNullViolation, psycopg.errors.InvalidRowCountInLimitClause):
            shared_conn.execute(query(name), parameters)
