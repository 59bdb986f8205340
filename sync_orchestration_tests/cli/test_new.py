"""`new` makes the YAML of a sync that loads, runs and explains itself."""

import importlib
import shutil
from pathlib import Path
from uuid import uuid4

import pytest

from sync_orchestration import defs as own_folder
from sync_orchestration.cli.defs_folder import kinds
from sync_orchestration.cli.new_sync import new_sync
from sync_orchestration.cli.usage import UsageError
from sync_orchestration.components.headless import bring_up_to_date
from sync_orchestration.definitions import Project, load_project
from sync_orchestration_tests.cli.test_cli import call, complaint
from sync_orchestration_tests.components.places import PARTNERS, REFUSED, NewPlace


@pytest.fixture
def own_defs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's own folder: a copy of the shipped one, where the command makes new syncs."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / f"defs_{uuid4().hex[:8]}"
    shutil.copytree(Path(own_folder.__file__).parent, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr("sync_orchestration.cli.new_sync.defs_folder", lambda: folder)
    monkeypatch.syspath_prepend(str(tmp_path))
    return folder


def loaded(folder: Path) -> Project:
    importlib.invalidate_caches()
    return load_project(importlib.import_module(folder.name))


def test_a_sync_of_each_kind_loads_beside_the_shipped_ones_and_the_one_of_flexi_runs(
    own_defs: Path, new_place: NewPlace, own_project: Project
) -> None:
    names = {kind: f"new_{kind.replace('-', '_')}" for kind in kinds()}
    for kind, name in names.items():
        new_sync(kind, name, own_defs, own_project.connections, own_project.syncs)
    project = loaded(own_defs)
    assert set(project.syncs) == {*own_project.syncs, *names.values()}
    jobs = {job.name for job in project.definitions.resolve_all_job_defs()}
    assert jobs.issuperset(names.values())

    place = new_place(project=project)
    settings = project.syncs[names["flexi"]]
    report = bring_up_to_date(place.instance, project.definitions, settings, project.connections)
    assert report.problem is None
    assert report.counts["processed"] >= PARTNERS - REFUSED
    assert report.counts["processed"] + report.counts["failed"] == PARTNERS
    again = bring_up_to_date(place.instance, project.definitions, settings, project.connections, everything=True)
    assert (again.problem, again.counts["processed"]) == (None, 0), "what is right is not written again"


def test_the_command_says_which_variables_to_set_and_what_comes_next(own_defs: Path) -> None:
    result = call("new", "flexi", "second_company")
    assert result.exit_code == 0, result.stderr
    told = result.stdout
    made = own_defs / "second_company" / "defs.yaml"
    assert str(made) in told
    assert "FLEXI_COMPANY, FLEXI_PASSWORD, FLEXI_URL, FLEXI_USER, ODOO_API_KEY" in told
    assert told.splitlines()[-2:] == [
        "  sync-orchestration check",
        "  sync-orchestration run second_company --dry-run",
    ]
    first = made.read_text(encoding="utf-8").splitlines()[0]
    schema = first.removeprefix("# yaml-language-server: $schema=")
    assert (made.parent / schema).resolve().is_file()
    assert "second_company" in loaded(own_defs).syncs


def test_a_new_sync_of_the_intake_says_that_a_sender_must_be_let_in(own_defs: Path) -> None:
    told = call("new", "intake", "shop_partners").stdout
    assert "Add shop_partners to the `syncs` of a sender in" in told
    assert told.splitlines()[-1] == "  sync-orchestration docs"


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        ("sap", "partners", "There is no kind 'sap' of syncs; there are alfresco, flexi, intake, odoo-in, odoo-out."),
        ("flexi", "Second Company", "'Second Company' cannot be the name of a sync"),
        ("flexi", "../outside", "'../outside' cannot be the name of a sync"),
        ("flexi", "flexi_partners", "There is flexi_partners already."),
        ("flexi", "connections", "There is connections already."),
    ],
)
def test_a_kind_or_a_name_that_cannot_be_is_refused_in_a_plain_sentence(
    own_defs: Path, kind: str, name: str, said: str
) -> None:
    before = sorted(own_defs.rglob("*.yaml"))
    result = call("new", kind, name)
    assert said in complaint(result, 2)
    assert sorted(own_defs.rglob("*.yaml")) == before


def test_a_connection_that_is_missing_is_named_and_another_name_of_it_is_taken(
    own_defs: Path, own_project: Project
) -> None:
    connections = {"accounts": own_project.connections["flexi"], "erp": own_project.connections["odoo"]}
    made = new_sync("flexi", "books", own_defs, connections, [])
    text = made.path.read_text(encoding="utf-8")
    assert "connection: accounts " in text
    assert "connection: erp\n" in text
    assert "@" not in text
    with pytest.raises(UsageError, match="It needs a connection of the kind rest"):
        new_sync("odoo-out", "crm", own_defs, connections, [])
    assert not (own_defs / "crm").exists()
