"""A project that others push to: the intake and the stand-ins over real HTTP, the interface tables, Dagster."""

import asyncio
import importlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import dagster as dg
import psycopg
import pytest
import requests
from dagster._core.definitions.sensor_definition import SensorExecutionData
from starlette.types import ASGIApp, Receive, Scope, Send

from sync_orchestration import defs as own_folder
from sync_orchestration.components.database import InterfaceDatabase
from sync_orchestration.components.headless import RunReport, bring_up_to_date
from sync_orchestration.components.intake import intake_settings, references
from sync_orchestration.definitions import Project, load_project
from sync_orchestration.intake import intake_app
from sync_orchestration.interface.database import connect
from sync_orchestration.interface.rows import FailingRow, counts_by_status, failing_rows
from sync_orchestration.interface.state import read_state
from sync_orchestration.sandbox.odoo import OdooWorld, odoo_app
from sync_orchestration.sandbox.server import serve
from sync_orchestration_tests.components.places import Board, DefsFolder

SYNC = "intake_partners"
KEY = "odoo-key-unmistakable-9a7e"
ERP, SHOP = "token-of-the-erp-3b8d", "token-of-the-shop-77c1"
SECRET = "hook-secret-5d0f"
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}

Change = Callable[[dict[str, Any]], object]


def partner(key: str, name: str | None = None, *, version: int | None = None, **data: Any) -> dict[str, Any]:
    """A record as it is pushed."""
    record: dict[str, Any] = {"key": key, "data": {"name": name or f"Partner {key}", "country": "CZ", **data}}
    return record if version is None else {**record, "version": version}


def gone(key: str) -> dict[str, Any]:
    return {"key": key, "operation": "delete"}


@dataclass
class Meanwhile:
    """Plays an app; before the first request whose path ends so it lets something happen."""

    app: ASGIApp
    todo: dict[str, Callable[[], object]] = field(default_factory=dict)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        for ending in [ending for ending in self.todo if str(scope["path"]).endswith(ending)]:
            await asyncio.to_thread(self.todo.pop(ending))
        await self.app(scope, receive, send)


@dataclass
class Counter:
    """The counter at which others hand in their records, and what is behind it."""

    odoo: OdooWorld
    odoo_server: Meanwhile
    project: Project
    instance: dg.DagsterInstance
    conn: psycopg.Connection[Any]
    url: str

    @property
    def definitions(self) -> dg.Definitions:
        return self.project.definitions

    @property
    def resources(self) -> dict[str, Any]:
        return {"interface": InterfaceDatabase(), **self.project.connections}

    # What senders do

    def post(self, path: str, body: Any = None, *, token: str | None = None, **headers: str) -> requests.Response:
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return requests.post(self.url + path, json=body, headers=headers, timeout=60)

    def push(self, *records: dict[str, Any], token: str = ERP, **more: Any) -> dict[str, Any]:
        """Push records and return what became of each, or the error of the whole call."""
        answer = self.post(f"/v1/{SYNC}/records", {"records": records, **more}, token=token).json()
        told: dict[str, Any] = answer.get("error", answer)
        return told

    def accepted(self, *records: dict[str, Any], token: str = ERP) -> None:
        report = self.push(*records, token=token)
        assert report.get("accepted") == len(records), report

    def told(self, key: str, token: str = ERP) -> dict[str, Any]:
        """What a sender is told of its record, asked by JSON-RPC."""
        call = {"jsonrpc": "2.0", "id": 1, "method": "records.status", "params": {"sync": SYNC, "key": key}}
        answer: dict[str, Any] = self.post("/rpc", call, token=token).json()
        status: dict[str, Any] = answer["result"]
        return status

    # What people and triggers do

    def sync(self, *, everything: bool = False) -> RunReport:
        return bring_up_to_date(
            self.instance,
            self.definitions,
            self.project.syncs[SYNC],
            self.project.connections,
            everything=everything,
        )

    def tick(self, sensor: str = f"{SYNC}_sensor", cursor: str | None = None) -> SensorExecutionData:
        """Evaluate a sensor once, as the daemon does."""
        context = dg.build_sensor_context(
            instance=self.instance, resources=self.resources, definitions=self.definitions, cursor=cursor
        )
        return self.definitions.resolve_sensor_def(sensor).evaluate_tick(context)

    def asked(self) -> dg.RunRequest | str:
        """The run that the poll asks for, or why it asks for none."""
        found = self.tick()
        return found.run_requests[0] if found.run_requests else found.skip_message or ""

    def run(
        self, job: str = SYNC, config: Mapping[str, Any] | None = None, tags: Mapping[str, str] | None = None
    ) -> dg.ExecuteInProcessResult:
        return self.definitions.resolve_job_def(job).execute_in_process(
            instance=self.instance,
            run_config={**QUIET, "ops": dict(config or {})},
            tags=dict(tags or {}),
            raise_on_error=False,
        )

    def follow(self, request: dg.RunRequest | str, job: str = SYNC) -> dg.ExecuteInProcessResult:
        """Run what a trigger asked for."""
        assert isinstance(request, dg.RunRequest), request
        return self.run(request.job_name or job, request.run_config.get("ops"), request.tags)

    def job(self, name: str, op: str, **config: Any) -> dg.ExecuteInProcessResult:
        """Run a maintenance job for the sync from the Launchpad."""
        return self.run(name, {op: {"config": {"sync": SYNC, **config}}})

    def changed(self, project: Project) -> None:
        """Go on with another project, as after an edit of the YAML and a reload."""
        self.project = project

    # What came of it

    def partners(self, module: str = "intake_partners") -> dict[str, dict[str, Any]]:
        """What Odoo holds by external id: sender and key."""
        linked = {
            str(row["name"]): row["res_id"]
            for row in self.odoo.db.tables["ir.model.data"].rows.values()
            if row["module"] == module
        }
        rows = self.odoo.db.tables["res.partner"].rows
        assert len(set(linked.values())) == len(linked), "no partner has two keys"
        return {name: rows[number] for name, number in linked.items() if number in rows}

    @property
    def counts(self) -> dict[str, int]:
        return counts_by_status(self.conn, SYNC).get(SYNC, {})

    @property
    def failing(self) -> dict[str, FailingRow]:
        return {row.record_key: row for row in failing_rows(self.conn, SYNC, limit=1_000)}

    @property
    def status(self) -> str:
        """The status of the sync's pass."""
        return read_state(self.conn, SYNC).status

    def writes(self) -> list[str]:
        """The methods of the partners by which Odoo was written to since it was last looked at (Odoo 19)."""
        asked = dict(self.odoo.faults.requests)
        self.odoo.faults.reset_counts()
        methods = [path.rpartition("/")[2] for path in asked if "/res.partner/" in path]
        return sorted(method for method in methods if method in ("load", "create", "write", "unlink"))

    def moved(self, days: int, *keys: str) -> None:
        """Let records have been pushed some days ago."""
        self.conn.execute(
            "UPDATE sync.interface_row SET position = position - %(seconds)s, partition_key = "
            "to_char(to_timestamp(position - %(seconds)s) AT TIME ZONE 'UTC', 'YYYY-MM-DD') "
            "WHERE record_key = ANY(%(keys)s)",
            {"seconds": days * 86_400, "keys": list(keys)},
        )


