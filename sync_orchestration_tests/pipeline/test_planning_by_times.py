"""What a sync that reads by times does next: only days with news are run, and a quiet source costs one question."""

from dataclasses import dataclass, field
from datetime import UTC, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_orchestration.components.planning import Plan, order_what_changed, plan_inventory, plan_next_run
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.interface import rows
from sync_orchestration.interface.rows import Scope, Settlement, hire_worker
from sync_orchestration.interface.state import database_time
from sync_orchestration.pipeline.errors import FeedResetError, UnavailableError
from sync_orchestration.pipeline.passes import RetryPolicy, running_pass
from sync_orchestration.pipeline.windows import DAY
from sync_orchestration_tests.pipeline.conftest import Conn
from sync_orchestration_tests.pipeline.timed_toys import OVERLAP, TimedSource, TimedSync

TODAY, TOMORROW = "2026-11-22", "2026-11-23"


@dataclass
class Planned:
    """A sync that is planned and run as the triggers do it."""

    db: Conn
    page: int = 50
    mapping: dict[str, Any] = field(default_factory=lambda: {"name": "name"})

    def __post_init__(self) -> None:
        self.sync = TimedSync(self.db, TimedSource(page=self.page))
        self.source = self.sync.source

    @property
    def settings(self) -> SyncSettings:
        return SyncSettings.model_validate(
            {
                "name": self.sync.name,
                "source": {"kind": "odoo", "connection": "toy", "overlap": OVERLAP},
                "target": {"kind": "odoo", "connection": "other"},
                "mapping": self.mapping,
                "triggers": {"windows_per_run": 3},
            }
        )

    def plan(self) -> Plan:
        self.source.requests.clear()
        return plan_next_run(self.db, self.settings, self.source)

    def planned(self) -> list[str]:
        return [window.key for window in self.plan().windows]

    def inventory_planned(self) -> list[str]:
        return [window.key for window in plan_inventory(self.db, self.settings, self.source).windows]

    def run(self, plan: Plan) -> None:
        settings = self.settings
        order_what_changed(self.db, settings)
        with running_pass(self.db, self.sync.name, RetryPolicy(), settings.config_hash):
            cursor = self.sync.state.last_position
            if cursor is None or plan.windows[-1].end > cursor:
                self.sync.read(plan.windows[-1].end)
            worker = hire_worker(self.db, "run")
            claimed = rows.claim(worker, self.sync.name, Scope([window.key for window in plan.windows]), 10_000)
            with self.db.transaction():
                done = [Settlement(row, "processed", row.record_key) for row in claimed]
                rows.settle(worker, sync=self.sync.name, target_system="toy", settlements=done)

    def run_until_idle(self, *, most: int = 20) -> int:
        """Run what is planned until nothing is; returns the number of runs."""
        for number in range(most):
            plan = self.plan()
            if not plan.windows:
                return number
            self.run(plan)
        raise AssertionError(f"still something to do after {most} runs")

    def long_ago(self) -> None:
        """Let the last run have been some time ago."""
        self.db.execute(
            "UPDATE sync.sync_state SET updated_at = updated_at - interval '1 hour' WHERE sync = %s", [self.sync.name]
        )


@pytest.fixture
def at_work(db: Conn) -> Planned:
    """A sync that has read and written three records of today."""
    made = Planned(db)
    for n in range(3):
        made.source.put(f"k{n}", name=f"name {n}")
    assert made.run_until_idle() == 1
    return made


def test_a_sync_that_never_ran_begins_with_the_day_of_the_newest_change(db: Conn) -> None:
    made = Planned(db)
    made.source.put("a", name="A")
    assert made.planned() == [TODAY]
    assert made.source.requests == ["head"]


def test_nothing_new_is_found_out_with_one_question(at_work: Planned) -> None:
    plan = at_work.plan()
    assert (plan.windows, plan.reason, at_work.source.requests) == ([], "nothing new", ["feed"])


