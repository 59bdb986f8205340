"""Related records must exist in the target; when it cannot be asked, nobody is refused for it."""

from dataclasses import replace

import pytest

from sync_orchestration.intake import (
    FieldContract,
    IntakeConfigurationError,
    RelatedModel,
    SyncContract,
    TargetUnreachableError,
    intake_app,
)
from sync_orchestration.intake.references import RememberingReferences
from sync_orchestration.mapping.compile import compile_mapping
from sync_orchestration.mapping.conditions import compile_condition
from sync_orchestration.mapping.records import Reference
from sync_orchestration_tests.intake.test_limits import Clock
from sync_orchestration_tests.intake.world import SETTINGS, Directory, Intake, partner, serve_intake


def country(code: str) -> Reference:
    return Reference("res.country", "code", code)


def test_all_references_of_a_call_are_looked_up_in_one_question(intake: Intake) -> None:
    intake.push(partner("1", country="CZ"), partner("2", country="SK"), partner("3", country="CZ"), partner("4"))
    assert intake.target.asked == [[country("CZ"), country("SK")]]


def test_a_target_that_cannot_be_asked_means_try_again_and_nothing_is_stored(intake: Intake) -> None:
    intake.target.away = True
    answer = intake.push(partner("1"), partner("2", country="CZ"))
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["retryable"]) == (503, "references_unavailable", True)
    assert int(answer.headers["Retry-After"]) == error["retry_after"] == 5
    assert intake.rows() == {}
    assert intake.outcomes(partner("1")) == ["accepted"]  # it names nobody, so nobody need be asked


def test_json_rpc_says_try_again_too(intake: Intake) -> None:
    intake.target.away = True
    answer = intake.rpc("records.push", {"sync": "partners", "records": [partner("1", country="CZ")]})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["data"]["retryable"]) == (503, -32004, True)
    assert answer.headers["Retry-After"] == "5"


def test_a_delete_names_nobody(intake: Intake) -> None:
    intake.target.away = True
    assert intake.outcomes({"key": "1", "operation": "delete", "data": {"country": "XX"}}) == ["accepted"]


def test_what_was_found_is_trusted_for_ten_minutes_what_was_missing_for_half_a_one() -> None:
    clock, target = Clock(), Directory()
    remembering = RememberingReferences(target, clock)
    assert remembering.missing([country("CZ"), country("XX")]) == {country("XX")}
    clock.now = 29.9
    assert remembering.missing([country("CZ"), country("XX")]) == {country("XX")}
    assert len(target.asked) == 1
    clock.now = 30.0
    target.known.add("XX")
    assert remembering.missing([country("CZ"), country("XX")]) == set()
    assert target.asked[1:] == [[country("XX")]]
    clock.now = 600.0
    remembering.missing([country("CZ"), country("XX")])
    assert target.asked[2:] == [[country("CZ")]]


def test_a_target_that_did_not_answer_is_left_alone_for_a_while() -> None:
    clock, target = Clock(), Directory(away=True)
    remembering = RememberingReferences(target, clock)
    with pytest.raises(TargetUnreachableError):
        remembering.missing([country("CZ")])
    target.away = False
    clock.now = 3.0
    with pytest.raises(TargetUnreachableError) as told:
        remembering.missing([country("CZ")])
    assert told.value.retry_after == 2.0
    assert len(target.asked) == 1
    clock.now = 5.0
    assert remembering.missing([country("CZ")]) == set()


def test_what_is_remembered_helps_even_while_the_target_is_away() -> None:
    target = Directory()
    remembering = RememberingReferences(target, Clock())
    remembering.missing([country("CZ")])
    target.away = True
    assert remembering.missing([country("CZ")]) == set()


