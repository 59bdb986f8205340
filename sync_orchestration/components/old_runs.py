"""Deletes old runs with their events and logs, as far as nothing that the UI shows stands on them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import dagster as dg

from sync_orchestration.components.run_requests import SYNC_TAG

_PAGE = 100
_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_UNFINISHED = [status for status in dg.DagsterRunStatus if status not in _ENDED]
_SHOWN = {dg.DagsterEventType.ASSET_MATERIALIZATION, dg.DagsterEventType.ASSET_CHECK_EVALUATION}


@dataclass(frozen=True, slots=True)
class PurgedRuns:
    """How many old runs were deleted, and how many were kept since something stands on them."""

    deleted: int
    kept: int


def purge_runs(
    instance: dg.DagsterInstance, before: datetime, tell: Callable[[str], None] = lambda _: None, *, page: int = _PAGE
) -> PurgedRuns:
    """Delete the runs that ended before a time, oldest first, each by itself; `tell` hears of the progress.

    Kept are runs that have not ended; the newest of each job and each sync; those that an unfinished run goes on from;
    and those with the newest materialization of an asset's partition or the newest evaluation of a check. Who is
    stopped in the middle goes on the next time.
    """
    needed = _Needed(instance)
    old = dg.RunsFilter(statuses=_ENDED, updated_before=before)
    deleted = kept = 0
    last_kept: str | None = None  # a page begins after a run that is still there
    while runs := instance.get_runs(old, cursor=last_kept, limit=page, ascending=True):
        for run in runs:
            if needed.holds(run):
                last_kept = run.run_id
                kept += 1
                continue
            # The logs first: they are found by the run alone.
            instance.compute_log_manager.delete_logs(prefix=[run.run_id])
            instance.delete_run(run.run_id)
            deleted += 1
        tell(f"{deleted} runs deleted so far")
    return PurgedRuns(deleted, kept)


@dataclass(slots=True)
class _Needed:
    """Knows which runs something stands on; what it has asked once holds, for news only make older runs needless."""

    instance: dg.DagsterInstance
    _newest: dict[tuple[str, str], str | None] = field(default_factory=dict)
    _materialized: dict[tuple[dg.AssetKey, str | None], str | None] = field(default_factory=dict)
    _checked: dict[dg.AssetCheckKey, str | None] = field(default_factory=dict)
    _gone_on_from: set[str] | None = None

    def holds(self, run: dg.DagsterRun) -> bool:
        return self._is_newest(run) or run.run_id in self._followed() or self._is_shown(run)

    def _is_newest(self, run: dg.DagsterRun) -> bool:
        kinds = [("job", run.job_name)] + ([("sync", run.tags[SYNC_TAG])] if SYNC_TAG in run.tags else [])
        for kind, name in kinds:
            if (kind, name) not in self._newest:
                of_it = dg.RunsFilter(job_name=name) if kind == "job" else dg.RunsFilter(tags={SYNC_TAG: name})
                newest = self.instance.get_runs(of_it, limit=1)
                self._newest[kind, name] = newest[0].run_id if newest else None
        return any(self._newest[kind] == run.run_id for kind in kinds)

    def _followed(self) -> set[str]:
        """Return the runs whose events an unfinished run may still read, for it repeats them from where they failed."""
        if self._gone_on_from is None:
            unfinished = self.instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED))
            before = [name for run in unfinished for name in (run.parent_run_id, run.root_run_id)]
            self._gone_on_from = {name for name in before if name is not None}
        return self._gone_on_from

    def _is_shown(self, run: dg.DagsterRun) -> bool:
        latest: str | None = None
        for record in self.instance.get_records_for_run(run.run_id, of_type=_SHOWN).records:
            event = record.event_log_entry.dagster_event
            if event is None:
                continue
            if event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
                latest = self._latest_evaluation(event.asset_check_evaluation_data.asset_check_key)
            elif event.asset_key is not None:
                latest = self._latest_materialization(event.asset_key, event.partition)
            if latest == run.run_id:
                return True
        return False

    def _latest_materialization(self, key: dg.AssetKey, partition: str | None) -> str | None:
        if (key, partition) not in self._materialized:
            of_it = dg.AssetRecordsFilter(key, asset_partitions=None if partition is None else [partition])
            newest = self.instance.fetch_materializations(of_it, limit=1).records
            self._materialized[key, partition] = newest[0].run_id if newest else None
        return self._materialized[key, partition]

    def _latest_evaluation(self, key: dg.AssetCheckKey) -> str | None:
        if key not in self._checked:
            record = self.instance.get_latest_asset_check_evaluation_record(key)
            self._checked[key] = None if record is None else record.run_id
        return self._checked[key]
