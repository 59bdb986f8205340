"""A pass and its state: what it waits for after a failure, and when it is tried again."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection

from sync_orchestration.interface.rows import pending_windows
from sync_orchestration.interface.state import SyncState, change_state, database_time, lock_state
from sync_orchestration.pipeline.errors import SyncError, UnavailableError


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Should a failed pass be tried again by itself, and when? One delay for each try."""

    delays: tuple[timedelta, ...] = (timedelta(seconds=10), timedelta(minutes=1), timedelta(minutes=10))

    def gives_up(self, tries: int, error: SyncError) -> bool:
        """Tell whether after `tries` failures before this one a person or the next trigger must try again."""
        return not isinstance(error, UnavailableError) or tries >= len(self.delays)

    def next_try(self, tries: int, error: SyncError, now: datetime) -> datetime | None:
        """Return the earliest time of the next try, or None when any time is right.

        A server's own Retry-After is never shortened, not even by the trigger after the last try.
        """
        asked = timedelta(seconds=error.retry_after or 0) if isinstance(error, UnavailableError) else timedelta()
        if not self.gives_up(tries, error):
            return now + max(self.delays[tries], asked)
        return now + asked if asked else None


@contextmanager
def running_pass(
    conn: Connection[Any], sync: str, policy: RetryPolicy, config_hash: str | None, *, to_its_end: bool = True
) -> Iterator[None]:
    """Keep the sync state true while a pass runs: IN_PROGRESS, then TRIGGER_WAITING, RETRY_WAITING or ERROR.

    With `to_its_end` False the block is only the first step of a pass, so success leaves it IN_PROGRESS. Without
    `config_hash`, as for a few chosen records, it is still to be noticed that the configuration has changed.
    """
    _begin(conn, sync, config_hash)
    try:
        yield
    except SyncError as error:
        remember_failure(conn, sync, policy, error)
        raise
    except Exception as error:
        _change(conn, sync, status="ERROR", next_try=None, error=f"{type(error).__name__}: {error}"[:2_000])
        raise
    if to_its_end:
        end_pass(conn, sync)


def end_pass(conn: Connection[Any], sync: str) -> SyncState:
    """Let the sync wait for its trigger again; but a sweep, one pass over many windows, only when all of it is done."""
    with conn.transaction():
        state = lock_state(conn, sync)
        goes_on = state.has_more_to_sweep or (state.pass_end is not None and bool(pending_windows(conn, sync)))
        return change_state(
            conn,
            state,
            status="IN_PROGRESS" if goes_on else "TRIGGER_WAITING",
            pass_end=state.pass_end if goes_on else None,
            try_count=0,
            next_try=None,
            error=None,
        )


def _begin(conn: Connection[Any], sync: str, config_hash: str | None) -> None:
    with conn.transaction():
        state = lock_state(conn, sync)
        # After ERROR it is a new trigger that begins this pass, so its tries are counted anew.
        tries = 0 if state.status == "ERROR" else state.try_count
        known = config_hash or state.config_hash
        change_state(conn, state, status="IN_PROGRESS", try_count=tries, next_try=None, config_hash=known)


def remember_failure(conn: Connection[Any], sync: str, policy: RetryPolicy, error: SyncError) -> None:
    """Let the sync wait for its next try, or after the last one for a person or its next trigger."""
    with conn.transaction():
        state = lock_state(conn, sync)
        gives_up = policy.gives_up(state.try_count, error)
        change_state(
            conn,
            state,
            status="ERROR" if gives_up else "RETRY_WAITING",
            try_count=state.try_count if gives_up else state.try_count + 1,
            next_try=policy.next_try(state.try_count, error, database_time(conn)),
            error=str(error),
        )


def remember_failed_look(conn: Connection[Any], sync: str, policy: RetryPolicy, error: SyncError) -> None:
    """Remember why no pass can begin: the source could not even be asked whether anything is new.

    After the last try the sync waits for its trigger as ever, but says what is wrong; an unreachable source is then
    asked again at the longest of the delays.
    """
    with conn.transaction():
        state = lock_state(conn, sync)
        if not policy.gives_up(state.try_count, error):
            remember_failure(conn, sync, policy, error)
            return
        pause = policy.delays[-1] if policy.delays and isinstance(error, UnavailableError) else None
        next_try = None if pause is None else database_time(conn) + pause
        change_state(conn, state, status="TRIGGER_WAITING", error=str(error), next_try=next_try)


def _change(conn: Connection[Any], sync: str, **changes: Any) -> SyncState:
    with conn.transaction():
        return change_state(conn, lock_state(conn, sync), **changes)


def remember_patience(conn: Connection[Any], sync: str, error: UnavailableError) -> None:
    """Let the sync wait as long as a server asked that was only asked whether anything is new."""
    if not error.retry_after:
        return
    with conn.transaction():
        state = lock_state(conn, sync)
        next_try = database_time(conn) + timedelta(seconds=error.retry_after)
        change_state(conn, state, status="RETRY_WAITING", next_try=next_try, error=str(error))


def progress(state: SyncState, positions: Sequence[int]) -> dict[str, Any]:
    """Return what settled rows change of the state: the counts, and in a sweep the watermark.

    The tries are per batch of rows, so one that succeeds begins to count anew.
    """
    watermark = state.processed_position
    if state.pass_end is not None and positions:
        watermark = max(watermark or 0, *positions)
    return {
        "count_processed": state.count_processed + len(positions),
        "processed_position": watermark,
        "try_count": 0,
        "error": None,
    }


def waits_until(state: SyncState, now: datetime) -> datetime | None:
    """Return the time that a failed pass still waits for, or None when it may run."""
    if state.next_try is not None and state.next_try > now:
        return state.next_try
    return None
