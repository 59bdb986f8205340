"""Fixtures of the tests of the interface tables: workers with sessions of their own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from sync_orchestration.interface.database import connect
from sync_orchestration.interface.rows import Worker, hire_worker

Hire = Callable[[], Worker]


@pytest.fixture
def hire(database_url: str) -> Iterator[Hire]:
    """Hires workers, each on a connection of its own that the test may close."""
    with ExitStack() as sessions:
        yield lambda: hire_worker(sessions.enter_context(connect(database_url)), "run-1")


@pytest.fixture
def worker(hire: Hire) -> Worker:
    return hire()
