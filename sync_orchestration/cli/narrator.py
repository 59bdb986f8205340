"""Tells people how syncs go on: one live line on a terminal, plain lines now and then elsewhere."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import psycopg
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from sync_orchestration.interface.database import DatabaseError, connect
from sync_orchestration.interface.migrate import migrate
from sync_orchestration.interface.rows import counts_by_status

_STEPS = ("processed", "pending", "processing", "failed", "skipped")
_SECONDS_LIVE = 0.3
_SECONDS_PLAIN = 5.0

Counts = dict[str, dict[str, int]]


@contextmanager
def narrating(console: Console, url: str, syncs: Sequence[str]) -> Iterator[None]:
    """Show how many records of each sync are in which status while the block runs."""
    done = threading.Event()
    thread = threading.Thread(target=_narrate_if_possible, args=(console, url, syncs, done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _narrate_if_possible(console: Console, url: str, syncs: Sequence[str], done: threading.Event) -> None:
    """Narrate; what is wrong with the database is said by whoever works with it, in plain words."""
    with suppress(DatabaseError, psycopg.Error):
        _narrate(console, url, syncs, done)


def _narrate(console: Console, url: str, syncs: Sequence[str], done: threading.Event) -> None:
    migrate(url)
    with connect(url) as conn:
        if console.is_terminal:
            with Live(console=console, transient=True, refresh_per_second=4) as live:
                while not done.wait(_SECONDS_LIVE):
                    live.update(_table(counts_by_status(conn), syncs))
            return
        said: Counts = {}
        while not done.wait(_SECONDS_PLAIN):
            counts = counts_by_status(conn)
            for sync in syncs:
                if counts.get(sync, {}) != said.get(sync, {}):
                    console.print(Text(f"{sync}: {_sentence(counts.get(sync, {}))}"))
            said = counts


def _sentence(counts: dict[str, int]) -> str:
    return f"{sum(counts.values())} records, " + ", ".join(
        f"{counts[step]} {step}" for step in _STEPS if counts.get(step)
    )


def _table(counts: Counts, syncs: Sequence[str]) -> Table:
    table = Table("sync", "records", *_STEPS, box=None, header_style="bold")
    for sync in syncs:
        of_sync = counts.get(sync, {})
        table.add_row(sync, str(sum(of_sync.values())), *(str(of_sync.get(step, 0)) for step in _STEPS))
    return table
