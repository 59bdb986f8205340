"""Workers of every sync, without Dagster: killed at random, two at times, on systems and a database that break."""

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import psycopg

from sync_orchestration.interface.database import DatabaseError, connect
from sync_orchestration.pipeline.errors import SyncError
from sync_orchestration_tests.faults import judging
from sync_orchestration_tests.faults.faulting import FAULTS, fault_rule
from sync_orchestration_tests.faults.soak.box import TIMEOUT, Box
from sync_orchestration_tests.faults.watching import brisk_connections
from sync_orchestration_tests.faults.working import Process, shipped_settings
from sync_orchestration_tests.faults.worlds import WORLDS, Picture

_SYNCS = sorted(WORLDS, key=lambda sync: len(WORLDS[sync].upstream))  # those that others follow come first
_BEAT = 0.25  # seconds between two strokes of fate
_LEAST_DATABASE_KILLS = 4
_DATABASE_KILL_EVERY = 120.0  # seconds
_FULL_FOR = 3.0  # seconds
_ROUNDS = 20


@dataclass
class Tally:
    """What was done to one sync, and what came of it."""

    changes: int = 0
    kills: int = 0
    injected: Counter[str] = field(default_factory=Counter)
    records: int = 0
    failed: int = 0
    skipped: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    unlogged: int = 0


def soak_syncs(minutes: float, chance: random.Random, records: int, say: Callable[[str], None]) -> list[str]:
    """Let everything break for so long, judge, tell the table; returns what is wrong."""
    tallies, before = {sync: Tally() for sync in _SYNCS}, dict(os.environ)
    box = Box.open(records)
    try:
        _bad_times(box, chance, tallies, minutes * 60)
        say(
            f"{box.killed} workers and {box.database_kills} postmasters were killed, the disk was full {box.full} times"
        )
        say("the faults stop, everything may settle")
        box.mend()
        box.dismiss()
        for sync in _SYNCS:
            _judge(box, sync, tallies[sync])
    finally:
        box.close()
        os.environ.clear()
        os.environ.update(before)
    _tell_table(tallies, say)
    wrong = [f"{sync}: {one}" for sync, tally in tallies.items() for one in (*tally.lost, *tally.doubled)]
    return [*wrong, *sorted(set(box.crashed))]


def _bad_times(box: Box, chance: random.Random, tallies: dict[str, Tally], seconds: float) -> None:
    """Let people work and everything break until the time is over."""
    began, pace = time.monotonic(), threading.Event()
    kills = max(_LEAST_DATABASE_KILLS, round(seconds / _DATABASE_KILL_EVERY))
    for sync in _SYNCS:
        box.hire(sync, chance.randrange(1_000_000))
    while (passed := time.monotonic() - began) < seconds:
        _strike(box, chance, tallies)
        if passed > (box.database_kills + 1) * seconds / (kills + 1):
            box.kill_database()
        if passed > (box.full + 0.5) * seconds / kills:
            box.fill_disk(_FULL_FOR)
        for one in _SYNCS:
            # Mostly one at work, at times two at the same sync.
            wanted = 2 if chance.random() < 0.1 else 1
            while box.bury(one) < wanted:
                box.hire(one, chance.randrange(1_000_000))
        if chance.random() < 0.05:
            box.mend()
            box.let_time_pass()
        pace.wait(_BEAT)


def _strike(box: Box, chance: random.Random, tallies: dict[str, Tally]) -> None:
    """Let people change something in the world of one sync, and perhaps something break."""
    sync = chance.choice(_SYNCS)
    tally = tallies[sync]
    for _ in range(chance.randint(1, 4)):
        deed = (chance.choice(WORLDS[sync].deeds), chance.randrange(10_000), chance.randrange(16))
        tally.changes += bool(box.ask(sync, "do", deed=deed))
    if chance.random() < 0.5:
        system = chance.choice(sorted(box.urls[sync]))
        numbers = chance.randrange(len(FAULTS)), chance.randrange(6), chance.randrange(6)
        rule = fault_rule(*numbers, believed=system == WORLDS[sync].target == "rest", timeout=TIMEOUT)
        box.break_requests(sync, system, rule)
    if chance.random() < 0.2 and box.workers.get(sync):
        box.kill(sync, chance.randrange(10))
        tally.kills += 1


def _judge(box: Box, sync: str, tally: Tally) -> None:
    """Let one sync come to rest, and compare."""
    box.ask(sync, "settle")
    os.environ.update(box.environment(sync))
    inventory = shipped_settings(sync, small=False).source.inventory_cron is not None
    runs = ["until_idle", *(["only_inventory", "until_idle"] if inventory else []), "only_everything", "until_idle"]
    for run in runs:
        _undisturbed(box, sync, run)
    told = box.ask(sync, "picture")
    sets = {name: set(told[name]) for name in ("refused", "skipped", "either", "leftover", "touched", "untold")}
    picture = Picture(told["wanted"], told["found"], doubled=told["doubled"], **sets)
    with connect(box.url) as conn:
        rows, tried = judging.fates(conn, sync), judging.attempts(conn, sync)
    wrong = judging.faults_of(picture, rows, untold=True, touched=WORLDS[sync].full_read_heals)
    tally.doubled = [one for one in wrong if one.startswith("doubled")]
    tally.lost = [one for one in wrong if not one.startswith("doubled")]
    tally.records = len(rows)
    tally.failed = sum(row.status == "failed" and bool(row.message) for row in rows.values())
    tally.skipped = sum(row.status == "skipped" for row in rows.values())
    tally.unlogged = sum(key not in tried for key in box.ask(sync, "written"))
    # A system of two syncs is counted for the one that others follow.
    counted = {name for above in WORLDS[sync].upstream for name in shipped_settings(above).connections}
    for system, kinds in box.injected(sync).items():
        if system in set(shipped_settings(sync).connections) - counted:
            tally.injected.update(kinds)


def _undisturbed(box: Box, sync: str, run: str) -> None:
    problem: Exception | None = None
    for _ in range(_ROUNDS):
        box.let_time_pass()
        try:
            with connect(box.url) as conn:
                process = Process(conn, shipped_settings(sync, small=False), brisk_connections(TIMEOUT))
                process.until_idle() if run == "until_idle" else getattr(process, run)(0)
        except (SyncError, DatabaseError, psycopg.OperationalError) as error:
            problem = error
        else:
            return
    raise RuntimeError(f"{sync} does not come to rest: {problem}")


def _tell_table(tallies: dict[str, Tally], say: Callable[[str], None]) -> None:
    say("| sync | records | changes | faults injected | kills | lost | doubled | failed | skipped | unlogged |")
    say("| --- | --: | --: | --- | --: | --: | --: | --: | --: | --: |")
    for sync, t in tallies.items():
        faults = ", ".join(f"{number} {kind}" for kind, number in sorted(t.injected.items()))
        say(
            f"| {sync} | {t.records} | {t.changes} | {faults} | {t.kills} | {len(t.lost)} | {len(t.doubled)} | "
            f"{t.failed} | {t.skipped} | {t.unlogged} |"
        )
