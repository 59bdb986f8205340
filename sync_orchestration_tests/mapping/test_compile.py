import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sync_orchestration.mapping.compile import compile_mapping
from sync_orchestration.mapping.errors import MappingError
from sync_orchestration.mapping.fields import FieldSpec, RuleSpec
from sync_orchestration.mapping.records import JSON, Reference
from sync_orchestration.mapping.transforms import TRANSFORMS
from sync_orchestration_tests.mapping.json_values import VALUES, records

PARTNERS = """
mapping:
  name: nazev
  ref: kod
  is_company: {from: ic, transform: [present]}
  country_id: {from: stat, transform: [{strip_prefix: "code:"}, upper], reference: {model: res.country, field: code}}
  active: {transform: [{valid_in_years: {from: platiOd, to: platiDo}}]}
  comment: {from: popis}
  x_source: {constant: flexi}
  x_shown: stat@showAs
  x_external: external-ids.0
  phone: {from: tel, default: ""}
  credit: {from: limitFak, transform: [to_decimal]}
  email: email
rules:
  - {field: name, rule: required}
  - {field: email, rule: email}
  - {field: ref, rule: {max_length: 12}}
  - {field: credit, rule: {range: {min: 0, max: 1000}}}
"""
PAYLOAD: dict[str, JSON] = {
    "nazev": "\u00a0 Jan Matuštík ",
    "kod": "MATUŠÍK",
    "ic": "12345678",
    "stat": "code:cz",
    "stat@showAs": "CZ: Česká republika",
    "external-ids": ["ext:SHOP:55"],
    "platiOd": "0",
    "platiDo": "9999",
    "popis": "",
    "limitFak": "500.0",
    "email": "info@firma.cz",
}


def big(record: dict[str, Any]) -> bool:
    return int(record["turnover"]) > 100


def odd(_record: dict[str, Any]) -> object:
    return {1, 2}


class OwnError(Exception):
    pass


def failing(_record: dict[str, Any]) -> None:
    raise OwnError


def mapped(fields: dict[str, Any], payload: JSON, rules: list[Any] | None = None) -> Any:
    return compile_mapping(fields, rules or []).apply(payload)


def test_a_flexi_partner_becomes_an_odoo_partner() -> None:
    configuration = yaml.safe_load(PARTNERS)
    mapping = compile_mapping(configuration["mapping"], configuration["rules"])
    record = mapping.apply(PAYLOAD)
    assert record.errors == ()
    assert record.values == {
        "name": "Jan Matuštík",
        "ref": "MATUŠÍK",
        "is_company": True,
        "country_id": Reference("res.country", "code", "CZ"),
        "active": True,
        "comment": "",
        "x_source": "flexi",
        "x_shown": "CZ: Česká republika",
        "x_external": "ext:SHOP:55",
        "phone": "",
        "credit": Decimal("500.0"),
        "email": "info@firma.cz",
    }
    assert mapping.targets == tuple(configuration["mapping"])
    assert mapping.source_paths == set(PAYLOAD) | {"tel"}
    assert not mapping.reads_whole_record


def test_all_errors_of_a_record_are_reported_at_once() -> None:
    configuration = yaml.safe_load(PARTNERS)
    mapping = compile_mapping(configuration["mapping"], configuration["rules"])
    record = mapping.apply({"nazev": " ", "kod": "A" * 13, "limitFak": "much", "email": "info(at)firma.cz"})
    assert [(error.field, error.code) for error in record.errors] == [
        ("credit", "transform"),
        ("name", "required"),
        ("email", "email"),
        ("ref", "max_length"),
    ]
    assert record.errors[0].message == "to_decimal: 'much' is not a number"
    assert "credit" not in record.values


@pytest.mark.parametrize("empty", [None, "", "  ", "\u00a0", [], {}])
def test_every_kind_of_nothing_clears_the_field(empty: JSON) -> None:
    fields = {
        "plain": "a",
        "related": {"from": "a", "reference": {"model": "res.country", "field": "code"}},
        "number": {"from": "a", "transform": ["to_int"]},
    }
    assert mapped(fields, {"a": empty}).values == {"plain": "", "related": "", "number": ""}