@pytest.mark.parametrize(
    "act",
    [
        lambda source: source.put("k1", name="changed in the same second"),
        lambda source: source.put("new", name="new"),
        lambda source: source.put("late", at=source.now - OVERLAP, name="of a transaction that shows late"),
        lambda source: source.archive("k1"),
    ],
    ids=["changed", "new", "late", "archived"],
)
def test_whatever_is_news_is_noticed_and_once_landed_it_is_none(at_work: Planned, act: Any) -> None:
    act(at_work.source)
    assert at_work.planned() == [TODAY]
    assert at_work.run_until_idle() == 1
    assert at_work.sync.landed() == at_work.source.there


def test_an_archived_record_that_was_never_landed_is_no_news(at_work: Planned) -> None:
    at_work.source.put("new", name="new")
    at_work.source.archive("new")
    assert at_work.planned() == []


def test_after_quiet_years_only_the_day_with_the_change_is_run(at_work: Planned) -> None:
    at_work.source.wait(800 * DAY)
    at_work.source.put("k1", name="changed")
    plan = at_work.plan()
    assert [window.key for window in plan.windows] == ["2029-01-30"]
    assert plan.known[0].key == TODAY, "all windows between are known, for partitions are in order"
    assert at_work.run_until_idle() == 1
    assert at_work.sync.landed() == at_work.source.records


def test_a_week_of_changes_becomes_few_runs_of_adjoining_days_oldest_first(at_work: Planned) -> None:
    for n in range(7):
        at_work.source.wait(DAY)
        at_work.source.put(f"day {n}", name="new")
    assert at_work.planned() == ["2026-11-23", "2026-11-24", "2026-11-25"]
    assert at_work.run_until_idle() == 3
    assert at_work.sync.landed() == at_work.source.records


def test_a_late_record_of_yesterday_is_written_although_its_day_is_over(at_work: Planned) -> None:
    at_work.source.now += DAY // 2
    at_work.source.put("k0", name="after midnight")
    at_work.run_until_idle()
    at_work.source.put("late", at=at_work.source.now - OVERLAP, name="before midnight")
    assert at_work.run_until_idle() == 2
    assert (at_work.sync.landed(), at_work.sync.pending()) == (at_work.source.records, set())


def test_an_empty_source_has_one_window_today_and_its_first_record_one_run(db: Conn) -> None:
    made = Planned(db)
    today = database_time(db).astimezone(UTC).date().isoformat()
    assert made.planned() == [today]
    assert made.run_until_idle() == 1
    assert made.inventory_planned() == [today]
    made.source.now = int(database_time(db).timestamp())
    made.source.put("first", name="first")
    plan = made.plan()
    assert len(plan.windows) == 1
    assert len(plan.known) <= 2, "and not every day since 1970"
    assert made.run_until_idle() == 1
    assert made.sync.landed() == made.source.records


# An overlap full of what was landed


@pytest.fixture
def imported(db: Conn) -> Planned:
    """A sync that has landed a large import: more pages in one second than a look takes."""
    made = Planned(db, page=2)
    for n in range(30):
        made.source.put(f"k{n:02}", name="imported")
    made.run_until_idle()
    return made


def test_after_a_large_import_a_quiet_source_is_not_run_again_and_again(imported: Planned) -> None:
    assert imported.planned() == []
    imported.long_ago()
    assert imported.planned() == [TODAY], "what a look does not reach is looked for by a run from time to time"
    assert imported.run_until_idle() == 1
    assert imported.planned() == []


def test_after_a_large_import_a_new_change_is_run_at_once(imported: Planned) -> None:
    imported.source.wait(1)
    imported.source.put("new", name="new")
    assert imported.planned() == [TODAY]
    imported.run_until_idle()
    assert imported.sync.landed() == imported.source.records


def test_after_a_large_import_another_change_of_its_second_is_found_in_the_end(imported: Planned) -> None:
    imported.source.put("k29", name="changed in the second of the import")
    imported.long_ago()
    imported.run_until_idle()
    assert imported.sync.landed() == imported.source.records


# A changed configuration


def test_a_changed_configuration_reads_everything_again_by_itself(at_work: Planned) -> None:
    at_work.mapping = {"name": "name", "email": "email"}
    plan = at_work.plan()
    assert [window.key for window in plan.windows] == [TODAY]
    assert at_work.sync.state.baseline_is_due
    at_work.run(plan)
    assert at_work.source.requests.count("list") == 2
    assert at_work.planned() == [], "and once is enough"