def test_the_memory_is_bounded_and_keeps_what_is_used() -> None:
    target = Directory(known={str(number) for number in range(100)})
    remembering = RememberingReferences(target, Clock(), most=10)
    for number in range(100):
        remembering.missing([country("0"), country(str(number))])
    assert len(remembering._known) == 10
    remembering.missing([country("0")])
    assert sum(country("0") in asked for asked in target.asked) == 1


def test_many_references_are_asked_for_in_batches() -> None:
    target = Directory()
    RememberingReferences(target, Clock()).missing([country(str(number)) for number in range(1_100)])
    assert [len(asked) for asked in target.asked] == [500, 500, 100]


MAPPED = SyncContract(
    name="mapped",
    entity="partner",
    fields=(FieldContract("title", required=True), FieldContract("land"), FieldContract("mail"), FieldContract("role")),
    mapping=compile_mapping(
        {
            "name": "title",
            "country_id": {
                "from": "land",
                "transform": ["upper"],
                "reference": {"model": "res.country", "field": "code"},
            },
            "email": "mail",
        },
        [{"field": "email", "rule": "email"}],
    ),
    condition=compile_condition("role != 'ghost'"),
)


def test_the_syncs_own_mapping_and_rules_are_part_of_the_check(database_url: str) -> None:
    settings = replace(
        SETTINGS, contracts=(MAPPED,), senders=(replace(SETTINGS.senders[0], syncs=frozenset({"mapped"})),)
    )
    with serve_intake(database_url, settings) as intake:
        good = {"key": "1", "data": {"title": "A", "land": "cz"}}
        bad = {"key": "2", "data": {"title": "A", "land": "xx", "mail": "nowhere"}}
        ghost = {"key": "3", "data": {"title": "A", "land": "xx", "mail": "nowhere", "role": "ghost"}}
        told = intake.push(good, bad, ghost, sync="mapped").json()
        assert [one["outcome"] for one in told["records"]] == ["accepted", "refused", "accepted"]
        found = [(error["key"], error["field"], error["code"]) for error in told["errors"]]
        assert found == [("2", "email", "email"), ("2", "country_id", "unknown_reference")]


def test_references_without_anybody_to_ask_are_a_mistake_of_the_settings() -> None:
    with pytest.raises(IntakeConfigurationError, match="'partners' has references"):
        intake_app(SETTINGS, "postgresql://nowhere", {})


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": "x", "reference": RelatedModel("m", "f")}, "example"),
        ({"name": "x", "matches": "[", "example": "a"}, "regular expression"),
        ({"name": "x", "type": "integer", "max_length": 5}, "max_length belongs"),
        ({"name": "x", "type": "money"}, "not a type"),
        ({"name": " "}, "name"),
        ({"name": "x", "reference": RelatedModel("m", "f"), "same_sync": True, "example": "a"}, "reference belongs"),
    ],
)
def test_a_field_that_cannot_be_meant_is_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(IntakeConfigurationError, match=said):
        FieldContract(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": "Bad Name"}, "small letters"),
        ({"fields": ()}, "no fields"),
        ({"fields": (FieldContract("a"), FieldContract("a"))}, "twice"),
        ({"fields": (FieldContract("password"),)}, "secret"),
        ({"operations": ()}, "operations"),
        ({"key_length": 0}, "key_length"),
    ],
)
def test_a_contract_that_cannot_be_meant_is_refused(wrong: dict[str, object], said: str) -> None:
    good: dict[str, object] = {"name": "a", "entity": "e", "fields": (FieldContract("x"),)}
    with pytest.raises(IntakeConfigurationError, match=said):
        SyncContract(**{**good, **wrong})  # type: ignore[arg-type]


def test_an_example_that_breaks_its_own_rules_is_refused() -> None:
    contract = SyncContract("a", "e", (FieldContract("x", matches="^a$", example="b"),))
    settings = replace(SETTINGS, contracts=(contract,), senders=())
    with pytest.raises(IntakeConfigurationError, match="example of 'x'"):
        intake_app(settings, "postgresql://nowhere", {})
