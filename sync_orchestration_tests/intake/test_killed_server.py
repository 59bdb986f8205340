"""A server that is killed under load has lost nothing that it acknowledged, and stored nothing twice."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import requests

from sync_orchestration.interface.database import connect
from sync_orchestration_tests.intake.world import SHOP_TOKEN

SENDERS = 4
BATCH = 50
CALLS = 40  # of each sender; the server is killed long before the last


@contextmanager
def server(database_url: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-m", "sync_orchestration_tests.intake.served", database_url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def batches(sender: int) -> Iterator[list[str]]:
    for call in range(CALLS):
        yield [f"{sender}-{call}-{number}" for number in range(BATCH)]


def push(session: requests.Session, url: str, keys: list[str]) -> list[str]:
    """Push records and return the outcomes; raises requests.RequestException when no answer comes."""
    records = [{"key": key, "data": {"text": f"record {key}"}} for key in keys]
    answer = session.post(
        f"{url}/v1/notes/records",
        json={"records": records},
        headers={"Authorization": f"Bearer {SHOP_TOKEN}"},
        timeout=60,
    )
    return [record["outcome"] for record in answer.json()["records"]]


@pytest.mark.parametrize("acknowledgements", [1, 7, 30])
def test_a_server_killed_under_load_has_stored_all_that_it_acknowledged_and_nothing_twice(
    database_url: str, acknowledgements: int
) -> None:
    acknowledged: list[str] = []
    enough = threading.Event()
    with server(database_url) as (process, url):

        def send(sender: int) -> None:
            with requests.Session() as session:
                for keys in batches(sender):
                    try:
                        outcomes = push(session, url, keys)
                    except requests.RequestException:
                        return
                    assert outcomes == ["accepted"] * BATCH
                    acknowledged.extend(keys)
                    if len(acknowledged) >= acknowledgements * BATCH:
                        enough.set()

        with ThreadPoolExecutor(SENDERS) as pool:
            senders = [pool.submit(send, number) for number in range(SENDERS)]
            assert enough.wait(timeout=120)
            process.kill()
            for one in senders:
                one.result()
    assert process.wait() == -9
    assert len(acknowledged) < SENDERS * CALLS * BATCH, "the server was killed after its work"
    with connect(database_url) as conn, conn.transaction():
        # A commit that was under way may end after its client: the lock waits for whoever still writes.
        conn.execute("LOCK TABLE sync.interface_row IN SHARE MODE")
        stored = [key for (key,) in conn.execute("SELECT record_key FROM sync.interface_row")]
    assert set(acknowledged) <= set(stored)
    assert len(stored) == len(set(stored))
    assert len(stored) % BATCH == 0, "a call is stored whole or not at all"

    with server(database_url) as (_, url), requests.Session() as session:
        for sender in range(SENDERS):
            for keys in batches(sender):
                expected = "unchanged" if keys[0] in stored else "accepted"
                assert push(session, url, keys) == [expected] * BATCH
    with connect(database_url) as conn:
        count = conn.execute("SELECT count(*) FROM sync.interface_row").fetchone()
    assert count == (SENDERS * CALLS * BATCH,)
