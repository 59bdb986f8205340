"""Notices that a source or a target is no longer shaped as the mapping expects, before records fail one by one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
import psycopg

from sync_orchestration.components.assets import plain_failures
from sync_orchestration.components.connections import Connection, unset_variables
from sync_orchestration.components.database import InterfaceDatabase
from sync_orchestration.components.kinds import watched_paths
from sync_orchestration.components.running import OpenSource, OpenTarget
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.components.tracing import traced
from sync_orchestration.interface.fields_seen import Shape, landed_since, remember_fields, seen_fields
from sync_orchestration.pipeline.errors import SyncError
from sync_orchestration.pipeline.schema import (
    Described,
    Drift,
    Side,
    compare_shapes,
    grown,
    profile,
    tells_enough,
)

SCHEMA_IS_AS_MAPPED = "schema_is_as_mapped"
_JOB = "schema_checks"
_LOOKED_THROUGH = 500
_SHOWN = 50


@dataclass(frozen=True, slots=True)
class SchemaLook:
    """What a look at both sides of a sync has found; `problem` says why there was none."""

    drifts: Sequence[Drift] = ()
    watched: int = 0
    problem: str | None = None

    @property
    def serious(self) -> bool:
        return any(drift.serious for drift in self.drifts)

    @property
    def sentence(self) -> str:
        """What was found, in one sentence."""
        if self.problem:
            return f"could not be looked at: {self.problem}"
        told = [f"{drift.side} field {drift.field} was {drift.was}, is {drift.now}" for drift in self.drifts[:_SHOWN]]
        return "; ".join(told) or f"{self.watched} fields are as they were"


def look_at_schema(
    conn: psycopg.Connection[Any],
    settings: SyncSettings,
    source: Connection | InterfaceDatabase,
    target: Connection,
    *,
    remember: bool,
) -> SchemaLook:
    """Compare the fields that source and target have now with what was seen last; a cheap request a side at most.

    What is seen is remembered with `remember`, and at the first look, unless the mapping needs what has changed.
    """
    mapping = settings.compiled()
    try:
        opened = OpenSource.of(settings, source).source
        paths = watched_paths(settings)
        there = _described(opened)
        looks: list[tuple[Side, Mapping[str, Shape] | None, Sequence[str]]] = [("source", there, paths)]
        to = OpenTarget.of(settings, source, target, lambda _: None).target
        looks.append(("target", _described(to), mapping.targets))
    except SyncError as error:
        return SchemaLook(problem=str(error))
    drifts: list[Drift] = []
    watched = 0
    for side, shapes, mapped in looks:
        if side == "source" or shapes is not None:
            drifts += _compared(conn, settings, side, shapes, mapped, remember=remember)
            watched += len(mapped)
    return SchemaLook(drifts, watched)


def _described(system: object) -> Mapping[str, Shape] | None:
    return system.describe() if isinstance(system, Described) else None


def _compared(
    conn: psycopg.Connection[Any],
    settings: SyncSettings,
    side: Side,
    shapes: Mapping[str, Shape] | None,
    mapped: Sequence[str],
    *,
    remember: bool,
) -> list[Drift]:
    seen = seen_fields(conn, settings.name, side)
    if shapes is None:
        shapes = profile(landed_since(conn, settings.name, seen.seen_at, _LOOKED_THROUGH), mapped)
    if not tells_enough(shapes):
        return []
    accepted = seen.config_hash not in (None, settings.config_hash)
    drifts = compare_shapes(side, seen.shapes, shapes, mapped, accepted=accepted)
    first = not seen.shapes
    if (remember or first) and not any(drift.serious for drift in drifts):
        remember_fields(conn, settings.name, side, grown(seen.shapes, shapes), settings.config_hash)
    return drifts


def schema_is_as_mapped(settings: SyncSettings) -> dg.AssetChecksDefinition:
    """Build the check that names each field of source and target that has vanished or is another kind of field now."""
    own = settings.source.connection == "interface"

    @dg.asset_check(
        asset=dg.AssetKey(settings.target_asset_key),
        name=SCHEMA_IS_AS_MAPPED,
        required_resource_keys={"interface", *settings.connections},
        description="Red when a mapped field of source or target has vanished, has another type or is read-only now.",
    )
    def check(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        interface: InterfaceDatabase = context.resources.interface
        resources = [getattr(context.resources, name) for name in settings.connections]
        if missing := unset_variables(resources):
            return dg.AssetCheckResult(passed=True, description=f"switched off: {', '.join(missing)} not set")
        with traced(context, settings.name, "schema_is_as_mapped"), plain_failures(), interface.session() as conn:
            source = interface if own else getattr(context.resources, settings.source.connection)
            target = getattr(context.resources, settings.target.connection)
            look = look_at_schema(conn, settings, source, target, remember=True)
        return dg.AssetCheckResult(
            passed=not look.drifts and not look.problem,
            severity=dg.AssetCheckSeverity.ERROR if look.serious else dg.AssetCheckSeverity.WARN,
            metadata={"changed": _table(look.drifts)} if look.drifts else {},
            description=look.sentence,
        )

    return check


def _table(drifts: Sequence[Drift]) -> dg.TableMetadataValue:
    records = [
        dg.TableRecord({"field": f"{one.side}: {one.field}", "was": one.was, "is": one.now}) for one in drifts[:_SHOWN]
    ]
    return dg.MetadataValue.table(records)


def schema_definitions(syncs: Sequence[SyncSettings]) -> dg.Definitions:
    """Build the job that looks at the fields of all syncs, and its schedule."""
    if not syncs:
        return dg.Definitions()
    keys = [dg.AssetCheckKey(dg.AssetKey(sync.target_asset_key), SCHEMA_IS_AS_MAPPED) for sync in syncs]
    job = dg.define_asset_job(
        _JOB,
        selection=dg.AssetSelection.checks(*keys),
        description="Looks whether the fields of every source and target are still as the mappings expect.",
    )
    schedule = dg.ScheduleDefinition(
        name=f"{_JOB}_schedule",
        job=job,
        cron_schedule="5 3 * * *",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Once a day; a request or two for each sync.",
    )
    return dg.Definitions(jobs=[job], schedules=[schedule])


def check_schemas(connections: Mapping[str, Connection], syncs: Sequence[SyncSettings]) -> dict[str, SchemaLook]:
    """Look at the fields of every sync whose connections are set up, and remember only what was never seen before."""
    found: dict[str, SchemaLook] = {}
    with InterfaceDatabase().session() as conn:
        for sync in syncs:
            used = [connections[name] for name in sync.connections if name in connections]
            if unset_variables(used):
                continue
            own = sync.source.connection == "interface"
            source = InterfaceDatabase() if own else connections[sync.source.connection]
            found[sync.name] = look_at_schema(conn, sync, source, connections[sync.target.connection], remember=False)
    return found
