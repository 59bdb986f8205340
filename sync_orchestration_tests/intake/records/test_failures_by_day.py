"""The chart of failures: bars for those who see them, the same numbers as a table for everybody."""

import re
from datetime import UTC, date, datetime, timedelta

from sync_orchestration.intake.records.chart import DAYS, HEIGHT, WIDTH, chart_of
from sync_orchestration.interface.browsing import FailuresOfDay
from sync_orchestration_tests.intake.records.library import Library, seen

TODAY = date(2026, 3, 31)


def test_every_day_and_code_has_its_number_in_the_table_and_its_bar(library: Library) -> None:
    for number in range(3):
        library.fails(f"mail {number}")
    library.fails("required", error_code="required")
    library.fails("long ago", error_code="old")
    library.fails("mended")
    library.lands("mended", {"name": "x"}, position=2)
    library.settles("mended", "processed", target_id="1")
    long_ago = datetime.now(UTC) - timedelta(days=DAYS + 1)
    library.conn.execute("UPDATE sync.interface_row SET first_failed_at = %s WHERE record_key = 'long ago'", [long_ago])
    page = library.as_program().get("/records/failures").text
    today = datetime.now(UTC).date().isoformat()
    assert f"{today} 3 1 4" in seen(page)
    assert "Day email required Sum" in seen(page)
    assert "old" not in seen(page)
    assert f"<title>{today}: 3 email</title>" in page
    assert 'role="img" aria-labelledby="chart-title chart-about"' in page
    only = library.as_program().get("/records/failures", sync="contractors").text
    assert "No record that fails now began to in this time." in only


def test_bars_stand_on_each_other_within_the_picture() -> None:
    found = [
        FailuresOfDay(TODAY - timedelta(days=ago), code, 10 * (ago + 1) + place)
        for ago in range(DAYS)
        for place, code in enumerate(["a", "b", "c"])
    ]
    chart = chart_of(found, TODAY)
    assert chart.codes == ["c", "b", "a"]
    assert len(chart.bars) == 3 * DAYS
    for bar in chart.bars:
        assert 0 <= bar.x <= bar.x + bar.width <= WIDTH
        assert 0 <= bar.y <= bar.y + bar.height + 0.2 <= HEIGHT
    first = chart.bars[:3]
    assert first[0].y > first[1].y > first[2].y
    assert abs(first[1].y + first[1].height - first[0].y) < 0.3
    assert chart.total == sum(one.rows for one in found)


def test_rare_codes_are_one_and_none_is_left_out() -> None:
    found = [FailuresOfDay(TODAY, f"code {number}", 20 - number) for number in range(12)]
    chart = chart_of([*found, FailuresOfDay(TODAY, "", 100)], TODAY)
    assert chart.codes == ["no code", "code 0", "code 1", "code 2", "code 3", "code 4", "others"]
    assert chart.numbers[TODAY].total() == chart.total == 100 + sum(20 - number for number in range(12))


def test_a_single_failure_is_drawn_too() -> None:
    chart = chart_of([FailuresOfDay(TODAY, "a", 1)], TODAY)
    assert [mark.text for mark in chart.heights] == ["0", "1", "2"]
    assert len(chart.bars) == 1


def test_the_words_at_the_axes_are_plain_numbers() -> None:
    texts = [mark.text for mark in chart_of([FailuresOfDay(TODAY, "a", 1_234)], TODAY).heights]
    assert texts == ["0", "700", "1,400"]
    assert all(re.fullmatch(r"[\d,]+", text) for text in texts)
