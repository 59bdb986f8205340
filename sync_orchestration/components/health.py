"""Tries connections with harmless calls and says, for each, what is wrong with it."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sync_orchestration.components.connections import Connection
from sync_orchestration.components.kinds import tried
from sync_orchestration.components.notifications import NotificationSettings
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
        ok, detail = True, tried(name, connection, syncs)
    except SyncError as error:
        ok, detail = False, str(error)
    return Health(name, ok, detail, round((time.monotonic() - started) * 1_000))
