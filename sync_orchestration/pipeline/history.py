"""Whether a source's positions still count the history that the cursor belongs to, and what of it was seen."""

from collections.abc import Sequence
from typing import Any

from psycopg import Connection

from sync_orchestration.interface.rows import RowVersion, versions
from sync_orchestration.interface.state import SyncState, change_state, database_time, lock_state
from sync_orchestration.mapping.diff import payload_hash
from sync_orchestration.mapping.scrub import SENSITIVE_NAMES, scrub
from sync_orchestration.pipeline.errors import FeedResetError, TrackingOffError
from sync_orchestration.pipeline.protocols import Change, ChangePage, Source, SourceHead

TRACKING_WAS_OFF = "tracking was off"
"""The fingerprint of a history that has ended: no source has this one."""


def head_of(source: Source, conn: Connection[Any], sync: str) -> SourceHead:
    """Return where the source stands, and remember if it does not track changes.

    What happened while tracking was off is in no feed, so the cursor's history ends there: only a full read counts.
    """
    try:
        return source.head()
    except TrackingOffError:
        with conn.transaction():
            state = lock_state(conn, sync)
            if state.last_position is not None:
                change_state(conn, state, fingerprint=TRACKING_WAS_OFF)
        raise


def first_position(conn: Connection[Any], newest: int, *, by_time: bool) -> int:
    """Return the position at which a sync's windows begin; by time, those of an empty source (0) begin today."""
    return newest or (int(database_time(conn).timestamp()) if by_time else 0)


def refuse_foreign_history(state: SyncState, head: SourceHead, *, by_time: bool = False) -> None:
    """Raise FeedResetError when the source's positions are not those that the cursor was counted in.

    Where positions are times (`by_time`), the newest may go back: its record was deleted.
    """
    if state.fingerprint is not None and state.fingerprint != head.fingerprint:
        raise FeedResetError(
            f"The change history of the source is another one than that of the cursor: the company was replaced, or "
            f"tracking was off for a while. {_way_out(state)}"
        )
    if not by_time:
        refuse_rewound(state, head.position)


def refuse_rewound(state: SyncState, newest: int) -> None:
    """Raise FeedResetError when the source's newest position lies behind the cursor."""
    if state.last_position is not None and newest < state.last_position - 1:
        raise FeedResetError(
            f"The source's newest version is {newest}, but versions up to {state.last_position - 1} were read "
            f"before: its database was probably restored from a backup. {_way_out(state)}"
        )


def _way_out(state: SyncState) -> str:
    return f"Run a full reconciliation of {state.sync} (job full_reconciliation, or: run {state.sync} --all)."


def news(
    conn: Connection[Any], sync: str, changes: Sequence[Change], sensitive: frozenset[str] = SENSITIVE_NAMES
) -> list[Change]:
    """Return those of these changes, which carry their payloads, that have not been landed as they are."""
    known = versions(conn, sync, [change.key for change in changes])
    return [change for change in changes if _is_news(change, known.get(change.key), sensitive)]


def _is_news(change: Change, known: RowVersion | None, sensitive: frozenset[str]) -> bool:
    gone = change.operation == "delete"
    if known is None or gone or known.is_delete:
        return not gone if known is None else gone != known.is_delete
    # Several changes may share a second, so the same position does not mean the same record.
    return (
        change.position > known.position or payload_hash(scrub(change.payload or {}, sensitive)) != known.payload_hash
    )


def unseen(page: ChangePage, state: SyncState) -> list[int]:
    """Return the positions of a page that have not been landed yet."""
    known = set(state.recent_positions)
    return [change.position for change in page.changes if change.position not in known]
