"""Mistakes in the YAML, said in plain words: what is wrong, and in which file and line."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from dagster_shared.error import DagsterUnresolvableSymbolError
from pydantic import ValidationError
from yaml import YAMLError

from sync_orchestration.components.connections import Connection
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.pipeline.errors import ConfigurationError


def mistake_in(error: BaseException) -> ConfigurationError | None:
    """Return the mistake in a YAML that made loading fail; None when the YAML is not to blame.

    Only the place and the complaint are told, never the value: it may be a secret that does not belong there.
    """
    for cause in _chain(error):
        if isinstance(cause, ValidationError):
            said = (f"{'.'.join(map(str, e['loc']))}: {e['msg'].removeprefix('Value error, ')}" for e in cause.errors())
            return ConfigurationError("; ".join(said))
        if isinstance(cause, YAMLError | DagsterUnresolvableSymbolError):
            return ConfigurationError(f"The YAML cannot be read: {' '.join(str(cause).split())}")
    return None


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
    names = [sync.name for sync in syncs]
    for sync in syncs:
        others = [sync.source.sync] if sync.source.kind == "interface" else []
        others += [sync.precedence.sync] if sync.precedence else []
        if unknown := [other for other in others if other not in names]:
            raise ConfigurationError(f"The sync {sync.name} names the sync {unknown[0]!r}, which does not exist.")
    _refuse_doubles("name", names)
    keys = [key for sync in syncs for key in (sync.source.asset_key, sync.target_asset_key)]
    _refuse_doubles("asset", ["/".join(key) for key in keys])


def _refuse_doubles(what: str, values: Sequence[str]) -> None:
    if doubles := [value for value, number in Counter(values).items() if number > 1]:
        raise ConfigurationError(f"Two syncs have the same {what}: {', '.join(doubles)}. Give one of them another.")
