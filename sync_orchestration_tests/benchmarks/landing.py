"""Landing many changes, beside the bare steps added up in the same run; and how memory grows with their number."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import psutil
import psycopg

from sync_orchestration.interface.database import connect
from sync_orchestration.interface.state import change_state, lock_state
from sync_orchestration.pipeline.land import Reader
from sync_orchestration.pipeline.windows import window_at
from sync_orchestration.systems.flexi import PAGE
from sync_orchestration_tests.benchmarks.bare import BareSteps, bare_steps
from sync_orchestration_tests.benchmarks.product import BATCH, open_source
from sync_orchestration_tests.benchmarks.report import table
from sync_orchestration_tests.benchmarks.stand_ins import Feed, busy_flexi, fresh_database, in_own_process, postgres

CHANGES = 100_000
FEW_CHANGES = 10_000
PARTNERS = 112_000
"""So many that 100,000 random changes touch about 66,000 of them, each 1.5 times."""

_TARGET_RATIO = 1.5
_TARGET_MIB = 50
_MIB = 1 << 20
_SECONDS_BETWEEN_LOOKS = 0.005


@dataclass(frozen=True, slots=True)
class Landed:
    """One landing by our Reader. `growth` is in bytes: the peak of resident memory over what it was before."""

    seconds: float
    cpu: float
    requests: int
    records: int
    rows: int
    changes: int
    growth: int


@dataclass(slots=True)
class _Peak:
    process: psutil.Process = field(default_factory=lambda: psutil.Process(os.getpid()))
    before: int = 0
    highest: int = 0

    def look(self) -> None:
        self.highest = max(self.highest, self.process.memory_info().rss)


def compare_landing(rounds: int) -> str:
    """Measure ours and the bare steps in turn, then memory; returns the table."""
    ours: list[Landed] = []
    bare: list[BareSteps] = []
    with busy_flexi(PARTNERS, [CHANGES, FEW_CHANGES]) as feed, postgres() as server:
        for number in range(rounds):
            # The order changes, so that a machine which grows busier or calmer favours neither.
            if number % 2:
                bare.append(_measure_bare(feed, CHANGES, server))
            ours.append(_measure_ours(feed, CHANGES, server))
            if not number % 2:
                bare.append(_measure_bare(feed, CHANGES, server))
        few = _measure_ours(feed, FEW_CHANGES, server, watch=True)
        many = _measure_ours(feed, CHANGES, server, watch=True)
    return "\n\n".join([_speed_table(ours, bare), _memory_table(few, many)])


def _measure_ours(feed: Feed, changes: int, server: str, *, watch: bool = False) -> Landed:
    with fresh_database(server) as url:
        return in_own_process(land, feed, changes, url, watch=watch)


def _measure_bare(feed: Feed, changes: int, server: str) -> BareSteps:
    with fresh_database(server) as url:
        return in_own_process(_bare, feed, changes, url)


def land(feed: Feed, changes: int, database_url: str, *, watch: bool = False) -> Landed:
    """Land the last `changes` of the feed in an empty database whose cursor stands just before them."""
    opened = open_source(feed.url)
    with connect(database_url) as conn:
        reader = opened.reader(conn)
        _stand_before(conn, reader, feed.starts[changes])
        opened.source.peek(feed.starts[changes])
        sent = opened.http.requests_sent
        with _watched(watch=watch) as peak:
            started, cpu_before = time.perf_counter(), time.process_time()
            counts = reader.bring_up_to_date()
            seconds, cpu = time.perf_counter() - started, time.process_time() - cpu_before
        rows = conn.execute("SELECT count(*) FROM sync.interface_row WHERE payload IS NOT NULL").fetchone()
    assert counts.changes == changes, counts
    assert rows is not None
    requests = opened.http.requests_sent - sent
    return Landed(seconds, cpu, requests, counts.fetched, rows[0], counts.changes, peak.highest - peak.before)


def _bare(feed: Feed, changes: int, database_url: str) -> BareSteps:
    detail = "custom:" + ",".join(dict.fromkeys(("id", "kod", *open_source(feed.url).source.fields)))
    return bare_steps(feed.url, feed.starts[changes], detail, PAGE, BATCH, database_url)


def _stand_before(conn: psycopg.Connection[Any], reader: Reader, position: int) -> None:
    """Put the cursor where it is after a full read that ended at `position`."""
    head = reader.source.head()
    landing = reader.landing
    with conn.transaction():
        change_state(
            conn,
            lock_state(conn, landing.sync),
            last_position=position,
            fingerprint=head.fingerprint,
            first_window=window_at(position, landing.window_size).key,
            # What the overlap lists again was landed by the full read.
            recent_positions=list(range(position - landing.overlap, position)),
        )


@contextmanager
def _watched(*, watch: bool) -> Iterator[_Peak]:
    """Look at this process's resident memory from a thread, often; the highest is a little too low at most."""
    peak = _Peak()
    peak.look()
    peak.before = peak.highest
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(_SECONDS_BETWEEN_LOOKS):
            peak.look()

    thread = threading.Thread(target=look, daemon=True)
    if watch:
        thread.start()
    yield peak
    ended.set()
    if watch:
        thread.join()


def _speed_table(ours: list[Landed], bare: list[BareSteps]) -> str:
    our_seconds = median(one.seconds for one in ours)
    bare_seconds = median(one.seconds for one in bare)
    first, plain = ours[0], bare[0]
    rows = [
        ("bare: feed pages", _seconds(one.feed for one in bare), "", plain.pages, ""),
        ("bare: batches", _seconds(one.batches for one in bare), "", plain.requests - plain.pages, ""),
        ("bare: COPY and upsert", _seconds(one.store for one in bare), "", "", ""),
        _row("bare steps added up", bare_seconds, median(one.cpu for one in bare), plain.requests, plain.records),
        _row("ours", our_seconds, median(one.cpu for one in ours), first.requests, first.rows),
    ]
    title = (
        f"Landing {first.changes:,} changes over {first.rows:,} records, {len(ours)} rounds in turn, medians "
        f"({os.cpu_count()} cores, load {_load()})"
    )
    each = [a.seconds / b.seconds for a, b in zip(ours, bare, strict=True)]
    ratio = (
        f"ours / bare = {median(each):.2f}, the median of the rounds' own ratios "
        f"({', '.join(f'{one:.2f}' for one in each)}); of the medians: {our_seconds / bare_seconds:.2f}; "
        f"target at most {_TARGET_RATIO}"
    )
    return table(title, ("", "seconds", "of it our CPU", "requests", "records/s"), rows) + f"\n{ratio}"


def _load() -> str:
    """Return how many processes wanted a core in the last minute: far more than cores, and seconds mean little."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


def _row(what: str, seconds: float, cpu: float, requests: int, records: int) -> tuple[object, ...]:
    return what, f"{seconds:.2f}", f"{cpu:.2f}", requests, f"{records / seconds:,.0f}"


def _seconds(values: Iterator[float]) -> str:
    return f"{median(values):.2f}"


def _memory_table(few: Landed, many: Landed) -> str:
    rows = [
        (f"{one.changes:,} changes", f"{one.rows:,}", f"{one.growth / _MIB:.1f}", f"{one.seconds:.2f}")
        for one in (few, many)
    ]
    grown = (many.growth - few.growth) / _MIB
    title = "Peak growth of our process's resident memory"
    return table(title, ("", "records", "MiB", "seconds"), rows) + (
        f"\ndifference = {grown:.1f} MiB; target at most {_TARGET_MIB} MiB"
    )
