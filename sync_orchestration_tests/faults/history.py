"""A machine that makes histories of one sync: people, faults, kills and rivals in any order, and then the judgement."""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, ClassVar

import psycopg
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from sync_orchestration.components.connections import Connection
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.interface.database import connect
from sync_orchestration.pipeline.errors import SyncError
from sync_orchestration_tests.faults import judging
from sync_orchestration_tests.faults.faulting import FAULTS, fault_rule, patience_on
from sync_orchestration_tests.faults.stages import Stages
from sync_orchestration_tests.faults.watching import nothing
from sync_orchestration_tests.faults.working import RUNS, Conn, Process, shipped_settings
from sync_orchestration_tests.faults.worlds import WORLDS, Deed, World

MOST_CALM_ROUNDS = 12
WHILE_WRITING = 1_000
"""A disturbance with a number from here on is before the n-th request that is sent while rows are claimed."""


class KilledError(BaseException):
    """The process ends here; like KeyboardInterrupt it is nobody's to catch."""


@dataclass(frozen=True)
class Disturbance:
    """What happens just before one request of a run: a kill, a deed, or the run of a rival after a deed."""

    what: str
    deed: Deed
    run: str = "sync"


NUMBER = st.integers(0, 15)


def deeds(sync: str) -> st.SearchStrategy[Deed]:
    return st.builds(Deed, st.sampled_from(WORLDS[sync].deeds), NUMBER, NUMBER)


def days(sync: str) -> st.SearchStrategy["Day"]:
    disturbance = st.builds(
        Disturbance, st.sampled_from(["kill", "rival", "deed"]), deeds(sync), st.sampled_from(sorted(set(RUNS)))
    )
    return st.builds(
        Day,
        st.lists(deeds(sync), min_size=1, max_size=4),
        st.lists(st.tuples(NUMBER, st.integers(0, len(FAULTS) - 1), st.integers(0, 5), st.integers(0, 9)), max_size=2),
        st.sampled_from(RUNS),
        NUMBER,
        st.dictionaries(
            st.one_of(st.integers(1, 30), st.integers(WHILE_WRITING + 1, WHILE_WRITING + 8)), disturbance, max_size=2
        ),
    )


@dataclass(frozen=True)
class Day:
    """What people do, what breaks (system, fault, times, skip), what runs, and what happens before which request."""

    deeds: list[Deed]
    faults: list[tuple[int, int, int, int]]
    run: str
    number: int
    disturbances: dict[int, Disturbance]


