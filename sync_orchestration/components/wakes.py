"""The sensor that follows hooks: another system called that something changed, so a sync looks before its time."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import psycopg

from sync_orchestration.components.database import InterfaceDatabase
from sync_orchestration.components.intake import HookSettings, IntakeModel
from sync_orchestration.components.planning import plan_for_trigger
from sync_orchestration.components.run_requests import SYNC_TAG, enabled, reason_to_wait, remember_look, requested
from sync_orchestration.components.running import OpenSource
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.interface.database import DatabaseError
from sync_orchestration.interface.wakes import Wake, forget_wakes, waiting_wakes
from sync_orchestration.pipeline.errors import ConfigurationError, SyncError

_SECONDS = 5
_MOST_KEYS = 500


def wake_sensors(model: IntakeModel | None, syncs: Mapping[str, SyncSettings]) -> list[dg.SensorDefinition]:
    """Build a sensor for each sync that a hook wakes."""
    return [_sensor(hook, sync) for hook in (model.hooks if model else ()) for sync in _woken(hook, syncs)]


def _woken(hook: HookSettings, syncs: Mapping[str, SyncSettings]) -> list[SyncSettings]:
    """Return the syncs that a hook wakes: those that read the connection, or the one that it names."""
    if hook.names_records:
        return [syncs[hook.name]]
    return [sync for sync in syncs.values() if sync.source.connection == hook.name]


def _sensor(hook: HookSettings, sync: SyncSettings) -> dg.SensorDefinition:
    follow = _read_records if hook.names_records else _look

    @dg.sensor(
        name=f"{sync.name}_hook_sensor",
        job_name="sync_records" if hook.names_records else sync.name,
        minimum_interval_seconds=_SECONDS,
        required_resource_keys={"interface", *sync.connections},
        default_status=enabled(dg.DefaultSensorStatus, sync),
        description="Follows the calls of the source that something changed, so that the sync looks at once.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        interface: InterfaceDatabase = context.resources.interface
        try:
            with interface.session() as conn:
                calls = _calls(conn, hook, followed=int(context.cursor or 0))
                if not calls:
                    return dg.SkipReason("nobody called")
                if waits := reason_to_wait(context, sync):
                    return dg.SkipReason(f"{waits}; the call waits")
                return follow(context, conn, sync, calls)
        except DatabaseError as error:
            return dg.SkipReason(str(error))

    return sensor


def _calls(conn: psycopg.Connection[Any], hook: HookSettings, followed: int) -> list[Wake]:
    """Return the calls that are not followed yet, oldest first, at most as many as one run takes on.

    Calls that name records are forgotten a tick after they were followed: then the cursor, which Dagster stores with
    the run that was asked for, says so. One that names none is a single row, and several syncs may follow it.
    """
    waiting = waiting_wakes(conn, hook.kind, hook.name)
    if hook.names_records:
        forget_wakes(conn, hook.kind, hook.name, [call for call in waiting if call.number <= followed])
    return [call for call in waiting if call.number > followed][:_MOST_KEYS]


def _follow(context: dg.SensorEvaluationContext, calls: Sequence[Wake]) -> None:
    context.update_cursor(str(calls[-1].number))


def _look(
    context: dg.SensorEvaluationContext, conn: psycopg.Connection[Any], sync: SyncSettings, calls: Sequence[Wake]
) -> dg.RunRequest | dg.SkipReason:
    """Ask the source what is new, as the poll would do later; a source that cannot be asked is so with a later tick."""
    try:
        source = OpenSource.of(sync, getattr(context.resources, sync.source.connection)).source
        plan = plan_for_trigger(conn, sync, source)
    except ConfigurationError as error:
        _follow(context, calls)  # a person must help; the poll says so too
        return dg.SkipReason(str(error))
    except SyncError as error:
        remember_look(context.resources.interface, sync, error)
        return dg.SkipReason(f"{error}; the call waits")
    if plan.asked:
        _follow(context, calls)
    return requested(context.instance, sync, plan)


def _read_records(
    context: dg.SensorEvaluationContext, conn: psycopg.Connection[Any], sync: SyncSettings, calls: Sequence[Wake]
) -> dg.RunRequest | dg.SkipReason:
    """Have the records that were named read anew; the calls carry no data that could be trusted."""
    del conn
    _follow(context, calls)
    # After too many calls one stands for all further ones, and names none.
    keys = [call.record_key for call in calls if call.record_key]
    if not keys:
        return dg.SkipReason("more calls than are followed one by one; the poll finds what changed")
    config: dict[str, Any] = {"sync": sync.name, "keys": keys}
    return dg.RunRequest(
        run_key=f"{sync.name} called {calls[-1].number}",
        run_config={"ops": {"chosen_records": {"config": config}}},
        tags={SYNC_TAG: sync.name},
    )
