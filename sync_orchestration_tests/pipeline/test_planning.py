"""What a sync does next is decided with one question to the source, and no change is overlooked by it."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_orchestration.components.planning import Plan, plan_next_run
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.interface import rows
from sync_orchestration.interface.rows import Scope, Settlement, hire_worker
from sync_orchestration.interface.state import database_time, read_state
from sync_orchestration.pipeline.errors import FeedResetError, TrackingOffError, UnavailableError
from sync_orchestration.pipeline.land import Reader
from sync_orchestration.pipeline.landing import Landing
from sync_orchestration.pipeline.passes import RetryPolicy, running_pass
from sync_orchestration_tests.pipeline.conftest import Conn, new_sync
from sync_orchestration_tests.pipeline.toys import Notes, ToySource

WINDOW = 100


@dataclass
class Sync:
    """A sync whose source lists `page` changes in an answer."""

    db: Conn
    page: int = 50
    overlap: int = 50
    name: str = field(default_factory=new_sync)

    def __post_init__(self) -> None:
        self.source = ToySource(page=self.page)
        self.settings = SyncSettings.model_validate(
            {
                "name": self.name,
                "source": {"kind": "flexi", "connection": "toy", "window": WINDOW, "overlap": self.overlap},
                "target": {"kind": "odoo", "connection": "odoo"},
                "mapping": {"name": "name"},
                "triggers": {"windows_per_run": 3},
            }
        )

    def plan(self, *, at_once: bool = False) -> Plan:
        self.source.requests.clear()
        return plan_next_run(self.db, self.settings, self.source, at_once=at_once)

    def planned(self) -> list[int]:
        return [window.start for window in self.plan().windows]

    def run(self, plan: Plan) -> None:
        landing = Landing(self.name, "toy", "thing", window_size=WINDOW, overlap=self.overlap)
        reader = Reader(self.db, self.source, landing, "run", Notes())
        reader.bring_up_to_date(until=plan.windows[-1].end)
        worker = hire_worker(self.db, "run")
        claimed = rows.claim(worker, self.name, Scope([window.key for window in plan.windows]), 10_000)
        with self.db.transaction():
            done = [Settlement(row, "processed", row.record_key) for row in claimed]
            rows.settle(worker, sync=self.name, target_system="toy", settlements=done)

    def run_until_idle(self, *, most: int = 20) -> int:
        """Run what is planned until nothing is; returns the number of runs."""
        for number in range(most):
            plan = self.plan()
            if not plan.windows:
                return number
            self.run(plan)
        raise AssertionError(f"still something to do after {most} runs")

    def landed(self) -> dict[str, Any]:
        found = self.db.execute(
            "SELECT record_key, payload FROM sync.interface_row WHERE sync = %s AND operation <> 'delete'", [self.name]
        )
        return dict(found.fetchall())


def test_a_sync_that_never_ran_begins_with_the_window_of_the_newest_position(db: Conn) -> None:
    sync = Sync(db)
    for _ in range(250):
        sync.source.put("a", name="A")
    assert sync.planned() == [200]
    assert sync.source.requests == ["head"]


def test_nothing_new_is_found_out_with_one_question(db: Conn) -> None:
    sync = Sync(db)
    sync.source.put("a", name="A")
    sync.run_until_idle()
    plan = sync.plan()
    assert (plan.windows, plan.reason, sync.source.requests) == ([], "nothing new", ["peek"])


@pytest.mark.parametrize("page", [3, 49, 50, 51], ids="pages of {}".format)
@pytest.mark.parametrize("landed", [2, 48, 49, 50, 51, 52, 120])
def test_a_change_is_noticed_however_many_were_landed_before_it(db: Conn, landed: int, page: int) -> None:
    """Also where a page of the feed is full of what was landed before."""
    sync = Sync(db, page=page, overlap=50)
    sync.run_until_idle()
    for n in range(landed):
        sync.source.put(f"k{n}", name="A")
    sync.run_until_idle()
    sync.source.put("last", name="the one that counts")
    assert sync.planned() == [(landed + 1) // WINDOW * WINDOW]
    sync.run_until_idle()
    assert sync.landed() == sync.source.records


def test_a_late_position_behind_the_cursor_is_noticed(db: Conn) -> None:
    sync = Sync(db)
    sync.run_until_idle()
    late = sync.source.reserve()
    sync.source.put("a", name="A")
    sync.run_until_idle()
    sync.source.put("b", at=late, name="late")
    assert sync.planned() == [0]
    sync.run_until_idle()
    assert sync.landed() == sync.source.records


def test_a_long_outage_becomes_few_runs_of_adjoining_windows_oldest_first(db: Conn) -> None:
    sync = Sync(db, page=1_000)
    sync.run_until_idle()
    for n in range(950):
        sync.source.put(f"k{n % 7}", name=f"name {n}")
    plan = sync.plan()
    assert [window.start for window in plan.windows] == [0, 100, 200]
    assert [window.start for window in plan.known][:3] == [0, 100, 200]
    assert sync.run_until_idle() == 4
    assert sync.landed() == sync.source.records


def test_rows_that_wait_in_an_old_window_are_written_although_nothing_is_new(db: Conn) -> None:
    sync = Sync(db)
    sync.run_until_idle()
    for n in range(350):
        sync.source.put(f"k{n}", name="A")
    sync.run_until_idle()
    db.execute(
        "UPDATE sync.interface_row SET status = 'pending' WHERE sync = %s AND record_key IN ('k50', 'k320')",
        [sync.name],
    )
    assert sync.planned() == [0]
    assert sync.run_until_idle() == 2


def test_a_pass_that_waits_for_its_next_try_is_not_planned_and_costs_no_question(db: Conn) -> None:
    sync = Sync(db)
    with pytest.raises(UnavailableError), running_pass(db, sync.name, RetryPolicy(), "config"):
        raise UnavailableError("Odoo is down")
    plan = sync.plan()
    assert plan.windows == []
    assert "Odoo is down" in plan.reason
    assert sync.source.requests == []
    assert sync.plan(at_once=True).windows


@pytest.mark.parametrize("baseline_is_due", [True, False])
def test_a_source_that_asks_for_patience_is_not_asked_again_before(db: Conn, baseline_is_due: bool) -> None:
    sync = Sync(db)
    if not baseline_is_due:
        sync.run_until_idle()

    def busy(number: int, what: str) -> None:
        raise UnavailableError("quota", 600)

    sync.source.before = busy
    with pytest.raises(UnavailableError):
        sync.plan()
    assert sync.plan().windows == []
    assert sync.source.requests == []
    next_try = read_state(db, sync.name).next_try
    assert next_try is not None
    assert next_try > database_time(db) + timedelta(seconds=500)


def test_a_feed_that_is_off_is_not_taken_for_one_without_changes(db: Conn) -> None:
    """Also where the overlap lists nothing that was read before."""
    sync = Sync(db, overlap=0)
    sync.source.put("a", name="A")
    sync.run_until_idle()
    sync.source.tracking = False
    with pytest.raises(TrackingOffError):
        sync.plan()


def test_a_rewound_source_is_refused_before_any_run(db: Conn) -> None:
    sync = Sync(db)
    for n in range(9):
        sync.source.put(f"k{n}", name="A")
    sync.run_until_idle()
    sync.source.rewind(3)
    with pytest.raises(FeedResetError, match="full reconciliation"):
        sync.plan()


@given(bursts=st.lists(st.integers(0, 130), min_size=1, max_size=4), page=st.integers(1, 60))
def test_whatever_the_bursts_everything_is_landed_and_then_nothing_is_planned(
    db: Conn, bursts: list[int], page: int
) -> None:
    sync = Sync(db, page=page, overlap=page)
    sync.run_until_idle()
    for number, burst in enumerate(bursts):
        for n in range(burst):
            sync.source.put(f"k{n % 5}", name=f"{number}/{n}")
        sync.run_until_idle()
    assert sync.landed() == sync.source.records
