"""Checks that the locks are what pyproject.toml asks for; run by `make lint`.

Without a resolver at hand: every direct requirement must be locked at a version that it admits, whatever is locked must
be required by something that is installed from the lock, and the image's lock must have the versions that are tested.
"""

import re
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_ROOT = Path(__file__).parent.parent
_LOCKED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(\S+)", re.MULTILINE)


def problems() -> list[str]:
    """Return one sentence for each way in which the lock and pyproject.toml disagree."""
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    always, more = project["project"]["dependencies"], project["project"]["optional-dependencies"]
    wanted = [Requirement(text) for text in [*always, *more["telemetry"], *project["dependency-groups"]["dev"]]]
    locked, image = _locked("requirements.lock"), _locked("deploy/requirements.lock")
    extras = [text for extra in more.values() for text in extra]
    found = [
        *_missing("requirements.lock", wanted, locked),
        *_missing("deploy/requirements.lock", [Requirement(text) for text in [*always, *extras]], image),
    ]
    others = {"deploy/requirements.lock": image}
    for group in ("bench", "browser"):
        file = f"requirements-{group}.lock"
        others[file] = _locked(file)
        found += _missing(file, [Requirement(text) for text in project["dependency-groups"][group]], others[file])
    found += [
        f"{name} is of another version in {file}"
        for file, versions in others.items()
        for name in sorted(versions.keys() & locked.keys())
        if not versions[name] <= locked[name]
    ]
    needed = _closure({canonicalize_name(requirement.name) for requirement in wanted})
    found += [f"{name} is locked but nothing needs it" for name in sorted(_installed(locked) - needed)]
    return found


def _locked(file: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name, version in _LOCKED.findall((_ROOT / file).read_text(encoding="utf-8")):
        found.setdefault(canonicalize_name(name), set()).add(version)
    return found


def _missing(file: str, wanted: list[Requirement], locked: dict[str, set[str]]) -> list[str]:
    return [
        f"{requirement} is not in {file}"
        for requirement in wanted
        if not any(requirement.specifier.contains(v) for v in locked.get(canonicalize_name(requirement.name), set()))
    ]


def _installed(names: dict[str, set[str]]) -> set[str]:
    return {name for name in names if _requires(name) is not None}


def _closure(names: set[str]) -> set[str]:
    known: set[str] = set()
    todo = set(names)
    while todo:
        name = todo.pop()
        known.add(name)
        requirements = _requires(name) or []
        todo |= {canonicalize_name(r.name) for r in requirements} - known
    return known


def _requires(name: str) -> list[Requirement] | None:
    try:
        return [Requirement(text) for text in distribution(name).requires or []]
    except PackageNotFoundError:
        return None


if __name__ == "__main__":
    disagreements = problems()
    sys.stdout.write("".join(f"{line}; run: make lock\n" for line in disagreements) or "the locks are current\n")
    sys.exit(1 if disagreements else 0)