def copied_defs(folder: Path) -> DefsFolder:
    """Copy what the intake needs as a user's own place, with a second sender."""
    path = folder / f"defs_{uuid4().hex[:8]}"
    source = Path(own_folder.__file__).parent
    for name in ("connections", "intake", SYNC, "flexi_partners", "odoo_to_rest"):
        shutil.copytree(source / name, path / name)
    shutil.copy(source / "__init__.py", path)
    defs = DefsFolder(path)
    defs.change("intake", lambda s: s["senders"].update(shop={"tokens": ["$INTAKE_TOKEN_SHOP"], "syncs": [SYNC]}))
    return defs


@pytest.fixture
def own_defs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DefsFolder:
    monkeypatch.syspath_prepend(str(tmp_path))
    return copied_defs(tmp_path)


@pytest.fixture(scope="session")
def two_senders(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project as it is shipped, with a second sender."""
    folder = tmp_path_factory.mktemp("intake")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        return load_project(importlib.import_module(copied_defs(folder).path.name))


NewCounter = Callable[..., Counter]


@pytest.fixture
def new_counter(
    database_url: str, boards: tuple[Board, Board], two_senders: Project, monkeypatch: pytest.MonkeyPatch
) -> Iterator[NewCounter]:
    """Open the counter of a test; one a test."""
    with ExitStack() as stack:

        def make(odoo: int = 19, project: Project | None = None, instance: dg.DagsterInstance | None = None) -> Counter:
            world = OdooWorld.demo(odoo, api_key=KEY)
            boards[1].app = server = Meanwhile(odoo_app(world))
            for name, value in {
                "ODOO_URL": boards[1].url,
                "ODOO_DATABASE": "odoo",
                "ODOO_USER": "sync",
                "ODOO_API_KEY": KEY,
                "INTAKE_TOKEN": ERP,
                "INTAKE_TOKEN_SHOP": SHOP,
                "INTAKE_HOOK_SECRET": SECRET,
            }.items():
                monkeypatch.setenv(name, value)
            chosen = project or two_senders
            assert chosen.intake is not None
            settings = intake_settings(chosen.intake, chosen.syncs, "http://localhost")
            app = intake_app(settings, database_url, references(chosen.syncs, chosen.connections))
            stack.callback(app.close)
            url = stack.enter_context(serve(app))
            conn = stack.enter_context(connect(database_url))
            own = instance or stack.enter_context(dg.DagsterInstance.ephemeral())
            return Counter(world, server, chosen, own, conn, url)

        yield make


@pytest.fixture
def counter(new_counter: NewCounter) -> Counter:
    """An Odoo 19 with its own sixty partners; nothing is pushed yet."""
    return new_counter()
