"""Runs spread over Celery workers: what a killed one has begun another one ends; nothing is lost or doubled."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.launcher import DefaultRunLauncher, LaunchRunContext, WorkerStatus

from sync_orchestration.cli.environment import use_state_folder
from sync_orchestration.components.assets import add_windows
from sync_orchestration.components.celery_runs import SyncCeleryRunLauncher
from sync_orchestration.pipeline.windows import window_of_key
from sync_orchestration.sandbox.odoo import OdooSwitches
from sync_orchestration_tests.benchmarks.running import wait_until
from sync_orchestration_tests.components.celery_places import CeleryWorker, broker, needs_a_broker
from sync_orchestration_tests.components.places import SYNC, DefsFolder, NewPlace, Place
from sync_orchestration_tests.components.test_outage import held, wanted

pytestmark = pytest.mark.xdist_group("celery")

WINDOW, WINDOWS = 100, 5
UNDER_WAY = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]
DEFINITIONS = """
import {folder}
from sync_orchestration.definitions import load_project
definitions = load_project({folder}).definitions
"""


class Spread:
    """A sync whose runs are tasks of workers."""

    def __init__(self, place: Place, instance: dg.DagsterInstance, folder: Path, workers: list[CeleryWorker]) -> None:
        self.place, self.instance, self.folder, self.workers = place, instance, folder, workers
        repository = ReconstructableRepository.for_module("spread_definitions", "definitions", str(folder))
        self.origin = repository.get_reconstructable_job(SYNC).get_python_origin()

    def hire(self, name: str) -> CeleryWorker:
        env = {**os.environ, "PYTHONPATH": str(self.folder)}
        self.workers.append(CeleryWorker.start(name, self.folder, env))
        return self.workers[-1]

    def launch(self, window: str) -> str:
        """Hand out the run of one window, as Dagster's queue does."""
        tags = {"dagster/asset_partition_range_start": window, "dagster/asset_partition_range_end": window}
        job = self.place.definitions.resolve_job_def(SYNC)
        run = self.instance.create_run_for_job(job, tags=tags, job_code_origin=self.origin)
        self.instance.report_dagster_event(
            dg.DagsterEvent(dg.DagsterEventType.PIPELINE_STARTING.value, job_name=SYNC), run_id=run.run_id
        )
        fresh = self.instance.get_run_by_id(run.run_id)
        assert fresh is not None
        self.instance.run_launcher.launch_run(LaunchRunContext(fresh, workspace=None))
        return run.run_id

    def runs(self, *statuses: dg.DagsterRunStatus) -> list[dg.DagsterRun]:
        return list(self.instance.get_runs(dg.RunsFilter(statuses=list(statuses))))

    def worker_of(self, run: dg.DagsterRun) -> CeleryWorker | None:
        pid = int(run.tags.get(".dagster/sync_process", "::0:").split(":")[-2])
        return next((worker for worker in self.workers if pid in worker.pids), None)


@pytest.fixture
def spread(
    new_place: NewPlace, defs_folder: DefsFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Spread]:
    defs_folder.change(SYNC, lambda attributes: attributes["source"].update(window=WINDOW, overlap=20))
    (tmp_path / "spread_definitions.py").write_text(DEFINITIONS.format(folder=defs_folder.path.name), encoding="utf-8")
    place = new_place(project=defs_folder.load())
    assert place.bring_up_to_date().problem is None
    workers: list[CeleryWorker] = []
    with ExitStack() as stack:
        monkeypatch.setattr("sync_orchestration.components.celery_runs._ANSWER_SECONDS", 1.0)
        monkeypatch.setenv("SYNC_CELERY_URL", stack.enter_context(broker()))
        use_state_folder()
        instance = stack.enter_context(dg.DagsterInstance.get())
        try:
            yield Spread(place, instance, tmp_path, workers)
        finally:
            for worker in workers:
                worker.kill()


def changed_in_every_window(place: Place) -> list[str]:
    """Rename partners in the next windows; returns the windows."""
    start = place.company.global_version
    troubled = {i for ids in place.flexi.planted.values() for i in ids}
    usual = [i for i in place.company.ids("adresar") if i not in troubled]
    for n in range(WINDOWS):
        for one in usual[n::WINDOWS]:
            place.company.update("adresar", one, {"nazev": f"Spread {n}.{one}"})
        end = (start // WINDOW + 1 + n) * WINDOW + WINDOW // 2
        place.company.bulk_changes(max(0, end - place.company.global_version), 1)
    windows = place.add_all_windows()
    return [key for key in windows if window_of_key(key, WINDOW).end > start]


def gone_for_sure(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Callable[[], bool]:
    return lambda: instance.run_launcher.check_run_worker_health(run).status is WorkerStatus.NOT_FOUND


@needs_a_broker
def test_a_killed_worker_is_noticed_and_its_windows_are_ended_by_another(spread: Spread) -> None:
    place, instance = spread.place, spread.instance
    assert isinstance(instance.run_launcher, SyncCeleryRunLauncher)
    windows = changed_in_every_window(place)
    add_windows(instance, place.settings, windows)
    created = place.odoo.created["res.partner"]
    place.odoo.switches = OdooSwitches(simulate_costs=True, cost_scale=5.0)
    first, second = spread.hire("first"), spread.hire("second")
    assert wait_until(lambda: first.is_ready and second.is_ready, 60)
    window_of = {spread.launch(window): window for window in windows}

    def at_work() -> dict[str, CeleryWorker | None]:
        return {run.run_id: spread.worker_of(run) for run in spread.runs(dg.DagsterRunStatus.STARTED)}

    assert wait_until(lambda: {first, second} <= {w for w in at_work().values() if w}, 60), "both are at work"
    (lost,) = [run for run in spread.runs(dg.DagsterRunStatus.STARTED) if spread.worker_of(run) is first]
    first.kill()
    place.odoo.switches = OdooSwitches()
    assert instance.run_launcher.check_run_worker_health(lost).status is WorkerStatus.RUNNING, "not for one silence"
    assert wait_until(gone_for_sure(instance, lost), 60)
    instance.report_run_failed(lost, "as run monitoring does")
    spread.launch(window_of[lost.run_id])

    assert wait_until(lambda: not spread.runs(*UNDER_WAY), 60)
    ended = Counter(run.status for run in instance.get_runs())
    assert ended == {dg.DagsterRunStatus.SUCCESS: len(windows), dg.DagsterRunStatus.FAILURE: 1}
    assert place.counts.get("pending", 0) == place.counts.get("processing", 0) == 0
    assert held(place) == wanted(place)
    assert place.odoo.created["res.partner"] == created, "nobody was made anew"


def test_without_a_broker_runs_stay_beside_the_code_server(place: Place) -> None:
    use_state_folder()
    with dg.DagsterInstance.get() as instance:
        assert type(instance.run_launcher) is DefaultRunLauncher
