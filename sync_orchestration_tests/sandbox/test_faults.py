"""The faults of the stand-ins are those that they say, seen by a client that is not ours."""

import pytest
import requests
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from sync_orchestration.pipeline.errors import UnavailableError
from sync_orchestration.sandbox.faults import FaultMiddleware, FaultRule, Faults
from sync_orchestration.sandbox.server import serve
from sync_orchestration.systems.http import HttpClient, HttpSettings


async def _things(_request: Request) -> JSONResponse:
    return JSONResponse({"things": [1, 2, 3]})


def test_an_answer_without_end_gives_all_but_its_last_byte_and_then_blanks() -> None:
    faults = Faults()
    with serve(FaultMiddleware(Starlette(routes=[Route("/things", _things)]), faults)) as url:
        faults.add(FaultRule(kind="endless", seconds=30))
        with requests.get(f"{url}/things", stream=True, timeout=10) as answer:
            body = b""
            pieces = answer.iter_content(1)
            while not body.endswith(b"   "):
                body += next(pieces)
        assert body.rstrip() == b'{"things":[1,2,3]'
        assert requests.get(f"{url}/things", timeout=10).json() == {"things": [1, 2, 3]}
        assert faults.injected == {"endless": 1}


def test_an_answer_without_end_is_given_up_by_our_client_and_cut_by_the_server_in_the_end() -> None:
    faults = Faults()
    with serve(FaultMiddleware(Starlette(routes=[Route("/things", _things)]), faults)) as url:
        faults.add(FaultRule(kind="endless", seconds=30, times=None))
        client = HttpClient(HttpSettings("Shop", url, timeout=0.2, patience=1.0, first_delay=0.001))
        with pytest.raises(UnavailableError, match="Shop is too slow"):
            client.send_json("GET", "/things")
        faults.clear()
        faults.add(FaultRule(kind="endless", seconds=0.1))
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            requests.get(f"{url}/things", timeout=10)
