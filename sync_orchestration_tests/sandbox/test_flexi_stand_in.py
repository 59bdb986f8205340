import json
import queue
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
from defusedxml import ElementTree
from starlette.types import ASGIApp, Receive, Scope, Send

from sync_orchestration.sandbox.faults import FaultRule
from sync_orchestration.sandbox.flexi import FlexiSwitches, FlexiWorld, RecordRefusedError, flexi_app
from sync_orchestration.sandbox.server import serve

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class Switchboard:
    """One HTTP server for all tests of the module; every test plugs in its own world."""

    app: ASGIApp
    url: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


@pytest.fixture(scope="module")
def switchboard() -> Iterator[Switchboard]:
    board = Switchboard()
    with serve(board) as url:
        board.url = url
        yield board


class Flexi:
    """A world with the company `demo`, some countries, and a client of its HTTP API."""

    def __init__(self, board: Switchboard, world: FlexiWorld) -> None:
        self.world = world
        self.base = board.url
        board.app = flexi_app(world)
        self.company = world.companies["demo"]
        self.session = requests.Session()
        self.session.auth = ("sync", "sync")

    def switch(self, **changes: Any) -> None:
        self.world.change_switches(changes)

    def call(self, method: str, path: str, **more: Any) -> requests.Response:
        return self.session.request(method, f"{self.base}/c/demo{path}", **more)

    def get(self, path: str) -> Any:
        answer = self.call("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()["winstrom"]

    def partners(self, path: str) -> list[str]:
        return [row["kod"] for row in self.get(path)["adresar"]]

    def matching(self, expression: str, query: str = "?limit=0") -> list[str]:
        return self.partners(f"/adresar/({quote(expression, safe='')}).json{query}")

    def write(self, *records: dict[str, Any], query: str = "", **envelope: str) -> requests.Response:
        body = {"winstrom": {**{f"@{k}": v for k, v in envelope.items()}, "adresar": list(records)}}
        return self.call("POST", f"/adresar.json{query}", json=body)

    def partner(self, code: str, **fields: Any) -> int:
        return self.company.create("adresar", {"kod": code, "nazev": f"Firma {code}", **fields})

    def stored(self, partner_id: int) -> dict[str, str]:
        values = self.company.record("adresar", partner_id)
        assert values is not None
        return values

    def changes(self, query: str = "?limit=1000") -> list[tuple[str, str, str]]:
        rows = self.get(f"/changes.json{query}")["changes"]
        return [(row["@evidence"], row["@operation"], row["id"]) for row in rows]

    def versions(self, query: str = "?limit=1000") -> list[int]:
        return [int(row["@in-version"]) for row in self.get(f"/changes.json{query}")["changes"]]


@pytest.fixture
def flexi(switchboard: Switchboard) -> Iterator[Flexi]:
    world = FlexiWorld(seed=7, switches=FlexiSwitches(version_gaps=False, hook_delay_seconds=0), clock=lambda: NOW)
    company = world.add_company("demo", changes_enabled=False)
    for code, name in (("CZ", "Česká republika"), ("SK", "Slovensko"), ("XK", "Kosovo")):
        company.create("stat", {"kod": code, "nazev": name})
    company.create("skupina-firem", {"kod": "VIP", "nazev": "VIP"})
    company.enable_changes()
    found = Flexi(switchboard, world)
    yield found
    found.session.close()


@pytest.fixture(scope="module")
def demo() -> FlexiWorld:
    return FlexiWorld.demo(seed=1, partners=2000)


# Access


def test_missing_and_wrong_passwords_are_refused_with_a_json_body(flexi: Flexi) -> None:
    missing = requests.get(flexi.base + "/c/demo/adresar.json")
    wrong = requests.get(flexi.base + "/c/demo/adresar.json", auth=("sync", "guess"))
    for answer in (missing, wrong):
        assert answer.status_code == 401
        assert answer.json()["winstrom"]["message@messageCode"] == "authRequired"


def test_a_server_that_redirects_to_its_login_form_is_told_not_to_by_auth_http(flexi: Flexi) -> None:
    flexi.switch(missing_auth="redirect")
    url = flexi.base + "/c/demo/adresar.json"
    form = requests.get(url)
    assert (form.status_code, form.history[0].status_code) == (200, 302)
    assert "text/html" in form.headers["content-type"]
    assert requests.get(url + "?auth=http").status_code == 401


def test_companies_are_listed_with_the_state_of_their_feed(flexi: Flexi) -> None:
    flexi.world.add_company("pobocka_2", changes_enabled=False)
    listed = flexi.session.get(flexi.base + "/c.json?limit=0").json()["companies"]["company"]
    assert [(c["dbNazev"], c["watchingChanges"], c["stavEnum"]) for c in listed] == [
        ("demo", "true", "ESTABLISHED"),
        ("pobocka_2", "false", "ESTABLISHED"),
    ]


def test_companies_have_records_and_versions_of_their_own(flexi: Flexi) -> None:
    other = flexi.world.add_company("druha")
    flexi.partner("A")
    other.create("adresar", {"nazev": "B"})
    theirs = flexi.session.get(flexi.base + "/c/druha/changes.json").json()["winstrom"]
    assert (theirs["@globalVersion"], len(theirs["changes"])) == ("1", 1)
    assert flexi.partners("/adresar.json") == ["A"]


def test_an_unknown_company_is_a_404(flexi: Flexi) -> None:
    answer = flexi.session.get(flexi.base + "/c/nobody/adresar.json")
    assert (answer.status_code, answer.json()["winstrom"]["success"]) == (404, "false")


def test_without_a_format_a_person_gets_a_page(flexi: Flexi) -> None:
    assert "text/html" in flexi.call("GET", "/adresar").headers["content-type"]
    by_accept = flexi.call("GET", "/adresar", headers={"Accept": "application/json"})
    assert by_accept.json()["winstrom"]["adresar"] == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("DELETE", "/adresar.json", 405), ("PATCH", "/adresar/1.json", 405), ("GET", "/adresar.pdf", 406)],
)
def test_what_a_resource_does_not_do_is_refused(flexi: Flexi, method: str, path: str, status: int) -> None:
    flexi.partner("A")
    assert flexi.call(method, path).status_code == status