def test_an_inventory_does_not_go_before_the_full_read_of_a_changed_configuration(at_work: Planned) -> None:
    at_work.mapping = {"name": "name", "email": "email"}
    assert at_work.inventory_planned() == []
    assert at_work.planned() == [TODAY]
    assert at_work.run_until_idle() == 1
    assert at_work.inventory_planned() == [TODAY]


def test_an_interrupted_full_read_of_a_changed_configuration_goes_on_where_it_was(at_work: Planned) -> None:
    at_work.source.page = 1
    at_work.mapping = {"name": "name", "email": "email"}

    def fails(number: int, what: str) -> None:
        if at_work.source.requests.count("list") == 3:
            raise UnavailableError("down")

    at_work.source.before = fails
    with pytest.raises(UnavailableError):
        at_work.run(at_work.plan())
    at_work.source.before = lambda number, what: None
    plan = plan_next_run(at_work.db, at_work.settings, at_work.source, at_once=True)
    at_work.source.requests.clear()
    at_work.run(plan)
    assert at_work.source.requests.count("list") == 2, "of four pages two were read before"
    assert at_work.planned() == []


# When an inventory is due


def test_an_inventory_counts_in_the_newest_day(at_work: Planned) -> None:
    assert at_work.inventory_planned() == [TODAY]
    at_work.source.wait(DAY)
    at_work.source.put("new", name="new")
    assert at_work.inventory_planned() == [TOMORROW]


def test_an_inventory_waits_for_the_first_full_read_and_for_the_next_try_of_a_failed_pass(db: Conn) -> None:
    made = Planned(db)
    made.source.put("a", name="A")
    assert made.inventory_planned() == []
    made.run_until_idle()
    with pytest.raises(UnavailableError), running_pass(db, made.sync.name, RetryPolicy(), None):
        raise UnavailableError("Odoo is down", 600)
    plan = plan_inventory(db, made.settings, made.source)
    assert plan.windows == []
    assert "Odoo is down" in plan.reason


# When the source is another


def test_a_failed_sync_is_not_planned_on_another_database(at_work: Planned) -> None:
    at_work.db.execute("UPDATE sync.sync_state SET status = 'ERROR' WHERE sync = %s", [at_work.sync.name])
    at_work.source.fingerprint = "another database"
    with pytest.raises(FeedResetError, match="full reconciliation"):
        at_work.plan()


def test_a_restored_backup_within_the_overlap_is_run_once(at_work: Planned) -> None:
    with at_work.source.backup():
        at_work.source.wait(5)
        at_work.source.put("k1", name="lost with the backup")
        at_work.run_until_idle()
    assert at_work.planned() == [TODAY]
    assert at_work.run_until_idle() == 1
    assert at_work.sync.landed() == at_work.source.records


def test_a_source_that_asks_for_patience_is_not_asked_again_before(at_work: Planned) -> None:
    def busy(number: int, what: str) -> None:
        raise UnavailableError("quota", 600)

    at_work.source.before = busy
    with pytest.raises(UnavailableError):
        at_work.plan()
    assert (at_work.planned(), at_work.source.requests) == ([], [])
    next_try = at_work.sync.state.next_try
    assert next_try is not None
    assert next_try > database_time(at_work.db) + timedelta(seconds=500)


@given(
    bursts=st.lists(st.tuples(st.integers(0, 2 * DAY), st.integers(0, 25)), min_size=1, max_size=4),
    page=st.integers(1, 9),
)
def test_whatever_the_bursts_everything_is_landed_and_then_nothing_is_planned(
    db: Conn, bursts: list[tuple[int, int]], page: int
) -> None:
    made = Planned(db, page=page)
    made.source.put("k0", name="first")
    made.run_until_idle()
    for number, (pause, burst) in enumerate(bursts):
        made.source.wait(pause)
        for n in range(burst):
            made.source.put(f"k{n % 20}", name=f"{number}/{n}")
        made.long_ago()
        made.run_until_idle()
    assert (made.sync.landed(), made.sync.pending()) == (made.source.records, set())
