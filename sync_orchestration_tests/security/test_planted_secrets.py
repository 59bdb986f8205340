"""Every secret is a word of its own; servers repeat all of them, wherever they can. Nobody may find one afterwards."""

import json
import logging
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from starlette.responses import Response
from typer.testing import CliRunner

from sync_orchestration.cli.main import app
from sync_orchestration.intake.records.filters import record_path
from sync_orchestration.interface.browsing import RowFilter, browse
from sync_orchestration_tests.security.house import (
    NOTIFY_PASSWORD,
    NOTIFY_TOKEN,
    SECRETS,
    SYNCS,
    House,
    lines,
    spoken,
)

ECHO = spoken()
EVERYTHING = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"

Said = Callable[[str], Response | None]


def _problem(name: str) -> dict[str, Any]:
    """One body that every client understands as a refusal with a reason."""
    return {
        "name": name,
        "message": ECHO,
        "arguments": [ECHO],
        "debug": ECHO,
        "winstrom": {"success": "false", "message": ECHO, "results": [{"errors": [{"message": ECHO}]}]},
        "error": {
            "message": ECHO,
            "briefSummary": f"0123 {ECHO}",
            "data": {"name": name, "message": ECHO, "debug": ECHO},
        },
        "errors": [{"field": ECHO, "message": ECHO}],
        "messages": [{"level": "ERROR", "msg": ECHO}],
    }


def refusing(status: int, name: str = "odoo.exceptions.ValidationError") -> Said:
    body = json.dumps(_problem(name), ensure_ascii=status % 2 == 0)
    return lambda _path: Response(body, status, media_type="application/json")


def page(status: int) -> Said:
    return lambda _path: Response(f"<html><p>{ECHO}</p></html>", status, media_type="text/html")


def elsewhere(_path: str) -> Response:
    header = ECHO.encode("ascii", "ignore").decode().replace("\\", "%5C").replace('"', "%22").replace(" ", "")
    return Response(ECHO, 302, {"Location": f"https://sync:{SECRETS['REST_TOKEN']}@sso.example.com/?back={header}"})


def cut_off(_path: str) -> Response:
    return Response(json.dumps(_problem("x"))[:-9], 200, media_type="application/json")


def patient(_path: str) -> Response:
    return Response(ECHO, 429, {"Retry-After": "99"})


def odd(path: str) -> Response | None:
    """Answers of the right form whose parts are not what they should be; data of records stay as they are."""
    if path.endswith("/load") or path == "/jsonrpc":
        message = {"type": "error", "message": ECHO, "field": ECHO, "record": 0, "rows": {"from": 0, "to": 0}}
        told: Any = {"ids": False, "messages": [message]}
        return _json(told if path.endswith("/load") else {"jsonrpc": "2.0", "id": 1, "result": told})
    if path.endswith("changes.json"):
        change = {"@evidence": ECHO, "@in-version": ECHO, "@operation": ECHO, "id": ECHO}
        return _json({"winstrom": {"changes": [change], "@globalVersion": ECHO, "next": ECHO}})
    if path.endswith("/api/metadata"):
        return _json({"properties": {"sys:node-dbid": ECHO}})
    if path.startswith("/partners"):
        return Response("", 201, {"Location": f"/partners/{SECRETS['REST_TOKEN']}"})
    return None


def _json(body: Any) -> Response:
    return Response(json.dumps(body), media_type="application/json")


TABLE: dict[str, tuple[Said, int]] = {
    "a refusal, at once": (refusing(400), 0),
    "wrong credentials": (refusing(401), 0),
    "no rights, in the middle": (refusing(403, "odoo.exceptions.AccessError"), 4),
    "an error of Odoo with status 200": (refusing(200), 3),
    "an unknown error of Odoo with status 200": (refusing(200, "builtins.KeyError"), 5),
    "not found": (refusing(404), 2),
    "a conflict": (refusing(409), 5),
    "nothing of it is valid": (refusing(422), 6),
    "a broken server that says why": (refusing(500, "builtins.ValueError"), 4),
    "a page": (page(200), 1),
    "a page of a broken server": (page(500), 3),
    "a page of a proxy": (page(502), 0),
    "a redirect": (elsewhere, 0),
    "a redirect in the middle": (elsewhere, 5),
    "half an answer": (cut_off, 3),
    "asked for patience": (patient, 4),
    "parts that are not what they should be": (odd, 0),
}


