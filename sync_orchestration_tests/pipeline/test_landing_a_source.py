"""Read and land: whatever interrupts, delays or disturbs a read, the table ends up with what the source holds."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.rows import dict_row

from sync_orchestration.interface import rows
from sync_orchestration.interface.database import connect
from sync_orchestration.interface.rows import Scope, Settlement, hire_worker
from sync_orchestration.interface.state import read_state
from sync_orchestration.pipeline.errors import FeedResetError, TrackingOffError, UnavailableError
from sync_orchestration.pipeline.land import Reader, order_full_read
from sync_orchestration.pipeline.landing import Landing
from sync_orchestration.pipeline.windows import window_at
from sync_orchestration_tests.pipeline.conftest import Conn, new_sync
from sync_orchestration_tests.pipeline.toys import KilledError, Notes, ToySource, at_request, fails, nothing

OVERLAP = 12
WINDOW = 5


@dataclass
class Sync:
    """A sync of a toy source, read by as many readers as the test likes."""

    db: Conn
    source: ToySource = field(default_factory=ToySource)
    name: str = field(default_factory=new_sync)

    def reader(self, **landing: Any) -> Reader:
        settings = {"window_size": WINDOW, "overlap": OVERLAP, "fetch_batch": 2, "chunk": 4, **landing}
        return Reader(self.db, self.source, Landing(self.name, "toy", "thing", **settings), "run", Notes())

    def read(self, until: int | None = None, **landing: Any) -> Reader:
        reader = self.reader(**landing)
        reader.bring_up_to_date(until)
        return reader

    @property
    def cursor(self) -> int | None:
        return read_state(self.db, self.name).last_position

    def rows(self) -> dict[str, dict[str, Any]]:
        with self.db.cursor(row_factory=dict_row) as cur:
            found = cur.execute("SELECT * FROM sync.interface_row WHERE sync = %s", [self.name]).fetchall()
        return {row["record_key"]: row for row in found}

    def landed(self) -> dict[str, Any]:
        """What the table says the source holds."""
        return {key: row["payload"] for key, row in self.rows().items() if row["operation"] != "delete"}

    def settle_everything(self) -> None:
        """Write all that is pending to a target that always agrees."""
        worker = hire_worker(self.db, "run")
        claimed = rows.claim(worker, self.name, Scope(), 1_000)
        with self.db.transaction():
            done = [Settlement(row, "processed", row.record_key) for row in claimed]
            rows.settle(worker, sync=self.name, target_system="toy", settlements=done)

    def pending(self) -> set[str]:
        return {key for key, row in self.rows().items() if row["status"] == "pending"}


@pytest.fixture
def sync(db: Conn) -> Sync:
    return Sync(db)


def fill(source: ToySource, count: int) -> None:
    for n in range(count):
        source.put(f"k{n:02}", name=f"name {n}")


def test_the_first_read_takes_everything_and_ends_behind_the_newest_position(sync: Sync) -> None:
    fill(sync.source, 7)
    reader = sync.read()
    assert sync.landed() == sync.source.records
    assert sync.cursor == sync.source.newest + 1
    assert {row["partition_key"] for row in sync.rows().values()} == {window_at(sync.source.newest, WINDOW).key}
    assert (reader.counts.fetched, reader.counts.landed, reader.counts.deleted) == (7, 7, 0)


def test_an_empty_source_is_read_and_its_first_record_comes_by_the_feed(sync: Sync) -> None:
    sync.read()
    assert (sync.rows(), sync.cursor) == ({}, 1)
    sync.source.put("a", name="A")
    sync.read()
    assert sync.landed() == sync.source.records


@pytest.mark.parametrize("killed", [False, True], ids=["a fault", "a kill"])
@pytest.mark.parametrize("request_number", range(1, 10))
def test_a_full_read_interrupted_at_any_request_goes_on_where_it_was(
    sync: Sync, request_number: int, killed: bool
) -> None:
    fill(sync.source, 11)
    error: BaseException = KilledError() if killed else UnavailableError("down")
    sync.source.before = at_request(request_number, fails(error))
    try:
        sync.read()
    except (KilledError, UnavailableError):
        landed = len(sync.landed())
        assert sync.cursor is None
        sync.source.requests.clear()
        sync.source.before = lambda number, what: None
        sync.read()
        # Pages that were landed are not asked for again; one more request says that there is no more.
        assert sync.source.requests.count("list") == -(-(11 - landed) // sync.source.page) + 1
    assert sync.landed() == sync.source.records
    assert sync.cursor == sync.source.newest + 1


@pytest.mark.parametrize("request_number", range(1, 9))
def test_what_changes_during_the_first_read_is_read_from_the_feed(sync: Sync, request_number: int) -> None:
    fill(sync.source, 9)

    def meanwhile() -> None:
        sync.source.put("k00", name="changed when its page was past")
        sync.source.drop("k01")
        sync.source.put("k08", name="changed before its page")
        sync.source.drop("k07")
        sync.source.put("a0", name="new, before all others")
        sync.source.put("z0", name="new, behind all others")

    sync.source.before = at_request(request_number, meanwhile)
    sync.read()
    sync.read()
    assert sync.landed() == sync.source.records


def test_a_long_outage_in_a_full_read_loses_none_of_the_changes_made_meanwhile(sync: Sync) -> None:
    fill(sync.source, 7)
    sync.source.before = at_request(7, fails(UnavailableError("down")))
    with pytest.raises(UnavailableError):
        sync.read()
    sync.source.put("k00", name="changed when its page was past")
    for n in range(2 * OVERLAP):
        sync.source.put("k02", name=f"changed again and again {n}")
    sync.read()
    sync.read()
    assert sync.landed() == sync.source.records


def test_a_full_read_that_begins_anew_is_not_resumed_on_another_history(sync: Sync) -> None:
    fill(sync.source, 7)
    sync.source.before = at_request(7, fails(UnavailableError("down")))
    with pytest.raises(UnavailableError):
        sync.read()
    assert 0 < len(sync.landed()) < 7
    sync.source.fingerprint = "another company"
    for key in sync.source.records:
        sync.source.records[key] = {"id": key, "name": "of the other company"}
    sync.source.before = lambda number, what: None
    sync.read()
    assert sync.landed() == sync.source.records


def test_ten_changes_of_one_record_are_one_row_and_one_fetch(sync: Sync) -> None:
    sync.read()
    for n in range(10):
        sync.source.put("a", name=f"name {n}")
    sync.source.requests.clear()
    reader = sync.read(chunk=100)
    assert sync.landed() == {"a": {"id": "a", "children": [], "name": "name 9"}}
    assert (reader.counts.changes, reader.counts.landed, sync.source.requests.count("fetch")) == (10, 1, 1)
    assert sync.rows()["a"]["position"] == sync.source.newest


def test_nothing_new_costs_no_fetch_and_no_row(sync: Sync) -> None:
    fill(sync.source, 5)
    sync.read()
    sync.source.put("k01", name="changed")
    sync.read()
    before, sync.source.requests = sync.rows(), []
    for _ in range(3):
        reader = sync.read()
        assert (sync.rows(), reader.counts.landed, reader.counts.changes) == (before, 0, 0)
    assert "fetch" not in sync.source.requests


def test_of_the_positions_behind_the_cursor_only_those_within_the_overlap_are_remembered(sync: Sync) -> None:
    sync.read()
    for _ in range(3):
        fill(sync.source, 9)
        sync.read()
    assert read_state(sync.db, sync.name).recent_positions == list(range(28 - OVERLAP, 28))


def test_a_record_that_is_gone_before_it_could_be_fetched_is_a_delete(sync: Sync) -> None:
    fill(sync.source, 3)
    sync.read()
    sync.source.put("k01", name="changed")

    def gone() -> None:
        del sync.source.records["k01"]

    sync.source.before = lambda number, what: gone() if what == "fetch" else None
    reader = sync.read()
    assert sync.rows()["k01"]["operation"] == "delete"
    assert reader.counts.deleted == 1


def test_a_record_created_and_deleted_between_two_reads_leaves_no_row(sync: Sync) -> None:
    sync.read()
    sync.source.put("a", name="A")
    sync.source.drop("a")
    sync.read()
    assert sync.rows() == {}
    assert sync.cursor == sync.source.newest + 1


def test_a_lower_position_that_shows_late_is_landed_although_nothing_follows_it(sync: Sync) -> None:
    fill(sync.source, 3)
    sync.read()
    late = sync.source.reserve()
    sync.source.put("k01", name="in time")
    sync.read()
    sync.source.put("k00", at=late, name="late")
    assert sync.source.newest == sync.source.position
    sync.read()
    assert sync.landed() == sync.source.records


def test_a_late_change_of_a_record_that_has_moved_on_is_landed_at_its_place(sync: Sync) -> None:
    """Not a fault of order: what is fetched at the late notice is newer than what its row holds."""
    fill(sync.source, 2)
    sync.read()
    late = sync.source.reserve()
    sync.source.put("k00", name="in time")
    sync.read()
    place = sync.rows()["k00"]["position"]
    sync.source.put("k00", at=late, name="late")
    sync.read()
    assert sync.landed() == sync.source.records
    assert sync.rows()["k00"]["position"] == place


def test_a_late_delete_of_a_record_that_has_moved_on_is_a_delete(sync: Sync) -> None:
    fill(sync.source, 2)
    sync.read()
    late = sync.source.reserve()
    sync.source.put("k00", name="in time")
    sync.read()
    sync.source.drop("k00", at=late)
    sync.read()
    assert sync.landed() == sync.source.records


def test_a_change_that_became_visible_only_during_the_first_read_is_landed(sync: Sync) -> None:
    late = sync.source.reserve()
    fill(sync.source, 7)
    sync.source.before = at_request(6, lambda: sync.source.put("a0", at=late, name="its page was past"))
    sync.read()
    assert "a0" not in sync.landed()
    sync.read()
    assert sync.landed() == sync.source.records


def test_a_deleted_child_fetches_its_parent_again(sync: Sync) -> None:
    fill(sync.source, 3)
    sync.read()
    sync.source.add_child("k01", "c1")
    sync.source.add_child("k01", "c2")
    sync.read()
    assert sync.landed()["k01"]["children"] == [{"id": "c1"}, {"id": "c2"}]
    sync.source.drop_child("k01", "c1")
    sync.read()
    assert sync.landed() == sync.source.records


def test_a_child_deleted_with_its_parent_brings_nothing_back(sync: Sync) -> None:
    fill(sync.source, 2)
    sync.source.add_child("k01", "c1")
    sync.read()
    sync.source.drop_child("k01", "c1")
    sync.source.drop("k01")
    sync.read()
    assert sync.landed() == sync.source.records


def test_a_source_restored_from_a_backup_is_refused_until_it_is_read_whole(sync: Sync) -> None:
    fill(sync.source, 9)
    sync.read()
    before = sync.rows()
    sync.source.rewind(4)
    for key in ("k05", "k06"):
        del sync.source.records[key]
    sync.source.records["k02"]["name"] = "as in the backup"
    with pytest.raises(FeedResetError, match=r"newest version is 4, but versions up to 9 .* full reconciliation"):
        sync.read()
    assert (sync.rows(), sync.cursor) == (before, 10)

    order_full_read(sync.db, sync.name)
    sync.read()
    assert sync.landed() == sync.source.records
    sync.source.put("k08", name="a position that was used before")
    sync.read()
    assert sync.landed() == sync.source.records


def test_a_feed_that_is_rewound_while_it_is_read_is_refused(sync: Sync) -> None:
    fill(sync.source, 9)
    sync.read()
    sync.source.before = at_request(len(sync.source.requests) + 2, lambda: sync.source.rewind(4))
    with pytest.raises(FeedResetError):
        sync.read()


def test_a_source_of_another_fingerprint_is_refused_until_it_is_read_whole(sync: Sync) -> None:
    fill(sync.source, 3)
    sync.read()
    sync.source.fingerprint = "another"
    with pytest.raises(FeedResetError, match="another one than that of the cursor"):
        sync.read()
    order_full_read(sync.db, sync.name)
    sync.read()
    assert sync.landed() == sync.source.records


def test_what_changed_while_tracking_was_off_is_found_by_a_full_read_and_not_passed_over(sync: Sync) -> None:
    fill(sync.source, 3)
    sync.read()
    sync.source.tracking = False
    with pytest.raises(TrackingOffError):
        sync.read()
    sync.source.records["k01"]["name"] = "changed unseen"
    sync.source.tracking = True
    with pytest.raises(FeedResetError, match="tracking was off"):
        sync.read()
    order_full_read(sync.db, sync.name)
    sync.read()
    assert sync.landed() == sync.source.records


def test_records_missing_in_a_full_read_become_deletes(sync: Sync) -> None:
    fill(sync.source, 8)
    sync.read()
    del sync.source.records["k03"], sync.source.records["k07"]
    order_full_read(sync.db, sync.name)
    reader = sync.read()
    assert sync.landed() == sync.source.records
    assert (reader.counts.deleted, sync.rows()["k03"]["operation"]) == (2, "delete")


@pytest.mark.parametrize("request_number", range(1, 8))
def test_records_missing_in_an_interrupted_full_read_become_deletes_when_it_has_ended(
    sync: Sync, request_number: int
) -> None:
    fill(sync.source, 8)
    sync.read()
    del sync.source.records["k03"], sync.source.records["k07"]
    order_full_read(sync.db, sync.name)
    number = len(sync.source.requests) + request_number
    sync.source.before = at_request(number, fails(UnavailableError("down")))
    try:
        sync.read()
    except UnavailableError:
        assert "k03" in sync.landed()
        sync.read()
    assert sync.landed() == sync.source.records


def test_a_full_read_writes_every_record_again_so_that_the_target_is_healed(sync: Sync) -> None:
    fill(sync.source, 4)
    sync.read()
    sync.settle_everything()
    order_full_read(sync.db, sync.name)
    sync.read()
    assert sync.pending() == set(sync.source.records)


def at_page(source: ToySource, number: int, act: Callable[[], object]) -> None:
    """Let something happen before this page of a full read is listed, the first being 1."""

    def before(_number: int, what: str) -> None:
        if what == "list" and source.requests.count("list") == number:
            act()

    source.before = before


@pytest.mark.parametrize("page", range(1, 6))
@pytest.mark.parametrize("rival_killed_at", [None, 1, 2, 3])
def test_a_full_read_that_another_was_ordered_beside_takes_nothing_for_gone(
    sync: Sync, pipeline_url: str, page: int, rival_killed_at: int | None
) -> None:
    """The other one may have begun, or been killed, before it met what this one has landed."""
    fill(sync.source, 12)

    def another_is_ordered() -> None:
        with connect(pipeline_url) as conn, suppress(KilledError):
            order_full_read(conn, sync.name)
            rival = Sync(conn, ToySource(records=sync.source.records, feed=sync.source.feed), sync.name)
            if rival_killed_at is not None:
                at_page(rival.source, rival_killed_at, fails(KilledError()))
                rival.read()

    at_page(sync.source, page, another_is_ordered)
    sync.read()
    sync.source.before = nothing
    assert sync.landed().items() <= sync.source.records.items()
    assert all(row["operation"] != "delete" for row in sync.rows().values())
    sync.read()
    assert sync.landed() == sync.source.records
    assert sync.cursor == sync.source.newest + 1


@pytest.mark.parametrize("request_number", range(1, 5))
def test_a_full_read_that_is_ordered_while_changes_are_landed_still_comes(
    sync: Sync, pipeline_url: str, request_number: int
) -> None:
    fill(sync.source, 3)
    sync.read()
    for n in range(4):
        sync.source.put(f"n{n}", name="new")
    sync.source.records["k01"]["name"] = "changed unseen"

    def ordered() -> None:
        with connect(pipeline_url) as conn:
            order_full_read(conn, sync.name)

    sync.source.before = at_request(len(sync.source.requests) + request_number, ordered)
    sync.read()
    sync.source.before = nothing
    sync.read()
    assert sync.landed() == sync.source.records


def test_a_read_up_to_a_position_leaves_the_rest_to_the_next(sync: Sync) -> None:
    fill(sync.source, 3)
    sync.read()
    for n in range(6):
        sync.source.put(f"n{n}", name="new")
    sync.read(until=7)
    assert sync.cursor == 7
    assert sorted(sync.landed()) == ["k00", "k01", "k02", "n0", "n1", "n2"]
    sync.read()
    assert sync.landed() == sync.source.records


def test_reading_a_window_again_writes_its_records_again_and_no_others(sync: Sync) -> None:
    sync.read()
    for n in range(12):
        sync.source.put(f"k{n:02}", name="first")
    sync.source.put("k07", name="moved on to a later window")
    sync.read()
    sync.settle_everything()
    sync.source.records["k06"]["name"] = "changed by a hand in the database"
    window = window_at(7, WINDOW)
    in_window = {key for key, row in sync.rows().items() if row["position"] in window}
    sync.reader().read_again(window)
    assert sync.pending() == in_window == {"k04", "k05", "k06", "k08"}
    assert sync.landed() == sync.source.records
    assert {row["position"] in window for key, row in sync.rows().items() if key in in_window} == {True}


def test_reading_a_window_again_finds_what_was_lost_from_the_table_and_what_is_gone_from_the_source(
    sync: Sync,
) -> None:
    sync.read()
    for n in range(7):
        sync.source.put(f"k{n:02}", name="first")
    sync.read()
    sync.settle_everything()
    sync.db.execute("DELETE FROM sync.interface_row WHERE sync = %s AND record_key = 'k00'", [sync.name])
    del sync.source.records["k01"]
    sync.reader().read_again(window_at(1, WINDOW))
    assert sync.landed() == sync.source.records


def test_reading_a_window_again_twice_gives_the_same_end(sync: Sync) -> None:
    sync.read()
    for n in range(7):
        sync.source.put(f"k{n:02}", name="first")
    sync.source.drop("k03")
    sync.read()
    ends = []
    for _ in range(2):
        for start in (0, WINDOW):
            sync.reader().read_again(window_at(start, WINDOW))
        sync.settle_everything()
        ends.append({key: (row["position"], row["payload"], row["status"]) for key, row in sync.rows().items()})
    assert ends[0] == ends[1]
    assert sync.cursor == sync.source.newest + 1


def test_chosen_records_are_fetched_at_once_and_a_later_change_of_them_still_counts(sync: Sync) -> None:
    fill(sync.source, 3)
    sync.read()
    sync.settle_everything()
    place = sync.rows()["k01"]["position"]
    sync.reader().refresh(["k00", "k01", "unknown"])
    assert sync.pending() == set()
    sync.source.put("k01", name="changed")
    sync.reader().refresh(["k01"])
    assert (sync.pending(), sync.rows()["k01"]["position"]) == ({"k01"}, place)
    sync.read()
    assert sync.landed() == sync.source.records


def test_sensitive_fields_of_a_record_are_not_stored(sync: Sync) -> None:
    sync.source.put("a", name="A", password="hunter2", nested={"api_key": "k", "kept": 1})
    sync.read()
    assert sync.landed()["a"] == {"id": "a", "children": [], "name": "A", "nested": {"kept": 1}}


# Any history, read with faults at any request

_KEYS = st.sampled_from(["a", "b", "c", "d"])
_ACTIONS = st.one_of(
    st.tuples(st.just("put"), _KEYS, st.integers(0, 3)),
    st.tuples(st.just("drop"), _KEYS, st.just(0)),
    st.tuples(st.just("add_child"), _KEYS, st.integers(0, 2)),
    st.tuples(st.just("drop_child"), _KEYS, st.integers(0, 2)),
    st.tuples(st.just("open"), _KEYS, st.integers(0, 3)),
    st.tuples(st.just("commit"), _KEYS, st.just(0)),
)
Action = tuple[str, str, int]


@dataclass
class History:
    """People at work in a toy source, some in transactions that commit late (but within the overlap)."""

    source: ToySource
    open: dict[str, tuple[int, int]] = field(default_factory=dict)

    def act(self, action: Action) -> None:
        what, key, number = action
        for other in [k for k, (at, _) in self.open.items() if self.source.position - at >= OVERLAP - 6]:
            self._commit(other)
        if what == "commit":
            if key in self.open:
                self._commit(key)
        elif key in self.open:
            pass  # its row is locked by the open transaction
        elif what == "open":
            self.open[key] = (self.source.reserve(), number)
        else:
            self._at_once(what, key, f"c{key}{number}", number)

    def _at_once(self, what: str, key: str, child: str, number: int) -> None:
        source = self.source
        children = [one["id"] for one in source.records.get(key, {}).get("children", [])]
        if what == "put":
            source.put(key, name=number)
        elif key not in source.records:
            pass
        elif what == "drop":
            for one in children:
                source.drop_child(key, one)
            source.drop(key)
        elif what == "add_child" and child not in children:
            source.add_child(key, child)
        elif what == "drop_child" and child in children:
            source.drop_child(key, child)

    def _commit(self, key: str) -> None:
        at, number = self.open.pop(key)
        if number == 0 and key in self.source.records and not self.source.records[key]["children"]:
            self.source.drop(key, at=at)
        else:
            self.source.put(key, at=at, name=f"late {number}")

    def commit_all(self) -> None:
        for key in list(self.open):
            self._commit(key)


@dataclass(frozen=True)
class Read:
    """One read: what happens before which of its requests, and at which it fails."""

    meanwhile: dict[int, list[Action]]
    fails_at: int | None
    killed: bool
    until: int | None
    ordered: bool


_READS = st.builds(
    Read,
    meanwhile=st.dictionaries(st.integers(1, 8), st.lists(_ACTIONS, min_size=1, max_size=3), max_size=3),
    fails_at=st.none() | st.integers(1, 9),
    killed=st.booleans(),
    until=st.none() | st.none() | st.integers(1, 8),
    ordered=st.sampled_from([False, False, False, False, True]),
)


@given(story=st.lists(st.lists(_ACTIONS, max_size=6) | _READS, max_size=12))
def test_the_cursor_never_passes_an_unlanded_change_whatever_fails_whenever(
    db: Conn, story: list[list[Action] | Read]
) -> None:
    sync = Sync(db, ToySource(page=2))
    history = History(sync.source)
    for step in story:
        if isinstance(step, Read):
            quiet = read_with_faults(sync, history, step)
            check_nothing_is_passed_over(sync, quiet)
        else:
            for action in step:
                history.act(action)
    history.commit_all()
    sync.source.before = lambda number, what: None
    sync.read()
    sync.read()  # the first may have been a full read, and changes that were made meanwhile follow it
    assert sync.landed() == sync.source.records


def read_with_faults(sync: Sync, history: History, read: Read) -> bool:
    """Read as told; returns whether nobody changed anything in the source meanwhile."""
    begun = len(sync.source.requests)
    changed = []

    def before(number: int, what: str) -> None:
        for action in read.meanwhile.get(number - begun, []):
            history.act(action)
            changed.append(action)
        if number - begun == read.fails_at:
            raise KilledError if read.killed else UnavailableError("down")

    sync.source.before = before
    if read.ordered:
        order_full_read(sync.db, sync.name)
    until = None if read.until is None or sync.cursor is None else sync.cursor + read.until
    with suppress(KilledError, UnavailableError):
        sync.read(until)
    return not changed


def check_nothing_is_passed_over(sync: Sync, quiet: bool) -> None:
    """Every record whose visible changes all lie behind the cursor and were visible at the read is as it is."""
    cursor = sync.cursor
    if cursor is None or not quiet:
        return
    seen = set(read_state(sync.db, sync.name).recent_positions)
    behind = {p for p in sync.source.feed if p < cursor}
    unread = {change.key for p, change in sync.source.feed.items() if p >= cursor or (p in behind and p not in seen)}
    unread |= {
        key
        for key, record in sync.landed().items()
        for p, change in sync.source.feed.items()
        if change.part is not None and p not in seen and change.part["children"][0] in record["children"]
    }
    old_enough = {p for p in behind if p >= cursor - OVERLAP}
    settled = {sync.source.feed[p].key for p in old_enough & seen} - unread - {""}
    landed = sync.landed()
    for key in settled:
        assert landed.get(key) == sync.source.records.get(key), f"{key} was passed over"
