"""Mistakes in the YAML, said in plain words: what is wrong, and in which file and line."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from dagster_shared.error import DagsterUnresolvableSymbolError
from pydantic import ValidationError
from yaml import YAMLError

from sync_orchestration.components.connections import Connection, PythonConnection
from sync_orchestration.components.python_settings import PythonSettings
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.components.user_classes import mistake_below
from sync_orchestration.pipeline.errors import ConfigurationError

_GIVE_ANOTHER = "Give one of them another."


def mistake_in(error: BaseException, folders: Sequence[Path] = ()) -> ConfigurationError | None:
    """Return the mistake, in a YAML or what it names, that made loading fail; None when neither is to blame.

    `folders` are those whose Python files may be at fault as well.

    Only the place and the complaint are told, never the value: it may be a secret that does not belong there.
    """
    for cause in _chain(error):
        if isinstance(cause, ConfigurationError):
            return cause
        if isinstance(cause, ValidationError):
            said = (f"{'.'.join(map(str, e['loc']))}: {e['msg'].removeprefix('Value error, ')}" for e in cause.errors())
            return ConfigurationError("; ".join(said))
        if isinstance(cause, YAMLError | DagsterUnresolvableSymbolError):
            return ConfigurationError(f"The YAML cannot be read: {' '.join(str(cause).split())}")
    found = (mistake_below(folder, cause) for cause in _chain(error) for folder in folders)
    return next((mistake for mistake in found if mistake), None)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def refuse_contradictions(connections: Mapping[str, Connection], syncs: Sequence[SyncSettings]) -> None:
    """Raise ConfigurationError when syncs name connections that do not exist, or take each other's names."""
    for sync in syncs:
        for role in (sync.source, sync.lookup, sync.target):
            if role is None or role.connection == "interface":
                continue
            found = connections.get(role.connection)
            if found is None:
                known = ", ".join(sorted(connections)) or "none"
                raise ConfigurationError(
                    f"The sync {sync.name} names the connection {role.connection!r}; known are: {known}."
                )
            if found.kind != role.kind:
                raise ConfigurationError(
                    f"The sync {sync.name} takes the connection {role.connection!r} for {role.kind}, but it is "
                    f"{found.kind}."
                )
        for part in sync.python_parts:
            _refuse_wrong_options(part, connections[part.connection])
    names = [sync.name for sync in syncs]
    for sync in syncs:
        others = [sync.source.sync] if sync.source.kind == "interface" else []
        others += [sync.precedence.sync] if sync.precedence else []
        if unknown := [other for other in others if other not in names]:
            raise ConfigurationError(f"The sync {sync.name} names the sync {unknown[0]!r}, which does not exist.")
    keys = [key for sync in syncs for key in (sync.source.asset_key, sync.target_asset_key)]
    if doubles := _doubles("/".join(key) for key in keys):
        raise ConfigurationError(f"Two syncs have the same asset: {', '.join(doubles)}. {_GIVE_ANOTHER}")


def _refuse_wrong_options(part: PythonSettings, connection: Connection) -> None:
    """Raise ConfigurationError when a class of the user's own cannot be made with what the YAML says."""
    secrets = connection.secrets if isinstance(connection, PythonConnection) else {}
    part.user_class.arguments(part.options, dict.fromkeys(secrets, ""))


def refuse_equal_connections(named: Sequence[tuple[Path, Sequence[str]]]) -> None:
    """Raise ConfigurationError when two folders name a connection alike."""
    if doubles := _doubles(name for _, names in named for name in names):
        where = " and ".join(str(folder) for folder, names in named if doubles[0] in names)
        raise ConfigurationError(f"Two folders have a connection {doubles[0]!r}: {where}. {_GIVE_ANOTHER}")


def refuse_equal_syncs(syncs: Sequence[tuple[Path | None, SyncSettings]]) -> None:
    """Raise ConfigurationError when two syncs have the same name."""
    if doubles := _doubles(sync.name for _, sync in syncs):
        where = " and ".join(str(folder) for folder, sync in syncs if sync.name == doubles[0])
        raise ConfigurationError(f"Two syncs have the same name: {doubles[0]}, in {where}. {_GIVE_ANOTHER}")


def _doubles(values: Iterable[str]) -> list[str]:
    return [value for value, number in Counter(values).items() if number > 1]