def test_errors_can_be_had_with_status_200(flexi: Flexi) -> None:
    answer = flexi.call("GET", "/adresar/77.json?no-http-errors=true")
    assert (answer.status_code, answer.json()["winstrom"]["success"]) == (200, "false")


def test_a_used_up_daily_quota_answers_429_until_the_next_day(flexi: Flexi) -> None:
    flexi.switch(daily_quota=2)
    statuses = [flexi.call("GET", "/adresar.json").status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    assert flexi.call("GET", "/adresar.json").headers["retry-after"] == "600"
    flexi.world.clock = lambda: datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
    assert flexi.call("GET", "/adresar.json").status_code == 200


# Lists


def test_a_list_has_twenty_rows_unless_all_are_asked_for(flexi: Flexi) -> None:
    for number in range(25):
        flexi.partner(f"P{number:02}")
    assert len(flexi.partners("/adresar.json")) == 20
    assert len(flexi.partners("/adresar.json?limit=0")) == 25
    assert flexi.partners("/adresar.json?start=19&limit=2") == ["P19", "P20"]


def test_counts_and_the_global_version_come_only_when_asked_for(flexi: Flexi) -> None:
    flexi.partner("A")
    assert flexi.get("/adresar.json").keys() == {"@version", "adresar"}
    full = flexi.get("/adresar.json?add-row-count=true&add-global-version=true&limit=1")
    assert (full["@rowCount"], full["@globalVersion"]) == ("1", "1")
    xml = ElementTree.fromstring(flexi.call("GET", "/adresar.xml?add-global-version=true").text)
    assert xml.attrib == {"version": "1.0", "globalVersion": "1"}


def test_the_default_order_is_the_czech_one_of_codes(flexi: Flexi) -> None:
    for code in ("D", "CHALUPA", "ČÁP", "CUKR", "HAD", "I"):
        flexi.partner(code)
    assert flexi.partners("/adresar.json") == ["CUKR", "ČÁP", "D", "HAD", "CHALUPA", "I"]
    assert flexi.partners("/adresar.json?order=id")[:2] == ["D", "CHALUPA"]
    assert flexi.partners("/adresar.json?sort=id&dir=DESC")[:2] == ["I", "HAD"]


def test_the_order_suffix_means_what_the_vendor_wrote_or_its_opposite(flexi: Flexi) -> None:
    for code in ("A", "B"):
        flexi.partner(code)
    assert flexi.partners("/adresar.json?order=id@A") == ["B", "A"]
    flexi.switch(order_suffix="D_descends")
    assert flexi.partners("/adresar.json?order=id@A") == ["A", "B"]


def test_details_show_id_summary_full_or_chosen_fields(flexi: Flexi) -> None:
    flexi.partner("A", stat="code:CZ", tel="123")
    assert flexi.get("/adresar.json?detail=id")["adresar"] == [{"id": "1"}]
    assert "tel" not in flexi.get("/adresar.json")["adresar"][0]
    assert flexi.get("/adresar.json?detail=full")["adresar"][0]["tel"] == "123"
    custom = flexi.get("/adresar.json?detail=custom:kod,stat,no-such-field")["adresar"][0]
    assert custom.keys() == {"id", "kod", "stat", "stat@ref", "stat@showAs"}


def test_every_value_is_text_and_nothing_is_null(flexi: Flexi) -> None:
    partner = flexi.partner("A", stat="code:CZ", datZaloz="2026-07-01", limitFak="122900345.29")
    row = flexi.get(f"/adresar/{partner}.json")["adresar"][0]
    assert all(isinstance(value, str) for key, value in row.items() if key not in ("kontakty", "mistaUrceni"))
    assert (row["stat"], row["stat@ref"]) == ("code:CZ", "/c/demo/stat/1.json")
    assert row["stat@showAs"] == "CZ: Česká republika"
    assert (row["faStat"], row["datNaroz"], row["platceDph"]) == ("", "", "false")
    assert "faStat@ref" not in row
    assert (row["datZaloz"], row["limitFak"]) == ("2026-07-01+02:00", "1.2290034529E8")
    assert row["typVztahuK@showAs"] == "Odběr./Dodav."
    assert row["lastUpdate"] == "2026-11-23T13:00:00.000+01:00"
    assert "external-ids" not in row


def test_partners_whose_validity_has_passed_are_hidden_but_not_deleted(flexi: Flexi) -> None:
    old = flexi.partner("OLD", platiDo=2020)
    flexi.partner("NEW")
    assert flexi.partners("/adresar.json") == ["NEW"]
    assert flexi.matching(f"id in ({old})", "") == []
    assert flexi.partners("/adresar.json?filtrovat-platnost=false") == ["NEW", "OLD"]
    assert flexi.partners(f"/adresar/{old}.json") == ["OLD"]


def test_contacts_and_accounts_come_as_relations_or_below_their_partner(flexi: Flexi) -> None:
    partner = flexi.partner("A")
    flexi.company.create("kontakt", {"prijmeni": "Říha", "firma": partner})
    flexi.company.create("adresar-bankovni-ucet", {"buc": "123", "firma": partner})
    row = flexi.get("/adresar.json?relations=kontakty,bankovniSpojeni")["adresar"][0]
    assert [c["prijmeni"] for c in row["kontakty"]] == ["Říha"]
    assert row["bankovniSpojeni"][0]["firma"] == "code:A"
    assert flexi.get("/adresar.json?detail=full")["adresar"][0]["kontakty"] == []
    assert flexi.get(f"/adresar/{partner}/kontakty.json")["kontakt"][0]["prijmeni"] == "Říha"
    xml = ElementTree.fromstring(flexi.call("GET", "/adresar.xml?relations=kontakty").text)
    assert xml.findtext("adresar/kontakty/kontakt/prijmeni") == "Říha"


def test_includes_put_the_related_object_in_place_of_the_reference(flexi: Flexi) -> None:
    flexi.partner("A", stat="code:CZ")
    row = flexi.get("/adresar.json?includes=/adresar/stat/")["adresar"][0]
    assert (row["stat"][0]["kod"], row["stat@ref"]) == ("CZ", "/c/demo/stat/1.json")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("kod = 'A'", "A"),
        ("kod in ('A','C')", "AC"),
        ("kod <> 'A' and kod != \"B\"", "CD"),
        ("id gt 2", "CD"),
        ("id gte 2 and id lt 4", "BC"),
        ("id='1' or id='4'", "AD"),
        ("id in (1, 'code:C', 'ext:CRM:9')", "AC"),
        ("id between 2 3", "BC"),
        ("not (kod = 'A' or kod = 'B')", "CD"),
        ("stat = 'code:CZ'", "A"),
        ("stat.kod = 'SK'", "B"),
        ("stat is null", "CD"),
        ("ic is not empty", "C"),
        ("nazev like 'ůň'", "B"),
        ("nazev like similar 'KUN'", "B"),
        ("nazev begins 'Žlu'", "B"),
        ("www ends 'a/b+c%.cz'", "D"),
        ("platceDph is true", "A"),
        ("splatDny > 9", "A"),
        ("typVztahuK in ('typVztahu.dodavatel','typVztahu.odberDodav')", "ABD"),
        ("stitky = 'code:VIP'", "D"),
        ("lastUpdate gt '2026-11-23T12:59:59+00:00'", "ABCD"),
        ("lastUpdate gt '2026-11-23T13:00:01'", ""),
        ("datZaloz < 2026-01-01", "A"),
        ("platiOd <= currentYear()", "ABCD"),
    ],
)
def test_filters_in_the_path_choose_records(flexi: Flexi, expression: str, expected: str) -> None:
    flexi.partner("A", stat="code:CZ", platceDph=True, splatDny=14, datZaloz="2020-05-05")
    flexi.partner("B", nazev="Žluťoučký kůň", stat="code:SK", splatDny=9)
    flexi.partner("C", ic="12345678", typVztahuK="typVztahu.odberatel")
    flexi.partner("D", www="http://x/a/b+c%.cz", stitky="VIP,JINE")
    assert "".join(flexi.matching(expression)) == expected


