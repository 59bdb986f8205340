import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from sync_orchestration.mapping.errors import MappingError
from sync_orchestration.mapping.transforms import TRANSFORMS, compile_step, describe_transforms


def applied(step: Any, value: Any) -> Any:
    return compile_step(step).call(value)


@pytest.mark.parametrize(
    ("step", "value", "result"),
    [
        ("strip", " a ", "a"),
        ({"strip": "-"}, "-a-", "a"),
        ("upper", "čz", "ČZ"),
        ("lower", "ČZ", "čz"),
        ("upper", 12, "12"),  # a REST API may send a code as a number
        ("collapse_spaces", "a \u00a0 b\n c", "a b c"),
        ({"strip_prefix": "code:"}, "code:CZ", "CZ"),
        ({"strip_prefix": "code:"}, "159", "159"),  # a relation to a record without a code
        ({"strip_suffix": " a.s."}, "Firma a.s.", "Firma"),
        ({"replace": {"old": "-", "new": ""}}, "1-2-3", "123"),
        ({"replace": {"old": "-"}}, "1-2-3", "123"),
        ({"truncate": 3}, "ab cd", "ab"),
        ("split", "VIP, DULEZITE,", ["VIP", "DULEZITE"]),
        ({"split": ";"}, "a;b", ["a", "b"]),
        ("join", ["a", None, "", 5, True], "a 5 true"),
        ({"join": ", "}, ["a", "b"], "a, b"),
        ("first", ["", None, "x"], "x"),
        ("first", [""], ""),
        ("present", "x", True),
        ("present", "", False),
        ("present", None, False),
        ("present", False, True),
        ("to_bool", "true", True),
        ("to_bool", "False", False),
        ("to_bool", "1", True),
        ("to_bool", 0, False),
        ("to_bool", "", ""),
        ("negate", "true", False),
        ("to_int", "500.0", 500),
        ("to_int", 7, 7),
        ("to_decimal", "1.2290034529E8", Decimal("122900345.29")),
        ("to_decimal", 0.1, Decimal("0.1")),
        ({"to_decimal": 2}, "1982.644628", Decimal("1982.64")),
        ("to_text", 1e22, "10000000000000000000000"),
        ("to_text", Decimal("1E3"), "1000"),
        ("to_text", True, "true"),
        ("date", "2026-05-27+02:00", "2026-05-27"),  # the offset is dropped, not converted
        ("date", "2026-05-27T23:30:00.000+02:00", "2026-05-27"),
        ("date", "2026-05-27T23:30:00Z", "2026-05-27"),
        ("date", "7. 5. 2026", "2026-05-07"),
        ({"date": {"formats": ["%d/%m/%Y"]}}, "07/05/2026", "2026-05-07"),
        ({"date": {"to": "%d.%m.%Y"}}, "2026-05-07", "07.05.2026"),
        ("date", "", ""),
        ("datetime", "2026-05-27T09:54:03.102+02:00", "2026-05-27 07:54:03"),
        ("datetime", "2026-05-27T09:54:03+0200", "2026-05-27 07:54:03"),
        ("datetime", "2026-05-27T09:54:03Z", "2026-05-27 09:54:03"),
        ({"datetime": {"zone": "Europe/Prague"}}, "2026-01-27T09:54:03", "2026-01-27 08:54:03"),
        ({"datetime": "Europe/Prague"}, "2026-05-27T09:54:03Z", "2026-05-27 09:54:03"),
        ({"lookup_table": {"table": {"a": 1}}}, "a", 1),
        ({"lookup_table": {"table": {"a": 1}, "default": 9}}, "b", 9),
        ({"lookup_table": {"table": {True: "yes", 5: "five"}}}, True, "yes"),  # as YAML reads the keys
        ({"lookup_table": {"table": {True: "yes", 5: "five"}}}, "5", "five"),
        ({"lookup_table": {"table": {"a": 1}}}, "", ""),
        ({"lookup_table": {"table": {"": "none", "a": 1}}}, None, "none"),
        ("digits", "CZ 123-45", "12345"),
        ("phone", "+420 \u00a0123  456", "+420 123 456"),
        ({"phone": "+420"}, "123 456", "+420 123 456"),
        ({"phone": {"country_prefix": "+420"}}, "00421 123", "00421 123"),
        ({"phone": "+420"}, "ask him", "ask him"),
        ("split_emails_first", "a@b.cz, c@d.cz", "a@b.cz"),
        ("split_emails_first", "none; c@d.cz", "c@d.cz"),
        ("split_emails_first", "info(at)firma.cz", "info(at)firma.cz"),  # left for the rule to name
        ("false_to_empty", False, ""),
        ("false_to_empty", 0, 0),
        ({"first_of": ["a.b", "c"]}, {"a": {"b": " "}, "c": " x "}, "x"),
        ({"first_of": ["a", "c"]}, {}, ""),
        ({"join_fields": {"paths": ["a", "b", "c"], "separator": ", "}}, {"a": "x", "c": 1}, "x, 1"),
    ],
)
def test_a_transform_gives(step: Any, value: Any, result: Any) -> None:
    found = applied(step, value)
    assert found == result
    assert type(found) is type(result)


