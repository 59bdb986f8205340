"""Do related records exist in the target? Asked in batches, remembered for a short while."""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sync_orchestration.mapping.records import Reference

_log = logging.getLogger(__name__)

_FOUND_SECONDS = 600.0
_MISSING_SECONDS = 30.0
_MOST_REMEMBERED = 100_000
_BATCH = 500
_SECONDS_OF_REST = 5.0


class TargetUnreachableError(Exception):
    """The target cannot be asked now. `retry_after`: seconds to wait, where the target or the caller knows them."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class References(Protocol):
    """Looks up related records in a sync's target. It is called from several threads."""

    def missing(self, wanted: Sequence[Reference]) -> Collection[Reference]:
        """Return those of `wanted` that do not exist, with few requests and within some seconds.

        Raises TargetUnreachableError when that cannot be told.
        """


@dataclass(slots=True)
class RememberingReferences:
    """Asks `target` only for what it was not asked lately: found is trusted for ten minutes, missing for 30 seconds.

    A target that could not be asked is left alone for as long as it wants, at least five seconds, so that callers
    are told to come again at once instead of waiting for it one after the other.
    """

    target: References
    clock: Callable[[], float] = time.monotonic
    most: int = _MOST_REMEMBERED
    _known: OrderedDict[Reference, tuple[bool, float]] = field(default_factory=OrderedDict)
    _rests_until: float = float("-inf")
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def missing(self, wanted: Iterable[Reference]) -> set[Reference]:
        """Return those of `wanted` that do not exist. Raises TargetUnreachableError with `retry_after`."""
        missing: set[Reference] = set()
        unknown: list[Reference] = []
        with self._lock:
            now = self.clock()
            for reference in dict.fromkeys(wanted):
                exists, until = self._known.get(reference, (False, float("-inf")))
                if until <= now:
                    unknown.append(reference)
                elif not exists:
                    missing.add(reference)
                else:
                    self._known.move_to_end(reference)
            if unknown and now < self._rests_until:
                raise TargetUnreachableError("the target could not be asked a moment ago", self._rests_until - now)
        for start in range(0, len(unknown), _BATCH):
            missing |= self._ask(unknown[start : start + _BATCH])
        return missing

    def _ask(self, batch: Sequence[Reference]) -> set[Reference]:
        try:
            missing = set(self.target.missing(batch))
        except TargetUnreachableError as error:
            rest = max(error.retry_after or 0.0, _SECONDS_OF_REST)
            with self._lock:
                self._rests_until = self.clock() + rest
            _log.warning("related records cannot be looked up for %.0f s: %s", rest, error)
            raise TargetUnreachableError(str(error), rest) from error
        with self._lock:
            now = self.clock()
            for reference in batch:
                exists = reference not in missing
                self._known[reference] = (exists, now + (_FOUND_SECONDS if exists else _MISSING_SECONDS))
                self._known.move_to_end(reference)
            while len(self._known) > self.most:
                self._known.popitem(last=False)
        return missing & set(batch)
