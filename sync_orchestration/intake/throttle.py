"""How much at a time: a token bucket for each sender, and a gate for calls under way."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sync_orchestration.intake.kinds import OVERLOADED, TOO_FAST, CallError

_RETRY_AFTER = 1.0  # seconds; a call under way takes far less


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


@dataclass(slots=True)
class Rates:
    """One bucket for each sender: `burst` calls at once, filled again by `per_second`. `clock` counts seconds."""

    per_second: float
    burst: int
    clock: Callable[[], float] = time.monotonic
    _buckets: dict[str, _Bucket] = field(default_factory=dict)

    def take(self, sender: str, calls: int = 1) -> None:
        """Count calls of a sender. Raises CallError (TOO_FAST, with the seconds to wait) when there are too many."""
        now = self.clock()
        bucket = self._buckets.setdefault(sender, _Bucket(self.burst, now))
        bucket.tokens = min(self.burst, bucket.tokens + (now - bucket.filled_at) * self.per_second)
        bucket.filled_at = now
        if bucket.tokens < calls:
            raise CallError(TOO_FAST, retry_after=(calls - bucket.tokens) / self.per_second)
        bucket.tokens -= calls


@dataclass(slots=True)
class Gate:
    """Lets `most` calls in at a time; the rest is turned away at once instead of queueing without bound."""

    most: int
    inside: int = 0

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Hold a place for the length of a block. Raises CallError (OVERLOADED) when there is none."""
        if self.inside >= self.most:
            raise CallError(OVERLOADED, retry_after=_RETRY_AFTER)
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1
