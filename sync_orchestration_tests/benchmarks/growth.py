"""What a record costs, and how much memory the process takes, as the number of changes grows a hundredfold.

The bare steps stand beside it: PostgreSQL's own share of a record grows with its tables, whoever fills them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

from sync_orchestration.systems.flexi import PAGE
from sync_orchestration_tests.benchmarks.bare import bare_steps
from sync_orchestration_tests.benchmarks.landing import land
from sync_orchestration_tests.benchmarks.measured import Goal, Grid, Machine, Measured, Panel, load_now
from sync_orchestration_tests.benchmarks.peers import FLOOR, OURS, read_detail
from sync_orchestration_tests.benchmarks.prerendered import prerendered_flexi
from sync_orchestration_tests.benchmarks.product import BATCH
from sync_orchestration_tests.benchmarks.stand_ins import Feed, fresh_database, in_own_process, postgres
from sync_orchestration_tests.benchmarks.watching import peak_mib

SIZES = (10_000, 100_000, 1_000_000)
_PARTNERS_A_CHANGE = 1.12
_MOST_GROWTH = 1.10


@dataclass(frozen=True, slots=True)
class Grown:
    """One landing: seconds, records fetched (one that changes again later is fetched again), and memory in MiB."""

    seconds: float
    records: int
    peak: float

    @property
    def micros(self) -> float:
        return self.seconds / self.records * 1e6


_Found = Mapping[str, Mapping[int, list[Grown]]]


def measure_growth(rounds: int, sizes: tuple[int, ...] = SIZES) -> Measured:
    """Land each number of changes in a process and a database of its own, `rounds` times in turn."""
    before = load_now()
    works: dict[str, Callable[[Feed, int, str], Grown]] = {OURS: _ours, FLOOR: _bare}
    found: dict[str, dict[int, list[Grown]]] = {name: {size: [] for size in sizes} for name in works}
    with postgres() as server:
        for number in range(rounds):
            for size in sizes if number % 2 else reversed(sizes):
                with prerendered_flexi(size, round(size * _PARTNERS_A_CHANGE), read_detail()) as feed:
                    for name in list(works) if number % 2 else reversed(works):
                        with fresh_database(server) as url:
                            found[name][size].append(in_own_process(works[name], feed, size, url))
    return _told(found, rounds, sizes, Machine(load=(before, load_now())))


def _ours(feed: Feed, changes: int, database_url: str) -> Grown:
    landed = land(feed, changes, database_url)
    return Grown(landed.seconds, landed.records, peak_mib())


def _bare(feed: Feed, changes: int, database_url: str) -> Grown:
    steps = bare_steps(feed.url, feed.starts[changes], read_detail(), PAGE, BATCH, database_url)
    return Grown(steps.seconds, steps.records, peak_mib())


def _told(found: _Found, rounds: int, sizes: tuple[int, ...], machine: Machine) -> Measured:
    head = ("changes", "by", "records fetched", "seconds", "µs a record", f"{sizes[0]:,} = 1", "peak MiB")
    rows = tuple(
        (
            f"{size:,}",
            name,
            f"{by_size[size][0].records:,}",
            f"{median(one.seconds for one in by_size[size]):.2f}",
            f"{_micros(by_size[size]):.1f}",
            f"{_micros(by_size[size]) / _micros(by_size[sizes[0]]):.2f}",
            f"{_peak(by_size[size]):.0f}",
        )
        for size in sizes
        for name, by_size in found.items()
    )
    growth = {name: _micros(by_size[sizes[-1]]) / _micros(by_size[sizes[0]]) for name, by_size in found.items()}
    more = {name: _peak(by_size[sizes[-1]]) - _peak(by_size[sizes[0]]) for name, by_size in found.items()}
    return Measured(
        name="growth",
        title="As the number of changes grows",
        grids=(Grid(title=f"Landing changes, {rounds} rounds in turn, medians", head=head, rows=rows),),
        notes=(
            f"{sizes[-1]:,} changes take ours {growth[OURS]:.2f} times as long a record as {sizes[0]:,} and "
            f"{more[OURS]:+.0f} MiB, the bare steps {growth[FLOOR]:.2f} times and {more[FLOOR]:+.0f} MiB. There "
            f"are {_PARTNERS_A_CHANGE} partners for each change. Memory is that of the whole process; up to 100,000 "
            "changes are coalesced before ours are landed, so a record that changes in several such chunks is fetched "
            "and updated each time; the bare steps keep all changes in memory and only ever insert.",
        ),
        goals=(
            Goal(
                wanted="the time for a record is flat within 10 %",
                found=f"{growth[OURS]:.2f} times, the bare steps {growth[FLOOR]:.2f}",
                met=growth[OURS] <= _MOST_GROWTH,
            ),
        ),
        panels=(
            Panel(
                title="µs for a record, by changes",
                kind="lines",
                places=tuple(float(size) for size in sizes),
                values={name: tuple(_micros(by_size[size]) for size in sizes) for name, by_size in found.items()},
            ),
            Panel(
                title="Peak memory in MiB, by changes",
                kind="lines",
                places=tuple(float(size) for size in sizes),
                values={name: tuple(_peak(by_size[size]) for size in sizes) for name, by_size in found.items()},
            ),
        ),
        machine=machine,
    )


def _micros(several: list[Grown]) -> float:
    return median(one.micros for one in several)


def _peak(several: list[Grown]) -> float:
    return median(one.peak for one in several)
