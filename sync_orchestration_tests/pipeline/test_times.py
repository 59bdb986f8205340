"""Landing by times: seconds are shared, a transaction shows late, and still nothing is lost nor written twice."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_orchestration.interface.state import database_time
from sync_orchestration.pipeline.errors import FeedResetError, UnavailableError
from sync_orchestration.pipeline.land import order_full_read
from sync_orchestration.pipeline.windows import DAY, window_at
from sync_orchestration_tests.pipeline.conftest import Conn
from sync_orchestration_tests.pipeline.timed_toys import NOON, OVERLAP, TimedSource, TimedSync
from sync_orchestration_tests.pipeline.toys import KilledError, at_request, fails


@pytest.fixture
def sync(db: Conn) -> TimedSync:
    return TimedSync(db)


@pytest.fixture
def read(sync: TimedSync) -> TimedSync:
    """A sync that has read and written seven records."""
    for n in range(7):
        sync.source.put(f"k{n}", name=f"name {n}")
        sync.source.wait(1)
    sync.read()
    sync.settle_everything()
    return sync


def day(position: int) -> str:
    return datetime.fromtimestamp(position, UTC).date().isoformat()


# The first read


def test_the_first_read_takes_everything_and_each_record_stands_at_its_own_time(sync: TimedSync) -> None:
    sync.source.put("old", at=NOON - 400 * DAY, name="old")
    sync.source.put("yesterday", at=NOON - DAY, name="yesterday")
    sync.source.put("new", name="new")
    sync.read()
    assert sync.landed() == sync.source.records
    assert {key: row["position"] for key, row in sync.rows().items()} == sync.source.times
    # History before the newest day makes no partitions of its own.
    assert {row["partition_key"] for row in sync.rows().values()} == {"2026-11-22"} == {sync.state.first_window}


def test_the_first_read_of_an_empty_source_begins_its_history_today_and_not_in_1970(sync: TimedSync) -> None:
    sync.read()
    assert sync.rows() == {}
    today = database_time(sync.db).astimezone(UTC).date().isoformat()
    assert sync.state.first_window == today
    sync.source.put("first", name="first")
    sync.read()
    assert sync.landed() == sync.source.records


@pytest.mark.parametrize("killed", [False, True], ids=["a fault", "a kill"])
@pytest.mark.parametrize("request_number", range(1, 8))
def test_a_full_read_interrupted_at_any_request_goes_on_and_ends_with_everything(
    sync: TimedSync, request_number: int, killed: bool
) -> None:
    for n in range(11):
        sync.source.put(f"k{n:02}", name=f"name {n}")
    sync.source.before = at_request(request_number, fails(KilledError() if killed else UnavailableError("down")))
    with suppress(KilledError, UnavailableError):
        sync.read()
    sync.source.before = lambda number, what: None
    sync.source.put("k00", name="changed meanwhile")
    sync.source.drop("k10")
    sync.read()
    sync.read()
    # A delete tells nobody of itself: an inventory finds the one that was landed before the interruption.
    sync.count()
    assert sync.landed() == sync.source.records


# Shared seconds


@pytest.mark.parametrize("overlap", [0, OVERLAP])
def test_a_change_in_the_very_second_of_the_full_read_is_landed_by_the_next_read(db: Conn, overlap: int) -> None:
    sync = TimedSync(db, overlap=overlap)
    sync.source.put("a", name="before")
    sync.read()
    sync.source.put("a", name="after")
    sync.source.put("b", name="another of that second")
    sync.read()
    assert sync.landed() == sync.source.records


@pytest.mark.parametrize("overlap", [0, OVERLAP])
def test_a_change_in_the_very_second_of_the_newest_is_landed_by_the_next_read(db: Conn, overlap: int) -> None:
    sync = TimedSync(db, overlap=overlap)
    sync.read()
    sync.source.put("b", name="before")
    sync.read()
    sync.source.put("a", name="of the same second, with a lower key")
    sync.source.put("b", name="after")
    sync.read()
    assert sync.landed() == sync.source.records


@pytest.mark.parametrize("page", [1, 3, 50])
@pytest.mark.parametrize("chunk", [1, 4, 100])
def test_many_records_in_one_second_over_several_pages_are_all_landed(sync: TimedSync, page: int, chunk: int) -> None:
    sync.source.page = page
    sync.read()
    for n in range(20):
        sync.source.put(f"k{n:02}", name=f"name {n}")
    sync.read(chunk=chunk)
    assert sync.landed() == sync.source.records
    assert sync.state.last_position == NOON


def test_a_record_changed_twice_in_one_second_ends_as_it_was_changed_last(read: TimedSync) -> None:
    read.source.put("k3", name="first")
    read.read()
    assert read.pending() == {"k3"}
    read.settle_everything()
    read.source.put("k3", name="second")
    read.read()
    assert read.pending() == {"k3"}
    assert read.landed()["k3"]["name"] == "second"


def test_a_record_changed_and_archived_in_one_second_ends_as_gone(read: TimedSync) -> None:
    read.source.put("k3", name="first")
    read.read()
    read.settle_everything()
    read.source.archive("k3")
    read.read()
    assert (read.pending(), "k3" in read.landed()) == ({"k3"}, False)
    read.settle_everything()
    read.source.bring_back("k3")
    read.read()
    assert (read.pending(), read.landed()) == ({"k3"}, read.source.records)


# The overlap


def test_what_the_overlap_lists_again_is_not_written_again(read: TimedSync) -> None:
    reader = read.read()
    assert reader.counts.changes == 7
    assert (reader.counts.landed, reader.counts.deleted, read.pending()) == (0, 0, set())
    assert read.source.requests.count("fetch") == 0, "the feed carries what is needed"


def test_writing_the_same_value_again_moves_the_row_but_writes_nothing(read: TimedSync) -> None:
    second = read.source.put("k3", name="name 3")
    read.read()
    assert (read.rows()["k3"]["position"], read.pending()) == (second, set())


def test_an_archived_record_that_is_listed_again_is_no_news(read: TimedSync) -> None:
    read.source.archive("k3")
    read.read()
    read.settle_everything()
    reader = read.read()
    assert (reader.counts.landed, read.pending()) == (0, set())


@pytest.mark.parametrize("late", [1, OVERLAP - 1, OVERLAP])
def test_a_transaction_that_shows_late_is_found_by_reading_the_overlap_again(read: TimedSync, late: int) -> None:
    began = read.source.now
    read.source.wait(late)
    read.source.put("k0", name="of a short transaction")
    read.read()
    assert read.state.last_position == began + late
    read.source.put("k1", at=began, name="of the long one")
    read.source.put("late", at=began, name="of the long one")
    read.source.archive("k2", at=began)
    read.read()
    assert read.landed() == read.source.there
    assert read.pending() == {"k0", "k1", "k2", "late"}
    assert read.state.last_position == began + late, "the cursor does not go back"


def test_a_late_record_of_yesterday_is_found_after_midnight(read: TimedSync) -> None:
    midnight = window_at(NOON, DAY).end
    read.source.now = midnight + 5
    read.source.put("k0", name="today")
    read.read()
    read.source.put("late", at=midnight - 5, name="yesterday")
    read.read()
    assert read.landed() == read.source.records
    assert read.rows()["late"]["partition_key"] == day(NOON)
    assert read.rows()["k0"]["partition_key"] == day(midnight)


def test_what_the_feed_says_now_wins_although_its_time_lies_before_that_of_the_row(read: TimedSync) -> None:
    """As after a restored backup: the source says so now, whatever it said of a later second."""
    with read.source.backup():
        read.source.wait(5)
        read.source.put("k6", name="lost with the backup")
        read.read()
        read.settle_everything()
    read.read()
    assert (read.landed()["k6"]["name"], read.pending()) == ("name 6", {"k6"})
    read.settle_everything()
    read.read()
    assert read.pending() == set(), "and says it once"


# Windows are days


def test_a_run_up_to_the_end_of_a_day_leaves_the_next_day_to_the_next_run(read: TimedSync) -> None:
    midnight = window_at(NOON, DAY).end
    for n, position in enumerate([midnight - 2, midnight - 1, midnight, midnight + 1, midnight + DAY]):
        read.source.put(f"new {n}", at=position, name="new")
    read.read(until=midnight)
    assert (sorted(key for key in read.landed() if key.startswith("new")), read.state.last_position) == (
        ["new 0", "new 1"],
        midnight,
    )
    read.read(until=midnight + DAY)
    assert (len(read.landed()), read.state.last_position) == (11, midnight + DAY)
    read.read()
    assert read.landed() == read.source.records


def test_a_day_that_is_read_again_is_written_again_whole_and_heals_what_went_wrong(read: TimedSync) -> None:
    read.source.now += DAY
    read.source.put("k0", name="has moved on to the next day")
    read.read()
    read.settle_everything()
    read.source.drop("k1")
    read.db.execute("UPDATE sync.interface_row SET payload = '{}' WHERE sync = %s AND record_key = 'k2'", [read.name])
    read.reader().read_again(window_at(NOON, DAY))
    assert read.pending() == {"k1", "k2", "k3", "k4", "k5", "k6"}
    assert read.landed() == read.source.records


# Histories


def test_the_newest_record_may_go_but_another_database_is_refused(read: TimedSync) -> None:
    read.source.drop("k6")
    read.read()
    read.source.fingerprint = "another database"
    with pytest.raises(FeedResetError, match="full reconciliation"):
        read.read()


def test_an_ordered_full_read_looks_at_every_record_again_and_finds_what_is_gone(read: TimedSync) -> None:
    read.source.drop("k1")
    read.source.archive("k2", at=read.source.times["k2"])
    order_full_read(read.db, read.name)
    read.read()
    assert read.landed() == read.source.there
    assert read.pending() == set(read.rows())
    assert {key: read.rows()[key]["position"] for key in read.landed()} == {
        key: read.source.times[key] for key in read.source.there
    }


def test_a_full_read_asks_for_what_the_list_has_left_out_before_it_takes_it_for_gone(read: TimedSync) -> None:
    """A list that is paged by number skips a record when an earlier one goes."""
    read.source.unlisted.add("k2")
    read.source.drop("k1")
    order_full_read(read.db, read.name)
    reader = read.read()
    assert read.landed() == read.source.there
    assert "k2" in read.landed()
    assert reader.counts.deleted == 1
    assert read.pending() == set(read.rows()), "it is compared with the target as all others"


@pytest.mark.parametrize("killed", [False, True], ids=["a fault", "a kill"])
@pytest.mark.parametrize("request_number", range(1, 8))
def test_a_read_interrupted_at_any_request_loses_nothing(read: TimedSync, request_number: int, killed: bool) -> None:
    for n in range(11):
        read.source.put(f"new {n:02}", name="new")
        read.source.wait(n % 2)
    begun = len(read.source.requests)
    act = fails(KilledError() if killed else UnavailableError("down"))
    read.source.before = at_request(begun + request_number, act)
    with suppress(KilledError, UnavailableError):
        read.read()
    read.source.before = lambda number, what: None
    read.read()
    assert read.landed() == read.source.records


@pytest.mark.parametrize("request_number", range(1, 6))
def test_records_that_change_between_two_pages_are_not_lost(read: TimedSync, request_number: int) -> None:
    for n in range(11):
        read.source.put(f"new {n:02}", name="new")
        read.source.wait(n % 2)
    begun = len(read.source.requests)

    def act() -> None:
        for key in ("k0", "new 00", "new 05", "new 10"):
            read.source.put(key, name="changed meanwhile")
        read.source.drop("new 01")
        read.source.archive("new 06")

    read.source.before = at_request(begun + request_number, act)
    read.read()
    read.read()
    landed = read.landed()
    landed.pop("new 01", None)  # a delete leaves no trace in the feed; an inventory finds it
    assert landed == read.source.there


# Whatever happens


class Step(NamedTuple):
    """What happens next: to a record, to the time, or that somebody reads."""

    what: str
    key: str
    number: int


KEYS = "abcde"
STEPS = st.builds(
    Step,
    what=st.sampled_from(
        ["put", "put", "put", "begin", "commit", "archive", "bring back", "drop", "wait", "read", "read", "count"]
    ),
    key=st.sampled_from(KEYS),
    number=st.integers(0, OVERLAP // 2),
)
MEANWHILE = st.dictionaries(st.integers(1, 12), STEPS, max_size=3)


class History:
    """People at work in a source. A long transaction holds its record, as a database does, and shows at its end."""

    def __init__(self, sync: TimedSync) -> None:
        self.sync = sync
        self.source = sync.source
        self.open: dict[str, int] = {}
        self.told = 0

    def act(self, step: Step) -> None:
        source, key = self.source, step.key
        self.told += 1
        if step.what == "wait":
            # Nobody's transaction is longer than the overlap.
            source.wait(
                min(step.number, *(began + OVERLAP - source.now for began in [*self.open.values(), source.now]))
            )
        elif step.what == "commit" and key in self.open:
            source.archived.discard(key)
            source.put(key, at=self.open.pop(key), name=f"{self.told}")
        elif key in self.open:
            return
        elif step.what == "put":
            source.put(key, name=f"{self.told % 3}")
        elif step.what == "begin":
            self.open[key] = source.now
        elif key in source.records:
            self._end(step)

    def _end(self, step: Step) -> None:
        if step.what == "archive":
            self.source.archive(step.key)
        elif step.what == "bring back":
            self.source.bring_back(step.key)
        elif step.what == "drop":
            self.source.drop(step.key)

    def commit_all(self) -> None:
        for key in list(self.open):
            self.act(Step("commit", key, 0))


@given(story=st.lists(STEPS, max_size=40), meanwhile=MEANWHILE, page=st.integers(1, 4), overlap_reads=st.booleans())
def test_whatever_happens_after_the_overlap_was_read_and_an_inventory_taken_the_rows_are_the_source(
    db: Conn, story: list[Step], meanwhile: dict[int, Step], page: int, overlap_reads: bool
) -> None:
    sync = TimedSync(db, TimedSource(page=page))
    history = History(sync)

    def before(number: int, what: str) -> None:
        step = meanwhile.get(number)
        if step is not None and step.what not in ("read", "count"):
            history.act(step)

    sync.source.before = before
    for step in story:
        if step.what == "read":
            sync.read()
            sync.settle_everything()
        elif step.what == "count":
            sync.count()
        else:
            history.act(step)
    sync.source.before = lambda number, what: None
    history.commit_all()
    sync.read()
    if overlap_reads:
        # The overlap alone tells of everything but of what was deleted.
        sync.read()
        told = {key: payload for key, payload in sync.landed().items() if key in sync.source.records}
        assert told == sync.source.there
    sync.count()
    if sync.state.baseline_is_due:
        sync.read()  # the newest record is gone, so the inventory has ordered a full read
    assert sync.landed() == sync.source.there
    sync.settle_everything()
    # And nothing more is to be done: neither by the feed nor by another inventory.
    sync.read()
    assert (sync.count().differing, sync.state.baseline_is_due, sync.pending()) == (0, False, set())
