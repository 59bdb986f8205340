"""What writing partners asks of Odoo: requests for each thousand records, by what the records are."""

from collections import Counter
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import psycopg
import requests

from sync_orchestration.interface.database import connect
from sync_orchestration.interface.rows import Scope
from sync_orchestration.pipeline.land import order_full_read
from sync_orchestration_tests.benchmarks.product import OpenedSource, OpenedTarget, open_source, open_target
from sync_orchestration_tests.benchmarks.report import table
from sync_orchestration_tests.benchmarks.stand_ins import (
    PASSWORD,
    USER,
    demo_pair,
    fresh_database,
    in_own_process,
    postgres,
)

PARTNERS = 2_000
ODOO_VERSIONS = (18, 19)


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass over `records`, and the requests that it sent to Odoo: `reads` and `loads` are among them."""

    what: str
    records: int
    processed: int
    unchanged: int
    failed: int
    requests: int
    reads: int
    loads: int
    seconds: float


def count_writing() -> str:
    """Measure against an Odoo of each version; returns the tables."""
    with postgres() as server:
        return "\n\n".join(_against(version, server) for version in ODOO_VERSIONS)


def _against(version: int, server: str) -> str:
    with demo_pair(PARTNERS, version) as (flexi, odoo), fresh_database(server) as url:
        passes = in_own_process(write_passes, flexi, odoo, url)
    rows = [
        (
            one.what,
            one.records,
            one.processed,
            one.unchanged,
            one.failed,
            one.reads,
            one.loads,
            one.requests,
            f"{one.requests * 1_000 / one.records:.1f}",
            f"{one.seconds:.2f}",
        )
        for one in passes
    ]
    head = (
        "",
        "records",
        "written",
        "unchanged",
        "refused",
        "reads",
        "loads",
        "requests",
        "per 1,000 records",
        "seconds",
    )
    return table(f"Writing {PARTNERS:,} partners into Odoo {version}", head, rows)


def write_passes(flexi_url: str, odoo_url: str, database_url: str) -> list[Pass]:
    """Write everything for the first time, then unchanged, then with a tenth changed."""
    source = open_source(flexi_url)
    with connect(database_url) as conn:
        passes = [_pass("initial load", conn, source, odoo_url)]
        order_full_read(conn, "flexi_partners")
        passes.append(_pass("second pass, unchanged", conn, source, odoo_url))
        _rename(flexi_url, _tenth(conn))
        passes.append(_pass("a tenth changed", conn, source, odoo_url))
        order_full_read(conn, "flexi_partners")
        _rename(flexi_url, _tenth(conn), " II")
        passes.append(_pass("all read again, a tenth changed", conn, source, odoo_url))
    return passes


def _pass(what: str, conn: psycopg.Connection[Any], source: OpenedSource, odoo_url: str) -> Pass:
    """Land what is new and write it with a client of its own, as each run has."""
    source.reader(conn).bring_up_to_date()
    target: OpenedTarget = open_target(odoo_url)
    before = _calls(odoo_url)
    started = perf_counter()
    counts = target.writer(conn).write(Scope())
    seconds = perf_counter() - started
    records = counts.processed + counts.unchanged + counts.failed + counts.skipped
    calls = _calls(odoo_url) - before
    return Pass(
        what,
        records,
        counts.processed,
        counts.unchanged,
        counts.failed,
        target.http.requests_sent,
        sum(number for call, number in calls.items() if call.endswith("read")),
        sum(number for call, number in calls.items() if call.endswith(".load")),
        seconds,
    )


def _calls(odoo_url: str) -> Counter[str]:
    """Return how often each method was called so far, as the stand-in tells."""
    return Counter(requests.get(f"{odoo_url}/_sandbox/state", timeout=60).json()["calls"])


def _tenth(conn: psycopg.Connection[Any]) -> list[str]:
    """Return the keys of a tenth of the partners, from among those that Odoo has taken."""
    found = conn.execute(
        "SELECT record_key FROM sync.interface_row WHERE status = 'processed' ORDER BY record_key LIMIT %s",
        [PARTNERS // 10],
    )
    return [str(key) for (key,) in found]


def _rename(flexi_url: str, keys: list[str], suffix: str = "") -> None:
    partners = [{"id": key, "nazev": f"Renamed {key}{suffix}"} for key in keys]
    body = {"winstrom": {"adresar": partners}}
    answer = requests.put(f"{flexi_url}/c/demo/adresar.json", json=body, auth=(USER, PASSWORD), timeout=60)
    answer.raise_for_status()
