"""The interface tables come into being, and a database of a newer program is refused."""

from typing import Any

import psycopg
import pytest

from sync_orchestration.interface.database import DatabaseError
from sync_orchestration.interface.migrate import migrate


def test_migrating_twice_changes_nothing(database_url: str) -> None:
    assert migrate(database_url) == migrate(database_url)


def test_tables_newer_than_the_program_are_refused_in_plain_words(
    database_url: str, conn: psycopg.Connection[Any]
) -> None:
    conn.execute("UPDATE sync.alembic_version SET version_num = '9999'")
    with pytest.raises(DatabaseError, match="9999, which this program does not know"):
        migrate(database_url)


def test_an_unreachable_database_is_named_without_its_password() -> None:
    with pytest.raises(DatabaseError, match="SYNC_POSTGRES_URL") as error:
        migrate("postgresql://me:geheim@127.0.0.1:1/nowhere")
    assert "geheim" not in str(error.value)
