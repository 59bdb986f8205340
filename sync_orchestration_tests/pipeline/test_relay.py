"""The processed records of one sync as the source of another, in pages."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg
import pytest

from sync_orchestration.interface.rows import LandedRecord, Scope, Settlement, Status, claim, hire_worker, land, settle
from sync_orchestration.pipeline.relay import RelaySource
from sync_orchestration_tests.pipeline.conftest import Conn, new_sync

PAGE = 3


def landed(conn: Conn, sync: str, keys: Sequence[int]) -> None:
    """Land records, to be written whether they have changed or not, as a sweep does."""
    found = [LandedRecord(str(key), "partner", "create", key, "000000000000", {"id": key}, str(key)) for key in keys]
    with conn.transaction():
        land(conn, sync=sync, source_system="toy", run_id="run", records=found, force=True)


def settled(conn: Conn, sync: str, status: Status) -> None:
    """Settle what waits."""
    worker = hire_worker(conn, "run")
    code = None if status == "processed" else "refused"
    settlements = [Settlement(row, status, "1", code) for row in claim(worker, sync, Scope(), 100)]
    with conn.transaction():
        settle(worker, sync=sync, target_system="toy", settlements=settlements)


def source_after(conn: Conn, records: int, sync: str | None = None) -> RelaySource:
    """The source after so many records have been processed."""
    sync = sync or new_sync()
    landed(conn, sync, range(1, records + 1))
    settled(conn, sync, "processed")

    @contextmanager
    def session() -> Iterator[psycopg.Connection[object]]:
        yield conn

    return RelaySource(session, sync, PAGE)


@pytest.mark.parametrize("records", [0, 1, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE])
def test_every_settling_is_listed_once_and_only_a_page_that_another_follows_says_so(db: Conn, records: int) -> None:
    source = source_after(db, records)
    pages = list(source.changes(0))
    assert [change.key for page in pages for change in page.changes] == [str(key + 1) for key in range(records)]
    assert [page.more for page in pages] == [True] * (len(pages) - 1) + [False]
    assert len(pages) == max(1, -(-records // PAGE))
    # A page that is just full made the sync below run for ever, with nothing to read.
    assert not source.peek(max(0, source.head().position - PAGE + 1)).more


def test_a_record_that_waits_to_be_written_again_is_there_as_it_was_settled_last(db: Conn) -> None:
    """A sweep makes all rows pending; a read of the sync below at that moment made them deletes."""
    sync = new_sync()
    source = source_after(db, 2, sync)
    landed(db, sync, [1, 2, 3])
    keys = ["1", "2", "3"]
    assert list(source.fetch(keys)) == ["1", "2"]
    assert [change.operation for change in source.peek(0).changes] == ["update", "update"]
    assert [record.key for page in source.snapshot(None) for record in page] == ["1", "2"]
    settled(db, sync, "failed")
    assert source.fetch(keys) == {}
    landed(db, sync, [1, 2, 3])
    assert source.fetch(keys) == {}
    settled(db, sync, "processed")
    assert list(source.fetch(keys)) == keys
