"""How much is too much, and what the sender is told then."""

import socket
import threading
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from sync_orchestration.intake import IntakeConfigurationError, Limits
from sync_orchestration.intake.json_text import BadJsonError, nesting_exceeds, read_json
from sync_orchestration.intake.kinds import CallError
from sync_orchestration.intake.throttle import Gate, Rates
from sync_orchestration.mapping.records import Reference
from sync_orchestration_tests.intake.world import SHOP_TOKEN, Intake, partner, serve_intake, with_limits


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_body_that_announces_too_much_is_refused_unread(database_url: str) -> None:
    with serve_intake(database_url, with_limits(body_bytes=1_000)) as intake:
        host, port = intake.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=30) as line:
            head = f"POST /v1/partners/records HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SHOP_TOKEN}\r\n"
            line.sendall(f"{head}Content-Length: 1001\r\n\r\n".encode())  # and not a byte of it
            assert line.recv(1_000).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("path", ["/v1/partners/records", "/rpc"])
def test_a_body_that_grows_too_large_is_refused(database_url: str, path: str) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(20):
            yield b" " * 100

    with serve_intake(database_url, with_limits(body_bytes=1_000)) as intake:
        answer = intake.session.post(
            intake.url + path, data=chunks(), headers={"Authorization": f"Bearer {SHOP_TOKEN}"}, timeout=30
        )
        assert answer.status_code == 413
        error = answer.json()["error"]
        assert error["code"] in ("too_large", -32006)


def test_a_body_that_never_arrives_is_given_up(database_url: str) -> None:
    with serve_intake(database_url, with_limits(body_seconds=0.05)) as intake:
        host, port = intake.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=30) as line:
            head = f"POST /v1/partners/records HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SHOP_TOKEN}\r\n"
            line.sendall(f"{head}Content-Length: 10\r\n\r\n{{".encode())
            assert line.recv(1_000).startswith(b"HTTP/1.1 408")


def test_a_thousand_records_are_taken_and_one_more_is_not(intake: Intake) -> None:
    records = [{"key": str(number), "data": {}} for number in range(1_001)]
    answer = intake.push(*records, sync="notes")
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
    assert intake.rows() == {}
    assert intake.push(*records[1:], sync="notes").json()["accepted"] == 1_000


def test_too_many_calls_of_one_sender_are_told_to_wait_and_others_are_not(database_url: str) -> None:
    with serve_intake(database_url, with_limits(calls_per_second=0.001, burst=50, calls=50)) as intake:
        for _ in range(50):
            assert intake.get("/v1/partners/schema").status_code == 200
        answer = intake.push(partner("1"))
        assert (answer.status_code, answer.json()["error"]["retryable"]) == (429, True)
        assert int(answer.headers["Retry-After"]) == answer.json()["error"]["retry_after"] > 900
        rpc = intake.rpc("records.schema", {"sync": "partners"})
        assert (rpc.status_code, rpc.json()["error"]["code"]) == (429, -32002)
        assert intake.get("/v1/partners/schema", token="token-of-the-crm").status_code == 200
        assert intake.rows() == {}


def test_every_call_of_a_batch_counts(database_url: str) -> None:
    call = {"jsonrpc": "2.0", "method": "records.schema", "params": ["partners"], "id": 1}
    with serve_intake(database_url, with_limits(calls_per_second=0.001, burst=50, calls=50)) as intake:
        assert len(intake.post("/rpc", [call] * 30).json()) == 30
        assert intake.post("/rpc", [call] * 30).status_code == 429


def test_a_bucket_fills_with_time_up_to_its_burst() -> None:
    clock = Clock()
    rates = Rates(2.0, 10, clock)
    rates.take("a", 10)
    with pytest.raises(CallError) as told:
        rates.take("a", 3)
    assert told.value.retry_after == 1.5
    clock.now = 1.5
    rates.take("a", 3)
    clock.now = 1_000.0
    rates.take("a", 10)
    with pytest.raises(CallError):
        rates.take("a")


