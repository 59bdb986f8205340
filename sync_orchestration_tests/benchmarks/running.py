"""The real services of `sync-orchestration dev` on stand-ins, in a temporary state folder, and ways to look at them."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import dagster as dg
import psutil
import psycopg
import requests

from sync_orchestration.cli.services import accepts, free_port
from sync_orchestration.interface.embedded import stop_embedded
from sync_orchestration.sandbox.flexi import Company, FlexiWorld, flexi_app
from sync_orchestration.sandbox.odoo import OdooWorld, odoo_app
from sync_orchestration.sandbox.server import serve

Part = Literal["run worker", "daemon", "webserver", "code server", "intake", "PostgreSQL"]
SYNC = "flexi_partners"
TOKEN = "token-of-the-benchmark"

_DEV = """
import sys
from sync_orchestration.cli.dev import run_until_stopped
run_until_stopped(int(sys.argv[1]), intake_port=int(sys.argv[2]))
"""
_COMMANDS: dict[str, str] = {
    "daemon": "dagster._daemon run",
    "webserver": "dagster_webserver -h",
    "code server": "code-server start",
    "intake": "sync_orchestration.cli intake",
}
_OF_THE_INSTANCE = ("DAGSTER_HOME", "SYNC_POSTGRES_URL")
_SETTINGS = ("SYNC_", "DAGSTER_", "FLEXI_", "ODOO_", "ALFRESCO_", "KONTUR_", "REST_", "INTAKE_")
_WORKER_TAG = ".dagster/sync_process"


@dataclass
class Running:
    """The services with the worlds that they work on; `dev` is the process that looks after them."""

    flexi: FlexiWorld
    odoo: OdooWorld
    state: Path
    ports: tuple[int, int]
    dev: subprocess.Popen[bytes] | None = None
    created_before: int = field(default=0)
    parts: tuple[Part, ...] = ("webserver", "intake", "daemon")

    @property
    def company(self) -> Company:
        return self.flexi.companies["demo"]

    def start(self) -> None:
        """Start all services; returns when the UI answers."""
        command = [sys.executable, "-c", _DEV, *map(str, self.ports)]
        with (self.state / "dev.log").open("ab") as log:
            env = {name: value for name, value in os.environ.items() if name not in _OF_THE_INSTANCE}
            self.dev = subprocess.Popen(command, cwd=self.state, env=env, stdout=log, stderr=log)
        began = time.time()
        if not wait_until(lambda: all(self.is_back(part, 0, began) for part in self.parts), 180):
            raise RuntimeError(f"the services did not start; see {self.state / 'dev.log'}")

    def stop(self) -> None:
        if self.dev is not None:
            self.dev.send_signal(signal.SIGTERM)
            self.dev.wait(60)
        stop_embedded(self.state)

    # Processes

    def pid(self, part: Part) -> int | None:
        """Return the process of a part, if it runs now; the one that does the work, not its keeper."""
        if part == "PostgreSQL":
            return self._postmaster()
        if part == "run worker":
            return self._worker()
        assert self.dev is not None
        found = []
        for process in psutil.Process(self.dev.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                line = " ".join(process.cmdline())
                if _COMMANDS[part] in line and "keeper.py" not in line:
                    found.append(process.pid)
        return min(found, default=None)

    def _postmaster(self) -> int | None:
        with suppress(FileNotFoundError, ValueError):
            pid = int((self.state / "postgres/data/postmaster.pid").read_text().split()[0])
            return pid if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE else None
        return None

    def _worker(self) -> int | None:
        for run in self.runs(dg.DagsterRunStatus.STARTED):
            if identity := run.tags.get(_WORKER_TAG):
                return int(identity.split(":")[-2])
        return None

    def is_back(self, part: Part, killed: int, since: float) -> bool:
        """Whether another process than `killed` does the part's work, and answers."""
        pid = self.pid(part)
        if pid is None or pid == killed:
            return False
        if part == "daemon":
            with self.instance() as instance:
                beats = [beat.timestamp for beat in instance.get_daemon_heartbeats().values()]
            return bool(beats) and min(beats) > since
        if part == "code server":
            line = psutil.Process(pid).cmdline()
            return accepts(int(line[line.index("-p") + 1]))()
        if part == "PostgreSQL":
            return bool(self.value("SELECT 1"))
        address = {"webserver": f"{self.ports[0]}/server_info", "intake": f"{self.ports[1]}/readyz"}.get(part)
        return address is None or _answers(f"http://127.0.0.1:{address}")

    # What Dagster and the tables say

    @property
    def url(self) -> str:
        data = self.state / "postgres"
        return f"postgresql://postgres@/postgres?host={data}&port={(data / 'data/socket_number').read_text()}"

    @contextmanager
    def instance(self) -> Iterator[dg.DagsterInstance]:
        os.environ |= {"DAGSTER_HOME": str(self.state / "dagster"), "SYNC_POSTGRES_URL": self.url}
        with dg.DagsterInstance.get() as found:
            yield found

    def runs(self, *statuses: dg.DagsterRunStatus) -> list[dg.DagsterRun]:
        with self.instance() as instance:
            return list(instance.get_runs(dg.RunsFilter(tags={"sync/name": SYNC}, statuses=list(statuses))))

    def value(self, sql: str) -> Any:
        with psycopg.connect(self.url, connect_timeout=2) as conn:
            row = conn.execute(sql.encode()).fetchone()
        return None if row is None else row[0]

    @property
    def unsettled(self) -> int:
        return int(self.value("SELECT count(*) FROM sync.interface_row WHERE status IN ('pending', 'processing')"))

    @property
    def is_caught_up(self) -> bool:
        """Whether the sync has read all that the company has, and has written it."""
        cursor = self.value(f"SELECT last_position FROM sync.sync_state WHERE sync = '{SYNC}'")
        return bool(cursor is not None and cursor > self.company.global_version and self.unsettled == 0)

    @property
    def is_idle(self) -> bool:
        """Whether no sync has rows to write and no run waits or goes on."""
        going = (dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED)
        with self.instance() as instance:
            return self.unsettled == 0 and instance.get_runs_count(dg.RunsFilter(statuses=list(going))) == 0

    def wait_for_first_syncs(self, syncs: int, seconds: float = 600.0) -> None:
        """Return when so many syncs have read and written everything once."""
        read = "SELECT count(*) FROM sync.sync_state WHERE last_position IS NOT NULL"
        if not wait_until(lambda: self.value(read) >= syncs and self.is_idle, seconds):
            raise RuntimeError(f"the first syncs did not end; see {self.state / 'logs'}")

    @property
    def in_writing(self) -> int:
        """How many rows of the sync a worker writes at this moment."""
        sql = f"SELECT count(*) FROM sync.interface_row WHERE status = 'processing' AND sync = '{SYNC}'"
        return int(self.value(sql))

    # What the stand-ins hold

    @property
    def created(self) -> int:
        """How many partners Odoo has committed since the start."""
        return self.odoo.created["res.partner"] - self.created_before

    def names(self) -> dict[str, str]:
        """Return the name of each linked partner by `<module>.<external id>`."""
        return {name: str(partner["name"]) for name, partner in self._linked().items()}

    def active(self) -> set[str]:
        """Return which linked partners are not archived, by `<module>.<external id>`."""
        return {name for name, partner in self._linked().items() if partner["active"]}

    def _linked(self) -> dict[str, dict[str, Any]]:
        rows = list(self.odoo.db.tables["ir.model.data"].rows.values())
        partners = self.odoo.db.tables["res.partner"].rows
        linked = {f"{row['module']}.{row['name']}": row["res_id"] for row in rows if row["model"] == "res.partner"}
        return {name: partners[i] for name, i in linked.items() if i in partners}

    def doubled(self) -> int:
        """Return how many partners were made beyond one for each record, counted at Odoo."""
        modules = ("flexi_demo", "intake_partners")
        rows = list(self.odoo.db.tables["ir.model.data"].rows.values())
        linked = Counter(row["res_id"] for row in rows if row["module"] in modules)
        return self.created - len(linked) + sum(number - 1 for number in linked.values())

    def command(self, *words: str) -> bool:
        """Let a person type a command of ours; returns whether it did what it was told."""
        command = [sys.executable, "-m", "sync_orchestration.cli", *words]
        return subprocess.run(command, cwd=self.state, check=False, capture_output=True).returncode == 0

    def push(self, keys: list[str], word: str) -> bool:
        """Push records to the intake, as a sender does who tries again until he is told that they are stored."""
        body = {"records": [{"key": k, "data": {"name": f"{k} {word}", "country": "CZ"}} for k in keys]}
        try:
            answer = requests.post(
                f"http://127.0.0.1:{self.ports[1]}/v1/intake_partners/records",
                json=body,
                headers={"Authorization": f"Bearer {TOKEN}"},
                timeout=10,
            )
        except requests.RequestException:
            return False
        return answer.ok


