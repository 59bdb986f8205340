"""The outside world of a benchmark: stand-in servers in processes of their own, and a durable PostgreSQL."""

import multiprocessing
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import cycle, islice
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, ParamSpec, TypeVar
from urllib.parse import parse_qs, urlsplit

import psutil

from sync_orchestration.interface.database import connect
from sync_orchestration.interface.embedded import embedded_url, stop_embedded
from sync_orchestration.sandbox.flexi import FlexiWorld, flexi_app
from sync_orchestration.sandbox.odoo import OdooSwitches, OdooWorld, odoo_app
from sync_orchestration.sandbox.server import serve
from sync_orchestration_tests.databases import own_database

USER = PASSWORD = "sync"
ODOO_KEY = "key-of-the-benchmark"

_SPAWN = multiprocessing.get_context("spawn")

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Feed:
    """A served Flexi company; `starts` maps a number of changes to the position that so many lie after."""

    url: str
    starts: dict[int, int]


def in_own_process(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a function in a fresh process, so that no measurement leaves anything to the next."""
    with ProcessPoolExecutor(1, mp_context=_SPAWN) as pool:
        return pool.submit(work, *args, **kwargs).result()


@contextmanager
def busy_flexi(partners: int, changes: list[int]) -> Iterator[Feed]:
    """Serve a company with many partners and the largest of `changes` in its feed."""
    with elsewhere(_serve_busy_flexi, partners, changes) as feed:
        yield feed


@contextmanager
def demo_pair(partners: int, odoo_version: int, cost_scale: float = 0.0) -> Iterator[tuple[str, str]]:
    """Serve the demo company and an empty Odoo; yields their addresses.

    Odoo takes `cost_scale` times as long as a real one was measured to take.
    """
    with elsewhere(_serve_flexi, partners) as flexi, elsewhere(_serve_odoo, odoo_version, cost_scale) as odoo:
        yield flexi, odoo


@contextmanager
def postgres() -> Iterator[str]:
    """Start an embedded PostgreSQL with its durable settings in a temporary folder; yields its URL."""
    folder = Path(tempfile.mkdtemp(prefix="sync-"))
    try:
        yield embedded_url(folder)
    finally:
        stop_embedded(folder)
        shutil.rmtree(folder, ignore_errors=True)


def postgres_cpu(server: str) -> float:
    """Return the seconds of processor that a server of `postgres` has used so far, all its processes together."""
    folder = parse_qs(urlsplit(server).query)["host"][0]
    main = psutil.Process(int(Path(folder, "data", "postmaster.pid").read_text(encoding="utf-8").split()[0]))
    seconds = 0.0
    for process in [main, *main.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            used = process.cpu_times()
            seconds += used.user + used.system + getattr(used, "children_user", 0.0)
            seconds += getattr(used, "children_system", 0.0)
    return seconds


@contextmanager
def fresh_database(server: str) -> Iterator[str]:
    """Create a database with empty interface tables for the length of a block; yields its URL."""
    with own_database(server) as url:
        # What earlier rounds have left to be written to disk is theirs.
        with connect(url) as conn:
            conn.execute("CHECKPOINT")
        yield url


@contextmanager
def elsewhere(work: Callable[..., None], *args: Any) -> Iterator[Any]:
    """Run a server in its own process until the block ends; yields what it says when it is ready."""
    ours, theirs = _SPAWN.Pipe()
    process = _SPAWN.Process(target=work, args=(theirs, *args), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours.recv()
    finally:
        ours.close()
        process.join(timeout=10)


def until_closed(line: Connection) -> None:
    try:
        line.recv()
    except EOFError:
        return


def _serve_busy_flexi(line: Connection, partners: int, changes: list[int]) -> None:
    world = FlexiWorld.demo(partners=1_000)
    company = world.companies["demo"]
    company.disable_changes()
    models = [company.record("adresar", i) or {} for i in company.ids("adresar")]
    for number, model in enumerate(islice(cycle(models), len(models), partners)):
        company.create("adresar", {**model, "kod": f"P{number}"}, unchecked=True)
    company.journal.clear()
    company.enable_changes()
    company.bulk_changes(max(changes), partners)
    starts = {number: company.log.versions[-number] for number in changes}
    with serve(flexi_app(world)) as url:
        line.send(Feed(url, starts))
        until_closed(line)


def _serve_flexi(line: Connection, partners: int) -> None:
    with serve(flexi_app(FlexiWorld.demo(partners=partners))) as url:
        line.send(url)
        until_closed(line)


def _serve_odoo(line: Connection, version: int, cost_scale: float) -> None:
    switches = OdooSwitches(simulate_costs=cost_scale > 0, cost_scale=cost_scale)
    world = OdooWorld(version, api_key=ODOO_KEY, switches=switches)
    with serve(odoo_app(world)) as url:
        line.send(url)
        until_closed(line)
