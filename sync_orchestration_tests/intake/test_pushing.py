"""Other systems push records and hear at once what is wrong with them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_orchestration.intake.checks import DataChecker
from sync_orchestration_tests.intake.world import CRM_TOKEN, NOTES, PARTNERS, Intake, partner


def test_an_accepted_record_is_in_the_table_before_the_answer(intake: Intake) -> None:
    answer = intake.push(partner("7", country="CZ", employees=12))
    assert answer.status_code == 200
    assert answer.json() == {
        "sync": "partners",
        "accepted": 1,
        "unchanged": 0,
        "stale": 0,
        "refused": 0,
        "records": [{"index": 0, "key": "7", "outcome": "accepted"}],
        "errors": [],
    }
    row = intake.rows()["7"]
    assert (row["sync"], row["source_system"], row["entity"]) == ("partners", "shop", "partner")
    assert (row["operation"], row["status"]) == ("update", "pending")
    assert row["payload"] == {"name": "Acme", "country": "CZ", "employees": 12}


def test_the_position_is_the_second_of_arrival_and_the_window_its_day(intake: Intake) -> None:
    intake.push(partner("7"))
    row = intake.rows()["7"]
    assert row["position"] == int(row["received_at"].timestamp())
    assert row["partition_key"] == row["received_at"].strftime("%Y-%m-%d")


def test_all_errors_of_all_records_come_back_at_once_and_the_good_record_is_stored(intake: Intake) -> None:
    answer = intake.push(
        partner("1", None, email="nowhere", country="XX"),
        partner("2"),
        {"key": "3", "operation": "burn", "data": "what?"},
        partner("4", "x" * 51, employees="many", nickname="Al"),
    )
    assert answer.status_code == 200
    told = answer.json()
    assert [record["outcome"] for record in told["records"]] == ["refused", "accepted", "refused", "refused"]
    assert [(e["index"], e["key"], e["field"], e["code"]) for e in told["errors"]] == [
        (0, "1", "name", "required"),
        (0, "1", "email", "email"),
        (0, "1", "country", "unknown_reference"),
        (2, "3", "operation", "operation"),
        (2, "3", "data", "data"),
        (3, "4", "name", "max_length"),
        (3, "4", "employees", "type"),
        (3, "4", "nickname", "unknown_field"),
    ]
    assert all(error["message"] for error in told["errors"])
    assert list(intake.rows()) == ["2"]


def test_a_call_whose_records_are_all_bad_is_an_error_with_the_whole_report(intake: Intake) -> None:
    answer = intake.push(partner("1", ""))
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert (error["code"], error["retryable"]) == ("records_refused", False)
    assert error["report"]["errors"][0]["code"] == "required"
    assert intake.rows() == {}


def test_an_atomic_call_stores_nothing_when_one_record_is_bad(intake: Intake) -> None:
    answer = intake.push(partner("1"), partner("2", ""), atomic=True)
    assert answer.status_code == 422
    errors = answer.json()["error"]["report"]["errors"]
    assert [(error["key"], error["code"]) for error in errors] == [("1", "atomic"), ("2", "required")]
    assert intake.rows() == {}


def test_an_atomic_call_of_good_records_is_stored(intake: Intake) -> None:
    assert intake.outcomes(partner("1"), partner("2"), atomic=True) == ["accepted", "accepted"]


def test_what_is_named_like_a_secret_is_not_stored(intake: Intake) -> None:
    intake.push(
        {"key": "1", "data": {"text": "hello", "api_key": "k", "deep": [{"password": "p", "x": 1}]}}, sync="notes"
    )
    assert intake.rows()["1"]["payload"] == {"text": "hello", "deep": [{"x": 1}]}


def test_unknown_fields_are_kept_where_the_sync_says_so(intake: Intake) -> None:
    assert intake.outcomes({"key": "1", "data": {"anything": {"goes": [1, 2.5, None, True]}}}, sync="notes") == [
        "accepted"
    ]
    assert intake.rows()["1"]["payload"] == {"anything": {"goes": [1, 2.5, None, True]}}


def test_a_parent_may_come_later_or_in_the_same_push(intake: Intake) -> None:
    assert intake.outcomes(partner("child", parent="boss"), partner("boss")) == ["accepted", "accepted"]
    assert intake.outcomes(partner("orphan", parent="comes-tomorrow")) == ["accepted"]


def test_a_record_that_is_its_own_parent_is_refused(intake: Intake) -> None:
    error = intake.push(partner("1", parent="1")).json()["error"]["report"]["errors"][0]
    assert (error["field"], error["code"]) == ("parent", "itself")


def test_two_senders_with_the_same_key_have_a_record_each(intake: Intake) -> None:
    assert intake.outcomes(partner("1", "Shop's")) == ["accepted"]
    assert intake.outcomes(partner("1", "CRM's"), token=CRM_TOKEN) == ["accepted"]
    found = intake.fetch("SELECT source_system, payload->>'name' FROM sync.interface_row ORDER BY 1")
    assert found == [("crm", "CRM's"), ("shop", "Shop's")]


@pytest.mark.parametrize(
    ("data", "field", "code"),
    [
        ({"name": 5}, "name", "type"),
        ({"name": "\u00a0 "}, "name", "required"),
        ({"name": "A", "number": "123"}, "number", "format"),
        ({"name": "A", "kind": "dog"}, "kind", "not_allowed"),
        ({"name": "A", "employees": 1.5}, "employees", "type"),
        ({"name": "A", "employees": True}, "employees", "type"),
        ({"name": "A", "employees": 2**63}, "employees", "type"),
        ({"name": "A", "turnover": "1"}, "turnover", "type"),
        ({"name": "A", "active": 1}, "active", "type"),
        ({"name": "A", "founded": "2026-02-30"}, "founded", "type"),
        ({"name": "A", "founded": "20260228"}, "founded", "type"),
        ({"name": "A", "seen": "2026-11-28 25:00"}, "seen", "type"),
        ({"name": "A", "tags": "a,b"}, "tags", "type"),
        ({"name": "A", "address": []}, "address", None),
        ({"name": "A", "country": 5}, "country", "type"),
        ({"name": "A", "parent": 5}, "parent", "type"),
    ],
)
def test_a_value_of_a_wrong_kind_is_named_with_its_field(data: dict[str, Any], field: str, code: str | None) -> None:
    errors = DataChecker.of(PARTNERS, 1_000).errors("k", data, suspicious=False)
    if code is None:
        code, errors = "type", DataChecker.of(PARTNERS, 1_000).errors("k", {**data, field: [1]}, suspicious=False)
    assert [(error.field, error.code) for error in errors] == [(field, code)]


@pytest.mark.parametrize(
    "data",
    [
        {"name": "A", "email": None, "country": "", "employees": None, "tags": [], "address": {}, "founded": ""},
        {"name": "A", "email": "a@b.cz, c@d.cz", "number": "27082440", "kind": "person"},
        {"name": "A", "employees": -(2**63 - 1), "turnover": 1e300, "active": False},
        {"name": "A", "founded": "2024-02-29", "seen": "2026-11-28T14:30:00.123456+01:00"},
        {"name": "A", "seen": "2026-11-28T14:30Z"},
    ],
)
def test_good_values_pass(data: dict[str, Any]) -> None:
    assert DataChecker.of(PARTNERS, 1_000).errors("k", data, suspicious=False) == []


@pytest.mark.parametrize(
    ("record", "code"),
    [
        ("text", "record"),
        (None, "record"),
        ([], "record"),
        ({}, "key"),
        ({"key": 5, "data": {}}, "key"),
        ({"key": " ", "data": {}}, "key"),
        ({"key": "a\nb", "data": {}}, "key"),
        ({"key": "a ", "data": {}}, "key"),
        ({"key": "x" * 201, "data": {}}, "key"),
        ({"key": "1", "data": {}, "operation": None}, "operation"),
        ({"key": "1", "data": {}, "operation": ["update"]}, "operation"),
        ({"key": "1", "data": {}, "version": -1}, "version"),
        ({"key": "1", "data": {}, "version": True}, "version"),
        ({"key": "1", "data": {}, "version": 2**63}, "version"),
        ({"key": "1", "data": {}, "version": "5"}, "version"),
        ({"key": "1"}, "data"),
        ({"key": "1", "data": []}, "data"),
        ({"key": "1", "operation": "delete", "data": "x"}, "data"),
        ({"key": "1", "data": {}, "verison": 5}, "unknown_field"),
    ],
)
def test_a_bad_envelope_is_refused_with_its_code(intake: Intake, record: Any, code: str) -> None:
    answer = intake.push(record, sync="notes")
    assert answer.status_code == 422
    assert answer.json()["error"]["report"]["errors"][0]["code"] == code
    assert intake.rows() == {}


@pytest.mark.parametrize("bad", ["a\x00b", "\ud800", "half \udfff a pair"])
@pytest.mark.parametrize("where", ["value", "deep", "name"])
def test_what_postgresql_cannot_hold_is_the_records_own_error(intake: Intake, bad: str, where: str) -> None:
    places: dict[str, dict[str, Any]] = {"value": {"x": bad}, "deep": {"x": [{"y": [bad]}]}, "name": {bad: 1}}
    data = places[where]
    outcomes = intake.outcomes({"key": "1", "data": data}, {"key": "2", "data": {"x": "good"}}, sync="notes")
    assert outcomes == ["refused", "accepted"]


def test_a_text_without_end_is_refused(intake: Intake) -> None:
    errors = intake.push({"key": "1", "data": {"x": ["y" * 100_001]}}, sync="notes").json()["error"]["report"]["errors"]
    assert [(error["field"], error["code"]) for error in errors] == [("x", "max_length")]


def test_a_record_with_a_thousand_errors_tells_twenty_and_how_many_more(intake: Intake) -> None:
    answer = intake.push({"key": "1", "data": {"name": "A"} | {f"f{number}": 1 for number in range(1_000)}})
    errors = answer.json()["error"]["report"]["errors"]
    assert len(errors) == 21
    assert errors[-1]["code"] == "more"
    assert "980" in errors[-1]["message"]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=10,
    ),
    st.sampled_from([PARTNERS, NOTES]),
)
def test_no_value_surprises_the_checks(value: Any, contract: Any) -> None:
    checker = DataChecker.of(contract, 1_000)
    data = value if isinstance(value, dict) else {field.name: value for field in contract.fields} or {"x": value}
    errors = checker.errors("k", data, suspicious=True)
    list(checker.references(data))
    assert all(error.code and error.message for error in errors)
