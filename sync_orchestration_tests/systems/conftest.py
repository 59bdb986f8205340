"""One HTTP server for the folder, into which each test plugs the stand-in or the script that it needs."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from sync_orchestration.pipeline.protocols import CurrentRecord, Outcome, TargetRecord
from sync_orchestration.sandbox.faults import FaultRule
from sync_orchestration.sandbox.flexi import Company, FlexiSwitches, FlexiWorld, flexi_app
from sync_orchestration.sandbox.odoo import OdooSwitches, OdooWorld, odoo_app
from sync_orchestration.sandbox.server import serve
from sync_orchestration.systems.flexi import FlexiClient, FlexiSource
from sync_orchestration.systems.http import HttpClient, HttpSettings
from sync_orchestration.systems.odoo.client import OdooClient
from sync_orchestration.systems.odoo.target import OdooTarget
from sync_orchestration_tests.systems.repositories import Repository, repository

PARTNER = "res.partner"
KEY = "key-of-the-sync-user"
PASSWORD = "tajné-heslo 100%/ž"


@dataclass
class Switchboard:
    """The server of the folder; every test plugs in its own app."""

    url: str = ""
    app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.app is not None
        await self.app(scope, receive, send)


@pytest.fixture(scope="session")
def board() -> Iterator[Switchboard]:
    found = Switchboard()
    with serve(found) as url:
        found.url = url
        yield found


@pytest.fixture(autouse=True)
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Whoever wants to sleep is only written down; the seconds that were asked for."""
    asked: list[float] = []
    monkeypatch.setattr(time, "sleep", asked.append)
    return asked


@dataclass
class Script:
    """An app that gives prepared answers in turn, the last one again and again, and remembers the requests."""

    answers: Sequence[Response | Callable[[Any], Response]]
    asked: list[str] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await request.body()
        query = f"?{request.url.query}" if request.url.query else ""
        self.asked.append(f"{request.method} {request.url.path}{query}")
        answer = self.answers[min(len(self.asked), len(self.answers)) - 1]
        response = answer if isinstance(answer, Response) else answer(json.loads(body or b"null"))
        await response(scope, receive, send)


