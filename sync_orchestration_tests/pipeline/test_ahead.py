"""Reading one answer ahead: the same answers in the same order, faults in their place."""

import threading
from collections.abc import Iterator

import pytest

from sync_orchestration.pipeline.ahead import one_ahead


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_the_answers_come_in_their_order(count: int) -> None:
    with one_ahead(iter(range(count))) as answers:
        assert list(answers) == list(range(count))


def test_the_next_answer_is_made_while_the_current_one_is_worked_on() -> None:
    asked = [threading.Event() for _ in range(3)]

    def source() -> Iterator[int]:
        for number, event in enumerate(asked):
            event.set()
            yield number

    with one_ahead(source()) as answers:
        assert next(answers) == 0
        assert asked[1].wait(timeout=10)
        assert not asked[2].is_set()


@pytest.mark.parametrize("fault", [ValueError, KeyboardInterrupt])
def test_a_fault_is_raised_after_everything_before_it_was_worked_on(fault: type[BaseException]) -> None:
    def source() -> Iterator[int]:
        yield 1
        yield 2
        raise fault

    worked_on: list[int] = []

    def work() -> None:
        with one_ahead(source()) as answers:
            for answer in answers:
                worked_on.append(answer)  # noqa: PERF402 - a list() would lose them with the exception

    with pytest.raises(fault):
        work()
    assert worked_on == [1, 2]


def test_whoever_stops_early_leaves_no_thread_behind() -> None:
    before = threading.active_count()

    def work() -> None:
        with one_ahead(iter(range(9))) as answers:
            next(answers)
            raise RuntimeError("the database went away")

    with pytest.raises(RuntimeError, match="the database went away"):
        work()
    assert threading.active_count() == before
