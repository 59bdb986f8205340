"""Puts a sync's settings, connections and a database session together into the pipeline's reader and writer."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import psycopg

from sync_orchestration.components.connections import (
    AlfrescoConnection,
    Connection,
    FlexiConnection,
    OdooConnection,
    RestConnection,
)
from sync_orchestration.components.database import InterfaceDatabase
from sync_orchestration.components.intake_source import IntakeSourceSettings
from sync_orchestration.components.lookups import OpenLookup
from sync_orchestration.components.rest_parts import rest_source, rest_target
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.components.sharing import share
from sync_orchestration.components.source_settings import (
    AlfrescoSourceSettings,
    FlexiSourceSettings,
    InterfaceSourceSettings,
    OdooSourceSettings,
    RestSourceSettings,
)
from sync_orchestration.components.target_settings import AlfrescoTargetSettings, OdooTargetSettings, RestTargetSettings
from sync_orchestration.interface.looks import relatives
from sync_orchestration.interface.rows import ClaimedRow, hire_worker, known_targets
from sync_orchestration.mapping.paths import top_of
from sync_orchestration.pipeline.errors import ConfigurationError
from sync_orchestration.pipeline.land import Landing, Reader
from sync_orchestration.pipeline.lookup import ANSWER
from sync_orchestration.pipeline.plan import Family, Precedence, Translation
from sync_orchestration.pipeline.protocols import Observer, Source, Target
from sync_orchestration.pipeline.pushed import PushedSource
from sync_orchestration.pipeline.relay import RelaySource
from sync_orchestration.pipeline.schema import Described, refuse_unknown
from sync_orchestration.pipeline.write import Writer, Writing
from sync_orchestration.systems.alfresco.source import AlfrescoSource
from sync_orchestration.systems.alfresco.target import AlfrescoTarget
from sync_orchestration.systems.flexi import FlexiSource
from sync_orchestration.systems.http import HttpClient
from sync_orchestration.systems.odoo.reading import RecordReading
from sync_orchestration.systems.odoo.source import OdooSource
from sync_orchestration.systems.odoo.target import OdooTarget

_SECONDS_BETWEEN_REPORTS = 5.0
_CLAIM_BATCH = 1_000
_ROUNDS = 25
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
        source, http = _source(settings, connection, warn)
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
            rewinds=isinstance(source, OdooSourceSettings),
            pushed=source.pushed,
        )


def _source(
    settings: SyncSettings, connection: Connection | InterfaceDatabase, warn: Callable[[str], None]
) -> tuple[Source, HttpClient | None]:
    source = settings.source
    if isinstance(source, FlexiSourceSettings) and isinstance(connection, FlexiConnection):
        client = connection.client()
        return FlexiSource(client, source.evidence, _fields(settings), dict(source.children), source.page), client.http
    if isinstance(source, AlfrescoSourceSettings) and isinstance(connection, AlfrescoConnection):
        nodes = connection.nodes(source.type, _attributes(settings))
        return AlfrescoSource(nodes, source.batch), nodes.http
    if isinstance(source, OdooSourceSettings) and isinstance(connection, OdooConnection):
        odoo = connection.client()
        reading = RecordReading(odoo, source.model, _paths(settings))
        return OdooSource(odoo, source.model, reading, source.domain, source.page, source.archived), odoo.http
    if isinstance(source, RestSourceSettings) and isinstance(connection, RestConnection):
        http = connection.client()
        return rest_source(source, http, warn), http
    if isinstance(source, IntakeSourceSettings):
        return PushedSource(), None
    if isinstance(source, InterfaceSourceSettings) and isinstance(connection, InterfaceDatabase):
        return RelaySource(connection.session, source.sync, source.page), None
    raise ConfigurationError(
        f"The connection {source.connection!r} of {settings.name} is not of the kind {source.kind}."
    )


def _fields(settings: SyncSettings) -> tuple[str, ...]:
    """Return the source's fields that are read; none means all of them."""
    return () if settings.compiled().reads_whole_record else tuple(sorted({top_of(path) for path in _paths(settings)}))


def _paths(settings: SyncSettings) -> list[str]:
    """Return every path into the source's record that mapping and condition read."""
    condition = settings.condition()
    more = settings.source.fields if isinstance(settings.source, OdooSourceSettings) else []
    return sorted({*settings.compiled().paths, *(condition.paths if condition else ()), *more})


def watched_paths(settings: SyncSettings) -> list[str]:
    """Return what the sync cannot do without in the source's records, as the source names its fields."""
    if isinstance(settings.source, AlfrescoSourceSettings):
        return _attributes(settings)
    asked = [settings.lookup.attribute] if settings.lookup else []
    paths = {path for path in [*_paths(settings), *asked] if top_of(path) != ANSWER}
    if isinstance(settings.source, FlexiSourceSettings):
        return sorted({top_of(path) for path in paths})
    return sorted(paths)


