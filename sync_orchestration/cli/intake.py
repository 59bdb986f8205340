"""`intake` and `docs`: the service that other systems push records to, and what its senders are told."""

import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import uvicorn

from sync_orchestration.cli.environment import load_settings, use_state_folder
from sync_orchestration.cli.output import out
from sync_orchestration.cli.services import accepts, dagster_environment
from sync_orchestration.cli.supervisor import Service
from sync_orchestration.cli.usage import UsageError
from sync_orchestration.components.headless import dagster_instance
from sync_orchestration.components.intake import (
    IntakeModel,
    has_operators,
    intake_settings,
    missing_variables,
    pushed_syncs,
    references,
)
from sync_orchestration.components.record_views import record_views
from sync_orchestration.components.run_figures import RunFollower, relays_of
from sync_orchestration.definitions import Project, load_project
from sync_orchestration.intake import IntakeApp, IntakeSettings, intake_app
from sync_orchestration.intake.documentation.markdown import codes_page, sync_page
from sync_orchestration.intake.documentation.openapi import openapi
from sync_orchestration.intake.documentation.postman import postman_collection
from sync_orchestration.interface.database import state_dir
from sync_orchestration.interface.migrate import migrate
from sync_orchestration.sandbox.server import serve as serve_in_thread

USUAL_PORT = 8080


def serve(host: str, port: int, certificate: Path | None, key: Path | None) -> None:
    """Serve the intake until stopped. Raises UsageError when nobody could push to it, or it cannot listen."""
    load_settings()
    if (certificate is None) != (key is None):
        raise UsageError("TLS needs both --tls-certificate and --tls-key.")
    project = load_project()
    settings = _settings(project, f"{'http' if certificate is None else 'https'}://{host}:{port}")
    if project.intake and (missing := missing_variables(project.intake)):
        raise UsageError(f"The intake is switched off: set {', '.join(missing)} (see .env.example).")
    url = use_state_folder()
    migrate(url)
    config = uvicorn.Config(
        _app(project, settings, url),
        # Paths may hold secrets, and the name of the server helps only those who look for its holes.
        access_log=False,
        server_header=False,
        log_level="warning",
        lifespan="on",
        ssl_certfile=certificate,
        ssl_keyfile=key,
        timeout_graceful_shutdown=10,
    )
    try:
        config.load()
    except OSError as error:
        raise UsageError(f"The certificate {certificate} and its key {key} cannot be used: {error}.") from None
    with _listening(host, port) as listener, suppress(KeyboardInterrupt):
        out.print(f"The intake listens on {settings.public_url} for {_purposes(settings)}.", soft_wrap=True)
        uvicorn.Server(config).run(sockets=[listener])


def _listening(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        said = str(error.strerror).partition(" (")[0]
        raise UsageError(f"The intake cannot listen on {host}, port {port}: {said}.") from None


@contextmanager
def serving() -> Iterator[str]:
    """Serve the intake on a free port for the length of a block; yields its address."""
    project = load_project()
    url = use_state_folder()
    migrate(url)
    app = _app(project, _settings(project, "http://localhost"), url)
    try:
        with serve_in_thread(app) as address:
            yield address
    finally:
        app.close()


def intake_service(port: int, postgres_url: str, ui: str = "") -> Service | None:
    """Return the intake as a service of `dev` and `demo`; None where nobody could push to it or look at records.

    `ui` is where Dagster is seen, unless SYNC_UI_URL says so.
    """
    project = load_project()
    if project.intake is None or not _is_of_use(project, project.intake) or missing_variables(project.intake):
        return None
    command = [sys.executable, "-m", "sync_orchestration.cli", "intake", "--port", str(port)]
    variables = dagster_environment(state_dir(), postgres_url)
    if ui and not os.environ.get("SYNC_UI_URL"):
        variables["SYNC_UI_URL"] = ui
    return Service("intake", command, variables, accepts(port))


def write_documentation(folder: Path) -> list[Path]:
    """Write what senders need to know to a folder; returns the files. Raises UsageError where nothing is pushed."""
    load_settings()
    project = load_project()
    settings = _settings(project, os.environ.get("INTAKE_PUBLIC_URL") or f"http://localhost:{USUAL_PORT}")
    texts = {
        "openapi.json": _json(openapi(settings)),
        "postman_collection.json": _json(postman_collection(settings)),
        "codes.md": codes_page(settings),
        **{f"{contract.name}.md": sync_page(contract) for contract in settings.contracts},
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text.rstrip() + "\n", encoding="utf-8")
    return [folder / name for name in texts]


def _settings(project: Project, url: str) -> IntakeSettings:
    if project.intake is None or not _is_of_use(project, project.intake):
        raise UsageError("Nothing is pushed: there is no sync with the source kind intake, or no defs/intake.")
    return intake_settings(project.intake, project.syncs, url)


def _is_of_use(project: Project, model: IntakeModel) -> bool:
    return bool(pushed_syncs(project.syncs)) or has_operators(model)


def _app(project: Project, settings: IntakeSettings, database: str) -> IntakeApp:
    return intake_app(
        settings,
        database,
        references(project.syncs, project.connections),
        record_views(project.syncs, project.connections),
        relays_of(project.syncs),
        RunFollower(dagster_instance, list(project.syncs.values())).look,
    )


def _purposes(settings: IntakeSettings) -> str:
    """Return what the intake is there for: the syncs that are pushed to, and looking at records."""
    names = [contract.name for contract in settings.contracts]
    return ", ".join([*names, *(["the record browser (/records)"] if settings.operators else [])])


def _json(document: object) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2)
