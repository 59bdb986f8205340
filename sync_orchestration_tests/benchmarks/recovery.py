"""How long it takes until a sync is caught up again after one of the processes was killed, with no human act."""

import os
import signal
import sys
import time
from dataclasses import dataclass, field
from statistics import median
from typing import Literal

import dagster as dg

from sync_orchestration.sandbox.odoo import OdooSwitches
from sync_orchestration_tests.benchmarks.report import table
from sync_orchestration_tests.benchmarks.running import Part, Running, running, wait_until

PARTNERS = 2_000
CHANGED = 300
CREATED = 60
LATE = 20
"""Changed, made and pushed records that a run works on when the kill comes; changed, made and pushed ones after it."""

Moment = Literal["writing", "starting"]

_CASES: dict[str, tuple[Part | None, Moment]] = {
    "(none, for comparison)": (None, "writing"),
    "run worker": ("run worker", "writing"),
    "daemon": ("daemon", "writing"),
    "webserver": ("webserver", "writing"),
    "code server": ("code server", "writing"),
    "code server, run starting": ("code server", "starting"),
    "intake": ("intake", "writing"),
    "PostgreSQL": ("PostgreSQL", "writing"),
}
_PATIENCE = 400.0


@dataclass(slots=True)
class Wanted:
    """The name that each record is to have in Odoo, by its external id there."""

    names: dict[str, str] = field(default_factory=dict)
    unheard: list[str] = field(default_factory=list)

    def lost(self, world: Running) -> int:
        held = world.names()
        return sum(held.get(record) != name for record, name in self.names.items())


@dataclass(frozen=True, slots=True)
class Recovery:
    """Seconds from the kill until the part worked again, and until everything was caught up."""

    back: float
    caught_up: float
    lost: int
    doubled: int


def measure_recovery(rounds: int) -> str:
    """Kill each process in turn, `rounds` times; returns the table."""
    found: dict[str, list[Recovery]] = {case: [] for case in _CASES}
    with running(PARTNERS) as world:
        world.start()
        _wait_for_the_first_sync(world)
        for number in range(rounds):
            for turn, (case, (part, moment)) in enumerate(_CASES.items()):
                found[case].append(_kill(world, part, moment, f"{number}{turn}"))
                sys.stderr.write(f"{case}: {found[case][-1]}\n")
    return _table(found, rounds)


def _table(found: dict[str, list[Recovery]], rounds: int) -> str:
    rows = [
        (
            case,
            "" if _CASES[case][0] is None else f"{median(one.back for one in several):.0f}",
            f"{median(one.caught_up for one in several):.0f}",
            f"{max(one.caught_up for one in several):.0f}",
            sum(one.lost for one in several),
            sum(one.doubled for one in several),
        )
        for case, several in found.items()
    ]
    changes = CHANGED + 2 * CREATED + 3 * LATE
    head = ("killed", "back after (s)", "caught up after (s)", "at most (s)", "lost", "doubled")
    title = f"SIGKILL in the middle of a run: {changes} changes a round, medians of {rounds} rounds"
    return table(title, head, rows)


def _wait_for_the_first_sync(world: Running) -> None:
    refused = sum(len(ids) for ids in world.flexi.planted.values())
    if not wait_until(lambda: world.created >= PARTNERS - refused and world.unsettled == 0, _PATIENCE):
        raise RuntimeError(f"the first sync did not end; see {world.state / 'logs'}")


def _kill(world: Running, part: Part | None, moment: Moment, word: str) -> Recovery:
    """Let a run work on changes, kill, make more changes, and wait until Odoo holds all of them."""
    world.odoo.switches = OdooSwitches(simulate_costs=True)
    wanted = Wanted()
    doubled_before = world.doubled()
    _change(world, wanted, word, CHANGED, CREATED)
    _in_time(wait_until(lambda: _has_come(world, moment), 120), "no run began")
    killed = 0
    if part is not None:
        killed = world.pid(part) or 0
        _in_time(killed > 0, f"{part} does not run")
        os.kill(killed, signal.SIGKILL)
    began, clock = time.monotonic(), time.time()
    _change(world, wanted, f"{word}-late", LATE, LATE)
    back = caught_up = -1.0
    deadline = began + _PATIENCE
    while caught_up < 0 and time.monotonic() < deadline:
        if wanted.unheard and world.push(wanted.unheard, word):
            wanted.unheard = []
        if back < 0 and (part is None or wait_until(lambda: world.is_back(part, killed, clock), 0.15)):
            back = time.monotonic() - began
        if not wanted.unheard and wait_until(lambda: wanted.lost(world) == 0 and world.unsettled == 0, 0.15):
            caught_up = time.monotonic() - began
    if back < 0 and part is not None and wait_until(lambda: world.is_back(part, killed, clock), 60):
        back = time.monotonic() - began
    world.odoo.switches = OdooSwitches()
    return Recovery(back, caught_up, wanted.lost(world), world.doubled() - doubled_before)


def _has_come(world: Running, moment: Moment) -> bool:
    if moment == "starting":
        return bool(world.runs(dg.DagsterRunStatus.STARTING))
    return world.in_writing > 0 and world.pid("run worker") is not None


def _change(world: Running, wanted: Wanted, word: str, changed: int, created: int) -> None:
    """Rename partners, make new ones, and have a sender with records of his own."""
    troubled = {one for ids in world.flexi.planted.values() for one in ids}
    for one in [i for i in world.company.ids("adresar") if i not in troubled][:changed]:
        world.company.update("adresar", one, {"nazev": f"{one} {word}"})
        wanted.names[f"flexi_demo.adresar_{one}"] = f"{one} {word}"
    for number in range(created):
        name = f"new {number} {word}"
        made = world.company.create("adresar", {"kod": f"{number}-{word}"[:20].upper(), "nazev": name})
        wanted.names[f"flexi_demo.adresar_{made}"] = name
    keys = [f"{number}-{word}" for number in range(created)]
    said = word.removesuffix("-late")
    wanted.names |= {f"intake_partners.erp_{key}": f"{key} {said}" for key in keys}
    wanted.unheard += [] if world.push(keys, said) else keys


def _in_time(done: bool, otherwise: str) -> None:
    if not done:
        raise RuntimeError(otherwise)
