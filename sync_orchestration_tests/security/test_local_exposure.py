"""Who can reach what on the machine itself: folders, files, sockets and ports."""

import inspect
import stat
import subprocess
from pathlib import Path

import pytest

from sync_orchestration.cli import dev
from sync_orchestration.cli.environment import demo_file, write_demo_file
from sync_orchestration.cli.main import dev as dev_command
from sync_orchestration.cli.main import intake as intake_command
from sync_orchestration.cli.services import dagster_services
from sync_orchestration.interface.database import connect, state_dir
from sync_orchestration.interface.private_folder import private_folder


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_state_folder_is_its_owners_alone() -> None:
    assert mode(private_folder(state_dir())) == 0o700


def test_the_file_with_the_demos_secrets_is_its_owners_alone_also_where_it_was_not(tmp_path: Path) -> None:
    private_folder(state_dir())
    demo_file().write_text("")
    demo_file().chmod(0o644)
    write_demo_file({"ODOO_API_KEY": "geheim"})
    assert (mode(demo_file()), mode(state_dir())) == (0o600, 0o700)
    assert demo_file().read_text() == "ODOO_API_KEY=geheim\n"


def test_the_embedded_postgresql_listens_on_no_port_and_only_its_owner_may_enter_its_folder(
    postgres_server: str,
) -> None:
    with connect(postgres_server) as conn:
        shown = conn.execute(
            "SELECT name, setting FROM pg_settings WHERE name IN "
            "('listen_addresses', 'unix_socket_directories', 'unix_socket_permissions')"
        ).fetchall()
    settings = dict(shown)
    assert settings["listen_addresses"] == ""
    assert settings["unix_socket_permissions"] == "0700"
    assert mode(Path(settings["unix_socket_directories"])) == 0o700
    assert "host=/" in postgres_server


@pytest.mark.parametrize("command", [dev_command, intake_command])
def test_a_server_listens_on_loopback_unless_it_is_told_otherwise(command: object) -> None:
    assert inspect.signature(command).parameters["host"].default == "127.0.0.1"  # type: ignore[arg-type]


def test_only_the_webserver_may_listen_elsewhere_and_is_told_where(tmp_path: Path) -> None:
    for host in ("127.0.0.1", "0.0.0.0"):
        code, web, daemon = dagster_services(tmp_path, 1, "postgresql:///x", host)
        assert code.command[code.command.index("-h") + 1] == "127.0.0.1"
        assert web.command[web.command.index("-h") + 1] == host
        assert "-h" not in daemon.command


@pytest.mark.parametrize(
    ("host", "warned"),
    [("0.0.0.0", True), ("::", True), ("192.0.2.1", True), ("127.0.0.1", False), ("localhost", False), ("::1", False)],
)
def test_a_ui_that_others_can_reach_is_warned_of_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], host: str, warned: bool
) -> None:
    monkeypatch.setenv("SYNC_POSTGRES_URL", "postgresql:///x")
    monkeypatch.setattr(dev, "use_state_folder", lambda: "postgresql:///x")
    for name in ("migrate", "supervise"):
        monkeypatch.setattr(dev, name, lambda *_args, **_more: None)
    monkeypatch.setattr(dev, "intake_service", lambda *_args: None)
    dev.run_until_stopped(1, host)
    said = " ".join(capsys.readouterr().err.split())
    assert said.count("has no login") == warned
    assert said.count(". ") == 0


def test_no_rule_of_the_security_linter_is_switched_off_for_the_product() -> None:
    """Single lines are excused with a reason; whole files only where nothing is secret."""
    root = Path(__file__).parents[2]
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    assert '"S"' in text.split("select = ", 1)[1].split("]", 1)[0]
    excused = [line for line in text.splitlines() if line.startswith('"sync_orchestration/') and '"S' in line]
    assert [line.split("=")[0].strip() for line in excused] == ['"sync_orchestration/sandbox/**"']
    found = subprocess.run(
        ["grep", "-rnE", r"noqa: ?S[0-9]+ *$", "--include=*.py", str(root / "sync_orchestration")],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    assert found == "", "each has its reason beside it"
