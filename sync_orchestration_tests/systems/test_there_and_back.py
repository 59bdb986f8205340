"""What Odoo holds goes to a REST API as JSON, and comes back as what Odoo held."""

import datetime as dt
import json
from types import SimpleNamespace
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from sync_orchestration.mapping.compile import compile_mapping
from sync_orchestration.mapping.records import RecordError
from sync_orchestration.systems.odoo.client import OdooClient
from sync_orchestration.systems.odoo.reading import RecordReading
from sync_orchestration.systems.odoo.values import load_cell, same_value
from sync_orchestration.systems.rest.bodies import as_json, nested

KINDS = {
    "name": "char",
    "comment": "text",
    "x_count": "integer",
    "x_rate": "float",
    "active": "boolean",
    "x_day": "date",
    "x_moment": "datetime",
}
# What a REST API would call them; some stand in an object of their own.
NAMES = {"name": "name", "comment": "about.note", "x_count": "about.count", "x_rate": "rate", "active": "enabled"}
NAMES |= {"x_day": "day", "x_moment": "at.last"}

# Spaces around a text are taken off on each way.
TEXTS = st.one_of(st.just(False), st.text(max_size=20).map(str.strip))
DAYS = st.one_of(st.just(False), st.dates().map(dt.date.isoformat))
MOMENTS = st.one_of(st.just(False), st.datetimes().map(lambda m: m.replace(microsecond=0).isoformat(sep=" ")))
ROWS = st.fixed_dictionaries(
    {
        "id": st.just(1),
        "name": TEXTS,
        "comment": TEXTS,
        "x_count": st.integers(-(2**31), 2**31 - 1),
        "x_rate": st.floats(allow_nan=False, allow_infinity=False),
        "active": st.booleans(),
        "x_day": DAYS,
        "x_moment": MOMENTS,
    }
)
CLIENT = cast("OdooClient", SimpleNamespace(fields=lambda _model: {n: {"type": kind} for n, kind in KINDS.items()}))
OUT = compile_mapping({NAMES[name]: name for name in KINDS})
BACK = compile_mapping(
    {
        **{name: path for name, path in NAMES.items() if name not in ("x_day", "x_moment")},
        "x_day": {"from": NAMES["x_day"], "transform": ["date"]},
        "x_moment": {"from": NAMES["x_moment"], "transform": ["datetime"]},
    }
)


def sent_and_read(row: dict[str, Any]) -> dict[str, Any]:
    """Send a row of Odoo as JSON, and map what arrives there back."""
    mapped = OUT.apply(RecordReading(CLIENT, "res.partner", KINDS).payloads([row])[1])
    assert mapped.errors == ()
    values = as_json(mapped.values)
    assert not isinstance(values, RecordError)
    returned = BACK.apply(json.loads(json.dumps(nested(values))))
    assert returned.errors == ()
    return returned.values


@given(ROWS)
def test_every_kind_of_value_comes_back_as_it_was(row: dict[str, Any]) -> None:
    returned = sent_and_read(row)
    different = [name for name, kind in KINDS.items() if not same_value(name, kind, row[name], returned[name])]
    assert different == []


@given(ROWS)
def test_what_comes_back_is_written_to_odoo_as_what_it_was(row: dict[str, Any]) -> None:
    returned = sent_and_read(row)
    for name, kind in KINDS.items():
        cell = load_cell(kind, returned[name])
        if kind in ("integer", "float"):
            assert float(cell or 0) == row[name], name
        else:
            assert cell == load_cell(kind, row[name]), name


def test_nothing_is_nothing_on_both_ways_and_no_and_zero_are_answers() -> None:
    row = dict.fromkeys(KINDS, False) | {"id": 1, "x_count": 0, "x_rate": 0.0}
    returned = sent_and_read(row)
    assert {name: returned[name] for name in ("active", "x_count", "x_rate")} == {
        "active": False,
        "x_count": 0,
        "x_rate": 0.0,
    }
    assert {returned[name] for name in ("name", "comment", "x_day", "x_moment")} == {""}
