"""How Dagster's runs have ended since a time, and why they failed."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Literal

import dagster as dg

from sync_orchestration.components.run_requests import SYNC_TAG
from sync_orchestration.pipeline.incidents import RunEnd

WILL_RETRY, RETRIED_AS = "dagster/will_retry", "dagster/auto_retry_run_id"
"""Tags by which Dagster marks a failed run that it tries again by itself, and then the run that does."""

_PAGE = 200
_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
_SUBJECT = 200


def run_ends(instance: dg.DagsterInstance, since: datetime) -> list[RunEnd]:
    """Return the ends of runs that were touched after `since`, those cancelled by a person left out."""
    filters = dg.RunsFilter(statuses=_ENDED, updated_after=since)
    return [_end(instance, record) for record in _records(instance, filters)]


def _records(instance: dg.DagsterInstance, filters: dg.RunsFilter) -> Iterator[dg.RunRecord]:
    cursor: str | None = None
    while True:
        page = instance.get_run_records(filters, limit=_PAGE, cursor=cursor)
        yield from page
        if len(page) < _PAGE:
            return
        cursor = page[-1].dagster_run.run_id


def _end(instance: dg.DagsterInstance, record: dg.RunRecord) -> RunEnd:
    run = record.dagster_run
    ended = record.update_timestamp if record.end_time is None else datetime.fromtimestamp(record.end_time, UTC)
    return RunEnd(
        subject_of(run), run.run_id, ended, run.is_success, "none" if run.is_success else _retry(instance, run)
    )


def subject_of(run: dg.DagsterRun) -> str:
    """Return what a run is about: its sync, else its job, else the assets that somebody chose."""
    if name := run.tags.get(SYNC_TAG):
        return name
    if run.asset_selection and run.job_name.startswith("__"):
        return ", ".join(sorted(key.to_user_string() for key in run.asset_selection))[:_SUBJECT]
    return run.job_name


def _retry(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Literal["none", "awaited", "begun"]:
    if RETRIED_AS in run.tags:
        return "begun"
    if run.remote_job_origin is None:
        # Such a run was started within a process of its own; Dagster's daemon does not know how to start it again.
        return "none"
    # The tag is written a moment after the run has failed.
    will_retry = run.tags.get(WILL_RETRY, "true" if instance.run_retries_enabled else "false")
    return "awaited" if will_retry == "true" else "none"


def reason_of(instance: dg.DagsterInstance, run_id: str) -> str:
    """Say why a run failed, in the plain words of the step that did."""
    for kind in (dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE):
        for record in instance.get_records_for_run(run_id, of_type=kind, limit=1).records:
            event = record.event_log_entry.dagster_event
            if event is None:
                continue
            if kind is dg.DagsterEventType.STEP_FAILURE:
                failure = event.step_failure_data
                if failure.user_failure_data and failure.user_failure_data.description:
                    return str(failure.user_failure_data.description)
                if failure.error:
                    return f"{event.step_key}: {failure.error.message.strip()}"
            elif event.message:
                return event.message
    return "its events in Dagster say why"
