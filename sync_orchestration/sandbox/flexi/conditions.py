"""A condition on records, with what it says about ids, so that id batches and id pages need no full scan."""

from collections.abc import Callable
from dataclasses import dataclass

from .records import Record


@dataclass(frozen=True, slots=True)
class Condition:
    """A test; records that pass have an id in `ids` (if given) and above `above`."""

    test: Callable[[Record], bool]
    ids: frozenset[int] | None = None
    above: int = -1


def both(a: Condition, b: Condition) -> Condition:
    """Return a condition met where both are."""
    ids = b.ids if a.ids is None else a.ids if b.ids is None else a.ids & b.ids
    return Condition(lambda r: a.test(r) and b.test(r), ids, max(a.above, b.above))


def either(a: Condition, b: Condition) -> Condition:
    """Return a condition met where one of them is."""
    ids = None if a.ids is None or b.ids is None else a.ids | b.ids
    return Condition(lambda r: a.test(r) or b.test(r), ids, min(a.above, b.above))


def negated(a: Condition) -> Condition:
    """Return a condition met where `a` is not."""
    return Condition(lambda r: not a.test(r))
