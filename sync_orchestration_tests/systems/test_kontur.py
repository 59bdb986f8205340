"""The register is asked once for a number, answers are joined by number, and the key stays where it is."""

from typing import Any

import pytest
from starlette.responses import Response
from starlette.types import ASGIApp

from sync_orchestration.mapping.records import RecordError
from sync_orchestration.pipeline.errors import ConfigurationError, SyncError, UnavailableError
from sync_orchestration.sandbox.alfresco import AlfrescoWorld
from sync_orchestration.sandbox.faults import FaultRule
from sync_orchestration.sandbox.kontur import KonturSwitches, KonturWorld, kontur_app
from sync_orchestration.systems.http import HttpClient, HttpSettings
from sync_orchestration.systems.kontur import KonturClient, KonturLookup
from sync_orchestration_tests.recording import Recording
from sync_orchestration_tests.systems.conftest import Script, Switchboard, as_json

KEY = "key+of/the=register-7f3a91"
INN = "idocs:inn"


@pytest.fixture(scope="module")
def contractors() -> AlfrescoWorld:
    return AlfrescoWorld.demo(contractors=150)


@pytest.fixture
def register() -> KonturWorld:
    world = KonturWorld.demo(contractors=150)
    world.key = KEY
    return world


def client(board: Switchboard, app: ASGIApp, key: str = KEY) -> KonturClient:
    board.app = app
    http = HttpClient(HttpSettings("Kontur", board.url, tries=2, first_delay=0.0, secrets=(key,)))
    return KonturClient(http, key)


def lookup(board: Switchboard, register: KonturWorld) -> KonturLookup:
    return KonturLookup(client(board, kontur_app(register)), INN, "inn")


def planted(world: AlfrescoWorld, kind: str) -> dict[str, Any]:
    return world.nodes[world.planted[kind][0]].properties


# Questions

ASKED = ["spaces", "nbsp", "newline", "prefix", "padded_to_12", "inn_slash_kpp", "cyrillic_digits", "lost_leading_zero"]
NEVER_ASKED = {
    # What is nobody's fault is skipped.
    "empty": ("empty", True),
    "blank": ("empty", True),
    "zeros": ("zeros", True),
    "foreign": ("foreign", True),
    "edrpou": ("edrpou", True),
    # What somebody should mend fails.
    "bad_check_digit": ("bad_check_digit", False),
    "too_short": ("wrong_length", False),
    "belarus": ("wrong_length", False),
    "two_numbers": ("two_numbers", False),
    "text": ("not_a_number", False),
}


@pytest.mark.parametrize("kind", ASKED)
def test_a_number_is_cleaned_before_it_is_asked_for(
    board: Switchboard, register: KonturWorld, contractors: AlfrescoWorld, kind: str
) -> None:
    found = lookup(board, register).question(planted(contractors, kind))
    assert found.error is None
    assert register.found(found.number or "")
    assert found.number != planted(contractors, kind)[INN]


@pytest.mark.parametrize("kind", list(NEVER_ASKED))
def test_what_is_no_russian_number_becomes_a_status_with_its_own_code(
    board: Switchboard, register: KonturWorld, contractors: AlfrescoWorld, kind: str
) -> None:
    question = lookup(board, register).question(planted(contractors, kind))
    assert question.number is None
    assert question.error is not None
    assert (question.error.code, question.skip) == NEVER_ASKED[kind]
    assert question.error.field == INN
    assert question.error.message


def test_an_ogrn_can_be_what_is_asked_for(board: Switchboard, register: KonturWorld) -> None:
    company = next(c for c in register.companies if c.role == "plain")
    by_ogrn = KonturLookup(client(board, kontur_app(register)), "idocs:ogrn", "ogrn")
    assert by_ogrn.name == "kontur/ogrn"
    assert by_ogrn.question({"idocs:ogrn": f"ОГРН {company.ogrn}"}).number == company.ogrn
    found = by_ogrn.ask([company.ogrn])
    assert [item["inn"] for item in found[company.ogrn]] == [company.inn]
    assert by_ogrn.question({"idocs:ogrn": company.inn}).error is not None


# Answers


