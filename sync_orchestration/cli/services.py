"""The Dagster processes behind `sync-orchestration dev` and `demo`: code server, web server, daemon.

All of them share one DAGSTER_HOME and one workspace file under the state folder; the web server and the daemon reach
the definitions through the code server, so that only one process loads them and it may be restarted on its own.
"""

import os
import socket
import sys
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import yaml

from sync_orchestration.cli.supervisor import Service

_LOCATION_NAME = "sync_orchestration"
_LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """Return a TCP port of the loopback address that nobody uses at this moment."""
    with socket.socket() as listener:
        listener.bind((_LOOPBACK, 0))
        port: int = listener.getsockname()[1]
        return port


def accepts(port: int, host: str = _LOOPBACK) -> Callable[[], bool]:
    """Return a readiness test: does something accept connections on this port?"""

    def ready() -> bool:
        try:
            with socket.create_connection((host, port), timeout=1):
                return True
        except OSError:
            return False  # not yet

    return ready


def prepare_dagster_home(state_dir: Path) -> Path:
    """Write the project's `dagster.yaml` to `state_dir/dagster` and return that folder, the DAGSTER_HOME."""
    home = state_dir.resolve() / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    settings = resources.files("sync_orchestration").joinpath("dagster.yaml").read_text(encoding="utf-8")
    (home / "dagster.yaml").write_text(settings, encoding="utf-8")
    return home


def dagster_environment(state_dir: Path, postgres_url: str) -> dict[str, str]:
    """Return the variables with which a process uses this state folder's Dagster instance and PostgreSQL."""
    return {
        "DAGSTER_HOME": str(state_dir.resolve() / "dagster"),
        "SYNC_POSTGRES_URL": postgres_url,
        "SYNC_STATE_DIR": str(state_dir.resolve()),
        # A range of many partitions writes its events in batches, which halves its time.
        "DAGSTER_EVENT_BATCH_SIZE": os.environ.get("DAGSTER_EVENT_BATCH_SIZE", "100"),
    }


def dagster_services(
    state_dir: Path,
    port: int,
    postgres_url: str,
    host: str = _LOOPBACK,
    *,
    module: str = "sync_orchestration.definitions",
) -> list[Service]:
    """Prepare DAGSTER_HOME and return the Dagster processes in their order; the UI is served on `host:port`."""
    home = prepare_dagster_home(state_dir)
    code_port = free_port()
    workspace = str(_write_workspace(home, code_port))
    env = dagster_environment(state_dir, postgres_url)
    python = [sys.executable, "-m"]
    # What a process says before it has loaded this project, or where it never does, is in Dagster's own JSON.
    log_format = ["--log-format", "json"] if os.environ.get("SYNC_LOG_FORMAT") == "json" else []
    code_server = ["dagster", "code-server", "start", "-m", module, "-h", _LOOPBACK, "-p", str(code_port), *log_format]
    webserver = ["dagster_webserver", "-h", host, "-p", str(port), "-w", workspace, *log_format]
    reached_at = _LOOPBACK if host in ("0.0.0.0", "::") else host  # noqa: S104 - compared, not bound
    return [
        Service("code-server", python + code_server, env, accepts(code_port)),
        Service("webserver", python + webserver, env, accepts(port, reached_at)),
        Service("daemon", [*python, "dagster._daemon", "run", "-w", workspace, *log_format], env),
    ]


def _write_workspace(home: Path, code_port: int) -> Path:
    server = {"host": _LOOPBACK, "port": code_port, "location_name": _LOCATION_NAME}
    workspace = home / "workspace.yaml"
    workspace.write_text(yaml.safe_dump({"load_from": [{"grpc_server": server}]}), encoding="utf-8")
    return workspace
