"""The record browser on a running project: a button is followed by a run, a page knows mapping and target."""

import html
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
import pytest
import requests

from sync_orchestration.components.database import InterfaceDatabase
from sync_orchestration.components.intake import intake_settings, missing_variables, references
from sync_orchestration.components.metadata import failing_metadata
from sync_orchestration.components.record_views import record_views
from sync_orchestration.components.run_requests import SYNC_TAG
from sync_orchestration.intake import SyncView, intake_app
from sync_orchestration.intake.records.views import TargetNotComparedError
from sync_orchestration.interface.persons_word import Word, ask, skip
from sync_orchestration.interface.single import WholeRow, whole_rows
from sync_orchestration.sandbox.server import serve
from sync_orchestration_tests.components.places import SYNC, NewPlace, Place

NOBODY = "nobody has asked for anything that can be done now"
TOKEN = "token-of-the-operator-77c1"


@dataclass
class Desk:
    """A person at the record browser, and the sensor that follows."""

    place: Place
    cursor: str | None = field(default=None)

    def row(self, key: str) -> WholeRow:
        found = next(iter(whole_rows(self.place.conn, SYNC, key, "flexi")), None)
        assert found is not None
        return found

    def says(self, word: Word, *keys: str) -> None:
        ask(self.place.conn, word, [self.row(key) for key in keys], "olga")

    def tick(self) -> list[dg.RunRequest] | str:
        """Evaluate the sensor once; its cursor is kept with what it asks for, as the daemon does."""
        resources = {"interface": InterfaceDatabase(), **self.place.project.connections}
        context = dg.build_sensor_context(
            instance=self.place.instance,
            resources=resources,
            definitions=self.place.definitions,
            cursor=self.cursor,
        )
        found = self.place.definitions.resolve_sensor_def("record_browser_sensor").evaluate_tick(context)
        self.cursor = found.cursor or self.cursor
        return list(found.run_requests) if found.run_requests else found.skip_message or ""

    def requested(self) -> dg.RunRequest:
        found = self.tick()
        assert isinstance(found, list), found
        (request,) = found
        return request

    def follow(self, request: dg.RunRequest) -> None:
        config = {name: op["config"] for name, op in request.run_config["ops"].items()}
        assert self.place.run(request.job_name or "", config, request.tags).success

    def waiting(self) -> list[tuple[str, str]]:
        return self.place.conn.execute("SELECT kind, record_key FROM sync.wake ORDER BY number").fetchall()

    @property
    def view(self) -> SyncView:
        return record_views(self.place.project.syncs, self.place.project.connections)[SYNC]


@pytest.fixture
def desk(new_place: NewPlace) -> Desk:
    place = new_place(partners=60)
    assert place.bring_up_to_date().problem is None
    assert place.failing
    return Desk(place)


def test_a_record_that_somebody_wants_tried_again_is_mended_by_one_run(desk: Desk) -> None:
    assert desk.tick() == NOBODY
    broken = next(key for key, row in desk.place.failing.items() if row.error_field == "email")
    desk.place.company.update("adresar", int(broken), {"email": "info@alfa.example"})
    desk.says("retry", broken)
    request = desk.requested()
    assert (request.job_name, request.tags[SYNC_TAG]) == ("retry_failed_records", SYNC)
    assert request.run_config["ops"]["failed_records"]["config"] == {"sync": SYNC, "keys": [broken]}
    assert desk.waiting() == [("retry", broken)], "until the run is asked for for certain"
    assert desk.tick() == NOBODY
    assert desk.waiting() == []
    desk.follow(request)
    assert broken not in desk.place.failing
    assert desk.place.partners()[broken]["email"] == "info@alfa.example"


