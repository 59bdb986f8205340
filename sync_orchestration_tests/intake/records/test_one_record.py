"""The page of one record says all that is known of it, whatever its key holds, and nothing that is masked elsewhere."""

from datetime import UTC, datetime

import pytest

from sync_orchestration.intake import Comparison, Mapped
from sync_orchestration.intake.records.filters import record_path
from sync_orchestration.intake.records.views import TargetNotComparedError
from sync_orchestration.interface.attempts import Attempt, log_attempts
from sync_orchestration.interface.browsing import RowFilter, browse
from sync_orchestration_tests.intake.records.library import VIEWER, Library, about, seen, wrong

ONE = "/records/partners/flexi/1"


def test_it_shows_what_was_received_what_it_is_mapped_to_and_what_is_wrong(library: Library) -> None:
    library.fails("1", {"nazev": "Alfa", "stat": "code:CZ"})
    library.told.mapped = Mapped({"name": "Alfa", "country_id": "res.country with code CZ"}, (wrong("email", "no @"),))
    page = library.as_program(VIEWER).text(ONE)
    assert '"nazev": "Alfa"' in page
    assert "country_id res.country with code CZ" in page
    assert "email : no @" in page
    assert "email : nowhere is no address" in page


def test_it_shows_every_attempt_with_links_to_the_runs(library: Library) -> None:
    library.fails("1")
    for number in range(3):
        attempt = Attempt(
            sync="partners",
            source_system="flexi",
            record_key="1",
            model="res.partner",
            operation="create",
            run_id=f"run-{number}",
            started_at=datetime(2026, 1, 2, 3, number, tzinfo=UTC),
            duration_ms=17,
            status="error",
            response_code=422,
            error=f"refused for the {number}. time",
        )
        log_attempts(library.conn, [attempt])
    page = library.as_program().get(ONE).text
    places = [page.index(f"refused for the {number}. time") for number in (2, 1, 0)]
    assert places == sorted(places), "the newest first"
    assert '<a href="https://dagster.example/runs/run-1" ' in page
    assert "2026-01-02 03:01:00" in page
    assert "2026-01-02T03:01:00+00:00" in page


def test_attempts_at_a_record_of_the_same_key_of_another_sender_are_not_its_own(library: Library) -> None:
    library.fails("1")
    library.lands("1", source_system="crm")
    attempt = Attempt("partners", "crm", "1", "m", "create", "r", datetime.now(UTC), 1, "error", None, "foreign")
    log_attempts(library.conn, [attempt])
    assert "foreign" not in library.as_program().text(ONE)


def test_links_lead_to_the_record_in_its_systems(library: Library) -> None:
    library.fails("1")
    library.told.source_page = "https://flexi.example/c/demo/adresar/1"
    library.told.target_page = "https://odoo.example/odoo/res.partner/7"
    page = library.as_program().get(ONE).text
    assert '<a href="https://flexi.example/c/demo/adresar/1" ' in page
    assert '<a href="https://odoo.example/odoo/res.partner/7" ' in page


def test_an_address_that_is_none_of_the_web_is_no_link(library: Library) -> None:
    library.fails("1")
    library.told.source_page = "javascript:alert(1)"
    assert "javascript:" not in library.as_program().get(ONE).text


def test_it_shows_what_differs_from_what_was_last_written(library: Library) -> None:
    library.lands("1")
    library.settles("1", "processed", target_id="7", written={"name": "Alfa", "city": "Brno", "zip": "60200"})
    library.lands("1", {"name": "Beta"}, position=2)
    library.told.mapped = Mapped(
        {"name": "Beta", "city": "Brno", "zip": 60200, "parent_id": "record 4 of this sync"},
        related=frozenset({"parent_id"}),
    )
    page = library.as_program().text(ONE)
    assert "name Alfa Beta" in page
    assert "city Brno Brno" not in page
    assert "zip 60200 60200" not in page, "spelled another way, but the same"
    assert "parent_id" not in page.partition("From what was last written")[2].partition("Compare")[0]


