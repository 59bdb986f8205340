"""The same landing with dlt: its incremental cursor on the feed, payloads fetched in threads, merged by key.

`tuned` is what its pages on performance and on the PostgreSQL destination advise: whole batches are yielded, as
Arrow tables, which pass its normalising by; they are loaded by COPY from CSV; payloads are one column, not taken
apart into tables; batches are fetched in parallel; telemetry and its log are off. Otherwise its own defaults are
taken, still with one column for the payload.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from sync_orchestration_tests.benchmarks.stand_ins import PASSWORD, USER

DATASET, TABLE = "by_dlt", "partners"


class DltLanding:
    """A pipeline whose tables exist already, as ours do, and that has not read the feed yet."""

    def __init__(self, flexi_url: str, start: int, detail: str, batch: int, page: int, *, tuned: bool) -> None:
        self.base = f"{flexi_url}/c/demo"
        self.start = start
        self.params = {"detail": detail, "limit": "0", "filtrovat-platnost": "false"}
        self.batch = batch
        self.page = page
        self.tuned = tuned
        self.requests = 0
        self.session = requests.Session()
        self.session.auth = (USER, PASSWORD)
        self.session.trust_env = False

    def run(self, pipeline: Any, *, only_pages: int | None = None) -> None:
        """Land what is new; with `only_pages` no more than so many of the feed."""
        import dlt  # noqa: PLC0415 - of the group `bench`, which only this process needs

        changes = dlt.resource(
            self._changes(dlt.sources.incremental("version", initial_value=self.start, range_start="open")),
            name="changes",
        )(only_pages)

        def fetched(notices: list[dict[str, Any]]) -> Any:
            return self._payloads(notices)

        payloads = dlt.transformer(
            fetched,
            name=TABLE,
            parallelized=True,
            primary_key="id",
            write_disposition="merge",
            max_table_nesting=0,
            columns={} if self.tuned else {"payload": {"data_type": "json"}},
        )
        options = {"loader_file_format": "csv"} if self.tuned else {}
        pipeline.run(changes | payloads, **options).raise_on_failed_jobs()

    def _changes(self, cursor: Any) -> Any:
        def changes(only_pages: int | None, cursor: Any = cursor) -> Iterator[list[dict[str, Any]]]:
            newest: dict[str, dict[str, Any]] = {}
            for number, page in enumerate(self._pages(cursor.last_value)):
                if number == only_pages:
                    break
                newest.update((row["id"], row) for row in page)
            rows = [
                {"id": row["id"], "version": int(row["@in-version"]), "operation": row["@operation"]}
                for row in newest.values()
            ]
            for begin in range(0, len(rows), self.batch):
                yield rows[begin : begin + self.batch]

        return changes

    def _pages(self, start: int) -> Iterator[list[dict[str, Any]]]:
        following = str(start)
        while following != "none":
            params = {"start": following, "limit": str(self.page), "evidence": "adresar"}
            answer = self.session.get(f"{self.base}/changes.json", params=params).json()["winstrom"]
            self.requests += 1
            yield answer["changes"]
            following = answer["next"]

    def _payloads(self, changes: list[dict[str, Any]]) -> Any:
        known = {change["id"]: change for change in changes}
        body = {"winstrom": {"id": [int(key) for key in known]}}
        answer = self.session.post(f"{self.base}/adresar/get.json", params=self.params, json=body)
        self.requests += 1
        rows = answer.json()["winstrom"]["adresar"]
        if not self.tuned:
            return [{**known[row["id"]], "payload": row} for row in rows]
        import pyarrow as pa  # noqa: PLC0415 - as dlt

        return pa.table(
            {
                "id": [row["id"] for row in rows],
                "version": [known[row["id"]]["version"] for row in rows],
                "operation": [known[row["id"]]["operation"] for row in rows],
                "payload": [json.dumps(row, ensure_ascii=False) for row in rows],
            }
        )


@contextmanager
def pipeline_into(database_url: str) -> Iterator[Any]:
    """Open a pipeline into a database, its state in a temporary folder."""
    os.environ |= {
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "CRITICAL",
        "NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_LOAD_ID": "false",
    }
    import dlt  # noqa: PLC0415 - as above

    with TemporaryDirectory(prefix="dlt-") as folder:
        yield dlt.pipeline(
            "peer",
            pipelines_dir=folder,
            destination=dlt.destinations.postgres(credentials=_credentials(database_url)),
            dataset_name=DATASET,
        )


def _credentials(database_url: str) -> str:
    """Return the address as dlt reads it: with a host and a password, though the socket in the query decides."""
    parts = urlsplit(database_url)
    query = parse_qs(parts.query)
    return f"postgresql://{parts.username}:none@localhost{parts.path}?host={query['host'][0]}&port={query['port'][0]}"
