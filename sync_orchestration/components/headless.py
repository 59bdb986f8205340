"""Brings a sync up to date in this process, through Dagster, so that the UI has its events."""

import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import dagster as dg

from sync_orchestration.components.assets import INVENTORY, add_windows
from sync_orchestration.components.connections import Connection
from sync_orchestration.components.database import InterfaceDatabase
from sync_orchestration.components.lost_runs import end_lost_runs
from sync_orchestration.components.planning import Plan, order_everything, plan_inventory, plan_next_run
from sync_orchestration.components.run_requests import run_tags
from sync_orchestration.components.running import OpenSource
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.interface.rows import counts_by_status
from sync_orchestration.interface.state import SyncState, read_state
from sync_orchestration.pipeline.errors import ConfigurationError, SyncError
from sync_orchestration.pipeline.passes import remember_failure
from sync_orchestration.pipeline.sweep import FIRST_WINDOW, begin_sweep

COUNTED = ("landed", "processed", "unchanged", "failed", "skipped")
_QUIET: dict[str, Any] = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class RunFailedError(SyncError):
    """A run of Dagster's ended in a failure; the state of its sync says so already."""


@dataclass(slots=True)
class RunReport:
    """What bringing one sync up to date came to; `problem` says why it could not complete."""

    counts: Counter[str] = field(default_factory=Counter)
    requests: Counter[str] = field(default_factory=Counter)
    pending: int = 0
    cursor: str | None = None
    problem: str | None = None


def dagster_instance() -> dg.DagsterInstance:
    """Return the Dagster instance of DAGSTER_HOME; a context manager that closes it."""
    return dg.DagsterInstance.get()


def run_job(instance: dg.DagsterInstance, definitions: dg.Definitions, job: str, ops: dict[str, Any]) -> None:
    """Run a maintenance job here with its ops' config. Raises SyncError with the reason when it fails."""
    config = {name: {"config": values} for name, values in ops.items()}
    result = _job_of(definitions, job).execute_in_process(
        instance=instance, run_config={**_QUIET, "ops": config}, raise_on_error=False
    )
    if not result.success:
        raise SyncError(_failure_of(result))


def bring_up_to_date(
    instance: dg.DagsterInstance,
    definitions: dg.Definitions,
    settings: SyncSettings,
    connections: dict[str, Connection],
    *,
    everything: bool = False,
) -> RunReport:
    """Run windows of the sync until nothing is new and nothing waits; `everything` reads the source whole first.

    A system at fault ends it and is told in `problem`; records at fault are counted as failed.
    """
    report = RunReport()
    report.requests.update({name: 0 for name in settings.connections if name in connections})
    end_lost_runs(instance)
    with InterfaceDatabase().session() as conn:
        try:
            if everything:
                order_everything(conn, settings)
            report.requests[settings.source.connection] += begin_pass(settings, connections)
            _run_until_idle(instance, definitions, settings, connections, report)
            if settings.source.inventory_cron and not everything:
                _take_inventory(instance, definitions, settings, connections, report)
                _run_until_idle(instance, definitions, settings, connections, report)
        except RunFailedError as error:
            report.problem = str(error)
        except SyncError as error:
            # A run says itself why it failed; here none has begun.
            remember_failure(conn, settings.name, settings.retry_policy, error)
            report.problem = str(error)
        report.pending = counts_by_status(conn, settings.name).get(settings.name, {}).get("pending", 0)
        position = read_state(conn, settings.name).last_position
        report.cursor = None if position is None else str(position)
    return report


def begin_pass(settings: SyncSettings, connections: dict[str, Connection], *, only_the_first: bool = False) -> int:
    """Begin a sweep unless one is under way, as its cron would; returns the number of requests that took.

    One that is under way with a configuration that has changed since is begun anew.

    Does nothing for a sync that is not swept. Raises SyncError when the source cannot be asked.
    """
    if not settings.source.sweeps:
        return 0
    with InterfaceDatabase().session() as conn:
        state = read_state(conn, settings.name)
        under_way = state.pass_end is not None and not settings.differs_from(state.config_hash)
        if under_way or (only_the_first and state.last_position is not None):
            return 0
        opened = OpenSource.of(settings, _source_connection(settings, connections))
        begin_sweep(conn, settings.name, opened.source, FIRST_WINDOW, settings.config_hash)
    return opened.requests_sent