def as_json(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(json.dumps(body), status, dict(headers or {}), "application/json")


def winstrom(**members: Any) -> Response:
    return as_json({"winstrom": {name.replace("global_", "@global"): value for name, value in members.items()}})


@dataclass
class Flexi:
    """A Flexi server with the company `demo`, and clients of it."""

    world: FlexiWorld
    company: Company
    url: str
    tries: int = 3

    def client(
        self,
        feed_format: Literal["json", "xml"] = "json",
        *,
        company: str = "demo",
        password: str = PASSWORD,
        **settings: Any,
    ) -> FlexiClient:
        settings = {"auth": ("sync", password), "tries": self.tries, "first_delay": 0.0, **settings}
        http = HttpClient(HttpSettings(name="Flexi", base_url=self.url, secrets=(password,), **settings))
        return FlexiClient(http, company, feed_format)

    def source(self, feed_format: Literal["json", "xml"] = "json", **settings: Any) -> FlexiSource:
        return FlexiSource(self.client(feed_format), "adresar", **settings)

    def switch(self, **changes: Any) -> None:
        self.world.change_switches(changes)

    def fault(self, kind: Any, path: str = ".*", **rule: Any) -> None:
        self.world.faults.add(FaultRule(kind=kind, path=path, **rule))

    def partner(self, code: str, ext_ids: Sequence[str] = (), **fields: Any) -> str:
        number = self.company.create("adresar", {"kod": code, "nazev": f"Firma {code}", **fields}, ext_ids=ext_ids)
        return str(number)

    @property
    def requests(self) -> int:
        return sum(self.world.faults.requests.values())


@pytest.fixture
def flexi(board: Switchboard) -> Flexi:
    world = FlexiWorld(seed=3, password=PASSWORD, switches=FlexiSwitches(version_gaps=False))
    company = world.add_company("demo", changes_enabled=False)
    for code, name in (("CZ", "Česká republika"), ("SK", "Slovensko")):
        company.create("stat", {"kod": code, "nazev": name})
    company.enable_changes()
    board.app = flexi_app(world)
    return Flexi(world, company, board.url)


@dataclass
class Odoo:
    """An Odoo of one version, spoken to in one dialect, and a target for its partners."""

    world: OdooWorld
    url: str
    secret: str
    dialect: Literal["json-rpc", "json-2"]
    warnings: list[str] = field(default_factory=list)

    def client(
        self, *, secret: str | None = None, database: str = "odoo", user: str = "sync", **settings: Any
    ) -> OdooClient:
        given = self.secret if secret is None else secret
        settings = {"tries": 3, "first_delay": 0.0, **settings}
        http = HttpClient(HttpSettings(name="Odoo", base_url=self.url, secrets=(given,), **settings))
        return OdooClient(http, database, user, given)

    def target(self, *fields: str, client: OdooClient | None = None, **settings: Any) -> OdooTarget:
        return OdooTarget(
            client or self.client(),
            PARTNER,
            fields or ("name",),
            "flexi_demo",
            warn=self.warnings.append,
            **settings,
        )

    def switch(self, **changes: Any) -> None:
        self.world.switches = OdooSwitches.model_validate({**self.world.switches.model_dump(), **changes})

    def fault(self, kind: Any, path: str = ".*", **rule: Any) -> None:
        self.world.faults.add(FaultRule(kind=kind, path=path, **rule))

    def create(self, **values: Any) -> int:
        made = self.world.call(PARTNER, "create", [values])
        return int(made[0] if isinstance(made, list) else made)

    def read(self, target_id: Any, *names: str) -> dict[str, Any]:
        found = self.world.call(PARTNER, "read", [int(target_id)], list(names))
        return dict(found[0]) if found else {}

    def country(self, code: str) -> int:
        return int(self.world.call("res.country", "search", [["code", "=", code]])[0])

    def external_id(self, target_id: Any) -> str:
        found = self.world.call(PARTNER, "get_external_id", [int(target_id)])
        return str(found[str(target_id)])

    def link(self, target_id: int, name: str, model: str = PARTNER) -> None:
        values = {"module": "flexi_demo", "name": name, "model": model, "res_id": target_id}
        self.world.call("ir.model.data", "create", [values])

    def partners(self, *domain: Any) -> list[int]:
        found = self.world.call(PARTNER, "search", list(domain), context={"active_test": False})
        return [int(i) for i in found]

    @property
    def requests(self) -> int:
        return sum(self.world.faults.requests.values())


DIALECTS = {
    "odoo 18": (18, PASSWORD, "json-rpc"),
    "odoo 19 with an API key": (19, KEY, "json-2"),
    "odoo 19 with a password": (19, PASSWORD, "json-rpc"),
}


def open_odoo(board: Switchboard, name: str, **world: Any) -> Odoo:
    version, secret, dialect = DIALECTS[name]
    made = OdooWorld(version, password=PASSWORD, api_key=KEY, **world)
    board.app = odoo_app(made)
    return Odoo(made, board.url, secret, dialect)  # type: ignore[arg-type]


@pytest.fixture(params=list(DIALECTS))
def odoo(request: pytest.FixtureRequest, board: Switchboard) -> Odoo:
    """The same test for each way in which Odoo is spoken to."""
    return open_odoo(board, request.param)


@pytest.fixture
def odoo18(board: Switchboard) -> Odoo:
    return open_odoo(board, "odoo 18")


@pytest.fixture
def odoo19(board: Switchboard) -> Odoo:
    return open_odoo(board, "odoo 19 with an API key")


def record(key: str, target_id: str | None = None, **values: Any) -> TargetRecord:
    return TargetRecord(key, f"adresar_{key}", values, target_id)


def written(target: OdooTarget, *records: TargetRecord) -> dict[str, Outcome]:
    """What a pass does: look, then write what is asked for."""
    current = target.current(records)
    found = {key: one for key, one in current.items() if isinstance(one, CurrentRecord)}
    assert found.keys() == current.keys(), current
    return dict(target.upsert(records, found))


def target_id(outcome: Outcome) -> int:
    """The id of a record that was written without an error."""
    assert outcome.error is None
    assert outcome.target_id is not None
    return int(outcome.target_id)


@pytest.fixture(params=["alfresco", "citeck"])
def repo(request: pytest.FixtureRequest, board: Switchboard) -> Repository:
    """The same test in both dialects."""
    return repository(board, request.param)


@pytest.fixture
def v1(board: Switchboard) -> Repository:
    return repository(board, "alfresco")


@pytest.fixture
def citeck(board: Switchboard) -> Repository:
    return repository(board, "citeck")
