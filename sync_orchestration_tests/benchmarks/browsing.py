"""The record browser over a million rows: the first page of each filter, the counts, and what its indexes cost."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

import psycopg
import requests

from sync_orchestration.intake import IntakeSettings, Operator, intake_app
from sync_orchestration.intake.records.filters import as_query
from sync_orchestration.interface.browsing import Place, RowFilter, browse, counts_up_to
from sync_orchestration.interface.database import connect
from sync_orchestration.interface.rows import LandedRecord, Payload, Scope, Settlement, claim, hire_worker, land, settle
from sync_orchestration.mapping.diff import payload_hash
from sync_orchestration.sandbox.server import serve
from sync_orchestration_tests.benchmarks.measured import Goal, Grid, Machine, Measured, load_now
from sync_orchestration_tests.benchmarks.stand_ins import fresh_database, postgres

ROWS = 1_000_000
WRITTEN = 20_000
"""Records that are landed, claimed and settled to see what the indexes cost."""

_TARGET_MS = 200
_TOKEN = "token-of-the-benchmark"
_COUNTERS = (
    "SELECT seq_tup_read + coalesce(idx_tup_fetch, 0), seq_scan FROM pg_stat_xact_user_tables "
    "WHERE relname = 'interface_row'"
)
_START = datetime(2026, 1, 1, tzinfo=UTC)
_NEW = (
    "interface_row_newest",
    "interface_row_code",
    "interface_row_failed_first",
    "interface_row_received",
    "interface_row_words",
)

_FILL = """
INSERT INTO sync.interface_row (
    sync, source_system, record_key, entity, operation, position, partition_key, payload, payload_hash, received_at,
    status, error_code, error_field, error_message, attempts, first_failed_at, last_attempt_at, processed_at, target_id,
    settled_version)
SELECT CASE WHEN n %% 10 < 6 THEN 'partners' ELSE 'sync_' || n %% 10 END,
       CASE n %% 2 WHEN 0 THEN 'flexi' ELSE 'crm' END,
       'K-' || n, 'adresar', 'update', n, '000000000000',
       jsonb_build_object(
           'id', n, 'name', 'Company ' || n || ' ' || substr(md5(n::text), 1, 8), 'city', 'City' || n %% 500,
           'street', 'Street ' || n %% 9000 || ' Nr ' || n %% 200, 'zip', lpad((n %% 80000)::text, 5, '0'),
           'email', 'office' || n || '@company' || n %% 3000 || '.example', 'phone', '+420' || 600000000 + n,
           'vat', 'CZ' || 10000000 + n, 'country', CASE WHEN n %% 3 = 0 THEN 'Slovakia' ELSE 'Czechia' END,
           'note', repeat(md5((n * 7)::text) || ' ', 4), 'employees', n %% 250, 'active', true),
       md5(n::text), timestamptz '2026-01-01 00:00Z' + n * interval '25 seconds', s.status,
       CASE WHEN s.status = 'failed' THEN 'code_' || n %% 40 %% 7 WHEN n %% 997 = 0 THEN 'rare' END,
       CASE WHEN s.status = 'failed' THEN 'email' END,
       CASE WHEN s.status = 'failed' THEN 'Office' || n || ' has no such mailbox' END,
       1, CASE WHEN s.status = 'failed' THEN timestamptz '2026-01-01 00:00Z' + n * interval '25 seconds' END,
       timestamptz '2026-01-01 00:00Z' + n * interval '26 seconds',
       CASE WHEN s.status = 'processed' THEN timestamptz '2026-01-01 00:00Z' + n * interval '26 seconds' END,
       n::text, n
FROM generate_series(%(first)s::bigint, %(last)s::bigint) n
CROSS JOIN LATERAL (
    SELECT CASE WHEN n %% 100 < 88 THEN 'processed' WHEN n %% 100 < 93 THEN 'failed' WHEN n %% 100 < 97 THEN 'skipped'
                ELSE 'pending' END AS status) s
