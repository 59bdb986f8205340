"""A served intake for tests: its settings, its target, and short forms of its calls."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import requests
from psycopg.rows import dict_row

from sync_orchestration.intake import (
    FieldContract,
    Hook,
    IntakeSettings,
    Limits,
    References,
    RelatedModel,
    Sender,
    SyncContract,
    TargetUnreachableError,
    intake_app,
)
from sync_orchestration.intake.doorkeeper import digest_of
from sync_orchestration.interface.database import connect
from sync_orchestration.mapping.records import Reference
from sync_orchestration.sandbox.server import serve

SHOP_TOKEN, SHOP_NEXT_TOKEN = "token-of-the-shop", "next-token-of-the-shop"
CRM_TOKEN = "token-of-the-crm"
FEED_SECRET, RECORD_SECRET = "secret-of-the-feed", "secret-of-the-records"
COUNTRY = RelatedModel("res.country", "code")

PARTNERS = SyncContract(
    name="partners",
    entity="partner",
    description="Business partners.",
    fields=(
        FieldContract("name", required=True, max_length=50, description="As on invoices."),
        FieldContract("email", format="email"),
        FieldContract("country", reference=COUNTRY, example="CZ"),
        FieldContract("number", matches="^[0-9]{8}$", example="27082440"),
        FieldContract("kind", one_of=("company", "person")),
        FieldContract("employees", type="integer"),
        FieldContract("turnover", type="number"),
        FieldContract("active", type="boolean"),
        FieldContract("founded", type="date"),
        FieldContract("seen", type="datetime"),
        FieldContract("tags", type="list"),
        FieldContract("address", type="object"),
        FieldContract("parent", same_sync=True),
    ),
)
NOTES = SyncContract(name="notes", entity="note", fields=(), unknown_fields="keep")

SETTINGS = IntakeSettings(
    contracts=(PARTNERS, NOTES),
    senders=(
        Sender("shop", (f"sha256:{digest_of(SHOP_TOKEN).hex()}", SHOP_NEXT_TOKEN), frozenset({"partners", "notes"})),
        Sender("crm", (CRM_TOKEN,), frozenset({"partners"})),
    ),
    hooks=(
        Hook("feed", "demo", (FEED_SECRET,), header="X-Secret"),
        Hook("records", "partners_out", (RECORD_SECRET,), key_field="_id"),
    ),
    limits=Limits(calls_per_second=10_000, burst=10_000),
)


@dataclass
class Directory:
    """The target's related records; counts how often it is asked, and can be away."""

    known: set[str] = field(default_factory=lambda: {"CZ", "SK"})
    asked: list[list[Reference]] = field(default_factory=list)
    away: bool = False

    def missing(self, wanted: Sequence[Reference]) -> Collection[Reference]:
        self.asked.append(list(wanted))
        if self.away:
            raise TargetUnreachableError("the target does not answer")
        return [reference for reference in wanted if reference.value not in self.known]


@dataclass
class Intake:
    """A served intake. `rows` and `wakes` look into its database."""

    url: str
    database_url: str
    target: Directory
    session: requests.Session

    def post(self, path: str, body: Any = None, *, token: str | None = SHOP_TOKEN, **how: Any) -> requests.Response:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        headers |= how.pop("headers", {})
        if not isinstance(body, str | bytes | None):
            how["json"] = body
        elif body is not None:
            how["data"] = body
        return self.session.post(self.url + path, headers=headers, timeout=60, **how)

    def get(self, path: str, *, token: str | None = SHOP_TOKEN) -> requests.Response:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return self.session.get(self.url + path, headers=headers, timeout=60)

    def push(self, *records: Any, sync: str = "partners", token: str = SHOP_TOKEN, **more: Any) -> requests.Response:
        return self.post(f"/v1/{sync}/records", {"records": list(records), **more}, token=token)

    def outcomes(self, *records: Any, **how: Any) -> list[str]:
        """Push records and return what became of each."""
        answer = self.push(*records, **how)
        told = answer.json()
        report = told["error"]["report"] if "error" in told else told
        return [record["outcome"] for record in report["records"]]

    def rpc(
        self, method: str, params: Any = None, *, request_id: Any = 1, token: str = SHOP_TOKEN
    ) -> requests.Response:
        call = {"jsonrpc": "2.0", "method": method, "id": request_id}
        return self.post("/rpc", call if params is None else {**call, "params": params}, token=token)

    def rows(self) -> dict[str, dict[str, Any]]:
        with connect(self.database_url) as conn, conn.cursor(row_factory=dict_row) as cur:
            found = cur.execute("SELECT * FROM sync.interface_row ORDER BY record_key").fetchall()
        return {row["record_key"]: row for row in found}

    def wakes(self) -> list[tuple[str, str, str]]:
        with connect(self.database_url) as conn:
            return conn.execute("SELECT kind, name, record_key FROM sync.wake ORDER BY 1, 2, 3").fetchall()

    def sql(self, statement: str, *values: Any) -> None:
        with connect(self.database_url) as conn:
            conn.execute(statement.encode(), values)

    def fetch(self, statement: str) -> list[tuple[Any, ...]]:
        with connect(self.database_url) as conn:
            return conn.execute(statement.encode()).fetchall()


@contextmanager
def serve_intake(
    database_url: str, settings: IntakeSettings = SETTINGS, target: References | None = None
) -> Iterator[Intake]:
    """Serve an intake until the block ends; its target is a directory unless another is given."""
    directory = Directory()
    references = {one.name: target or directory for one in settings.contracts if one.has_references}
    app = intake_app(settings, database_url, references)
    try:
        with serve(app) as url, requests.Session() as session:
            yield Intake(url, database_url, directory, session)
    finally:
        app.close()


def with_limits(**limits: Any) -> IntakeSettings:
    return replace(SETTINGS, limits=replace(SETTINGS.limits, **limits))


def partner(key: str, name: str | None = "Acme", *, operation: str | None = None, **more: Any) -> dict[str, Any]:
    """A record as it is pushed; what is not of the envelope goes into its data."""
    version = more.pop("version", None)
    record: dict[str, Any] = {"key": key, "data": {"name": name, **more}}
    if operation is not None:
        record["operation"] = operation
    if version is not None:
        record["version"] = version
    return record
