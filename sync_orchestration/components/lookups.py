"""Puts a sync's lookup settings and connection together into the pipeline's enquiry."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg

from sync_orchestration.components.connections import Connection, KonturConnection
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.components.sharing import share
from sync_orchestration.pipeline.errors import ConfigurationError
from sync_orchestration.pipeline.lookup import Enquiry
from sync_orchestration.systems.http import HttpClient
from sync_orchestration.systems.kontur import KonturLookup


@dataclass(frozen=True, slots=True)
class OpenLookup:
    """A lookup ready to be asked, with the client whose requests are counted."""

    lookup: KonturLookup
    http: HttpClient
    max_age: timedelta

    @classmethod
    def of(cls, settings: SyncSettings, connection: Connection) -> "OpenLookup":
        """Open the lookup of a sync. Raises ConfigurationError when its connection is of another kind or unset."""
        wanted = settings.lookup
        if wanted is None or not isinstance(connection, KonturConnection):
            raise ConfigurationError(f"The lookup connection of {settings.name} is not a Kontur.")
        client = connection.client()
        share(client.http)
        lookup = KonturLookup(client, wanted.attribute, wanted.search, wanted.stored_ogrn, wanted.stored_kpp)
        return cls(lookup, client.http, timedelta(hours=wanted.max_age_hours))

    def enquiry(self, conn: psycopg.Connection[Any], *, only_kept: bool = False) -> Enquiry:
        """Return the lookup with its memory in the database of `conn`; `only_kept`: nothing new is asked."""
        return Enquiry(conn, self.lookup, self.max_age, only_kept)
