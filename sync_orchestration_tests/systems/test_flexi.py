"""Reading a Flexi company: the feed, batches by id, and whole lists, with the traps that its facts list."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import pytest
from starlette.responses import Response

from sync_orchestration.pipeline.errors import TrackingOffError, UnavailableError
from sync_orchestration.pipeline.protocols import Change, SourceRecord
from sync_orchestration.sandbox.flexi import FlexiSwitches, FlexiWorld, flexi_app

from .conftest import PASSWORD, Flexi, Script, Switchboard, winstrom

Format = Literal["json", "xml"]
CHILDREN = {"kontakt": "kontakty", "adresar-bankovni-ucet": "bankovniSpojeni"}


@pytest.fixture(params=["json", "xml"])
def rendering(request: pytest.FixtureRequest) -> Format:
    """Every test of the feed holds for both renderings."""
    return request.param  # type: ignore[no-any-return]


def listed(flexi: Flexi, rendering: Format = "json", start: int = 0, **source: Any) -> list[Change]:
    return [change for page in flexi.source(rendering, **source).changes(start) for change in page.changes]


def everything(flexi: Flexi, page: int = 500, after: str | None = None) -> list[SourceRecord]:
    return [record for records in flexi.source(page=page).snapshot(after) for record in records]


# The feed


def test_create_update_and_delete_arrive_with_codes_and_external_ids(flexi: Flexi, rendering: Format) -> None:
    key = flexi.partner("VF+1/20 5%", ext_ids=["ext:SHOP:a/b+c%d"])
    flexi.company.update("adresar", int(key), {"kod": "ŘŽ & SYN <1>", "nazev": "Ř"})
    flexi.company.delete("adresar", int(key))
    assert [(c.key, c.operation, tuple(c.external_ids)) for c in listed(flexi, rendering)] == [
        (key, "create", ("code:VF+1/20 5%", "ext:SHOP:a/b+c%d")),
        (key, "update", ("code:ŘŽ & SYN <1>", "ext:SHOP:a/b+c%d")),
        (key, "delete", ("code:ŘŽ & SYN <1>", "ext:SHOP:a/b+c%d")),
    ]


@pytest.mark.parametrize("next_value", ["next_existing", "last_plus_one"])
def test_every_version_is_listed_once_across_gaps_and_pages_of_a_thousand(
    flexi: Flexi, rendering: Format, next_value: str
) -> None:
    for code in "ABCDE":
        flexi.partner(code)
    flexi.switch(version_gaps=True, next_value=next_value)
    flexi.company.bulk_changes(2_300, 5)
    before = flexi.requests
    positions = [change.position for change in listed(flexi, rendering)]
    assert positions == flexi.company.log.versions
    assert positions[-1] > len(positions), "there are gaps"
    assert flexi.requests - before == 3


def test_the_xml_and_the_json_feed_tell_the_same(flexi: Flexi) -> None:
    flexi.switch(duplicate_updates=True, version_gaps=True)
    keys = [flexi.partner(code, ext_ids=[f"ext:A:{i}"]) for i, code in enumerate(("A/1", "B+2", "C 3%", "Č & D"))]
    for key in keys:
        flexi.company.update("adresar", int(key), {"nazev": "jinak"})
    flexi.company.create("kontakt", {"prijmeni": "Nová", "firma": keys[0]})
    flexi.company.delete("adresar", int(keys[1]))
    json_pages = list(flexi.source("json", children=CHILDREN).changes(0))
    assert json_pages == list(flexi.source("xml", children=CHILDREN).changes(0))
    assert sum(len(page.changes) for page in json_pages) > 10


def test_changes_of_other_evidences_are_passed_over(flexi: Flexi, rendering: Format) -> None:
    flexi.company.noise_changes(1_200)
    key = flexi.partner("A")
    flexi.company.noise_changes(1_200)
    before = flexi.requests
    assert [change.key for change in listed(flexi, rendering)] == [key]
    assert flexi.requests - before == 1, "the server leaves the noise out"


def change_row(
    version: int, record_id: int = 1, evidence: str = "adresar", operation: str = "update"
) -> dict[str, Any]:
    return {
        "@evidence": evidence,
        "@in-version": str(version),
        "@operation": operation,
        "@timestamp": "2021-03-13 00:29:17.9",
        "id": str(record_id),
        "external-ids": [],
    }


def feed(rows: Sequence[dict[str, Any]], following: str, newest: int = 999) -> Response:
    return winstrom(global_Version=str(newest), changes=list(rows), next=following)


def scripted(board: Switchboard, flexi: Flexi, *answers: Response) -> Script:
    board.app = script = Script(answers)
    return script


def test_an_empty_page_with_a_next_version_is_not_the_end(board: Switchboard, flexi: Flexi) -> None:
    foreign = [change_row(5, evidence="vazba"), change_row(6, evidence="rocni-rada")]
    script = scripted(
        board, flexi, feed(foreign, "7"), feed([], "500"), feed([change_row(500, 42)], "600"), feed([], "none")
    )
    assert [(change.key, change.position) for change in listed(flexi)] == [("42", 500)]
    assert [asked.partition("start=")[2].partition("&")[0] for asked in script.asked] == ["0", "7", "500", "600"]


@pytest.mark.parametrize(
    ("rows", "following"),
    [([], "20"), ([], "3"), ([20, 21], "21"), ([20, 30], "25"), ([20], "20"), ([], "-1")],
    ids=["stays", "goes back", "at the last row", "inside the page", "at the first row", "negative"],
)
def test_a_feed_that_does_not_move_on_is_refused_instead_of_read_for_ever(
    board: Switchboard, flexi: Flexi, rows: list[int], following: str
) -> None:
    script = scripted(board, flexi, feed([change_row(version) for version in rows], following))
    with pytest.raises(UnavailableError, match=rf"does not move on: .*continue at {following}\."):
        listed(flexi, start=20)
    assert len(script.asked) == 1


def test_after_the_last_change_the_feed_is_read_on_from_behind_it_and_never_from_the_newest_version(
    board: Switchboard, flexi: Flexi
) -> None:
    # The newest version (900) belongs to another evidence or to a transaction that is not listed yet.
    scripted(board, flexi, feed([change_row(7), change_row(8)], "none", newest=900))
    (page,) = flexi.source().changes(5)
    assert (page.next_position, page.newest, page.more) == (9, 900, False)
    scripted(board, flexi, feed([], "none", newest=900))
    (page,) = flexi.source().changes(5)
    assert (page.next_position, page.newest, page.more) == (5, 900, False)


@pytest.mark.parametrize(
    "body",
    [
        {"changes": [], "next": "none"},
        {"@globalVersion": "5", "next": "none"},
        {"@globalVersion": "5", "changes": []},
        {"@globalVersion": "5", "changes": [], "next": ""},
        {"@globalVersion": "5", "changes": [change_row(3, operation="merge")], "next": "none"},
        {"@globalVersion": "5", "changes": [{"@evidence": "adresar"}], "next": "none"},
        {"@globalVersion": "1e999", "changes": [], "next": "none"},
    ],
    ids=["no version", "no changes", "no next", "empty next", "unknown operation", "half a row", "no number"],
)
def test_a_feed_with_something_missing_is_no_feed(board: Switchboard, flexi: Flexi, body: dict[str, Any]) -> None:
    scripted(board, flexi, winstrom(**body))
    with pytest.raises(UnavailableError, match="no change feed or is cut off"):
        listed(flexi)


def test_a_version_that_becomes_visible_late_is_found_by_reading_again_from_before(
    flexi: Flexi, rendering: Format
) -> None:
    flexi.partner("A")
    late = flexi.company.open_transaction()
    key = str(late.create("adresar", {"kod": "LATE", "nazev": "Pozdní"}))
    flexi.partner("B")
    (page,) = flexi.source(rendering).changes(0)
    assert key not in {change.key for change in page.changes}
    (version,) = late.commit()
    assert version < page.next_position
    assert [change.key for change in listed(flexi, rendering, start=page.next_position)] == []
    assert key in {change.key for change in listed(flexi, rendering, start=version)}


def test_an_idle_look_is_one_request(flexi: Flexi, rendering: Format) -> None:
    flexi.partner("A")
    before = flexi.requests
    page = flexi.source(rendering, children=CHILDREN).peek(10_000)
    assert (page.changes, page.more, flexi.requests - before) == ([], False, 1)


XML_BOMB = """<?xml version="1.0"?><!DOCTYPE winstrom [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>
<winstrom version="1.0" globalVersion="6"><adresar in-version="3" operation="create"><id>1</id><id>&b;</id></adresar>
<next>none</next></winstrom>"""
XML_FILE = """<?xml version="1.0"?><!DOCTYPE winstrom [<!ENTITY f SYSTEM "file:///etc/passwd">]>
<winstrom version="1.0" globalVersion="6"><adresar in-version="3" operation="create"><id>1</id><id>&f;</id></adresar>
<next>none</next></winstrom>"""


@pytest.mark.parametrize("body", [XML_BOMB, XML_FILE], ids=["bomb", "file"])
def test_xml_with_a_dtd_or_entities_is_refused(board: Switchboard, flexi: Flexi, body: str) -> None:
    scripted(board, flexi, Response(body, media_type="application/xml"))
    with pytest.raises(UnavailableError, match="no change feed") as refused:
        listed(flexi, "xml")
    assert "root:" not in str(refused.value)


# The switch


def test_success_false_of_the_status_is_an_answer_and_not_an_error(flexi: Flexi) -> None:
    client = flexi.client()
    assert client.tracking_is_on() is True
    client.switch_tracking(on=False)
    assert client.tracking_is_on() is False
    client.switch_tracking(on=True)
    assert client.tracking_is_on() is True


@pytest.mark.parametrize("when_off", ["empty", "403", "404"])
def test_a_feed_that_is_off_is_never_taken_for_no_changes(flexi: Flexi, when_off: str) -> None:
    flexi.partner("A")
    flexi.company.disable_changes()
    flexi.switch(changes_when_off=when_off)
    with pytest.raises(TrackingOffError, match="demo is switched off"):
        flexi.source().head()
    with pytest.raises(TrackingOffError):
        flexi.client().check()


def test_the_head_tells_the_newest_version_and_which_company_it_counts(flexi: Flexi) -> None:
    flexi.partner("A")
    flexi.company.noise_changes(3)
    before = flexi.requests
    head = flexi.source().head()
    assert head.position == flexi.company.global_version
    assert flexi.requests - before == 3
    flexi.world.remove_company("demo")
    flexi.world.add_company("other")
    flexi.world.add_company("demo")
    assert flexi.source().head().fingerprint != head.fingerprint


# Records


def test_many_records_are_one_request_and_unknown_and_deleted_ones_are_left_out(flexi: Flexi) -> None:
    keys = [flexi.partner(f"P{i}") for i in range(300)]
    flexi.company.delete("adresar", int(keys[7]))
    before = flexi.requests
    found = flexi.source().fetch([*keys, "999999"])
    assert flexi.requests - before == 1
    assert set(found) == set(keys) - {keys[7]}


def test_a_record_asked_for_twice_is_one_record(flexi: Flexi) -> None:
    key = flexi.partner("A")
    assert len(flexi.client().records("adresar", [key, key], "full")) == 2, "Flexi answers twice"
    assert list(flexi.source().fetch([key, key])) == [key]


def test_partners_beyond_their_validity_are_neither_missing_nor_deleted(flexi: Flexi) -> None:
    ended, coming = flexi.partner("OLD", platiDo="2015"), flexi.partner("NEW", platiOd="2999")
    assert set(flexi.source().fetch([ended, coming])) == {ended, coming}
    assert {record.key for record in everything(flexi)} == {ended, coming}
    flexi.company.update("adresar", int(ended), {"platiDo": "2014"})
    assert [change.operation for change in listed(flexi)] == ["create", "create", "update"]


def test_values_arrive_as_the_texts_that_flexi_sends(flexi: Flexi) -> None:
    key = flexi.partner("A", datZaloz="2026-05-27", limitFak="500", stat="code:CZ", platceDph="true")
    record = flexi.source().fetch([key])[key]
    values = {name: record.payload[name] for name in ("id", "limitFak", "stat", "platceDph", "tel", "platiDo")}
    expected = {"id": key, "limitFak": "500.0", "stat": "code:CZ", "platceDph": "true", "tel": "", "platiDo": "9999"}
    assert values == expected
    # The offset of a date is glued on and means nothing.
    assert str(record.payload["datZaloz"]).startswith("2026-05-27")
    assert record.external_ids == ()


@pytest.mark.parametrize("code", ["A/B", "A+B", "100%", "A B", "Č. 1", "A&B?C#D", "[X]"])
def test_odd_codes_come_through_unharmed(flexi: Flexi, code: str) -> None:
    key = flexi.partner(code, ext_ids=["ext:SHOP:1/2"])
    (record,) = everything(flexi)
    assert (record.key, record.payload["kod"], record.external_ids) == (key, code, ("ext:SHOP:1/2",))
    assert flexi.source().fetch([key])[key] == record


def test_only_the_fields_that_are_asked_for_are_read(flexi: Flexi) -> None:
    key = flexi.partner("A", ic="12345678")
    payload = flexi.source(fields=("nazev", "ic")).fetch([key])[key].payload
    assert set(payload) == {"id", "kod", "nazev", "ic"}


# Whole lists


def test_a_whole_evidence_is_read_in_pages_by_ascending_id_whatever_its_default_order(flexi: Flexi) -> None:
    keys = [flexi.partner(f"{chr(ord('Z') - i)}") for i in range(25)]
    before = flexi.requests
    assert [record.key for record in everything(flexi, page=10)] == keys
    assert flexi.requests - before == 4


def test_an_interrupted_read_goes_on_after_its_last_record(flexi: Flexi) -> None:
    keys = [flexi.partner(f"P{i}") for i in range(9)]
    assert [record.key for record in everything(flexi, page=2, after=keys[4])] == keys[5:]


def test_records_deleted_while_a_list_is_read_make_no_other_record_slip(flexi: Flexi) -> None:
    keys = [flexi.partner(f"P{i}") for i in range(9)]
    pages = flexi.source(page=3).snapshot(None)
    first = next(pages)
    for key in keys[:4]:
        flexi.company.delete("adresar", int(key))
    assert [record.key for page in (first, *pages) for record in page] == [*keys[:3], *keys[4:]]


def rows(*ids: object) -> Response:
    return winstrom(adresar=[{"id": i, "kod": "X"} for i in ids])


@pytest.mark.parametrize(
    "again", [rows("1", "2"), rows("9", "8"), rows("12", "3"), rows("-1", "-1")], ids=["again", "falls", "mixed", "-1"]
)
def test_a_list_that_ignores_order_or_filter_is_refused_instead_of_read_for_ever(
    board: Switchboard, flexi: Flexi, again: Response
) -> None:
    script = scripted(board, flexi, rows("1", "2"), again)
    with pytest.raises(UnavailableError, match="did not list adresar by ascending id after record 2"):
        everything(flexi)
    assert len(script.asked) == 2


@pytest.mark.parametrize("body", [winstrom(), winstrom(adresar=""), winstrom(cenikStav=[])])
def test_a_missing_list_is_not_an_empty_one(board: Switchboard, flexi: Flexi, body: Response) -> None:
    """Taken for empty, it would read as the deletion of everything."""
    scripted(board, flexi, body)
    for read in (lambda: everything(flexi), lambda: flexi.source().fetch(["1"])):
        with pytest.raises(UnavailableError, match="without a list of adresar"):
            read()


@pytest.mark.parametrize("record_id", [None, "", "code:A", [], 1e400])
def test_a_record_without_a_numeric_id_is_refused(board: Switchboard, flexi: Flexi, record_id: object) -> None:
    scripted(board, flexi, rows(record_id))
    with pytest.raises(UnavailableError, match="no numeric id"):
        everything(flexi)


# Children


def test_a_change_of_a_contact_or_bank_account_is_a_change_of_its_partner(flexi: Flexi, rendering: Format) -> None:
    first, second = flexi.partner("A"), flexi.partner("B")
    start = flexi.company.global_version + 1
    flexi.company.create("kontakt", {"prijmeni": "Nová", "firma": first})
    flexi.company.create("adresar-bankovni-ucet", {"buc": "123/0100", "firma": second})
    changes = listed(flexi, rendering, start=start, children=CHILDREN)
    assert [(c.key, c.operation) for c in changes if c.part is None] == [(first, "update"), (second, "update")]
    assert listed(flexi, rendering, start=start) == []


def test_a_partner_is_read_with_its_children(flexi: Flexi) -> None:
    key = flexi.partner("A")
    contact = flexi.company.create("kontakt", {"prijmeni": "Nová", "firma": key})
    payload = flexi.source(children=CHILDREN).fetch([key])[key].payload
    assert [child["id"] for child in payload["kontakty"]] == [str(contact)]
    assert payload["bankovniSpojeni"] == []


def test_of_a_deleted_child_only_its_own_id_is_left_to_find_its_partner_by(flexi: Flexi, rendering: Format) -> None:
    contact = flexi.company.create("kontakt", {"prijmeni": "Nová", "firma": flexi.partner("A")})
    start = flexi.company.global_version + 1
    flexi.company.delete("kontakt", contact)
    (change,) = listed(flexi, rendering, start=start, children=CHILDREN)
    assert (change.key, change.operation, change.part) == ("", "delete", {"kontakty": [{"id": str(contact)}]})


def test_a_thousand_contacts_are_traced_with_one_request_a_page(flexi: Flexi) -> None:
    key = flexi.partner("A")
    for i in range(120):
        flexi.company.create("kontakt", {"prijmeni": f"N{i}", "firma": key})
    before = flexi.requests
    changes = listed(flexi, children=CHILDREN)
    assert {change.key for change in changes if change.part is None} == {key}
    assert flexi.requests - before == 2


# Companies


def test_two_companies_of_one_server_have_their_own_versions(board: Switchboard, flexi: Flexi) -> None:
    other = flexi.world.add_company("druha")
    flexi.partner("A")
    for i in range(5):
        other.create("adresar", {"kod": f"D{i}", "nazev": "Druhá"})
    mine = flexi.source()
    theirs = replace(mine, client=flexi.client(company="druha"))
    assert (mine.head().position, theirs.head().position) == (flexi.company.global_version, other.global_version)
    assert [len(list(page.changes)) for source in (mine, theirs) for page in source.changes(0)] == [1, 5]


def test_the_demo_company_is_read_whole(board: Switchboard) -> None:
    world = FlexiWorld.demo(seed=2, partners=300, switches=FlexiSwitches(version_gaps=True))
    board.app = flexi_app(world)
    demo = Flexi(world, world.companies["demo"], board.url)
    world.password = PASSWORD
    assert [int(record.key) for record in everything(demo, page=100)] == demo.company.ids("adresar")
    assert {change.key for change in listed(demo)} <= {record.key for record in everything(demo)}
