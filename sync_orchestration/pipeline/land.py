"""Read and land: the newest state of every changed record goes into the interface table, then the cursor moves."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from psycopg import Connection

from sync_orchestration.interface import rows
from sync_orchestration.interface.inventory import keys_not_seen
from sync_orchestration.interface.state import SyncState, change_state, database_time, lock_state, read_state
from sync_orchestration.pipeline.ahead import one_ahead
from sync_orchestration.pipeline.chunk import Chunk
from sync_orchestration.pipeline.history import first_position, head_of, refuse_foreign_history, refuse_rewound
from sync_orchestration.pipeline.landing import Landing
from sync_orchestration.pipeline.protocols import Change, Observer, Source, SourceHead
from sync_orchestration.pipeline.spans import each_read, span
from sync_orchestration.pipeline.staging import Staged, Stager
from sync_orchestration.pipeline.windows import Window, window_key


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
    _stager_of_run: Stager | None = field(default=None, init=False)

    def bring_up_to_date(self, until: int | None = None) -> LandCounts:
        """Land everything from the cursor up to `until`: a full read first if none has ended yet.

        Raises SyncError when the source cannot be read; what was landed stays, the cursor tells how far.
        """
        head = head_of(self.source, self.conn, self.landing.sync)
        state = read_state(self.conn, self.landing.sync)
        if state.baseline_is_due:
            self._read_everything(head)
        else:
            refuse_foreign_history(state, head, by_time=self._by_time)
            self._land_changes(state, until)
        return self.counts

    def _read_everything(self, head: SourceHead) -> None:
        """Read the whole source page by page, going on where an interrupted full read stopped.

        The position is taken before the first page, so that changes made meanwhile are read again from the feed.
        Every record is compared with the target again; those that the source no longer has become deletes. When
        somebody orders another full read meanwhile, this one ends: that one will have met what this one has not.
        """
        begun = self._begin_baseline(head)
        position = begun.baseline_from or 0
        stager = self._stager
        pages = each_read(self.source.snapshot(begun.baseline_after))
        with one_ahead(stager.page(page, position) for page in pages) as staged:
            for page in staged:
                if page.records and not self._land_page(page, begun):
                    return
        self._end_baseline(begun)

    def _land_page(self, page: Staged, begun: SyncState) -> bool:
        """Land a page of the full read; the place where it would go on moves in the same transaction.

        Returns False when it is no longer this full read that counts.
        """
        with self.conn.transaction():
            landed = self._store(page, force=True)
            state = lock_state(self.conn, self.landing.sync)
            if counts := state.baseline_seen == begun.baseline_seen:
                change_state(self.conn, state, baseline_after=page.records[-1].key)
        self._report(landed)
        return counts

    def _begin_baseline(self, head: SourceHead) -> SyncState:
        listed = self._listed_before(head.position)
        with self.conn.transaction():
            state = lock_state(self.conn, self.landing.sync)
            begun = state.baseline_from
            if begun is not None and begun <= head.position and state.fingerprint == head.fingerprint:
                return state
            # A record's own time may be long before the head, and must still outrank what the row was landed with.
            rows.rebase_positions(self.conn, self.landing.sync, 0 if self._by_time else head.position)
            first = window_key(
                first_position(self.conn, head.position, by_time=self._by_time), self.landing.window_size
            )
            return change_state(
                self.conn,
                state,
                baseline_from=head.position,
                baseline_after=None,
                baseline_seen=database_time(self.conn),
                fingerprint=head.fingerprint,
                first_window=min(state.first_window or first, first),
                recent_positions=listed,
            )

    def _listed_before(self, position: int) -> list[int]:
        """Return the positions that the feed lists up to `position`: the full read that follows covers them."""
        listed: list[int] = []
        if self.landing.feed != "versions":
            return listed
        for page in each_read(self.source.changes(max(position + 1 - self.landing.overlap, 0))):
            listed += [change.position for change in page.changes if change.position <= position]
            if page.next_position > position:
                break
        return listed

    def _end_baseline(self, begun: SyncState) -> None:
        landing, position = self.landing, begun.baseline_from or 0
        missing = 0
        if self._by_time:
            self._ask_for_unlisted(begun)
        with self.conn.transaction():
            state = lock_state(self.conn, landing.sync)
            if state.baseline_seen is None or state.baseline_seen != begun.baseline_seen:
                return  # another run finished the same full read, or began another
            if not self._by_time:
                missing = rows.land_missing(
                    self.conn,
                    sync=landing.sync,
                    source_system=landing.source_system,
                    run_id=self.run_id,
                    position=position,
                    partition_key=window_key(position, landing.window_size),
                    not_seen_since=state.baseline_seen,
                )
            change_state(
                self.conn,
                state,
                last_position=position if self._by_time else position + 1,  # a second may not be over yet
                baseline_from=None,
                baseline_after=None,
                baseline_seen=None,
            )
        self.counts.deleted += missing
        self._report(missing)

    def _ask_for_unlisted(self, begun: SyncState) -> None:
        """Ask by key for the records that a full read by time has not met; those that are gone become deletes.

        A list that is paged by number skips a record when an earlier one goes.
        """
        if begun.baseline_seen is not None:
            unlisted = keys_not_seen(self.conn, self.landing.sync, begun.baseline_seen)
            self.fetch_again([Change(key, "update", 0) for key in unlisted])

    def _land_changes(self, state: SyncState, until: int | None) -> None:
        cursor = state.last_position or 0
        known = set(state.recent_positions)  # times may be shared, so they are no sign of what was landed
        for chunk in self._chunks(max(cursor - self.landing.overlap, 0), until, known):
            self._land_chunk(chunk, cursor)

    def _chunks(self, start: int, until: int | None, known: set[int]) -> Iterator[Chunk]:
        """Gather pages into chunks of bounded size; positions landed before are passed over."""
        chunk = Chunk(start)
        for page in each_read(self.source.changes(start)):
            if self.landing.feed == "versions":
                refuse_rewound(read_state(self.conn, self.landing.sync), page.newest)
            for change in page.changes:
                if change.position not in known and (until is None or change.position < until):
                    chunk.add(change)
            chunk.end = page.next_position if until is None else min(page.next_position, until)
            if chunk.notices >= self.landing.chunk:
                yield chunk
                chunk = Chunk(chunk.end)
            if until is not None and page.next_position >= until:
                break
        yield chunk

    def _land_chunk(self, chunk: Chunk, cursor: int) -> None:
        """Fetch and land a chunk; the cursor moves in the transaction of its last rows."""
        self.counts.changes += chunk.notices
        changes = self._newest_wins(self._whole_records(chunk), cursor)
        batches = list(_batched(changes, self.landing.fetch_batch)) or [[]]
        # What is stored waits for PostgreSQL; meanwhile the next is fetched and rendered.
        with one_ahead(map(self._stager.changes, batches)) as staged:
            for batch, one in zip(batches, staged, strict=True):
                with self.conn.transaction():
                    landed = self._store(one) if one.records else 0
                    if batch is batches[-1]:
                        self._move_cursor(chunk)
                self._report(landed)

    def _whole_records(self, chunk: Chunk) -> list[Change]:
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

    def _move_cursor(self, chunk: Chunk) -> None:
        state = lock_state(self.conn, self.landing.sync)
        if state.last_position is None:
            return  # a full read was ordered meanwhile, and that order stands
        cursor = max(state.last_position, chunk.end)
        seen = () if self._by_time else (*state.recent_positions, *chunk.positions)
        kept = {p for p in seen if p >= cursor - self.landing.overlap}
        change_state(self.conn, state, last_position=cursor, recent_positions=sorted(kept))

    def sweep(self, until: int | None = None) -> LandCounts:
        """Land one page after the other from the cursor on, every record to be looked at anew.

        The page that crosses `until` is landed whole and is the last.
        """
        sync = self.landing.sync
        cursor = read_state(self.conn, sync).last_position or 0
        for page in each_read(self.source.changes(cursor)):
            # A page's nodes may share its last position, which moves when a node joins or leaves: no row may go back.
            changes = self._newest_wins(list(page.changes), page.next_position)
            staged = self._stager.changes(changes)
            with self.conn.transaction():
                landed = self._store(staged, force=True) if staged.records else 0
                state = lock_state(self.conn, sync)
                reached = page.next_position if page.more else max(page.next_position, (state.pass_end or 0) + 1)
                change_state(self.conn, state, last_position=reached)
            self.counts.changes += len(page.changes)
            self._report(landed)
            if until is not None and page.next_position >= until:
                break
        return self.counts

    def read_again(self, window: Window) -> LandCounts:
        """Read a window behind the cursor whole: its records are fetched and written again, changed or not."""
        landing = self.landing
        if landing.feed != "sweep":
            head = head_of(self.source, self.conn, landing.sync)
            refuse_foreign_history(read_state(self.conn, landing.sync), head, by_time=self._by_time)
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
            staged = self._stager.changes(mine, always=True)
            with self.conn.transaction():
                landed = self._store(staged, force=True)
            self._report(landed)

    def refresh(self, keys: Sequence[str]) -> None:
        """Fetch these known records now and land what has changed of them, at the place that they have."""
        for batch in _batched([Change(key, "update", 0) for key in keys], self.landing.fetch_batch):
            places = rows.places(self.conn, self.landing.sync, [change.key for change in batch])
            known = [_placed(change, places[change.key]) for change in batch if change.key in places]
            staged = self._stager.changes(known)
            with self.conn.transaction():
                landed = self._store(staged)
            self._report(landed)

    def land_changes(self, changes: Sequence[Change]) -> None:
        """Land changes that did not come by the feed; the cursor stays."""
        for batch in _batched(changes, self.landing.fetch_batch):
            staged = self._stager.changes(batch)
            with self.conn.transaction():
                landed = self._store(staged)
            self._report(landed)

    def settle_missing(self, keys: Sequence[str]) -> int:
        """Ask for these known records, land a delete for each that is not there; returns how many."""
        places = rows.places(self.conn, self.landing.sync, keys)
        known = [Change(key, "update", places[key][0]) for key in keys if key in places]
        deleted_before = self.counts.deleted
        self.land_changes(known)
        return self.counts.deleted - deleted_before

    @property
    def _by_time(self) -> bool:
        return self.landing.feed == "times"

    @property
    def _stager(self) -> Stager:
        if self._stager_of_run is None:
            first = read_state(self.conn, self.landing.sync).first_window or ""
            self._stager_of_run = Stager(self.source, self.landing, first)
        return self._stager_of_run

    @span("land")
    def _store(self, staged: Staged, *, force: bool = False) -> int:
        landed = rows.land(
            self.conn,
            sync=self.landing.sync,
            source_system=self.landing.source_system,
            run_id=self.run_id,
            records=staged.records,
            force=force,
        )
        self.counts.fetched += staged.fetched
        self.counts.deleted += staged.deleted
        return landed

    def _report(self, landed: int) -> None:
        self.counts.landed += landed
        if landed:
            self.observer.progress("landed", landed)


def order_full_read(conn: Connection[Any], sync: str) -> None:
    """Forget the cursor, and an unfinished full read if there is one: the next read begins with everything."""
    with conn.transaction():
        state = lock_state(conn, sync)
        change_state(conn, state, last_position=None, baseline_from=None, baseline_after=None, baseline_seen=None)


def _placed(change: Change, place: tuple[int, str] | None) -> Change:
    position = change.position if place is None else place[0]
    return replace(change, position=position)


def _batched(changes: Sequence[Change], size: int) -> Iterator[list[Change]]:
    iterator = iter(changes)
    while batch := list(islice(iterator, size)):
        yield batch