"""


@dataclass(frozen=True, slots=True)
class Look:
    """One filter: milliseconds of its query and of its whole page, and how many rows it fetched."""

    name: str
    query_ms: float
    page_ms: float
    fetched: int
    scans: int


def measure_browsing(rounds: int, rows: int = ROWS, written: int = WRITTEN) -> Measured:
    """Fill a table and look at it by each filter, then see what the indexes cost those who write."""
    before = load_now()
    with postgres() as server, fresh_database(server) as url:
        with connect(url) as conn:
            fill(conn, rows)
        settings = IntakeSettings(contracts=(), senders=(), operators=(Operator("bench", (_TOKEN,), "operate"),))
        app = intake_app(settings, url, {})
        with closing(app), serve(app) as address, connect(url) as conn, requests.Session() as session:
            session.headers["Authorization"] = f"Bearer {_TOKEN}"
            filters = _filters(rows)
            looks = [_looked(conn, session, address, name, wanted, after, rounds) for name, wanted, after in filters]
            counting = _median_ms(lambda: counts_up_to(conn, 10_001), rounds)
    with postgres() as server:
        costs = [_cost(server, rounds, written, with_indexes=with_indexes) for with_indexes in (False, True)]
    slowest = max(looks, key=lambda one: one.page_ms)
    return Measured(
        name="browsing",
        title="The record browser",
        grids=(_looks_grid(looks, rows), _cost_grid(costs[0], costs[1], written)),
        notes=(f"The counts above each page take {counting:.1f} ms of it.",),
        goals=(
            Goal(
                wanted=f"the first page of {rows:,} rows within {_TARGET_MS} ms, whatever the filter",
                found=f"{slowest.page_ms:.0f} ms for the slowest ({slowest.name})",
                met=slowest.page_ms < _TARGET_MS,
            ),
        ),
        machine=Machine(load=(before, load_now())),
    )


def fill(conn: psycopg.Connection[Any], rows: int) -> None:
    """Fill the table with rows of all kinds, as weeks of syncing leave them."""
    made = conn.execute("SELECT indexdef FROM pg_indexes WHERE indexname = ANY(%s)", [list(_NEW)]).fetchall()
    _drop_indexes(conn)
    for first in range(1, rows + 1, 100_000):
        conn.execute(_FILL.encode(), {"first": first, "last": min(rows, first + 99_999)})
    for (definition,) in made:
        conn.execute(definition.encode())
    conn.execute("VACUUM ANALYZE sync.interface_row")


def _filters(rows: int) -> Iterator[tuple[str, RowFilter, Place | None]]:
    middle = _START + timedelta(seconds=25 * rows // 2)
    day = timedelta(days=1)
    yield "no filter", RowFilter(), None
    yield "no filter, far behind", RowFilter(), Place(middle, f"K-{rows // 2}", "partners", "flexi")
    yield "sync", RowFilter(sync="sync_7"), None
    yield "status failed", RowFilter(status="failed"), None
    yield "status processed", RowFilter(status="processed"), None
    yield "frequent code", RowFilter(error_code="code_1"), None
    yield "rare code", RowFilter(error_code="rare"), None
    yield "key", RowFilter(key="K-431007"), None
    yield "key of nobody", RowFilter(key="nobody"), None
    yield "text of one record", RowFilter(text="office431007@company2007.example"), None
    yield "text with a rare beginning", RowFilter(text="office43100*"), None
    yield "text with a frequent beginning", RowFilter(text="comp*"), None
    yield "text with both", RowFilter(text="office43100* comp*"), None
    yield "text of half of them", RowFilter(text="czechia"), None
    yield "text of 2,000", RowFilter(text="city 77"), None
    yield "text of the error", RowFilter(text="mailbox 431090"), None
    yield "text of nobody", RowFilter(text="nobodyatall"), None
    yield "two words", RowFilter(text="slovakia 4321*"), None
    yield "received, a day long ago", RowFilter(received_from=_START + day, received_to=_START + 2 * day), None
    yield "received since", RowFilter(received_from=middle), None
    yield "failing, a day long ago", RowFilter(failed_from=_START + day, failed_to=_START + 2 * day), None
    yield "failing since long", RowFilter(failed_from=_START), None
    yield "sync, status, code and text", RowFilter("partners", "failed", "code_1", text="czechia"), None


def _looked(
    conn: psycopg.Connection[Any],
    session: requests.Session,
    address: str,
    name: str,
    wanted: RowFilter,
    after: Place | None,
    rounds: int,
) -> Look:
    page = f"{address}/records?{as_query(wanted)}"

    def shown() -> None:
        assert session.get(page, timeout=60).status_code == 200

    query = _median_ms(lambda: browse(conn, wanted, limit=51, after=after), rounds)
    return Look(name, query, _median_ms(shown, rounds), *_touched(conn, wanted, after))


def _touched(conn: psycopg.Connection[Any], wanted: RowFilter, after: Place | None) -> tuple[int, int]:
    """Return how many rows a page's looks fetch, and how often they read the whole table, as PostgreSQL counts it."""
    with conn.transaction():
        before = conn.execute(_COUNTERS).fetchone()
        browse(conn, wanted, limit=51, after=after)
        now = conn.execute(_COUNTERS).fetchone()
    assert before is not None
    assert now is not None
    return now[0] - before[0], now[1] - before[1]


