"""The one place that sends requests: what it tries again, what it waits for, and what it never says."""

import json
import shlex
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import Response

from sync_orchestration.pipeline.errors import ConfigurationError, SyncError, UnavailableError
from sync_orchestration.systems.http import HttpClient, HttpSettings
from sync_orchestration.systems.http_faults import retry_after

from .conftest import PASSWORD, Flexi, Script, Switchboard, as_json

GOOD = as_json({"ok": True})


def client(board: Switchboard, **settings: object) -> HttpClient:
    given = {"name": "Shop", "base_url": board.url, "tries": 3, "first_delay": 0.0, **settings}
    return HttpClient(HttpSettings(**given))  # type: ignore[arg-type]


def scripted(board: Switchboard, *answers: Response) -> Script:
    board.app = script = Script(answers)
    return script


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that nobody listens on for the time of the test."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield reserved.getsockname()[1]


# Trying again


@pytest.mark.parametrize("status", [429, 502, 503, 504, 500])
def test_a_passing_fault_is_tried_again_and_counted(board: Switchboard, status: int) -> None:
    script = scripted(board, Response("busy", status), GOOD)
    sent: list[None] = []
    http = HttpClient(HttpSettings("Shop", board.url, first_delay=0.0), on_request=lambda: sent.append(None))
    assert http.send_json("GET", "/things")[1] == {"ok": True}
    assert http.requests_sent == len(sent) == len(script.asked) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 410, 422])
def test_a_refusal_is_the_callers_to_judge_and_is_sent_once(board: Switchboard, status: int) -> None:
    script = scripted(board, as_json({"no": "way"}, status))
    answer, body = client(board).send_json("GET", "/things")
    assert (answer.status, body) == (status, {"no": "way"})
    assert len(script.asked) == 1


def test_a_500_with_json_is_a_refusal_and_one_with_html_is_a_broken_server(board: Switchboard) -> None:
    scripted(board, as_json({"name": "builtins.ValueError"}, 500))
    assert client(board).send("GET", "/things").status == 500
    script = scripted(board, Response("<h1>Out of memory</h1>", 500, media_type="text/html"))
    with pytest.raises(UnavailableError, match=r"Shop failed: GET /things .* status 500: .*Out of memory"):
        client(board).send("GET", "/things")
    assert len(script.asked) == 3


def test_an_error_that_is_not_json_keeps_its_status_instead_of_being_asked_for_again(board: Switchboard) -> None:
    script = scripted(board, Response("<h1>Not Found</h1>", 404, media_type="text/html"))
    answer, body = client(board).send_json("GET", "/things")
    assert (answer.status, body, len(script.asked)) == (404, None, 1)


@pytest.mark.parametrize(
    "answer",
    [
        Response("<html>Sign in</html>", media_type="text/html"),
        Response('{"half": ["of', media_type="application/json"),
        Response("", media_type="application/json"),
        Response("[" * 200_000, media_type="application/json"),
    ],
    ids=["HTML", "cut off", "empty", "nested too deep"],
)
def test_a_success_that_is_not_json_is_asked_for_again(board: Switchboard, answer: Response) -> None:
    scripted(board, answer, GOOD)
    assert client(board).send_json("GET", "/things")[1] == {"ok": True}
    script = scripted(board, answer)
    with pytest.raises(UnavailableError, match=r"Shop answered GET /things with .*status 200\) instead of JSON"):
        client(board).send_json("GET", "/things")
    assert len(script.asked) == 3


@pytest.mark.parametrize("kind", ["reset", "reset_after", "truncate"])
def test_a_request_that_may_have_arrived_is_not_sent_again_where_its_effect_would_double(
    flexi: Flexi, kind: str
) -> None:
    flexi.fault(kind, times=None)
    http = flexi.client().http
    with pytest.raises(UnavailableError):
        http.send("POST", "/c/demo/adresar.json", json_body={"winstrom": {}}, repeatable=False)
    assert flexi.requests == 1
    with pytest.raises(UnavailableError):
        http.send("POST", "/c/demo/adresar.json", json_body={"winstrom": {}})
    assert flexi.requests == 1 + 3


@pytest.mark.parametrize(("status", "asked"), [(429, 3), (503, 3), (502, 1), (504, 1), (500, 1)])
def test_only_a_refusal_before_the_work_lets_an_unrepeatable_request_be_sent_again(
    board: Switchboard, status: int, asked: int
) -> None:
    script = scripted(board, Response("busy", status, media_type="text/html"))
    with pytest.raises(UnavailableError):
        client(board).send("POST", "/things", json_body={}, repeatable=False)
    assert len(script.asked) == asked


def test_a_request_that_was_never_sent_may_be_sent_again(closed_port: int) -> None:
    http = HttpClient(HttpSettings("Shop", f"http://127.0.0.1:{closed_port}", tries=2, first_delay=0.0))
    with pytest.raises(UnavailableError, match=r"Shop cannot be reached at http://127.*refused"):
        http.send("POST", "/things", json_body={}, repeatable=False)
    assert http.requests_sent == 2


