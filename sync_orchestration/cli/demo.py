"""`demo` and `sandbox`: the stand-in servers with a made-up company, and the whole project running on them."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sync_orchestration.cli import headless
from sync_orchestration.cli.dev import run_until_stopped
from sync_orchestration.cli.environment import demo_file, write_demo_file
from sync_orchestration.cli.narrator import narrating
from sync_orchestration.cli.output import out
from sync_orchestration.cli.services import accepts, free_port
from sync_orchestration.cli.supervisor import Service
from sync_orchestration.components.database import InterfaceDatabase
from sync_orchestration.components.headless import RunReport
from sync_orchestration.definitions import load_project
from sync_orchestration.interface.database import database_url, state_dir
from sync_orchestration.interface.rows import counts_by_status
from sync_orchestration.interface.state import read_state
from sync_orchestration.pipeline.errors import SyncError
from sync_orchestration.sandbox.flexi import FlexiWorld, flexi_app
from sync_orchestration.sandbox.odoo import OdooWorld, odoo_app
from sync_orchestration.sandbox.server import serve

_PARTNERS = 2_000
_EXISTING = 40
_KEY = "sandbox-key"


@dataclass(frozen=True, slots=True)
class SandboxPorts:
    """Where the stand-ins listen; 0 takes a free port."""

    flexi: int = 0
    odoo: int = 0


def demo_once(odoo: int) -> None:
    """Sync the made-up company once and print what it came to. Raises SyncError when a sync could not complete."""
    with sandbox(SandboxPorts(), odoo, state_dir() / "sandbox") as variables:
        os.environ.update(variables)
        reports = headless.run_syncs([], everything=False)
        headless.print_reports(reports)
    for name, (report, _) in reports.items():
        if report.problem:
            raise SyncError(f"{name}: {report.problem}")


def demo_until_stopped(odoo: int, port: int | None) -> None:
    """Run the stand-ins and Dagster; the first sync runs by its sensor and is summed up when it is done."""
    ports = SandboxPorts(free_port(), free_port())
    variables = _variables(ports.flexi, ports.odoo, odoo)
    os.environ.update(variables)
    write_demo_file(variables)
    stopped = threading.Event()

    def narrate(url: str) -> None:
        threading.Thread(target=_sum_up_the_first_sync, args=(url, stopped), daemon=True).start()

    try:
        run_until_stopped(port, before=[_sandbox_service(ports, odoo)], on_ready=narrate)
    finally:
        stopped.set()
        demo_file().unlink(missing_ok=True)


def sandbox_until_stopped(ports: SandboxPorts, odoo: int, state: Path | None) -> None:
    """Serve the stand-ins until interrupted, and print the variables that point at them."""
    with sandbox(ports, odoo, state) as variables:
        for name, value in variables.items():
            out.print(f"export {name}={value}", markup=False)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return


@contextmanager
def sandbox(ports: SandboxPorts, odoo: int, state: Path | None) -> Iterator[dict[str, str]]:
    """Serve stand-ins of Flexi and Odoo for the length of a block; yields the variables that point at them.

    The Odoo has some of the partners already, two of them doubly, so that linking them can be watched.
    """
    if state is not None:
        state.mkdir(parents=True, exist_ok=True)
    flexi = FlexiWorld.demo(partners=_PARTNERS, state_file=None if state is None else state / "flexi.json")
    odoo_state = None if state is None else state / f"odoo{odoo}.json"
    partners = OdooWorld.demo(odoo, existing=_existing(flexi), api_key=_KEY, state_file=odoo_state)
    with ExitStack() as stack:
        flexi_url = stack.enter_context(serve(flexi_app(flexi), port=ports.flexi))
        odoo_url = stack.enter_context(serve(odoo_app(partners), port=ports.odoo))
        yield _variables(int(flexi_url.rpartition(":")[2]), int(odoo_url.rpartition(":")[2]), odoo)


def _variables(flexi_port: int, odoo_port: int, odoo: int) -> dict[str, str]:
    return {
        "FLEXI_URL": f"http://127.0.0.1:{flexi_port}",
        "FLEXI_COMPANY": "demo",
        "FLEXI_USER": "sync",
        "FLEXI_PASSWORD": "sync",
        "ODOO_URL": f"http://127.0.0.1:{odoo_port}",
        "ODOO_DATABASE": "odoo",
        "ODOO_USER": "sync",
        "ODOO_API_KEY": _KEY,
        "SYNC_DEMO_ODOO": str(odoo),
    }


def _existing(flexi: FlexiWorld) -> list[dict[str, Any]]:
    """Return partners of the company that the Odoo shall know already: companies with a number, not under trouble."""
    company = flexi.companies["demo"]
    troubled = {i for ids in flexi.planted.values() for i in ids}
    found: list[dict[str, Any]] = []
    for record_id in company.ids("adresar"):
        record = company.record("adresar", record_id)
        if record and record["ic"] and record_id not in troubled and len(found) < _EXISTING:
            found.append({"name": record["nazev"], "company_registry": record["ic"], "city": record["mesto"]})
    return found


def _sandbox_service(ports: SandboxPorts, odoo: int) -> Service:
    state = str(state_dir() / "sandbox")
    command = [sys.executable, "-m", "sync_orchestration.cli.main", "sandbox", "--state", state]
    command += ["--flexi-port", str(ports.flexi), "--odoo-port", str(ports.odoo), "--odoo", str(odoo)]
    return Service("sandbox", command, ready=accepts(ports.odoo))


def _sum_up_the_first_sync(url: str, stopped: threading.Event) -> None:
    project = load_project()
    names = [name for name, sync in project.syncs.items() if not project.missing_variables(sync)]
    out.print("The sensors are on; the first sync starts by itself.")
    with narrating(out, database_url(), names):
        while not stopped.is_set() and not _all_settled(names):
            stopped.wait(0.5)
    if stopped.is_set():
        return
    headless.print_reports({name: (_report_of(name), 0.0) for name in names})
    out.print(
        f"\nSee [bold]{url}/assets[/bold], or in another terminal: sync-orchestration status --failed\n"
        "Break a record: curl -u sync:sync -X PUT -H 'Content-Type: application/json' "
        f'$FLEXI_URL/c/demo/adresar/1.json -d \'{{"winstrom":{{"adresar":{{"email":"nowhere"}}}}}}\''
        f"   ($FLEXI_URL is {os.environ['FLEXI_URL']})",
        soft_wrap=True,
    )


def _all_settled(names: list[str]) -> bool:
    with InterfaceDatabase().session() as conn:
        counts = counts_by_status(conn)
        states = [read_state(conn, name) for name in names]
    waiting = any(counts.get(name, {}).get(s) for name in names for s in ("pending", "processing"))
    idle = all(s.status in ("TRIGGER_WAITING", "ERROR") and s.last_position is not None for s in states)
    return idle and not waiting


def _report_of(name: str) -> RunReport:
    """Return what the interface table says of a sync as a report; a demo's first sync has written all it counts."""
    with InterfaceDatabase().session() as conn:
        counts = counts_by_status(conn, name).get(name, {})
    report = RunReport(pending=counts.get("pending", 0))
    report.counts.update(
        landed=sum(counts.values()),
        processed=counts.get("processed", 0),
        failed=counts.get("failed", 0),
        skipped=counts.get("skipped", 0),
    )
    return report
