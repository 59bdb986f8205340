"""All five systems over real HTTP, every secret a word of its own, and servers that say whatever a test lets them."""

import base64
import gc
import html
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import dagster as dg
import psycopg
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from sync_orchestration.components.database import InterfaceDatabase
from sync_orchestration.components.headless import RunReport, bring_up_to_date
from sync_orchestration.components.intake import intake_settings, references
from sync_orchestration.components.record_views import record_views
from sync_orchestration.definitions import Project
from sync_orchestration.intake import intake_app
from sync_orchestration.sandbox.alfresco import AlfrescoWorld, alfresco_app
from sync_orchestration.sandbox.flexi import FlexiWorld, flexi_app
from sync_orchestration.sandbox.kontur import KonturWorld, kontur_app
from sync_orchestration.sandbox.odoo import OdooWorld, odoo_app
from sync_orchestration.sandbox.odoo.access import Role
from sync_orchestration.sandbox.rest import RestWorld, rest_app
from sync_orchestration.sandbox.server import serve

SECRETS = {
    "FLEXI_PASSWORD": 'flexi-geheim ž%/"7f3a<&9c',
    "ODOO_API_KEY": "odoo-geheim-1b6d0c7e44aa9f",
    "ALFRESCO_PASSWORD": "alfresco-geheim\\5e/2+8=0d",
    "KONTUR_KEY": "kontur-geheim-90d3f1a2b7c6",
    "REST_TOKEN": "rest-geheim-6a1f~c08.d5e9_b",
    "INTAKE_TOKEN": "intake-geheim-2d7c91e0ab34",
    "INTAKE_OPERATOR_TOKEN": "operator-geheim-8e5f0b3d92a6",
    "INTAKE_HOOK_SECRET": "hook-geheim-c4b8a6f21e07",
}
NOTIFY_PASSWORD, NOTIFY_TOKEN = "notify-geheim-77ab", "notifygeheim0123456789abcdef"
DATABASE_PASSWORD = "database-geheim-3f9e"
EVERY_SECRET = (*SECRETS.values(), NOTIFY_PASSWORD, NOTIFY_TOKEN, DATABASE_PASSWORD)

