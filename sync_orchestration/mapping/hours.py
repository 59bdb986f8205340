"""Off-peak hours: a span of the day, possibly over midnight, in which work may begin."""

import re
from dataclasses import dataclass
from datetime import datetime, time

_SPAN = re.compile(r"(\d{1,2}):(\d{2})\s*[-–]\s*(\d{1,2}):(\d{2})")


class HoursError(ValueError):
    """A span of hours that cannot be read; the message says how one is written."""


@dataclass(frozen=True, slots=True)
class OffPeak:
    """From `begin` up to, not including, `end`; over midnight where `end` is the earlier one."""

    begin: time
    end: time

    def __contains__(self, moment: datetime) -> bool:
        """Tell whether the wall clock that `moment` shows lies within."""
        clock = moment.time()
        if self.begin < self.end:
            return self.begin <= clock < self.end
        return clock >= self.begin or clock < self.end

    def __str__(self) -> str:
        return f"{self.begin:%H:%M}-{self.end:%H:%M}"


def off_peak(text: str) -> OffPeak:
    """Read ``22:00-06:00``; ``24:00`` is midnight. Raises HoursError."""
    found = _SPAN.fullmatch(text.strip())
    if found is None:
        raise HoursError(f"{text!r} is no span of hours; write it like 22:00-06:00")
    begin, end = _time(text, found[1], found[2]), _time(text, found[3], found[4])
    if begin == end:
        raise HoursError(f"{text!r} begins and ends at the same time; leave hours out for the whole day")
    return OffPeak(begin, end)


def _time(text: str, hour: str, minute: str) -> time:
    if (hour, minute) == ("24", "00"):
        return time(0, 0)
    try:
        return time(int(hour), int(minute))
    except ValueError:
        raise HoursError(f"{text!r}: there is no {hour}:{minute} on a clock") from None
