"""The user's YAML folders and the templates of new ones, read without Dagster: completion asks at every key press."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from sync_orchestration.defs_dir import packages_folder, users_folder

_PACKAGE = Path(__file__).parent.parent
_TEMPLATES = _PACKAGE / "templates"
_SYNC = "RecordSync"
# Written in C where PyYAML was built with it: ten times as fast.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def defs_folder() -> Path:
    """Return the folder in which a new sync is made: that of SYNC_DEFS_DIR, or the package's own."""
    return users_folder() or packages_folder()


def defs_folders() -> list[Path]:
    """Return all folders in which syncs are folders."""
    return [folder for folder in (packages_folder(), users_folder()) if folder is not None]


def schema_file() -> Path:
    """Return the JSON schema of a sync's YAML, for editors."""
    return _PACKAGE / "schemas" / f"{_SYNC}.json"


def kinds() -> list[str]:
    """Return the kinds of syncs that there is a template of."""
    return sorted(path.stem for path in _TEMPLATES.glob("*.yaml"))


def template(kind: str) -> str:
    """Return the YAML of a new sync of a kind; what stands between @ is to be filled in."""
    return (_TEMPLATES / f"{kind}.yaml").read_text(encoding="utf-8")


def sync_names(folders: Iterable[Path]) -> list[str]:
    """Return the names of the syncs in folders, sorted; a file that cannot be read names none."""
    return sorted({name for folder in folders for path in folder.glob("**/defs.yaml") for name in _names_in(path)})


def _names_in(path: Path) -> Iterator[str]:
    try:
        text = path.read_text(encoding="utf-8")
        documents = list(yaml.load_all(text, _Loader)) if _SYNC in text else []
    except (OSError, ValueError, yaml.YAMLError):
        return
    for document in documents:
        attributes = document.get("attributes") if isinstance(document, dict) else None
        name = attributes.get("name") if isinstance(attributes, dict) else None
        if isinstance(name, str) and str(document.get("type", "")).endswith(f".{_SYNC}"):
            yield name
