"""Answers made to harm: entities and DTDs in XML, bodies without end, gzip that swells, deep JSON, a drip for ever."""

import asyncio
import gzip
import socket
import threading
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp

from sync_orchestration.pipeline.errors import ConfigurationError, SyncError, UnavailableError
from sync_orchestration.sandbox.server import serve
from sync_orchestration.systems.alfresco.citeck import CiteckRecords
from sync_orchestration.systems.alfresco.v1 import AlfrescoV1
from sync_orchestration.systems.flexi import FlexiClient
from sync_orchestration.systems.http import HttpClient, HttpSettings
from sync_orchestration.systems.kontur import KonturClient
from sync_orchestration.systems.odoo.client import OdooClient
from sync_orchestration.systems.rest.health import check as check_rest

MIB = 1 << 20
FEED = '<winstrom globalVersion="{version}"><next>none</next></winstrom>'


def client(url: str, **settings: Any) -> HttpClient:
    return HttpClient(HttpSettings("Shop", url, **{"tries": 1, "first_delay": 0.0, "max_body": 4 * MIB, **settings}))


def xml(*doctype: str, version: str = "7") -> Response:
    head = '<?xml version="1.0"?>' + "".join(doctype)
    return Response(head + FEED.format(version=version), media_type="application/xml")


# XML


def test_a_feed_without_tricks_is_read() -> None:
    with serve(xml()) as url:
        assert FlexiClient(client(url), "demo", "xml").feed(1, ["adresar"]).global_version == 7


@pytest.mark.parametrize(
    "answer",
    [
        xml('<!DOCTYPE w [<!ENTITY a "7">]>', version="&a;"),
        xml('<!DOCTYPE w [<!ENTITY a SYSTEM "file:///etc/hostname">]>', version="&a;"),
        xml('<!DOCTYPE w SYSTEM "http://127.0.0.1:1/evil.dtd">'),
        xml('<!DOCTYPE w [<!ENTITY % p SYSTEM "http://127.0.0.1:1/evil.dtd"> %p;]>'),
        xml(
            "<!DOCTYPE w [<!ENTITY a0 'ha'>",
            *(f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 10)),
            "]>",
            version="&a9;",
        ),
    ],
    ids=["an entity", "a file", "an external DTD", "a parameter entity", "a billion laughs"],
)
def test_xml_that_brings_a_dtd_or_entities_is_refused_unread(answer: Response) -> None:
    with (
        serve(answer) as url,
        pytest.raises(UnavailableError, match=r"no change feed.*(DTDForbidden|EntitiesForbidden)"),
    ):
        FlexiClient(client(url), "demo", "xml").feed(1, ["adresar"])


# Bodies


def endless(piece: bytes, **headers: str) -> ASGIApp:
    async def pieces() -> AsyncIterator[bytes]:
        while True:
            yield piece
            await asyncio.sleep(0)  # lets the server hear that nobody listens any more

    return StreamingResponse(pieces(), media_type="application/json", headers=headers)


