"""Texts and keys made to harm: forged lines, terminal escapes, Markdown, HTTP headers, paths that climb, SQL."""

import io
import json
import re
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from rich.console import Console
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sync_orchestration.cli import output
from sync_orchestration.cli.output import print_failing, shown
from sync_orchestration.components.metadata import failing_metadata
from sync_orchestration.interface.attempts import read_attempts
from sync_orchestration.interface.requeue import requeue_rows
from sync_orchestration.interface.rows import FailingRow, failing_rows
from sync_orchestration.mapping.plain_text import escaped_controls, plain
from sync_orchestration.mapping.records import RecordError
from sync_orchestration.pipeline.errors import SyncError
from sync_orchestration.sandbox.server import serve
from sync_orchestration.systems.alfresco.citeck import CiteckRecords
from sync_orchestration.systems.alfresco.v1 import AlfrescoV1
from sync_orchestration.systems.flexi import FlexiClient, FlexiSource
from sync_orchestration.systems.flexi_hooks import FlexiHooks
from sync_orchestration.systems.http import HttpClient, HttpSettings
from sync_orchestration.systems.odoo.client import OdooClient
from sync_orchestration.systems.odoo.reading import RecordReading
from sync_orchestration.systems.odoo.source import OdooSource
from sync_orchestration.systems.rest.addresses import filled
from sync_orchestration.systems.rest.reading import key_text
from sync_orchestration_tests.interface.at_hand import SYNC, land_these, record, row_of

Conn = psycopg.Connection[Any]

ATTACK = (
    "x\r\n2026-01-01 00:00:00 INFO all is well\x1b[2J\x1b]8;;http://evil.example\x07 \x9b31m"
    "\u202egnp.exe\u2028 [red]bold[/red] [/] **bold** <script>alert(1)</script> | [link](http://evil.example) `x`"
)
EVIL = set("\r\n\x1b\x07\x9b\u202e\u2028")


def http_at(url: str) -> HttpClient:
    return HttpClient(HttpSettings("Shop", url, tries=1, first_delay=0.0))


# Texts


@pytest.mark.parametrize("status", [200, 302, 400, 500, 503])
@pytest.mark.parametrize("kind", ["text/html", "application/json"])
def test_what_a_server_says_is_one_plain_line_of_our_message(status: int, kind: str) -> None:
    body = json.dumps({"message": ATTACK})[:-1] if kind == "application/json" else ATTACK
    answer = Response(body, status, {"Location": "/a%0d%0ab"}, media_type=kind)
    with serve(answer) as url:
        http = http_at(url)
        try:
            said = http.quote(http.send_json("GET", "/things")[0].body)
        except SyncError as error:
            said = str(error)
    assert set(said) & EVIL == set()


def test_a_terminal_shows_what_came_from_outside_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    failing = FailingRow("crm", ATTACK, "update", "failed", "refused", ATTACK, ATTACK, 1, None, None, None, "w")
    screen = io.StringIO()
    monkeypatch.setattr(
        output, "out", Console(file=screen, force_terminal=True, highlight=False, soft_wrap=True, width=10_000)
    )
    print_failing(ATTACK, [failing])
    said = screen.getvalue()
    assert said.count("\n") == 1
    assert "\x1b[2J" not in said
    assert "\x1b]8" not in said
    assert set(said) & (EVIL - {"\x1b", "\n"}) == set()
    assert said.count("[red]bold[/red]") == 4, "mark-up is text"


def test_json_for_programs_keeps_every_character_and_shows_a_terminal_none() -> None:
    text = escaped_controls(json.dumps({"key": ATTACK}, ensure_ascii=False, indent=2))
    assert json.loads(text) == {"key": ATTACK}
    assert set(text) & EVIL == {"\n"}


def test_the_ui_is_given_tables_and_markdown_in_which_nothing_from_outside_is_markup(conn: Conn) -> None:
    land_these(conn, record(ATTACK, 1))
    conn.execute(
        "UPDATE sync.interface_row SET status = 'failed', error_field = %(said)s, error_message = %(said)s",
        {"said": ATTACK},
    )
    for wide in (True, False):
        found = failing_metadata(conn, SYNC, wide=wide)
        markdown = str(found["failing_in_full"].value)
        (row,) = [line for line in markdown.splitlines() if "gnp" in line]
        bare = re.sub(r"\\.", "", row)
        assert set(bare) & set("<>[]()*`:@&_") == set(), "all of it is escaped"
        assert bare.count("|") == 8, "seven cells"
        assert EVIL & set(markdown) == {"\n"}
        assert EVIL & set(str(found["failing"].value)) == set()


