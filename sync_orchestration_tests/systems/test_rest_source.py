"""A list of a REST API is read to its end in every kind of paging, and never beyond the server that it belongs to."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests import Request as Sent
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sync_orchestration.mapping.conditions import compile_condition
from sync_orchestration.mapping.records import RecordError
from sync_orchestration.pipeline.errors import ConfigurationError, SyncError, UnavailableError
from sync_orchestration.pipeline.protocols import ChangePage
from sync_orchestration.systems.http import HttpClient, HttpSettings
from sync_orchestration.systems.rest import listing
from sync_orchestration.systems.rest.addresses import filled, path_below
from sync_orchestration.systems.rest.health import check
from sync_orchestration.systems.rest.listing import ChangedBy, Collection
from sync_orchestration.systems.rest.paging import (
    Cursor,
    LinkHeader,
    NextUrl,
    Offset,
    PageNumber,
    Paging,
    Single,
    links,
    next_link,
)
from sync_orchestration.systems.rest.source import RestSource
from sync_orchestration.systems.rest.times import position_of, written_time

from .arbitrary import json_values
from .conftest import Script, Switchboard, as_json

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
SECOND = int(NOW.timestamp())


def http_to(board: Switchboard, path: str = "", **settings: Any) -> HttpClient:
    given = {"name": "Shop", "base_url": board.url + path, "tries": 2, "first_delay": 0.0, **settings}
    return HttpClient(HttpSettings(**given))


def contacts(count: int, **fields: Any) -> list[dict[str, Any]]:
    return [{"id": number, "name": f"Contact {number}", **fields} for number in range(1, count + 1)]


@dataclass
class Api:
    """An API with one list, paged by `page`: a function of the query's parameters and the host's address."""

    records: list[Any]
    page: Callable[["Api", Mapping[str, str]], Response]
    cap: int = 100
    asked: list[str] = field(default_factory=list)
    singles: Callable[[str], Response] = lambda key: Response("", 404)
    url: str = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        query = f"?{request.url.query}" if request.url.query else ""
        self.asked.append(f"{request.url.path}{query}")
        path = scope["raw_path"].decode()
        if path.startswith("/contacts/"):
            response = self.singles(unquote(path.removeprefix("/contacts/")))
        else:
            response = self.page(self, request.query_params)
        await response(scope, receive, send)

    def cut(self, start: int, size: int) -> list[Any]:
        return self.records[start : start + min(size, self.cap)]


def source(board: Switchboard, api: Any, paging: Paging | None = None, **settings: Any) -> RestSource:
    board.app = api
    if isinstance(api, Api):
        api.url = board.url
    warnings: list[str] = settings.pop("warnings", [])
    now = settings.pop("now", NOW)
    http = settings.pop("http", None) or http_to(board)
    given = {"path": "/contacts", "paging": paging or Single(), **settings}
    return RestSource(Collection(http, **given), warnings.append, lambda: now)


def listed(found: RestSource) -> list[str]:
    return [record.key for page in found.snapshot(None) for record in page]


def by_page(api: Api, query: Mapping[str, str]) -> Response:
    size = min(int(query.get("per_page", 100)), api.cap)
    return as_json({"data": api.cut((int(query["page"]) - 1) * size, size), "meta": {"total": len(api.records)}})


def by_offset(api: Api, query: Mapping[str, str]) -> Response:
    return as_json({"data": api.cut(int(query["offset"]), int(query["limit"])), "count": len(api.records)})


def by_cursor(api: Api, query: Mapping[str, str]) -> Response:
    start = int(query.get("cursor", "c0")[1:])
    end = start + min(2, api.cap)
    following = f"c{end}" if end < len(api.records) else None
    return as_json({"data": api.records[start:end], "meta": {"next": following}})


def by_link(api: Api, query: Mapping[str, str]) -> Response:
    start = int(query.get("from", 0))
    header = f'<{api.url}/contacts?from=0>; rel="first"'
    if start + 2 < len(api.records):
        header += f', <{api.url}/contacts?from={start + 2}&fields=a,b>; title="x, y; z"; rel="last next"'
    return as_json({"data": api.records[start : start + 2]}, headers={"Link": header})


def by_next_url(api: Api, query: Mapping[str, str]) -> Response:
    start = int(query.get("from", 0))
    following = f"{api.url}/contacts?from={start + 2}" if start + 2 < len(api.records) else None
    return as_json({"data": api.records[start : start + 2], "@odata.nextLink": following})


def by_relative_url(api: Api, query: Mapping[str, str]) -> Response:
    start = int(query.get("from", 0))
    return as_json({"data": api.records[start : start + 2], "next": f"?from={start + 2}" if start < 3 else ""})


KINDS: dict[str, tuple[Callable[[Api, Mapping[str, str]], Response], Paging]] = {
    "page number": (by_page, PageNumber(size_param="per_page", size=2)),
    "page number with the total": (by_page, PageNumber(size_param="per_page", size=2, total="meta.total")),
    "offset": (by_offset, Offset(size=2)),
    "cursor": (by_cursor, Cursor("meta.next")),
    "link": (by_link, LinkHeader()),
    "next url": (by_next_url, NextUrl("@odata.nextLink")),
    "relative next url": (by_relative_url, NextUrl()),
}


# Paging


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("cap", [100, 1], ids=["as asked", "fewer than asked"])
def test_a_list_is_read_to_its_end_however_it_is_paged(board: Switchboard, kind: str, cap: int) -> None:
    page, paging = KINDS[kind]
    api = Api(contacts(5), page, cap)
    assert listed(source(board, api, paging, records="data")) == ["1", "2", "3", "4", "5"]


def test_a_list_that_comes_at_once_is_one_request(board: Switchboard) -> None:
    api = Api(contacts(3), lambda api, _: as_json(api.records))
    assert listed(source(board, api)) == ["1", "2", "3"]
    assert api.asked == ["/contacts"]


def test_the_total_spares_the_request_for_the_empty_page(board: Switchboard) -> None:
    for paging, asked in ((PageNumber(size_param="per_page", size=2), 3), (Offset(size=2), 3)):
        api = Api(contacts(4), by_page if isinstance(paging, PageNumber) else by_offset)
        assert len(listed(source(board, api, paging, records="data"))) == 4
        assert len(api.asked) == asked
        told = replace(paging, total="meta.total" if isinstance(paging, PageNumber) else "count")
        api.asked.clear()
        assert len(listed(source(board, api, told, records="data"))) == 4
        assert len(api.asked) == asked - 1


def test_the_number_of_pages_ends_the_list(board: Switchboard) -> None:
    api = Api(contacts(2), lambda api, query: as_json({"data": [api.records[int(query["p"])]], "pages": 2}))
    paging = PageNumber(param="p", first_page=0, total_pages="pages")
    assert listed(source(board, api, paging, records="data")) == ["1", "2"]
    assert api.asked == ["/contacts?p=0", "/contacts?p=1"]


def test_what_the_path_and_the_settings_ask_for_is_asked_for_on_every_page(board: Switchboard) -> None:
    api = Api(contacts(2), by_page)
    paging = PageNumber(size_param="per_page", size=1)
    found = source(board, api, paging, records="data", path="/contacts?active=1", params={"page": "7", "self": "x"})
    assert listed(found) == ["1", "2"]
    assert api.asked[0] == "/contacts?active=1&self=x&per_page=1&page=1"
    assert all("active=1&self=x" in asked for asked in api.asked)


def test_a_list_with_a_hole_is_walked_over_where_the_server_tells_the_next_page(board: Switchboard) -> None:
    script = Script([as_json({"data": [], "next": "b"}), as_json({"data": contacts(1)})])
    assert listed(source(board, script, Cursor("next"), records="data")) == ["1"]


def test_a_list_that_breaks_off_before_its_own_total_is_not_believed(board: Switchboard) -> None:
    api = Api(contacts(5), lambda api, query: as_json({"data": api.cut(0, 2) if query["page"] == "1" else [], "n": 5}))
    with pytest.raises(UnavailableError, match=r"lists 2 of 5 records .* remove that setting"):
        listed(source(board, api, PageNumber(total="n"), records="data"))


@pytest.mark.parametrize(
    ("paging", "answers"),
    [
        (PageNumber(), [contacts(2)]),
        (Offset(), [contacts(2)]),
        (Cursor("meta.next"), [{"data": contacts(2), "meta": {"next": "again"}}]),
        (NextUrl(), [{"data": contacts(1), "next": "/contacts"}]),
        (Cursor("c"), [{"data": [{"id": n}], "c": c} for n, c in ((1, "a"), (2, "b"), (3, "a"), (4, "b"))]),
    ],
    ids=["page", "offset", "cursor", "to itself", "in a circle"],
)
def test_paging_that_does_not_advance_ends_with_an_error(
    board: Switchboard, paging: Paging, answers: Sequence[Any]
) -> None:
    script = Script([as_json(answer) for answer in answers])
    records = "data" if isinstance(answers[0], dict) else None
    with pytest.raises(UnavailableError, match=r"paging of the list /contacts of Shop does not advance: page \d"):
        listed(source(board, script, paging, records=records))
    assert len(script.asked) <= 4


def test_paging_without_an_end_is_bounded(board: Switchboard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MOST_PAGES", 5)
    api = Api([], lambda api, query: as_json([{"id": int(query["page"])}]))
    with pytest.raises(UnavailableError, match="page 6 is not the last one still"):
        listed(source(board, api, PageNumber()))
    assert len(api.asked) == 5


def test_a_server_that_begins_anew_behind_its_end_is_read_once(board: Switchboard) -> None:
    api = Api(contacts(3), lambda api, query: as_json([api.records[(int(query["page"]) - 1) % 3]]))
    assert set(listed(source(board, api, PageNumber()))) == {"1", "2", "3"}


def test_a_record_that_moved_to_the_next_page_meanwhile_is_no_trouble(board: Switchboard) -> None:
    script = Script([as_json([{"id": 1}, {"id": 2}]), as_json([{"id": 2, "new": 1}, {"id": 3}]), as_json([])])
    found = source(board, script, PageNumber()).fetch(["2", "3", "9"])
    assert {key: record.payload for key, record in found.items()} == {"2": {"id": 2, "new": 1}, "3": {"id": 3}}


def test_an_error_for_the_page_behind_the_last_one_is_no_silent_end(board: Switchboard) -> None:
    script = Script([as_json(contacts(2)), as_json({"detail": "Invalid page."}, 404)])
    with pytest.raises(UnavailableError, match=r"Page 2 of .* status 404 \(“Invalid page\.”\).*name the total"):
        listed(source(board, script, PageNumber()))


# Addresses of the next page


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://127.0.0.1/contacts?page=2",
        "http://evil.example/contacts",
        "//evil.example/contacts",
        "http://127.0.0.1:1/contacts",
        "http://good@evil.example/",
        "ftp://x/",
    ],
)
@pytest.mark.parametrize("kind", ["next url", "link"])
def test_credentials_do_not_follow_the_next_page_to_another_server(
    board: Switchboard, elsewhere: str, kind: str
) -> None:
    answer = as_json({"data": contacts(1), "next": elsewhere}, headers={"Link": f"<{elsewhere}>; rel=next"})
    script = Script([answer])
    paging = NextUrl() if kind == "next url" else LinkHeader()
    with pytest.raises(ConfigurationError, match=r"credentials would leave") as refused:
        listed(source(board, script, paging, records="data"))
    host = urlsplit(elsewhere).hostname
    assert host is not None
    assert host in str(refused.value)
    assert len(script.asked) == 1


@pytest.mark.parametrize("address", ["http://[nonsense", "http://127.0.0.1:port/"])
def test_an_address_that_is_none_is_an_error_that_we_know(board: Switchboard, address: str) -> None:
    script = Script([as_json({"data": contacts(1), "next": address})])
    with pytest.raises(ConfigurationError, match="address of the next page that is none"):
        listed(source(board, script, NextUrl(), records="data"))


def test_the_next_page_is_below_the_connections_own_path(board: Switchboard) -> None:
    def app(following: str) -> Script:
        return Script([as_json({"data": contacts(1), "next": following}), as_json({"data": [{"id": 2}], "next": None})])

    for following in (
        "/api/v1/contacts?page=2",
        f"{board.url}/api/v1/contacts?page=2#top",
        f"{board.url}/api/../api/v1/contacts?page=2",
        "contacts?page=2",
    ):
        script = app(following)
        found = source(board, script, NextUrl(), records="data", http=http_to(board, "/api/v1/"))
        assert listed(found) == ["1", "2"], following
        assert script.asked[1] == "GET /api/v1/contacts?page=2"
    for following in ("/other/contacts", "/api/v10/contacts", "../../admin", f"{board.url}/api/v1/../../admin"):
        script = app(following)
        with pytest.raises(ConfigurationError, match="not below its address"):
            listed(source(board, script, NextUrl(), records="data", http=http_to(board, "/api/v1")))
        assert len(script.asked) == 1


@given(st.text(max_size=60) | st.from_regex(r"(https?:)?//[a-z@:/.\\\[\]0-9?#%-]{0,20}", fullmatch=True))
def test_whatever_address_a_server_gives_the_request_stays_with_it(address: str) -> None:
    http = HttpClient(HttpSettings("Shop", "https://shop.example/api"))
    try:
        path = path_below(http, "/contacts?page=1", address)
    except ConfigurationError:
        return
    sent = urlsplit(Sent("GET", "https://shop.example/api" + path).prepare().url or "")
    assert (sent.scheme, sent.netloc) == ("https", "shop.example")
    assert sent.path == "/api" or sent.path.startswith("/api/")


# Link headers (RFC 8288)


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ('<https://api.example/c?page=2>; rel="next", <https://api.example/c?page=9>; rel="last"', "https://api.example/c?page=2"),
        ('</c?page=9>; rel="last",</c?page=2>;rel=next', "/c?page=2"),
        ('</c?a=1,2;3>; title="next, <or>; rel=next"; rel="prev", </d>; REL="Start  NEXT"', "/d"),
        ('</c>; title="say \\"next\\""; rel="next"', "/c"),
        ('</c>; rel="prev"; rel="next"', None),  # of two, the first counts
        ('</c>; rel="next"; anchor="/other"', None),  # says something about another resource
        ('</c>; rel="nextish"', None),
        ("nonsense, </c>; rel=next", "/c"),
        ("</c", None),
        ("", None),
    ],
)  # fmt: skip
def test_the_next_page_is_found_in_a_link_header(header: str, target: str | None) -> None:
    assert next_link(header) == target


TARGETS = st.text(st.characters(codec="ascii", exclude_characters="<> \t\r\n", exclude_categories=["Cc"]), max_size=20)
TITLES = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=20)
RELATIONS = st.lists(st.sampled_from(["next", "prev", "last", "first"]), min_size=1, max_size=3)


@given(st.lists(st.tuples(TARGETS, TITLES, RELATIONS), max_size=4), st.sampled_from([",", ", ", " ,\t"]))
def test_a_link_header_is_read_as_it_was_written(given_links: list[tuple[str, str, list[str]]], separator: str) -> None:
    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    header = separator.join(f'<{t}>; title={quoted(title)} ; rel="{" ".join(r)}"' for t, title, r in given_links)
    assert [(t, p["title"], p["rel"].split()) for t, p in links(header)] == given_links
    expected = next((t for t, _, relations in given_links if "next" in relations), None)
    assert next_link(header) == expected


@given(st.text(max_size=60) | st.text('<>;,="\\ relnxt', max_size=40))
def test_no_link_header_is_too_strange_to_read(header: str) -> None:
    assert next_link(header) is None or "<" in header


# Changes


def changing(board: Switchboard, api: Any, paging: Paging | None = None, **settings: Any) -> RestSource:
    given = {"changed": ChangedBy("updated_at", "updated_since"), **settings}
    return source(board, api, paging, **given)


def at(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat()


def test_the_head_is_now_and_asks_nothing(board: Switchboard) -> None:
    api = Api([], by_page)
    head = changing(board, api).head()
    assert (head.position, head.fingerprint) == (SECOND, f"{board.url}/contacts")
    assert api.asked == []


def test_a_password_in_the_address_is_not_in_the_fingerprint(board: Switchboard) -> None:
    url = board.url.replace("http://", "http://user:geheim@")
    http = http_to(board, base_url=url)
    head = source(board, Api([], by_page), http=http, path="/c?key=geheim").head()
    assert "geheim" not in head.fingerprint


def test_changes_are_asked_for_from_the_start_and_come_with_their_payload(board: Switchboard) -> None:
    api = Api(
        [{"id": 2, "updated_at": at(SECOND - 5)}, {"id": 1, "updated_at": at(SECOND - 9)}],
        lambda a, _: as_json(a.records),
    )
    (page,) = changing(board, api).changes(SECOND - 100)
    assert [(c.key, c.operation, c.position) for c in page.changes] == [
        ("1", "update", SECOND - 9),
        ("2", "update", SECOND - 5),
    ]
    assert page.changes[1].payload == api.records[0]
    assert (page.next_position, page.newest, page.more) == (SECOND - 5, SECOND, False)
    assert api.asked == ["/contacts?updated_since=2026-03-01T11%3A58%3A20Z"]


def test_only_the_last_page_moves_the_position_for_the_list_is_in_no_order(board: Switchboard) -> None:
    records = [{"id": n, "updated_at": at(SECOND - n)} for n in range(1, 4)]
    found = changing(board, Api(records, by_page), PageNumber(size_param="per_page", size=2), records="data")
    pages = list(found.changes(SECOND - 100))
    assert [(len(p.changes), p.next_position, p.more) for p in pages] == [
        (2, SECOND - 100, True),
        (1, SECOND - 100, True),
        (0, SECOND - 1, False),
    ]


def test_a_server_that_ignores_the_filter_is_passed_over_what_is_old(board: Switchboard) -> None:
    records = [{"id": n, "updated_at": at(SECOND - 10 * n)} for n in range(1, 4)]
    (page,) = changing(board, Api(records, lambda a, _: as_json(a.records))).changes(SECOND - 20)
    assert [c.key for c in page.changes] == ["2", "1"]


def test_without_anything_new_the_position_stays(board: Switchboard) -> None:
    (page,) = changing(board, Api([], lambda a, _: as_json([]))).changes(SECOND - 20)
    assert page == ChangePage([], SECOND - 20, SECOND, more=False)


@pytest.mark.parametrize("told", [None, "yesterday", True, [], "0000-00-00 00:00:00"])
def test_a_record_whose_time_cannot_be_read_is_never_lost(board: Switchboard, told: Any) -> None:
    records = [{"id": 1, "updated_at": told}, {"id": 2, "updated_at": at(SECOND - 7)}]
    (page,) = changing(board, Api(records, lambda a, _: as_json(a.records))).changes(SECOND - 20)
    assert [(c.key, c.position) for c in page.changes] == [("2", SECOND - 7), ("1", SECOND)]
    assert page.next_position == SECOND - 7  # it does not move the cursor past what was committed meanwhile


def test_a_clock_that_is_ahead_does_not_move_the_position_beyond_now(board: Switchboard) -> None:
    records = [{"id": 1, "updated_at": "2099-01-01T00:00:00Z"}]
    (page,) = changing(board, Api(records, lambda a, _: as_json(a.records))).changes(SECOND - 20)
    assert ([c.position for c in page.changes], page.next_position) == ([SECOND], SECOND)


def test_a_tombstone_is_a_delete_and_is_no_record(board: Switchboard) -> None:
    records = [{"id": 1, "gone": True, "updated_at": at(SECOND - 3)}, {"id": 2, "updated_at": at(SECOND - 2)}]
    api = Api(records, lambda a, _: as_json(a.records), singles=lambda key: as_json(records[int(key) - 1]))
    deleted = compile_condition("gone = true")
    found = changing(board, api, deleted=deleted, record_path="/contacts/{key}")
    (page,) = found.changes(0)
    assert [(c.key, c.operation, c.payload is None) for c in page.changes] == [
        ("1", "delete", True),
        ("2", "update", False),
    ]
    assert listed(found) == ["2"]
    assert [item.key for items in found.inventory() for item in items] == ["2"]
    assert set(found.fetch(["1", "2"])) == set(changing(board, api, deleted=deleted).fetch(["1", "2"])) == {"2"}


def test_a_look_at_the_changes_is_one_request(board: Switchboard) -> None:
    records = [{"id": n, "updated_at": at(SECOND - n)} for n in range(1, 4)]
    api = Api(records, by_page)
    page = changing(board, api, PageNumber(size_param="per_page", size=2), records="data").peek(0)
    assert ([c.key for c in page.changes], page.more, len(api.asked)) == (["2", "1"], True, 1)


def test_a_list_without_times_has_no_changes_and_only_the_inventory_finds_them(board: Switchboard) -> None:
    api = Api(contacts(2), lambda a, _: as_json(a.records))
    found = source(board, api)
    assert list(found.changes(5)) == [found.peek(5)] == [ChangePage([], SECOND, SECOND, more=False)]
    assert api.asked == []
    (items,) = found.inventory()
    assert [(i.key, i.position, i.payload) for i in items] == [
        ("1", SECOND, api.records[0]),
        ("2", SECOND, api.records[1]),
    ]


def test_the_inventory_and_the_full_read_tell_when_each_record_changed(board: Switchboard) -> None:
    api = Api(contacts(1, updated_at=at(SECOND - 9)), lambda a, _: as_json(a.records))
    found = changing(board, api)
    assert [i.position for items in found.inventory() for i in items] == [SECOND - 9]
    assert [r.position for page in found.snapshot("1") for r in page] == [SECOND - 9]
    assert api.asked == ["/contacts", "/contacts"]


# Times


@pytest.mark.parametrize(
    ("told", "second"),
    [
        ("2026-03-01T12:00:00Z", SECOND),
        ("2026-03-01T12:00:00.999999999Z", SECOND),
        ("2026-03-01T13:00:00+01:00", SECOND),
        ("2026-03-01 12:00:00", SECOND),
        ("2026-03-01", SECOND - 12 * 3600),
        ("20260301", SECOND - 12 * 3600),
        (SECOND, SECOND),
        (SECOND + 0.75, SECOND),
        (SECOND * 1_000 + 1, SECOND),
        (SECOND * 1_000_000, SECOND),
        (str(SECOND), SECOND),
        (f"{SECOND}123", SECOND),
        ("0001-01-01T00:00:00", 0),
        ("9999-12-31T23:59:59-12:00", 253402343999),
        (-5, 0),
        ("", None),
        (float("inf"), None),
        (False, None),
        ({}, None),
    ],
)
def test_times_are_read_as_servers_write_them(told: Any, second: int | None) -> None:
    assert position_of(told) == second


MOMENTS = st.integers(0, int(datetime(9999, 12, 31, tzinfo=UTC).timestamp()))
SINCE_1974 = st.integers(10**8 + 10**7, int(datetime(5000, 1, 1, tzinfo=UTC).timestamp()))


@given(MOMENTS, st.sampled_from(["iso", "%d.%m.%Y %H:%M:%S", "%Y%m%d%H%M%S", "%Y-%m-%dT%H:%M:%S%z"]))
def test_a_time_that_is_written_is_read_back(position: int, form: str) -> None:
    assert position_of(written_time(position, form), form) == position


@given(SINCE_1974, st.sampled_from(["epoch", "epoch_ms"]))
def test_a_count_of_seconds_or_milliseconds_is_read_back(position: int, form: str) -> None:
    assert position_of(written_time(position, form)) == position
    assert position_of(int(written_time(position, form))) == position


@given(MOMENTS)
def test_a_date_to_filter_by_is_never_too_late_in_any_zone(position: int) -> None:
    first = position_of(f"{written_time(position, 'date')}T00:00:00-12:00")
    assert first is not None
    assert first <= max(position, 12 * 3600)


@given(json_values() | st.text(max_size=30) | st.from_regex(r"[0-9]{1,40}(\.[0-9]+)?", fullmatch=True))
def test_whatever_stands_in_place_of_a_time_can_be_a_position(told: Any) -> None:
    position = position_of(told)
    assert position is None or 0 <= position < 2**63


def test_a_format_that_is_none_is_a_setting_to_correct() -> None:
    with pytest.raises(ConfigurationError, match="'ISO8601' is no format of a time"):
        written_time(0, "ISO8601")


# One record


def test_records_are_fetched_one_by_one_where_they_can_be_asked_for(board: Switchboard) -> None:
    shop = {"1": {"id": 1}, "a/b?c#d %2F": {"id": "a/b?c#d %2F"}}
    answers = {"3": Response("", 410), "4": Response("", 404)}
    api = Api([], by_page, singles=lambda key: answers.get(key) or as_json({"item": shop[key]}))
    found = source(board, api, record_path="/contacts/{key}", record="item", params={"expand": "all"})
    assert {k: r.payload for k, r in found.fetch([*shop, "3", "4"]).items()} == shop
    assert all(asked.endswith("?expand=all") for asked in api.asked)


@pytest.mark.parametrize("key", [".", ".."])
def test_a_key_that_no_path_can_hold_is_looked_for_in_the_list(board: Switchboard, key: str) -> None:
    api = Api([{"id": key}], lambda a, _: as_json(a.records))
    assert set(source(board, api, record_path="/contacts/{key}").fetch([key])) == {key}
    assert api.asked == ["/contacts"]


def test_a_record_that_cannot_be_read_is_not_taken_for_gone(board: Switchboard) -> None:
    for answer, error in (
        (as_json({"message": "no"}, 403), r"does not let this user do GET /contacts/1: status 403 \(“no”\)"),
        (as_json({"message": "broken"}, 500), r"status 500 \(“broken”\)"),
        (as_json(["x"]), "without a record: the answer has a list of 1"),
    ):
        api = Api([], by_page, singles=lambda key, answer=answer: answer)  # type: ignore[misc]
        with pytest.raises(SyncError, match=error):
            source(board, api, record_path="/contacts/{key}").fetch(["1"])


@given(st.text(max_size=30) | st.text("./%?#\\ ~é", max_size=12))
def test_whatever_the_key_its_path_has_exactly_one_more_segment(key: str) -> None:
    path = filled("/v1/partners/{key}", {"id": "1", "key": key})
    if isinstance(path, RecordError):
        assert key in ("", ".", "..")
        return
    url = Sent("GET", "https://shop.example/api" + path).prepare().url or ""
    sent = urlsplit(url)
    assert sent.path.startswith("/api/v1/partners/")
    assert (sent.path.count("/"), sent.query, sent.fragment) == (4, "", "")
    assert unquote(sent.path.rpartition("/")[2], errors="surrogatepass") == key


@given(st.text(max_size=30))
def test_whatever_the_key_a_query_for_it_has_no_more_parameters(key: str) -> None:
    path = filled("/partners?external_ref={key}&limit=2", {"id": "1", "key": key})
    assert isinstance(path, str)
    sent = urlsplit(Sent("GET", "https://shop.example" + path).prepare().url or "")
    assert sent.path == "/partners"
    name, _, value = sent.query.removesuffix("&limit=2").partition("=")
    assert (name, unquote(value, errors="surrogatepass")) == ("external_ref", key)


def test_a_path_with_a_place_that_nothing_fills_is_a_setting_to_correct() -> None:
    with pytest.raises(ConfigurationError, match=r"has \{name\}, but only \{id\} and \{key\}"):
        filled("/partners/{name}", {"id": "1", "key": "2"})


# Records that are none


def test_records_without_a_key_are_left_out_with_a_warning(board: Switchboard) -> None:
    warnings: list[str] = []
    records = [{"id": 1}, {"name": "x"}, "text", None, {"id": None}, {"id": True}, {"id": " "}, {"id": "K-2"}]
    api = Api(records, lambda a, _: as_json(a.records))
    assert listed(source(board, api, warnings=warnings)) == ["1", "K-2"]
    assert warnings == ["6 of 8 records on page 1 of the list /contacts of Shop have no key at 'id' and are left out."]


def test_a_wrong_path_of_the_key_names_the_fields_that_are_there(board: Switchboard) -> None:
    api = Api([{"uuid": "1", "name": "x"}], lambda a, _: as_json(a.records))
    with pytest.raises(
        ConfigurationError, match=r"page 1 .* has a key at 'id': the first one has the fields uuid, name"
    ):
        listed(source(board, api))


def test_a_last_page_of_one_record_without_a_key_does_not_stop_everything(board: Switchboard) -> None:
    warnings: list[str] = []
    script = Script([as_json([{"id": 1}]), as_json([{"name": "x"}]), as_json([])])
    assert listed(source(board, script, PageNumber(), warnings=warnings)) == ["1"]
    assert len(warnings) == 1


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (as_json({"items": []}), r"no list of records at 'data': the answer has the fields items\. Correct the path"),
        (as_json({"data": {"x": 1}}), "no list of records at 'data'"),
        (as_json("text"), "the answer has a text"),
        (as_json({"data": None, "errors": ["quota"]}), r"begins “{\"data\": null, \"errors\": \[\"quota\"\]}”"),
        (Response("<h1>Sign in</h1>", media_type="text/html"), "an HTML page .*Sign in"),
        (as_json({"message": "who?"}, 401), "refuses the credentials .*who?"),
        (as_json({}, 403), "does not let this user do GET /contacts: status 403. Give the user the right"),
        (as_json({}, 404), r"knows no such path: GET /contacts was answered with status 404"),
        (as_json({}, 405), "allows no such method"),
        (as_json({"errors": [{"field": "limit", "message": "too many"}]}, 422), "limit: too many.*Check the path and"),
        (as_json({"detail": "later"}, 500), r"status 500 \(“later”\)\.$"),
    ],
)
def test_an_answer_that_is_no_list_says_what_is_wrong(board: Switchboard, answer: Response, error: str) -> None:
    with pytest.raises(SyncError, match=error):
        listed(source(board, Script([answer]), records="data"))


@pytest.mark.parametrize("answer", [Response(status_code=204), as_json({"data": None}), as_json({"data": []})])
def test_an_empty_list_has_several_spellings(board: Switchboard, answer: Response) -> None:
    assert listed(source(board, Script([answer]), records="data")) == []


@given(body=json_values() | st.lists(json_values()) | st.fixed_dictionaries({"data": json_values()}))
def test_whatever_a_list_answers_it_is_read_or_refused_with_an_error_that_we_know(
    board: Switchboard, body: Any
) -> None:
    records = "data" if isinstance(body, dict) else None
    found = changing(board, Script([as_json(body)]), Cursor("next"), records=records, http=http_to(board, tries=1))
    try:
        for page in found.changes(0):
            assert all(change.key and 0 <= change.position <= SECOND for change in page.changes)
    except SyncError:
        pass


# Is it there?


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (as_json([]), "answered with status 200 in JSON"),
        (Response("", 204), "answered with status 204 without content"),
    ],
)
def test_a_check_says_what_answered(board: Switchboard, answer: Response, said: str) -> None:
    board.app = script = Script([answer])
    assert check(http_to(board), "/contacts?a=1", {"limit": "1"}) == said
    assert script.asked == ["GET /contacts?a=1&limit=1"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Response("", 401), "refuses the credentials of its connection"),
        (Response("", 403), "does not let this user"),
        (Response("", 404), "knows no such path"),
        (Response("<html>Hello</html>", media_type="text/html"), "Is http.* its address"),
    ],
)
def test_a_check_says_which_setting_is_wrong(board: Switchboard, answer: Response, error: str) -> None:
    board.app = Script([answer])
    with pytest.raises(ConfigurationError, match=error):
        check(http_to(board), "/contacts")
