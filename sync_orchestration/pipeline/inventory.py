"""Take inventory: what a feed cannot tell - deletes, changes that showed too late - is found by counting through."""

from collections.abc import Sequence
from dataclasses import dataclass

from sync_orchestration.interface import rows
from sync_orchestration.interface.inventory import note_seen, open_inventory, unseen_keys
from sync_orchestration.interface.state import read_state
from sync_orchestration.mapping.diff import payload_hash
from sync_orchestration.mapping.scrub import scrub
from sync_orchestration.pipeline.land import Reader, order_full_read
from sync_orchestration.pipeline.protocols import Change, InventoryItem, InventorySource


@dataclass(slots=True)
class InventoryCounts:
    """How many records the source has, how many of them were news, and how many were gone."""

    counted: int = 0
    differing: int = 0
    gone: int = 0


def take_inventory(reader: Reader) -> InventoryCounts:
    """Count through the reader's source and land what differs from the rows; the cursor stays.

    A record that was not met is asked for by its key before it counts as deleted, since a list that is paged by
    number skips a record when an earlier one goes. Does nothing before the first full read.

    Raises SyncError when the source cannot be read to its end; then nothing counts as deleted.
    """
    conn, sync, source = reader.conn, reader.landing.sync, reader.source
    if not isinstance(source, InventorySource):
        raise TypeError(f"the source of {sync} cannot be counted through")
    counts = InventoryCounts()
    cursor = read_state(conn, sync).last_position
    if cursor is None:
        return counts
    newest = -1
    with open_inventory(conn) as began:
        for page in source.inventory():
            news = _news(reader, page)
            note_seen(conn, [item.key for item in page])
            reader.land_changes(news)
            counts.counted += len(page)
            counts.differing += len(news)
            newest = max(newest, *(item.position for item in page), -1)
        missing = unseen_keys(conn, sync, before=began)
    for batch in _batched(missing, reader.landing.fetch_batch):
        counts.gone += reader.settle_missing(batch)
    if counts.counted and newest < cursor - 1 and reader.landing.rewinds and _is_rewound(source, cursor):
        reader.observer.warn(
            f"The newest change that {sync} finds in its source is older than what it has read: a backup was restored, "
            "or the newest record deleted. Everything is read again."
        )
        order_full_read(conn, sync)
    return counts


def _is_rewound(source: InventorySource, cursor: int) -> bool:
    """Tell whether also what is there but not counted, such as archived records, is older than the cursor."""
    return source.head().position < cursor - 1


def _news(reader: Reader, page: Sequence[InventoryItem]) -> list[Change]:
    """Return what differs from the rows, nowhere before the place that its row has."""
    known = rows.versions(reader.conn, reader.landing.sync, [item.key for item in page])
    places = {key: version.position for key, version in known.items()}
    return [
        Change(item.key, "update", max(item.position, places.get(item.key, 0)), payload=item.payload)
        for item in page
        if _differs(item, known.get(item.key), reader.landing.sensitive)
    ]


def _differs(item: InventoryItem, known: rows.RowVersion | None, sensitive: frozenset[str]) -> bool:
    if known is None or known.is_delete:
        return True
    if item.payload is None:
        return item.position != known.position
    return payload_hash(scrub(item.payload, sensitive)) != known.payload_hash


def _batched(keys: Sequence[str], size: int) -> list[Sequence[str]]:
    return [keys[start : start + size] for start in range(0, len(keys), size)]
