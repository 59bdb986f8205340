"""Who may push what; whoever may not learns nothing."""

import hmac
import logging
from dataclasses import replace
from typing import Any

import pytest

from sync_orchestration.intake import Hook, IntakeConfigurationError, IntakeSettings, Sender
from sync_orchestration.intake.doorkeeper import Doorkeeper, digest_of
from sync_orchestration_tests.intake.world import (
    CRM_TOKEN,
    SETTINGS,
    SHOP_NEXT_TOKEN,
    SHOP_TOKEN,
    Intake,
    partner,
    serve_intake,
)

CALLS: list[tuple[str, str, Any]] = [
    ("POST", "/v1/notes/records", {"records": [{"key": "1", "data": {}}]}),
    ("GET", "/v1/notes/records/1", None),
    ("GET", "/v1/notes/schema", None),
]


def send(intake: Intake, method: str, path: str, body: Any, token: str | None) -> Any:
    return intake.get(path, token=token) if method == "GET" else intake.post(path, body, token=token)


@pytest.mark.parametrize("token", [SHOP_TOKEN, SHOP_NEXT_TOKEN])
def test_while_a_token_is_replaced_both_are_valid(intake: Intake, token: str) -> None:
    assert intake.outcomes(partner("1"), token=token) == ["accepted"]


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_no_token_a_wrong_one_a_foreign_sync_and_none_at_all_are_answered_alike(
    intake: Intake, method: str, path: str, body: Any
) -> None:
    refused = [
        send(intake, method, path, body, None),
        send(intake, method, path, body, "wrong"),
        send(intake, method, path, body, CRM_TOKEN),  # notes are the shop's
        send(intake, method, path.replace("notes", "nowhere"), body, SHOP_TOKEN),
        send(intake, method, path, body, f"sha256:{digest_of(SHOP_TOKEN).hex()}"),
    ]
    assert {answer.status_code for answer in refused} == {401}
    assert len({answer.content for answer in refused}) == 1
    assert all(answer.headers["WWW-Authenticate"] == "Bearer" for answer in refused)
    assert intake.rows() == {}


def test_json_rpc_refuses_alike_too(intake: Intake) -> None:
    def push(sync: Any) -> dict[str, Any]:
        params = {"sync": sync, "records": [{"key": "1", "data": {}}]}
        return {"jsonrpc": "2.0", "method": "records.push", "params": params, "id": None}

    refused = [
        intake.post("/rpc", push("notes"), token=None),
        intake.post("/rpc", push("notes"), token="wrong"),
        intake.post("/rpc", push("notes"), token=CRM_TOKEN),
        intake.post("/rpc", push("nowhere")),
        intake.post("/rpc", push(5)),
        intake.post("/rpc", push(None)),
    ]
    assert {(answer.status_code, answer.content) for answer in refused} == {(401, refused[0].content)}
    assert refused[0].json()["error"]["code"] == -32001
    assert intake.rows() == {}


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "bearer  ", f"Basic {SHOP_TOKEN}", SHOP_TOKEN, f"Bearer {SHOP_TOKEN}x", "Bearer \xff"],
)
def test_what_is_no_bearer_token_opens_nothing(intake: Intake, header: str) -> None:
    answer = intake.post("/v1/partners/records", {}, token=None, headers={"Authorization": header.encode("latin-1")})
    assert answer.status_code == 401


def test_the_scheme_may_be_written_small(intake: Intake) -> None:
    answer = intake.post("/v1/partners/records", {}, token=None, headers={"Authorization": f"bearer {SHOP_TOKEN}"})
    assert answer.status_code == 400


def test_a_token_beyond_ascii_works(database_url: str) -> None:
    settings = replace(SETTINGS, senders=(Sender("shop", ("žluťoučký",), frozenset({"partners"})),))
    with serve_intake(database_url, settings) as intake:
        header = {"Authorization": "Bearer žluťoučký".encode()}
        body = {"records": [partner("1")]}
        assert intake.post("/v1/partners/records", body, token=None, headers=header).status_code == 200


