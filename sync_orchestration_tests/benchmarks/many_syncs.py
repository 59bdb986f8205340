"""A project with many syncs: copies of `flexi_partners`, each with a connection and target records of its own."""

import shutil
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

_SHIPPED = Path(str(resources.files("sync_orchestration")))


def write_syncs(folder: Path, syncs: int, poll_seconds: int | None = None) -> None:
    """Write the YAML of `syncs` syncs, and of their connections, as a package at `folder`."""
    connections = _read("connections")
    known = connections["attributes"]["connections"]
    names = [f"partners_{number}" for number in range(1, syncs + 1)]
    known.update(dict.fromkeys(names, known["flexi"]))
    _write(folder / "connections", connections)
    for name in names:
        sync = _read("flexi_partners")
        sync["attributes"]["name"] = name
        sync["attributes"]["source"]["connection"] = name
        own = {"asset": f"odoo/{name}", "external_id": f"{name}.adresar_{{key}}", "match_on": []}
        sync["attributes"]["target"] |= own
        if poll_seconds is not None:
            sync["attributes"]["triggers"] = {"poll_seconds": poll_seconds}
        _write(folder / name, sync)
    (folder / "__init__.py").write_text('"""Many syncs."""\n', encoding="utf-8")


def copy_package(folder: Path, syncs: int, poll_seconds: int | None = None) -> None:
    """Copy the whole product to `folder`, with many syncs instead of its own; found there, it is used instead."""
    package = folder / _SHIPPED.name
    shutil.copytree(_SHIPPED, package, ignore=shutil.ignore_patterns("__pycache__", "defs"))
    shutil.copy(_SHIPPED.parent / "pyproject.toml", folder)
    write_syncs(package / "defs", syncs, poll_seconds)


def _read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((_SHIPPED / "defs" / name / "defs.yaml").read_text(encoding="utf-8"))
    return content


def _write(folder: Path, content: dict[str, Any]) -> None:
    folder.mkdir(parents=True)
    (folder / "defs.yaml").write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")
