"""Where runs are executed: on the code server's machine, or by Celery workers on any number of machines.

The cut is the run: a run reads and writes a few windows, needs nothing of another run, and goes on from the rows if it
dies. (Steps would be a worse cut: a run has three or four of them, one after the other.)
"""

import os
from typing import Any

from dagster._core.launcher import DefaultRunLauncher, LaunchRunContext, RunLauncher
from dagster._serdes import ConfigurableClass, ConfigurableClassData

from sync_orchestration.pipeline.errors import ConfigurationError

CELERY_URL = "SYNC_CELERY_URL"
"""Environment variable: the broker of the Celery workers. Unset, runs are processes beside the code server."""


class SyncRunLauncher(RunLauncher, ConfigurableClass):
    """Stands in `dagster.yaml` for the launcher that the environment chooses."""

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        raise NotImplementedError

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config_value(  # type: ignore[override]
        cls, inst_data: ConfigurableClassData | None, config_value: Any
    ) -> RunLauncher:
        """Return the launcher. Raises ConfigurationError when Celery is wanted and not installed."""
        del config_value
        url = os.environ.get(CELERY_URL)
        if not url:
            return DefaultRunLauncher(inst_data)
        try:
            from sync_orchestration.components.celery_runs import SyncCeleryRunLauncher  # noqa: PLC0415 - an extra
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                f"{CELERY_URL} is set, but {error.name} is not installed. Install sync-orchestration[celery], or unset "
                "the variable."
            ) from None
        return SyncCeleryRunLauncher.at(url, inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        raise NotImplementedError

    def terminate(self, run_id: str) -> bool:
        raise NotImplementedError