@pytest.mark.parametrize("expression", ["kod ge 'A'", "id le 5", "nic = 1", "kod = ", "kod = 'A'; drop", "id = ABC"])
def test_a_filter_that_cannot_be_read_is_a_400(flexi: Flexi, expression: str) -> None:
    answer = flexi.call("GET", f"/adresar/({quote(expression, safe='')}).json")
    assert (answer.status_code, "Špatný formát WQL" in answer.text) == (400, True)


def test_a_filter_in_a_query_parameter_is_ignored(flexi: Flexi) -> None:
    for code in ("A", "B"):
        flexi.partner(code)
    assert flexi.partners("/adresar.json?filter=(kod='A')") == ["A", "B"]


def test_many_records_are_fetched_by_one_post_without_the_unknown_ones(flexi: Flexi) -> None:
    for code in ("A", "B", "C"):
        flexi.partner(code)
    body = {"winstrom": {"id": [3, "code:A", 99, "ext:CRM:1", "1"]}}
    answer = flexi.call("POST", "/adresar/get.json?detail=custom:kod", json=body).json()["winstrom"]
    assert [row["kod"] for row in answer["adresar"]] == ["C", "A", "A"]
    xml = flexi.call(
        "PUT",
        "/adresar/get.xml",
        data="<winstrom><id>1</id><id>code:B</id></winstrom>",
        headers={"Content-Type": "application/xml"},
    )
    assert [e.findtext("kod") for e in ElementTree.fromstring(xml.text)] == ["A", "B"]


def test_a_query_in_the_body_filters_orders_and_pages(flexi: Flexi) -> None:
    for code in ("A", "B", "C"):
        flexi.partner(code)
    query = {"filter": "(id in (1,2,3))", "order": ["id"], "limit": "1", "start": "1", "detail": "custom:kod"}
    answer = flexi.call("POST", "/adresar/query.json", json={"winstrom": query}).json()["winstrom"]
    assert answer["adresar"] == [{"id": "2", "kod": "B"}]


