"""What Prometheus may know: calls, records, seconds, and how much waits to be written."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from sync_orchestration.intake.background import Background
from sync_orchestration.intake.kinds import CallError

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PATIENCE, _SHARE = 0.25, 0.1
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """The counters of one intake process, in a registry of their own."""

    def __init__(self, pending: Callable[[], dict[str, int]], syncs: Collector | None = None) -> None:
        """`pending` counts rows still to be written by sync; it may raise CallError. `syncs` tells how syncs stand."""
        self._registry = CollectorRegistry()
        self._calls = Counter(
            "intake_calls", "Calls by method and result (ok or a code).", ["method", "result"], registry=self._registry
        )
        self._records = Counter(
            "intake_records", "Pushed records by sync and outcome.", ["sync", "outcome"], registry=self._registry
        )
        self._seconds = Histogram(
            "intake_seconds", "Seconds of a call.", ["method"], buckets=_BUCKETS, registry=self._registry
        )
        self._registry.register(_Pending(pending))
        if syncs is not None:
            self._registry.register(syncs)

    @contextmanager
    def measured(self, method: str) -> Iterator[None]:
        """Count a call and its seconds; a CallError within is its result."""
        started = time.perf_counter()
        result = "internal"
        try:
            yield
            result = "ok"
        except CallError as error:
            result = error.kind.code
            raise
        finally:
            self._calls.labels(method, result).inc()
            self._seconds.labels(method).observe(time.perf_counter() - started)

    def refused(self, method: str, code: str) -> None:
        """Count a call that was refused before it was one."""
        self._calls.labels(method, code).inc()

    def records(self, sync: str, outcomes: Iterable[tuple[str, int]]) -> None:
        """Count records by outcome."""
        for outcome, number in outcomes:
            if number:
                self._records.labels(sync, outcome).inc(number)

    def text(self) -> bytes:
        """Return the page that Prometheus reads; asks the database."""
        return generate_latest(self._registry)


class _Pending(Collector):
    def __init__(self, pending: Callable[[], dict[str, int]]) -> None:
        self._pending = Background(pending, _SHARE)

    def describe(self) -> Iterable[Metric]:
        # Without it the registry would collect, and so ask the database, when it is made.
        return [self._family()]

    def collect(self) -> Iterable[Metric]:
        family = self._family()
        found = self._pending.latest(_PATIENCE, only_fresh=True)
        if found is None:
            return []  # the database is away: no figure is better than a wrong one
        for sync, number in found.items():
            family.add_metric([sync], number)
        return [family]

    @staticmethod
    def _family() -> GaugeMetricFamily:
        return GaugeMetricFamily("intake_pending_rows", "Rows still to be written, up to 100,000.", labels=["sync"])
