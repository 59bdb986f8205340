"""The Odoo stand-in against what was measured on real 18.0 and 19.0 servers."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from sync_orchestration.sandbox.faults import FaultRule
from sync_orchestration.sandbox.odoo import OdooSwitches, OdooWorld, odoo_app
from sync_orchestration.sandbox.odoo.calls import Request as Call
from sync_orchestration.sandbox.odoo.calls import perform
from sync_orchestration.sandbox.server import serve

KEY = "key-of-the-sync-user"
PARTNER = "res.partner"


class OdooSaysNoError(Exception):
    """The error object of an answer."""

    def __init__(self, data: dict[str, Any], *, status: int, code: int | None = None) -> None:
        super().__init__(data["name"], data["message"])
        self.name, self.message, self.data = data["name"], data["message"], data
        self.status, self.code = status, code


@dataclass
class Stage:
    """An ASGI app whose inner app each test replaces, so that one server serves all tests."""

    inner: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.inner is not None
        await self.inner(scope, receive, send)


@dataclass
class Odoo:
    """A world behind real HTTP, and a plain client of it."""

    world: OdooWorld
    url: str
    login: str = "sync"
    secret: str = "sync"
    uid: int = 0
    context: dict[str, Any] = field(default_factory=dict)

    def post(self, service: str, method: str, *args: Any) -> dict[str, Any]:
        params = {"service": service, "method": method, "args": args}
        payload = {"jsonrpc": "2.0", "method": "call", "params": params, "id": 7}
        response = requests.post(f"{self.url}/jsonrpc", json=payload, timeout=10)
        assert response.status_code == 200
        answer: dict[str, Any] = response.json()
        return answer

    def raw(self, model: str, method: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        self.uid = self.uid or self.post("common", "authenticate", "odoo", self.login, self.secret, {})["result"]
        kwargs = {"context": self.context, **kwargs}
        return self.post("object", "execute_kw", "odoo", self.uid, self.secret, model, method, list(args), kwargs)

    def call(self, model: str, method: str, *args: Any, **kwargs: Any) -> Any:
        answer = self.raw(model, method, *args, **kwargs)
        if "error" in answer:
            raise OdooSaysNoError(answer["error"]["data"], status=200, code=answer["error"]["code"])
        return answer.get("result")

    def json2(self, model: str, method: str, *, key: str = KEY, database: str | None = None, **body: Any) -> Any:
        headers = {"Authorization": f"Bearer {key}"}
        if database:
            headers["X-Odoo-Database"] = database
        response = requests.post(f"{self.url}/json/2/{model}/{method}", json=body, headers=headers, timeout=10)
        if response.status_code >= 400:
            raise OdooSaysNoError(response.json(), status=response.status_code)
        return response.json()

    def load(self, fields: list[str], rows: list[list[Any]], **context: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.call(PARTNER, "load", fields, rows, context=context)
        return answer

    def switch(self, **changes: Any) -> None:
        self.world.switches = OdooSwitches(**changes)

    def as_user(self, role: Any) -> "Odoo":
        self.world.add_user(role, password=role, role=role, api_key=f"key-{role}")
        return Odoo(self.world, self.url, role, role)

    def country(self, code: str) -> int:
        found: list[int] = self.call("res.country", "search", [("code", "=", code)])
        return found[0]


@pytest.fixture(scope="module")
def stages() -> Iterator[dict[int, tuple[Stage, str]]]:
    with ExitStack() as stack:
        served = {}
        for version in (18, 19):
            stage = Stage()
            served[version] = (stage, stack.enter_context(serve(stage)))
        yield served


@pytest.fixture
def start(stages: dict[int, tuple[Stage, str]]) -> Callable[..., Odoo]:
    def starting(version: int, world: OdooWorld | None = None, **settings: Any) -> Odoo:
        stage, url = stages[version]
        world = world or OdooWorld(version, api_key=KEY, **settings)
        stage.inner = odoo_app(world)
        return Odoo(world, url)

    return starting


@pytest.fixture(params=[18, 19])
def odoo(request: pytest.FixtureRequest, start: Callable[..., Odoo]) -> Odoo:
    return start(request.param)


@pytest.fixture
def odoo18(start: Callable[..., Odoo]) -> Odoo:
    return start(18)


@pytest.fixture
def odoo19(start: Callable[..., Odoo]) -> Odoo:
    return start(19)


def messages_by_record(answer: dict[str, Any]) -> dict[int | None, str]:
    return {message.get("record"): message["message"] for message in answer["messages"]}


# --- transports -------------------------------------------------------------------------------------------


def test_version_says_which_odoo_it_is(odoo: Odoo) -> None:
    answer = odoo.post("common", "version")["result"]
    assert answer["server_version_info"][0] == odoo.world.version
    assert answer["server_serie"] == f"{odoo.world.version}.0"


def test_authenticate_takes_password_or_api_key_and_answers_false_otherwise(odoo: Odoo) -> None:
    assert odoo.post("common", "authenticate", "odoo", "sync", "sync", {})["result"] == odoo.world.bot.uid
    assert odoo.post("common", "authenticate", "odoo", "sync", KEY, {})["result"] == odoo.world.bot.uid
    assert odoo.post("common", "authenticate", "odoo", "sync", "wrong", {})["result"] is False


def test_a_wrong_password_in_execute_kw_is_access_denied_with_status_200(odoo: Odoo) -> None:
    odoo.uid, odoo.secret = odoo.world.bot.uid, "wrong"
    with pytest.raises(OdooSaysNoError) as error:
        odoo.call(PARTNER, "search", [])
    assert (error.value.name, error.value.message) == ("odoo.exceptions.AccessDenied", "Access Denied")
    assert error.value.code == (200 if odoo.world.version == 18 else 0)


def test_an_unknown_uid_is_a_missing_user(odoo: Odoo) -> None:
    odoo.uid = 999
    with pytest.raises(OdooSaysNoError, match=r"res\.users\(999,\)") as error:
        odoo.call(PARTNER, "search", [])
    assert error.value.name == "odoo.exceptions.MissingError"


def test_an_unknown_database_is_an_operational_error(odoo: Odoo) -> None:
    answer = odoo.post("common", "authenticate", "nope", "sync", "sync", {})
    assert answer["error"]["data"]["name"] == "psycopg2.OperationalError"
    assert 'database "nope" does not exist' in answer["error"]["data"]["message"]


def test_every_error_carries_a_traceback_that_must_not_be_shown(odoo: Odoo) -> None:
    error = odoo.raw("res.nope", "search", [])["error"]
    assert set(error["data"]) == {"name", "message", "arguments", "context", "debug"}
    assert "Traceback" in error["data"]["debug"]
    assert len(error["data"]["debug"]) > 1500


def test_every_answer_closes_the_connection(odoo: Odoo) -> None:
    response = requests.post(f"{odoo.url}/jsonrpc", json={"params": {}}, timeout=10)
    assert response.headers["connection"] == "close"


def test_a_body_that_is_no_json_is_a_plain_400(odoo: Odoo) -> None:
    headers = {"Content-Type": "application/json"}
    response = requests.post(f"{odoo.url}/jsonrpc", data="{", headers=headers, timeout=10)
    assert (response.status_code, response.text) == (400, "Invalid JSON data")


def test_a_wrong_content_type_is_an_html_page(odoo: Odoo) -> None:
    response = requests.post(f"{odoo.url}/jsonrpc", data="x=1", timeout=10)
    assert response.status_code == (400 if odoo.world.version == 18 else 415)
    assert "<html" in response.text


def test_a_method_without_a_result_answers_neither_result_nor_error(odoo: Odoo) -> None:
    partner = odoo.call(PARTNER, "create", {"name": "A"})
    assert odoo.raw(PARTNER, "action_archive", [partner]) == {"jsonrpc": "2.0", "id": 7}
    assert odoo.call(PARTNER, "read", [partner], ["active"]) == [{"id": partner, "active": False}]


def test_legacy_rpc_switched_off_is_a_404(odoo: Odoo) -> None:
    odoo.switch(legacy_rpc=False)
    assert requests.post(f"{odoo.url}/jsonrpc", json={}, timeout=10).status_code == 404


def test_json2_and_web_version_exist_in_19_only(odoo18: Odoo, odoo19: Odoo) -> None:
    assert requests.get(f"{odoo19.url}/web/version", timeout=10).json()["version_info"][0] == 19
    assert requests.get(f"{odoo18.url}/web/version", timeout=10).status_code == 404
    assert odoo19.json2(PARTNER, "search_count", domain=[]) > 0
    response = requests.post(f"{odoo18.url}/json/2/{PARTNER}/search", json={"domain": []}, timeout=10)
    assert (response.status_code, response.headers["content-type"]) == (404, "text/html; charset=utf-8")


def test_json2_wants_a_bearer_key(odoo19: Odoo) -> None:
    with pytest.raises(OdooSaysNoError, match="Invalid apikey") as error:
        odoo19.json2(PARTNER, "search", domain=[], key="sync")
    assert (error.value.status, error.value.name) == (401, "werkzeug.exceptions.Unauthorized")
    response = requests.post(f"{odoo19.url}/json/2/{PARTNER}/search", json={}, timeout=10)
    assert "Bearer Authorization header" in response.json()["message"]


def test_json2_needs_the_database_header_when_there_are_several(odoo19: Odoo) -> None:
    odoo19.switch(other_databases=("second",))
    url = f"{odoo19.url}/json/2/{PARTNER}/search_count"
    auth = {"Authorization": f"Bearer {KEY}"}
    without = requests.post(url, json={"domain": []}, headers=auth, timeout=10)
    unknown = requests.post(url, json={"domain": []}, headers={**auth, "X-Odoo-Database": "nope"}, timeout=10)
    assert [r.status_code for r in (without, unknown)] == [404, 404]
    assert "<html" in without.text
    assert odoo19.json2(PARTNER, "search_count", database="odoo", domain=[]) > 0


@pytest.mark.parametrize(
    ("model", "method", "body", "status", "name"),
    [
        ("res.nope", "search", {"domain": []}, 404, "werkzeug.exceptions.NotFound"),
        (PARTNER, "nope", {}, 404, "werkzeug.exceptions.NotFound"),
        (PARTNER, "_private", {}, 403, "odoo.exceptions.AccessError"),
        (PARTNER, "search", {}, 422, "werkzeug.exceptions.UnprocessableEntity"),
        (PARTNER, "search", {"domain": [], "wrong": 1}, 422, "werkzeug.exceptions.UnprocessableEntity"),
        (PARTNER, "search", {"domain": [], "ids": [1]}, 422, "werkzeug.exceptions.UnprocessableEntity"),
        (PARTNER, "search", {"domain": [["nofield", "=", 1]]}, 500, "builtins.ValueError"),
        (PARTNER, "create", {"vals_list": [{"nofield": 1}]}, 500, "builtins.ValueError"),
        (PARTNER, "create", {"vals_list": [{}]}, 422, "odoo.exceptions.ValidationError"),
        (PARTNER, "write", {"ids": [99999], "vals": {"name": "x"}}, 404, "odoo.exceptions.MissingError"),
        (PARTNER, "search", {"domain": [], "context": {"lang": "fr_FR"}}, 422, "odoo.exceptions.UserError"),
    ],
)
def test_json2_errors_have_a_status_and_a_bare_body(
    odoo19: Odoo, model: str, method: str, body: dict[str, Any], status: int, name: str
) -> None:
    with pytest.raises(OdooSaysNoError) as error:
        odoo19.json2(model, method, **body)
    assert (error.value.status, error.value.name) == (status, name)


def test_json2_reads_a_missing_id_as_nothing_and_none_as_null(odoo19: Odoo) -> None:
    assert odoo19.json2(PARTNER, "read", ids=[99999], fields=["name"]) == []
    created = odoo19.json2(PARTNER, "create", vals_list={"name": "A"})
    assert isinstance(created, list)
    assert odoo19.json2(PARTNER, "action_archive", ids=created) is None


@pytest.mark.parametrize(
    ("model", "method", "args", "name", "message"),
    [
        ("res.nope", "search", [[]], "odoo.exceptions.UserError", "Object res.nope doesn't exist"),
        (
            PARTNER,
            "nope",
            [],
            "builtins.AttributeError",
            "The method 'res.partner.nope' does not exist",
        ),
        (PARTNER, "_x", [], "odoo.exceptions.AccessError", "cannot be called remotely"),
        (PARTNER, "search", [], "builtins.TypeError", "missing a required argument: 'domain'"),
        (PARTNER, "has_access", ["create"], "builtins.TypeError", "operation"),
        (PARTNER, "search", [[["nofield", "=", 1]]], "builtins.ValueError", "res.partner.nofield"),
        (PARTNER, "write", [[99999], {"name": "x"}], "odoo.exceptions.MissingError", "has been deleted"),
        (PARTNER, "create", [{"type": "bad", "name": "x"}], "builtins.ValueError", "res.partner.type: 'bad'"),
        (PARTNER, "create", [{}], "odoo.exceptions.ValidationError", "Contacts require a name"),
        (
            PARTNER,
            "create",
            [{"name": "x", "country_id": 99999}],
            "odoo.exceptions.ValidationError",
            "res_partner_country_id_fkey",
        ),
        ("res.partner.category", "create", [{}], "odoo.exceptions.ValidationError", "mandatory field"),
    ],
)
def test_jsonrpc_errors_are_named_after_the_python_exception(
    odoo: Odoo, model: str, method: str, args: list[Any], name: str, message: str
) -> None:
    with pytest.raises(OdooSaysNoError) as error:
        odoo.call(model, method, *args)
    assert error.value.name == name
    assert message in error.value.message


def test_an_unknown_field_is_worded_differently_in_19(odoo: Odoo) -> None:
    expected = (
        "Invalid field 'nofield' on model 'res.partner'"
        if odoo.world.version == 18
        else "Invalid field 'nofield' in 'res.partner'"
    )
    with pytest.raises(OdooSaysNoError) as error:
        odoo.call(PARTNER, "create", {"nofield": 1})
    assert error.value.message == expected


def test_an_uninstalled_language_in_the_context_is_a_user_error(odoo: Odoo) -> None:
    with pytest.raises(OdooSaysNoError, match="Invalid language code: fr_FR"):
        odoo.call(PARTNER, "search", [], context={"lang": "fr_FR"})


def test_a_full_connection_pool_is_an_error_with_status_200(odoo: Odoo) -> None:
    odoo.switch(pool_errors=1)
    with pytest.raises(OdooSaysNoError) as error:
        odoo.call(PARTNER, "search", [])
    assert error.value.name == "psycopg2.pool.PoolError"
    odoo.call(PARTNER, "search", [])


def test_http_faults_are_committed_by_the_common_middleware(odoo: Odoo) -> None:
    odoo.world.faults.add(FaultRule(kind="status", status=503, path="/jsonrpc"))
    assert requests.post(f"{odoo.url}/jsonrpc", json={}, timeout=10).status_code == 503


# --- records ----------------------------------------------------------------------------------------------


def test_create_answers_an_id_for_a_dict_and_a_list_for_a_list(odoo: Odoo) -> None:
    assert isinstance(odoo.call(PARTNER, "create", {"name": "A"}), int)
    assert len(odoo.call(PARTNER, "create", [{"name": "A"}, {"name": "B"}])) == 2
    assert odoo.call(PARTNER, "create", []) == []


def test_one_bad_row_in_a_batch_create_fails_all_of_it(odoo: Odoo) -> None:
    before = odoo.call(PARTNER, "search_count", [])
    with pytest.raises(OdooSaysNoError):
        odoo.call(PARTNER, "create", [{"name": "A"}, {"ref": "no name"}])
    assert odoo.call(PARTNER, "search_count", []) == before


def test_a_second_create_makes_a_duplicate(odoo: Odoo) -> None:
    for _ in range(2):
        odoo.call(PARTNER, "create", {"name": "A", "ref": "R", "company_registry": "1"})
    assert odoo.call(PARTNER, "search_count", [("ref", "=", "R")]) == 2


def test_mobile_and_title_are_gone_in_19(odoo: Odoo) -> None:
    fields = odoo.call(PARTNER, "fields_get", attributes=["type", "string"])
    assert ("mobile" in fields, "title" in fields) == ((True, True) if odoo.world.version == 18 else (False, False))
    assert fields["country_id"] == {"type": "many2one", "string": "Country"}


def test_values_are_coerced_and_not_trimmed(odoo: Odoo) -> None:
    vals = {"name": "  A ", "ref": 123, "website": "www.example.com", "comment": "a & b", "street": ""}
    partner = odoo.call(PARTNER, "create", {**vals, "write_date": "2000-01-01 00:00:00"})
    fields = ["name", "ref", "website", "comment", "city", "write_date", "country_id", "company_type"]
    [row] = odoo.call(PARTNER, "read", [partner], fields)
    assert row["name"] == "  A "
    assert row["ref"] == "123"
    assert row["website"] == "http://www.example.com"
    assert row["comment"] == "<p>a &amp; b</p>"
    assert row["city"] is False
    assert row["country_id"] is False
    assert row["company_type"] == "person"
    assert not row["write_date"].startswith("2000")


def test_html_is_sanitised_and_blank_html_is_empty(odoo: Odoo) -> None:
    html = '<p onclick="x()">a</p><script>alert(1)</script>'
    ids = odoo.call(PARTNER, "create", [{"name": "A", "comment": html}, {"name": "B", "comment": " "}])
    assert [row["comment"] for row in odoo.call(PARTNER, "read", ids, ["comment"])] == ["<p>a</p>", False]


def test_many2one_reads_as_pair_and_country_ids_are_those_of_odoo(odoo: Odoo) -> None:
    assert odoo.country("UA") == 229
    partner = odoo.call(PARTNER, "create", {"name": "A", "country_id": 229})
    assert odoo.call(PARTNER, "read", [partner], ["country_id"])[0]["country_id"] == [229, "Ukraine"]


def test_country_external_ids_are_lower_case_except_the_united_kingdom(odoo: Odoo) -> None:
    for name, code in (("cz", "CZ"), ("uk", "GB"), ("xk", "XK")):
        model, row_id = odoo.call("ir.model.data", "check_object_reference", "base", name)
        assert (model, row_id) == ("res.country", odoo.country(code))
    with pytest.raises(OdooSaysNoError, match=r"External ID not found in the system: base\.gb"):
        odoo.call("ir.model.data", "check_object_reference", "base", "gb")
    assert odoo.call("res.country", "search_count", []) == 250


def test_a_contact_takes_address_and_numbers_of_its_company(odoo: Odoo) -> None:
    company = {"name": "C", "is_company": True, "city": "Brno", "company_registry": "27074358"}
    company_id = odoo.call(PARTNER, "create", company)
    contact = odoo.call(PARTNER, "create", {"name": "P", "parent_id": company_id, "city": "Praha"})
    fields = ["display_name", "city", "company_registry"]
    row = odoo.call(PARTNER, "read", [contact], fields)[0]
    assert row == {"id": contact, "display_name": "C, P", "city": "Brno", "company_registry": "27074358"}
    odoo.call(PARTNER, "write", [company_id], {"city": "Plzeň"})
    assert odoo.call(PARTNER, "read", [contact], ["city"])[0]["city"] == "Plzeň"


def test_a_loop_of_parents_is_refused(odoo: Odoo) -> None:
    first, second = odoo.call(PARTNER, "create", [{"name": "A", "is_company": True}, {"name": "B", "is_company": True}])
    odoo.call(PARTNER, "write", [second], {"parent_id": first})
    with pytest.raises(OdooSaysNoError, match="recursive Partner hierarchies"):
        odoo.call(PARTNER, "write", [first], {"parent_id": second})


def test_tags_are_set_linked_and_cleared_by_commands(odoo: Odoo) -> None:
    first, second = odoo.call("res.partner.category", "search", [], limit=2, order="id")
    partner = odoo.call(PARTNER, "create", {"name": "A", "category_id": [[6, 0, [first]]]})
    odoo.call(PARTNER, "write", [partner], {"category_id": [[4, second]]})
    assert odoo.call(PARTNER, "read", [partner], ["category_id"])[0]["category_id"] == [first, second]
    odoo.call(PARTNER, "write", [partner], {"category_id": [[5]]})
    assert odoo.call(PARTNER, "read", [partner], ["category_id"])[0]["category_id"] == []


def test_deleting_a_record_deletes_its_external_id(odoo: Odoo) -> None:
    [partner] = odoo.load(["id", "name"], [["ext.a", "A"]])["ids"]
    assert odoo.call(PARTNER, "unlink", [partner]) is True
    assert odoo.call("ir.model.data", "search_count", [("module", "=", "ext")]) == 0
    assert odoo.call(PARTNER, "read", [partner], ["name"]) == []
    with pytest.raises(OdooSaysNoError):
        odoo.call(PARTNER, "unlink", [partner])


def test_custom_fields_are_stored(start: Callable[..., Odoo]) -> None:
    odoo = start(18, custom_fields={"x_source_key": "char", "x_score": "integer"})
    partner = odoo.call(PARTNER, "create", {"name": "A", "x_source_key": "k", "x_score": "5"})
    row = odoo.call(PARTNER, "read", [partner], ["x_source_key", "x_score"])[0]
    assert row == {"id": partner, "x_source_key": "k", "x_score": 5}


def test_tracking_disable_leaves_neither_note_nor_follower(odoo: Odoo) -> None:
    loud = odoo.call(PARTNER, "create", {"name": "A"})
    quiet = odoo.call(PARTNER, "create", {"name": "B"}, context={"tracking_disable": True})
    rows = odoo.call(PARTNER, "read", [loud, quiet], ["message_ids", "message_follower_ids"])
    assert rows[0]["message_ids"]
    assert (rows[1]["message_ids"], rows[1]["message_follower_ids"]) == ([], [])
    assert odoo.world.messages_of(PARTNER, loud) == ["Contact created"]


def test_message_post_answers_an_id_in_18_and_a_list_in_19(odoo: Odoo) -> None:
    partner = odoo.call(PARTNER, "create", {"name": "A"})
    answer = odoo.call(PARTNER, "message_post", [partner], body="synced")
    assert isinstance(answer, int if odoo.world.version == 18 else list)
    assert "synced" in odoo.world.messages_of(PARTNER, partner)


def test_phone_is_kept_as_typed_and_sanitized_with_the_country(odoo: Odoo) -> None:
    vals = {"name": "A", "phone": "067 123-45-67", "country_id": odoo.country("UA")}
    partner = odoo.call(PARTNER, "create", vals)
    row = odoo.call(PARTNER, "read", [partner], ["phone", "phone_sanitized"])[0]
    assert (row["phone"], row["phone_sanitized"]) == ("067 123-45-67", "+380671234567")


# --- searching --------------------------------------------------------------------------------------------


@pytest.fixture
def shelf(odoo: Odoo) -> Odoo:
    ua, cz = odoo.country("UA"), odoo.country("CZ")
    odoo.call(
        PARTNER,
        "create",
        [
            {"name": "alpha", "ref": "T1", "country_id": ua, "is_company": True},
            {"name": "Beta", "ref": "T2", "country_id": cz},
            {"name": "gamma_x", "ref": "T3", "active": False},
            {"name": "Delta", "ref": "T4"},
        ],
    )
    return odoo


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ([], "T1 T2 T4"),
        ([["active", "=", False]], "T3"),
        ([["active", "in", [True, False]]], "T1 T2 T3 T4"),
        (["|", ["ref", "=", "T1"], ["ref", "=", "T4"]], "T1 T4"),
        (["!", ["ref", "=", "T1"]], "T2 T4"),
        (["&", ["ref", "!=", "T1"], ["ref", "not in", ["T2"]]], "T4"),
        ([["ref", "in", ["T1", "T4", "nope"]]], "T1 T4"),
        ([["country_id", "=", False]], "T4"),
        ([["country_id.code", "=", "UA"]], "T1"),
        ([["country_id", "ilike", "czech"]], "T2"),
        ([["country_id.code", "in", ["UA", "CZ"]], ["is_company", "=", False]], "T2"),
        ([["name", "ilike", "ALPH"]], "T1"),
        ([["name", "like", "ALPH"]], ""),
        ([["name", "=ilike", "b%"]], "T2"),
        ([["name", "=like", "B_ta"]], "T2"),
        ([["name", "not ilike", "a"]], ""),
        ([["ref", ">=", "T2"], ["ref", "<", "T4"]], "T2"),
        ([[0, "=", 1]], ""),
    ],
)
def test_domains_select_as_in_odoo(shelf: Odoo, domain: list[Any], expected: str) -> None:
    rows = shelf.call(PARTNER, "search_read", [["ref", "=like", "T_"], *domain], ["ref"], order="ref")
    assert " ".join(row["ref"] for row in rows) == expected


def test_active_test_false_shows_archived_records(shelf: Odoo) -> None:
    assert shelf.call(PARTNER, "search_count", [("ref", "=", "T3")]) == 0
    assert shelf.call(PARTNER, "search_count", [("ref", "=", "T3")], context={"active_test": False}) == 1


def test_the_default_order_of_partners_is_by_name(shelf: Odoo) -> None:
    rows = shelf.call(PARTNER, "search_read", [("ref", "=like", "T_")], ["name"])
    assert [row["name"] for row in rows] == ["alpha", "Beta", "Delta"]


def test_pages_by_id_are_complete(shelf: Odoo) -> None:
    seen: list[int] = []
    while page := shelf.call(PARTNER, "search", [("id", ">", seen[-1] if seen else 0)], order="id", limit=2):
        seen += page
    assert seen == sorted(seen)
    assert len(seen) == shelf.call(PARTNER, "search_count", [])


def test_name_search_finds_countries_by_code_and_exact_name(odoo: Odoo) -> None:
    for name, found in (("Ukraine", True), ("UA", True), ("ukraine", False)):
        assert bool(odoo.call("res.country", "name_search", name, operator="=")) is found


# --- time -------------------------------------------------------------------------------------------------


def test_comparing_write_date_differs_between_the_versions(odoo: Odoo) -> None:
    moment = datetime(2026, 11, 22, 4, 46, 23, 250_000, tzinfo=UTC)
    partner = odoo.world.call(PARTNER, "create", {"name": "A"}, started=moment)
    written = odoo.call(PARTNER, "read", [partner], ["write_date"])[0]["write_date"]
    assert written == "2026-11-22 04:46:23"

    def matches(operator: str, value: str = written) -> bool:
        return bool(odoo.call(PARTNER, "search", [("id", "=", partner), ("write_date", operator, value)]))

    found = {operator: matches(operator) for operator in (">", ">=", "=", "<=")}
    if odoo.world.version == 18:
        assert found == {">": True, ">=": True, "=": False, "<=": False}
        assert matches(">=", "2026-11-22T04:46:23Z")
    else:
        assert found == {">": False, ">=": True, "=": True, "<=": True}
        with pytest.raises(OdooSaysNoError, match="expecting only datetimes with no timezone"):
            matches(">=", "2026-11-22T04:46:23Z")


def test_writing_the_same_value_again_bumps_write_date(odoo: Odoo) -> None:
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    partner = odoo.world.call(PARTNER, "create", {"name": "A"}, started=long_ago)
    odoo.call(PARTNER, "write", [partner], {"name": "A"})
    assert odoo.call(PARTNER, "read", [partner], ["write_date"])[0]["write_date"] > "2026"


def test_a_long_transaction_commits_rows_with_an_older_write_date(odoo: Odoo) -> None:
    transaction = odoo.world.open_transaction()
    transaction.call(PARTNER, "create", {"name": "late"})
    early = odoo.call(PARTNER, "create", {"name": "early"})
    [late] = transaction.commit()
    by_date = odoo.call(PARTNER, "search", [("id", "in", [early, late])], order="write_date")
    assert by_date == [late, early]


def test_a_late_transaction_can_be_asked_for_over_http(odoo: Odoo) -> None:
    body = {"model": PARTNER, "method": "create", "args": [{"name": "late"}], "seconds": 600}
    late = requests.post(f"{odoo.url}/_sandbox/late", json=body, timeout=10).json()["result"]
    cut = (datetime.now(UTC) - timedelta(seconds=300)).strftime("%Y-%m-%d %H:%M:%S")
    assert odoo.call(PARTNER, "search", [("id", "=", late), ("write_date", ">=", cut)]) == []


@pytest.mark.parametrize("value", ["2026-01-01T10:00:00", "2026-01-01 10:00:00Z", "2026-01-01 10:00:00.5"])
def test_iso_datetimes_are_refused_on_write(start: Callable[..., Odoo], value: str) -> None:
    odoo = start(19, custom_fields={"x_when": "datetime"})
    with pytest.raises(OdooSaysNoError) as error:
        odoo.call(PARTNER, "create", {"name": "A", "x_when": value})
    assert error.value.name == "builtins.ValueError"
    assert "valid datetime" in odoo.load(["name", "x_when"], [["A", value]])["messages"][0]["message"]


def test_load_takes_a_datetime_in_the_users_zone_and_create_in_utc(start: Callable[..., Odoo]) -> None:
    odoo = start(18, custom_fields={"x_when": "datetime"})
    [loaded] = odoo.load(["name", "x_when"], [["A", "2026-01-15 10:00:00"]], tz="Europe/Kyiv")["ids"]
    created = odoo.call(PARTNER, "create", {"name": "B", "x_when": "2026-01-15 10:00:00"})
    rows = odoo.call(PARTNER, "read", [loaded, created], ["x_when"])
    assert [row["x_when"] for row in rows] == ["2026-01-15 08:00:00", "2026-01-15 10:00:00"]


# --- load -------------------------------------------------------------------------------------------------


def test_load_creates_and_updates_by_external_id(odoo: Odoo) -> None:
    fields = ["id", "name", "city"]
    first = odoo.load(fields, [["ext.a", "A", "Brno"], ["ext.b", "B", "Praha"]])
    assert (first["messages"], first["nextrow"]) == ([], 0)
    second = odoo.load(fields, [["ext.b", "B2", ""], ["ext.c", "C", ""]])
    assert second["ids"][0] == first["ids"][1]
    row = odoo.call(PARTNER, "read", [second["ids"][0]], ["name", "city"])[0]
    assert (row["name"], row["city"]) == ("B2", False)
    assert odoo.call(PARTNER, "get_external_id", first["ids"]) == {
        str(first["ids"][0]): "ext.a",
        str(first["ids"][1]): "ext.b",
    }


def test_a_column_that_is_left_out_keeps_its_value(odoo: Odoo) -> None:
    [partner] = odoo.load(["id", "name", "city"], [["ext.a", "A", "Brno"]])["ids"]
    odoo.load(["id", "name"], [["ext.a", "B"]])
    assert odoo.call(PARTNER, "read", [partner], ["city"])[0]["city"] == "Brno"


def test_any_error_rolls_the_whole_call_back(odoo: Odoo) -> None:
    before = odoo.call(PARTNER, "search_count", [])
    rows = [["ext.a", "A", "base.cz"], ["ext.b", "B", "base.nowhere"], ["ext.c", "C", "x.nope"]]
    answer = odoo.load(["id", "name", "country_id/id"], rows)
    assert answer["ids"] is False
    assert [m["record"] for m in answer["messages"]] == [1, 2]
    message = answer["messages"][0]
    assert message["message"] == "No matching record found for external id 'base.nowhere' in field 'Country'"
    assert (message["field"], message["field_name"], message["rows"]) == ("country_id", "Country", {"from": 1, "to": 1})
    assert message["moreinfo"]["res_model"] == "ir.model.data"
    assert odoo.call(PARTNER, "search_count", []) == before


def test_conversion_errors_are_reported_for_all_rows(odoo: Odoo) -> None:
    rows = [[f"P{i}", "perhaps"] for i in range(30)]
    answer = odoo.load(["name", "is_company"], rows)
    assert [m["record"] for m in answer["messages"]] == list(range(30))
    assert answer["messages"][0]["message"] == "Unknown value 'perhaps' for boolean field 'Is a Company'"


def test_a_check_failure_names_its_row_in_the_wording_of_the_version(odoo: Odoo) -> None:
    answer = odoo.load(["id", "name"], [["ext.a", "A"], ["ext.b", ""], ["ext.c", "C"]])
    text = "'Contacts require a name'" if odoo.world.version == 18 else "Contacts require a name"
    assert answer["ids"] is False
    assert messages_by_record(answer) == {1: text}


def test_the_row_by_row_pass_stops_after_ten_errors(odoo: Odoo) -> None:
    answer = odoo.load(["name", "ref"], [["", "x"] for _ in range(40)])
    assert [m.get("record") for m in answer["messages"]] == [*range(10), None]
    closing = answer["messages"][-1]
    assert closing["message"].startswith("Found more than 10 errors and more than one error per 10 records")
    assert (closing["type"], "rows" in closing) == ("warning", False)


def test_ten_errors_among_many_good_rows_do_not_stop_the_pass(odoo: Odoo) -> None:
    rows = [["" if i % 20 == 19 else f"P{i}", str(i)] for i in range(240)]
    answer = odoo.load(["name", "ref"], rows)
    assert [m["record"] for m in answer["messages"]] == list(range(19, 240, 20))


def test_a_validation_error_is_also_pinned_on_the_first_row(odoo: Odoo) -> None:
    rows = [["ext.v1", "V1", "base.be", "BE0477472701"], ["ext.v2", "V2", "base.be", "BE0477472700"]]
    answer = odoo.load(["id", "name", "country_id/id", "vat"], rows)
    assert [m["record"] for m in answer["messages"]] == [0, 1]
    assert answer["messages"][0]["message"] == answer["messages"][1]["message"]
    assert "for partner [V2] does not seem to be valid" in answer["messages"][0]["message"]


def test_a_first_row_that_is_itself_wrong_is_named_once(odoo: Odoo) -> None:
    rows = [["ext.v1", "V1", "base.be", "BE0477472700"], ["ext.v2", "V2", "base.be", "BE0477472701"]]
    answer = odoo.load(["id", "name", "country_id/id", "vat"], rows)
    assert [m["record"] for m in answer["messages"]] == [0]


def test_an_unknown_column_is_an_exception(odoo: Odoo) -> None:
    with pytest.raises(OdooSaysNoError, match="Invalid field name 'nofield'") as error:
        odoo.load(["name", "nofield"], [["A", "x"]])
    assert error.value.name == "builtins.ValueError"


def test_the_same_external_id_twice_is_one_record_and_the_last_row_wins(odoo: Odoo) -> None:
    ids = odoo.load(["id", "name"], [["ext.a", "first"], ["ext.a", "last"]])["ids"]
    assert ids[0] == ids[1]
    assert odoo.call(PARTNER, "read", [ids[0]], ["name"])[0]["name"] == "last"


def test_an_external_id_of_another_model_is_refused(odoo: Odoo) -> None:
    answer = odoo.load(["id", "name"], [["base.cz", "A"]])
    assert "found record of different model res.country" in answer["messages"][0]["message"]
    reference = odoo.load(["name", "country_id/id"], [["A", "base.main_partner"]])
    assert "expected model 'res.country', found 'res.partner'" in reference["messages"][0]["message"]


@pytest.mark.parametrize("name", ["a.b.c", "d/e:f", "код-1", "x" * 300])
def test_external_ids_may_hold_dots_slashes_colons_and_cyrillic(odoo: Odoo, name: str) -> None:
    [partner] = odoo.load(["id", "name"], [[f"ext.{name}", "A"]])["ids"]
    domain = [("model", "=", PARTNER), ("res_id", "=", partner)]
    link = odoo.call("ir.model.data", "search_read", domain, ["module", "name"])
    assert (link[0]["module"], link[0]["name"]) == ("ext", name)


def test_an_external_id_with_a_space_is_refused(odoo: Odoo) -> None:
    answer = odoo.load(["id", "name"], [["ext.a b", "A"], ["ext.c", "C"]])
    assert [m["record"] for m in answer["messages"]] == [0]
    expected = "ir_model_data_name_nospaces" if odoo.world.version == 18 else "External IDs cannot contain spaces"
    assert expected in answer["messages"][0]["message"]


def test_the_context_module_prefixes_plain_codes(odoo: Odoo) -> None:
    [first] = odoo.load(["id", "name"], [["a", "A"]], module="ext_abra")["ids"]
    [second] = odoo.load(["id", "name"], [["a", "A"]])["ids"]
    assert odoo.call(PARTNER, "get_external_id", [first, second]) == {
        str(first): "ext_abra.a",
        str(second): "__import__.a",
    }


def test_a_parent_in_the_same_batch_must_come_first(odoo: Odoo) -> None:
    fields = ["id", "name", "is_company", "parent_id/id"]
    good = odoo.load(fields, [["ext.p", "P", "1", ""], ["ext.c", "C", "", "ext.p"]])
    parent, child = good["ids"]
    assert odoo.call(PARTNER, "read", [child], ["parent_id"])[0]["parent_id"] == [parent, "P"]
    bad = odoo.load(fields, [["ext.c2", "C", "", "ext.p2"], ["ext.p2", "P", "1", ""]])
    text = "No matching record found for external id 'ext.p2' in field 'Related Company'"
    assert messages_by_record(bad) == {0: text}


def test_references_by_database_id_and_name(odoo: Odoo) -> None:
    cz = odoo.country("CZ")
    [one] = odoo.load(["name", "country_id/.id"], [["A", str(cz)]])["ids"]
    [two] = odoo.load(["name", "country_id"], [["B", "Czech Republic"]])["ids"]
    rows = odoo.call(PARTNER, "read", [one, two], ["country_id"])
    assert [row["country_id"][0] for row in rows] == [cz, cz]
    answer = odoo.load(["name", "country_id"], [["C", "czech republic"]])
    assert answer["messages"][0]["message"] == ("No matching record found for name 'czech republic' in field 'Country'")


def test_updating_by_database_id(odoo: Odoo) -> None:
    partner = odoo.call(PARTNER, "create", {"name": "A"})
    assert odoo.load([".id", "name"], [[str(partner), "B"]])["ids"] == [partner]
    answer = odoo.load([".id", "name"], [["999999", "B"]])
    assert messages_by_record(answer) == {0: "Unknown database identifier '999999'"}


def test_an_ambiguous_name_is_a_warning_and_the_row_is_kept(odoo: Odoo) -> None:
    odoo.call(PARTNER, "create", [{"name": "Twin", "is_company": True}] * 2)
    answer = odoo.load(["name", "parent_id"], [["Child", "Twin"]])
    assert len(answer["ids"]) == 1
    [warning] = answer["messages"]
    assert warning["type"] == "warning"
    assert warning["message"].startswith('Found multiple matches for value "Twin"')


def test_tags_come_as_a_comma_separated_list_and_an_empty_cell_clears(odoo: Odoo) -> None:
    first = "base.res_partner_category_0,base.res_partner_category_1"
    [partner] = odoo.load(["id", "name", "category_id/id"], [["ext.a", "A", first]])["ids"]
    assert len(odoo.call(PARTNER, "read", [partner], ["category_id"])[0]["category_id"]) == 2
    odoo.load(["id", "category_id/id"], [["ext.a", ""]])
    assert odoo.call(PARTNER, "read", [partner], ["category_id"])[0]["category_id"] == []
    unknown = odoo.load(["id", "category_id"], [["ext.a", "No Such Tag"]])
    assert unknown["ids"] is False


def test_an_archived_record_is_updated_and_stays_archived(odoo: Odoo) -> None:
    [partner] = odoo.load(["id", "name"], [["ext.a", "A"]])["ids"]
    odoo.call(PARTNER, "action_archive", [partner])
    assert odoo.load(["id", "name"], [["ext.a", "B"]])["ids"] == [partner]
    row = odoo.call(PARTNER, "read", [partner], ["name", "active"])[0]
    assert (row["name"], row["active"]) == ("B", False)


def test_a_lost_race_shows_up_as_row_errors_and_the_next_load_passes(odoo: Odoo) -> None:
    odoo.switch(concurrent_loads=1)
    rows = [["ext.a", "A"], ["ext.b", "B"]]
    lost = odoo.load(["id", "name"], rows)
    assert lost["ids"] is False
    assert set(messages_by_record(lost).values()) == {"could not serialize access due to concurrent update\n"}
    assert len(odoo.load(["id", "name"], rows)["ids"]) == 2


def test_import_limit_and_empty_rows(odoo: Odoo) -> None:
    rows = [[f"P{i}"] for i in range(5)]
    answer = odoo.load(["name"], rows, _import_limit=2)
    assert (len(answer["ids"]), answer["nextrow"]) == (2, 2)
    assert odoo.load(["name"], []) == {"ids": [], "messages": [], "nextrow": 0}


def test_a_json_boolean_in_a_cell_breaks_the_call(odoo: Odoo) -> None:
    with pytest.raises(OdooSaysNoError) as error:
        odoo.load(["name", "is_company"], [["A", True]])
    assert error.value.name == "builtins.AttributeError"


def test_a_title_can_be_created_by_name_on_18(odoo18: Odoo) -> None:
    context = {"import_file": True, "name_create_enabled_fields": {"title": True}}
    [partner] = odoo18.load(["name", "title"], [["A", "Ing."]], **context)["ids"]
    assert odoo18.call(PARTNER, "read", [partner], ["title"])[0]["title"][1] == "Ing."
    assert odoo18.load(["name", "title"], [["A", "Mgr."]])["ids"] is False


# --- tax numbers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("country", "vat", "on_18", "on_19"),
    [
        ("CZ", "CZ12345679", "CZ12345679", "CZ12345679"),
        ("CZ", "CZ12345678", None, None),
        ("CZ", "27074358", "27074358", "27074358"),
        ("SK", "SK2022749619", "SK2022749619", "SK2022749619"),
        ("SK", "SK2022749618", None, None),
        ("DE", "DE123456788", "DE123456788", "DE123456788"),
        ("DE", "DE123456789", None, None),
        ("PL", "pl 123-456-32-18", "PL1234563218", "PL1234563218"),
        ("PL", "PL1234563219", None, None),
        ("AT", "ATU12345675", "ATU12345675", "ATU12345675"),
        ("AT", "ATU12345676", None, None),
        ("RU", "7707083893", "7707083893", "7707083893"),
        ("RU", "7707083894", None, None),
        ("UA", "14360570", None, "14360570"),
        ("UA", "UA14360570", None, "UA14360570"),
        ("UA", "143605704021", "143605704021", "143605704021"),
        ("CZ", "garbage", "garbage", None),
        ("FR", "/", "/", "/"),
        (None, "CZ12345678", None, "CZ12345678"),
        (None, "12345678", "12345678", "12345678"),
    ],
)
def test_base_vat_checks_and_tidies_per_country(
    odoo: Odoo, country: str | None, vat: str, on_18: str | None, on_19: str | None
) -> None:
    expected = on_18 if odoo.world.version == 18 else on_19
    vals = {"name": "V", "is_company": True, "vat": vat, "country_id": country and odoo.country(country)}
    if expected is None:
        with pytest.raises(OdooSaysNoError, match="does not seem to be valid"):
            odoo.call(PARTNER, "create", vals)
    else:
        partner = odoo.call(PARTNER, "create", vals)
        assert odoo.call(PARTNER, "read", [partner], ["vat"])[0]["vat"] == expected


def test_the_message_of_a_wrong_number_is_that_of_odoo(odoo18: Odoo) -> None:
    vals = {"name": "vat", "vat": "BE0477472700", "country_id": odoo18.country("BE")}
    with pytest.raises(OdooSaysNoError) as error:
        odoo18.call(PARTNER, "create", vals)
    assert error.value.message == (
        "\nThe VAT number [BE0477472700] for partner [vat] does not seem to be valid. "
        "\nNote: the expected format is BE0477472701"
    )


def test_the_check_is_skipped_by_context_and_by_a_missing_module(odoo: Odoo) -> None:
    vals = {"name": "V", "vat": "CZ12345678", "country_id": odoo.country("CZ")}
    assert odoo.call(PARTNER, "create", vals, context={"no_vat_validation": True})
    odoo.switch(base_vat=False)
    assert odoo.call(PARTNER, "create", vals)


# --- rights -----------------------------------------------------------------------------------------------


def test_a_contact_manager_loads_but_may_not_read_external_ids(odoo: Odoo) -> None:
    manager = odoo.as_user("contact_manager")
    [partner] = manager.load(["id", "name"], [["ext.a", "A"]])["ids"]
    with pytest.raises(OdooSaysNoError, match=r"'Model Data' \(ir\.model\.data\)") as error:
        manager.call("ir.model.data", "search_read", [], ["name"])
    assert error.value.name == "odoo.exceptions.AccessError"
    assert manager.call("ir.model.data", "check_object_reference", "ext", "a") == [PARTNER, partner]
    assert manager.call(PARTNER, "get_external_id", [partner, 1]) == {str(partner): "ext.a", "1": "base.main_partner"}


def test_a_reader_is_refused_with_a_message_of_many_lines(odoo: Odoo) -> None:
    reader = odoo.as_user("internal")
    with pytest.raises(OdooSaysNoError) as error:
        reader.call(PARTNER, "create", {"name": "A"})
    assert error.value.message.startswith("You are not allowed to create 'Contact' (res.partner) records.\n\n")
    assert error.value.message.count("\n") > 3
    answer = reader.load(["name"], [["A"]])
    assert "You are not allowed to create" in answer["messages"][0]["message"]


def test_a_portal_user_sees_only_its_own_contacts(odoo: Odoo) -> None:
    portal = odoo.as_user("portal")
    assert portal.call(PARTNER, "search_count", []) == 1
    with pytest.raises(OdooSaysNoError, match="freshly baked cookies") as error:
        portal.call(PARTNER, "read", [1], ["name"])
    assert error.value.name == "odoo.exceptions.AccessError"


@pytest.mark.parametrize(
    ("operation", "method", "args"), [("write", "write", [{"city": "x"}]), ("unlink", "unlink", [])]
)
def test_a_record_rule_refuses_a_call_for_one_of_its_records_and_not_the_right(
    odoo: Odoo, operation: str, method: str, args: list[Any]
) -> None:
    made = odoo.load(["id", "name"], [["ext.a", "A"], ["ext.b", "B"]])["ids"]
    odoo.switch(hidden={PARTNER: {operation: (made[1],)}})
    assert odoo.call(PARTNER, "has_access", [], operation) is True
    assert odoo.call(PARTNER, "has_access", [made[1]], operation) is False
    with pytest.raises(OdooSaysNoError) as error:
        odoo.call(PARTNER, method, made, *args)
    assert error.value.name == "odoo.exceptions.AccessError"
    assert f"'{operation}' access to:\n- Contact, B" in error.value.message
    assert len(odoo.call(PARTNER, "search", [["id", "in", made]])) == 2, "one call is one transaction"
    assert odoo.call(PARTNER, method, made[:1], *args) is True


def test_a_record_that_a_rule_hides_is_found_by_no_search(odoo: Odoo) -> None:
    made = odoo.load(["id", "name"], [["ext.a", "A"], ["ext.b", "B"]])["ids"]
    odoo.switch(hidden={PARTNER: {"read": (made[1],)}})
    assert odoo.call(PARTNER, "search", [["id", "in", made]]) == made[:1]
    with pytest.raises(OdooSaysNoError, match="freshly baked cookies"):
        odoo.call(PARTNER, "read", [made[1]], ["name"])


def test_rights_can_be_asked_for_in_both_ways(odoo: Odoo) -> None:
    reader = odoo.as_user("internal")
    for client, expected in ((odoo, True), (reader, False)):
        assert client.call(PARTNER, "has_access", [], "create") is expected
        assert client.call(PARTNER, "check_access_rights", "create", raise_exception=False) is expected


def test_a_model_can_be_denied_by_switch(odoo: Odoo) -> None:
    odoo.switch(deny={PARTNER: ("write",)})
    with pytest.raises(OdooSaysNoError, match="not allowed to modify"):
        odoo.call(PARTNER, "write", [1], {"name": "x"})


# --- counts, state, demo, costs ---------------------------------------------------------------------------


def test_calls_and_effects_are_counted(odoo: Odoo) -> None:
    odoo.load(["id", "name"], [["ext.a", "A"], ["ext.b", "B"]])
    odoo.load(["id", "name"], [["ext.a", "A"], ["ext.c", ""]])
    odoo.load(["id", "name"], [["ext.a", "A2"]])
    state = requests.get(f"{odoo.url}/_sandbox/state", timeout=10).json()
    assert state["calls"]["res.partner.load"] == 3
    assert state["calls"]["common.authenticate"] == 1
    assert (state["created"][PARTNER], state["written"][PARTNER]) == (2, 1)


def test_switches_are_changed_over_http(odoo: Odoo) -> None:
    url = f"{odoo.url}/_sandbox/switches"
    assert requests.post(url, json={"base_vat": False}, timeout=10).json()["base_vat"] is False
    assert odoo.world.switches.base_vat is False
    assert requests.post(url, json={"nonsense": 1}, timeout=10).status_code == 422


def test_the_demo_holds_partners_to_adopt_and_doubles(start: Callable[..., Odoo]) -> None:
    existing = [
        {"name": f"F{i}", "company_registry": f"{i:08d}", "ref": f"K{i}", "country_code": "CZ"} for i in range(60)
    ]
    odoo = start(19, OdooWorld.demo(19, existing=existing, api_key=KEY))
    registries = [row["company_registry"] for row in existing]
    found = odoo.call(PARTNER, "search_read", [("company_registry", "in", registries)], ["company_registry"])
    assert len(found) == 42
    assert len({row["company_registry"] for row in found}) == 40
    assert odoo.call(PARTNER, "search_count", []) > 60


def test_the_state_survives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "odoo.json"
    first = OdooWorld.demo(18, state_file=path)
    partner = first.call(PARTNER, "load", ["id", "name"], [["ext.a", "A"]])["ids"][0]
    second = OdooWorld.demo(18, state_file=path)
    assert second.restored
    assert second.call("ir.model.data", "check_object_reference", "ext", "a") == [PARTNER, partner]
    assert second.call(PARTNER, "search_count", []) == first.call(PARTNER, "search_count", [])


def test_simulated_costs_follow_the_measurements() -> None:
    world = OdooWorld(18, switches=OdooSwitches(simulate_costs=True))
    rows = [[f"ext.p{i}", f"P{i}"] for i in range(100)]

    def seconds() -> float:
        call = Call(world.bot, PARTNER, "load", (["id", "name"], rows))
        outcome = perform(world, call)
        outcome.finish()
        return outcome.seconds

    inserting, updating = seconds(), seconds()
    assert 0.4 < inserting < 0.8
    assert 1.2 < updating < 1.6


def test_cost_simulation_does_not_change_the_answer(odoo: Odoo) -> None:
    odoo.switch(simulate_costs=True, cost_scale=0.001)
    assert odoo.call(PARTNER, "search_count", [("id", "=", 1)]) == 1


# --- web hooks --------------------------------------------------------------------------------------------


@dataclass
class Receiver:
    """Takes posts and reads the record back at once, as an eager receiver would."""

    world: OdooWorld
    bodies: list[dict[str, Any]] = field(default_factory=list)
    read_back: list[list[dict[str, Any]]] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = json.loads(await Request(scope, receive).body())
        self.bodies.append(body)
        self.read_back.append(self.world.call(PARTNER, "read", [body["id"]], ["name"]))
        await Response("ok")(scope, receive, send)


@pytest.fixture
def receiver(odoo: Odoo) -> Iterator[Receiver]:
    receiver = Receiver(odoo.world)
    with serve(receiver) as url:
        odoo.world.add_webhook(PARTNER, f"{url}/secret-path", fields=("name", "country_id", "write_date"))
        yield receiver


def test_18_posts_before_the_commit_and_19_after_it(odoo: Odoo, receiver: Receiver) -> None:
    partner = odoo.call(PARTNER, "create", {"name": "A", "country_id": 229})
    odoo.call(PARTNER, "write", [partner], {"name": "B"})
    odoo.call(PARTNER, "write", [partner], {"name": "B"})
    [created, written] = receiver.bodies
    assert (created["_model"], created["_id"], created["id"], created["country_id"]) == (PARTNER, partner, partner, 229)
    assert created["_action"].startswith("Send Webhook Notification(#")
    assert len(written["write_date"]) == len("2026-11-22 04:46:23.250000")
    names = [[row["name"] for row in rows] for rows in receiver.read_back]
    assert names == ([[], ["A"]] if odoo.world.version == 18 else [["A"], ["B"]])
    assert odoo.call(PARTNER, "read", [partner], ["name"])[0]["name"] == "B"


def test_a_row_of_a_failed_load_can_have_been_announced(odoo: Odoo, receiver: Receiver) -> None:
    assert odoo.load(["id", "name"], [["ext.a", "A"], ["ext.b", ""]])["ids"] is False
    assert [body["name"] for body in receiver.bodies] == ["A"]
    assert receiver.read_back == [[]]


def test_a_receiver_that_is_down_does_not_disturb_the_write(odoo: Odoo) -> None:
    odoo.world.add_webhook(PARTNER, "http://127.0.0.1:9/none")
    assert odoo.call(PARTNER, "create", {"name": "A"})
    assert odoo.world.webhook_outcomes == ["ConnectionError"]
