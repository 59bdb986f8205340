"""What the embedded server needs to know of processes: run a program, and tell whether a number still means one."""

import os
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from sync_orchestration.interface.server_account import Account


class Finished(NamedTuple):
    """How a program ended, and what it wrote."""

    code: int
    output: str


def run(command: list[str], *, cwd: Path, account: Account | None = None) -> Finished:
    """Run `command` as `account` to its end, in English and without the caller's PostgreSQL settings."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))}
    # Output goes to a file: a server that the program leaves behind inherits it, and a pipe would never close.
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        done = subprocess.run(  # noqa: S603 - every command is a list made here, none comes from outside
            command,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            cwd=cwd,
            env=environment | {"LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
        output.seek(0)
        return Finished(done.returncode, output.read())


def exists(pid: int) -> bool:
    """Whether a process has this number, a zombie included."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def command_line(pid: int) -> bytes:
    """The command line of a process; empty where it has ended, is ending or is not ours to see."""
    if not exists(pid):
        return b""
    if not Path("/proc/self/cmdline").exists():  # macOS
        return os.fsencode(run(["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)], cwd=Path("/")).output)
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""  # it ended just now


def is_ending(pid: int) -> bool:
    """Whether a process is between its death and its burial: killed, or a zombie, but its number is still taken."""
    return exists(pid) and not command_line(pid).strip(b"\0\n ")
