"""A Flexi and an Odoo over real HTTP, kept for many examples, and clients whose requests can be disturbed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import psycopg

from sync_orchestration.components.connections import FlexiConnection, OdooConnection
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.sandbox.faults import FaultRule
from sync_orchestration.sandbox.flexi import Company, FlexiWorld, flexi_app
from sync_orchestration.sandbox.odoo import OdooWorld, odoo_app
from sync_orchestration.sandbox.server import serve
from sync_orchestration_tests.faults.stages import Switchboard
from sync_orchestration_tests.faults.watching import WatchedFlexi, WatchedOdoo, nothing

System = Literal["flexi", "odoo"]
HAND_MADE_REGISTRY = "25596641"


@dataclass
class Stage:
    """Both servers, the connections to them, the sync, and the database; `begin` empties all of them."""

    version: int
    database_url: str
    admin: psycopg.Connection[Any]
    flexi_server: Switchboard
    odoo_server: Switchboard
    flexi: WatchedFlexi
    odoo: WatchedOdoo
    settings: SyncSettings
    flexi_world: FlexiWorld = field(init=False)
    company: Company = field(init=False)
    odoo_world: OdooWorld = field(init=False)
    odoo_before: set[int] = field(init=False)

    def begin(self) -> None:
        """Open an empty Flexi, an Odoo with a few partners made by hand, and empty interface tables."""
        tables = ("interface_row", "interface_attempt", "sync_state", "connection_pause")
        self.admin.execute(f"TRUNCATE sync.{', sync.'.join(tables)}".encode())
        self.flexi_world = FlexiWorld(seed=1)
        self.company = self.flexi_world.add_company("demo")
        for code in ("CZ", "SK", "XX"):
            self.company.create("stat", {"kod": code, "nazev": code})
        self.odoo_world = OdooWorld(self.version, api_key="key-of-odoo")
        self.odoo_world.call(
            "res.partner",
            "create",
            [
                {"name": "MADE BY HAND", "company_registry": HAND_MADE_REGISTRY, "is_company": True},
                {"name": "ANOTHER", "company_registry": "90000001", "is_company": True},
            ],
        )
        self.odoo_before = {row["id"] for row in self.partners()}
        self.flexi_server.app = flexi_app(self.flexi_world)
        self.odoo_server.app = odoo_app(self.odoo_world)
        self.watch(nothing)

    def watch(self, heard: Callable[[str], None]) -> None:
        self.flexi._watch.heard = heard
        self.odoo._watch.heard = heard

    @property
    def connections(self) -> dict[str, FlexiConnection | OdooConnection]:
        return {"flexi": self.flexi, "odoo": self.odoo}

    def break_requests(self, system: System, rule: FaultRule) -> None:
        (self.flexi_world if system == "flexi" else self.odoo_world).faults.add(rule)

    def mend(self) -> None:
        self.flexi_world.faults.clear()
        self.odoo_world.faults.clear()

    def partners(self) -> list[dict[str, Any]]:
        """Every partner in Odoo, archived ones too."""
        found: list[dict[str, Any]] = self.odoo_world.call(
            "res.partner", "search_read", [], [], context={"active_test": False}
        )
        return found

    def links(self) -> list[tuple[str, int]]:
        """Flexi key and partner id of each external id that the sync made."""
        found = self.odoo_world.call(
            "ir.model.data", "search_read", [["module", "=", "flexi_demo"]], ["name", "model", "res_id"]
        )
        assert {row["model"] for row in found} <= {"res.partner"}
        return [(row["name"].removeprefix("adresar_"), row["res_id"]) for row in found]

    def countries(self) -> dict[int, str]:
        return {row["id"]: row["code"] for row in self.odoo_world.call("res.country", "search_read", [], ["code"])}


@contextmanager
def stage(version: int, database_url: str, settings: SyncSettings) -> Iterator[Stage]:
    """Serve a Flexi and an Odoo of this version; the passwords are in the environment by the caller."""
    flexi_server, odoo_server = Switchboard(), Switchboard()
    with (
        serve(flexi_server) as flexi_url,
        serve(odoo_server) as odoo_url,
        psycopg.connect(database_url, autocommit=True) as admin,
    ):
        flexi = WatchedFlexi(
            kind="flexi",
            timeout=60,
            url=flexi_url,
            company="demo",
            user="sync",
            password="$FLEXI_PASSWORD",
            # Each rendering of the feed has its turn.
            feed_format="json" if version == 18 else "xml",
        )
        odoo = WatchedOdoo(
            kind="odoo",
            timeout=60,
            dialect="auto",
            url=odoo_url,
            database="odoo",
            user="sync",
            secret="$ODOO_API_KEY",
        )
        yield Stage(version, database_url, admin, flexi_server, odoo_server, flexi, odoo, settings)
