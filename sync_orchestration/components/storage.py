"""Dagster's own storage, in the PostgreSQL that also holds the interface tables."""

import re
from typing import Any

from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage

from sync_orchestration.components.json_logs import follow_log_format
from sync_orchestration.interface.database import database_url


class SyncPostgresStorage(DagsterPostgresStorage):
    """dagster-postgres with the URL found as everywhere else: SYNC_POSTGRES_URL, else the embedded server.

    So `dagster.yaml` needs no variable, and a plain `dagster dev` works in a checkout.
    """

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> "SyncPostgresStorage":
        del config_value
        follow_log_format()  # the web server and the daemon load nothing else of this project
        return cls(postgres_url=for_psycopg2(database_url()), inst_data=inst_data)


def for_psycopg2(postgres_url: str) -> str:
    """Name the driver that dagster-postgres brings; SQLAlchemy 2.1 takes a URL without one for psycopg 3."""
    return re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql+psycopg2://", postgres_url)