def test_a_silent_server_is_given_up_after_the_time_limit(flexi: Flexi) -> None:
    flexi.fault("hang", seconds=1.0, times=1)
    http = flexi.client(timeout=0.2).http
    assert http.send("GET", "/c/demo.json").status == 200
    assert http.requests_sent == 2


# Patience


def test_a_short_retry_after_is_waited_for(board: Switchboard, naps: list[float]) -> None:
    scripted(board, Response("", 429, {"Retry-After": "7"}), GOOD)
    assert client(board).send_json("GET", "/things")[1] == {"ok": True}
    assert naps == [7.0]


def test_a_retry_after_may_be_a_date(board: Switchboard, naps: list[float]) -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    scripted(board, Response("", 503, {"Retry-After": soon}), GOOD)
    client(board).send_json("GET", "/things")
    (waited,) = naps
    assert 10 <= waited <= 20


def test_a_long_retry_after_ends_the_request_at_once_and_is_handed_on(board: Switchboard, naps: list[float]) -> None:
    script = scripted(board, Response("", 429, {"Retry-After": "3600"}))
    with pytest.raises(UnavailableError, match=r"Shop asked for patience.*429; it asks to wait 3600 s") as refused:
        client(board).send("GET", "/things")
    assert (refused.value.retry_after, len(script.asked), naps) == (3600.0, 1, [])


def test_the_last_retry_after_is_handed_on_when_patience_and_tries_are_used_up(
    board: Switchboard, naps: list[float]
) -> None:
    scripted(board, Response("", 429, {"Retry-After": "20"}))
    with pytest.raises(UnavailableError) as refused:
        client(board).send("GET", "/things")
    # Three waits fit into a minute's patience, then three tries count.
    assert (refused.value.retry_after, naps) == (20.0, [20.0] * 5)


def test_a_quota_that_lets_one_request_a_second_through_fails_none(board: Switchboard, naps: list[float]) -> None:
    scripted(board, *[Response("", 429, {"Retry-After": "1"})] * 10, GOOD)
    assert client(board).send_json("GET", "/things")[1] == {"ok": True}
    assert naps == [1.0] * 10


@dataclass
class Pauses:
    """What other workers have heard of a server's wish for patience."""

    seconds: float = 0.0

    def remaining(self) -> float:
        return self.seconds

    def prolong(self, seconds: float) -> None:
        self.seconds = max(self.seconds, seconds)


def test_patience_asked_of_one_worker_holds_for_all(board: Switchboard, naps: list[float]) -> None:
    script = scripted(board, Response("", 429, {"Retry-After": "3600"}), GOOD)
    first, second = client(board), client(board)
    first.pause = second.pause = Pauses()
    with pytest.raises(UnavailableError):
        first.send("GET", "/things")
    with pytest.raises(
        UnavailableError, match=r"Shop asked for patience: GET /things may be sent in 3600 s"
    ) as refused:
        second.send("GET", "/things")
    assert (refused.value.retry_after, len(script.asked), naps) == (3600.0, 1, [])


@dataclass
class Turns:
    """Turns of which one is always free; writes down who takes and gives them, and lets something happen meanwhile."""

    told: list[str]
    meanwhile: Callable[[], None] = lambda: None

    @contextmanager
    def turn(self) -> Iterator[None]:
        self.meanwhile()
        self.told.append("taken")
        try:
            yield
        finally:
            self.told.append("given back")


@pytest.mark.parametrize("answers", [[GOOD], [Response("busy", 503), GOOD], [Response("", 302), GOOD]])
def test_each_request_takes_a_turn_and_gives_it_back_whatever_comes_of_it(
    board: Switchboard, answers: list[Response]
) -> None:
    script = scripted(board, *answers)
    http, told = client(board), list[str]()
    http.turns = Turns(told)
    with suppress(ConfigurationError):
        http.send("GET", "/things")
    assert told == ["taken", "given back"] * len(script.asked)


def test_patience_asked_for_while_a_request_waited_for_its_turn_is_kept(board: Switchboard) -> None:
    script = scripted(board, GOOD)
    http, told = client(board), list[str]()
    http.pause = pause = Pauses()
    http.turns = Turns(told, meanwhile=lambda: pause.prolong(3_600))
    with pytest.raises(UnavailableError, match=r"may be sent in 3600 s"):
        http.send("GET", "/things")
    assert (script.asked, told) == ([], ["taken", "given back"])


@given(st.text() | st.floats().map(str) | st.integers().map(str))
def test_whatever_retry_after_says_it_can_be_added_to_a_time(value: str) -> None:
    seconds = retry_after({"Retry-After": value})
    if seconds is not None:
        assert datetime.now(UTC) + timedelta(seconds=seconds) >= datetime.now(UTC) - timedelta(seconds=1)


