"""A server that asks for patience is left alone by all workers, of all machines, for as long as it asked."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from sync_orchestration.interface.database import connect
from sync_orchestration.interface.pauses import SharedPause

CRM, OTHER = "https://crm.example.com:443", "https://odoo.example.com:443"


@dataclass
class Workers:
    """Makes workers, each with a memory of its own, and counts how often they look at the database."""

    url: str
    looks: int = 0

    @contextmanager
    def session(self) -> Iterator[Connection[Any]]:
        self.looks += 1
        with connect(self.url) as conn:
            yield conn

    def hire(self, server: str = CRM) -> SharedPause:
        return SharedPause(self.session, server)


@pytest.fixture
def workers(database_url: str) -> Workers:
    return Workers(database_url)


@dataclass
class Clock:
    """This machine's clock, which stands still unless it is moved."""

    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("sync_orchestration.interface.pauses.time.monotonic", made)
    return made


def is_about(seconds: float, asked: float) -> bool:
    """True when a pause of `asked` seconds began just now (a minute ago at most, on a slow machine)."""
    return asked - 60 < seconds <= asked + 0.001


def test_a_server_that_never_asked_for_patience_may_be_asked(workers: Workers) -> None:
    assert workers.hire().remaining() == 0


def test_what_one_worker_was_told_every_worker_keeps(workers: Workers) -> None:
    workers.hire().prolong(600)
    assert is_about(workers.hire().remaining(), 600)


def test_another_server_may_be_asked_meanwhile(workers: Workers) -> None:
    workers.hire().prolong(600)
    assert workers.hire(OTHER).remaining() == 0


@pytest.mark.parametrize("first_seconds", [600, 3_600])
def test_of_two_wishes_the_longer_one_holds_in_whatever_order_they_come(workers: Workers, first_seconds: int) -> None:
    first, second = workers.hire(), workers.hire()
    first.prolong(first_seconds)
    second.prolong(4_200 - first_seconds)
    assert is_about(first.remaining(), 3_600)
    assert is_about(second.remaining(), 3_600)
    assert is_about(workers.hire().remaining(), 3_600)


def test_a_pause_ends_by_itself(workers: Workers, conn: psycopg.Connection[Any]) -> None:
    workers.hire().prolong(600)
    conn.execute("UPDATE sync.connection_pause SET until = now() - interval '1 millisecond'")
    assert workers.hire().remaining() == 0
    workers.hire().prolong(60)
    assert is_about(workers.hire().remaining(), 60), "and the next one begins anew"


def test_a_worker_counts_a_pause_down_without_looking_again(workers: Workers, clock: Clock) -> None:
    pause = workers.hire()
    pause.prolong(600)
    looks = workers.looks
    assert pause.remaining() == pytest.approx(600, abs=1)
    assert workers.looks == looks + 1
    clock.now += 1.9
    assert pause.remaining() == pytest.approx(598.1, abs=1)
    assert workers.looks == looks + 1


def test_the_database_is_looked_at_every_two_seconds_at_most_and_then_tells_of_a_new_pause(
    workers: Workers, clock: Clock
) -> None:
    pause = workers.hire()
    assert [pause.remaining() for _ in range(50)] == [0] * 50
    assert workers.looks == 1
    workers.hire().prolong(600)
    clock.now += 1.9
    assert pause.remaining() == 0
    clock.now += 0.2
    assert pause.remaining() > 0


def test_the_worker_that_was_told_keeps_it_at_once(workers: Workers, clock: Clock) -> None:
    pause = workers.hire()
    pause.remaining()
    pause.prolong(600)
    assert pause.remaining() == pytest.approx(600)
    clock.now += 601
    workers.looks = 0
    assert pause.remaining() <= 600, "the database's clock decides from then on"


@pytest.mark.parametrize("seconds", [0.0, 0.25])
def test_a_short_wish_is_kept_exactly(workers: Workers, clock: Clock, seconds: float) -> None:
    pause = workers.hire()
    pause.prolong(seconds)
    assert pause._until == pytest.approx(clock.now + seconds)


def test_a_wish_for_ages_is_kept_as_ages_and_breaks_nothing(workers: Workers) -> None:
    """A Retry-After may be a date in the year 9999."""
    workers.hire().prolong(1e12)
    assert workers.hire().remaining() > 86_400
    assert workers.hire(OTHER).remaining() == 0


def test_threads_share_one_pause(workers: Workers) -> None:
    pause = workers.hire()
    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(pause.prolong, [60, 3_600, 600, 30, 1, 900, 120, 240]))
        found = list(pool.map(lambda _: pause.remaining(), range(16)))
    assert all(is_about(seconds, 3_600) for seconds in found)
    assert is_about(workers.hire().remaining(), 3_600)
