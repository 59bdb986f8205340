"""One message when a fault begins and one when it is over, however often and in whatever pieces it is looked at."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_orchestration.interface.incidents import Standing
from sync_orchestration.pipeline.incident_texts import FailedRecord, duration, rows_fail, rows_recovered, run_failed
from sync_orchestration.pipeline.incidents import (
    RETRY_IS_AWAITED,
    RunEnd,
    Step,
    Threshold,
    newest_of_each,
    next_step,
    turns,
)

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=1)

faults = st.lists(st.booleans(), max_size=30)


def expected_steps(states: Sequence[bool]) -> list[Step]:
    """One message for each stretch of faults and one for its end; a stretch of quiet before the first is nothing."""
    stretches = [fault for fault, _ in groupby(states)]
    if stretches and not stretches[0]:
        stretches = stretches[1:]
    return ["open" if fault else "close" for fault in stretches]


def end(minute: int, *, failed: bool, retry: str = "none", subject: str = "partners") -> RunEnd:
    return RunEnd(subject, f"run-{minute}", NOON + timedelta(minutes=minute), not failed, retry)  # type: ignore[arg-type]


@given(faults)
def test_each_stretch_of_faults_is_told_once_and_its_end_once(states: list[bool]) -> None:
    is_open, told = False, list[Step]()
    for fault in states:
        step = next_step(is_open=is_open, fault=fault)
        if step != "keep":
            told.append(step)
            is_open = step == "open"
    assert told == expected_steps(states)


@given(faults, st.data())
def test_ends_may_be_read_in_any_pieces_and_again_and_again(states: list[bool], data: st.DataObject) -> None:
    ends = [end(minute, failed=fault) for minute, fault in enumerate(states)]
    standing, told, read = Standing(), list[Step](), 0
    while read < len(ends):
        again = data.draw(st.integers(0, read), label="read again from")
        read = data.draw(st.integers(read + 1, len(ends)), label="read up to")
        for turn in turns(standing, data.draw(st.permutations(ends[again:read])), LATER):
            told.append(turn.step)
            standing = Standing(turn.step == "open", turn.began_at, turn.end.ended_at)
    assert told == expected_steps(states)
    assert turns(standing, ends, LATER) == []


@given(faults)
def test_the_end_of_a_fault_knows_when_it_began(states: list[bool]) -> None:
    found = turns(Standing(), [end(minute, failed=fault) for minute, fault in enumerate(states)], LATER)
    for opened, closed in zip(found[::2], found[1::2], strict=False):
        assert closed.began_at == opened.end.ended_at < closed.end.ended_at


def test_a_failure_that_is_tried_again_says_nothing_until_its_retry_has_not_begun_for_long() -> None:
    failure = end(0, failed=True, retry="awaited")
    assert turns(Standing(), [failure], NOON + RETRY_IS_AWAITED) == []
    assert [t.step for t in turns(Standing(), [failure], NOON + RETRY_IS_AWAITED * 1.1)] == ["open"]
    assert turns(Standing(), [end(0, failed=True, retry="begun"), end(1, failed=False)], LATER) == []


def test_only_the_last_try_of_a_run_counts() -> None:
    tries = [end(0, failed=True, retry="begun"), end(1, failed=True, retry="begun"), end(2, failed=True)]
    assert [(t.step, t.end.run_id) for t in turns(Standing(), tries, LATER)] == [("open", "run-2")]


def test_after_a_long_absence_only_how_things_stand_now_counts() -> None:
    ends = [end(0, failed=True), end(1, failed=False), end(2, failed=True, retry="begun")]
    ends += [end(3, failed=False, subject="contractors"), end(4, failed=True, subject="contractors")]
    assert [(e.subject, e.run_id) for e in newest_of_each(ends, LATER)] == [
        ("partners", "run-1"),
        ("contractors", "run-4"),
    ]


@pytest.mark.parametrize(
    ("threshold", "failed", "known", "passed"),
    [
        (Threshold(), 9, 1_000, False),
        (Threshold(), 10, 1_000_000, True),
        (Threshold(at_least=1), 0, 0, False),
        (Threshold(at_least=1), 1, 1, True),
        # both must be reached
        (Threshold(at_least=10, share=0.1), 10, 1_000, False),
        (Threshold(at_least=10, share=0.1), 100, 1_000, True),
        (Threshold(at_least=10, share=0.1), 5, 10, False),
    ],
)
def test_a_threshold_is_a_number_and_a_share(threshold: Threshold, failed: int, known: int, passed: bool) -> None:
    assert threshold.is_passed(failed, known) is passed


def test_failing_records_are_told_with_the_first_of_them_and_how_to_see_the_others() -> None:
    first = [
        FailedRecord("update", "412", "email", "'nowhere' is no\n address"),
        FailedRecord("create", "7", None, "x" * 500),
    ]
    message = rows_fail("partners", 12, NOON, first, link="https://sync.example.com/assets/partners")
    assert message.title == "partners: 12 records are failing"
    lines = message.text.splitlines()
    assert lines[:2] == [
        "12 records of partners are failing, the first since 22 Nov 2026 12:00 UTC.",
        "- update 412: email: 'nowhere' is no address",
    ]
    assert lines[2].startswith("- create 7: xxx")
    assert len(lines[2]) < 200
    assert lines[3:] == [
        "- and 10 more",
        "All of them: sync-orchestration status partners --failed",
        "https://sync.example.com/assets/partners",
    ]


def test_one_failing_record_is_told_in_the_singular() -> None:
    message = rows_fail("partners", 1, NOON, [FailedRecord("update", "412", None, "refused")], link=None)
    assert message.title == "partners: 1 record is failing"
    assert "more" not in message.text
    over = rows_recovered("partners", 0, NOON, NOON + timedelta(hours=2, minutes=5))
    assert over.text == (
        "No record of partners is failing any more. It began on 22 Nov 2026 12:00 UTC and took 2 h 5 min."
    )


def test_a_job_that_is_no_sync_is_not_looked_up_by_the_status_of_syncs() -> None:
    assert "status" not in run_failed("purge_history", NOON, "why", is_sync=False, link=None).text
    assert "sync-orchestration status partners" in run_failed("partners", NOON, "why", is_sync=True, link=None).text


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (timedelta(seconds=20), "less than a minute"),
        (timedelta(minutes=1), "1 min"),
        (timedelta(hours=3), "3 h"),
        (timedelta(days=2, hours=3, minutes=4), "2 d 3 h"),
        (timedelta(seconds=-5), "less than a minute"),
    ],
)
def test_a_duration_is_told_roughly(span: timedelta, said: str) -> None:
    assert duration(span) == said
