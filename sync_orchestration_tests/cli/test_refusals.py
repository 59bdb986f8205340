"""What keeps a command from beginning is said in plain words: data of another version, a service that keeps dying."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sync_orchestration.cli.main import app
from sync_orchestration.cli.supervisor import ServiceFailedError
from sync_orchestration.interface.embedded import embedded_url, stop_embedded
from sync_orchestration.interface.migrate import known_version
from sync_orchestration_tests.components.places import SYNC, Place


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder without .env."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def state_dir(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="sync-"))
    monkeypatch.setenv("SYNC_STATE_DIR", str(folder))
    yield folder
    stop_embedded(folder)
    shutil.rmtree(folder)


def complaint(*arguments: str) -> str:
    """Call a command that fails; returns what it says, without a traceback."""
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 1, (result.stdout, result.stderr, result.exception)
    assert "Traceback" not in result.stderr
    return " ".join(result.stderr.split())


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(
    "command",
    [["status"], ["run", SYNC], ["retry", SYNC], ["log", SYNC], ["dev"]],
    ids=lambda command: command[0],
)
def test_tables_of_a_newer_program_are_refused(place: Place, command: list[str]) -> None:
    place.conn.execute("UPDATE sync.alembic_version SET version_num = '9999'")
    said = complaint(*command)
    assert f"are of version 9999, which this program does not know (it knows {known_version()})" in said
    assert "Install the newer sync_orchestration, or restore the matching backup." in said


def test_a_service_that_keeps_dying_is_named_with_the_end_of_its_log(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise ServiceFailedError("daemon died 5 times within 60 s. Its log ends:\nno space left on device")

    monkeypatch.setattr("sync_orchestration.cli.dev.run_until_stopped", fails)
    assert complaint("dev") == "daemon died 5 times within 60 s. Its log ends: no space left on device"


@pytest.mark.parametrize("command", [["status"], ["dev"]], ids=lambda command: command[0])
def test_data_of_another_postgresql_is_refused_with_the_way_out(state_dir: Path, command: list[str]) -> None:
    embedded_url(state_dir, fast_and_unsafe=True)
    stop_embedded(state_dir)
    version = state_dir / "postgres/data/PG_VERSION"
    written_by = version.read_text()
    version.write_text("17\n")
    said = complaint(*command)
    assert "was written by PostgreSQL 17, this program brings 18" in said
    assert "dump it with the program that wrote it" in said
    assert "move the folder away" in said
    version.write_text(written_by)
    assert CliRunner().invoke(app, ["status"]).exit_code == 0, "nothing was touched"
