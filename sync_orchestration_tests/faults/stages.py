"""Where histories take place: servers into which worlds are plugged, the interface tables, watched connections."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from sync_orchestration.components.connections import Connection
from sync_orchestration.components.intake import IntakeModel, intake_settings, references
from sync_orchestration.intake import intake_app
from sync_orchestration.sandbox.server import serve
from sync_orchestration_tests.faults.watching import Watch, watched_connections
from sync_orchestration_tests.faults.working import Conn, shipped_settings
from sync_orchestration_tests.faults.worlds import WORLDS, World
from sync_orchestration_tests.faults.worlds.intake_partners import IntakePartnersWorld

SYSTEMS = ("flexi", "odoo", "alfresco", "kontur", "rest")
INTAKE = {"senders": {"erp": {"tokens": ["$INTAKE_TOKEN"], "syncs": ["intake_partners"]}}}
NO_LIMIT = {"limits": {"calls_per_second": 100_000.0, "burst": 100_000}}
TABLES = "interface_row, interface_attempt, sync_state, lookup_answer, connection_pause, incident, wake"


@dataclass
class Switchboard:
    """An ASGI app whose place another one can take while it is being served."""

    app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.app is not None
        await self.app(scope, receive, send)


@dataclass
class Stages:
    """One server for each system, for one world after the other."""

    database_url: str
    admin: Conn
    boards: dict[str, Switchboard]
    urls: dict[str, str]
    environment: pytest.MonkeyPatch
    watch: Watch = field(default_factory=Watch)
    intake_url: str = ""
    connections: dict[str, Connection] = field(init=False)

    def __post_init__(self) -> None:
        self.connections = watched_connections(self.watch)

    def open(self, sync: str, version: int) -> World:
        """Begin anew with an empty world of this sync and empty interface tables."""
        self.admin.execute(f"TRUNCATE sync.{', sync.'.join(TABLES.split(', '))}".encode())
        # What reads on from settlings would pass all those of the histories before, a few windows a run.
        self.admin.execute("ALTER SEQUENCE sync.settling RESTART")
        world = WORLDS[sync](version)
        for name, app in world.served().items():
            self.boards[name].app = app
        for name, value in world.variables(self.urls).items():
            self.environment.setenv(name, value)
        if isinstance(world, IntakePartnersWorld):
            world.intake_url = self.intake_url
        return world

    def cut(self, conn: Conn) -> None:
        """End the database session of a process that is killed."""
        self.admin.execute("SELECT pg_terminate_backend(%s, 10000)", [conn.info.backend_pid])

    def being_written(self, sync: str) -> set[str]:
        found = self.admin.execute(
            "SELECT record_key FROM sync.interface_row WHERE sync = %s AND status = 'processing'", (sync,)
        )
        return {key for (key,) in found}

    def waiting(self, sync: str) -> set[str]:
        """Keys that are not settled, or that are tried again by themselves."""
        found = self.admin.execute(
            "SELECT record_key FROM sync.interface_row WHERE sync = %s AND status IN ('pending', 'processing')", (sync,)
        )
        return {key for (key,) in found}

    def let_time_pass(self) -> None:
        """Every wait that the tables know of is over, and what was looked up is old."""
        for statement in (
            "UPDATE sync.sync_state SET next_try = now() WHERE next_try IS NOT NULL",
            "UPDATE sync.sync_state SET updated_at = updated_at - interval '1 day'",
            "UPDATE sync.interface_row SET next_attempt_at = now() WHERE next_attempt_at IS NOT NULL",
            "DELETE FROM sync.connection_pause",
            "DELETE FROM sync.lookup_answer",
        ):
            self.admin.execute(statement.encode())


@contextmanager
def open_stages(database_url: str) -> Iterator[Stages]:
    """Serve whatever is plugged in, and the intake, for the length of a block."""
    with ExitStack() as stack:
        environment = stack.enter_context(pytest.MonkeyPatch.context())
        environment.setenv("SYNC_POSTGRES_URL", database_url)
        boards = {name: Switchboard() for name in SYSTEMS}
        urls = {name: stack.enter_context(serve(board)) for name, board in boards.items()}
        admin: psycopg.Connection[Any] = stack.enter_context(psycopg.connect(database_url, autocommit=True))
        stages = Stages(database_url, admin, boards, urls, environment)
        stages.intake_url = stack.enter_context(served_intake(stages.connections, database_url, environment, urls))
        yield stages


@contextmanager
def served_intake(
    connections: dict[str, Connection], database_url: str, environment: pytest.MonkeyPatch, urls: dict[str, str]
) -> Iterator[str]:
    """Serve the intake as it is shipped, for one sender, without a limit of its calls."""
    for name, value in IntakePartnersWorld(19).variables(urls).items():
        environment.setenv(name, value)
    syncs = {"intake_partners": shipped_settings("intake_partners")}
    model = IntakeModel.model_validate({**INTAKE, **NO_LIMIT})
    app = intake_app(intake_settings(model, syncs, "http://localhost"), database_url, references(syncs, connections))
    try:
        with serve(app) as url:
            yield url
    finally:
        app.close()
