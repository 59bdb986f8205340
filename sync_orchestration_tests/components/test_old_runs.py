"""Dagster's own runs and events stay bounded, and nothing goes that the UI still shows."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from sync_orchestration.cli.environment import use_state_folder
from sync_orchestration.components.old_runs import purge_runs
from sync_orchestration.components.run_requests import SYNC_TAG
from sync_orchestration_tests.components.places import SYNC, NewPlace, Place
from sync_orchestration_tests.databases import empty_database

WINDOWS = dg.StaticPartitionsDefinition(["a", "b"])
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dg.asset(partitions_def=WINDOWS)
def landed() -> None:
    """One window of a source."""


@dg.asset
def status() -> None:
    """The newest one says all."""


@dg.asset_check(asset="status")
def is_well() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


@dg.op
def work() -> None:
    print("a line for the log")  # noqa: T201


@dg.op
def broken() -> None:
    raise dg.Failure("broken on purpose")


@dg.job(executor_def=dg.in_process_executor)
def maintenance() -> None:
    work()


@dg.job(executor_def=dg.in_process_executor)
def failing() -> None:
    broken()


DEFINITIONS = dg.Definitions(
    assets=[landed, status],
    jobs=[
        maintenance,
        failing,
        dg.define_asset_job("windows", [landed]),
        dg.define_asset_job("statuses", [status]),
    ],
    executor=dg.in_process_executor,
)


@pytest.fixture(params=["in memory", "in PostgreSQL"])
def instance(request: pytest.FixtureRequest) -> Iterator[dg.DagsterInstance]:
    if request.param == "in memory":
        with dg.DagsterInstance.ephemeral() as found:
            yield found
    else:
        yield request.getfixturevalue("stored")


@pytest.fixture
def stored(stored_once: dg.DagsterInstance) -> dg.DagsterInstance:
    stored_once.wipe()
    return stored_once


@pytest.fixture(scope="module")
def stored_once(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    """The instance that commands and services use: dagster-postgres, logs in the state folder."""
    with empty_database(postgres_server) as url, ExitStack() as stack:
        with pytest.MonkeyPatch.context() as for_a_moment:
            for_a_moment.setenv("SYNC_POSTGRES_URL", url)
            for_a_moment.setenv("SYNC_STATE_DIR", str(tmp_path_factory.mktemp("state")))
            for variable in ("DAGSTER_HOME", "DAGSTER_EVENT_BATCH_SIZE"):
                for_a_moment.setenv(variable, "100")  # set anew by the next line, and undone with the others
            use_state_folder()
            found = stack.enter_context(dg.DagsterInstance.get())
        yield found


def run(instance: dg.DagsterInstance, job: str, partition: str | None = None, **tags: str) -> str:
    done = DEFINITIONS.resolve_job_def(job).execute_in_process(
        instance=instance, partition_key=partition, tags=tags, run_config=QUIET, raise_on_error=False
    )
    return done.run_id


def left(instance: dg.DagsterInstance) -> set[str]:
    return {run.run_id for run in instance.get_runs()}


def purge_all(instance: dg.DagsterInstance, **more: Any) -> tuple[int, int]:
    found = purge_runs(instance, datetime.now(UTC), **more)
    return found.deleted, found.kept


@pytest.mark.parametrize("page", [1, 2], ids="pages of {}".format)
def test_old_runs_go_with_their_events_and_the_newest_of_each_job_stays(
    instance: dg.DagsterInstance, page: int
) -> None:
    jobs = [run(instance, "maintenance") for _ in range(3)] + [run(instance, "failing") for _ in range(2)]
    assert purge_all(instance, page=page) == (3, 2)
    assert left(instance) == {jobs[2], jobs[4]}
    assert instance.all_logs(jobs[0]) == []
    assert instance.all_logs(jobs[2]) != []
    assert purge_all(instance, page=page) == (0, 2)


def test_a_run_with_the_newest_materialization_of_a_window_stays(instance: dg.DagsterInstance) -> None:
    first_a, b, second_a = [run(instance, "windows", key) for key in ("a", "b", "a")]
    statuses = [run(instance, "statuses") for _ in range(3)]
    assert purge_all(instance) == (3, 3)
    assert left(instance) == {b, second_a, statuses[2]}
    assert first_a not in left(instance)
    assert set(instance.get_materialized_partitions(landed.key)) == {"a", "b"}
    assert instance.get_latest_materialization_event(status.key) is not None


def test_a_run_with_the_newest_evaluation_of_a_check_stays(instance: dg.DagsterInstance) -> None:
    with_check, without = [status, is_well], [status]
    runs = [
        dg.materialize(some, instance=instance, run_config=QUIET).run_id
        for some in (with_check, with_check, without, without)
    ]
    assert purge_all(instance) == (2, 2)
    assert left(instance) == {runs[1], runs[3]}


def test_the_newest_run_of_a_sync_stays_whichever_job_it_was(instance: dg.DagsterInstance) -> None:
    of_the_sync = run(instance, "maintenance", **{SYNC_TAG: "partners"})
    newest_of_the_job = run(instance, "maintenance")
    assert purge_all(instance) == (0, 2)
    assert left(instance) == {of_the_sync, newest_of_the_job}


def test_a_run_that_goes_on_stays_with_the_one_that_it_repeats(instance: dg.DagsterInstance) -> None:
    repeated = run(instance, "failing")
    job = DEFINITIONS.resolve_job_def("failing")
    goes_on = instance.create_run_for_job(job, parent_run_id=repeated, root_run_id=repeated)
    instance.report_engine_event("begins", goes_on)
    waits = instance.create_run_for_job(DEFINITIONS.resolve_job_def("maintenance"))
    newer = [run(instance, "failing"), run(instance, "maintenance")]
    assert purge_all(instance) == (0, 3)
    assert left(instance) == {repeated, goes_on.run_id, waits.run_id, *newer}


def test_a_run_that_ended_lately_stays(instance: dg.DagsterInstance) -> None:
    old = run(instance, "maintenance")
    noon = datetime.now(UTC)
    young = [run(instance, "maintenance") for _ in range(2)]
    found = purge_runs(instance, noon)
    assert (found.deleted, found.kept) == (1, 0)
    assert old not in left(instance)
    assert left(instance) == set(young)


def test_who_is_stopped_in_the_middle_goes_on_the_next_time(instance: dg.DagsterInstance) -> None:
    for _ in range(6):
        run(instance, "maintenance")

    def stop(_said: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        purge_all(instance, page=2, tell=stop)
    assert len(left(instance)) == 4
    assert purge_all(instance) == (3, 1)


def test_the_logs_of_deleted_runs_go_from_the_disk(stored: dg.DagsterInstance) -> None:
    first, second = run(stored, "maintenance"), run(stored, "maintenance")
    logs = Path(stored.storage_directory())
    assert {path.name for path in logs.iterdir()} >= {first, second}
    purge_all(stored)
    assert {path.name for path in logs.iterdir()} & {first, second} == {second}


def test_the_job_says_in_numbers_what_it_deleted(new_place: NewPlace, stored: dg.DagsterInstance) -> None:
    place = new_place()
    place.instance = stored
    place.bring_up_to_date()
    first = len(stored.get_runs())
    place.bring_up_to_date(everything=True)
    result = place.run("purge_history", {"old_runs": {"days": 0}})
    assert result.success
    numbers = numbers_of(result, "old_runs")
    assert numbers["runs_deleted"] == first
    assert numbers["runs_deleted"] + numbers["runs_kept"] + 1 == first + len(stored.get_runs())
    # What the UI shows of the sync is still there, and the sync goes on.
    assert stored.get_latest_materialization_event(dg.AssetKey([SYNC, "interface_status"])) is not None
    assert isinstance(place.tick(), str)
    assert place.compared().passed


def numbers_of(result: dg.ExecuteInProcessResult, op: str) -> dict[str, int]:
    (output,) = [e for e in result.events_for_node(op) if e.is_successful_output]
    values = {name: entry.value for name, entry in output.step_output_data.metadata.items()}
    return {name: value for name, value in values.items() if isinstance(value, int)}


def test_a_sync_runs_while_old_runs_are_deleted(new_place: NewPlace, stored: dg.DagsterInstance) -> None:
    place = new_place()
    place.instance = stored
    for _ in range(10):
        run(stored, "maintenance")
    place.bring_up_to_date()
    with ExitStack() as stack:
        over = threading.Event()
        purger = Purger(stored, over)
        stack.callback(purger.join)
        stack.callback(over.set)
        purger.start()
        assert place.bring_up_to_date(everything=True).problem is None
        keep_changing(place, lambda: purger.rounds >= 3)
    assert purger.error is None
    assert purger.deleted >= 9
    assert place.compared().passed
    newest = stored.get_runs(dg.RunsFilter(job_name=SYNC), limit=1)[0]
    assert newest.status is dg.DagsterRunStatus.SUCCESS
    assert len(stored.all_logs(newest.run_id)) > 10


def keep_changing(place: Place, enough: Callable[[], bool]) -> None:
    """Change a record and sync it, at least once, until it is enough."""
    while True:
        one = place.company.ids("adresar")[0]
        place.company.update("adresar", one, {"nazev": f"Version {place.company.global_version}"})
        assert place.bring_up_to_date().problem is None
        if enough():
            return


class Purger(threading.Thread):
    """Deletes all that is old, again and again, as if every moment were weeks after the one before."""

    def __init__(self, instance: dg.DagsterInstance, over: threading.Event) -> None:
        super().__init__()
        self.instance, self.over = instance, over
        self.rounds = self.deleted = 0
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            while not self.over.is_set():
                self.deleted += purge_runs(self.instance, datetime.now(UTC) + timedelta(seconds=1), page=2).deleted
                self.rounds += 1
        except BaseException as error:  # noqa: BLE001 - told by the test
            self.error = error
            self.over.set()
