"""Tags a release of what is committed; `make release VERSION=1.2.3` runs the tests between the two steps.

It pushes nothing. The version stands in pyproject.toml, and nowhere else; what is new stands in CHANGELOG.md.
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

_ROOT = Path(__file__).parent.parent
_VERSION = re.compile(r"\d+\.\d+\.\d+(?:(?:a|b|rc)\d+)?")


def problems(root: Path, version: str) -> list[str]:
    """Return one sentence for each thing that a release of `version` still lacks."""
    if not _VERSION.fullmatch(version):
        return [f"{version!r} is no version; one is written like 1.2.3: make release VERSION=1.2.3"]
    found = []
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    if project["version"] != version:
        found.append(f"pyproject.toml says {project['version']}, not {version}: change it and commit")
    if not news(root, version):
        found.append(f"CHANGELOG.md has no entry: write what is new below ## [{version}] - YYYY-MM-DD and commit")
    if changed := _git(root, "status", "--porcelain"):
        found.append(f"not everything is committed: {', '.join(line[3:] for line in changed.splitlines()[:5])}")
    if _git(root, "tag", "--list", _tag(version)):
        found.append(f"{_tag(version)} is tagged already; a release never changes: take the next version")
    return found


def news(root: Path, version: str) -> str:
    """Return what CHANGELOG.md tells of a version, without its heading; empty where it tells nothing."""
    text = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    heading = rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$"
    told = re.search(rf"{heading}(.*?)(?=^## |^\[[^\]]+\]: |\Z)", text, re.MULTILINE | re.DOTALL)
    return told[1].strip() if told else ""


def tag(root: Path, version: str) -> None:
    """Tag the commit that is checked out, with what is new as the tag's message."""
    message = f"{version}\n\n{news(root, version)}"
    # The headings of the changelog begin like git's comments.
    _git(root, "tag", "--annotate", "--cleanup=verbatim", "--message", message, _tag(version))


def _tag(version: str) -> str:
    return f"v{version}"


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout.strip("\n")


def main(step: str, version: str) -> int:
    """Check (`check`), or check and tag (`tag`); returns the exit code."""
    lacking = problems(_ROOT, version)
    sys.stderr.writelines(f"{line}\n" for line in lacking)
    if lacking:
        return 1
    if step == "tag":
        tag(_ROOT, version)
        sys.stdout.write(f"tagged {_tag(version)}; to publish it: git push origin {_tag(version)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""))
