"""What a person says about records: try again, read again, leave out. Each word is kept with who said it."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from psycopg import Connection

from sync_orchestration.interface.attempts import Attempt, log_attempts
from sync_orchestration.interface.browsing import ListedRow
from sync_orchestration.interface.queries import query
from sync_orchestration.interface.single import WholeRow
from sync_orchestration.interface.state import database_time
from sync_orchestration.interface.texts import storable
from sync_orchestration.interface.wakes import notify, record_wake, waiting_wakes

Word = Literal["retry", "reread"]
"""`retry` is for failed records only, `reread` for any."""

WORDS: tuple[Word, ...] = ("retry", "reread")
MOST_WAITING = 5_000
"""Records of a sync about which one word waits to be followed; more are refused, for a hint has no room for them."""

_WHERE = "record browser"
_SKIPPED_BY = "skipped by {who}: {reason}"


class TooManyWaitError(Exception):
    """So many records wait already that the word about these could be lost."""


def ask(conn: Connection[Any], word: Word, rows: Sequence[ListedRow | WholeRow], who: str) -> None:
    """Have these records tried or read again soon. Raises TooManyWaitError; then nothing is asked."""
    by_sync: dict[str, list[str]] = {}
    for row in rows:
        by_sync.setdefault(row.sync, []).append(row.record_key)
    with conn.transaction():
        for sync, keys in sorted(by_sync.items()):
            if len(waiting_wakes(conn, word, sync)) + len(keys) > MOST_WAITING:
                raise TooManyWaitError(f"More than {MOST_WAITING} records of {sync} wait for this already.")
            record_wake(conn, word, sync, keys)
        _remember(conn, rows, word, f"asked by {who}")
    for sync in by_sync:
        notify(conn, word, sync)


def skip(conn: Connection[Any], row: WholeRow, who: str, reason: str) -> bool:
    """Leave a failed or waiting record out until it changes; False where it has changed since `row` was read."""
    said = storable(_SKIPPED_BY.format(who=who, reason=reason))
    params = {
        "sync": row.sync,
        "source_system": row.source_system,
        "key": row.record_key,
        "position": row.position,
        "reason": said,
    }
    with conn.transaction():
        if conn.execute(query("skip_row"), params).rowcount == 0:
            return False
        _remember(conn, [row], "skip", said)
    return True


def waits_for(conn: Connection[Any], row: WholeRow) -> list[Word]:
    """Return the words about a record that nobody has followed yet."""
    return [word for word in WORDS if row.record_key in {w.record_key for w in waiting_wakes(conn, word, row.sync)}]


def _remember(conn: Connection[Any], rows: Iterable[ListedRow | WholeRow], what: str, said: str) -> None:
    now = database_time(conn)
    log_attempts(
        conn,
        (
            Attempt(
                sync=row.sync,
                source_system=row.source_system,
                record_key=row.record_key,
                model=_WHERE,
                operation=what,
                run_id="",
                started_at=now,
                duration_ms=0,
                status="asked",
                error=said,
            )
            for row in rows
        ),
    )
