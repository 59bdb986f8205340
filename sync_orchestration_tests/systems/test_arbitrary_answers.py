"""Whatever bytes a server sends, a client gives a value or raises a SyncError, and it never reads for ever."""

import contextlib
import json
from collections.abc import Callable
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.responses import Response

from sync_orchestration.mapping.records import Reference
from sync_orchestration.pipeline.errors import SyncError
from sync_orchestration.pipeline.protocols import CurrentRecord
from sync_orchestration.systems.flexi import FlexiClient, FlexiSource
from sync_orchestration.systems.http import HttpClient, HttpSettings
from sync_orchestration.systems.odoo.client import OdooClient
from sync_orchestration.systems.odoo.target import OdooTarget

from .arbitrary import json_values
from .conftest import Script, Switchboard, record

ENOUGH = 400
"""More requests than any of these calls may need for the few records that an answer holds."""

one_server = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])

STATUSES = st.sampled_from([200, 200, 200, 200, 201, 400, 401, 402, 403, 404, 409, 410, 422, 429, 500, 501, 503])
KINDS = st.sampled_from(["application/json", "application/xml", "text/html", "text/plain", ""])


def http(board: Switchboard) -> HttpClient:
    return HttpClient(HttpSettings("Server", board.url, ("u", "p"), tries=1, first_delay=0.0, secrets=("p",)))


def bounded(board: Switchboard, answer: Callable[[Any], Response]) -> Script:
    def give(asked: Any) -> Response:
        assert len(script.asked) < ENOUGH, "this would go on for ever"
        return answer(asked)

    board.app = script = Script([give])
    return script


def survives(*actions: Callable[[], Any]) -> None:
    for action in actions:
        with contextlib.suppress(SyncError):
            action()


# Flexi

NUMBERS = st.sampled_from(["1", "2", "7", "40", "none"]) | json_values()
ROWS = st.fixed_dictionaries(
    {"id": NUMBERS, "@in-version": NUMBERS},
    optional={
        "@evidence": st.sampled_from(["adresar", "kontakt"]) | json_values(),
        "@operation": st.sampled_from(["create", "update", "delete"]) | json_values(),
        "external-ids": st.lists(st.text(max_size=5), max_size=2) | json_values(),
        "firma@ref": st.sampled_from(["/c/demo/adresar/12.json", ""]) | json_values(),
        "kod": json_values(),
    },
)
LISTS = st.lists(ROWS | json_values(), max_size=3) | json_values()
FLEXI_BODIES = st.fixed_dictionaries(
    {
        "winstrom": st.fixed_dictionaries(
            {},
            optional={
                "@globalVersion": NUMBERS,
                "next": NUMBERS,
                "changes": LISTS,
                "adresar": LISTS,
                "kontakt": LISTS,
                "success": st.sampled_from(["true", "false"]) | json_values(),
                "message": json_values(),
                "results": st.lists(st.fixed_dictionaries({"errors": LISTS}), max_size=2) | json_values(),
            },
        )
        | json_values(),
        "companies": st.fixed_dictionaries({"company": LISTS | ROWS}) | json_values(),
    }
)


def exercise_flexi(board: Switchboard, rendering: Literal["json", "xml"]) -> None:
    client = FlexiClient(http(board), "demo", rendering)
    source = FlexiSource(client, "adresar", children={"kontakt": "kontakty"})
    survives(
        source.head,
        client.check,
        client.fingerprint,
        lambda: client.switch_tracking(on=True),
        lambda: source.peek(0),
        lambda: list(source.changes(3)),
        lambda: source.fetch(["1", "2"]),
        lambda: list(source.snapshot(None)),
        lambda: list(source.snapshot("5")),
    )


@one_server
@given(body=FLEXI_BODIES | json_values(leaves=12), status=STATUSES, kind=KINDS)
def test_any_json_of_flexi_is_a_value_or_an_error_of_ours(
    board: Switchboard, body: Any, status: int, kind: str
) -> None:
    bounded(board, lambda _: Response(json.dumps(body), status, media_type=kind))
    exercise_flexi(board, "json")


XML_TEXT = st.sampled_from(["1", "none", "", "code:A", "x"]) | st.text("ab1<>&;\x00é", max_size=4)


@st.composite
def xml_bodies(draw: st.DrawFn) -> bytes:
    """A feed with pieces that are missing, doubled or wrong."""
    rows = [
        f"<{draw(st.sampled_from(['adresar', 'kontakt', 'next', 'a:b', '?pi?']))} "
        f'in-version="{draw(XML_TEXT)}" operation="{draw(st.sampled_from(["create", "delete", "x"]))}">'
        f"<id>{draw(XML_TEXT)}</id></adresar>"
        for _ in range(draw(st.integers(0, 3)))
    ]
    encoding = draw(st.sampled_from(["utf-8", "utf-16", "windows-1250", "ebcdic", ""]))
    head = f'<?xml version="1.0" encoding="{encoding}"?>' if draw(st.booleans()) else ""
    tail = draw(st.sampled_from(["<next>none</next>", "<next>9</next>", "<next/>", ""]))
    text = f'{head}<winstrom globalVersion="{draw(XML_TEXT)}">{"".join(rows)}{tail}</winstrom>'
    return text.encode("utf-8")


