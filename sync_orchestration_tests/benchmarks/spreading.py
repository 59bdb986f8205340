"""A backfill of many windows, its runs spread over Celery workers of which one is killed in the middle.

The real code server, webserver and daemon on stand-ins; two workers at a broker, each a machine of its own as far as
signals go. The sync's sensor is switched off, so that the backfill alone is looked at.
"""

import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
import requests
import yaml

from sync_orchestration import defs as own_folder
from sync_orchestration.cli.services import prepare_dagster_home
from sync_orchestration.components.assets import add_windows
from sync_orchestration.components.headless import bring_up_to_date
from sync_orchestration.components.run_ends import reason_of
from sync_orchestration.definitions import Project, load_project
from sync_orchestration.interface.database import database_url
from sync_orchestration.interface.migrate import migrate
from sync_orchestration.pipeline.windows import windows_between
from sync_orchestration.sandbox.odoo import OdooSwitches
from sync_orchestration_tests.benchmarks.report import table
from sync_orchestration_tests.benchmarks.running import SYNC, Running, running, wait_until
from sync_orchestration_tests.components.celery_places import CeleryWorker, broker

WINDOWS, WINDOW, PARTNERS = 50, 100, 1_000
PROCESSES = 2
"""Of each worker."""

STARTED, SUCCESS, FAILURE = dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE
_TAG = ".dagster/sync_process"
_KILL_AFTER = 12  # finished runs
_MODULE = "spread_definitions"
_DEFINITIONS = """
import spread_defs
from sync_orchestration.components.run_ends import reason_of
from sync_orchestration.definitions import load_project
definitions = load_project(spread_defs).definitions
"""
_SERVE = f"""
import sys
from pathlib import Path
from sync_orchestration.cli.services import dagster_services
from sync_orchestration.cli.supervisor import supervise
state, port, url = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
supervise(dagster_services(state, port, url, module={_MODULE!r}), log_dir=state / "logs")
"""
_BACKFILL = """
mutation($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
  __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }
"""


@dataclass
class Spreading(Running):
    """Services whose runs are executed by workers."""

    workers: list[CeleryWorker] = field(default_factory=list)
    pids: dict[str, set[int]] = field(default_factory=dict)

    @classmethod
    def on(cls, found: Running) -> "Spreading":
        return cls(found.flexi, found.odoo, found.state, found.ports, created_before=found.created_before)

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(self.state), "DAGSTER_HOME": str(self.state / "dagster")}

    def start(self) -> None:
        with (self.state / "dev.log").open("ab") as log:
            command = [
                sys.executable,
                "-c",
                _SERVE,
                str(self.state),
                str(self.ports[0]),
                os.environ["SYNC_POSTGRES_URL"],
            ]
            self.dev = subprocess.Popen(command, cwd=self.state, env=self.environment, stdout=log, stderr=log)
        began = time.time()
        if not wait_until(lambda: self.is_back("webserver", 0, began) and self.is_back("daemon", 0, began), 300):
            raise RuntimeError(f"the services did not start; see {self.state / 'dev.log'}")

    def hire(self, *names: str) -> None:
        self.workers += [CeleryWorker.start(name, self.state, self.environment, PROCESSES) for name in names]
        if not wait_until(lambda: all(worker.is_ready for worker in self.workers), 300):
            raise RuntimeError(f"the workers did not start; see {self.state}")
        self.pids = {worker.name: worker.pids for worker in self.workers}

    def dismiss(self) -> None:
        for worker in self.workers:
            worker.kill()

    def backfill(self, keys: list[str], *assets: list[str]) -> str:
        """Begin a backfill as the UI does; returns its id."""
        params = {"assetSelection": [{"path": asset} for asset in assets], "partitionNames": keys}
        answer = requests.post(
            f"http://127.0.0.1:{self.ports[0]}/graphql",
            json={"query": _BACKFILL, "variables": {"params": params}},
            timeout=60,
        ).json()
        found = answer.get("data", {}).get("launchPartitionBackfill", answer)
        if "backfillId" not in found:
            raise RuntimeError(f"no backfill: {found}")
        return str(found["backfillId"])

    def worker_of(self, run: dg.DagsterRun) -> str:
        pid = int(run.tags.get(_TAG, "::0:").split(":")[-2])
        return next((name for name, pids in self.pids.items() if pid in pids), "?")


@dataclass(frozen=True)
class Backfill:
    """A backfill that goes on, and its runs."""

    place: Spreading
    number: str

    def runs(self, status: dg.DagsterRunStatus) -> list[dg.DagsterRun]:
        with self.place.instance() as instance:
            tags = {"dagster/backfill": self.number}
            return list(instance.get_runs(dg.RunsFilter(tags=tags, statuses=[status])))

    def at_work(self, worker: str) -> list[dg.DagsterRun]:
        return [run for run in self.runs(STARTED) if self.place.worker_of(run) == worker]

    @property
    def is_over(self) -> bool:
        with self.place.instance() as instance:
            found = instance.get_backfill(self.number)
            return found is not None and found.status.value.startswith("COMPLETED")


