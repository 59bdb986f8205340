"""A served record browser for tests: its people, its rows, and how one reads its pages."""

import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
import requests

from sync_orchestration.intake import Comparison, IntakeSettings, Mapped, Operator, SyncView, intake_app
from sync_orchestration.intake.doorkeeper import digest_of
from sync_orchestration.interface.database import connect
from sync_orchestration.interface.rows import (
    LandedRecord,
    Payload,
    Scope,
    Settlement,
    Status,
    claim,
    hire_worker,
    land,
    settle,
)
from sync_orchestration.interface.single import WholeRow
from sync_orchestration.mapping.diff import payload_hash
from sync_orchestration.mapping.records import RecordError
from sync_orchestration.sandbox.server import serve

OPERATOR, VIEWER = "token-of-the-operator", "token-of-the-viewer"
SETTINGS = IntakeSettings(
    contracts=(),
    senders=(),
    operators=(
        Operator("olga", (f"sha256:{digest_of(OPERATOR).hex()}",), "operate"),
        Operator("viktor", (VIEWER,), "look"),
    ),
    dagster_url="https://dagster.example",
)
SYNC, SOURCE = "partners", "flexi"
_MARK = re.compile(r'name="mark" value="([^"]*)"')


@dataclass
class Told:
    """What the sync's view tells, as a test wants it; `asked` counts how often the target was compared."""

    mapped: Mapped = field(default_factory=lambda: Mapped({"name": "Alfa"}))
    comparison: Comparison | Exception = field(default_factory=lambda: Comparison("unchanged"))
    source_page: str | None = None
    target_page: str | None = None
    asked: int = 0

    def compare(self, _conn: psycopg.Connection[Any], _row: WholeRow) -> Comparison:
        self.asked += 1
        if isinstance(self.comparison, Exception):
            raise self.comparison
        return self.comparison


@dataclass
class Library:
    """A served record browser."""

    url: str
    conn: psycopg.Connection[Any]
    told: Told

    def as_program(self, token: str | None = OPERATOR) -> "Reader":
        """Somebody who sends a bearer token with each request."""
        session = requests.Session()
        if token is not None:
            session.headers["Authorization"] = f"Bearer {token}"
        return Reader(self.url, session)

    def logged_in(self, token: str = OPERATOR) -> "Reader":
        """Somebody who has logged in at the page."""
        reader = self.as_program(None)
        answer = reader.session.post(f"{self.url}/records/login", data={"token": token, "next": "/records"}, timeout=30)
        assert answer.status_code == 200, answer.text
        return reader

    def lands(self, key: str, payload: Payload | None = None, *, position: int = 1, **how: Any) -> None:
        content: Payload = {"name": f"Partner {key}"} if payload is None else payload
        record = LandedRecord(key, "adresar", "update", position, "000000000000", content, payload_hash(content))
        force = how.pop("force", False)
        where = {"sync": SYNC, "source_system": SOURCE, **how}
        with self.conn.transaction():
            land(self.conn, run_id="run-1", records=[record], force=force, **where)

    def settles(self, key: str, status: Status, **how: Any) -> None:
        """Have a record written, or fail; `how` are the fields of its settlement."""
        sync = how.pop("sync", SYNC)
        worker = hire_worker(self.conn, "run-2")
        (row,) = claim(worker, sync, Scope(keys=[key]), 1)
        with self.conn.transaction():
            settle(worker, sync=sync, target_system="odoo", settlements=[Settlement(row, status, **how)])

    def fails(self, key: str, payload: Payload | None = None, **how: Any) -> None:
        """Land a record that was refused."""
        sync = how.pop("sync", SYNC)
        self.lands(key, payload, sync=sync)
        why = {"error_code": "email", "error_field": "email", "error_message": "nowhere is no address", **how}
        self.settles(key, "failed", sync=sync, **why)

    def status(self, key: str) -> str:
        found = self.conn.execute("SELECT status FROM sync.interface_row WHERE record_key = %s", [key]).fetchone()
        assert found is not None
        return str(found[0])

    def wakes(self) -> list[tuple[str, str, str]]:
        return self.conn.execute("SELECT kind, name, record_key FROM sync.wake ORDER BY 1, 2, 3").fetchall()

    def words(self) -> list[tuple[str, str, str]]:
        """Every person's word that is remembered: about which record, what, and who."""
        return self.conn.execute(
            "SELECT record_key, operation, error FROM sync.interface_attempt WHERE status = 'asked' ORDER BY id"
        ).fetchall()


@dataclass
class Reader:
    """A person or a program at the record browser."""

    url: str
    session: requests.Session

    def get(self, path: str = "/records", **params: str) -> requests.Response:
        return self.session.get(self.url + path, params=params, timeout=30, allow_redirects=False)

    def text(self, path: str = "/records", **params: str) -> str:
        """A page as one reads it."""
        answer = self.get(path, **params)
        assert answer.status_code == 200, answer.text
        return seen(answer.text)

    def keys(self, **params: str) -> list[str]:
        """The records of a page, in its order."""
        return keys_of(self.get(**params).text)

    def press(self, path: str, form: dict[str, str], *, mark_of: str = "/records") -> requests.Response:
        """Send a form with the mark of a page that was opened before."""
        found = _MARK.search(self.get(mark_of).text)
        assert found is not None
        return self.session.post(self.url + path, data={**form, "mark": found[1]}, timeout=30, allow_redirects=False)


def about(key: str, **more: str) -> dict[str, str]:
    return {"sync": SYNC, "source_system": SOURCE, "key": key, **more}


def keys_of(page: str) -> list[str]:
    found = re.findall(r'data-label="Key"><a href="[^"]*">([^<]*)</a>', page)
    return [html.unescape(key) for key in found]


def seen(page: str) -> str:
    """The text of a page, tags left out."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


@contextmanager
def serve_library(database_url: str, settings: IntakeSettings = SETTINGS, **views: SyncView) -> Iterator[Library]:
    """Serve a record browser until the block ends."""
    told = Told()
    own = SyncView(
        map=lambda _conn, _row: told.mapped,
        compare=told.compare,
        source_link=lambda _row: told.source_page,
        target_link=lambda _row: told.target_page,
        sensitive=frozenset({"password", "pin"}),
    )
    app = intake_app(settings, database_url, {}, {SYNC: own, **views})
    try:
        with serve(app) as url, connect(database_url) as conn:
            yield Library(url, conn, told)
    finally:
        app.close()


def without_operators() -> IntakeSettings:
    return replace(SETTINGS, operators=())


def wrong(field_name: str, message: str) -> RecordError:
    return RecordError("email", field_name, message)