@pytest.mark.parametrize("token", ["wrong", SHOP_TOKEN, CRM_TOKEN])
def test_every_token_is_compared_whichever_fits(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    compared: list[bytes] = []

    def compare(known: bytes, given: bytes) -> bool:
        compared.append(known)
        return hmac_compare(known, given)

    hmac_compare = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", compare)
    Doorkeeper.of(SETTINGS).sender(f"Bearer {token}")
    assert len(compared) == 3


def test_settings_do_not_show_their_secrets() -> None:
    shown = repr(SETTINGS) + repr(Doorkeeper.of(SETTINGS))
    assert "token-of" not in shown
    assert "secret-of" not in shown


def test_nothing_of_a_payload_or_a_token_is_logged(intake: Intake, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        intake.push(partner("private-key", "private-name"))
        intake.push(partner("private-key", email="private-mail"))
        intake.get("/v1/partners/records/private-key?x=private-query")
        intake.post("/v1/partners/records", {}, token="private-token")
        intake.post("/hooks/records/partners_out/private-secret", {"_id": 1})
        intake.post("/rpc", '{"private": ')
    lines = [record.getMessage() for record in caplog.records if record.name == "sync_orchestration.intake.access"]
    assert [line.split(" ms")[0].rpartition(" ")[0] for line in lines] == [
        "POST /v1/{sync}/records 200",
        "POST /v1/{sync}/records 422",
        "GET /v1/{sync}/records/{key:path} 200",
        "POST /v1/{sync}/records 401",
        "POST /hooks/{kind}/{name}/{secret} 401",
        "POST /rpc 200",
    ]
    ours = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("sync_orchestration"))
    assert "private" not in ours
    assert "sender shop" in lines[0]


@pytest.mark.parametrize("path", ["/v1/partners/schema", "/healthz", "/docs", "/openapi.json", "/metrics", "/nowhere"])
def test_every_answer_carries_the_security_headers(intake: Intake, path: str) -> None:
    headers = intake.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"senders": (Sender("a", (), frozenset()),)}, "no token"),
        ({"senders": (Sender("a", ("",), frozenset()),)}, "empty token"),
        ({"senders": (Sender("a", ("sha256:12",), frozenset()),)}, "hash"),
        ({"senders": (Sender("a", ("x",), frozenset({"nowhere"})),)}, "no sync 'nowhere'"),
        ({"senders": (Sender("a", ("x",), frozenset()), Sender("a", ("y",), frozenset()))}, "two of sender 'a'"),
        ({"senders": (Sender("a", ("x",), frozenset()), Sender("b", ("x",), frozenset()))}, "same token"),
        ({"senders": (Sender(" ", ("x",), frozenset()),)}, "no name"),
        ({"hooks": (Hook("feed", "a/b", ("x",)),)}, "address"),
        ({"hooks": (Hook("feed", "a", ()),)}, "no token or secret"),
        ({"hooks": (Hook("feed", "a", ("x",), header="bad header"),)}, "name of a header"),
        ({"hooks": (Hook("feed", "a", ("x",)), Hook("feed", "a", ("y",)))}, "two of hook"),
        ({"contracts": SETTINGS.contracts * 2}, "two of sync"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(IntakeConfigurationError, match=said):
        replace(SETTINGS, **change)


def test_settings_without_anybody_are_allowed() -> None:
    assert IntakeSettings(contracts=(), senders=()).hooks == ()


def test_documentation_and_metrics_can_be_closed(database_url: str) -> None:
    settings = replace(SETTINGS, open_documentation=False, open_metrics=False)
    with serve_intake(database_url, settings) as intake:
        for path in ("/docs", "/openapi.json", "/metrics"):
            assert intake.get(path, token=None).status_code == 401
            assert intake.get(path).status_code == 200
