"""Keep a few processes running until Ctrl-C, and leave none behind.

Services start in order, each when the one before is ready. One that dies is started again after a pause that grows;
one that keeps dying ends everything with the last lines of its log. Every service is a session of its own behind a
`keeper`, so Ctrl-C in the terminal reaches only us, and the services end even when we are killed.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Literal

from sync_orchestration.cli import keeper

_TICK_SECONDS = 0.1
_LOG_LINES_IN_ERROR = 10


@dataclass(frozen=True)
class Service:
    """One process to keep running.

    `env` is added to our environment. `ready` tells whether it serves (None: as soon as it runs); a service that is
    not ready within `ready_seconds` counts as dead.
    """

    name: str
    command: list[str]
    env: dict[str, str] = field(default_factory=dict)
    ready: Callable[[], bool] | None = None
    ready_seconds: float = 120.0


@dataclass(frozen=True)
class Patience:
    """How often, and after which pauses, a dead service is started again; all times in seconds."""

    pauses: tuple[float, ...] = (1.0, 2.0, 5.0, 10.0)
    deaths: int = 5
    within: float = 60.0
    grace: float = keeper.GRACE_SECONDS  # from SIGTERM to SIGKILL


@dataclass(frozen=True)
class ServiceEvent:
    """What happened to a service; `pid` is its process group, `detail` one sentence for people."""

    service: str
    kind: Literal["started", "ready", "died", "stopped"]
    pid: int
    detail: str = ""


class ServiceFailedError(Exception):
    """A service died too often; the message names it and its log and gives the log's last lines."""


def supervise(
    services: Sequence[Service],
    *,
    log_dir: Path,
    on_event: Callable[[ServiceEvent], None] = lambda _event: None,
    stop: threading.Event | None = None,
    patience: Patience = Patience(),
) -> None:
    """Run `services` until SIGINT, SIGTERM, SIGHUP or `stop`; then stop them in reverse order and return.

    Output goes to `log_dir/<name>.log`; that of the time before is kept as `.log.1`. A second signal while stopping
    kills at once. In another thread than the main one only `stop` is heard. `on_event` is called in this thread and
    should return soon. Raises `ServiceFailedError` when a service died too often.
    """
    log_dir.mkdir(parents=True, exist_ok=True)
    kept = [_Kept(service, log_dir / f"{service.name}.log", patience, on_event) for service in services]
    for each in kept:
        each.rotate_log()
    stop = stop or threading.Event()
    with _signals_counted() as signals:
        try:
            while not signals and not stop.is_set():
                _look_after(kept)
                stop.wait(_TICK_SECONDS)
        finally:
            for each in reversed(kept):
                each.stop(at_once=lambda: len(signals) > 1)


def _look_after(kept: list["_Kept"]) -> None:
    for each in kept:
        each.look_after()
        if not each.was_ready:
            return  # the next one needs this one


