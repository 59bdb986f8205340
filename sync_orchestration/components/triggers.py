"""What sets a sync off: its job, the sensor that polls the source, the schedule of the comparison."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import dagster as dg
import psycopg

from sync_orchestration.components.assets import CATCH_UP, INVENTORY, add_windows
from sync_orchestration.components.checks import report_feed
from sync_orchestration.components.database import InterfaceDatabase
from sync_orchestration.components.lost_runs import end_lost_runs
from sync_orchestration.components.planning import Plan, plan_inventory, plan_next_run, rest
from sync_orchestration.components.running import OpenSource
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.interface.database import DatabaseError
from sync_orchestration.interface.state import read_state
from sync_orchestration.mapping.cron import five_fields
from sync_orchestration.pipeline.errors import ConfigurationError, SyncError
from sync_orchestration.pipeline.passes import remember_failed_look
from sync_orchestration.pipeline.protocols import Source
from sync_orchestration.pipeline.pushed import PushedSource
from sync_orchestration.pipeline.sweep import FIRST_WINDOW, begin_sweep, resume_at_start

SYNC_TAG = "sync/name"
_EVERY_FIVE_MINUTES = "*/5 * * * *"
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
    if settings.lookup and settings.source.sweeps:
        keys.insert(1, settings.lookup.asset_key)
    assets = dg.AssetSelection.assets(*(dg.AssetKey(key) for key in keys))
    selection: dg.AssetSelection = assets
    if not settings.source.pushed:
        selection = assets - dg.AssetSelection.checks(_thorough_check(settings))
    return dg.define_asset_job(
        settings.name,
        selection=selection,
        description=f"{settings.description or settings.name} Reads windows, writes their records, shows the status.",
        tags={SYNC_TAG: settings.name},
    )


def comparison_job(settings: SyncSettings) -> Any:
    """Build the job that compares the whole source with the target."""
    return dg.define_asset_job(
        f"{settings.name}_comparison",
        selection=dg.AssetSelection.checks(_thorough_check(settings)),
        description=f"Runs the check of {settings.name} that is too slow, or asks too much, for every run.",
        tags={f"{SYNC_TAG}_comparison": settings.name},
    )


def _thorough_check(settings: SyncSettings) -> dg.AssetCheckKey:
    """Return the check that does not run with every run: the comparison, or of a sweep the quota of its lookup."""
    if settings.lookup and settings.source.sweeps:
        return dg.AssetCheckKey(dg.AssetKey(settings.lookup.asset_key), "quota_is_left")
    return dg.AssetCheckKey(dg.AssetKey(settings.target_asset_key), "source_matches_target")


def sweep_schedule(settings: SyncSettings) -> dg.ScheduleDefinition | None:
    """Build the schedule that begins a sweep, if the source is swept and has a cron."""
    cron = settings.triggers.cron
    if cron is None or not settings.source.sweeps:
        return None
    connection = settings.source.connection

    @dg.schedule(
        name=f"{settings.name}_schedule",
        job_name=settings.name,
        cron_schedule=five_fields(cron),
        execution_timezone=settings.triggers.timezone,
        required_resource_keys={"interface", *settings.connections},
        default_status=_enabled(dg.DefaultScheduleStatus, settings),
        description="Begins a pass over the whole source. While one is under way, or waits for its next try, nothing.",
    )
    def schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        if waits := reason_to_wait(context, settings):
            return dg.SkipReason(waits)
        interface: InterfaceDatabase = context.resources.interface
        try:
            with interface.session() as conn:
                if read_state(conn, settings.name).status in ("IN_PROGRESS", "RETRY_WAITING"):
                    return dg.SkipReason("a pass is under way")
                source = OpenSource.of(settings, getattr(context.resources, connection)).source
                begin_sweep(conn, settings.name, source, FIRST_WINDOW, settings.config_hash)
                plan = plan_next_run(conn, settings, source)
        except (SyncError, DatabaseError) as error:
            return dg.SkipReason(str(error))
        if not plan.windows:
            return dg.SkipReason(plan.reason)
        add_windows(context.instance, settings, [window.key for window in plan.known])
        return dg.RunRequest(tags=run_tags(settings, plan))

    return schedule


def intake_schedule(settings: SyncSettings) -> dg.ScheduleDefinition | None:
    """Build the schedule that writes what was pushed, also where the sensor does not run."""
    if not settings.source.pushed:
        return None

    @dg.schedule(
        name=f"{settings.name}_schedule",
        job_name=settings.name,
        cron_schedule=five_fields(settings.triggers.cron or _EVERY_FIVE_MINUTES),
        execution_timezone=settings.triggers.timezone,
        required_resource_keys={"interface", *settings.connections},
        default_status=_enabled(dg.DefaultScheduleStatus, settings),
        description="Writes what was pushed and waits, also where the sensor is switched off.",
    )
    def schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        if waits := reason_to_wait(context, settings):
            return dg.SkipReason(waits)
        interface: InterfaceDatabase = context.resources.interface
        try:
            with interface.session() as conn:
                plan = rest(conn, settings) or plan_next_run(conn, settings, PushedSource())
        except (SyncError, DatabaseError) as error:
            return dg.SkipReason(str(error))
        if not plan.windows:
            return dg.SkipReason(plan.reason)
        add_windows(context.instance, settings, [window.key for window in plan.known])
        return dg.RunRequest(run_key=_run_key(context.instance, settings.name, plan), tags=run_tags(settings, plan))

    return schedule


def inventory_schedule(settings: SyncSettings) -> dg.ScheduleDefinition | None:
    """Build the schedule that counts a source through, if it is one whose feed does not tell all."""
    cron = settings.source.inventory_cron
    if cron is None:
        return None
    connection = settings.source.connection

    @dg.schedule(
        name=f"{settings.name}_inventory_schedule",
        job_name=settings.name,
        cron_schedule=cron,
        execution_timezone=settings.triggers.timezone,
        required_resource_keys={"interface", *settings.connections},
        default_status=_enabled(dg.DefaultScheduleStatus, settings),
        description="Counts the source through: deletes, and changes that its times do not tell, are found here.",
    )
    def schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        if waits := reason_to_wait(context, settings):
            return dg.SkipReason(waits)
        interface: InterfaceDatabase = context.resources.interface
        try:
            with interface.session() as conn:
                source = OpenSource.of(settings, getattr(context.resources, connection)).source
                plan = plan_inventory(conn, settings, source)
        except (SyncError, DatabaseError) as error:
            return dg.SkipReason(str(error))
        if not plan.windows:
            return dg.SkipReason(plan.reason)
        add_windows(context.instance, settings, [window.key for window in plan.known])
        return dg.RunRequest(tags={**run_tags(settings, plan), INVENTORY: "true"})

    return schedule


def remember_look(interface: InterfaceDatabase, settings: SyncSettings, error: SyncError) -> None:
    """Let the state say why nothing can begin; that of a sweep belongs to its pass."""
    if not settings.source.sweeps:
        with interface.session() as conn:
            remember_failed_look(conn, settings.name, settings.retry_policy, error)


def reason_to_wait(
    context: dg.SensorEvaluationContext | dg.ScheduleEvaluationContext, settings: SyncSettings
) -> str | None:
    """Return why this trigger may begin nothing now, or None. Runs whose process is gone are ended first."""
    resources = [getattr(context.resources, name) for name in settings.connections]
    if missing := [variable for resource in resources for variable in resource.missing_variables()]:
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


def comparison_schedule(settings: SyncSettings) -> dg.ScheduleDefinition | None:
    """Build the schedule of the comparison, if the sync has one."""
    if settings.triggers.reconcile is None or settings.source.pushed:
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
        required_resource_keys={"interface", *settings.connections},
        default_status=_enabled(dg.DefaultSensorStatus, settings),
        description="Asks the source with one request whether anything changed, and runs the windows that have news.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        if waits := reason_to_wait(context, settings):
            return dg.SkipReason(waits)
        interface: InterfaceDatabase = context.resources.interface
        try:
            with interface.session() as conn:
                source = OpenSource.of(settings, getattr(context.resources, connection)).source
                if settings.source.sweeps:
                    _look_after_sweep(conn, settings, source)
                plan = rest(conn, settings) or plan_next_run(conn, settings, source)
        except ConfigurationError as error:
            report_feed(context.instance, settings, str(error))
            remember_look(interface, settings, error)
            return dg.SkipReason(str(error))
        except SyncError as error:
            remember_look(interface, settings, error)
            return dg.SkipReason(str(error))
        except DatabaseError as error:
            return dg.SkipReason(str(error))
        if plan.asked and plan.state.status != "ERROR" and not settings.source.pushed:
            report_feed(context.instance, settings, None)
        if not plan.windows:
            return dg.SkipReason(plan.reason)
        add_windows(context.instance, settings, [window.key for window in plan.known])
        return dg.RunRequest(run_key=_run_key(context.instance, settings.name, plan), tags=run_tags(settings, plan))

    return sensor


_seen_since_start: set[str] = set()


def _look_after_sweep(conn: psycopg.Connection[Any], settings: SyncSettings, source: Source) -> None:
    """After a start of this process let a waiting pass go on; begin one anew whose configuration has changed."""
    if settings.name not in _seen_since_start:
        _seen_since_start.add(settings.name)
        resume_at_start(conn, settings.name)
    state = read_state(conn, settings.name)
    if state.pass_end is not None and state.config_hash != settings.config_hash:
        begin_sweep(conn, settings.name, source, FIRST_WINDOW, settings.config_hash)


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


def _enabled(statuses: type[_Status], settings: SyncSettings) -> _Status:
    return statuses.RUNNING if settings.enabled else statuses.STOPPED
