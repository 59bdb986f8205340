"""The real services of `dev`, whose processes are killed and whose disk is filled while people work."""

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import get_args

from sync_orchestration.sandbox.faults import FaultRule, Faults
from sync_orchestration_tests.benchmarks.running import SYNC, Part, Running, running, wait_until
from sync_orchestration_tests.faults.faulting import FAULTS, LASTING
from sync_orchestration_tests.faults.soak.disk import full, lasting_folder, small_disk

_PARTNERS = 500
_BEAT = 1.0  # seconds between two strokes of fate
_PARTS: tuple[Part, ...] = get_args(Part)
_KILL_EVERY = 20.0  # seconds; a service that dies five times within a minute ends `dev`, as it should
_FULL_FOR = 3.0  # seconds
_CALM_WITHIN = 600.0  # seconds
_HELD_FOR_AN_HOUR = {"Retry-After": "3600"}
_BRIEF = [one for one in FAULTS if one["kind"] not in LASTING and one.get("headers") != _HELD_FOR_AN_HOUR]
_COMMANDS = {
    "a run beside the sensor": ["-m", "sync_orchestration.cli", "run", SYNC],
    "a retry beside the sensor": ["-m", "sync_orchestration.cli", "retry", SYNC],
    "a second daemon": ["-m", "dagster._daemon", "run", "-w", "dagster/workspace.yaml"],
}


@dataclass
class _House:
    """What people want, and what was done to it."""

    world: Running
    chance: random.Random
    names: dict[str, str] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    unheard: dict[str, str] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)
    changes: int = 0
    beside: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    # People

    def work(self) -> None:
        company, chance = self.world.company, self.chance
        troubled = {one for ids in self.world.flexi.planted.values() for one in ids}
        usual = [one for one in company.ids("adresar") if one not in troubled]
        for one in chance.sample(usual, chance.randint(0, 12)):
            self.changes += 1
            name = f"{one} changed {self.changes}"
            company.update("adresar", one, {"nazev": name})
            self.names[f"flexi_demo.adresar_{one}"] = name
        for _ in range(chance.randint(0, 2)):
            self.changes += 1
            made = company.create("adresar", {"kod": f"SOAK{self.changes}", "nazev": f"made {self.changes}"})
            self.names[f"flexi_demo.adresar_{made}"] = f"made {self.changes}"
        if chance.random() < 0.2:
            self.changes += 1
            key = chance.choice(usual)
            company.delete("adresar", key)
            self.names.pop(f"flexi_demo.adresar_{key}", None)
            self.gone.add(f"flexi_demo.adresar_{key}")
        for _ in range(chance.randint(0, 3)):
            self.changes += 1
            self.unheard[f"K{chance.randrange(200)}"] = str(self.changes)
        self.push()

    def push(self) -> None:
        """Push what nobody has acknowledged yet, as a sender does who was given no answer."""
        for word in sorted(set(self.unheard.values())):
            keys = [key for key, its in self.unheard.items() if its == word]
            if not self.world.push(keys, word):
                return
            for key in keys:
                self.names[f"intake_partners.erp_{key}"] = f"{key} {word}"
                del self.unheard[key]

    # Fate

    def break_requests(self) -> None:
        fault = self.chance.choice(_BRIEF)
        rule = FaultRule.model_validate(
            {**fault, "times": self.chance.randint(1, 4), "skip": self.chance.randint(0, 5)}
        )
        self.chance.choice(self._faults()).add(rule)

    def kill(self) -> None:
        part = self.chance.choice(_PARTS)
        with suppress(Exception):  # whom one cannot find, as the database is away just now, one cannot kill
            if pid := self.world.pid(part):
                os.kill(pid, signal.SIGKILL)
                self.done[f"{part} killed"] += 1

    def fill_disk(self) -> None:
        if disk := small_disk():
            with full(disk):
                threading.Event().wait(_FULL_FOR)
            self.done["disk full"] += 1

    def let_somebody_else_in(self) -> None:
        """Another process does the same work beside the services."""
        what = self.chance.choice(sorted(_COMMANDS))
        settings = {"DAGSTER_HOME": str(self.world.state / "dagster"), "SYNC_POSTGRES_URL": self.world.url}
        command = [sys.executable, "-W", "ignore", *_COMMANDS[what]]
        with (self.world.state / "beside.log").open("ab") as log:
            self.beside.append(
                subprocess.Popen(command, cwd=self.world.state, env={**os.environ, **settings}, stdout=log, stderr=log)
            )
        self.done[what] += 1

    def send_others_away(self) -> None:
        for one in self.beside:
            one.kill()
            one.wait()
        self.beside.clear()

    def calm_down(self) -> None:
        self.send_others_away()
        for faults in self._faults():
            faults.clear()

    def _faults(self) -> list[Faults]:
        return [self.world.flexi.faults, self.world.odoo.faults]

    # Judgement

    def wrong(self) -> list[str]:
        held, active = self.world.names(), self.world.active()
        lost = [
            f"lost: {key} is {held.get(key)!r}, not {name!r}"
            for key, name in self.names.items()
            if held.get(key) != name
        ]
        lost += [f"lost: {key} is not archived" for key in self.gone if key in active]
        doubled = self.world.doubled()
        return [*lost, *([f"doubled: {doubled}"] if doubled else []), *self._unexplained()]

    def _unexplained(self) -> list[str]:
        if unsettled := self.world.unsettled:
            return [f"lost: {unsettled} rows are not settled"]
        silent = self.world.value(
            "SELECT count(*) FROM sync.interface_row WHERE status = 'failed' AND error_message IS NULL"
        )
        return [f"lost: {silent} rows failed without a reason"] if silent else []


