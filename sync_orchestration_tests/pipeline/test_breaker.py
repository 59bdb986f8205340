"""When a target refuses everything the pass stops, and it stops for nothing less."""

from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_orchestration.interface.state import read_state
from sync_orchestration.mapping.records import RecordError
from sync_orchestration.pipeline.breaker import MOST_ALIKE, MOST_REFUSED, PROBE, Breaker, probe_of
from sync_orchestration.pipeline.errors import RefusesEverythingError, UnavailableError
from sync_orchestration.pipeline.passes import RetryPolicy, running_pass
from sync_orchestration.pipeline.protocols import Outcome
from sync_orchestration.pipeline.write import WriteCounts
from sync_orchestration_tests.pipeline.conftest import Conn
from sync_orchestration_tests.pipeline.test_writing_a_target import Sync
from sync_orchestration_tests.pipeline.toys import ToyTarget

MANY = 1_000


def refusal(message: str, *, transient: bool = False, code: int | None = 422) -> Outcome:
    return Outcome(error=RecordError("refused", "vat", message), transient=transient, response_code=code)


def refusals(number: int, message: str = "no", start: int = 0, **more: bool) -> dict[str, Outcome]:
    return {str(key): refusal(message, **more) for key in range(start, start + number)}


# The decision


@given(st.lists(st.tuples(st.integers(1, 60), st.sampled_from(["a", "b", "c"])), max_size=8), st.integers(0, 8))
def test_it_never_stops_a_pass_once_a_record_was_accepted(groups: list[tuple[int, str]], at: int) -> None:
    breaker = Breaker()
    for place, (number, message) in enumerate(groups):
        outcomes = refusals(number, message)
        if place == at:
            outcomes["good"] = Outcome("1", response_code=200)
        breaker = breaker.after(outcomes)
        assert (breaker.fault() is None) or place < at
        assert (breaker.at_a_time is None) == (place >= at)


@given(st.lists(st.sampled_from(["a", "b", "c", "d", "e"]), max_size=2 * MOST_REFUSED))
def test_it_stops_as_soon_as_so_many_are_refused_alike_or_so_many_at_all(messages: list[str]) -> None:
    breaker = Breaker()
    for number, message in enumerate(messages):
        assert breaker.fault() is None
        breaker = breaker.after({str(number): refusal(message)})
        seen = messages[: number + 1]
        enough = max(map(seen.count, seen)) >= MOST_ALIKE or len(seen) >= MOST_REFUSED
        assert (breaker.fault() is not None) == enough
        if enough:
            break


def test_it_says_the_most_frequent_reason_how_many_and_which() -> None:
    breaker = Breaker().after({**refusals(10, "other"), **refusals(50, "the period is closed.", start=10)})
    assert str(breaker.fault()) == (
        "The target refuses everything: the period is closed (50 of 60 records, e.g. keys 10, 11, 12). Nothing more "
        "was sent and the other records wait; when that is mended, retry the failed ones."
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("The VAT number [CZ12] for partner [Firma 1] is wrong", "The VAT number [CZ345] for partner [X & Y] is wrong"),
        ("status 500: request 8f2a91 failed", "status 500: request 77b failed"),
        ("a@example.com is taken", "novak@firma.cz is taken"),
        ("“Alfa” is too long", "“Beta, s.r.o.” is too long"),
    ],
)
def test_what_a_message_quotes_of_its_record_makes_no_other_reason_of_it(first: str, second: str) -> None:
    breaker = Breaker().after(refusals(25, first)).after(refusals(25, second, start=25))
    assert "50 of 50 records" in str(breaker.fault())


def test_what_was_never_sent_or_never_answered_says_nothing_of_the_target() -> None:
    assert Breaker().after({str(i): refusal("not sent", code=None) for i in range(500)}) == Breaker()


def test_a_reason_that_may_pass_by_itself_is_an_outage_that_is_tried_again() -> None:
    assert isinstance(Breaker().after(refusals(60, "locked", transient=True)).fault(), UnavailableError)
    assert isinstance(Breaker().after(refusals(60, "no")).fault(), RefusesEverythingError)


@given(st.lists(st.booleans(), max_size=300), st.integers(1, 80))
def test_a_probe_stands_for_all_and_nothing_gets_lost(new: list[bool], size: int) -> None:
    records = list(enumerate(new))
    probe, others = probe_of(records, size, lambda record: record[1])
    assert sorted([*probe, *others]) == records
    assert len(probe) == min(size, len(records))
    assert probe == sorted(probe)
    assert others == sorted(others)
    untried = sum(new)
    assert sum(is_new for _, is_new in probe) == min(size, untried)
    if all(new) and len(records) > size > 1:
        gaps = [b[0] - a[0] for a, b in pairwise(probe)]
        assert max(gaps) - min(gaps) <= 1, "evenly"


# A pass


