"""What sets a sync off: its job, the sensor that polls the source, the schedule of the comparison."""

from typing import Any, TypeVar

import dagster as dg

from sync_orchestration.components.assets import CATCH_UP, add_windows
from sync_orchestration.components.database import InterfaceDatabase
from sync_orchestration.components.lost_runs import end_lost_runs
from sync_orchestration.components.planning import Plan, plan_next_run
from sync_orchestration.components.running import OpenSource
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.interface.database import DatabaseError
from sync_orchestration.pipeline.errors import SyncError

SYNC_TAG = "sync/name"
_UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def sync_job(settings: SyncSettings) -> Any:
    """Build the job that runs windows of a sync from source to status, with its quick checks."""
    keys = [settings.source.asset_key, settings.target_asset_key, [settings.name, "interface_status"]]
    assets = dg.AssetSelection.assets(*(dg.AssetKey(key) for key in keys))
    slow = dg.AssetSelection.checks(dg.AssetCheckKey(dg.AssetKey(settings.target_asset_key), "source_matches_target"))
    return dg.define_asset_job(
        settings.name,
        selection=assets - slow,
        description=f"{settings.description or settings.name} Reads windows, writes their records, shows the status.",
        tags={SYNC_TAG: settings.name},
    )


def comparison_job(settings: SyncSettings) -> Any:
    """Build the job that compares the whole source with the target."""
    key = dg.AssetCheckKey(dg.AssetKey(settings.target_asset_key), "source_matches_target")
    return dg.define_asset_job(
        f"{settings.name}_comparison",
        selection=dg.AssetSelection.checks(key),
        description=f"Compares every record of the source of {settings.name} with the target.",
        tags={f"{SYNC_TAG}_comparison": settings.name},
    )


def comparison_schedule(settings: SyncSettings) -> dg.ScheduleDefinition | None:
    """Build the schedule of the comparison, if the sync has one."""
    if settings.triggers.reconcile is None:
        return None
    return dg.ScheduleDefinition(
        name=f"{settings.name}_comparison_schedule",
        job_name=f"{settings.name}_comparison",
        cron_schedule=settings.triggers.reconcile,
        execution_timezone=settings.triggers.timezone,
        default_status=_enabled(dg.DefaultScheduleStatus, settings),
        description="Compares source and target whole; what a feed cannot tell is found here.",
    )


def poll_sensor(settings: SyncSettings) -> dg.SensorDefinition:
    """Build the sensor that asks the source, with one request, whether anything is new."""
    connection = settings.source.connection

    @dg.sensor(
        name=f"{settings.name}_sensor",
        job_name=settings.name,
        minimum_interval_seconds=settings.triggers.poll_seconds,
        required_resource_keys={"interface", connection},
        default_status=_enabled(dg.DefaultSensorStatus, settings),
        description="Asks the source with one request whether anything changed, and runs the windows that have news.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        resource = getattr(context.resources, connection)
        if missing := resource.missing_variables():
            return dg.SkipReason(f"switched off: {', '.join(missing)} not set")
        if lost := end_lost_runs(context.instance):
            context.log.warning(f"ended runs whose process is gone: {', '.join(lost)}")
        if run_is_unfinished(context.instance, settings.name):
            return dg.SkipReason("a run of this sync is under way")
        interface: InterfaceDatabase = context.resources.interface
        try:
            with interface.session() as conn:
                plan = plan_next_run(conn, settings, OpenSource.of(settings, resource).source)
        except (SyncError, DatabaseError) as error:
            return dg.SkipReason(str(error))
        if not plan.windows:
            return dg.SkipReason(plan.reason)
        add_windows(context.instance, settings, [window.key for window in plan.known])
        return dg.RunRequest(run_key=_run_key(context.instance, settings.name, plan), tags=run_tags(settings, plan))

    return sensor


def run_tags(settings: SyncSettings, plan: Plan) -> dict[str, str]:
    """Return the tags of a run over the plan's windows, which adjoin each other."""
    return {
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


def _enabled(statuses: type[_Status], settings: SyncSettings) -> _Status:
    return statuses.RUNNING if settings.enabled else statuses.STOPPED
