"""The shipped sync `flexi_partners`: its source, its mapping and its target, put together as a run does it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import psycopg
import yaml

from sync_orchestration.interface.rows import hire_worker
from sync_orchestration.mapping.compile import Mapping as RecordMapping
from sync_orchestration.mapping.compile import compile_mapping
from sync_orchestration.pipeline.guard import DeleteGuard
from sync_orchestration.pipeline.land import Reader
from sync_orchestration.pipeline.landing import Landing
from sync_orchestration.pipeline.plan import Translation
from sync_orchestration.pipeline.write import Writer, Writing
from sync_orchestration.systems.flexi import FlexiClient, FlexiSource
from sync_orchestration.systems.http import HttpClient, HttpSettings
from sync_orchestration.systems.odoo.client import OdooClient
from sync_orchestration.systems.odoo.target import OdooTarget
from sync_orchestration_tests.benchmarks.stand_ins import ODOO_KEY, PASSWORD, USER

BATCH = 500
"""Records in one fetch, one page of a full read and one load: the default of each."""


class Silent:
    """An observer that nobody reads."""

    def progress(self, step: str, count: int) -> None:
        """Forget it."""

    def warn(self, message: str) -> None:
        """Forget it."""


@dataclass(frozen=True, slots=True)
class OpenedSource:
    """The address book of a Flexi, and the client whose requests are counted."""

    source: FlexiSource
    http: HttpClient

    def reader(self, conn: psycopg.Connection[Any]) -> Reader:
        landing = Landing("flexi_partners", "flexi", "adresar", fetch_batch=BATCH)
        return Reader(conn, self.source, landing, "benchmark", Silent())


@dataclass(frozen=True, slots=True)
class OpenedTarget:
    """The partners of an Odoo, and the client whose requests are counted."""

    target: OdooTarget
    http: HttpClient

    def writer(self, conn: psycopg.Connection[Any]) -> Writer:
        translation = Translation(record_mapping(), lambda key: f"adresar_{key}", archive_field="active")
        writing = Writing("flexi_partners", "odoo", translation, DeleteGuard())
        return Writer(hire_worker(conn, "benchmark"), self.target, writing, Silent())


def open_source(flexi_url: str) -> OpenedSource:
    """Open the sync's source on a stand-in; it reads the fields that the mapping needs, no more."""
    http = HttpClient(HttpSettings("Flexi", flexi_url, auth=(USER, PASSWORD), secrets=(PASSWORD,)))
    fields = tuple(sorted(record_mapping().source_paths))
    return OpenedSource(FlexiSource(FlexiClient(http, "demo"), "adresar", fields, page=BATCH), http)


def open_target(odoo_url: str) -> OpenedTarget:
    """Open the sync's target on a stand-in."""
    http = HttpClient(HttpSettings("Odoo", odoo_url, secrets=(ODOO_KEY,)))
    client = OdooClient(http, "odoo", USER, ODOO_KEY)
    match_on = _settings()["target"]["match_on"]
    target = OdooTarget(client, "res.partner", record_mapping().targets, "flexi_demo", match_on, batch=BATCH)
    return OpenedTarget(target, http)


@cache
def record_mapping() -> RecordMapping:
    settings = _settings()
    return compile_mapping(settings["mapping"], settings["rules"])


def _settings() -> Mapping[str, Any]:
    text = resources.files("sync_orchestration").joinpath("defs/flexi_partners/defs.yaml").read_text(encoding="utf-8")
    attributes: Mapping[str, Any] = yaml.safe_load(text)["attributes"]
    return attributes
