"""Two hundred thousand changes that happened while nothing ran here, caught up by the sensor of the real services."""

import sys
import time

import dagster as dg

from sync_orchestration_tests.benchmarks.report import table
from sync_orchestration_tests.benchmarks.running import SYNC, Running, running, wait_until

PARTNERS = 10_000
CHANGES = 200_000
_PATIENCE = 1_800.0


def measure_outage() -> str:
    """Sync a company, stop, let it live on, start again; returns the table of what it took to catch up."""
    with running(PARTNERS) as world:
        world.start()
        refused = sum(len(ids) for ids in world.flexi.planted.values())
        if not wait_until(lambda: world.created >= PARTNERS - refused and world.is_caught_up, _PATIENCE):
            raise RuntimeError(f"the first sync did not end; see {world.state / 'logs'}")
        before = len(world.runs())
        names = world.names()
        world.stop()
        renamed = _live_on(world)
        sys.stderr.write(f"{CHANGES} changes made, {len(renamed)} of them new names; starting again\n")
        began = time.monotonic()
        world.start()
        served = time.monotonic() - began
        if not wait_until(lambda: world.is_caught_up, _PATIENCE):
            raise RuntimeError(f"it did not catch up; see {world.state / 'logs'}")
        seconds = time.monotonic() - began
        runs = len(world.runs()) - before
        windows = _windows_of_a_run(world)
        held = world.names()
    lost = sum(held.get(record) != name for record, name in renamed.items()) + len(names.keys() - held.keys())
    rows = [
        ("services answer after (s)", f"{served:.0f}"),
        ("runs", runs),
        ("windows in the largest run", windows),
        ("caught up after (s)", f"{seconds:.0f}"),
        ("changes a second", f"{CHANGES / seconds:,.0f}"),
        ("lost", lost),
        ("doubled", world.doubled()),
    ]
    title = f"{CHANGES:,} changes of {PARTNERS:,} partners during an outage, {len(renamed):,} of them new names"
    return table(title, ("after the restart", ""), rows)


def _live_on(world: Running) -> dict[str, str]:
    """Let every partner get a new name among the many changes; returns the names by external id."""
    troubled = {one for ids in world.flexi.planted.values() for one in ids}
    usual = [one for one in world.company.ids("adresar") if one not in troubled]
    renamed = {}
    bursts = 20
    for burst in range(bursts):
        for one in usual[burst::bursts]:
            world.company.update("adresar", one, {"nazev": f"{one} after the outage"})
            renamed[f"flexi_demo.adresar_{one}"] = f"{one} after the outage"
        world.company.bulk_changes((CHANGES - len(usual)) // bursts, PARTNERS)
    return renamed


def _windows_of_a_run(world: Running) -> int:
    with world.instance() as instance:
        newest = instance.get_runs(dg.RunsFilter(tags={"sync/name": SYNC}))
        ranges = [
            (run.tags.get("dagster/asset_partition_range_start"), run.tags.get("dagster/asset_partition_range_end"))
            for run in newest
        ]
    return max((int(end) - int(start)) // 10_000 + 1 for start, end in ranges if start and end)
