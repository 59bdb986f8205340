"""What a failed exchange says: how long to wait, whether the request arrived, and the reason in plain words."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from sync_orchestration.systems.deadlines import TooSlowError

_LONGEST_RETRY_AFTER = 366 * 24 * 3600.0

# How urllib3 begins its messages: the connection, as Python prints it.
_CONNECTION = re.compile(r"^<?HTTPS?Connection(Pool)?\([^)]*\)( at \w+>)?: |^<[^>]*>: ")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Read Retry-After, which is a number of seconds or an HTTP date (RFC 9110, 10.2.3).

    No server means more than a year, and a date that far would overflow where it is added to a time.
    """
    value = headers.get("Retry-After", "").strip()
    try:
        seconds = float(value) if value.isdecimal() else _seconds_until(value)
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0.0), _LONGEST_RETRY_AFTER)


def _seconds_until(http_date: str) -> float:
    return (parsedate_to_datetime(http_date) - datetime.now(UTC)).total_seconds()


def never_arrived(error: BaseException) -> bool:
    """Tell whether the connection was not even made, so that the server cannot have acted."""
    return "NewConnectionError" in repr(error) or "NameResolutionError" in repr(error)


def took_too_long(error: BaseException) -> bool:
    """Tell whether the time of the whole exchange was over, whatever the libraries have made of it."""
    seen: set[int] = set()
    todo: list[object] = [error]
    while todo:
        one = todo.pop()
        if isinstance(one, TooSlowError):
            return True
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            todo += [one.__cause__, one.__context__, *one.args]
    return False


def root_cause(error: BaseException) -> str:
    """Return the innermost reason of a chain of library errors, which is the one that a person understands."""
    inner = error
    while (deeper := _reason_of(inner)) is not None:
        inner = deeper
    text = _CONNECTION.sub("", str(inner)).rstrip(".")
    return text or type(inner).__name__


def _reason_of(error: BaseException) -> BaseException | None:
    """Return the error that a library's error was made for: its `reason`, or one of its arguments."""
    candidates = (getattr(error, "reason", None), *reversed(error.args))
    return next((c for c in candidates if isinstance(c, BaseException)), None)
