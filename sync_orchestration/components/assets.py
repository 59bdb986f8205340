"""The assets of one sync: its source landed by windows, its target written by the same windows, its status."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import dagster as dg
import psycopg

from sync_orchestration.components.database import InterfaceDatabase
from sync_orchestration.components.known_secrets import without_secrets
from sync_orchestration.components.lookups import OpenLookup
from sync_orchestration.components.lost_runs import note_process
from sync_orchestration.components.metadata import attempts_metadata, counts_metadata, failing_metadata, state_json
from sync_orchestration.components.planning import order_what_changed
from sync_orchestration.components.running import LogObserver, OpenSource, OpenTarget
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.components.source_settings import LookupSettings
from sync_orchestration.components.tracing import traced
from sync_orchestration.interface.database import DatabaseError
from sync_orchestration.interface.lookups import answers_summary
from sync_orchestration.interface.requeue import requeue_rows
from sync_orchestration.interface.rows import Scope, counts_by_status, pending_windows, waiting_payloads
from sync_orchestration.interface.state import read_state
from sync_orchestration.pipeline.errors import SyncError
from sync_orchestration.pipeline.inventory import take_inventory
from sync_orchestration.pipeline.land import Reader
from sync_orchestration.pipeline.passes import running_pass
from sync_orchestration.pipeline.windows import window_of_key

_KINDS = {"flexi": "abra", "interface": "postgres", "rest": "api"}

INVENTORY = "sync/inventory"
"""Run tag: the source is counted through, for what its feed cannot tell."""

CATCH_UP = "sync/catch_up"
"""Run tag: windows behind the cursor are not read again, only their waiting rows are written."""


def partitions_of(settings: SyncSettings) -> dg.DynamicPartitionsDefinition:
    """Return the windows of a sync as dynamic partitions."""
    return dg.DynamicPartitionsDefinition(name=settings.partitions)


def backfills_of(settings: SyncSettings) -> dg.BackfillPolicy:
    """Return how a backfill is cut into runs, which may go on beside each other, on as many machines as there are."""
    return dg.BackfillPolicy.multi_run(settings.triggers.windows_per_run)


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
        raise dg.Failure(description=without_secrets(str(error))) from None


def source_asset(settings: SyncSettings) -> dg.AssetsDefinition:
    """Build the asset that lands a source's windows in the interface table."""
    connection = settings.source.connection
    upstream = [dg.AssetKey(settings.source.reads.split("/"))] if settings.source.reads else []

    @dg.asset(
        key=settings.source.asset_key,
        deps=upstream,
        partitions_def=partitions_of(settings),
        backfill_policy=backfills_of(settings),
        required_resource_keys={connection, "interface"},
        group_name=settings.name,
        kinds={_KINDS.get(settings.source.kind, settings.source.kind), "postgres"},
        description=f"{settings.source.entity}, landed in the interface table. A window is a span of the source's own "
        "positions; one behind the cursor is read again whole.",
    )
    def land(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        started = time.monotonic()
        note_process(context)
        interface: InterfaceDatabase = context.resources.interface
        with traced(context, settings.name, "read and land"), plain_failures(), interface.session() as conn:
            observer = _observer(context, connection)
            opened = OpenSource.of(settings, getattr(context.resources, connection), observer.warn)
            reader = opened.reader(conn, context.run.run_id, observer)
            policy, config = settings.retry_policy, settings.config_hash
            before = order_what_changed(conn, settings)
            with running_pass(conn, settings.name, policy, config, to_its_end=False):
                if before.config_hash != config or before.status == "ERROR":
                    opened.refuse_unknown_fields()
                if settings.source.pushed:
                    _take_up_again(context, conn, settings)
                elif context.run.tags.get(INVENTORY) is None:
                    _read_windows(context, reader, conn, settings)
                else:
                    _count_through(context, reader)
            add_windows(context.instance, settings, pending_windows(conn, settings.name))
            state = read_state(conn, settings.name)
        counts = {
            "landed": reader.counts.landed,
            "changes": reader.counts.changes,
            "fetched": reader.counts.fetched,
            "deleted": reader.counts.deleted,
            f"requests_{connection}": opened.requests_sent,
            "seconds": round(time.monotonic() - started, 3),
        }
        return dg.MaterializeResult(metadata={**counts_metadata(counts), "cursor": str(state.last_position)})

    return land


def _read_windows(
    context: dg.AssetExecutionContext, reader: Reader, conn: psycopg.Connection[Any], settings: SyncSettings
) -> None:
    """Read windows again whole, as far as the cursor has been (unless the run only catches up), then go on from it."""
    windows = sorted(window_of_key(key, settings.source.window) for key in context.partition_keys)
    cursor = read_state(conn, settings.name).last_position
    swept = settings.source.sweeps and not read_state(conn, settings.name).has_more_to_sweep
    if context.run.tags.get(CATCH_UP) is None:
        for window in (w for w in windows if cursor is not None and (w.start < cursor or swept)):
            context.log.info(f"reading window {window.key} again")
            reader.read_again(window)
    if settings.source.sweeps:
        if read_state(conn, settings.name).has_more_to_sweep:
            reader.sweep(until=windows[-1].end)
    elif cursor is None or windows[-1].end > cursor:
        reader.bring_up_to_date(until=windows[-1].end)


def _take_up_again(context: dg.AssetExecutionContext, conn: psycopg.Connection[Any], settings: SyncSettings) -> None:
    """Let the rows of chosen windows be written again, as if they had just been pushed."""
    if context.run.tags.get(CATCH_UP) is None:
        again = requeue_rows(conn, settings.name, partition_keys=context.partition_keys)
        context.log.info(f"{again} records are taken up again")


def _count_through(context: dg.AssetExecutionContext, reader: Reader) -> None:
    found = take_inventory(reader)
    context.log.info(f"counted {found.counted} records: {found.differing} differ from the rows, {found.gone} are gone")


def lookup_asset(settings: SyncSettings, lookup: LookupSettings) -> dg.AssetsDefinition:
    """Build the asset of what another system was asked about the records of a window."""
    connection = lookup.connection

    @dg.asset(
        key=lookup.asset_key,
        deps=[dg.AssetKey(settings.source.asset_key)],
        partitions_def=partitions_of(settings),
        backfill_policy=backfills_of(settings),
        required_resource_keys={connection, "interface"},
        group_name=settings.name,
        kinds={lookup.kind, "postgres"},
        pool=f"{connection}_questions",
        description=f"What {connection} answered about the records, kept for {lookup.max_age_hours:g} hours: each "
        "number is asked once, a hundred in one request.",
    )
    def look_up(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        started = time.monotonic()
        note_process(context)
        interface: InterfaceDatabase = context.resources.interface
        with traced(context, settings.name, "look up ahead"), plain_failures(), interface.session() as conn:
            with running_pass(conn, settings.name, settings.retry_policy, settings.config_hash, to_its_end=False):
                opened = OpenLookup.of(settings, getattr(context.resources, connection))
                enquiry = opened.enquiry(conn)
                for window in context.partition_keys:  # one by one, so that memory holds the answers of one at most
                    enquiry.ask_about(waiting_payloads(conn, settings.name, [window]))
            known, found, asked_at = answers_summary(conn, opened.lookup.name)
        counts = {
            "numbers": enquiry.counts.numbers,
            "asked": enquiry.counts.asked,
            "found": enquiry.counts.found,
            "kept_answers": known,
            "kept_companies": found,
            f"requests_{connection}": opened.requests_sent,
            "seconds": round(time.monotonic() - started, 3),
        }
        latest = "" if asked_at is None else asked_at.isoformat(timespec="seconds")
        return dg.MaterializeResult(metadata={**counts_metadata(counts), "latest_answer": latest})

    return look_up


def target_asset(settings: SyncSettings) -> dg.AssetsDefinition:
    """Build the asset that writes the due rows of its windows to the target."""
    target, lookup = settings.target.connection, settings.lookup
    # A relayed sync shares the lookup of the sync that it reads, whose answers are kept.
    before = lookup.asset_key if lookup and settings.source.sweeps else settings.source.asset_key

    @dg.asset(
        key=settings.target_asset_key,
        deps=[dg.AssetKey(before)],
        partitions_def=partitions_of(settings),
        backfill_policy=backfills_of(settings),
        required_resource_keys={*settings.connections, "interface"},
        group_name=settings.name,
        kinds={_KINDS.get(settings.target.kind, settings.target.kind)},
        pool=f"{target}_writes",
        description=f"{settings.description} Records of {settings.target.model}, by external id where they are made. A "
        "record that is refused fails alone and is listed here.".strip(),
    )
    def write(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        started = time.monotonic()
        note_process(context)
        interface: InterfaceDatabase = context.resources.interface
        with traced(context, settings.name, "map and write"), plain_failures(), interface.session() as conn:
            observer = _observer(context, target)
            # Only a read of the source follows a changed configuration; this may be a run of the target alone.
            with running_pass(conn, settings.name, settings.retry_policy, None):
                opened = open_target(settings, context.resources, observer.warn)
                writer = opened.writer(conn, context.run.run_id, observer)
                written = writer.write(Scope(partition_keys=context.partition_keys))
            failing = failing_metadata(conn, settings.name, context.partition_keys)
        counts = {
            "processed": written.processed,
            "unchanged": written.unchanged,
            "failed": written.failed,
            "skipped": written.skipped,
            f"requests_{target}": opened.requests_sent,
            "seconds": round(time.monotonic() - started, 3),
        }
        if lookup and opened.lookup:
            counts[f"requests_{lookup.connection}"] = opened.lookup.requests_sent
        return dg.MaterializeResult(metadata={**failing, **counts_metadata(counts)})

    return write


def open_target(settings: SyncSettings, resources: Any, warn: Callable[[str], None]) -> OpenTarget:
    """Open the target of a sync with the connections among Dagster's resources."""
    lookup = getattr(resources, settings.lookup.connection) if settings.lookup else None
    source, target = getattr(resources, settings.source.connection), getattr(resources, settings.target.connection)
    return OpenTarget.of(settings, source, target, warn, lookup)


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
            return dg.MaterializeResult(metadata=status_metadata(conn, settings))

    return interface_status


def status_metadata(conn: psycopg.Connection[Any], settings: SyncSettings) -> dict[str, Any]:
    """Return the interface-status table of a sync as metadata: failing rows first, then counts and state."""
    counts = counts_by_status(conn, settings.name).get(settings.name, {})
    by_status = {name: counts.get(name, 0) for name in ("processed", "pending", "processing", "failed", "skipped")}
    state = dg.MetadataValue.json(state_json(read_state(conn, settings.name), settings))
    failing, attempts = failing_metadata(conn, settings.name), attempts_metadata(conn, settings.name)
    return {**failing, **counts_metadata(by_status), **attempts, "state": state}


def _observer(context: dg.AssetExecutionContext, system: str) -> LogObserver:
    extra = {"system": system}
    return LogObserver.on(partial(context.log.info, extra=extra), partial(context.log.warning, extra=extra))