def test_a_missing_source_field_is_the_same_as_an_empty_one() -> None:
    assert mapped({"a": "x", "b": "x.y.0"}, {}).values == {"a": "", "b": ""}


def test_false_and_zero_are_values() -> None:
    assert mapped({"a": "a", "b": "b"}, {"a": False, "b": 0}).values == {"a": False, "b": 0}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("heads.0.fio", "Ivanov"),
        ("heads.1.fio", ""),  # no second head
        ("heads.fio", ["Ivanov"]),  # of every object in a list
        ("idocs:inn", "7700"),
        ("a-b.@x", 1),
        ("years.0", "first"),  # an object may have a key that looks like an index
        ("heads.0.fio.x", ""),  # a text has nothing inside
    ],
)
def test_a_path_walks_objects_and_lists(path: str, found: JSON) -> None:
    payload: JSON = {
        "heads": [{"fio": "Ivanov"}],
        "idocs:inn": "7700",
        "a-b": {"@x": 1},
        "years": {"0": "first"},
    }
    assert mapped({"f": path}, payload).values == {"f": found}


def test_a_default_stands_in_for_an_empty_result_and_is_looked_up_too() -> None:
    spec = {"from": "stat", "default": "CZ", "reference": {"model": "res.country", "field": "code"}}
    assert mapped({"c": spec}, {"stat": ""}).values == {"c": Reference("res.country", "code", "CZ")}


def test_a_list_cannot_be_a_reference() -> None:
    spec = {"from": "a", "reference": {"model": "m", "field": "f"}}
    (error,) = mapped({"c": spec}, {"a": [1]}).errors
    assert error.message == "reference: a list of 1 cannot name one related record"


def test_a_python_function_sees_the_whole_record() -> None:
    fields = {"big": {"python": f"{__name__}:big", "reads": ["turnover"]}}
    mapping = compile_mapping(fields)
    assert mapping.apply({"turnover": "101"}).values == {"big": True}
    assert mapping.source_paths == {"turnover"}
    assert compile_mapping({"big": {"python": f"{__name__}:big"}}).reads_whole_record


@pytest.mark.parametrize(
    ("function", "said"), [("big", "KeyError 'turnover'"), ("odd", "gave a set"), ("failing", "OwnError")]
)
def test_whatever_a_python_function_raises_is_an_error_of_that_record(function: str, said: str) -> None:
    record = mapped({"f": {"python": f"{__name__}:{function}"}, "name": "n"}, {"n": "kept"})
    assert record.values == {"name": "kept"}
    assert record.errors[0].code == "transform"
    assert said in record.errors[0].message


