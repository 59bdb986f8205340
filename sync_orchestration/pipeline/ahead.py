"""Read ahead: the next answer is on its way while the current one is landed."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

from sync_orchestration.pipeline.spans import carried

T = TypeVar("T")


@contextmanager
def one_ahead(answers: Iterator[T]) -> Iterator[Iterator[T]]:
    """Offer what `answers` yields, each made by a thread while the caller works on the one before.

    So `answers` must not touch what the caller works with, such as its database connection. What it raises is raised
    in the place of the missing answer, after everything before was worked on. The block's end waits for the one
    answer that may still be on its way.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as thread:
        yield _handed_over(answers, thread)


def _handed_over(answers: Iterator[T], thread: ThreadPoolExecutor) -> Iterator[T]:
    coming = thread.submit(carried(_next_if_any), answers)
    while found := coming.result():
        coming = thread.submit(carried(_next_if_any), answers)
        yield from found


def _next_if_any(answers: Iterator[T]) -> list[T]:
    return list(islice(answers, 1))