@one_server
@given(body=xml_bodies() | st.binary(max_size=60), status=STATUSES, kind=KINDS)
def test_any_xml_or_bytes_of_flexi_are_a_value_or_an_error_of_ours(
    board: Switchboard, body: bytes, status: int, kind: str
) -> None:
    bounded(board, lambda _: Response(body, status, media_type=kind))
    exercise_flexi(board, "xml")
    exercise_flexi(board, "json")


# Odoo

FIELDS = {
    "name": {"type": "char"},
    "active": {"type": "boolean"},
    "parent_id": {"type": "many2one"},
    "country_id": {"type": "many2one"},
    "ref": {"type": "char"},
    "comment": {"type": "html"},
    "x_number": {"type": "float"},
    "category_id": {"type": "many2many"},
}
WANTED = ("name", "active", "country_id", "ref", "comment", "x_number", "category_id")
ODOO_ROWS = st.fixed_dictionaries(
    {"id": st.integers(1, 5) | json_values()},
    optional={
        "name": st.sampled_from(["adresar_1", "CZ"]) | json_values(),
        "res_id": st.integers(1, 5) | json_values(),
        **{
            name: json_values()
            for name in ("active", "parent_id", "country_id", "ref", "comment", "code", "x_number", "category_id")
        },
    },
)
REPLIES = st.fixed_dictionaries(
    {
        "fields_get": st.just(FIELDS) | st.just(FIELDS) | json_values(),
        "search_read": st.lists(ODOO_ROWS, max_size=4) | json_values(),
        "load": st.fixed_dictionaries(
            {"ids": st.just([7, 8]) | st.just(False) | json_values()},
            optional={
                "messages": st.lists(
                    st.fixed_dictionaries(
                        {"type": st.sampled_from(["error", "warning"])},
                        optional={"message": json_values(), "record": st.integers(-2, 3) | json_values()},
                    )
                    | json_values(),
                    max_size=3,
                )
                | json_values()
            },
        )
        | json_values(),
        "anything": json_values(),
    }
)
FAULTS = st.none() | st.fixed_dictionaries(
    {
        "name": st.sampled_from(["odoo.exceptions.ValidationError", "odoo.exceptions.AccessDenied", "psycopg2.Error"])
        | json_values(),
        "message": json_values(),
    }
)


def exercise_odoo(board: Switchboard, dialect: Literal["json-rpc", "json-2"]) -> None:
    client = OdooClient(http(board), "odoo", "sync", "p", dialect)
    target = OdooTarget(client, "res.partner", WANTED, "flexi_demo", match_on=["ref"])
    values: dict[str, Any] = {
        "name": "A",
        "active": True,
        "country_id": 3,
        "ref": "R",
        "comment": "a\nb",
        "x_number": 1.5,
    }
    records = [record("1", **values), record("2", "4", **values)]
    found: dict[str, CurrentRecord] = {}

    def look() -> None:
        current = target.current(records)
        found.update({key: one for key, one in current.items() if isinstance(one, CurrentRecord)})

    def compare() -> None:
        for one in found.values():
            for name, value in values.items():
                target.same(name, one.values.get(name), value)

    survives(
        lambda: client.check(["res.partner"]),
        lambda: client.fields("res.partner"),
        lambda: client.call("res.partner", "create", vals_list=[{}], repeatable=False),
        lambda: target.resolve([Reference("res.country", "code", "CZ")]),
        look,
        compare,
        lambda: target.upsert(records, {}),
        lambda: target.upsert(records, found),
        lambda: target.delete(records),
    )


@pytest.mark.parametrize("dialect", ["json-rpc", "json-2"])
@one_server
@given(replies=REPLIES, fault=FAULTS)
def test_any_reply_of_an_odoo_method_is_a_value_or_an_error_of_ours(
    board: Switchboard, dialect: Literal["json-rpc", "json-2"], replies: dict[str, Any], fault: Any
) -> None:
    def rpc(asked: Any) -> Response:
        if asked["params"]["service"] == "common":
            return Response(json.dumps({"result": 2}))
        method = asked["params"]["args"][4]
        if fault is not None and method in ("load", "write"):
            return Response(json.dumps({"error": {"data": fault}}))
        return Response(json.dumps({"result": replies.get(method, replies["anything"])}))

    def json2(_: Any) -> Response:
        method = script.asked[-1].rpartition("/")[2]
        if fault is not None and method in ("load", "write"):
            return Response(json.dumps(fault), 422)
        return Response(json.dumps(replies.get(method, replies["anything"])))

    script = bounded(board, rpc if dialect == "json-rpc" else json2)
    exercise_odoo(board, dialect)


@pytest.mark.parametrize("dialect", ["json-rpc", "json-2"])
@one_server
@given(
    body=st.fixed_dictionaries({}, optional={"result": json_values(), "error": json_values()}) | json_values(),
    status=STATUSES,
    kind=KINDS,
)
def test_any_json_of_odoo_is_a_value_or_an_error_of_ours(
    board: Switchboard, dialect: Literal["json-rpc", "json-2"], body: Any, status: int, kind: str
) -> None:
    bounded(board, lambda _: Response(json.dumps(body), status, media_type=kind))
    exercise_odoo(board, dialect)
