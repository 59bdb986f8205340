"""The shipped sync `flexi_partners`, opened as a run of it would open it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from sync_orchestration.components.running import OpenSource, OpenTarget
from sync_orchestration.definitions import load_project
from sync_orchestration_tests.benchmarks.stand_ins import ODOO_KEY, PASSWORD, USER

SYNC = "flexi_partners"


class Silent:
    """An observer that nobody reads."""

    def progress(self, step: str, count: int) -> None:
        """Forget it."""

    def warn(self, message: str) -> None:
        """Forget it."""


@dataclass(frozen=True, slots=True)
class Product:
    """Source and target of the sync."""

    source: OpenSource
    target: OpenTarget


def open_product(flexi_url: str, odoo_url: str = "http://127.0.0.1:9") -> Product:
    """Open the sync on these servers. Changes the environment, so call it in a process of its own."""
    os.environ.update(_variables(flexi_url, odoo_url))
    project = load_project()
    settings = project.syncs[SYNC]
    flexi, odoo = (project.connections[name] for name in ("flexi", "odoo"))
    return Product(OpenSource.of(settings, flexi), OpenTarget.of(settings, flexi, odoo, Silent().warn))


def _variables(flexi_url: str, odoo_url: str) -> Mapping[str, str]:
    return {
        "FLEXI_URL": flexi_url,
        "FLEXI_COMPANY": "demo",
        "FLEXI_USER": USER,
        "FLEXI_PASSWORD": PASSWORD,
        "ODOO_URL": odoo_url,
        "ODOO_DATABASE": "odoo",
        "ODOO_USER": USER,
        "ODOO_API_KEY": ODOO_KEY,
    }
