"""Map, write and settle: each record has its own fate, floods of deletes wait for a word, nothing is written twice."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, NamedTuple

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.rows import dict_row

from sync_orchestration.interface import requeue, rows
from sync_orchestration.interface.attempts import read_attempts
from sync_orchestration.interface.database import connect
from sync_orchestration.interface.rows import LandedRecord, Scope, hire_worker
from sync_orchestration.interface.state import database_time, read_state
from sync_orchestration.mapping.compile import compile_mapping
from sync_orchestration.mapping.conditions import compile_condition
from sync_orchestration.mapping.diff import payload_hash
from sync_orchestration.mapping.records import RecordError
from sync_orchestration.pipeline.errors import UnavailableError
from sync_orchestration.pipeline.guard import DeleteGuard
from sync_orchestration.pipeline.plan import Precedence, Translation
from sync_orchestration.pipeline.protocols import CurrentRecord, Outcome, PartlyDoneError, TargetRecord
from sync_orchestration.pipeline.write import WriteCounts, Writer, Writing
from sync_orchestration_tests.pipeline.conftest import Conn, new_sync
from sync_orchestration_tests.pipeline.toys import KilledError, Notes, ToyTarget

TRANSLATION = Translation(
    mapping=compile_mapping(
        {
            "name": "name",
            "email": "email",
            "active": {"from": "active", "default": True},
            "country": {"from": "country", "reference": {"model": "country", "field": "code"}},
        },
        [{"field": "name", "rule": "required"}, {"field": "email", "rule": "email"}],
    ),
    external_id=lambda key: f"toy_{key}",
    when=compile_condition("kind != 'draft'"),
    archive_field="active",
)


@dataclass
class Sync:
    """A sync whose records the test lands by hand and whose target is a toy."""

    db: Conn
    target: ToyTarget = field(default_factory=ToyTarget)
    guard: DeleteGuard = field(default_factory=DeleteGuard)
    name: str = field(default_factory=new_sync)
    translation: Translation = TRANSLATION
    position: int = 0

    def land(self, conn: Conn | None = None, /, **records: Mapping[str, Any] | None) -> None:
        """Land records by key, at positions of their own; None is a delete."""
        landed = []
        for key, payload in records.items():
            self.position += 1
            given_payload = None if payload is None else {"name": key, **payload}
            landed.append(
                LandedRecord(
                    key=key,
                    entity="thing",
                    operation="delete" if payload is None else "update",
                    position=self.position,
                    partition_key="w",
                    payload=given_payload,
                    payload_hash=None if given_payload is None else payload_hash(given_payload),
                )
            )
        on = conn or self.db
        with on.transaction():
            rows.land(on, sync=self.name, source_system="toy", run_id="run", records=landed)

    def writer(self, conn: Conn | None = None, *, claim_batch: int = 1_000, run_id: str = "run") -> Writer:
        writing = Writing(self.name, "toys", self.translation, self.guard, claim_batch)
        return Writer(hire_worker(conn or self.db, run_id), self.target, writing, Notes())

    def write(self, *, scope: Scope | None = None, claim_batch: int = 1_000) -> WriteCounts:
        return self.writer(claim_batch=claim_batch).write(scope or Scope())

    def row(self, key: str) -> dict[str, Any]:
        with self.db.cursor(row_factory=dict_row) as cur:
            found = cur.execute(
                "SELECT * FROM sync.interface_row WHERE sync = %s AND record_key = %s", [self.name, key]
            ).fetchone()
        assert found is not None
        return found

    def statuses(self) -> dict[str, str]:
        found = self.db.execute(
            "SELECT record_key, status FROM sync.interface_row WHERE sync = %s ORDER BY record_key", [self.name]
        )
        return dict(found.fetchall())

    def names(self) -> dict[str, Any]:
        return {key.removeprefix("toy_"): values["name"] for key, values in self.target.stored.items()}

    def attempts(self) -> list[tuple[str, str]]:
        """Record and status of each attempt, oldest first."""
        return [(a["record_key"], a["status"]) for a in reversed(read_attempts(self.db, self.name, limit=1_000))]

    def time_passes(self) -> None:
        """Make the next attempts of all rows due."""
        self.db.execute(
            "UPDATE sync.interface_row SET next_attempt_at = now() WHERE sync = %s AND next_attempt_at IS NOT NULL",
            [self.name],
        )


@pytest.fixture
def sync(db: Conn) -> Sync:
    return Sync(db)


def test_records_are_created_updated_and_deleted(sync: Sync) -> None:
    sync.land(a={}, b={}, c={})
    assert sync.write() == WriteCounts(processed=3)
    sync.land(a={"email": "a@example.com"}, b=None)
    assert sync.write() == WriteCounts(processed=2)
    assert sync.target.stored == {
        "toy_a": {"name": "a", "email": "a@example.com", "active": True, "country": ""},
        "toy_c": {"name": "c", "email": "", "active": True, "country": ""},
    }
    assert sync.statuses() == {"a": "processed", "b": "processed", "c": "processed"}
    assert (sync.row("a")["target_id"], sync.row("a")["target_system"]) == ("toy_a", "toys")
    assert sorted(sync.attempts()) == sorted((key, "success") for key in "abcab")
    assert read_state(sync.db, sync.name).count_processed == 5


def test_what_would_change_nothing_costs_no_write_and_no_attempt(sync: Sync) -> None:
    sync.land(a={}, b={})
    sync.write()
    sync.target.requests.clear()
    sync.land(a={"a field that is not mapped": 1}, b={"email": "b@example.com"})
    assert sync.write() == WriteCounts(processed=1, unchanged=1)
    assert sync.target.written == ["a", "b", "b"]
    assert sync.statuses() == {"a": "processed", "b": "processed"}
    assert sync.attempts() == [("a", "success"), ("b", "success"), ("b", "success")]


def test_nothing_to_write_costs_no_request(sync: Sync) -> None:
    sync.land(a={})
    sync.write()
    sync.target.requests.clear()
    assert sync.write() == WriteCounts()
    assert sync.target.requests == []


@pytest.mark.parametrize("claim_batch", [1, 2, 100])
def test_one_records_failure_is_that_records(sync: Sync, claim_batch: int) -> None:
    sync.target.refuses = {"c": "no such name"}
    sync.target.countries = {"CZ": 7}
    sync.land(
        a={"country": "CZ"},
        b={"email": "nobody", "name": " "},
        c={},
        d={"country": "XX"},
        e={"kind": "draft"},
        f={},
    )
    assert sync.write(claim_batch=claim_batch) == WriteCounts(processed=2, failed=3, skipped=1)
    assert sync.names() == {"a": "a", "f": "f"}
    said = {row.record_key: (row.error_code, row.error_field, row.error_message) for row in failing(sync)}
    assert said == {
        "b": ("required", "name, email", "name is required and is empty; e-mail 'nobody' is not an address"),
        "c": ("refused", "name", "no such name"),
        "d": ("unknown_reference", "country", "the target has no country with code 'XX'"),
    }
    assert (sync.row("e")["status"], sync.row("e")["error_message"]) == (
        "skipped",
        "does not meet the condition: kind != 'draft'",
    )
    assert sorted(sync.attempts()) == [
        ("a", "success"),
        ("b", "error"),
        ("c", "error"),
        ("d", "error"),
        ("e", "skipped"),
        ("f", "success"),
    ]


def failing(sync: Sync) -> list[rows.FailingRow]:
    return rows.failing_rows(sync.db, sync.name)


def test_a_failed_record_waits_for_a_person_or_a_newer_change(sync: Sync) -> None:
    sync.land(a={"email": "nobody"}, b={"email": "nobody"})
    sync.write()
    assert sync.write() == WriteCounts()
    sync.land(a={"email": "a@example.com"})
    assert sync.write() == WriteCounts(processed=1)
    requeue.requeue_failed(sync.db, sync.name, ["b"])
    assert sync.write() == WriteCounts(failed=1)
    assert sync.row("b")["attempts"] == 2


def test_a_skipped_record_that_meets_the_condition_later_is_written(sync: Sync) -> None:
    sync.land(a={"kind": "draft"})
    sync.write()
    sync.land(a={"kind": "final"})
    assert sync.write() == WriteCounts(processed=1)
    assert sync.row("a")["error_message"] is None


def test_a_passing_fault_is_tried_again_later_and_later_and_then_waits_for_a_person(sync: Sync) -> None:
    sync.target.busy = {"a"}
    sync.land(a={})
    minutes = []
    for _ in range(5):
        before = database_time(sync.db)
        assert sync.write() == WriteCounts(failed=1)
        due = sync.row("a")["next_attempt_at"]
        minutes.append(None if due is None else round((due - before) / timedelta(minutes=1)))
        assert sync.write() == WriteCounts()
        sync.time_passes()
    assert minutes == [1, 10, 60, 360, None]
    assert sync.write() == WriteCounts()
    sync.target.busy = set()
    requeue.requeue_failed(sync.db, sync.name, None)
    assert sync.write() == WriteCounts(processed=1)
    assert sync.row("a")["next_attempt_at"] is None


def test_a_passing_fault_of_an_older_state_does_not_delay_a_newer_one(sync: Sync) -> None:
    sync.target.busy = {"a"}
    sync.land(a={})
    sync.write()
    sync.land(a={"name": "A"})
    assert sync.write() == WriteCounts(processed=1)


def test_a_target_that_is_down_stops_the_pass_and_leaves_the_rows_waiting(sync: Sync) -> None:
    sync.land(a={}, b={}, c={})
    sync.target.before = lambda number, what: down() if sync.target.requests.count("upsert") > 1 else None
    with pytest.raises(UnavailableError):
        sync.write(claim_batch=1)
    assert sync.statuses() == {"a": "processed", "b": "pending", "c": "pending"}
    assert sync.attempts() == [("a", "success")]
    sync.target.before = lambda number, what: None
    assert sync.write() == WriteCounts(processed=2)


def down() -> None:
    raise UnavailableError("the toy is down")


def test_only_the_rows_of_the_scope_are_written(sync: Sync) -> None:
    sync.land(a={}, b={}, c={})
    assert sync.write(scope=Scope(keys=["b", "unknown"])) == WriteCounts(processed=1)
    assert sync.write(scope=Scope(partition_keys=["another window"])) == WriteCounts()
    assert sync.statuses() == {"a": "pending", "b": "processed", "c": "pending"}


def test_a_newer_state_that_lands_during_the_write_is_written_in_the_same_pass(sync: Sync, pipeline_url: str) -> None:
    sync.land(a={}, b={})

    def meanwhile(number: int, what: str) -> None:
        if what == "upsert" and sync.target.requests.count("upsert") == 1:
            with connect(pipeline_url) as other:
                sync.land(other, a={"name": "newer"})

    sync.target.before = meanwhile
    sync.write()
    assert (sync.names(), sync.statuses()) == ({"a": "newer", "b": "b"}, {"a": "processed", "b": "processed"})


# The guard against floods


def flooded(db: Conn, *, share: float = 0.25, least: int = 2, known: int = 12) -> Sync:
    sync = Sync(db, guard=DeleteGuard(share, least))
    sync.land(**{f"k{n:02}": {} for n in range(known)})
    sync.write()
    return sync


@pytest.mark.parametrize(
    ("known", "deletes", "passes"),
    [(12, 3, True), (12, 4, False), (4, 2, True), (4, 3, False), (4, 4, False)],
    ids=["a share", "more than it", "the least always passes", "one more does not", "all of them"],
)
def test_a_flood_of_deletes_is_held_whole(db: Conn, known: int, deletes: int, passes: bool) -> None:
    sync = flooded(db, known=known)
    sync.land(**{f"k{n:02}": None for n in range(deletes)})
    assert sync.write(claim_batch=1) == (WriteCounts(processed=deletes) if passes else WriteCounts(failed=deletes))
    assert len(sync.target.stored) == (known - deletes if passes else known)
    assert {row.error_code for row in failing(sync)} == (set() if passes else {"delete_held"})


def test_other_records_pass_while_a_flood_is_held(db: Conn) -> None:
    sync = flooded(db)
    sync.land(**{f"k{n:02}": None for n in range(6)}, k11={"name": "changed"}, new={})
    assert sync.write() == WriteCounts(processed=2, failed=6)
    assert "6 of 12 records" in str(failing(sync)[0].error_message)


def test_a_held_flood_waits_until_it_is_confirmed(db: Conn) -> None:
    sync = flooded(db)
    sync.land(**{f"k{n:02}": None for n in range(6)})
    sync.write()
    assert requeue.requeue_failed(sync.db, sync.name, None) == []
    assert sync.write() == WriteCounts()
    assert len(requeue.requeue_failed(sync.db, sync.name, None, confirm_deletes=True)) == 6
    assert sync.write() == WriteCounts(processed=6)
    assert len(sync.target.stored) == 6


def test_deletes_of_records_that_the_target_never_had_are_no_flood(db: Conn) -> None:
    sync = Sync(db, guard=DeleteGuard(0.1, 1))
    sync.land(**{f"k{n}": {"email": "nobody"} for n in range(5)})
    sync.write()
    sync.land(**{f"k{n}": None for n in range(5)})
    assert sync.write() == WriteCounts(processed=5)


def test_deletes_of_records_that_the_target_never_had_pass_while_a_flood_is_held(db: Conn) -> None:
    sync = flooded(db)
    sync.land(bad={"email": "nobody"})
    sync.write()
    sync.land(**{f"k{n:02}": None for n in range(6)}, bad=None)
    assert sync.write() == WriteCounts(processed=1, failed=6)


@pytest.mark.parametrize("claim_batch", [1, 3, 100])
def test_a_flood_of_archives_is_held_beyond_the_share(db: Conn, claim_batch: int) -> None:
    sync = flooded(db)
    sync.land(**{f"k{n:02}": {"active": False} for n in range(9)}, k11={"name": "changed"})
    assert sync.write(claim_batch=claim_batch) == WriteCounts(processed=4, failed=6)
    assert [row.error_code for row in failing(sync)] == ["delete_held"] * 6
    assert sum(values["active"] for values in sync.target.stored.values()) == 9
    requeue.requeue_failed(sync.db, sync.name, None, confirm_deletes=True)
    assert sync.write(claim_batch=claim_batch) == WriteCounts(processed=6)
    assert sum(values["active"] for values in sync.target.stored.values()) == 3


def test_records_that_come_back_from_the_archive_are_no_flood(db: Conn) -> None:
    sync = flooded(db, least=12)
    sync.land(**{f"k{n:02}": {"active": False} for n in range(12)})
    sync.write()
    sync.guard = DeleteGuard(0, 0)
    sync.land(**{f"k{n:02}": {"active": True} for n in range(12)})
    assert sync.write() == WriteCounts(processed=12)


# Targets that cannot be read in batches


@dataclass
class BlindTarget(ToyTarget):
    """A target that is compared with what it was last given. `fails_after` answers come, then it is down."""

    fails_after: int | None = None
    looked_up: list[str] = field(default_factory=list)
    answered: int = 0

    def current(self, records: Sequence[TargetRecord]) -> Mapping[str, CurrentRecord | RecordError]:
        self._asked("current")
        found: dict[str, CurrentRecord | RecordError] = {}
        for record in records:
            if record.in_doubt:
                self.looked_up.append(record.key)
                assert record.written is None, "what was given before the doubt tells nothing"
                if self._has(record):
                    found[record.key] = CurrentRecord(record.external_id, {}, linked=record.target_id is not None)
            elif record.target_id is not None:
                found[record.key] = CurrentRecord(record.target_id, record.written or {})
        return found

    def upsert(self, records: Sequence[TargetRecord], current: Mapping[str, CurrentRecord]) -> Mapping[str, Outcome]:
        self._asked("upsert")
        outcomes: dict[str, Outcome] = {}
        for record in records:
            if self.answered == self.fails_after:
                raise PartlyDoneError(UnavailableError("the toy is down"), outcomes)
            outcome = self._upsert(record)
            self.answered += 1
            lost = outcome.transient
            outcomes[record.key] = replace(
                outcome, written=None if outcome.error else dict(record.values), in_doubt=lost
            )
        return outcomes


@pytest.fixture
def blind(db: Conn) -> Sync:
    return Sync(db, target=BlindTarget())


def looked_up(sync: Sync) -> list[str]:
    assert isinstance(sync.target, BlindTarget)
    return sync.target.looked_up


def given_last(sync: Sync, key: str) -> Any:
    written = sync.row(key)["written"]
    return written and written["name"]


def test_what_the_target_was_given_is_remembered_and_the_same_is_not_given_again(blind: Sync) -> None:
    blind.land(a={}, b={})
    assert blind.write() == WriteCounts(processed=2)
    assert given_last(blind, "a") == "a"
    blind.land(a={"not mapped": 1}, b={"name": "B"})
    assert blind.write() == WriteCounts(processed=1, unchanged=1)
    assert (given_last(blind, "a"), given_last(blind, "b")) == ("a", "B")
    assert looked_up(blind) == []


def test_what_the_target_refused_is_not_taken_for_given(blind: Sync) -> None:
    blind.land(a={})
    blind.write()
    blind.target.refuses = {"A": "no such name"}
    blind.land(a={"name": "A"})
    assert blind.write() == WriteCounts(failed=1)
    assert (given_last(blind, "a"), blind.row("a")["in_doubt"]) == ("a", False)
    blind.land(a={"name": "a"})
    assert blind.write() == WriteCounts(unchanged=1)


def test_a_deleted_record_is_forgotten_and_made_anew_when_it_comes_back(blind: Sync) -> None:
    blind.land(a={})
    blind.write()
    blind.land(a=None)
    blind.write()
    assert given_last(blind, "a") is None
    blind.land(a={})
    assert blind.write() == WriteCounts(processed=1)
    assert blind.names() == {"a": "a"}


def test_a_record_that_comes_back_while_it_is_deleted_is_made_anew(blind: Sync, pipeline_url: str) -> None:
    blind.land(a={})
    blind.write()
    blind.land(a=None)

    def meanwhile(number: int, what: str) -> None:
        if what == "delete":
            with connect(pipeline_url) as other:
                blind.land(other, a={})

    blind.target.before = meanwhile
    blind.write()
    assert blind.names() == {"a": "a"}
    assert (blind.statuses(), given_last(blind, "a")) == ({"a": "processed"}, "a")


def test_of_a_record_that_comes_back_while_it_is_deleted_nothing_is_remembered(blind: Sync, pipeline_url: str) -> None:
    blind.land(a={})
    blind.write()
    blind.land(a=None)
    seen = []

    def meanwhile(number: int, what: str) -> None:
        if what == "delete":
            with connect(pipeline_url) as other:
                blind.land(other, a={"name": "back"})
        elif what == "current":
            seen.append(given_last(blind, "a"))

    blind.target.before = meanwhile
    blind.write()
    assert seen[-1] is None, "what it held went with it"


def test_a_record_that_another_sync_decides_in_part_is_remembered_as_it_was_given(blind: Sync) -> None:
    precedence = Precedence("other", frozenset({"email"}), set)
    blind.land(a={"email": "a@example.com"})
    blind.write()
    writer = blind.writer()
    writer.writing = replace(writer.writing, translation=replace(TRANSLATION, precedence=precedence))
    blind.land(a={"name": "A", "email": "b@example.com"})
    assert writer.write(Scope()) == WriteCounts(skipped=1)
    assert blind.names() == {"a": "A"}
    assert given_last(blind, "a") == "A"
    blind.land(a={"name": "a", "email": "a@example.com"})
    assert blind.write() == WriteCounts(processed=1)
    assert blind.names() == {"a": "a"}


@pytest.mark.parametrize("answers", [0, 1, 2])
def test_what_was_answered_before_the_target_failed_is_settled_and_the_rest_waits(blind: Sync, answers: int) -> None:
    assert isinstance(blind.target, BlindTarget)
    blind.land(a={}, b={}, c={}, bad={"email": "nobody"})
    blind.target.fails_after = answers
    with pytest.raises(UnavailableError, match="the toy is down"):
        blind.write()
    settled = dict.fromkeys("abc"[:answers], "processed") | dict.fromkeys("abc"[answers:], "pending")
    assert blind.statuses() == {**settled, "bad": "failed"}
    assert len(blind.attempts()) == answers + 1
    blind.target.fails_after = None
    assert blind.write() == WriteCounts(processed=3 - answers)
    assert sorted(blind.target.written) == ["a", "b", "c"]


def test_what_was_written_before_the_deletes_failed_is_settled(blind: Sync) -> None:
    blind.land(gone={})
    blind.write()
    blind.land(a={}, gone=None)
    blind.target.before = lambda number, what: down() if what == "delete" else None
    with pytest.raises(UnavailableError):
        blind.write()
    assert blind.statuses() == {"a": "processed", "gone": "pending"}
    blind.target.before = lambda number, what: None
    assert blind.write() == WriteCounts(processed=1)
    assert (blind.names(), blind.target.written) == ({"a": "a"}, ["gone", "a"])


def test_after_a_worker_has_died_its_record_is_looked_up_before_it_is_made_anew(blind: Sync, pipeline_url: str) -> None:
    blind.land(a={}, b={})
    with connect(pipeline_url) as doomed:
        pid = doomed.info.backend_pid

        def killed(number: int, what: str) -> None:
            if what == "upsert":
                blind.target.stored["toy_a"] = {"name": "a"}  # it arrived, and nobody heard of it
                blind.db.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])
                raise KilledError

        blind.target.before = killed
        with suppress(KilledError, psycopg.OperationalError):
            blind.writer(doomed).write(Scope())
    blind.target.before = lambda number, what: None
    assert (blind.row("a")["in_doubt"], blind.row("b")["in_doubt"]) == (True, True)
    assert blind.write() == WriteCounts(processed=2)
    assert looked_up(blind) == ["a", "b"]
    assert (blind.row("a")["target_id"], blind.row("a")["in_doubt"]) == ("toy_a", False)
    blind.land(a={"name": "A"})
    blind.write()
    assert looked_up(blind) == ["a", "b"], "and then there is no doubt any more"


def test_a_write_whose_answer_was_lost_is_in_doubt_until_the_target_answers(blind: Sync) -> None:
    blind.target.busy = {"a"}
    blind.land(a={})
    blind.write()
    assert (blind.row("a")["status"], blind.row("a")["in_doubt"]) == ("failed", True)
    blind.target.busy = set()
    blind.time_passes()
    assert blind.write() == WriteCounts(processed=1)
    assert (looked_up(blind), blind.row("a")["in_doubt"]) == (["a"], False)


@pytest.mark.parametrize(
    ("meanwhile", "status"), [({"email": "nobody"}, "failed"), ({"kind": "draft"}, "skipped")], ids=["bad", "draft"]
)
def test_the_doubt_outlasts_a_state_of_the_record_that_is_not_sent(
    blind: Sync, meanwhile: dict[str, str], status: str
) -> None:
    blind.target.busy = {"a"}
    blind.land(a={})
    blind.write()
    blind.target.busy = set()
    blind.land(a=meanwhile)
    blind.write()
    assert (blind.row("a")["status"], blind.row("a")["in_doubt"]) == (status, True)
    blind.land(a={})
    blind.write()
    assert looked_up(blind) == ["a"]


def test_a_claim_that_is_given_back_by_a_target_that_cannot_be_reached_leaves_no_doubt(blind: Sync) -> None:
    blind.land(a={})
    blind.target.before = lambda number, what: down()
    with pytest.raises(UnavailableError):
        blind.write()
    assert blind.row("a")["in_doubt"] is False


# Kills and rivals


@pytest.mark.parametrize("request_number", range(1, 9))
def test_a_worker_killed_at_any_request_leaves_nothing_undone_and_nothing_twice(
    db: Conn, pipeline_url: str, request_number: int
) -> None:
    sync = Sync(db)
    sync.land(a={}, b={}, c={}, gone={})
    sync.write(scope=Scope(keys=["gone"]))
    sync.land(gone=None)
    begun = len(sync.target.requests)
    with connect(pipeline_url) as doomed:
        pid = doomed.info.backend_pid

        def killed(number: int, what: str) -> None:
            if number - begun == request_number:
                # The server first, so that nothing the dying process still tries can reach it.
                db.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])
                raise KilledError

        sync.target.before = killed
        # What a dying process fails at last is the database session that it has no more.
        with suppress(KilledError, psycopg.OperationalError):
            sync.writer(doomed, claim_batch=2).write(Scope())
    sync.target.before = lambda number, what: None
    sync.write()
    assert set(sync.statuses().values()) == {"processed"}
    assert sync.names() == {"a": "a", "b": "b", "c": "c"}
    assert sorted(sync.target.written) == ["a", "b", "c", "gone"]


class Story(NamedTuple):
    """What lands of a record, in order, and at which requests the target fails."""

    steps: list[tuple[str, str]]
    claim_batch: int
    fails_at: set[int]
    lands_meanwhile: int


STORIES = st.builds(
    Story,
    steps=st.lists(
        st.tuples(st.sampled_from("abcdef"), st.sampled_from(["ok", "bad", "refused", "draft", "gone"])),
        min_size=1,
        max_size=14,
    ),
    claim_batch=st.integers(1, 4),
    fails_at=st.sets(st.integers(1, 12), max_size=3),
    lands_meanwhile=st.integers(0, 6),
)
SETTLED = {"ok": "processed", "bad": "failed", "refused": "failed", "draft": "skipped", "gone": "processed"}


@given(story=STORIES)
def test_whatever_fails_and_lands_meanwhile_the_target_ends_up_with_what_was_landed_last(
    db: Conn, pipeline_url: str, story: Story
) -> None:
    sync = Sync(db)
    sync.target.refuses = {"refused": "never"}
    tell(sync, story, pipeline_url)
    last = dict(story.steps)
    known = sync.statuses()
    assert known == {key: SETTLED[kind] for key, kind in last.items() if key in known}
    assert {last[key] for key in last.keys() - known.keys()} <= {"gone"}
    names = sync.names()
    wanted = {key: sync.row(key)["payload"]["name"] for key, kind in last.items() if kind == "ok"}
    assert {key: names.get(key) for key in wanted} == wanted
    assert not {key for key, kind in last.items() if kind == "gone"} & names.keys()


def tell(sync: Sync, story: Story, pipeline_url: str) -> None:
    """Land the first steps, then write until nothing waits; the other steps land during requests of the writing."""
    todo = list(enumerate(story.steps))

    def land_next(conn: Conn) -> None:
        number, (key, kind) = todo.pop(0)
        what: dict[str, dict[str, str] | None] = {
            "ok": {"name": f"n{number}"},
            "bad": {"email": "nobody"},
            "refused": {"name": "refused"},
            "draft": {"kind": "draft"},
            "gone": None,
        }
        sync.land(conn, **{key: what[kind]})

    while len(todo) > story.lands_meanwhile:
        land_next(sync.db)
    with connect(pipeline_url) as other:

        def before(number: int, what: str) -> None:
            if todo:
                land_next(other)
            if number in story.fails_at:
                down()

        sync.target.before = before
        for _ in range(len(story.steps) + len(story.fails_at) + 3):
            with suppress(UnavailableError):
                sync.write(claim_batch=story.claim_batch)
                if todo:
                    land_next(sync.db)


def test_where_deletes_are_kept_out_a_record_stays_and_is_the_same_one_when_it_comes_back(sync: Sync) -> None:
    sync.translation = replace(TRANSLATION, keeps_deleted=True)
    sync.guard = DeleteGuard(share=0.0, least=0)
    sync.land(a={}, b={})
    sync.write()
    at_first = sync.row("a")["target_id"]
    sync.land(a=None, b=None, never_written=None)
    assert sync.write() == WriteCounts(skipped=2), "no flood is held, for nothing is deleted"
    assert sync.names() == {"a": "a", "b": "b"}
    assert (sync.row("a")["error_code"], sync.row("a")["target_id"]) == ("kept", at_first)
    sync.land(a={"name": "Alfa"})
    assert sync.write() == WriteCounts(processed=1)
    assert sync.names() == {"a": "Alfa", "b": "b"}
    assert sync.row("a")["target_id"] == at_first


@dataclass
class Adopting(ToyTarget):
    """A target that links a record without an external id to the one that has the same name, as match_on does."""

    model: str = "companies"

    def current(self, records: Sequence[TargetRecord]) -> Mapping[str, CurrentRecord | RecordError]:
        found = dict(super().current(records))
        ids = {values["name"]: target_id for target_id, values in self.stored.items()}
        for record in records:
            if record.key not in found and (target_id := ids.get(record.values["name"])) is not None:
                found[record.key] = CurrentRecord(target_id, self.stored[target_id], linked=False)
        return found

    def upsert(self, records: Sequence[TargetRecord], current: Mapping[str, CurrentRecord]) -> Mapping[str, Outcome]:
        linked = [replace(r, external_id=current[r.key].target_id) if r.key in current else r for r in records]
        return super().upsert(linked, current)


def test_two_syncs_that_write_one_model_at_once_make_one_company_once(db: Conn, pipeline_url: str) -> None:
    first, second = (
        Sync(db, target=Adopting(), translation=replace(TRANSLATION, external_id=f"{of}_{{}}".format))
        for of in ("flexi", "contractors")
    )
    second.target.stored = first.target.stored
    first.land(one={"name": "Alfa"})
    second.land(another={"name": "Alfa"})
    with connect(pipeline_url) as other:
        other.execute("SET lock_timeout = '50ms'")

        def the_other_run(_number: int, what: str) -> None:
            if what == "upsert":
                with pytest.raises(psycopg.errors.LockNotAvailable):
                    second.writer(other).write(Scope())

        first.target.before = the_other_run
        assert first.write() == WriteCounts(processed=1)
        second.writer(other).write(Scope())
    assert list(first.target.stored) == ["flexi_one"]
    assert first.row("one")["target_id"] == second.row("another")["target_id"] == "flexi_one"


UNDERSCORED = replace(TRANSLATION, external_id=lambda key: f"toy_{key.replace(' ', '_')}")
TAKEN = (
    "its external id toy_AB_1 is already that of the record 'AB 1': the two would overwrite each other; change one of "
    "the keys in the source"
)


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "one after the other"])
def test_of_two_keys_with_one_external_id_the_second_fails(db: Conn, together: bool) -> None:
    sync = Sync(db, translation=UNDERSCORED)
    sync.land(**{"AB 1": {}})
    if not together:
        sync.write()
    sync.land(AB_1={})
    sync.write()
    assert sync.statuses() == {"AB 1": "processed", "AB_1": "failed"}
    assert sync.names() == {"AB_1": "AB 1"}
    row = sync.row("AB_1")
    assert (row["error_code"], row["error_message"]) == ("already_linked", TAKEN)
    assert (row["target_id"], row["next_attempt_at"]) == (None, None)
    # The first goes on to be written, the second is no part of it: not when it changes, nor when it goes.
    sync.land(**{"AB 1": {"email": "a@example.com"}, "AB_1": {"email": "b@example.com"}})
    sync.write()
    assert sync.statuses() == {"AB 1": "processed", "AB_1": "failed"}
    assert sync.target.stored["toy_AB_1"]["email"] == "a@example.com"
    sync.land(AB_1=None)
    sync.write()
    assert sync.statuses() == {"AB 1": "processed", "AB_1": "processed"}
    assert sync.target.deleted == []
    assert sync.names() == {"AB_1": "AB 1"}


def test_a_delete_of_what_was_never_written_spares_the_namesake_that_comes_with_it(db: Conn) -> None:
    sync = Sync(db, translation=UNDERSCORED)
    sync.land(AB_1={"email": "no address"})
    sync.write()
    assert sync.statuses() == {"AB_1": "failed"}
    sync.land(**{"AB 1": {}, "AB_1": None})
    sync.write()
    assert sync.names() == {"AB_1": "AB 1"}
    assert sync.target.deleted == []


def test_a_key_that_is_spelled_anew_takes_its_external_id_over(db: Conn) -> None:
    sync = Sync(db, translation=UNDERSCORED)
    sync.land(**{"AB 1": {}})
    sync.write()
    sync.land(**{"AB_1": {}, "AB 1": None})
    sync.write()
    assert sync.statuses() == {"AB 1": "processed", "AB_1": "processed"}
    assert sync.names() == {"AB_1": "AB_1"}


def test_keys_of_two_senders_that_give_one_external_id_do_not_meet(db: Conn) -> None:
    of_sender = replace(TRANSLATION, identity=lambda row: f"{row.source_system}_{row.record_key}")
    sync = Sync(db, translation=of_sender)
    for sender, key in (("erp", "eu_17"), ("erp_eu", "17")):
        payload: dict[str, Any] = {"name": sender}
        one = LandedRecord(key, "thing", "update", 1, "w", payload, payload_hash(payload))
        with db.transaction():
            rows.land(db, sync=sync.name, source_system=sender, run_id="run", records=[one])
    sync.write()
    assert sync.statuses() == {"eu_17": "processed", "17": "failed"}
    assert "already that of the record 'eu_17' of erp" in sync.row("17")["error_message"]
    assert sync.names() == {"erp_eu_17": "erp"}


def test_two_records_that_a_person_has_merged_in_the_target_are_no_mistake(db: Conn) -> None:
    sync = Sync(db, target=Merged())
    sync.land(a={}, b={})
    sync.write()
    assert sync.statuses() == {"a": "processed", "b": "processed"}
    sync.db.execute("UPDATE sync.interface_row SET target_id = NULL WHERE sync = %s AND record_key = 'b'", [sync.name])
    sync.land(b={"email": "b@example.com"})
    sync.write()
    assert sync.statuses() == {"a": "processed", "b": "processed"}


@dataclass
class Merged(ToyTarget):
    """A target in which every external id has come to name the record of the first."""

    def current(self, records: Sequence[TargetRecord]) -> Mapping[str, CurrentRecord | RecordError]:
        return super().current([replace(record, external_id="toy_a") for record in records])

    def upsert(self, records: Sequence[TargetRecord], current: Mapping[str, CurrentRecord]) -> Mapping[str, Outcome]:
        return super().upsert([replace(record, external_id="toy_a") for record in records], current)
