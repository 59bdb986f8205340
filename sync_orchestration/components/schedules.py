"""The schedules of a sync: sweeps, inventories, what was pushed, the comparison."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import dagster as dg
import psycopg

from sync_orchestration.components.assets import INVENTORY
from sync_orchestration.components.database import InterfaceDatabase
from sync_orchestration.components.planning import Plan, plan_for_trigger, plan_inventory, plan_next_run
from sync_orchestration.components.run_requests import enabled, reason_to_wait, requested
from sync_orchestration.components.running import OpenSource
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.interface.database import DatabaseError
from sync_orchestration.interface.state import read_state
from sync_orchestration.mapping.cron import five_fields
from sync_orchestration.pipeline.errors import SyncError
from sync_orchestration.pipeline.protocols import Source
from sync_orchestration.pipeline.sweep import FIRST_WINDOW, begin_sweep

_EVERY_FIVE_MINUTES = "*/5 * * * *"

_PlanOf = Callable[[psycopg.Connection[Any], SyncSettings, Source], Plan]


def schedules_of(settings: SyncSettings) -> list[dg.ScheduleDefinition]:
    """Build the schedules that the sync's source and target need."""
    source, found = settings.source, list[dg.ScheduleDefinition]()
    if source.sweeps and settings.triggers.cron is not None:
        about = "Begins a pass over the whole source. While one is under way, or waits for its next try, nothing."
        found.append(_schedule(settings, "schedule", settings.triggers.cron, about, _begin_sweep))
    if source.pushed:
        about = "Writes what was pushed and waits, also where the sensor is switched off."
        cron = settings.triggers.cron or _EVERY_FIVE_MINUTES
        found.append(_schedule(settings, "schedule", cron, about, plan_for_trigger))
    if source.inventory_cron is not None:
        about = "Counts the source through: deletes, and changes that its times do not tell, are found here."
        tags = {INVENTORY: "true"}
        found.append(_schedule(settings, "inventory_schedule", source.inventory_cron, about, plan_inventory, tags))
    if settings.triggers.reconcile is not None and not source.pushed:
        found.append(_comparison_schedule(settings, settings.triggers.reconcile))
    return found


def _schedule(
    settings: SyncSettings,
    name: str,
    cron: str,
    description: str,
    plan_of: _PlanOf,
    tags: Mapping[str, str] = MappingProxyType({}),
) -> dg.ScheduleDefinition:
    """Build a schedule that asks for the run that `plan_of` chooses."""
    connection = settings.source.connection

    @dg.schedule(
        name=f"{settings.name}_{name}",
        job_name=settings.name,
        cron_schedule=five_fields(cron),
        execution_timezone=settings.triggers.timezone,
        required_resource_keys={"interface", *settings.connections},
        default_status=enabled(dg.DefaultScheduleStatus, settings),
        description=description,
    )
    def schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        if waits := reason_to_wait(context, settings):
            return dg.SkipReason(waits)
        interface: InterfaceDatabase = context.resources.interface
        try:
            with interface.session() as conn:
                source = OpenSource.of(settings, getattr(context.resources, connection)).source
                plan = plan_of(conn, settings, source)
        except (SyncError, DatabaseError) as error:
            return dg.SkipReason(str(error))
        return requested(context.instance, settings, plan, tags)

    return schedule


def _begin_sweep(conn: psycopg.Connection[Any], settings: SyncSettings, source: Source) -> Plan:
    state = read_state(conn, settings.name)
    if state.status in ("IN_PROGRESS", "RETRY_WAITING"):
        return Plan([], [], "a pass is under way", state)
    begin_sweep(conn, settings.name, source, FIRST_WINDOW, settings.config_hash)
    return plan_next_run(conn, settings, source)


def _comparison_schedule(settings: SyncSettings, cron: str) -> dg.ScheduleDefinition:
    return dg.ScheduleDefinition(
        name=f"{settings.name}_comparison_schedule",
        job_name=f"{settings.name}_comparison",
        cron_schedule=cron,
        execution_timezone=settings.triggers.timezone,
        default_status=enabled(dg.DefaultScheduleStatus, settings),
        description="Compares source and target whole; what a feed cannot tell is found here.",
    )
