"""From Flexi into Odoo, end to end: ours, a script that takes one record after the other, and bare batches.

Ours twice: as it runs, which asks the change feed, and by a full read, which compares everything as the others do.

Odoo is the stand-in, which takes as long for each call as real servers were measured to take.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter

import requests

from sync_orchestration.interface.database import connect
from sync_orchestration.interface.rows import Scope
from sync_orchestration.pipeline.land import order_full_read
from sync_orchestration_tests.benchmarks.measured import Goal, Grid, Machine, Measured, Panel, load_now
from sync_orchestration_tests.benchmarks.one_by_one import BareBatches, OneByOne
from sync_orchestration_tests.benchmarks.product import open_source, open_target
from sync_orchestration_tests.benchmarks.stand_ins import (
    PASSWORD,
    USER,
    demo_pair,
    fresh_database,
    in_own_process,
    postgres,
)

RECORDS = 1_000
SCRIPT_RECORDS = 100
"""A script takes so long that it is given fewer; seconds are told for a thousand records of each."""

PASSES = {"first load": None, "0 % changed": 0.0, "10 % changed": 0.1, "100 % changed": 1.0}
_VERSION = 19
_LEAST_FASTER, _LEAST_FASTER_UNCHANGED = 20, 100

AS_IT_RUNS, FULL_READ, SCRIPT, BARE = "ours, as it runs", "ours, full read", "one by one", "bare batches"


@dataclass(frozen=True, slots=True)
class Written:
    """What each pass took for a thousand records, in seconds, and the partners' names by external id at the end."""

    seconds: tuple[float, ...]
    names: dict[str, str]


def measure_into_odoo(
    rounds: int, records: int = RECORDS, script_records: int = SCRIPT_RECORDS, cost_scale: float = 1.0
) -> Measured:
    """Let each do all passes on a Flexi and an Odoo of its own, in turn."""
    before = load_now()
    ways: dict[str, tuple[Callable[[str, str, str, int], Written], int]] = {
        AS_IT_RUNS: (_by_feed, records),
        FULL_READ: (_by_full_read, records),
        SCRIPT: (_script, script_records),
        BARE: (_bare, records),
    }
    found: dict[str, list[Written]] = {name: [] for name in ways}
    with postgres() as server:
        for number in range(rounds):
            for name in list(ways) if number % 2 else reversed(ways):
                work, size = ways[name]
                with demo_pair(size, _VERSION, cost_scale) as (flexi, odoo), fresh_database(server) as url:
                    found[name].append(in_own_process(work, flexi, odoo, url, size))
    return _told(found, records, script_records, Machine(load=(before, load_now())))


def _by_feed(flexi_url: str, odoo_url: str, database_url: str, records: int) -> Written:
    return _ours(flexi_url, odoo_url, database_url, records, full_reads=False)


def _by_full_read(flexi_url: str, odoo_url: str, database_url: str, records: int) -> Written:
    return _ours(flexi_url, odoo_url, database_url, records, full_reads=True)


def _ours(flexi_url: str, odoo_url: str, database_url: str, records: int, *, full_reads: bool) -> Written:
    source = open_source(flexi_url)
    with connect(database_url) as conn:

        def write_all() -> None:
            if full_reads:
                order_full_read(conn, "flexi_partners")
            source.reader(conn).bring_up_to_date()
            open_target(odoo_url).writer(conn).write(Scope())

        return _passes(write_all, flexi_url, odoo_url, records)


def _script(flexi_url: str, odoo_url: str, database_url: str, records: int) -> Written:
    return _passes(OneByOne(open_source(flexi_url), open_target(odoo_url)).write_all, flexi_url, odoo_url, records)


def _bare(flexi_url: str, odoo_url: str, database_url: str, records: int) -> Written:
    return _passes(BareBatches(open_source(flexi_url), open_target(odoo_url)).write_all, flexi_url, odoo_url, records)


