"""What workers of all syncs and machines keep together about one server."""

import os
from functools import cache

from sync_orchestration.components.database import InterfaceDatabase
from sync_orchestration.interface.database import database_url
from sync_orchestration.interface.pauses import SharedPause
from sync_orchestration.interface.turns import HeldTurns, SharedTurns
from sync_orchestration.systems.http import HttpClient


def share(http: HttpClient) -> None:
    """Let a server's wish for patience hold for all workers, and their requests take turns."""
    server = http.settings.server
    http.pause = SharedPause(InterfaceDatabase().session, server)
    http.turns = SharedTurns(_turns_of(os.getpid(), database_url()), server, http.settings.parallel)


@cache
def _turns_of(_process: int, _database: str) -> HeldTurns:
    return HeldTurns(InterfaceDatabase().session)
