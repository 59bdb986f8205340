"""Puts a sync's lookup settings and connection together into the pipeline's enquiry."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg

from sync_orchestration.components.connections import Connection
from sync_orchestration.components.kinds import open_lookup
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.components.sharing import share
from sync_orchestration.pipeline.lookup import Enquiry, Lookup
from sync_orchestration.systems.http import HttpClient


@dataclass(frozen=True, slots=True)
class OpenLookup:
    """A lookup ready to be asked, with the client whose requests are counted (None: it sends none of its own)."""

    lookup: Lookup
    http: HttpClient | None
    max_age: timedelta

    @classmethod
    def of(cls, settings: SyncSettings, connection: Connection) -> "OpenLookup":
        """Open the lookup of a sync. Raises ConfigurationError when its connection is of another kind or unset."""
        lookup, http = open_lookup(settings, connection)
        if http is not None:
            share(http)
        hours = settings.lookup.max_age_hours if settings.lookup else 0
        return cls(lookup, http, timedelta(hours=hours))

    @property
    def requests_sent(self) -> int:
        return 0 if self.http is None else self.http.requests_sent

    def enquiry(self, conn: psycopg.Connection[Any], *, only_kept: bool = False) -> Enquiry:
        """Return the lookup with its memory in the database of `conn`; `only_kept`: nothing new is asked."""
        return Enquiry(conn, self.lookup, self.max_age, only_kept)