@dataclass
class Closed(ToyTarget):
    """A target that takes nothing, or nothing but some names; `sent` counts the records that reached it."""

    open_for: set[str] = field(default_factory=set)
    opened: bool = False
    sent: int = 0

    def _upsert(self, record: object) -> Outcome:
        self.sent += 1
        name = record.values["name"]  # type: ignore[attr-defined]
        if not self.opened and name not in self.open_for:
            self.refuses = {name: f"the period of '{name}' is closed"}
        else:
            self.refuses = {}
        return super()._upsert(record)  # type: ignore[arg-type]


@pytest.fixture
def sync(db: Conn) -> Sync:
    return Sync(db, Closed())


def closed(sync: Sync) -> Closed:
    assert isinstance(sync.target, Closed)
    return sync.target


def run(sync: Sync) -> WriteCounts:
    with running_pass(sync.db, sync.name, RetryPolicy(), None):
        return sync.write()


def test_a_target_that_refuses_everything_is_sent_one_probe_and_the_rest_waits(sync: Sync) -> None:
    sync.land(**{f"r{number:04}": {} for number in range(MANY)})
    with pytest.raises(RefusesEverythingError, match=r"The target refuses everything: .*\(50 of 50 records, e\.g\."):
        run(sync)
    statuses = list(sync.statuses().values())
    assert (closed(sync).sent, statuses.count("failed"), statuses.count("pending")) == (PROBE, PROBE, MANY - PROBE)
    assert len(sync.attempts()) == PROBE, "who was not tried has no attempt"
    failed = [sync.row(key) for key, status in sync.statuses().items() if status == "failed"]
    assert all(f"'{row['payload']['name']}'" in row["error_message"] for row in failed), "each keeps its own words"
    untouched = [sync.row(key) for key, status in sync.statuses().items() if status == "pending"]
    assert {(row["attempts"], row["in_doubt"], row["claimed_by"]) for row in untouched} == {(0, False, None)}
    state = read_state(sync.db, sync.name)
    assert state.status == "ERROR"
    assert str(state.error).startswith("The target refuses everything: ")


def test_the_next_trigger_tries_a_probe_and_goes_on_when_that_is_accepted(sync: Sync) -> None:
    sync.land(**{f"r{number:04}": {} for number in range(MANY)})
    for _ in range(2):
        with pytest.raises(RefusesEverythingError):
            run(sync)
    assert closed(sync).sent == 2 * PROBE
    closed(sync).opened = True
    assert run(sync) == WriteCounts(processed=MANY - 2 * PROBE)
    state = read_state(sync.db, sync.name)
    assert (state.status, state.error) == ("TRIGGER_WAITING", None)


def test_a_few_records_that_all_fail_are_no_matter_of_the_target(sync: Sync) -> None:
    sync.land(**{f"r{number}": {} for number in range(MOST_ALIKE - 1)})
    assert run(sync) == WriteCounts(failed=MOST_ALIKE - 1)
    assert read_state(sync.db, sync.name).status == "TRIGGER_WAITING"


@pytest.mark.parametrize("first", [0, 470, 940])
def test_sixty_bad_ones_among_many_good_ones_fail_alone_wherever_they_stand(sync: Sync, first: int) -> None:
    bad = {f"r{number:04}" for number in range(first, first + 60)}
    closed(sync).open_for = {f"r{number:04}" for number in range(MANY)} - bad
    sync.land(**{f"r{number:04}": {} for number in range(MANY)})
    assert run(sync) == WriteCounts(processed=MANY - 60, failed=60)
    assert {key for key, status in sync.statuses().items() if status == "failed"} == bad


def test_a_new_record_is_tried_before_those_that_failed_before(sync: Sync) -> None:
    sync.land(**{f"r{number:04}": {} for number in range(300)})
    for _ in range(6):
        with pytest.raises(RefusesEverythingError):
            run(sync)
    sync.db.execute("UPDATE sync.interface_row SET status = 'pending' WHERE sync = %s", [sync.name])
    sync.land(new={})
    closed(sync).open_for = {"new"}
    assert run(sync) == WriteCounts(processed=1, failed=300)


def test_records_that_break_our_own_rules_do_not_speak_against_the_target(sync: Sync) -> None:
    closed(sync).opened = True
    sync.land(**{f"bad{number}": {"email": "nonsense"} for number in range(300)}, good={})
    assert run(sync) == WriteCounts(processed=1, failed=300)


def test_a_target_that_refuses_only_deletes_is_said_to_do_that(sync: Sync, monkeypatch: pytest.MonkeyPatch) -> None:
    closed(sync).opened = True
    keys = [f"r{number:04}" for number in range(MANY)]
    sync.land(**{key: {} for key in keys})
    run(sync)
    sync.land(**dict.fromkeys(keys[:90]), new={})
    monkeypatch.setattr(sync.target, "delete", lambda records: {r.key: refusal("invoices are open") for r in records})
    with pytest.raises(RefusesEverythingError, match=r"The target refuses every delete: invoices are open \(50 of 50"):
        run(sync)
    assert sync.row("new")["status"] == "processed"