def soak_house(minutes: float, chance: random.Random, say: Callable[[str], None]) -> list[str]:
    """Kill, break and fill for so long, judge, tell the table; returns what is wrong."""
    with running(_PARTNERS) as world:
        world.start()
        house = _House(world, chance)
        planted = sum(len(ids) for ids in world.flexi.planted.values())
        if not wait_until(lambda: world.created >= _PARTNERS - planted and world.unsettled == 0, _CALM_WITHIN):
            return [f"the first sync did not end; {_keep_words(world)}"]
        ended = _bad_times(house, minutes * 60)
        say("the faults stop, the services may catch up")
        house.calm_down()
        wrong = [] if ended is None else [ended]
        wrong += _when_calm(house)
        injected = sum((faults.injected for faults in (world.flexi.faults, world.odoo.faults)), Counter[str]())
        say(f"services of dev: {house.changes} changes, {len(house.names) + len(house.gone)} records touched")
        say("| done to them | times |")
        say("| --- | --: |")
        for what, times in sorted({**house.done, **{f"request: {kind}": n for kind, n in injected.items()}}.items()):
            say(f"| {what} | {times} |")
        lost = sum(one.startswith("lost") for one in wrong)
        say(f"lost {lost}, doubled {sum(one.startswith('doubled') for one in wrong)}")
        return [f"services: {one}" for one in (*wrong, *([_keep_words(world)] if wrong else []))]


def _bad_times(house: _House, seconds: float) -> str | None:
    """Let people work and everything break; returns why it is over before its time, if it is."""
    began, pace = time.monotonic(), threading.Event()
    kills = fulls = others = 0
    while (passed := time.monotonic() - began) < seconds:
        house.work()
        if house.chance.random() < 0.1:
            house.break_requests()
        if passed > (kills + 1) * _KILL_EVERY:
            kills += 1
            house.kill()
        if passed > (fulls + 0.5) * 6 * _KILL_EVERY:
            fulls += 1
            house.fill_disk()
        if passed > (others + 0.5) * 2 * _KILL_EVERY:
            others += 1
            house.send_others_away()
            with suppress(Exception):  # nobody else comes while the database is away
                house.let_somebody_else_in()
        dev = house.world.dev
        if dev is not None and dev.poll() is not None:
            return f"dev ended by itself after {passed:.0f} s with {dev.returncode}"
        pace.wait(_BEAT)
    return None


def _when_calm(house: _House) -> list[str]:
    """Wait until all is caught up, with what had failed for good by a fault tried again, as a person would do."""
    world = house.world

    def all_right() -> bool:
        house.push()
        return not house.unheard and not house.wrong()

    # A sync that has failed three times waits for ten minutes, or for a person; a flood of deletes for a person's word.
    for sync in (SYNC, "intake_partners"):
        wait_until(lambda sync=sync: world.command("run", sync), _CALM_WITHIN)  # type: ignore[misc]
        wait_until(lambda sync=sync: world.command("retry", "--confirm-deletes", sync), _CALM_WITHIN)  # type: ignore[misc]
    wait_until(all_right, _CALM_WITHIN)
    return house.wrong()


def _keep_words(world: Running) -> str:
    kept = lasting_folder()
    shutil.copytree(world.state / "logs", kept / "logs")
    for name in ("dev.log", "beside.log"):
        with suppress(FileNotFoundError):
            shutil.copy(world.state / name, kept / name)
    return f"what the services said is in {kept}"
