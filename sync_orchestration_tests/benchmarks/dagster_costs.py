"""What Dagster itself costs: loading definitions, a run, and many partitions in its storage."""

import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from unittest.mock import patch

import dagster as dg

from sync_orchestration.cli.services import dagster_environment, prepare_dagster_home
from sync_orchestration.components.headless import bring_up_to_date
from sync_orchestration.components.running import OpenSource, OpenTarget
from sync_orchestration.definitions import Project, load_project
from sync_orchestration.interface.database import connect
from sync_orchestration.interface.rows import Scope
from sync_orchestration.pipeline.windows import window_at
from sync_orchestration_tests.benchmarks.into_odoo import rename
from sync_orchestration_tests.benchmarks.many_syncs import write_syncs
from sync_orchestration_tests.benchmarks.measured import Grid, Machine, Measured, load_now
from sync_orchestration_tests.benchmarks.product import Silent
from sync_orchestration_tests.benchmarks.stand_ins import (
    ODOO_KEY,
    PASSWORD,
    USER,
    demo_pair,
    fresh_database,
    in_own_process,
    postgres,
)

SYNCS = 100
PARTITIONS = 10_000
_PARTNERS = 200
_PARTITION_SIZE = 10_000
_SYNC = "partners_1"
_LOAD = """
import sys, time
began = time.perf_counter()
from sync_orchestration.definitions import load_project
imported = time.perf_counter()
import importlib
sys.path.insert(0, sys.argv[1])
found = load_project(importlib.import_module("many_defs")).definitions.get_repository_def()
assert len(found.get_all_jobs()) > int(sys.argv[2])
print(imported - began, time.perf_counter() - imported)
"""


@dataclass(frozen=True, slots=True)
class Runs:
    """Seconds for one change each: by the pipeline alone, by a run, by a run with many partitions; and for those."""

    alone: list[float]
    few: list[float]
    many: list[float]
    adding: float
    listing: float


def measure_dagster(rounds: int, syncs: int = SYNCS, partitions: int = PARTITIONS) -> Measured:
    """Load definitions in new processes, then write one change after the other in one."""
    before = load_now()
    with TemporaryDirectory(prefix="sync-") as folder:
        few, many = Path(folder, "few"), Path(folder, "many")
        write_syncs(few / "many_defs", 1)
        write_syncs(many / "many_defs", syncs)
        loads = [(_loaded(few, 1), _loaded(many, syncs)) for _ in range(rounds)]
        with postgres() as server, demo_pair(_PARTNERS, 19) as (flexi, odoo), fresh_database(server) as url:
            runs = in_own_process(_runs, few, flexi, odoo, url, rounds, partitions)
    ms = 1_000
    rows = (
        ("import the product and Dagster", f"{median(one[0] for one, _ in loads) * ms:,.0f}"),
        ("load the definitions of 1 sync", f"{median(one[1] for one, _ in loads) * ms:,.0f}"),
        (f"load the definitions of {syncs} syncs", f"{median(one[1] for _, one in loads) * ms:,.0f}"),
        ("read and write one change, the pipeline alone", f"{median(runs.alone) * ms:,.0f}"),
        ("the same as a run of Dagster in one process", f"{median(runs.few) * ms:,.0f}"),
        (f"the same with {partitions:,} partitions more", f"{median(runs.many) * ms:,.0f}"),
        (f"add {partitions:,} partitions at once", f"{runs.adding * ms:,.0f}"),
        (f"list {partitions:,} partitions", f"{runs.listing * ms:,.0f}"),
    )
    return Measured(
        name="dagster",
        title="What Dagster itself costs",
        grids=(Grid(title=f"Milliseconds, {rounds} rounds, medians", head=("", "ms"), rows=rows),),
        machine=Machine(load=(before, load_now())),
    )


def _loaded(folder: Path, syncs: int) -> tuple[float, float]:
    """Return the seconds of importing and of loading in a process of its own."""
    command = [sys.executable, "-W", "ignore", "-c", _LOAD, str(folder), str(syncs)]
    imported, loaded = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(imported), float(loaded)


def _runs(folder: Path, flexi: str, odoo: str, database_url: str, rounds: int, partitions: int) -> Runs:
    with TemporaryDirectory(prefix="sync-") as state, patch.dict(os.environ), patch.object(sys, "path", sys.path[:]):
        prepare_dagster_home(Path(state))
        os.environ |= {
            **dagster_environment(Path(state), database_url),
            "FLEXI_URL": flexi,
            "FLEXI_COMPANY": "demo",
            "FLEXI_USER": USER,
            "FLEXI_PASSWORD": PASSWORD,
            "ODOO_URL": odoo,
            "ODOO_DATABASE": "odoo",
            "ODOO_USER": USER,
            "ODOO_API_KEY": ODOO_KEY,
        }
        sys.path.insert(0, str(folder))
        project = load_project(importlib.import_module("many_defs"))
        with dg.DagsterInstance.get() as instance:
            return _changes(instance, project, flexi, rounds, partitions)


def _changes(instance: dg.DagsterInstance, project: Project, flexi: str, rounds: int, partitions: int) -> Runs:
    _by_dagster(instance, project)
    alone, few = list[float](), list[float]()
    for number in range(rounds):
        alone.append(_timed(flexi, f"alone {number}", lambda: _by_the_pipeline(project)))
        few.append(_timed(flexi, f"few {number}", lambda: _by_dagster(instance, project)))
    keys = [window_at(number * _PARTITION_SIZE, _PARTITION_SIZE).key for number in range(1, partitions + 1)]
    name = project.syncs[_SYNC].partitions
    began = perf_counter()
    instance.add_dynamic_partitions(name, keys)
    added = perf_counter()
    assert len(instance.get_dynamic_partitions(name)) >= partitions
    listed = perf_counter()
    many = [_timed(flexi, f"many {number}", lambda: _by_dagster(instance, project)) for number in range(rounds)]
    return Runs(alone, few, many, added - began, listed - added)


def _timed(flexi: str, word: str, work: Callable[[], None]) -> float:
    rename(flexi, [1], word)
    began = perf_counter()
    work()
    return perf_counter() - began


def _by_dagster(instance: dg.DagsterInstance, project: Project) -> None:
    report = bring_up_to_date(instance, project.definitions, project.syncs[_SYNC], project.connections)
    assert report.problem is None, report
    assert report.counts["processed"] > 0, report


def _by_the_pipeline(project: Project) -> None:
    settings, known = project.syncs[_SYNC], project.connections
    with connect(os.environ["SYNC_POSTGRES_URL"]) as conn:
        source = OpenSource.of(settings, known[_SYNC])
        target = OpenTarget.of(settings, known[_SYNC], known["odoo"], lambda _: None)
        source.reader(conn, "benchmark", Silent()).bring_up_to_date()
        counts = target.writer(conn, "benchmark", Silent()).write(Scope())
    assert counts.processed > 0, counts
