"""Runs of a sync that follow no window: chosen records, failed records, everything."""

import ast
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from sync_orchestration.components.connections import Connection
from sync_orchestration.components.database import InterfaceDatabase
from sync_orchestration.components.planning import order_everything
from sync_orchestration.components.running import OpenSource, OpenTarget
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.interface.requeue import end_skips, requeue_failed, requeue_rows
from sync_orchestration.interface.rows import ClaimedRow, Scope, failing_keys
from sync_orchestration.interface.state import read_state
from sync_orchestration.pipeline.errors import ConfigurationError
from sync_orchestration.pipeline.land import LandCounts
from sync_orchestration.pipeline.passes import running_pass
from sync_orchestration.pipeline.plan import PlannedWrite
from sync_orchestration.pipeline.preview import Preview, Previewer, look_at
from sync_orchestration.pipeline.protocols import Change, Observer, SelectableSource
from sync_orchestration.pipeline.sweep import FIRST_WINDOW, begin_sweep
from sync_orchestration.pipeline.write import WriteCounts

_LONGEST_DOMAIN = 10_000


@dataclass(frozen=True, slots=True)
class ChosenResult:
    """What a run over chosen records came to."""

    landed: LandCounts
    written: WriteCounts

    @property
    def counts(self) -> dict[str, int]:
        w = self.written
        return {
            "landed": self.landed.landed,
            "processed": w.processed,
            "unchanged": w.unchanged,
            "failed": w.failed,
            "skipped": w.skipped,
        }

    @property
    def sentence(self) -> str:
        return ", ".join(f"{number} {name}" for name, number in self.counts.items())


def sync_chosen(
    conn: psycopg.Connection[Any],
    settings: SyncSettings,
    connections: Mapping[str, Connection],
    keys: Sequence[str],
    run_id: str,
    observer: Observer,
) -> ChosenResult:
    """Fetch these records now and write them, changed or not; those that are gone become deletes.

    Raises ConfigurationError before the first full read, for there is no place in the history for them yet, unless
    the records say it themselves.
    """
    state = read_state(conn, settings.name)
    if state.last_position is None and settings.source.feed != "times":
        raise ConfigurationError(f"{settings.name} has not read its source whole yet; run it once first.")
    source, target = open_both(settings, connections, observer)
    reader = source.reader(conn, run_id, observer)
    with running_pass(conn, settings.name, settings.retry_policy, None):
        if settings.source.pushed:
            requeue_rows(conn, settings.name, keys=keys)
        else:
            end_skips(conn, settings.name, keys)
            reader.fetch_again([Change(key, "update", (state.last_position or 1) - 1) for key in dict.fromkeys(keys)])
        written = target.writer(conn, run_id, observer).write(Scope(keys=keys))
    return ChosenResult(reader.counts, written)


def retry_failed(
    conn: psycopg.Connection[Any],
    settings: SyncSettings,
    connections: Mapping[str, Connection],
    keys: Sequence[str] | None,
    run_id: str,
    observer: Observer,
    *,
    confirm_deletes: bool = False,
) -> ChosenResult:
    """Try failed records again with what the source holds now: all of them, or those of `keys`."""
    failing = failing_keys(conn, settings.name)
    wanted = failing if keys is None else [key for key in failing if key in set(keys)]
    source, target = open_both(settings, connections, observer)
    reader = source.reader(conn, run_id, observer)
    with running_pass(conn, settings.name, settings.retry_policy, None):
        # Fetch first: when the source cannot be read, the rows stay failed with their reasons.
        if not settings.source.pushed:
            reader.refresh(wanted)
        requeue_failed(conn, settings.name, wanted, confirm_deletes=confirm_deletes)
        # All of them: one that has changed in the source meanwhile is pending by its refresh.
        written = target.writer(conn, run_id, observer).write(Scope(keys=wanted))
    return ChosenResult(reader.counts, written)


