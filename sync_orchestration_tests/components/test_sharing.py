"""A server is never asked more at once than its connection allows, by however many workers on however many machines."""

import subprocess
import sys

import pytest

from sync_orchestration.components.running import OpenSource, OpenTarget
from sync_orchestration.components.target_settings import RestTargetSettings
from sync_orchestration.interface.turns import SharedTurns
from sync_orchestration.sandbox.faults import FaultRule
from sync_orchestration.sandbox.flexi import FlexiWorld, flexi_app
from sync_orchestration.sandbox.server import serve
from sync_orchestration_tests.components.rest_places import OUT, Exchange, defs_folder, exchange, new_exchange, shipped

__all__ = ["defs_folder", "exchange", "new_exchange", "shipped"]

WORKERS, REQUESTS, TURNS = 4, 6, 2

ASK = """
import sys
from functools import partial
from sync_orchestration.interface.database import connect
from sync_orchestration.interface.turns import HeldTurns, SharedTurns
from sync_orchestration.systems.http import HttpClient, HttpSettings
database, url, requests, turns = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
http = HttpClient(HttpSettings("Flexi", url, ("sync", "sync")))
if turns:
    http.turns = SharedTurns(HeldTurns(partial(connect, database)), http.settings.server, turns)
print("ready", flush=True)
sys.stdin.readline()
for _ in range(requests):
    http.send("GET", "/c/demo/adresar/1.json")
"""


def most_at_once(database_url: str, turns: int) -> int:
    """Let several processes ask one slow server; returns the most requests that it ever had under way."""
    world = FlexiWorld.demo(partners=20)
    world.faults.add(FaultRule(kind="slow", seconds=0.1, times=None))
    with serve(flexi_app(world)) as url:
        command = [sys.executable, "-c", ASK, database_url, url, str(REQUESTS), str(turns)]
        pipe = subprocess.PIPE
        workers = [subprocess.Popen(command, text=True, stdin=pipe, stdout=pipe) for _ in range(WORKERS)]
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.write("go\n")
            worker.stdin.flush()
        assert [worker.wait(120) for worker in workers] == [0] * WORKERS
        assert sum(world.faults.requests.values()) == WORKERS * REQUESTS
        return world.faults.at_once


def test_several_processes_never_ask_a_server_more_at_once_than_it_has_turns(database_url: str) -> None:
    assert most_at_once(database_url, TURNS) == TURNS


def test_the_stand_in_counts_how_much_it_was_asked_at_once(database_url: str) -> None:
    assert TURNS < most_at_once(database_url, 0) <= WORKERS


@pytest.mark.parametrize("parallel", [1, 3])
def test_a_connection_says_how_much_its_server_may_be_asked_at_once(exchange: Exchange, parallel: int) -> None:
    exchange.switch(latency_seconds=0.02)
    exchange.connected("rest", parallel=parallel)
    assert exchange.sync(OUT).problem is None
    assert exchange.crm.faults.at_once == parallel


def test_by_default_a_sync_sends_as_much_at_once_as_its_target_says(exchange: Exchange) -> None:
    exchange.switch(latency_seconds=0.02)
    assert exchange.sync(OUT).problem is None
    target = exchange.project.syncs[OUT].target
    assert isinstance(target, RestTargetSettings)
    assert exchange.crm.faults.at_once == target.parallel


def test_everything_that_a_sync_asks_takes_turns(exchange: Exchange) -> None:
    settings = exchange.project.syncs[OUT]
    source, target = exchange.connections["odoo"], exchange.connections["rest"]
    opened = OpenSource.of(settings, source), OpenTarget.of(settings, source, target, lambda _: None)
    turns = [one.http.turns for one in opened if one.http]
    assert [(t.server, t.parallel) for t in turns if isinstance(t, SharedTurns)] == [
        (one.http.settings.server, 4 if one is opened[0] else 32) for one in opened if one.http
    ]
