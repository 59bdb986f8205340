"""Tries connections with harmless calls and says, for each, what is wrong with it."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sync_orchestration.components.connections import (
    AlfrescoConnection,
    Connection,
    FlexiConnection,
    KonturConnection,
    OdooConnection,
)
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.pipeline.errors import SyncError


@dataclass(frozen=True, slots=True)
class Health:
    """How one connection did; `detail` is one or two plain sentences."""

    name: str
    ok: bool
    detail: str
    milliseconds: int
    switched_off: bool = False


def check_connections(connections: Mapping[str, Connection], syncs: Iterable[SyncSettings]) -> list[Health]:
    """Try every connection; one whose variables are unset is switched off, which is no failure."""
    models: dict[str, set[str]] = {}
    for sync in syncs:
        models.setdefault(sync.target.connection, set()).add(sync.target.model)
    return [_check(name, connection, sorted(models.get(name, ()))) for name, connection in connections.items()]


def _check(name: str, connection: Connection, models: list[str]) -> Health:
    if missing := connection.missing_variables():
        return Health(
            name, ok=True, detail=f"switched off: set {', '.join(missing)}", milliseconds=0, switched_off=True
        )
    started = time.monotonic()
    try:
        if isinstance(connection, FlexiConnection):
            ok, detail = True, connection.client().check()
        elif isinstance(connection, OdooConnection):
            ok, detail = True, connection.client().check(models)
        elif isinstance(connection, AlfrescoConnection):
            ok, detail = True, "; ".join(connection.nodes(model, []).check() for model in models)
        elif isinstance(connection, KonturConnection):
            ok, detail = True, connection.client().check()
        else:
            raise TypeError(f"no check for {type(connection).__name__}")
    except SyncError as error:
        ok, detail = False, str(error)
    return Health(name, ok, detail, round((time.monotonic() - started) * 1_000))
