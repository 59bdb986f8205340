"""The Flexi stand-in answers what recorded servers and the vendor's examples answer."""

import csv
import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import pytest
import requests
from defusedxml import ElementTree

from sync_orchestration.sandbox.flexi import Company, FlexiSwitches, FlexiWorld, flexi_app
from sync_orchestration.sandbox.flexi.changelog import ChangeRow
from sync_orchestration.sandbox.flexi.schema import EVIDENCES
from sync_orchestration.sandbox.server import serve

SAMPLES = Path(__file__).parents[2].parent / "shared" / "contracts" / "flexi"

pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the contract samples are not beside this checkout")


def sample(path: str) -> Any:
    return json.loads((SAMPLES / path).read_text(encoding="utf-8"))


def xml_sample(path: str) -> Element:
    return ElementTree.fromstring((SAMPLES / path).read_text(encoding="utf-8"))


def plain(element: Element) -> Any:
    """An element without the whitespace that somebody's printer added."""
    return element.tag, element.attrib, (element.text or "").strip(), [plain(child) for child in element]


class Server:
    def __init__(self, world: FlexiWorld, company: Company, url: str) -> None:
        self.world = world
        self.company = company
        self.base = url
        self.session = requests.Session()
        self.session.auth = ("sync", "sync")

    def get(self, path: str) -> requests.Response:
        return self.session.get(self.base + path)

    def post(self, path: str, body: object) -> requests.Response:
        return self.session.post(self.base + path, json=body)

    def store(self, evidence: str, record_id: int, fields: dict[str, Any], *, at: datetime | None = None) -> None:
        self.company.tables[evidence].next_id = record_id
        self.company.create(evidence, fields, unchecked=True, at=at)


@pytest.fixture
def server() -> Iterator[Server]:
    world = FlexiWorld(switches=FlexiSwitches(version_gaps=False))
    company = world.add_company("demo")
    with serve(flexi_app(world)) as url:
        server = Server(world, company, url)
        yield server
        server.session.close()


VENDOR_ROWS = [
    ChangeRow(3, "faktura-vydana", "create", "2019-01-01 00:00:00.0", 1, ()),
    ChangeRow(4, "faktura-vydana-polozka", "create", "2019-06-07 12:34:56.7", 1, ()),
    ChangeRow(5, "faktura-vydana", "update", "2019-06-07 12:34:56.7", 1, ("code:VF1-0001/2012",)),
    ChangeRow(6, "faktura-vydana", "update", "2019-06-07 12:34:56.7", 1, ("code:VF1-0001/2012",)),
]


@pytest.mark.parametrize(("extension", "last_version"), [("json", 8), ("xml", 6)])
def test_the_feed_is_the_vendors_printed_example(server: Server, extension: str, last_version: int) -> None:
    server.world.switches = FlexiSwitches(global_version="last_assigned")
    server.company.log.publish(VENDOR_ROWS, late_every=0, late_answers=1)
    server.company.log.last_assigned = last_version
    answer = server.get(f"/c/demo/changes.{extension}?limit=3")
    if extension == "json":
        assert answer.json() == sample("changes_doc/changes_example.json")
        assert r"code:VF1-0001\/2012" in answer.text
    else:
        assert plain(ElementTree.fromstring(answer.text)) == plain(xml_sample("changes_doc/changes_example.xml"))


@pytest.mark.parametrize(
    "recorded", sorted(SAMPLES.glob("webhook/*.json")), ids=lambda path: str(path.stem) if path else ""
)
def test_a_recorded_web_hook_body_could_have_been_ours(server: Server, recorded: Path) -> None:
    theirs = json.loads(recorded.read_text(encoding="utf-8"))
    rows = [
        ChangeRow(
            int(row["@in-version"]),
            row["@evidence"],
            row["@operation"],
            row["@timestamp"],
            int(row["id"]),
            tuple(row["external-ids"]),
        )
        for row in theirs["winstrom"]["changes"]
    ]
    server.company.log.publish(rows, late_every=0, late_answers=1)
    assert server.get("/c/demo/changes.json").json() == theirs


def test_own_changes_have_the_recorded_shape(server: Server) -> None:
    partner = server.company.create("adresar", {"nazev": "Lukáš Pokorný", "kod": "LUKAPO"})
    server.company.update("adresar", partner, {"tel": "1"}, ext_ids=["ext:lms.docs:2021030082"])
    theirs = sample("webhook/webhook-1615591590.json")["winstrom"]["changes"][0]
    for row in server.get("/c/demo/changes.json").json()["winstrom"]["changes"]:
        assert row.keys() == theirs.keys()
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.(\d{0,5}[1-9]|0)", row["@timestamp"])
    assert row["external-ids"] == ["code:LUKAPO", "ext:lms.docs:2021030082"]


def test_without_rights_the_answer_is_the_recorded_401(server: Server) -> None:
    answer = requests.get(server.base + "/c/demo/adresar.json")
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/json")
    assert answer.json() == sample("errors/401_authRequired.json")


