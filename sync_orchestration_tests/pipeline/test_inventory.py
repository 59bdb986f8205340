"""An inventory finds what no feed tells, deletes and late changes, and deletes nothing that it has not asked for."""

from collections.abc import Callable
from contextlib import suppress

import psycopg
import pytest

from sync_orchestration.interface.database import connect
from sync_orchestration.pipeline.errors import UnavailableError
from sync_orchestration.pipeline.inventory import InventoryCounts, take_inventory
from sync_orchestration.pipeline.land import Reader
from sync_orchestration.pipeline.windows import DAY
from sync_orchestration_tests.pipeline.conftest import Conn
from sync_orchestration_tests.pipeline.timed_toys import NOON, OVERLAP, TimedSync
from sync_orchestration_tests.pipeline.toys import KilledError, Notes, ToySource

COUNTED = 7


@pytest.fixture
def sync(db: Conn) -> TimedSync:
    """A sync that has read and written seven records; each is a second younger than the one before."""
    made = TimedSync(db)
    for n in range(COUNTED):
        made.source.put(f"k{n}", at=NOON - DAY + n, name=f"name {n}")
    made.read()
    made.settle_everything()
    made.source.requests.clear()
    return made


def test_where_nothing_differs_the_records_are_counted_and_none_is_fetched(sync: TimedSync) -> None:
    assert sync.count() == InventoryCounts(counted=COUNTED)
    assert set(sync.source.requests) == {"count"}
    assert (sync.pending(), sync.notes.warnings) == (set(), [])


def test_a_deleted_record_is_asked_for_and_then_deleted(sync: TimedSync) -> None:
    sync.source.drop("k2")
    sync.source.drop("k3")
    assert sync.count() == InventoryCounts(counted=5, gone=2)
    assert sync.source.requests.count("fetch") == 1
    assert sync.landed() == sync.source.records
    assert sync.pending() == {"k2", "k3"}
    sync.settle_everything()
    assert sync.count() == InventoryCounts(counted=5), "and they are deleted once"


def test_a_record_that_the_list_left_out_but_that_is_there_is_not_deleted(sync: TimedSync) -> None:
    """A list that is paged by number skips a record when an earlier one goes."""
    sync.source.unlisted = {"k2", "k4"}
    sync.source.drop("k5")
    assert sync.count() == InventoryCounts(counted=4, gone=1)
    assert sync.landed() == sync.source.records
    assert sync.pending() == {"k5"}


def test_a_record_that_the_list_left_out_is_landed_as_it_is_now(sync: TimedSync) -> None:
    sync.source.unlisted = {"k2"}
    sync.source.put("k2", at=NOON - DAY, name="changed without telling")
    sync.count()
    assert sync.landed()["k2"]["name"] == "changed without telling"


@pytest.mark.parametrize("killed", [False, True], ids=["a fault", "a kill"])
@pytest.mark.parametrize("request_number", range(1, 4))
def test_an_inventory_that_is_interrupted_on_its_way_deletes_nothing(
    sync: TimedSync, request_number: int, killed: bool
) -> None:
    sync.source.drop("k0")
    error: BaseException = KilledError() if killed else UnavailableError("down")

    def fails(number: int, what: str) -> None:
        if what == "count" and sync.source.requests.count("count") == request_number:
            raise error

    sync.source.before = fails
    with pytest.raises(type(error)):
        sync.count()
    assert sorted(sync.landed()) == [f"k{n}" for n in range(COUNTED)]
    sync.source.before = lambda number, what: None
    assert sync.count().gone == 1
    assert sync.landed() == sync.source.records


def test_an_inventory_whose_question_about_missing_records_fails_deletes_nothing(sync: TimedSync) -> None:
    sync.source.drop("k0")

    def fails(number: int, what: str) -> None:
        if what == "fetch":
            raise UnavailableError("down")

    sync.source.before = fails
    with pytest.raises(UnavailableError):
        sync.count()
    assert len(sync.landed()) == COUNTED


def test_an_inventory_that_loses_its_database_session_deletes_nothing_and_can_be_taken_again(
    sync: TimedSync, pipeline_url: str
) -> None:
    sync.source.drop("k0")
    with connect(pipeline_url) as doomed:
        pid = doomed.info.backend_pid
        reader = Reader(doomed, sync.source, sync.reader().landing, "run", Notes())

        def dies(number: int, what: str) -> None:
            if what == "count" and sync.source.requests.count("count") == 2:
                sync.db.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])

        sync.source.before = dies
        with pytest.raises(psycopg.OperationalError):
            take_inventory(reader)
    assert len(sync.landed()) == COUNTED
    sync.source.before = lambda number, what: None
    assert sync.count().gone == 1


def test_a_second_inventory_in_one_session_starts_with_an_empty_list(sync: TimedSync) -> None:
    sync.source.before = lambda number, what: kill() if number == 2 else None
    with pytest.raises(KilledError):
        sync.count()
    sync.source.before = lambda number, what: None
    sync.source.drop("k0")  # it was met by the first one
    assert sync.count().gone == 1


def kill() -> None:
    raise KilledError


def test_a_change_that_showed_later_than_the_overlap_reaches_is_found(sync: TimedSync) -> None:
    began = sync.source.now
    sync.source.wait(10 * OVERLAP)
    sync.source.put("k1", name="short")
    sync.read()
    sync.source.put("k0", at=began, name="of a very long transaction")
    sync.source.put("new", at=began, name="of a very long transaction")
    sync.read()
    assert sync.landed() != sync.source.records, "the feed does not reach so far back"
    assert sync.count() == InventoryCounts(counted=8, differing=2)
    assert sync.landed() == sync.source.records


