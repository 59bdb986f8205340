"""A project between Odoo and a CRM with a REST API: both stand-ins over real HTTP, the interface tables, Dagster."""

import importlib
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import dagster as dg
import psycopg
import pytest
from pydantic import PrivateAttr

from sync_orchestration import defs as own_folder
from sync_orchestration.components.connections import Connection, OdooConnection, RestConnection
from sync_orchestration.components.database import InterfaceDatabase
from sync_orchestration.components.headless import RunReport, bring_up_to_date
from sync_orchestration.components.health import Health, check_connections
from sync_orchestration.components.maintenance import maintenance_definitions
from sync_orchestration.components.planning import plan_next_run
from sync_orchestration.components.record_sync import RecordSync
from sync_orchestration.components.running import OpenSource, OpenTarget
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.definitions import Project, load_project
from sync_orchestration.interface.database import connect
from sync_orchestration.interface.rows import Scope
from sync_orchestration.interface.state import SyncState, read_state
from sync_orchestration.pipeline.passes import running_pass
from sync_orchestration.sandbox.odoo import OdooWorld, odoo_app
from sync_orchestration.sandbox.rest import RestSwitches, RestWorld, rest_app
from sync_orchestration.systems.http import HttpClient
from sync_orchestration_tests.components.places import Board, DefsFolder
from sync_orchestration_tests.pipeline.contractors import Watch, no_hook, watched
from sync_orchestration_tests.pipeline.toys import KilledError, Notes
from sync_orchestration_tests.recording import Asked, Recording

OUT, IN = "odoo_to_rest", "rest_to_odoo"
TOKEN = "crm-token-unmistakable-5c1f"
KEY = "odoo-key-unmistakable-9a7e"
CONTACTS = 40
COMPANIES = 20
"""Of the made-up Odoo that take part; one more, the user's own company, has no country and is skipped."""

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}

Change = Callable[[dict[str, Any]], object]


@dataclass(frozen=True)
class Row:
    """One row of the interface table, as far as tests look at it."""

    status: str
    code: str | None
    field: str | None
    message: str | None
    target_id: str | None
    attempts: int


