"""Records are written to a REST API once each, every refusal is its record's own, and no outcome is lost."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import Lock
from typing import Any
from urllib.parse import parse_qs, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sync_orchestration.mapping.records import RecordError, Reference
from sync_orchestration.pipeline.errors import ConfigurationError, SyncError, UnavailableError
from sync_orchestration.pipeline.protocols import CurrentRecord, Outcome, PartlyDoneError, TargetRecord
from sync_orchestration.systems.http import HttpClient, HttpSettings
from sync_orchestration.systems.rest import sending
from sync_orchestration.systems.rest.answers import LONGEST_MESSAGE
from sync_orchestration.systems.rest.bodies import UNKNOWN, nested, same_json
from sync_orchestration.systems.rest.bodies import as_json as json_of
from sync_orchestration.systems.rest.settings import BatchSettings, Call, Resource
from sync_orchestration.systems.rest.target import RestTarget

from .arbitrary import json_values
from .conftest import Script, Switchboard, as_json

DELETE = Call("DELETE", "/partners/{id}")
HEEDED: dict[str, Any] = {"idempotency_header": "Idempotency-Key", "namespace": "partners"}
NOW = datetime.now(UTC)
FIND = "/partners?external_ref={key}"


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    body: Any
    key: str | None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass
class Shop:
    """A small API that holds partners; `answer` may speak in its place."""

    partners: dict[str, Any] = field(default_factory=dict)
    answer: Callable[["Shop", Asked], Response | None] = lambda shop, asked: None
    asked: list[Asked] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        path, query = scope["raw_path"].decode(), parse_qs(scope["query_string"].decode())
        body = json.loads(await request.body() or b"null")
        asked = Asked(request.method, path, query, body, request.headers.get("idempotency-key"))
        with self.lock:
            self.asked.append(asked)
            response = self.answer(self, asked) or self.plain(asked)
        await response(scope, receive, send)

    def plain(self, asked: Asked) -> Response:
        partner_id = unquote(asked.path.removeprefix("/partners").removeprefix("/"))
        if asked.path == "/partners/batch":
            return as_json([self.created(item) for item in asked.body])
        if asked.method == "POST":
            return as_json(self.created(asked.body), 201)
        if asked.method == "GET" and not partner_id:
            wanted = asked.query.get("external_ref")
            return as_json([p for p in self.partners.values() if not wanted or p.get("external_ref") in wanted])
        if partner_id not in self.partners:
            return as_json({"message": "not found"}, 404)
        if asked.method == "DELETE":
            del self.partners[partner_id]
            return Response(status_code=204)
        if asked.method in ("PATCH", "PUT"):
            self.partners[partner_id] |= asked.body
        return as_json(self.partners[partner_id])

    def created(self, body: Any) -> Any:
        partner_id = len(self.partners) + 1
        self.partners[str(partner_id)] = {"id": partner_id, **body}
        return self.partners[str(partner_id)]

    @property
    def requests(self) -> list[str]:
        return [str(asked) for asked in self.asked]


def http_to(board: Switchboard, **settings: Any) -> HttpClient:
    given = {"name": "Shop", "base_url": board.url, "tries": 2, "first_delay": 0.0, **settings}
    return HttpClient(HttpSettings(**given))


def target(board: Switchboard, shop: Any, **settings: Any) -> RestTarget:
    board.app = shop
    http = settings.pop("http", None) or http_to(board)
    return RestTarget(Resource(http, "/partners", **settings))


def record(
    key: str, target_id: str | None = None, *, in_doubt: bool = False, written: Any = None, **values: Any
) -> TargetRecord:
    return TargetRecord(key, key, values or {"name": f"N{key}"}, target_id, None, written, in_doubt)


def new(key: str, **values: Any) -> TargetRecord:
    """A record as it is claimed for the first time."""
    return replace(record(key, **values), first_tried_at=NOW)


def write(found: RestTarget, *records: TargetRecord) -> Mapping[str, Outcome]:
    """What a pass does: look, then write."""
    current = found.current(records)
    known = {key: one for key, one in current.items() if isinstance(one, CurrentRecord)}
    assert known.keys() == current.keys(), current
    return found.upsert(records, known)


def error_of(outcome: Outcome) -> RecordError:
    assert outcome.error is not None, outcome
    return outcome.error


def answering(*answers: Response, only: str = "") -> Callable[[Shop, Asked], Response | None]:
    """Give these answers, the last one again and again, to the requests that begin so."""
    left = list(answers)

    def answer(shop: Shop, asked: Asked) -> Response | None:
        if not str(asked).startswith(only):
            return None
        return left.pop(0) if len(left) > 1 else left[0]

    return answer


# What is written


def test_a_new_record_is_created_and_a_known_one_changed(board: Switchboard) -> None:
    shop = Shop({"7": {"id": 7, "name": "old", "city": "Brno"}})
    outcomes = write(
        target(board, shop, key_field="external_ref"),
        record("A", name="a", city=""),
        record("B", "7", name="new", city="Brno", written={"name": "old", "city": "Brno"}),
    )
    assert (outcomes["A"].target_id, outcomes["B"].target_id) == ("2", "7")
    assert (outcomes["A"].response_code, outcomes["B"].response_code) == (201, 200)
    assert outcomes["A"].written == {"name": "a", "city": ""}
    assert outcomes["B"].written == {"name": "new", "city": "Brno"}
    assert {str(a): a.body for a in shop.asked} == {
        "POST /partners": {"name": "a", "city": "", "external_ref": "A"},
        "PATCH /partners/7": {"name": "new"},
    }


def test_a_whole_update_sends_everything(board: Switchboard) -> None:
    shop = Shop({"7": {"id": 7}})
    found = target(board, shop, update=Call("PUT", "/partners/{id}"), key_field="ref", wrap="data.partner")
    write(found, record("B", "7", name="new", city="Brno", written={"name": "old", "city": "Brno"}))
    assert shop.asked[0].body == {"data": {"partner": {"name": "new", "city": "Brno", "ref": "B"}}}


@pytest.mark.parametrize("in_doubt", [True, False])
def test_what_is_not_known_is_written_whole(board: Switchboard, in_doubt: bool) -> None:
    shop = Shop({"7": {"id": 7}})
    written = {"name": "x", "city": "y"} if in_doubt else None
    write(target(board, shop), record("B", "7", name="x", city="y", written=written, in_doubt=in_doubt))
    assert shop.asked[0].body == {"name": "x", "city": "y"}


def test_a_field_that_is_not_written_this_time_stays_remembered(board: Switchboard) -> None:
    shop = Shop({"7": {"id": 7}})
    outcomes = write(target(board, shop), record("B", "7", name="new", written={"name": "old", "note": "theirs"}))
    assert outcomes["B"].written == {"name": "new", "note": "theirs"}


def test_an_object_that_changes_in_part_is_sent_with_all_that_is_ours_in_it(board: Switchboard) -> None:
    shop = Shop({"7": {"id": 7}})
    values = {"name": "x", "address.city": "Brno", "address.zip": "60200"}
    item = TargetRecord("B", "B", values, "7", None, {**values, "address.city": "Praha"})
    outcomes = write(target(board, shop), item)
    assert shop.asked[0].body == {"address": {"city": "Brno", "zip": "60200"}}
    assert outcomes["B"].written == values


def test_values_become_json_without_losing_what_they_are(board: Switchboard) -> None:
    shop = Shop()
    values = {
        "whole": Decimal("12.00"),
        "large": Decimal("12345678901234567890"),
        "price": Decimal("0.10"),
        "list": [Decimal(1), {"x": Decimal("2.5")}],
        "on": True,
        "nothing": None,
        "address.geo.lat": 50.1,
        "address.city": "Žďár",
    }
    outcome = write(target(board, shop), TargetRecord("A", "A", values, None))["A"]
    assert shop.asked[0].body == {
        "whole": 12,
        "large": 12345678901234567890,
        "price": 0.1,
        "list": [1, {"x": 2.5}],
        "on": True,
        "nothing": None,
        "address": {"geo": {"lat": 50.1}, "city": "Žďár"},
    }
    assert outcome.written is not None
    assert json.loads(json.dumps(outcome.written)) == outcome.written
    assert outcome.written["address.city"] == "Žďár"
    again = replace(record("A", "1", written=outcome.written), values=values)
    assert all(target(board, shop).same(name, outcome.written[name], values[name]) for name in values)
    assert write(target(board, shop), again)["A"] == Outcome("1", written=outcome.written)
    assert len(shop.asked) == 1


@pytest.mark.parametrize("number", [Decimal("NaN"), Decimal("1E+5000"), float("inf")])
def test_a_number_that_json_cannot_hold_is_its_records_error(board: Switchboard, number: Any) -> None:
    shop = Shop()
    outcomes = write(target(board, shop), record("A", total=number), record("B"))
    assert (error_of(outcomes["A"]).code, error_of(outcomes["A"]).field) == ("not_json", "total")
    assert outcomes["B"].target_id == "1"


def test_a_field_inside_of_another_field_is_a_setting_to_correct() -> None:
    impossible: list[dict[str, Any]] = [{"a": "x", "a.b": "y"}, {"a.b": "y", "a": "x"}, {"a.b": 1, "a": {"c": 1}}]
    for values in impossible:
        with pytest.raises(ConfigurationError, match="map only one"):
            nested(values)
    mapped: dict[str, Any] = {"a": {"c": 1}, "a.b": 2}
    assert nested(mapped) == {"a": {"c": 1, "b": 2}}
    assert mapped["a"] == {"c": 1}


@pytest.mark.parametrize(
    ("left", "right", "is_same"),
    [
        (None, "", True),
        (1, 1.0, True),
        (0.1, Decimal("0.10"), True),
        ([1, None], [Decimal(1), ""], True),
        ({"a": 1, "b": None}, {"b": "", "a": 1.0}, True),
        (True, 1, False),
        (0, "", False),
        (False, None, False),
        ("1", 1, False),
        ([1, 2], [2, 1], False),
        (float("nan"), float("nan"), True),
    ],
)
def test_what_counts_as_the_same(board: Switchboard, left: Any, right: Any, is_same: bool) -> None:
    assert RestTarget(Resource(http_to(board), "/p")).same("x", left, right) is is_same


@given(json_values())
def test_every_value_is_the_same_as_itself_after_a_journey_through_json(value: Any) -> None:
    assert same_json(value, value)
    written = json_of({"x": value})
    if not isinstance(written, RecordError):
        assert same_json(json.loads(json.dumps(written["x"])), value)


def test_references_are_not_looked_up(board: Switchboard) -> None:
    found = target(board, Shop())
    assert found.resolve([Reference("country", "code", "CZ")]) == {}
    assert found.model == "/partners"


# Ids and paths


@pytest.mark.parametrize("key", ["../x?y#z", "a b", "ž/%2F", "%2e%2e"])
def test_a_hostile_id_stays_in_its_path(board: Switchboard, key: str) -> None:
    shop = Shop({key: {"id": key}})
    found = target(board, shop, delete=DELETE, verify=True)
    assert write(found, record("A", key))["A"].target_id == key
    assert found.delete([record("A", key)])["A"].error is None
    assert len(shop.asked) == 3
    assert {unquote(asked.path.removeprefix("/partners/")) for asked in shop.asked} == {key}
    assert shop.partners == {}


@pytest.mark.parametrize("key", [".", "..", ""])
def test_an_id_that_no_path_can_hold_is_its_records_error(board: Switchboard, key: str) -> None:
    shop = Shop()
    found = target(board, shop, delete=DELETE)
    assert error_of(write(found, record("A", key))["A"]).code == "bad_id"
    assert error_of(found.delete([record("A", key)])["A"]).code == "bad_id"
    assert shop.asked == []
    assert found.upsert([record("A", key)], {})["A"].target_id == "1"


@pytest.mark.parametrize(
    ("answer", "target_id"),
    [
        (as_json({"id": 5}, 201), "5"),
        (as_json({"id": "a-1"}), "a-1"),
        (Response("", 201, {"Location": "https://shop.example/partners/a%20b/?x=1"}), "a b"),
        (Response("created", 201, {"Location": "/partners/9"}), "9"),
        (as_json({"id": 5}, 201, {"Location": "/partners/9"}), "5"),
    ],
)
def test_the_id_of_a_new_record_is_in_the_body_or_in_location(
    board: Switchboard, answer: Response, target_id: str
) -> None:
    assert write(target(board, Script([answer])), record("A"))["A"].target_id == target_id


def test_an_id_that_repeats_our_secret_is_none_and_stands_nowhere(board: Switchboard) -> None:
    token = "token-of-the-shop"
    in_body = as_json({"id": f"x{token}"}, 201)
    in_header = Response("", 201, {"Location": f"/partners/{token}"})
    for answer in (in_body, in_header):
        outcome = write(target(board, Script([answer]), http=http_to(board, secrets=(token,))), record("A"))["A"]
        assert (error_of(outcome).code, outcome.target_id, outcome.in_doubt) == ("no_id", None, True)
        assert token not in error_of(outcome).message


def test_a_record_that_is_put_to_a_place_of_its_own_needs_no_id_in_the_answer(board: Switchboard) -> None:
    script = Script([Response("", 502), Response("", 204)])
    found = target(board, script, create=Call("PUT", "/partners/{key}"), update=Call("PUT", "/partners/{key}"))
    assert write(found, record("K 1"))["K 1"].target_id == "K 1"
    assert script.asked == ["PUT /partners/K 1", "PUT /partners/K 1"]


@pytest.mark.parametrize(
    ("answer", "code", "quoted"),
    [
        (as_json({"ok": True}, 201), "no_id", r"no id at 'id', status 201: “\{\"ok\": true\}”"),
        (Response("", 201), "no_id", "status 201"),
        (as_json({"id": True}), "no_id", "status 200"),
        (Response("<html>" + "x" * 500, media_type="text/html"), "not_understood", "“<html>x{194}”$"),
    ],
)
def test_a_success_that_tells_no_id_is_in_doubt(board: Switchboard, answer: Response, code: str, quoted: str) -> None:
    outcome = write(target(board, Script([answer])), record("A"))["A"]
    assert (error_of(outcome).code, outcome.in_doubt, outcome.transient) == (code, True, False)
    assert re.search(quoted, error_of(outcome).message)
    with_find = target(board, Script([answer]), find="/partners?external_ref={key}")
    assert write(with_find, record("A"))["A"].transient is True


def test_an_update_may_be_answered_without_content_but_not_with_a_page_for_people(board: Switchboard) -> None:
    found = target(
        board, Script([Response("", 204), Response("OK"), Response("<h1>Sign in</h1>", media_type="text/html")])
    )
    assert write(found, record("A", "1"))["A"].target_id == "1"
    assert write(found, record("A", "1"))["A"].target_id == "1"
    outcome = write(found, record("A", "1"))["A"]
    assert (error_of(outcome).code, outcome.transient, outcome.in_doubt) == ("not_understood", True, True)


# What is there


def test_a_known_record_is_what_it_was_given_last(board: Switchboard) -> None:
    shop = Shop()
    found = target(board, shop)
    records = [record("A", "1", written={"name": "x"}), record("B", "2"), record("C")]
    assert found.current(records) == {
        "A": CurrentRecord("1", {"name": "x"}),
        "B": CurrentRecord("2", {"name": UNKNOWN}),
    }
    assert shop.asked == []


def test_a_known_record_is_read_where_that_is_wanted_and_created_anew_where_it_is_gone(board: Switchboard) -> None:
    shop = Shop({"1": {"id": 1, "name": "theirs", "address": {"city": "Brno"}, "note": "kept"}})
    found = target(board, shop, verify=True)
    records = [
        TargetRecord(k, k, {"name": "N", "address.city": "Brno"}, i, None, {"name": "N"})
        for k, i in (("A", "1"), ("B", "9"))
    ]
    assert found.current(records) == {"A": CurrentRecord("1", {"name": "theirs", "address.city": "Brno"})}
    outcomes = write(found, *records)
    assert (outcomes["A"].target_id, outcomes["B"].target_id) == ("1", "2")
    assert [a.body for a in shop.asked if a.method == "PATCH"] == [{"name": "N"}]


def test_reading_that_fails_for_one_record_is_that_records(board: Switchboard) -> None:
    answers = {
        "/partners/1": as_json({"message": "sealed"}, 403),
        "/partners/2": as_json(["?"]),
        "/partners/3": as_json({}, 500),
    }
    shop = Shop({"0": {"id": 0}}, lambda shop, asked: answers.get(asked.path))
    found = target(board, shop, verify=True)
    current = found.current([record(i, i, written={"name": "w"}) for i in "0123"])
    assert current["1"] == RecordError("forbidden", None, "it cannot be read, status 403: sealed")
    assert current["2"] == RecordError("not_understood", None, "reading it gives no record, but a list of 1")
    assert current["3"] == CurrentRecord("3", {"name": "w"})  # its writing will tell
    with pytest.raises(ConfigurationError, match="does not let this user do GET /partners/1"):
        target(board, shop, verify=True).current([record("1", "1")])


def test_a_record_in_doubt_is_looked_up_before_it_is_created_again(board: Switchboard) -> None:
    shop = Shop({"4": {"id": 4, "external_ref": "A&b", "name": "old"}, "5": {"id": 5, "external_ref": None}})
    found = target(board, shop, find="/partners?external_ref={key}", key_field="external_ref")
    records = [record("A&b", in_doubt=True, name="new"), record("B", in_doubt=True), record("C")]
    assert found.current(records) == {"A&b": CurrentRecord("4", {"name": "old"}, linked=False)}
    assert shop.requests == ["GET /partners", "GET /partners"]
    outcomes = write(found, *records)
    assert outcomes["A&b"].target_id == "4"
    assert sorted(shop.requests[4:]) == ["PATCH /partners/4", "POST /partners", "POST /partners"]


def test_a_record_that_was_found_as_it_should_be_is_linked_without_a_request(board: Switchboard) -> None:
    shop = Shop({"4": {"id": 4, "external_ref": "A", "name": "x"}})
    found = target(board, shop, find="/partners?external_ref={key}", key_field="external_ref")
    assert write(found, record("A", in_doubt=True, name="x"))["A"].target_id == "4"
    assert shop.requests == ["GET /partners"]


def test_a_server_that_does_not_know_the_filter_does_not_lend_us_a_strangers_record(board: Switchboard) -> None:
    shop = Shop({"4": {"id": 4, "external_ref": "other"}, "5": {"id": 5, "external_ref": None}})
    found = target(board, shop, find="/partners?unknown={key}", key_field="external_ref")
    assert found.current([record("A", in_doubt=True)]) == {}


def test_several_records_with_our_key_are_for_a_person(board: Switchboard) -> None:
    shop = Shop({str(i): {"id": i, "external_ref": "A"} for i in (4, 5)})
    found = target(board, shop, find="/partners?external_ref={key}", key_field="external_ref", delete=DELETE)
    expected = RecordError("ambiguous_match", "external_ref", "2 records have the key A (ids 4, 5): leave one of them")
    assert found.current([record("A", in_doubt=True)]) == {"A": expected}
    assert found.delete([record("A", in_doubt=True)])["A"].error == expected


@pytest.mark.parametrize(
    ("answer", "found_id"),
    [
        (as_json({"data": {"items": [{"id": 4}]}}), "4"),
        (as_json({"data": {"items": None}}), None),
        (as_json({"data": {"items": []}}), None),
        (Response("", 204), None),
        (as_json({"message": "none"}, 404), None),
        (as_json({"data": {"items": {"id": 4}}}), "4"),
    ],
)
def test_a_lookup_is_answered_in_several_ways(board: Switchboard, answer: Response, found_id: str | None) -> None:
    found = target(board, Script([answer]), find="/p?k={key}", find_records="data.items", id_field="data.id")
    expected = {} if found_id is None else {"A": CurrentRecord(found_id, {}, linked=False)}
    assert found.current([record("A", in_doubt=True)]) == expected


def test_a_lookup_without_a_list_is_a_setting_to_correct(board: Switchboard) -> None:
    found = target(board, Script([as_json({"items": []})]), find="/p?k={key}", find_records="data")
    with pytest.raises(ConfigurationError, match=r"at 'data': the answer has the fields items\. Correct find_records"):
        found.current([record("A", in_doubt=True)])


# Refusals


@pytest.mark.parametrize(
    ("answer", "code", "told"),
    [
        (as_json({"errors": {"email": ["is not valid"]}}, 422), "refused", ("email", "email: is not valid")),
        (as_json({"message": "taken"}, 409), "conflict", (None, "taken")),
        (as_json({}, 400), "refused", (None, "status 400: no reason was given")),
        (Response("", 413), "refused", (None, "status 413: no reason was given")),
        (as_json({"message": "sealed"}, 403), "forbidden", (None, "sealed")),
        (as_json({"message": "sealed"}, 407), "forbidden", (None, "sealed")),
        (Response("method", 405), "refused", (None, "method")),
    ],
)  # fmt: skip
def test_a_refusal_is_its_records_error_at_once(
    board: Switchboard, answer: Response, code: str, told: tuple[str | None, str]
) -> None:
    shop = Shop({str(i): {"id": i} for i in range(3)}, answering(answer, only="PATCH /partners/1"))
    outcomes = write(target(board, shop), *(record(str(i), str(i)) for i in range(3)))
    error = error_of(outcomes["1"])
    assert (error.code, error.field, error.message) == (code, *told)
    assert (outcomes["1"].transient, outcomes["1"].in_doubt) == (False, False)
    assert [outcomes[i].error for i in "02"] == [None, None]
    assert len(shop.asked) == 3


@pytest.mark.parametrize(
    "answer", [as_json({"message": "boom"}, 500), Response("<h1>boom</h1>", 500, media_type="text/html")]
)
def test_a_server_that_breaks_at_one_record_is_tried_again_later_for_that_record(
    board: Switchboard, answer: Response
) -> None:
    shop = Shop({}, lambda shop, asked: answer if asked.body["name"] == "N1" else None)
    outcomes = write(target(board, shop), *(record(str(i)) for i in range(3)))
    assert (error_of(outcomes["1"]).code, outcomes["1"].transient, outcomes["1"].in_doubt) == (
        "server_error",
        True,
        True,
    )
    assert "boom" in error_of(outcomes["1"]).message
    assert [outcomes[i].error for i in "02"] == [None, None]
    assert len(shop.asked) == 3


def test_a_record_that_was_deleted_out_there_is_created_anew(board: Switchboard) -> None:
    for status in (404, 410):
        shop = Shop({}, answering(Response("", status), only="PATCH"))
        outcome = write(target(board, shop), record("A", "9", name="x", written={"name": "y", "note": "z"}))["A"]
        assert (outcome.target_id, outcome.error, outcome.written) == ("1", None, {"name": "x"})
        assert shop.requests == ["PATCH /partners/9", "POST /partners"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (
            as_json({"error": "token expired"}, 401),
            r"refuses the credentials .*POST /partners .*status 401 \(“token expired”\)",
        ),
        (Response("", 407), "token of the proxy"),
        (Response("", 404), "knows no such path: POST /partners"),
        (Response("", 405), "allows no such method: POST /partners"),
    ],
)
def test_what_no_record_can_help_stops_at_the_first_request(board: Switchboard, answer: Response, error: str) -> None:
    shop = Shop({}, answering(answer))
    with pytest.raises(ConfigurationError, match=error):
        write(target(board, shop), *(record(str(i)) for i in range(30)))
    assert len(shop.asked) == 1


def test_a_user_who_may_write_no_record_stops_after_three(board: Switchboard) -> None:
    shop = Shop({}, answering(as_json({}, 403)))
    with pytest.raises(ConfigurationError, match="does not let this user do POST /partners"):
        write(target(board, shop), *(record(str(i)) for i in range(30)))
    assert len(shop.asked) == 3


def test_a_record_that_is_locked_holds_up_no_other_even_when_it_comes_first(board: Switchboard) -> None:
    locked = as_json({"message": "locked by the owner"}, 403)
    shop = Shop({}, lambda shop, asked: locked if asked.body["name"] in ("N0", "N1") else None)
    found = write(target(board, shop), *(record(str(i)) for i in range(6)))
    assert {key for key, outcome in found.items() if outcome.error} == {"0", "1"}
    assert found["0"].error == RecordError("forbidden", None, "locked by the owner")


def test_credentials_that_run_out_on_the_way_lose_no_outcome(board: Switchboard) -> None:
    expired = lambda shop, asked: Response("", 401) if len(shop.partners) >= 5 else None  # noqa: E731
    shop = Shop({}, expired)
    records = [record(str(i)) for i in range(30)]
    with pytest.raises(PartlyDoneError, match="refuses the credentials") as stopped:
        write(target(board, shop), *records)
    assert isinstance(stopped.value.cause, ConfigurationError)
    assert len(stopped.value.outcomes) == 5
    assert all(outcome.error is None for outcome in stopped.value.outcomes.values())
    assert len(shop.asked) <= 5 + 4


def test_no_message_tells_the_secret_that_the_server_repeats(board: Switchboard) -> None:
    secret = "tajné-heslo-1234567890"
    http = http_to(board, secrets=(secret,))
    for body in (
        {"message": f"bad key {secret}"},
        {"error": "x" * 490 + secret},
        {"errors": {secret: [secret]}},
        {"x": secret},
    ):
        outcome = write(target(board, Shop({}, answering(as_json(body, 422))), http=http), record("A"))["A"]
        error = error_of(outcome)
        assert len(error.message) <= LONGEST_MESSAGE
        assert "heslo" not in error.message
        assert "tajn" not in error.message
        assert "heslo" not in (error.field or "")


# A server that is down


def test_a_server_that_breaks_at_every_record_is_left_alone(board: Switchboard) -> None:
    shop = Shop({}, answering(as_json({"message": "database is down"}, 500)))
    with pytest.raises(
        PartlyDoneError, match=r"Shop answers every record with status 500: .*database is down"
    ) as stopped:
        write(target(board, shop, parallel=1), *(record(str(i)) for i in range(100)))
    assert len(shop.asked) == len(stopped.value.outcomes) == sending.MOST_FAILING
    assert all(outcome.transient for outcome in stopped.value.outcomes.values())


def test_a_success_between_shows_that_the_server_is_well(board: Switchboard) -> None:
    shop = Shop({}, lambda shop, asked: None if asked.body["name"].endswith("9") else as_json({}, 500))
    outcomes = write(target(board, shop, parallel=1), *(record(str(i)) for i in range(100)))
    assert sum(outcome.error is None for outcome in outcomes.values()) == 10


def test_the_failures_of_one_pass_are_remembered_in_the_next(board: Switchboard) -> None:
    found = target(board, Shop({}, answering(as_json({}, 500))), parallel=1)
    for start in (0, 10):
        records = [record(str(i)) for i in range(start, start + 10)]
        if start:
            with pytest.raises(PartlyDoneError):
                write(found, *records)
        else:
            assert len(write(found, *records)) == 10


@pytest.mark.parametrize("status", [503, 429])
def test_a_server_that_asks_for_patience_stops_the_pass_without_failing_a_record(
    board: Switchboard, status: int
) -> None:
    def answer(shop: Shop, asked: Asked) -> Response | None:
        return Response("", status, {"Retry-After": "3600"}) if len(shop.partners) >= 3 else None

    with pytest.raises(PartlyDoneError) as stopped:
        write(target(board, Shop({}, answer), parallel=1), *(record(str(i)) for i in range(20)))
    assert isinstance(stopped.value.cause, UnavailableError)
    assert stopped.value.cause.retry_after == 3600.0
    assert {key: outcome.target_id for key, outcome in stopped.value.outcomes.items()} == {"0": "1", "1": "2", "2": "3"}
    with pytest.raises(UnavailableError) as at_once:
        write(target(board, Shop({}, answering(Response("", status)))), record("A"))
    assert not isinstance(at_once.value, PartlyDoneError)


def test_a_server_that_cannot_be_reached_fails_no_record(board: Switchboard) -> None:
    http = http_to(board, base_url="http://127.0.0.1:1")
    with pytest.raises(UnavailableError, match="cannot be reached"):
        write(target(board, Shop(), http=http), *(record(str(i)) for i in range(9)))


@dataclass
class Mute:
    """Does what it is asked for, and then breaks off its answer to some creates."""

    shop: Shop
    speechless: Callable[[Any], bool]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body: list[bytes] = []

        async def listen() -> Any:
            message = await receive()
            body.append(message.get("body", b""))
            return message

        async def speak(message: Any) -> None:
            told = json.loads(b"".join(body) or b"null")
            if scope["method"] == "POST" and self.speechless(told):
                if message["type"] == "http.response.start":
                    message = {**message, "headers": [(b"content-length", b"1000"), (b"connection", b"close")]}
                else:
                    raise ConnectionError("the line is dead")
            await send(message)

        await self.shop(scope, listen, speak)


def test_a_create_whose_answer_was_lost_is_looked_up_next_time(board: Switchboard) -> None:
    shop = Shop()
    dead = {"N1"}
    mute = Mute(shop, lambda body: body["name"] in dead)
    found = target(board, mute, find="/partners?external_ref={key}", key_field="external_ref")
    records = [record(str(i)) for i in range(3)]
    outcomes = write(found, *records)
    lost = outcomes["1"]
    assert (error_of(lost).code, lost.transient, lost.in_doubt) == ("no_answer", True, True)
    assert [outcomes[i].error for i in "02"] == [None, None]
    assert len(shop.partners) == 3
    dead.clear()
    again = write(found, replace(records[1], in_doubt=True))["1"]
    assert again.target_id is not None
    assert shop.partners[again.target_id]["name"] == "N1"
    assert len(shop.partners) == 3


@pytest.mark.parametrize("status", [502, 504])
def test_a_gateway_that_lost_sight_of_a_create_leaves_it_in_doubt(board: Switchboard, status: int) -> None:
    shop = Shop({}, lambda shop, asked: Response("", status) if asked.body["name"] == "N1" else None)
    outcomes = write(target(board, shop), *(record(str(i)) for i in range(3)))
    assert [outcomes[i].in_doubt for i in "012"] == [False, True, False]
    assert len(shop.asked) == 3


def test_lost_answers_in_a_row_stop_the_pass(board: Switchboard) -> None:
    shop = Shop({}, answering(Response("", 504)))
    with pytest.raises(PartlyDoneError) as stopped:
        write(target(board, shop), *(record(str(i)) for i in range(30)))
    assert len(shop.asked) == len(stopped.value.outcomes) == sending.MOST_LOST
    assert all(outcome.in_doubt for outcome in stopped.value.outcomes.values())


def test_an_idempotent_create_is_sent_again_under_the_same_key(board: Switchboard) -> None:
    shop = Shop({}, answering(Response("", 502), as_json({"id": 1}, 201)))
    assert write(target(board, shop, **HEEDED), new("A"))["A"].target_id == "1"
    assert len({asked.key for asked in shop.asked}) == 1
    key = shop.asked[0].key
    assert key is not None

    def sent(item: TargetRecord, **changes: Any) -> str | None:
        shop.asked.clear()
        target(board, shop, **{**HEEDED, **changes}).upsert([item], {})
        return shop.asked[0].key

    assert sent(new("A")) == key
    others = [
        sent(new("B", name="NA")),
        sent(new("A"), namespace="y"),
        sent(replace(new("A"), first_tried_at=NOW + timedelta(hours=1))),
        sent(record("A")),
        sent(record("A")),
    ]
    assert len({key, *others}) == 6


def test_what_a_record_is_given_is_no_part_of_its_key(board: Switchboard) -> None:
    """With another key, news of a record whose answer was lost would make a second one."""
    shop = Shop()
    for values in ({"name": "x"}, {"name": "y"}):
        target(board, shop, **HEEDED).upsert([new("A", **values)], {})
    assert len({asked.key for asked in shop.asked}) == 1


def test_what_is_sent_again_is_written_once_more_for_the_answer_may_be_the_first_one(board: Switchboard) -> None:
    shop = Shop({"1": {"id": 1, "name": "as it was given first"}}, answering(as_json({"id": 1}, 201), only="POST"))
    again = replace(new("A", name="a"), in_doubt=True)
    outcome = write(target(board, shop, **HEEDED), again)["A"]
    assert (outcome.target_id, outcome.error, outcome.in_doubt) == ("1", None, False)
    assert shop.requests == ["POST /partners", "PATCH /partners/1"]
    assert shop.partners["1"]["name"] == "a"


def test_what_is_sent_again_and_was_deleted_there_meanwhile_is_left_to_a_person(board: Switchboard) -> None:
    shop = Shop({}, answering(as_json({"id": 1}, 201), only="POST"))
    outcome = write(target(board, shop, **HEEDED), replace(new("A"), in_doubt=True))["A"]
    assert (error_of(outcome).code, outcome.target_id, outcome.in_doubt) == ("in_doubt", None, True)
    assert "is not there any more" in error_of(outcome).message


@pytest.mark.parametrize(
    ("status", "code", "is_tried_again"),
    [
        (400, "in_doubt", False),
        (409, "in_doubt", True),
        (422, "in_doubt", False),
        (403, "forbidden", False),
        (425, "server_error", True),
        (500, "server_error", True),
    ],
)
def test_a_refusal_of_what_is_sent_again_leaves_it_in_doubt(
    board: Switchboard, status: int, code: str, is_tried_again: bool
) -> None:
    shop = Shop({}, answering(as_json({"message": "This key was used for another request"}, status)))
    outcome = write(target(board, shop, **HEEDED), replace(new("A"), in_doubt=True))["A"]
    assert (error_of(outcome).code, outcome.transient, outcome.in_doubt) == (code, is_tried_again, True)
    assert "This key was used for another request" in error_of(outcome).message


def test_a_known_record_that_has_vanished_is_not_made_twice_either(board: Switchboard) -> None:
    lost = replace(record("A", "9"), in_doubt=True)
    shop = Shop()
    assert error_of(write(target(board, shop, **HEEDED), lost)["A"]).code == "in_doubt"
    assert shop.requests == ["PATCH /partners/9"]
    assert write(target(board, shop, **HEEDED), replace(lost, first_tried_at=NOW))["A"].target_id == "1"


@pytest.mark.parametrize("settings", [HEEDED, {**HEEDED, "batch": BatchSettings("/partners/batch", size=10)}])
def test_a_server_that_is_still_at_the_first_request_refuses_nothing(
    board: Switchboard, settings: dict[str, Any]
) -> None:
    """By the draft 409 says so; under another key the record would be made twice."""
    said = as_json({"message": "A request with this Idempotency-Key is still being processed"}, 409)
    shop = Shop({}, answering(Response("", 502), said))
    outcomes = write(target(board, shop, **settings, parallel=1), new("A"), new("B"))
    assert outcomes["A"].in_doubt
    assert error_of(outcomes["A"]).code == "in_doubt"
    assert len({asked.key for asked in shop.asked[:2]}) == 1
    batches = [asked for asked in shop.asked if asked.path == "/partners/batch"]
    assert len(batches) == (2 if "batch" in settings else 0), "it is not halved"
    genuine = Shop({}, answering(said))
    assert error_of(write(target(board, genuine, **HEEDED), new("A"))["A"]).code == "conflict"


@pytest.mark.parametrize("verify", [True, False])
def test_a_known_record_that_has_vanished_is_looked_for_before_it_is_made_anew(
    board: Switchboard, verify: bool
) -> None:
    """The try that is in doubt may have found it gone, and made it anew."""
    shop = Shop({"4": {"id": 4, "external_ref": "A", "name": "a"}})
    found = target(board, shop, find=FIND, key_field="external_ref", verify=verify)
    lost = record("A", "9", in_doubt=True, name="b")
    assert write(found, lost)["A"].target_id == "4"
    assert shop.partners == {"4": {"id": 4, "external_ref": "A", "name": "b"}}
    shop.partners.clear()
    assert write(found, lost)["A"].target_id == "1"
    shop.answer = answering(Response("", 400), only="GET /partners")
    assert write(target(board, shop, find=FIND), lost)["A"].in_doubt


def test_a_delete_finds_what_a_try_in_doubt_has_made_anew(board: Switchboard) -> None:
    shop = Shop({"4": {"id": 4, "external_ref": "A"}})
    found = target(board, shop, find=FIND, key_field="external_ref")
    assert found.delete([record("A", "9")])["A"].error is None
    assert shop.partners.keys() == {"4"}, "it was no try of ours that made it"
    assert found.delete([record("A", "9", in_doubt=True)])["A"].error is None
    assert shop.partners == {}
    assert found.delete([record("A", "9", in_doubt=True)])["A"].error is None
    shop.answer = answering(Response("", 400), only="GET /partners")
    assert found.delete([record("A", "9", in_doubt=True)])["A"].in_doubt


# Deletes


def test_a_delete_of_what_may_be_there_and_cannot_be_looked_for_is_not_done(board: Switchboard) -> None:
    shop = Shop({"1": {"id": 1}})
    for settings in ({}, HEEDED, {"create": Call("PUT", "/partners/{key}")}):
        outcome = target(board, shop, **settings).delete([replace(new("A"), in_doubt=True)])["A"]
        assert (error_of(outcome).code, outcome.in_doubt) == ("in_doubt", True)
    assert shop.asked == []
    at_its_key = target(board, shop, delete=Call("DELETE", "/partners/{key}"))
    assert at_its_key.delete([record("1", in_doubt=True)])["1"].error is None
    assert shop.partners == {}


def test_a_delete_stays_in_doubt_while_its_record_cannot_be_looked_for(board: Switchboard) -> None:
    found = target(board, Shop({}, answering(Response("", 400))), find="/partners?external_ref={key}")
    outcome = found.delete([record("A", in_doubt=True)])["A"]
    assert (error_of(outcome).code, outcome.in_doubt) == ("refused", True)


def test_deletes_are_sent_and_what_is_gone_is_a_success(board: Switchboard) -> None:
    shop = Shop({"1": {"id": 1}, "4": {"id": 4, "external_ref": "D"}})
    found = target(board, shop, find="/partners?external_ref={key}", key_field="external_ref")
    records = [record("A", "1"), record("B", "9"), record("C"), record("D", in_doubt=True), record("E", in_doubt=True)]
    outcomes = found.delete(records)
    assert {key: (o.target_id, o.error) for key, o in outcomes.items()} == dict.fromkeys("ABCDE", (None, None))
    assert shop.partners == {}
    assert sorted(shop.requests) == [
        "DELETE /partners/1",
        "DELETE /partners/4",
        "DELETE /partners/9",
        "GET /partners",
        "GET /partners",
    ]


def test_a_refused_delete_is_its_records_error(board: Switchboard) -> None:
    shop = Shop(
        {"1": {"id": 1}, "2": {"id": 2}},
        answering(as_json({"message": "has invoices"}, 409), only="DELETE /partners/2"),
    )
    outcomes = target(board, shop, delete=DELETE).delete([record("A", "1"), record("B", "2")])
    assert outcomes["A"].error is None
    assert outcomes["B"].error == RecordError("conflict", None, "has invoices")


# Batches


def batch(**settings: Any) -> BatchSettings:
    return BatchSettings(**{"path": "/partners/batch", "size": 10, **settings})


def test_new_records_go_in_batches_and_known_ones_one_by_one(board: Switchboard) -> None:
    shop = Shop({"1": {"id": 1}})
    outcomes = write(target(board, shop, batch=batch()), *(record(str(i)) for i in range(25)), record("K", "1"))
    assert sorted(shop.requests) == ["PATCH /partners/1", *["POST /partners/batch"] * 3]
    assert sorted(len(a.body) for a in shop.asked if a.method == "POST") == [5, 10, 10]
    for key, outcome in outcomes.items():
        assert outcome.target_id is not None
        assert shop.partners[outcome.target_id]["name"] == f"N{key}"
        assert outcome.written == {"name": f"N{key}"}


def test_known_records_may_go_along_with_their_id(board: Switchboard) -> None:
    def answer(shop: Shop, asked: Asked) -> Response | None:
        if asked.path != "/items":
            return None
        results = [
            {"code": 200 if item.get("id") == "7" else 404} if "id" in item else {"code": 201, "ref": {"id": "new"}}
            for item in asked.body["data"]["rows"]
        ]
        return as_json({"out": {"results": results}})

    settings = batch(
        path="/items", items="data.rows", results="out.results", result_id="ref.id", result_status="code", updates=True
    )
    shop = Shop({}, answer)
    outcomes = write(target(board, shop, batch=settings), record("A", "7"), record("B"), record("C", "9"))
    assert {key: o.target_id for key, o in outcomes.items()} == {"A": "7", "B": "new", "C": "1"}  # C has vanished
    assert shop.requests == ["POST /items", "POST /partners"]


def test_each_result_of_a_batch_is_its_records(board: Switchboard) -> None:
    results = [
        {"id": 1, "status": 201},
        {"error": {"message": "taken", "field": "vat"}, "status": 409},
        {"error": "bad", "status": "failed"},
        {"status": 500, "message": "boom"},
        {"status": False},
        {"status": "ok", "id": "x"},
        {"status": 200},
        17,
    ]
    shop = Shop({}, answering(as_json(results, 207)))
    found = write(target(board, shop, batch=batch(result_status="status")), *(record(str(i)) for i in range(8)))
    assert [found[str(i)].target_id for i in range(8)] == ["1", None, None, None, None, "x", None, "17"]
    errors = [(e.code, e.field, e.message) for i in (1, 2, 3, 4) for e in [error_of(found[str(i)])]]
    assert errors == [
        ("conflict", "vat", "vat: taken"),
        ("refused", None, "bad"),
        ("server_error", None, "status 500: boom"),
        ("refused", None, "status 400: no reason was given"),
    ]
    assert (found["3"].transient, found["3"].in_doubt) == (True, True)
    assert (error_of(found["6"]).code, found["6"].in_doubt) == ("no_id", True)


def test_results_in_any_order_are_joined_by_what_they_name(board: Switchboard) -> None:
    by_place = [{"n": 2, "id": "c"}, {"n": 0, "id": "a"}, {"n": 99, "id": "?"}, {"n": None}, "x"]
    by_key = [{"n": "2", "id": "c"}, {"n": "0", "id": "a"}]
    for results in (by_place, by_key):
        shop = Shop({}, answering(as_json(results)))
        found = write(target(board, shop, batch=batch(index="n")), *(record(str(i)) for i in range(3)))
        assert [found[i].target_id for i in "012"] == ["a", None, "c"]
        assert (error_of(found["1"]).code, found["1"].in_doubt) == ("not_understood", True)


@pytest.mark.parametrize(
    "answer",
    [
        as_json([{"id": 1}]),
        as_json({"created": 3}),
        Response("", 204),
        Response("done"),
        as_json([{"id": i} for i in range(4)]),
    ],
)
def test_results_that_cannot_be_told_apart_leave_the_batch_in_doubt(board: Switchboard, answer: Response) -> None:
    found = write(target(board, Shop({}, answering(answer)), batch=batch()), *(record(str(i)) for i in range(3)))
    assert {error_of(outcome).code for outcome in found.values()} == {"not_understood"}
    assert all(outcome.in_doubt for outcome in found.values())


@pytest.mark.parametrize(("find", "code"), [("/partners?external_ref={key}", "no_answer"), (None, "in_doubt")])
def test_a_batch_whose_answer_was_lost_is_in_doubt_as_a_whole(board: Switchboard, find: str | None, code: str) -> None:
    shop = Shop({}, answering(Response("", 504)))
    found = write(target(board, shop, batch=batch(), find=find), *(record(str(i)) for i in range(15)))
    assert {(error_of(o).code, o.in_doubt, o.transient) for o in found.values()} == {(code, True, find is not None)}
    assert len(shop.asked) == 2


def test_where_nobody_can_ask_what_may_be_there_already_is_left_to_a_person(board: Switchboard) -> None:
    doubtful, new = record("A", in_doubt=True), record("B")
    found = target(board, Shop()).current([doubtful, new])
    assert error_of(Outcome(error=found["A"])).code == "in_doubt"  # type: ignore[arg-type]
    assert "B" not in found
    assert target(board, Shop(), create=Call("PUT", "/partners/{key}")).current([doubtful, new]) == {}
    told = replace(doubtful, first_tried_at=NOW)
    assert target(board, Shop(), **HEEDED).current([told, new]) == {}
    # Something else was sent, or too long ago, or in a batch that will never be the same again.
    assert target(board, Shop(), **HEEDED).current([doubtful]).keys() == {"A"}
    long_ago = replace(doubtful, first_tried_at=NOW - timedelta(hours=20))
    assert target(board, Shop(), **HEEDED).current([long_ago]).keys() == {"A"}
    assert target(board, Shop(), **HEEDED, batch=batch()).current([told]).keys() == {"A"}


def test_a_record_that_can_be_looked_up_is_not_sent_again_unlooked_for(board: Switchboard) -> None:
    """Not every API that is sent an idempotency key heeds it."""
    shop = Shop({}, answering(Response("", 504), as_json({"id": 1}, 201)))
    settings: dict[str, Any] = {"idempotency_header": "Idempotency-Key", "find": "/partners?external_ref={key}"}
    assert write(target(board, shop, **settings), record("A"))["A"].in_doubt
    assert len(shop.asked) == 1
    assert shop.asked[0].key is not None


@given(
    count=st.integers(1, 40),
    culprits=st.sets(st.integers(0, 39)),
    status=st.sampled_from([400, 403, 409, 413, 422, 500]),
    size=st.integers(1, 16),
)
def test_of_a_refused_batch_exactly_the_culprits_fail(
    board: Switchboard, count: int, culprits: set[int], status: int, size: int
) -> None:
    def answer(shop: Shop, asked: Asked) -> Response | None:
        bad = [item["name"] for item in asked.body or [] if int(item["name"][1:]) in culprits]
        return as_json({"message": f"bad: {bad}"}, status) if bad else None

    shop = Shop({}, answer)
    # After a 500 none is sent again that has not been looked for.
    found = target(board, shop, batch=batch(size=size), parallel=2, find=FIND, key_field="external_ref")
    found._sender.has_answered = True  # rights are not the question here
    outcomes: Mapping[str, Outcome]
    try:
        outcomes = write(found, *(record(str(i)) for i in range(count)))
    except PartlyDoneError as stopped:
        assert status == 500  # many culprits in a row are the server
        outcomes = stopped.outcomes
    else:
        assert outcomes.keys() == {str(i) for i in range(count)}
    assert {int(key) for key, outcome in outcomes.items() if outcome.error} == culprits & {int(key) for key in outcomes}
    written = [p["name"] for p in shop.partners.values()]
    assert sorted(written) == sorted(f"N{key}" for key, outcome in outcomes.items() if outcome.error is None)


def test_a_batch_at_which_the_server_broke_after_its_work_is_not_made_again(board: Switchboard) -> None:
    def answer(shop: Shop, asked: Asked) -> Response | None:
        if asked.method != "POST" or len(shop.asked) > 1:
            return None
        for item in asked.body[:2]:
            shop.created(item)
        return as_json({"message": "boom"}, 500)

    records = [record(str(i)) for i in range(3)]
    shop = Shop({}, answer)
    outcomes = write(target(board, shop, batch=batch(), find=FIND, key_field="external_ref"), *records)
    assert {key: outcome.target_id for key, outcome in outcomes.items()} == {"0": "1", "1": "2", "2": "3"}
    assert [asked.body["external_ref"] if isinstance(asked.body, dict) else len(asked.body) for asked in shop.asked
            if asked.method == "POST"] == [3, 1]  # fmt: skip
    assert len(shop.partners) == 3
    unable = Shop({}, answer)
    outcomes = write(target(board, unable, batch=batch()), *records)
    assert {(error_of(o).code, o.in_doubt, o.transient) for o in outcomes.values()} == {("in_doubt", True, False)}
    assert len(unable.asked) == 1


def test_a_batch_that_is_too_large_is_halved(board: Switchboard) -> None:
    shop = Shop({}, lambda shop, asked: Response("", 413) if len(asked.body) > 3 else None)
    found = write(target(board, shop, batch=batch(size=8)), *(record(str(i)) for i in range(8)))
    assert all(outcome.error is None for outcome in found.values())
    assert [len(a.body) for a in shop.asked] == [8, 4, 2, 2, 4, 2, 2]


@pytest.mark.parametrize(("status", "requests"), [(401, 1), (404, 1), (405, 1), (403, 7)])
def test_a_batch_that_no_record_can_help_stops_soon(board: Switchboard, status: int, requests: int) -> None:
    shop = Shop({}, answering(Response("", status)))
    with pytest.raises(ConfigurationError, match="POST /partners/batch"):
        write(target(board, shop, batch=batch()), *(record(str(i)) for i in range(30)))
    assert len(shop.asked) == requests  # a missing right may be that of single records, so they are looked for


def test_a_server_that_fails_in_the_middle_of_a_halved_batch_loses_no_outcome(board: Switchboard) -> None:
    def answer(shop: Shop, asked: Asked) -> Response | None:
        names = {item["name"] for item in asked.body}
        if "N3" in names and len(names) > 1:
            return as_json({}, 422)
        return Response("", 503, {"Retry-After": "3600"}) if "N4" in names else None

    with pytest.raises(PartlyDoneError) as stopped:
        write(target(board, Shop({}, answer), batch=batch(size=8)), *(record(str(i)) for i in range(8)))
    assert {key: outcome.target_id for key, outcome in stopped.value.outcomes.items()} == {
        "0": "1", "1": "2", "2": "3", "3": "4",
    }  # fmt: skip


# Together


def test_threads_share_a_target_without_losing_a_record(board: Switchboard) -> None:
    shop = Shop()
    found = target(board, shop, parallel=8)
    with ThreadPoolExecutor(2) as pool:
        halves = [[record(str(i)) for i in range(start, 100, 2)] for start in (0, 1)]
        outcomes = {key: o for part in pool.map(lambda half: write(found, *half), halves) for key, o in part.items()}
    assert len(outcomes) == len(shop.partners) == 100
    for key, outcome in outcomes.items():
        assert shop.partners[outcome.target_id or ""]["name"] == f"N{key}"


@given(st.lists(json_values(), min_size=1, max_size=3), st.sampled_from([200, 201, 207, 400, 422]), st.booleans())
def test_whatever_an_api_answers_each_record_has_an_outcome(
    board: Switchboard, answers: Sequence[Any], status: int, together: bool
) -> None:
    settings: dict[str, Any] = {"batch": batch(result_status="status", index="i", updates=True)} if together else {}
    found = target(
        board, Script([as_json(answer, status) for answer in answers]), http=http_to(board, tries=1), **settings
    )
    records = [record("A"), record("B", "7"), record("C", "8")]
    try:
        outcomes = write(found, *records)
    except SyncError:
        return
    assert outcomes.keys() == {"A", "B", "C"}
    assert all(o.error is not None or o.target_id for o in outcomes.values())


def test_a_field_that_was_emptied_is_sent_where_nobody_knows_what_the_api_holds(board: Switchboard) -> None:
    shop = Shop({"1": {"name": "N1", "phone": "420"}})
    patching = target(board, shop, update=Call("PATCH", "/partners/{id}"))
    known = replace(
        record("1", target_id="1"), values={"name": "N1", "phone": ""}, written={"name": "N1"}, in_doubt=True
    )
    current = patching.current([known])
    assert isinstance(current["1"], CurrentRecord)
    assert not patching.same("phone", current["1"].values.get("phone"), "")
    patching.upsert([known], {"1": current["1"]})
    assert shop.partners["1"] == {"name": "N1", "phone": ""}
