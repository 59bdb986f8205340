"""Checks that requirements.lock is what pyproject.toml asks for; run by `make lint`.

Without a resolver at hand: every direct requirement must be locked at a version that it admits, and whatever is
locked must be required by something that is installed from the lock.
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
    extras = [text for texts in project["project"]["optional-dependencies"].values() for text in texts]
    named = [*project["project"]["dependencies"], *extras, *project["dependency-groups"]["dev"]]
    wanted = [Requirement(text) for text in named]
    locked: dict[str, set[str]] = {}
    for name, version in _LOCKED.findall((_ROOT / "requirements.lock").read_text(encoding="utf-8")):
        locked.setdefault(canonicalize_name(name), set()).add(version)
    found = [
        f"{requirement} is not in requirements.lock"
        for requirement in wanted
        if not any(requirement.specifier.contains(v) for v in locked.get(canonicalize_name(requirement.name), set()))
    ]
    needed = _closure({canonicalize_name(requirement.name) for requirement in wanted})
    found += [f"{name} is locked but nothing needs it" for name in sorted(_installed(locked) - needed)]
    return found


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
    sys.stdout.write("".join(f"{line}; run: make lock\n" for line in disagreements) or "requirements.lock is current\n")
    sys.exit(1 if disagreements else 0)
