"""Whether a trigger may begin a run now, and the run that it then asks for."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TypeVar
from zoneinfo import ZoneInfo

import dagster as dg

from sync_orchestration.components.assets import CATCH_UP, add_windows
from sync_orchestration.components.connections import unset_variables
from sync_orchestration.components.database import InterfaceDatabase
from sync_orchestration.components.lost_runs import end_lost_runs
from sync_orchestration.components.planning import Plan
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.pipeline.errors import SyncError
from sync_orchestration.pipeline.passes import remember_failed_look

SYNC_TAG = "sync/name"
_UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def reason_to_wait(
    context: dg.SensorEvaluationContext | dg.ScheduleEvaluationContext, settings: SyncSettings
) -> str | None:
    """Return why this trigger may begin nothing now, or None. Runs whose process is gone are ended first."""
    resources = [getattr(context.resources, name) for name in settings.connections]
    if missing := unset_variables(resources):
        return f"switched off: {', '.join(missing)} not set"
    if lost := end_lost_runs(context.instance):
        context.log.warning(f"ended runs whose process is gone: {', '.join(lost)}")
    if run_is_unfinished(context.instance, settings.name):
        return "a run of this sync is under way"
    return off_peak_wait(settings)


def off_peak_wait(settings: SyncSettings, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> str | None:
    """Return why triggers may begin nothing now, or None; a run by hand is always possible."""
    hours, zone = settings.triggers.off_peak, settings.triggers.timezone
    if hours is None or now().astimezone(ZoneInfo(zone)) in hours:
        return None
    return f"waits for its off-peak hours, {hours} {zone}"


def requested(
    instance: dg.DagsterInstance,
    settings: SyncSettings,
    plan: Plan,
    more_tags: Mapping[str, str] = MappingProxyType({}),
    *,
    once: bool = False,
) -> dg.RunRequest | dg.SkipReason:
    """Return the run over the plan's windows, which are made partitions first; or why there is none.

    With `once` a trigger that is evaluated again before that run exists asks for the same one.
    """
    if not plan.windows:
        return dg.SkipReason(plan.reason)
    add_windows(instance, settings, [window.key for window in plan.known])
    run_key = _run_key(instance, settings.name, plan) if once else None
    return dg.RunRequest(run_key=run_key, tags={**run_tags(settings, plan), **more_tags})


def remember_look(interface: InterfaceDatabase, settings: SyncSettings, error: SyncError) -> None:
    """Let the state say why nothing can begin; that of a sweep belongs to its pass."""
    if not settings.source.sweeps:
        with interface.session() as conn:
            remember_failed_look(conn, settings.name, settings.retry_policy, error)


def run_tags(settings: SyncSettings, plan: Plan) -> dict[str, str]:
    """Return the tags of a run over the plan's windows, which adjoin each other."""
    priority = {"dagster/priority": str(settings.triggers.priority)} if settings.triggers.priority else {}
    return {
        **priority,
        SYNC_TAG: settings.name,
        CATCH_UP: "true",
        "dagster/asset_partition_range_start": plan.windows[0].key,
        "dagster/asset_partition_range_end": plan.windows[-1].key,
    }


def run_is_unfinished(instance: dg.DagsterInstance, sync: str) -> bool:
    """Tell whether a run of the sync waits or goes on."""
    unfinished = dg.RunsFilter(tags={SYNC_TAG: sync}, statuses=_UNFINISHED)
    return instance.get_runs_count(unfinished) > 0


def _run_key(instance: dg.DagsterInstance, sync: str, plan: Plan) -> str:
    """Return a key that stays the same until a run of the sync exists that was not there before."""
    latest = instance.get_runs(dg.RunsFilter(tags={SYNC_TAG: sync}), limit=1)
    after = latest[0].run_id if latest else "nothing"
    return f"{plan.windows[0].key}-{plan.windows[-1].key} after {after}"


_Status = TypeVar("_Status", dg.DefaultSensorStatus, dg.DefaultScheduleStatus)


def enabled(statuses: type[_Status], settings: SyncSettings) -> _Status:
    """Return whether a trigger of the sync is on when nobody has switched it."""
    return statuses.RUNNING if settings.enabled else statuses.STOPPED