def test_a_record_that_somebody_wants_read_again_is_written_even_if_nothing_has_changed(desk: Desk) -> None:
    key = next(iter(desk.place.partners()))
    before = desk.row(key)
    desk.place.edit_in_odoo(key, name="Somebody's own idea")
    desk.says("reread", key)
    request = desk.requested()
    assert request.job_name == "sync_records"
    desk.follow(request)
    assert desk.place.partners()[key]["name"] != "Somebody's own idea"
    assert desk.row(key).run_id != before.run_id


def test_a_record_that_was_skipped_is_taken_up_again_when_somebody_wants_it_read(desk: Desk) -> None:
    key = next(iter(desk.place.failing))
    assert skip(desk.place.conn, desk.row(key), "olga", "not now")
    assert desk.row(key).status == "skipped"
    desk.says("reread", key)
    desk.follow(desk.requested())
    assert desk.row(key).status == "failed", "it is as wrong as it was"


def test_the_words_of_a_sync_are_followed_one_run_after_the_other(desk: Desk) -> None:
    failing = sorted(desk.place.failing)[:2]
    desk.says("reread", failing[0])
    desk.says("retry", failing[1])
    assert desk.requested().job_name == "retry_failed_records"
    assert desk.requested().job_name == "sync_records"
    assert desk.tick() == NOBODY