@pytest.mark.parametrize(
    ("step", "value", "said"),
    [
        ("to_int", "1.5", "'1.5' is not a whole number"),
        ("to_int", "1E999999999", "is not a whole number"),  # would be a number of a billion digits
        ("to_int", True, "true is not a whole number"),
        ("to_decimal", "NaN", "'NaN' is not a number"),
        ("to_decimal", "12,5", "'12,5' is not a number"),
        ("to_bool", "maybe", "'maybe' is neither true nor false"),
        ("to_text", {"a": 1}, "an object has no form as text"),
        ("upper", ["a"], "a list of 1 has no form as text"),
        ("date", "yesterday", "'yesterday' is not a date"),
        ("date", "2026-02-30", "'2026-02-30' is not a day of the calendar"),
        ("datetime", "noon", "'noon' is not an ISO date and time"),
        ("datetime", "0001-01-01T00:00:00+05:00", "beyond the calendar"),
        ({"lookup_table": {"table": {"a": 1}}}, "b", "'b' is not in the table"),
        ("join", "a", "'a' is not a list"),
        ({"valid_in_years": {"to": "y"}}, {"y": "soon"}, "'soon' is not a year"),
    ],
)
def test_a_value_that_a_transform_cannot_use_is_named(step: Any, value: Any, said: str) -> None:
    with pytest.raises((ValueError, TypeError)) as refusal:
        applied(step, value)
    assert said in str(refusal.value)


@pytest.mark.parametrize(
    ("begin", "end", "valid"),
    [
        ("0", "9999", True),
        ("", "", True),
        (None, None, True),
        ("2026", "2026", True),
        ("2027", "9999", False),
        ("0", "2025", False),
        (1990, 2025, False),
    ],
)
def test_years_of_validity_are_inclusive_and_may_be_unlimited(begin: Any, end: Any, valid: bool) -> None:
    step = compile_step({"valid_in_years": {"from": "b", "to": "e"}}, today=lambda: dt.date(2026, 12, 31))
    assert step.call({"b": begin, "e": end}) is valid
    assert [path.top for path in step.paths] == ["b", "e"]


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("uper", "unknown transform 'uper'; known are collapse_spaces, date"),
        ({"truncate": "long"}, "transform truncate: argument length: Input should be a valid integer"),
        ({"truncate": 0}, "argument length: Input should be greater than or equal to 1"),
        ("truncate", "the argument length is missing; its arguments are length"),
        ({"replace": {"old": "a", "nu": "b"}}, "unknown argument 'nu'; its arguments are old, new"),
        ({"upper": 5}, "transform upper: it has no arguments"),
        ({"upper": {}, "lower": {}}, "not 2: upper, lower"),
        ({}, "not 0"),
        ({"datetime": {"zone": "Europe/Pragu"}}, "argument zone: invalid timezone"),
        ({"date": {"formats": ["%Q"]}}, "argument formats: Value error"),
        ({"date": {"formats": ["dd.mm"]}}, "argument formats"),
        ({"phone": "420"}, "argument country_prefix: String should match"),
        ({"first_of": ["a..b"]}, "argument paths: Value error, 'a..b' is not a path"),
        ({"valid_in_years": {"today": "x"}}, "unknown argument 'today'; its arguments are from, to"),
        ({"lookup_table": {"table": {}}}, "argument table"),
    ],
)
def test_a_wrong_step_is_refused_with_what_is_allowed(step: Any, said: str) -> None:
    with pytest.raises(MappingError) as refusal:
        compile_step(step)
    assert said in str(refusal.value)


def test_every_transform_has_a_sentence_for_the_user() -> None:
    described = describe_transforms()
    assert set(described) == set(TRANSFORMS)
    assert all(sentence.endswith(".") for sentence in described.values()), described
