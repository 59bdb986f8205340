"""What runs a sync: its jobs, and the sensor that polls the source."""

from typing import Any

import dagster as dg
import psycopg

from sync_orchestration.components.checks import report_feed
from sync_orchestration.components.database import InterfaceDatabase
from sync_orchestration.components.planning import plan_for_trigger
from sync_orchestration.components.run_requests import (
    SYNC_TAG,
    enabled,
    reason_to_wait,
    remember_look,
    requested,
)
from sync_orchestration.components.running import OpenSource
from sync_orchestration.components.schema import SCHEMA_IS_AS_MAPPED
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.interface.database import DatabaseError
from sync_orchestration.interface.state import read_state
from sync_orchestration.pipeline.errors import ConfigurationError, SyncError
from sync_orchestration.pipeline.protocols import Source
from sync_orchestration.pipeline.sweep import FIRST_WINDOW, begin_sweep, resume_at_start


def sync_job(settings: SyncSettings) -> Any:
    """Build the job that runs windows of a sync from source to status, with its quick checks."""
    keys = [settings.source.asset_key, settings.target_asset_key, [settings.name, "interface_status"]]
    if settings.lookup and settings.source.sweeps:
        keys.insert(1, settings.lookup.asset_key)
    assets = dg.AssetSelection.assets(*(dg.AssetKey(key) for key in keys))
    rare = [dg.AssetCheckKey(dg.AssetKey(settings.target_asset_key), SCHEMA_IS_AS_MAPPED)]
    if not settings.source.pushed:
        rare.append(_thorough_check(settings))
    selection = assets - dg.AssetSelection.checks(*rare)
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


def poll_sensor(settings: SyncSettings) -> dg.SensorDefinition:
    """Build the sensor that asks the source, with one request, whether anything is new."""
    connection = settings.source.connection

    @dg.sensor(
        name=f"{settings.name}_sensor",
        job_name=settings.name,
        minimum_interval_seconds=settings.triggers.poll_seconds,
        required_resource_keys={"interface", *settings.connections},
        default_status=enabled(dg.DefaultSensorStatus, settings),
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
                plan = plan_for_trigger(conn, settings, source)
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
        return requested(context.instance, settings, plan, once=True)

    return sensor


_seen_since_start: set[str] = set()


def _look_after_sweep(conn: psycopg.Connection[Any], settings: SyncSettings, source: Source) -> None:
    """After a start of this process let a waiting pass go on; begin one anew whose configuration has changed."""
    if settings.name not in _seen_since_start:
        _seen_since_start.add(settings.name)
        resume_at_start(conn, settings.name)
    state = read_state(conn, settings.name)
    if state.pass_end is not None and settings.differs_from(state.config_hash):
        begin_sweep(conn, settings.name, source, FIRST_WINDOW, settings.config_hash)
