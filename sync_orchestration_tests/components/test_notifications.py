"""Somebody is told once when a sync is in trouble, and once when it is over, whatever happens in between."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

import dagster as dg
import pytest
import yaml
from dagster._core.remote_origin import (
    InProcessCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.storage.tags import AUTO_RETRY_RUN_ID_TAG, PARENT_RUN_ID_TAG, ROOT_RUN_ID_TAG, WILL_RETRY_TAG
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sync_orchestration.components.database import InterfaceDatabase
from sync_orchestration.components.health import check_connections
from sync_orchestration.components.notifications import configured_secrets
from sync_orchestration.components.run_ends import RETRIED_AS, WILL_RETRY, run_ends
from sync_orchestration.components.telling import Watch, look_at_rows, look_at_runs
from sync_orchestration.definitions import Project
from sync_orchestration.interface.incidents import standings
from sync_orchestration.interface.requeue import requeue_failed
from sync_orchestration.interface.retention import Retention, purge
from sync_orchestration.interface.state import database_time
from sync_orchestration.pipeline.errors import ConfigurationError
from sync_orchestration.sandbox.faults import FaultRule
from sync_orchestration.sandbox.server import serve
from sync_orchestration_tests.components.places import KEY, REFUSED, SYNC, DefsFolder, NewPlace, Place

SECRET = "hook-4f1c9a7e2b"
OFF = "switched off: SYNC_NOTIFY_URLS not set"


@dataclass
class Hooks:
    """Web hooks, one for each person who is to be told; each keeps what it accepted."""

    url: str = ""
    refuses: set[str] = field(default_factory=set)
    accepted: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    async def take(self, request: Request) -> Response:
        person = request.path_params["person"]
        if person in self.refuses:
            return Response("not now", status_code=500)
        self.accepted.append((person, await request.json()))
        return Response()

    def address(self, person: str = "ann") -> str:
        return f"json://robot:{SECRET}@{self.url.removeprefix('http://')}/{person}"

    def titles(self, person: str = "ann") -> list[str]:
        return [message["title"] for who, message in self.accepted if who == person]

    @property
    def last(self) -> str:
        return str(self.accepted[-1][1]["message"])


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hooks]:
    """One person, Ann, is to be told."""
    found = Hooks()
    with serve(Starlette(routes=[Route("/{person}", found.take, methods=["POST"])])) as url:
        found.url = url
        monkeypatch.setenv("SYNC_NOTIFY_URLS", found.address())
        yield found


@dataclass
class Bell:
    """The sensor as the daemon evaluates it: with the cursor of the tick before."""

    place: Place
    cursor: str | None = None

    def tick(self) -> str:
        definitions = self.place.definitions
        context = dg.build_sensor_context(
            instance=self.place.instance,
            resources={"interface": InterfaceDatabase()},
            definitions=definitions,
            cursor=self.cursor,
        )
        found = definitions.resolve_sensor_def("notifications_sensor").evaluate_tick(context)
        assert not found.run_requests
        self.cursor = found.cursor
        return found.skip_message or ""

    @property
    def incidents(self) -> list[tuple[str, str, bool]]:
        rows = self.place.conn.execute("SELECT subject, kind, closed_at IS NULL FROM sync.incident ORDER BY id")
        return [(subject, kind, is_open) for subject, kind, is_open in rows.fetchall()]


@pytest.fixture
def bell(place: Place) -> Bell:
    return Bell(place)


def with_threshold(folder: DefsFolder, **attributes: Any) -> Project:
    """Load a project whose notifications have these attributes."""
    path = folder.path / "notifications"
    path.mkdir()
    content = {"type": "sync_orchestration.Notifications", "attributes": attributes}
    (path / "defs.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return folder.load()


def break_odoo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ODOO_API_KEY", "key-that-ended-yesterday")


def mend_odoo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ODOO_API_KEY", KEY)


def launched_run(instance: dg.DagsterInstance, *, retries: dg.DagsterRun | None = None) -> dg.DagsterRun:
    """Make a run as the daemon launches one, which Dagster may try again by itself; or its retry."""
    target = LoadableTargetOrigin(python_file="nowhere.py")
    repository = RemoteRepositoryOrigin(InProcessCodeLocationOrigin(target), "__repository__")
    family = {PARENT_RUN_ID_TAG: retries.run_id, ROOT_RUN_ID_TAG: retries.run_id} if retries else {}
    run = dg.DagsterRun(
        job_name=SYNC,
        run_id=str(uuid4()),
        status=dg.DagsterRunStatus.STARTED,
        tags={"sync/name": SYNC, **family},
        remote_job_origin=RemoteJobOrigin(repository, SYNC),
        parent_run_id=retries.run_id if retries else None,
        root_run_id=retries.run_id if retries else None,
    )
    instance.add_run(run)
    if retries:
        instance.add_run_tags(retries.run_id, {AUTO_RETRY_RUN_ID_TAG: run.run_id})
    return run


def succeed(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    event = dg.DagsterEvent(dg.DagsterEventType.RUN_SUCCESS.value, run.job_name, message="done")
    instance.report_dagster_event(event, run_id=run.run_id)


@pytest.fixture
def retrying(place: Place) -> Iterator[Bell]:
    """A place whose Dagster tries failed runs again once."""
    with dg.DagsterInstance.ephemeral(settings={"run_retries": {"enabled": True, "max_retries": 1}}) as instance:
        place.instance = instance
        yield Bell(place)


def test_while_nobody_is_to_be_told_nothing_is_looked_at_nor_written_down(
    bell: Bell, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_odoo(monkeypatch)
    assert bell.place.bring_up_to_date().problem
    assert bell.tick() == OFF
    assert bell.incidents == []


def test_a_failed_sync_is_told_once_and_its_recovery_once(
    bell: Bell, hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNC_UI_URL", "https://sync.example.com/")
    assert bell.tick() == "nothing new to tell"
    break_odoo(monkeypatch)
    problem = bell.place.bring_up_to_date().problem
    assert problem is not None
    assert bell.tick() == "1 message accepted"
    assert hooks.titles() == [f"{SYNC}: the run failed"]
    assert problem.startswith("Odoo refuses the user")
    assert "Odoo refuses the user" in hooks.last
    assert f"sync-orchestration status {SYNC}" in hooks.last
    (run,) = bell.place.instance.get_runs()
    assert f"https://sync.example.com/runs/{run.run_id}" in hooks.last

    assert bell.place.bring_up_to_date().problem, "it fails again"
    assert bell.tick() == "nothing new to tell"

    mend_odoo(monkeypatch)
    assert bell.place.bring_up_to_date().problem is None
    assert [bell.tick(), bell.tick()] == ["1 message accepted", "nothing new to tell"]
    assert hooks.titles() == [f"{SYNC}: the run failed", f"{SYNC}: runs again"]
    assert bell.incidents == [(SYNC, "run_failure", False)]


def test_a_fault_that_came_and_went_between_two_looks_is_told_with_its_end(
    bell: Bell, hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    bell.tick()
    break_odoo(monkeypatch)
    bell.place.bring_up_to_date()
    mend_odoo(monkeypatch)
    bell.place.bring_up_to_date()
    assert bell.tick() == "2 messages accepted"
    assert hooks.titles() == [f"{SYNC}: the run failed", f"{SYNC}: runs again"]


def test_whoever_switches_notifications_on_is_told_what_fails_now_and_not_what_has_failed(
    bell: Bell, hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_odoo(monkeypatch)
    bell.place.bring_up_to_date()
    mend_odoo(monkeypatch)
    bell.place.bring_up_to_date()
    assert bell.tick() == "nothing new to tell"
    break_odoo(monkeypatch)
    bell.place.run("sync_records", {"chosen_records": {"sync": SYNC, "keys": ["1"]}})
    other = Bell(bell.place)
    assert other.tick() == "1 message accepted"
    assert hooks.titles() == ["sync_records: the run failed"]


def test_the_tags_of_a_retry_are_called_as_dagster_calls_them() -> None:
    assert (WILL_RETRY, RETRIED_AS) == (WILL_RETRY_TAG, AUTO_RETRY_RUN_ID_TAG)


def test_a_run_that_dagster_tries_again_and_that_then_succeeds_is_no_incident(retrying: Bell, hooks: Hooks) -> None:
    instance = retrying.place.instance
    retrying.tick()
    first = launched_run(instance)
    instance.report_run_failed(first)
    assert retrying.tick() == "nothing new to tell", "its retry is awaited"
    second = launched_run(instance, retries=first)
    assert retrying.tick() == "nothing new to tell", "its retry runs"
    succeed(instance, second)
    assert retrying.tick() == "nothing new to tell"
    assert retrying.incidents == []


def test_a_run_whose_last_try_fails_is_one_incident(retrying: Bell, hooks: Hooks) -> None:
    instance = retrying.place.instance
    retrying.tick()
    first = launched_run(instance)
    instance.report_run_failed(first, "the first try")
    second = launched_run(instance, retries=first)
    instance.report_run_failed(second, "the last try")
    assert [retrying.tick(), retrying.tick()] == ["1 message accepted", "nothing new to tell"]
    assert "the last try" in hooks.last
    succeed(instance, launched_run(instance))
    assert retrying.tick() == "1 message accepted"
    assert retrying.incidents == [(SYNC, "run_failure", False)]


def test_a_retry_that_never_begins_is_a_failure_in_the_end(retrying: Bell, hooks: Hooks) -> None:
    place = retrying.place
    place.instance.report_run_failed(launched_run(place.instance))
    (end,) = run_ends(place.instance, database_time(place.conn) - timedelta(days=1))
    assert end.retry == "awaited"
    watch = Watch(syncs={})
    for minutes, number in ((9, 0), (11, 1)):
        now = end.ended_at + timedelta(minutes=minutes)
        look_at_runs(place.conn, place.instance, watch, end.ended_at, now)
        assert len(retrying.incidents) == number


def test_a_run_that_a_person_cancels_is_no_incident(retrying: Bell, hooks: Hooks) -> None:
    instance = retrying.place.instance
    retrying.tick()
    instance.report_run_canceled(launched_run(instance))
    assert retrying.tick() == "nothing new to tell"


def test_assets_that_somebody_materializes_are_no_recovery_of_the_whole_sync(
    bell: Bell, hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    bell.tick()
    break_odoo(monkeypatch)
    bell.place.bring_up_to_date()
    bell.tick()
    instance = bell.place.instance
    key = dg.AssetKey([SYNC, "interface_status"])
    run = dg.DagsterRun(
        job_name="__ASSET_JOB",
        run_id=str(uuid4()),
        status=dg.DagsterRunStatus.STARTED,
        asset_selection={key},
    )
    instance.add_run(run)
    succeed(instance, run)
    assert bell.tick() == "nothing new to tell"
    assert bell.incidents == [(SYNC, "run_failure", True)]


def test_failing_records_below_the_threshold_are_not_worth_a_message(synced: Place, hooks: Hooks) -> None:
    assert len(synced.failing) == REFUSED < 10
    assert Bell(synced).tick() == "nothing new to tell"


def test_too_many_failing_records_are_told_with_the_first_of_them_until_they_are_dealt_with(
    new_place: NewPlace, defs_folder: DefsFolder, hooks: Hooks
) -> None:
    place = new_place(project=with_threshold(defs_folder, failed_rows={"at_least": REFUSED}))
    bell = Bell(place)
    place.bring_up_to_date()
    assert [bell.tick(), bell.tick()] == ["1 message accepted", "nothing new to tell"]
    assert hooks.titles() == [f"{SYNC}: {REFUSED} records are failing"]
    assert f"- and {REFUSED - 3} more" in hooks.last
    assert f"sync-orchestration status {SYNC} --failed" in hooks.last
    shown = list(place.failing.values())[:3]
    for row in shown:
        assert f"- {row.operation} {row.record_key}: {row.error_field}: " in hooks.last

    with place.conn.transaction():
        requeue_failed(place.conn, SYNC, None)
    assert place.counts.get("failed", 0) == 0
    assert bell.tick() == "nothing new to tell", "what is tried again is not dealt with"

    (number,) = place.flexi.planted["implausible_email"]
    place.company.update("adresar", number, {"email": "office@example.com"})
    place.bring_up_to_date()
    assert [bell.tick(), bell.tick()] == ["1 message accepted", "nothing new to tell"]
    assert hooks.titles()[1:] == [f"{SYNC}: the failing records are dealt with"]
    assert f"Only {REFUSED - 1} records of {SYNC} are still failing" in hooks.last


@pytest.mark.parametrize(
    ("attributes", "told"),
    [
        ({"failed_rows": {"at_least": 1, "share": 0.02}}, True),
        ({"failed_rows": {"at_least": 1, "share": 0.03}}, False),
        ({"failed_rows": {"at_least": 100}, "syncs": {SYNC: {"at_least": 1}}}, True),
        ({"failed_rows": {"at_least": 1}, "syncs": {SYNC: {"at_least": 100}}}, False),
    ],
    ids=["share reached", "share not reached", "this sync's own is lower", "this sync's own is higher"],
)
def test_the_threshold_may_be_a_share_and_another_one_for_a_sync(
    new_place: NewPlace, defs_folder: DefsFolder, hooks: Hooks, attributes: dict[str, Any], told: bool
) -> None:
    place = new_place(project=with_threshold(defs_folder, **attributes))
    place.bring_up_to_date()
    assert Bell(place).tick() == ("1 message accepted" if told else "nothing new to tell")


def test_a_message_that_was_not_accepted_is_sent_again_and_the_tick_says_so(
    bell: Bell, hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    bell.tick()
    hooks.refuses = {"ann"}
    break_odoo(monkeypatch)
    bell.place.bring_up_to_date()
    for _ in range(2):
        said = bell.tick()
        assert said.startswith("no message accepted; target 1 (JSON) did not accept a message, which is sent again")
        assert "error=500" in said
        assert SECRET not in said
    mend_odoo(monkeypatch)
    bell.place.bring_up_to_date()
    assert "error=500" in bell.tick()
    assert hooks.accepted == []
    hooks.refuses = set()
    assert [bell.tick(), bell.tick()] == ["2 messages accepted", "nothing new to tell"]
    assert hooks.titles() == [f"{SYNC}: the run failed", f"{SYNC}: runs again"]


def test_one_persons_broken_address_repeats_nothing_to_the_others(
    bell: Bell, hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNC_NOTIFY_URLS", f"{hooks.address('bob')} {hooks.address('ann')} jsn://mistyped")
    bell.tick()
    hooks.refuses = {"bob"}
    break_odoo(monkeypatch)
    bell.place.bring_up_to_date()
    said = bell.tick()
    assert said.startswith("1 message accepted; target 1 (JSON) did not accept")
    assert "target 3 (jsn) did not accept a message, which is sent again later: the address is not understood" in said
    mend_odoo(monkeypatch)
    bell.place.bring_up_to_date()
    bell.tick()
    bell.tick()
    both = [f"{SYNC}: the run failed", f"{SYNC}: runs again"]
    assert (hooks.titles("ann"), hooks.titles("bob")) == (both, [])
    hooks.refuses = set()
    bell.tick()
    assert (hooks.titles("ann"), hooks.titles("bob")) == (both, both)

    monkeypatch.setenv("SYNC_NOTIFY_URLS", hooks.address("ann"))
    assert bell.tick() == "nothing new to tell", "whoever is no longer to be told is not waited for"
    told = bell.place.conn.execute("SELECT notified_opened, notified_closed FROM sync.incident").fetchall()
    assert told == [(True, True)]


def test_a_restart_neither_doubles_nor_loses_a_message(
    bell: Bell, hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    bell.tick()
    cursor = bell.cursor
    break_odoo(monkeypatch)
    bell.place.bring_up_to_date()
    # The daemon dies after the fault was written down and before anything was sent or its cursor kept.
    now = database_time(bell.place.conn)
    look_at_runs(bell.place.conn, bell.place.instance, Watch(syncs={}), None, now)
    assert hooks.accepted == []
    assert bell.tick() == "1 message accepted"
    mend_odoo(monkeypatch)
    bell.place.bring_up_to_date()
    assert bell.tick() == "1 message accepted"
    # It dies again, after sending, so that its cursor is an old one; then the cursor is lost altogether.
    for old in (cursor, None):
        bell.cursor = old
        assert bell.tick() == "nothing new to tell"
    assert hooks.titles() == [f"{SYNC}: the run failed", f"{SYNC}: runs again"]


def test_the_retention_leaves_what_tells_news_from_history(
    bell: Bell, hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    bell.tick()
    break_odoo(monkeypatch)
    bell.place.bring_up_to_date()
    mend_odoo(monkeypatch)
    bell.place.bring_up_to_date()
    bell.tick()
    conn = bell.place.conn
    assert purge(conn, Retention(history=timedelta()))["incident"] == 0
    assert bell.tick() == "nothing new to tell"
    conn.execute("UPDATE sync.incident SET closed_at = closed_at - interval '91 days'")
    assert purge(conn, Retention())["incident"] == 1


def test_no_secret_is_in_what_is_told_nor_in_what_is_kept(
    synced: Place, hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNC_UI_URL", "https://sync.example.com")
    synced.conn.execute(
        "UPDATE sync.interface_row SET error_message = %s, record_key = record_key || %s WHERE status = 'failed'",
        [f"refused {KEY} and {hooks.address()}", f" {SECRET}"],
    )
    secrets = [*configured_secrets(synced.project.connections), SECRET, hooks.address()]
    assert KEY in secrets
    threshold = synced.project.notifications
    assert threshold is not None
    watch = Watch(syncs=threshold.model_copy(update={"syncs": {}}).thresholds([]), secrets=secrets)
    synced.conn.execute("UPDATE sync.interface_row SET status = 'failed' WHERE error_message IS NULL")
    look_at_rows(synced.conn, watch)
    assert Bell(synced).tick() == "1 message accepted"
    kept = str(synced.conn.execute("SELECT i::text FROM sync.incident i").fetchall())
    for text in (hooks.last, kept):
        assert "refused *** and ***" in text
        assert KEY not in text
        assert SECRET not in text


def test_the_test_job_tells_everybody_and_says_who_accepted(
    place: Place, hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNC_NOTIFY_URLS", f"{hooks.address('ann')} {hooks.address('bob')}")
    assert place.run("test_notification").success
    assert hooks.titles("ann") == hooks.titles("bob") == ["sync_orchestration: test"]
    assert hooks.accepted[0][1]["type"] == "info"

    hooks.refuses = {"bob"}
    result = place.run("test_notification")
    (failure,) = result.filter_events(lambda e: e.is_step_failure)
    data = failure.step_failure_data.user_failure_data
    assert data is not None
    assert "target 2 (JSON): " in (data.description or "")
    assert "error=500" in (data.description or "")
    assert SECRET not in str(data)
    assert Bell(place).tick() == "nothing new to tell", "its failure is told by itself"


def test_the_test_job_says_that_notifications_are_switched_off(place: Place) -> None:
    result = place.run("test_notification")
    (failure,) = result.filter_events(lambda e: e.is_step_failure)
    data = failure.step_failure_data.user_failure_data
    assert data is not None
    assert data.description == f"Notifications are {OFF}."


def test_the_check_of_connections_reads_the_addresses_and_sends_nothing(
    place: Place, hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    def checked() -> tuple[bool, bool, str]:
        found = check_connections({}, [], place.project.notifications)[-1]
        assert found.name == "notifications"
        return found.ok, found.switched_off, found.detail

    assert checked() == (True, False, "1 target: JSON (nothing was sent)")
    monkeypatch.setenv("SYNC_NOTIFY_URLS", f"{hooks.address()} jsn://mistyped-{SECRET}")
    ok, _, detail = checked()
    assert not ok
    assert detail.startswith("target 2 (jsn): the address is not understood")
    assert SECRET not in detail
    monkeypatch.delenv("SYNC_NOTIFY_URLS")
    assert checked() == (True, True, OFF)
    assert hooks.accepted == []


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"urls": "tgram://token/chat"}, "these addresses hold secrets: write the name of their variable"),
        ({"syncs": {"flexi_partnerz": {"at_least": 1}}}, "name the sync 'flexi_partnerz', which does not exist"),
        ({"failed_rows": {"at_least": 0}}, "greater than or equal to 1"),
    ],
    ids=["an address in the file", "an unknown sync", "a threshold of nothing"],
)
def test_a_mistake_in_the_yaml_is_refused(defs_folder: DefsFolder, attributes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as refused:
        with_threshold(defs_folder, **attributes)
    assert "tgram" not in str(refused.value)


def test_without_a_folder_of_notifications_there_is_no_sensor_of_them(defs_folder: DefsFolder) -> None:
    project = defs_folder.load()
    assert project.notifications is None
    names = {sensor.name for sensor in project.definitions.get_repository_def().sensor_defs}
    assert names == {f"{SYNC}_sensor", "record_browser_sensor"}


def test_an_incident_that_is_written_down_twice_is_one(place: Place, hooks: Hooks) -> None:
    bell = Bell(place)
    place.instance.report_run_failed(launched_run(place.instance))
    now = database_time(place.conn)
    for _ in range(2):
        look_at_runs(place.conn, place.instance, Watch(syncs={}), None, now)
    assert bell.incidents == [(SYNC, "run_failure", True)]
    assert standings(place.conn, "run_failure")[SYNC].is_open


def test_a_source_that_cannot_even_be_asked_is_told_once_and_when_it_answers_again(
    synced: Place, bell: Bell, hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    bell.tick()
    monkeypatch.setenv("FLEXI_PASSWORD", "changed-by-somebody")
    for _ in range(3):
        assert "refuses the user" in synced.skipped()
        bell.tick()
    assert hooks.titles() == [f"{SYNC}: stands still"]
    assert "refuses the user" in hooks.last
    monkeypatch.setenv("FLEXI_PASSWORD", "sync")
    assert synced.skipped() == "nothing new"
    bell.tick()
    assert hooks.titles() == [f"{SYNC}: stands still", f"{SYNC}: goes on"]


def test_an_unreachable_source_is_told_only_when_its_tries_are_used_up(
    synced: Place, bell: Bell, hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    def time_passes() -> None:
        synced.conn.execute("UPDATE sync.sync_state SET next_try = now()")

    synced.flexi.faults.add(FaultRule(kind="status", status=503, times=None))
    monkeypatch.setattr("time.sleep", lambda _: None)
    for _ in range(3):
        assert "not available" in synced.skipped()
        bell.tick()
        assert "waits until" in synced.skipped()
        time_passes()
    assert hooks.titles() == []
    assert "not available" in synced.skipped()
    bell.tick()
    assert hooks.titles() == [f"{SYNC}: stands still"]
    synced.flexi.faults.clear()
    time_passes()
    assert synced.skipped() == "nothing new"
    bell.tick()
    assert hooks.titles()[-1] == f"{SYNC}: goes on"
