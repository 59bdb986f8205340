"""The Flexi client understands what recorded servers and the vendor's own examples say, byte for byte."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from sync_orchestration.pipeline.errors import ConfigurationError, SyncError, UnavailableError
from sync_orchestration.sandbox.server import serve
from sync_orchestration.systems.flexi import FlexiClient, FlexiSource
from sync_orchestration.systems.flexi_answers import FlexiChange, FlexiFeedPage
from sync_orchestration.systems.http import HttpClient, HttpSettings

SAMPLES = Path(__file__).parents[2].parent / "shared" / "contracts" / "flexi"
WEB_HOOKS = sorted(path.name for path in (SAMPLES / "webhook").glob("*.json"))

pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the contract samples are not beside this checkout")


class Recorded:
    """A server that plays one recorded answer to whatever is asked."""

    def __init__(self) -> None:
        self.url = ""
        self.answer: ASGIApp = Response("")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.answer(scope, receive, send)

    def client(self, sample: str, status: int = 200, company: str = "demo") -> FlexiClient:
        rendering: Literal["json", "xml"] = "xml" if sample.endswith(".xml") else "json"
        return self.client_of((SAMPLES / sample).read_bytes(), rendering, status, company)

    def client_of(
        self, body: bytes, rendering: Literal["json", "xml"] = "json", status: int = 200, company: str = "demo"
    ) -> FlexiClient:
        self.answer = Response(body, status, media_type=f"application/{rendering}")
        http = HttpClient(HttpSettings("Flexi", self.url, ("sync", "sync"), tries=1, first_delay=0.0))
        return FlexiClient(http, company, rendering)


@pytest.fixture(scope="module")
def recorded() -> Iterator[Recorded]:
    server = Recorded()
    with serve(server) as url:
        server.url = url
        yield server


def load(sample: str) -> Any:
    return json.loads((SAMPLES / sample).read_text(encoding="utf-8"))["winstrom"]


# The feed


@pytest.mark.parametrize(("rendering", "newest"), [("json", 8), ("xml", 6)])
def test_the_vendors_example_of_the_feed_is_understood_in_both_renderings(
    recorded: Recorded, rendering: str, newest: int
) -> None:
    page = recorded.client(f"changes_doc/changes_example.{rendering}").feed(3, [])
    assert page == FlexiFeedPage(
        [
            FlexiChange("faktura-vydana", 3, "create", "1", ()),
            FlexiChange("faktura-vydana-polozka", 4, "create", "1", ()),
            FlexiChange("faktura-vydana", 5, "update", "1", ("code:VF1-0001/2012",)),
        ],
        global_version=newest,
        next_version=6,
    )


@pytest.mark.parametrize("name", WEB_HOOKS)
def test_recorded_changes_are_understood_row_for_row(recorded: Recorded, name: str) -> None:
    written = load(f"webhook/{name}")
    page = recorded.client(f"webhook/{name}").feed(0, [])
    assert [(c.evidence, str(c.version), c.operation, c.record_id, list(c.external_ids)) for c in page.changes] == [
        (row["@evidence"], row["@in-version"], row["@operation"], row["id"], row["external-ids"])
        for row in written["changes"]
    ]
    assert (page.global_version, page.next_version) == (int(written["@globalVersion"]), None)


@pytest.mark.parametrize("name", WEB_HOOKS)
def test_a_recorded_listing_moves_the_cursor_just_behind_its_last_row(recorded: Recorded, name: str) -> None:
    versions = [int(row["@in-version"]) for row in load(f"webhook/{name}")["changes"]]
    (page,) = FlexiSource(recorded.client(f"webhook/{name}"), "adresar").changes(min(versions))
    assert page.next_position == max(versions) + 1
    assert [c.position for c in page.changes] == [
        int(row["@in-version"]) for row in load(f"webhook/{name}")["changes"] if row["@evidence"] == "adresar"
    ]


def test_the_order_of_the_feed_is_that_of_versions_and_not_of_timestamps(recorded: Recorded) -> None:
    """In this recording version 3656589 has an earlier timestamp than 3656588."""
    rows = load("webhook/webhook-1615591759.json")["changes"]
    assert [row["@timestamp"] for row in rows] != sorted(row["@timestamp"] for row in rows)
    page = recorded.client("webhook/webhook-1615591759.json").feed(0, [])
    versions = [change.version for change in page.changes]
    assert versions == sorted(set(versions))


# Lists


@pytest.mark.parametrize(
    ("sample", "evidence", "count"),
    [
        ("lists/mena_full_path_filter.json", "mena", 1),
        ("lists/cenik_full_by_id_filter_2016.json", "cenik", 1),
        ("lists/faktura-vydana_summary_rowcount_TRUNCATED_to_2_of_8.json", "faktura-vydana", 2),
        ("lists/empty_with_rowcount.json", "ucetni-denik", 0),
        ("lists/strom_empty_filter_2016.json", "strom", 0),
    ],
)
def test_recorded_lists_are_read_as_they_are(recorded: Recorded, sample: str, evidence: str, count: int) -> None:
    rows = recorded.client(sample).records(evidence, ["1"], "full")
    assert rows == load(sample)[evidence]
    assert len(rows) == count
    fetched = FlexiSource(recorded.client(sample), evidence).fetch(["1"])
    assert {key: record.payload for key, record in fetched.items()} == {row["id"]: row for row in rows}


def test_a_list_in_the_servers_default_order_is_not_taken_for_one_by_id(recorded: Recorded) -> None:
    """Code lists come ordered by code unless the order is asked for; paging by id over them would lose records."""
    invoice_types = recorded.client("lists/typ-faktury-vydane_summary_2016.json")
    with pytest.raises(UnavailableError, match="did not list typ-faktury-vydane by ascending id"):
        invoice_types.list_after("typ-faktury-vydane", None, 20, "full")
    sample = (SAMPLES / "lists/cenik_default_order_id_kod_2016.json").read_bytes()
    goods = [{"id": number, "kod": code} for number, code in json.loads(sample)]
    price_list = recorded.client_of(json.dumps({"winstrom": {"cenik": goods}}).encode())
    with pytest.raises(UnavailableError, match="did not list cenik by ascending id"):
        price_list.list_after("cenik", None, 20, "full")


def test_a_list_of_another_evidence_is_not_an_empty_one(recorded: Recorded) -> None:
    with pytest.raises(UnavailableError, match="without a list of adresar"):
        recorded.client("lists/mena_full_path_filter.json").records("adresar", ["1"], "full")


def test_a_recorded_company_has_a_fingerprint(recorded: Recorded) -> None:
    client = recorded.client("misc/company_single_2016.json", company="woodies")
    assert client.fingerprint() == "1 2016-03-10T14:07:42.673+01:00"


# Errors


@pytest.mark.parametrize(
    ("sample", "status", "error", "words"),
    [
        ("errors/401_authRequired.json", 401, ConfigurationError, "refuses the user or password"),
        ("errors/404_unknown_evidence.json", 404, ConfigurationError, "may not see the evidence adresar"),
        ("errors/404_record_official_example.json", 404, ConfigurationError, "evidence adresar"),
        ("errors/400_write_bad_reference.json", 400, ConfigurationError, "ale 'FAKTURA' není číslo"),
    ],
)
def test_a_recorded_error_becomes_a_sentence_for_people(
    recorded: Recorded, sample: str, status: int, error: type[SyncError], words: str
) -> None:
    with pytest.raises(error, match=words) as refused:
        recorded.client(sample, status).records("adresar", ["1"], "full")
    assert "winstrom" not in str(refused.value)


def test_an_error_in_xml_is_quoted(recorded: Recorded) -> None:
    with pytest.raises(ConfigurationError, match=r"Flexi refused GET /c/demo/changes\.xml with status 400"):
        recorded.client("errors/400_write_unknown_ext.xml", 400).feed(0, [])


@pytest.mark.parametrize("sample", ["errors/401_authRequired.json", "errors/404_record_official_example.json"])
def test_an_error_body_is_not_a_status_of_the_changes_api(recorded: Recorded, sample: str) -> None:
    """`success` is data there and an error elsewhere: the HTTP status tells which."""
    status = int(sample.partition("/")[2][:3])
    with pytest.raises(ConfigurationError):
        recorded.client(sample, status).tracking_is_on()
