"""Answers of looked-up systems, kept with their time: asking again costs money."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection

from sync_orchestration.interface.queries import query
from sync_orchestration.interface.rows import Payload
from sync_orchestration.interface.texts import to_json


def fresh_answers(
    conn: Connection[Any], lookup: str, numbers: Sequence[str], max_age: timedelta
) -> dict[str, list[Payload]]:
    """Return the bodies by number of those answers that are younger than `max_age`; unknown numbers have none."""
    params = {"lookup": lookup, "numbers": list(numbers), "max_age": max_age}
    return dict(conn.execute(query("fresh_answers"), params).fetchall())


def store_answers(conn: Connection[Any], lookup: str, bodies: Mapping[str, list[Payload]]) -> None:
    """Keep answers, the time of the database with them, in the caller's transaction."""
    rows = [
        {"lookup": lookup, "number": number, "bodies": "[" + ",".join(map(to_json, found)) + "]"}
        for number, found in bodies.items()
    ]
    with conn.cursor() as cur:
        cur.executemany(query("store_answer"), rows)


def answers_summary(conn: Connection[Any], lookup: str) -> tuple[int, int, datetime | None]:
    """Return how many numbers were ever asked, how many of them are known, and when the latest was asked."""
    row = conn.execute(query("answers_summary"), {"lookup": lookup}).fetchone()
    return (0, 0, None) if row is None else (row[0], row[1], row[2])
