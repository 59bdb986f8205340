from typing import Any

import pytest
from pydantic import ValidationError

from sync_orchestration.mapping.fields import RuleSpec
from sync_orchestration.mapping.records import RecordError, Reference, Value
from sync_orchestration.mapping.rules import compile_rule


def checked(rule: Any, value: Value, message: str | None = None) -> RecordError | None:
    return compile_rule(RuleSpec.model_validate({"field": "f", "rule": rule, "message": message})).check(value)


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ("required", "x"),
        ("required", False),
        ("required", 0),
        ("required", Reference("m", "f", "CZ")),
        ("email", "info@firma.cz"),
        ("email", "a@b.cz, c@d.co.uk"),
        ("email", "a@b.cz; c@d.cz;"),
        ({"max_length": 3}, "abc"),
        ({"max_length": 3}, Reference("m", "f", "abc")),
        ({"range": {"min": 0, "max": 10}}, "10.0"),
        ({"range": {"min": 0.1}}, 0.1),
        ({"matches": "^[A-Z]+$"}, "ABC"),
        ({"one_of": ["a", 5, True]}, "5"),  # Flexi sends numbers and truths as text
        ({"one_of": ["a", 5, True]}, True),
    ],
)
def test_a_good_value_passes(rule: Any, value: Value) -> None:
    assert checked(rule, value) is None


@pytest.mark.parametrize(
    ("rule", "value", "code", "message"),
    [
        ("required", "", "required", "f is required and is empty"),
        ("required", " \u00a0", "required", "f is required and is empty"),
        ("required", None, "required", "f is required and is empty"),
        ("email", "info(at)firma.cz", "email", "e-mail 'info(at)firma.cz' is not an address"),
        ("email", "a@b", "email", "e-mail 'a@b' is not an address"),
        ("email", "a@@b.cz", "email", "e-mail 'a@@b.cz' is not an address"),
        ("email", "a@b..cz", "email", "e-mail 'a@b..cz' is not an address"),
        ("email", "a@b.cz c@d.cz", "email", "e-mail 'a@b.cz c@d.cz' is not an address"),
        ("email", "a@b.cz, none", "email", "e-mail 'a@b.cz, none' is not an address"),
        ("email", ";", "email", "e-mail ';' is not an address"),
        ("email", ["a@b.cz"], "email", "e-mail a list of 1 is not an address"),
        ({"max_length": 3}, "abcd", "max_length", "'abcd' has 4 characters, at most 3 are allowed"),
        ({"range": {"min": 0}}, "-1", "range", "'-1' is less than 0"),
        ({"range": {"max": 10}}, 10.5, "range", "10.5 is more than 10"),
        ({"range": {"max": 10}}, "many", "range", "'many' is not a number"),
        ({"range": {"max": 10}}, True, "range", "true is not a number"),
        ({"matches": "^[A-Z]+$"}, "abc", "format", "'abc' does not have the form ^[A-Z]+$"),
        ({"one_of": ["a", "b"]}, "c", "not_allowed", "'c' is not one of a, b"),
    ],
)
def test_a_bad_value_is_named_in_the_error(rule: Any, value: Value, code: str, message: str) -> None:
    assert checked(rule, value) == RecordError(code, "f", message)


@pytest.mark.parametrize(
    "rule", ["email", {"max_length": 1}, {"range": {"min": 1}}, {"matches": "a"}, {"one_of": ["a"]}]
)
@pytest.mark.parametrize("empty", ["", "  ", None, []])
def test_an_empty_value_passes_every_rule_but_required(rule: Any, empty: Value) -> None:
    assert checked(rule, empty) is None


def test_an_own_message_may_name_the_value() -> None:
    error = checked({"max_length": 3}, "abcd", "Shorten {value}, please")
    assert error is not None
    assert error.message == "Shorten 'abcd', please"


def test_a_long_value_is_shown_in_part() -> None:
    error = checked("email", "x" * 5000)
    assert error is not None
    assert len(error.message) < 120


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("requird", "Input should be 'required' or 'email'"),
        ({"max_lenght": 3}, "one of required, email, {max_length: …}"),
        ({"max_length": 0}, "greater than or equal to 1"),
        ({"max_length": 3, "min": 1}, "Extra inputs"),
        ({"range": {}}, "a range needs min or max"),
        ({"range": {"min": 2, "max": 1}}, "the range is empty"),
        ({"range": {"min": float("nan")}}, "finite number"),
        ({"matches": "("}, "not a regular expression"),
        ({"one_of": []}, "at least 1 item"),
    ],
)
def test_a_wrong_rule_is_refused_with_what_is_allowed(rule: Any, said: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        RuleSpec.model_validate({"field": "f", "rule": rule})
    assert said in str(refusal.value)
