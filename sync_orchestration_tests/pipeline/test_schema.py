"""What counts as a change of a system's fields, and what does not."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_orchestration.interface.fields_seen import Shape
from sync_orchestration.pipeline.errors import ConfigurationError
from sync_orchestration.pipeline.schema import (
    ENOUGH_RECORDS,
    Drift,
    compare_shapes,
    grown,
    profile,
    refuse_unknown,
    tells_enough,
)

TEXT = Shape("string")


def seen(share: float, records: int = 100, kind: str = "text") -> Shape:
    return Shape(kind if share else "", share=share, records=records)


SHAPES = st.builds(
    Shape,
    st.sampled_from(["", "string", "integer", "mixed"]),
    st.booleans(),
    st.booleans(),
    st.none() | st.floats(0, 1),
    st.integers(0, 1_000),
)
FIELDS = st.dictionaries(st.sampled_from("abcdef"), SHAPES)


@given(FIELDS, st.sets(st.sampled_from("abcdef")), st.sampled_from(["source", "target"]))
def test_what_is_as_it_was_is_no_change(fields: dict[str, Shape], mapped: set[str], side: Any) -> None:
    assert compare_shapes(side, fields, fields, mapped) == []
    assert compare_shapes(side, {}, fields, mapped) == [], "nor is anything at the first look"


@given(FIELDS, FIELDS, st.sets(st.sampled_from("abcdef")), st.sampled_from(["source", "target"]))
def test_only_mapped_fields_are_serious_and_each_is_told_once(
    was: dict[str, Shape], now: dict[str, Shape], mapped: set[str], side: Any
) -> None:
    drifts = compare_shapes(side, was, now, mapped)
    assert len({drift.field for drift in drifts}) == len(drifts)
    assert {drift.field for drift in drifts if drift.serious} <= mapped
    assert {drift.field for drift in drifts} <= set(was)
    assert mapped & (set(was) - set(now)) <= {drift.field for drift in drifts if drift.serious}


@pytest.mark.parametrize(
    ("was", "now", "drift"),
    [
        ({"name": TEXT}, {}, Drift("target", "name", "string", "gone", serious=True)),
        ({"name": TEXT}, {"nam": TEXT}, Drift("target", "name", "string", "gone; is it nam now?", serious=True)),
        ({"name": TEXT}, {"title": TEXT}, Drift("target", "name", "string", "gone; is it title now?", serious=True)),
        ({"name": TEXT}, {"name": Shape("integer")}, Drift("target", "name", "string", "integer", serious=True)),
        (
            {"name": TEXT},
            {"name": Shape("string", readonly=True)},
            Drift("target", "name", "string", "string, read-only", serious=True),
        ),
        # Records that have a value there are taken as ever.
        (
            {"name": TEXT},
            {"name": Shape("string", required=True)},
            Drift("target", "name", "string", "string, required", serious=False),
        ),
        # Odoo may have a default for it.
        (
            {"unit": TEXT},
            {"unit": Shape("string", required=True)},
            Drift("target", "unit", "string", "string, required", serious=False),
        ),
    ],
)
def test_what_is_told_of_a_changed_target_field(was: dict[str, Shape], now: dict[str, Shape], drift: Drift) -> None:
    assert compare_shapes("target", was, now, {"name"}) == [drift]


def test_fields_of_a_target_that_are_not_written_may_come_and_go_and_those_of_a_source_are_only_mentioned() -> None:
    assert compare_shapes("target", {"unit": TEXT}, {}, {"name"}) == []
    assert compare_shapes("source", {"unit": TEXT}, {}, {"name"}) == [
        Drift("source", "unit", "string", "gone", serious=False)
    ]


def test_a_changed_mapping_takes_a_field_as_it_is_but_not_one_that_is_gone() -> None:
    was, now = {"name": TEXT, "city": TEXT}, {"city": Shape("integer")}
    told = compare_shapes("target", was, now, {"name", "city"}, accepted=True)
    assert [drift.field for drift in told] == ["name"]


@pytest.mark.parametrize(
    ("before", "after", "is_gone"),
    [
        (seen(1.0), seen(0.0, 20), True),
        (seen(0.9), seen(0.0, 20), True),
        (seen(0.1), seen(0.0, 20), False),  # one time in eight none of twenty has it
        (seen(0.1), seen(0.0, 100), True),
        (seen(1.0), seen(0.01, 100), False),
        (seen(0.0), seen(0.0), False),
    ],
)
def test_a_path_is_gone_when_no_new_record_has_it_and_that_is_no_chance(
    before: Shape, after: Shape, is_gone: bool
) -> None:
    assert bool(compare_shapes("source", {"email": before}, {"email": after}, {"email"})) is is_gone


def test_a_path_that_holds_another_type_in_nearly_all_new_records_is_told() -> None:
    rows = [{"id": number, "ic": number, "tags": [{"name": "a"}], "vip": True} for number in range(30)]
    before = profile([{"ic": str(row["ic"]), "vip": "yes", "tags": []} for row in rows], ["ic", "vip", "tags.name"])
    now = profile(rows, ["ic", "vip", "tags.name"])
    assert [(d.field, d.was, d.now) for d in compare_shapes("source", before, now, {"ic", "vip", "tags.name"})] == [
        ("ic", "text, in 100% of 30 records", "number, in 100% of 30 records"),
        ("vip", "text, in 100% of 30 records", "boolean, in 100% of 30 records"),
    ]


def test_few_new_records_tell_nothing_and_empty_values_are_none() -> None:
    few = profile([{"a": 1}] * (ENOUGH_RECORDS - 1), ["a"])
    assert not tells_enough(few)
    assert tells_enough(profile([{"a": 1}] * ENOUGH_RECORDS, ["a"]))
    assert tells_enough({"a": TEXT})
    assert profile([{"a": None}, {"a": ""}, {"a": []}, {}, {"a": 0}], ["a"]) == {
        "a": Shape("number", share=0.2, records=5)
    }


def test_the_memory_of_a_share_grows_with_each_look() -> None:
    assert grown({"a": seen(1.0, 100)}, {"a": seen(0.0, 100)}) == {"a": Shape("text", share=0.5, records=200)}
    assert grown({"a": TEXT}, {"a": Shape("integer")}) == {"a": Shape("integer")}


def test_a_path_that_leads_to_no_field_is_refused_with_the_one_that_is_meant() -> None:
    refuse_unknown({"nazev": TEXT}, ["nazev"], "adresar")
    with pytest.raises(ConfigurationError, match=r"adresar has no field 'nazevv', .* is nazev meant\?"):
        refuse_unknown({"nazev": TEXT}, ["nazevv"], "adresar")
