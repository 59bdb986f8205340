"""A filter's rows as a file that opens in a spreadsheet and does nothing there but lie still."""

import csv
import io

import pytest
from openpyxl import load_workbook

from sync_orchestration.intake.records.export import COLUMNS, harmless
from sync_orchestration_tests.intake.records.library import VIEWER, Library


def as_csv(content: bytes) -> list[list[str]]:
    assert content.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))


def as_excel(content: bytes) -> list[list[str]]:
    rows = load_workbook(io.BytesIO(content)).active.iter_rows()  # type: ignore[union-attr]
    cells = [list(row) for row in rows]
    assert all(cell.data_type != "f" for row in cells for cell in row), "no formula"
    return [["" if cell.value is None else str(cell.value) for cell in row] for row in cells]


KINDS = {"csv": as_csv, "xlsx": as_excel}


@pytest.mark.parametrize("kind", KINDS)
def test_the_rows_of_the_filter_are_in_the_file(library: Library, kind: str) -> None:
    library.fails('ž,"1"\n', error_message="není; adresa")
    library.fails("2", error_code="required")
    library.lands("3")
    answer = library.as_program(VIEWER).get(f"/records/export.{kind}", error_code="email")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="records.{kind}"'
    head, row = KINDS[kind](answer.content)
    assert tuple(head) == COLUMNS
    told = dict(zip(head, row, strict=True))
    assert told["record_key"] == 'ž,"1" '
    assert told["error_message"] == "není; adresa"
    assert told["attempts"] == "1"
    assert told["next_attempt_at"] == ""
    assert len(told["first_failed_at"]) == len("2026-01-01 00:00:00")


@pytest.mark.parametrize("kind", KINDS)
def test_where_nothing_is_found_the_file_has_its_head(library: Library, kind: str) -> None:
    answer = library.as_program().get(f"/records/export.{kind}")
    assert KINDS[kind](answer.content) == [list(COLUMNS)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_long_table_is_whole_up_to_its_bound_and_then_says_that_it_is_cut(
    library: Library, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync_orchestration.intake.records.export._AT_A_TIME", 7)
    for number in range(30):
        library.lands(f"{number:02}")
    content = library.as_program().get(f"/records/export.{kind}").content
    assert [row[2] for row in KINDS[kind](content)[1:]] == [f"{number:02}" for number in reversed(range(30))]
    monkeypatch.setattr("sync_orchestration.intake.records.export.MOST_ROWS", 20)
    content = library.as_program().get(f"/records/export.{kind}").content
    rows = KINDS[kind](content)[1:]
    assert [row[2] for row in rows[:-1]] == [f"{number:02}" for number in reversed(range(10, 30))]
    assert rows[-1][0].startswith("cut after 20 rows")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\n@x"])
def test_what_begins_like_a_formula_is_text(text: str) -> None:
    assert harmless(text).startswith("'")


@pytest.mark.parametrize("text", ["Alfa", "1-2", "a=b", "", "'quoted", "č@"])
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert harmless(text) == text


@pytest.mark.parametrize("kind", KINDS)
def test_a_formula_in_a_record_never_runs(library: Library, kind: str) -> None:
    evil = '=HYPERLINK("http://evil.example","x")'
    library.fails(
        evil, error_field="@x", error_message="+1\x07\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16")
    )
    row = KINDS[kind](library.as_program().get(f"/records/export.{kind}").content)[1]
    assert row[2] == f"'{evil}"
    assert row[6] == "'@x"
    assert row[7].startswith("'+1")


def test_a_filter_that_is_wrong_is_a_page_and_no_file(library: Library) -> None:
    answer = library.as_program().get("/records/export.csv", status="lost")
    assert answer.status_code == 400
    assert answer.headers["Content-Type"].startswith("text/html")
