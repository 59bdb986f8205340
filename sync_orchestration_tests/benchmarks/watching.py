"""Looks at a process while it works: its processor, its memory, its waits for servers."""

import os
import resource
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path

_STATUS = Path("/proc/self/status")


@dataclass(slots=True)
class Watched:
    """Seconds of a block: of the clock, of processors (threads and ended children too), and waiting for answers.

    `waiting` is added up over all threads, from a request sent to the first line of its answer; so what a thread
    waits while another works counts too.
    """

    seconds: float = 0.0
    cpu: float = 0.0
    waiting: float = 0.0


@contextmanager
def watched() -> Iterator[Watched]:
    """Measure a block. Whatever sends its requests by the standard library's HTTP (requests does) is seen."""
    found, lock, plain = Watched(), threading.Lock(), HTTPResponse.begin

    def begin(self: HTTPResponse) -> None:
        asked = time.perf_counter()
        plain(self)
        with lock:
            found.waiting += time.perf_counter() - asked

    HTTPResponse.begin = begin  # type: ignore[method-assign]
    started, used = time.perf_counter(), _cpu()
    try:
        yield found
    finally:
        found.seconds, found.cpu = time.perf_counter() - started, _cpu() - used
        HTTPResponse.begin = plain  # type: ignore[method-assign]


def peak_mib() -> float:
    """Return the most resident memory that this process has had."""
    # Linux hands the peak of the parent on to a child in getrusage, but not in this file.
    if _STATUS.exists():
        line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def _cpu() -> float:
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system
