"""What the shell offers at the Tab key: at once, without a word on stderr, and nothing where nothing can be reached."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from sync_orchestration.cli.defs_folder import kinds, sync_names
from sync_orchestration.cli.main import app
from sync_orchestration_tests.cli.test_cli import call
from sync_orchestration_tests.components.places import SYNC

PROGRAM = Path(sys.executable).parent / "sync-orchestration"
COMPLETE = "_SYNC_ORCHESTRATION_COMPLETE"
SHIPPED = ["contractor_partners", "contractors", "flexi_partners", "intake_partners", "odoo_to_rest", "rest_to_odoo"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder without .env."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def failing(conn: psycopg.Connection[tuple[object, ...]]) -> list[str]:
    """Three failing records, and one that is well."""
    keys = ["A-1", "A-2", "B 3"]
    for key, status in [*((key, "failed") for key in keys), ("A-9", "processed")]:
        conn.execute(
            "INSERT INTO sync.interface_row (sync, source_system, record_key, entity, operation, position, "
            "partition_key, payload, status) VALUES (%s, 'flexi', %s, 'adresar', 'update', 1, '0', '{}', %s)",
            (SYNC, key, status),
        )
    return keys


def line(*words: str) -> dict[str, str]:
    """Return what bash tells the program when Tab is pressed after these words, the last of which is not finished."""
    typed = ["sync-orchestration", *words]
    return {COMPLETE: "complete_bash", "COMP_WORDS": " ".join(typed), "COMP_CWORD": str(len(typed) - 1)}


def offered(*words: str) -> list[str]:
    result = CliRunner().invoke(app, [], env=line(*words), prog_name="sync-orchestration")
    assert (result.exit_code, result.stderr) == (0, "")
    return [word for word in result.stdout.splitlines() if word]


def test_the_names_of_syncs_are_offered_wherever_a_sync_is_asked_for() -> None:
    assert offered("status", "") == SHIPPED
    for command in ("run", "log", "retry", "explain"):
        assert offered(command, "con") == ["contractor_partners", "contractors"]
    assert offered("run", "contractors", "con") == ["contractor_partners"], "one that is there is not offered again"


def test_the_keys_of_failing_records_are_offered_and_no_others(failing: list[str]) -> None:
    assert offered("retry", SYNC, "") == failing
    assert offered("explain", SYNC, "A") == ["A-1", "A-2"]
    assert offered("log", SYNC, "--key", "A-2") == ["A-2"]
    assert offered("retry", SYNC, "A-1", "A") == ["A-2"]
    assert offered("retry", "contractors", "") == []


def test_nothing_is_offered_and_nothing_said_where_no_database_answers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert offered("retry", SYNC, "") == []
    assert not (tmp_path / "state").exists(), "no database was started for it"
    for url in ("postgresql://nobody@127.0.0.1:1/none", "no address at all"):
        monkeypatch.setenv("SYNC_POSTGRES_URL", url)
        assert offered("retry", SYNC, "") == []


def test_a_completion_loads_neither_dagster_nor_anything_else_that_takes_long(failing: list[str]) -> None:
    heavy = {"dagster", "sqlalchemy", "alembic", "pandas", "starlette", "rich", "requests"}
    for words in (("status", ""), ("retry", SYNC, "")):
        result = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "sync_orchestration.cli"],
            env={**os.environ, **line(*words)},
            capture_output=True,
            text=True,
            check=True,
        )
        loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in result.stderr.splitlines()}
        assert "typer" in loaded
        assert heavy & loaded == set()
    assert result.stdout.splitlines() == failing


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_are_told_the_same_in_their_own_way(shell: str, failing: list[str]) -> None:
    told = {COMPLETE: f"complete_{shell}", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    result = subprocess.run(
        [PROGRAM],
        env={**os.environ, **told, "_TYPER_COMPLETE_ARGS": f"sync-orchestration retry {SYNC} "},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stderr == ""
    assert [key for key in failing if key in result.stdout] == failing
    assert "A-9" not in result.stdout


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_with_the_script_that_the_program_prints(failing: list[str]) -> None:
    press = (
        f'eval "$({COMPLETE}=source_bash {PROGRAM})"; '
        f"COMP_WORDS=({PROGRAM} retry {SYNC} A); COMP_CWORD=3; "
        'completer=$(complete -p sync-orchestration | sed "s/.* -F \\([^ ]*\\) .*/\\1/"); '
        f'"$completer" {PROGRAM}; printf "%s\\n" "${{COMPREPLY[@]}}"'
    )
    result = subprocess.run(["bash", "--norc", "-c", press], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines() == ["A-1", "A-2"]


def test_the_help_says_how_completion_is_installed() -> None:
    told = call("--help").stdout
    assert "--install-completion" in told
    assert "--show-completion" in told


def test_the_kinds_of_new_syncs_are_offered() -> None:
    assert offered("new", "odoo") == ["odoo-in", "odoo-out"]
    assert kinds() == ["alfresco", "flexi", "intake", "odoo-in", "odoo-out"]


def test_a_yaml_that_cannot_be_read_names_no_sync_and_hides_no_other(tmp_path: Path) -> None:
    for name, text in {
        "broken": "type: sync_orchestration.RecordSync\nattributes: {name: [",
        "other": "type: sync_orchestration.Connections\nattributes: {name: RecordSync}",
        "nameless": "type: sync_orchestration.RecordSync",
        "good": "type: sync_orchestration.RecordSync\nattributes: {name: good}",
        "two": "type: sync_orchestration.RecordSync\nattributes: {name: one}\n---\n"
        "type: sync_orchestration.RecordSync\nattributes: {name: another}",
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "defs.yaml").write_text(text)
    assert sync_names([tmp_path]) == ["another", "good", "one"]