def test_where_nothing_is_remembered_it_says_so(library: Library) -> None:
    library.fails("1")
    assert "What was last written is not remembered here" in library.as_program().text(ONE)


def test_the_target_is_asked_only_when_somebody_wants_it(library: Library) -> None:
    library.fails("1")
    library.told.comparison = Comparison("update", {"email": ("old@alfa.example", "new@alfa.example")})
    reader = library.logged_in(VIEWER)
    reader.text(ONE)
    assert library.told.asked == 0
    answer = reader.press("/records/compare", about("1"))
    assert answer.status_code == 200
    assert "Writing it now would: update" in seen(answer.text)
    assert "email old@alfa.example new@alfa.example" in seen(answer.text)
    assert library.told.asked == 1


def test_a_target_that_does_not_answer_is_a_sentence_on_the_page(library: Library) -> None:
    library.fails("1")
    library.told.comparison = TargetNotComparedError("Odoo cannot be reached.")
    answer = library.logged_in().press("/records/compare", about("1"))
    assert answer.status_code == 200
    assert "Odoo cannot be reached." in seen(answer.text)


KEYS = ["1/2", "/", "//a//", "a b", "ü%2F?#&=+", "..", ".", "", "a/../b", "code:CZ", "ěšč/\u4e2d", "'\"<>", "x" * 3_000]


@pytest.mark.parametrize("key", KEYS)
def test_a_key_may_hold_anything(library: Library, key: str) -> None:
    library.lands(key, {"name": "the one that is meant"})
    (row,) = browse(library.conn, RowFilter(key=key) if key else RowFilter(), limit=2)
    reader = library.logged_in()
    page = reader.text(record_path(row))
    assert "the one that is meant" in page
    assert record_path(row).replace("&", "&amp;") in reader.get().text
    # Its buttons know it too, and lead back to it.
    answer = reader.press("/records/ask", about(key, word="reread"), mark_of=record_path(row))
    assert answer.status_code == 303
    assert library.words()[-1][0] == key
    assert "the one that is meant" in reader.text(answer.headers["Location"])


@pytest.mark.parametrize(
    "path", ["/records/partners/flexi/2", "/records/partners/crm/1", "/records/x/y/%00", ONE + "/"]
)
def test_a_record_that_is_not_there_is_answered_with_a_sentence(library: Library, path: str) -> None:
    library.lands("1")
    answer = library.as_program().get(path)
    assert answer.status_code == 404
    assert "There is no such record." in answer.text


def test_a_row_of_a_sync_that_is_gone_is_shown_without_its_mapping(library: Library) -> None:
    library.fails("1", {"name": "Alfa"}, sync="gone")
    page = library.as_program().text("/records/gone/flexi/1")
    assert "This sync is not configured any more" in page
    assert '"name": "Alfa"' in page


def test_a_deleted_record_has_nothing_to_show_but_its_fate(library: Library) -> None:
    library.lands("1")
    library.settles("1", "processed", target_id="7")
    library.conn.execute("UPDATE sync.interface_row SET operation = 'delete', payload = NULL")
    library.told.mapped = Mapped(note="The record is deleted in its source, so there is nothing to map.")
    page = library.as_program().text(ONE)
    assert "Nothing: the record is deleted in its source." in page


def test_a_field_that_became_sensitive_later_is_hidden_although_it_was_stored(library: Library) -> None:
    library.lands("1", {"name": "Alfa", "pin": "4711-0815", "inner": [{"password": "geheim"}]})
    library.settles("1", "processed", target_id="7", written={"name": "Alfa", "pin": "4711-0815"})
    page = library.as_program().text(ONE)
    assert "4711-0815" not in page
    assert "geheim" not in page
    assert "Alfa" in page


def test_a_very_long_record_is_cut_and_says_so(library: Library) -> None:
    library.lands("1", {"name": "x" * 300_000})
    page = library.as_program().text(ONE)
    assert "more characters are not shown" in page
    assert len(page) < 250_000
