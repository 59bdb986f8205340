"""`new`: the YAML of a sync, made from a template with the user's own connections filled in."""

import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sync_orchestration.cli.defs_folder import defs_folder, kinds, schema_file, template
from sync_orchestration.cli.environment import load_settings
from sync_orchestration.cli.output import out, shown
from sync_orchestration.cli.usage import UsageError
from sync_orchestration.components.connections import Connection
from sync_orchestration.definitions import load_project

_PUSHED = "intake"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")
_CONNECTION = re.compile(r"@CONNECTION (\w+)@")


@dataclass(frozen=True, slots=True)
class NewSync:
    """A sync that was made: its file, and the variables that its connections still need."""

    path: Path
    unset: Sequence[str]


def make(kind: str, name: str) -> None:
    """Make a sync in the user's folder and say what to do next. Raises UsageError, SyncError."""
    load_settings()
    project = load_project()
    folder = defs_folder()
    made = new_sync(kind, name, folder, project.connections, project.syncs)
    out.print(f"Made {shown(made.path)}; it explains itself line by line.")
    if made.unset:
        out.print(f"Set in .env (see .env.example): {', '.join(made.unset)}.")
    if kind == _PUSHED:
        out.print(f"Add {name} to the `syncs` of a sender in {shown(folder / 'intake' / 'defs.yaml')}.")
    out.print("Then:")
    out.print("  sync-orchestration check")
    out.print("  sync-orchestration docs" if kind == _PUSHED else f"  sync-orchestration run {name} --dry-run")


def new_sync(
    kind: str, name: str, folder: Path, connections: Mapping[str, Connection], taken: Collection[str]
) -> NewSync:
    """Write `folder`/`name`/defs.yaml from the template of `kind`; `taken` are the names of the syncs that exist.

    Raises UsageError for an unknown kind, a name that cannot be one or exists, and a connection that is missing.
    """
    if kind not in kinds():
        raise UsageError(f"There is no kind {kind!r} of syncs; there are {', '.join(kinds())}.")
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of a sync: small letters, digits and _, a letter first, at most 60."
        )
    place = folder / name
    if name in taken or place.exists():
        raise UsageError(f"There is {name} already. Choose another name, or remove {place} first.")
    text = template(kind)
    used = _connections_for(text, connections)
    for wanted, found in used.items():
        text = text.replace(f"@CONNECTION {wanted}@", found)
    # Forward slashes on every system, for it is a URL.
    schema = Path(os.path.relpath(schema_file(), place)).as_posix()
    text = text.replace("@SCHEMA@", schema).replace("@NAME@", name)
    place.mkdir(parents=True)
    path = place / "defs.yaml"
    path.write_text(text, encoding="utf-8")
    return NewSync(path, sorted({v for found in used.values() for v in connections[found].missing_variables()}))


def _connections_for(text: str, connections: Mapping[str, Connection]) -> dict[str, str]:
    """Return for each kind of connection that a template asks for the user's first one."""
    found: dict[str, str] = {}
    for wanted in dict.fromkeys(_CONNECTION.findall(text)):
        name = next((name for name, connection in connections.items() if connection.kind == wanted), None)
        if name is None:
            raise UsageError(f"It needs a connection of the kind {wanted}: add one to connections/defs.yaml first.")
        found[wanted] = name
    return found
