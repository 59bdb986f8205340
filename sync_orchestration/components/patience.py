"""Patience that a server asked of one worker, shared by all that ask it."""

from sync_orchestration.components.database import InterfaceDatabase
from sync_orchestration.interface.pauses import SharedPause
from sync_orchestration.systems.http import HttpClient


def share_patience(http: HttpClient) -> None:
    """Let a server's wish for patience hold for the workers of all syncs and machines."""
    http.pause = SharedPause(InterfaceDatabase().session, http.settings.server)
