"""An Odoo of each version followed into the interface table: what people do there, early or late, arrives once."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any, NamedTuple

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync_orchestration.interface import rows
from sync_orchestration.interface.database import connect
from sync_orchestration.interface.rows import Scope, Settlement, hire_worker
from sync_orchestration.interface.state import read_state
from sync_orchestration.pipeline.errors import UnavailableError
from sync_orchestration.pipeline.inventory import InventoryCounts, take_inventory
from sync_orchestration.pipeline.land import Reader
from sync_orchestration.pipeline.landing import Landing
from sync_orchestration.pipeline.windows import DAY
from sync_orchestration_tests.databases import own_database
from sync_orchestration_tests.pipeline.toys import Notes
from sync_orchestration_tests.systems.odoo_days import OURS, PARTNER, Days, days

__all__ = ["days"]

OVERLAP = 900
_numbers = count(1)


@pytest.fixture(scope="session")
def shared_url(postgres_server: str) -> Iterator[str]:
    """The URL of a database that the tests of this module share; each has a sync of its own."""
    with own_database(postgres_server) as url:
        yield url


@dataclass
class Followed:
    """A sync of the partners of an Odoo."""

    conn: psycopg.Connection[Any]
    days: Days
    page: int = 3
    name: str = field(default_factory=lambda: f"partners_{next(_numbers)}")
    notes: Notes = field(default_factory=Notes)

    def reader(self) -> Reader:
        landing = Landing(
            self.name, "odoo", PARTNER, window_size=DAY, overlap=OVERLAP, fetch_batch=self.page, chunk=4, feed="times"
        )
        # A run opens its source anew, so that what it remembers of related records is not old.
        return Reader(
            self.conn, self.days.source("name", "country_id.code", page=self.page), landing, "run", self.notes
        )

    def read(self) -> None:
        self.reader().bring_up_to_date()

    def count(self) -> InventoryCounts:
        return take_inventory(self.reader())

    def landed(self) -> dict[str, Any]:
        found = self.conn.execute(
            "SELECT record_key, payload FROM sync.interface_row WHERE sync = %s AND operation <> 'delete'", [self.name]
        )
        return {key: (payload["name"], (payload["country_id"] or {}).get("code")) for key, payload in found}

    def in_odoo(self) -> dict[str, Any]:
        """What takes part, as people see it in Odoo."""
        database = self.days.odoo.world.db
        return {
            str(row["id"]): (row["name"], database.tables["res.country"].rows[row["country_id"]]["code"])
            if row["country_id"]
            else (row["name"], None)
            for row in database.tables[PARTNER].rows.values()
            if row["ref"] == "ours" and row["active"]
        }

    def settle_everything(self) -> list[str]:
        worker = hire_worker(self.conn, "run")
        claimed = rows.claim(worker, self.name, Scope(), 1_000)
        with self.conn.transaction():
            done = [Settlement(row, "processed", row.record_key) for row in claimed]
            rows.settle(worker, sync=self.name, target_system="toy", settlements=done)
        return sorted(row.record_key for row in claimed)

    @property
    def everything_is_due(self) -> bool:
        return read_state(self.conn, self.name).baseline_is_due


@pytest.fixture
def followed(days: Days, conn: psycopg.Connection[Any]) -> Followed:
    """A sync that has read and written five partners."""
    made = Followed(conn, days)
    for n in range(5):
        days.create(f"n{n}")
        days.wait(seconds=1)
    made.read()
    assert len(made.settle_everything()) == 5
    return made


def test_a_day_in_the_life_of_partners_arrives_change_by_change(followed: Followed, days: Days) -> None:
    first, second, third, *_ = sorted(followed.landed(), key=int)
    days.write(first, name="renamed", country_id=days.odoo.country("CZ"))
    days.write(second, active=False)
    new = days.create("new")
    days.wait(hours=3)
    followed.read()
    assert followed.landed() == followed.in_odoo()
    assert followed.settle_everything() == sorted([first, second, new])
    days.write(first, name="renamed")
    days.write(second, active=True)
    days.delete(third)
    days.write(new, ref="another's")
    followed.read()
    assert followed.settle_everything() == [second], "the same value again is no news, and a delete is not told"
    assert followed.count() == InventoryCounts(counted=4, gone=2)
    assert followed.settle_everything() == sorted([third, new])
    assert followed.landed() == followed.in_odoo()


def test_a_transaction_that_takes_ten_minutes_is_not_lost(followed: Followed, days: Days) -> None:
    key = min(followed.landed(), key=int)
    long = days.odoo.world.open_transaction()
    long.call(PARTNER, "create", [{"name": f"import {n}", "ref": "ours"} for n in range(7)])
    long.call(PARTNER, "write", [int(key)], {"name": "by the import"})
    for minutes in (5, 5):
        days.wait(minutes=minutes)
        days.create("meanwhile")
        followed.read()
        followed.settle_everything()
    long.commit()
    followed.read()
    assert followed.landed() == followed.in_odoo()
    assert len(followed.settle_everything()) == 8, "and what was landed before is not written again"


def test_one_that_takes_longer_than_the_overlap_is_found_by_the_inventory(followed: Followed, days: Days) -> None:
    long = days.odoo.world.open_transaction()
    long.call(PARTNER, "create", [{"name": "import", "ref": "ours"}])
    days.wait(seconds=2 * OVERLAP)
    days.create("meanwhile")
    followed.read()
    long.commit()
    followed.read()
    assert followed.landed() != followed.in_odoo()
    assert followed.count().differing == 1
    assert followed.landed() == followed.in_odoo()


def test_two_changes_in_one_second_around_a_read_both_arrive(followed: Followed, days: Days) -> None:
    key = min(followed.landed(), key=int)
    days.write(key, name="first")
    followed.read()
    assert followed.settle_everything() == [key]
    days.wait(microseconds=1)
    days.write(key, name="second")
    other = days.create("of the same second")
    followed.read()
    assert followed.settle_everything() == sorted([key, other])
    assert followed.landed() == followed.in_odoo()


def test_archiving_the_newest_partner_does_not_read_everything_again(followed: Followed, days: Days) -> None:
    days.wait(hours=1)
    days.write(max(followed.landed(), key=int), active=False)
    followed.read()
    followed.count()
    assert (followed.notes.warnings, followed.everything_is_due) == ([], False)


def test_a_restored_backup_is_noticed_and_ends_with_what_it_holds(followed: Followed, days: Days) -> None:
    tables = days.odoo.world.db.tables
    backup = dict(tables[PARTNER].rows)
    days.wait(hours=1)
    days.write(min(followed.landed(), key=int), name="lost with the backup")
    days.create("lost with the backup")
    followed.read()
    followed.settle_everything()
    for key in list(tables[PARTNER].rows):
        tables[PARTNER].put(key, backup.get(key))
    followed.count()
    assert "backup was restored" in followed.notes.warnings[0]
    assert followed.everything_is_due
    followed.read()
    assert followed.landed() == followed.in_odoo()
    followed.count()
    assert len(followed.notes.warnings) == 1


def test_an_odoo_that_fails_in_the_middle_of_an_inventory_loses_no_partner(
    followed: Followed, days: Days, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync_orchestration.systems.odoo.source._INVENTORY_PAGE", 2)
    days.delete(min(followed.landed(), key=int))
    reader = followed.reader()
    reader.source.head()
    days.odoo.fault("status", status=503, times=None, skip=2)
    with pytest.raises(UnavailableError):
        take_inventory(reader)
    assert len(followed.landed()) == 5
    days.odoo.world.faults.clear()
    assert followed.count().gone == 1
    assert followed.landed() == followed.in_odoo()


def test_a_model_that_is_empty_at_first_is_followed_from_its_first_record_on(
    days: Days, conn: psycopg.Connection[Any]
) -> None:
    followed = Followed(conn, days)
    followed.read()
    followed.read()
    assert followed.landed() == {}
    days.create("first")
    followed.read()
    assert followed.landed() == followed.in_odoo() != {}
    days.delete(next(iter(followed.landed())))
    followed.read()
    assert followed.count() == InventoryCounts(gone=1)
    assert followed.landed() == {}


# Whatever happens


class Step(NamedTuple):
    """What happens next; `key` chooses one of the partners that there are."""

    what: str
    key: int
    seconds: int


STEPS = st.builds(
    Step,
    what=st.sampled_from(
        ["create", "create", "change", "change", "begin", "commit", "archive", "restore", "leave", "delete", "read"]
    ),
    key=st.integers(0, 5),
    seconds=st.sampled_from([0, 0, 0, 1, 30, 400]),
)


class People:
    """People at work in an Odoo. A long transaction is shorter than the overlap and holds the partner it changes."""

    def __init__(self, days: Days) -> None:
        self.days = days
        self.numbers = count(1)
        self.held: set[str] = set()
        self.open: list[tuple[datetime, Any, str | None]] = []

    def act(self, step: Step) -> None:
        days = self.days
        days.wait(seconds=step.seconds, microseconds=1)
        oldest = min((began for began, _, _ in self.open), default=days.now)
        if days.now - oldest > timedelta(seconds=OVERLAP - 500):
            self.commit_all()
        there = sorted(str(i) for i in days.odoo.partners(["name", "like", "p"]))
        key = there[step.key % len(there)] if there else None
        if step.what == "create" or key is None:
            days.create(f"p{next(self.numbers)}")
        elif step.what == "commit":
            self.commit_all()
        elif key not in self.held:
            self._change(step.what, key)

    def _change(self, what: str, key: str) -> None:
        name = f"p{next(self.numbers)}"
        if what == "begin":
            transaction = self.days.odoo.world.open_transaction()
            transaction.call(PARTNER, "write", [int(key)], {"name": name})
            transaction.call(PARTNER, "create", [{"name": f"{name} late", "ref": "ours"}])
            self.held.add(key)
            self.open.append((self.days.now, transaction, key))
        elif what == "delete":
            self.days.delete(key)
        else:
            values: dict[str, dict[str, Any]] = {
                "change": {"name": name, "ref": "ours"},
                "archive": {"active": False},
                "restore": {"active": True},
                "leave": {"ref": "another's"},
            }
            self.days.write(key, **values.get(what, {}))

    def commit_all(self) -> None:
        for _, transaction, _ in self.open:
            transaction.commit()
        self.open.clear()
        self.held.clear()


@given(story=st.lists(STEPS, max_size=25), page=st.integers(1, 4))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_happens_after_the_overlap_was_read_and_an_inventory_taken_the_rows_are_the_partners(
    days: Days, shared_url: str, story: list[Step], page: int
) -> None:
    for old in days.odoo.partners(["name", "like", "p"], *OURS):
        days.delete(str(old))
    days.wait(seconds=10 * OVERLAP)
    people = People(days)
    with connect(shared_url) as conn:
        followed = Followed(conn, days, page=page)
        followed.read()
        for step in story:
            if step.what == "read":
                followed.read()
                followed.settle_everything()
            else:
                people.act(step)
        people.commit_all()
        followed.read()
        followed.count()
        if followed.everything_is_due:
            followed.read()  # the newest partner is gone, which looks like a restored backup
        assert followed.landed() == followed.in_odoo()
        followed.settle_everything()
        followed.read()
        assert (followed.count().differing, followed.settle_everything()) == (0, [])
