"""Puts a sync's settings, connections and a database session together into the pipeline's reader and writer."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg

from sync_orchestration.components.connections import Connection, FlexiConnection, OdooConnection
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.interface.rows import hire_worker
from sync_orchestration.mapping.conditions import compile_condition
from sync_orchestration.pipeline.errors import ConfigurationError
from sync_orchestration.pipeline.land import Landing, Reader
from sync_orchestration.pipeline.plan import Translation
from sync_orchestration.pipeline.protocols import Observer
from sync_orchestration.pipeline.write import Writer, Writing
from sync_orchestration.systems.flexi import FlexiSource
from sync_orchestration.systems.http import HttpClient
from sync_orchestration.systems.odoo.target import OdooTarget

_SECONDS_BETWEEN_REPORTS = 5.0


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
    """A source ready to be read, with the client whose requests are counted."""

    source: FlexiSource
    http: HttpClient
    settings: SyncSettings

    @classmethod
    def of(cls, settings: SyncSettings, connection: Connection) -> "OpenSource":
        """Open the source of a sync. Raises ConfigurationError when its connection is of another kind or unset."""
        if not isinstance(connection, FlexiConnection):
            raise ConfigurationError(
                f"The connection {settings.source.connection!r} of {settings.name} is not a Flexi."
            )
        client = connection.client()
        mapping = settings.compiled()
        condition = compile_condition(settings.when) if settings.when else None
        wanted = mapping.source_paths | (condition.source_paths if condition else frozenset())
        fields = () if mapping.reads_whole_record else tuple(sorted(wanted))
        source = FlexiSource(
            client, settings.source.evidence, fields, dict(settings.source.children), settings.source.page
        )
        return cls(source, client.http, settings)

    def reader(self, conn: psycopg.Connection[Any], run_id: str, observer: Observer) -> Reader:
        """Return a reader that lands this source's records."""
        source = self.settings.source
        landing = Landing(
            sync=self.settings.name,
            source_system=source.connection,
            entity=source.evidence,
            window_size=source.window,
            overlap=source.overlap,
            fetch_batch=source.page,
            sensitive=self.settings.sensitive_names,
        )
        return Reader(conn, self.source, landing, run_id, observer)


@dataclass(frozen=True, slots=True)
class OpenTarget:
    """A target ready to be written, with the client whose requests are counted."""

    target: OdooTarget
    http: HttpClient
    translation: Translation
    settings: SyncSettings

    @classmethod
    def of(
        cls, settings: SyncSettings, source: Connection, target: Connection, warn: Callable[[str], None]
    ) -> "OpenTarget":
        """Open the target of a sync. Raises ConfigurationError when its connection is of another kind or unset."""
        if not isinstance(target, OdooConnection):
            raise ConfigurationError(
                f"The connection {settings.target.connection!r} of {settings.name} is not an Odoo."
            )
        client = target.client()
        mapping = settings.compiled()
        module, _, name = external_id_pattern(settings, source).partition(".")
        odoo = OdooTarget(
            client=client,
            model=settings.target.model,
            fields=list(mapping.targets),
            module=module,
            match_on=settings.target.match_on,
            deletion=settings.target.deletion,
            context=settings.target.context,
            batch=settings.target.batch,
            warn=warn,
        )
        translation = Translation(
            mapping=mapping,
            external_id=lambda key: name.replace("{key}", key.replace(" ", "_")),
            when=compile_condition(settings.when) if settings.when else None,
            archive_field="active",
        )
        return cls(odoo, client.http, translation, settings)

    def writer(self, conn: psycopg.Connection[Any], run_id: str, observer: Observer) -> Writer:
        """Return a writer that is one worker of this sync for as long as `conn` lives."""
        writing = Writing(
            sync=self.settings.name,
            target_system=self.settings.target.connection,
            translation=self.translation,
            guard=self.settings.delete_guard,
        )
        return Writer(hire_worker(conn, run_id), self.target, writing, observer)


def external_id_pattern(settings: SyncSettings, source: Connection) -> str:
    """Return the pattern of external ids with everything but {key} filled in."""
    company = source.value("company") if isinstance(source, FlexiConnection) else settings.source.connection
    parts = {"source": source.kind if isinstance(source, FlexiConnection) else "", "company": company}
    return settings.target.external_id.format(**parts, entity=settings.source.evidence, key="{key}")
