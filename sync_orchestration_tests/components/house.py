"""All five systems as stand-ins over real HTTP and the project over them, for tests that go through every sync."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
import psycopg
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from sync_orchestration.components.connections import Connection
from sync_orchestration.components.database import InterfaceDatabase
from sync_orchestration.components.headless import RunReport, bring_up_to_date
from sync_orchestration.components.running import OpenSource
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.definitions import Project
from sync_orchestration.interface.database import connect
from sync_orchestration.interface.intake import PushedRecord, land_pushed, prepare_session
from sync_orchestration.interface.state import SyncState, read_state
from sync_orchestration.mapping.diff import payload_hash
from sync_orchestration.pipeline.passes import running_pass
from sync_orchestration.pipeline.sweep import FIRST_WINDOW, begin_sweep
from sync_orchestration.sandbox.alfresco import AlfrescoWorld, alfresco_app
from sync_orchestration.sandbox.flexi import FlexiWorld, flexi_app
from sync_orchestration.sandbox.kontur import KonturWorld, kontur_app
from sync_orchestration.sandbox.odoo import OdooSwitches, OdooWorld, odoo_app
from sync_orchestration.sandbox.rest import RestSwitches, RestWorld, rest_app
from sync_orchestration.sandbox.server import serve
from sync_orchestration_tests.components.rest_places import project_of
from sync_orchestration_tests.pipeline.toys import Notes

SYSTEMS = ("flexi", "odoo", "alfresco", "kontur", "rest")
SECRET = "secret-unmistakable-4d2a"  # one for all systems: it may show up nowhere
FEW = 40

Change = Callable[[dict[str, Any]], object]


class Board:
    """A server into which each test plugs its stand-in."""

    app: ASGIApp
    url: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, Board]]:
    with ExitStack() as stack:
        boards = {name: Board() for name in SYSTEMS}
        for board in boards.values():
            board.url = stack.enter_context(serve(board))
        yield boards


@dataclass
class House:
    """The systems, the project, the interface tables, and what a person does with them."""

    flexi: FlexiWorld
    odoo: OdooWorld
    alfresco: AlfrescoWorld
    kontur: KonturWorld
    rest: RestWorld
    project: Project
    instance: dg.DagsterInstance
    conn: psycopg.Connection[Any]
    monkeypatch: pytest.MonkeyPatch
    connections: dict[str, Connection] = field(init=False)

    def __post_init__(self) -> None:
        self.connections = self.project.connections

    def edit(self, sync: str, change: Change) -> None:
        """Go on with another YAML of one sync. Raises ValidationError for one that is refused at loading."""
        attributes = self.project.syncs[sync].model_dump(mode="json", by_alias=True, exclude_unset=True)
        change(attributes)
        syncs = {**self.project.syncs, sync: SyncSettings.model_validate(attributes)}
        self.project = project_of(self.connections, syncs)

    def setenv(self, variable: str, value: str) -> None:
        self.monkeypatch.setenv(variable, value)

    def switch_odoo(self, **changes: Any) -> None:
        self.odoo.switches = OdooSwitches.model_validate({**self.odoo.switches.model_dump(), **changes})

    def switch_rest(self, **changes: Any) -> None:
        self.rest.switches = RestSwitches.model_validate({**self.rest.switches.model_dump(), **changes})

    def sync(self, name: str) -> RunReport:
        project = self.project
        return bring_up_to_date(self.instance, project.definitions, project.syncs[name], self.connections)

    def land(self, name: str) -> None:
        """Bring records of the source into the interface table, as the first asset of a run does."""
        settings = self.project.syncs[name]
        if settings.source.pushed:
            prepare_session(self.conn)
            values: list[Any] = [{"name": f"Partner {number}", "country": "CZ", "email": ""} for number in range(FEW)]
            records = [
                PushedRecord(str(number), "create", None, one, payload_hash(one)) for number, one in enumerate(values)
            ]
            land_pushed(self.conn, sync=name, source_system="erp", entity="partner", records=records)
            return
        own = settings.source.connection == "interface"
        connection = InterfaceDatabase() if own else self.connections[settings.source.connection]
        opened = OpenSource.of(settings, connection)
        reader = opened.reader(self.conn, "run", Notes())
        if settings.source.sweeps:
            begin_sweep(self.conn, name, opened.source, FIRST_WINDOW, settings.config_hash)
        with running_pass(self.conn, name, settings.retry_policy, settings.config_hash, to_its_end=False):
            reader.sweep() if settings.source.sweeps else reader.bring_up_to_date()

    def state(self, name: str) -> SyncState:
        return read_state(self.conn, name)

    def rows(self, name: str) -> set[tuple[str, int]]:
        """Status and attempts of the rows of a sync, each kind once."""
        found = self.conn.execute("SELECT status, attempts FROM sync.interface_row WHERE sync = %s", (name,))
        return {(status, attempts) for status, attempts in found.fetchall()}

    def attempts(self, name: str) -> int:
        found = self.conn.execute("SELECT count(*) FROM sync.interface_attempt WHERE sync = %s", (name,)).fetchone()
        return int(found[0]) if found else 0


@pytest.fixture
def house(
    servers: dict[str, Board], database_url: str, own_project: Project, monkeypatch: pytest.MonkeyPatch
) -> Iterator[House]:
    """Five systems with a few records each; nothing is synced yet."""
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _seconds: None)
    flexi, odoo = FlexiWorld.demo(partners=FEW), OdooWorld.demo(19, api_key=SECRET)
    alfresco, kontur = AlfrescoWorld.demo(contractors=100), KonturWorld.demo(contractors=100)
    flexi.password, kontur.key, alfresco.users = SECRET, SECRET, {"admin": SECRET}
    alfresco.heal("write_denied", *alfresco.planted["write_denied"])
    rest = RestWorld.demo(contacts=FEW)
    rest.access.token = SECRET
    apps = (flexi_app(flexi), odoo_app(odoo), alfresco_app(alfresco), kontur_app(kontur), rest_app(rest))
    for name, app in zip(SYSTEMS, apps, strict=True):
        servers[name].app = app
        monkeypatch.setenv(f"{name.upper()}_URL", servers[name].url)
    for variable, value in {
        "FLEXI_COMPANY": "demo",
        "FLEXI_USER": "sync",
        "FLEXI_PASSWORD": SECRET,
        "ODOO_DATABASE": "odoo",
        "ODOO_USER": "sync",
        "ODOO_API_KEY": SECRET,
        "ALFRESCO_USER": "admin",
        "ALFRESCO_PASSWORD": SECRET,
        "KONTUR_KEY": SECRET,
        "REST_TOKEN": SECRET,
    }.items():
        monkeypatch.setenv(variable, value)
    with dg.DagsterInstance.ephemeral() as instance, connect(database_url) as conn:
        yield House(flexi, odoo, alfresco, kontur, rest, own_project, instance, conn, monkeypatch)