class _Kept:
    """A service with its process, its deaths and its log."""

    def __init__(
        self, service: Service, log: Path, patience: Patience, on_event: Callable[[ServiceEvent], None]
    ) -> None:
        self.was_ready = False
        self._service = service
        self._log = log
        self._patience = patience
        self._on_event = on_event
        self._process: subprocess.Popen[bytes] | None = None
        self._is_ready = False
        self._deaths: deque[float] = deque()
        self._next_change = 0.0  # when to start it, and once it runs, by when it must be ready

    def rotate_log(self) -> None:
        if self._log.exists():
            self._log.replace(self._log.with_suffix(".log.1"))

    def look_after(self) -> None:
        if self._process is None:
            if time.monotonic() >= self._next_change:
                self._start()
        elif (code := self._process.poll()) is not None:
            self._bury(self._process, f"ended with code {code}")
        elif not self._is_ready:
            self._ask_whether_ready(self._process)

    def stop(self, *, at_once: Callable[[], bool]) -> None:
        if self._process is not None:
            _end_group(self._process, self._patience.grace, at_once)
            self._tell("stopped", self._process)
            self._process = None

    def _start(self) -> None:
        # The keeper needs neither site-packages nor our environment's Python settings (-I -S); its child has them.
        command = [sys.executable, "-I", "-S", keeper.__file__, *self._service.command]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - commands are made by this project
                command,
                env=os.environ | self._service.env,
                stdin=subprocess.PIPE,  # never written to; its end tells the keeper that we are gone
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._is_ready = False
        self._next_change = time.monotonic() + self._service.ready_seconds
        self._tell("started", self._process)

    def _ask_whether_ready(self, process: subprocess.Popen[bytes]) -> None:
        if self._service.ready is None or self._service.ready():
            self.was_ready = self._is_ready = True
            self._tell("ready", process)
        elif time.monotonic() > self._next_change:
            self._bury(process, f"was not ready after {self._service.ready_seconds:.0f} s")

    def _bury(self, process: subprocess.Popen[bytes], how: str) -> None:
        """End what the dead service left, and say when it starts again, or give up."""
        _end_group(process, self._patience.grace, at_once=lambda: False)
        self._process = None
        now = time.monotonic()
        self._deaths.append(now)
        while self._deaths[0] < now - self._patience.within:
            self._deaths.popleft()
        if len(self._deaths) >= self._patience.deaths:
            self._tell("died", process, how)
            raise ServiceFailedError(
                f"{self._service.name} died {len(self._deaths)} times within {self._patience.within:.0f} s; "
                f"the last time it {how}. Its log {self._log} ends:\n{_last_lines(self._log)}"
            )
        pause = self._patience.pauses[min(len(self._deaths), len(self._patience.pauses)) - 1]
        self._next_change = now + pause
        self._tell("died", process, f"{how}; starts again in {pause:g} s")

    def _tell(
        self, kind: Literal["started", "ready", "died", "stopped"], process: subprocess.Popen[bytes], detail: str = ""
    ) -> None:
        self._on_event(ServiceEvent(self._service.name, kind, process.pid, detail))


def _end_group(process: subprocess.Popen[bytes], grace: float, at_once: Callable[[], bool]) -> None:
    """End a keeper, its command and whatever that started: asked first, killed after `grace` seconds."""
    _signal_group(process, signal.SIGTERM)
    if not _wait_for_end(process, grace, at_once):
        _signal_group(process, signal.SIGKILL)
        _wait_for_end(process, grace, at_once=lambda: False)
    process.wait()
    if process.stdin is not None:
        process.stdin.close()


def _wait_for_end(process: subprocess.Popen[bytes], seconds: float, at_once: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while _has_members(process):
        if time.monotonic() > deadline or at_once():
            return False
        time.sleep(0.02)
    return True


def _has_members(process: subprocess.Popen[bytes]) -> bool:
    """Whether the keeper's group has a living member; a zombie that nobody buries, as in a container, is none."""
    process.poll()
    if not _signal_group(process, 0):
        return False
    if not Path("/proc/self/stat").exists():  # macOS, where `_signal_group` does not see zombies
        return True
    return any(_is_living_member(stat, process.pid) for stat in Path("/proc").glob("[0-9]*/stat"))


def _is_living_member(stat: Path, group: int) -> bool:
    try:
        state, _parent, group_of_this = stat.read_text(errors="replace").rpartition(")")[2].split()[:3]
    except (FileNotFoundError, ProcessLookupError):
        return False  # it ended just now
    return state not in "ZX" and int(group_of_this) == group


def _signal_group(process: subprocess.Popen[bytes], number: int) -> bool:
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):  # macOS says the second of a group of zombies
        return False
    return True


def _last_lines(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-_LOG_LINES_IN_ERROR:]) or "(nothing)"


@contextlib.contextmanager
def _signals_counted() -> Iterator[list[int]]:
    """Collect the signals that ask us to end; Python lets only the main thread do that."""
    received: list[int] = []

    def remember(number: int, _frame: FrameType | None) -> None:
        received.append(number)  # no more than this: a handler may interrupt anything, also a held lock

    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    before = {number: signal.signal(number, remember) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