def swelling() -> ASGIApp:
    """A gzip stream of 200 KB that holds 200 MiB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    body = b"".join(packer.compress(b" " * MIB) for _ in range(200)) + packer.flush()
    return Response(body, media_type="application/json", headers={"Content-Encoding": "gzip"})


@contextmanager
def little_memory(most: int) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "app",
    [endless(b"[" * 65_536), endless(b"x" * 1_024), swelling()],
    ids=["without an end", "in small pieces", "gzip that swells a thousandfold"],
)
def test_a_body_beyond_the_limit_is_dropped_at_the_limit(app: ASGIApp) -> None:
    with serve(app) as url, little_memory(40 * MIB), pytest.raises(ConfigurationError, match="more than 4 MiB"):
        client(url).send("GET", "/things")


def test_gzip_within_gzip_without_end_is_refused() -> None:
    body = b"{}"
    for _ in range(20):
        body = gzip.compress(body)
    app = Response(body, headers={"Content-Encoding": ", ".join(["gzip"] * 20)}, media_type="application/json")
    with serve(app) as url, pytest.raises(SyncError, match="broke off or is garbled"):
        client(url).send("GET", "/things")


CLIENTS: dict[str, Callable[[HttpClient], object]] = {
    "flexi": lambda http: FlexiClient(http, "demo").feed(1, ["adresar"]),
    "kontur": lambda http: KonturClient(http, "k").companies("inn", ["7707083893"]),
    "alfresco": lambda http: AlfrescoV1(http, "idocs:contractor").newest(),
    "citeck": lambda http: CiteckRecords(http, "idocs:contractor", [], "/records").newest(),
    "odoo 18": lambda http: OdooClient(http, "odoo", "u", "s", "json-rpc").call("res.partner", "search", domain=[]),
    "odoo 19": lambda http: OdooClient(http, "odoo", "u", "s", "json-2").call("res.partner", "search", domain=[]),
    "rest": lambda http: check_rest(http, "/"),
}


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize("name", list(CLIENTS))
def test_json_two_hundred_thousand_levels_deep_is_no_json(name: str, status: int) -> None:
    deep = "[" * 200_000 + "]" * 200_000
    with serve(Response(deep, status, media_type="application/json")) as url, pytest.raises(SyncError) as refused:
        CLIENTS[name](client(url))
    assert len(str(refused.value)) < 1_000


# A drip


class _Dripping:
    """A server that goes on saying a byte every few milliseconds for ever: never silent, never done."""

    def __init__(self, beginning: bytes, drop: bytes) -> None:
        self._beginning = beginning
        self._drop = drop
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> str:
        self._thread.start()
        return self.url

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            connection.sendall(self._beginning)
            try:
                while not self._over.wait(0.005):
                    connection.sendall(self._drop)
            except OSError:
                return  # the client has had enough


OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    ("beginning", "drop"),
    [
        (OK + b"Content-Length: 100000000\r\n\r\n", b" "),
        (OK + b"\r\n", b" "),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        (OK + b"X-Header: ", b"x"),
        (b"HTTP/1.1 ", b"2"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["in the body", "without a length", "in chunks", "in a header", "in the status line", "of interim answers"],
)
def test_a_server_that_drips_for_ever_holds_no_worker_for_ever(beginning: bytes, drop: bytes) -> None:
    with _Dripping(beginning, drop) as url:
        http = client(url, timeout=60, patience=0.005, tries=3)
        with pytest.raises(UnavailableError, match=r"Shop is too slow: GET /things was not over after 0 s") as refused:
            http.send("GET", "/things")
    assert http.requests_sent == 1, "it is not tried again at once, since that may last as long again"
    assert refused.value.may_have_acted


def test_an_answer_that_takes_its_time_within_the_limit_is_read_whole() -> None:
    async def slowly() -> AsyncIterator[bytes]:
        for piece in (b'{"a":', b"1", b"}"):
            await asyncio.sleep(0.01)
            yield piece

    with serve(StreamingResponse(slowly(), media_type="application/json")) as url:
        assert client(url, timeout=5).send_json("GET", "/things")[1] == {"a": 1}


def test_a_server_that_does_not_read_what_it_is_sent_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(UnavailableError):
            client(url, timeout=60, patience=0.005).send("POST", "/things", json_body=["x" * (32 * MIB)])


def test_one_connection_serves_many_requests_each_with_time_of_its_own() -> None:
    with serve(Response("{}", media_type="application/json")) as url:
        http = client(url, timeout=5, patience=1.0)
        assert [http.send("GET", "/things").status for _ in range(5)] == [200] * 5
        assert http.send("POST", "/things", json_body=["x" * MIB]).status == 200


def test_a_tls_handshake_that_never_ends_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(UnavailableError):
            client(url, timeout=0.2).send("GET", "/things")
