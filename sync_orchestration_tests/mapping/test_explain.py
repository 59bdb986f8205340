"""What a mapping makes of a record, told field by field and rule by rule."""

from typing import Any

from pydantic import TypeAdapter

from sync_orchestration.mapping.compile import compile_mapping
from sync_orchestration.mapping.explain import Explanation, explain
from sync_orchestration.mapping.fields import Fields, RuleSpec


def explained(mapping: dict[str, Any], rules: list[dict[str, Any]], payload: dict[str, Any]) -> Explanation:
    fields = TypeAdapter(Fields).validate_python(mapping)
    specs = TypeAdapter(list[RuleSpec]).validate_python(rules)
    return explain(compile_mapping(fields, specs), fields, specs, payload)


def test_each_field_says_where_it_comes_from_what_stood_there_and_what_it_became() -> None:
    found = explained(
        {
            "name": "nazev",
            "country": {
                "from": "stat",
                "transform": [{"strip_prefix": "code:"}, "upper"],
                "reference": {"model": "res.country", "field": "code"},
            },
            "parent": {"from": "above", "reference": {"same_sync": True}},
            "lang": {"from": "lang", "default": "cs_CZ"},
            "kind": {"constant": True},
        },
        [],
        {"nazev": " Alfa ", "stat": "code:cz", "above": "12"},
    ).fields
    assert [(f.field, f.origin, f.received, f.value) for f in found] == [
        ("name", "nazev", " Alfa ", "Alfa"),
        ("country", "stat → strip_prefix → upper → res.country by code", "code:cz", "CZ"),
        ("parent", "above → another record of this sync", "12", "12"),
        ("lang", "lang, or 'cs_CZ'", None, "cs_CZ"),
        ("kind", "always true", None, True),
    ]


def test_a_step_that_fails_is_the_fields_complaint_and_its_rules_say_so() -> None:
    found = explained(
        {"size": {"from": "size", "transform": ["to_int"]}},
        [{"field": "size", "rule": {"range": {"min": 1, "max": 9}}}],
        {"size": "many"},
    )
    (field,) = found.fields
    assert field.value is None
    assert "many" in (field.complaint or "")
    (rule,) = found.rules
    assert (rule.rule, rule.complaint) == ("range min 1, max 9", field.complaint)


def test_every_rule_has_an_outcome_those_that_hold_too() -> None:
    found = explained(
        {"name": "name", "code": "code"},
        [
            {"field": "name", "rule": "required"},
            {"field": "name", "rule": {"max_length": 3}},
            {"field": "code", "rule": {"one_of": ["A", "B"]}},
            {"field": "code", "rule": {"matches": "^[A-Z]$"}},
        ],
        {"name": "Alfa", "code": "B"},
    ).rules
    assert [(rule.rule, rule.complaint is None) for rule in found] == [
        ("required", True),
        ("max_length 3", False),
        ("one_of A, B", True),
        ("matches ^[A-Z]$", True),
    ]
