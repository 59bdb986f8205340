"""Off-peak hours: a span of the clock, also over midnight, read or refused with how one is written."""

from contextlib import suppress
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_orchestration.mapping.hours import HoursError, OffPeak, off_peak

MINUTES = st.integers(0, 24 * 60 - 1)
MIDNIGHT = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "begin", "end"),
    [
        ("22:00-06:00", time(22), time(6)),
        ("9:30-17:00", time(9, 30), time(17)),
        ("  22:00 - 06:00 ", time(22), time(6)),
        # as a word processor writes it
        ("22:00–06:00", time(22), time(6)),
        # midnight has two names
        ("18:00-24:00", time(18), time(0)),
        ("24:00-06:00", time(0), time(6)),
    ],
)
def test_a_span_is_read(text: str, begin: time, end: time) -> None:
    assert off_peak(text) == OffPeak(begin, end)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "write it like 22:00-06:00"),
        ("22-6", "write it like 22:00-06:00"),
        ("22:00", "write it like 22:00-06:00"),
        ("22:0-06:00", "write it like 22:00-06:00"),
        ("22:00-06:00-08:00", "write it like 22:00-06:00"),
        ("-22:00-06:00", "write it like 22:00-06:00"),
        ("10pm-6am", "write it like 22:00-06:00"),
        ("25:00-06:00", "there is no 25:00 on a clock"),
        ("22:00-06:60", "there is no 06:60 on a clock"),
        ("24:01-06:00", "there is no 24:01 on a clock"),
        ("06:00-06:00", "begins and ends at the same time"),
        ("00:00-24:00", "leave hours out for the whole day"),
    ],
)
def test_what_is_no_span_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(HoursError, match=reason) as refused:
        off_peak(text)
    assert repr(text) in str(refused.value)


@pytest.mark.parametrize(
    ("text", "within", "without"),
    [
        ("22:00-06:00", ["22:00:00", "23:59:59", "00:00:00", "05:59:59"], ["06:00:00", "12:00:00", "21:59:59"]),
        ("09:00-17:00", ["09:00:00", "16:59:59"], ["08:59:59", "17:00:00", "00:00:00"]),
        ("18:00-24:00", ["18:00:00", "23:59:59"], ["00:00:00", "17:59:59"]),
        ("00:00-06:00", ["00:00:00", "05:59:59"], ["06:00:00", "23:59:59"]),
    ],
)
def test_the_span_holds_its_begin_and_not_its_end(text: str, within: list[str], without: list[str]) -> None:
    hours = off_peak(text)
    told = {clock: datetime.combine(MIDNIGHT, time.fromisoformat(clock), UTC) in hours for clock in within + without}
    assert told == {**dict.fromkeys(within, True), **dict.fromkeys(without, False)}


def test_the_wall_clock_counts_also_where_it_is_set_back() -> None:
    hours, prague = off_peak("02:00-02:30"), ZoneInfo("Europe/Prague")
    once = datetime(2026, 10, 25, 0, 15, tzinfo=UTC).astimezone(prague)
    again = datetime(2026, 10, 25, 1, 15, tzinfo=UTC).astimezone(prague)
    assert (once in hours, again in hours) == (True, True)


@given(begin=MINUTES, end=MINUTES, minute=MINUTES)
def test_a_span_and_the_rest_of_the_day_share_no_minute_and_leave_none_out(begin: int, end: int, minute: int) -> None:
    if begin == end:
        return
    one, rest = OffPeak(_time(begin), _time(end)), OffPeak(_time(end), _time(begin))
    moment = MIDNIGHT + timedelta(minutes=minute)
    assert (moment in one) != (moment in rest)
    length = (end - begin) % (24 * 60)
    assert (moment in one) == ((minute - begin) % (24 * 60) < length)


@given(begin=MINUTES, end=MINUTES)
def test_a_span_that_is_shown_is_read_as_it_was(begin: int, end: int) -> None:
    if begin != end:
        hours = OffPeak(_time(begin), _time(end))
        assert off_peak(str(hours)) == hours


@given(st.text(max_size=20))
def test_whatever_is_written_is_read_or_refused(text: str) -> None:
    with suppress(HoursError):
        hours = off_peak(text)
        assert off_peak(str(hours)) == hours


def _time(minute: int) -> time:
    return time(minute // 60, minute % 60)
