"""What it costs to be observed: a sync with traces off, on, and with nobody there to take them; a scrape by rows."""

import os
from functools import partial
from multiprocessing.connection import Connection as Line
from statistics import median
from time import perf_counter, process_time

import requests

from sync_orchestration.intake import IntakeSettings, RunFigures, intake_app
from sync_orchestration.interface.database import connect
from sync_orchestration.pipeline.spans import span
from sync_orchestration.sandbox.server import serve
from sync_orchestration_tests.benchmarks.report import table
from sync_orchestration_tests.benchmarks.sending import Sent, send_once, world
from sync_orchestration_tests.benchmarks.stand_ins import (
    elsewhere,
    fresh_database,
    in_own_process,
    postgres,
    until_closed,
)
from sync_orchestration_tests.span_receiver import SpanReceiver

COMPANIES = 1_000
ROWS = (1_000, 100_000, 1_000_000)
_SCRAPES = 50
_SPANS = 100_000
_NOBODY = "http://127.0.0.1:9"


def compare_observing(rounds: int) -> str:
    """Measure; returns the tables."""
    with postgres() as server, elsewhere(_serve_receiver) as receiver:
        seconds: dict[str, list[float]] = {"off": [], "on": [], "on, nobody there": []}
        endpoints = {"off": None, "on": receiver, "on, nobody there": _NOBODY}
        for _ in range(rounds):
            for name, endpoint in endpoints.items():
                sent = _sent(server, endpoint)
                seconds[name].append(sent.read_seconds + sent.send_seconds)
        ratios = {
            name: [this / off for this, off in zip(found, seconds["off"], strict=True)]
            for name, found in seconds.items()
        }
        rows = [
            (name, f"{median(found):.2f}", f"{median(ratios[name]):.3f}", " ".join(f"{r:.2f}" for r in ratios[name]))
            for name, found in seconds.items()
        ]
        sync = table(
            f"A sync of {COMPANIES:,} records, one request each, the API answers at once: traces off and on in turn",
            ("traces", "median s", "median ratio", "each round"),
            rows,
        )
        scrapes = table(
            f"A scrape of /metrics, median of {_SCRAPES} (the first one apart)",
            ("rows of the sync", "first ms", "median ms", "slowest ms"),
            [(f"{rows:,}", *_scraped(server, rows)) for rows in ROWS],
        )
    off = in_own_process(seconds_of_a_span) * 1e6
    return f"{sync}\n\nOne span while traces are off: {off:.1f} µs.\n\n{scrapes}"


def _sent(server: str, endpoint: str | None) -> Sent:
    with world(COMPANIES, latency=0.0) as urls, fresh_database(server) as database:
        return in_own_process(partial(send_traced, endpoint), *urls, database)


def send_traced(endpoint: str | None, odoo_url: str, rest_url: str, database_url: str) -> Sent:
    """Send as a run does, its spans to `endpoint`."""
    if endpoint is not None:
        os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint
    return send_once(odoo_url, rest_url, database_url)


def seconds_of_a_span() -> float:
    """Return the CPU time of opening and closing a span that nobody hears."""
    started = process_time()
    for _ in range(_SPANS):
        with span("write", {"sync.system": "Odoo"}):
            pass
    return (process_time() - started) / _SPANS


def _scraped(server: str, rows: int) -> tuple[str, str, str]:
    with fresh_database(server) as database:
        with connect(database) as conn:
            # Of a thousand rows twenty wait and five fail, and payloads are as long as those of an address book.
            conn.execute(
                "INSERT INTO sync.interface_row (sync, source_system, record_key, entity, operation, position, "
                "partition_key, payload, status, error_code, settled_version, processed_at) "
                "SELECT 's', 'x', n, 'e', 'update', n, to_char(n / 10000, 'FM000000'), "
                "jsonb_build_object('name', repeat('x', 800)), "
                "CASE WHEN n %% 50 = 0 THEN 'pending' WHEN n %% 200 = 1 THEN 'failed' ELSE 'processed' END, "
                "CASE WHEN n %% 200 = 1 THEN 'refused' END, n, now() FROM generate_series(1, %s) n",
                (rows,),
            )
            conn.execute("INSERT INTO sync.sync_state (sync) VALUES ('s')")
            conn.execute("VACUUM ANALYZE sync.interface_row")
        app = intake_app(IntakeSettings(contracts=(), senders=()), database, {}, relays={"s": "s"}, runs=RunFigures)
        try:
            with serve(app) as url, requests.Session() as session:
                times = []
                for _ in range(_SCRAPES + 1):
                    started = perf_counter()
                    session.get(f"{url}/metrics", timeout=60).raise_for_status()
                    times.append((perf_counter() - started) * 1_000)
        finally:
            app.close()
    first, *others = times
    return f"{first:.1f}", f"{median(others):.1f}", f"{max(others):.1f}"


def _serve_receiver(line: Line) -> None:
    with serve(SpanReceiver()) as url:
        line.send(url)
        until_closed(line)