def _median_ms(work: Callable[[], object], rounds: int) -> float:
    times = []
    for _ in range(rounds + 1):
        started = time.perf_counter()
        work()
        times.append((time.perf_counter() - started) * 1_000)
    return median(times[1:])  # the first one warms up


def _looks_grid(looks: Sequence[Look], rows: int) -> Grid:
    return Grid(
        title=f"First pages of {rows:,} rows",
        head=("first page of", "query, ms", "whole page, ms", "rows fetched", "scans of the table"),
        rows=tuple(
            (one.name, f"{one.query_ms:.1f}", f"{one.page_ms:.1f}", f"{one.fetched:,}", str(one.scans)) for one in looks
        ),
    )


def _cost(server: str, rounds: int, written: int, *, with_indexes: bool) -> tuple[float, float, float]:
    """Return the seconds of landing, claiming and settling records, with or without the browser's indexes."""
    found = []
    for _ in range(rounds):
        with fresh_database(server) as url, connect(url) as conn:
            if not with_indexes:
                _drop_indexes(conn)
            found.append(_lived(conn, written))
    return (median(f[0] for f in found), median(f[1] for f in found), median(f[2] for f in found))


def _drop_indexes(conn: psycopg.Connection[Any]) -> None:
    for name in _NEW:
        conn.execute(f"DROP INDEX sync.{name}".encode())


def _lived(conn: psycopg.Connection[Any], written: int) -> tuple[float, float, float]:
    payloads: list[Payload] = [
        {
            "id": n,
            "name": f"Company {n} {n * 7919 % 100_003}",
            "city": f"City{n % 500}",
            "street": f"Street {n % 9000} Nr {n % 200}",
            "email": f"office{n}@company{n % 3000}.example",
            "phone": f"+420{600000000 + n}",
            "vat": f"CZ{10000000 + n}",
            "note": f"{n * 31} {n * 37} {n * 41} some words that many records have",
        }
        for n in range(written)
    ]
    records = [
        LandedRecord(f"K-{n}", "adresar", "update", n + 1, "0", payload, payload_hash(payload))
        for n, payload in enumerate(payloads)
    ]
    started = time.perf_counter()
    with conn.transaction():
        land(conn, sync="partners", source_system="flexi", run_id="run", records=records)
    landed = time.perf_counter()
    worker = hire_worker(conn, "run")
    claimed = settled = 0.0
    for _ in range(-(-written // 1_000)):
        before = time.perf_counter()
        rows = claim(worker, "partners", Scope(), 1_000)
        between = time.perf_counter()
        with conn.transaction():
            settle(
                worker,
                sync="partners",
                target_system="odoo",
                settlements=[Settlement(row, "processed", row.record_key) for row in rows],
            )
        claimed += between - before
        settled += time.perf_counter() - between
    return landed - started, claimed, settled


def _cost_grid(without: tuple[float, float, float], having: tuple[float, float, float], written: int) -> Grid:
    return Grid(
        title=f"What the browser's indexes cost, µs a record, {written:,} records",
        head=("", "without", "with", "difference"),
        rows=tuple(
            (
                what,
                f"{bare / written * 1e6:.0f}",
                f"{ours / written * 1e6:.0f}",
                f"{(ours - bare) / written * 1e6:+.0f}",
            )
            for what, bare, ours in zip(("landing", "claiming", "settling"), without, having, strict=True)
        ),
    )
