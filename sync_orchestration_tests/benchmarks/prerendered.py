"""A Flexi that costs next to nothing to ask, so that the cost of whoever asks it is seen.

Its records are those of the stand-in, rendered once by that and given other ids; its feed is made up row by row. It
runs in a process of its own and tells how long it has worked.
"""

import json
import random
import time
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection as Line
from urllib.parse import parse_qs

import requests
from starlette.types import Receive, Scope, Send

from sync_orchestration.sandbox.flexi import FlexiWorld, flexi_app
from sync_orchestration.sandbox.server import serve
from sync_orchestration_tests.benchmarks.stand_ins import PASSWORD, USER, Feed, elsewhere, until_closed

_FIRST = 1_000_000
"""The version of the first change."""

_PATTERNS = 500
_MARK = "<id>"
_PLAIN = {
    "/c/demo/changes/status.json": {"winstrom": {"@version": "1.0", "success": "true"}},
    "/c/demo.json": {
        "companies": {"company": {"id": "1", "dbNazev": "demo", "createDt": "2026-01-01T00:00:00.000+01:00"}}
    },
}


@contextmanager
def prerendered_flexi(changes: int, partners: int, detail: str) -> Iterator[Feed]:
    """Serve `changes` random changes of `partners` records, each as the level of `detail` shows it."""
    with elsewhere(_serve, changes, partners, detail) as feed:
        yield feed


def seconds_worked(url: str) -> float:
    """Return the seconds that the server has spent on putting answers together."""
    return float(requests.get(f"{url}/_worked", timeout=60).text)


def _serve(line: Line, changes: int, partners: int, detail: str) -> None:
    with serve(_Flexi(changes, partners, _patterns(detail))) as url:
        line.send(Feed(url, {changes: _FIRST}))
        until_closed(line)


def _patterns(detail: str) -> list[list[str]]:
    """Return records of the stand-in as texts that are cut where their id belongs."""
    with serve(flexi_app(FlexiWorld.demo(partners=_PATTERNS))) as url:
        params = {"limit": "0", "detail": detail, "order": "id"}
        answer = requests.get(f"{url}/c/demo/adresar.json", params=params, auth=(USER, PASSWORD), timeout=60)
    rows = answer.json()["winstrom"]["adresar"]
    marked = ({**row, "id": _MARK, "kod": f"P{_MARK}"} for row in rows)
    return [json.dumps(row, ensure_ascii=False, separators=(",", ":")).split(_MARK) for row in marked]


class _Flexi:
    def __init__(self, changes: int, partners: int, patterns: list[list[str]]) -> None:
        self._patterns = patterns
        self._versions = array("q", (_FIRST + n + n // 2 for n in range(changes)))  # versions have gaps
        self._ids = array("q", random.Random(1).choices(range(1, partners + 1), k=changes))
        self._worked = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = bytearray()
        while True:
            message = await receive()
            asked += message.get("body", b"")
            if not message.get("more_body"):
                break
        started = time.perf_counter()
        body = self._answers(scope["path"])(parse_qs(scope["query_string"].decode()), bytes(asked)).encode()
        self._worked += time.perf_counter() - started
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _answers(self, path: str) -> Callable[[dict[str, list[str]], bytes], str]:
        if path == "/c/demo/changes.json":
            return self._feed
        if path == "/c/demo/adresar/get.json":
            return self._records
        if path == "/c/demo/adresar.json":
            return lambda _params, _body: f'{{"winstrom":{{"@globalVersion":"{self._versions[-1]}","adresar":[]}}}}'
        if path == "/_worked":
            return lambda _params, _body: str(self._worked)
        return lambda _params, _body: json.dumps(_PLAIN[path])

    def _feed(self, params: dict[str, list[str]], _body: bytes) -> str:
        begin = bisect_left(self._versions, int(params["start"][0]))
        end = begin + int(params["limit"][0])
        rows = ",".join(
            f'{{"@evidence":"adresar","@in-version":"{number}","@operation":"update",'
            f'"@timestamp":"2026-11-28 04:00:00.0","id":"{record}","external-ids":[]}}'
            for number, record in zip(self._versions[begin:end], self._ids[begin:end], strict=True)
        )
        following = self._versions[end] if end < len(self._versions) else "none"
        return f'{{"winstrom":{{"@globalVersion":"{self._versions[-1]}","changes":[{rows}],"next":"{following}"}}}}'

    def _records(self, _params: dict[str, list[str]], body: bytes) -> str:
        wanted = json.loads(body)["winstrom"]["id"]
        rows = ",".join(str(record).join(self._patterns[record % len(self._patterns)]) for record in wanted)
        return f'{{"winstrom":{{"@version":"1.0","adresar":[{rows}]}}}}'