def test_a_hundred_numbers_are_one_request_and_answers_are_joined_by_number(
    board: Switchboard, register: KonturWorld
) -> None:
    recording = Recording(kontur_app(register))
    numbers = [*sorted({c.inn for c in register.companies})[:99], "7707083893"]
    found = KonturLookup(client(board, recording), INN, "inn").ask(numbers)
    (asked,) = recording.asked
    assert (str(asked), asked.params["inn"]) == ("GET /api3/req", [",".join(numbers)])
    assert set(found) == set(numbers[:99])
    for number, bodies in found.items():
        assert {b["ogrn"] for b in bodies} == {c.ogrn for c in register.found(number)}


def test_more_bodies_than_asked_for_are_not_taken(board: Switchboard) -> None:
    board.app = Script([as_json([{"inn": "7707083893", "ogrn": "1"}, {"inn": "7736050003", "ogrn": "2"}])])
    one = KonturLookup(client(board, board.app), INN, "inn")
    assert one.ask(["7736050003"]) == {"7736050003": [{"inn": "7736050003", "ogrn": "2"}]}


@pytest.mark.parametrize("kind", ["ambiguous_resolved_by_ogrn", "one_alive"])
def test_several_bodies_of_one_number_are_told_apart(
    board: Switchboard, register: KonturWorld, contractors: AlfrescoWorld, kind: str
) -> None:
    asking = lookup(board, register)
    for key in contractors.planted[kind]:
        payload = contractors.nodes[key].properties
        number = asking.question(payload).number or ""
        bodies = asking.ask([number])[number]
        assert len(bodies) == 2
        answer = asking.answer(payload, bodies)
        assert isinstance(answer, dict)
        chosen = answer.get("ogrn") or answer.get("psrnsp")
        stored = payload.get("idocs:ogrn")
        alive = [c.ogrn for c in register.found(number) if c.dissolved is None]
        assert chosen == (stored if kind == "ambiguous_resolved_by_ogrn" else alive[0])


def test_bodies_that_cannot_be_told_apart_fail_with_all_candidates(
    board: Switchboard, register: KonturWorld, contractors: AlfrescoWorld
) -> None:
    asking = lookup(board, register)
    payload = planted(contractors, "ambiguous_inn")
    number = asking.question(payload).number or ""
    answer = asking.answer(payload, asking.ask([number])[number])
    assert isinstance(answer, RecordError)
    assert (answer.code, answer.field) == ("ambiguous", INN)
    assert all(c.ogrn in answer.message for c in register.found(number))


def test_an_unknown_number_has_no_answer(board: Switchboard, register: KonturWorld, contractors: AlfrescoWorld) -> None:
    asking = lookup(board, register)
    number = asking.question(planted(contractors, "not_found")).number or ""
    assert asking.ask([number]) == {}
    assert asking.answer({}, []) is None


@pytest.mark.parametrize(
    ("kind", "left_alone"),
    [("branch_kpp", {"kpp", "address"}), ("largest_taxpayer_kpp", {"kpp"}), ("dissolved", {"okpo", "head"})],
)
@pytest.mark.parametrize("year", ["2018", "2021", "2024"])
def test_what_is_not_the_registers_to_say_is_absent_from_the_answer(
    board: Switchboard, register: KonturWorld, contractors: AlfrescoWorld, kind: str, left_alone: set[str], year: Any
) -> None:
    register.switches = KonturSwitches(shape=year)
    asking = lookup(board, register)
    payload = planted(contractors, kind)
    number = asking.question(payload).number or ""
    answer = asking.answer(payload, asking.ask([number])[number])
    assert isinstance(answer, dict)
    assert left_alone & set(answer) == set()
    assert "full_name" in answer
    assert all(value not in ("", None) for value in answer.values())


# Refusals

REFUSALS: dict[str, tuple[dict[str, Any], type[SyncError], str]] = {
    "expired": ({"key_expired": True}, ConfigurationError, "KONTUR_KEY"),
    "tariff": ({"tariff": frozenset()}, ConfigurationError, "tariff"),
    "quota 402": ({"limit": 0, "exhausted_status": 402}, ConfigurationError, "quota is used up"),
    "quota 403": ({"limit": 0, "exhausted_status": 403}, ConfigurationError, "Limit is exceeded"),
    "quota 429": ({"limit": 0, "exhausted_status": 429}, UnavailableError, "asked for patience"),
    "rate": ({"max_calls": 0}, UnavailableError, "asked for patience"),
}


