"""A whole project on the stand-ins: real HTTP, a database of the test's own, and a Dagster instance in memory."""

import importlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import dagster as dg
import psycopg
import pytest
import yaml
from starlette.types import ASGIApp, Receive, Scope, Send

from sync_orchestration import defs as own_folder
from sync_orchestration.components.assets import add_windows
from sync_orchestration.components.database import InterfaceDatabase
from sync_orchestration.components.headless import RunReport, bring_up_to_date
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.definitions import Project, load_project
from sync_orchestration.interface.database import connect
from sync_orchestration.interface.rows import FailingRow, counts_by_status, failing_rows
from sync_orchestration.interface.state import SyncState, read_state
from sync_orchestration.pipeline.windows import window_of_key, windows_between
from sync_orchestration.sandbox.flexi import Company, FlexiWorld, flexi_app
from sync_orchestration.sandbox.odoo import OdooWorld, odoo_app
from sync_orchestration.sandbox.server import serve

SYNC = "flexi_partners"
KEY = "key-of-the-sync-user"
PARTNERS = 200
REFUSED = 4
"""Of the made-up company's two hundred partners, one is refused for each kind of trouble."""

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass
class Board:
    """A server into which each test plugs the stand-in that it needs."""

    url: str = ""
    app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.app is not None
        await self.app(scope, receive, send)


@pytest.fixture(scope="session")
def boards() -> Iterator[tuple[Board, Board]]:
    """The servers of Flexi and of Odoo."""
    with ExitStack() as stack:
        found = Board(), Board()
        for board in found:
            board.url = stack.enter_context(serve(board))
        yield found


@dataclass
class DefsFolder:
    """A copy of defs/ with one sync as a user's own place, whose YAML may be changed."""

    path: Path

    def change(self, folder: str, change: Callable[[dict[str, Any]], object]) -> None:
        """Change the attributes of one YAML as data."""
        file = self.path / folder / "defs.yaml"
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        change(content["attributes"])
        file.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")

    def replace(self, folder: str, old: str, new: str) -> None:
        """Change one YAML as text."""
        file = self.path / folder / "defs.yaml"
        text = file.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {file.name}"
        file.write_text(text.replace(old, new), encoding="utf-8")

    def load(self) -> Project:
        return load_project(importlib.import_module(self.path.name))


