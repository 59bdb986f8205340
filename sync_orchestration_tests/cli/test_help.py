"""The help of each command ends with examples that work."""

import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
import typer.main

from sync_orchestration import defs as own_folder
from sync_orchestration.cli.main import NAME, app
from sync_orchestration_tests.cli.test_cli import call
from sync_orchestration_tests.components.places import Place

COMMANDS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
MOST_EXAMPLES = 3
HARMLESS = ("check", "docs", "explain", "log", "new", "status")


def examples(command: str) -> list[str]:
    """Return the examples in a command's help."""
    lines = (COMMANDS[command].epilog or "").splitlines()
    return [line for line in lines if line.startswith(NAME)]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder without .env, and a place for new syncs that is thrown away."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "defs"
    shutil.copytree(Path(own_folder.__file__).parent, folder)
    monkeypatch.setattr("sync_orchestration.cli.new_sync.defs_folder", lambda: folder)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_ends_with_examples_that_are_understood(command: str) -> None:
    found = examples(command)
    assert 1 <= len(found) <= MOST_EXAMPLES
    shown = [line.strip() for line in call(command, "--help").stdout.splitlines() if line.strip()]
    assert shown[-len(found) :] == found
    for example in found:
        program, name, *arguments = shlex.split(example)
        assert (program, name) == (NAME, command)
        COMMANDS[name].make_context(name, arguments)


@pytest.mark.parametrize("command", HARMLESS)
def test_the_examples_that_harm_nothing_work(synced: Place, command: str) -> None:
    for example in examples(command):
        result = call(*shlex.split(example)[1:])
        assert result.exit_code == 0, (example, result.stdout, result.stderr, result.exception)
        assert result.stdout