def _attributes(settings: SyncSettings) -> list[str]:
    """Return the properties of nodes that a sync needs: what it writes, and what its lookup asks with."""
    lookup = settings.lookup
    asked = {lookup.attribute, lookup.stored_ogrn, lookup.stored_kpp} if lookup else set()
    return sorted(asked | set(settings.compiled().targets) | (set(_fields(settings)) - {ANSWER}))


@dataclass(frozen=True, slots=True)
class OpenTarget:
    """A target ready to be written, with the clients whose requests are counted."""

    target: Target
    http: HttpClient
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
        opened, http = _target(settings, source, target, warn)
        share(http)
        translation = Translation(
            mapping=settings.compiled(),
            external_id=_external_ids(settings, source),
            when=settings.condition(),
            archive_field="active" if isinstance(settings.target, OdooTargetSettings) else None,
            identity=_with_sender if settings.source.pushed else _key,
            keep_when_empty=settings.keep_when_empty,
            only_when_empty=frozenset(settings.only_when_empty),
            sensitive=settings.sensitive_names,
        )
        return cls(opened, http, translation, settings, OpenLookup.of(settings, lookup) if lookup else None)

    def translation_on(self, conn: psycopg.Connection[Any], *, only_kept: bool = False) -> Translation:
        """Return the translation with what it needs of the database: kept answers, links of other syncs.

        With `only_kept` a lookup asks nothing.
        """
        translation = self.translation
        if self.lookup is not None:
            translation = replace(translation, enrich=self.lookup.enquiry(conn, only_kept=only_kept).enrich)
        if any(target.same_sync for target in self.settings.references):
            sync = self.settings.name
            value = int if isinstance(self.settings.target, OdooTargetSettings) else str
            family = Family(lambda source, keys: relatives(conn, sync, source, keys), value)
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
            claim_batch=_claim_batch(settings),
        )
        return Writer(hire_worker(conn, run_id), self.target, writing, observer)


def _claim_batch(settings: SyncSettings) -> int:
    """Return how many rows are settled at once: where each is a request, no more than a killed worker may put in doubt.

    Fewest where nobody can find out afterwards what became of a request.
    """
    if settings.source.sweeps:
        return settings.source.page
    target = settings.target
    if not isinstance(target, RestTargetSettings):
        return _CLAIM_BATCH
    in_one = 1 if target.batch is None else target.batch.size
    rounds = _ROUNDS if target.find or target.idempotency_header else 1
    return min(target.parallel * in_one * rounds, max(_CLAIM_BATCH, in_one))


def _target(
    settings: SyncSettings, source: Connection | InterfaceDatabase, connection: Connection, warn: Callable[[str], None]
) -> tuple[Target, HttpClient]:
    target = settings.target
    if isinstance(target, OdooTargetSettings) and isinstance(connection, OdooConnection):
        client = connection.client()
        odoo = OdooTarget(
            client=client,
            model=target.model,
            fields=list(settings.compiled().targets),
            module=external_id_pattern(settings, source).partition(".")[0],
            match_on=target.match_on,
            deletion=target.deletion,
            context=target.context,
            batch=target.batch,
            warn=warn,
        )
        return odoo, client.http
    if isinstance(target, AlfrescoTargetSettings) and isinstance(connection, AlfrescoConnection):
        nodes = connection.nodes(target.type, _attributes(settings))
        return AlfrescoTarget(nodes, target.type, target.parallel), nodes.http
    if isinstance(target, RestTargetSettings) and isinstance(connection, RestConnection):
        http = connection.client()
        return rest_target(settings.name, target, http), http
    raise ConfigurationError(
        f"The connection {target.connection!r} of {settings.name} is not of the kind {target.kind}."
    )


def _key(row: ClaimedRow) -> str:
    return row.record_key


def _with_sender(row: ClaimedRow) -> str:
    """Return a key that two senders never share: each has keys of its own."""
    return f"{row.source_system}_{row.record_key}"


def _external_ids(settings: SyncSettings, source: Connection | InterfaceDatabase) -> Callable[[str], str]:
    if not isinstance(settings.target, OdooTargetSettings):
        return lambda key: key
    name = external_id_pattern(settings, source).partition(".")[2]
    return lambda key: name.replace("{key}", key.replace(" ", "_"))


def external_id_pattern(settings: SyncSettings, source: Connection | InterfaceDatabase) -> str:
    """Return the pattern of external ids in Odoo with everything but {key} filled in."""
    if not isinstance(settings.target, OdooTargetSettings):
        raise ConfigurationError(f"{settings.name} has no external ids: its target is no Odoo.")
    company = source.value("company") if isinstance(source, FlexiConnection) else settings.source.connection
    parts = {"source": settings.source.kind, "company": company, "entity": settings.source.entity}
    return settings.target.external_id.format(**parts, key="{key}")
