"""The assets of one sync: its source landed by windows, its target written by the same windows, its status."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg
import psycopg

from sync_orchestration.components.database import InterfaceDatabase
from sync_orchestration.components.lost_runs import note_process
from sync_orchestration.components.metadata import counts_metadata, failing_metadata, state_json
from sync_orchestration.components.running import LogObserver, OpenSource, OpenTarget
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.interface.database import DatabaseError
from sync_orchestration.interface.rows import Scope, counts_by_status, pending_windows
from sync_orchestration.interface.state import read_state
from sync_orchestration.pipeline.errors import SyncError
from sync_orchestration.pipeline.land import Reader
from sync_orchestration.pipeline.passes import running_pass
from sync_orchestration.pipeline.windows import window_of_key

_KINDS = {"flexi": "abra"}

CATCH_UP = "sync/catch_up"
"""Run tag: windows behind the cursor are not read again, only their waiting rows are written."""


def partitions_of(settings: SyncSettings) -> dg.DynamicPartitionsDefinition:
    """Return the windows of a sync as dynamic partitions."""
    return dg.DynamicPartitionsDefinition(name=settings.partitions)


def add_windows(instance: dg.DagsterInstance, settings: SyncSettings, keys: list[str]) -> None:
    """Make partitions of windows that are none yet, in their order."""
    known = set(instance.get_dynamic_partitions(settings.partitions))
    if new := sorted(set(keys) - known):
        instance.add_dynamic_partitions(settings.partitions, new)


@contextmanager
def plain_failures() -> Iterator[None]:
    """Let a step fail with the plain sentences of a SyncError instead of a traceback."""
    try:
        yield
    except (SyncError, DatabaseError) as error:
        raise dg.Failure(description=str(error)) from None


def source_asset(settings: SyncSettings) -> dg.AssetsDefinition:
    """Build the asset that lands a source's windows in the interface table."""
    connection = settings.source.connection

    @dg.asset(
        key=settings.source.asset_key,
        partitions_def=partitions_of(settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
        required_resource_keys={connection, "interface"},
        group_name=settings.name,
        kinds={_KINDS[settings.source.kind], "postgres"},
        description=f"What changed in {settings.source.evidence}, landed in the interface table. A window is a span of "
        "versions; one behind the cursor is read again whole.",
    )
    def land(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        started = time.monotonic()
        note_process(context)
        interface: InterfaceDatabase = context.resources.interface
        with plain_failures(), interface.session() as conn:
            opened = OpenSource.of(settings, getattr(context.resources, connection))
            reader = opened.reader(conn, context.run_id, _observer(context))
            policy, config = settings.retry_policy, settings.config_hash
            with running_pass(conn, settings.name, policy, config, to_its_end=False):
                _read_windows(context, reader, conn, settings)
            add_windows(context.instance, settings, pending_windows(conn, settings.name))
            state = read_state(conn, settings.name)
        counts = {
            "landed": reader.counts.landed,
            "changes": reader.counts.changes,
            "fetched": reader.counts.fetched,
            "deleted": reader.counts.deleted,
            f"requests_{connection}": opened.http.requests_sent,
            "seconds": round(time.monotonic() - started, 3),
        }
        return dg.MaterializeResult(metadata={**counts_metadata(counts), "cursor": str(state.last_position)})

    return land


def _read_windows(
    context: dg.AssetExecutionContext, reader: Reader, conn: psycopg.Connection[Any], settings: SyncSettings
) -> None:
    """Read windows behind the cursor again whole (unless the run only catches up), then go on from the cursor."""
    windows = sorted(window_of_key(key, settings.source.window) for key in context.partition_keys)
    cursor = read_state(conn, settings.name).last_position
    behind = [w for w in windows if cursor is not None and w.end <= cursor]
    if context.run.tags.get(CATCH_UP) is None:
        for window in behind:
            context.log.info(f"reading window {window.key} again")
            reader.read_again(window)
    if len(behind) < len(windows):
        reader.bring_up_to_date(until=windows[-1].end)


def target_asset(settings: SyncSettings) -> dg.AssetsDefinition:
    """Build the asset that writes the due rows of its windows to the target."""
    source, target = settings.source.connection, settings.target.connection

    @dg.asset(
        key=settings.target_asset_key,
        deps=[dg.AssetKey(settings.source.asset_key)],
        partitions_def=partitions_of(settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
        required_resource_keys={source, target, "interface"},
        group_name=settings.name,
        kinds={settings.target.kind},
        pool=f"{target}_writes",
        description=f"{settings.description} Records of {settings.target.model}, created, updated or archived by "
        "external id. A record that is refused fails alone and is listed here.".strip(),
    )
    def write(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        started = time.monotonic()
        note_process(context)
        interface: InterfaceDatabase = context.resources.interface
        with plain_failures(), interface.session() as conn:
            observer = _observer(context)
            with running_pass(conn, settings.name, settings.retry_policy, settings.config_hash):
                opened = OpenTarget.of(
                    settings, getattr(context.resources, source), getattr(context.resources, target), observer.warn
                )
                writer = opened.writer(conn, context.run_id, observer)
                written = writer.write(Scope(partition_keys=context.partition_keys))
            failing = failing_metadata(conn, settings.name, context.partition_keys)
        counts = {
            "processed": written.processed,
            "unchanged": written.unchanged,
            "failed": written.failed,
            "skipped": written.skipped,
            f"requests_{target}": opened.http.requests_sent,
            "seconds": round(time.monotonic() - started, 3),
        }
        return dg.MaterializeResult(metadata={**failing, **counts_metadata(counts)})

    return write


def status_asset(settings: SyncSettings) -> dg.AssetsDefinition:
    """Build the asset whose latest materialization is the sync's interface-status table."""

    @dg.asset(
        key=[settings.name, "interface_status"],
        deps=[dg.AssetKey(settings.target_asset_key)],
        required_resource_keys={"interface"},
        group_name=settings.name,
        kinds={"postgres"},
        description="The interface-status table: how many records are in which status; which fail, why, since when.",
    )
    def interface_status(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        interface: InterfaceDatabase = context.resources.interface
        with plain_failures(), interface.session() as conn:
            return dg.MaterializeResult(metadata=status_metadata(conn, settings.name))

    return interface_status


def status_metadata(conn: psycopg.Connection[Any], sync: str) -> dict[str, Any]:
    """Return the interface-status table of a sync as metadata: failing rows first, then counts and state."""
    counts = counts_by_status(conn, sync).get(sync, {})
    by_status = {name: counts.get(name, 0) for name in ("processed", "pending", "processing", "failed", "skipped")}
    state = dg.MetadataValue.json(state_json(read_state(conn, sync)))
    return {**failing_metadata(conn, sync), **counts_metadata(by_status), "state": state}


def _observer(context: dg.AssetExecutionContext) -> LogObserver:
    return LogObserver.on(context.log.info, context.log.warning)
