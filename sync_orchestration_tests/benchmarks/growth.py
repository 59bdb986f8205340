"""What a record costs, and how much memory the process takes, as the number of changes grows a hundredfold."""

from dataclasses import dataclass
from statistics import median

from sync_orchestration_tests.benchmarks.landing import land
from sync_orchestration_tests.benchmarks.measured import Goal, Grid, Machine, Measured, Panel, load_now
from sync_orchestration_tests.benchmarks.peers import read_detail
from sync_orchestration_tests.benchmarks.prerendered import prerendered_flexi
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


def measure_growth(rounds: int, sizes: tuple[int, ...] = SIZES) -> Measured:
    """Land each number of changes in a process and a database of its own, `rounds` times in turn."""
    before = load_now()
    found: dict[int, list[Grown]] = {size: [] for size in sizes}
    with postgres() as server:
        for number in range(rounds):
            for size in sizes if number % 2 else reversed(sizes):
                partners = round(size * _PARTNERS_A_CHANGE)
                with prerendered_flexi(size, partners, read_detail()) as feed, fresh_database(server) as url:
                    found[size].append(in_own_process(_land, feed, size, url))
    micros = {size: median(one.seconds / one.records for one in several) * 1e6 for size, several in found.items()}
    peaks = {size: median(one.peak for one in several) for size, several in found.items()}
    rows = tuple(
        (
            f"{size:,}",
            f"{several[0].records:,}",
            f"{median(one.seconds for one in several):.2f}",
            f"{micros[size]:.1f}",
            f"{peaks[size]:.0f}",
        )
        for size, several in found.items()
    )
    times = micros[sizes[-1]] / micros[sizes[0]]
    head = ("changes", "records fetched", "seconds", "µs a record", "peak MiB")
    return Measured(
        name="growth",
        title="As the number of changes grows",
        grids=(Grid(title=f"Landing changes, {rounds} rounds in turn, medians", head=head, rows=rows),),
        notes=(
            f"{sizes[-1]:,} changes take {times:.2f} times as long a record as {sizes[0]:,} and "
            f"{peaks[sizes[-1]] - peaks[sizes[0]]:+.0f} MiB. There are {_PARTNERS_A_CHANGE} partners for each change. "
            "Memory is that of the whole process; up to 100,000 changes are coalesced before they are landed.",
        ),
        goals=(
            Goal(
                wanted="the time for a record is flat within 10 %",
                found=f"{times:.2f} times",
                met=times <= _MOST_GROWTH,
            ),
        ),
        panels=(
            Panel(
                title="µs for a record, by changes",
                kind="lines",
                places=tuple(float(size) for size in sizes),
                values={"µs": tuple(micros.values())},
            ),
            Panel(
                title="Peak memory in MiB, by changes",
                kind="lines",
                places=tuple(float(size) for size in sizes),
                values={"MiB": tuple(peaks.values())},
            ),
        ),
        machine=Machine(load=(before, load_now())),
    )


def _land(feed: Feed, changes: int, database_url: str) -> Grown:
    landed = land(feed, changes, database_url)
    return Grown(landed.seconds, landed.records, peak_mib())
