"""Asks whether anything in requirements.lock is known to be vulnerable; run by `make audit`.

Passes only when every locked package was looked up: pip-audit itself passes over those that the index's vulnerability
service does not know, or that it cannot ask about, and calls that a success. With `--pass-unknown` (CI, whose index may
have no such service) these are said and passed over, too.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parent.parent
_COMMAND = ["--requirement", "requirements.lock", "--require-hashes", "--disable-pip", "--format", "json"]
_NAMED = 5


def verdict(found: list[dict[str, Any]], *, pass_unknown: bool = False) -> tuple[bool, list[str]]:
    """Return whether the lock may be used, and the sentences to say, from pip-audit's list of packages."""
    flaws = [
        f"{package['name']} {package['version']} is vulnerable: {flaw['id']} "
        f"({', '.join(flaw['fix_versions']) or 'no fix'})"
        for package in found
        for flaw in package.get("vulns", [])
    ]
    said = list(flaws)
    unknown = [package["name"] for package in found if "skip_reason" in package]
    if unknown:
        listed = ", ".join(unknown[:_NAMED]) + (" …" if len(unknown) > _NAMED else "")
        said.append(
            f"{len(unknown)} of {len(found)} packages could not be looked up ({listed}): the index that is used here "
            "has no vulnerability service. Run this where https://pypi.org can be reached."
        )
    if not found:
        said.append("Nothing was looked up.")
    passes = not flaws and bool(found) if pass_unknown else not said
    return passes, said or [f"none of {len(found)} packages is known to be vulnerable"]


def main() -> int:
    """Run pip-audit and say what it found; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pass-unknown", action="store_true", help="pass over packages that cannot be looked up")
    given = parser.parse_args()
    done = subprocess.run(
        [sys.executable, "-m", "pip_audit", *_COMMAND, "--progress-spinner", "off"],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        found = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        sys.stderr.write(f"The audit could not be made: {last}\n")
        return 1
    passed, said = verdict(found, pass_unknown=given.pass_unknown)
    sys.stdout.write("".join(f"{line}\n" for line in said))
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
