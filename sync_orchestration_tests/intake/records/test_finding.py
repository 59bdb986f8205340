"""People find any record: by sync, status, code, key, words and time, page by page."""

from datetime import UTC, datetime, timedelta

import pytest

from sync_orchestration_tests.intake.records.library import VIEWER, Library, keys_of, seen


@pytest.fixture
def shelf(library: Library) -> Library:
    """Six records of two syncs, each another one's opposite in something."""
    library.lands("new", {"name": "Nová a.s.", "city": "Praha"})
    library.lands("done", {"name": "Hotová s.r.o.", "email": "info@hotova.example"})
    library.settles("done", "processed", target_id="17")
    library.lands("left", {"name": "Left out"})
    library.settles("left", "skipped", error_message="country is empty")
    library.fails("bad", {"name": "Špatná", "street": "Dlouhá 12/3"})
    library.fails("worse", {"name": "Worse", "number": 27082440}, error_code="required", error_message="name is empty")
    library.lands("other", {"name": "Jiná"}, sync="contractors", source_system="alfresco")
    return library


ALL = {"new", "done", "left", "bad", "worse", "other"}


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, ALL),
        ({"sync": "contractors"}, {"other"}),
        ({"status": "failed"}, {"bad", "worse"}),
        ({"status": "pending"}, {"new", "other"}),
        ({"error_code": "required"}, {"worse"}),
        ({"key": "done"}, {"done"}),
        ({"key": "don"}, set()),
        ({"text": "praha"}, {"new"}),
        ({"text": "PRA*"}, {"new"}),  # the beginning of a word, whatever the case
        ({"text": "pra"}, set()),
        ({"text": "nová"}, {"new"}),
        ({"text": "wor*"}, {"worse"}),  # in the key
        ({"text": "*"}, set()),
        ({"text": "address nowhere"}, {"bad"}),  # in the error, in any order
        ({"text": "27082440"}, {"worse"}),
        ({"text": "info@hotova.example"}, {"done"}),
        ({"text": "dlouhá 12/3"}, {"bad"}),
        ({"text": "name"}, {"worse"}),  # of the error; names of fields are no words
        ({"text": "praha dlouhá"}, set()),
        ({"text": "' & | ! :* \\ <->"}, set()),
        ({"text": "it's"}, set()),
        ({"status": "failed", "text": "worse"}, {"worse"}),
        ({"sync": "contractors", "status": "failed"}, set()),
        ({"sync": "nowhere"}, set()),
    ],
)
def test_a_filter_finds_what_it_says(shelf: Library, asked: dict[str, str], found: set[str]) -> None:
    assert set(shelf.as_program(VIEWER).keys(**asked)) == found


