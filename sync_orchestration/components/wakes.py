"""The sensor that follows hooks: another system called that something changed, so a sync looks before its time."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import psycopg

from sync_orchestration.components.assets import add_windows
from sync_orchestration.components.connections import Connection
from sync_orchestration.components.database import InterfaceDatabase
from sync_orchestration.components.intake import HookSettings, IntakeModel
from sync_orchestration.components.planning import plan_next_run
from sync_orchestration.components.running import OpenSource
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.components.triggers import SYNC_TAG, off_peak_wait, run_is_unfinished, run_tags
from sync_orchestration.interface.database import DatabaseError
from sync_orchestration.interface.wakes import Wake, forget_wakes, waiting_wakes
from sync_orchestration.pipeline.errors import ConfigurationError, SyncError

_SECONDS = 5
_MOST_KEYS = 500


def refuse_wrong_hooks(model: IntakeModel, syncs: Mapping[str, SyncSettings], connections: Sequence[str]) -> None:
    """Raise ConfigurationError for a hook that wakes nobody."""
    for hook in model.hooks:
        if hook.kind == "flexi" and hook.name not in connections:
            raise ConfigurationError(f"A hook of the intake names the connection {hook.name!r}, which does not exist.")
        if hook.kind == "odoo" and hook.name not in syncs:
            raise ConfigurationError(f"A hook of the intake names the sync {hook.name!r}, which does not exist.")


def wake_sensors(
    model: IntakeModel | None, syncs: Mapping[str, SyncSettings], connections: Mapping[str, Connection]
) -> list[dg.SensorDefinition]:
    """Build a sensor for each sync that a hook wakes."""
    found: dict[str, dg.SensorDefinition] = {}
    for hook in model.hooks if model else ():
        for sync in _woken(hook, syncs):
            found[f"{sync.name} {hook.kind}"] = _sensor(hook, sync, connections)
    return list(found.values())


def _woken(hook: HookSettings, syncs: Mapping[str, SyncSettings]) -> list[SyncSettings]:
    """Return the syncs that a hook wakes: those that read the connection, or the one that it names."""
    if hook.kind == "odoo":
        return [syncs[hook.name]]
    return [sync for sync in syncs.values() if sync.source.connection == hook.name]


def _sensor(hook: HookSettings, sync: SyncSettings, connections: Mapping[str, Connection]) -> dg.SensorDefinition:
    names_records = hook.kind == "odoo"

    @dg.sensor(
        name=f"{sync.name}_hook_sensor",
        job_name="sync_records" if names_records else sync.name,
        minimum_interval_seconds=_SECONDS,
        required_resource_keys={"interface"},
        default_status=dg.DefaultSensorStatus.RUNNING if sync.enabled else dg.DefaultSensorStatus.STOPPED,
        description="Follows the calls of the source that something changed, so that the sync looks at once.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        interface: InterfaceDatabase = context.resources.interface
        followed = int(context.cursor or 0)
        try:
            with interface.session() as conn:
                calls = [w for w in waiting_wakes(conn, hook.kind, hook.name, limit=_MOST_KEYS) if w.number > followed]
                if not calls:
                    return dg.SkipReason("nobody called")
                if waits := _reason_to_wait(context.instance, sync, connections):
                    return dg.SkipReason(waits)
                context.update_cursor(str(max(call.number for call in calls)))
                keys = [call.record_key for call in calls if call.record_key]
                if not names_records or len(keys) < len(calls):
                    return _look(context.instance, conn, sync, connections)
                forget_wakes(conn, hook.kind, hook.name, calls)
                return _chosen(sync, keys, calls)
        except (SyncError, DatabaseError) as error:
            return dg.SkipReason(str(error))

    return sensor


def _reason_to_wait(
    instance: dg.DagsterInstance, sync: SyncSettings, connections: Mapping[str, Connection]
) -> str | None:
    used = [connections[name] for name in sync.connections if name in connections]
    if missing := [variable for connection in used for variable in connection.missing_variables()]:
        return f"switched off: {', '.join(missing)} not set"
    if run_is_unfinished(instance, sync.name):
        return "a run of this sync is under way; the call waits"
    return off_peak_wait(sync)


def _look(
    instance: dg.DagsterInstance,
    conn: psycopg.Connection[Any],
    sync: SyncSettings,
    connections: Mapping[str, Connection],
) -> dg.RunRequest | dg.SkipReason:
    """Ask the source what is new, as the poll would do later."""
    source = OpenSource.of(sync, connections[sync.source.connection]).source
    plan = plan_next_run(conn, sync, source)
    if not plan.windows:
        return dg.SkipReason(plan.reason)
    add_windows(instance, sync, [window.key for window in plan.known])
    return dg.RunRequest(tags=run_tags(sync, plan))


def _chosen(sync: SyncSettings, keys: list[str], calls: Sequence[Wake]) -> dg.RunRequest:
    """Look at the records that were named; they are read anew, for the calls carry no data that could be trusted."""
    config: dict[str, Any] = {"sync": sync.name, "keys": keys}
    return dg.RunRequest(
        run_key=f"{sync.name} called {max(call.number for call in calls)}",
        run_config={"ops": {"chosen_records": {"config": config}}},
        tags={SYNC_TAG: sync.name},
    )
