"""Does the target refuse everything? Then the rest of a pass is not worth sending.

A pass begins with a probe: a few records, taken evenly from all that are ready. As soon as the target has accepted one
of them the pass goes on in full batches, whatever is refused later; those are records at fault. It stops when none was
accepted and many were refused for one reason, or very many for any reasons: at most one probe more than that is sent.
A sync of few records never stops so, for it never comes to that many. Each pass asks anew, so the next trigger begins
with a probe as well.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from sync_orchestration.pipeline.errors import RefusesEverythingError, SyncError, UnavailableError
from sync_orchestration.pipeline.protocols import Outcome

PROBE = 50
"""So many records are sent at a time until the target has accepted one."""

MOST_ALIKE = 50
"""So many refusals for one reason, and nothing accepted, are the target's."""

MOST_REFUSED = 200
"""… and so many for whatever reasons."""

_EXAMPLES = 3
_LONGEST = 300
_OWN_WORDS = re.compile(r"""\[[^\]]*\]|"[^"]*"|'[^']*'|“[^”]*”|«[^»]*»|\S*[\d@]\S*""")
"""What a message quotes of its record: numbers, addresses, and anything in quotes or brackets."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reason:
    """Why records were refused: the first one's message, the first keys, and whether it may pass by itself."""

    message: str
    keys: tuple[str, ...]
    transient: bool


@dataclass(frozen=True, slots=True)
class Breaker:
    """What the target has made of the records of a pass so far; a value, made anew by each answer."""

    accepted: bool = False
    refused: Counter[str] = field(default_factory=Counter)
    reasons: Mapping[str, Reason] = field(default_factory=dict)

    def after(self, outcomes: Mapping[str, Outcome]) -> "Breaker":
        """Return what is known after these outcomes. What was never answered tells nothing of the target."""
        refused, reasons = Counter(self.refused), dict(self.reasons)
        for key, outcome in outcomes.items():
            if outcome.error is None or outcome.response_code is None:
                continue
            alike = f"{outcome.error.code} {outcome.error.field or ''} {_OWN_WORDS.sub('…', outcome.error.message)}"
            refused[alike] += 1
            known = reasons.get(alike) or Reason(outcome.error.message, (), outcome.transient)
            reasons[alike] = Reason(known.message, (*known.keys, key)[:_EXAMPLES], known.transient)
        accepted = self.accepted or any(outcome.error is None for outcome in outcomes.values())
        return Breaker(accepted, refused, reasons)

    @property
    def at_a_time(self) -> int | None:
        """How many records may be sent next; None: all of them."""
        return None if self.accepted else PROBE

    def fault(self, what: str = "everything") -> SyncError | None:
        """Return what stops the pass, or None: it goes on."""
        total = self.refused.total()
        if self.accepted or not total:
            return None
        ((alike, number),) = self.refused.most_common(1)
        if number < MOST_ALIKE and total < MOST_REFUSED:
            return None
        reason = self.reasons[alike]
        shown = reason.message if len(reason.message) <= _LONGEST else f"{reason.message[:_LONGEST]}…"
        message = (
            f"The target refuses {what}: {shown.rstrip('.')} ({number} of {total} records, e.g. keys "
            f"{', '.join(reason.keys)}). Nothing more was sent and the other records wait; when that is mended, retry "
            "the failed ones."
        )
        # What may pass by itself is tried again by itself, like any other outage.
        return UnavailableError(message) if reason.transient else RefusesEverythingError(message)


def probe_of(records: Sequence[T], size: int, is_new: Callable[[T], bool]) -> tuple[list[T], list[T]]:
    """Return `size` records that stand for all, and the others, both in their order.

    Those that are new come first, for one that has failed before tells little; both kinds are taken evenly.
    """
    new = [place for place, record in enumerate(records) if is_new(record)]
    tried = [place for place, record in enumerate(records) if not is_new(record)]
    chosen = set(_evenly(new, size))
    chosen |= set(_evenly(tried, size - len(chosen)))
    probe = [record for place, record in enumerate(records) if place in chosen]
    return probe, [record for place, record in enumerate(records) if place not in chosen]


def _evenly(places: Sequence[int], size: int) -> list[int]:
    if len(places) <= size:
        return list(places)
    return [places[number * len(places) // size] for number in range(size)]