def test_many_records_are_tried_five_hundred_at_a_time(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync_orchestration.components.persons_words._MOST_KEYS", 2)
    keys = sorted(desk.place.partners())[:5]
    desk.says("reread", *keys)
    met: list[str] = []
    for _ in range(3):
        met += desk.requested().run_config["ops"]["chosen_records"]["config"]["keys"]
    assert sorted(met) == keys
    assert desk.tick() == NOBODY


def test_a_second_word_about_a_record_is_followed_too(desk: Desk) -> None:
    key = next(iter(desk.place.failing))
    desk.says("retry", key)
    first = desk.requested()
    desk.says("retry", key)
    second = desk.requested()
    assert first.run_key != second.run_key


def test_while_a_run_is_under_way_or_a_system_is_not_set_the_word_waits(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = next(iter(desk.place.failing))
    desk.says("retry", key)
    job = desk.place.definitions.resolve_job_def(SYNC)
    run = desk.place.instance.create_run_for_job(job, tags={SYNC_TAG: SYNC}, status=dg.DagsterRunStatus.NOT_STARTED)
    assert desk.tick() == NOBODY
    desk.place.instance.report_run_canceled(run)
    monkeypatch.delenv("FLEXI_PASSWORD")
    assert desk.tick() == NOBODY
    monkeypatch.setenv("FLEXI_PASSWORD", "sync")
    assert isinstance(desk.requested(), dg.RunRequest)


# What a page is told


def test_a_page_shows_the_mapped_record_with_all_that_is_wrong(desk: Desk) -> None:
    broken = next(key for key, row in desk.place.failing.items() if row.error_field == "email")
    mapped = desk.view.map(desk.place.conn, desk.row(broken))
    assert [error.field for error in mapped.errors] == ["email"]
    assert str(mapped.values["country_id"]).startswith("res.country with code ")
    assert mapped.related >= {"country_id"}


def test_a_page_compares_with_what_the_target_holds_and_writes_nothing(desk: Desk) -> None:
    key = next(iter(desk.place.partners()))
    assert desk.view.compare(desk.place.conn, desk.row(key)).action == "unchanged"
    ours = desk.place.partners()[key]["name"]
    desk.place.edit_in_odoo(key, name="Somebody's own idea")
    found = desk.view.compare(desk.place.conn, desk.row(key))
    assert (found.action, found.changes) == ("update", {"name": ("Somebody's own idea", ours)})
    assert desk.place.partners()[key]["name"] == "Somebody's own idea"


def test_a_target_that_cannot_be_read_is_said_without_its_secrets(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    key = next(iter(desk.place.partners()))
    monkeypatch.setenv("ODOO_API_KEY", "wrong-key-unmistakable-91ab")
    with pytest.raises(TargetNotComparedError) as said:
        desk.view.compare(desk.place.conn, desk.row(key))
    assert "wrong-key-unmistakable-91ab" not in str(said.value)
    assert "Odoo" in str(said.value)


def test_links_lead_to_flexi_and_odoo_without_a_log_in(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEXI_URL", "https://user:geheim@flexi.example")
    key = next(iter(desk.place.partners()))
    row = desk.row(key)
    assert desk.view.source_link(row) == f"https://flexi.example/c/demo/adresar/{key}"
    odoo = desk.place.project.connections["odoo"].value("url")
    assert desk.view.target_link(row) == f"{odoo}/odoo/res.partner/{row.target_id}"
    monkeypatch.delenv("FLEXI_URL")
    assert desk.view.source_link(row) is None


def test_every_sync_has_its_view_also_where_its_systems_are_not_set(place: Place) -> None:
    views = record_views(place.project.syncs, place.project.connections)
    assert views.keys() == place.project.syncs.keys()
    place.conn.execute(
        "INSERT INTO sync.interface_row (sync, source_system, record_key, entity, operation, position, partition_key, "
        "payload, status) SELECT name, 'x', '1', 'e', 'update', 1, '0', '{}', 'pending' FROM unnest(%s::text[]) name",
        [list(views)],
    )
    for name, view in views.items():
        row = next(iter(whole_rows(place.conn, name, "1", "x")), None)
        assert row is not None
        view.map(place.conn, row)
        assert view.target_link(row) is None


# Around it


def test_the_tables_in_the_ui_lead_to_the_browser_where_its_address_is_known(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "record_browser" not in failing_metadata(desk.place.conn, SYNC)
    monkeypatch.setenv("INTAKE_PUBLIC_URL", "https://sync.example/")
    found = failing_metadata(desk.place.conn, SYNC)["record_browser"]
    assert found == dg.MetadataValue.url(f"https://sync.example/records?sync={SYNC}&status=failed")


def test_an_operator_alone_is_enough_for_the_service_to_run(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    model = place.project.intake
    assert model is not None
    assert missing_variables(model) == ["INTAKE_TOKEN"]
    monkeypatch.setenv("INTAKE_VIEWER_TOKEN", TOKEN)
    assert missing_variables(model) == []
    settings = intake_settings(model, place.project.syncs, "http://localhost")
    assert [(one.name, one.may) for one in settings.operators] == [("viewer", "look")]
    assert settings.dagster_url == "http://127.0.0.1:3000"


@pytest.fixture
def served(desk: Desk, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("INTAKE_OPERATOR_TOKEN", TOKEN)
    project = desk.place.project
    assert project.intake is not None
    settings = intake_settings(project.intake, project.syncs, "http://localhost")
    app = intake_app(
        settings,
        database_url,
        references(project.syncs, project.connections),
        record_views(project.syncs, project.connections),
    )
    try:
        with serve(app) as url:
            yield url
    finally:
        app.close()


def test_from_the_button_to_the_mended_record(desk: Desk, served: str) -> None:
    broken = next(key for key, row in desk.place.failing.items() if row.error_field == "email")
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {TOKEN}"

    def get(path: str) -> str:
        answer = session.get(served + path, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.text

    def press(path: str, **form: Any) -> None:
        names = {"sync": SYNC, "source_system": "flexi", "key": broken}
        assert session.post(served + path, data={**names, **form}, timeout=60).status_code == 200

    page = f"/records/{SYNC}/flexi/{broken}"
    assert broken in get("/records?status=failed")
    received = desk.row(broken).payload or {}
    assert html.escape(str(received["nazev"])) in get(page)
    desk.place.company.update("adresar", int(broken), {"email": "info@alfa.example"})
    press("/records/ask", word="retry")
    desk.follow(desk.requested())
    press("/records/compare")
    text = get(page)
    assert "processed" in text
    assert "asked by operator" in text