SYSTEMS = ("flexi", "odoo", "alfresco", "kontur", "rest")
SYNCS = ("flexi_partners", "contractors", "contractor_partners", "odoo_to_rest", "rest_to_odoo", "intake_partners")


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def forms(secret: str) -> set[str]:
    """How a secret may be told: plain, in URLs, JSON, HTML, and whatever a base64 text has of it for certain."""
    found = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), html.escape(secret)}
    found |= {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    return found | {_encoded("x" * before + secret)[4:-4] for before in range(3)}


FORMS = {form: secret for secret in EVERY_SECRET for form in forms(secret)}
_ANY = re.compile("|".join(re.escape(form) for form in sorted(FORMS, key=len, reverse=True)))


def secrets_in(text: str) -> set[str]:
    """The secrets that stand in a text, in whatever form; JSON within JSON is looked into."""
    inner = text.replace("\\\\", "\\").replace('\\"', '"')
    return {FORMS[found] for variant in {text, inner} for found in _ANY.findall(variant)}


def written(secret: str) -> list[str]:
    """A secret as servers write it: in every plain form, and whole in base64, alone or with a user."""
    cores = {_encoded("x" * before + secret)[4:-4] for before in range(3)}
    return [*sorted(forms(secret) - cores), *(_encoded(user + secret) for user in ("", "sync:", "admin:"))]


def spoken() -> str:
    """Every secret in every form, as a careless server repeats what it was sent."""
    return "; ".join(form for secret in EVERY_SECRET for form in written(secret))


@dataclass
class Voice:
    """Plays an app; while `answers` is set, it says that instead, after so many requests have passed."""

    app: ASGIApp
    answer: Callable[[str], Response | None] | None = None
    passing: int = 0
    asked: list[tuple[str, str, Any]] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw, more = b"", True
        while more:
            message = await receive()
            raw += message.get("body", b"")
            more = message.get("more_body", False)
        self.asked.append((scope["method"], scope["path"], json.loads(raw) if raw else None))
        given = [{"type": "http.request", "body": raw, "more_body": False}]

        async def replay() -> Any:
            return given.pop() if given else await receive()

        self.passing -= 1
        said = self.answer(scope["path"]) if self.answer and self.passing < 0 else None
        await (said or self.app)(scope, replay, send)


@dataclass
class House:
    """The project with all its systems; what people and triggers do with it, and all that it leaves behind."""

    project: Project
    instance: dg.DagsterInstance
    conn: psycopg.Connection[Any]
    voices: dict[str, Voice]
    state: Path
    urls: dict[str, str]
    odoo: OdooWorld
    intake_url: str
    heard: list[str] = field(default_factory=list)

    def sync(self, name: str) -> RunReport:
        report = bring_up_to_date(
            self.instance, self.project.definitions, self.project.syncs[name], self.project.connections
        )
        self.heard.append(repr(report))
        return report

    def tick(self, name: str, cursor: str | None = None) -> None:
        """Evaluate a sensor once, as the daemon does."""
        resources = {"interface": InterfaceDatabase(), **self.project.connections}
        definitions = self.project.definitions
        context = dg.build_sensor_context(
            instance=self.instance, resources=resources, definitions=definitions, cursor=cursor
        )
        self.heard.append(repr(definitions.resolve_sensor_def(name).evaluate_tick(context)))

    def job(self, name: str, **ops: Any) -> dg.ExecuteInProcessResult:
        quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        config = {op: {"config": values} for op, values in ops.items()}
        return self.project.definitions.resolve_job_def(name).execute_in_process(
            instance=self.instance, run_config={**quiet, "ops": config}, raise_on_error=False
        )

    def give_role(self, role: Role) -> None:
        """Give Odoo's user other groups."""
        user = self.odoo.users[self.odoo.bot.uid]
        self.odoo.users[user.uid] = self.odoo.bot = replace(user, role=role)

    def say(self, answer: Callable[[str], Response | None] | None, passing: int = 0, *systems: str) -> None:
        """Let systems (default: all) answer so from now on, after some requests have passed."""
        for name in systems or SYSTEMS:
            self.voices[name].answer, self.voices[name].passing = answer, passing

    def database(self) -> Iterator[tuple[str, str]]:
        """Every row of every table of the database as text, Dagster's own tables too."""
        tables = self.conn.execute(
            "SELECT table_schema, table_name FROM information_schema.tables "
            "WHERE table_schema IN ('sync', 'public') AND table_type = 'BASE TABLE'"
        ).fetchall()
        for schema, table in tables:
            for (row,) in self.conn.execute(f'SELECT t::text FROM "{schema}"."{table}" t'.encode()):
                yield f"{schema}.{table}", row

    def files(self) -> Iterator[tuple[str, str]]:
        for file in self.state.rglob("*"):
            if file.is_file() and "postgres" not in file.parts:
                yield str(file), file.read_text(encoding="utf-8", errors="replace")


def build(
    stack: ExitStack,
    project: Project,
    instance: dg.DagsterInstance,
    conn: psycopg.Connection[Any],
    url: str,
    state: Path,
    setenv: Callable[[str, str], None],
    *,
    odoo: int = 19,
    role: Role = "administrator",
    size: int = 40,
) -> House:
    """Start everything for the time of `stack`."""
    flexi = FlexiWorld.demo(partners=size)
    flexi.password = SECRETS["FLEXI_PASSWORD"]
    theirs = OdooWorld.demo(odoo, api_key=SECRETS["ODOO_API_KEY"], role=role)
    alfresco = AlfrescoWorld.demo(contractors=100)
    alfresco.heal("write_denied", *alfresco.planted["write_denied"])
    alfresco.users = {"admin": SECRETS["ALFRESCO_PASSWORD"]}
    kontur = KonturWorld.demo(contractors=100)
    kontur.key = SECRETS["KONTUR_KEY"]
    crm = RestWorld.demo(contacts=size)
    crm.access.token = SECRETS["REST_TOKEN"]
    apps = (flexi_app(flexi), odoo_app(theirs), alfresco_app(alfresco), kontur_app(kontur), rest_app(crm))
    voices = {name: Voice(app) for name, app in zip(SYSTEMS, apps, strict=True)}
    urls = {name: stack.enter_context(serve(voice)) for name, voice in voices.items()}
    for name, value in {
        **SECRETS,
        "SYNC_POSTGRES_URL": url,
        **{f"{name.upper()}_URL": address for name, address in urls.items()},
        "FLEXI_COMPANY": "demo",
        "FLEXI_USER": "sync",
        "ODOO_DATABASE": "odoo",
        "ODOO_USER": "sync",
        "ALFRESCO_USER": "admin",
    }.items():
        setenv(name, value)
    assert project.intake is not None
    app = intake_app(
        intake_settings(project.intake, project.syncs, "http://localhost"),
        url,
        references(project.syncs, project.connections),
        record_views(project.syncs, project.connections),
    )
    stack.callback(app.close)
    stack.callback(gc.collect)
    return House(project, instance, conn, voices, state, urls, theirs, stack.enter_context(serve(app)))


def lines(found: Sequence[tuple[str, str]]) -> list[str]:
    """What leaked, and where: for the message of an assertion."""
    return sorted({f"{where}: {sorted(leaked)}" for where, text in found if (leaked := secrets_in(text))})
