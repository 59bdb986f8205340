"""JSON-RPC 2.0, by its specification."""

import json
from typing import Any

import pytest

from sync_orchestration_tests.intake.world import Intake, partner, serve_intake, with_limits


def call(method: str = "records.push", request_id: Any = 1, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method, "params": params, "id": request_id}


def push_call(*records: Any, request_id: Any = 1, **more: Any) -> dict[str, Any]:
    return call(request_id=request_id, sync="partners", records=list(records), **more)


def error_of(intake: Intake, body: Any) -> tuple[int, Any]:
    told = intake.post("/rpc", body).json()
    assert set(told) == {"jsonrpc", "error", "id"}
    assert told["jsonrpc"] == "2.0"
    return told["error"]["code"], told["id"]


def test_a_push_is_answered_with_its_report_and_id(intake: Intake) -> None:
    answer = intake.post("/rpc", push_call(partner("1"), request_id="my-id"))
    told = answer.json()
    assert answer.status_code == 200
    assert (told["jsonrpc"], told["id"], told["result"]["accepted"]) == ("2.0", "my-id", 1)


def test_parameters_may_come_as_a_list(intake: Intake) -> None:
    told = intake.rpc("records.push", ["partners", [partner("1")], True]).json()
    assert told["result"]["accepted"] == 1


@pytest.mark.parametrize("request_id", [None, "", "x", 0, -1, 2.5, 10**50])
def test_an_id_comes_back_as_it_was(intake: Intake, request_id: Any) -> None:
    assert intake.rpc("records.schema", {"sync": "partners"}, request_id=request_id).json()["id"] == request_id


def test_half_a_surrogate_pair_in_an_id_comes_back(intake: Intake) -> None:
    answer = intake.post("/rpc", '{"jsonrpc": "2.0", "method": "x", "id": "\\ud800"}')
    assert answer.json()["id"] == "\ud800"


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "nonsense",
        '{"jsonrpc": "2.0", "method": "records.push", "params": [1, "id": 1}',
        '[{"jsonrpc": "2.0", "method"',
        '{"jsonrpc": "2.0", "jsonrpc": "2.0", "method": "x"}',
        '{"jsonrpc": "2.0", "method": "x", "params": [NaN]}',
        '{"jsonrpc": "2.0", "method": "x", "params": [-Infinity]}',
        '{"jsonrpc": "2.0", "method": "x", "params": [1e999]}',
        '{"jsonrpc": "2.0", "method": "x", "params": [' + "9" * 101 + "]}",
        b'{"jsonrpc": "2.0", "method": "\xff"}',
        '{"jsonrpc": "2.0", "method": "x"}'.encode("utf-16"),
        '\ufeff{"jsonrpc": "2.0", "method": "x"}'.encode(),
        "[" * 33 + "]" * 33,
        '{"a":' * 100_000,
        "[" * 1_000_000,
    ],
    ids=lambda body: repr(body[:40]),
)
def test_a_body_that_is_no_json_is_a_parse_error(intake: Intake, body: Any) -> None:
    assert error_of(intake, body) == (-32700, None)


@pytest.mark.parametrize(
    ("body", "request_id"),
    [
        (1, None),
        ("text", None),
        ([], None),
        ({}, None),
        ({"jsonrpc": "1.0", "method": "records.push", "id": 4}, 4),
        ({"jsonrpc": "2.0", "id": "x"}, "x"),
        ({"jsonrpc": "2.0", "method": 1, "params": "bar", "id": 1}, 1),
        ({"jsonrpc": "2.0", "method": "records.push", "params": "bar", "id": 1}, 1),
        ({"jsonrpc": "2.0", "method": "records.push", "id": {}}, None),
        ({"jsonrpc": "2.0", "method": "records.push", "id": True}, None),
    ],
)
def test_what_is_no_request_is_an_invalid_request(intake: Intake, body: Any, request_id: Any) -> None:
    assert error_of(intake, json.dumps(body)) == (-32600, request_id)


@pytest.mark.parametrize("method", ["records.burn", "rpc.discover", "", "\x00"])
def test_an_unknown_method_is_told_as_such(intake: Intake, method: str) -> None:
    assert error_of(intake, call(method)) == (-32601, 1)


