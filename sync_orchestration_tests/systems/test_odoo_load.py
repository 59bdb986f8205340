"""Whom `load` blames: totality over anything that a server may say, and the cases that were measured."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_orchestration.mapping.records import RecordError
from sync_orchestration.pipeline.errors import UnavailableError
from sync_orchestration.systems.odoo.load import blamed_rows

from .arbitrary import json_values
from .conftest import PARTNER, Odoo, Script, Switchboard, as_json, record

NO_VAT = "The VAT number [1] for partner [B] does not seem to be valid."
INTERRUPTED = {"type": "warning", "message": "Found more than 10 errors and more than one error per 10 records"}


def fault(row: int, message: str = NO_VAT, **more: Any) -> dict[str, Any]:
    return {"rows": {"from": row, "to": row}, "record": row, "type": "error", "message": message, **more}


def refused(message: str, field: str | None = None) -> RecordError:
    return RecordError("refused", field, message)


@pytest.mark.parametrize(
    ("messages", "blamed"),
    [
        pytest.param([], {}, id="nothing said"),
        pytest.param([fault(3)], {3: refused(NO_VAT)}, id="one row"),
        pytest.param([fault(0), fault(1)], {1: refused(NO_VAT)}, id="pinned on the first row as well"),
        pytest.param([fault(0)], {0: refused(NO_VAT)}, id="the first row's own"),
        pytest.param(
            [fault(0, "no such country", field="country_id"), fault(1, "no such country", field="country_id")],
            {0: refused("no such country", "country_id"), 1: refused("no such country", "country_id")},
            id="a message with a field is never pinned",
        ),
        pytest.param(
            [fault(0, "of row 99"), fault(1), INTERRUPTED], {1: refused(NO_VAT)}, id="pinned for a row not reached"
        ),
        pytest.param([fault(0), INTERRUPTED], {0: refused(NO_VAT)}, id="interrupted, but nobody else is to blame"),
        pytest.param([fault(2, type="warning")], {}, id="a warning blames nobody"),
        pytest.param([INTERRUPTED], {}, id="no row named"),
        pytest.param(
            [fault(1, "a", field="country_id/.id"), fault(1, "b", field="lang"), fault(1, "a", field="country_id/.id")],
            {1: refused("a; b", "country_id, lang")},
            id="all faults of a row once",
        ),
        pytest.param([fault(1, "'Contacts require a name'\n")], {1: refused("Contacts require a name")}, id="quotes"),
        pytest.param(
            [fault(1, "could not serialize access due to concurrent update\n")],
            {1: RecordError("concurrent_update", None, "another transaction wrote the record at the same time")},
            id="a lost race",
        ),
        pytest.param(
            [fault(1, "The operation cannot be completed: another model requires the record being deleted. X")],
            {1: refused("a related record that the row names does not exist in Odoo")},
            id="a foreign key's text speaks of deleting",
        ),
        pytest.param([{"type": "error", "message": "x", "record": 4}], {4: refused("x")}, id="only `record`"),
        pytest.param([fault(-1)], {}, id="there is no row -1"),
        pytest.param([fault(1, "")], {1: refused("refused without a reason")}, id="no text"),
    ],
)
def test_blame_falls_on_the_right_rows(messages: list[dict[str, Any]], blamed: dict[int, RecordError]) -> None:
    assert blamed_rows(messages) == blamed


NUMBERS = st.integers(-3, 12) | json_values()
MESSAGES = st.fixed_dictionaries(
    {"type": st.sampled_from(["error", "error", "warning"]) | json_values()},
    optional={
        "message": st.sampled_from([NO_VAT, "'x'", ""]) | json_values(),
        "rows": st.fixed_dictionaries({}, optional={"from": NUMBERS, "to": NUMBERS}) | json_values(),
        "record": NUMBERS,
        "field": st.sampled_from(["name", "country_id/.id"]) | json_values(),
        "moreinfo": json_values(),
    },
)


def row_named(message: dict[str, Any]) -> int | None:
    rows = message.get("rows")
    numbers = (rows.get("from") if isinstance(rows, dict) else None, message.get("record"))
    return next((n for n in numbers if type(n) is int and n >= 0), None)


@given(st.lists(MESSAGES, max_size=8))
def test_whatever_load_says_every_accused_row_but_the_first_is_blamed_with_a_reason(
    messages: list[dict[str, Any]],
) -> None:
    blamed = blamed_rows(messages)
    accused = {row_named(m) for m in messages if m["type"] == "error"} - {None}
    assert accused - {0} <= set(blamed) <= accused
    assert bool(blamed) == bool(accused)
    assert all(error.message.strip() for error in blamed.values())


def scripted_load(board: Switchboard, odoo: Odoo, *answers: Any) -> Script:
    """Sign in at the stand-in, then let every `load` be answered as prepared."""
    board.app = script = Script([as_json({"result": answer}) for answer in answers])
    return script


def test_a_batch_that_is_refused_without_a_row_is_halved_until_the_row_is_found(
    board: Switchboard, odoo18: Odoo
) -> None:
    target = odoo18.target()
    target.upsert([], {})
    nothing = {"ids": False, "messages": [{"type": "error", "message": "Somewhere is something wrong"}]}
    script = scripted_load(
        board, odoo18, nothing, {"ids": [11, 12], "messages": []}, nothing, {"ids": [13], "messages": []}, nothing
    )
    outcomes = target.upsert([record(str(i), name=f"F{i}") for i in range(4)], {})
    assert [outcomes[str(i)].target_id for i in range(4)] == ["11", "12", "13", None]
    error = outcomes["3"].error
    assert error is not None
    assert error.message == "Somewhere is something wrong"
    assert len(script.asked) == 5 + 3, "the same text alone makes it ask for the rights, once"


def test_an_odoo_that_writes_nothing_and_does_not_say_why_stops_the_pass(board: Switchboard, odoo18: Odoo) -> None:
    target = odoo18.target()
    target.upsert([], {})
    scripted_load(board, odoo18, {"ids": False, "messages": []})
    with pytest.raises(UnavailableError, match=r"wrote nothing of a res\.partner and did not say why"):
        target.upsert([record("1", name="A"), record("2", name="B")], {})


@pytest.mark.parametrize("ids", [[1], [1, 2, 3]])
def test_ids_that_do_not_fit_the_rows_are_not_given_out(board: Switchboard, odoo18: Odoo, ids: list[int]) -> None:
    target = odoo18.target()
    target.upsert([], {})
    scripted_load(board, odoo18, {"ids": ids, "messages": []})
    with pytest.raises(UnavailableError, match=rf"wrote {len(ids)} records of {PARTNER} for 2 rows"):
        target.upsert([record("1", name="A"), record("2", name="B")], {})