# Wrong addresses


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_but_shown(board: Switchboard, status: int) -> None:
    scripted(board, Response("", status, {"Location": "https://sso.example.com/login"}))
    with pytest.raises(ConfigurationError, match=r"redirect to https://sso\.example\.com/login\. Is the URL right"):
        client(board).send("GET", "/things")


def test_a_redirect_to_nonsense_is_an_error_that_we_know(board: Switchboard) -> None:
    scripted(board, Response("", 302, {"Location": "http://[nonsense"}))
    with pytest.raises(SyncError):
        client(board).send("GET", "/things")


@pytest.mark.parametrize("url", ["http://", "http://bad host", "http://127.0.0.1:99999", "ftp://example.com", "shop"])
def test_an_impossible_address_is_a_setting_to_correct(url: str) -> None:
    http = HttpClient(HttpSettings("Shop", url, tries=2, first_delay=0.0))
    with pytest.raises(ConfigurationError, match=r"No request can be sent to Shop .*Check its address"):
        http.send("GET", "/things")


def test_https_on_a_plain_port_is_not_called_an_untrusted_certificate(board: Switchboard) -> None:
    http = client(board, base_url=board.url.replace("http://", "https://"))
    with pytest.raises(ConfigurationError, match=r"does not speak TLS.*begin with http://"):
        http.send("GET", "/things")


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
        """Say nothing."""


class _QuietServer(HTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a refused handshake is the point of the test."""


@pytest.fixture
def tls_server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A server with a certificate that it signed itself, as Flexi has on premises; yields its address and the file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    new = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    subprocess.run([openssl, *shlex.split(new), "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = _QuietServer(("127.0.0.1", 0), _Answers)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}", certificate
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_untrusted_certificate_says_how_to_trust_it(
    tls_server: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, certificate = tls_server
    with pytest.raises(ConfigurationError, match=r"certificate of Shop .* is not trusted: .*verify_tls: false") as no:
        HttpClient(HttpSettings("Shop", url)).send("GET", "/things")
    assert "self-signed certificate" in str(no.value).replace("self signed", "self-signed")
    with pytest.warns(Warning, match="Unverified HTTPS"):
        assert HttpClient(HttpSettings("Shop", url, verify_tls=False)).send("GET", "/things").status == 200
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    assert HttpClient(HttpSettings("Shop", url)).send("GET", "/things").status == 200


def test_an_answer_without_end_is_not_read_to_its_end(board: Switchboard) -> None:
    scripted(board, Response("x" * 3_000_000))
    with pytest.raises(ConfigurationError, match=r"more than 1 MiB.*batches of this sync smaller"):
        client(board, max_body=1 << 20).send("GET", "/things")


# Secrets


def test_no_error_tells_the_password_however_it_is_written(board: Switchboard) -> None:
    echo = json.dumps({"message": PASSWORD, "body": "x" * 10}, ensure_ascii=False)
    for answer in (
        Response(f"<p>{PASSWORD}</p>", 500, media_type="text/html"),
        Response(echo[:-1], media_type="application/json"),
        Response("", 302, {"Location": "/login?p=tajn%C3%A9-heslo%20100%25%2F%C5%BE"}),
    ):
        scripted(board, answer)
        with pytest.raises(SyncError) as refused:
            client(board, secrets=(PASSWORD,), auth=("sync", PASSWORD)).send_json("GET", "/things")
        assert "***" in str(refused.value)
        assert "heslo" not in str(refused.value)


def test_a_password_in_the_address_is_not_printed(closed_port: int) -> None:
    url = f"http://admin:geheim@127.0.0.1:{closed_port}/odoo"
    http = HttpClient(HttpSettings("Shop", url, tries=1, first_delay=0.0))
    with pytest.raises(UnavailableError, match=rf"at http://127\.0\.0\.1:{closed_port}/odoo:") as refused:
        http.send("GET", "/things")
    assert "geheim" not in str(refused.value)


def test_a_key_with_a_line_break_is_a_setting_to_correct_and_is_not_printed(board: Switchboard) -> None:
    http = client(board, secrets=("geheim\n",))
    with pytest.raises(ConfigurationError, match="stray characters") as refused:
        http.send("GET", "/things", headers={"Authorization": "Bearer geheim\n"})
    assert "geheim" not in str(refused.value)


def test_a_key_beyond_latin_letters_is_sent(board: Switchboard) -> None:
    scripted(board, GOOD)
    assert client(board).send("GET", "/things", headers={"Authorization": "Bearer тайна"}).status == 200


def test_a_password_beyond_latin_letters_signs_in(flexi: Flexi) -> None:
    flexi.world.password = "тайна-ž"
    assert flexi.client(password="тайна-ž").tracking_is_on() is True


def test_a_body_less_put_says_so(flexi: Flexi) -> None:
    """Flexi answers 411 to a PUT without Content-Length."""
    assert flexi.client().http.send("PUT", "/c/demo/changes/enable.json").status == 200
