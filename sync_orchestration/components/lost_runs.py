"""Notices runs whose process has vanished without a word, so that they are ended and tried again.

Dagster's run monitoring cannot ask a local process that was started by another, since dead, process how it is. So
each step writes down which process it runs in, and whoever starts the next run looks whether that one still lives.
"""

import os
import socket

import dagster as dg
import psutil

_PROCESS_TAG = ".dagster/sync_process"  # this prefix keeps it out of the list of runs


def note_process(context: dg.AssetExecutionContext) -> None:
    """Write into the run's tags which process works on it."""
    context.instance.add_run_tags(context.run.run_id, {_PROCESS_TAG: _identity(psutil.Process())})


def end_lost_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark as failed the started runs whose process on this machine is gone; returns their ids.

    A failed run is tried again by Dagster's run retries; what it had done stays done.
    """
    lost = []
    for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING])):
        identity = run.tags.get(_PROCESS_TAG)
        if identity is not None and _is_gone(identity):
            instance.report_run_failed(
                run, "The process of this run ended without a word; its work goes on in a new run."
            )
            lost.append(run.run_id)
    return lost


def _identity(process: psutil.Process) -> str:
    return f"{socket.gethostname()}:{process.pid}:{process.create_time():.2f}"


def _is_gone(identity: str) -> bool:
    host, pid, _created = identity.rsplit(":", 2)
    if host != socket.gethostname() or int(pid) == os.getpid():
        return False
    try:
        process = psutil.Process(int(pid))
        return _identity(process) != identity or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
