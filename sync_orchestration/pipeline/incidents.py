"""Has a fault begun, does it go on, is it over? One message when it begins and one when it is over."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sync_orchestration.interface.incidents import Standing

Step = Literal["open", "close", "keep"]

RETRY_IS_AWAITED = timedelta(minutes=10)
"""A failed run whose retry has not begun by then has failed for good."""


def next_step(*, is_open: bool, fault: bool) -> Step:
    """Return what the newest look at a subject does to its incident."""
    if is_open == fault:
        return "keep"
    return "open" if fault else "close"


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How a run ended. `retry` tells of a failed one whether it will be tried again by itself, or is already."""

    subject: str
    run_id: str
    ended_at: datetime
    succeeded: bool
    retry: Literal["none", "awaited", "begun"] = "none"

    def is_final(self, now: datetime) -> bool:
        """Tell whether this end says something: a failure that is tried again does not, its retry will."""
        if self.succeeded or self.retry == "none":
            return True
        return self.retry == "awaited" and now - self.ended_at > RETRY_IS_AWAITED


@dataclass(frozen=True, slots=True)
class Turn:
    """The end of a run that begins or ends an incident."""

    step: Step
    end: RunEnd
    began_at: datetime


def turns(standing: Standing, ends: Iterable[RunEnd], now: datetime) -> list[Turn]:
    """Return which ends of one subject's runs change its incident, oldest first.

    Ends up to the last change are history, and those between it and the newest one seen before change nothing; so
    ends may be read as often as one likes.
    """
    found = []
    is_open, began_at, changed_at = standing.is_open, standing.began_at, standing.changed_at
    for end in sorted(ends, key=lambda e: (e.ended_at, e.run_id)):
        if not end.is_final(now) or (changed_at is not None and end.ended_at <= changed_at):
            continue
        step = next_step(is_open=is_open, fault=not end.succeeded)
        if step == "keep":
            continue
        is_open, changed_at = step == "open", end.ended_at
        began_at = end.ended_at if is_open else began_at
        found.append(Turn(step, end, began_at or end.ended_at))
    return found


def newest_of_each(ends: Sequence[RunEnd], now: datetime) -> list[RunEnd]:
    """Return for each subject the newest end that says something: how things stand, without how they came to."""
    final = sorted((end for end in ends if end.is_final(now)), key=lambda e: (e.ended_at, e.run_id))
    return list({end.subject: end for end in final}.values())


@dataclass(frozen=True, slots=True)
class Threshold:
    """How many failed records of a sync are worth a message: `at_least`, and this share of all its records."""

    at_least: int = 10
    share: float = 0.0

    def is_passed(self, failed: int, known: int) -> bool:
        """Tell whether `failed` of `known` records are too many."""
        return failed >= self.at_least and failed >= self.share * known
