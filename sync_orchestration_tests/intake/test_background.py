"""Who asks for a figure never waits for long, and one fault is not the last word."""

import threading
from collections.abc import Iterator

from sync_orchestration.intake.background import Background


def test_an_answer_that_takes_long_is_there_the_next_time() -> None:
    may_answer = threading.Event()
    asked = Background(lambda: may_answer.wait(20), share=1.0)
    assert asked.latest(0.0) is None
    may_answer.set()
    assert asked.latest(20.0) is True


def test_after_a_fault_there_is_no_answer_and_it_is_asked_again() -> None:
    answers: Iterator[str | Exception] = iter(["first", ValueError("away"), "third"])

    def ask() -> str:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    asked = Background(ask, share=1.0)
    told: list[str | None] = []
    while "third" not in told:
        told.append(asked.latest(20.0))
    assert list(dict.fromkeys(told)) == ["first", None, "third"]


def test_it_is_asked_no_more_often_than_its_share_of_the_time_allows() -> None:
    asked_so_often: list[int] = []
    asked = Background(lambda: asked_so_often.append(1), share=1e-9)
    for _ in range(1_000):
        asked.latest(20.0)
    assert asked_so_often == [1]
