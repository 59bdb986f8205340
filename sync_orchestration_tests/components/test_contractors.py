"""Contractors from a repository over the register into Odoo: the three syncs as they are shipped, end to end."""

import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import dagster as dg
import psycopg
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from sync_orchestration import defs as own_folder
from sync_orchestration.components import triggers
from sync_orchestration.components.assets import status_metadata
from sync_orchestration.components.database import InterfaceDatabase
from sync_orchestration.components.headless import RunReport, bring_up_to_date
from sync_orchestration.components.run_figures import RunFollower
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.definitions import Project
from sync_orchestration.intake import Quota
from sync_orchestration.interface.database import connect
from sync_orchestration.interface.pauses import SharedPause
from sync_orchestration.interface.state import change_state, database_time, lock_state, read_state
from sync_orchestration.sandbox.alfresco import AlfrescoSwitches, AlfrescoWorld, alfresco_app
from sync_orchestration.sandbox.faults import FaultRule
from sync_orchestration.sandbox.flexi import FlexiWorld, flexi_app
from sync_orchestration.sandbox.kontur import KonturWorld, kontur_app
from sync_orchestration.sandbox.odoo import OdooWorld, odoo_app
from sync_orchestration.sandbox.server import serve
from sync_orchestration_tests.components.places import DefsFolder

CONTRACTORS, FEW = 150, 100
KEY = "register-key-3b7e-unmistakable"
PASSWORD = "repository-password-unmistakable"
SWEEP, PARTNERS, FLEXI = "contractors", "contractor_partners", "flexi_partners"
INITIAL = (
    '{"lastModifiedNodeDbid": null, "status": "TRIGGER_WAITING", "countProcessedNodes": 0, "tryCount": 0, '
    '"nextTry": null, "error": null}'
)

STATUSES = {
    # What nobody is to blame for.
    "empty": ("skipped", "empty"),
    "blank": ("skipped", "empty"),
    "zeros": ("skipped", "zeros"),
    "foreign": ("skipped", "foreign"),
    "edrpou": ("skipped", "edrpou"),
    "not_found": ("skipped", "not_found"),
    "individual": ("skipped", "not_found"),
    # What a person should look at.
    "bad_check_digit": ("failed", "bad_check_digit"),
    "too_short": ("failed", "wrong_length"),
    "belarus": ("failed", "wrong_length"),
    "text": ("failed", "not_a_number"),
    "two_numbers": ("failed", "two_numbers"),
    "ambiguous_inn": ("failed", "ambiguous"),
    # What the repository refuses.
    "locked": ("failed", "locked"),
    "integrity": ("failed", "integrity"),
    "write_denied": ("failed", "forbidden"),
}


class Board:
    """A server into which each test plugs its stand-in."""

    app: ASGIApp
    url: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


@pytest.fixture(scope="module")
def four_boards() -> Iterator[list[Board]]:
    with ExitStack() as stack:
        boards = [Board() for _ in range(4)]
        for board in boards:
            board.url = stack.enter_context(serve(board))
        yield boards