def _answers(address: str) -> bool:
    try:
        return requests.get(address, timeout=2).ok
    except requests.RequestException:
        return False


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait for a condition; one that cannot be looked at just now is not met. False: it was not in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        # A look at what was killed may fail in any way that a client of it can.
        with suppress(Exception):
            if condition():
                return True
        time.sleep(0.1)
    return False


@contextmanager
def running(partners: int, package: Path | None = None) -> Iterator[Running]:
    """Serve a company and an empty Odoo, and prepare services on them, not started yet.

    With `package` the services are those of the product that is found in that folder, which has no intake.
    """
    state = Path(tempfile.mkdtemp(prefix="sync-"))
    before = dict(os.environ)
    key = "key-of-the-benchmark"
    try:
        with ExitStack() as stack:
            flexi, odoo = FlexiWorld.demo(partners=partners), OdooWorld.demo(19, api_key=key)
            urls = [stack.enter_context(serve(app)) for app in (flexi_app(flexi), odoo_app(odoo))]
            for name in [n for n in os.environ if n.startswith(_SETTINGS)]:
                del os.environ[name]
            os.environ |= {
                "SYNC_STATE_DIR": str(state),
                "FLEXI_URL": urls[0],
                "FLEXI_COMPANY": "demo",
                "FLEXI_USER": "sync",
                "FLEXI_PASSWORD": "sync",
                "ODOO_URL": urls[1],
                "ODOO_DATABASE": "odoo",
                "ODOO_USER": "sync",
                "ODOO_API_KEY": key,
                "INTAKE_TOKEN": TOKEN,
            }
            os.environ.pop("SYNC_POSTGRES_URL", None)
            if package is not None:
                os.environ["PYTHONPATH"] = str(package)
                del os.environ["INTAKE_TOKEN"]
            found = Running(flexi, odoo, state, (free_port(), free_port()))
            if package is not None:
                found.parts = ("webserver", "daemon")
            found.created_before = odoo.created["res.partner"]
            stack.callback(found.stop)
            yield found
    finally:
        os.environ.clear()
        os.environ.update(before)
        shutil.rmtree(state, ignore_errors=True)
