"""Run one command, and end it and its children when the process that started the keeper ends, however it ends.

The supervisor starts this file by its path, one for each service, as the leader of a session of its own. The keeper
holds the reading end of a pipe whose writing end only the supervisor has: the end of that pipe is the supervisor's
death, also by SIGKILL, on Linux and macOS alike. Standard library only, so that a keeper starts in 20 ms.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from types import FrameType

GRACE_SECONDS = 10.0


def main(command: list[str]) -> int:
    """Run `command` to its end and return its exit code, 128 + n where signal n ended it."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _left_to_the_child)
    abandoned = threading.Event()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603 - the supervisor's own command
    threading.Thread(target=_end_with_supervisor, args=(abandoned,), daemon=True).start()
    code = child.wait()
    if abandoned.is_set():
        os.killpg(0, signal.SIGKILL)  # what the command left behind, and this process
    return 128 - code if code < 0 else code


def _left_to_the_child(_number: int, _frame: FrameType | None) -> None:
    """Signals reach the whole group; the keeper stays to see its child's end. (An ignored one would be inherited.)"""


def _end_with_supervisor(abandoned: threading.Event) -> None:
    os.read(sys.stdin.fileno(), 1)
    abandoned.set()
    os.killpg(0, signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
