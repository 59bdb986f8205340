"""`run` and `retry`: syncs in this process, through this state folder's Dagster instance."""

import time
from contextlib import nullcontext

from sync_orchestration.cli.environment import load_settings, use_state_folder
from sync_orchestration.cli.narrator import narrating
from sync_orchestration.cli.output import err, out, print_failing, print_summary
from sync_orchestration.cli.usage import UsageError
from sync_orchestration.components.database import InterfaceDatabase
from sync_orchestration.components.headless import RunReport, bring_up_to_date, dagster_instance, run_job
from sync_orchestration.definitions import Project, load_project
from sync_orchestration.interface.database import database_url
from sync_orchestration.interface.rows import count_failing, counts_by_status, failing_rows

_FIRST_REASONS = 5


def run_syncs(names: list[str], *, everything: bool, quiet: bool = False) -> dict[str, tuple[RunReport, float]]:
    """Bring the named syncs (none: all) up to date, one after the other; returns report and seconds of each."""
    load_settings()
    project = load_project()
    wanted = chosen(project, names)
    reports: dict[str, tuple[RunReport, float]] = {}
    use_state_folder()
    with dagster_instance() as instance, nullcontext() if quiet else narrating(err, database_url(), wanted):
        for name in wanted:
            started = time.monotonic()
            report = bring_up_to_date(
                instance, project.definitions, project.syncs[name], project.connections, everything=everything
            )
            reports[name] = (report, time.monotonic() - started)
    return reports


def chosen(project: Project, names: list[str]) -> list[str]:
    """Return the names of the syncs to run; without names, those whose connections are configured.

    Raises UsageError for an unknown name.
    """
    if unknown := [name for name in names if name not in project.syncs]:
        raise UsageError(f"There is no sync {', '.join(unknown)}; known are {', '.join(sorted(project.syncs))}.")
    if names:
        return list(dict.fromkeys(names))
    ready = [name for name, sync in project.syncs.items() if sync.enabled and not project.missing_variables(sync)]
    if not ready:
        missing = sorted({v for sync in project.syncs.values() for v in project.missing_variables(sync)})
        raise UsageError(f"No sync is configured: set {', '.join(missing)} (see .env.example), or try the demo.")
    return ready


def print_reports(reports: dict[str, tuple[RunReport, float]]) -> None:
    """Print the summary of a run with the first reasons of failure."""
    print_summary({name: report for name, (report, _) in reports.items()})
    with InterfaceDatabase().session() as conn:
        for name in reports:
            print_failing(name, failing_rows(conn, name, limit=_FIRST_REASONS), count_failing(conn, name))


def retry(name: str, keys: list[str], *, confirm_deletes: bool) -> None:
    """Run the job `retry_failed_records` here. Raises UsageError for an unknown sync, SyncError when it fails."""
    load_settings()
    project = load_project()
    chosen(project, [name])
    config = {"sync": name, "keys": keys, "confirm_deletes": confirm_deletes}
    use_state_folder()
    with dagster_instance() as instance:
        run_job(instance, project.definitions, "retry_failed_records", {"failed_records": config})
    with InterfaceDatabase().session() as conn:
        counts = counts_by_status(conn, name).get(name, {})
        out.print(f"{name}: {counts.get('failed', 0)} failed, {counts.get('processed', 0)} processed")
        print_failing(name, failing_rows(conn, name, limit=_FIRST_REASONS), count_failing(conn, name))
