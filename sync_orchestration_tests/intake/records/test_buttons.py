"""The buttons: what they ask for, what they leave alone, and that everybody's word is remembered."""

import logging
import re

import pytest

from sync_orchestration.interface.persons_word import MOST_WAITING
from sync_orchestration.interface.requeue import end_skips, requeue_rows
from sync_orchestration_tests.intake.records.library import Library, about, seen

ONE = "/records/partners/flexi/1"


def test_a_failed_record_is_asked_to_be_tried_again(library: Library, caplog: pytest.LogCaptureFixture) -> None:
    library.fails("1")
    reader = library.logged_in()
    with caplog.at_level(logging.INFO, logger="sync_orchestration.intake.records.words"):
        answer = reader.press("/records/ask", about("1", word="retry"), mark_of=ONE)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{ONE}?done=retry")
    assert library.wakes() == [("retry", "partners", "1")]
    assert library.words() == [("1", "retry", "asked by olga")]
    assert library.status("1") == "failed", "until the run takes it up, its reason stays to be seen"
    assert "olga: retry partners flexi '1'" in caplog.text
    page = reader.text(f"{ONE}?done=retry")
    assert "The record is tried again within seconds" in page
    assert "Somebody has asked to try it again" in page
    assert "asked by olga" in page


def test_a_record_that_does_not_fail_has_no_button_for_it_and_is_not_tried_again(library: Library) -> None:
    library.lands("1")
    reader = library.logged_in()
    assert "Try again" not in reader.text(ONE)
    answer = reader.press("/records/ask", about("1", word="retry"))
    assert answer.status_code == 409
    assert "The record is pending, and only a failed one can be tried again." in seen(answer.text)
    assert (library.wakes(), library.words()) == ([], [])


def test_any_record_can_be_read_again(library: Library) -> None:
    library.lands("1")
    library.settles("1", "processed", target_id="7")
    answer = library.logged_in().press("/records/ask", about("1", word="reread"))
    assert answer.status_code == 303
    assert library.wakes() == [("reread", "partners", "1")]
    assert library.words() == [("1", "reread", "asked by olga")]


def test_a_skipped_record_is_left_out_with_the_persons_reason(library: Library) -> None:
    library.fails("1")
    answer = library.logged_in().press(
        "/records/skip", about("1", reason="  a test\tcompany ", position="1"), mark_of=ONE
    )
    assert answer.headers["Location"] == f"{ONE}?done=skip"
    assert library.status("1") == "skipped"
    said = "skipped by olga: a test company"
    assert library.words() == [("1", "skip", said)]
    page = library.as_program().text(ONE)
    assert said in page
    assert "Failing since" not in page


@pytest.mark.parametrize("forced", [False, True])
def test_it_stays_left_out_until_it_changes(library: Library, forced: bool) -> None:
    library.fails("1", {"name": "Alfa"})
    library.logged_in().press("/records/skip", about("1", reason="no", position="1"))
    library.lands("1", {"name": "Alfa"}, position=2, force=forced)  # a sweep, or a window that is read again
    assert library.status("1") == "skipped"
    requeue_rows(library.conn, "partners")
    assert library.status("1") == "skipped", "also when everything is written again"
    library.lands("1", {"name": "Beta"}, position=3)
    assert library.status("1") == "pending"


def test_who_asks_for_it_by_name_gets_a_left_out_record_again(library: Library) -> None:
    library.fails("1", {"name": "Alfa"})
    library.logged_in().press("/records/skip", about("1", reason="no", position="1"))
    assert end_skips(library.conn, "partners", ["1"]) == 1
    library.lands("1", {"name": "Alfa"}, force=True)
    assert library.status("1") == "pending"


def test_a_record_that_has_changed_meanwhile_is_not_skipped(library: Library) -> None:
    library.fails("1")
    reader = library.logged_in()
    reader.text(ONE)
    library.lands("1", {"name": "mended"}, position=2)
    answer = reader.press("/records/skip", about("1", reason="no", position="1"))
    assert answer.status_code == 409
    assert "has changed since you looked at it" in seen(answer.text)
    assert (library.status("1"), library.words()) == ("pending", [])


