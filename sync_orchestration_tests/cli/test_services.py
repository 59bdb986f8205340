"""What `sync-orchestration dev` stands on: services that come back when killed and are gone when it ends."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest

from sync_orchestration.cli.services import (
    accepts,
    dagster_environment,
    dagster_services,
    free_port,
    prepare_dagster_home,
)
from sync_orchestration.cli.supervisor import Patience, Service, ServiceEvent, ServiceFailedError, supervise
from sync_orchestration.components.storage import for_psycopg2
from sync_orchestration.interface.embedded import embedded_url, stop_embedded

IMPATIENT = Patience(pauses=(0.01,), deaths=3, grace=1.0)
FOR_EVER = [sys.executable, "-c", "import signal; signal.pause()"]
DEAF = [
    sys.executable,
    "-c",
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()",
]
WITH_A_CHILD = [
    sys.executable,
    "-c",
    "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()']).pid, "
    "flush=True); import signal; signal.pause()",
]
SUPERVISE = """
import json, sys
from dataclasses import asdict
from pathlib import Path
from sync_orchestration.cli.supervisor import Service, supervise
services = [Service(name, command) for name, command in json.loads(sys.argv[2])]
supervise(services, log_dir=Path(sys.argv[1]), on_event=lambda event: print(json.dumps(asdict(event)), flush=True))
"""
SUPERVISE_DAGSTER = """
import json, sys
from dataclasses import asdict
from pathlib import Path
from sync_orchestration.cli.services import dagster_services
from sync_orchestration.cli.supervisor import supervise
state_dir, port, url = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
supervise(
    dagster_services(state_dir, port, url, module="trivial_definitions"),
    log_dir=state_dir / "logs",
    on_event=lambda event: print(json.dumps(asdict(event)), flush=True),
)
"""
TRIVIAL_DEFINITIONS = """
import dagster as dg

@dg.asset
def thing() -> int:
    return 1