@dataclass
class Told:
    """One history as it goes on."""

    world: World
    stages: Stages
    settings: SyncSettings
    connections: Mapping[str, Connection]
    interrupted: Counter[str] = field(default_factory=Counter)
    ends: list[BaseException] = field(default_factory=list)
    injected: Counter[str] = field(default_factory=Counter)
    kills: int = 0

    @classmethod
    def begin(cls, stages: Stages, sync: str, version: int, records: int) -> "Told":
        world = stages.open(sync, version)
        told = cls(world, stages, shipped_settings(sync), stages.connections)
        world.begin(records)
        world.look()
        return told

    @property
    def sync(self) -> str:
        return self.world.sync

    # What happens

    def day(self, day: Day) -> None:
        for deed in day.deeds:
            self.world.do(deed)
        self.prepare(half_done=day.number % 3 == 0)
        systems = sorted(self.world.faults())
        rules = []
        for number, fault, times, skip in day.faults:
            system = systems[number % len(systems)]
            rules.append(fault_rule(fault, times, skip, believed=system == self.world.target == "rest"))
            self.world.faults()[system].add(rules[-1])
        self.stages.watch.timeout = patience_on(rules)
        with self.session(day.disturbances) as disturber:
            self.process(disturber.conn, 1 + day.number % 4).run(day.run, day.number)
        self.stages.watch.timeout = 60.0
        self.mend()

    def process(self, conn: Conn, claim_batch: int | None = None) -> Process:
        return Process(conn, self.settings, self.connections, claim_batch)

    def prepare(self, *, half_done: bool = False) -> None:
        """Run what stands before this sync, undisturbed, so that there is something to read; or leave it half done."""
        for sync in self.world.upstream:
            with connect(self.stages.database_url) as conn, suppress(SyncError):
                process = Process(conn, shipped_settings(sync), self.connections)
                process.only_read(0) if half_done else process.until_idle()

    def mend(self) -> None:
        """The next day: everything works again, and every wait that the tables know of is over."""
        for faults in self.world.faults().values():
            faults.clear()
            self.injected.update(faults.injected)
            faults.reset_counts()
        self.stages.let_time_pass()

    @contextmanager
    def session(self, disturbances: Mapping[int, Disturbance]) -> Iterator["Disturber"]:
        """A process of its own: what it fails at, and that it is killed, is its own end and nobody else's."""
        with connect(self.stages.database_url) as conn:
            disturber = Disturber(self, conn, disturbances)
            self.stages.watch.heard = disturber.heard
            try:
                yield disturber
            except (KilledError, SyncError) as error:
                self.ends.append(error)
                self.interrupted.update(disturber.claimed)
            except psycopg.OperationalError as error:
                # What a killed process fails at last is the session that it has no more.
                self.ends.append(error)
                self.interrupted.update(disturber.claimed)
                if not conn.closed:
                    raise
            finally:
                self.stages.watch.heard = nothing

    def disturb(self, disturbance: Disturbance) -> bool:
        """Let it happen; returns whether a rival was cut off."""
        self.world.do(disturbance.deed)
        if disturbance.what == "rival":
            # It gives up at what the first one has locked, for that one waits.
            with connect(self.stages.database_url) as conn:
                conn.execute("SET lock_timeout = '20ms'")
                try:
                    self.process(conn).run(disturbance.run, disturbance.deed.number)
                except (SyncError, psycopg.errors.LockNotAvailable) as error:
                    self.ends.append(error)
                    return True
        return False

    # The end

    def calm_down(self) -> None:
        """Faults stop, what is under way ends, and the sync is run until it is idle."""
        self.mend()
        self.world.settle()
        self.world.look()
        self.until_idle()

    def until_idle(self) -> None:
        for _ in range(MOST_CALM_ROUNDS):
            self.stages.let_time_pass()
            self.prepare()
            with connect(self.stages.database_url) as conn:
                try:
                    self.process(conn).until_idle()
                except SyncError as error:
                    self.ends.append(error)
                    continue
            if not self.stages.waiting(self.sync):
                return
        raise AssertionError(f"{self.sync} does not come to rest; at last: {self.ends[-1:]}")

    def judge(self) -> None:
        """After the syncing, after the inventory, and after a full read: nothing may be lost or doubled."""
        self.calm_down()
        inventory = self.settings.source.inventory_cron is not None
        self.assert_right(untold=False, touched=False)
        if inventory:
            self.work("inventory")
            self.until_idle()
            self.assert_right(untold=True, touched=False)
        if self.world.touched or self.world.untold:
            self.work("everything")
            self.until_idle()
            self.assert_right(untold=True, touched=self.world.full_read_heals)
        writes = self.world.written.copy()
        self.work("everything")
        if again := self.world.written - writes:
            raise AssertionError(f"what would change nothing was written: {dict(again)}")

    def work(self, run: str) -> None:
        with connect(self.stages.database_url) as conn:
            self.process(conn).run(run, 0)

    def assert_right(self, *, untold: bool, touched: bool) -> None:
        rows = judging.fates(self.stages.admin, self.sync)
        wrong = judging.faults_of(self.world.picture(), rows, untold=untold, touched=touched)
        tried = judging.attempts(self.stages.admin, self.sync)
        wrong += judging.unaccounted(self.world.written, tried, self.interrupted)
        if wrong:
            raise AssertionError("\n".join([f"{self.sync}, {untold=}, {touched=}:", *wrong]))


@dataclass
class Disturber:
    """Hears every request of one process, and lets happen what is to happen before it."""

    told: Told
    conn: Conn
    disturbances: Mapping[int, Disturbance]
    claimed: set[str] = field(default_factory=set)
    claimed_by_rival: set[str] = field(default_factory=set)
    requests: int = 0
    while_writing: int = 0
    killed: bool = False
    busy: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def heard(self, system: str) -> None:
        told = self.told
        with self.lock:
            if self.killed:
                raise KilledError
            writing = told.stages.being_written(told.sync)
            self.claimed.update(writing)
            if self.busy:
                self.claimed_by_rival.update(writing)
                return
            self.requests += 1
            self.while_writing += bool(writing)
            at = WHILE_WRITING + self.while_writing if writing else 0
            disturbance = self.disturbances.get(self.requests) or self.disturbances.get(at)
            if disturbance is None:
                return
            if disturbance.what == "kill":
                self.killed = True
                told.kills += 1
                told.stages.cut(self.conn)
                raise KilledError
            self.busy = True
        # A rival has threads of its own, which must be heard meanwhile.
        self.claimed_by_rival.clear()
        if told.disturb(disturbance):
            # What it had claimed is given back by now, but may have been written.
            told.interrupted.update(self.claimed_by_rival)
        self.busy = False


class History(RuleBasedStateMachine):
    """A history of one sync, told by chance."""

    sync: ClassVar[str]
    stages: ClassVar[Stages]
    tally: ClassVar[Counter[str]]
    """What all histories came to that were told and judged."""
    told: Told | None = None

    @initialize(data=st.data(), records=st.integers(1, 6), version=st.sampled_from([18, 19]))
    def begin(self, data: Any, records: int, version: int) -> None:
        self.told = Told.begin(self.stages, self.sync, version, records)

    @rule(data=st.data())
    def day(self, data: Any) -> None:
        assert self.told is not None
        self.told.day(data.draw(days(self.sync)))

    def teardown(self) -> None:
        if self.told is not None:
            self.told.judge()
            self.tally.update(histories=1, kills=self.told.kills, writes=self.told.world.written.total())
            self.tally.update({f"fault: {kind}": times for kind, times in self.told.injected.items()})


NO_SLEEP = SimpleNamespace(sleep=lambda _seconds: None)
