"""Windows: half-open spans of positions, which are the partitions of a source's history."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from itertools import pairwise

DAY = 86_400
"""Where positions are seconds since the epoch, windows of this size are days (UTC) and are named by their date."""

_DIGITS = 12


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """The positions from `start` up to, not including, `end`."""

    start: int
    end: int

    @property
    def key(self) -> str:
        """The partition key, the first position or the date of a day; it sorts as text like the windows do."""
        if self.end - self.start == DAY:
            return datetime.fromtimestamp(self.start, UTC).date().isoformat()
        return f"{self.start:0{_DIGITS}d}"

    def __contains__(self, position: int) -> bool:
        return self.start <= position < self.end


def window_at(position: int, size: int) -> Window:
    """Return the window of `size` positions that holds `position`."""
    start = position - position % size
    return Window(start, start + size)


def window_key(position: int, size: int) -> str:
    """Return the partition key of the window of `size` positions that holds `position`."""
    return _key_from(position - position % size, size)


# Many records of one read lie in the same window.
@lru_cache(maxsize=256)
def _key_from(start: int, size: int) -> str:
    return Window(start, start + size).key


def window_of_key(key: str, size: int) -> Window:
    """Return the window with this partition key. Raises ValueError for a key that names no window of `size`."""
    if size == DAY:
        return _day_of_key(key)
    if len(key) != _DIGITS or not key.isdecimal() or int(key) % size:
        raise ValueError(f"{key!r} is not the start of a window of {size} positions")
    return Window(int(key), int(key) + size)


def _day_of_key(key: str) -> Window:
    try:
        midnight = datetime.combine(date.fromisoformat(key), datetime.min.time(), UTC)
    except ValueError:
        raise ValueError(f"{key!r} is not the date of a day") from None
    day = window_at(int(midnight.timestamp()), DAY)
    if day.key != key:  # a date in another notation, 20261122 or 2026-W47-7
        raise ValueError(f"{key!r} is not the date of a day as its window is named, {day.key}")
    return day


def windows_between(first: int, last: int, size: int) -> Iterator[Window]:
    """Yield the windows from the one that holds `first` to the one that holds `last`."""
    for start in range(first - first % size, last + 1, size):
        yield Window(start, start + size)


def neighbours(windows: Iterable[Window], limit: int) -> list[list[Window]]:
    """Group windows into runs of adjoining ones, at most `limit` in a group, in ascending order."""
    ordered = sorted(set(windows))
    groups = [ordered[:1]] if ordered else []
    for before, window in pairwise(ordered):
        if window.start == before.end and len(groups[-1]) < limit:
            groups[-1].append(window)
        else:
            groups.append([window])
    return groups
