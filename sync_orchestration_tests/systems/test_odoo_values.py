"""What Odoo makes of a value, and that a value which it holds is never written again."""

from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync_orchestration.pipeline.protocols import CurrentRecord
from sync_orchestration.systems.odoo.target import OdooTarget
from sync_orchestration.systems.odoo.values import html_text, load_cell, load_column, same_value

from .arbitrary import json_values
from .conftest import DIALECTS, Switchboard, open_odoo, record, target_id, written

KINDS = (
    "char",
    "text",
    "html",
    "boolean",
    "integer",
    "float",
    "many2one",
    "many2many",
    "date",
    "datetime",
    "selection",
)
FIELDS = ("name", "comment", "website", "city", "is_company", "active", "country_id", "category_id", "lang")
CUSTOM = {"x_note": "text", "x_count": "integer", "x_share": "float", "x_day": "date", "x_seen": "datetime"}


@pytest.mark.parametrize(
    ("kind", "value", "cell"),
    [
        ("char", "Alfa", "Alfa"),
        ("char", "", ""),
        ("char", None, ""),
        ("char", False, ""),
        ("boolean", True, "1"),
        ("boolean", False, "0"),
        ("boolean", "", "0"),
        ("integer", 0, "0"),
        ("float", 0.0, "0.0"),
        ("many2one", 7, "7"),
        ("many2one", "", ""),
        ("many2many", [3, 5], "3,5"),
        ("many2many", [], ""),
        ("html", "a < b\nc & d", "a &lt; b<br/>c &amp; d"),
        ("html", "Jan <jan@example.com>", "Jan &lt;jan@example.com&gt;"),
        ("html", "<p>a<br/>b</p>", "<p>a<br/>b</p>"),
        ("html", "<b>and</b> so on", "<b>and</b> so on"),
    ],
)
def test_a_value_is_spelled_as_load_reads_it(kind: str, value: Any, cell: str) -> None:
    assert load_cell(kind, value) == cell


@pytest.mark.parametrize(("kind", "column"), [("char", "x"), ("many2one", "x/.id"), ("many2many", "x/.id")])
def test_relations_are_given_by_database_id(kind: str, column: str) -> None:
    assert load_column("x", kind) == column


@pytest.mark.parametrize(
    ("stored", "words"),
    [
        (False, ""),
        ("<p></p>", ""),
        ("<p>a &lt; b<br>c</p>", "a < b c"),
        ('<div class="x"><p>První</p><p>Druhý</p></div>', "První Druhý"),
        ("<p>a&nbsp;b</p>", "a b"),
    ],
)
def test_the_words_of_html_are_compared_and_not_its_markup(stored: Any, words: str) -> None:
    assert html_text(stored) == words


TEXTS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("<>&;\"'\n\tb/ p"), max_size=20
) | st.sampled_from(["<b>x</b>", "a <b and c> d", "&amp;", "&lt;p&gt;", "<p>", "</div", "Jan <a@b.cz>", "x<br>y", "0"])
YEAR_1900 = datetime(1900, 1, 1)  # noqa: DTZ001 - Odoo's datetimes carry no zone
HOSTS = st.from_regex(r"(https?://)?(www\.)?[A-Za-z]{1,6}\.(cz|COM)(/[a-zA-Z0-9]{0,4})?/?", fullmatch=True)
VALUES = st.fixed_dictionaries(
    {
        "name": TEXTS.filter(bool),
        "comment": TEXTS,
        "website": HOSTS | st.just(""),
        "city": TEXTS,
        "x_note": TEXTS,
        "is_company": st.booleans(),
        "active": st.booleans(),
        "country_id": st.sampled_from([1, 2, 3, ""]),
        "category_id": st.lists(st.sampled_from([1, 2, 3]), unique=True),
        "lang": st.sampled_from(["en_US", ""]),
        "x_count": st.integers(-(2**31), 2**31 - 1) | st.just(""),
        "x_share": st.floats(allow_nan=False, allow_infinity=False) | st.just(""),
        "x_day": st.dates(YEAR_1900.date()).map(str) | st.just(""),
        "x_seen": st.datetimes(YEAR_1900).map(lambda moment: moment.isoformat(" ", "seconds")) | st.just(""),
    }
)


@pytest.fixture(scope="module", params=["odoo 18", "odoo 19 with an API key"])
def target(request: pytest.FixtureRequest, board: Switchboard) -> OdooTarget:
    """One Odoo for all examples; each writes the same record again."""
    assert request.param in DIALECTS
    return open_odoo(board, request.param, custom_fields=CUSTOM).target(*FIELDS, *CUSTOM)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=VALUES)
def test_what_odoo_stored_is_never_a_difference(target: OdooTarget, values: dict[str, Any]) -> None:
    target_id(written(target, record("1", **values))["1"])
    stored = target.current([record("1")])["1"]
    assert isinstance(stored, CurrentRecord)
    different = [name for name, value in values.items() if not target.same(name, stored.values[name], value)]
    assert different == []


@given(st.sampled_from(["name", "vat", "website"]), st.sampled_from(KINDS), json_values(), json_values())
def test_any_two_values_can_be_compared(field: str, kind: str, current: Any, wanted: Any) -> None:
    assert same_value(field, kind, current, wanted) in (True, False)


@given(st.sampled_from(KINDS), st.sampled_from([False, None, ""]), st.sampled_from([False, None, ""]))
def test_all_ways_to_say_nothing_are_the_same(kind: str, current: Any, wanted: Any) -> None:
    assert same_value("x", kind, current, wanted)
