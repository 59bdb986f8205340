"""Sending Odoo's companies to a REST API: the shipped sync against a script that sends one after the other."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection as Line
from statistics import median
from time import perf_counter

import requests

from sync_orchestration.components.running import OpenSource, OpenTarget
from sync_orchestration.definitions import load_project
from sync_orchestration.interface.database import connect
from sync_orchestration.interface.rows import Scope
from sync_orchestration.sandbox.odoo import OdooSwitches, OdooWorld, odoo_app
from sync_orchestration.sandbox.rest import RestSwitches, RestWorld, rest_app
from sync_orchestration.sandbox.server import serve
from sync_orchestration_tests.benchmarks.product import Silent
from sync_orchestration_tests.benchmarks.report import table
from sync_orchestration_tests.benchmarks.stand_ins import (
    ODOO_KEY,
    USER,
    elsewhere,
    fresh_database,
    in_own_process,
    postgres,
    until_closed,
)

SYNC = "odoo_to_rest"
COMPANIES = (1_000, 10_000)
LATENCY_SECONDS = 0.02
SCRIPT_RECORDS = 500
_TOKEN = "token-of-the-benchmark"


@dataclass(frozen=True, slots=True)
class Sent:
    """One sending of `records`: seconds of reading and of sending, requests to each side, peak memory in MiB."""

    records: int
    read_seconds: float
    send_seconds: float
    odoo_requests: int
    rest_requests: int
    peak_mib: float


def compare_sending(rounds: int) -> str:
    """Measure; returns the tables."""
    with postgres() as server:
        sizes = [_sized(server, companies) for companies in COMPANIES]
        first = [(f"first run, {s[0].records:,}", *_cells(s[0])) for s in sizes]
        second = [(f"second run, {s[1].records:,} sent", *_cells(s[1])) for s in sizes]
        head = ("", "read s", "send s", "requests to Odoo", "to the API", "peak MiB")
        ratios = [ratio for _ in range(rounds) if (ratio := _against_script(server))]
    report = table(
        f"Sending companies, the API takes {LATENCY_SECONDS * 1_000:.0f} ms a request", head, [*first, *second]
    )
    grown = sizes[-1][0].peak_mib - sizes[0][0].peak_mib
    return (
        f"{report}\n\nPeak memory from {COMPANIES[0]:,} to {COMPANIES[-1]:,} companies: {grown:+.1f} MiB. "
        f"Against a script that sends one after the other ({SCRIPT_RECORDS} records, in the same run): median "
        f"{median(ratios):.1f} times as fast ({', '.join(f'{ratio:.1f}' for ratio in ratios)})."
    )


def _cells(sent: Sent) -> tuple[str, ...]:
    return (
        f"{sent.read_seconds:.2f}",
        f"{sent.send_seconds:.2f}",
        str(sent.odoo_requests),
        str(sent.rest_requests),
        f"{sent.peak_mib:.0f}",
    )


def _sized(server: str, companies: int) -> tuple[Sent, Sent]:
    with world(companies) as urls, fresh_database(server) as database:
        return in_own_process(send_once, *urls, database), in_own_process(send_once, *urls, database)


def _against_script(server: str) -> float:
    """Return how many times as long the script takes, both measured now."""
    with world(SCRIPT_RECORDS) as urls, fresh_database(server) as database:
        ours = in_own_process(send_once, *urls, database)
    with world(0) as (_, rest):
        script = in_own_process(script_sends, rest, SCRIPT_RECORDS)
    return script / ours.send_seconds


def send_once(odoo_url: str, rest_url: str, database_url: str) -> Sent:
    """Read what is new and send it, as a run does."""
    os.environ.update(
        SYNC_POSTGRES_URL=database_url,
        ODOO_URL=odoo_url,
        ODOO_DATABASE="odoo",
        ODOO_USER=USER,
        ODOO_API_KEY=ODOO_KEY,
        REST_URL=rest_url,
        REST_TOKEN=_TOKEN,
    )
    project = load_project()
    settings, known = project.syncs[SYNC], project.connections
    with connect(database_url) as conn:
        source = OpenSource.of(settings, known["odoo"])
        target = OpenTarget.of(settings, known["odoo"], known["rest"], lambda _: None)
        started = perf_counter()
        source.reader(conn, "benchmark", Silent()).bring_up_to_date()
        read = perf_counter()
        counts = target.writer(conn, "benchmark", Silent()).write(Scope())
        ended = perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sent = counts.processed
    return Sent(sent, read - started, ended - read, source.requests_sent, target.requests_sent, peak)


def script_sends(rest_url: str, records: int) -> float:
    """Send records one after the other, as a module inside Odoo does it; returns the seconds."""
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {_TOKEN}"
        started = perf_counter()
        for number in range(records):
            body = {"name": f"Company {number}", "external_ref": str(number), "city": "Praha", "country": "CZ"}
            session.post(f"{rest_url}/partners", json=body, timeout=60).raise_for_status()
        return perf_counter() - started


@contextmanager
def world(companies: int, latency: float = LATENCY_SECONDS) -> Iterator[tuple[str, str]]:
    """Serve an Odoo with companies, and an API that takes `latency` seconds a request; yields their addresses."""
    with elsewhere(_serve_odoo, companies) as odoo, elsewhere(_serve_rest, latency) as rest:
        yield odoo, rest


def _serve_odoo(line: Line, companies: int) -> None:
    odoo = OdooWorld(19, api_key=ODOO_KEY, switches=OdooSwitches(simulate_costs=False))
    country = odoo.call("res.country", "search", [["code", "=", "CZ"]])[0]
    values = [
        {
            "name": f"Company {n}",
            "is_company": True,
            "city": "Praha",
            "country_id": country,
            "email": f"c{n}@example.com",
        }
        for n in range(companies)
    ]
    if values:
        odoo.call("res.partner", "create", values)
    with serve(odoo_app(odoo)) as url:
        line.send(url)
        until_closed(line)


def _serve_rest(line: Line, latency: float) -> None:
    api = RestWorld(token=_TOKEN)
    api.switches = RestSwitches(latency_seconds=latency)
    with serve(rest_app(api)) as url:
        line.send(url)
        until_closed(line)
