"""A sweep: reading a source whole, in its order, each time a trigger asks for it; with the state that people are shown.

What Citeck's counterparty synchronisation does is kept exactly, its state's keys included; where its description is
silent, this was chosen: three retries follow the first failure; a batch that succeeds begins the count of tries anew;
a pass after a finished one begins at the first record, one after ERROR goes on where it stopped; the count is of the
records of the pass, found in the register or not; a changed configuration begins a pass anew.
"""

from typing import Any

from psycopg import Connection

from sync_orchestration.interface.state import SyncState, change_state, lock_state
from sync_orchestration.pipeline.protocols import Source
from sync_orchestration.pipeline.windows import Window

FIRST_WINDOW = Window(0, 1).key
"""A sweep begins at the first record, whatever its position."""


def begin_sweep(conn: Connection[Any], sync: str, source: Source, first_window: str, config_hash: str) -> SyncState:
    """Begin a pass, or after ERROR go on with the one that stopped.

    Raises SyncError when the source cannot be asked.
    """
    head = source.head()
    with conn.transaction():
        state = lock_state(conn, sync)
        resumes = state.status == "ERROR" and state.pass_end is not None and state.config_hash in (None, config_hash)
        begin: dict[str, Any] = (
            {} if resumes else {"last_position": 0, "processed_position": None, "count_processed": 0}
        )
        return change_state(
            conn,
            state,
            **begin,
            status="IN_PROGRESS",
            try_count=0,
            next_try=None,
            error=None,
            pass_end=head.position,
            fingerprint=head.fingerprint,
            first_window=min(state.first_window or first_window, first_window),
            config_hash=config_hash,
        )


def resume_at_start(conn: Connection[Any], sync: str) -> None:
    """After a restart: a pass that waited for its next try goes on at once, its tries forgotten."""
    with conn.transaction():
        state = lock_state(conn, sync)
        if state.status == "RETRY_WAITING" and state.pass_end is not None:
            change_state(conn, state, status="IN_PROGRESS", try_count=0, next_try=None, error=None)


def reset(conn: Connection[Any], sync: str) -> SyncState:
    """Forget how far the sync has come; the rows and their links stay."""
    with conn.transaction():
        return change_state(
            conn,
            lock_state(conn, sync),
            last_position=None,
            processed_position=None,
            count_processed=0,
            status="TRIGGER_WAITING",
            try_count=0,
            next_try=None,
            error=None,
            pass_end=None,
            baseline_from=None,
            baseline_after=None,
            baseline_seen=None,
            recent_positions=[],
        )


def state_of_sweep(state: SyncState) -> dict[str, Any]:
    """Return the state with the keys, and their order, of Citeck's counterparty synchronisation."""
    return {
        "lastModifiedNodeDbid": state.processed_position,
        "status": state.status,
        "countProcessedNodes": state.count_processed,
        "tryCount": state.try_count,
        "nextTry": None if state.next_try is None else state.next_try.isoformat(),
        "error": state.error,
    }
