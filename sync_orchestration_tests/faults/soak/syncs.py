"""``python -m sync_orchestration_tests.faults.soak --minutes 10 --seed 1``: see `docs/reliability.md`, Convergence.

Exit code 1 when anything was lost or doubled.
"""

import argparse
import os
import random
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

import psycopg

from sync_orchestration.interface.database import DatabaseError, connect
from sync_orchestration.pipeline.errors import SyncError
from sync_orchestration_tests.faults import judging
from sync_orchestration_tests.faults.faulting import FAULTS, fault_rule
from sync_orchestration_tests.faults.soak.box import Box
from sync_orchestration_tests.faults.watching import shipped_connections
from sync_orchestration_tests.faults.working import Process, shipped_settings
from sync_orchestration_tests.faults.worlds import WORLDS, Picture

_SYNCS = sorted(WORLDS, key=lambda sync: len(WORLDS[sync].upstream))  # those that others follow come first
_BEAT = 0.25  # seconds between two strokes of fate
_DATABASE_KILLS = 4
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


def soak(minutes: float, seed: int, records: int) -> int:
    """Run, judge, print the table; returns the exit code."""
    chance, tallies = random.Random(seed), {sync: Tally() for sync in _SYNCS}
    _say(f"soak: {minutes:g} minutes, seed {seed}, {records} records in each source to begin with")
    box = Box.open(records)
    try:
        database_kills = _bad_times(box, chance, tallies, minutes * 60)
        _say(f"the database was killed {database_kills} times; the faults stop, everything may settle")
        box.mend()
        box.dismiss()
        for sync in _SYNCS:
            _judge(box, sync, tallies[sync])
    finally:
        box.close()
    _print_table(tallies)
    for crash in sorted(set(box.crashed)):
        _say(f"CRASHED {crash}")
    wrong = [f"{sync}: {one}" for sync, tally in tallies.items() for one in (*tally.lost, *tally.doubled)]
    for one in wrong:
        _say(f"WRONG {one}")
    return 1 if wrong or box.crashed else 0


def _bad_times(box: Box, chance: random.Random, tallies: dict[str, Tally], seconds: float) -> int:
    """Let people work and everything break until the time is over; returns how often the database was killed."""
    began, killed, pace = time.monotonic(), 0, threading.Event()
    for sync in _SYNCS:
        box.hire(sync, chance.randrange(1_000_000))
    while (passed := time.monotonic() - began) < seconds:
        sync = chance.choice(_SYNCS)
        tally = tallies[sync]
        for _ in range(chance.randint(1, 4)):
            deed = (chance.choice(WORLDS[sync].deeds), chance.randrange(10_000), chance.randrange(16))
            tally.changes += bool(box.ask(sync, "do", deed=deed))
        if chance.random() < 0.5:
            system = chance.choice(sorted(box.urls[sync]))
            numbers = chance.randrange(len(FAULTS)), chance.randrange(6), chance.randrange(6)
            rule = fault_rule(*numbers, believed=system == WORLDS[sync].target == "rest")
            box.break_requests(sync, system, rule)
        if chance.random() < 0.2 and box.workers.get(sync):
            box.kill(sync, chance.randrange(10))
            tally.kills += 1
        if passed > (killed + 1) * seconds / (_DATABASE_KILLS + 1):
            box.kill_database()
            killed += 1
        for one in _SYNCS:
            # Mostly one at work, at times two at the same sync.
            wanted = 2 if chance.random() < 0.1 else 1
            while box.bury(one) < wanted:
                box.hire(one, chance.randrange(1_000_000))
        if chance.random() < 0.05:
            box.mend()
            box.let_time_pass()
        pace.wait(_BEAT)
    return killed


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
                process = Process(conn, shipped_settings(sync, small=False), shipped_connections())
                process.until_idle() if run == "until_idle" else getattr(process, run)(0)
        except (SyncError, DatabaseError, psycopg.OperationalError) as error:
            problem = error
        else:
            return
    raise RuntimeError(f"{sync} does not come to rest: {problem}")


def _print_table(tallies: dict[str, Tally]) -> None:
    _say("| sync | records | changes | faults injected | kills | lost | doubled | failed | skipped | unlogged |")
    _say("| --- | --: | --: | --- | --: | --: | --: | --: | --: | --: |")
    for sync, t in tallies.items():
        faults = ", ".join(f"{number} {kind}" for kind, number in sorted(t.injected.items()))
        _say(
            f"| {sync} | {t.records} | {t.changes} | {faults} | {t.kills} | {len(t.lost)} | {len(t.doubled)} | "
            f"{t.failed} | {t.skipped} | {t.unlogged} |"
        )


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--records", type=int, default=60)
    given = parser.parse_args()
    seed = random.SystemRandom().randrange(1_000_000) if given.seed is None else given.seed
    sys.exit(soak(given.minutes, seed, given.records))


if __name__ == "__main__":
    main()