@dataclass
class Exchange:
    """A project that runs, its two systems, and what people do with them."""

    odoo: OdooWorld
    crm: RestWorld
    heard: Recording
    project: Project
    instance: dg.DagsterInstance
    conn: psycopg.Connection[Any]
    connections: dict[str, Connection] = field(init=False)

    def __post_init__(self) -> None:
        self.connections = self.project.connections

    # What people and triggers do

    def changed(self, sync: str, change: Change) -> None:
        """Go on with other settings of one sync, as after an edit of its YAML and a reload."""
        attributes = self.project.syncs[sync].model_dump(mode="json", by_alias=True, exclude_unset=True)
        change(attributes)
        syncs = {**self.project.syncs, sync: SyncSettings.model_validate(attributes)}
        self.project = project_of(self.connections, {name: syncs[name] for name in (OUT, IN)})

    def connected(self, name: str, **settings: Any) -> None:
        """Go on with other settings of one connection."""
        connection = self.connections[name]
        changed = type(connection)(**{**connection.model_dump(exclude_unset=True), **settings})
        self.connections = {**self.connections, name: changed}
        self.project = project_of(self.connections, {sync: self.project.syncs[sync] for sync in (OUT, IN)})

    def sync(self, name: str = OUT, *, everything: bool = False) -> RunReport:
        project = self.project
        return bring_up_to_date(
            self.instance, project.definitions, project.syncs[name], self.connections, everything=everything
        )

    def landed(self, name: str) -> dict[str, Row]:
        """Read the source once, as the first asset of a run does; returns the rows."""
        settings = self.project.syncs[name]
        opened = OpenSource.of(settings, self.connections[settings.source.connection])
        opened.reader(self.conn, "run", Notes()).bring_up_to_date()
        return self.rows(name)

    def switch(self, **switches: Any) -> None:
        self.crm.switches = RestSwitches.model_validate({**self.crm.switches.model_dump(), **switches})

    def job(self, name: str, op: str, **config: Any) -> dg.ExecuteInProcessResult:
        """Run a maintenance job from the Launchpad."""
        return self.project.definitions.resolve_job_def(name).execute_in_process(
            instance=self.instance, run_config={**QUIET, "ops": {op: {"config": config}}}, raise_on_error=False
        )

    def retry(self, sync: str = OUT, **config: Any) -> None:
        assert self.job("retry_failed_records", "failed_records", sync=sync, **config).success

    def tick(self, sync: str = OUT) -> dg.RunRequest | str:
        """Evaluate the sensor once; returns the run that it asks for, or why it asks for none."""
        definitions = self.project.definitions
        resources = {"interface": InterfaceDatabase(), **self.connections}
        context = dg.build_sensor_context(instance=self.instance, resources=resources, definitions=definitions)
        found = definitions.resolve_sensor_def(f"{sync}_sensor").evaluate_tick(context)
        return found.run_requests[0] if found.run_requests else found.skip_message or ""

    def check(self) -> dict[str, Health]:
        return {h.name: h for h in check_connections(self.connections, self.project.syncs.values())}

    def write(self, company: int, **values: Any) -> None:
        self.odoo.call("res.partner", "write", [company], values)

    def add_company(self, name: str, **values: Any) -> int:
        country = self.odoo.db.tables["res.country"].find("code", ["CZ"])[0]
        given = {"name": name, "is_company": True, "country_id": country, **values}
        (number,) = self.odoo.call("res.partner", "create", [given])
        return int(number)

    # What came of it

    @property
    def companies(self) -> list[int]:
        """The ids of the companies that take part, oldest first."""
        domain = [["is_company", "=", True], ["parent_id", "=", False], ["country_id", "!=", False]]
        return sorted(row["id"] for row in self.odoo.call("res.partner", "search_read", domain, ["id"]))

    def partners(self) -> dict[str, dict[str, Any]]:
        """What the CRM holds, by the id of the company in Odoo."""
        return {partner["external_ref"]: partner for partner in self.crm.live("partners")}

    def people(self) -> dict[str, dict[str, Any]]:
        """What Odoo holds of the CRM's contacts, by their id there, archived ones too."""
        data = self.odoo.db.tables["ir.model.data"].rows.values()
        linked = {row["name"]: row["res_id"] for row in data if row["module"] == "rest_contacts"}
        return {str(name): self.odoo.db.tables["res.partner"].rows[i] for name, i in linked.items()}

    def rows(self, sync: str = OUT) -> dict[str, Row]:
        found = self.conn.execute(
            "SELECT record_key, status, error_code, error_field, error_message, target_id, attempts "
            "FROM sync.interface_row WHERE sync = %s",
            (sync,),
        )
        return {key: Row(*values) for key, *values in found.fetchall()}

    def failing(self, sync: str = OUT) -> dict[str, Row]:
        return {key: row for key, row in self.rows(sync).items() if row.status == "failed"}

    def counts(self, sync: str = OUT) -> Counter[str]:
        return Counter(row.status for row in self.rows(sync).values())

    def attempts(self, sync: str = OUT) -> list[tuple[Any, ...]]:
        """(key, status, response code, error) of all attempts, oldest first."""
        return self.conn.execute(
            "SELECT record_key, status, response_code, error FROM sync.interface_attempt WHERE sync = %s ORDER BY id",
            (sync,),
        ).fetchall()

    def state(self, sync: str = OUT) -> SyncState:
        return read_state(self.conn, sync)

    def asked(self) -> list[Asked]:
        """The requests to the CRM since they were last looked at."""
        found = list(self.heard.asked)
        self.heard.asked.clear()
        return found

    def written(self) -> list[str]:
        """The writes to the CRM since its requests were last looked at."""
        return sorted(str(asked) for asked in self.asked() if asked.method != "GET")

    def everything_readable(self) -> str:
        """Everything that anybody could read: rows, attempts, states, the events of all runs."""
        tables = ("interface_row", "interface_attempt", "sync_state", "incident")
        texts = [str(self.conn.execute(f"SELECT * FROM sync.{table}".encode()).fetchall()) for table in tables]
        texts += [str(self.instance.all_logs(run.run_id)) for run in self.instance.get_runs()]
        return "\n".join(texts)


def project_of(connections: Mapping[str, Connection], syncs: Mapping[str, SyncSettings]) -> Project:
    """Return the project of these settings, as its YAML would have made it."""
    built = [RecordSync(settings).build_defs(None) for settings in syncs.values()]  # type: ignore[arg-type]
    definitions = dg.Definitions.merge(
        *built,
        maintenance_definitions(list(syncs.values()), connections),
        dg.Definitions(resources={**connections, "interface": InterfaceDatabase()}, executor=dg.in_process_executor),
    )
    return Project(dict(connections), dict(syncs), definitions)


def copied_defs(folder: Path) -> DefsFolder:
    """Copy the two syncs as a user's own place, whose YAML may be changed."""
    path = folder / f"defs_{uuid4().hex[:8]}"
    source = Path(own_folder.__file__).parent
    for name in ("connections", OUT, IN):
        shutil.copytree(source / name, path / name)
    shutil.copy(source / "__init__.py", path)
    return DefsFolder(path)


