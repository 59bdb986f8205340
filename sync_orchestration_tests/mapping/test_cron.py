"""Cron expressions of five and six fields: converted without another meaning, or refused with the reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_orchestration.mapping.cron import CronError, five_fields


@pytest.mark.parametrize(
    ("written", "converted"),
    [
        ("0 2 * * *", "0 2 * * *"),
        ("*/5 * * * *", "*/5 * * * *"),
        ("0 0 2 * * *", "0 2 * * *"),
        # the second is dropped, whatever it is
        ("1 * * * * *", "* * * * *"),
        ("59 30 4 1 * *", "30 4 1 * *"),
        ("00 0 2 * * *", "0 2 * * *"),
        # a question mark is a star
        ("0 0 12 * * ?", "0 12 * * *"),
        ("0 0 12 ? * MON-FRI", "0 12 * * MON-FRI"),
        # names hold letters that mean something elsewhere
        ("0 0 2 * JUL *", "0 2 * JUL *"),
        ("0 0 2 * * WED", "0 2 * * WED"),
        ("0 0 2 * * wed,thu", "0 2 * * wed,thu"),
        # five fields keep cron's own meaning of two kinds of days
        ("0 2 1 * MON", "0 2 1 * MON"),
        ("  0   0  2 * *  * ", "0 2 * * *"),
    ],
)
def test_an_expression_is_said_in_five_fields(written: str, converted: str) -> None:
    assert five_fields(written) == converted


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("* * * * * *", "fires several times a minute"),
        ("*/10 * * * * *", "fires several times a minute"),
        ("0,30 * * * * *", "fires several times a minute"),
        ("0-5 * * * * *", "fires several times a minute"),
        ("60 * * * * *", "fires several times a minute"),
        ("? * * * * *", "fires several times a minute"),
        ("0 0 2 L * *", "uses 'L'"),
        ("0 0 2 15W * *", "uses '15W'"),
        ("0 0 2 * * 5#2", "uses '5#2'"),
        ("0 0 2 * * 5L", "uses '5L'"),
        ("0 2 L * *", "uses 'L'"),
        # Spring wants both to hold, cron one of them
        ("0 0 2 1 * MON", "both must hold"),
        ("0 0 2 13 * 5", "both must hold"),
        ("", "has 0 fields"),
        ("@daily", "has 1 fields"),
        ("0 2 * *", "has 4 fields"),
        ("0 0 2 * * * 2027", "has 7 fields"),
    ],
)
def test_what_five_fields_cannot_say_is_refused_with_the_reason(written: str, reason: str) -> None:
    with pytest.raises(CronError, match=reason) as refused:
        five_fields(written)
    assert repr(written) in str(refused.value)


@given(st.integers(0, 59), st.integers(0, 59), st.integers(0, 23))
def test_the_second_never_changes_the_minute(second: int, minute: int, hour: int) -> None:
    assert five_fields(f"{second} {minute} {hour} * * *") == five_fields(f"{minute} {hour} * * *")