def test_a_gate_lets_the_next_in_when_one_leaves_however_it_leaves() -> None:
    gate = Gate(1)
    with gate.entered(), pytest.raises(CallError), gate.entered():
        pass
    with pytest.raises(KeyError), gate.entered():
        raise KeyError
    with gate.entered():
        assert gate.inside == 1


@dataclass
class SlowTarget:
    """Answers only when it is told to."""

    asked: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    go: threading.Event = field(default_factory=threading.Event)

    def missing(self, wanted: Sequence[Reference]) -> Collection[Reference]:
        self.asked.release()
        self.go.wait(60)
        return []


def test_a_crowd_is_shed_at_once_while_hooks_and_health_are_still_heard(database_url: str) -> None:
    target = SlowTarget()
    settings = with_limits(running=1, waiting=1)
    with serve_intake(database_url, settings, target) as intake, ThreadPoolExecutor(2) as others:
        try:
            first = others.submit(intake.push, partner("1", country="CZ"))
            assert target.asked.acquire(timeout=30)
            host, port = intake.url.removeprefix("http://").split(":")
            with socket.create_connection((host, int(port)), timeout=30) as second:
                head = f"POST /rpc HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SHOP_TOKEN}\r\n"
                second.sendall(f"{head}Content-Length: 10\r\nExpect: 100-continue\r\n\r\n".encode())
                assert second.recv(1_000).startswith(b"HTTP/1.1 100")  # it is inside, and its body is awaited
                shed = intake.push(partner("3"))
                assert (shed.status_code, shed.json()["error"]["code"]) == (503, "overloaded")
                assert shed.headers["Retry-After"] == "1"
                assert shed.json()["error"]["retryable"] is True
                assert intake.get("/healthz").status_code == 200
                assert intake.get("/readyz").status_code == 200
                header = {"X-Secret": "secret-of-the-feed"}
                assert intake.post("/hooks/feed/demo", token=None, headers=header).status_code == 200
            target.go.set()
            assert first.result().status_code == 200
            assert list(intake.rows()) == ["1"]
        finally:
            target.go.set()


@pytest.mark.parametrize("name", list(Limits.__slots__))
def test_a_limit_of_nothing_is_refused(name: str) -> None:
    with pytest.raises(IntakeConfigurationError, match=name):
        Limits(**{name: 0})


def test_a_batch_that_could_never_pass_is_refused() -> None:
    with pytest.raises(IntakeConfigurationError, match="burst"):
        Limits(calls=101, burst=100)


@pytest.mark.parametrize("deep", ["[" * 32 + "]" * 32, '{"a":' * 31 + "[1]" + "}" * 31, '["' + "[" * 99 + '"]'])
def test_nesting_up_to_the_limit_is_read(deep: str) -> None:
    assert read_json(deep.encode(), 32).value


@pytest.mark.parametrize(
    "body",
    [b'{"a": "x\\n"}', b'{"a\\\\": "\\"[[["}', b'["\\\\", [["\\u005c\\""]]]', b'{"a": "\\\\\\"]"}', b"[[], [[]], {}]"],
)
def test_brackets_within_texts_do_not_count(body: bytes) -> None:
    assert not nesting_exceeds(body, 3)
    read_json(body, 3)


@pytest.mark.parametrize("body", [b"[[[]]]", b'{"a": {"b": {}}}', b"[[[", b"]]]", b'[{"x": [}]'])
def test_nesting_beyond_the_limit_is_refused(body: bytes) -> None:
    with pytest.raises(BadJsonError, match="nested"):
        read_json(body, 2)


def deeply(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def test_a_deep_record_is_refused_whole_and_a_less_deep_one_stored(intake: Intake) -> None:
    assert intake.push({"key": "1", "data": {"x": deeply(40)}}, sync="notes").status_code == 400
    assert intake.push({"key": "1", "data": {"x": deeply(28)}}, sync="notes").status_code == 200
