"""The bare steps of landing: plain requests, plain COPY and upsert, nothing checked, nothing remembered."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import requests

from sync_orchestration_tests.benchmarks.stand_ins import PASSWORD, USER

_STAGING = """
CREATE TEMPORARY TABLE bare_staging (
    record_key text, entity text, operation text, position bigint, partition_key text,
    payload jsonb, payload_hash text, external_ids jsonb
) ON COMMIT DROP
"""
_UPSERT = """
INSERT INTO sync.bare_row (
    sync, source_system, record_key, entity, operation, position, partition_key,
    payload, payload_hash, external_ids, status, run_id)
SELECT 'bare', 'flexi', record_key, entity, operation, position, partition_key,
       payload, payload_hash, external_ids, 'pending', 'bare'
FROM bare_staging
ON CONFLICT (sync, source_system, record_key) DO UPDATE SET
    entity = excluded.entity, operation = excluded.operation, position = excluded.position,
    partition_key = excluded.partition_key, payload = excluded.payload, payload_hash = excluded.payload_hash,
    external_ids = excluded.external_ids, status = excluded.status, run_id = excluded.run_id
"""
_ANY_HASH = "0" * 64


@dataclass(slots=True)
class BareSteps:
    """What the steps cost in seconds, each by itself (`cpu`: of this process, for all), and what they brought."""

    feed: float = 0.0
    batches: float = 0.0
    store: float = 0.0
    cpu: float = 0.0
    pages: int = 0
    requests: int = 0
    records: int = 0

    @property
    def seconds(self) -> float:
        return self.feed + self.batches + self.store

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Add the length of a block to a step."""
        started, cpu_before = time.perf_counter(), time.process_time()
        yield
        setattr(self, step, getattr(self, step) + time.perf_counter() - started)
        self.cpu += time.process_time() - cpu_before


def bare_steps(flexi_url: str, start: int, detail: str, page: int, batch: int, database_url: str) -> BareSteps:
    """Read the feed from `start` and the changed records in batches, and store them in an identical empty table."""
    steps = BareSteps()
    base = f"{flexi_url}/c/demo"
    with requests.Session() as session, psycopg.connect(database_url, autocommit=True) as conn:
        session.auth = (USER, PASSWORD)
        conn.execute("CREATE TABLE sync.bare_row (LIKE sync.interface_row INCLUDING ALL)")
        with steps.timed("feed"):
            newest = _read_feed(session, base, start, page, steps)
        steps.requests = steps.pages
        keys = list(newest)
        for begin in range(0, len(keys), batch):
            with steps.timed("batches"):
                rows = _read_batch(session, base, keys[begin : begin + batch], detail)
            with steps.timed("store"):
                _store(conn, rows, newest)
            steps.requests += 1
            steps.records += len(rows)
    return steps


def _read_feed(session: requests.Session, base: str, start: int, page: int, steps: BareSteps) -> dict[str, Any]:
    newest: dict[str, Any] = {}
    following = str(start)
    while following != "none":
        params = {"start": following, "limit": str(page), "evidence": "adresar"}
        answer = session.get(f"{base}/changes.json", params=params).json()["winstrom"]
        steps.pages += 1
        newest.update((change["id"], change) for change in answer["changes"])
        following = answer["next"]
    return newest


def _read_batch(session: requests.Session, base: str, keys: Sequence[str], detail: str) -> list[dict[str, Any]]:
    params = {"detail": detail, "limit": "0", "filtrovat-platnost": "false"}
    body = {"winstrom": {"id": [int(key) for key in keys]}}
    rows: list[dict[str, Any]] = session.post(f"{base}/adresar/get.json", params=params, json=body).json()["winstrom"][
        "adresar"
    ]
    return rows


def _store(conn: psycopg.Connection[Any], rows: Sequence[dict[str, Any]], newest: dict[str, Any]) -> None:
    with conn.transaction(), conn.cursor() as cur:
        cur.execute(_STAGING)
        with cur.copy("COPY bare_staging FROM STDIN") as copy:
            for row in rows:
                key = str(row["id"])
                change = newest[key]
                version = int(change["@in-version"])
                payload, ids = json.dumps(row), json.dumps(row.get("external-ids", []))
                window = f"{version // 10_000 * 10_000:012}"
                copy.write_row((key, "adresar", change["@operation"], version, window, payload, _ANY_HASH, ids))
        cur.execute(_UPSERT)