def _run_until_idle(
    instance: dg.DagsterInstance,
    definitions: dg.Definitions,
    settings: SyncSettings,
    connections: dict[str, Connection],
    report: RunReport,
) -> None:
    name = settings.source.connection
    source = OpenSource.of(settings, _source_connection(settings, connections))
    before: Plan | None = None
    try:
        while True:
            with InterfaceDatabase().session() as conn:
                plan = plan_next_run(conn, settings, source.source, at_once=True)
            if not plan.windows or (before is not None and _stands_still(before, plan)):
                return
            _run(instance, definitions, settings, plan, report)
            before = plan
    finally:
        report.requests[name] += source.requests_sent


def _take_inventory(
    instance: dg.DagsterInstance,
    definitions: dg.Definitions,
    settings: SyncSettings,
    connections: dict[str, Connection],
    report: RunReport,
) -> None:
    """Count the source through, as its schedule would: whoever brings a sync up to date means deletes too."""
    source = OpenSource.of(settings, _source_connection(settings, connections))
    with InterfaceDatabase().session() as conn:
        plan = plan_inventory(conn, settings, source.source)
    report.requests[settings.source.connection] += source.requests_sent
    if plan.windows:
        _run(instance, definitions, settings, plan, report, {INVENTORY: "true"})


def _source_connection(settings: SyncSettings, connections: dict[str, Connection]) -> Connection | InterfaceDatabase:
    name = settings.source.connection
    if name == "interface":
        return InterfaceDatabase()
    if name not in connections:
        raise ConfigurationError(f"There is no connection {name!r} for {settings.name}.")
    return connections[name]


def _stands_still(before: Plan, now: Plan) -> bool:
    """Tell whether a run changed nothing: its rows are held by another worker, which will settle them."""
    return before.windows == now.windows and _reached(before.state) == _reached(now.state)


def _reached(state: SyncState) -> tuple[int | None, str | None, int]:
    return state.last_position, state.baseline_after, state.count_processed


def _run(
    instance: dg.DagsterInstance,
    definitions: dg.Definitions,
    settings: SyncSettings,
    plan: Plan,
    report: RunReport,
    more_tags: Mapping[str, str] = MappingProxyType({}),
) -> None:
    add_windows(instance, settings, [window.key for window in plan.known])
    job = _job_of(definitions, settings.name)
    tags = {**run_tags(settings, plan), **more_tags}
    result = job.execute_in_process(instance=instance, tags=tags, run_config=_QUIET, raise_on_error=False)
    _count(result, report)
    if not result.success:
        raise RunFailedError(_failure_of(result))


def _count(result: dg.ExecuteInProcessResult, report: RunReport) -> None:
    """Add up the counts; each window of a range repeats those of the whole run, so one of a step is enough."""
    counted: set[str] = set()
    for event in result.get_asset_materialization_events():
        if event.step_key is None or event.step_key in counted:
            continue
        counted.add(event.step_key)
        if event.asset_key is not None and event.asset_key.path[-1] == "interface_status":
            continue
        for name, value in event.materialization.metadata.items():
            number = value.value if isinstance(value.value, int) else 0
            if name in COUNTED:
                report.counts[name] += number
            elif name.startswith("requests_"):
                report.requests[name.removeprefix("requests_")] += number


def _failure_of(result: dg.ExecuteInProcessResult) -> str:
    """Say why a run failed, in the plain words of the step that did."""
    for event in result.filter_events(lambda e: e.is_step_failure):
        failure = event.step_failure_data
        if failure.user_failure_data and failure.user_failure_data.description:
            return str(failure.user_failure_data.description)
        if failure.error:
            return f"{event.step_key} failed: {failure.error.message.strip()}"
    return f"the run {result.run_id} failed; its events in Dagster say why"


def _job_of(definitions: dg.Definitions, name: str) -> dg.JobDefinition:
    with warnings.catch_warnings():
        # Dagster makes sensors of several jobs anew, with a parameter of its own that it calls beta.
        warnings.simplefilter("ignore", dg.BetaWarning)
        return definitions.resolve_job_def(name)
