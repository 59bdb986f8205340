"""Where a command finds its settings and state: .env, the demo's servers, PostgreSQL, DAGSTER_HOME."""

import os
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values, load_dotenv

from sync_orchestration.cli.services import dagster_environment, prepare_dagster_home
from sync_orchestration.cli.usage import UsageError
from sync_orchestration.interface.database import connect, database_url, state_dir
from sync_orchestration.interface.private_folder import private_folder, write_private

_CONNECTION_PREFIXES = ("FLEXI_", "ODOO_", "ALFRESCO_", "KONTUR_", "REST_")


def load_settings() -> bool:
    """Read .env of the working folder; where no other connection is set, use a running demo's servers.

    Returns True when the demo's are used. What is set in the environment always wins; whoever has exported the address
    of one of the demo's servers, to break a record there, still means the demo.
    """
    try:
        load_dotenv(Path(".env"), override=False)
    except UnicodeDecodeError:
        raise UsageError("The file .env is not UTF-8; save it as UTF-8.") from None
    demo = {name: value for name, value in dotenv_values(demo_file()).items() if value is not None}
    ours = {name: value for name, value in os.environ.items() if name.startswith(_CONNECTION_PREFIXES)}
    if not demo or not ours.items() <= demo.items():
        return False
    os.environ.update(demo)
    return True


def demo_file() -> Path:
    """Return the file in which a running demo tells its servers' addresses to other commands."""
    return state_dir() / "demo.env"


def demo_folder() -> Path:
    """Return the demo's own state folder: ids of stand-ins must never be in the rows of real systems."""
    return state_dir() / "demo"


def write_demo_file(variables: Mapping[str, str]) -> None:
    """Tell other commands of the same state folder where the demo's servers are."""
    write_private(demo_file(), "".join(f"{name}={value}\n" for name, value in variables.items()))


def use_state_folder() -> str:
    """Set the variables by which Dagster and its processes find the state folder; returns PostgreSQL's URL.

    Raises DatabaseError when PostgreSQL cannot be reached; Dagster would say that with a traceback.
    """
    folder = private_folder(state_dir())
    url = database_url()
    with connect(url):
        pass
    prepare_dagster_home(folder)
    os.environ.update(dagster_environment(folder, url))
    return url