def test_plain_text_stays_as_it_is() -> None:
    czech = "Žluťoučký kůň, s.r.o. 100 %: 'a' \"b\" – №5 日本"
    assert plain(czech) == czech
    assert plain(shown(czech)) == czech


# Keys in paths and queries

KEYS = [
    "..",
    ".",
    "",
    "../../admin",
    "a/b",
    "a?x=1",
    "a#b",
    "%2e%2e",
    "a\r\nX-Evil: 1",
    "a\\..\\b",
    "á ž",
    "\ud800",
    "1 or 1=1",
    "%00",
    "\x00",
    ";a",
    "http://evil.example/",
    "//evil.example/",
]


class _Heard:
    """Answers 404 to everything, and remembers the raw paths."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.headers: list[bytes] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.paths.append(scope["raw_path"].decode("latin-1"))
        self.headers += [name for name, _ in scope["headers"]]
        await Response("{}", 404, media_type="application/json")(scope, receive, send)


@pytest.mark.parametrize("key", KEYS, ids=ascii)
def test_no_key_leads_a_request_to_another_place(key: str) -> None:
    heard = _Heard()
    with serve(heard) as url:
        http = http_at(url)
        nodes = AlfrescoV1(http, "idocs:contractor")
        nodes.read([key])
        nodes.change(key, {"a": "b"})
        for call in (
            lambda: CiteckRecords(http, "idocs:contractor", ["a"], "/records").read([key]),
            lambda: FlexiSource(FlexiClient(http, "demo"), "adresar").fetch([key]),
            lambda: FlexiHooks.of(FlexiClient(http, "demo")).remove(key),
            lambda: OdooSource(
                OdooClient(http, "odoo", "u", "s", "json-2"),
                "res.partner",
                RecordReading(_client(http), "res.partner", []),
            ).fetch([key]),
        ):
            with suppress(SyncError, UnicodeEncodeError):
                call()
        path = filled("/partners/{id}/x?ref={key}", {"id": key, "key": key})
        if not isinstance(path, RecordError):
            http.send("GET", path)
    allowed = (
        "/alfresco/api/-default-/public/alfresco/versions/1/nodes/",
        "/records/query",
        "/c/",
        "/partners/",
        "/json/2/res.partner/",
    )
    for path in heard.paths:
        assert path.startswith(allowed), path
        assert ".." not in path.split("/"), path
    assert b"x-evil" not in heard.headers


def _client(http: HttpClient) -> OdooClient:
    return OdooClient(http, "odoo", "u", "s", "json-2")


# Keys and texts in SQL

SQL_KEYS = [
    "'; DROP TABLE sync.interface_row; --",
    '"',
    "\\",
    "\\N",
    "\\.",
    "a\tb",
    "a\nb",
    "%s",
    "%(key)s",
    "{}",
    "$1",
    "\x1b[2J",
    "NULL",
    "á ž",
]


@pytest.mark.parametrize("key", SQL_KEYS, ids=ascii)
def test_a_hostile_key_or_text_is_only_a_key_or_a_text_to_the_database(conn: Conn, key: str) -> None:
    assert land_these(conn, record(key, 1, key), record("other", 2, "B")) == 2
    assert row_of(conn, key)["payload"] == {"name": key}
    conn.execute(
        "UPDATE sync.interface_row SET status = 'failed', error_message = %s WHERE record_key = %s", [key, key]
    )
    assert [(row.record_key, row.error_message) for row in failing_rows(conn, SYNC, limit=9)] == [(key, key)]
    assert read_attempts(conn, SYNC, key=key, limit=9) == []
    requeue_rows(conn, SYNC, keys=[key])
    assert {row_of(conn, one)["status"] for one in (key, "other")} == {"pending"}


def test_a_key_that_no_database_holds_is_no_key() -> None:
    assert [key_text(key) for key in ("a\x00b", "\ud800", "á ž", "'; --")] == [None, None, "á ž", "'; --"]


def test_what_postgresql_cannot_hold_does_not_stop_the_others(conn: Conn) -> None:
    land_these(conn, record("a", 1, "\x00 and \ud800"), record("b", 2, "B"))
    assert row_of(conn, "a")["payload"] == {"name": "\ufffd and ?"}
    assert row_of(conn, "b")["payload"] == {"name": "B"}