def read_everything(
    conn: psycopg.Connection[Any],
    settings: SyncSettings,
    connections: Mapping[str, Connection],
    run_id: str,
    observer: Observer,
) -> ChosenResult:
    """Read the whole source again, then the changes made meanwhile, and write everything that is due."""
    source, target = open_both(settings, connections, observer)
    reader = source.reader(conn, run_id, observer)
    with running_pass(conn, settings.name, settings.retry_policy, settings.config_hash):
        order_everything(conn, settings)
        if settings.source.sweeps:
            begin_sweep(conn, settings.name, source.source, FIRST_WINDOW, settings.config_hash)
            reader.sweep()
        elif not settings.source.pushed:
            reader.bring_up_to_date()
            reader.bring_up_to_date()
        written = target.writer(conn, run_id, observer).write(Scope())
    return ChosenResult(reader.counts, written)


def preview(
    conn: psycopg.Connection[Any],
    settings: SyncSettings,
    connections: Mapping[str, Connection],
    keys: Sequence[str],
    observer: Observer,
    *,
    whole: bool = False,
    shown: int = 1_000,
) -> Preview:
    """Return what a run would do, for these records or (none) for all that is new; sends and stores nothing.

    `whole`: as if the source were read whole. Raises SyncError.
    """
    source, target = open_both(settings, connections, observer)
    translation = target.translation_on(conn, only_kept=True)
    previewer = Previewer(conn, source.source, source.landing, target.target, translation)
    if keys:
        return previewer.of(keys, shown=shown)
    return previewer.everything_new(whole=whole, shown=shown)


def compared_with_target(
    conn: psycopg.Connection[Any],
    settings: SyncSettings,
    connections: Mapping[str, Connection],
    row: ClaimedRow,
    observer: Observer,
) -> PlannedWrite:
    """Return how a record differs from what its target holds now; only reads, asks no lookup. Raises SyncError."""
    _, target = open_both(settings, connections, observer)
    translation = target.translation_on(conn, only_kept=True)
    (plan,) = look_at(conn, settings.name, [row], translation, target.target)
    return plan


def select_keys(settings: SyncSettings, connections: Mapping[str, Connection], domain: str) -> list[str]:
    """Return the keys of the source's records that match a domain, written as in Odoo or as JSON.

    Raises ConfigurationError for a text that is no domain, and for a source that knows no domains.
    """
    connection = _named(connections, settings.source.connection)
    source = OpenSource.of(settings, connection).source
    if not isinstance(source, SelectableSource):
        raise ConfigurationError(f"{settings.name} reads {settings.source.kind}, which knows no domains: give keys.")
    return source.select(_domain(domain))


def _domain(text: str) -> list[Any]:
    """Read a domain as data; nothing in the text is ever run."""
    for read in (json.loads, ast.literal_eval) if len(text) <= _LONGEST_DOMAIN else ():
        try:
            domain = read(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        if isinstance(domain, list | tuple):
            return [list(term) if isinstance(term, tuple) else term for term in domain]
    raise ConfigurationError(f"{text[:80]!r} is no domain; one is written like [['country_id.code', '=', 'CZ']].")


def open_both(
    settings: SyncSettings, connections: Mapping[str, Connection], observer: Observer
) -> tuple[OpenSource, OpenTarget]:
    """Open source and target of a sync. Raises ConfigurationError when a connection is missing or unset."""
    own = settings.source.connection == "interface"
    source = InterfaceDatabase() if own else _named(connections, settings.source.connection)
    target = _named(connections, settings.target.connection)
    lookup = _named(connections, settings.lookup.connection) if settings.lookup else None
    opened = OpenTarget.of(settings, source, target, observer.warn, lookup)
    return OpenSource.of(settings, source), opened


def _named(connections: Mapping[str, Connection], name: str) -> Connection:
    found = connections.get(name)
    if found is None:
        raise ConfigurationError(
            f"There is no connection {name!r}; known are {', '.join(sorted(connections)) or 'none'}."
        )
    return found