def test_an_archived_record_that_the_feed_has_told_of_is_no_news(sync: TimedSync) -> None:
    sync.source.archive("k2")
    sync.read()
    sync.settle_everything()
    assert sync.count() == InventoryCounts(counted=6)
    assert sync.pending() == set()


def test_the_archived_record_may_be_the_newest_without_everything_being_read_again(sync: TimedSync) -> None:
    """The others are all older than what was read; that is no sign of a restored backup."""
    sync.source.archive("k6")
    sync.read()
    for _ in range(2):
        sync.count()
        assert (sync.notes.warnings, sync.state.baseline_is_due) == ([], False)


def test_a_record_that_is_there_again_is_landed_again_where_its_delete_stands(sync: TimedSync) -> None:
    """As one that no longer matches the source's domain and then does so again, by a change of another record."""
    second = sync.source.times["k2"]
    with sync.source.backup():
        sync.source.drop("k2")
        sync.source.put("k6", name="newest")
        sync.count()
        sync.settle_everything()
    sync.source.put("k6", name="newest")
    assert sync.source.times["k2"] == second
    assert sync.count().differing >= 1
    assert sync.landed() == sync.source.records


def test_what_was_landed_while_it_was_counted_is_not_taken_for_deleted(sync: TimedSync) -> None:
    """A change may arrive behind the place that the list has come to."""

    def arrives(number: int, what: str) -> None:
        if what == "count" and number == 3:
            sync.source.put("a first key", name="new")
            sync.read()

    sync.source.before = arrives
    assert sync.count().gone == 0
    assert "fetch" not in sync.source.requests, "and not even asked for"
    assert sync.landed() == sync.source.records


def test_the_cursor_stays_where_it_is(sync: TimedSync) -> None:
    before = sync.state.last_position
    sync.source.wait(60)
    sync.source.put("new", name="new")
    sync.count()
    assert "new" in sync.landed()
    assert sync.state.last_position == before
    sync.read()
    assert sync.landed() == sync.source.records


# Restored backups


def test_a_restored_backup_is_noticed_and_everything_read_again(sync: TimedSync) -> None:
    with sync.source.backup():
        sync.source.put("k1", name="lost")
        sync.source.put("new", name="lost")
        sync.read()
        sync.settle_everything()
    sync.count()
    assert ["restored" in warning for warning in sync.notes.warnings] == [True]
    assert sync.landed() == sync.source.records, "what differs was found already"
    assert sync.state.baseline_is_due
    sync.read()
    assert sync.landed() == sync.source.records
    assert {key: row["position"] for key, row in sync.rows().items() if key != "new"} == sync.source.times
    sync.settle_everything()
    assert sync.count() == InventoryCounts(counted=COUNTED)
    assert len(sync.notes.warnings) == 1, "and it is told once"


def test_a_source_whose_clock_is_not_its_own_is_not_suspected(sync: TimedSync) -> None:
    """A REST API's cursor is our time, not that of its newest record."""
    with sync.source.backup():
        sync.source.put("new", name="lost")
        sync.read()
    sync.count(rewinds=False)
    assert (sync.notes.warnings, sync.state.baseline_is_due) == ([], False)
    assert sync.landed() == sync.source.records


def test_a_source_that_has_lost_all_is_found_empty(sync: TimedSync) -> None:
    for key in list(sync.source.records):
        sync.source.drop(key)
    assert sync.count() == InventoryCounts(gone=COUNTED)
    assert sync.landed() == {}


# When there is nothing to count


def test_before_the_first_full_read_has_ended_nothing_is_counted(db: Conn) -> None:
    sync = TimedSync(db)
    sync.source.put("a", name="A")
    assert sync.count() == InventoryCounts()
    assert sync.source.requests == []
    sync.source.before = lambda number, what: kill() if what == "list" else None
    with suppress(KilledError):
        sync.read()
    assert sync.count() == InventoryCounts()


def test_a_source_that_cannot_be_counted_through_is_a_mistake_of_ours(db: Conn) -> None:
    sync = TimedSync(db)
    reader = Reader(db, ToySource(), sync.reader().landing, "run", Notes())
    with pytest.raises(TypeError, match="cannot be counted"):
        take_inventory(reader)


@pytest.mark.parametrize("request_number", range(1, 5))
@pytest.mark.parametrize(
    "act",
    [
        lambda s: s.put("k5", name="changed meanwhile"),
        lambda s: s.put("k00", name="new meanwhile"),
        lambda s: s.drop("k0"),
        lambda s: s.drop("k6"),
        lambda s: s.archive("k3"),
    ],
    ids=["changed", "new", "the first is deleted", "the last is deleted", "archived"],
)
def test_what_happens_while_it_is_counted_is_found_by_the_next_read_and_inventory(
    sync: TimedSync, act: Callable[..., object], request_number: int
) -> None:
    def meanwhile(number: int, what: str) -> None:
        if number == request_number:
            act(sync.source)

    sync.source.before = meanwhile
    sync.count()
    sync.source.before = lambda number, what: None
    sync.read()
    sync.count()
    assert sync.landed() == sync.source.there
