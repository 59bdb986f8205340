"""A release is tagged only when all of it is there; the wheel has everything that runs."""

import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version as installed_version
from pathlib import Path

import pytest
import yaml

import sync_orchestration
from sync_orchestration_tests.cli.test_cli import call
from sync_orchestration_tests.release import news, problems, tag

ROOT = Path(sync_orchestration.__file__).parent.parent
PACKAGE = ROOT / "sync_orchestration"
CHANGELOG = """# Changelog

## [Unreleased]

## [1.2.0] - 2026-12-01

### Added

- Something new.

## [1.1.0] - 2026-11-01

- Older.
"""


def git(root: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=Somebody", "-c", "user.email=somebody@example.com", *arguments]
    return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A committed project of version 1.2.0 that may be released."""
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "Somebody")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "somebody@example.com")
    root = tmp_path / "checkout"
    root.mkdir()
    git(root, "init", "-q")
    (root / "pyproject.toml").write_text('[project]\nversion = "1.2.0"\n')
    (root / "CHANGELOG.md").write_text(CHANGELOG)
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "All of it")
    return root


def test_a_release_that_has_everything_is_tagged_with_what_is_new(checkout: Path) -> None:
    assert problems(checkout, "1.2.0") == []
    tag(checkout, "1.2.0")
    assert git(checkout, "tag", "--list") == "v1.2.0"
    assert git(checkout, "rev-parse", "v1.2.0^{commit}") == git(checkout, "rev-parse", "HEAD")
    told = git(checkout, "tag", "--list", "--format=%(contents)", "v1.2.0")
    assert told == "1.2.0\n\n### Added\n\n- Something new."
    (problem,) = problems(checkout, "1.2.0")
    assert problem.startswith("v1.2.0 is tagged already")


def test_a_release_waits_for_what_it_lacks_and_each_thing_is_named(checkout: Path) -> None:
    assert problems(checkout, "1.3") == ["'1.3' is no version; one is written like 1.2.3: make release VERSION=1.2.3"]
    assert problems(checkout, "") != []
    (checkout / "forgotten.py").write_text("")
    found = problems(checkout, "1.3.0")
    assert [problem.split(":")[0] for problem in found] == [
        "pyproject.toml says 1.2.0, not 1.3.0",
        "CHANGELOG.md has no entry",
        "not everything is committed",
    ]
    assert "forgotten.py" in found[2]


def test_an_empty_entry_of_the_changelog_is_none(checkout: Path) -> None:
    (checkout / "CHANGELOG.md").write_text("## [1.2.0] - 2026-12-01\n\n## [1.1.0] - 2026-11-01\n\n- Older.\n")
    assert news(checkout, "1.2.0") == ""
    assert news(checkout, "1.1.0") == "- Older."


def test_the_version_stands_in_one_place_and_the_program_tells_it() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert call("--version").stdout == f"sync-orchestration {version}\n"
    assert installed_version("sync-orchestration") == version, "make setup installs the changed version"
    sources = [*PACKAGE.rglob("*.py"), ROOT / "Makefile"]
    assert [path.name for path in sources if f'"{version}"' in path.read_text(encoding="utf-8")] == []


def test_the_changelog_tells_of_this_version_and_of_what_comes() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert news(ROOT, version)
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert headings[1] == version


def test_the_wheel_has_everything_that_runs_and_nothing_else(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    there = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        path.relative_to(ROOT).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    data = {Path(name).suffix for name in wanted}
    assert {".yaml", ".json", ".sql", ".py"} <= data
    assert wanted <= there
    assert {name for name in there - wanted if ".dist-info/" not in name} == set()


def test_hooks_before_a_commit_are_local_and_fetch_nothing() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert {repo["repo"] for repo in hooks["repos"]} == {"local"}
    found = [hook for repo in hooks["repos"] for hook in repo["hooks"]]
    assert [hook["id"] for hook in found] == ["ruff-format", "ruff-check", "mypy", "lock"]
    for hook in found:
        assert hook["language"] == "system", "another language would install something"
        program = hook["entry"].split()[0]
        assert program.startswith(".venv/bin/")
        assert (Path(sys.executable).parent / Path(program).name).exists()


def test_make_lists_all_its_targets() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    told = subprocess.run(["make", "-s", "help"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    listed = {line.split()[0] for line in told.splitlines()}
    (phony,) = re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    assert listed == set(phony.split())
    assert {"release", "schemas"} <= listed
