import json
from typing import Any

from hypothesis import given

from sync_orchestration.mapping.diff import changed_fields, payload_hash
from sync_orchestration.mapping.records import JSON
from sync_orchestration_tests.mapping.json_values import VALUES


def backwards(value: JSON) -> JSON:
    if isinstance(value, dict):
        return {key: backwards(value[key]) for key in reversed(value)}
    return [backwards(item) for item in value] if isinstance(value, list) else value


def test_the_hash_is_known_and_never_changes_between_releases() -> None:
    known = "43258cff783fe7036d8a43033f830adfc60ec037382473548ac742b888292777"
    assert payload_hash({"b": 2, "a": 1}) == known


def test_half_a_surrogate_pair_can_be_hashed() -> None:
    assert payload_hash(json.loads('"\\ud800"'))


@given(VALUES)
def test_the_hash_does_not_depend_on_the_order_of_keys(value: JSON) -> None:
    assert payload_hash(value) == payload_hash(backwards(value))


@given(VALUES, VALUES)
def test_different_values_have_different_hashes(one: JSON, other: JSON) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (payload_hash(one) == payload_hash(other)) == same


def test_only_the_fields_of_the_new_record_are_compared() -> None:
    def same(field: str, current: Any, new: Any) -> bool:
        return bool(current == new) or (field == "qty" and float(current) == float(new))

    new: dict[str, Any] = {"name": "A", "qty": "1.0", "phone": "", "email": "x@y.cz"}
    current: dict[str, Any] = {"name": "B", "qty": 1, "other": "kept"}
    assert changed_fields(new, current, same) == {"name": ("B", "A"), "email": ("", "x@y.cz")}
