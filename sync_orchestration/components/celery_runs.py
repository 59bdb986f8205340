"""Runs as tasks of Celery workers, which need this code, the broker and PostgreSQL. Needs the extra `celery`."""

from collections import Counter
from typing import Any

import dagster as dg
from celery import Celery
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster._serdes import ConfigurableClassData
from dagster_celery.defaults import task_default_queue
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG
from dagster_celery.tasks import create_execute_job_task, create_resume_job_task

_ANSWER_SECONDS = 5.0
_SILENCES = 3  # a worker on a busy machine may miss one
_SETTINGS: dict[str, Any] = {
    # A worker reserves no more runs than it has processes; the others are for the workers that are idle.
    "task_acks_late": True,
    "worker_prefetch_multiplier": 1,
    # What a worker has not finished is handed out again after that many seconds; a run takes six hours at most.
    "broker_transport_options": {"visibility_timeout": 8 * 3600},
    "broker_connection_retry_on_startup": True,
    # Dagster's own log lines are none of Celery's warnings.
    "worker_redirect_stdouts": False,
}


class SyncCeleryRunLauncher(CeleryRunLauncher):
    """dagster-celery's launcher, which also notices that a worker is gone with its machine.

    Of a worker that was killed Celery tells for ever that its task is under way. So the worker is asked; one that three
    times in a row does not answer, or does not know of the task, has lost it.
    """

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._silences: Counter[str] = Counter()

    @classmethod
    def at(cls, url: str, inst_data: ConfigurableClassData | None = None) -> "SyncCeleryRunLauncher":
        """Return the launcher that hands runs to the workers at a broker."""
        return cls(
            default_queue=task_default_queue, broker=url, backend=url, config_source=_SETTINGS, inst_data=inst_data
        )

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Tell whether the run's worker is at work; run monitoring ends and repeats a run whose worker is not."""
        found = super().check_run_worker_health(run)
        if found.status is not WorkerStatus.RUNNING:
            return found
        task = run.tags[DAGSTER_CELERY_TASK_ID_TAG]
        worker = self._worker_of(task)
        answers = self.celery.control.inspect([worker], timeout=_ANSWER_SECONDS).active() if worker else None
        if answers is not None and task in {one["id"] for tasks in answers.values() for one in tasks}:
            del self._silences[run.run_id]
            return found
        self._silences[run.run_id] += 1
        if self._silences[run.run_id] < _SILENCES:
            return found
        del self._silences[run.run_id]
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, f"The Celery worker {worker} is gone.")

    def _worker_of(self, task: str) -> str | None:
        told = self.celery.AsyncResult(task).info
        return told.get("hostname") if isinstance(told, dict) else None


def worker_app(url: str) -> Celery:
    """Return the app of a worker that executes runs handed out by the launcher at the same broker."""
    app = SyncCeleryRunLauncher.at(url).celery
    create_execute_job_task(app)
    create_resume_job_task(app)
    return app
