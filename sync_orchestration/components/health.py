"""Tries connections with harmless calls and says, for each, what is wrong with it."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sync_orchestration.components.connections import (
    AlfrescoConnection,
    Connection,
    FlexiConnection,
    KonturConnection,
    OdooConnection,
    RestConnection,
)
from sync_orchestration.components.notifications import NotificationSettings
from sync_orchestration.components.rest_parts import check_rest
from sync_orchestration.components.running import OpenSource
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.pipeline.errors import ConfigurationError, SyncError

_LATE = 4_000_000_000
"""A time (in the year 2096) after which nothing has changed: so a question about changes has a short answer."""


@dataclass(frozen=True, slots=True)
class Health:
    """How one connection did; `detail` is one or two plain sentences."""

    name: str
    ok: bool
    detail: str
    milliseconds: int
    switched_off: bool = False


def check_connections(
    connections: Mapping[str, Connection],
    syncs: Iterable[SyncSettings],
    notifications: NotificationSettings | None = None,
) -> list[Health]:
    """Try every connection; one whose variables are unset is switched off, which is no failure.

    Of notifications only the addresses are read: nobody is told that they were checked.
    """
    every = list(syncs)
    found = [
        _check(name, connection, [s for s in every if name in s.connections])
        for name, connection in connections.items()
    ]
    return [*found, _addresses(notifications)] if notifications else found


def _addresses(notifications: NotificationSettings) -> Health:
    people = notifications.messengers()
    if not people:
        return Health("notifications", ok=True, detail=notifications.switched_off, milliseconds=0, switched_off=True)
    wrong = [f"{one}: {one.misunderstood}" for one in people if one.misunderstood]
    noun = "1 target" if len(people) == 1 else f"{len(people)} targets"
    detail = "; ".join(wrong) or f"{noun}: {', '.join(one.kind for one in people)} (nothing was sent)"
    return Health("notifications", ok=not wrong, detail=detail, milliseconds=0)


def _check(name: str, connection: Connection, syncs: Sequence[SyncSettings]) -> Health:
    if missing := connection.missing_variables():
        return Health(
            name, ok=True, detail=f"switched off: set {', '.join(missing)}", milliseconds=0, switched_off=True
        )
    started = time.monotonic()
    try:
        ok, detail = True, _tried(name, connection, syncs)
    except SyncError as error:
        ok, detail = False, str(error)
    return Health(name, ok, detail, round((time.monotonic() - started) * 1_000))


def _tried(name: str, connection: Connection, syncs: Sequence[SyncSettings]) -> str:
    """Try one connection with what its syncs need of it; returns a sentence. Raises SyncError."""
    models = sorted({sync.target.model for sync in syncs if sync.target.connection == name})
    if isinstance(connection, OdooConnection):
        detail = connection.client().check(models)
        for sync in (s for s in syncs if s.source.connection == name):
            with naming(sync.name):
                OpenSource.of(sync, connection).source.peek(_LATE)
        return "; ".join([detail, *_left_out(name, connection, syncs)])
    if isinstance(connection, RestConnection):
        return check_rest(connection.client(), connection.check_path, name, syncs)
    if isinstance(connection, AlfrescoConnection):
        return "; ".join(connection.nodes(model, []).check() for model in models)
    if isinstance(connection, FlexiConnection | KonturConnection):
        return connection.client().check()
    raise TypeError(f"no check for {type(connection).__name__}")


def _left_out(name: str, connection: OdooConnection, syncs: Sequence[SyncSettings]) -> Iterator[str]:
    """Say which mapped fields this Odoo lacks: no failure, for a mapping may serve several versions."""
    client = connection.client()
    for sync in (s for s in syncs if s.target.connection == name):
        known = client.fields(sync.target.model)
        if lacking := [field for field in sync.compiled().targets if field not in known]:
            yield f"{sync.name}: this Odoo has no {', '.join(lacking)} on {sync.target.model}, left out of the sync"


@contextmanager
def naming(sync: str) -> Iterator[None]:
    """Say which sync a mistake in the settings belongs to."""
    try:
        yield
    except ConfigurationError as error:
        raise ConfigurationError(f"{sync}: {error}") from None
