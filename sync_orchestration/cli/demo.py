"""`demo` and `sandbox`: the stand-in servers with a made-up company, and the whole project running on them."""

import os
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path

from sync_orchestration.cli import headless
from sync_orchestration.cli.dev import run_until_stopped
from sync_orchestration.cli.environment import demo_file, demo_folder, write_demo_file
from sync_orchestration.cli.intake import serving
from sync_orchestration.cli.narrator import narrating
from sync_orchestration.cli.output import out
from sync_orchestration.cli.samples import push_samples
from sync_orchestration.cli.services import accepts, free_port
from sync_orchestration.cli.stand_ins import SandboxPorts, intake_variables, sandbox
from sync_orchestration.cli.supervisor import Service
from sync_orchestration.components.database import InterfaceDatabase
from sync_orchestration.components.headless import RunReport, begin_pass
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.definitions import load_project
from sync_orchestration.interface.database import database_url, state_dir
from sync_orchestration.interface.private_folder import private_folder
from sync_orchestration.interface.rows import counts_by_status
from sync_orchestration.interface.settled import newest_settling
from sync_orchestration.interface.state import read_state
from sync_orchestration.pipeline.errors import SyncError


def demo_once(odoo: int) -> None:
    """Sync the made-up company once and print what it came to. Raises SyncError when a sync could not complete."""
    os.environ.update(_own_state())
    with sandbox(SandboxPorts(), odoo, state_dir() / "sandbox") as variables:
        os.environ.update({**variables, **intake_variables(free_port())})
        with serving() as url:
            push_samples(url, os.environ["INTAKE_TOKEN"])
        reports = headless.run_syncs([], everything=False)
        headless.print_reports(reports)
    for name, (report, _) in reports.items():
        if report.problem:
            raise SyncError(f"{name}: {report.problem}")


def demo_until_stopped(odoo: int, port: int | None) -> None:
    """Run the stand-ins and Dagster; the first sync runs by its sensor and is summed up when it is done."""
    ports = SandboxPorts(*(free_port() for _ in fields(SandboxPorts)))
    intake_port = free_port()
    variables = {**ports.variables(), **intake_variables(intake_port), **_own_state()}
    told = demo_file()
    write_demo_file(variables)
    os.environ.update(variables)
    stopped = threading.Event()

    def narrate(url: str) -> None:
        threading.Thread(target=_sum_up_the_first_sync, args=(url, stopped), daemon=True).start()

    try:
        run_until_stopped(port, intake_port=intake_port, before=[_sandbox_service(ports, odoo)], on_ready=narrate)
    finally:
        stopped.set()
        told.unlink(missing_ok=True)


def _own_state() -> dict[str, str]:
    """Return the variables that say where the demo's state is; .env, which may name a real database, is not asked."""
    private_folder(state_dir())
    folder = private_folder(demo_folder())
    return {"SYNC_STATE_DIR": str(folder), "SYNC_POSTGRES_URL": os.environ.get("SYNC_POSTGRES_URL", "")}


def sandbox_until_stopped(ports: SandboxPorts, odoo: int, state: Path | None) -> None:
    """Serve the stand-ins until interrupted, and print the variables that point at them."""
    with sandbox(ports, odoo, state) as variables:
        for name, value in variables.items():
            out.print(f"export {name}={value}", markup=False)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return


def _sandbox_service(ports: SandboxPorts, odoo: int) -> Service:
    state = str(state_dir() / "sandbox")
    command = [sys.executable, "-m", "sync_orchestration.cli", "sandbox", "--state", state]
    for name, port in asdict(ports).items():
        command += [f"--{name}-port", str(port)]
    return Service("sandbox", [*command, "--odoo", str(odoo)], ready=accepts(ports.rest))


def _sum_up_the_first_sync(url: str, stopped: threading.Event) -> None:
    project = load_project()
    names = [name for name, sync in project.syncs.items() if not project.missing_variables(sync)]
    out.print("The sensors are on; the first syncs start by themselves.")
    push_samples(os.environ["INTAKE_PUBLIC_URL"], os.environ["INTAKE_TOKEN"])
    for name in names:
        # A sweep waits for its cron; nobody who watches a demo wants to wait until two in the morning.
        begin_pass(project.syncs[name], project.connections, only_the_first=True)
    with narrating(out, database_url(), names):
        while not stopped.is_set() and not _all_settled([project.syncs[name] for name in names]):
            stopped.wait(0.5)
    if stopped.is_set():
        return
    headless.print_reports({name: (_report_of(name), 0.0) for name in names})
    out.print(
        f"\nSee [bold]{url}/assets[/bold], or in another terminal: sync-orchestration status --failed\n"
        f"Every record: [bold]{os.environ['INTAKE_PUBLIC_URL']}/records[/bold] "
        f"(log in with {os.environ['INTAKE_OPERATOR_TOKEN']})\n"
        "Break a record: curl -u sync:sync -X PUT -H 'Content-Type: application/json' "
        f'$FLEXI_URL/c/demo/adresar/1.json -d \'{{"winstrom":{{"adresar":{{"email":"nowhere"}}}}}}\''
        f"   ($FLEXI_URL is {os.environ['FLEXI_URL']})\n"
        "Push a record: curl -H 'Authorization: Bearer sandbox-intake-token' -H 'Content-Type: application/json' "
        f"{os.environ['INTAKE_PUBLIC_URL']}/v1/intake_partners/records "
        """-d '{"records":[{"key":"C-1","data":{"name":"Alfa","country":"CZ"}}]}'""",
        soft_wrap=True,
    )


def _all_settled(syncs: Sequence[SyncSettings]) -> bool:
    names = [sync.name for sync in syncs]
    with InterfaceDatabase().session() as conn:
        counts = counts_by_status(conn)
        states = [read_state(conn, name) for name in names]
        behind = any(
            newest_settling(conn, sync.source.sync) >= (state.last_position or 0)
            for sync, state in zip(syncs, states, strict=True)
            if sync.source.kind == "interface"
        )
    waiting = any(counts.get(name, {}).get(s) for name in names for s in ("pending", "processing"))
    # What is pushed has no cursor: it is in the table before anything runs.
    has_begun = all(s.last_position is not None or sync.source.pushed for sync, s in zip(syncs, states, strict=True))
    idle = has_begun and all(s.status in ("TRIGGER_WAITING", "ERROR") for s in states)
    return idle and not waiting and not behind


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
