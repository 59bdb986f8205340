"""What another system knows is asked once for each number, in batches, and kept for as long as it is fresh."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from sync_orchestration.interface.lookups import answers_summary
from sync_orchestration.interface.rows import ClaimedRow
from sync_orchestration.pipeline.errors import SyncError
from sync_orchestration.pipeline.lookup import ANSWER, Enquiry, Question
from sync_orchestration.sandbox.alfresco import AlfrescoWorld
from sync_orchestration.sandbox.faults import FaultRule
from sync_orchestration.sandbox.kontur import KonturWorld, kontur_app
from sync_orchestration.sandbox.server import serve
from sync_orchestration.systems.http import HttpClient, HttpSettings
from sync_orchestration.systems.kontur import KonturClient, KonturLookup
from sync_orchestration_tests.pipeline.conftest import Conn
from sync_orchestration_tests.recording import Recording

INN = "idocs:inn"
DAY = timedelta(hours=24)


class NamedLookup(KonturLookup):
    """A register whose kept answers no other test sees."""

    __slots__ = ("_name",)

    @property
    def name(self) -> str:
        found: str = getattr(self, "_name", "")
        if not found:
            found = f"kontur/{uuid4().hex}"
            object.__setattr__(self, "_name", found)
        return found


class Register:
    """The stand-in, what it was asked, and enquiries to it."""

    def __init__(self, url: str, recording: Recording, world: KonturWorld) -> None:
        self.recording, self.world = recording, world
        http = HttpClient(HttpSettings("Kontur", url, tries=1, secrets=(world.key,)))
        self.lookup = NamedLookup(KonturClient(http, world.key), INN, "inn")

    def enquiry(self, conn: Conn, max_age: timedelta = DAY) -> Enquiry:
        return Enquiry(conn, self.lookup, max_age)

    @property
    def batches(self) -> list[list[str]]:
        return [asked.params["inn"][0].split(",") for asked in self.recording.to("/req")]


@pytest.fixture
def register() -> Iterator[Register]:
    world = KonturWorld.demo(contractors=300)
    recording = Recording(kontur_app(world))
    with serve(recording) as url:
        yield Register(url, recording, world)


def payloads(register: Register, count: int) -> list[dict[str, Any]]:
    return [{INN: number} for number in sorted({c.inn for c in register.world.companies})[:count]]


def row(key: str, payload: dict[str, Any]) -> ClaimedRow:
    return ClaimedRow(
        sync="s",
        source_system="alfresco",
        record_key=key,
        entity="e",
        operation="update",
        position=1,
        payload=payload,
        external_ids=[],
        attempts=0,
        target_id=None,
        delete_confirmed=False,
    )


def test_each_number_is_asked_once_and_never_more_than_a_hundred_at_a_time(register: Register, db: Conn) -> None:
    wanted = payloads(register, 230)
    enquiry = register.enquiry(db)
    # Branches, and the same number written in other ways.
    answers = enquiry.ask_about([*wanted, *wanted[:50], {INN: f"ИНН {wanted[0][INN]} "}])
    assert [len(batch) for batch in register.batches] == [100, 100, 30]
    assert set(register.world.asked.values()) == {1}
    assert set(answers) == {payload[INN] for payload in wanted}
    assert (enquiry.counts.numbers, enquiry.counts.asked, enquiry.counts.found) == (230, 230, 230)


def test_nothing_is_asked_while_all_answers_are_younger_than_max_age(register: Register, db: Conn) -> None:
    wanted = payloads(register, 20)
    first = register.enquiry(db).ask_about(wanted)
    enquiry = register.enquiry(db)
    assert enquiry.ask_about(wanted) == first
    assert len(register.batches) == 1
    assert (enquiry.counts.numbers, enquiry.counts.asked) == (20, 0)


def test_only_answers_that_are_too_old_are_asked_for_again(register: Register, db: Conn) -> None:
    wanted = payloads(register, 5)
    register.enquiry(db).ask_about(wanted)
    old = [payload[INN] for payload in wanted[:2]]
    db.execute(
        "UPDATE sync.lookup_answer SET asked_at = now() - interval '25 hours' WHERE lookup = %s AND number = ANY(%s)",
        (register.lookup.name, old),
    )
    register.enquiry(db).ask_about(wanted)
    assert register.batches[1:] == [old]
    register.enquiry(db).ask_about(wanted)
    assert len(register.batches) == 2


def test_that_a_number_is_unknown_is_an_answer_too(register: Register, db: Conn) -> None:
    for _ in range(2):
        answers = register.enquiry(db).ask_about([{INN: "7707083893"}])
        assert answers == {"7707083893": []}
    assert len(register.batches) == 1
    known, found, asked_at = answers_summary(db, register.lookup.name)
    assert (known, found) == (1, 0)
    assert asked_at is not None


@pytest.mark.parametrize("payload", [{}, {INN: ""}, {INN: "9909174120"}, {INN: "23073075"}, {INN: "0000000000"}])
def test_where_nothing_can_be_asked_no_request_is_sent(register: Register, db: Conn, payload: dict[str, Any]) -> None:
    assert register.enquiry(db).ask_about([payload]) == {}
    assert register.recording.asked == []


def test_answers_before_a_failure_are_kept(register: Register, db: Conn) -> None:
    wanted = payloads(register, 250)
    register.world.faults.add(FaultRule(kind="status", status=503, skip=1, times=1))
    with pytest.raises(SyncError):
        register.enquiry(db).ask_about(wanted)
    register.enquiry(db).ask_about(wanted)
    assert set(register.world.asked.values()) == {1}
    assert len(register.batches) == 4


def test_a_row_gets_its_answer_or_the_reason_why_there_is_none(register: Register, db: Conn) -> None:
    world = AlfrescoWorld.demo(contractors=300)
    kinds = ("unchanged", "ambiguous_inn", "not_found", "empty", "bad_check_digit", "foreign")
    rows = [row(kind, world.nodes[world.planted[kind][0]].properties) for kind in kinds]
    answers = register.enquiry(db).enrich(rows)
    enriched = answers["unchanged"]
    assert not isinstance(enriched, Question)
    assert enriched[ANSWER]["inn"] == enriched[INN]
    assert {k: v for k, v in enriched.items() if k != ANSWER} == rows[0].payload
    reasons = {k: (a.error.code, a.skip) for k, a in answers.items() if isinstance(a, Question) and a.error}
    assert reasons == {
        "ambiguous_inn": ("ambiguous", False),
        "not_found": ("not_found", True),
        "empty": ("empty", True),
        "bad_check_digit": ("bad_check_digit", False),
        "foreign": ("foreign", True),
    }


def test_one_answer_goes_to_all_rows_of_its_number(register: Register, db: Conn) -> None:
    (payload,) = payloads(register, 1)
    answers = register.enquiry(db).enrich([row("a", payload), row("b", {**payload, "idocs:kpp": "1"})])
    first, second = answers["a"], answers["b"]
    assert not isinstance(first, Question)
    assert not isinstance(second, Question)
    assert first[ANSWER] == second[ANSWER]
    assert len(register.batches) == 1