def test_words_find_a_record_beyond_the_newest_and_frequent_ones_the_newest_of_all(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync_orchestration.interface.browsing._READ_FIRST", 3)
    library.fails("old", {"name": "needle"})
    for number in range(20):
        library.fails(f"{number:02}", {"name": "straw"})
    reader = library.as_program()
    assert reader.keys(text="needle") == ["old"]
    newest_first = [f"{number:02}" for number in reversed(range(20))]
    assert reader.keys(text="straw") == newest_first
    monkeypatch.setattr("sync_orchestration.interface.browsing._MOST_MATCHES", 5)
    assert reader.keys(text="straw") == newest_first
    library.lands("waiting", {"name": "straw needle"})
    assert reader.keys(text="needle") == ["waiting", "old"]


def test_a_time_finds_what_was_received_or_began_to_fail_then(shelf: Library) -> None:
    long_ago = datetime(2026, 3, 1, 12, tzinfo=UTC)
    shelf.conn.execute("UPDATE sync.interface_row SET received_at = %s WHERE record_key = 'done'", [long_ago])
    shelf.conn.execute("UPDATE sync.interface_row SET first_failed_at = %s WHERE record_key = 'bad'", [long_ago])
    reader = shelf.as_program(VIEWER)
    assert reader.keys(received_from="2026-03-01T12:00", received_to="2026-03-01T12:01") == ["done"]
    assert reader.keys(received_to="2026-03-01T12:00") == []
    assert "done" not in reader.keys(received_from="2026-03-01T12:01")
    assert reader.keys(failed_from="2026-03-01", failed_to="2026-03-02") == ["bad"]
    assert reader.keys(failed_from="2026-03-01T13:00") == ["worse"]


def test_the_newest_come_first_and_pages_go_on_without_a_gap_or_a_double(library: Library) -> None:
    keys = [f"{number:03}" for number in range(130)]
    for key in keys:
        library.lands(key)
    # Many at one moment, as one landing leaves them, and some in other statuses and syncs.
    now = datetime(2026, 5, 1, tzinfo=UTC)
    library.conn.execute("UPDATE sync.interface_row SET received_at = %s", [now])
    library.conn.execute(
        "UPDATE sync.interface_row SET received_at = %s, status = 'failed', sync = 'zz' WHERE record_key < '010'",
        [now - timedelta(days=1)],
    )
    library.conn.execute("UPDATE sync.interface_row SET status = 'skipped' WHERE record_key LIKE '_5_'")
    reader = library.as_program()
    met: list[str] = []
    path, pages = "/records", 0
    while path:
        page = reader.get(path).text
        met += keys_of(page)
        pages += 1
        path = page.partition('<a href="/records?after=')[2].partition('"')[0]
        path = f"/records?after={path}" if path else ""
        library.lands(f"while reading {pages}")  # new ones come before the page, and disturb nothing
    assert pages == 3
    assert met == sorted(keys, reverse=True)


def test_a_filter_stays_on_the_next_page_and_in_the_links(library: Library) -> None:
    for number in range(60):
        library.fails(f"{number:02}")
    page = library.as_program().get(status="failed", text="nowhere").text
    assert '<a href="/records?status=failed&amp;text=nowhere&amp;after=' in page
    assert 'href="/records/export.csv?status=failed&amp;text=nowhere"' in page
    assert 'href="/records/retry?status=failed&amp;text=nowhere"' in page
    assert 'value="nowhere"' in page
    assert "<option selected>failed</option>" in page


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"status": "lost"}, "There is no status like that"),
        ({"received_from": "yesterday"}, "A time is written like"),
        ({"text": "x" * 1_001}, "at most 1000 characters"),
        ({"key": "a\x00"}, "a character that no record can have"),
        ({"after": "x"}, "link to a further page is broken"),
        ({"after": "W10="}, "link to a further page is broken"),
        ({"after": "WyIyMDI2LTAxLTAxIiwgImEiLCAiYiIsIDFd"}, "link to a further page is broken"),
    ],
)
def test_what_cannot_be_asked_is_answered_with_a_sentence(library: Library, asked: dict[str, str], said: str) -> None:
    answer = library.as_program().get(**asked)
    assert answer.status_code == 400
    assert said in answer.text


def test_the_counts_say_how_many_there_are_and_lead_to_them(shelf: Library) -> None:
    page = shelf.as_program().get().text
    assert '<a href="/records?sync=partners&amp;status=failed">2<' in page
    assert '<a href="/records?sync=contractors&amp;status=pending">1<' in page


def test_beyond_ten_thousand_nobody_counts_on(library: Library) -> None:
    library.conn.execute(
        "INSERT INTO sync.interface_row (sync, source_system, record_key, entity, operation, position, partition_key, "
        "payload, status) SELECT 'partners', 'flexi', n::text, 'a', 'update', n, '0', '{}', 'pending' "
        "FROM generate_series(1, 10001) n"
    )
    assert "more than 10,000" in library.as_program().text()
    library.conn.execute("DELETE FROM sync.interface_row WHERE record_key = '1'")
    assert "more than" not in library.as_program().text()


def test_a_search_that_takes_too_long_is_stopped_and_says_what_helps(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync_orchestration.interface.browsing._STATEMENT_MS", 200)
    library.lands("1")
    with library.conn.transaction():
        library.conn.execute("LOCK TABLE sync.interface_row IN ACCESS EXCLUSIVE MODE")
        answer = library.as_program().get()
    assert answer.status_code == 503
    assert "This search takes too long. Narrow it" in answer.text


def test_what_others_wrote_into_a_record_is_text_and_nothing_else(library: Library) -> None:
    evil = "<script>alert(1)</script>\u202egnp.exe"
    library.fails(evil, {"name": evil}, error_field='"><b>', error_message=f"{evil} {{{{ 7*7 }}}}")
    reader = library.as_program()
    for path in ("/records", f"/records/partners/flexi/{evil.replace('/', '%2F')}", "/records/failures"):
        page = reader.get(path).text
        assert "<script>" not in page
        assert "\u202e" not in seen(page), "nor does it turn the direction of writing"
        assert "<b>" not in page
    assert "{{ 7*7 }}" in reader.text()