def test_an_unknown_evidence_is_the_recorded_404(server: Server) -> None:
    query = "?start=0&limit=200&detail=full&add-row-count=true"
    answer = server.get(f"/c/demo/nonexistent-evidence-xyz.json{query}")
    assert answer.status_code == 404
    theirs = sample("errors/404_unknown_evidence.json")
    theirs["winstrom"]["message"] = theirs["winstrom"]["message"].replace("http://demo.flexibee.eu", server.base)
    assert answer.json() == theirs


def test_an_unknown_record_is_the_vendors_404(server: Server) -> None:
    answer = server.get("/c/demo/adresar/1234.json")
    assert answer.status_code == 404
    ours = answer.json()["winstrom"]
    assert ours.pop("message@messageCode") == "formZaznamNenalezen"
    assert {"winstrom": ours} == sample("errors/404_record_official_example.json")


def test_a_bad_reference_is_the_recorded_400(server: Server) -> None:
    invoice = {"kod": "1", "varSym": "1", "datVyst": "2020-01-01", "typDokl": "FAKTURA"}
    answer = server.post("/c/demo/faktura-vydana.json", {"winstrom": {"faktura-vydana": invoice}})
    assert (answer.status_code, answer.json()) == (400, sample("errors/400_write_bad_reference.json"))


def test_an_unknown_external_id_is_the_recorded_xml_error(server: Server) -> None:
    server.company.create("typ-faktury-vydane", {"kod": "FAKTURA", "nazev": "Faktura"})
    body = (
        "<winstrom><faktura-vydana><kod>1</kod><varSym>1</varSym><datVyst>2020-01-01</datVyst>"
        "<typDokl>code:FAKTURA</typDokl><firma>ext:user:400513200</firma></faktura-vydana></winstrom>"
    )
    url = server.base + "/c/demo/faktura-vydana.xml"
    answer = server.session.post(url, body, headers={"Content-Type": "application/xml"})
    ours, theirs = plain(ElementTree.fromstring(answer.text)), plain(xml_sample("errors/400_write_unknown_ext.xml"))
    # The number at the end of the recorded message is the server's own and means nothing outside.
    theirs = json.loads(json.dumps(theirs).replace(" [200600000009]", ""))
    assert json.loads(json.dumps(ours)) == theirs


def test_a_successful_update_is_the_recorded_answer(server: Server) -> None:
    server.store("adresar", 333, {"nazev": "ACME"})
    answer = server.post("/c/demo/adresar.json", {"winstrom": {"adresar": {"id": "333", "nazev": "ACME a.s."}}})
    assert (answer.status_code, answer.headers["location"]) == (201, "/c/demo/adresar/333.json")
    assert answer.json() == sample("writes/success_update.json")


def test_a_successful_batch_is_the_recorded_xml(server: Server) -> None:
    server.company.create("typ-faktury-vydane", {"kod": "FAKTURA", "nazev": "Faktura"})
    server.company.tables["faktura-vydana"].next_id = 2234
    server.company.tables["adresar"].next_id = 1092
    body = (
        "<winstrom><faktura-vydana><kod>1</kod><varSym>1</varSym><datVyst>2020-01-01</datVyst>"
        "<typDokl>code:FAKTURA</typDokl></faktura-vydana><adresar><nazev>ACME</nazev></adresar></winstrom>"
    )
    url = server.base + "/c/demo/faktura-vydana.xml"
    answer = server.session.post(url, body, headers={"Content-Type": "application/xml"})
    assert plain(ElementTree.fromstring(answer.text)) == plain(xml_sample("writes/success_batch.xml"))


def test_summary_rows_of_invoices_are_the_recorded_ones(server: Server) -> None:
    theirs = sample("lists/faktura-vydana_summary_rowcount_TRUNCATED_to_2_of_8.json")["winstrom"]
    server.store("mena", 31, {"kod": "CZK", "nazev": "Česká koruna"})
    server.store("adresar", 697, {"kod": "MATUŠÍK", "nazev": "Jan Matuštík"})
    for row in theirs["faktura-vydana"]:
        fields = {name: value for name, value in row.items() if "@" not in name and name not in ("id", "lastUpdate")}
        fields["zbyvaUhradit"] = row["zbyvaUhradit"]
        server.store("faktura-vydana", int(row["id"]), fields, at=datetime.fromisoformat(row["lastUpdate"]))
    span = "lastUpdate gt '2026-05-27T00:00:00+00:00' and lastUpdate lt '2026-05-28T00:00:00+00:00'"
    query = "?start=0&limit=200&detail=summary&add-row-count=true"
    ours = server.get(f"/c/demo/faktura-vydana/({span}).json{query}").json()["winstrom"]
    assert ours["faktura-vydana"] == theirs["faktura-vydana"]
    assert ours["@rowCount"] == "2"


