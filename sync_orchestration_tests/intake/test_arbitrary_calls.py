"""Whatever is sent: no 500, a well-formed answer, and nothing stored from a refused call."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.openapi import from_dict
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from sync_orchestration.intake.documentation.openapi import openapi
from sync_orchestration_tests.databases import own_database
from sync_orchestration_tests.intake.world import SETTINGS, SHOP_TOKEN, Intake, serve_intake, with_limits

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(["partners", "notes", "records.push", "2.0", "CZ", "\x00", "\ud800", 2**63, 2**64, 10**99, "1"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(max_size=8) | st.sampled_from(["key", "data", "name", "version", "\x00"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)
records = json_values | st.fixed_dictionaries(
    {
        "key": st.sampled_from(["a", "b", "c"]) | json_values,
        "data": st.fixed_dictionaries({"name": json_values}) | json_values,
    },
    optional={
        "operation": st.sampled_from(["create", "update", "delete"]) | json_values,
        "version": st.integers(0, 5) | json_values,
    },
)
params = json_values | st.fixed_dictionaries(
    {"sync": st.sampled_from(["partners", "notes"]) | json_values},
    optional={
        "records": st.lists(records, max_size=4) | json_values,
        "atomic": st.booleans() | json_values,
        "key": json_values,
        "keys": st.lists(json_values, max_size=3),
    },
)
methods = st.sampled_from(["records.push", "records.status", "records.schema"])
calls = json_values | st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0"), "method": methods | json_values, "params": params},
    optional={"id": st.integers() | st.text() | json_values},
)
bodies = calls | st.lists(calls, max_size=4)
pushes = st.fixed_dictionaries(
    {"records": st.lists(records, max_size=6)}, optional={"atomic": st.booleans() | json_values}
)
broken = st.binary(max_size=200) | st.text(alphabet='{}[]",:0123456789eE.-+\\u nultrefas', max_size=200).map(str.encode)


@pytest.fixture(scope="module")
def intake(postgres_server: str) -> Iterator[Intake]:
    """One intake for all examples of this module: what they store does not matter to each other."""
    with own_database(postgres_server) as url, serve_intake(url, with_limits(records=5)) as served:
        yield served


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


def stored(intake: Intake) -> list[tuple[Any, ...]]:
    return intake.fetch("SELECT * FROM sync.interface_row ORDER BY sync, source_system, record_key")


def is_response(told: Any) -> bool:
    return (
        isinstance(told, dict)
        and told["jsonrpc"] == "2.0"
        and ("result" in told) != ("error" in told)
        and "id" in told
        and (
            "error" not in told
            or (isinstance(told["error"]["code"], int) and isinstance(told["error"]["message"], str))
        )
    )


@given(body=bodies.map(dumped) | broken)
@example(b'[{"jsonrpc":"2.0","method":"records.push","params":["notes",[{"key":"a","data":{"\\u0000":1}}]],"id":1}]')
@example(b'{"jsonrpc":"2.0","method":"records.status","params":["notes","\\ud800"],"id":1e308}')
def test_json_rpc_is_always_answered_in_its_own_shape(intake: Intake, body: bytes) -> None:
    before = stored(intake)
    answer = intake.post("/rpc", body)
    assert answer.status_code in (200, 204, 401)
    if answer.status_code == 204:
        assert answer.content == b""
        return
    told = answer.json()
    responses = told if isinstance(told, list) else [told]
    assert responses
    assert all(is_response(one) for one in responses)
    assert -32603 not in [one.get("error", {}).get("code") for one in responses]
    if not isinstance(told, list) and "error" in told:
        assert stored(intake) == before


@given(body=(pushes | json_values).map(dumped) | broken)
def test_rest_is_never_surprised_and_stores_nothing_from_a_refused_call(intake: Intake, body: bytes) -> None:
    before = stored(intake)
    answer = intake.post("/v1/notes/records", body)
    assert answer.status_code in (200, 400, 413, 422)
    told = answer.json()
    if answer.status_code != 200:
        assert told["error"]["code"]
        assert stored(intake) == before
        return
    sent = json.loads(body)
    assert len(told["records"]) == len(sent["records"])
    accepted = {one["key"] for one in told["records"] if one["outcome"] == "accepted"}
    changed = {row[2] for row in stored(intake)} if accepted else set()
    assert accepted <= changed


@given(path=st.text(max_size=30), method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"]))
def test_no_address_is_a_surprise(intake: Intake, path: str, method: str) -> None:
    quoted = "".join(f"%{byte:02X}" for byte in path.encode("utf-8", "surrogatepass"))
    for place in ("/", "/v1/", "/v1/notes/records/", "/hooks/", "/hooks/records/partners_out/"):
        answer = intake.session.request(
            method, intake.url + place + quoted, headers={"Authorization": f"Bearer {SHOP_TOKEN}"}, timeout=60
        )
        assert answer.status_code in (200, 400, 401, 404, 405)


schema = from_dict(json.loads(json.dumps(openapi(SETTINGS))))
_CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@schema.parametrize()
@settings(max_examples=20, suppress_health_check=list(HealthCheck), deadline=None)
def test_answers_are_those_that_the_openapi_promises(intake: Intake, case: Case[Any]) -> None:
    case.call_and_validate(
        base_url=intake.url, headers={"Authorization": f"Bearer {SHOP_TOKEN}"}, checks=_CHECKS, timeout=60
    )
