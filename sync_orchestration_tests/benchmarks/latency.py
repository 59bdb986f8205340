"""How long a change in Flexi takes to be in Odoo, with the real services at their default settings."""

import random
import threading
from dataclasses import dataclass
from statistics import median
from time import monotonic, time

from sync_orchestration.components.settings import TriggerSettings
from sync_orchestration_tests.benchmarks.measured import Goal, Grid, Machine, Measured, load_now
from sync_orchestration_tests.benchmarks.running import Running, running, wait_until

CHANGES_A_ROUND = 4
_PARTNERS = 200
_PATIENCE = 300.0
_MOST_BEYOND_POLL = 5.0


@dataclass(frozen=True, slots=True)
class Arrived:
    """Seconds from a change until a sensor asked for a run, until the run's process worked, until Odoo held it."""

    noticed: float
    begun: float
    written: float


def poll_seconds() -> int:
    """Return how often a sensor asks its source when nobody says otherwise."""
    return TriggerSettings.model_validate({}).poll_seconds


def measure_latency(changes: int) -> Measured:
    """Make one change after the other, each after a rest of random length, up to a poll interval."""
    with running(_PARTNERS) as world:
        world.start()
        world.wait_for_first_syncs(1)
        return latency_of(world, changes, poll_seconds())


def latency_of(world: Running, changes: int, most_rest: float) -> Measured:
    """Measure in services that have done their first sync."""
    before, chance = load_now(), random.Random(7)
    troubled = {one for ids in world.flexi.planted.values() for one in ids}
    usual = [one for one in world.company.ids("adresar") if one not in troubled]
    found = []
    for number in range(changes):
        threading.Event().wait(chance.uniform(0, most_rest))
        found.append(_change(world, usual[number % len(usual)], f"Changed {number}"))
    return _told(found, Machine(load=(before, load_now())))


def _change(world: Running, one: int, name: str) -> Arrived:
    began, clock = monotonic(), time()
    world.company.update("adresar", one, {"nazev": name})
    partners = world.odoo.db.tables["res.partner"].rows
    if not wait_until(lambda: any(row["name"] == name for row in list(partners.values())), _PATIENCE):
        raise RuntimeError(f"the change {name!r} did not arrive; see {world.state / 'logs'}")
    written = monotonic() - began
    with world.instance() as instance:
        record = instance.get_run_records(limit=1)[0]
    wait_until(lambda: world.is_idle, _PATIENCE)
    return Arrived(record.create_timestamp.timestamp() - clock, (record.start_time or clock) - clock, written)


def _told(found: list[Arrived], machine: Machine) -> Measured:
    steps = {
        "until a sensor asked for a run": [one.noticed for one in found],
        "until the run's process worked": [one.begun for one in found],
        "until Odoo held the change": [one.written for one in found],
    }
    rows = tuple((step, f"{median(s):.1f}", f"{percentile(s, 0.95):.1f}", f"{max(s):.1f}") for step, s in steps.items())
    middle = median(one.written for one in found)
    most = poll_seconds() + _MOST_BEYOND_POLL
    return Measured(
        name="latency",
        title="From a change to the target",
        grids=(
            Grid(
                title=f"{len(found)} changes at random moments, default settings, polled every {poll_seconds()} s",
                head=("seconds from the change", "median", "95 %", "most"),
                rows=rows,
            ),
        ),
        goals=(
            Goal(
                wanted=f"a median of at most the poll interval and 5 s ({most:.0f} s)",
                found=f"{middle:.1f} s",
                met=middle <= most,
            ),
        ),
        machine=machine,
    )


def percentile(values: list[float], share: float) -> float:
    """Return the value that `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]
