"""Read and land: the newest state of every changed record goes into the interface table, then the cursor moves."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from psycopg import Connection

from sync_orchestration.interface import rows
from sync_orchestration.interface.rows import LandedRecord, Payload
from sync_orchestration.interface.state import SyncState, change_state, database_time, lock_state, read_state
from sync_orchestration.mapping.diff import payload_hash
from sync_orchestration.mapping.scrub import SENSITIVE_NAMES, scrub
from sync_orchestration.pipeline.errors import FeedResetError, TrackingOffError
from sync_orchestration.pipeline.protocols import (
    Change,
    ChangePage,
    Observer,
    Source,
    SourceHead,
    SourceRecord,
)
from sync_orchestration.pipeline.windows import Window, window_at


@dataclass(frozen=True, slots=True)
class Landing:
    """How one sync reads its source.

    `overlap` is the number of positions behind the cursor that each read lists again, since a transaction may
    show a lower version late. `chunk` bounds the changes that are coalesced in memory before they are landed.
    """

    sync: str
    source_system: str
    entity: str
    window_size: int = 10_000
    overlap: int = 1_000
    fetch_batch: int = 500
    chunk: int = 50_000
    sensitive: frozenset[str] = SENSITIVE_NAMES


@dataclass(slots=True)
class LandCounts:
    """What a read brought. `changes`: notices listed; `landed`: rows new or changed; `deleted`: of them deletes."""

    changes: int = 0
    fetched: int = 0
    landed: int = 0
    deleted: int = 0


@dataclass(slots=True)
class Reader:
    """One read of a source into the interface table, on one connection, for one run."""

    conn: Connection[Any]
    source: Source
    landing: Landing
    run_id: str
    observer: Observer
    counts: LandCounts = field(default_factory=LandCounts)
    _first_window: str | None = field(default=None, init=False)

    def bring_up_to_date(self, until: int | None = None) -> LandCounts:
        """Land everything from the cursor up to `until`: a full read first if none has ended yet.

        Raises SyncError when the source cannot be read; what was landed stays, the cursor tells how far.
        """
        head = head_of(self.source, self.conn, self.landing.sync)
        state = read_state(self.conn, self.landing.sync)
        if state.baseline_is_due:
            self._read_everything(head)
        else:
            refuse_foreign_history(state, head)
            self._land_changes(state, until)
        return self.counts

    def _read_everything(self, head: SourceHead) -> None:
        """Read the whole source page by page, going on where an interrupted full read stopped.

        The position is taken before the first page, so that changes made meanwhile are read again from the feed.
        Every record is compared with the target again; those that the source no longer has become deletes.
        """
        state = self._begin_baseline(head)
        position = state.baseline_from or 0
        for page in self.source.snapshot(state.baseline_after):
            if not page:
                continue
            records = [self._record(r, "create", position) for r in page]
            with self.conn.transaction():
                landed = self._store(records, force=True)
                locked = lock_state(self.conn, self.landing.sync)
                change_state(self.conn, locked, baseline_after=page[-1].key)
            self.counts.fetched += len(page)
            self._report(landed)
        self._end_baseline(position)

    def _begin_baseline(self, head: SourceHead) -> SyncState:
        listed = self._listed_before(head.position)
        with self.conn.transaction():
            state = lock_state(self.conn, self.landing.sync)
            begun = state.baseline_from
            if begun is not None and begun <= head.position and state.fingerprint == head.fingerprint:
                return state
            rows.rebase_positions(self.conn, self.landing.sync, head.position)
            window = window_at(head.position, self.landing.window_size)
            return change_state(
                self.conn,
                state,
                baseline_from=head.position,
                baseline_after=None,
                baseline_seen=database_time(self.conn),
                fingerprint=head.fingerprint,
                first_window=min(state.first_window or window.key, window.key),
                recent_positions=listed,
            )

    def _listed_before(self, position: int) -> list[int]:
        """Return the positions that the feed lists up to `position`: the full read that follows covers them."""
        listed: list[int] = []
        for page in self.source.changes(max(position + 1 - self.landing.overlap, 0)):
            listed += [change.position for change in page.changes if change.position <= position]
            if page.next_position > position:
                break
        return listed

    def _end_baseline(self, position: int) -> None:
        landing = self.landing
        with self.conn.transaction():
            state = lock_state(self.conn, landing.sync)
            if state.baseline_seen is None:
                return  # another run finished the same full read
            missing = rows.land_missing(
                self.conn,
                sync=landing.sync,
                source_system=landing.source_system,
                run_id=self.run_id,
                position=position,
                partition_key=window_at(position, landing.window_size).key,
                not_seen_since=state.baseline_seen,
            )
            change_state(
                self.conn,
                state,
                last_position=position + 1,
                baseline_from=None,
                baseline_after=None,
                baseline_seen=None,
            )
        self.counts.deleted += missing
        self._report(missing)

    def _land_changes(self, state: SyncState, until: int | None) -> None:
        cursor = state.last_position or 0
        known = set(state.recent_positions)
        for chunk in self._chunks(max(cursor - self.landing.overlap, 0), until, known):
            self._land_chunk(chunk, cursor)

    def _chunks(self, start: int, until: int | None, known: set[int]) -> Iterator["_Chunk"]:
        """Gather pages into chunks of bounded size; positions landed before are passed over."""
        chunk = _Chunk(start)
        for page in self.source.changes(start):
            refuse_rewound(read_state(self.conn, self.landing.sync), page.newest)
            for change in page.changes:
                if change.position not in known and (until is None or change.position < until):
                    chunk.add(change)
            chunk.end = page.next_position if until is None else min(page.next_position, until)
            if chunk.notices >= self.landing.chunk:
                yield chunk
                chunk = _Chunk(chunk.end)
            if until is not None and page.next_position >= until:
                break
        yield chunk

    def _land_chunk(self, chunk: "_Chunk", cursor: int) -> None:
        """Fetch and land a chunk; the cursor moves in the transaction of its last rows."""
        self.counts.changes += chunk.notices
        changes = self._newest_wins(self._whole_records(chunk), cursor)
        batches = [batch for batch in _batched(changes, self.landing.fetch_batch) if batch]
        for batch in batches[:-1]:
            records = self._current(batch)
            with self.conn.transaction():
                landed = self._store(records)
            self._report(landed)
        records = self._current(batches[-1]) if batches else []
        with self.conn.transaction():
            state = lock_state(self.conn, self.landing.sync)
            landed = self._store(records) if records else 0
            self._move_cursor(state, chunk)
        self._report(landed)

    def _whole_records(self, chunk: "_Chunk") -> list[Change]:
        return chunk.whole_records(lambda part: rows.keys_containing(self.conn, self.landing.sync, part))

    def _newest_wins(self, changes: list[Change], cursor: int) -> list[Change]:
        """Give changes that became visible behind the cursor the place of their row.

        What is fetched now is newer than what the row was landed with, although the change's own position is lower.
        """
        late = [change.key for change in changes if change.position < cursor]
        if not late:
            return changes
        places = rows.places(self.conn, self.landing.sync, late)
        return [
            Change(c.key, "update", places[c.key][0], c.external_ids, c.payload)
            if c.key in places and places[c.key][0] > c.position
            else c
            for c in changes
        ]

    def _move_cursor(self, state: SyncState, chunk: "_Chunk") -> None:
        cursor = max(state.last_position or 0, chunk.end)
        kept = {p for p in (*state.recent_positions, *chunk.positions) if p >= cursor - self.landing.overlap}
        change_state(self.conn, state, last_position=cursor, recent_positions=sorted(kept))

    def read_again(self, window: Window) -> LandCounts:
        """Read a window behind the cursor whole: its records are fetched and written again, changed or not."""
        landing = self.landing
        head = head_of(self.source, self.conn, landing.sync)
        refuse_foreign_history(read_state(self.conn, landing.sync), head)
        changes = {
            key: Change(key, "update", window.start) for key in rows.keys_of_window(self.conn, landing.sync, window.key)
        }
        for chunk in self._chunks(window.start, window.end, set()):
            changes.update((change.key, change) for change in self._whole_records(chunk))
        self.fetch_again(list(changes.values()), within=window)
        return self.counts

    def fetch_again(self, changes: Sequence[Change], *, within: Window | None = None) -> None:
        """Fetch these records now and make them pending at the place that they have.

        With `within`, records that have moved on to another window are left to that one.
        """
        for batch in _batched(changes, self.landing.fetch_batch):
            places = rows.places(self.conn, self.landing.sync, [change.key for change in batch])
            mine = [
                _placed(change, places.get(change.key))
                for change in batch
                if within is None or change.key not in places or places[change.key][1] == within.key
            ]
            records = self._current(mine, always_fetch=True)
            with self.conn.transaction():
                landed = self._store(records, force=True)
            self._report(landed)

    def refresh(self, keys: Sequence[str]) -> None:
        """Fetch these known records now and land what has changed of them, at the place that they have."""
        for batch in _batched([Change(key, "update", 0) for key in keys], self.landing.fetch_batch):
            places = rows.places(self.conn, self.landing.sync, [change.key for change in batch])
            known = [_placed(change, places[change.key]) for change in batch if change.key in places]
            records = self._current(known)
            with self.conn.transaction():
                landed = self._store(records)
            self._report(landed)

    def _current(self, changes: Sequence[Change], *, always_fetch: bool = False) -> list[LandedRecord]:
        """Return the newest state of each record; one that is gone before it could be fetched is a delete."""
        to_fetch = [c.key for c in changes if c.payload is None and (always_fetch or c.operation != "delete")]
        fetched = self.source.fetch(to_fetch) if to_fetch else {}
        self.counts.fetched += len(fetched)
        records = []
        for change in changes:
            found = fetched.get(change.key)
            if change.payload is not None:
                found = SourceRecord(change.key, change.payload, change.external_ids)
            if found is not None:
                operation = "update" if change.operation == "delete" else change.operation
                records.append(self._record(found, operation, change.position))
            else:
                records.append(self._gone(change))
        return records

    def _record(self, record: SourceRecord, operation: rows.Operation, position: int) -> LandedRecord:
        payload = scrub(record.payload, self.landing.sensitive)
        return LandedRecord(
            key=record.key,
            entity=self.landing.entity,
            operation=operation,
            position=position,
            partition_key=self._window_key(position),
            payload=payload,
            payload_hash=payload_hash(payload),
            external_ids=record.external_ids,
        )

    def _gone(self, change: Change) -> LandedRecord:
        self.counts.deleted += 1
        return LandedRecord(
            key=change.key,
            entity=self.landing.entity,
            operation="delete",
            position=change.position,
            partition_key=self._window_key(change.position),
            payload=None,
            payload_hash=None,
            external_ids=change.external_ids,
        )

    def _window_key(self, position: int) -> str:
        """Return the partition of a position; history before the first window has none of its own."""
        if self._first_window is None:
            self._first_window = read_state(self.conn, self.landing.sync).first_window or ""
        return max(window_at(position, self.landing.window_size).key, self._first_window)

    def _store(self, records: Iterable[LandedRecord], *, force: bool = False) -> int:
        return rows.land(
            self.conn,
            sync=self.landing.sync,
            source_system=self.landing.source_system,
            run_id=self.run_id,
            records=records,
            force=force,
        )

    def _report(self, landed: int) -> None:
        self.counts.landed += landed
        if landed:
            self.observer.progress("landed", landed)


class _Chunk:
    """Changes of several pages, coalesced: of each record only the newest is kept."""

    def __init__(self, start: int) -> None:
        self.end = start
        self.notices = 0
        self.positions: list[int] = []
        self._newest: dict[str, Change] = {}
        self._parts: list[Change] = []

    def add(self, change: Change) -> None:
        self.notices += 1
        self.positions.append(change.position)
        if change.part is not None:
            self._parts.append(change)
        else:
            self._newest[change.key] = change

    def whole_records(self, holders: Callable[[Payload], Iterable[str]]) -> list[Change]:
        """Return one change a record; a lost part is a change of every record that holds it."""
        for change in self._parts:
            for key in holders(change.part or {}):
                known = self._newest.get(key)
                if known is None or (known.operation != "delete" and known.position < change.position):
                    self._newest[key] = Change(key, "update", change.position)
        return list(self._newest.values())


def order_full_read(conn: Connection[Any], sync: str) -> None:
    """Forget the cursor, and an unfinished full read if there is one: the next read begins with everything."""
    with conn.transaction():
        state = lock_state(conn, sync)
        change_state(conn, state, last_position=None, baseline_from=None, baseline_after=None, baseline_seen=None)


def head_of(source: Source, conn: Connection[Any], sync: str) -> SourceHead:
    """Return where the source stands, and remember if it does not track changes.

    What happened while tracking was off is in no feed, so the cursor's history ends there: only a full read counts.
    """
    try:
        return source.head()
    except TrackingOffError:
        with conn.transaction():
            state = lock_state(conn, sync)
            if state.last_position is not None:
                change_state(conn, state, fingerprint="tracking was off")
        raise


def refuse_foreign_history(state: SyncState, head: SourceHead) -> None:
    """Raise FeedResetError when the source's positions are not those that the cursor was counted in."""
    if state.fingerprint is not None and state.fingerprint != head.fingerprint:
        raise FeedResetError(
            f"The change history of the source is another one than that of the cursor: the company was replaced, or "
            f"tracking was off for a while. {_way_out(state)}"
        )
    refuse_rewound(state, head.position)


def refuse_rewound(state: SyncState, newest: int) -> None:
    """Raise FeedResetError when the source's newest position lies behind the cursor."""
    if state.last_position is not None and newest < state.last_position - 1:
        raise FeedResetError(
            f"The source's newest version is {newest}, but versions up to {state.last_position - 1} were read "
            f"before: its database was probably restored from a backup. {_way_out(state)}"
        )


def _way_out(state: SyncState) -> str:
    return f"Run a full reconciliation of {state.sync} (job full_reconciliation, or: run {state.sync} --all)."


def _placed(change: Change, place: tuple[int, str] | None) -> Change:
    position = change.position if place is None else place[0]
    return Change(change.key, change.operation, position, change.external_ids)


def _batched(changes: Sequence[Change], size: int) -> Iterator[list[Change]]:
    iterator = iter(changes)
    while batch := list(islice(iterator, size)):
        yield batch


def unseen(page: ChangePage, state: SyncState) -> list[int]:
    """Return the positions of a page that have not been landed yet."""
    known = set(state.recent_positions)
    return [change.position for change in page.changes if change.position not in known]
