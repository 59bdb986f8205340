"""What partners read is made from what is checked, and its examples work."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
import requests

from sync_orchestration.intake.documentation.examples import bad_record, good_record
from sync_orchestration.intake.documentation.markdown import codes_page, sync_page
from sync_orchestration.intake.documentation.openapi import openapi
from sync_orchestration.intake.documentation.page import page
from sync_orchestration.intake.documentation.postman import SCHEMA, postman_collection
from sync_orchestration.intake.kinds import KINDS, RECORD_CODES
from sync_orchestration_tests.intake.world import NOTES, PARTNERS, SETTINGS, SHOP_TOKEN, Intake


def requests_of(collection: dict[str, Any]) -> list[dict[str, Any]]:
    return [item for folder in collection["item"] for item in folder["item"]]


def sent(item: dict[str, Any], variables: dict[str, str]) -> requests.Response:
    """Send a request of the collection the way Postman does."""

    def filled(text: str) -> str:
        return re.sub(r"\{\{(\w+)\}\}", lambda found: variables[found[1]], text)

    request = item["request"]
    headers = {header["key"]: header["value"] for header in request["header"]}
    headers["Authorization"] = f"Bearer {variables['token']}"
    body = filled(request["body"]["raw"]) if "body" in request else None
    return requests.request(request["method"], filled(request["url"]["raw"]), data=body, headers=headers, timeout=60)


def test_every_request_of_the_postman_collection_is_answered_as_it_says(intake: Intake) -> None:
    collection = json.loads(json.dumps(postman_collection(SETTINGS)))
    assert collection["info"]["schema"] == SCHEMA
    variables = {"base_url": intake.url, "token": SHOP_TOKEN}
    for item in requests_of(collection):
        answer = sent(item, variables)
        assert answer.status_code == item["response"][0]["code"], (item["name"], answer.text)
        errors = re.findall(r"error (-\d+)", str(item["event"]))
        assert answer.json().get("error", {}).get("code") == int(errors[0]) if errors else True, item["name"]


def test_each_call_of_each_sync_is_there_as_it_works_and_as_it_fails() -> None:
    items = requests_of(postman_collection(SETTINGS))
    works: dict[tuple[str, str], set[bool]] = {}
    for item in items:
        body = json.loads(item["request"]["body"]["raw"]) if "body" in item["request"] else {}
        call = body.get("method") or f"{item['request']['method']} {item['request']['url']['path'][-1:]}"
        fails = item["response"][0]["code"] >= 400 or "error -" in str(item["event"])
        works.setdefault((call, ""), set()).add(not fails)
    rpc = {call: outcomes for (call, _), outcomes in works.items() if call.startswith("records.")}
    assert set(rpc) == {"records.push", "records.status", "records.schema"}
    assert all(outcomes == {True, False} for outcomes in rpc.values())
    assert works["POST ['records']", ""] == {True, False}


def test_the_collection_fills_in_the_address_from_the_settings() -> None:
    settings = replace(SETTINGS, public_url="https://intake.example.com/")
    variables = {one["key"]: one["value"] for one in postman_collection(settings)["variable"]}
    assert variables == {"base_url": "https://intake.example.com", "token": ""}


@pytest.mark.parametrize("contract", [PARTNERS, NOTES], ids=lambda contract: contract.name)
def test_the_good_record_is_taken_and_the_bad_one_refused(intake: Intake, contract: Any) -> None:
    assert intake.outcomes(good_record(contract), sync=contract.name) == ["accepted"]
    assert intake.outcomes(bad_record(contract), sync=contract.name) == ["refused"]


def test_openapi_names_every_field_rule_and_code() -> None:
    document = openapi(SETTINGS)
    text = json.dumps(document)
    assert document["openapi"].startswith("3.1")
    assert all(f'"{field.name}"' in text for field in PARTNERS.fields)
    assert all(kind.code in text for kind in KINDS)
    assert all(code in text for code in RECORD_CODES)
    data = document["components"]["schemas"]["record_partners"]["properties"]["data"]["anyOf"][0]
    assert data["required"] == ["name"]
    assert data["additionalProperties"] is False
    assert data["properties"]["name"]["maxLength"] == 50
    assert data["properties"]["kind"]["enum"] == ["company", "person", None]


def test_the_intake_serves_its_openapi(intake: Intake) -> None:
    assert intake.get("/openapi.json", token=None).json() == json.loads(json.dumps(openapi(SETTINGS)))


def test_the_page_needs_nothing_from_elsewhere(intake: Intake) -> None:
    answer = intake.get("/docs", token=None)
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "'unsafe-inline'" not in answer.headers["Content-Security-Policy"]
    assert not re.search(r"<script|src=|@import|url\(|https?://", answer.text)
    assert all(f"<td>{field.name}</td>" in answer.text for field in PARTNERS.fields)


def test_the_page_escapes_what_the_settings_say() -> None:
    contract = replace(NOTES, description="<script>alert(1)</script>")
    shown = page(replace(SETTINGS, contracts=(contract,), senders=(), title="A & <B>"))
    assert "<script>" not in shown
    assert "A &amp; &lt;B&gt;" in shown


def test_the_pages_of_a_sync_tell_fields_rules_and_codes() -> None:
    told = sync_page(PARTNERS)
    assert "| name | text | yes | at most 50 characters | As on invoices. |" in told
    assert "must exist in the target: res.country by code" in told
    assert "one of company, person" in told
    codes = codes_page(SETTINGS)
    assert all(f"| {kind.code} | {kind.http} | {kind.rpc} |" in codes for kind in KINDS)
    assert all(f"| {code} |" in codes for code in RECORD_CODES)


def test_a_bar_in_a_rule_does_not_break_the_table() -> None:
    field = replace(PARTNERS.fields[3], matches="^(a|[0-9]{8})$")
    line = next(line for line in sync_page(replace(PARTNERS, fields=(field,))).splitlines() if "regular" in line)
    assert len(re.findall(r"(?<!\\)\|", line)) == 6


def test_a_sender_can_ask_for_the_schema_by_both_interfaces(intake: Intake) -> None:
    rest = intake.get("/v1/partners/schema").json()
    assert rest == intake.rpc("records.schema", {"sync": "partners"}).json()["result"]
    assert rest["limits"]["records"] == 1_000
    assert rest["record"]["properties"]["data"]["anyOf"][0]["required"] == ["name"]