def test_a_payload_that_is_no_object_is_an_error_and_no_crash() -> None:
    (error,) = mapped({"a": "b"}, [1]).errors
    assert error.message == "the record is a list of 1, not an object with fields"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"a": {"from": "x", "constant": "y"}}, "one origin, not from and constant"),
        ({"a": {}}, "needs from, constant, python or a transform"),
        ({"a": {"form": "x"}}, "form: Extra inputs"),
        ({"a": "x..y"}, "a: 'x..y' is not a path"),
        ({"a": {"from": "x", "transform": ["uper"]}}, "a: unknown transform 'uper'; known are collapse_spaces"),
        ({"a": {"transform": ["upper"]}}, "a: transform upper needs a value"),
        ({"a": {"from": "x", "transform": [{"valid_in_years": {"to": "y"}}]}}, "sees the whole record"),
        ({"a": {"python": "no_such_module:f"}}, "cannot be imported"),
        ({"a": {"python": f"{__name__}:PAYLOAD"}}, "is not a function"),
        ({"a": {"python": "os.system"}}, "python: String should match"),
        ({"a": {"from": "x", "reads": ["y"]}}, "reads belongs to python"),
        ({"a": 5}, "a"),
    ],
)
def test_a_wrong_field_is_refused_with_its_name(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(MappingError, match="mapping: ") as refusal:
        compile_mapping(fields)
    assert said in str(refusal.value)


def test_a_rule_for_an_unknown_field_is_refused() -> None:
    with pytest.raises(MappingError, match="no field 'nme' in the mapping; its fields are name"):
        compile_mapping({"name": "n"}, [{"field": "nme", "rule": "required"}])


def test_the_fingerprint_follows_the_meaning_of_the_configuration() -> None:
    first = compile_mapping({"a": "x", "b": {"constant": 1}})
    assert first.fingerprint == compile_mapping({"b": {"constant": 1}, "a": {"from": "x"}}).fingerprint
    others: list[dict[str, Any]] = [
        {"a": "y", "b": {"constant": 1}},
        {"a": "x", "b": {"constant": "1"}},
        {"a": {"from": "x", "transform": ["upper"]}, "b": {"constant": 1}},
    ]
    assert len({first.fingerprint, *(compile_mapping(fields).fingerprint for fields in others)}) == 4
    ruled = compile_mapping({"a": "x", "b": {"constant": 1}}, [{"field": "a", "rule": "email"}])
    assert ruled.fingerprint != first.fingerprint


def test_the_models_of_the_configuration_are_accepted_as_they_are() -> None:
    spec = FieldSpec.model_validate({"from": "x", "transform": ["upper"]})
    rule = RuleSpec.model_validate({"field": "a", "rule": {"one_of": ["A"]}})
    assert compile_mapping({"a": spec}, [rule]).apply({"x": "a"}).errors == ()


@pytest.mark.parametrize("model", [FieldSpec, RuleSpec])
def test_every_setting_has_a_description_for_the_editor(model: type[FieldSpec] | type[RuleSpec]) -> None:
    schema = model.model_json_schema()
    for part in [schema, *schema["$defs"].values()]:
        for name, setting in part.get("properties", {}).items():
            assert setting.get("description"), name


def test_the_clock_is_given_by_the_caller() -> None:
    fields = {"active": {"transform": [{"valid_in_years": {"from": "a", "to": "b"}}]}}
    payload: JSON = {"a": "2020", "b": "2024"}

    def active_on(day: dt.date) -> object:
        return compile_mapping(fields, today=lambda: day).apply(payload).values["active"]

    answers = [active_on(dt.date(year, 6, 1)) for year in (2019, 2020, 2024, 2025)]
    assert answers == [False, True, True, False]


ARGUMENTS: dict[str, Any] = {
    "strip_prefix": "a",
    "strip_suffix": "a",
    "replace": {"old": "a", "new": "b"},
    "truncate": 3,
    "lookup_table": {"table": {"true": 1}},
    "valid_in_years": {"from": "a", "to": "b.0"},
    "first_of": ["a", "b.0"],
    "join_fields": {"paths": ["a", "b"]},
    "to_decimal": {"places": 2},
    "phone": "+420",
    "date": {"formats": ["%d/%m/%Y"], "to": "%d.%m.%Y"},
    "datetime": {"zone": "Europe/Prague"},
}
EVERYTHING: dict[str, Any] = {
    name: {
        "transform": [{name: ARGUMENTS[name]} if name in ARGUMENTS else name],
        **({} if item.kind == "record" else {"from": "a"}),
    }
    for name, item in TRANSFORMS.items()
} | {"related": {"from": "b", "reference": {"model": "m", "field": "f"}}, "plain": "a", "deep": "a.b.0"}
RULES: list[Any] = ["required", "email", {"max_length": 3}, {"range": {"min": 0}}, {"matches": "^a"}, {"one_of": [1]}]
TOTAL = compile_mapping(
    EVERYTHING, [{"field": field, "rule": rule} for field in ("plain", "deep", "first", "related") for rule in RULES]
)


@pytest.mark.parametrize(
    "number", [10**5000, float("nan"), float("-inf"), 1e308], ids=["huge", "nan", "infinite", "large"]
)
def test_numbers_beyond_reason_make_no_mapping_raise(number: JSON) -> None:
    # Python itself refuses to print an integer of more than 4300 digits.
    assert TOTAL.apply({"a": number, "b": number}).errors


@given(st.one_of(records("a", "b"), VALUES))
def test_no_data_makes_a_mapping_raise(payload: JSON) -> None:
    record = TOTAL.apply(payload)
    assert None not in record.values.values()
    failed = {error.field for error in record.errors if error.code == "transform"}
    assert not failed & set(record.values)
    if isinstance(payload, dict):
        assert failed | set(record.values) == set(TOTAL.targets)
    assert all(error.message for error in record.errors)
