"""Calling Odoo 18 and 19 in either dialect: what an answer means, and what a person is told."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from starlette.responses import Response

from sync_orchestration.pipeline.errors import ConfigurationError, SyncError, UnavailableError
from sync_orchestration.systems.odoo.errors import OdooError

from .conftest import DIALECTS, KEY, PARTNER, PASSWORD, Odoo, Script, Switchboard, as_json, open_odoo, record, written

XML_ID = "ir.model.data"


# Which dialect, and signing in


def test_the_dialect_follows_from_the_server_and_the_secret(odoo: Odoo) -> None:
    client = odoo.client()
    client.call(PARTNER, "search_count", domain=[])
    paths = {path for path in odoo.world.faults.requests if path != "GET /web/version"}
    expected = {"json-rpc": "POST /jsonrpc", "json-2": "POST /json/2/res.partner/search_count"}[odoo.dialect]
    assert expected in paths
    before = odoo.requests
    client.call(PARTNER, "search_count", domain=[])
    assert odoo.requests - before == 1, "the dialect is found out once"


@pytest.mark.parametrize(("dialect", "path"), [("json-rpc", "POST /jsonrpc"), ("json-2", "POST /json/2")])
def test_the_dialect_can_be_named(odoo19: Odoo, dialect: Any, path: str) -> None:
    client = odoo19.client()
    client._dialect = dialect
    client.call(PARTNER, "search_count", domain=[])
    assert all(asked.startswith(path) for asked in odoo19.world.faults.requests)


def test_authenticate_is_called_once_however_many_threads_begin(odoo: Odoo) -> None:
    client = odoo.client()
    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(lambda _: client.call(PARTNER, "search_count", domain=[]), range(12)))
    assert len(set(counts)) == 1
    assert odoo.world.calls["common.authenticate"] == (0 if odoo.dialect == "json-2" else 1)


def test_an_api_key_serves_as_a_password_where_only_json_rpc_is_spoken(odoo18: Odoo) -> None:
    assert odoo18.client(secret=KEY).call(PARTNER, "search_count", domain=[]) > 0


def test_a_password_beyond_latin_letters_reaches_odoo_19(board: Switchboard) -> None:
    odoo = open_odoo(board, "odoo 19 with a password")
    odoo.world.users[odoo.world.bot.uid] = replace(odoo.world.bot, password="тайна-ž")
    assert odoo.client(secret="тайна-ž").check([PARTNER])


@pytest.mark.parametrize("name", list(DIALECTS))
def test_a_wrong_password_or_key_is_said_plainly_and_is_not_repeated(board: Switchboard, name: str) -> None:
    odoo = open_odoo(board, name)
    with pytest.raises(ConfigurationError, match=r"refuses the user sync .*ODOO_USER and ODOO_API_KEY") as refused:
        odoo.client(secret="falsches-geheimnis").check([PARTNER])
    assert "falsches" not in str(refused.value)
    assert odoo.world.calls["common.authenticate"] == 1


def test_an_unknown_user_is_said_plainly(odoo18: Odoo) -> None:
    with pytest.raises(ConfigurationError, match="refuses the user nobody"):
        odoo18.client(user="nobody").check([PARTNER])


def test_a_key_or_password_that_ends_while_we_work_is_said_plainly(odoo: Odoo) -> None:
    client = odoo.client()
    client.check([PARTNER])
    odoo.world.users[odoo.world.bot.uid] = replace(odoo.world.bot, password="new", api_key="new")
    with pytest.raises(ConfigurationError, match=r"refuses the user sync .*ODOO_API_KEY.*three months"):
        client.call(PARTNER, "search_count", domain=[])


def test_an_unknown_database_is_named(odoo: Odoo) -> None:
    with pytest.raises(ConfigurationError, match="ODOO_DATABASE"):
        odoo.client(database="nope").check([PARTNER])


def test_the_right_one_of_several_databases_is_used(odoo: Odoo) -> None:
    odoo.switch(other_databases=["test", "backup"])
    assert odoo.client().check([PARTNER])


def test_switched_off_rpc_and_a_server_that_is_no_odoo_are_a_wrong_address(board: Switchboard, odoo18: Odoo) -> None:
    odoo18.switch(legacy_rpc=False)
    with pytest.raises(
        ConfigurationError, match=r"no Odoo at http://127.*or its RPC is switched off \(404\).*ODOO_URL"
    ):
        odoo18.client().check([PARTNER])
    board.app = Script([Response("<h1>405 Not Allowed</h1>", 405, media_type="text/html")])
    with pytest.raises(ConfigurationError, match="no Odoo at"):
        odoo18.client().check([PARTNER])


# What an answer means


def test_a_method_that_returns_nothing_is_a_success(odoo: Odoo) -> None:
    partner = odoo.create(name="Alfa")
    assert odoo.client().call(PARTNER, "action_archive", [partner]) is None
    assert odoo.read(partner, "active") == {"id": partner, "active": False}


def test_an_error_is_told_by_its_presence_and_not_by_its_code(board: Switchboard, odoo18: Odoo) -> None:
    """Odoo 18 says code 200, Odoo 19 says 0."""
    for code in (200, 0, None):
        fault = {"code": code, "message": "Odoo Server Error", "data": {"name": "builtins.ValueError", "message": "no"}}
        board.app = Script([Response("", 404), as_json({"result": 2}), as_json({"error": fault})])
        with pytest.raises(OdooError, match=r"Odoo refused res\.partner\.read: no"):
            odoo18.client().call(PARTNER, "read", [1])


@pytest.mark.parametrize(
    ("method", "ids", "arguments", "words", "record_fault"),
    [
        ("write", [999_999], {"vals": {"name": "x"}}, "does not exist or has been deleted", True),
        ("create", None, {"vals_list": [{"name": False}]}, "require a name", True),
        ("create", None, {"vals_list": [{"nofield": "x"}]}, "Invalid field 'nofield'", False),
        ("search_read", None, {"domain": [["nofield", "=", 1]]}, "nofield", False),
        ("nope", None, {}, "does not exist", False),
        ("_private", None, {}, "Private methods", False),
    ],
)
def test_a_refused_call_tells_whose_fault_it_is_in_one_line_and_is_sent_once(
    odoo: Odoo, method: str, ids: list[int] | None, arguments: dict[str, Any], words: str, record_fault: bool
) -> None:
    client = odoo.client()
    client.check([PARTNER])
    before = odoo.requests
    with pytest.raises(OdooError, match=words) as refused:
        client.call(PARTNER, method, ids, **arguments)
    assert refused.value.is_record_fault is record_fault
    assert odoo.requests - before == 1
    assert "\n" not in str(refused.value)
    assert "Traceback" not in str(refused.value)


def test_reading_a_missing_record_is_no_error(odoo: Odoo) -> None:
    assert odoo.client().call(PARTNER, "read", [999_999], fields=["name"]) == []


def test_a_language_that_is_not_installed_is_odoos_word(odoo: Odoo) -> None:
    with pytest.raises(OdooError, match="Invalid language code: fr_FR"):
        odoo.client().call(PARTNER, "search_count", domain=[], context={"lang": "fr_FR"})


def test_a_busy_database_is_a_passing_fault_and_not_a_refusal(odoo: Odoo) -> None:
    client = odoo.client()
    client.check([PARTNER])
    odoo.switch(pool_errors=1)
    with pytest.raises(UnavailableError, match=r"database could not serve res\.partner\.search_count: .*Pool Is Full"):
        client.call(PARTNER, "search_count", domain=[])
    assert client.call(PARTNER, "search_count", domain=[]) > 0


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        ({"kind": "reset"}, UnavailableError, "Odoo cannot be reached"),
        ({"kind": "truncate"}, UnavailableError, "broke off"),
        ({"kind": "html"}, UnavailableError, "HTML page .*Sign in.* login page or a proxy"),
        ({"kind": "status", "status": 500}, UnavailableError, "Odoo failed.*status 500.*Internal error"),
        ({"kind": "status", "status": 502}, UnavailableError, "Odoo is not available.*502"),
        ({"kind": "status", "status": 429, "headers": {"Retry-After": "90"}}, UnavailableError, "wait 90 s"),
        ({"kind": "status", "status": 303, "headers": {"Location": "/web/login"}}, ConfigurationError, "/web/login"),
    ],
)
def test_a_bad_moment_has_a_message_of_its_own(
    odoo: Odoo, fault: dict[str, Any], error: type[SyncError], words: str
) -> None:
    client = odoo.client()
    client.check([PARTNER])
    odoo.fault(path="json", times=None, **fault)
    with pytest.raises(error, match=words) as raised:
        client.call(PARTNER, "search_count", domain=[])
    assert "\n" not in str(raised.value)
    assert PASSWORD not in str(raised.value)


def test_a_server_that_repeats_our_words_does_not_give_the_secret_away(board: Switchboard, odoo: Odoo) -> None:
    client = odoo.client()
    client.check([PARTNER])

    def echo(body: Any) -> Response:
        said = f"{json.dumps(body, ensure_ascii=False)} {odoo.secret}"
        data = {"name": "builtins.TypeError", "message": said, "debug": said}
        return as_json({"error": {"data": data}}) if odoo.dialect == "json-rpc" else as_json(data, 422)

    board.app = Script([echo])
    with pytest.raises(OdooError) as refused:
        client.call(PARTNER, "search_count", domain=[])
    assert "***" in str(refused.value)
    assert odoo.secret not in str(refused.value)
    assert odoo.secret not in refused.value.message


# Lost answers


def test_a_create_whose_answer_was_lost_is_not_sent_again(odoo: Odoo) -> None:
    client = odoo.client()
    client.check([PARTNER])
    odoo.fault("reset_after", path="json")
    with pytest.raises(UnavailableError):
        client.call(PARTNER, "create", vals_list=[{"name": "Only once"}], repeatable=False)
    assert len(odoo.partners(["name", "=", "Only once"])) == 1


def test_a_load_whose_answer_was_lost_is_sent_again_without_doubling(odoo: Odoo) -> None:
    target = odoo.target()
    target.current([record("1", name="Alfa")])
    odoo.fault("reset_after", path=r"json(rpc|/2/res.partner/load)", skip=1 if odoo.dialect == "json-rpc" else 0)
    outcomes = written(target, record("1", name="Alfa"), record("2", name="Beta"))
    assert all(outcome.error is None for outcome in outcomes.values())
    assert odoo.world.faults.injected["reset_after"] == 1
    assert len(odoo.partners(["name", "in", ["Alfa", "Beta"]])) == 2


# Checking


def test_a_check_says_which_database_answers_and_asks_for_the_rights(odoo: Odoo) -> None:
    assert "database odoo" in odoo.client().check([PARTNER])
    odoo.switch(deny={PARTNER: ["create"]})
    with pytest.raises(ConfigurationError, match=r"user sync may not create res\.partner.*Contact Creation"):
        odoo.client().check([PARTNER])


def test_a_check_writes_nothing(odoo: Odoo) -> None:
    odoo.client().check([PARTNER])
    assert not odoo.world.created
    assert not odoo.world.written


def test_the_fields_are_asked_for_once(odoo: Odoo) -> None:
    client = odoo.client()
    assert client.fields(PARTNER)["country_id"]["type"] == "many2one"
    assert ("mobile" in client.fields(PARTNER)) is (odoo.world.version == 18)
    assert odoo.world.calls[f"{PARTNER}.fields_get"] == 1