def test_code_lists_come_in_pages_by_code(server: Server) -> None:
    first = sample("lists/mena_custom_page1_of_4_limit10.json")
    fourth = sample("lists/mena_custom_page4_of_4_start30.json")
    between = [{"id": str(100 + i), "kod": f"F{chr(65 + i)}X"} for i in range(20)]
    rows = [*first["winstrom"]["mena"], *between, *fourth["winstrom"]["mena"]]
    for row in sorted(rows, key=lambda row: int(row["id"])):
        server.store("mena", int(row["id"]), {"kod": row["kod"], "nazev": row["kod"]})
    assert server.get("/c/demo/mena.json?limit=10&detail=custom:id,kod&add-row-count=true").json() == first
    assert server.get("/c/demo/mena.json?limit=10&start=30&detail=custom:id,kod").json() == fourth


def test_the_default_list_is_twenty_rows_by_code_not_by_id(server: Server) -> None:
    theirs = sample("lists/cenik_default_order_id_kod_2016.json")
    for record_id, code in sorted(theirs, key=lambda row: int(row[0])):
        server.store("skupina-firem", int(record_id), {"kod": code, "nazev": code})
    server.store("skupina-firem", 5000, {"kod": "ZZZ", "nazev": "behind the page"})
    ours = server.get("/c/demo/skupina-firem.json").json()["winstrom"]["skupina-firem"]
    assert [[row["id"], row["kod"]] for row in ours] == theirs


def test_an_empty_list_is_an_empty_array(server: Server) -> None:
    theirs = sample("lists/empty_with_rowcount.json")["winstrom"]
    ours = server.get("/c/demo/adresar/(id='0').json?add-row-count=true").json()["winstrom"]
    assert ours.pop("adresar") == theirs.pop("ucetni-denik") == []
    assert ours == theirs


def test_a_full_partner_in_xml_is_the_recorded_one(server: Server) -> None:
    theirs = xml_sample("lists/adresar_full_2017.xml")[0]
    server.store("stat", 39, {"kod": "CZ", "nazev": "Česká republika"})
    fields = {e.tag: e.text for e in theirs if e.text and e.tag not in ("id", "lastUpdate")}
    moment = datetime.fromisoformat(theirs.findtext("lastUpdate", ""))
    server.store("adresar", 1344, fields, at=moment)
    answer = ElementTree.fromstring(server.get("/c/demo/adresar/1344.xml").text)[0]
    ours = {e.tag: (e.text or "", dict(e.attrib)) for e in answer}
    for element in theirs:
        text, attributes = ours[element.tag]
        assert text == (element.text or ""), element.tag
        assert attributes.get("ref") == element.get("ref")
        # In 2017 showAs was the bare name, recorded servers of today put the code before it.
        assert attributes.get("showAs", "").endswith(element.get("showAs", ""))


def test_a_company_shows_as_recorded(server: Server) -> None:
    theirs = sample("misc/company_single_2016.json")["companies"]["company"]
    ours = server.get("/c/demo.json").json()["companies"]["company"]
    assert ours.keys() == theirs.keys()
    assert all(type(ours[key]) is type(theirs[key]) for key in theirs)
    assert datetime.fromisoformat(ours["createDt"]).tzinfo is not None


@pytest.mark.parametrize("evidence", ["adresar", "kontakt", "adresar-bankovni-ucet"])
def test_fields_are_those_of_the_servers_metadata(evidence: str) -> None:
    with (SAMPLES / "properties" / f"{evidence}.tsv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["propertyName"] != "external-ids"]
    ours = EVIDENCES[evidence].fields
    assert [f.name for f in ours] == [row["propertyName"] for row in rows]
    for field, row in zip(ours, rows, strict=True):
        assert (field.type, str(field.max_length or "")) == (row["type"], row["maxLength"]), field.name
        flags = (field.mandatory, field.writable, field.upper, field.in_summary)
        theirs = tuple(row[name] == "true" for name in ("mandatory", "writable", "upperCase", "inSummary"))
        assert flags == theirs, field.name
        assert (field.target or "") == row["fkEvidencePath"]
        assert " ".join(field.choices) == (row["values"] or "")


@pytest.mark.parametrize("evidence", ["faktura-vydana", "faktura-vydana-polozka"])
def test_fields_of_documents_are_a_part_of_the_servers_metadata(evidence: str) -> None:
    with (SAMPLES / "properties" / f"{evidence}.tsv").open(encoding="utf-8") as file:
        theirs = {row["propertyName"]: row for row in csv.DictReader(file, delimiter="\t")}
    for field in EVIDENCES[evidence].fields:
        row = theirs[field.name]
        assert (field.type, field.mandatory, field.writable) == (
            row["type"],
            row["mandatory"] == "true",
            row["writable"] == "true",
        ), field.name


def test_evidences_are_described_as_the_server_does(server: Server) -> None:
    theirs = sample("properties/evidence-list_excerpt.json")
    listed = server.get("/c/demo/evidence-list.json").json()["evidences"]["evidence"]
    ours = {row["evidencePath"]: row for row in listed}
    for path in ("adresar", "kontakt", "adresar-bankovni-ucet", "faktura-vydana", "faktura-vydana-polozka"):
        for key in ("evidenceName", "importStatus", "className", "extIdSupported"):
            assert ours[path][key] == theirs[path][key]
        assert ours[path].get("findByCodeProperties") == theirs[path].get("findByCodeProperties")
