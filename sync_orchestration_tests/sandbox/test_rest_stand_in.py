"""The REST stand-in pages, refuses, repeats and counts as the CRMs of this world do."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from starlette.types import ASGIApp, Receive, Scope, Send

from sync_orchestration.sandbox.faults import FaultRule
from sync_orchestration.sandbox.rest import RestSwitches, RestWorld, rest_app
from sync_orchestration.sandbox.server import serve

Json = dict[str, Any]

START = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


class Stage:
    """One server for the whole file: each test puts its own world's app on it."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


class Clock:
    """Moves by a second with each look at it."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


class Client:
    """Asks one stand-in, with the right token."""

    def __init__(self, url: str, world: RestWorld) -> None:
        self.url = url
        self.headers = {"Authorization": f"Bearer {world.access.token}"}

    def __call__(self, method: str, path: str, *, headers: dict[str, str] | None = None, **more: Any) -> Any:
        url = path if path.startswith("http") else self.url + path
        return requests.request(method, url, headers=self.headers | (headers or {}), timeout=30, **more)

    def get(self, path: str, **params: Any) -> Any:
        return self("GET", path, params=params)

    def post(self, path: str, body: object, **headers: str) -> Any:
        return self("POST", path, json=body, headers={n.replace("_", "-"): v for n, v in headers.items()})

    def numbers(self, path: str, **params: Any) -> list[int]:
        """The ids on one page."""
        return [record["id"] for record in self.get(path, **params).json()["data"]]


@pytest.fixture(scope="module")
def stage() -> Iterator[tuple[Stage, str]]:
    stage = Stage()
    with serve(stage) as url:
        yield stage, url


@pytest.fixture
def world() -> RestWorld:
    return RestWorld(clock=Clock())


@pytest.fixture
def client(world: RestWorld, stage: tuple[Stage, str]) -> Client:
    stage[0].app = rest_app(world)
    return Client(stage[1], world)


@pytest.fixture
def ten(world: RestWorld) -> RestWorld:
    """A world with the contacts 1 to 10."""
    for number in range(1, 11):
        world.put("contacts", {"name": f"Contact {number}"})
    return world


def switch(world: RestWorld, **switches: Any) -> None:
    world.switches = RestSwitches.model_validate(world.switches.model_dump() | switches)


def by_page(client: Client, size: int = 3) -> list[list[int]]:
    """Pages until the total number of them."""
    first = client.get("/contacts", per_page=size).json()
    pages = range(1, first["meta"]["total_pages"] + 1)
    return [client.numbers("/contacts", page=page, per_page=size) for page in pages]


def by_offset(client: Client, size: int = 3) -> list[list[int]]:
    """Spans until one is empty and the total is reached."""
    total = client.get("/by/offset/contacts").json()["meta"]["total"]
    offsets = range(0, total + 2 * size, size)
    return [client.numbers("/by/offset/contacts", offset=offset, limit=size) for offset in offsets]


def by_cursor(client: Client, size: int = 3) -> list[list[int]]:
    pages: list[list[int]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = client.get("/by/cursor/contacts", limit=size, **cursor).json()
        pages.append([record["id"] for record in answer["data"]])
        if answer["meta"]["next_cursor"] is None:
            return pages
        cursor = {"cursor": answer["meta"]["next_cursor"]}


def by_link(client: Client, size: int = 3) -> list[list[int]]:
    pages, answer = [], client.get("/by/link/contacts", per_page=size)
    while True:
        pages.append([record["id"] for record in answer.json()["data"]])
        if "next" not in answer.links:
            return pages
        answer = client("GET", answer.links["next"]["url"])


def by_next_url(client: Client, size: int = 3) -> list[list[int]]:
    pages, url = [], f"/by/next_url/contacts?limit={size}"
    while True:
        answer = client("GET", url).json()
        pages.append([record["id"] for record in answer["data"]])
        if answer["next"] is None:
            return pages
        url = answer["next"]


Reader = Callable[..., list[list[int]]]

READERS = pytest.mark.parametrize("read", [by_page, by_offset, by_cursor, by_link, by_next_url])


@READERS
def test_every_way_of_paging_gives_every_record_once(read: Reader, client: Client, ten: RestWorld) -> None:
    pages = [page for page in read(client) if page]
    assert pages == [[1, 2, 3], [4, 5, 6], [7, 8, 9], [10]]


@READERS
def test_an_empty_page_in_the_middle_hides_nothing(read: Reader, client: Client, ten: RestWorld) -> None:
    switch(ten, empty_page=2)
    assert read(client)[:5] == [[1, 2, 3], [], [4, 5, 6], [7, 8, 9], [10]]


@READERS
def test_the_last_page_can_be_empty(read: Reader, client: Client, ten: RestWorld) -> None:
    switch(ten, last_empty=True)
    assert read(client)[:5] == [[1, 2, 3], [4, 5, 6], [7, 8, 9], [10], []]


@READERS
def test_pages_can_begin_with_the_last_record_of_the_page_before(read: Reader, client: Client, ten: RestWorld) -> None:
    switch(ten, duplicates=True)
    assert [page for page in read(client) if page] == [[1, 2, 3], [3, 4, 5], [5, 6, 7], [7, 8, 9], [9, 10]]


@READERS
def test_an_empty_collection_is_one_empty_page(read: Reader, client: Client) -> None:
    assert [page for page in read(client) if page] == []


def test_everything_can_come_at_once(client: Client, ten: RestWorld) -> None:
    switch(ten, paging="none", envelope="bare")
    assert [record["id"] for record in client.get("/contacts", page=2, per_page=3).json()] == list(range(1, 11))


def test_the_server_gives_fewer_than_asked_or_refuses(client: Client, ten: RestWorld) -> None:
    switch(ten, max_page=4)
    answer = client.get("/contacts", per_page=100).json()
    assert len(answer["data"]) == 4
    assert answer["meta"] == {"page": 1, "per_page": 4, "total": 10, "total_pages": 3}
    switch(ten, above_max="refuse")
    assert client.get("/contacts", per_page=100).status_code == 400


@pytest.mark.parametrize("params", [{"page": "0"}, {"page": "x"}, {"per_page": "-1"}, {"per_page": "0"}])
def test_a_page_that_cannot_be_is_refused(client: Client, params: dict[str, str]) -> None:
    assert client.get("/contacts", **params).status_code == 400
    assert client.get("/by/cursor/contacts", cursor="nonsense").status_code == 400


def test_a_page_after_the_last_is_empty_or_not_found(client: Client, ten: RestWorld) -> None:
    assert client.get("/contacts", page=9).json()["data"] == []
    switch(ten, beyond_end="not_found")
    assert client.get("/contacts", page=9).status_code == 404


def test_totals_can_be_kept_secret(client: Client, ten: RestWorld) -> None:
    switch(ten, totals=False)
    assert client.get("/contacts", per_page=3).json()["meta"] == {"page": 1, "per_page": 3}


def test_the_last_page_can_be_served_for_ever(client: Client, ten: RestWorld) -> None:
    switch(ten, endless=True)
    assert client.numbers("/contacts", page=77, per_page=3) == [10]
    assert client.numbers("/by/offset/contacts", offset=77, limit=3) == [10]
    assert client.get("/by/link/contacts", page=77, per_page=3).links["next"]["url"].endswith("page=78&per_page=3")
    seen: list[list[int]] = []
    cursors: set[str] = set()
    cursor: dict[str, str] = {}
    for _ in range(8):
        answer = client.get("/by/cursor/contacts", limit=3, **cursor).json()
        cursor = {"cursor": answer["meta"]["next_cursor"]}
        cursors.add(cursor["cursor"])
        seen.append([record["id"] for record in answer["data"]])
    assert seen[3:] == [[10]] * 5
    assert len(cursors) == 8


def test_paging_can_be_ignored(client: Client, ten: RestWorld) -> None:
    switch(ten, ignores_paging=True)
    assert client.numbers("/contacts", page=3, per_page=3) == [1, 2, 3]
    assert client.numbers("/by/offset/contacts", offset=6, limit=3) == [1, 2, 3]
    cursor = client.get("/by/cursor/contacts", limit=3).json()["meta"]["next_cursor"]
    assert client.get("/by/cursor/contacts", limit=3, cursor=cursor).json()["meta"]["next_cursor"] == cursor


def test_numbered_pages_shift_when_a_record_goes_and_cursors_do_not(client: Client, ten: RestWorld) -> None:
    switch(ten, deletes="vanish")
    first = client.get("/by/cursor/contacts", limit=3).json()
    assert client.numbers("/contacts", page=1, per_page=3) == [1, 2, 3]
    ten.remove("contacts", 1)
    assert client.numbers("/contacts", page=2, per_page=3) == [5, 6, 7]
    assert client.numbers("/by/cursor/contacts", limit=3, cursor=first["meta"]["next_cursor"]) == [4, 5, 6]


def test_something_can_happen_between_two_pages(client: Client, ten: RestWorld) -> None:
    switch(ten, order="newest_first", totals=False)
    ten.after_page.append(lambda: ten.put("contacts", {"name": "Newcomer"}))
    assert client.numbers("/contacts", page=1, per_page=3) == [10, 9, 8]
    assert client.numbers("/contacts", page=2, per_page=3) == [8, 7, 6]
    assert client.numbers("/contacts", page=3, per_page=3) == [5, 4, 3]


def test_a_record_that_changes_moves_to_the_end_of_lists_by_time(client: Client, ten: RestWorld) -> None:
    switch(ten, order="updated_at")
    assert client.numbers("/contacts", page=1, per_page=3) == [1, 2, 3]
    ten.change("contacts", 2, city="Brno")
    assert client.numbers("/contacts", page=4, per_page=3) == [2]
    assert by_cursor(client, 9) == [[1, 3, 4, 5, 6, 7, 8, 9, 10], [2]]


def test_a_link_header_has_several_relations_and_absolute_urls(client: Client, ten: RestWorld) -> None:
    answer = client.get("/by/link/contacts", page=2, per_page=3, updated_since="2026-03-01T00:00:00+00:00")
    assert set(answer.links) == {"first", "prev", "next", "last"}
    url = urlsplit(answer.links["next"]["url"])
    assert f"{url.scheme}://{url.netloc}" == client.url
    assert parse_qs(url.query) == {
        "updated_since": ["2026-03-01T00:00:00+00:00"],
        "page": ["3"],
        "per_page": ["3"],
    }
    assert client.get("/by/link/contacts", page=4, per_page=3).headers["Link"].count("rel=") == 2


def test_a_link_header_can_be_all_that_the_standard_allows(client: Client, ten: RestWorld) -> None:
    switch(ten, link_style="tricky")
    header = client.get("/by/link/contacts", per_page=3).headers["Link"]
    assert header.startswith('</docs?about=a,b;rel="next">; rel="service-doc"')
    assert 'page=2&per_page=3>; title="the page, that follows; next"; REL="https://example.com/rels/on Next"' in header
    assert header.endswith("> ;rel=last")


def test_next_urls_can_be_relative_or_lead_to_another_server(client: Client, ten: RestWorld) -> None:
    assert client.get("/by/next_url/contacts", limit=3).json()["next"].startswith(f"{client.url}/by/next_url/contacts?")
    switch(ten, next_relative=True)
    assert client.get("/by/next_url/contacts", limit=3).json()["next"].startswith("/by/next_url/contacts?cursor=")
    switch(ten, next_relative=False, foreign_next="https://elsewhere.invalid", next_field="links.next")
    answer = client.get("/by/next_url/contacts", limit=3).json()
    assert answer["links"]["next"].startswith("https://elsewhere.invalid/by/next_url/contacts?cursor=")
    assert client.get("/by/link/contacts", limit=3).links["next"]["url"].startswith("https://elsewhere.invalid/")


@pytest.mark.parametrize("envelope", ["bare", "lists", "data"])
def test_answers_come_bare_or_wrapped(client: Client, ten: RestWorld, envelope: str) -> None:
    switch(ten, envelope=envelope, list_field="result.items")
    item, listed = client.get("/contacts/1").json(), client.get("/contacts", per_page=4)
    assert (item["data"] if envelope == "data" else item)["name"] == "Contact 1"
    assert len(listed.json() if envelope == "bare" else listed.json()["result"]["items"]) == 4
    assert listed.headers.get("X-Total-Pages") == ("3" if envelope == "bare" else None)
    assert "next_cursor" in client.get("/by/cursor/contacts").json()["meta"]


def test_ids_are_numbers_or_uuids(client: Client, ten: RestWorld) -> None:
    switch(ten, ids="uuid")
    record = client.get("/contacts").json()["data"][0]
    assert len(record["id"]) == 36
    assert client.get(f"/contacts/{record['id']}").json()["data"] == record
    assert client.get("/contacts/1").status_code == 404
    switch(ten, ids="integer")
    assert client.get("/contacts/1").json()["data"]["id"] == 1
    for unknown in ("01", "0", "-1", "1.0", "9" * 5000):
        assert client.get(f"/contacts/{unknown}").status_code == 404


def test_a_partner_is_created_read_replaced_changed_and_deleted(client: Client, world: RestWorld) -> None:
    created = client.post("/partners", {"name": "Alfa", "city": "Brno", "x_grade": 7, "id": 99})
    partner = created.json()["data"]
    assert created.status_code == 201
    assert created.headers["Location"] == f"{client.url}/partners/1"
    assert (partner["id"], partner["x_grade"], partner["updated_at"]) == (1, 7, "2026-03-01T12:00:01Z")
    assert client("GET", created.headers["Location"]).json()["data"] == partner
    changed = client("PATCH", "/partners/1", json={"city": None}).json()["data"]
    assert (changed["city"], changed["x_grade"], changed["updated_at"]) == (None, 7, "2026-03-01T12:00:02Z")
    replaced = client("PUT", "/partners/1", json={"name": "Beta"}).json()["data"]
    assert set(replaced) == {"id", "name", "created_at", "updated_at"}
    removed = client("DELETE", "/partners/1")
    assert (removed.status_code, removed.content) == (204, b"")
    assert client("DELETE", "/partners/1").status_code == 404
    assert world.live("partners") == []


def test_an_update_that_changes_nothing_is_counted_as_such(client: Client, world: RestWorld) -> None:
    client.post("/partners", {"name": "Alfa"})
    client("PATCH", "/partners/1", json={"name": "Alfa"})
    assert world.writes == {"created": 1, "unchanged": 1}


def test_a_create_may_answer_with_little(client: Client, world: RestWorld) -> None:
    switch(world, write_body="id", location="relative")
    created = client.post("/partners", {"name": "Alfa"})
    assert (created.json(), created.headers["Location"]) == ({"data": {"id": 1}}, "/partners/1")
    switch(world, write_body="none", location="absent")
    created = client.post("/partners", {"name": "Beta"})
    assert (created.status_code, created.content, "Location" in created.headers) == (201, b"", False)
    assert client("PATCH", "/partners/1", json={"name": "Gama"}).status_code == 204


def test_what_does_not_exist_is_404_and_what_is_not_possible_405(client: Client, world: RestWorld) -> None:
    assert client.get("/partners/7").status_code == 404
    assert client("PUT", "/partners/7", json={"name": "Alfa"}).status_code == 404
    assert client.get("/invoices").status_code == 404
    assert client.get("/a/b/c/d/e").json() == {"errors": [{"field": None, "message": "Not Found"}]}
    refused = client("DELETE", "/partners")
    assert refused.status_code == 405
    assert {"GET", "POST"} <= set(refused.headers["Allow"].split(", "))
    switch(world, batches=False)
    assert client.post("/partners/batch", []).status_code == 404


@pytest.mark.parametrize(("deleted_item", "status"), [("not_found", 404), ("gone", 410), ("record", 200)])
def test_a_deleted_record_is_a_tombstone_or_vanishes(
    client: Client, ten: RestWorld, deleted_item: str, status: int
) -> None:
    client("DELETE", "/contacts/10")
    tombstone = {"id": 10, "updated_at": "2026-03-01T12:00:11Z", "deleted": True}
    assert client.get("/contacts").json()["data"][-1] == tombstone
    switch(ten, deleted_item=deleted_item)
    assert client.get("/contacts/10").status_code == status
    assert client("PATCH", "/contacts/10", json={}).status_code == (410 if status == 410 else 404)
    switch(ten, deletes="vanish")
    assert client.numbers("/contacts") == list(range(1, 10))


def test_a_list_can_be_asked_for_what_changed_since(client: Client, ten: RestWorld) -> None:
    since = client.get("/contacts/8").json()["data"]["updated_at"]
    assert client.numbers("/contacts", updated_since=since) == [8, 9, 10]
    assert client.numbers("/contacts", updated_since="2026-03-01T13:00:08+01:00") == [8, 9, 10]
    switch(ten, times="epoch")
    since = client.get("/contacts/8").json()["data"]["updated_at"]
    assert since == int(START.timestamp()) + 8
    assert client.numbers("/contacts", updated_since=since) == [8, 9, 10]
    assert client.get("/contacts", updated_since="2026-03-01T12:00:08Z").status_code == 400


def test_times_are_shown_with_fewer_digits_than_are_kept(client: Client, world: RestWorld) -> None:
    world.put("contacts", {"name": "Alfa"}, updated_at=START + timedelta(microseconds=123_456))
    shown = []
    for digits in (0, 3, 6):
        switch(world, time_digits=digits)
        shown.append(client.get("/contacts/1").json()["data"]["updated_at"])
    assert shown == ["2026-03-01T12:00:00Z", "2026-03-01T12:00:00.123Z", "2026-03-01T12:00:00.123456Z"]
    assert client.numbers("/contacts", updated_since="2026-03-01T12:00:00.123457Z") == []


@pytest.mark.parametrize("since", ["yesterday", "2026-03-01", "2026-03-01T12:00:00", "2026-03-01T12:00:00 01:00", ""])
def test_a_time_that_is_none_is_refused(client: Client, since: str) -> None:
    assert client.get("/contacts", updated_since=since).status_code == 400


def test_a_partner_is_found_by_its_external_reference_unless_filters_are_ignored(
    client: Client, world: RestWorld
) -> None:
    for reference in ("A 1", "A 10", "a 1"):
        client.post("/partners", {"name": reference, "external_ref": reference})
    assert client.numbers("/partners", external_ref="A 1") == [1]
    assert client.numbers("/partners", external_ref="A") == []
    switch(world, ignores_filter=True)
    assert client.numbers("/partners", external_ref="A 1") == [1, 2, 3]


@pytest.mark.parametrize(
    ("auth", "right", "challenge"),
    [
        ("none", {}, None),
        ("basic", {"Authorization": "Basic c3luYzpzeW5j"}, "Basic"),
        ("bearer", {"Authorization": "bearer sandbox-rest-token"}, "Bearer"),
        ("key", {"X-Api-Key": "sandbox-rest-token"}, "ApiKey"),
    ],
)
def test_credentials_are_demanded(
    client: Client, world: RestWorld, auth: str, right: dict[str, str], challenge: str | None
) -> None:
    switch(world, auth=auth)
    assert requests.get(f"{client.url}/partners", headers=right).status_code == 200
    if challenge is None:
        return
    for wrong in ({}, {"Authorization": f"{challenge} d3Jvbmc="}, {"X-Api-Key": "wrong"}):
        refused = requests.get(f"{client.url}/partners", headers=wrong)
        assert refused.status_code == 401
        assert refused.headers["WWW-Authenticate"].startswith(f'{challenge} realm="')


def test_paths_and_methods_can_be_forbidden(client: Client, world: RestWorld) -> None:
    switch(world, forbidden=["POST /partners", "/contacts"])
    assert client.post("/partners", {"name": "Alfa"}).status_code == 403
    assert client.get("/partners").status_code == 200
    assert client.get("/contacts").status_code == 403


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["name"]),
        ({"name": " "}, ["name"]),
        ({"name": "A" * 256}, ["name"]),
        ({"name": 5, "email": "nobody"}, ["name", "email"]),
        ({"name": "Alfa", "email": "a@b"}, ["email"]),
        ({"name": "Alfa", "country": "Česko"}, ["country"]),
        ({"name": "Alfa", "is_company": "yes"}, ["is_company"]),
    ],
)
def test_each_wrong_field_is_named(client: Client, world: RestWorld, body: Json, fields: list[str]) -> None:
    refused = client.post("/partners", body)
    assert refused.status_code == 422
    assert [error["field"] for error in refused.json()["errors"]] == fields
    assert client.post("/contacts", body).status_code == 201
    assert world.live("partners") == []


def test_empty_values_are_no_errors(client: Client) -> None:
    body = {"name": "Alfa", "email": None, "country": "", "is_company": None, "vat": ""}
    assert client.post("/partners", body).status_code == 201
    assert client.post("/partners", body).status_code == 201


def test_a_tax_number_belongs_to_one_partner(client: Client) -> None:
    client.post("/partners", {"name": "Alfa", "vat": "CZ1"})
    conflict = client.post("/partners", {"name": "Beta", "vat": "CZ1"})
    assert conflict.status_code == 409
    assert conflict.json()["existing_id"] == 1
    assert client("PUT", "/partners/1", json={"name": "Alfa", "vat": "CZ1"}).status_code == 200
    client("DELETE", "/partners/1")
    assert client.post("/partners", {"name": "Beta", "vat": "CZ1"}).status_code == 201


@pytest.mark.parametrize(
    ("shape", "kind", "said"),
    [
        ("list", "application/json", {"errors": [{"field": "name", "message": "is required"}]}),
        ("fields", "application/json", {"message": "Validation failed", "errors": {"name": ["is required"]}}),
        ("message", "application/json", {"message": "Validation failed: name: is required"}),
        (
            "problem",
            "application/problem+json",
            {
                "type": "about:blank",
                "title": "Bad Request",
                "status": 400,
                "detail": "Validation failed",
                "errors": [{"pointer": "#/name", "detail": "is required"}],
            },
        ),
        ("text", "text/plain; charset=utf-8", "Validation failed: name: is required"),
    ],
)
def test_a_refusal_has_the_shape_of_the_switch(
    client: Client, world: RestWorld, shape: str, kind: str, said: Json | str
) -> None:
    switch(world, errors=shape, invalid_status=400)
    refused = client.post("/partners", {})
    assert (refused.status_code, refused.headers["content-type"]) == (400, kind)
    assert (refused.text if isinstance(said, str) else refused.json()) == said


@pytest.mark.parametrize(
    ("body", "status"), [(b"{", 400), (b"", 400), (b'{"name": NaN}', 400), (b"[]", 400), (b'{"name": "\\ud800"}', 400)]
)
def test_a_body_that_is_no_json_object_is_refused(client: Client, body: bytes, status: int) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    assert client("POST", "/partners", data=body, headers=headers).status_code == status


def test_only_json_is_taken(client: Client) -> None:
    def post(kind: str | None) -> int:
        headers = {"Content-Type": kind} if kind else {}
        status: int = client("POST", "/partners", data=b'{"name": "Alfa"}', headers=headers).status_code
        return status

    kinds = ["application/json", "application/vnd.api+json", "text/plain", "application/x-www-form-urlencoded", None]
    assert [post(kind) for kind in kinds] == [201, 201, 415, 415, 415]


def test_unknown_fields_are_accepted_ignored_or_refused(client: Client, world: RestWorld) -> None:
    body = {"name": "Alfa", "grade": 1}
    assert client.post("/partners", body).json()["data"]["grade"] == 1
    switch(world, unknown_fields="ignore")
    assert "grade" not in client.post("/partners", body).json()["data"]
    switch(world, unknown_fields="refuse")
    assert client.post("/partners", body).json()["errors"][0]["field"] == "grade"


def test_a_batch_creates_updates_and_says_what_became_of_each_item(client: Client, world: RestWorld) -> None:
    client.post("/partners", {"name": "Alfa", "city": "Brno"})
    items = [{"name": "Beta"}, {"id": 1, "name": "Alfa 2"}, {"name": ""}, {"id": 7, "name": "Nobody"}, "text"]
    answer = client.post("/partners/batch", items)
    assert answer.status_code == 207
    results = [(result["index"], result["id"], result["status"]) for result in answer.json()["data"]]
    assert results == [(0, 2, 201), (1, 1, 200), (2, None, 422), (3, 7, 404), (4, None, 400)]
    assert answer.json()["data"][2]["error"] == {"errors": [{"field": "name", "message": "is required"}]}
    assert [(p["name"], p.get("city")) for p in world.live("partners")] == [("Alfa 2", "Brno"), ("Beta", None)]


def test_a_batch_may_be_an_object_and_its_answer_bare(client: Client, world: RestWorld) -> None:
    switch(world, batch_status=200, envelope="bare")
    answer = client.post("/partners/batch", {"items": [{"name": "Alfa"}]})
    assert (answer.status_code, answer.json()) == (200, [{"index": 0, "id": 1, "status": 201, "error": None}])
    assert client.post("/partners/batch", {"records": []}).status_code == 400


def test_the_results_of_a_batch_can_come_in_another_order(client: Client, world: RestWorld) -> None:
    switch(world, batch_shuffled=True)
    results = client.post("/partners/batch", [{"name": f"P{n}"} for n in range(20)]).json()["data"]
    indexes = [result["index"] for result in results]
    assert sorted(indexes) == list(range(20))
    assert indexes != list(range(20))
    assert all(world.record("partners", r["id"])["name"] == f"P{r['index']}" for r in results)  # type: ignore[index]


def test_a_batch_of_all_or_nothing_does_not_say_what_was_wrong(client: Client, world: RestWorld) -> None:
    switch(world, batch_atomic=True)
    refused = client.post("/partners/batch", [{"name": "Alfa"}, {"name": ""}])
    assert (refused.status_code, refused.json()["errors"][0]["message"]) == (422, "The batch was refused")
    assert (world.live("partners"), world.writes.total()) == ([], 0)
    assert client.post("/partners/batch", [{"name": "Alfa"}]).status_code == 207
    assert [partner["id"] for partner in world.live("partners")] == [2]


def test_a_batch_that_is_too_long_is_refused_whole(client: Client, world: RestWorld) -> None:
    switch(world, batch_limit=2)
    assert client.post("/partners/batch", [{"name": "Alfa"}] * 3).status_code == 413
    assert world.live("partners") == []


def test_a_repeated_key_gets_the_first_answer_and_makes_no_second_record(client: Client, world: RestWorld) -> None:
    first = client.post("/partners", {"name": "Alfa"}, Idempotency_Key="k1")
    again = client.post("/partners", {"name": "Alfa"}, Idempotency_Key='"k1"')
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(world.live("partners")) == 1
    assert client.post("/partners", {"name": "Beta"}, Idempotency_Key="k1").status_code == 422
    world.idempotency.expire()
    client.post("/partners", {"name": "Alfa"}, Idempotency_Key="k1")
    assert len(world.live("partners")) == 2


def test_a_key_that_is_in_use_is_a_conflict(client: Client, world: RestWorld) -> None:
    switch(world, held=True)
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(client.post, "/partners", {"name": "Alfa"}, Idempotency_Key="k1") for _ in range(2)]
        refused = wait(both, return_when=FIRST_COMPLETED).done
        switch(world, held=False)
    assert [answer.result().status_code for answer in refused] == [409]
    assert sorted(answer.result().status_code for answer in both) == [201, 409]
    assert len(world.live("partners")) == 1


def test_a_refusal_is_forgotten_or_kept_under_its_key(client: Client, world: RestWorld) -> None:
    assert client.post("/partners", {"name": ""}, Idempotency_Key="k1").status_code == 422
    assert client.post("/partners", {"name": "Alfa"}, Idempotency_Key="k1").status_code == 201
    switch(world, idempotency_keeps_failures=True)
    assert client.post("/partners", {"name": ""}, Idempotency_Key="k2").json()["errors"][0]["field"] == "name"
    mended = client.post("/partners", {"name": "Alfa"}, Idempotency_Key="k2")
    assert (mended.status_code, "Idempotency-Key" in mended.text) == (422, True)


def test_keys_can_be_meaningless_or_required(client: Client, world: RestWorld) -> None:
    switch(world, idempotency="off")
    for _ in range(2):
        client.post("/partners", {"name": "Alfa", "external_ref": "A1"}, Idempotency_Key="k1")
    assert world.created_twice() == ["A1"]
    switch(world, idempotency="required")
    assert client.post("/partners", {"name": "Alfa"}).status_code == 400
    assert client("PATCH", "/partners/1", json={"name": "Beta"}).status_code == 200


def test_a_write_whose_answer_was_lost_can_be_repeated_with_its_key(client: Client, world: RestWorld) -> None:
    world.faults.add(FaultRule(kind="reset_after", path="/partners", method="POST"))
    body = {"name": "Alfa", "external_ref": "A1"}
    with pytest.raises(requests.ConnectionError):
        client.post("/partners", body, Idempotency_Key="k1")
    assert client.post("/partners", body, Idempotency_Key="k1").status_code == 201
    assert (world.created_twice(), world.idempotency.replayed) == ([], 1)


@pytest.mark.parametrize("hint", ["seconds", "date", "absent", "reset_epoch", "reset_seconds"])
def test_too_many_calls_are_refused_with_or_without_a_hint(client: Client, world: RestWorld, hint: str) -> None:
    switch(world, max_calls=2, window_seconds=600, quota_hint=hint)
    assert [client.get("/partners").status_code for _ in range(3)] == [200, 200, 429]
    headers = client.get("/partners").headers
    after, reset = headers.get("Retry-After"), headers.get("X-RateLimit-Reset")
    now = datetime.now(UTC)
    until = {
        "seconds": lambda: now + timedelta(seconds=int(after or "")),
        "date": lambda: parsedate_to_datetime(after or ""),
        "reset_epoch": lambda: datetime.fromtimestamp(int(reset or ""), UTC),
        "reset_seconds": lambda: now + timedelta(seconds=int(reset or "")),
    }
    if hint == "absent":
        assert (after, reset) == (None, None)
    else:
        assert now < until[hint]() <= now + timedelta(seconds=602)
    assert world.access.over_quota == 2


def test_a_quota_can_answer_otherwise_than_429(client: Client, world: RestWorld) -> None:
    switch(world, max_calls=0, quota_status=403)
    assert client.get("/partners").status_code == 403


def test_requests_that_are_in_the_server_at_once_are_counted(client: Client, world: RestWorld) -> None:
    switch(world, held=True)
    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(client.get, "/partners") for _ in range(6)]
        assert world.wait_until_in_flight(4)
        switch(world, held=False, latency_seconds=0.001)
        assert [answer.result().status_code for answer in answers] == [200] * 6
    assert world.max_in_flight == 4


def test_state_and_switches_are_reached_over_http(client: Client, world: RestWorld) -> None:
    client.post("/partners", {"name": "Alfa"})
    requests.post(f"{client.url}/_sandbox/switches", json={"envelope": "bare"})
    assert requests.get(f"{client.url}/_sandbox/switches").json()["envelope"] == "bare"
    assert client.get("/partners/1").json()["name"] == "Alfa"
    state = requests.get(f"{client.url}/_sandbox/state").json()
    assert (state["partners"], state["contacts"], state["writes"]) == (1, 0, {"created": 1})
    assert world.faults.requests["POST /partners"] == 1


def test_faults_are_committed_before_anything_is_done(client: Client, world: RestWorld) -> None:
    world.faults.add(FaultRule(kind="status", status=503, headers={"Retry-After": "3"}))
    refused = client.post("/partners", {"name": "Alfa"})
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "3")
    assert world.live("partners") == []


def test_the_demo_has_contacts_with_known_troubles() -> None:
    world = RestWorld.demo(clock=lambda: START)
    contacts = {contact["id"]: contact for contact in world.live("contacts")}
    planted = world.planted
    assert world.live("partners") == []
    assert len(contacts) + len(planted["deleted"]) == 300
    assert len(planted["same_moment"]) > world.switches.max_page
    assert len({contacts[n]["updated_at"] for n in planted["same_moment"]}) == 1
    assert {contacts[n]["country"] for n in planted["unknown_country"]} == {"XX"}
    assert not any(contacts[n]["name"] for n in planted["no_name"])
    assert all(contact["updated_at"] < "2026-03-01T00:00:00Z" for contact in contacts.values())
    for number in planted["duplicate"]:
        twin = contacts[number]
        assert len([c for c in contacts.values() if (c["name"], c["email"]) == (twin["name"], twin["email"])]) == 2


def test_only_the_planted_contacts_of_the_demo_are_bad() -> None:
    world = RestWorld.demo(seed=7, contacts=40)

    def is_bad(contact: Json) -> bool:
        email = contact["email"] or "nobody@example.com"
        address = re.fullmatch(r"\w+@(mail\.)?example\.\w+", email)
        return not contact["name"] or contact["country"] in (None, "XX") or address is None

    kinds = ("no_name", "no_country", "unknown_country", "bad_email")
    planted = {number for kind in kinds for number in world.planted[kind]}
    assert {contact["id"] for contact in world.live("contacts") if is_bad(contact)} == planted
    with pytest.raises(ValueError, match="at least 40"):
        RestWorld.demo(contacts=39)


def test_the_demo_is_the_same_each_time_and_its_troubles_are_named_by_the_ids_in_use(client: Client) -> None:
    one, other = RestWorld.demo(clock=lambda: START), RestWorld.demo(clock=lambda: START)
    for world in (one, other):
        switch(world, ids="uuid")
    assert one.live("contacts") == other.live("contacts")
    assert one.planted == other.planted
    assert one.record("contacts", one.planted["bad_email"][0]) is not None
    assert one.record("contacts", one.planted["deleted"][0]) is None


def test_records_are_edited_past_all_checks(client: Client, world: RestWorld) -> None:
    record = world.put("partners", {"email": "nonsense"})
    world.change("partners", record["id"], email="worse")
    assert client.get("/partners/1").json()["data"]["email"] == "worse"
    world.remove("partners", record["id"])
    assert client.get("/partners/1").status_code == 404
    world.change("partners", record["id"])
    assert client.get("/partners/1").json()["data"]["email"] == "worse"


def test_a_restarted_crm_remembers_records_keys_and_switches(tmp_path: Path) -> None:
    state_file = tmp_path / "rest.json"
    world = RestWorld.demo(clock=lambda: START, state_file=state_file)
    switch(world, ids="uuid")
    with serve(rest_app(world)) as url:
        Client(url, world).post("/partners", {"name": "Alfa"}, Idempotency_Key="k1")
    again = RestWorld.demo(clock=lambda: START, state_file=state_file)
    with serve(rest_app(again)) as url:
        answer = Client(url, again).post("/partners", {"name": "Alfa"}, Idempotency_Key="k1")
    assert answer.headers["Idempotent-Replayed"] == "true"
    assert [again.live(name) for name in ("partners", "contacts")] == [world.live(n) for n in ("partners", "contacts")]
    assert again.planted == world.planted
