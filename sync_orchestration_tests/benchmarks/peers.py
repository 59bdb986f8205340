"""Landing the changes of a Flexi in PostgreSQL: ours, dlt, and the bare steps as the floor, one after the other."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from statistics import median

import psycopg

from sync_orchestration.systems.flexi import PAGE
from sync_orchestration_tests.benchmarks.bare import bare_steps
from sync_orchestration_tests.benchmarks.landing import land
from sync_orchestration_tests.benchmarks.measured import Goal, Grid, Machine, Measured, Panel, load_now
from sync_orchestration_tests.benchmarks.prerendered import prerendered_flexi, seconds_worked
from sync_orchestration_tests.benchmarks.product import BATCH, open_source
from sync_orchestration_tests.benchmarks.stand_ins import Feed, fresh_database, in_own_process, postgres, postgres_cpu
from sync_orchestration_tests.benchmarks.watching import peak_mib, watched
from sync_orchestration_tests.benchmarks.with_dlt import DATASET, TABLE, DltLanding, pipeline_into

CHANGES = 100_000
PARTNERS = 112_000
"""So many that 100,000 random changes touch about 66,000 of them."""

OURS, FLOOR, TUNED, USUAL = "ours", "bare requests + COPY", "dlt, tuned", "dlt, its defaults"
_MOST_OVER_FLOOR = 1.3
_LEAST_BEFORE_DLT = 5.0
_ENDS = {
    OURS: "SELECT record_key, payload FROM sync.interface_row",
    FLOOR: "SELECT record_key, payload FROM sync.bare_row",
    TUNED: f"SELECT id AS record_key, payload::jsonb FROM {DATASET}.{TABLE}",
    USUAL: f"SELECT id AS record_key, payload FROM {DATASET}.{TABLE}",
}


@dataclass(frozen=True, slots=True)
class Landing:
    """One landing; `served` are the seconds that the server worked for it, `end` tells the table's content."""

    seconds: float
    cpu: float
    waiting: float
    served: float
    requests: int
    records: int
    peak: float
    end: tuple[int, int]
    stored: float = 0.0

    @property
    def work(self) -> float:
        """Seconds of processor, its own and PostgreSQL's: they tell more than the clock where others work too."""
        return self.cpu + self.stored


def measure_peers(
    rounds: int, changes: int = CHANGES, partners: int = PARTNERS, *, with_dlt: bool = bool(find_spec("dlt"))
) -> Measured:
    """Land `changes` in turn by each; the order is turned round every time, so that no one profits from it."""
    detail = read_detail()
    works: dict[str, Callable[[Feed, int, str], Landing]] = {FLOOR: _bare, OURS: _ours}
    if with_dlt:
        works |= {TUNED: _tuned, USUAL: _usual}
    found: dict[str, list[Landing]] = {name: [] for name in works}
    before = load_now()
    with prerendered_flexi(changes, partners, detail) as feed, postgres() as server:
        for number in range(rounds):
            for name in list(works) if number % 2 else reversed(works):
                with fresh_database(server) as url:
                    stored = postgres_cpu(server)
                    one = in_own_process(works[name], feed, changes, url)
                    found[name].append(replace(one, stored=postgres_cpu(server) - stored))
    return _told(found, changes, Machine(load=(before, load_now())))


def read_detail() -> str:
    """Return the level of detail at which the sync reads its records."""
    return "custom:" + ",".join(dict.fromkeys(("id", "kod", *open_source("http://unused").source.fields)))


def _ours(feed: Feed, changes: int, database_url: str) -> Landing:
    served = seconds_worked(feed.url)
    with watched() as waits:
        one = land(feed, changes, database_url)
    served = seconds_worked(feed.url) - served
    end = _end(database_url, OURS)
    return Landing(one.seconds, one.cpu, waits.waiting, served, one.requests, one.rows, peak_mib(), end)


def _bare(feed: Feed, changes: int, database_url: str) -> Landing:
    served = seconds_worked(feed.url)
    with watched() as waits:
        one = bare_steps(feed.url, feed.starts[changes], read_detail(), PAGE, BATCH, database_url)
    served = seconds_worked(feed.url) - served
    end = _end(database_url, FLOOR)
    return Landing(one.seconds, one.cpu, waits.waiting, served, one.requests, one.records, peak_mib(), end)


def _tuned(feed: Feed, changes: int, database_url: str) -> Landing:
    return _by_dlt(feed, changes, database_url, tuned=True)