def _push(house: House, *records: dict[str, Any], token: str = SECRETS["INTAKE_TOKEN"]) -> requests.Response:
    return requests.post(
        f"{house.intake_url}/v1/intake_partners/records",
        json={"records": records},
        headers={"Authorization": f"Bearer {token}"},
        timeout=60,
    )


def _pages(house: House) -> Iterator[tuple[str, str]]:
    """Everything that the intake shows to anybody, and to a sender."""
    yield "a refused push", _push(house, {"key": ECHO, "data": {"country": ECHO}}, token="another-token").text
    yield "a push", _push(house, {"key": "K-2", "data": {"name": "Beta", "country": "ZZ"}}).text
    for path in ("/docs", "/openapi.json", "/metrics", "/readyz", "/v1/intake_partners/records/K-1", "/nowhere"):
        for headers in ({}, {"Authorization": f"Bearer {SECRETS['INTAKE_TOKEN']}"}):
            answer = requests.get(house.intake_url + path, headers=headers, timeout=60)
            yield f"page {path}", f"{answer.headers} {answer.text}"
    for path in ("flexi/flexi", "odoo/odoo_to_rest", f"odoo/odoo_to_rest/{SECRETS['INTAKE_HOOK_SECRET']}", "flexi/x"):
        answer = requests.post(f"{house.intake_url}/hooks/{path}", data="{}", timeout=60)
        yield f"hook {path[:20]}", f"{answer.headers} {answer.text}"


def _records(house: House) -> Iterator[tuple[str, str]]:
    """Everything that the record browser shows to an operator, while each target repeats what it was sent."""
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {SECRETS['INTAKE_OPERATOR_TOKEN']}"
    for path in ("", "?status=failed", "/failures", "/export.csv", "/login"):
        answer = session.get(f"{house.intake_url}/records{path}", timeout=60)
        assert answer.status_code == 200
        yield f"records{path}", f"{answer.headers} {answer.text}"
    for name in SYNCS:
        for row in browse(house.conn, RowFilter(sync=name), limit=2):
            answer = session.get(house.intake_url + record_path(row), timeout=60)
            assert answer.status_code == 200
            yield f"record of {name}", answer.text
            names = {"sync": name, "source_system": row.source_system, "key": row.record_key}
            answer = session.post(f"{house.intake_url}/records/compare", data=names, timeout=120)
            assert answer.status_code == 200
            yield f"comparison of {name}", answer.text


def test_no_secret_is_left_anywhere_whatever_the_servers_repeat(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    people = f"json://ops:{NOTIFY_PASSWORD}@{house.urls['rest'].removeprefix('http://')}/{NOTIFY_TOKEN}"
    monkeypatch.setenv("SYNC_NOTIFY_URLS", people)
    assert _push(house, {"key": "K-1", "data": {"name": "Alfa", "country": "CZ"}}).status_code == 200
    assert house.sync("contractors").problem is None, "so that the sync which reads its rows has some"
    found: list[tuple[str, str]] = []
    for number, (what, (answer, passing)) in enumerate(TABLE.items()):
        house.conn.execute("TRUNCATE sync.connection_pause")
        # Each kind of answer for every second sync; the thorough profile has all of them.
        for name in SYNCS if EVERYTHING else SYNCS[number % 2 :: 2]:
            house.say(answer, passing)
            house.sync(name)
        found += [(what, text) for text in house.heard]
        house.heard.clear()
    assert any("***" in text for _, text in found), "servers were heard"
    # What triggers, people and other systems do while it lasts.
    house.say(refusing(400))
    for name in SYNCS:
        house.tick(f"{name}_sensor")
    house.job("check_connections")
    house.job("flexi_hook_control", web_hooks={"connection": "flexi", "url": "http://127.0.0.1:1/"})
    house.tick("notifications_sensor", "2020-01-01T00:00:00+00:00")
    for command in (["check"], ["status", "--failed"], ["status", "--failed", "--json"], ["log", "odoo_to_rest"]):
        result = CliRunner().invoke(app, command)
        assert result.exception is None or isinstance(result.exception, SystemExit), command
        found.append((" ".join(command), result.output))
    found += [(f"trigger {number}", text) for number, text in enumerate(house.heard)]
    assert lines([*found, *_pages(house), *_records(house)]) == []
    found = [*house.database(), *house.files(), ("log", caplog.text), ("output", "".join(capfd.readouterr()))]
    assert any("***" in text for where, text in found if where == "sync.interface_row"), "some rows were refused"
    assert any("***" in text for where, text in found if where == "public.event_logs"), "some runs failed"
    assert lines(found) == []
