"""What refused records cost in requests: ``python -m sync_orchestration_tests.benchmarks.refusing``.

Ten thousand new records are written to each kind of target, none, one, ten, a hundred or all of them refused.
"""

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from sync_orchestration.interface.database import connect
from sync_orchestration.interface.rows import LandedRecord, hire_worker, land
from sync_orchestration.interface.rows import Scope as RowScope
from sync_orchestration.mapping.compile import compile_mapping
from sync_orchestration.mapping.diff import payload_hash
from sync_orchestration.pipeline.errors import SyncError
from sync_orchestration.pipeline.guard import DeleteGuard
from sync_orchestration.pipeline.plan import Translation
from sync_orchestration.pipeline.protocols import Target
from sync_orchestration.pipeline.write import Writer, Writing
from sync_orchestration.sandbox.odoo import OdooWorld, odoo_app
from sync_orchestration.sandbox.rest import RestSwitches, RestWorld, rest_app
from sync_orchestration.sandbox.server import serve
from sync_orchestration.systems.http import HttpClient, HttpSettings
from sync_orchestration.systems.odoo.client import OdooClient
from sync_orchestration.systems.odoo.target import OdooTarget
from sync_orchestration.systems.rest.settings import BatchSettings, Call, Resource
from sync_orchestration.systems.rest.target import RestTarget
from sync_orchestration_tests.benchmarks.report import table
from sync_orchestration_tests.benchmarks.stand_ins import fresh_database, postgres
from sync_orchestration_tests.pipeline.toys import Notes

RECORDS = 10_000
REFUSED = (0, 1, 10, 100, RECORDS)


class Place:
    """A server into which each measurement plugs its stand-in."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


def odoo(place: Place, url: str) -> tuple[Target, HttpClient]:
    place.app = odoo_app(OdooWorld(19, password="x", api_key="key"))
    http = HttpClient(HttpSettings(name="Odoo", base_url=url))
    return OdooTarget(OdooClient(http, "odoo", "sync", "key"), "res.partner", ("name", "city"), "measured"), http


def rest(batch: int | None, **switches: Any) -> Callable[[Place, str], tuple[Target, HttpClient]]:
    def make(place: Place, url: str) -> tuple[Target, HttpClient]:
        world = RestWorld()
        world.switches = RestSwitches(auth="none", **switches)
        place.app = rest_app(world)
        http = HttpClient(HttpSettings(name="CRM", base_url=url))
        together = None if batch is None else BatchSettings(size=batch, path="/partners/batch", results="data")
        resource = Resource(
            http=http,
            path="/partners",
            create=Call("POST", "/partners"),
            id_field="data.id",
            key_field="external_ref",
            find="/partners?external_ref={key}",
            find_records="data",
            batch=together,
        )
        return RestTarget(resource), http

    return make


WAYS = {
    "Odoo, load of 500": odoo,
    "REST, one by one": rest(None),
    "REST, batches of 100, an answer each": rest(100),
    "REST, batches of 100, all or none": rest(100, batch_atomic=True),
}


def requests_of(make: Callable[[Place, str], tuple[Target, HttpClient]], refused: int, server: str) -> Sequence[object]:
    place = Place()
    every = RECORDS // refused if refused else RECORDS + 1
    with serve(place) as url, fresh_database(server) as database, connect(database) as conn:
        records = []
        for number in range(RECORDS):
            is_bad = refused > 0 and number % every == every // 2
            payload: dict[str, Any] = {"name": "" if is_bad else f"Firma {number}", "city": "Praha"}
            records.append(LandedRecord(f"{number}", "thing", "create", number, "w", payload, payload_hash(payload)))
        with conn.transaction():
            land(conn, sync="measured", source_system="source", run_id="run", records=records)
        target, http = make(place, url)
        translation = Translation(compile_mapping({"name": "name", "city": "city"}, []), lambda key: f"thing_{key}")
        writer = Writer(
            hire_worker(conn, "run"), target, Writing("measured", "there", translation, DeleteGuard()), Notes()
        )
        problem = ""
        with suppress(SyncError):
            try:
                writer.write(RowScope())
            except SyncError as error:
                problem = str(error)[:34]
                raise
        counts = writer.counts
        return refused, http.requests_sent, counts.processed, counts.failed, problem


def main() -> None:
    with postgres() as server:
        for name, make in WAYS.items():
            rows = [requests_of(make, refused, server) for refused in REFUSED]
            head = ["refused", "requests", "written", "failed", "the pass"]
            sys.stdout.write(table(f"{name}: {RECORDS:,} new records", head, rows) + "\n\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
