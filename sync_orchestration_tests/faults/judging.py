"""Is everything that must be true when all is over true? Nothing lost, nothing doubled, nothing unexplained."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

from sync_orchestration_tests.faults.worlds.base import Picture

Conn = psycopg.Connection[Any]
SETTLED = {"processed", "failed", "skipped"}


@dataclass(frozen=True)
class Fate:
    """What the interface table says of one record."""

    status: str
    operation: str
    code: str | None
    message: str | None


def fates(conn: Conn, sync: str) -> dict[str, Fate]:
    """What became of each record of a sync."""
    found = conn.execute(
        "SELECT record_key, status, operation, error_code, error_message FROM sync.interface_row WHERE sync = %s",
        (sync,),
    )
    return {key: Fate(*told) for key, *told in found}


def attempts(conn: Conn, sync: str) -> Counter[str]:
    """How often each record was tried."""
    found = conn.execute("SELECT record_key, count(*) FROM sync.interface_attempt WHERE sync = %s GROUP BY 1", (sync,))
    return Counter(dict(found.fetchall()))


def faults_of(picture: Picture, rows: Mapping[str, Fate], *, untold: bool, touched: bool) -> list[str]:
    """Say what is wrong; an empty list is what everybody hopes for.

    `untold`: what no feed tells must have been found too. `touched`: what was changed by hand in the target as well.
    """
    beyond = (set() if untold else picture.untold) | (set() if touched else picture.touched)
    wrong = [f"doubled: {one}" for one in picture.doubled]
    wrong += [f"lost: {key} is {found}, not {values}" for key, (values, found) in picture.different(beyond).items()]
    wrong += [f"left over: {key}" for key in sorted(picture.leftover - beyond)]
    for key, row in rows.items():
        if row.status not in SETTLED:
            wrong.append(f"{key} is {row.status}")
        elif row.status != "processed" and not (row.code and row.message):
            wrong.append(f"{key} is {row.status} without a reason")
    known = picture.wanted.keys() | picture.refused | picture.skipped | picture.either
    wrong += [f"{key} is in no row" for key in sorted(known - rows.keys() - beyond)]
    for key in sorted(rows.keys() & known - beyond):
        wrong += _unlike(key, rows[key], picture)
    return wrong


def _unlike(key: str, row: Fate, picture: Picture) -> list[str]:
    said = f"{key} is {row.status} ({row.message})"
    if key in picture.refused and row.status != "failed":
        return [f"{said}, but should have been refused"]
    if key in picture.skipped and row.status != "skipped":
        return [f"{said}, but should have been skipped"]
    if key in picture.wanted and row.status != "processed":
        return [f"{said}, but nothing is wrong with it"]
    return []


def unaccounted(written: Mapping[str, int], tried: Mapping[str, int], interrupted: Mapping[str, int]) -> list[str]:
    """Return the records of which the target saw more writes than were logged or cut off on their way."""
    return [
        f"{key} was written {count} times, {tried.get(key, 0)} attempts are logged, {interrupted.get(key, 0)} cut off"
        for key, count in sorted(written.items())
        if count > tried.get(key, 0) + interrupted.get(key, 0)
    ]
