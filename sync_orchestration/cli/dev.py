"""`dev`: Dagster on the configured systems, kept running until stopped."""

import os
import socket
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

from sync_orchestration.cli.environment import use_state_folder
from sync_orchestration.cli.intake import USUAL_PORT, intake_service
from sync_orchestration.cli.output import err, out, shown
from sync_orchestration.cli.postgres_watch import postgres_kept
from sync_orchestration.cli.services import dagster_services, free_port
from sync_orchestration.cli.supervisor import Service, ServiceEvent, supervise
from sync_orchestration.interface.database import state_dir
from sync_orchestration.interface.embedded import stop_embedded
from sync_orchestration.interface.migrate import migrate

_USUAL_PORT = 3000
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - compared, not bound


def run_until_stopped(
    port: int | None,
    host: str = "127.0.0.1",
    intake_port: int | None = None,
    before: Sequence[Service] = (),
    on_ready: Callable[[str], None] = lambda _url: None,
) -> None:
    """Run the services `before`, then Dagster; `on_ready` is told the URL of the UI once it is served."""
    embedded = not os.environ.get("SYNC_POSTGRES_URL")
    url = use_state_folder()
    migrate(url)
    port = port or _port_of_choice()
    address = f"http://{'localhost' if host in (*_LOOPBACK, *_EVERYWHERE) else host}:{port}"
    if host not in _LOOPBACK:
        err.print(
            f"[yellow]The UI has no login: whoever reaches {shown(host)}:{port} can run and change everything; "
            "put it behind a proxy with a log-in (docs/security.md).[/yellow]"
        )
    pushed_to = intake_service(intake_port or USUAL_PORT, url, address)
    services = [*before, *([pushed_to] if pushed_to else []), *dagster_services(state_dir(), port, url, host)]
    last = services[-1].name
    ready: set[str] = set()

    def tell(event: ServiceEvent) -> None:
        if event.kind == "died":
            err.print(f"[yellow]{event.service}[/yellow]: {shown(event.detail)}", soft_wrap=True)
        if event.kind == "ready" and event.service == last and last not in ready:
            ready.add(last)
            out.print(f"\n  Dagster UI: [bold]{address}[/bold]   (logs: {state_dir() / 'logs'}; Ctrl-C stops)")
            if pushed_to:
                out.print(f"  Intake:     http://localhost:{intake_port or USUAL_PORT}/docs")
                out.print(f"  Records:    http://localhost:{intake_port or USUAL_PORT}/records")
            out.print()
            on_ready(address)

    out.print("Starting PostgreSQL, the code server, the UI and the daemon …")
    try:
        with _postgres_kept() if embedded else nullcontext():
            supervise(services, log_dir=state_dir() / "logs", on_event=tell)
    finally:
        if embedded:
            stop_embedded(state_dir())


def _postgres_kept() -> AbstractContextManager[None]:
    return postgres_kept(state_dir(), lambda said: err.print(f"[yellow]postgresql[/yellow]: {shown(said)}"))


def _port_of_choice() -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", _USUAL_PORT))
        except OSError:
            return free_port()
    return _USUAL_PORT
