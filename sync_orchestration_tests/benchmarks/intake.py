"""Pushing records to the intake on one core, beside a bare COPY of the same rows; single pushes; a crowd."""

import http.client
import json
import os
import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from statistics import median
from typing import Any

import psycopg

from sync_orchestration.intake import (
    FieldContract,
    IntakeSettings,
    Limits,
    RelatedModel,
    Sender,
    SyncContract,
    intake_app,
)
from sync_orchestration.mapping.compile import compile_mapping
from sync_orchestration.mapping.records import Reference
from sync_orchestration.sandbox.server import serve
from sync_orchestration_tests.benchmarks.report import table
from sync_orchestration_tests.benchmarks.stand_ins import elsewhere, fresh_database, postgres, until_closed

BATCH = 500
RECORDS = 20_000
SINGLES = 3_000
CROWD = 64
"""Senders at once that each push one record after the other; the intake takes 20 calls at a time."""

_BATCHES = [range(start, start + BATCH) for start in range(0, RECORDS, BATCH)]
_TOKEN = "token-of-the-benchmark"
_CONNECTIONS = 2
_TARGET = 2_000
_UNLIMITED = Limits(calls_per_second=1_000_000, burst=1_000_000)

CONTRACT = SyncContract(
    name="partners",
    entity="partner",
    fields=(
        FieldContract("name", required=True, max_length=200),
        FieldContract("vat", max_length=20),
        FieldContract("street", max_length=200),
        FieldContract("city", max_length=100),
        FieldContract("zip", max_length=10),
        FieldContract("country", reference=RelatedModel("res.country", "code"), example="CZ"),
        FieldContract("phone"),
        FieldContract("email", format="email"),
        FieldContract("website"),
        FieldContract("founded", type="date"),
        FieldContract("employees", type="integer"),
        FieldContract("is_company", type="boolean"),
    ),
    mapping=compile_mapping(
        {
            "name": "name",
            "vat": "vat",
            "street": "street",
            "city": "city",
            "zip": "zip",
            "country_id": {
                "from": "country",
                "transform": ["upper"],
                "reference": {"model": "res.country", "field": "code"},
            },
            "phone": "phone",
            "email": "email",
            "website": "website",
        },
        [{"field": "name", "rule": "required"}, {"field": "email", "rule": "email"}],
    ),
)


class Everything:
    """A target in which all related records exist."""

    def missing(self, wanted: Sequence[Reference]) -> Collection[Reference]:
        return []


@dataclass(frozen=True, slots=True)
class Load:
    """What a load met: seconds of the whole and of each call, HTTP statuses, seconds of the server's processor."""

    seconds: float
    calls: list[float]
    statuses: Counter[int]
    processor: float

    def percentile(self, share: float) -> float:
        """Return the length of a call in ms that `share` of them do not exceed."""
        return sorted(self.calls)[int(share * (len(self.calls) - 1))] * 1_000


def compare_intake(rounds: int) -> str:
    """Push in batches and singly, and copy the same rows, `rounds` times in turn; returns the tables."""
    bodies = [_body(batch) for batch in _BATCHES]
    singles = [_body([number]) for number in range(SINGLES)]
    pushed, copied, alone = [], [], []
    with postgres() as server:
        for _ in range(rounds):
            with fresh_database(server) as url, _served(url, _UNLIMITED) as address:
                pushed.append(_pushed(address, bodies, _CONNECTIONS))
                copied.append(_copy_bare(url))
            with fresh_database(server) as url, _served(url, _UNLIMITED) as address:
                alone.append(_pushed(address, singles, 1))
        with fresh_database(server) as url, _served(url, _UNLIMITED) as address:
            crowd = _pushed(address, singles, CROWD)
    return "\n\n".join([_batches(pushed, copied), _alone(alone), _shed(crowd)])


def _batches(pushed: Sequence[Load], copied: Sequence[float]) -> str:
    rates = [RECORDS / one.seconds for one in pushed]
    rows = [
        ("accepted by the intake", f"{median(rates):,.0f}", f"{min(rates):,.0f} - {max(rates):,.0f}"),
        ("bare COPY of the same rows", f"{median(RECORDS / s for s in copied):,.0f}", ""),
        ("the intake's processor alone", f"{median(RECORDS / one.processor for one in pushed):,.0f}", ""),
    ]
    ratio = median(one.seconds / bare for one, bare in zip(pushed, copied, strict=True))
    title = f"Records a second in batches of {BATCH}, {_CONNECTIONS} connections, the server on one core"
    return table(title, ("", "median", "range"), rows) + (
        f"\nthe intake takes {ratio:.1f} times as long as the COPY; target at least {_TARGET:,} records/s"
    )