def measure_spreading() -> str:
    """Measure; returns the table."""
    with _spread() as (place, project):
        keys = _changed_in_every_window(place, project)
        settings = project.syncs[SYNC]
        with place.instance() as instance:
            add_windows(instance, settings, keys)
            instance.event_log_storage.set_concurrency_slots(f"{settings.target.connection}_writes", 2 * PROCESSES)
        place.start()
        place.hire("first", "second")
        place.odoo.faults.reset_counts()
        began = time.monotonic()
        backfill = Backfill(place, place.backfill(keys, settings.source.asset_key, settings.target_asset_key))
        _within(900, lambda: len(backfill.runs(SUCCESS)) >= _KILL_AFTER, "too few runs ended")
        _within(900, lambda: bool(backfill.at_work("first")), "the first worker has nothing to do")
        cut_off = backfill.at_work("first")
        place.workers[0].kill()
        killed = time.monotonic()
        lost = {run.run_id for run in cut_off}
        _within(900, lambda: lost <= {run.run_id for run in backfill.runs(FAILURE)}, "the kill was not noticed")
        noticed = time.monotonic()
        _within(1800, lambda: backfill.is_over, "the backfill did not come to its end")
        seconds = time.monotonic() - began, noticed - killed
        return _report(place, backfill, len(keys), len(cut_off), *seconds)


def _report(place: Spreading, backfill: Backfill, windows: int, cut_off: int, seconds: float, noticed: float) -> str:
    ended = backfill.runs(SUCCESS)
    by_worker = Counter(place.worker_of(run) for run in ended)
    with place.instance() as instance:
        reasons = Counter(reason_of(instance, run.run_id).partition("\n")[0] for run in backfill.runs(FAILURE))
    rows = [
        ("windows", windows),
        ("runs that ended well", len(ended)),
        ("… by the killed worker, by the other one", f"{by_worker['first']}, {by_worker['second']}"),
        ("runs that failed", len(backfill.runs(FAILURE))),
        ("… at work when their worker was killed", cut_off),
        ("… noticed after (s)", f"{noticed:.0f}"),
        ("backfill over after (s)", f"{seconds:.0f}"),
        ("requests to Odoo at once, at most", place.odoo.faults.at_once),
        ("rows not settled", place.unsettled),
        ("lost", _lost(place)),
        ("doubled", place.doubled()),
    ]
    told = table(f"2 workers of {PROCESSES} processes, one killed: {PARTNERS:,} partners renamed", ("", ""), rows)
    return "\n".join([told, "Runs failed because:", *(f"  {count} × {reason}" for reason, count in reasons.items())])


def _within(seconds: float, condition: Callable[[], bool], otherwise: str) -> None:
    if not wait_until(condition, seconds):
        raise RuntimeError(otherwise)


@contextmanager
def _spread() -> Iterator[tuple[Spreading, Project]]:
    """Serve a synced company, with windows that are small and a sensor that is off."""
    with ExitStack() as stack:
        place = Spreading.on(stack.enter_context(running(PARTNERS)))
        stack.callback(place.stop)
        os.environ |= {"SYNC_CELERY_URL": stack.enter_context(broker()), "SYNC_POSTGRES_URL": database_url()}
        _write_definitions(place.state)
        sys.path.insert(0, str(place.state))
        stack.callback(sys.path.remove, str(place.state))
        project = load_project(__import__("spread_defs"))
        migrate(os.environ["SYNC_POSTGRES_URL"])
        prepare_dagster_home(place.state)
        with place.instance() as instance:
            report = bring_up_to_date(instance, project.definitions, project.syncs[SYNC], project.connections)
        if report.problem:
            raise RuntimeError(report.problem)
        place.odoo.switches = OdooSwitches(simulate_costs=True)
        stack.callback(place.dismiss)
        yield place, project


def _write_definitions(folder: Path) -> None:
    source, copied = Path(own_folder.__file__).parent, folder / "spread_defs"
    for name in ("connections", SYNC):
        shutil.copytree(source / name, copied / name)
    shutil.copy(source / "__init__.py", copied)
    file = copied / SYNC / "defs.yaml"
    content: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    content["attributes"]["source"].update(window=WINDOW, overlap=20)
    content["attributes"].update(enabled=False, triggers={"windows_per_run": 1, "reconcile": None})
    file.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")
    (folder / f"{_MODULE}.py").write_text(_DEFINITIONS, encoding="utf-8")


def _usual(place: Running) -> list[int]:
    troubled = {i for ids in place.flexi.planted.values() for i in ids}
    return [i for i in place.company.ids("adresar") if i not in troubled]


def _changed_in_every_window(place: Running, project: Project) -> list[str]:
    """Rename every partner, some in each of the next windows; returns the windows."""
    company, usual = place.company, _usual(place)
    first = company.global_version // WINDOW + 1

    def fill(until: int) -> None:
        while company.global_version < until:
            company.update("adresar", usual[0], {"poznam": f"note {company.global_version}"})

    fill(first * WINDOW)
    for n in range(WINDOWS):
        for one in usual[n::WINDOWS]:
            company.update("adresar", one, {"nazev": f"Spread {n}.{one}"})
        fill((first + n + 1) * WINDOW - 5)
    size = project.syncs[SYNC].source.window
    return [window.key for window in windows_between(first * WINDOW, company.global_version, size)]


def _lost(place: Running) -> int:
    """Return how many partners Odoo does not hold under the name that the company has now."""
    names = place.names()
    wanted = {
        f"flexi_demo.adresar_{one}": f"Spread {n}.{one}" for n in range(WINDOWS) for one in _usual(place)[n::WINDOWS]
    }
    return sum(names.get(key) != name for key, name in wanted.items())
