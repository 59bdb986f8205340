"""Flexi and Odoo call that something changed: the sync looks at once, once for each call, and no call is lost."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import dagster as dg
import psycopg
import pytest

from sync_orchestration.components import wakes
from sync_orchestration.components.headless import bring_up_to_date
from sync_orchestration.components.run_requests import SYNC_TAG
from sync_orchestration.definitions import Project
from sync_orchestration.interface.wakes import record_wake
from sync_orchestration.sandbox.faults import FaultRule
from sync_orchestration.sandbox.flexi import FlexiWorld, flexi_app
from sync_orchestration.sandbox.rest import RestWorld, rest_app
from sync_orchestration.sandbox.server import serve
from sync_orchestration_tests.components.intake_places import (
    ERP,
    SECRET,
    Counter,
    NewCounter,
    new_counter,
    own_defs,
    two_senders,
)
from sync_orchestration_tests.components.places import Board, DefsFolder

__all__ = ["new_counter", "own_defs", "two_senders"]

FLEXI, OUT = "flexi_partners", "odoo_to_rest"
REST_TOKEN = "crm-token-unmistakable-5c1f"
NOBODY = "nobody called"


@dataclass
class Bell:
    """What other systems ring, the sensors that hear it, and the two systems that the syncs read."""

    counter: Counter
    flexi: FlexiWorld
    crm: RestWorld
    cursors: dict[str, str | None] = field(default_factory=dict)

    def rung_by_flexi(self, secret: str | None = SECRET, name: str = "flexi") -> int:
        headers = {} if secret is None else {"X-FB-Hook-SecKey": secret}
        return self.counter.post(f"/hooks/flexi/{name}", {"winstrom": {"changes": []}}, **headers).status_code

    def rung_by_odoo(self, *ids: int, secret: str = SECRET) -> None:
        for number in ids:
            body = {"_action": "Send Webhook Notification(#300)", "_id": number, "_model": "res.partner", "id": number}
            assert self.counter.post(f"/hooks/odoo/{OUT}/{secret}", body).status_code == 200

    def tick(self, sync: str) -> dg.RunRequest | str:
        """Evaluate the hook sensor once; its cursor is kept with what it asks for, as the daemon does."""
        found = self.counter.tick(f"{sync}_hook_sensor", self.cursors.get(sync))
        self.cursors[sync] = found.cursor or self.cursors.get(sync)
        return found.run_requests[0] if found.run_requests else found.skip_message or ""

    def keys(self, request: dg.RunRequest | str) -> list[str]:
        """The records that a run is asked for."""
        assert isinstance(request, dg.RunRequest), request
        config = request.run_config["ops"]["chosen_records"]["config"]
        assert config["sync"] == OUT
        keys: list[str] = config["keys"]
        return keys

    def follow(self, request: dg.RunRequest | str, job: str) -> None:
        assert self.counter.follow(request, job).success

    def sync(self, name: str) -> None:
        project = self.counter.project
        report = bring_up_to_date(self.counter.instance, project.definitions, project.syncs[name], project.connections)
        assert report.problem is None

    def company(self, name: str, **values: Any) -> int:
        country = self.counter.odoo.db.tables["res.country"].find("code", ["CZ"])[0]
        given = {"name": name, "is_company": True, "country_id": country, **values}
        (number,) = self.counter.odoo.call("res.partner", "create", [given])
        return int(number)

    def in_the_crm(self) -> dict[str, dict[str, Any]]:
        return {one["external_ref"]: one for one in self.crm.live("partners")}

    def waiting(self) -> list[tuple[str, str, str]]:
        return self.counter.conn.execute("SELECT kind, name, record_key FROM sync.wake ORDER BY number").fetchall()


@pytest.fixture
def bell(new_bell: Any) -> Bell:
    made: Bell = new_bell()
    return made


@pytest.fixture
def new_bell(new_counter: NewCounter, boards: tuple[Board, Board], monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    flexi, crm = FlexiWorld.demo(partners=20), RestWorld.demo(contacts=40)
    crm.access.token = REST_TOKEN
    boards[0].app = flexi_app(flexi)
    with serve(rest_app(crm)) as rest:
        for name, value in {
            "FLEXI_URL": boards[0].url,
            "FLEXI_COMPANY": "demo",
            "FLEXI_USER": "sync",
            "FLEXI_PASSWORD": "sync",
            "REST_URL": rest,
            "REST_TOKEN": REST_TOKEN,
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("tenacity.nap.time", SimpleNamespace(sleep=lambda _seconds: None))
        yield lambda project=None: Bell(new_counter(project=project), flexi, crm)


# Who may ring


def test_only_who_knows_the_secret_is_heard_and_others_learn_nothing(bell: Bell) -> None:
    assert bell.rung_by_flexi() == 200
    assert [bell.rung_by_flexi(secret) for secret in ("wrong", None, ERP, "")] == [401] * 4
    assert bell.rung_by_flexi(name="other") == 401
    assert bell.counter.post(f"/hooks/odoo/{OUT}/wrong", {"_id": 1}).status_code == 401
    assert bell.counter.post(f"/hooks/odoo/other/{SECRET}", {"_id": 1}).status_code == 401
    assert bell.waiting() == [("flexi", "flexi", "")]


# Flexi


def test_a_call_of_flexi_asks_for_a_run_at_once_and_once_for_each_call(bell: Bell) -> None:
    bell.sync(FLEXI)
    assert bell.tick(FLEXI) == NOBODY
    bell.flexi.companies["demo"].create("adresar", {"kod": "NEW", "nazev": "Nová firma"})
    assert bell.rung_by_flexi() == bell.rung_by_flexi() == 200
    request = bell.tick(FLEXI)
    bell.follow(request, FLEXI)
    names = [row["name"] for row in bell.counter.partners("flexi_demo").values()]
    assert "Nová firma" in names
    assert bell.tick(FLEXI) == NOBODY
    bell.rung_by_flexi()
    assert bell.tick(FLEXI) == "nothing new", "the call came for what was read already"
    assert bell.tick(FLEXI) == NOBODY
    assert bell.tick(OUT) == NOBODY


def test_while_a_run_is_under_way_the_call_waits(bell: Bell) -> None:
    bell.sync(FLEXI)
    bell.flexi.companies["demo"].create("adresar", {"kod": "NEW", "nazev": "Nová firma"})
    bell.rung_by_flexi()
    instance = bell.counter.instance
    job = bell.counter.definitions.resolve_job_def(FLEXI)
    run = instance.create_run_for_job(job, tags={SYNC_TAG: FLEXI}, status=dg.DagsterRunStatus.NOT_STARTED)
    assert bell.tick(FLEXI) == "a run of this sync is under way; the call waits"
    assert bell.tick(FLEXI) == "a run of this sync is under way; the call waits"
    instance.report_run_canceled(run)
    assert isinstance(bell.tick(FLEXI), dg.RunRequest)


def test_a_flexi_that_cannot_be_asked_is_asked_again_when_its_pause_is_over(bell: Bell) -> None:
    bell.sync(FLEXI)
    bell.flexi.companies["demo"].create("adresar", {"kod": "NEW", "nazev": "Nová firma"})
    bell.rung_by_flexi()
    bell.flexi.faults.add(FaultRule(kind="status", status=503, times=None))
    assert str(bell.tick(FLEXI)).endswith("the call waits")
    bell.flexi.faults.clear()
    bell.flexi.faults.reset_counts()
    assert "waits until" in str(bell.tick(FLEXI))
    assert not bell.flexi.faults.requests, "it is not asked before its time"
    bell.counter.conn.execute("UPDATE sync.sync_state SET next_try = now()")
    assert isinstance(bell.tick(FLEXI), dg.RunRequest)


def test_a_flexi_that_is_set_up_wrongly_is_not_asked_for_ever(bell: Bell, monkeypatch: pytest.MonkeyPatch) -> None:
    bell.sync(FLEXI)
    bell.rung_by_flexi()
    monkeypatch.setenv("FLEXI_PASSWORD", "wrong")
    assert "401" in str(bell.tick(FLEXI))
    assert bell.tick(FLEXI) == NOBODY


def test_a_sync_that_is_switched_off_lets_its_calls_wait(bell: Bell, monkeypatch: pytest.MonkeyPatch) -> None:
    bell.rung_by_flexi()
    monkeypatch.delenv("FLEXI_PASSWORD")
    assert bell.tick(FLEXI) == "switched off: FLEXI_PASSWORD not set; the call waits"
    monkeypatch.setenv("FLEXI_PASSWORD", "sync")
    assert isinstance(bell.tick(FLEXI), dg.RunRequest)


# Odoo


def test_a_partner_that_odoo_calls_for_is_in_the_crm_after_one_run(bell: Bell) -> None:
    bell.sync(OUT)
    counter = bell.counter
    counter.odoo.add_webhook("res.partner", f"{counter.url}/hooks/odoo/{OUT}/{SECRET}")
    number = bell.company("Nová firma s.r.o.")
    assert counter.odoo.webhook_outcomes == ["200"]
    request = bell.tick(OUT)
    assert bell.keys(request) == [str(number)]
    bell.follow(request, "sync_records")
    assert bell.in_the_crm()[str(number)]["name"] == "Nová firma s.r.o."
    assert bell.tick(OUT) == NOBODY
    assert bell.waiting() == [], "what was followed is forgotten"
    counter.odoo.call("res.partner", "write", [number], {"city": "Aš"})
    bell.follow(bell.tick(OUT), "sync_records")
    assert bell.in_the_crm()[str(number)]["city"] == "Aš"


def test_a_deleted_partner_that_odoo_calls_for_is_deleted_in_the_crm(bell: Bell) -> None:
    number = bell.company("Stará firma s.r.o.")
    bell.sync(OUT)
    assert str(number) in bell.in_the_crm()
    counter = bell.counter
    counter.odoo.add_webhook("res.partner", f"{counter.url}/hooks/odoo/{OUT}/{SECRET}", trigger="on_unlink")
    counter.odoo.call("res.partner", "unlink", [number])
    bell.follow(bell.tick(OUT), "sync_records")
    assert str(number) not in bell.in_the_crm()


def test_an_id_that_never_existed_or_is_outside_the_domain_does_nothing(bell: Bell) -> None:
    bell.sync(OUT)
    (person,) = bell.counter.odoo.call("res.partner", "create", [{"name": "Jana", "is_company": False}])
    before = bell.in_the_crm()
    bell.rung_by_odoo(987_654, person)
    bell.follow(bell.tick(OUT), "sync_records")
    assert bell.in_the_crm() == before
    found = bell.counter.conn.execute(
        "SELECT 1 FROM sync.interface_row WHERE record_key = ANY(%s)", [["987654", str(person)]]
    )
    assert found.fetchall() == []


def test_a_burst_of_calls_is_followed_whole_by_a_few_runs(bell: Bell) -> None:
    ids = [str(number) for number in range(1_000, 1_600)]
    for key in ids:
        record_wake(bell.counter.conn, "odoo", OUT, [key])
    followed = bell.keys(bell.tick(OUT))
    assert len(followed) == 500
    followed += bell.keys(bell.tick(OUT))
    assert followed == ids
    assert bell.tick(OUT) == NOBODY
    assert bell.waiting() == []


def test_more_calls_than_are_kept_one_by_one_hold_up_no_later_ones(bell: Bell) -> None:
    conn = bell.counter.conn
    for key in range(1_200):
        record_wake(conn, "odoo", OUT, [str(key)], bound=1_100)
    runs = [bell.tick(OUT) for _ in range(3)]
    assert [len(bell.keys(run)) for run in runs] == [500, 500, 100]
    assert bell.tick(OUT) == NOBODY
    assert bell.waiting() == []
    bell.rung_by_odoo(7)
    assert bell.keys(bell.tick(OUT)) == ["7"]


def test_a_call_that_stands_for_too_many_is_left_to_the_poll(bell: Bell) -> None:
    record_wake(bell.counter.conn, "odoo", OUT)
    assert "the poll finds what changed" in str(bell.tick(OUT))
    assert bell.tick(OUT) == NOBODY
    assert bell.waiting() == []


def test_off_peak_hours_hold_for_calls_too(own_defs: DefsFolder, new_bell: Any) -> None:
    hour = datetime.now(UTC).hour
    later = f"{(hour + 6) % 24:02}:00-{(hour + 12) % 24:02}:00"
    for folder in (OUT, FLEXI):
        own_defs.change(folder, lambda s: s.setdefault("triggers", {}).update(hours=later, timezone="UTC"))
    bell: Bell = new_bell(own_defs.load())
    bell.rung_by_odoo(7)
    bell.rung_by_flexi()
    for sync in (OUT, FLEXI):
        assert bell.tick(sync) == f"waits for its off-peak hours, {later} UTC; the call waits"
    assert len(bell.waiting()) == 2


# No call is lost


@pytest.mark.parametrize("sync", [FLEXI, OUT])
def test_a_tick_that_fails_loses_no_call(bell: Bell, monkeypatch: pytest.MonkeyPatch, sync: str) -> None:
    bell.rung_by_flexi()
    bell.rung_by_odoo(7)

    def broken(*_: Any, **__: Any) -> Any:
        raise psycopg.OperationalError("the connection is lost")

    name = {FLEXI: "plan_for_trigger", OUT: "forget_wakes"}[sync]
    with monkeypatch.context() as patch:
        patch.setattr(wakes, name, broken)
        with pytest.raises(psycopg.OperationalError, match="the connection is lost"):
            bell.tick(sync)
    assert isinstance(bell.tick(sync), dg.RunRequest)


def test_a_daemon_that_dies_before_it_has_launched_the_run_asks_for_it_again(bell: Bell) -> None:
    bell.rung_by_odoo(7)
    request = bell.tick(OUT)
    assert bell.keys(request) == ["7"]
    bell.cursors.clear()  # neither the run nor the cursor was stored
    bell.rung_by_odoo(8)
    assert bell.keys(bell.tick(OUT)) == ["7", "8"]


def test_a_call_for_the_same_record_while_it_is_read_is_followed_again(bell: Bell) -> None:
    bell.rung_by_odoo(7)
    first = bell.tick(OUT)
    bell.rung_by_odoo(7)
    again = bell.tick(OUT)
    assert bell.keys(first) == bell.keys(again) == ["7"]
    assert isinstance(first, dg.RunRequest)
    assert isinstance(again, dg.RunRequest)
    assert first.run_key != again.run_key


def test_without_an_intake_there_are_no_hook_sensors(two_senders: Project) -> None:
    assert wakes.wake_sensors(None, two_senders.syncs) == []
    names = {sensor.name for sensor in wakes.wake_sensors(two_senders.intake, two_senders.syncs)}
    assert names == {"flexi_partners_hook_sensor", "odoo_to_rest_hook_sensor"}