def _passes(write_all: Callable[[], None], flexi_url: str, odoo_url: str, records: int) -> Written:
    seconds = []
    for what, share in PASSES.items():
        rename(flexi_url, range(1, round(records * (share or 0)) + 1), what)
        started = perf_counter()
        write_all()
        seconds.append((perf_counter() - started) * 1_000 / records)
    return Written(tuple(seconds), _names(odoo_url))


def rename(flexi_url: str, ids: Sequence[int], suffix: str) -> None:
    """Give partners another name."""
    if not ids:
        return
    body = {"winstrom": {"adresar": [{"id": str(one), "nazev": f"Renamed {one} {suffix}"} for one in ids]}}
    answer = requests.put(f"{flexi_url}/c/demo/adresar.json", json=body, auth=(USER, PASSWORD), timeout=60)
    answer.raise_for_status()


def _names(odoo_url: str) -> dict[str, str]:
    """Return the name of each partner that is linked to a record of Flexi."""
    client = open_target(odoo_url).target.client
    links = client.call(
        "ir.model.data", "search_read", domain=[["module", "=", "flexi_demo"]], fields=["name", "res_id"]
    )
    domain = [["id", "in", [link["res_id"] for link in links]]]
    context = {"active_test": False}
    partners = client.call("res.partner", "search_read", domain=domain, fields=["name"], context=context)
    names = {partner["id"]: str(partner["name"]) for partner in partners}
    return {str(link["name"]): names[link["res_id"]] for link in links}


def _told(found: dict[str, list[Written]], records: int, script_records: int, machine: Machine) -> Measured:
    rows, goals = [], []
    ratios: dict[str, list[float]] = {AS_IT_RUNS: [], FULL_READ: []}
    for place, what in enumerate(PASSES):
        seconds = {name: [one.seconds[place] for one in several] for name, several in found.items()}
        for name, several in ratios.items():
            several.append(median(a / b for a, b in zip(seconds[SCRIPT], seconds[name], strict=True)))
        over = median(a / b for a, b in zip(seconds[FULL_READ], seconds[BARE], strict=True))
        faster = tuple(f"{several[-1]:,.1f}" for several in ratios.values())
        rows.append((what, *(f"{median(one):.2f}" for one in seconds.values()), *faster, f"{over:.2f}"))
        least = _LEAST_FASTER_UNCHANGED if PASSES[what] == 0.0 else _LEAST_FASTER
        reached = ratios[AS_IT_RUNS][-1]
        wanted = f"{what}: at least {least} times as fast as one by one"
        goals.append(Goal(wanted=wanted, found=f"{reached:,.1f} as it runs", met=reached >= least))
    head = ("seconds for 1,000 records", *found, "faster: as it runs", "full read", "full read, bare = 1")
    title = f"From Flexi into Odoo {_VERSION}, {len(found[SCRIPT])} rounds in turn, medians"
    compared = [name for name in found if name != SCRIPT or records == script_records]
    ends = {frozenset(one.names.items()) for name in compared for one in found[name]}
    return Measured(
        name="into_odoo",
        title="From Flexi into Odoo",
        grids=(Grid(title=title, head=head, rows=tuple(rows)),),
        notes=(
            f"Ours and the bare batches had {records:,} records, one by one {script_records:,}. As it runs, ours asks "
            "Flexi's change feed and its own table what changed; by a full read it compares every record with Odoo, as "
            "the others do in each pass. The script searches, then writes each record, changed or not, as such scripts "
            "do. Odoo takes for each call what was measured on a real one: to load a row that changes takes it 21 ms, "
            "so where all rows change nobody's batches help much.",
            f"The same partners are in Odoo in the end ({', '.join(compared)}): {'yes' if len(ends) == 1 else 'NO'}.",
        ),
        goals=tuple(goals),
        panels=(
            Panel(
                title="Odoo: times as fast as one by one",
                kind="bars",
                places=tuple(PASSES),
                values={name: tuple(several) for name, several in ratios.items()},
            ),
        ),
        machine=machine,
    )
