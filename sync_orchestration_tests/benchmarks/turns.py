"""What a turn costs a request: taking one and giving it back, alone and beside others."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

from psycopg import Connection

from sync_orchestration.interface.database import connect
from sync_orchestration.interface.turns import HeldTurns
from sync_orchestration_tests.benchmarks.report import table
from sync_orchestration_tests.benchmarks.stand_ins import fresh_database, postgres

_SERVER, _PARALLEL, _TURNS = "https://odoo.example.com", 4, 2_000


def measure_turns() -> str:
    """Measure; returns the table."""
    with postgres() as server, fresh_database(server) as url:
        rows = [
            ("for comparison, two bare statements", *_bare(url)),
            ("one worker, one thread", *_timed(url, 1, 1)),
            ("one worker, four threads", *_timed(url, 1, 4)),
            ("four workers", *_timed(url, 4, 1)),
        ]
    return table(f"A turn of {_PARALLEL}, taken and given back", ("", "median µs", "95 % below µs"), rows)


def _bare(url: str) -> tuple[str, str]:
    with connect(url) as conn:
        return _cells(sorted(_one(lambda: _asked_twice(conn)) for _ in range(_TURNS)))


@contextmanager
def _asked_twice(conn: Connection[Any]) -> Iterator[None]:
    conn.execute("SELECT 1")
    yield
    conn.execute("SELECT 1")


def _cells(times: Sequence[float]) -> tuple[str, str]:
    return f"{median(times) * 1e6:.0f}", f"{times[len(times) * 95 // 100] * 1e6:.0f}"


def _timed(url: str, workers: int, threads: int) -> tuple[str, str]:
    with ExitStack() as stack:
        held = [HeldTurns(partial(connect, url)) for _ in range(workers)]
        for one in held:
            stack.callback(one._opened.close)
        with ThreadPoolExecutor(workers * threads) as pool:
            found = pool.map(_turns_of, [one for one in held for _ in range(threads)])
            return _cells(sorted(time for times in found for time in times))


def _turns_of(held: HeldTurns) -> list[float]:
    return [_one(lambda: held.turn(_SERVER, _PARALLEL)) for _ in range(_TURNS)]


def _one(turn: Callable[[], AbstractContextManager[None]]) -> float:
    started = perf_counter()
    with turn():
        pass
    return perf_counter() - started
