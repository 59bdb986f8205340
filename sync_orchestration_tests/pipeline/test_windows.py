"""Windows are partitions: they tile the positions, their keys sort as text, neighbours make runs."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_orchestration.pipeline.windows import DAY, Window, neighbours, window_at, window_of_key, windows_between

POSITIONS = st.integers(0, 10**12 - 1)
SIZES = st.integers(1, 10**6).filter(lambda size: size != DAY)
MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001


@given(position=POSITIONS, size=SIZES)
def test_every_position_lies_in_exactly_one_window(position: int, size: int) -> None:
    window = window_at(position, size)
    assert position in window
    assert window.end - window.start == size
    assert position not in window_at(window.end, size)
    assert window_at(window.end, size).start == window.end
    assert window.start == 0 or window_at(window.start - 1, size).end == window.start


@given(positions=st.lists(POSITIONS, min_size=2), size=SIZES)
def test_keys_sort_as_text_like_the_windows_do(positions: list[int], size: int) -> None:
    windows = [window_at(position, size) for position in positions]
    assert sorted(window.key for window in windows) == [window.key for window in sorted(windows)]


@given(position=POSITIONS, size=SIZES)
def test_a_key_names_its_window(position: int, size: int) -> None:
    window = window_at(position, size)
    assert window_of_key(window.key, size) == window


@pytest.mark.parametrize(
    "key",
    ["", "0", "00000000100", "0000000000100", "00000000010x", "-00000000100", "000000000150", " 00000000100"],
)
def test_what_names_no_window_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="window of 100"):
        window_of_key(key, 100)


@given(first=st.integers(0, 10**6), more=st.integers(0, 2_000), size=st.integers(1, 500))
def test_windows_between_tile_the_span_without_gap_or_overlap(first: int, more: int, size: int) -> None:
    windows = list(windows_between(first, first + more, size))
    assert first in windows[0]
    assert first + more in windows[-1]
    assert [window.end for window in windows[:-1]] == [window.start for window in windows[1:]]
    assert all(window == window_at(window.start, size) for window in windows)


@given(
    numbers=st.lists(st.integers(0, 60), max_size=40),
    size=st.integers(1, 10_000),
    limit=st.integers(1, 12),
)
def test_neighbours_cover_every_window_once_adjoin_and_never_exceed_the_limit(
    numbers: list[int], size: int, limit: int
) -> None:
    windows = [Window(n * size, n * size + size) for n in numbers]
    groups = neighbours(windows, limit)
    assert [window for group in groups for window in group] == sorted(set(windows))
    for group in groups:
        assert 1 <= len(group) <= limit
        assert [window.end for window in group[:-1]] == [window.start for window in group[1:]]
    for one, following in pairwise(groups):
        # No more groups than needed: two that adjoin are apart only because the first is full.
        assert len(one) == limit or one[-1].end != following[0].start


# Days


@given(moment=MOMENTS)
def test_a_window_of_a_days_seconds_is_named_by_its_date_in_utc(moment: datetime) -> None:
    window = window_at(int(moment.timestamp()), DAY)
    assert window.key == moment.date().isoformat()
    assert window_of_key(window.key, DAY) == window
    assert int(moment.timestamp()) in window


@given(moments=st.lists(MOMENTS, min_size=2))
def test_days_sort_as_text_like_their_windows_do(moments: list[datetime]) -> None:
    windows = [window_at(int(moment.timestamp()), DAY) for moment in moments]
    assert sorted(window.key for window in windows) == [window.key for window in sorted(windows)]


@given(first=st.dates(date(1970, 1, 1), date(2100, 1, 1)), more=st.integers(0, 800))
def test_the_days_between_two_days_are_all_of_them(first: date, more: int) -> None:
    start = window_of_key(first.isoformat(), DAY).start
    keys = [window.key for window in windows_between(start, start + more * DAY, DAY)]
    assert keys == [(first + timedelta(days=n)).isoformat() for n in range(more + 1)]


@pytest.mark.parametrize(
    "key",
    ["", "today", "2026-11-31", "2026-11", "20261122", "2026-W47-7", "2026-11-22T00:00", "000000000000", " 2026-11-22"],
)
def test_what_names_no_day_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="day"):
        window_of_key(key, DAY)


def test_adjoining_days_are_neighbours_over_the_end_of_a_month() -> None:
    days = [window_of_key(key, DAY) for key in ("2026-12-01", "2026-11-30", "2026-11-28", "2027-01-01")]
    groups = [[window.key for window in group] for group in neighbours(days, 10)]
    assert groups == [["2026-11-28"], ["2026-11-30", "2026-12-01"], ["2027-01-01"]]
