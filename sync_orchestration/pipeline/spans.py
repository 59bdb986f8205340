"""Spans: what a pass does and how long each step takes, told to OpenTelemetry; nobody hears them unless traces are on.

Only the API of OpenTelemetry is used here. A span tells the kind of a fault, never its text, which may quote anything.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import copy_context
from itertools import islice
from typing import ParamSpec, TypeVar

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

_SCOPE = "sync_orchestration"

P = ParamSpec("P")
T = TypeVar("T")


@contextmanager
def span(
    name: str, attributes: Mapping[str, str | int] | None = None, kind: SpanKind = SpanKind.INTERNAL
) -> Iterator[Span]:
    """Open a span for the length of a block, below the one that is open already."""
    with trace.get_tracer(_SCOPE).start_as_current_span(
        name, kind=kind, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as opened:
        try:
            yield opened
        except BaseException as error:
            opened.set_attribute("error.type", type(error).__name__)
            opened.set_status(Status(StatusCode.ERROR))
            raise


def each_read(answers: Iterable[T]) -> Iterator[T]:
    """Yield what `answers` yields, with a span around the making of each."""
    iterator = iter(answers)
    while found := within("read", list, islice(iterator, 1)):
        yield from found


def within(name: str, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what `work` returns, done within a span."""
    with span(name):
        return work(*args, **kwargs)


def carried(work: Callable[P, T]) -> Callable[P, T]:
    """Return `work` as a thread of a pool shall do it: below the span that is open here and now."""
    context = copy_context()

    def done(*args: P.args, **kwargs: P.kwargs) -> T:
        return context.copy().run(work, *args, **kwargs)

    return done