@pytest.fixture
def defs_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DefsFolder:
    path = tmp_path / f"defs_{uuid4().hex[:8]}"
    source = Path(own_folder.__file__).parent
    for folder in ("connections", SYNC):
        shutil.copytree(source / folder, path / folder)
    shutil.copy(source / "__init__.py", path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return DefsFolder(path)


@pytest.fixture(scope="session")
def own_project() -> Project:
    """The project as it is shipped; variables are read when they are used, so one is enough."""
    return load_project()


@dataclass
class Place:
    """A project that runs: the systems, the interface tables, Dagster; and what a person does with them."""

    flexi: FlexiWorld
    odoo: OdooWorld
    project: Project
    instance: dg.DagsterInstance
    conn: psycopg.Connection[Any]

    def __post_init__(self) -> None:
        self.created_before = self.odoo.created["res.partner"]

    @property
    def company(self) -> Company:
        return self.flexi.companies["demo"]

    @property
    def settings(self) -> SyncSettings:
        return self.project.syncs[SYNC]

    @property
    def definitions(self) -> dg.Definitions:
        return self.project.definitions

    def bring_up_to_date(self, *, everything: bool = False) -> RunReport:
        return bring_up_to_date(
            self.instance, self.definitions, self.settings, self.project.connections, everything=everything
        )

    def tick(self) -> dg.RunRequest | str:
        """Evaluate the sensor once, as the daemon does; returns the run that it asks for, or why it asks for none."""
        resources = {"interface": InterfaceDatabase(), **self.project.connections}
        context = dg.build_sensor_context(instance=self.instance, resources=resources, definitions=self.definitions)
        found = self.definitions.resolve_sensor_def(f"{SYNC}_sensor").evaluate_tick(context)
        return found.run_requests[0] if found.run_requests else found.skip_message or ""

    def skipped(self) -> str:
        """Evaluate the sensor once and return why it starts nothing."""
        found = self.tick()
        assert isinstance(found, str), found
        return found

    def requested(self) -> dg.RunRequest:
        """Evaluate the sensor once and return the run that it asks for."""
        found = self.tick()
        assert isinstance(found, dg.RunRequest), found
        return found

    def run(
        self, job: str = SYNC, config: Mapping[str, Any] | None = None, tags: Mapping[str, str] | None = None
    ) -> dg.ExecuteInProcessResult:
        """Run a job; `config` is that of its ops."""
        ops = {name: {"config": values} for name, values in (config or {}).items()}
        return self.definitions.resolve_job_def(job).execute_in_process(
            instance=self.instance, run_config={**_QUIET, "ops": ops}, tags=dict(tags or {}), raise_on_error=False
        )

    def backfill(self, *keys: str) -> dg.ExecuteInProcessResult:
        """Run chosen windows, as Dagster's backfill of a range does it."""
        start, end = min(keys), max(keys)
        return self.run(tags={"dagster/asset_partition_range_start": start, "dagster/asset_partition_range_end": end})

    def check(self, name: str, result: dg.ExecuteInProcessResult) -> dg.AssetCheckEvaluation:
        return next(e for e in result.get_asset_check_evaluations() if e.check_name == name)

    def compared(self) -> dg.AssetCheckEvaluation:
        """Compare source and target whole."""
        return self.check("source_matches_target", self.run(f"{SYNC}_comparison"))

    def freshness(self) -> dg.AssetCheckEvaluation:
        """Run the quick checks of the source alone."""
        name = "only_the_feed"
        selection = dg.AssetSelection.checks(
            dg.AssetCheckKey(dg.AssetKey(self.settings.source.asset_key), "feed_is_fresh")
        )
        definitions = dg.Definitions.merge(
            self.definitions, dg.Definitions(jobs=[dg.define_asset_job(name, selection=selection)])
        )
        result = definitions.resolve_job_def(name).execute_in_process(instance=self.instance, run_config=_QUIET)
        return self.check("feed_is_fresh", result)

    def add_all_windows(self) -> list[str]:
        """Make partitions of all windows of the history, and return their keys."""
        size, first = self.settings.source.window, self.state.first_window or ""
        newest = self.company.global_version
        keys = [w.key for w in windows_between(window_of_key(first, size).start, newest, size)]
        add_windows(self.instance, self.settings, keys)
        return keys

    @property
    def state(self) -> SyncState:
        return read_state(self.conn, SYNC)

    @property
    def counts(self) -> dict[str, int]:
        return counts_by_status(self.conn, SYNC).get(SYNC, {})

    @property
    def failing(self) -> dict[str, FailingRow]:
        return {row.record_key: row for row in failing_rows(self.conn, SYNC, limit=1_000)}

    @property
    def requests(self) -> dict[str, int]:
        """The requests to Flexi since they were last counted."""
        found = dict(self.flexi.faults.requests)
        self.flexi.faults.reset_counts()
        return found

    def partners(self) -> dict[str, dict[str, Any]]:
        """Return what Odoo holds by the key of the source, as the external ids link it."""
        rows = self.odoo.db.tables["ir.model.data"].rows.values()
        linked = {row["name"]: row["res_id"] for row in rows if row["module"] == "flexi_demo"}
        partners = self.odoo.db.tables["res.partner"].rows
        return {str(name).removeprefix("adresar_"): partners[i] for name, i in linked.items() if i in partners}

    def edit_in_odoo(self, key: str, **values: Any) -> None:
        """Change a partner by hand, as somebody in the sales department does."""
        self.odoo.call("res.partner", "write", [self.partners()[key]["id"]], values)


NewPlace = Callable[..., Place]


@pytest.fixture
def new_place(
    database_url: str,
    boards: tuple[Board, Board],
    own_project: Project,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[NewPlace]:
    """Make the place of a test; one a test."""
    with ExitStack() as stack:

        def make(*, project: Project | None = None, odoo: int = 19, partners: int = PARTNERS) -> Place:
            flexi = FlexiWorld.demo(partners=partners)
            stand_in = OdooWorld.demo(odoo, api_key=KEY)
            boards[0].app, boards[1].app = flexi_app(flexi), odoo_app(stand_in)
            for name, value in {
                "SYNC_POSTGRES_URL": database_url,
                "FLEXI_URL": boards[0].url,
                "FLEXI_COMPANY": "demo",
                "FLEXI_USER": "sync",
                "FLEXI_PASSWORD": "sync",
                "ODOO_URL": boards[1].url,
                "ODOO_DATABASE": "odoo",
                "ODOO_USER": "sync",
                "ODOO_API_KEY": KEY,
            }.items():
                monkeypatch.setenv(name, value)
            instance = stack.enter_context(dg.DagsterInstance.ephemeral())
            conn = stack.enter_context(connect(database_url))
            return Place(flexi, stand_in, project or own_project, instance, conn)

        yield make


@pytest.fixture
def place(new_place: NewPlace) -> Place:
    """A made-up company of two hundred partners, and an Odoo 19, not synced yet."""
    return new_place()


@pytest.fixture
def synced(place: Place) -> Place:
    """The same after its first sync; four partners are refused."""
    report = place.bring_up_to_date()
    assert report.problem is None
    place.flexi.faults.reset_counts()
    return place
