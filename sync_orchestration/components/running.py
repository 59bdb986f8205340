"""Puts a sync's settings, connections and a database session together into the pipeline's reader and writer."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import psycopg

from sync_orchestration.components.connections import Connection
from sync_orchestration.components.database import InterfaceDatabase
from sync_orchestration.components.kinds import external_ids, open_source, open_target, watched_paths
from sync_orchestration.components.lookups import OpenLookup
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.components.sharing import share
from sync_orchestration.interface.looks import relatives
from sync_orchestration.interface.rows import ClaimedRow, hire_worker, known_targets
from sync_orchestration.pipeline.land import Reader
from sync_orchestration.pipeline.landing import Landing
from sync_orchestration.pipeline.plan import Family, Precedence, Translation
from sync_orchestration.pipeline.protocols import Observer, Source, Target
from sync_orchestration.pipeline.schema import Described, refuse_unknown
from sync_orchestration.pipeline.write import Writer, Writing
from sync_orchestration.systems.http import HttpClient

_SECONDS_BETWEEN_REPORTS = 5.0
_NOTICES_AT_ONCE = 100_000
_PAYLOADS_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class LogObserver:
    """Writes progress to a log, at most one line in five seconds, for each line of a run's log is an event."""

    log: Callable[[str], None]
    log_warning: Callable[[str], None]
    _counts: dict[str, int]
    _last: list[float]

    @classmethod
    def on(cls, log: Callable[[str], None], log_warning: Callable[[str], None]) -> "LogObserver":
        return cls(log, log_warning, {}, [time.monotonic()])

    @classmethod
    def silent(cls) -> "LogObserver":
        """Return one that nobody hears: what a look comes to is in its result."""
        return cls.on(lambda _: None, lambda _: None)

    def progress(self, step: str, count: int) -> None:
        self._counts[step] = self._counts.get(step, 0) + count
        if time.monotonic() - self._last[0] >= _SECONDS_BETWEEN_REPORTS:
            self._last[0] = time.monotonic()
            self.log(", ".join(f"{number} {name}" for name, number in self._counts.items()))

    def warn(self, message: str) -> None:
        self.log_warning(message)


@dataclass(frozen=True, slots=True)
class OpenSource:
    """A source ready to be read, with the client whose requests are counted (None: it sends none)."""

    source: Source
    http: HttpClient | None
    settings: SyncSettings

    @classmethod
    def of(
        cls,
        settings: SyncSettings,
        connection: Connection | InterfaceDatabase,
        warn: Callable[[str], None] = lambda _: None,
    ) -> "OpenSource":
        """Open the source of a sync. Raises ConfigurationError when its connection is of another kind or unset."""
        source, http = open_source(settings, connection, warn)
        if http is not None:
            share(http)
        return cls(source, http, settings)

    @property
    def requests_sent(self) -> int:
        return 0 if self.http is None else self.http.requests_sent

    def reader(self, conn: psycopg.Connection[Any], run_id: str, observer: Observer) -> Reader:
        """Return a reader that lands this source's records."""
        return Reader(conn, self.source, self.landing, run_id, observer)

    def refuse_unknown_fields(self) -> None:
        """Raise ConfigurationError when the source describes its records and lacks a field that the mapping names."""
        if isinstance(self.source, Described):
            settings = self.settings
            what = f"{settings.source.entity} of the connection {settings.source.connection}"
            refuse_unknown(self.source.describe(), watched_paths(settings), what)

    @property
    def landing(self) -> Landing:
        """How the source is read."""
        source = self.settings.source
        return Landing(
            sync=self.settings.name,
            source_system=source.connection,
            entity=source.entity,
            window_size=source.window,
            overlap=source.overlap,
            fetch_batch=source.page,
            sensitive=self.settings.sensitive_names,
            chunk=_PAYLOADS_AT_ONCE if source.feed == "times" else _NOTICES_AT_ONCE,
            feed=source.feed,
            rewinds=source.rewinds,
            pushed=source.pushed,
        )


@dataclass(frozen=True, slots=True)
class OpenTarget:
    """A target ready to be written, with the client whose requests are counted (None: it sends none of its own)."""

    target: Target
    http: HttpClient | None
    translation: Translation
    settings: SyncSettings
    lookup: OpenLookup | None = None

    @classmethod
    def of(
        cls,
        settings: SyncSettings,
        source: Connection | InterfaceDatabase,
        target: Connection,
        warn: Callable[[str], None],
        lookup: Connection | None = None,
    ) -> "OpenTarget":
        """Open the target of a sync. Raises ConfigurationError when its connection is of another kind or unset."""
        opened, http = open_target(settings, target, source, warn)
        if http is not None:
            share(http)
        translation = Translation(
            mapping=settings.compiled(),
            external_id=external_ids(settings, source),
            when=settings.condition(),
            archive_field=settings.target.archive_field,
            identity=_with_sender if settings.source.pushed else _key,
            keep_when_empty=settings.keep_when_empty,
            only_when_empty=frozenset(settings.only_when_empty),
            sensitive=settings.sensitive_names,
            keeps_deleted=settings.target.keeps_deleted,
        )
        return cls(opened, http, translation, settings, OpenLookup.of(settings, lookup) if lookup else None)

    @property
    def requests_sent(self) -> int:
        return 0 if self.http is None else self.http.requests_sent

    def translation_on(self, conn: psycopg.Connection[Any], *, only_kept: bool = False) -> Translation:
        """Return the translation with what it needs of the database: kept answers, links of other syncs.

        With `only_kept` a lookup asks nothing.
        """
        translation = self.translation
        if self.lookup is not None:
            translation = replace(translation, enrich=self.lookup.enquiry(conn, only_kept=only_kept).enrich)
        if any(target.same_sync for target in self.settings.references):
            sync = self.settings.name
            family = Family(lambda source, keys: relatives(conn, sync, source, keys), self.settings.target.related)
            translation = replace(translation, family=family)
        if self.settings.precedence is not None:
            other = self.settings.precedence.sync
            decided = frozenset(self.settings.precedence.fields or translation.mapping.targets)
            precedence = Precedence(other, decided, lambda ids: known_targets(conn, other, ids))
            translation = replace(translation, precedence=precedence)
        return translation

    def writer(self, conn: psycopg.Connection[Any], run_id: str, observer: Observer) -> Writer:
        """Return a writer that is one worker of this sync for as long as `conn` lives."""
        settings = self.settings
        writing = Writing(
            sync=settings.name,
            target_system=settings.target.connection,
            translation=self.translation_on(conn),
            guard=settings.delete_guard,
            claim_batch=settings.source.page if settings.source.sweeps else settings.target.claim_batch,
            manner=settings.sending_hash,
        )
        return Writer(hire_worker(conn, run_id), self.target, writing, observer)


def _key(row: ClaimedRow) -> str:
    return row.record_key


def _with_sender(row: ClaimedRow) -> str:
    """Return a key that two senders never share: each has keys of its own."""
    return f"{row.source_system}_{row.record_key}"
