"""The job that keeps what is remembered within its time: the interface tables, and Dagster's own runs and events."""

from collections.abc import Sequence
from datetime import timedelta

import dagster as dg
import psycopg

from sync_orchestration.components.assets import plain_failures
from sync_orchestration.components.database import InterfaceDatabase
from sync_orchestration.components.metadata import counts_metadata
from sync_orchestration.components.old_runs import purge_runs
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.interface.retention import Retention, purge
from sync_orchestration.interface.settled import newest_settling
from sync_orchestration.interface.state import database_time, read_state

_ABOUT = "Keeps the log of attempts, the finished deletes and Dagster's own runs within their retention time."


def purge_history_job(syncs: Sequence[SyncSettings]) -> dg.JobDefinition:
    """Build the job of the retention; both parts delete in batches while syncs run."""

    @dg.op(
        required_resource_keys={"interface"},
        description="Deletes old attempts, finished deletes, incidents that are over, hints and lookup answers.",
        config_schema={
            "days": _days(90, "Attempts, finished deletes and incidents that are over stay this many days."),
            "hint_days": _days(7, "Calls of hooks that nobody took, and pauses that are over, stay this many days."),
            "answer_days": _days(30, "Lookup answers stay this many days; longer where a lookup still uses them."),
        },
    )
    def old_history(context: dg.OpExecutionContext) -> None:
        config = context.op_config
        interface: InterfaceDatabase = context.resources.interface
        with plain_failures(), interface.session() as conn:
            retention = Retention(
                history=timedelta(days=config["days"]),
                hints=timedelta(days=config["hint_days"]),
                answers=max(timedelta(days=config["answer_days"]), _longest_use(syncs)),
                still_read=still_read_by_others(conn, syncs),
            )
            purged = purge(conn, retention)
        context.log.info(", ".join(f"{count} of {table}" for table, count in purged.items()) + " deleted")
        context.add_output_metadata(counts_metadata(purged))

    @dg.op(
        required_resource_keys={"interface"},
        description="Deletes old runs with their events and logs, as far as nothing in the UI stands on them.",
        config_schema={"days": _days(30, "Runs that ended longer ago than this many days are deleted.")},
    )
    def old_runs(context: dg.OpExecutionContext) -> None:
        interface: InterfaceDatabase = context.resources.interface
        with plain_failures(), interface.session() as conn:
            before = database_time(conn) - timedelta(days=context.op_config["days"])
        purged = purge_runs(context.instance, before, context.log.info)
        context.log.info(f"{purged.deleted} runs deleted, {purged.kept} kept, for the UI shows what they made")
        context.add_output_metadata(counts_metadata({"runs_deleted": purged.deleted, "runs_kept": purged.kept}))

    @dg.job(name="purge_history", description=_ABOUT, executor_def=dg.in_process_executor)
    def job() -> None:
        old_history()
        old_runs()

    return job


def purge_history_schedule(job: dg.JobDefinition) -> dg.ScheduleDefinition:
    """Build the schedule of the retention."""
    return dg.ScheduleDefinition(
        name="purge_history_schedule",
        job=job,
        cron_schedule="15 4 * * *",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=_ABOUT,
    )


def _days(default: int, description: str) -> dg.Field:
    return dg.Field(dg.IntSource, default_value=default, description=description)


def _longest_use(syncs: Sequence[SyncSettings]) -> timedelta:
    """Return for how long a lookup still takes an answer as good."""
    return max((timedelta(hours=sync.lookup.max_age_hours) for sync in syncs if sync.lookup), default=timedelta())


def still_read_by_others(conn: psycopg.Connection[object], syncs: Sequence[SyncSettings]) -> dict[str, int]:
    """Return by sync from which settling on its deletes must stay, for another sync reads the table.

    What that one has not read yet stays, and so does the newest settling: where it ends is how a reader tells that
    the table is still the same.
    """
    found: dict[str, int] = {}
    for sync in syncs:
        if sync.source.kind == "interface":
            read = sync.source.sync
            state = read_state(conn, sync.name)
            cursors = [c for c in (state.last_position, state.baseline_from, found.get(read)) if c is not None]
            found[read] = min([newest_settling(conn, read), *cursors])
    return found
