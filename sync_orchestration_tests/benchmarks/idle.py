"""What it costs when nothing happens: requests and processor time of the real services with several syncs polling."""

import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

import psutil

from sync_orchestration_tests.benchmarks.latency import poll_seconds
from sync_orchestration_tests.benchmarks.many_syncs import copy_package
from sync_orchestration_tests.benchmarks.measured import Grid, Machine, Measured, load_now
from sync_orchestration_tests.benchmarks.running import Running, running, wait_until

SYNCS = 10
_PARTNERS = 50
_PATIENCE = 60.0
_PARTS = {
    "code server (sensors)": "code-server start",
    "code server's worker": "api grpc",
    "daemon": "dagster._daemon run",
    "web server": "dagster_webserver",
    "intake": "cli intake",
    "PostgreSQL": "postgres",
}


def measure_idle(syncs: int = SYNCS, *, minutes: float) -> Measured:
    """Let the syncs do their first run, then look for some minutes at what goes on."""
    with TemporaryDirectory(prefix="sync-") as folder:
        copy_package(Path(folder), syncs)
        with running(_PARTNERS, Path(folder)) as world:
            world.start()
            world.wait_for_first_syncs(syncs)
            return idle_cost(world, syncs, minutes)


def idle_cost(world: Running, syncs: int, minutes: float) -> Measured:
    """Measure what the services take while nothing happens."""
    # What a process of a run used is its parent's when it has ended, so it must not be seen at the beginning only.
    if not wait_until(lambda: not _runs(world), _PATIENCE):
        raise RuntimeError("the processes of the first runs did not end")
    load_before = load_now()
    used = _processor(world)
    asked = {"Flexi": world.flexi.faults, "Odoo": world.odoo.faults}
    requests = {name: faults.requests.total() for name, faults in asked.items()}
    began = monotonic()
    threading.Event().wait(minutes * 60)
    hours = (monotonic() - began) / 3_600
    spent = _processor(world)
    seconds = {part: (spent[part] - used[part]) / hours for part in spent}
    memory = _memory(world)
    rows = tuple(
        (part, f"{seconds[part]:,.0f}", f"{seconds[part] / 36:.1f} %", f"{memory[part]:,.0f}")
        for part in (*_PARTS, "others")
        if part in seconds
    )
    whole = sum(seconds.values())
    total = ("all together", f"{whole:,.0f}", f"{whole / 36:.1f} %", f"{sum(memory.values()):,.0f}")
    told = ", ".join(
        f"{(faults.requests.total() - requests[name]) / hours:,.0f} to {name}" for name, faults in asked.items()
    )
    return Measured(
        name="idle",
        title="While nothing happens",
        grids=(
            Grid(
                title=f"{syncs} syncs, polled every {poll_seconds()} s, for {minutes:g} minutes, scaled to an hour",
                head=("", "CPU s an hour", "of one core", "MiB"),
                rows=(*rows, total),
            ),
        ),
        notes=(f"Requests an hour: {told}. MiB is memory of its own (USS) where the system tells that.",),
        machine=Machine(load=(load_before, load_now())),
    )


def _processor(world: Running) -> Counter[str]:
    """Return the seconds of processor that each part and its ended children have used."""
    used: Counter[str] = Counter()
    for process in _processes(world):
        with suppress(psutil.Error):
            times = process.cpu_times()
            part = _part(process)
            used[part] += 0  # a part may have used nothing
            used[part] += times.user + times.system + times.children_user + times.children_system  # type: ignore[assignment]
    return used


def _runs(world: Running) -> list[psutil.Process]:
    return [process for process in _processes(world) if "spawn_main" in " ".join(process.cmdline())]


def _memory(world: Running) -> Counter[str]:
    held: Counter[str] = Counter()
    for process in _processes(world):
        with suppress(psutil.Error):
            held[_part(process)] += process.memory_full_info().uss / (1 << 20)  # type: ignore[assignment]
    return held


def _processes(world: Running) -> list[psutil.Process]:
    roots = [world.dev.pid if world.dev else None, world.pid("PostgreSQL")]
    found: dict[int, psutil.Process] = {}
    for pid in filter(None, roots):
        with suppress(psutil.Error):
            root = psutil.Process(pid)
            found |= {process.pid: process for process in [root, *root.children(recursive=True)]}
    return list(found.values())


def _part(process: psutil.Process) -> str:
    line = " ".join(process.cmdline())
    if "keeper.py" in line:
        return "others"
    return next((part for part, words in _PARTS.items() if words in line), "others")
