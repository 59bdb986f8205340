"""The asset checks of one sync: is any record failing, is the feed fresh, does the target match the source?"""

from typing import Any

import dagster as dg

from sync_orchestration.components.assets import open_target, plain_failures
from sync_orchestration.components.database import InterfaceDatabase
from sync_orchestration.components.kinds import open_lookup
from sync_orchestration.components.metadata import failing_metadata, moment_of
from sync_orchestration.components.running import OpenSource
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.components.source_settings import LookupSettings
from sync_orchestration.components.tracing import traced
from sync_orchestration.interface.rows import failing_keys, links
from sync_orchestration.interface.state import read_state
from sync_orchestration.pipeline.errors import SyncError
from sync_orchestration.pipeline.history import head_of, refuse_foreign_history
from sync_orchestration.pipeline.lookup import Metered
from sync_orchestration.pipeline.reconcile import compare, summary

_SCARCE = 0.9
_FEED_IS_FRESH = "feed_is_fresh"
_EXPLAINED = {"failing (known)", "refused"}


def no_failed_records(settings: SyncSettings) -> dg.AssetChecksDefinition:
    """Build the check that warns while any record of the sync is failing."""

    @dg.asset_check(
        asset=dg.AssetKey(settings.target_asset_key),
        name="no_failed_records",
        required_resource_keys={"interface"},
        description="Warns while records of this sync are refused; the table says which, why and since when.",
    )
    def check(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        interface: InterfaceDatabase = context.resources.interface
        with plain_failures(), interface.session() as conn:
            metadata = failing_metadata(conn, settings.name, wide=True)
        failing = int(metadata["failing_records"].value or 0)
        return dg.AssetCheckResult(
            passed=failing == 0,
            severity=dg.AssetCheckSeverity.WARN,
            metadata=metadata,
            description={0: "no record is failing", 1: "1 record is failing"}.get(
                failing, f"{failing} records are failing"
            ),
        )

    return check


def feed_is_fresh(settings: SyncSettings) -> dg.AssetChecksDefinition:
    """Build the check that turns red when changes are not recorded, not readable, or not the cursor's history."""
    connection = settings.source.connection

    @dg.asset_check(
        asset=dg.AssetKey(settings.source.asset_key),
        name=_FEED_IS_FRESH,
        required_resource_keys={"interface", connection},
        description="Red when the source does not track changes, its history was reset, or it cannot be read.",
    )
    def check(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        interface: InterfaceDatabase = context.resources.interface
        with traced(context, settings.name, _FEED_IS_FRESH), plain_failures(), interface.session() as conn:
            try:
                opened = OpenSource.of(settings, getattr(context.resources, connection))
                head = head_of(opened.source, conn, settings.name)
                state = read_state(conn, settings.name)
                if not settings.source.sweeps:
                    refuse_foreign_history(state, head, by_time=settings.source.feed == "times")
            except SyncError as error:
                return dg.AssetCheckResult(passed=False, description=str(error), metadata={"problem": str(error)})
        if settings.source.sweeps and state.status == "ERROR":
            return dg.AssetCheckResult(
                passed=False, description=str(state.error), metadata={"problem": str(state.error)}
            )
        if settings.source.feed == "times":
            shown = {"cursor": moment_of(state.last_position), "newest": moment_of(head.position)}
            return dg.AssetCheckResult(passed=True, metadata=shown, description="changes are readable")
        cursor = state.last_position or 0
        metadata: dict[str, Any] = {
            "cursor": cursor,
            "newest": head.position,
            "behind": max(0, head.position + 1 - cursor),
        }
        return dg.AssetCheckResult(passed=True, metadata=metadata, description="changes are recorded and readable")

    return check


def report_feed(instance: dg.DagsterInstance, settings: SyncSettings, problem: str | None) -> None:
    """Turn `feed_is_fresh` red, or green again, without a run: where the feed is at fault, none begins."""
    key = dg.AssetCheckKey(dg.AssetKey(settings.source.asset_key), _FEED_IS_FRESH)
    record = instance.get_latest_asset_check_evaluation_record(key)
    shown = record.evaluation if record else None
    if not isinstance(shown, dg.AssetCheckEvaluation):
        shown = None  # the run that was to evaluate it was killed, and only its plan is there
    is_news = (
        (record is not None and not (shown and shown.passed))
        if problem is None
        else not (shown and not shown.passed and shown.description == problem)
    )
    if is_news:
        instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(
                asset_key=key.asset_key,
                check_name=key.name,
                passed=problem is None,
                description=problem or "changes are recorded and readable",
                metadata={"problem": problem} if problem else {},
            )
        )


def quota_is_left(settings: SyncSettings, asked: LookupSettings) -> dg.AssetChecksDefinition:
    """Build the check that warns when little is left of a lookup's quota; asking for that costs nothing of it."""

    @dg.asset_check(
        asset=dg.AssetKey(asked.asset_key),
        name="quota_is_left",
        required_resource_keys={asked.connection},
        description="Warns when more than nine tenths of a quota of the register are spent.",
    )
    def check(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        with plain_failures():
            lookup, _ = open_lookup(settings, getattr(context.resources, asked.connection))
            usage = lookup.usage() if isinstance(lookup, Metered) else []
        scarce = [u for u in usage if u.limit and u.spent > _SCARCE * u.limit]
        rows = [dg.TableRecord({"method": u.method, "spent": u.spent, "limit": u.limit}) for u in usage]
        return dg.AssetCheckResult(
            passed=not scarce,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"quotas": dg.MetadataValue.table(rows)} if rows else {},
            description="; ".join(f"{u.method}: {u.spent} of {u.limit} spent" for u in usage) or "no quota is told",
        )

    return check


def source_matches_target(settings: SyncSettings) -> dg.AssetChecksDefinition:
    """Build the check that compares every record of the source with the target; scheduled, for it reads both whole."""
    source = settings.source.connection

    @dg.asset_check(
        asset=dg.AssetKey(settings.target_asset_key),
        name="source_matches_target",
        required_resource_keys={"interface", *settings.connections},
        description="Reads source and target whole and compares them field by field under the mapping.",
    )
    def check(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        interface: InterfaceDatabase = context.resources.interface
        name = "source_matches_target"
        with traced(context, settings.name, name), plain_failures(), interface.session() as conn:
            opened = OpenSource.of(settings, getattr(context.resources, source))
            to = open_target(settings, context.resources, context.log.warning)
            comparison = compare(
                opened.source,
                to.target,
                to.translation_on(conn),
                links=links(conn, settings.name),
                sensitive=settings.sensitive_names,
            )
            table = summary(comparison.differences, failing_keys(conn, settings.name))
        unexplained = int(table.loc[~table["finding"].isin(list(_EXPLAINED)), "records"].sum()) if len(table) else 0
        rows = [
            dg.TableRecord({str(name): value for name, value in row.items()})
            for row in table.astype({"records": int}).to_dict("records")
        ]
        return dg.AssetCheckResult(
            passed=unexplained == 0,
            metadata={"compared": comparison.compared, "unexplained": unexplained}
            | ({"differences": dg.MetadataValue.table(rows)} if rows else {}),
            description=f"{comparison.compared} records compared, {unexplained} differ with no failing row to say why",
        )

    return check
