"""Where secrets could slip through one by one: logs of libraries, cut quotations, addresses with a password."""

import logging
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import Response
from starlette.types import ASGIApp

from sync_orchestration.components.health import check_connections
from sync_orchestration.components.known_secrets import known_secrets, passwords_in, without_secrets
from sync_orchestration.definitions import Project
from sync_orchestration.interface.database import DatabaseError
from sync_orchestration.interface.incidents import Message
from sync_orchestration.interface.migrate import migrate
from sync_orchestration.mapping.scrub import mask
from sync_orchestration.pipeline.errors import ConfigurationError
from sync_orchestration.sandbox.server import serve
from sync_orchestration.systems.http import HttpClient, HttpSettings
from sync_orchestration.systems.kontur import KonturClient
from sync_orchestration.systems.messengers import messengers
from sync_orchestration_tests.security.house import (
    DATABASE_PASSWORD,
    EVERY_SECRET,
    NOTIFY_PASSWORD,
    NOTIFY_TOKEN,
    SECRETS,
    secrets_in,
    spoken,
    written,
)

KEY = SECRETS["KONTUR_KEY"]


@pytest.fixture
def planted(own_project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The project as it is shipped, with every secret in the environment."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SYNC_POSTGRES_URL", f"postgresql://sync:{DATABASE_PASSWORD}@127.0.0.1:1/sync")
    monkeypatch.setenv("SYNC_NOTIFY_URLS", f"json://ops:{NOTIFY_PASSWORD}@example.com/{NOTIFY_TOKEN}")
    return own_project


def test_all_secrets_of_all_connections_are_known_wherever_one_of_them_is_echoed(
    planted: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert set(EVERY_SECRET) <= set(known_secrets())
    assert secrets_in(without_secrets(spoken())) == set()
    # The CRM repeats what Odoo, the database and the messengers are told.
    with serve(Response(f'{{"message": "{" ".join(EVERY_SECRET[1:])}"}}', 400)) as url:
        monkeypatch.setenv("REST_URL", url)
        http = planted.connections["rest"].client()  # type: ignore[attr-defined]
        answer = http.send("GET", "/things")
        assert secrets_in(http.quote(answer.body) + http.masked(answer.body.decode())) == set()


def test_a_short_secret_is_masked_in_what_its_own_system_says_only(
    planted: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALFRESCO_PASSWORD", "admin")
    assert without_secrets("ask your admin") == "ask your admin"
    monkeypatch.setenv("ALFRESCO_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("ALFRESCO_USER", "sync")
    nodes = planted.connections["alfresco"].nodes("x", [])  # type: ignore[attr-defined]
    assert nodes.http.masked("admin") == "***"


@given(st.sampled_from(EVERY_SECRET), st.text(max_size=20), st.text(max_size=20))
def test_every_form_of_a_secret_is_masked_whatever_stands_around_it(secret: str, before: str, after: str) -> None:
    for form in written(secret):
        assert secrets_in(mask(f"{before} {form} {after}", EVERY_SECRET)) == set(), form


@given(st.integers(0, 4_000))
def test_a_quotation_that_ends_within_a_secret_holds_no_piece_of_it(before: int) -> None:
    http = HttpClient(HttpSettings("Shop", "http://127.0.0.1:1", secrets=(KEY,)))
    said = http.quote(b"a" * before + KEY.encode() * 200)
    assert KEY[:6] not in said
    assert len(said) <= 200


@pytest.mark.parametrize(
    "log", ["urllib3.connectionpool", "urllib3.util.retry", "urllib3.poolmanager", "urllib3.response"]
)
def test_urllib3_logs_nothing_below_an_error_whatever_level_is_set_later(
    log: str, caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger(log)
    caplog.set_level(logging.DEBUG, logger=log)
    for level in (logging.DEBUG, logging.INFO, logging.WARNING):
        logger.log(level, "GET /api3/req?key=%s", KEY)
    assert caplog.text == ""


async def _bad_header(scope: object, receive: object, send: Callable[..., object]) -> None:
    await send(  # type: ignore[misc]
        {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]}
    )
    await send({"type": "http.response.body", "body": b"[]"})  # type: ignore[misc]


def test_the_key_in_a_query_is_in_no_log_at_any_level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with serve(_bad_header) as url:
        http = HttpClient(HttpSettings("Kontur", url, secrets=(KEY,)))
        assert KonturClient(http, KEY).companies("inn", ["7707083893"]) == []
        (one,) = messengers(url.replace("http://", f"json://ops:{NOTIFY_PASSWORD}@") + f"/{NOTIFY_TOKEN}")
        one.tell(Message("title", "text"), "test")
    assert secrets_in(caplog.text) == set()


# Addresses with a password


@pytest.mark.parametrize(
    ("url", "passwords"),
    [
        ("https://sync:geheim@odoo.example.com", {"geheim"}),
        ("https://sync:ge%40heim@odoo.example.com/x", {"ge%40heim", "ge@heim"}),
        ("https://sync:ge@he/im@odoo.example.com", {"ge@he/im"}),
        ("postgresql://sync@/sync?host=/run&password=geheim", {"geheim"}),
        ("https://odoo.example.com", set()),
        ("", set()),
        ("http://[", set()),
    ],
)
def test_the_password_in_an_address_is_known(url: str, passwords: set[str]) -> None:
    assert passwords <= set(passwords_in(url))
    assert bool(passwords_in(url)) is bool(passwords)


@pytest.mark.parametrize("name", ["flexi", "odoo", "alfresco", "kontur", "rest"])
@pytest.mark.parametrize("scheme", ["https", "http", "ftp"])
def test_a_password_in_the_address_of_a_connection_is_in_no_message(
    planted: Project, monkeypatch: pytest.MonkeyPatch, name: str, scheme: str
) -> None:
    for variable in planted.connections[name].missing_variables():
        monkeypatch.setenv(variable, "x")
    with serve(_not_found()) as url:
        monkeypatch.setenv(f"{name.upper()}_URL", url.replace("http://", f"{scheme}://sync:geheim%2F-4711@"))
        told = check_connections({name: planted.connections[name]}, planted.syncs.values())
    assert [h for h in told if h.ok] == []
    assert "geheim" not in repr(told)


def _not_found() -> ASGIApp:
    return Response("geheim%2F-4711 or geheim/-4711", 404)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://sync:pass@word@127.0.0.1:1/sync",
        "postgresql://sync:pass/w@word@127.0.0.1:1/sync",
        "postgresql://sync:pass%word@127.0.0.1:1/sync",
        "postgresql//sync:password@127.0.0.1:1/sync",
        "postgresql://sync:pass word@127.0.0.1:1/sync",
        "host=127.0.0.1 password=password",
        "postgresql://sync:password@127.0.0.1:1/sync",
        "postgresql://sync:password@127.0.0.1:port/sync",
    ],
)
def test_no_message_about_the_database_holds_a_piece_of_its_password(url: str) -> None:
    with pytest.raises(DatabaseError) as refused:
        migrate(url)
    said = str(refused.value).replace("user:password@host", "").replace("of the password", "")
    assert "word" not in said
    assert "pass" not in said


def test_a_secret_that_no_header_can_carry_stops_with_a_sentence_without_it() -> None:
    http = HttpClient(HttpSettings("Shop", "http://127.0.0.1:1", secrets=(f"{KEY}\r\nX: y",)))
    with pytest.raises(ConfigurationError, match="stray characters") as refused:
        http.send("GET", "/things", headers={"Authorization": f"Bearer {KEY}\r\nX: y"})
    assert secrets_in(str(refused.value)) == set()
