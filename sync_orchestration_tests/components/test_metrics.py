"""Each figure that Prometheus reads, by making its cause happen."""

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from typing import Any

import dagster as dg
import psycopg
import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from sync_orchestration.components.assets import add_windows
from sync_orchestration.components.run_figures import RunFollower, relays_of
from sync_orchestration.components.run_requests import SYNC_TAG
from sync_orchestration.intake import IntakeSettings, intake_app
from sync_orchestration.interface import figures
from sync_orchestration.interface.attempts import Attempt, log_attempts
from sync_orchestration.interface.database import connect
from sync_orchestration.interface.figures import AttemptCounter, table_figures
from sync_orchestration.interface.incidents import Message, close_incident, open_incident
from sync_orchestration.interface.queries import query
from sync_orchestration.interface.state import change_state, lock_state, read_state
from sync_orchestration.pipeline.windows import Window, window_of_key
from sync_orchestration.sandbox.faults import FaultRule
from sync_orchestration.sandbox.server import serve
from sync_orchestration_tests.components.places import PARTNERS, REFUSED, SYNC, Place

Figures = dict[str, float]


@dataclass
class Monitor:
    """Prometheus, so to say."""

    url: str

    def scrape(self) -> Figures:
        """Every figure by its name and labels, as Prometheus writes them."""
        text = requests.get(f"{self.url}/metrics", timeout=60).text
        return {
            f"{sample.name}{{{','.join(f'{k}={v}' for k, v in sorted(sample.labels.items()))}}}": sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def until(self, holds: Callable[[Figures], bool]) -> Figures:
        """Scrape until something is known: figures that take long are asked for in the background."""
        while not holds(found := self.scrape()):
            pass
        return found

    def told(self, name: str, **labels: str) -> float:
        """Return one figure, once it is known."""
        key = f"{name}{{{','.join(f'{k}={v}' for k, v in sorted(labels.items()))}}}"
        return self.until(lambda found: key in found)[key]


@pytest.fixture
def monitor(place: Place) -> Iterator[Monitor]:
    follower = RunFollower(lambda: place.instance, [place.settings])
    settings = IntakeSettings(contracts=(), senders=())
    app = intake_app(settings, place.conn.info.dsn, {}, relays={"reader": SYNC}, runs=follower.look)
    try:
        with serve(app) as url:
            yield Monitor(url)
    finally:
        app.close()


def looking(monitor: Monitor) -> None:
    """See to it that runs and attempts are counted from now on."""
    monitor.until(lambda found: "sync_requests_total" in requests.get(f"{monitor.url}/metrics", timeout=60).text)


def two_windows(place: Place) -> dg.ExecuteInProcessResult:
    """Run the newest window again, with the one after it in the same run."""
    newest = window_of_key(place.add_all_windows()[-1], place.settings.source.window)
    after = Window(newest.end, newest.end + place.settings.source.window)
    add_windows(place.instance, place.settings, [after.key])
    windows = {"dagster/asset_partition_range_start": newest.key, "dagster/asset_partition_range_end": after.key}
    return place.run(tags={SYNC_TAG: SYNC, **windows})


def test_rows_are_told_by_status_and_failing_ones_by_code(place: Place, monitor: Monitor) -> None:
    assert place.bring_up_to_date().problem is None
    by_code = Counter(row.error_code for row in place.failing.values())
    found = monitor.until(lambda found: f"sync_rows{{status=failed,sync={SYNC}}}" in found)
    assert found["sync_database_up{}"] == 1
    assert found[f"sync_rows{{status=processed,sync={SYNC}}}"] == PARTNERS - REFUSED
    assert found[f"sync_rows{{status=failed,sync={SYNC}}}"] == REFUSED
    assert found[f"sync_rows{{status=pending,sync={SYNC}}}"] == 0
    told = {key: value for key, value in found.items() if key.startswith("sync_failing_rows")}
    assert told == {f"sync_failing_rows{{code={code},sync={SYNC}}}": number for code, number in by_code.items()}
    assert found[f"sync_settled_rows_total{{sync={SYNC}}}"] == PARTNERS


def test_the_state_of_a_sync_is_told_with_its_cursor(place: Place, monitor: Monitor) -> None:
    assert place.bring_up_to_date().problem is None
    found = monitor.scrape()
    assert found[f"sync_state{{status=TRIGGER_WAITING,sync={SYNC}}}"] == 1
    assert found[f"sync_state{{status=ERROR,sync={SYNC}}}"] == 0
    assert (found[f"sync_has_error{{sync={SYNC}}}"], found[f"sync_tries{{sync={SYNC}}}"]) == (0, 0)
    assert found[f"sync_cursor_position{{sync={SYNC}}}"] == place.state.last_position
    place.flexi.faults.add(FaultRule(kind="status", status=503, times=None))
    place.bring_up_to_date()
    found = monitor.until(lambda found: found[f"sync_state{{status=RETRY_WAITING,sync={SYNC}}}"] == 1)
    assert found[f"sync_state{{status=TRIGGER_WAITING,sync={SYNC}}}"] == 0
    assert (found[f"sync_has_error{{sync={SYNC}}}"], found[f"sync_tries{{sync={SYNC}}}"]) == (1, 1)


def test_the_age_of_the_oldest_waiting_row_is_told(place: Place, monitor: Monitor) -> None:
    place.odoo.faults.add(FaultRule(kind="status", status=503, times=None))
    assert place.bring_up_to_date().problem is not None
    assert place.counts["pending"] == PARTNERS
    place.conn.execute(
        "UPDATE sync.interface_row SET received_at = received_at - interval '1 hour' WHERE record_key = '7'"
    )
    assert 3_600 <= monitor.told("sync_oldest_pending_seconds", sync=SYNC) < 4_000
    place.odoo.faults.clear()
    place.bring_up_to_date()
    monitor.until(lambda found: found[f"sync_oldest_pending_seconds{{sync={SYNC}}}"] == 0)


def test_how_far_a_sync_is_behind_the_one_that_it_reads_is_told(place: Place, monitor: Monitor) -> None:
    read_state(place.conn, "reader")
    assert place.bring_up_to_date().problem is None
    assert monitor.told("sync_lag_records", sync="reader") == PARTNERS
    newest = place.conn.execute(query("newest_settling"), {"sync": SYNC}).fetchone()
    assert newest is not None
    with place.conn.transaction():
        change_state(place.conn, lock_state(place.conn, "reader"), last_position=newest[0] - 9)
    monitor.until(lambda found: found["sync_lag_records{sync=reader}"] == 10)


def test_which_syncs_read_others_is_known_from_their_yaml(place: Place) -> None:
    assert relays_of(place.project.syncs) == {"contractor_partners": "contractors"}


def test_open_incidents_are_told_until_they_are_over(place: Place, monitor: Monitor) -> None:
    now, message = datetime.now(UTC), Message("It fails", "…")
    open_incident(place.conn, SYNC, "standstill", now, message)
    assert monitor.told("sync_incidents_open", subject=SYNC, kind="standstill") == 1
    close_incident(place.conn, SYNC, "standstill", now, message)
    monitor.until(lambda found: not any(key.startswith("sync_incidents_open") for key in found))


def test_attempts_runs_and_requests_are_added_up_from_the_first_scrape_on(place: Place, monitor: Monitor) -> None:
    assert place.bring_up_to_date().problem is None
    looking(monitor)
    assert not any(key.startswith(("sync_attempts", "sync_runs")) for key in monitor.scrape()), "history counts not"
    result = place.run("retry_failed_records", {"failed_records": {"sync": SYNC}})
    assert result.success
    assert monitor.told("sync_attempts_total", sync=SYNC, outcome="error") == REFUSED
    assert monitor.told("sync_runs_total", subject="retry_failed_records", status="success") == 1
    run = two_windows(place)
    assert run.success
    assert monitor.told("sync_runs_total", subject=SYNC, status="success") == 1
    found = monitor.scrape()
    sent = {
        event.step_key: {k: v.value for k, v in event.materialization.metadata.items() if k.startswith("requests_")}
        for event in run.get_asset_materialization_events()
    }
    assert len(run.get_asset_materialization_events()) > len(sent), "each window repeats what its step sent"
    by_system: Counter[str] = Counter()
    for told in sent.values():
        by_system.update({name.removeprefix("requests_"): int(str(number)) for name, number in told.items()})
    assert by_system["flexi"] > 0
    assert found["sync_requests_total{system=flexi}"] == by_system["flexi"]
    assert found["sync_requests_total{system=odoo}"] == by_system["odoo"]
    assert found[f"sync_run_seconds_count{{subject={SYNC}}}"] == 1
    assert found[f"sync_run_seconds_bucket{{le=+Inf,subject={SYNC}}}"] == 1
    assert 0 < found[f"sync_run_seconds_sum{{subject={SYNC}}}"] < 300
    ended = place.instance.get_run_record_by_id(run.run_id)
    assert ended is not None
    assert found[f"sync_last_success_timestamp_seconds{{subject={SYNC}}}"] == ended.end_time


def test_a_run_that_fails_is_counted_and_is_no_success(place: Place, monitor: Monitor) -> None:
    assert place.bring_up_to_date().problem is None
    looking(monitor)
    before = monitor.told("sync_last_success_timestamp_seconds", subject=SYNC)
    place.flexi.faults.add(FaultRule(kind="status", status=401, times=None))
    assert not two_windows(place).success
    assert monitor.told("sync_runs_total", subject=SYNC, status="failure") == 1
    assert monitor.told("sync_last_success_timestamp_seconds", subject=SYNC) == before


def _attempts(conn: psycopg.Connection[Any], *keys: str) -> None:
    now = datetime.now(UTC)
    log_attempts(
        conn,
        [
            Attempt(
                sync=SYNC,
                source_system="x",
                record_key=key,
                model="m",
                operation="update",
                run_id="r",
                started_at=now,
                duration_ms=1,
                status="success",
                response_code=200,
                error=None,
            )
            for key in keys
        ],
    )


def test_attempts_that_become_visible_late_are_counted_once_and_none_is_missed(database_url: str) -> None:
    counter = AttemptCounter()
    with connect(database_url) as slow, connect(database_url) as fast, connect(database_url) as reader:
        counter.look(reader)
        with slow.transaction():
            _attempts(slow, "1")
            _attempts(fast, "2", "3")
            assert [dict(counter.look(reader)) for _ in range(3)] == [{}] * 3, "nobody knows yet what comes between"
        _attempts(fast, "4")
        for _ in range(3):
            counter.look(reader)
        assert counter.totals == {(SYNC, "success"): 4}
        counter.look(reader)
        assert counter.totals == {(SYNC, "success"): 4}


def test_a_backlog_of_attempts_is_counted_in_parts(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "_ATTEMPTS_AT_ONCE", 2)
    counter = AttemptCounter()
    with connect(database_url) as conn:
        counter.look(conn)
        _attempts(conn, *"12345")
        counter.look(conn)
        totals = [counter.look(conn).get((SYNC, "success")) for _ in range(4)]
    assert totals == [2, 4, 5, 5]


def test_no_look_at_the_tables_scans_all_rows(database_url: str) -> None:
    with connect(database_url) as conn:
        conn.execute(
            "INSERT INTO sync.interface_row (sync, source_system, record_key, entity, operation, position, "
            "partition_key, payload, status, settled_version, processed_at) "
            "SELECT 's', 'x', n, 'e', 'update', n, to_char(n / 100, 'FM0000'), '{}', 'processed', n, now() "
            "FROM generate_series(1, 20000) n"
        )
        conn.execute("VACUUM ANALYZE sync.interface_row")
        read_state(conn, "reader")
        with conn.transaction():
            change_state(conn, lock_state(conn, "reader"), last_position=19_990)
        names = {"syncs": ["s", "reader"], "sources": ["s", "s"], "bound": 1_000, "after": 0, "until": 10}
        for name in re.findall(r"^-- name: (figures_of_\w+)", _queries(), re.MULTILINE):
            plan = "\n".join(line for (line,) in conn.execute(b"EXPLAIN " + query(name).encode(), names).fetchall())
            assert "Seq Scan on interface_row" not in plan, plan
        assert table_figures(conn, ["s"], {"reader": "s"}).unread == {"reader": 11}


def _queries() -> str:
    return resources.files("sync_orchestration.interface").joinpath("sql/queries.sql").read_text(encoding="utf-8")


def test_a_scrape_is_answered_while_the_tables_are_locked(place: Place, monitor: Monitor, database_url: str) -> None:
    assert monitor.told("sync_database_up") == 1
    with connect(database_url) as other, other.transaction():
        other.execute("LOCK TABLE sync.sync_state, sync.interface_row IN ACCESS EXCLUSIVE MODE")
        found = monitor.until(lambda found: found["sync_database_up{}"] == 0)
        assert not any(key.startswith("sync_state") for key in found), "no figure is better than a wrong one"
    monitor.until(lambda found: found["sync_database_up{}"] == 1)


def test_a_scrape_is_answered_without_a_database() -> None:
    def no_runs() -> Any:
        raise psycopg.OperationalError("away")

    settings = IntakeSettings(contracts=(), senders=())
    app = intake_app(settings, "postgresql://nobody@127.0.0.1:9/none", {}, runs=no_runs)
    try:
        with serve(app) as url:
            found = Monitor(url).scrape()
    finally:
        app.close()
    assert found["sync_database_up{}"] == 0
    assert not any(key.startswith(("sync_state", "sync_runs")) for key in found)


def test_scrapes_at_the_same_time_ask_the_database_once(place: Place, monitor: Monitor, database_url: str) -> None:
    with connect(database_url) as other, other.transaction():
        other.execute("LOCK TABLE sync.sync_state IN ACCESS EXCLUSIVE MODE")
        threads = [threading.Thread(target=monitor.scrape) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        asking = place.conn.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%%sync.sync_state%%' "
            "AND application_name = 'sync-orchestration intake'"
        ).fetchone()
    assert asking == (1,)
