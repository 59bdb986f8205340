"""Records that name other records of their sync are written after them, in whatever order they arrive."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sync_orchestration.interface import requeue, rows
from sync_orchestration.interface.looks import relatives
from sync_orchestration.interface.rows import LandedRecord, Scope, failing_rows, hire_worker
from sync_orchestration.mapping.compile import compile_mapping
from sync_orchestration.mapping.diff import payload_hash
from sync_orchestration.pipeline.guard import DeleteGuard
from sync_orchestration.pipeline.plan import Family, Translation
from sync_orchestration.pipeline.write import WriteCounts, Writer, Writing
from sync_orchestration_tests.pipeline.conftest import Conn, new_sync
from sync_orchestration_tests.pipeline.toys import Notes, ToyTarget

MAPPING = compile_mapping({"name": "name", "parent": {"from": "parent", "reference": {"same_sync": True}}})


class House:
    """A sync of companies and their branches; each sender has keys of its own."""

    def __init__(self, db: Conn) -> None:
        self.db = db
        self.name = new_sync()
        self.target = ToyTarget()
        self.position = 0

    def land(self, *records: tuple[str, str | None], sender: str = "erp") -> None:
        landed = []
        for key, parent in records:
            self.position += 1
            payload: dict[str, Any] = {"name": f"{sender}/{key}", "parent": parent}
            landed.append(LandedRecord(key, "thing", "update", self.position, "w", payload, payload_hash(payload)))
        with self.db.transaction():
            rows.land(self.db, sync=self.name, source_system=sender, run_id="run", records=landed)

    def write(self, claim_batch: int = 1_000) -> WriteCounts:
        family = Family(lambda sender, keys: relatives(self.db, self.name, sender, keys))
        translation = Translation(MAPPING, lambda key: key, family=family)
        writing = Writing(self.name, "toys", translation, DeleteGuard(), claim_batch)
        return Writer(hire_worker(self.db, "run"), self.target, writing, Notes()).write(Scope())

    def parents(self) -> dict[str, str]:
        return {key: values["parent"] for key, values in self.target.stored.items()}


def test_a_child_that_arrives_before_its_parent_is_written_after_it(db: Conn) -> None:
    house = House(db)
    house.land(("grandchild", "child"), ("child", "parent"), ("parent", None))
    assert house.write().processed == 3
    assert house.target.written == ["parent", "child", "grandchild"]
    assert house.parents() == {"parent": "", "child": "parent", "grandchild": "child"}


def test_a_child_whose_parent_never_came_says_so_and_passes_when_it_comes(db: Conn) -> None:
    house = House(db)
    house.land(("child", "parent"), ("other", None))
    counts = house.write()
    assert (counts.processed, counts.failed) == (1, 1)
    (row,) = failing_rows(db, house.name)
    assert (row.error_code, row.error_field) == ("waits_for_record", "parent")
    assert row.error_message == "waits for the record 'parent' of this sync, which is not written yet"
    assert row.next_attempt_at is not None
    house.land(("parent", None))
    assert house.write().processed == 2
    assert failing_rows(db, house.name) == []


def test_records_that_name_each_other_in_a_circle_fail_and_hold_nobody_up(db: Conn) -> None:
    house = House(db)
    house.land(("a", "b"), ("b", "a"), ("c", None))
    counts = house.write()
    assert (counts.processed, counts.failed, house.target.written) == (1, 2, ["c"])


def test_a_parent_that_is_refused_lets_its_child_wait(db: Conn) -> None:
    house = House(db)
    house.target.refuses["erp/parent"] = "no room"
    house.land(("child", "parent"), ("parent", None))
    assert house.write().failed == 2
    house.target.refuses.clear()
    requeue.requeue_failed(db, house.name, ["parent"])
    assert house.write().processed == 2


@given(
    parents=st.lists(st.integers(0, 7), min_size=1, max_size=8),
    order=st.randoms(use_true_random=False),
    claim_batch=st.integers(1, 9),
)
def test_any_family_in_any_order_is_written_whole_and_once(
    db: Conn, parents: list[int], order: Any, claim_batch: int
) -> None:
    # Each record's parent is an earlier one, or none.
    family = [(str(n), str(parent) if (parent := chosen) < n else None) for n, chosen in enumerate(parents)]
    expected = {key: parent or "" for key, parent in family}
    order.shuffle(family)
    house = House(db)
    house.land(*family)
    house.write(claim_batch)
    assert (failing_rows(db, house.name), house.parents()) == ([], expected)
    assert sorted(house.target.written) == sorted(expected)
