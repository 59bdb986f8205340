"""The state of every sync for Prometheus: from the tables, and from the runs; never from this process alone."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from psycopg import Connection

from sync_orchestration.intake.background import Background
from sync_orchestration.intake.run_figures import BUCKETS, RunFigures, Times
from sync_orchestration.intake.storage import Storage
from sync_orchestration.interface.figures import AttemptCounter, TableFigures, count_rows, table_figures

_PATIENCE = 0.25  # seconds of a scrape for figures that usually take a few milliseconds
_PATIENCE_WITH_THE_SLOW = 0.02  # … and for those that may take long: then the ones from before are told
_SHARE, _SHARE_OF_COUNTING = 0.1, 0.01
_STATUSES = ("TRIGGER_WAITING", "IN_PROGRESS", "RETRY_WAITING", "ERROR")
_ROW_STATUSES = ("pending", "processing", "processed", "failed", "skipped")

_G, _C = GaugeMetricFamily, CounterMetricFamily
_FAMILIES: Mapping[str, tuple[type[Metric], str, tuple[str, ...]]] = {
    "sync_database_up": (_G, "1 where the interface tables could be read for this scrape, else 0.", ()),
    "sync_state": (_G, "1 for the state that a sync is in, 0 for the others.", ("sync", "status")),
    "sync_has_error": (_G, "1 where the last pass or look of a sync failed, else 0.", ("sync",)),
    "sync_tries": (_G, "Failed tries of the pass that waits for its next one.", ("sync",)),
    "sync_cursor_position": (_G, "Where a sync's cursor stands, in its source's own positions.", ("sync",)),
    "sync_lag_records": (_G, "Records settled by another sync and not yet read by this, up to 10,000.", ("sync",)),
    "sync_settled_rows": (_C, "Rows whose fate was decided; a sweep begins to count anew.", ("sync",)),
    "sync_rows": (_G, "Rows by status; of a large table counted anew every few minutes.", ("sync", "status")),
    "sync_oldest_pending_seconds": (_G, "Age of the oldest row that waits to be written; 0: none.", ("sync",)),
    "sync_failing_rows": (_G, "Failing rows by code, up to 10,000 of a sync.", ("sync", "code")),
    "sync_incidents_open": (_G, "Incidents that go on, by subject (a sync or a job).", ("subject", "kind")),
    "sync_attempts": (_C, "Tries at rows by outcome, since this process began to look.", ("sync", "outcome")),
    "sync_runs": (_C, "Runs of Dagster that ended, since this process began to look.", ("subject", "status")),
    "sync_run_seconds": (HistogramMetricFamily, "Seconds that ended runs took.", ("subject",)),
    "sync_last_success_timestamp_seconds": (_G, "When the last successful run ended, as Unix time.", ("subject",)),
    "sync_requests": (_C, "Requests that successful runs sent, by connection.", ("system",)),
    "sync_lookup_quota_spent": (_G, "Spent of a lookup's quota when it was last checked.", ("system", "method")),
    "sync_lookup_quota_limit": (_G, "A lookup's quota when it was last checked.", ("system", "method")),
}


class SyncMetrics(Collector):
    """Collects at each scrape; what cannot be known within a moment is left out, for a wrong figure is worse."""

    def __init__(
        self,
        storage: Storage,
        syncs: Sequence[str],
        relays: Mapping[str, str],
        runs: Callable[[], RunFigures] | None,
    ) -> None:
        """`syncs` are told of before their first run, `relays` names for each sync that reads another one that one."""
        self._syncs = syncs
        self._attempts = AttemptCounter()
        self._tables = Background(partial(storage.run, partial(self._look, relays=relays)), _SHARE)
        self._counts = Background(partial(storage.run, count_rows), _SHARE_OF_COUNTING)
        self._runs = None if runs is None else Background(runs, _SHARE_OF_COUNTING)

    def describe(self) -> Iterable[Metric]:
        """Return every family, empty: without it the registry would collect when it is made."""
        return [_family(name) for name in _FAMILIES]

    def collect(self) -> Iterator[Metric]:
        """Yield what is known now."""
        found = self._tables.latest(_PATIENCE, only_fresh=True)
        up = _family("sync_database_up")
        up.add_metric([], 0 if found is None else 1)
        yield up
        if found is not None:
            tables, attempts = found
            yield from _of_states(tables)
            yield from _of_tables(tables, self._syncs)
            yield _filled("sync_attempts", attempts)
            yield _filled("sync_rows", _every_status(self._counts.latest(_PATIENCE_WITH_THE_SLOW) or {}))
        if self._runs is not None and (runs := self._runs.latest(_PATIENCE_WITH_THE_SLOW)) is not None:
            yield from _of_runs(runs)

    def _look(
        self, conn: Connection[Any], relays: Mapping[str, str]
    ) -> tuple[TableFigures, Mapping[tuple[str, str], int]]:
        return table_figures(conn, self._syncs, relays), self._attempts.look(conn)


def _family(name: str) -> Any:
    kind, about, labels = _FAMILIES[name]
    return kind(name, about, labels=labels)  # type: ignore[call-arg]


def _filled(name: str, values: Mapping[Any, float]) -> Metric:
    """Return a family with the values of labels: of one as its value, of several as a tuple."""
    family = _family(name)
    for labels, value in values.items():
        family.add_metric([labels] if isinstance(labels, str) else list(labels), value)
    return family  # type: ignore[no-any-return]


def _of_states(tables: TableFigures) -> Iterator[Metric]:
    states = tables.states
    yield _filled("sync_state", {(s.sync, status): s.status == status for s in states for status in _STATUSES})
    yield _filled("sync_has_error", {s.sync: s.has_error for s in states})
    yield _filled("sync_tries", {s.sync: s.try_count for s in states})
    yield _filled("sync_cursor_position", {s.sync: s.last_position for s in states if s.last_position is not None})
    yield _filled("sync_settled_rows", {s.sync: s.count_processed for s in states})


def _of_tables(tables: TableFigures, syncs: Sequence[str]) -> Iterator[Metric]:
    names = [*syncs, *(state.sync for state in tables.states)]
    yield _filled("sync_oldest_pending_seconds", {**dict.fromkeys(names, 0.0), **tables.waiting})
    yield _filled("sync_failing_rows", tables.failing)
    yield _filled("sync_lag_records", tables.unread)
    yield _filled("sync_incidents_open", tables.incidents)


def _every_status(counts: Mapping[str, Mapping[str, int]]) -> dict[tuple[str, str], float]:
    return {(sync, status): found.get(status, 0) for sync, found in counts.items() for status in _ROW_STATUSES}


def _of_runs(runs: RunFigures) -> Iterator[Metric]:
    yield _filled("sync_runs", runs.ended)
    yield _of_times(runs.times)
    yield _filled("sync_last_success_timestamp_seconds", runs.succeeded_at)
    yield _filled("sync_requests", runs.requests)
    yield _filled("sync_lookup_quota_spent", {(q.system, q.method): q.spent for q in runs.quotas})
    yield _filled("sync_lookup_quota_limit", {(q.system, q.method): q.limit for q in runs.quotas})


def _of_times(times: Mapping[str, Times]) -> Metric:
    family = _family("sync_run_seconds")
    for subject, took in times.items():
        buckets = [*((str(float(bound)), count) for bound, count in zip(BUCKETS, took.within, strict=True))]
        family.add_metric([subject], [*buckets, ("+Inf", took.number)], took.seconds)
    return family  # type: ignore[no-any-return]