defs = dg.Definitions([thing])
"""


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def commands_in_group(group: int) -> dict[int, str]:
    listed = subprocess.run(
        ["ps", "-ww", "-A", "-o", "pid=,pgid=,stat=,args="], capture_output=True, text=True, check=True
    ).stdout
    fields = [line.split(None, 3) for line in listed.splitlines()]
    return {int(pid): args for pid, pgid, state, args in fields if int(pgid) == group and state[0] != "Z"}


def is_group_alive(group: int) -> bool:
    return bool(commands_in_group(group))


def kill_service(group: int) -> None:
    """Kill the command itself, as a crash would, and neither its keeper nor its children."""
    members = commands_in_group(group)
    command = min(pid for pid, args in members.items() if "keeper.py" not in args)
    os.kill(command, signal.SIGKILL)


class Supervisor:
    """A process that supervises and tells its events."""

    def __init__(self, script: str, *arguments: str, **env: str) -> None:
        self.events: list[ServiceEvent] = []
        self.process = subprocess.Popen(
            [sys.executable, "-c", script, *arguments], env=os.environ | env, stdout=subprocess.PIPE, text=True
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.events.extend(ServiceEvent(**json.loads(line)) for line in self.process.stdout)

    def groups(self, name: str, kind: str = "ready") -> list[int]:
        return [event.pid for event in self.events if (event.service, event.kind) == (name, kind)]

    def all_groups(self) -> set[int]:
        return {event.pid for event in self.events}

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        code = self.process.wait(30)
        self._reader.join(30)
        return code


@pytest.fixture
def supervisors() -> Iterator[Callable[..., Supervisor]]:
    started: list[Supervisor] = []

    def start(script: str, *arguments: str, **env: str) -> Supervisor:
        started.append(Supervisor(script, *arguments, **env))
        return started[-1]

    yield start
    for each in started:
        each.end(signal.SIGKILL)


@pytest.fixture(scope="module")
def state_dir() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="sync-"))
    yield folder
    stop_embedded(folder)
    shutil.rmtree(folder)


def run_until(services: list[Service], log_dir: Path, enough: Callable[[ServiceEvent], bool]) -> list[ServiceEvent]:
    """Supervise in this thread until an event is enough; all events, those of the stop included."""
    events: list[ServiceEvent] = []
    stop = threading.Event()

    def remember(event: ServiceEvent) -> None:
        events.append(event)
        if enough(event):
            stop.set()

    supervise(services, log_dir=log_dir, on_event=remember, stop=stop, patience=IMPATIENT)
    return events


def test_services_start_in_order_when_the_one_before_is_ready_and_stop_in_reverse(tmp_path: Path) -> None:
    asked = iter([False, False, True])
    first = Service("first", FOR_EVER, ready=lambda: next(asked))
    second = Service("second", FOR_EVER)

    events = run_until([first, second], tmp_path, lambda event: (event.service, event.kind) == ("second", "ready"))

    assert [(event.service, event.kind) for event in events] == [
        ("first", "started"),
        ("first", "ready"),
        ("second", "started"),
        ("second", "ready"),
        ("second", "stopped"),
        ("first", "stopped"),
    ]
    assert not any(is_group_alive(event.pid) for event in events)


def test_the_output_goes_to_a_log_and_the_log_before_is_kept(tmp_path: Path) -> None:
    def say(word: str) -> None:
        command = [sys.executable, "-c", f"import os, signal; print(os.environ['WORD'], '{word}', flush=True)"]
        run_until([Service("talker", command, {"WORD": "says"})], tmp_path, lambda event: event.kind == "died")

    say("one")
    say("two")

    assert (tmp_path / "talker.log").read_text() == "says two\n"
    assert (tmp_path / "talker.log.1").read_text() == "says one\n"


def test_a_service_that_keeps_dying_ends_everything_with_its_last_words(tmp_path: Path) -> None:
    dying = Service("dying", [sys.executable, "-c", "raise SystemExit('no licence')"])
    events: list[ServiceEvent] = []

    with pytest.raises(ServiceFailedError, match=r"dying died 3 times .* ended with code 1[\s\S]*no licence"):
        supervise([Service("healthy", FOR_EVER), dying], log_dir=tmp_path, on_event=events.append, patience=IMPATIENT)

    assert [event.kind for event in events if event.service == "dying"].count("died") == 3
    assert not any(is_group_alive(event.pid) for event in events)


def test_the_pauses_between_restarts_grow() -> None:
    assert Patience().pauses == (1.0, 2.0, 5.0, 10.0)
    assert (Patience().deaths, Patience().within, Patience().grace) == (5, 60.0, 10.0)


def test_a_service_that_never_gets_ready_counts_as_dead(tmp_path: Path) -> None:
    hanging = Service("hanging", FOR_EVER, ready=lambda: False, ready_seconds=0.01)

    with pytest.raises(ServiceFailedError, match="hanging died 3 times"):
        run_until([hanging], tmp_path, lambda event: False)


def test_a_service_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "deaf.log"
    deaf = Service("deaf", DEAF, ready=lambda: log.exists() and "deaf" in log.read_text())

    events = run_until([deaf], tmp_path, lambda event: event.kind == "ready")

    assert events[-1].kind == "stopped"
    assert not is_group_alive(events[0].pid)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_all_and_reaches_only_the_supervisor(
    supervisors: Callable[..., Supervisor], tmp_path: Path, number: int
) -> None:
    supervisor = supervisors(SUPERVISE, str(tmp_path), json.dumps([["one", FOR_EVER], ["two", FOR_EVER]]))
    wait_until(lambda: bool(supervisor.groups("two")))
    assert {os.getsid(group) for group in supervisor.all_groups()} == supervisor.all_groups()

    assert supervisor.end(number) == 0

    assert [event.service for event in supervisor.events if event.kind == "stopped"] == ["two", "one"]
    assert not any(is_group_alive(group) for group in supervisor.all_groups())


def test_a_killed_supervisor_leaves_neither_services_nor_their_children(
    supervisors: Callable[..., Supervisor], tmp_path: Path
) -> None:
    supervisor = supervisors(SUPERVISE, str(tmp_path), json.dumps([["parent", WITH_A_CHILD]]))
    wait_until(lambda: bool(supervisor.groups("parent")) and (tmp_path / "parent.log").read_text().endswith("\n"))
    group = supervisor.groups("parent")[0]
    assert int((tmp_path / "parent.log").read_text()) in commands_in_group(group)

    supervisor.end(signal.SIGKILL)

    wait_until(lambda: not is_group_alive(group))


def test_the_children_of_a_killed_service_are_ended_before_it_starts_again(tmp_path: Path) -> None:
    log = tmp_path / "parent.log"
    parent = Service("parent", WITH_A_CHILD, ready=lambda: log.read_text().endswith("\n"))

    killed: list[int] = []

    def kill_once(event: ServiceEvent) -> bool:
        # Its log tells of its first life also in the second, so that may count as ready before it has begun.
        if event.kind == "ready" and not killed:
            killed.append(event.pid)
            kill_service(event.pid)
        return event.kind == "ready" and event.pid not in killed

    events = run_until([parent], tmp_path, kill_once)

    assert "ended with code 137" in next(event.detail for event in events if event.kind == "died")
    assert not any(is_group_alive(event.pid) for event in events)


def test_a_free_port_is_free(tmp_path: Path) -> None:
    assert not accepts(free_port())()


def test_the_checkout_and_the_package_have_one_dagster_yaml(tmp_path: Path) -> None:
    checkout = Path(__file__).parents[2]
    home = prepare_dagster_home(tmp_path)

    assert home == tmp_path / "dagster"
    assert (home / "dagster.yaml").read_text() == (checkout / "dagster.yaml").read_text()


def test_dagster_keeps_everything_in_the_embedded_server_and_the_state_folder(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = prepare_dagster_home(state_dir)
    for name, value in dagster_environment(state_dir, embedded_url(state_dir, fast_and_unsafe=True)).items():
        monkeypatch.setenv(name, value)

    @dg.asset
    def thing(context: dg.AssetExecutionContext) -> None:
        context.log.info("made")

    with dg.DagsterInstance.get() as instance:
        assert dg.materialize([thing], instance=instance).success
        assert len(instance.get_runs()) == 1
        assert type(instance.run_storage).__name__ == "PostgresRunStorage"
        assert Path(instance.storage_directory()) == home / "storage"
        assert instance.run_retries_max_retries == 2
        assert instance.run_monitoring_enabled
        assert instance.get_concurrency_config().run_queue_config is not None
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert len(instance.get_runs()) == 1
    assert {path.name for path in home.iterdir()} <= {"dagster.yaml", "workspace.yaml", "storage", ".logs_queue"}


def test_the_callers_own_batch_size_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DAGSTER_EVENT_BATCH_SIZE", raising=False)
    assert dagster_environment(tmp_path, "postgresql://x")["DAGSTER_EVENT_BATCH_SIZE"] == "100"
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "7")
    assert dagster_environment(tmp_path, "postgresql://x")["DAGSTER_EVENT_BATCH_SIZE"] == "7"


@pytest.mark.parametrize("url", ["postgresql://u:p@h/d", "postgres://u:p@h/d", "postgresql+psycopg://u:p@h/d"])
def test_dagster_gets_the_driver_that_it_brings(tmp_path: Path, url: str) -> None:
    assert for_psycopg2(url) == "postgresql+psycopg2://u:p@h/d"
    assert dagster_environment(tmp_path, url)["SYNC_POSTGRES_URL"] == url


def test_a_ui_for_all_hosts_is_asked_at_loopback(state_dir: Path) -> None:
    services = dagster_services(state_dir, 3000, "postgresql://x", host="0.0.0.0")
    assert [service.name for service in services] == ["code-server", "webserver", "daemon"]
    assert services[1].command[-6:-2] == ["-h", "0.0.0.0", "-p", "3000"]
    assert services[1].env["DAGSTER_HOME"] == str(state_dir.resolve() / "dagster")


def ask_ui(port: int, query: str) -> str:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql",
        data=json.dumps({"query": query}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        return str(response.read().decode())


def test_dagster_comes_up_comes_back_and_goes_away(
    supervisors: Callable[..., Supervisor], state_dir: Path, tmp_path: Path
) -> None:
    (tmp_path / "trivial_definitions.py").write_text(TRIVIAL_DEFINITIONS)
    port = free_port()
    url = embedded_url(state_dir, fast_and_unsafe=True)
    dagster = supervisors(SUPERVISE_DAGSTER, str(state_dir), str(port), url, PYTHONPATH=str(tmp_path))
    names = ("code-server", "webserver", "daemon")
    wait_until(lambda: bool(dagster.groups("daemon")))
    assert '"thing"' in ask_ui(
        port, "{assetsOrError {... on AssetConnection {nodes {key {path}}}} assetNodes {assetKey {path}}}"
    )

    for name in names:
        kill_service(dagster.groups(name)[0])
    wait_until(lambda: all(len(dagster.groups(name)) == 2 for name in names))
    assert '"LOADED"' in ask_ui(port, "{workspaceOrError {... on Workspace {locationEntries {loadStatus}}}}")

    assert dagster.end() == 0
    assert not any(commands_in_group(group) for group in dagster.all_groups())
    listed = subprocess.run(["ps", "axeww", "-o", "command="], capture_output=True, text=True, check=True).stdout
    assert not [line for line in listed.splitlines() if f"DAGSTER_HOME={state_dir.resolve()}/" in line]
    assert (state_dir / "logs/webserver.log").exists()
