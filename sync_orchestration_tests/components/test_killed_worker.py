"""A worker that is killed in the middle: its work goes on in the next run, nothing is lost, nothing is doubled."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg
import pytest

from sync_orchestration.cli.environment import use_state_folder
from sync_orchestration.components.lost_runs import end_lost_runs
from sync_orchestration.sandbox.faults import FaultRule
from sync_orchestration.sandbox.odoo import OdooSwitches
from sync_orchestration_tests.components.places import SYNC, NewPlace, Place

RUN = [sys.executable, "-m", "sync_orchestration.cli", "run", "--json"]
PARTNERS = 1_200
"""Three pages of a full read, three loads."""


@pytest.fixture
def place(new_place: NewPlace) -> Place:
    return new_place(partners=PARTNERS)


@pytest.fixture
def instance(place: Place) -> Iterator[dg.DagsterInstance]:
    """The Dagster instance that the workers write to: they are other processes."""
    use_state_folder()
    with dg.DagsterInstance.get() as found:
        yield found


def wait_until(condition: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


@contextmanager
def worker_until(condition: Callable[[], bool], sync: str = SYNC) -> Iterator[subprocess.Popen[str]]:
    """Start a worker and wait for the condition; whoever still works after the block is killed."""
    with subprocess.Popen(
        [*RUN, sync], env=os.environ.copy(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as worker:
        try:
            wait_until(lambda: worker.poll() is not None or condition())
            assert worker.poll() is None, worker.communicate()
            yield worker
        finally:
            worker.kill()


def finish(sync: str = SYNC) -> dict[str, Any]:
    """Run the sync to its end, as somebody or something does after the crash."""
    done = subprocess.run([*RUN, sync], env=os.environ.copy(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)["syncs"][sync]
    return report


def written(place: Place) -> int:
    """Return how many partners Odoo has committed since the start, whether or not the interface table knows it yet."""
    return place.odoo.created["res.partner"] - place.created_before


def refused(place: Place) -> int:
    return sum(len(ids) for ids in place.flexi.planted.values())


def is_only_planned(place: Place, instance: dg.DagsterInstance) -> bool:
    """Whether the check of the feed was begun and never ended."""
    key = dg.AssetCheckKey(dg.AssetKey(place.settings.source.asset_key), "feed_is_fresh")
    record = instance.get_latest_asset_check_evaluation_record(key)
    return record is not None and not isinstance(record.evaluation, dg.AssetCheckEvaluation)


def test_a_worker_killed_in_the_middle_of_writing_is_succeeded_by_one_that_finishes(
    place: Place, instance: dg.DagsterInstance
) -> None:
    wanted = PARTNERS - refused(place)
    place.odoo.switches = OdooSwitches(simulate_costs=True, cost_scale=3.0)
    with worker_until(lambda: written(place) > 0):
        assert place.counts.get("processing", 0) > 0
    place.odoo.switches = OdooSwitches()
    assert 0 < written(place) < wanted
    (lost,) = instance.get_runs()
    assert lost.status is dg.DagsterRunStatus.STARTED, "nobody had the time to say that it ended"

    report = finish()

    # Nothing is lost: every record is settled, and what Odoo holds is what the source holds.
    assert place.counts == {"processed": wanted, "failed": refused(place)}
    assert report["pending"] == 0
    assert place.compared().passed
    # Nothing is doubled: each record has one partner, and there are no other new ones.
    linked = Counter(row["id"] for row in place.partners().values())
    assert len(linked) == wanted
    assert set(linked.values()) == {1}
    assert written(place) == wanted
    # The attempts account for the writes: one success a record, but for those found to be written already.
    successes = dict(
        place.conn.execute(
            "SELECT record_key, count(*) FROM sync.interface_attempt WHERE status = 'success' GROUP BY record_key"
        ).fetchall()
    )
    assert set(successes.values()) == {1}
    assert len(successes) + report["unchanged"] == wanted
    # The lost run has ended, and says why.
    ended = instance.get_run_by_id(lost.run_id)
    assert ended is not None
    assert ended.status is dg.DagsterRunStatus.FAILURE
    assert any("ended without a word" in (event.message or "") for event in instance.all_logs(lost.run_id))


def test_a_worker_killed_in_the_middle_of_reading_is_succeeded_by_one_that_goes_on_from_there(
    place: Place, instance: dg.DagsterInstance
) -> None:
    place.flexi.faults.add(FaultRule(kind="hang", path=r"id gt 500\b", seconds=20, times=None))
    with worker_until(lambda: bool(place.flexi.faults.injected and place.counts)):
        pass
    place.flexi.faults.clear()
    assert place.counts == {"pending": 500}
    assert place.state.last_position is None, "the cursor does not move before everything is read"
    assert is_only_planned(place, instance), "the run died before its check of the feed"
    place.instance = instance
    assert place.requested().tags["sync/name"] == SYNC, "the sensor is not in want of that check"
    report = finish()
    assert report["landed"] == PARTNERS - 500
    assert place.counts == {"processed": PARTNERS - refused(place), "failed": refused(place)}
    assert place.compared().passed


def test_a_worker_that_is_alive_is_not_taken_for_lost(place: Place, instance: dg.DagsterInstance) -> None:
    place.odoo.switches = OdooSwitches(simulate_costs=True)
    with worker_until(lambda: written(place) > 0) as worker:
        assert end_lost_runs(instance) == []
        place.odoo.switches = OdooSwitches()
        output, errors = worker.communicate(timeout=120)
    assert worker.returncode == 0, errors
    assert json.loads(output)["syncs"][SYNC]["processed"] == PARTNERS - refused(place)
    assert {run.status for run in instance.get_runs()} == {dg.DagsterRunStatus.SUCCESS}
