"""Asks what may take long in a thread of its own, so that whoever wants the answer never waits for it."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

_log = logging.getLogger(__name__)

T = TypeVar("T")


class Background(Generic[T]):
    """The newest answer to one question, which is asked only when somebody wants to know.

    It is asked so seldom that asking takes no more than `share` of the time, and at most one asking is under way.
    """

    def __init__(self, ask: Callable[[], T], share: float) -> None:
        """What `ask` raises means that there is no answer; the one before is forgotten then."""
        self._ask = ask
        self._share = share
        self._lock = threading.Lock()
        self._answered = threading.Event()
        self._under_way = False
        self._not_before = 0.0
        self._answer: T | None = None

    def latest(self, patience: float, *, only_fresh: bool = False) -> T | None:
        """Ask if it is time to, wait `patience` seconds at most, and return the newest answer, if there is one.

        With `only_fresh` an answer from before counts for nothing while a new one keeps being waited for.
        """
        with self._lock:
            if not self._under_way and time.monotonic() >= self._not_before:
                self._under_way = True
                self._answered.clear()
                threading.Thread(target=self._run, name="figures", daemon=True).start()
        in_time = self._answered.wait(patience)
        return self._answer if in_time or not only_fresh else None

    def _run(self) -> None:
        started = time.monotonic()
        answer: T | None = None
        try:
            answer = self._ask()
        except Exception as error:  # noqa: BLE001 - whatever is wrong, other figures are still told
            _log.warning("some figures for monitoring cannot be read: %s", type(error).__name__)
        with self._lock:
            ended = time.monotonic()
            self._answer, self._under_way = answer, False
            self._not_before = ended + (ended - started) / self._share
        self._answered.set()
