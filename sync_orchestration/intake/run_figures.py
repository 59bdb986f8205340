"""What monitoring may know of runs, whoever has run them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

BUCKETS = (1, 5, 15, 60, 300, 900, 3600)
"""Upper bounds of run times, in seconds."""


@dataclass(frozen=True, slots=True)
class Times:
    """How long runs took: how many took no longer than each of BUCKETS, how many there were, and all their seconds."""

    within: tuple[int, ...] = (0,) * len(BUCKETS)
    number: int = 0
    seconds: float = 0.0

    def and_one(self, seconds: float) -> "Times":
        """Return the times with one more run."""
        within = tuple(count + (seconds <= bound) for count, bound in zip(self.within, BUCKETS, strict=True))
        return Times(within, self.number + 1, self.seconds + seconds)


@dataclass(frozen=True, slots=True)
class Quota:
    """What was spent of one quota when it was asked for last."""

    system: str
    method: str
    spent: int
    limit: int


@dataclass(frozen=True, slots=True)
class RunFigures:
    """Runs since this process began to look: by subject (a sync or a job) and status, and what they did.

    `requests` are those of successful runs by system; `succeeded_at` is Unix time, also of runs from before.
    """

    ended: Mapping[tuple[str, str], int] = field(default_factory=dict)
    times: Mapping[str, Times] = field(default_factory=dict)
    requests: Mapping[str, int] = field(default_factory=dict)
    succeeded_at: Mapping[str, float] = field(default_factory=dict)
    quotas: Sequence[Quota] = ()