@pytest.mark.parametrize("case", list(REFUSALS))
def test_a_refusal_stops_the_pass_with_its_remedy(board: Switchboard, register: KonturWorld, case: str) -> None:
    switches, error, words = REFUSALS[case]
    number = register.companies[0].inn
    register.switches = KonturSwitches.model_validate(switches)
    with pytest.raises(error, match=words) as refused:
        lookup(board, register).ask([number])
    assert not shows_key(str(refused.value))


def test_a_wait_that_kontur_asks_for_is_handed_on(board: Switchboard, register: KonturWorld) -> None:
    register.switches = KonturSwitches(max_calls=0, retry_after=120)
    with pytest.raises(UnavailableError) as refused:
        lookup(board, register).ask([register.companies[0].inn])
    assert refused.value.retry_after == 120


@pytest.mark.parametrize("kind", ["html", "truncate", "reset", "reset_after", "status"])
def test_a_fault_that_stays_stops_the_pass_and_one_that_passes_does_not(
    board: Switchboard, register: KonturWorld, kind: Any
) -> None:
    asking, number = lookup(board, register), register.companies[0].inn
    register.faults.add(FaultRule(kind=kind, times=1 if kind != "html" else 0))
    assert asking.ask([number])
    register.faults.add(FaultRule(kind=kind, times=None))
    with pytest.raises(UnavailableError) as refused:
        asking.ask([number])
    assert not shows_key(str(refused.value))


def test_a_wrong_key_is_refused_for_questions_and_for_the_usage(board: Switchboard, register: KonturWorld) -> None:
    wrong = client(board, kontur_app(register), "WRONG-key-0123456789abcdef")
    for ask in (lambda: wrong.companies("inn", ["7707083893"]), wrong.usage):
        with pytest.raises(ConfigurationError, match="KONTUR_KEY") as refused:
            ask()
        assert "WRONG" not in str(refused.value)


@pytest.mark.parametrize(
    "answer",
    [
        Response("No such key: " + KEY, 403),
        Response("key " + KEY, 400),
        Response("", 302, {"Location": f"https://elsewhere.example/api3/req?key={KEY}"}),
        Response("", 302, {"Location": "https://elsewhere.example/?key=key%2Bof%2Fthe%3Dregister-7f3a91"}),
        Response(f"<html>{KEY}</html>", 200, media_type="text/html"),
        Response(f'{{"key": "{KEY}"}}', 200, media_type="application/json"),
        Response(f'["{KEY}"]', 200, media_type="application/json"),
        Response(f"broken {KEY}", 500),
        Response(f"not there {KEY}", 501),
    ],
)
def test_no_message_ever_shows_the_key(board: Switchboard, answer: Response) -> None:
    asking = client(board, Script([answer]))
    with pytest.raises(SyncError) as refused:
        asking.companies("inn", ["7707083893"])
    assert not shows_key(str(refused.value))


def test_an_address_where_nobody_answers_does_not_show_the_key() -> None:
    http = HttpClient(HttpSettings("Kontur", "http://127.0.0.1:9", tries=1, secrets=(KEY,)))
    with pytest.raises(UnavailableError) as refused:
        KonturClient(http, KEY).companies("inn", ["7707083893"])
    assert not shows_key(str(refused.value))


def shows_key(message: str) -> bool:
    return KEY in message or "register-7f3a91" in message


def test_the_usage_costs_nothing_and_is_told_to_people(board: Switchboard, register: KonturWorld) -> None:
    asking = client(board, kontur_app(register))
    asking.companies("inn", [next(c.inn for c in register.companies if c.role == "plain")])
    spent = register.spent()
    assert {(u.limit, u.spent) for u in asking.usage()} == {(100_000, spent)}
    assert f"{spent} of 100000 spent" in asking.check()
    assert register.spent() == spent
    assert not shows_key(asking.check())
