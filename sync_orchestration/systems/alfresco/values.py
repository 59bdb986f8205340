"""When a node holds a value already, in whatever form the server keeps and tells it; and in which form one is sent."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sync_orchestration.mapping import comparison
from sync_orchestration.mapping.values import is_empty

_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:T.*)?")
_PADDED = re.compile(r"[+-]?0\d+")
_EASTERNMOST, _WESTERNMOST = timedelta(hours=14), timedelta(hours=-12)
_ZONE_STEP = timedelta(minutes=15)


def same_value(held: Any, wanted: Any) -> bool:
    """Tell whether writing `wanted` over `held` would change nothing.

    Texts are trimmed, and no value and an empty one are the same, for the server leaves both out. A property of several
    values is told as a list, also where one was sent. Numbers, truths and times are told in a form of the server's own.
    """
    if is_empty(held) or is_empty(wanted):
        return is_empty(held) and is_empty(wanted)
    if isinstance(held, list) or isinstance(wanted, list):
        some, others = _listed(held), _listed(wanted)
        return len(some) == len(others) and all(map(same_value, some, others))
    if isinstance(held, str) and isinstance(wanted, str):
        return held.strip() == wanted.strip() or _same_time(held.strip(), wanted.strip())
    # A number is never told with zeros before it, so a text with them is another one: 00242766 is no 242766.
    if isinstance(held, str) and _PADDED.fullmatch(held.strip()):
        return False
    return comparison.same(held, wanted) or held == wanted


def was_taken(held: Any, wanted: Any) -> bool:
    """Tell whether `held` is what becomes of `wanted`. Of several values Citeck tells one, and more cannot be asked."""
    if isinstance(wanted, list) and not isinstance(held, list) and not is_empty(held):
        return any(same_value(held, one) for one in wanted)
    return same_value(held, wanted)


def sent_value(value: Any) -> Any:
    """Return a value as JSON; what is empty is sent as null, which unsets the property."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return None if value in (None, "") else value


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _same_time(held: str, wanted: str) -> bool:
    """Compare as times, to the millisecond that a repository keeps.

    A time without a zone, also a mere day, was understood in the server's own zone, which is not told: it is the same
    as a time with a zone where some zone of the earth makes it so.
    """
    one, other = _time(held), _time(wanted)
    if one is None or other is None:
        return False
    apart = one.replace(tzinfo=UTC) - other.replace(tzinfo=UTC)
    if (one.tzinfo is None) == (other.tzinfo is None):
        return apart == timedelta(0)
    zone = apart if one.tzinfo is None else -apart
    return _WESTERNMOST <= zone <= _EASTERNMOST and zone % _ZONE_STEP == timedelta(0)


def _time(text: str) -> datetime | None:
    if not _TIME.fullmatch(text):
        return None
    try:
        found = datetime.fromisoformat(text)
        found = found if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return found.replace(microsecond=found.microsecond // 1_000 * 1_000)