def test_what_was_written_is_not_skipped_any_more(library: Library) -> None:
    library.lands("1")
    library.settles("1", "processed", target_id="7")
    answer = library.logged_in().press("/records/skip", about("1", reason="no", position="1"))
    assert (answer.status_code, library.status("1")) == (409, "processed")


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501])
def test_a_skip_needs_a_reason(library: Library, reason: str) -> None:
    library.fails("1")
    answer = library.logged_in().press("/records/skip", about("1", reason=reason, position="1"))
    assert (answer.status_code, library.status("1")) == (400, "failed")
    assert "Say why the record is left out" in seen(answer.text)


def test_whoever_reads_the_table_on_hears_of_a_skip(library: Library) -> None:
    library.fails("1")
    before = library.conn.execute("SELECT settled_version FROM sync.interface_row").fetchone()
    library.logged_in().press("/records/skip", about("1", reason="no", position="1"))
    after = library.conn.execute("SELECT settled_version FROM sync.interface_row").fetchone()
    assert before is not None
    assert after is not None
    assert after[0] > before[0]


def test_the_failed_ones_of_a_filter_are_tried_again_after_a_look_at_them(library: Library) -> None:
    for number in range(12):
        library.fails(f"mail {number}")
    library.fails("country", error_code="required")
    library.lands("fine", {"name": "nowhere"})
    reader = library.logged_in()
    page = reader.text("/records/retry", text="nowhere")
    assert "13 failed records are fetched anew" in page
    page = reader.text("/records/retry", error_code="email")
    assert "12 failed records are fetched anew" in page
    assert "mail 11" in page
    assert "and 2 more" in page
    assert library.wakes() == [], "a look asks for nothing"
    answer = reader.press("/records/retry", {"error_code": "email"}, mark_of="/records/retry?error_code=email")
    assert "12 records are tried again" in seen(answer.text)
    assert {key for _, _, key in library.wakes()} == {f"mail {number}" for number in range(12)}
    assert len(library.words()) == 12


def test_a_press_tries_a_thousand_again_and_says_that_there_are_more(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync_orchestration.intake.records.buttons.MOST_AT_ONCE", 3)
    for number in range(5):
        library.fails(f"{number}")
    reader = library.logged_in()
    page = reader.text("/records/retry")
    assert (
        "3 failed records are fetched anew from their source and written again: those that were received last." in page
    )
    assert "There are more" in page
    reader.press("/records/retry", {}, mark_of="/records/retry")
    assert [key for _, _, key in library.wakes()] == ["2", "3", "4"]


def test_where_none_fails_there_is_nothing_to_confirm(library: Library) -> None:
    library.lands("1")
    page = library.logged_in().get("/records/retry").text
    assert "None of these records is failing." in page
    assert not re.search("<form[^>]*records/retry", page)


def test_more_words_than_can_wait_are_refused_and_none_is_lost(library: Library) -> None:
    library.fails("1")
    library.conn.execute(
        "INSERT INTO sync.wake (kind, name, record_key, number) "
        "SELECT 'retry', 'partners', 'w' || n, n FROM generate_series(1, %s) n",
        [MOST_WAITING],
    )
    answer = library.logged_in().press("/records/ask", about("1", word="retry"))
    assert answer.status_code == 503
    assert f"More than {MOST_WAITING} records of partners wait for this already." in seen(answer.text)
    assert (len(library.wakes()), library.words()) == (MOST_WAITING, [])


@pytest.mark.parametrize("form", [about("1", word="delete"), about("1"), about("2", word="retry"), {}])
def test_a_button_that_does_not_exist_does_nothing(library: Library, form: dict[str, str]) -> None:
    library.fails("1")
    assert library.logged_in().press("/records/ask", form).status_code in (400, 404)
    assert (library.wakes(), library.words()) == ([], [])


@pytest.mark.parametrize("body", [b"\xff\xfe", b"a=" + b"x" * 70_000, b"&".join(b"a=1" for _ in range(100))])
def test_what_is_no_form_is_refused(library: Library, body: bytes) -> None:
    answer = library.as_program().session.post(library.url + "/records/ask", data=body, timeout=30)
    assert answer.status_code in (400, 413)
