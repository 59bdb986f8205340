"""How runs end, added up for monitoring: whatever ran them has ended, too, and kept no figures."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import dagster as dg

from sync_orchestration.components.run_requests import SYNC_TAG
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.components.source_settings import InterfaceSourceSettings
from sync_orchestration.intake import Quota, RunFigures, Times

REQUESTS = "requests_"
"""How the metadata of a step begin that tell the requests sent to a connection."""

_STATUSES = {
    dg.DagsterRunStatus.SUCCESS: "success",
    dg.DagsterRunStatus.FAILURE: "failure",
    dg.DagsterRunStatus.CANCELED: "canceled",
}
_RUNS_AT_ONCE = 50
_EVENTS_OF_A_RUN = 100
_OVERLAP = timedelta(minutes=2)
"""An end may be written a moment later than its time says; ends seen within it are not counted twice."""

_AD_HOC = "ad hoc"


def relays_of(syncs: Mapping[str, SyncSettings]) -> dict[str, str]:
    """Return for each sync that reads what another one has processed the name of that one."""
    return {name: s.source.sync for name, s in syncs.items() if isinstance(s.source, InterfaceSourceSettings)}


@dataclass(slots=True)
class RunFollower:
    """Follows the runs of an instance from the first look on; each look reads a bounded number of them.

    `opened` opens the instance, which is kept.
    """

    opened: Callable[[], dg.DagsterInstance]
    syncs: Sequence[SyncSettings]
    _instance: dg.DagsterInstance | None = field(default=None, init=False)
    _since: datetime | None = field(default=None, init=False)
    _seen: dict[str, datetime] = field(default_factory=dict, init=False)
    _ended: dict[tuple[str, str], int] = field(default_factory=dict, init=False)
    _times: dict[str, Times] = field(default_factory=dict, init=False)
    _requests: dict[str, int] = field(default_factory=dict, init=False)
    _succeeded_at: dict[str, float] = field(default_factory=dict, init=False)

    def look(self) -> RunFigures:
        """Look at the runs that have ended since the last look."""
        instance = self._instance = self._instance or self.opened()
        if self._since is None:
            self._begin(instance)
        else:
            self._go_on(instance, self._since)
        quotas = tuple(self._quotas(instance))
        return RunFigures(dict(self._ended), dict(self._times), dict(self._requests), dict(self._succeeded_at), quotas)

    def _begin(self, instance: dg.DagsterInstance) -> None:
        """Note the runs that have just ended, which count for nothing, and when each sync succeeded last."""
        self._since = datetime.now(UTC)
        for record in _ended_after(instance, self._since - _OVERLAP):
            self._seen[record.dagster_run.run_id] = record.update_timestamp
        for sync in self.syncs:
            wanted = dg.RunsFilter(tags={SYNC_TAG: sync.name}, statuses=[dg.DagsterRunStatus.SUCCESS])
            for record in instance.get_run_records(wanted, limit=1):
                self._succeeded_at[sync.name] = _end_of(record)

    def _go_on(self, instance: dg.DagsterInstance, since: datetime) -> None:
        for record in _ended_after(instance, since - _OVERLAP):
            if record.dagster_run.run_id in self._seen:
                continue
            self._seen[record.dagster_run.run_id] = record.update_timestamp
            self._since = max(self._since or since, record.update_timestamp)
            self._count(instance, record)
        self._seen = {run: at for run, at in self._seen.items() if at >= (self._since or since) - 2 * _OVERLAP}

    def _count(self, instance: dg.DagsterInstance, record: dg.RunRecord) -> None:
        run, subject = record.dagster_run, _subject_of(record.dagster_run)
        key = (subject, _STATUSES[run.status])
        self._ended[key] = self._ended.get(key, 0) + 1
        ended = _end_of(record)
        if record.start_time is not None:
            self._times[subject] = self._times.get(subject, Times()).and_one(max(ended - record.start_time, 0.0))
        if run.is_success:
            self._succeeded_at[subject] = max(self._succeeded_at.get(subject, 0.0), ended)
            for system, number in _requests_of(instance, run.run_id).items():
                self._requests[system] = self._requests.get(system, 0) + number

    def _quotas(self, instance: dg.DagsterInstance) -> Iterator[Quota]:
        """Yield what the newest check of each lookup's quota has found."""
        for sync in self.syncs:
            if sync.lookup is None or not sync.source.sweeps:
                continue
            key = dg.AssetCheckKey(dg.AssetKey(sync.lookup.asset_key), "quota_is_left")
            record = instance.get_latest_asset_check_evaluation_record(key)
            found = record.evaluation if record else None
            table = found.metadata.get("quotas") if isinstance(found, dg.AssetCheckEvaluation) else None
            for row in table.records if isinstance(table, dg.TableMetadataValue) else []:
                told = row.data
                yield Quota(
                    sync.lookup.connection, str(told["method"]), int(told["spent"] or 0), int(told["limit"] or 0)
                )


def _ended_after(instance: dg.DagsterInstance, since: datetime) -> Sequence[dg.RunRecord]:
    """Return the runs that ended after `since`, oldest first; after a long time not all of them at once."""
    wanted = dg.RunsFilter(statuses=list(_STATUSES), updated_after=since)
    return instance.get_run_records(wanted, limit=_RUNS_AT_ONCE, order_by="update_timestamp", ascending=True)


def _end_of(record: dg.RunRecord) -> float:
    return record.update_timestamp.timestamp() if record.end_time is None else record.end_time


def _subject_of(run: dg.DagsterRun) -> str:
    """Return the sync of a run, else its job; assets that somebody chose by hand have one name together."""
    return run.tags.get(SYNC_TAG) or (_AD_HOC if run.job_name.startswith("__") else run.job_name)


def _requests_of(instance: dg.DagsterInstance, run_id: str) -> dict[str, int]:
    """Return the requests that the steps of a run sent; each window of a range repeats those of its step."""
    found: dict[tuple[str, str], int] = {}
    kind = dg.DagsterEventType.ASSET_MATERIALIZATION
    for record in instance.get_records_for_run(run_id, of_type=kind, limit=_EVENTS_OF_A_RUN).records:
        made, step = record.asset_materialization, record.event_log_entry.step_key
        for name, told in ({} if made is None else made.metadata).items():
            if name.startswith(REQUESTS) and isinstance(told.value, int):
                found[step or "", name.removeprefix(REQUESTS)] = told.value
    totals: dict[str, int] = {}
    for (_, system), number in found.items():
        totals[system] = totals.get(system, 0) + number
    return totals
