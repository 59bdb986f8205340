"""The processes of a soak: the database, the stand-ins, the workers; how they are started, asked and killed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg
import requests

from sync_orchestration.interface.embedded import EmbeddedPostgresError, embedded_url, stop_embedded
from sync_orchestration.interface.migrate import migrate
from sync_orchestration.sandbox.faults import FaultRule
from sync_orchestration_tests.faults.soak.disk import full, lasting_folder, small_disk

TIMEOUT = 2.0
"""Seconds of silence that workers of a soak bear: long enough for a busy machine, short enough for many a hang."""
_REVIVAL = 60.0  # seconds
_HERE = "sync_orchestration_tests.faults.soak"


@dataclass
class Box:
    """Everything of one soak: `folder` is its place; `words` is that of what workers say, kept when one has crashed."""

    folder: Path
    words: Path
    records: int
    url: str = ""
    workers: dict[str, list["subprocess.Popen[str]"]] = field(default_factory=dict)
    variables: dict[str, dict[str, str]] = field(default_factory=dict)
    urls: dict[str, dict[str, str]] = field(default_factory=dict)
    crashed: list[str] = field(default_factory=list)
    killed: int = 0
    database_kills: int = 0
    full: int = 0
    _servers: "subprocess.Popen[str] | None" = None

    @classmethod
    def open(cls, records: int) -> "Box":
        """Start the stand-ins and a database that is as durable as in production."""
        box = cls(Path(tempfile.mkdtemp(prefix="soak-")), lasting_folder(), records)
        box.url = embedded_url(box.folder)
        migrate(box.url)
        box._servers = box._start("servers", box.url, str(records))
        told = box._told()
        box.variables, box.urls = told["variables"], told["urls"]
        return box

    def close(self) -> None:
        for workers in self.workers.values():
            for worker in workers:
                worker.kill()
                worker.wait()
        if self._servers is not None:
            self._servers.kill()
            self._servers.wait()
        stop_embedded(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)
        if not self.crashed:
            shutil.rmtree(self.words)

    # The stand-ins

    def ask(self, sync: str, what: str, **more: Any) -> Any:
        """Let the stand-ins' process do something."""
        assert self._servers is not None
        assert self._servers.stdin is not None
        self._servers.stdin.write(json.dumps({"sync": sync, "what": what, **more}) + "\n")
        self._servers.stdin.flush()
        return self._told()

    def break_requests(self, sync: str, system: str, rule: FaultRule) -> None:
        answer = requests.post(
            f"{self.urls[sync][system]}/_sandbox/faults", json=rule.model_dump(mode="json"), timeout=60
        )
        answer.raise_for_status()

    def mend(self) -> None:
        """Disarm every fault."""
        for system_urls in self.urls.values():
            for url in system_urls.values():
                requests.delete(f"{url}/_sandbox/faults", timeout=60).raise_for_status()

    def injected(self, sync: str) -> dict[str, dict[str, int]]:
        """How often each kind of fault was met, by system."""
        found = {}
        for system, url in self.urls[sync].items():
            found[system] = requests.get(f"{url}/_sandbox/requests", timeout=60).json()["injected"]
        return found

    # The workers

    def hire(self, sync: str, seed: int) -> None:
        self.workers.setdefault(sync, []).append(self._start("worker", sync, str(seed), **self.environment(sync)))

    def environment(self, sync: str) -> dict[str, str]:
        return {**self.variables[sync], "SYNC_POSTGRES_URL": self.url, "SYNC_STATE_DIR": str(self.folder / "state")}

    def kill(self, sync: str, number: int) -> None:
        worker = self.workers[sync].pop(number % len(self.workers[sync]))
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        self.killed += 1

    def bury(self, sync: str) -> int:
        """Forget workers that ended by themselves, which none should; returns how many live."""
        for worker in [one for one in self.workers.get(sync, []) if one.poll() is not None]:
            self.workers[sync].remove(worker)
            self.crashed.append(f"a worker of {sync} ended with {worker.returncode}: {self._last_words(worker)}")
        return len(self.workers.get(sync, []))

    def dismiss(self) -> None:
        """Let every worker end its run and go."""
        for sync, workers in self.workers.items():
            self.bury(sync)
            for worker in workers:
                assert worker.stdin is not None
                worker.stdin.close()
            for worker in workers:
                worker.wait()
        self.workers.clear()

    # The database

    def kill_database(self) -> None:
        """SIGKILL the postmaster; whoever needs the database next starts it."""
        pid = int((self.folder / "postgres" / "data" / "postmaster.pid").read_text().splitlines()[0])
        postmaster = psutil.Process(pid)
        processes = [postmaster, *postmaster.children(recursive=True)]
        postmaster.kill()
        psutil.wait_procs(processes)
        self.database_kills += 1
        self._revive_database()

    def fill_disk(self, seconds: float) -> None:
        """Leave no byte on the disk of everybody for so long, if it is small enough for that."""
        if disk := small_disk():
            with full(disk):
                threading.Event().wait(seconds)
            self.full += 1
            self._revive_database()

    def _revive_database(self) -> None:
        deadline = time.monotonic() + _REVIVAL
        while True:
            try:
                self.url = embedded_url(self.folder)
                with psycopg.connect(self.url):
                    return
            except (EmbeddedPostgresError, psycopg.OperationalError):
                if time.monotonic() > deadline:
                    raise

    def let_time_pass(self) -> None:
        """Every wait that the tables know of is over, and what was looked up is old."""
        with psycopg.connect(self.url, autocommit=True) as conn:
            conn.execute("UPDATE sync.sync_state SET next_try = now() WHERE next_try IS NOT NULL")
            conn.execute("UPDATE sync.sync_state SET updated_at = updated_at - interval '1 day'")
            conn.execute("UPDATE sync.interface_row SET next_attempt_at = now() WHERE next_attempt_at IS NOT NULL")
            conn.execute("DELETE FROM sync.connection_pause")
            conn.execute("DELETE FROM sync.lookup_answer")

    def _start(self, module: str, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        number = len(list(self.words.glob("*.err")))
        errors = (self.words / f"{module}-{number}.err").open("w")
        # The words of workers are only for whoever looks into the folder; nobody reads them while they work.
        words = subprocess.PIPE if module == "servers" else errors
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", f"{_HERE}.{module}", *arguments],
            stdin=subprocess.PIPE,
            stdout=words,
            stderr=errors,
            text=True,
            env={**os.environ, **environment, "PYTHONUNBUFFERED": "1"},
        )
        process.errors_file = Path(errors.name)  # type: ignore[attr-defined]
        errors.close()
        return process

    def _last_words(self, worker: "subprocess.Popen[str]") -> str:
        text: str = worker.errors_file.read_text(errors="replace")  # type: ignore[attr-defined]
        return " | ".join(text.strip().splitlines()[-3:])

    def _told(self) -> Any:
        assert self._servers is not None
        assert self._servers.stdout is not None
        line = self._servers.stdout.readline()
        if not line:
            raise RuntimeError(f"the stand-ins have ended: {self._last_words(self._servers)}")
        return json.loads(line)
