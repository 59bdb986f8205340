"""The sync of contractors without Dagster: a repository, a register and workers that may be killed at any request."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import yaml
from pydantic import PrivateAttr

from sync_orchestration import defs
from sync_orchestration.components.connections import AlfrescoConnection, KonturConnection
from sync_orchestration.components.lookups import OpenLookup
from sync_orchestration.components.planning import Plan, plan_next_run
from sync_orchestration.components.running import OpenSource, OpenTarget
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.interface.database import connect
from sync_orchestration.interface.rows import Scope, counts_by_status, waiting_payloads
from sync_orchestration.interface.state import SyncState, read_state
from sync_orchestration.pipeline.passes import running_pass
from sync_orchestration.pipeline.sweep import FIRST_WINDOW, begin_sweep, state_of_sweep
from sync_orchestration.sandbox.alfresco import AlfrescoWorld
from sync_orchestration.sandbox.alfresco.demo import contractor
from sync_orchestration.sandbox.companies import demo_companies
from sync_orchestration.sandbox.company import Company
from sync_orchestration.sandbox.kontur import KonturWorld
from sync_orchestration.systems.http import HttpClient
from sync_orchestration_tests.pipeline.toys import Notes

KEY = "key-of-the-register-0001"
SYNC = "contractors"


def no_hook() -> None:
    """Disturb no request."""


@dataclass
class Watch:
    """Hears of every request before it is sent; a test puts in what is to happen then."""

    heard: Callable[[], None] = no_hook


def watched(client: HttpClient, watch: Watch) -> HttpClient:
    """The same client, heard of by whatever the watch holds when a request is sent."""

    def tell() -> None:
        watch.heard()

    return HttpClient(replace(client.settings, tries=1), tell)


class WatchedAlfresco(AlfrescoConnection):
    """A repository whose every request is heard of before it is sent; tried once."""

    _watch: Watch = PrivateAttr(default_factory=Watch)

    def http(self, name: str, auth: tuple[str, str] | None, secrets: tuple[str, ...], **more: Any) -> HttpClient:
        return watched(super().http(name, auth, secrets, **more), self._watch)


class WatchedKontur(KonturConnection):
    """A register whose every request is heard of before it is sent; tried once."""

    _watch: Watch = PrivateAttr(default_factory=Watch)

    def http(self, name: str, auth: tuple[str, str] | None, secrets: tuple[str, ...], **more: Any) -> HttpClient:
        return watched(super().http(name, auth, secrets, **more), self._watch)


@cache
def plain_companies() -> list[Company]:
    """Living legal entities without a trait."""
    return [company for company in demo_companies(1, 150) if company.role == "plain"]


def shipped_settings(**source: Any) -> SyncSettings:
    """The sync as it is shipped, with other settings of its source."""
    text = (Path(defs.__file__).parent / "contractors" / "defs.yaml").read_text(encoding="utf-8")
    attributes = yaml.safe_load(text)["attributes"]
    attributes["source"] |= source
    return SyncSettings.model_validate(attributes)


@dataclass
class Contractors:
    """Ordinary companies as contractors that have all fallen behind the register."""

    url: str
    alfresco: WatchedAlfresco
    kontur: WatchedKontur
    settings: SyncSettings
    world: AlfrescoWorld = field(init=False)
    register: KonturWorld = field(init=False)
    companies: list[Company] = field(init=False)
    keys: list[str] = field(init=False)

    def begin(self, count: int, apart: int) -> None:
        """Make both worlds anew; the dbids of the contractors begin with 10."""
        self.world = AlfrescoWorld(seed=1)
        self.companies = plain_companies()[:count]
        self.register = KonturWorld(self.companies, key=KEY)
        self.keys = [
            self.world.add({**contractor(company), "idocs:okpo": None}, dbid=10 + apart * number).uuid
            for number, company in enumerate(self.companies)
        ]

    def watch(self, heard: Callable[[], None] = no_hook) -> None:
        self.alfresco._watch.heard = heard
        self.kontur._watch.heard = heard

    # What triggers and workers do

    @property
    def source(self) -> OpenSource:
        return OpenSource.of(self.settings, self.alfresco)

    def cron(self, conn: psycopg.Connection[Any]) -> SyncState:
        return begin_sweep(conn, SYNC, self.source.source, FIRST_WINDOW, self.settings.config_hash)

    def plan(self, conn: psycopg.Connection[Any], *, at_once: bool = False) -> Plan:
        return plan_next_run(conn, self.settings, self.source.source, at_once=at_once)

    def run(self, conn: psycopg.Connection[Any], *, at_once: bool = False) -> Plan:
        """Do one run: the steps of the assets, one after the other."""
        plan = self.plan(conn, at_once=at_once)
        if not plan.windows:
            return plan
        windows = [window.key for window in plan.windows]
        with self._step(conn, ends=False):
            if read_state(conn, SYNC).has_more_to_sweep:
                self.source.reader(conn, "run", Notes()).sweep(until=plan.windows[-1].end)
        with self._step(conn, ends=False):
            OpenLookup.of(self.settings, self.kontur).enquiry(conn).ask_about(waiting_payloads(conn, SYNC, windows))
        with self._step(conn, ends=True):
            target = OpenTarget.of(self.settings, self.alfresco, self.alfresco, Notes().warn, self.kontur)
            target.writer(conn, "run", Notes()).write(Scope(partition_keys=windows))
        return plan

    @contextmanager
    def _step(self, conn: psycopg.Connection[Any], *, ends: bool) -> Iterator[None]:
        policy, config = self.settings.retry_policy, self.settings.config_hash
        with running_pass(conn, SYNC, policy, config, to_its_end=ends):
            yield

    def finish(self) -> int:
        """Begin a pass if none is under way, and run until nothing is left to do; returns the number of runs."""
        with connect(self.url) as conn:
            if read_state(conn, SYNC).pass_end is None:
                self.cron(conn)
            runs = 0
            while self.run(conn, at_once=True).windows:
                runs += 1
            return runs

    # What came of it

    def outcome(self) -> dict[str, Any]:
        """Everything that must be the same whichever way a pass went."""
        with connect(self.url) as conn:
            return {
                "state": state_of_sweep(read_state(conn, SYNC)),
                "rows": counts_by_status(conn, SYNC).get(SYNC, {}),
                "properties": [node.properties for node in self.world.contractors()],
                "asked": dict(self.register.asked),
            }


def written(contractors: Contractors) -> Sequence[str]:
    """The nodes that were written, once for each write."""
    return [write.uuid for write in contractors.world.writes]
