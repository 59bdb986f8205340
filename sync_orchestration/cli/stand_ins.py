"""The stand-in servers with a made-up company's data, and the variables that point the project at them."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sync_orchestration.interface.private_folder import private_folder
from sync_orchestration.sandbox.alfresco import AlfrescoWorld, alfresco_app
from sync_orchestration.sandbox.flexi import FlexiWorld, flexi_app
from sync_orchestration.sandbox.kontur import KonturWorld, kontur_app
from sync_orchestration.sandbox.odoo import OdooWorld, odoo_app
from sync_orchestration.sandbox.rest import RestWorld, rest_app
from sync_orchestration.sandbox.server import serve

_PARTNERS = 2_000
_CONTRACTORS = 1_500
_EXISTING = 40
_ODOO_KEY = "sandbox-key"
_REST_TOKEN = "sandbox-rest-token"  # noqa: S105 - the stand-in's well-known token
_KONTUR_KEY = "sandbox-kontur-key-000001"


@dataclass(frozen=True, slots=True)
class SandboxPorts:
    """Where the stand-ins listen; 0 takes a free port."""

    flexi: int = 0
    odoo: int = 0
    alfresco: int = 0
    kontur: int = 0
    rest: int = 0

    def variables(self) -> dict[str, str]:
        """Return the environment that points the default syncs at the stand-ins."""
        return {
            "FLEXI_URL": f"http://127.0.0.1:{self.flexi}",
            "FLEXI_COMPANY": "demo",
            "FLEXI_USER": "sync",
            "FLEXI_PASSWORD": "sync",
            "ODOO_URL": f"http://127.0.0.1:{self.odoo}",
            "ODOO_DATABASE": "odoo",
            "ODOO_USER": "sync",
            "ODOO_API_KEY": _ODOO_KEY,
            "ALFRESCO_URL": f"http://127.0.0.1:{self.alfresco}",
            "ALFRESCO_USER": "admin",
            "ALFRESCO_PASSWORD": "admin",
            "KONTUR_URL": f"http://127.0.0.1:{self.kontur}",
            "KONTUR_KEY": _KONTUR_KEY,
            "REST_URL": f"http://127.0.0.1:{self.rest}",
            "REST_TOKEN": _REST_TOKEN,
        }


def intake_variables(port: int) -> dict[str, str]:
    """Return the environment of an intake that the stand-ins' company pushes to."""
    return {
        "INTAKE_TOKEN": "sandbox-intake-token",
        "INTAKE_HOOK_SECRET": "sandbox-hook-secret",
        "INTAKE_OPERATOR_TOKEN": "sandbox-operator-token",
        "INTAKE_PUBLIC_URL": f"http://127.0.0.1:{port}",
    }


@contextmanager
def sandbox(ports: SandboxPorts, odoo: int, state: Path | None) -> Iterator[dict[str, str]]:
    """Serve all stand-ins for the length of a block; yields the variables that point at them.

    The Odoo has some of Flexi's partners already, two of them doubly, so that linking them can be watched. With
    `state`, a folder, what was changed in the stand-ins is still there the next time.
    """
    if state is not None:
        private_folder(state.parent)
        private_folder(state)

    def file(name: str) -> Path | None:
        return None if state is None else state / f"{name}.json"

    flexi = FlexiWorld.demo(partners=_PARTNERS, state_file=file("flexi"))
    partners = OdooWorld.demo(odoo, existing=_existing(flexi), api_key=_ODOO_KEY, state_file=file(f"odoo{odoo}"))
    # Swept whole each time, so these two need not remember anything.
    contractors = AlfrescoWorld.demo(contractors=_CONTRACTORS)
    register = KonturWorld.demo(contractors=_CONTRACTORS)
    crm = RestWorld.demo(state_file=file("rest"))
    with ExitStack() as stack:
        urls = [
            stack.enter_context(serve(app, port=port))
            for app, port in (
                (flexi_app(flexi), ports.flexi),
                (odoo_app(partners), ports.odoo),
                (alfresco_app(contractors), ports.alfresco),
                (kontur_app(register), ports.kontur),
                (rest_app(crm), ports.rest),
            )
        ]
        yield SandboxPorts(*(int(url.rpartition(":")[2]) for url in urls)).variables()


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