def _alone(loads: Sequence[Load]) -> str:
    rows = [
        (f"{share:.0%} of calls within", f"{median(one.percentile(share) for one in loads):.1f}")
        for share in (0.5, 0.99)
    ]
    return table("Milliseconds of a push of one record, one connection", ("", "median of rounds"), rows)


def _shed(load: Load) -> str:
    rows = [
        (f"HTTP {status}", number, f"{number / load.seconds:,.0f}") for status, number in sorted(load.statuses.items())
    ]
    text = table(f"{CROWD} connections at once push one record each, again and again", ("", "calls", "a second"), rows)
    return text + f"\n99 % of the calls were answered within {load.percentile(0.99):.0f} ms"


def _pushed(address: str, bodies: Sequence[bytes], connections: int) -> Load:
    """Send the bodies over some connections; the server tells its processor's time by /metrics of the process."""
    started, used = time.perf_counter(), _processor(address)
    with ThreadPoolExecutor(connections) as pool:
        parts = [bodies[number::connections] for number in range(connections)]
        results = list(pool.map(lambda part: _send(address, part), parts))
    calls = [call for result in results for call in result]
    processor = _processor(address) - used
    return Load(time.perf_counter() - started, [c for c, _ in calls], Counter(s for _, s in calls), processor)


def _send(address: str, bodies: Sequence[bytes]) -> list[tuple[float, int]]:
    host = address.removeprefix("http://")
    line = http.client.HTTPConnection(host, timeout=120)
    headers = {"Authorization": f"Bearer {_TOKEN}", "Content-Type": "application/json"}
    told = []
    for body in bodies:
        started = time.perf_counter()
        line.request("POST", "/v1/partners/records", body, headers)
        answer = line.getresponse()
        answer.read()
        told.append((time.perf_counter() - started, answer.status))
    line.close()
    return told


def _processor(address: str) -> float:
    """Return the seconds of processor that the server has used."""
    line = http.client.HTTPConnection(address.removeprefix("http://"), timeout=60)
    line.request("GET", "/_processor")
    seconds = float(line.getresponse().read())
    line.close()
    return seconds


def _copy_bare(url: str) -> float:
    """Copy the same rows into an identical empty table, a commit for each batch; returns the seconds."""
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("CREATE TABLE sync.bare_row (LIKE sync.interface_row INCLUDING ALL)")
        texts = [[(str(n), json.dumps(_data(n))) for n in batch] for batch in _BATCHES]
        started = time.perf_counter()
        for batch in texts:
            with conn.transaction(), conn.cursor() as cur, cur.copy(_BARE_COPY) as copy:
                for key, payload in batch:
                    copy.write_row(
                        ("partners", "bench", key, "partner", "update", 1, "2026-11-28", payload, "0" * 64, "pending")
                    )
        return time.perf_counter() - started


_BARE_COPY = (
    "COPY sync.bare_row (sync, source_system, record_key, entity, operation, position, partition_key, payload, "
    "payload_hash, status) FROM STDIN"
)


def _body(numbers: Sequence[int]) -> bytes:
    return json.dumps({"records": [{"key": str(n), "version": 1, "data": _data(n)} for n in numbers]}).encode()


def _data(number: int) -> dict[str, Any]:
    return {
        "name": f"Obchodní společnost číslo {number}, s. r. o.",
        "vat": f"CZ{number:08}",
        "street": f"Dlouhá {number % 300}/12",
        "city": "Hradec Králové",
        "zip": "50002",
        "country": ("CZ", "SK", "PL", "DE")[number % 4],
        "phone": f"+420 777 {number:06}",
        "email": f"office{number}@example.com",
        "website": f"https://www.firm{number}.example.com",
        "founded": "2001-05-17",
        "employees": number % 500,
        "is_company": True,
    }


@contextmanager
def _served(database_url: str, limits: Limits) -> Iterator[str]:
    """Serve an intake in a process of its own that has one core; yields its address."""
    with elsewhere(_serve_intake, database_url, limits) as address:
        yield address


def _serve_intake(line: Connection, database_url: str, limits: Limits) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    sender = Sender("bench", (_TOKEN,), frozenset({CONTRACT.name}))
    settings = IntakeSettings(contracts=(CONTRACT,), senders=(sender,), limits=limits)
    app = intake_app(settings, database_url, {CONTRACT.name: Everything()})

    async def measured(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] != "/_processor":
            await app(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": str(time.process_time()).encode()})

    with serve(measured) as url:
        line.send(url)
        until_closed(line)
    app.close()