def test_a_record_asked_for_by_code_redirects_to_its_number(flexi: Flexi) -> None:
    partner = flexi.partner("ŽĎÁR+1 50%/A")
    path = f"/adresar/{quote('code:žďár+1 50%/a', safe='')}.json?detail=id"
    answer = flexi.call("GET", path, allow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/c/demo/adresar/{partner}.json?detail=id")
    assert flexi.get(path)["adresar"] == [{"id": str(partner)}]
    flexi.switch(get_by_code="not_found")
    assert flexi.call("GET", path).status_code == 404
    flexi.switch(get_by_code="direct")
    assert flexi.call("GET", path, allow_redirects=False).status_code == 200


# Changes


def test_each_operation_leaves_a_row_with_the_identifiers_of_that_moment(flexi: Flexi) -> None:
    partner = flexi.company.create("adresar", {"kod": "A", "nazev": "A"}, ext_ids=["ext:CRM:1"])
    flexi.company.update("adresar", partner, {"kod": "B"})
    flexi.company.delete("adresar", partner)
    rows = flexi.get("/changes.json")["changes"]
    assert [(row["@operation"], row["external-ids"]) for row in rows] == [
        ("create", ["code:A", "ext:CRM:1"]),
        ("update", ["code:B", "ext:CRM:1"]),
        ("delete", ["code:B", "ext:CRM:1"]),
    ]
    assert flexi.call("GET", f"/adresar/{partner}.json").status_code == 404


def test_the_feed_pages_inclusively_until_none(flexi: Flexi) -> None:
    for number in range(5):
        flexi.partner(f"P{number}")
    first = flexi.get("/changes.json?limit=2")
    assert (first["next"], first["@globalVersion"]) == ("3", "5")
    second = flexi.get("/changes.json?limit=3&start=3")
    assert [row["@in-version"] for row in second["changes"]] == ["3", "4", "5"]
    assert second["next"] == "none"
    past_the_end = flexi.get("/changes.json?start=99")
    assert (past_the_end["changes"], past_the_end["next"], past_the_end["@globalVersion"]) == ([], "none", "5")


def test_pages_hold_a_hundred_rows_by_default_and_a_thousand_at_most(flexi: Flexi) -> None:
    flexi.partner("A")
    flexi.company.bulk_changes(1500, 1)
    assert [len(flexi.versions(query)) for query in ("", "?limit=0", "?limit=5000")] == [100, 100, 1000]
    assert flexi.call("GET", "/changes.json?limit=many").status_code == 400
    flexi.switch(feed_limit_over_maximum="400", feed_limit_zero="empty", feed_limit_malformed="default")
    assert flexi.call("GET", "/changes.json?limit=1001").status_code == 400
    assert flexi.versions("?limit=0") == []
    assert len(flexi.versions("?limit=many")) == 100


def test_the_feed_is_filtered_by_several_evidences(flexi: Flexi) -> None:
    partner = flexi.partner("A")
    flexi.company.noise_changes(3)
    flexi.company.create("kontakt", {"prijmeni": "Říha", "firma": partner})
    assert flexi.changes("?evidence=adresar&evidence=kontakt") == [
        ("adresar", "create", "1"),
        ("kontakt", "create", "1"),
    ]
    page = flexi.get("/changes.json?evidence=adresar&evidence=kontakt&limit=1")
    assert page["next"] == str(flexi.company.global_version)
    flexi.switch(next_value="last_plus_one")
    assert flexi.get("/changes.json?evidence=adresar&evidence=kontakt&limit=1")["next"] == "2"


def test_versions_have_gaps_that_are_the_same_for_the_same_seed() -> None:
    def versions() -> list[int]:
        company = FlexiWorld(seed=3).add_company("demo")
        for _ in range(60):
            company.create("adresar", {"nazev": "A"})
        return company.log.versions

    assert versions() == versions()
    assert versions()[-1] > 60


def test_the_xml_feed_names_evidences_by_element_and_ends_with_next(flexi: Flexi) -> None:
    flexi.partner("A&B")
    root = ElementTree.fromstring(flexi.call("GET", "/changes.xml").text)
    assert [child.tag for child in root] == ["adresar", "next"]
    assert [e.text for e in root.iter("id")] == ["1", "code:A&B"]


def test_a_switched_off_feed_records_nothing_and_says_so(flexi: Flexi) -> None:
    flexi.partner("A")
    answer = flexi.call("PUT", "/changes/disable.xml")
    assert (answer.status_code, ElementTree.fromstring(answer.text).findtext("success")) == (200, "true")
    assert flexi.get("/changes/status.json")["success"] == "false"
    flexi.partner("LOST")
    off = flexi.get("/changes.json")
    assert (off["changes"], off["next"], off["@globalVersion"]) == ([], "none", "1")
    assert flexi.call("POST", "/changes/enable.json").status_code == 200
    flexi.partner("B")
    assert flexi.versions() == [1, 2]
    assert flexi.changes()[-1] == ("adresar", "create", "3")


@pytest.mark.parametrize("status", ["403", "404"])
def test_a_switched_off_feed_may_refuse_instead(flexi: Flexi, status: str) -> None:
    flexi.switch(changes_when_off=status)
    flexi.company.disable_changes()
    assert flexi.call("GET", "/changes.json").status_code == int(status)


def test_enabling_fails_while_somebody_is_logged_in(flexi: Flexi) -> None:
    flexi.company.disable_changes()
    flexi.switch(users_logged_in=True)
    answer = flexi.call("PUT", "/changes/enable.json")
    assert (answer.status_code, "could not obtain lock on relation" in answer.text) == (500, True)
    assert "text/html" in answer.headers["content-type"]
    flexi.switch(error_500_body="json")
    message = flexi.call("PUT", "/changes/enable.json").json()["winstrom"]["message"]
    assert 'could not obtain lock on relation "drady"' in message


def test_without_a_licence_the_api_refuses_in_three_ways(flexi: Flexi) -> None:
    flexi.switch(rest_licence="read_only")
    assert flexi.write({"nazev": "A"}).status_code == 402
    assert flexi.call("PUT", "/changes/enable.json").status_code == 403
    assert flexi.call("GET", "/adresar.json").status_code == 200
    flexi.switch(rest_licence="none")
    assert flexi.call("GET", "/adresar.json").status_code == 404
    assert flexi.call("GET", "/changes/status.json").status_code == 403


def test_held_versions_become_visible_behind_higher_ones(flexi: Flexi) -> None:
    flexi.company.hold_versions()
    flexi.partner("HELD")
    assert flexi.versions() == []
    flexi.company.release_versions()
    assert flexi.versions() == [1]


def test_an_open_transaction_shows_neither_rows_nor_data_before_its_commit(flexi: Flexi) -> None:
    partner = flexi.partner("A")
    tx = flexi.company.open_transaction()
    tx.update("adresar", partner, {"tel": "1"})
    created = tx.create("adresar", {"nazev": "B"})
    flexi.partner("LATER")
    assert flexi.versions() == [1, 4]
    assert flexi.company.record("adresar", created) is None
    assert tx.commit() == [2, 3]
    assert flexi.versions() == [1, 2, 3, 4]
    assert flexi.get(f"/adresar/{partner}.json")["adresar"][0]["tel"] == "1"


def test_late_versions_are_left_out_of_the_first_answers_that_pass_them(flexi: Flexi) -> None:
    flexi.switch(late_visible_every=2, late_visible_answers=2)
    for number in range(3):
        flexi.partner(f"P{number}")
    assert [flexi.versions() for _ in range(3)] == [[1, 3], [1, 3], [1, 2, 3]]


def test_one_update_may_leave_several_rows_with_one_timestamp(flexi: Flexi) -> None:
    partner = flexi.partner("A")
    flexi.switch(duplicate_updates=True)
    flexi.company.update("adresar", partner, {"tel": "1"})
    rows = flexi.get("/changes.json?start=2")["changes"]
    assert 3 <= len(rows) <= 8
    assert len({row["@timestamp"] for row in rows}) == 1


def test_a_changed_contact_leaves_a_row_of_its_partner_only_if_switched_on(flexi: Flexi) -> None:
    partner = flexi.partner("A")
    contact = flexi.company.create("kontakt", {"prijmeni": "Říha", "firma": partner})
    assert flexi.changes("?start=2") == [("kontakt", "create", "1")]
    flexi.switch(child_change_updates_partner=True)
    flexi.company.update("kontakt", contact, {"tel": "1"})
    assert flexi.changes("?start=3") == [("kontakt", "update", "1"), ("adresar", "update", "1")]


def test_a_deleted_partner_takes_its_contacts_along(flexi: Flexi) -> None:
    partner = flexi.partner("A")
    flexi.company.create("kontakt", {"prijmeni": "Říha", "firma": partner})
    flexi.company.delete("adresar", partner)
    assert flexi.changes("?start=3") == [("kontakt", "delete", "1"), ("adresar", "delete", "1")]
    assert flexi.partner("B") == partner + 1


def test_a_restored_backup_takes_back_records_and_reuses_versions(flexi: Flexi) -> None:
    kept, changed, deleted = flexi.partner("KEPT"), flexi.partner("CHANGED", tel="1"), flexi.partner("DELETED")
    backup = flexi.company.global_version
    flexi.company.update("adresar", changed, {"kod": "NEW", "tel": "2"}, ext_ids=["ext:CRM:1"])
    flexi.company.delete("adresar", deleted)
    flexi.partner("TOO LATE")
    flexi.world.restore("demo", backup)
    assert flexi.partners("/adresar.json?order=id") == ["KEPT", "CHANGED", "DELETED"]
    assert flexi.stored(changed)["tel"] == "1"
    assert flexi.company.find("adresar", "ext:CRM:1") is None
    assert flexi.get("/changes.json")["@globalVersion"] == str(backup)
    flexi.company.update("adresar", kept, {"tel": "9"})
    assert flexi.company.global_version == backup + 1


def test_a_restore_may_lose_the_history_of_changes(flexi: Flexi) -> None:
    flexi.partner("A")
    flexi.world.restore("demo", 1, skip_changelog=True)
    assert flexi.changes() == []
    flexi.partner("B")
    assert flexi.versions() == [2]


def test_forgotten_history_is_a_silent_gap_or_a_refusal(flexi: Flexi) -> None:
    for number in range(5):
        flexi.partner(f"P{number}")
    flexi.company.forget_changes_before(4)
    assert flexi.versions("?start=1") == [4, 5]
    flexi.switch(start_before_retention="400")
    assert flexi.call("GET", "/changes.json?start=1").status_code == 400
    assert flexi.versions("?start=4") == [4, 5]


def test_a_hundred_thousand_changes_are_listed_completely() -> None:
    world = FlexiWorld(seed=1)
    company = world.add_company("demo")
    for number in range(200):
        company.create("adresar", {"kod": f"P{number}", "nazev": "P"})
    touched = company.bulk_changes(100_000, 100)
    assert touched == company.ids("adresar")[:100]
    seen, start = 0, 0
    while True:
        page = company.log.page(start, 1000, ["adresar"])
        seen += len(page.rows)
        if page.following is None:
            break
        start = page.following
    assert seen == 100_200


# Writing


def test_an_upsert_creates_then_updates_and_attaches_an_external_id(flexi: Flexi) -> None:
    created = flexi.write({"id": "code:acmé", "nazev": "ACME", "stat": "code:CZ"})
    assert (created.status_code, created.headers["location"]) == (201, "/c/demo/adresar/1.json")
    updated = flexi.write({"id": ["code:ACMÉ", "ext:CRM:42"], "tel": "1"}).json()["winstrom"]
    assert updated["stats"] == {"created": "0", "updated": "1", "deleted": "0", "skipped": "0", "failed": "0"}
    row = flexi.get(f"/adresar/{quote('ext:CRM:42')}.json")["adresar"][0]
    assert (row["kod"], row["nazev"], row["tel"], row["external-ids"]) == ("ACMÉ", "ACME", "1", ["ext:CRM:42"])
    assert flexi.changes() == [("adresar", "create", "1"), ("adresar", "update", "1")]
    assert flexi.write({"id": "1", "@removeExternalIds": "CRM"}).status_code == 201
    assert "external-ids" not in flexi.get("/adresar/1.json")["adresar"][0]


def test_a_missing_code_is_made_up_from_the_name(flexi: Flexi) -> None:
    for _ in range(2):
        flexi.write({"nazev": "Auer-Auer"})
    assert flexi.partners("/adresar.json?order=id") == ["AUERAUER", "AUERAUER1"]


@pytest.mark.parametrize(
    ("record", "field", "code"),
    [
        ({"kod": "X"}, "nazev", "INVALID"),
        ({"nazev": " "}, "nazev", "INVALID"),
        ({"nazev": "X", "kod": "taken"}, "kod", "INVALID"),
        ({"nazev": "X", "kod": "C" * 21}, "kod", "INVALID"),
        ({"nazev": "X", "stat": "code:QQ"}, "stat", "PROP"),
        ({"nazev": "X", "stat": "CZ"}, "stat", "PROP"),
        ({"nazev": "X", "typVztahuK": "customer"}, "typVztahuK", "PROP"),
        ({"nazev": "X", "splatDny": "soon"}, "splatDny", "PROP"),
        ({"nazev": "X", "datZaloz": "2026-02-30"}, "datZaloz", "PROP"),
        ({"id": "77", "nazev": "X"}, "id", "PROP"),
        ({"id": "ext:CRM:404", "@action": "delete"}, "id", "INVALID"),
        ({"id": "code:TAKEN", "@update": "fail"}, "id", "INVALID"),
        ({"id": "code:NEW", "nazev": "X", "@create": "fail"}, "id", "INVALID"),
        ({"id": ["code:TAKEN", "code:OTHER"]}, "id", "INVALID"),
    ],
)
def test_a_bad_record_is_refused_with_its_field(flexi: Flexi, record: dict[str, Any], field: str, code: str) -> None:
    flexi.partner("TAKEN")
    flexi.partner("OTHER")
    answer = flexi.write(record)
    assert answer.status_code == 400
    inner = answer.json()["winstrom"]
    assert (inner["success"], inner["stats"]["failed"]) == ("false", "1")
    (error,) = inner["results"][0]["errors"]
    assert (error["for"], error["code"]) == (field, code)
    assert len(flexi.company.ids("adresar")) == 2


def test_one_bad_record_rolls_the_whole_request_back(flexi: Flexi) -> None:
    old = flexi.partner("OLD", tel="1")
    answer = flexi.write({"id": old, "tel": "2"}, {"nazev": "GOOD"}, {"nazev": ""}).json()["winstrom"]
    assert (answer["stats"]["failed"], len(answer["results"])) == ("1", 1)
    assert flexi.stored(old)["tel"] == "1"
    assert len(flexi.changes()) == 1
    flexi.switch(atomic_failure_results="one_per_record")
    answer = flexi.write({"nazev": "GOOD"}, {"nazev": ""}).json()["winstrom"]
    assert ["errors" in result for result in answer["results"]] == [False, True]


def test_without_atomicity_good_records_stay_beside_refused_ones(flexi: Flexi) -> None:
    records = ({"nazev": "ONE"}, {"nazev": "", "stat": "code:QQ"}, {"nazev": "TWO"})
    answer = flexi.write(*records, atomic="false")
    assert answer.status_code == 400
    inner = answer.json()["winstrom"]
    assert (inner["stats"]["created"], inner["stats"]["failed"]) == ("2", "1")
    assert [("id" in r, len(r.get("errors", []))) for r in inner["results"]] == [(True, 0), (False, 2), (True, 0)]
    flexi.switch(partial_failure="201")
    again = flexi.write(*records, atomic="false")
    assert (again.status_code, again.json()["winstrom"]["success"]) == (201, "true")


def test_ignored_and_dry_writes_change_nothing(flexi: Flexi) -> None:
    partner = flexi.partner("A")
    ignored = flexi.write({"id": "code:A", "tel": "1", "@update": "ignore"})
    assert (ignored.status_code, ignored.json()["winstrom"]["stats"]["skipped"]) == (200, "1")
    dry = flexi.write({"nazev": "Dry"}, query="?dry-run=true")
    result = dry.json()["winstrom"]["results"][0]
    assert (dry.status_code, int(result["id"]) < 0, result["content"]["adresar"][0]["kod"]) == (200, True, "DRY")
    assert flexi.company.ids("adresar") == [partner]
    assert len(flexi.changes()) == 1


def test_records_are_deleted_by_action_and_by_http_delete(flexi: Flexi) -> None:
    first, second = flexi.partner("A"), flexi.partner("B")
    assert flexi.write({"@action": "delete", "id": "code:A"}).json()["winstrom"]["stats"]["deleted"] == "1"
    assert flexi.call("DELETE", f"/adresar/{second}.json").status_code == 200
    assert flexi.call("DELETE", f"/adresar/{second}.json").status_code == 404
    assert flexi.changes("?start=3") == [("adresar", "delete", str(first)), ("adresar", "delete", str(second))]


def test_a_detail_url_updates_only_what_exists(flexi: Flexi) -> None:
    partner = flexi.partner("A")
    body = {"winstrom": {"adresar": {"tel": "5", "stat@ref": "/c/demo/stat/1.json", "lastUpdate": "x"}}}
    assert flexi.call("PUT", f"/adresar/{partner}.json", json=body).status_code == 201
    assert flexi.stored(partner)["tel"] == "5"
    assert flexi.call("PUT", "/adresar/99.json", json=body).status_code == 404


def test_xml_is_imported_with_children_and_attributes(flexi: Flexi) -> None:
    flexi.partner("OLD")
    body = (
        '<winstrom version="1.0" atomic="false"><adresar update="ok"><id>code:ACME</id><id>ext:CRM:42</id>'
        "<nazev>ACME s.r.o.</nazev><stat>code:CZ</stat><kontakty><kontakt><prijmeni>Říha</prijmeni></kontakt>"
        '</kontakty></adresar><adresar action="delete"><id>code:OLD</id></adresar></winstrom>'
    )
    answer = flexi.call("POST", "/adresar.xml", data=body.encode(), headers={"Content-Type": "application/xml"})
    assert answer.status_code == 201
    stats = ElementTree.fromstring(answer.text).find("stats")
    assert stats is not None
    assert (stats.findtext("created"), stats.findtext("deleted")) == ("1", "1")
    assert flexi.get("/adresar/2/kontakty.json")["kontakt"][0]["firma"] == "code:ACME"


def test_items_of_documents_cannot_be_imported_alone(flexi: Flexi) -> None:
    body = {"winstrom": {"faktura-vydana-polozka": {"nazev": "X"}}}
    answer = flexi.call("POST", "/faktura-vydana-polozka.json", json=body)
    assert (answer.status_code, answer.json()["winstrom"]["message@messageCode"]) == (400, "importNotAllowed")


def test_an_invoice_with_items_leaves_rows_of_both(flexi: Flexi) -> None:
    flexi.company.create("typ-faktury-vydane", {"kod": "FAKTURA", "nazev": "Faktura"})
    invoice = {"kod": "1", "varSym": "1", "datVyst": "2026-01-01", "typDokl": "code:FAKTURA"}
    item = {"nazev": "X", "typPolozkyK": "typPolozky.obecny"}
    body = {"winstrom": {"faktura-vydana": {**invoice, "polozkyFaktury": [item]}}}
    assert flexi.call("POST", "/faktura-vydana.json", json=body).status_code == 201
    assert flexi.changes("?start=2") == [
        ("faktura-vydana", "create", "1"),
        ("faktura-vydana-polozka", "create", "1"),
        ("faktura-vydana", "update", "1"),
    ]


@pytest.mark.parametrize("body", ["", "{}", "<winstrom/>", "not json"])
def test_a_body_that_cannot_be_read_is_a_400(flexi: Flexi, body: str) -> None:
    answer = flexi.call("POST", "/adresar.json", data=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400


def test_xml_with_entities_is_refused(flexi: Flexi) -> None:
    body = '<!DOCTYPE w [<!ENTITY a "b">]><winstrom><adresar><nazev>&a;</nazev></adresar></winstrom>'
    answer = flexi.call("POST", "/adresar.xml", data=body, headers={"Content-Type": "application/xml"})
    assert answer.status_code == 400


def test_python_writes_are_checked_like_those_over_http(flexi: Flexi) -> None:
    with pytest.raises(RecordRefusedError, match="Název"):
        flexi.company.create("adresar", {"kod": "X"})
    assert flexi.company.create("adresar", {"kod": "X", "nazev": "  "}, unchecked=True) == 1


# Web hooks


class Receiver:
    """An address to which hooks are delivered; answers what the test wants."""

    def __init__(self) -> None:
        self.calls: queue.Queue[tuple[str | None, str]] = queue.Queue()
        self.statuses: queue.Queue[int] = queue.Queue()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"] or 0)).decode()
                receiver.calls.put((self.headers.get("X-FB-Hook-SecKey"), body))
                self.send_response(200 if receiver.statuses.empty() else receiver.statuses.get())
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook/demo"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.server.shutdown()
    found.server.server_close()


def test_a_hook_is_tried_at_registration_and_then_delivers_with_its_secret(flexi: Flexi, receiver: Receiver) -> None:
    flexi.partner("BEFORE")
    url = f"/hooks.json?url={quote(receiver.url, safe='')}&format=JSON&secKey=s3cret"
    assert flexi.call("PUT", url).status_code == 200
    assert receiver.calls.get(timeout=10) == ("s3cret", "")
    partner = flexi.partner("A")
    secret, body = receiver.calls.get(timeout=10)
    delivered = json.loads(body)["winstrom"]
    assert (secret, delivered["@globalVersion"], delivered["next"]) == ("s3cret", "2", "none")
    assert [row["id"] for row in delivered["changes"]] == [str(partner)]
    (listed,) = flexi.get("/hooks.json")["hooks"]
    assert (listed["id"], listed["url"], listed["format"]) == ("1", receiver.url, "JSON")
    assert flexi.call("DELETE", "/hooks/1.json").status_code == 200
    assert flexi.get("/hooks.json")["hooks"] == []


def test_an_address_that_does_not_answer_is_not_registered(flexi: Flexi, receiver: Receiver) -> None:
    receiver.statuses.put(500)
    url = f"/hooks.json?url={quote(receiver.url, safe='')}&format=JSON"
    assert flexi.call("PUT", url).status_code == 400
    assert flexi.get("/hooks.json")["hooks"] == []
    assert flexi.call("PUT", url + "&skipUrlTest=true").status_code == 200


def test_a_failed_delivery_waits_for_its_penalty_or_a_retry(flexi: Flexi, receiver: Receiver) -> None:
    flexi.switch(hook_penalty_seconds=3600)
    flexi.call("PUT", f"/hooks.xml?url={quote(receiver.url, safe='')}&format=XML&skipUrlTest=true")
    receiver.statuses.put(503)
    flexi.partner("A")
    first = receiver.calls.get(timeout=10)[1]
    assert ElementTree.fromstring(first).findtext("next") == "none"
    flexi.world.hooks["demo"].wait_until_idle(10)
    flexi.partner("B")
    assert flexi.get("/hooks.json")["hooks"][0]["penalty"] == "1"
    assert flexi.call("PUT", "/hooks/1/retry.json").status_code == 200
    again = ElementTree.fromstring(receiver.calls.get(timeout=10)[1])
    assert [e.get("in-version") for e in again.iter("adresar")] == ["1", "2"]


# The demo company, persistence, control


def test_the_demo_company_is_the_same_for_the_same_seed(demo: FlexiWorld) -> None:
    again = FlexiWorld.demo(seed=1, partners=2000).companies["demo"]
    company = demo.companies["demo"]
    for evidence in ("adresar", "kontakt", "adresar-bankovni-ucet"):
        ids = company.ids(evidence)
        assert [company.record(evidence, i) for i in ids] == [again.record(evidence, i) for i in ids]
    assert company.log.rows == again.log.rows
    other = FlexiWorld.demo(seed=2, partners=50).companies["demo"]
    assert other.record("adresar", 1) != company.record("adresar", 1)


def czech_check_digit(number: str) -> int:
    return (11 - sum(int(d) * w for d, w in zip(number, range(8, 1, -1), strict=False)) % 11) % 10


def test_demo_partners_look_like_real_ones_and_troubles_are_known(demo: FlexiWorld) -> None:
    company = demo.companies["demo"]
    rows = {i: company.record("adresar", i) or {} for i in company.ids("adresar")}
    planted = {kind: set(ids) for kind, ids in demo.planted.items()}
    every_planted = set.union(*planted.values())
    assert 0.01 <= len(every_planted) / len(rows) <= 0.02
    assert all(planted.values())
    czech = str(company.find("stat", "code:CZ"))
    unknown = {str(company.find("stat", code)) for code in ("code:XK", "code:XX")}
    for i, row in rows.items():
        assert bool(row["nazev"].strip()) == (i not in planted["blank_name"])
        assert (row["stat"] in unknown) == (i in planted["unknown_country"])
        looks_like_mail = "@" in row["email"] and "." in row["email"].rpartition("@")[2]
        assert (not row["email"] or looks_like_mail) == (i not in planted["implausible_email"])
        if row["stat"] == czech and row["ic"]:
            assert int(row["ic"][-1]) == czech_check_digit(row["ic"])
        digits = row["dic"].removeprefix("CZ")
        if row["dic"].startswith("CZ"):
            valid = int(digits) % 11 == 0 if len(digits) == 10 else int(digits[-1]) == czech_check_digit(digits)
            assert valid == (i not in planted["invalid_vat"])
    assert sum(row["stat"] == czech for row in rows.values()) > len(rows) / 2
    codes = {row["kod"] for row in rows.values()}
    assert all(any(sign in code for code in codes) for sign in "/+% Ř")
    assert any(row["platiDo"] < "2026" for row in rows.values())
    assert max(map(len, codes)) <= 20


def test_the_unfiltered_demo_feed_contains_noise(demo: FlexiWorld) -> None:
    evidences = {row.evidence for row in demo.companies["demo"].log.rows.values()}
    assert {"adresar", "kontakt", "faktura-vydana", "faktura-vydana-polozka"} <= evidences


def test_an_empty_demo_is_possible() -> None:
    world = FlexiWorld.demo(partners=0)
    assert world.companies["demo"].ids("adresar") == []
    assert world.companies["demo"].log.enabled


def test_state_outlives_the_server(tmp_path: Path, switchboard: Switchboard) -> None:
    file = tmp_path / "flexi.json"
    flexi = Flexi(switchboard, FlexiWorld.demo(partners=30, state_file=file))
    flexi.switch(order_suffix="D_descends")
    assert flexi.write({"id": "ext:CRM:new", "nazev": "Nová"}).status_code == 201
    before = flexi.company
    again = FlexiWorld.demo(partners=30, state_file=file)
    company = again.companies["demo"]
    assert again.switches == flexi.world.switches
    assert again.planted == flexi.world.planted
    assert company.log.rows == before.log.rows
    assert [company.record("adresar", i) for i in company.ids("adresar")] == [
        before.record("adresar", i) for i in before.ids("adresar")
    ]
    company.restore(before.global_version - 1)
    assert company.find("adresar", "ext:CRM:new") is None


def test_switches_and_actions_are_reachable_over_http(flexi: Flexi) -> None:
    url = flexi.base + "/_sandbox"
    flexi.partner("A")
    assert requests.post(url + "/switches", json={"daily_quota": 5}).json()["daily_quota"] == 5
    assert requests.post(url + "/switches", json={"no_such": 1}).status_code == 400
    action = {"company": "demo", "action": "bulk_changes", "changes": 10, "records": 1}
    assert requests.post(url + "/actions", json=action).json() == {"global_version": 11}
    assert requests.post(url + "/actions", json={"action": "explode"}).status_code == 400
    assert requests.get(url + "/state").json()["companies"]["demo"]["changes"] == 11


def test_faults_hit_before_the_server_does(flexi: Flexi) -> None:
    flexi.world.faults.add(FaultRule(kind="status", status=503, path="/changes"))
    assert [flexi.call("GET", "/changes.json").status_code for _ in range(2)] == [503, 200]