def _usual(feed: Feed, changes: int, database_url: str) -> Landing:
    return _by_dlt(feed, changes, database_url, tuned=False)


def _by_dlt(feed: Feed, changes: int, database_url: str, *, tuned: bool) -> Landing:
    with pipeline_into(database_url) as pipeline:
        one = DltLanding(feed.url, feed.starts[changes] - 1, read_detail(), BATCH, 1, tuned=tuned)
        one.run(pipeline, only_pages=1)  # makes the tables
        one.page, one.requests = PAGE, 0
        served = seconds_worked(feed.url)
        with watched() as spent:
            one.run(pipeline)
        served = seconds_worked(feed.url) - served
    end = _end(database_url, TUNED if tuned else USUAL)
    return Landing(spent.seconds, spent.cpu, spent.waiting, served, one.requests, end[0], peak_mib(), end)


def _end(database_url: str, name: str) -> tuple[int, int]:
    """Return how many records there are, and a sum over all of them that tells one content from another."""
    with psycopg.connect(database_url) as conn:
        sums = f"SELECT count(*), sum(hashtextextended(record_key || payload::text, 0))::text FROM ({_ENDS[name]}) t"
        row = conn.execute(sums.encode()).fetchone()
    assert row is not None
    return row[0], int(row[1])


def _told(found: Mapping[str, list[Landing]], changes: int, machine: Machine) -> Measured:
    rows = tuple(
        (
            name,
            f"{median(one.seconds for one in several):.2f}",
            f"{median(ratios(several, found[FLOOR])):.2f}",
            f"{median(one.records / one.seconds for one in several):,.0f}",
            f"{median(one.cpu for one in several):.2f}",
            f"{median(one.stored for one in several):.2f}",
            f"{median(one.work / bare.work for one, bare in zip(several, found[FLOOR], strict=True)):.2f}",
            f"{median(one.waiting for one in several):.2f}",
            f"{median(one.served for one in several):.2f}",
            str(several[0].requests),
            f"{median(one.peak for one in several):.0f}",
        )
        for name, several in found.items()
    )
    head = (
        "",
        "seconds",
        "floor = 1",
        "records/s",
        "own CPU s",
        "PostgreSQL's",
        "both, floor = 1",
        "waiting s",
        "server s",
        "requests",
        "peak MiB",
    )
    rounds, records = len(found[OURS]), found[OURS][0].records
    title = f"Landing {changes:,} changes over {records:,} records, {rounds} rounds in turn, medians"
    ends = {one.end for several in found.values() for one in several}
    return Measured(
        name="landing",
        title="Landing changes in PostgreSQL",
        grids=(Grid(title=title, head=head, rows=rows),),
        notes=(
            "Where others work too, seconds of processors (the client's and PostgreSQL's) tell more than the clock.",
            "Waiting: from a request sent to the first line of its answer, over all threads, also while another works. "
            "Server: what the Flexi of this benchmark, a process of its own, worked for it.",
            "dlt has its tables already, as we have; its tuned way yields Arrow tables, which pass its normalising "
            "by, loads CSV by COPY and fetches in five threads. It remembers no status, hash or place of a record.",
            f"All tables hold the same records in the end: {'yes' if len(ends) == 1 else 'NO'}.",
        ),
        goals=_goals(found),
        panels=(
            Panel(
                title=f"Seconds for {changes:,} changes",
                kind="bars",
                places=tuple(found),
                values={"seconds": tuple(median(one.seconds for one in several) for several in found.values())},
            ),
        ),
        machine=machine,
    )


def _goals(found: Mapping[str, list[Landing]]) -> tuple[Goal, ...]:
    over = median(ratios(found[OURS], found[FLOOR]))
    goals = [Goal(wanted="at most 1.3 times the floor", found=f"{over:.2f}", met=over <= _MOST_OVER_FLOOR)]
    if TUNED in found:
        fastest = min((TUNED, USUAL), key=lambda name: median(one.seconds for one in found[name]))
        before = median(ratios(found[fastest], found[OURS]))
        wanted = f"at least 5 times as fast as dlt ({fastest})"
        goals.append(Goal(wanted=wanted, found=f"{before:.1f}", met=before >= _LEAST_BEFORE_DLT))
    return tuple(goals)


def ratios(ours: list[Landing], others: list[Landing]) -> list[float]:
    """Return how many times as long each took as the other of the same round."""
    return [one.seconds / other.seconds for one, other in zip(ours, others, strict=True)]
