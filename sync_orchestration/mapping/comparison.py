"""How conditions compare two values of JSON; every function is total, nothing raises."""

from collections.abc import Callable, Mapping
from decimal import Decimal

from sync_orchestration.mapping.records import JSON
from sync_orchestration.mapping.values import as_number, as_text, is_empty


def is_true(value: JSON) -> bool:
    """Tell whether a value is true, or the text ``true`` in any case of letters."""
    return value is True or (isinstance(value, str) and value.strip().lower() == "true")


def same(left: JSON, right: JSON) -> bool:
    """Tell whether two values are equal; all empty ones are, and ``"5.0"`` is the number 5."""
    if is_empty(left) or is_empty(right):
        return is_empty(left) and is_empty(right)
    if isinstance(left, list | dict) or isinstance(right, list | dict):
        return False
    if isinstance(left, bool) or isinstance(right, bool):
        return (as_text(left) or "").strip().lower() == (as_text(right) or "").strip().lower()
    if isinstance(left, str) and isinstance(right, str):
        return left.strip() == right.strip()
    pair = _numbers(left, right)
    return pair is not None and pair[0] == pair[1]


def _numbers(left: JSON, right: JSON) -> tuple[Decimal, Decimal] | None:
    first, second = as_number(left), as_number(right)
    return None if first is None or second is None else (first, second)


def _less(left: JSON, right: JSON) -> bool:
    if is_empty(left) or is_empty(right):
        return False
    if isinstance(left, str) and isinstance(right, str):
        return left.strip() < right.strip()
    pair = _numbers(left, right)
    return pair is not None and pair[0] < pair[1]


COMPARISONS: Mapping[str, Callable[[JSON, JSON], bool]] = {
    "=": same,
    "!=": lambda left, right: not same(left, right),
    "<": _less,
    "<=": lambda left, right: _less(left, right) or _comparable_and_same(left, right),
    ">": lambda left, right: _less(right, left),
    ">=": lambda left, right: _less(right, left) or _comparable_and_same(left, right),
}


def _comparable_and_same(left: JSON, right: JSON) -> bool:
    # Nothing is neither less nor greater than nothing, and truths have no order.
    return not is_empty(left) and not isinstance(left, bool) and not isinstance(right, bool) and same(left, right)
