"""However many workers ask a server, on however many machines, no more requests are under way than it has turns."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import psycopg
import pytest

from sync_orchestration.interface.database import connect
from sync_orchestration.interface.turns import HeldTurns

ODOO, FLEXI = "https://odoo.example.com:443", "https://flexi.example.com:5434"

HOLD_ONE = """
import sys, time
from functools import partial
from sync_orchestration.interface.database import connect
from sync_orchestration.interface.turns import HeldTurns
with HeldTurns(partial(connect, sys.argv[1])).turn(sys.argv[2], int(sys.argv[3])):
    print("holds", flush=True)
    sys.stdin.read()
"""


@contextmanager
def hired(database_url: str) -> Iterator[HeldTurns]:
    """A worker with a session of its own, as another process has one."""
    worker = HeldTurns(partial(connect, database_url))
    try:
        yield worker
    finally:
        worker._opened.close()


@pytest.fixture
def hire(database_url: str) -> Iterator[Callable[[], HeldTurns]]:
    with ExitStack() as stack:
        yield lambda: stack.enter_context(hired(database_url))


def begin(worker: HeldTurns, server: str, parallel: int) -> tuple[threading.Event, threading.Event, threading.Thread]:
    """Let a thread ask for a turn; the first event says that it has one, the second lets it give it back."""
    has, enough = threading.Event(), threading.Event()

    def hold() -> None:
        with worker.turn(server, parallel):
            has.set()
            enough.wait(60)

    thread = threading.Thread(target=hold, daemon=True)
    thread.start()
    return has, enough, thread


def waits(conn: psycopg.Connection[Any]) -> int:
    """How many workers stand in a queue now."""
    row = conn.execute(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = %s::oid AND granted", (0x5155,)
    ).fetchone()
    assert row is not None
    return int(row[0])


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.005)


def test_a_turn_that_all_hold_is_waited_for_and_comes(hire: Callable[[], HeldTurns], conn: Any) -> None:
    first, second = hire(), hire()
    with first.turn(ODOO, 1):
        has, enough, thread = begin(second, ODOO, 1)
        until(lambda: waits(conn) == 1)
        assert not has.is_set()
    assert has.wait(60)
    enough.set()
    thread.join(60)
    assert waits(conn) == 0


def test_another_server_has_turns_of_its_own(hire: Callable[[], HeldTurns]) -> None:
    first, second = hire(), hire()
    with first.turn(ODOO, 1), second.turn(FLEXI, 1), first.turn(FLEXI, 2):
        pass


def test_threads_of_one_process_use_as_many_turns_as_there_are_and_no_more(
    hire: Callable[[], HeldTurns], conn: Any
) -> None:
    worker = hire()
    started = [begin(worker, ODOO, 3) for _ in range(5)]
    until(lambda: sum(has.is_set() for has, _, _ in started) == 3 and waits(conn) == 1)
    for has, enough, thread in sorted(started, key=lambda one: not one[0].is_set()):
        assert has.wait(60)
        enough.set()
        thread.join(60)


def test_many_workers_with_many_threads_never_exceed_the_turns_and_all_get_theirs(
    hire: Callable[[], HeldTurns],
) -> None:
    workers = [hire() for _ in range(4)]
    lock, now, most, served = threading.Lock(), 0, 0, [0] * len(workers)

    def work(number: int) -> None:
        nonlocal now, most
        for _ in range(10):
            with workers[number].turn(ODOO, 3):
                with lock:
                    now, served[number] = now + 1, served[number] + 1
                    most = max(most, now)
                with lock:
                    now -= 1

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(work, [number for number in range(4) for _ in range(3)]))
    assert most <= 3
    assert served == [30] * 4


def test_nobody_takes_a_turn_past_one_who_waits(hire: Callable[[], HeldTurns], conn: Any) -> None:
    """Or a worker that asks without a break would leave none to the others."""
    first, patient, hasty = hire(), hire(), hire()
    with first.turn(ODOO, 1):
        has, enough, thread = begin(patient, ODOO, 1)
        until(lambda: waits(conn) == 1)
        assert hasty._try("take_turn", ODOO, 2) is None
    assert has.wait(60)
    until(lambda: waits(conn) == 0)
    assert hasty._try("take_turn", ODOO, 2) is not None
    enough.set()
    thread.join(60)


def test_a_killed_worker_gives_its_turn_back(database_url: str, hire: Callable[[], HeldTurns], conn: Any) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD_ONE, database_url, ODOO, "1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == b"holds\n"
        has, enough, thread = begin(hire(), ODOO, 1)
        until(lambda: waits(conn) == 1)
        assert not has.is_set()
        os.kill(killed.pid, signal.SIGKILL)
        assert has.wait(60)
    enough.set()
    thread.join(60)


def test_a_worker_whose_session_was_cut_goes_on_in_a_new_one(hire: Callable[[], HeldTurns], conn: Any) -> None:
    worker, rival = hire(), hire()
    with worker.turn(ODOO, 1):
        pid = worker._connection().info.backend_pid
        conn.execute("SELECT pg_terminate_backend(%s, 10000)", (pid,))
        with rival.turn(ODOO, 1):
            pass
    with worker.turn(ODOO, 1):
        assert worker._connection().info.backend_pid != pid
    with rival.turn(ODOO, 1):
        pass


def test_two_connections_to_one_server_share_its_turns_whatever_each_allows_itself(
    hire: Callable[[], HeldTurns], conn: Any
) -> None:
    modest, greedy = hire(), hire()
    with greedy.turn(ODOO, 2), greedy.turn(ODOO, 2):
        has, enough, thread = begin(modest, ODOO, 1)
        until(lambda: waits(conn) == 1)
        assert not has.is_set()
    enough.set()
    assert has.wait(60)
    thread.join(60)
