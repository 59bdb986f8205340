"""The steps of a sync's runs without Dagster: as its assets, its cron, its inventory and its jobs take them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any

import psycopg
import yaml

from sync_orchestration.components.chosen import read_everything, retry_failed, sync_chosen
from sync_orchestration.components.connections import Connection
from sync_orchestration.components.database import InterfaceDatabase
from sync_orchestration.components.lookups import OpenLookup
from sync_orchestration.components.planning import Plan, order_what_changed, plan_inventory, plan_next_run
from sync_orchestration.components.running import OpenSource, OpenTarget
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.interface.requeue import requeue_rows
from sync_orchestration.interface.rows import Scope, waiting_payloads
from sync_orchestration.interface.state import read_state
from sync_orchestration.pipeline.errors import FeedResetError
from sync_orchestration.pipeline.inventory import take_inventory
from sync_orchestration.pipeline.land import order_full_read
from sync_orchestration.pipeline.passes import running_pass
from sync_orchestration.pipeline.sweep import FIRST_WINDOW, begin_sweep
from sync_orchestration.pipeline.windows import window_of_key

Conn = psycopg.Connection[Any]

RUNS = (
    "sync", "sync", "sync", "sync", "sync", "sync", "read", "write", "again", "retry", "chosen", "everything",
    "inventory",
)  # fmt: skip
"""What a process may be there for; mostly to bring the sync up to date."""

MOST_RUNS = 60


class Quiet:
    """Hears how a pass goes on and says nothing."""

    def progress(self, step: str, count: int) -> None:
        """Nobody listens."""

    def warn(self, message: str) -> None:
        """Nobody listens."""


def shipped_settings(sync: str, *, small: bool = True) -> SyncSettings:
    """The sync that the project ships; `small`: with pages and batches of a few records, and windows of few places."""
    text = resources.files("sync_orchestration.defs").joinpath(f"{sync}/defs.yaml").read_text("utf-8")
    attributes = yaml.safe_load(text)["attributes"]
    attributes["triggers"] = {
        **{k: v for k, v in attributes.get("triggers", {}).items() if k == "cron"},
        "windows_per_run": 2,
        "retry_delays_seconds": [0, 0, 0],
    }
    source, target = attributes["source"], attributes["target"]
    if small:
        kind = source["kind"]
        if kind == "alfresco":
            source |= {"batch": 3, "window": 100}
        elif kind != "intake":
            source |= {"page": 3}
        if kind in ("flexi", "interface"):
            source |= {"window": 100}
        if target["kind"] == "odoo":
            target |= {"batch": 3}
        elif target["kind"] == "rest":
            target |= {"parallel": 2}
    return SyncSettings.model_validate(attributes)


@dataclass(frozen=True)
class Process:
    """One process at work on one sync, on one database session."""

    conn: Conn
    settings: SyncSettings
    connections: Mapping[str, Connection]
    claim_batch: int | None = None

    @property
    def name(self) -> str:
        return self.settings.name

    def run(self, what: str, number: int) -> None:
        """Do one of RUNS. Raises SyncError as a run fails."""
        getattr(self, f"only_{what}")(number)

    def until_idle(self) -> None:
        """Run until nothing is new and nothing waits; a source that is swept is swept from its beginning."""
        if self.settings.source.sweeps and read_state(self.conn, self.name).pass_end is not None:
            self._until_idle()
        self.begin_sweep()
        self._until_idle()

    def _until_idle(self) -> None:
        for _ in range(MOST_RUNS):
            plan = self.plan()
            if not plan.windows:
                return
            self.do(plan)
        raise AssertionError(f"{self.name} still has something to do after {MOST_RUNS} runs: {plan.reason}")

    # What a process may be there for

    def only_sync(self, number: int) -> None:
        self.begin_sweep()
        plan = self.plan()
        if plan.windows:
            self.do(plan)

    def only_read(self, number: int) -> None:
        self.begin_sweep()
        plan = self.plan()
        if plan.windows:
            self.read(plan)

    def only_write(self, number: int) -> None:
        self.write(Scope())

    def only_again(self, number: int) -> None:
        """Somebody starts a backfill: a window is read again, and its records written again."""
        found = self.conn.execute(
            "SELECT DISTINCT partition_key FROM sync.interface_row WHERE sync = %s ORDER BY 1", (self.name,)
        ).fetchall()
        if not found:
            return
        window = window_of_key(found[number % len(found)][0], self.settings.source.window)
        state = read_state(self.conn, self.name)
        swept = self.settings.source.sweeps and not state.has_more_to_sweep
        with running_pass(self.conn, self.name, self.settings.retry_policy, self.settings.config_hash):
            if self.settings.source.pushed:
                requeue_rows(self.conn, self.name, partition_keys=[window.key])
            elif state.last_position is not None and (swept or window.start < state.last_position):
                self.source().reader(self.conn, "again", Quiet()).read_again(window)
        self.write(Scope(partition_keys=[window.key]))

    def only_retry(self, number: int) -> None:
        retry_failed(self.conn, self.settings, self.connections, None, "retry", Quiet())

    def only_chosen(self, number: int) -> None:
        found = self.conn.execute(
            "SELECT record_key FROM sync.interface_row WHERE sync = %s ORDER BY 1", (self.name,)
        ).fetchall()
        if read_state(self.conn, self.name).last_position is None and not self.settings.source.pushed:
            return
        keys = [found[number % len(found)][0], found[number // 2 % len(found)][0]] if found else []
        sync_chosen(self.conn, self.settings, self.connections, keys, "chosen", Quiet())

    def only_everything(self, number: int) -> None:
        read_everything(self.conn, self.settings, self.connections, "everything", Quiet())

    def only_inventory(self, number: int) -> None:
        if self.settings.source.inventory_cron is None:
            return
        source = self.source()
        plan = plan_inventory(self.conn, self.settings, source.source)
        if not plan.windows:
            return
        with running_pass(
            self.conn, self.name, self.settings.retry_policy, self.settings.config_hash, to_its_end=False
        ):
            take_inventory(source.reader(self.conn, "inventory", Quiet()))
        self.write(Scope(partition_keys=[window.key for window in plan.windows]))

    # The steps

    def begin_sweep(self) -> None:
        """The cron fires, unless a pass is under way."""
        if self.settings.source.sweeps and read_state(self.conn, self.name).pass_end is None:
            begin_sweep(self.conn, self.name, self.source().source, FIRST_WINDOW, self.settings.config_hash)

    def plan(self) -> Plan:
        try:
            return plan_next_run(self.conn, self.settings, self.source().source, at_once=True)
        except FeedResetError:
            # A person orders a full read, as the message says.
            order_full_read(self.conn, self.name)
            raise

    def do(self, plan: Plan) -> None:
        """One run, its assets one after the other."""
        self.read(plan)
        keys = [window.key for window in plan.windows]
        if self.settings.lookup and self.settings.source.sweeps:
            with self.step():
                enquiry = OpenLookup.of(self.settings, self.connections[self.settings.lookup.connection])
                enquiry.enquiry(self.conn).ask_about(waiting_payloads(self.conn, self.name, keys))
        self.write(Scope(partition_keys=keys))

    def read(self, plan: Plan) -> None:
        """The first asset of a run that catches up."""
        order_what_changed(self.conn, self.settings)
        until = plan.windows[-1].end
        with self.step():
            state = read_state(self.conn, self.name)
            reader = self.source().reader(self.conn, "read", Quiet())
            if self.settings.source.pushed:
                return
            if self.settings.source.sweeps:
                if state.has_more_to_sweep:
                    reader.sweep(until=until)
            elif state.last_position is None or until > state.last_position:
                reader.bring_up_to_date(until=until)

    def step(self) -> Any:
        config = self.settings.config_hash
        return running_pass(self.conn, self.name, self.settings.retry_policy, config, to_its_end=False)

    def write(self, scope: Scope) -> None:
        """The last asset of a run."""
        with running_pass(self.conn, self.name, self.settings.retry_policy, None):
            source, target = self.settings.source.connection, self.settings.target.connection
            lookup = self.connections[self.settings.lookup.connection] if self.settings.lookup else None
            opened = OpenTarget.of(
                self.settings, self.connection(source), self.connections[target], Quiet().warn, lookup
            )
            writer = opened.writer(self.conn, "write", Quiet())
            if self.claim_batch is not None:
                writer.writing = replace(writer.writing, claim_batch=self.claim_batch)
            writer.write(scope)

    def source(self) -> OpenSource:
        return OpenSource.of(self.settings, self.connection(self.settings.source.connection))

    def connection(self, name: str) -> Connection | InterfaceDatabase:
        return InterfaceDatabase() if name == "interface" else self.connections[name]
