"""Messages go to any address that Apprise knows; an address is never shown, for it holds secrets."""

import logging
from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sync_orchestration.interface.incidents import Message
from sync_orchestration.sandbox.server import serve
from sync_orchestration.systems.messengers import messengers

NEWS = Message("partners: 12 records are failing", "12 records of partners are failing.\n- update 1: *why* <b>\\n")


class Hook:
    """A web hook that keeps what it is sent, and answers with the status that a test wants."""

    def __init__(self) -> None:
        self.status = 200
        self.received: list[dict[str, str]] = []
        self.authorizations: list[str | None] = []

    async def take(self, request: Request) -> Response:
        self.authorizations.append(request.headers.get("authorization"))
        self.received.append(await request.json())
        return Response(status_code=self.status)


@pytest.fixture
def hook() -> Hook:
    return Hook()


@pytest.fixture
def address(hook: Hook) -> Iterator[str]:
    with serve(Starlette(routes=[Route("/hook-4f1c9a7e2b", hook.take, methods=["POST"])])) as url:
        yield f"json://robot:gehe%20im@{url.removeprefix('http://')}/hook-4f1c9a7e2b"


@pytest.mark.parametrize(
    ("written", "kinds"),
    [
        ("", []),
        ("  \n ", []),
        ("json://a.example.com", ["JSON"]),
        ("json://a.example.com tgram://123456789:AAabcdefghijklmnopqrstuvwxyz0123456789/1", ["JSON", "Telegram"]),
        ("json://a.example.com, xml://b.example.com", ["JSON", "XML"]),
        ("json://a.example.com,xml://b.example.com\njson://c.example.com,", ["JSON", "XML", "JSON"]),
        # a comma within one address separates nothing
        ("mailtos://me:pw@gmail.com?to=a@example.com,b@example.com", ["E-Mail"]),
    ],
)
def test_addresses_are_separated_by_blanks_or_commas(written: str, kinds: list[str]) -> None:
    assert [one.kind for one in messengers(written)] == kinds


def test_a_message_arrives_as_it_was_written(hook: Hook, address: str) -> None:
    (one,) = messengers(address)
    assert one.tell(NEWS, "bad") is None
    assert [(r["title"], r["message"], r["type"]) for r in hook.received] == [(NEWS.title, NEWS.text, "failure")]
    assert hook.authorizations == ["Basic cm9ib3Q6Z2VoZSBpbQ=="]


def test_a_refused_message_says_why_and_shows_no_secret(
    hook: Hook, address: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    hook.status = 500
    (one,) = messengers(address)
    with caplog.at_level(logging.DEBUG):
        problem = one.tell(NEWS, "bad")
    assert problem is not None
    assert "error=500" in problem
    printed = "".join(capfd.readouterr())
    own_log = "".join(record.getMessage() for record in caplog.records if record.name.startswith("apprise"))
    for text in (problem, str(one), one.kind, printed, own_log):
        for secret in ("gehe%20im", "gehe im", "hook-4f1c9a7e2b"):
            assert secret not in text


def test_a_server_that_is_not_there_is_a_reason_and_no_exception(address: str) -> None:
    (one,) = messengers("json://127.0.0.1:1/hook")
    assert "onnection" in (one.tell(NEWS, "bad") or "")


@pytest.mark.parametrize("written", ["jsn://127.0.0.1/x", "token-without-a-scheme", "slack://too-short", "json://"])
def test_an_address_that_is_not_understood_is_told_without_being_shown(written: str) -> None:
    (one,) = messengers(written)
    assert one.misunderstood == one.tell(NEWS, "bad") is not None
    assert "token" not in f"{one} {one.misunderstood}"


@pytest.mark.parametrize(
    ("written", "secrets"),
    [
        ("json://me:gehe%20im@example.com/x", {"gehe%20im", "gehe im"}),
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ", {"T1JJ3T3L2", "TIiajkdnlazkcOXrIdevi7FQ"}),
        ("tgram://123456789:AAabcdefghijklmnopqrstuv/12345", {"AAabcdefghijklmnopqrstuv"}),
        ("json://example.com/x?key=abcdefgh1", {"abcdefgh1"}),
        ("jsons://example.com/eyJhbGciOi.eyJzdWIiOjEyMzQ.SflKxwRJSM", {"eyJhbGciOi.eyJzdWIiOjEyMzQ.SflKxwRJSM"}),
    ],
)
def test_what_is_secret_in_an_address_is_known(written: str, secrets: set[str]) -> None:
    (one,) = messengers(written)
    assert secrets <= set(one.secrets)
    assert not {"example.com", "json", "x", "me"} & set(one.secrets)


def test_an_address_keeps_its_mark_and_another_one_has_another() -> None:
    first, second, again = messengers("json://a.example.com json://b.example.com json://a.example.com")
    assert first.mark == again.mark != second.mark