@pytest.fixture(autouse=True)
def nobody_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests that are tried again are so at once."""
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)


@pytest.fixture
def defs_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DefsFolder:
    """A copy of all that is shipped."""
    path = tmp_path / f"defs_{uuid4().hex[:8]}"
    shutil.copytree(Path(own_folder.__file__).parent, path, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.syspath_prepend(str(tmp_path))
    return DefsFolder(path)


@dataclass
class Everything:
    """All four systems, the project over them, and what a person and the daemon do."""

    alfresco: AlfrescoWorld
    kontur: KonturWorld
    flexi: FlexiWorld
    odoo: OdooWorld
    project: Project
    instance: dg.DagsterInstance
    conn: psycopg.Connection[Any]
    restart: Callable[[], None] = field(repr=False)

    def settings(self, sync: str = SWEEP) -> SyncSettings:
        return self.project.syncs[sync]

    def sync(self, name: str, *, everything: bool = False) -> RunReport:
        project = self.project
        return bring_up_to_date(
            self.instance, project.definitions, project.syncs[name], project.connections, everything=everything
        )

    def sync_all(self) -> dict[str, RunReport]:
        return {name: self.sync(name) for name in (FLEXI, SWEEP, PARTNERS)}

    @property
    def resources(self) -> dict[str, Any]:
        return {"interface": InterfaceDatabase(), **self.project.connections}

    def cron(self) -> list[dg.RunRequest] | str:
        """Let the schedule fire once; returns the runs that it asks for, or why it asks for none."""
        definitions = self.project.definitions
        with dg.build_schedule_context(instance=self.instance, resources=self.resources) as context:
            found = definitions.get_repository_def().get_schedule_def(f"{SWEEP}_schedule").evaluate_tick(context)
        return list(found.run_requests or []) or found.skip_message or ""

    def tick(self, sync: str = SWEEP) -> list[dg.RunRequest] | str:
        """Evaluate the sensor once, as the daemon does."""
        definitions = self.project.definitions
        context = dg.build_sensor_context(instance=self.instance, resources=self.resources, definitions=definitions)
        found = definitions.resolve_sensor_def(f"{sync}_sensor").evaluate_tick(context)
        return list(found.run_requests or []) or found.skip_message or ""

    def run(self, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
        quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        job = self.project.definitions.resolve_job_def(SWEEP)
        return job.execute_in_process(instance=self.instance, run_config=quiet, tags=request.tags, raise_on_error=False)

    def state(self, sync: str = SWEEP) -> dict[str, Any]:
        """Return the state as the UI shows it."""
        shown = status_metadata(self.conn, self.settings(sync))["state"].value
        assert isinstance(shown, dict)
        return shown

    def rows(self, sync: str) -> dict[str, tuple[str, str | None, str | None, str | None]]:
        found = self.conn.execute(
            "SELECT record_key, status, error_code, error_message, target_id FROM sync.interface_row WHERE sync = %s",
            (sync,),
        )
        return {key: (status, code, message, target) for key, status, code, message, target in found.fetchall()}

    def counted(self) -> Counter[str]:
        """Return the requests to the repository and the register since they were last counted, by their kind."""
        found: Counter[str] = Counter()
        for world in (self.alfresco, self.kontur):
            for asked, number in world.faults.requests.items():
                method, _, path = asked.partition(" ")
                kind = path.rpartition("/")[2]
                found["node" if "/nodes/" in path and method == "GET" else "write" if method == "PUT" else kind] += (
                    number
                )
            world.faults.reset_counts()
        return found

    def properties(self, kind: str) -> list[dict[str, Any]]:
        return [self.alfresco.nodes[key].properties for key in self.alfresco.planted[kind]]

    def partners(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.odoo.call(
            "res.partner", "search_read", [], [], context={"active_test": False}
        )
        return found

    def messages(self) -> str:
        """Everything that anybody could read: rows, attempts, state, events of all runs."""
        texts = [
            str(self.conn.execute(f"SELECT * FROM sync.{table}".encode()).fetchall())
            for table in (
                "interface_row",
                "interface_attempt",
                "sync_state",
            )
        ]
        texts += [str(self.instance.all_logs(run.run_id)) for run in self.instance.get_runs()]
        return "\n".join(texts)


@contextmanager
def everything(
    four_boards: list[Board],
    database_url: str,
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    instance: dg.DagsterInstance,
    contractors: int,
) -> Iterator[Everything]:
    """Serve all four systems with made-up companies."""
    alfresco = AlfrescoWorld.demo(contractors=contractors)
    alfresco.users = {"admin": PASSWORD}
    kontur, flexi = KonturWorld.demo(contractors=contractors), FlexiWorld.demo(partners=40)
    kontur.key = KEY
    odoo = OdooWorld.demo(19, api_key="key-of-odoo")
    apps = (alfresco_app(alfresco), kontur_app(kontur), flexi_app(flexi), odoo_app(odoo))
    for board, app in zip(four_boards, apps, strict=True):
        board.app = app
    urls = [board.url for board in four_boards]
    for name, value in {
        "SYNC_POSTGRES_URL": database_url,
        "ALFRESCO_URL": urls[0],
        "ALFRESCO_USER": "admin",
        "ALFRESCO_PASSWORD": PASSWORD,
        "KONTUR_URL": urls[1],
        "KONTUR_KEY": KEY,
        "FLEXI_URL": urls[2],
        "FLEXI_COMPANY": "demo",
        "FLEXI_USER": "sync",
        "FLEXI_PASSWORD": "sync",
        "ODOO_URL": urls[3],
        "ODOO_DATABASE": "odoo",
        "ODOO_USER": "sync",
        "ODOO_API_KEY": "key-of-odoo",
    }.items():
        monkeypatch.setenv(name, value)

    def restart() -> None:
        monkeypatch.setattr(triggers, "_seen_since_start", set())

    restart()
    with connect(database_url) as conn:
        yield Everything(alfresco, kontur, flexi, odoo, project, instance, conn, restart)


@pytest.fixture
def world(
    four_boards: list[Board], database_url: str, own_project: Project, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Everything]:
    with (
        dg.DagsterInstance.ephemeral() as instance,
        everything(four_boards, database_url, own_project, monkeypatch, instance, CONTRACTORS) as made,
    ):
        yield made


@pytest.fixture
def daemon(
    four_boards: list[Board],
    database_url: str,
    own_project: Project,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[Everything]:
    """A smaller world whose triggers are evaluated; a schedule is given its instance by reference, so not in memory."""
    with (
        dg.DagsterInstance.local_temp(str(tmp_path)) as instance,
        everything(four_boards, database_url, own_project, monkeypatch, instance, FEW) as made,
    ):
        yield made


def the_run(found: list[dg.RunRequest] | str) -> dg.RunRequest:
    """The one run that a trigger asks for."""
    assert isinstance(found, list), found
    (request,) = found
    return request


def flexi_partner(world: Everything, number: str, name: str) -> str:
    company = world.flexi.companies["demo"]
    return str(company.create("adresar", {"kod": f"F{number}", "nazev": name, "ic": number}))


# The three syncs


def test_the_three_syncs_end_to_end(world: Everything) -> None:
    before = {key: dict(node.properties) for key, node in world.alfresco.nodes.items()}
    both, quarrel = world.properties("unchanged")[:2]
    agreed = flexi_partner(world, both["idocs:inn"], both["idocs:shortOrganizationName"])
    disputed = flexi_partner(world, quarrel["idocs:inn"], "Name of Flexi")
    reports = world.sync_all()
    assert {name: report.problem for name, report in reports.items()} == dict.fromkeys(reports)
    assert {report.pending for report in reports.values()} == {0}
    # Every planted trouble has its own status, everybody else has none.
    rows = world.rows(SWEEP)
    assert len(rows) == CONTRACTORS
    troubled = {key: wanted for kind, wanted in STATUSES.items() for key in world.alfresco.planted[kind]}
    assert {key: row[:2] for key, row in rows.items() if key in troubled} == troubled
    assert {row[:2] for key, row in rows.items() if key not in troubled} == {("processed", None)}
    assert world.state() == {
        **json.loads(INITIAL),
        "lastModifiedNodeDbid": max(n.dbid for n in world.alfresco.contractors() if n.is_readable),
        "countProcessedNodes": CONTRACTORS,
    }
    # Nothing was blanked, and what is not the register's to say was left alone.
    for key, node in world.alfresco.nodes.items():
        assert {n for n, v in before[key].items() if v} <= {n for n, v in node.properties.items() if v}
        assert node.properties.get("idocs:inn") == before[key].get("idocs:inn")
        if before[key].get("idocs:postAddress"):
            assert node.properties["idocs:postAddress"] == before[key]["idocs:postAddress"]
    for kind, kept in (
        ("branch_kpp", ("idocs:kpp", "idocs:juridicalAddress")),
        ("largest_taxpayer_kpp", ("idocs:kpp",)),
        ("dissolved", ("idocs:okpo", "idocs:CEOname")),
        ("unchanged", tuple(before[world.alfresco.planted["unchanged"][0]])),
    ):
        for key in world.alfresco.planted[kind]:
            assert {n: world.alfresco.nodes[key].properties.get(n) for n in kept} == {
                n: before[key].get(n) for n in kept
            }
    # The register was asked for each number once, for good ones only.
    assert set(world.kontur.asked.values()) == {1}
    assert world.kontur.calls["req"] == 2
    # Every processed contractor is a partner; one that Flexi knows too is the same partner.
    partners = world.rows(PARTNERS)
    assert set(partners) == {key for key, row in rows.items() if row[0] == "processed"}
    linked = {row[3] for row in world.rows(FLEXI).values()}
    by_inn = {row["company_registry"]: row for row in world.partners() if row["company_registry"]}
    for payload, flexi_key in ((both, agreed), (quarrel, disputed)):
        (found,) = [k for k, n in world.alfresco.nodes.items() if n.properties is payload]
        status, code, message, target = partners[found]
        assert target == world.rows(FLEXI)[flexi_key][3] == str(by_inn[payload["idocs:inn"]]["id"])
        assert target in linked
        assert [r["company_registry"] for r in world.partners()].count(payload["idocs:inn"]) == 1
        assert (status, code) == ("skipped", "precedence")
        assert "flexi_partners has precedence" in str(message)
    assert by_inn[quarrel["idocs:inn"]]["name"] == "Name of Flexi"
    texts = world.messages()
    assert KEY not in texts
    assert PASSWORD not in texts


def shared_partner(world: Everything) -> tuple[str, str]:
    """Make one partner that both syncs are linked to; returns the contractor's key and the partner's id."""
    payload = world.properties("unchanged")[0]
    flexi_key = flexi_partner(world, payload["idocs:inn"], payload["idocs:shortOrganizationName"])
    world.sync_all()
    (key,) = [k for k, node in world.alfresco.nodes.items() if node.properties is payload]
    target = world.rows(PARTNERS)[key][3]
    assert target is not None
    assert target == world.rows(FLEXI)[flexi_key][3]
    return key, target


def is_active(world: Everything, target: str) -> bool:
    (partner,) = [row for row in world.partners() if row["id"] == int(target)]
    return bool(partner["active"])


@pytest.mark.parametrize(("trouble", "code"), [("locked", "locked"), ("integrity", "integrity")])
def test_a_partner_that_flexi_has_too_stays_when_its_contractor_fails(
    world: Everything, trouble: Any, code: str
) -> None:
    key, target = shared_partner(world)
    before = world.rows(PARTNERS)[key]
    world.alfresco.edit(key, okpo="1")
    world.alfresco.trouble(trouble, key)
    world.sync(SWEEP)
    assert world.rows(SWEEP)[key][:2] == ("failed", code)
    world.sync(PARTNERS)
    assert is_active(world, target)
    status, error, message, still_linked = world.rows(PARTNERS)[key]
    assert (status, error, still_linked) == ("skipped", "precedence", target)
    assert "flexi_partners has precedence" in str(message)
    # When the contractor is well again, so is its row.
    world.alfresco.heal(trouble, key)
    world.sync(SWEEP)
    world.sync(PARTNERS)
    assert is_active(world, target)
    assert world.rows(PARTNERS)[key] == before


def test_a_second_pass_over_unchanged_contractors_costs_almost_nothing(world: Everything) -> None:
    world.alfresco.heal("locked", *world.alfresco.planted["locked"])
    world.alfresco.heal("integrity", *world.alfresco.planted["integrity"])
    world.alfresco.heal("write_denied", *world.alfresco.planted["write_denied"])
    world.sync_all()
    world.counted()
    world.alfresco.writes.clear()
    written = dict(world.odoo.written)
    reports = world.sync_all()
    assert {report.problem for report in reports.values()} == {None}
    # One search and one reading of the watermark for every hundred contractors; beside them the pass and its check of
    # the source ask once each how far the repository has come.
    pages = -(-CONTRACTORS // 100)
    assert world.counted() == Counter(search=2 + pages, metadata=2 + pages)
    assert world.alfresco.writes == []
    assert dict(world.odoo.written) == written
    assert set(world.kontur.asked.values()) == {1}


def test_when_answers_are_too_old_a_change_in_the_register_goes_all_the_way_to_odoo(world: Everything) -> None:
    world.sync(SWEEP)
    world.sync(PARTNERS)
    payload = world.properties("unchanged")[0]
    (company,) = world.kontur.found(payload["idocs:inn"])
    world.kontur.change(company.ogrn, short_name='АО "Новое имя"', readable_name='АО "Новое имя"')
    world.conn.execute("UPDATE sync.lookup_answer SET asked_at = now() - interval '25 hours'")
    world.counted()
    swept, written = world.sync(SWEEP), world.sync(PARTNERS)
    assert (swept.counts["processed"], written.counts["processed"]) == (1, 1)
    assert world.counted()["req"] == 2
    assert set(world.kontur.asked.values()) == {2}
    assert payload["idocs:shortOrganizationName"] == 'АО "Новое имя"'
    assert 'АО "Новое имя"' in {row["name"] for row in world.partners()}


def test_the_citeck_dialect_comes_to_the_same_end(world: Everything, defs_folder: DefsFolder) -> None:
    defs_folder.replace("connections", "# dialect: citeck  ", "dialect: citeck  ")
    world.project = defs_folder.load()
    report = world.sync(SWEEP)
    assert report.problem is None
    rows = world.rows(SWEEP)
    troubled = {key: wanted for kind, wanted in STATUSES.items() for key in world.alfresco.planted[kind]}
    assert {key: row[:2] for key, row in rows.items() if row[0] != "processed"} == troubled
    world.counted()
    world.alfresco.heal("locked", *world.alfresco.planted["locked"])
    world.alfresco.heal("integrity", *world.alfresco.planted["integrity"])
    assert world.sync(SWEEP).counts["processed"] == 2
    assert "metadata" not in world.counted()


@pytest.mark.parametrize("dialect", ["alfresco", "citeck"])
def test_a_right_that_is_missing_on_some_nodes_holds_up_no_other(
    world: Everything, defs_folder: DefsFolder, dialect: str
) -> None:
    """Not even where these are the first, and nothing else has changed that could show the right on others."""
    if dialect == "citeck":
        defs_folder.replace("connections", "# dialect: citeck  ", "dialect: citeck  ")
        world.project = defs_folder.load()
    world.sync(SWEEP)
    rows = world.rows(SWEEP)
    *denied, last = sorted(
        (key for key, row in rows.items() if row[0] == "processed"), key=lambda key: world.alfresco.nodes[key].dbid
    )
    denied = denied[:10]
    world.alfresco.trouble("write_denied", *denied)
    for key in (*denied, last):
        world.alfresco.edit(key, okpo="00000001")
    report = world.sync(SWEEP)
    assert (report.problem, report.counts["processed"], report.pending) == (None, 1, 0)
    rows = world.rows(SWEEP)
    planted = world.alfresco.planted["write_denied"]
    assert {key for key, row in rows.items() if row[1] == "forbidden"} == {*denied, *planted}
    assert all("the user may not change this node" in str(rows[key][2]) for key in denied)
    assert world.alfresco.nodes[last].properties["idocs:okpo"] != "00000001"
    world.alfresco.heal("write_denied", *denied)
    assert world.sync(SWEEP).counts["processed"] == len(denied)


def test_a_missing_right_stops_the_pass_with_a_sentence(world: Everything) -> None:
    every = list(world.alfresco.nodes)
    for key in every:
        world.alfresco.edit(key, okpo="00000001")
    world.alfresco.trouble("write_denied", *every)
    report = world.sync(SWEEP)
    assert "The target refuses everything: the user may not change this node (403)" in str(report.problem)
    assert world.state()["status"] == "ERROR"
    assert world.state()["error"] == report.problem
    assert [row[1] for row in world.rows(SWEEP).values()].count("forbidden") == 50
    assert report.pending > 0
    world.alfresco.heal("write_denied", *every)
    world.sync(SWEEP)  # goes on where it stopped; the next one begins at the first record
    healed = world.sync(SWEEP)
    assert (healed.problem, healed.pending) == (None, 0)
    assert "forbidden" not in {row[1] for row in world.rows(SWEEP).values()}


def test_what_citeck_passes_over_in_silence_is_told_and_not_counted_as_written(
    world: Everything, defs_folder: DefsFolder
) -> None:
    defs_folder.replace("connections", "# dialect: citeck  ", "dialect: citeck  ")
    world.project = defs_folder.load()
    world.sync(SWEEP)
    protected, free = world.alfresco.planted["unchanged"][:2]
    world.alfresco.switches = AlfrescoSwitches(protected_attributes=frozenset({"idocs:CEOname"}))
    world.alfresco.edit(protected, CEOname="Прежний Директор", okpo="00000001")
    world.alfresco.edit(free, okpo="00000001")
    for _ in range(2):
        report = world.sync(SWEEP)
        assert report.problem is None
        status, code, message, _ = world.rows(SWEEP)[protected]
        assert (status, code) == ("failed", "not_taken")
        assert "the server did not take idocs:CEOname:" in str(message)
        assert world.rows(SWEEP)[free][0] == "processed"
    again = "SELECT next_attempt_at FROM sync.interface_row WHERE record_key = %s"
    assert world.conn.execute(again, (protected,)).fetchall() == [(None,)]
    assert all(world.alfresco.nodes[key].properties["idocs:okpo"] != "00000001" for key in (protected, free))


@pytest.mark.parametrize("status", [403, 500])
def test_the_key_is_shown_nowhere_when_the_register_repeats_it(world: Everything, status: int) -> None:
    world.kontur.faults.add(FaultRule(kind="status", status=status, body=f"bad {KEY}", times=None))
    report = world.sync(SWEEP)
    assert report.problem
    assert KEY not in report.problem
    assert KEY not in world.messages()
    assert KEY not in str(world.state())


def test_patience_that_the_register_asked_of_another_worker_holds_for_this_one(
    world: Everything, four_boards: list[Board]
) -> None:
    SharedPause(InterfaceDatabase().session, four_boards[1].url).prolong(3600)
    report = world.sync(SWEEP)
    assert "asked for patience" in str(report.problem)
    assert not world.kontur.faults.requests
    assert world.state()["status"] == "RETRY_WAITING"


# Triggers


def test_the_state_is_shown_with_the_original_keys(daemon: Everything) -> None:
    assert json.dumps(daemon.state()) == INITIAL


def test_the_cron_begins_a_pass_and_the_sensor_does_not(daemon: Everything) -> None:
    assert daemon.tick() == "nothing new"
    request = the_run(daemon.cron())
    assert daemon.state()["status"] == "IN_PROGRESS"
    assert daemon.run(request).success
    assert daemon.state()["status"] == "TRIGGER_WAITING"
    assert daemon.state()["countProcessedNodes"] == FEW
    assert daemon.tick() == "nothing new"


def broken_run(daemon: Everything) -> None:
    request = the_run(daemon.cron())
    assert not daemon.run(request).success


def test_a_cron_that_fires_during_a_pass_is_ignored(daemon: Everything) -> None:
    daemon.cron()
    before = daemon.state()
    assert before["status"] == "IN_PROGRESS"
    assert daemon.cron() == "a pass is under way"
    daemon.kontur.faults.add(FaultRule(kind="status", path="/api3/req", status=503, times=None))
    request = the_run(daemon.tick())
    assert not daemon.run(request).success
    assert daemon.state()["status"] == "RETRY_WAITING"
    assert daemon.cron() == "a pass is under way"
    assert daemon.state()["tryCount"] == 1


def test_the_sensor_tries_again_when_the_wait_is_over(daemon: Everything) -> None:
    daemon.kontur.faults.add(FaultRule(kind="status", path="/api3/req", status=503, times=None))
    assert daemon.tick() == "nothing new"
    broken_run(daemon)
    assert "waits until" in str(daemon.tick())
    daemon.kontur.faults.clear()
    with daemon.conn.transaction():
        state = lock_state(daemon.conn, SWEEP)
        change_state(daemon.conn, state, next_try=database_time(daemon.conn) - timedelta(seconds=1))
    request = the_run(daemon.tick())
    assert daemon.run(request).success
    assert (daemon.state()["status"], daemon.state()["tryCount"]) == ("TRIGGER_WAITING", 0)
    assert set(daemon.kontur.asked.values()) == {1}


def test_a_restart_does_not_wait_for_the_next_try(daemon: Everything) -> None:
    daemon.kontur.faults.add(FaultRule(kind="status", path="/api3/req", status=503, times=None))
    assert daemon.tick() == "nothing new"
    broken_run(daemon)
    daemon.kontur.faults.clear()
    daemon.restart()
    request = the_run(daemon.tick())
    assert (daemon.state()["status"], daemon.state()["tryCount"]) == ("IN_PROGRESS", 0)
    assert daemon.run(request).success


def test_after_an_error_nothing_happens_until_the_cron(daemon: Everything) -> None:
    daemon.kontur.faults.add(FaultRule(kind="status", path="/api3/req", status=403, times=None))
    broken_run(daemon)
    daemon.kontur.faults.clear()
    assert daemon.state()["status"] == "ERROR"
    for _ in range(2):
        assert "waits for its next trigger" in str(daemon.tick())
        daemon.restart()
    request = the_run(daemon.cron())
    assert (daemon.state()["status"], daemon.state()["error"]) == ("IN_PROGRESS", None)
    assert daemon.run(request).success


@pytest.mark.parametrize("by", ["sensor", "hand"])
def test_a_changed_configuration_begins_an_interrupted_pass_anew(
    daemon: Everything, defs_folder: DefsFolder, by: str
) -> None:
    daemon.alfresco.faults.add(FaultRule(kind="status", status=401, path=".*/nodes/.*"))
    assert daemon.sync(SWEEP).problem
    assert daemon.state()["status"] == "ERROR"
    defs_folder.change(SWEEP, lambda attributes: attributes["mapping"].pop("idocs:okpo"))
    daemon.project = defs_folder.load()
    if by == "sensor":
        request = the_run(daemon.tick())
        assert daemon.state() == {**json.loads(INITIAL), "status": "IN_PROGRESS"}
        assert daemon.run(request).success
    else:
        report = daemon.sync(SWEEP)
        assert (report.problem, report.counts["landed"]) == (None, FEW)
    assert daemon.state()["status"] == "TRIGGER_WAITING"
    assert daemon.state()["countProcessedNodes"] == FEW
    assert read_state(daemon.conn, SWEEP).config_hash == daemon.settings().config_hash


def test_a_repository_that_cannot_be_asked_begins_no_pass(daemon: Everything) -> None:
    daemon.alfresco.users = {"admin": "changed"}
    assert "ALFRESCO_PASSWORD" in str(daemon.cron())
    assert json.dumps(daemon.state()) == INITIAL


# Definitions


def test_a_sync_that_is_not_enabled_is_loaded_but_never_set_off(defs_folder: DefsFolder) -> None:
    defs_folder.change(SWEEP, lambda attributes: attributes.update(enabled=False))
    repository = defs_folder.load().definitions.get_repository_def()
    assert repository.get_schedule_def(f"{SWEEP}_schedule").default_status is dg.DefaultScheduleStatus.STOPPED
    assert repository.get_sensor_def(f"{SWEEP}_sensor").default_status is dg.DefaultSensorStatus.STOPPED
    assert repository.get_sensor_def(f"{FLEXI}_sensor").default_status is dg.DefaultSensorStatus.RUNNING


@pytest.mark.parametrize(
    ("cron", "converted"), [("0 0 2 * * *", "0 2 * * *"), ("15 4 * * *", "15 4 * * *"), ("1 * * * * *", "* * * * *")]
)
def test_a_cron_of_five_or_six_fields_is_that_of_the_schedule(
    defs_folder: DefsFolder, cron: str, converted: str
) -> None:
    defs_folder.change(SWEEP, lambda attributes: attributes["triggers"].update(cron=cron))
    repository = defs_folder.load().definitions.get_repository_def()
    assert repository.get_schedule_def(f"{SWEEP}_schedule").cron_schedule == converted


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda a: a["triggers"].update(cron="*/5 * * * * *"), "fires several times a minute"),
        (lambda a: a["source"].update(batch=101), "less than or equal to 100"),
        (lambda a: a["source"].update(batch=0), "greater than or equal to 1"),
        (lambda a: a["lookup"].update(search="kpp"), "'inn' or 'ogrn'"),
    ],
)
def test_a_mistake_is_refused_when_the_project_is_loaded(
    defs_folder: DefsFolder, change: Callable[[dict[str, Any]], Any], reason: str
) -> None:
    defs_folder.change(SWEEP, change)
    with pytest.raises(Exception) as refused:  # noqa: PT011
        defs_folder.load()
    chain: list[str] = []
    error: BaseException | None = refused.value
    while error is not None:
        chain.append(str(error))
        error = error.__cause__ or error.__context__
    assert reason in "\n".join(chain)


def test_the_lineage_shows_the_road_of_contractors_into_odoo(own_project: Project) -> None:
    graph = own_project.definitions.resolve_asset_graph()

    def before(key: str) -> set[str]:
        return {parent.to_user_string() for parent in graph.get(dg.AssetKey(key.split("/"))).parent_keys}

    assert before("alfresco/contractors") == set()
    assert before("kontur/companies") == {"alfresco/contractors"}
    assert before("alfresco/contractors_enriched") == {"kontur/companies"}
    assert before("interface/contractors") == {"alfresco/contractors_enriched"}
    assert before("odoo/partners_from_contractors") == {"interface/contractors"}
    assert before("odoo/partners") == {"flexi/adresar"}


def test_the_quota_is_a_check_of_the_answers_and_costs_nothing(world: Everything) -> None:
    world.sync(SWEEP)
    spent = world.kontur.spent()
    key = dg.AssetCheckKey(dg.AssetKey(["kontur", "companies"]), "quota_is_left")
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    for limit, passed in ((100_000, True), (spent, False)):
        world.kontur.switches = world.kontur.switches.model_copy(update={"limit": limit})
        job = world.project.definitions.resolve_job_def(f"{SWEEP}_comparison")
        result = job.execute_in_process(instance=world.instance, run_config=quiet)
        (check,) = [e for e in result.get_asset_check_evaluations() if e.asset_check_key == key]
        assert check.passed is passed
        assert f"{spent} of {limit} spent" in str(check.description)
    sweep = world.project.syncs[SWEEP]
    told = RunFollower(lambda: world.instance, [sweep]).look().quotas
    assert Quota("kontur", "req & egrDetails", spent, spent) in told, "monitoring tells what the newest check has found"
    assert world.kontur.spent() == spent
