"""What docs/extending.md says, done literally: two files are copied into a fresh folder, and a new system is there."""

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest

from sync_orchestration.components.database import InterfaceDatabase
from sync_orchestration.components.headless import RunReport, bring_up_to_date
from sync_orchestration.components.health import check_connections
from sync_orchestration.components.kinds import open_source, open_target
from sync_orchestration.definitions import Project, load_project
from sync_orchestration.interface.database import connect
from sync_orchestration.interface.rows import counts_by_status, failing_rows
from sync_orchestration.interface.state import read_state
from sync_orchestration.pipeline.conformance import check_source, check_target
from sync_orchestration.pipeline.errors import ConfigurationError
from sync_orchestration.pipeline.protocols import TargetRecord
from sync_orchestration.sandbox.server import serve
from sync_orchestration_tests.examples.ticket_desk import TOKEN, Desk

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLE = DOCS / "examples" / "tickets"
SYNC = "tickets"
TICKETS = 120
"""Three pages of the example, two batches."""

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass
class Place:
    """Two desks, a user's folder with a copy of the example, and what he does with them."""

    folder: Path
    help_desk: Desk
    field_desk: Desk
    instance: dg.DagsterInstance
    conn: psycopg.Connection[Any]

    @property
    def project(self) -> Project:
        return load_project()

    def run(self) -> RunReport:
        project = self.project
        return bring_up_to_date(self.instance, project.definitions, project.syncs[SYNC], project.connections)

    def change(self, file: str, old: str, new: str) -> None:
        path = self.folder / SYNC / file
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    @property
    def counts(self) -> dict[str, int]:
        return counts_by_status(self.conn, SYNC).get(SYNC, {})

    def copied(self) -> dict[str, tuple[str, str | None, str]]:
        """Title, customer and state by number, as the field desk has them."""
        return {n: (t["title"], t["customer"], t["state"]) for n, t in self.field_desk.tickets.items()}


