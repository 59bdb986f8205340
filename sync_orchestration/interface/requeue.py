"""Rows become due again: by the clock, at a person's word, or because what they waited for has come."""

from collections.abc import Sequence
from typing import Any

from psycopg import Connection
from psycopg.rows import scalar_row

from sync_orchestration.interface.queries import query


def requeue_due(conn: Connection[Any], sync: str) -> int:
    """Make pending the failed rows whose next attempt is due; returns their number."""
    return conn.execute(query("requeue_due"), {"sync": sync}).rowcount


def requeue_waiting(conn: Connection[Any], sync: str) -> int:
    """Make pending the failed rows that waited for another row which is written now; returns their number."""
    return conn.execute(query("requeue_waiting"), {"sync": sync}).rowcount


def requeue_failed(
    conn: Connection[Any], sync: str, keys: Sequence[str] | None, *, confirm_deletes: bool = False
) -> list[str]:
    """Make failed rows pending again at a person's word: all of them, or those of `keys`; returns the keys.

    Deletes held by the guard go on only with `confirm_deletes`.
    """
    params = {"sync": sync, "keys": None if keys is None else list(keys), "confirm_deletes": confirm_deletes}
    with conn.cursor(row_factory=scalar_row) as cur:
        return [str(key) for key in cur.execute(query("requeue_failed"), params)]


def requeue_rows(
    conn: Connection[Any],
    sync: str,
    *,
    keys: Sequence[str] | None = None,
    partition_keys: Sequence[str] | None = None,
) -> int:
    """Make every row of `keys`, of some windows, or all (both None) pending again; returns their number."""
    params = {
        "sync": sync,
        "keys": None if keys is None else list(keys),
        "partition_keys": None if partition_keys is None else list(partition_keys),
    }
    return conn.execute(query("requeue_rows"), params).rowcount


def end_skips(conn: Connection[Any], sync: str, keys: Sequence[str]) -> int:
    """Forget that a person has skipped these records, so that they are taken up when they are read again."""
    return conn.execute(query("end_skips"), {"sync": sync, "keys": list(keys)}).rowcount