@pytest.mark.parametrize(
    "request_",
    [
        call(sync="partners"),
        call(sync="partners", records={}),
        call(sync="partners", records=[]),
        call(sync="partners", records=[1], atomic="yes"),
        call(sync="partners", records=[1], atomic=None),
        call(sync="partners", records=[1], force=True),
        {**call(), "params": ["partners", [1], True, 4]},
        call("records.status", sync="partners"),
        call("records.status", sync="partners", keys=[]),
        call("records.status", sync="partners", keys="1"),
        call("records.status", sync="partners", keys=[1]),
        call("records.status", sync="partners", key=1),
        call("records.status", sync="partners", key="1", keys=["1"]),
    ],
)
def test_wrong_parameters_are_invalid_params(intake: Intake, request_: Any) -> None:
    assert error_of(intake, request_) == (-32602, 1)


def test_refused_records_are_an_error_with_their_report(intake: Intake) -> None:
    answer = intake.post("/rpc", push_call(partner("1"), partner("2", ""), atomic=True))
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (200, -32010)
    assert error["data"]["code"] == "records_refused"
    assert [e["code"] for e in error["data"]["report"]["errors"]] == ["atomic", "required"]


def test_an_unknown_record_is_an_error_of_its_own(intake: Intake) -> None:
    assert error_of(intake, call("records.status", sync="partners", key="1")) == (-32011, 1)


def test_a_notification_is_done_and_not_answered(intake: Intake) -> None:
    request = push_call(partner("1"))
    del request["id"]
    answer = intake.post("/rpc", request)
    assert (answer.status_code, answer.content) == (204, b"")
    assert list(intake.rows()) == ["1"]


def test_a_notification_that_fails_is_not_answered_either(intake: Intake) -> None:
    answer = intake.post("/rpc", {"jsonrpc": "2.0", "method": "records.burn"})
    assert (answer.status_code, answer.content) == (204, b"")


def test_a_batch_is_answered_call_by_call_without_its_notifications(intake: Intake) -> None:
    silent = push_call(partner("2"))
    del silent["id"]
    batch = [push_call(partner("1"), request_id=1), silent, {"foo": "boo"}, call("no.method", 5), 7]
    told = intake.post("/rpc", batch).json()
    found = [(one["id"], one.get("error", {}).get("code")) for one in told]
    assert found == [(1, None), (None, -32600), (5, -32601), (None, -32600)]
    assert list(intake.rows()) == ["1", "2"]


def test_a_batch_of_notifications_only_is_not_answered(intake: Intake) -> None:
    answer = intake.post("/rpc", [{"jsonrpc": "2.0", "method": "x"}] * 2)
    assert (answer.status_code, answer.content) == (204, b"")


def test_a_batch_of_too_many_calls_is_refused_whole(database_url: str) -> None:
    with serve_intake(database_url, with_limits(calls=3)) as intake:
        told = intake.post("/rpc", [push_call(partner(str(n)), request_id=n) for n in range(4)]).json()
        assert told["error"]["code"] == -32600
        assert intake.rows() == {}


def test_an_unexpected_fault_is_an_internal_error_with_a_number_and_no_more(
    intake: Intake, caplog: pytest.LogCaptureFixture
) -> None:
    intake.sql("ALTER TABLE sync.interface_row ADD CHECK (record_key <> 'secret-key')")
    answer = intake.post(
        "/rpc", [push_call(partner("secret-key", "secret-name")), push_call(partner("2"), request_id=2)]
    )
    failed, good = answer.json()
    assert (failed["error"]["code"], failed["id"]) == (-32603, 1)
    assert good["result"]["accepted"] == 1
    incident = failed["error"]["data"]["incident"]
    assert incident in caplog.text
    assert "CheckViolation" in caplog.text
    assert "secret" not in caplog.text
    assert "Traceback" not in answer.text
    assert "CheckViolation" not in answer.text


def test_an_unexpected_fault_of_a_rest_call_is_told_the_same_way(
    intake: Intake, caplog: pytest.LogCaptureFixture
) -> None:
    intake.sql("ALTER TABLE sync.interface_row ADD CHECK (record_key <> 'secret-key')")
    answer = intake.push(partner("secret-key"))
    assert answer.status_code == 500
    assert answer.json()["error"]["incident"] in caplog.text
    assert "secret" not in caplog.text