@pytest.fixture
def place(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    folder = tmp_path / "my_syncs"
    folder.mkdir()
    shutil.copytree(EXAMPLE, folder / SYNC, ignore=shutil.ignore_patterns("__pycache__"))
    first, second = Desk(), Desk("desk-2")
    for number in range(1, TICKETS + 1):
        first.put(f"T-{number:03}", title=f"Printer {number} is on fire", customer="Alfa Trade")
    monkeypatch.setenv("SYNC_DEFS_DIR", str(folder))
    with ExitStack() as stack:
        for name, desk in (("HELP_DESK", first), ("FIELD_DESK", second)):
            monkeypatch.setenv(f"{name}_URL", stack.enter_context(serve(desk.app())))
            monkeypatch.setenv(f"{name}_TOKEN", TOKEN)
        instance = stack.enter_context(dg.DagsterInstance.ephemeral())
        yield Place(folder, first, second, instance, stack.enter_context(connect(database_url)))


def test_creates_updates_and_deletes_of_a_users_own_system_arrive_and_a_second_run_writes_nothing(place: Place) -> None:
    report = place.run()
    assert report.problem is None
    assert place.counts == {"processed": TICKETS}
    assert place.copied()["T-007"] == ("Printer 7 is on fire", "Alfa Trade", "open")
    assert report.requests["field_desk"] > TICKETS
    place.help_desk.put("T-007", title="Printer 7  is   ash", state="closed")
    place.help_desk.put("T-999", title="Where is my printer?")
    place.help_desk.drop("T-001")
    place.field_desk.writes.clear()
    report = place.run()
    assert report.problem is None
    assert sorted(place.field_desk.writes) == ["DELETE T-001", "PUT T-007", "PUT T-999"]
    assert place.copied().keys() == place.help_desk.tickets.keys()
    assert place.copied()["T-007"] == ("Printer 7 is ash", None, "closed")
    place.field_desk.writes.clear()
    assert place.run().counts["processed"] == 0
    assert place.field_desk.writes == []


def test_a_refused_record_of_a_users_own_system_fails_alone_with_its_reason(place: Place) -> None:
    place.help_desk.put("T-003", title="What state is this?", state="burning")
    place.help_desk.put("T-004", title="")
    report = place.run()
    assert report.problem is None
    assert place.counts == {"processed": TICKETS - 2, "failed": 2}
    failing = {row.record_key: row for row in failing_rows(place.conn, SYNC, limit=10)}
    assert failing["T-003"].error_field == "state"
    assert "must be one of open, waiting, closed" in str(failing["T-003"].error_message)
    assert failing["T-004"].error_field == "title"
    place.help_desk.put("T-003", title="What state is this?", state="waiting")
    assert place.run().problem is None
    assert place.counts == {"processed": TICKETS - 1, "failed": 1}


def test_a_worker_killed_between_two_requests_of_a_users_own_system_loses_nothing(place: Place) -> None:
    reached, go_on = threading.Event(), threading.Event()
    puts = iter(range(1, 10 * TICKETS))

    def before(method: str, path: str) -> None:
        if method == "PUT" and next(puts) == TICKETS // 2:
            reached.set()
            go_on.wait()
            raise ConnectionAbortedError("nobody is there to hear it")

    place.field_desk.before = before
    command = [sys.executable, "-m", "sync_orchestration.cli", "run", "--json", SYNC]
    with subprocess.Popen(command, env=os.environ.copy(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as worker:
        try:
            while not reached.wait(1):
                assert worker.poll() is None, "the worker never came so far"
        finally:
            worker.kill()
            go_on.set()
    assert len(place.field_desk.writes) == TICKETS // 2 - 1
    assert place.run().problem is None
    assert place.counts == {"processed": TICKETS}
    assert place.copied().keys() == place.help_desk.tickets.keys()
    assert sorted(place.field_desk.writes) == [f"PUT {key}" for key in sorted(place.help_desk.tickets)], "none twice"


def test_a_users_own_system_has_what_every_sync_has(place: Place) -> None:
    assert place.run().problem is None
    project = place.project
    dg.Definitions.validate_loadable(project.definitions)
    graph = project.definitions.resolve_asset_graph()
    target = graph.get(dg.AssetKey(["field_desk", "tickets"]))
    assert {key.to_user_string() for key in target.parent_keys} == {"help_desk/tickets"}
    assert {key.name for key in target.check_keys} == {
        "no_failed_records",
        "schema_is_as_mapped",
        "source_matches_target",
    }
    resources = {"interface": InterfaceDatabase(), **project.connections}
    context = dg.build_sensor_context(instance=place.instance, resources=resources, definitions=project.definitions)
    sensor = project.definitions.resolve_sensor_def(f"{SYNC}_sensor")
    assert sensor.evaluate_tick(context).skip_message == "nothing new"
    place.help_desk.put("T-500", title="One more")
    assert len(sensor.evaluate_tick(context).run_requests or []) == 1
    result = project.definitions.resolve_job_def(f"{SYNC}_comparison").execute_in_process(
        instance=place.instance, run_config=_QUIET, raise_on_error=False
    )
    (evaluation,) = result.get_asset_check_evaluations()
    assert not evaluation.passed
    assert "1 differ" in str(evaluation.description)
    dry = project.definitions.resolve_job_def("sync_records").execute_in_process(
        instance=place.instance,
        run_config={**_QUIET, "ops": {"chosen_records": {"config": {"sync": SYNC, "dry_run": True}}}},
    )
    assert dry.success
    assert "T-500" not in place.field_desk.tickets
    health = {one.name: one for one in check_connections(project.connections, [project.syncs[SYNC]])}
    assert (health["help_desk"].ok, health["help_desk"].detail) == (True, "TicketSource answers")
    assert (health["field_desk"].ok, health["field_desk"].detail) == (True, "TicketTarget answers")


def test_a_wrong_token_of_a_users_own_system_stops_the_pass_with_a_plain_sentence_and_stays_secret(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HELP_DESK_TOKEN", "a-token-of-somebody-else")
    problem = str(place.run().problem)
    assert problem.startswith("help_desk (http://127.0.0.1")
    assert "refuses the credentials of its connection" in problem
    assert "a-token-of-somebody-else" not in problem
    assert read_state(place.conn, SYNC).status == "ERROR"


def test_a_users_own_system_whose_variables_are_unset_is_switched_off(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HELP_DESK_TOKEN")
    project = place.project
    assert project.missing_variables(project.syncs[SYNC]) == ["HELP_DESK_TOKEN"]
    health = {one.name: one for one in check_connections(project.connections, [])}
    assert health["help_desk"].switched_off
    assert health["help_desk"].detail == "switched off: set HELP_DESK_TOKEN"


def test_a_class_that_fails_in_its_own_way_is_named_with_file_and_line_and_without_its_secrets(place: Place) -> None:
    place.change("tickets.py", 'about["history"]', 'about[f"history of {self.http.settings.headers}"]')
    problem = str(place.run().problem)
    assert re.match(r"TicketSource\.head failed in /.*/tickets/tickets\.py, line \d+: KeyError: ", problem), problem
    assert TOKEN not in problem


def test_a_record_of_which_a_class_tells_nothing_fails_alone(place: Place) -> None:
    place.change("tickets.py", "dict(one.values)) for one in records}", "dict(one.values)) for one in records[1:]}")
    assert place.run().problem is None
    failing = failing_rows(place.conn, SYNC, limit=10)
    assert {row.error_message for row in failing} == {"TicketTarget.upsert told nothing of this record"}
    assert place.counts == {"processed": TICKETS - len(failing), "failed": len(failing)}, "the first of each batch"
    assert {row.record_key for row in failing} == place.help_desk.tickets.keys() - place.field_desk.tickets.keys()


def test_the_example_keeps_what_the_pipeline_builds_on(place: Place) -> None:
    project, quiet = place.project, print
    settings, connections = project.syncs[SYNC], project.connections
    place.help_desk.put("T-002", title="Again")
    place.help_desk.drop("T-001")
    source, _ = open_source(settings, connections["help_desk"], quiet)
    assert check_source(source) == []
    target, _ = open_target(settings, connections["field_desk"], connections["help_desk"], quiet)
    values = {"title": "A ticket", "customer": "", "state": "open"}
    records = [TargetRecord(key, key, values, None) for key in ("A-1", "A-2", "A-3")]
    refused = TargetRecord("A-4", "A-4", {**values, "state": "burning"}, None)
    assert check_target(target, records, {"state": "closed"}, refused=refused) == []
    assert place.field_desk.tickets == {}


MISTAKES: dict[str, tuple[tuple[str, str, str], str]] = {
    "a module that is not there": (
        ("tickets.py", "from urllib.parse import quote", "import no_such_module"),
        r"/tickets/tickets\.py, line 6: ModuleNotFoundError: No module named 'no_such_module'\. The file cannot be",
    ),
    "a bracket that is not closed": (
        ("tickets.py", "def head(self)", "def head(self"),
        r"/tickets/tickets\.py, line \d+: SyntaxError: .*\. The file cannot be loaded\.",
    ),
    "a file that is not there": (
        ("defs.yaml", "class: tickets.TicketSource", "class: ticket.TicketSource"),
        r"There is no ticket\.py in /.*/tickets, where the YAML is that names it, nor in a folder above\.",
    ),
    "a class that is not there": (
        ("defs.yaml", "class: tickets.TicketSource", "class: tickets.TicketSorce"),
        r"There is no class TicketSorce in /.*/tickets\.py\. The classes there are: TicketSource, TicketTarget\.",
    ),
    "a method that is missing": (
        ("tickets.py", "def fetch(", "def fetched("),
        r"TicketSource in /.*/tickets\.py is no source: it lacks fetch\(\)\.",
    ),
    "a value that is missing": (
        ("tickets.py", '    model = "ticket"\n', ""),
        r"TicketTarget in /.*/tickets\.py is no target: write model in the class\.",
    ),
    "a wrong signature": (
        ("tickets.py", "def fetch(self, keys: Sequence[str])", "def fetch(self)"),
        r"TicketSource in /.*/tickets\.py has fetch\(\), but it is called as fetch\(keys\)\.",
    ),
    "a method that is async": (
        ("tickets.py", "def fetch(", "async def fetch("),
        r"TicketSource in /.*/tickets\.py has an async fetch\. The pipeline calls plain methods: write it without\.",
    ),
    "a feed that is not known": (
        ("tickets.py", "    page: int = 100", '    page: int = 100\n    feed = "version"'),
        r"The feed of TicketSource in /.*/tickets\.py is 'version'; it must be one of versions, times, sweep\.",
    ),
    "an option that the class does not take": (
        ("defs.yaml", "options: {page: 50}", "options: {pages: 50}"),
        r"TicketSource in /.*/tickets\.py takes no option 'pages'\. The options that it takes: page\.",
    ),
    "an option of another type": (
        ("defs.yaml", "options: {page: 50}", "options: {page: many}"),
        r"The option 'page' of TicketSource in /.*/tickets\.py is of another type: Input should be a valid integer",
    ),
    "an option that is needed": (
        ("tickets.py", "    page: int = 100", "    queue: str"),
        r"TicketSource in /.*/tickets\.py takes no option 'page'\. The options that it takes: queue\.",
    ),
    "a secret in the file": (
        ("defs.yaml", "token: $HELP_DESK_TOKEN", "token: hunter2"),
        r"token at /.*/tickets/defs\.yaml:\d+: a secret belongs in the environment",
    ),
    "a name of the package's own connections": (
        ("defs.yaml", "    field_desk:\n", "    odoo:\n"),
        r"Two folders have a connection 'odoo': /.*/defs/connections and /.*/my_syncs/tickets\. Give one",
    ),
    "a name of the package's own syncs": (
        ("defs.yaml", "name: tickets", "name: flexi_partners"),
        r"Two syncs have the same name: flexi_partners, in /.*/defs/flexi_partners and /.*/my_syncs/tickets\. Give one",
    ),
}


@pytest.mark.parametrize(("edit", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_a_users_own_system_is_refused_with_its_file(
    place: Place, edit: tuple[str, str, str], said: str
) -> None:
    place.change(*edit)
    with pytest.raises(ConfigurationError, match=said) as caught:
        load_project()
    assert "hunter2" not in str(caught.value)


SHELF_PY = '''
from sync_orchestration.mapping.records import RecordError
from sync_orchestration.pipeline.lookup import Question, Usage
from sync_orchestration.pipeline.protocols import Change, ChangePage, SourceHead, SourceRecord

BOOKS = {"b1": "978", "b2": "979", "b3": None}


class Shelf:
    """Books without any HTTP, read whole each time."""

    feed = "sweep"

    def __init__(self, url: str):
        self.books = BOOKS if url == "file:///shelf" else {}

    def head(self):
        return SourceHead(len(self.books), "shelf")

    def peek(self, start):
        return next(iter(self.changes(start)))

    def changes(self, start):
        books = list(enumerate(self.books, 1))
        told = [Change(key, "update", n, payload={"isbn": self.books[key]}) for n, key in books if n >= start]
        return [ChangePage(told, len(books) + 1, len(books), more=False)]

    def fetch(self, keys):
        return {key: SourceRecord(key, {"isbn": self.books[key]}) for key in keys if key in self.books}

    def snapshot(self, after):
        return [list(self.fetch(self.books).values())]


class Titles:
    name, batch = "titles/isbn", 10

    def question(self, payload):
        number = payload.get("isbn")
        return Question(number) if number else Question(None, RecordError("empty", "isbn", "has no ISBN"), skip=True)

    def ask(self, numbers):
        return {number: [{"title": f"The book {number}"}] for number in numbers}

    def answer(self, payload, bodies):
        return bodies[0] if bodies else None

    def usage(self):
        return [Usage("isbn", 100, 95)]
'''

SHELF_YAML = """
type: sync_orchestration.Connections
attributes:
  connections:
    shelf: {kind: python, url: "file:///shelf"}
---
type: sync_orchestration.RecordSync
attributes:
  name: books
  source: {kind: python, class: shelf.Shelf, connection: shelf, entity: book, page: 2}
  lookup: {kind: python, class: shelf.Titles, connection: shelf, fields: [isbn]}
  target: {kind: python, class: tickets.TicketTarget, connection: field_desk}
  mapping: {title: register.title, state: {constant: open}}
"""


def test_a_system_of_ones_own_may_be_swept_and_another_be_asked_about_it_without_any_http(place: Place) -> None:
    (place.folder / SYNC / "tickets.py").rename(place.folder / "tickets.py")
    (place.folder / "books").mkdir()
    (place.folder / "books" / "shelf.py").write_text(SHELF_PY, encoding="utf-8")
    (place.folder / "books" / "defs.yaml").write_text(SHELF_YAML, encoding="utf-8")
    project = place.project
    settings = project.syncs["books"]
    report = bring_up_to_date(place.instance, project.definitions, settings, project.connections)
    assert report.problem is None
    assert {number: t["title"] for number, t in place.field_desk.tickets.items()} == {
        "b1": "The book 978",
        "b2": "The book 979",
    }
    assert counts_by_status(place.conn, "books")["books"] == {"processed": 2, "skipped": 1}
    graph = project.definitions.resolve_asset_graph()
    parents = graph.get(dg.AssetKey(["field_desk", "books"])).parent_keys
    assert {key.to_user_string() for key in parents} == {"shelf/answers"}
    quota = project.definitions.resolve_job_def("books_comparison").execute_in_process(
        instance=place.instance, run_config=_QUIET, raise_on_error=False
    )
    (evaluation,) = quota.get_asset_check_evaluations()
    assert (evaluation.passed, evaluation.description) == (False, "isbn: 95 of 100 spent")
    health = {one.name: one.detail for one in check_connections(project.connections, [settings])}
    assert health["shelf"] == "Shelf answers; Titles answers"


def test_a_class_may_stand_in_the_folder_above_for_several_syncs(place: Place) -> None:
    (place.folder / SYNC / "tickets.py").rename(place.folder / "tickets.py")
    assert place.run().counts["processed"] == TICKETS
    (place.folder / "another.py").write_text("import no_such_module\n", encoding="utf-8")
    with pytest.raises(
        ConfigurationError, match=r"/my_syncs/another\.py, line 1: ModuleNotFoundError: No module named"
    ):
        load_project()


def test_a_class_that_says_that_it_is_a_source_is_one_by_its_own_methods_only(place: Place) -> None:
    place.change("tickets.py", "class TicketSource:", "class TicketSource(Source):")
    place.change("tickets.py", "    SourceHead,\n", "    Source,\n    SourceHead,\n")
    assert place.run().counts["processed"] == TICKETS
    place.change("tickets.py", "def fetch(", "def fetched(")
    with pytest.raises(ConfigurationError, match=r"is no source: it lacks fetch\(\)\."):
        load_project()


def test_the_users_own_notifications_count_instead_of_the_packages(place: Place) -> None:
    (place.folder / "notifications").mkdir()
    (place.folder / "notifications" / "defs.yaml").write_text(
        "type: sync_orchestration.Notifications\nattributes: {urls: $MY_MESSENGERS}\n", encoding="utf-8"
    )
    notifications = place.project.notifications
    assert notifications is not None
    assert notifications.variable == "MY_MESSENGERS"


def test_a_folder_of_ones_own_may_be_empty_at_first(place: Place) -> None:
    shutil.rmtree(place.folder / SYNC)
    assert SYNC not in place.project.syncs
    assert "flexi_partners" in place.project.syncs


def test_a_folder_of_ones_own_that_is_not_there_is_said(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNC_DEFS_DIR", str(place.folder / "nowhere"))
    with pytest.raises(ConfigurationError, match=r"SYNC_DEFS_DIR names /.*/nowhere, which is no folder\. Make it"):
        load_project()


def test_a_secret_of_ones_own_reaches_the_class_that_takes_it(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.change("defs.yaml", "      # secrets:", "      secrets:")
    place.change("tickets.py", "    page: int = 100\n", "    signing_key: str\n    page: int = 100\n")
    assert place.project.missing_variables(place.project.syncs[SYNC]) == ["HELP_DESK_SIGNING_KEY"]
    monkeypatch.setenv("HELP_DESK_SIGNING_KEY", "signed-by-nobody")
    place.change("tickets.py", 'about["history"]', "about[self.signing_key]")
    problem = str(place.run().problem)
    assert "TicketSource.head failed" in problem
    assert "signed-by-nobody" not in problem


def shown(language: str) -> list[str]:
    """The guide's blocks of a language."""
    text = (DOCS / "extending.md").read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.mark.parametrize(("file", "language"), [("tickets.py", "python"), ("defs.yaml", "yaml")])
def test_the_guide_shows_the_files_as_they_are(file: str, language: str) -> None:
    assert (EXAMPLE / file).read_text(encoding="utf-8") in shown(language)


def test_the_guides_own_way_to_check_a_class_finds_nothing_wrong(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = shown("python")[-1]
    assert "http://127.0.0.1:8001" in code
    code = code.replace("http://127.0.0.1:8001", os.environ["HELP_DESK_URL"]).replace("Bearer …", f"Bearer {TOKEN}")
    monkeypatch.syspath_prepend(str(place.folder / SYNC))
    monkeypatch.delitem(sys.modules, "tickets", raising=False)
    exec(compile(code, "extending.md", "exec"), {})
    del sys.modules["tickets"]
    assert capsys.readouterr().out == "[]\n[]\n"
