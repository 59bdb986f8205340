"""A small disk that can be full, for the soak alone: a tmpfs in a mount namespace of its own (Linux, root)."""

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_VARIABLE = "SOAK_DISK"
_SIZE = "3g"
_PIECES = (1 << 20, 1 << 12, 1)  # bytes


def move_to_small_disk(module: str) -> None:
    """Begin `module` anew with its temporary files on a small disk; where that cannot be, return and go on here."""
    able = os.geteuid() == 0 and shutil.which("unshare") is not None
    if small_disk() or not able or subprocess.run(["unshare", "--mount", "true"], check=False).returncode:
        return
    folder = tempfile.mkdtemp(prefix="soak-")
    mounting = f'mount -t tmpfs -o size={_SIZE},mode=1777 soak "$0" && exec "$@"'
    again = [sys.executable, "-W", "ignore", "-m", module, *sys.argv[1:]]
    os.execvpe(
        "unshare",
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", mounting, folder, *again],
        {**os.environ, "TMPDIR": folder, _VARIABLE: folder},
    )


def small_disk() -> Path | None:
    """Return where the small disk is, if there is one."""
    folder = os.environ.get(_VARIABLE)
    return Path(folder) if folder else None


def lasting_folder() -> Path:
    """Return a new folder that outlives the small disk."""
    disk = small_disk()
    return Path(tempfile.mkdtemp(prefix="soak-words-", dir=disk.parent if disk else None))


def leave_small_disk() -> None:
    """Take the small disk away."""
    if disk := small_disk():
        subprocess.run(["umount", "--lazy", str(disk)], check=True)
        disk.rmdir()


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Leave no byte on the disk for the length of a block."""
    ballast = disk / "ballast"
    try:
        with ballast.open("wb", buffering=0) as file:
            for size in _PIECES:
                _fill(file.fileno(), b"\0" * size)
        yield
    finally:
        ballast.unlink()


def _fill(file: int, piece: bytes) -> None:
    try:
        while True:
            os.write(file, piece)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