@pytest.fixture
def defs_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DefsFolder:
    monkeypatch.syspath_prepend(str(tmp_path))
    return copied_defs(tmp_path)


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The two syncs as they are shipped."""
    folder = tmp_path_factory.mktemp("rest")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        return load_project(importlib.import_module(copied_defs(folder).path.name))


class WatchedOdoo(OdooConnection):
    """An Odoo whose every request is heard of before it is sent."""

    _watch: Watch = PrivateAttr(default_factory=Watch)

    def http(self, name: str, auth: tuple[str, str] | None, secrets: tuple[str, ...], **more: Any) -> HttpClient:
        return watched(super().http(name, auth, secrets, **more), self._watch)


class WatchedRest(RestConnection):
    """A REST API whose every request is heard of before it is sent."""

    _watch: Watch = PrivateAttr(default_factory=Watch)

    def http(self, name: str, auth: tuple[str, str] | None, secrets: tuple[str, ...], **more: Any) -> HttpClient:
        return watched(super().http(name, auth, secrets, **more), self._watch)


@dataclass
class Worker:
    """One sync without Dagster: the steps of its assets, by a worker that may be killed before any request."""

    place: Exchange
    url: str
    settings: SyncSettings
    odoo: WatchedOdoo = field(init=False)
    rest: WatchedRest = field(init=False)

    def __post_init__(self) -> None:
        given = {name: one.model_dump(exclude_unset=True) for name, one in self.place.connections.items()}
        self.odoo, self.rest = WatchedOdoo(**given["odoo"]), WatchedRest(**given["rest"])

    def _connection(self, name: str) -> Connection:
        return self.odoo if name == "odoo" else self.rest

    def work(self, conn: psycopg.Connection[Any]) -> None:
        """Run until nothing is new and nothing waits. Raises SyncError as a run fails."""
        settings, name = self.settings, self.settings.name
        source, target = map(self._connection, (settings.source.connection, settings.target.connection))
        opened = OpenSource.of(settings, source)
        while (plan := plan_next_run(conn, settings, opened.source, at_once=True)).windows:
            with running_pass(conn, name, settings.retry_policy, settings.config_hash, to_its_end=False):
                opened.reader(conn, "run", Notes()).bring_up_to_date(until=plan.windows[-1].end)
            with running_pass(conn, name, settings.retry_policy, settings.config_hash):
                keys = [window.key for window in plan.windows]
                written = OpenTarget.of(settings, source, target, Notes().warn)
                written.writer(conn, "run", Notes()).write(Scope(partition_keys=keys))

    def finish(self) -> None:
        """Work to the end, as the next run does; what is to be tried again later is due by then."""
        self.place.conn.execute("UPDATE sync.interface_row SET next_attempt_at = now() WHERE next_attempt_at > now()")
        with connect(self.url) as conn:
            self.work(conn)

    def killed_before(self, system: str, number: int) -> bool:
        """Work until a request to one system, then die with all that is not committed; False if it never came."""
        with connect(self.url) as conn:
            left, lock = number, threading.Lock()

            def count() -> None:
                nonlocal left
                with lock:
                    left -= 1
                    if left == 0:
                        self.place.conn.execute("SELECT pg_terminate_backend(%s)", (conn.info.backend_pid,))
                    if left <= 0:
                        raise KilledError

            watch = self._connection(system)._watch  # type: ignore[attr-defined]
            watch.heard = count
            with suppress(KilledError, psycopg.Error):
                self.work(conn)
            watch.heard = no_hook
        return left <= 0


NewExchange = Callable[..., Exchange]


@pytest.fixture
def new_exchange(
    database_url: str, boards: tuple[Board, Board], shipped: Project, monkeypatch: pytest.MonkeyPatch
) -> Iterator[NewExchange]:
    """Make the place of a test; one a test."""
    with ExitStack() as stack:

        def make(odoo: int = 19, **settings: Any) -> Exchange:
            theirs = OdooWorld.demo(odoo, api_key=KEY, **settings)
            crm = RestWorld.demo(contacts=CONTACTS)
            crm.access.token = TOKEN
            heard = Recording(rest_app(crm))
            boards[0].app, boards[1].app = odoo_app(theirs), heard
            for name, value in {
                "SYNC_POSTGRES_URL": database_url,
                "ODOO_URL": boards[0].url,
                "ODOO_DATABASE": "odoo",
                "ODOO_USER": "sync",
                "ODOO_API_KEY": KEY,
                "REST_URL": boards[1].url,
                "REST_TOKEN": TOKEN,
            }.items():
                monkeypatch.setenv(name, value)
            instance = stack.enter_context(dg.DagsterInstance.ephemeral())
            conn = stack.enter_context(connect(database_url))
            return Exchange(theirs, crm, heard, shipped, instance, conn)

        yield make


@pytest.fixture
def exchange(new_exchange: NewExchange) -> Exchange:
    """A made-up Odoo 19 and a CRM without partners; nothing is synced yet."""
    return new_exchange()


@pytest.fixture
def sent(exchange: Exchange) -> Exchange:
    """The same after the companies were sent once."""
    assert exchange.sync().problem is None
    exchange.asked()
    return exchange
