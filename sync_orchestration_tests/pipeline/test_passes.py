"""What a failed pass waits for: 10 s, 1 min, 10 min, then a person or the next trigger."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest

from sync_orchestration.interface.state import SyncState, change_state, database_time, read_state
from sync_orchestration.pipeline.errors import ConfigurationError, FeedResetError, SyncError, UnavailableError
from sync_orchestration.pipeline.passes import RetryPolicy, remember_patience, running_pass, waits_until
from sync_orchestration_tests.pipeline.conftest import Conn, new_sync

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
POLICY = RetryPolicy()
DOWN = UnavailableError("Odoo is down")


class Failure(NamedTuple):
    tries: int
    error: SyncError
    seconds: float | None
    gives_up: bool = False


FAILURES = {
    "the first failure waits 10 s": Failure(0, DOWN, 10),
    "the second waits 1 min": Failure(1, DOWN, 60),
    "the third waits 10 min": Failure(2, DOWN, 600),
    "the fourth is an error": Failure(3, DOWN, None, gives_up=True),
    "and so is any later one": Failure(30, DOWN, None, gives_up=True),
    "a server that asks for longer gets it": Failure(0, UnavailableError("busy", 3600), 3600),
    "one that asks for less waits its turn": Failure(1, UnavailableError("busy", 5), 60),
    "one that asks for nothing special": Failure(0, UnavailableError("busy", 0), 10),
    "an error still leaves the server the time it asked for": Failure(
        3, UnavailableError("busy", 3600), 3600, gives_up=True
    ),
    "a wrong setting is not tried again": Failure(0, ConfigurationError("no right"), None, gives_up=True),
    "nor is a restored source": Failure(0, FeedResetError("restored"), None, gives_up=True),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES.keys())
def test_when_a_failed_pass_is_tried_again(failure: Failure) -> None:
    expected = None if failure.seconds is None else NOON + timedelta(seconds=failure.seconds)
    assert POLICY.next_try(failure.tries, failure.error, NOON) == expected
    assert POLICY.gives_up(failure.tries, failure.error) is failure.gives_up


def failing_pass(db: Conn, sync: str, error: Exception) -> SyncState:
    def fail() -> None:
        assert read_state(db, sync).status == "IN_PROGRESS"
        raise error

    with pytest.raises(type(error)), running_pass(db, sync, POLICY, "config"):
        fail()
    return read_state(db, sync)


def waits(db: Conn, sync: str) -> float | None:
    """Seconds that a pass of the sync still has to wait, to the nearest five."""
    now = database_time(db)
    until = waits_until(read_state(db, sync), now)
    return None if until is None else 5 * round((until - now).total_seconds() / 5)


def test_a_sync_in_an_outage_waits_longer_each_time_and_then_is_an_error(db: Conn) -> None:
    sync = new_sync()
    seen = []
    for _ in range(4):
        state = failing_pass(db, sync, DOWN)
        seen.append((state.status, state.try_count, waits(db, sync)))
    assert seen == [("RETRY_WAITING", 1, 10), ("RETRY_WAITING", 2, 60), ("RETRY_WAITING", 3, 600), ("ERROR", 3, None)]
    assert read_state(db, sync).error == "Odoo is down"


def test_the_next_trigger_after_an_error_has_its_own_tries(db: Conn) -> None:
    sync = new_sync()
    for _ in range(4):
        failing_pass(db, sync, DOWN)
    state = failing_pass(db, sync, DOWN)
    assert (state.status, state.try_count, waits(db, sync)) == ("RETRY_WAITING", 1, 10)


def test_success_forgets_the_failures(db: Conn) -> None:
    sync = new_sync()
    failing_pass(db, sync, DOWN)
    with running_pass(db, sync, POLICY, "other config"):
        pass
    state = read_state(db, sync)
    assert (state.status, state.try_count, state.next_try, state.error, state.config_hash) == (
        "TRIGGER_WAITING",
        0,
        None,
        None,
        "other config",
    )


def test_the_first_step_of_a_pass_leaves_it_in_progress_with_its_tries(db: Conn) -> None:
    sync = new_sync()
    failing_pass(db, sync, DOWN)
    with running_pass(db, sync, POLICY, "config", to_its_end=False):
        pass
    assert (read_state(db, sync).status, read_state(db, sync).try_count) == ("IN_PROGRESS", 1)
    state = failing_pass(db, sync, DOWN)
    assert (state.status, state.try_count, waits(db, sync)) == ("RETRY_WAITING", 2, 60)


def test_an_unforeseen_exception_is_an_error_at_once(db: Conn) -> None:
    state = failing_pass(db, new_sync(), ZeroDivisionError("a defect"))
    assert (state.status, state.next_try, state.error) == ("ERROR", None, "ZeroDivisionError: a defect")


def test_a_killed_pass_is_found_in_progress_and_may_run_again_at_once(db: Conn) -> None:
    sync = new_sync()
    with pytest.raises(KeyboardInterrupt), running_pass(db, sync, POLICY, "config"):
        raise KeyboardInterrupt
    assert (read_state(db, sync).status, waits(db, sync)) == ("IN_PROGRESS", None)


def test_a_server_that_asks_for_patience_at_a_mere_question_gets_it(db: Conn) -> None:
    sync = new_sync()
    change_state(db, read_state(db, sync), try_count=2)
    remember_patience(db, sync, UnavailableError("busy"))
    assert waits(db, sync) is None
    remember_patience(db, sync, UnavailableError("busy", 900))
    assert (waits(db, sync), read_state(db, sync).try_count) == (900, 2)


def test_a_time_to_wait_that_is_over_waits_no_more(db: Conn) -> None:
    sync = new_sync()
    over = database_time(db) - timedelta(seconds=1)
    change_state(db, read_state(db, sync), status="RETRY_WAITING", next_try=over)
    assert waits(db, sync) is None
