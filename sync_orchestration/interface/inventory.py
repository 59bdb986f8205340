"""The keys that an inventory of a source has met, kept in the database while it goes on; and those that nothing met."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import scalar_row

from sync_orchestration.interface.queries import query
from sync_orchestration.interface.state import database_time


@contextmanager
def open_inventory(conn: Connection[Any]) -> Iterator[datetime]:
    """Keep a list of met keys in this session for the length of a block; yields when it began."""
    conn.execute(query("create_inventory"))
    try:
        yield database_time(conn)
    finally:
        if not conn.broken and not conn.closed:
            conn.execute(query("drop_inventory"))


def note_seen(conn: Connection[Any], keys: Sequence[str]) -> None:
    """Add keys that were met."""
    with conn.cursor() as cur, cur.copy(query("copy_inventory")) as copy:
        for key in keys:
            copy.write_row((key,))


def unseen_keys(conn: Connection[Any], sync: str, *, before: datetime) -> list[str]:
    """Return the keys of the sync's records that were not met and were not landed since `before`, as text in order."""
    conn.execute(query("analyze_inventory"))
    with conn.cursor(row_factory=scalar_row) as cur:
        return [str(key) for key in cur.execute(query("unseen_keys"), {"sync": sync, "before": before})]


def keys_not_seen(conn: Connection[Any], sync: str, since: datetime) -> list[str]:
    """Return the keys of the records that were not landed since then, in order; those of deletes are left out."""
    with conn.cursor(row_factory=scalar_row) as cur:
        return [str(key) for key in cur.execute(query("keys_not_seen"), {"sync": sync, "since": since})]
