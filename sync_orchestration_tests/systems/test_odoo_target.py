"""Writing partners into Odoo 18 and 19: found, compared, linked, loaded, archived, each with its own outcome."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sync_orchestration.mapping.records import RecordError, Reference
from sync_orchestration.pipeline.errors import ConfigurationError, UnavailableError
from sync_orchestration.pipeline.protocols import CurrentRecord, Outcome, TargetRecord
from sync_orchestration.systems.odoo.target import OdooTarget

from .conftest import DIALECTS, PARTNER, PASSWORD, Odoo, Switchboard, open_odoo, record, target_id, written

XML_ID = "ir.model.data"
BAD_VAT = "CZ12345678"
GOOD_VAT = "CZ12345679"


def the_errors(outcomes: Mapping[str, Outcome]) -> dict[str, RecordError]:
    return {key: outcome.error for key, outcome in outcomes.items() if outcome.error is not None}


def found(target: OdooTarget, one: TargetRecord) -> CurrentRecord:
    current = target.current([one])[one.key]
    assert isinstance(current, CurrentRecord), current
    return current


def differences(target: OdooTarget, one: TargetRecord) -> set[str]:
    current = found(target, one)
    return {name for name, value in one.values.items() if not target.same(name, current.values.get(name), value)}


# Creating and updating


def test_a_record_is_created_then_updated_under_its_external_id(odoo: Odoo) -> None:
    target = odoo.target("name", "city")
    assert target.current([record("7", name="Alfa", city="Brno")]) == {}
    partner = target_id(written(target, record("7", name="Alfa", city="Brno"))["7"])
    assert odoo.external_id(partner) == "flexi_demo.adresar_7"
    assert target_id(written(target, record("7", str(partner), name="Alfa", city="Olomouc"))["7"]) == partner
    assert odoo.read(partner, "name", "city") == {"id": partner, "name": "Alfa", "city": "Olomouc"}


def test_a_record_whose_id_we_forgot_is_found_by_its_external_id(odoo: Odoo) -> None:
    target = odoo.target()
    partner = target_id(written(target, record("7", name="Alfa"))["7"])
    assert found(target, record("7", name="Alfa")) == CurrentRecord(str(partner), {"id": partner, "name": "Alfa"})
    assert target_id(written(target, record("7", name="Beta"))["7"]) == partner


def test_of_two_records_with_one_external_id_both_are_told_what_has_it(odoo: Odoo) -> None:
    target = odoo.target()
    partner = target_id(written(target, record("7", name="Alfa"))["7"])
    both = [TargetRecord(key, "adresar_7", {"name": key}, None) for key in ("7", "the same")]
    current = target.current(both)
    assert {key: c.target_id for key, c in current.items() if isinstance(c, CurrentRecord)} == {
        "7": str(partner),
        "the same": str(partner),
    }


def test_a_record_that_somebody_deleted_in_odoo_is_created_again(odoo: Odoo) -> None:
    target = odoo.target()
    partner = target_id(written(target, record("7", name="Alfa"))["7"])
    odoo.world.call(PARTNER, "unlink", [partner])
    again = record("7", str(partner), name="Alfa")
    assert target.current([again]) == {}
    new = target_id(written(target, again)["7"])
    assert odoo.external_id(new) == "flexi_demo.adresar_7"


def test_five_hundred_records_cost_one_load_and_at_most_one_read_of_partners(odoo: Odoo) -> None:
    target = odoo.target("name", "ref", match_on=["ref"])
    records = [record(str(i), name=f"Firma {i}", ref=f"R{i}") for i in range(500)]
    outcomes = written(target, *records)
    assert len({outcome.target_id for outcome in outcomes.values()}) == 500
    assert odoo.world.calls[f"{PARTNER}.load"] == 1
    assert odoo.world.calls[f"{PARTNER}.search_read"] == 1
    assert odoo.world.calls[f"{XML_ID}.search_read"] == 1

    odoo.world.calls.clear()
    known = [record(one.key, outcomes[one.key].target_id, **one.values) for one in records]
    current = target.current(known)
    assert not any(differences_of(target, one, current) for one in known)
    assert dict(odoo.world.calls) == {f"{PARTNER}.search_read": 1}


def differences_of(target: OdooTarget, one: TargetRecord, current: Mapping[str, Any]) -> bool:
    return not all(target.same(name, current[one.key].values[name], value) for name, value in one.values.items())


def test_more_records_than_a_batch_are_several_loads(odoo: Odoo) -> None:
    target = odoo.target(batch=200)
    outcomes = written(target, *(record(str(i), name=f"Firma {i}") for i in range(450)))
    assert not the_errors(outcomes)
    assert odoo.world.calls[f"{PARTNER}.load"] == 3


def test_the_chatter_stays_silent_unless_tracking_is_wanted(odoo: Odoo) -> None:
    quiet = target_id(written(odoo.target(), record("1", name="Alfa"))["1"])
    loud = target_id(written(odoo.target(context={}), record("2", name="Beta"))["2"])
    assert odoo.world.messages_of(PARTNER, quiet) == []
    assert odoo.world.messages_of(PARTNER, loud) != []


@pytest.mark.parametrize("name", ["4.5", "a.b.c", "x/y:z", "код", "d" * 300])
def test_external_ids_may_hold_dots_and_slashes(odoo: Odoo, name: str) -> None:
    target = odoo.target()
    one = TargetRecord("1", name, {"name": "Alfa"}, None)
    partner = target_id(written(target, one)["1"])
    assert odoo.external_id(partner) == f"flexi_demo.{name}"
    assert found(target, one).target_id == str(partner)


# Values


def test_booleans_references_and_texts_are_stored_as_what_they_are(odoo: Odoo) -> None:
    target = odoo.target("name", "is_company", "country_id", "category_id", "comment", "active")
    tags = sorted(int(i) for i in odoo.world.call("res.partner.category", "search", []))[:2]
    values: dict[str, Any] = {
        "name": "Alfa",
        "is_company": True,
        "country_id": odoo.country("CZ"),
        "category_id": tags,
        "comment": "a < b\nJan <jan@example.com> & syn",
        "active": True,
    }
    partner = target_id(written(target, record("1", **values))["1"])
    stored = odoo.read(partner, "is_company", "country_id", "category_id", "comment")
    assert stored["is_company"] is True
    assert stored["country_id"][0] == odoo.country("CZ")
    assert sorted(stored["category_id"]) == tags
    assert stored["comment"] == "<p>a &lt; b<br/>Jan &lt;jan@example.com&gt; &amp; syn</p>"
    assert differences(target, record("1", **values)) == set()
    written(target, record("1", **{**values, "is_company": False}))
    assert odoo.read(partner, "is_company")["is_company"] is False


def test_an_empty_text_clears_the_field_of_any_kind(odoo: Odoo) -> None:
    fields = ("name", "city", "country_id", "comment", "website", "is_company")
    target = odoo.target(*fields)
    full: dict[str, Any] = {
        "name": "Alfa",
        "city": "Brno",
        "country_id": odoo.country("CZ"),
        "comment": "Pozor",
        "website": "alfa.cz",
        "is_company": True,
    }
    partner = target_id(written(target, record("1", **full))["1"])
    empty = record("1", **dict.fromkeys((n for n in fields if n != "name"), ""), name="Alfa")
    assert differences(target, empty) == set(fields) - {"name"}
    written(target, empty)
    stored = odoo.read(partner, *fields)
    assert not any(stored[name] for name in fields if name != "name")
    assert differences(target, empty) == set()


def test_tags_are_added_to_those_that_people_gave(odoo: Odoo) -> None:
    target = odoo.target("name", "category_id")
    theirs, ours, new = sorted(int(i) for i in odoo.world.call("res.partner.category", "search", []))[:3]
    partner = target_id(written(target, record("1", name="Alfa", category_id=[ours]))["1"])
    odoo.world.call(PARTNER, "write", [partner], {"category_id": [[4, theirs, 0]]})
    assert differences(target, record("1", name="Alfa", category_id=[ours])) == set()
    assert differences(target, record("1", name="Alfa", category_id="")) == set()
    assert differences(target, record("1", name="Alfa", category_id=[ours, new])) == {"category_id"}
    written(target, record("1", name="Alfa", category_id=[new]))
    assert sorted(odoo.read(partner, "category_id")["category_id"]) == [theirs, ours, new]


def test_a_field_without_a_value_keeps_what_odoo_has(odoo: Odoo) -> None:
    target = odoo.target("name", "city", "ref")
    partner = target_id(written(target, record("1", name="Alfa", city="Brno", ref="A"))["1"])
    outcomes = written(target, record("1", name="Beta", ref=""), record("2", name="Gama", city="Zlín"))
    assert not the_errors(outcomes)
    assert odoo.read(partner, "name", "city", "ref") == {"id": partner, "name": "Beta", "city": "Brno", "ref": False}


@pytest.mark.parametrize(
    ("field", "first", "same"),
    [
        ("website", "www.alfa.cz", ["www.alfa.cz", "http://www.alfa.cz", "www.alfa.cz/"]),
        ("website", "https://alfa.cz/A", ["https://alfa.cz/A", "alfa.cz/A"]),
        ("vat", "cz 12345679", ["CZ12345679", "cz 12345679", "CZ 123 456 79"]),
        ("comment", "Řádek & druhý\n  třetí", ["Řádek & druhý\n  třetí", "Řádek & druhý\ntřetí"]),
        ("comment", "<p>Už <b>HTML</b></p>", ["<p>Už <b>HTML</b></p>"]),
        ("comment", "Jan <jan@example.com>, AT&amp;T", ["Jan <jan@example.com>, AT&amp;T"]),
        ("city", "", ["", False, None]),
        ("active", True, [True]),
    ],
)
def test_what_odoo_rewrites_is_not_written_again(odoo: Odoo, field: str, first: Any, same: list[Any]) -> None:
    target = odoo.target("name", "country_id", field)
    base: dict[str, Any] = {"name": "Alfa", "country_id": odoo.country("CZ")}
    assert not the_errors(written(target, record("1", **base, **{field: first})))
    for value in same:
        assert differences(target, record("1", **base, **{field: value})) == set(), value


@pytest.mark.parametrize(
    ("field", "first", "other"),
    [
        ("website", "http://alfa.cz", "https://alfa.cz"),
        ("website", "alfa.cz/A", "alfa.cz/a"),
        ("vat", "CZ12345679", ""),
        ("comment", "Jan <jan@example.com>", "Jan <jana@example.com>"),
        ("name", "Alfa", "ALFA"),
        ("name", "Alfa", "Alfa "),
        ("ref", "007", "7"),
    ],
)
def test_a_real_difference_is_seen(odoo: Odoo, field: str, first: str, other: str) -> None:
    target = odoo.target(*{"name": 0, field: 0})
    assert not the_errors(written(target, record("1", **{"name": "Alfa", field: first})))
    assert differences(target, record("1", **{"name": "Alfa", field: other})) == {field}


def test_a_datetime_keeps_its_hour_whatever_the_users_time_zone(board: Switchboard) -> None:
    """`load` takes datetimes in the user's zone, where every other method takes them in UTC."""
    for name in DIALECTS:
        odoo = open_odoo(board, name, custom_fields={"x_seen": "datetime"})
        odoo.world.add_user("kyjev", password="kyjev", api_key="kyjev", role="administrator", tz="Europe/Kyiv")
        target = odoo.target("name", "x_seen", client=odoo.client(user="kyjev", secret="kyjev"))
        one = record("1", name="Alfa", x_seen="2026-07-01 10:00:00")
        partner = target_id(written(target, one)["1"])
        assert odoo.read(partner, "x_seen")["x_seen"] == "2026-07-01 10:00:00"
        assert differences(target, one) == set()


def test_a_field_that_this_odoo_lacks_is_left_out_with_one_warning(odoo: Odoo) -> None:
    target = odoo.target("name", "mobile", match_on=["mobile", "name"])
    one = record("1", name="Alfa", mobile="+420 777 123 456")
    partner = target_id(written(target, one)["1"])
    written(target, record("2", name="Beta", mobile="1"), record("3", name="Gama", mobile="2"))
    assert differences(target, one) == set()
    if odoo.world.version == 18:
        assert odoo.warnings == []
        assert odoo.read(partner, "mobile")["mobile"] == "+420 777 123 456"
    else:
        assert odoo.warnings == ["This Odoo has no mobile on res.partner; left out of the sync."]


def test_an_archived_record_is_updated_and_comes_back_only_when_the_source_says_so(odoo: Odoo) -> None:
    partner = target_id(written(odoo.target(), record("1", name="Alfa"))["1"])
    odoo.world.call(PARTNER, "action_archive", [partner])
    assert target_id(written(odoo.target(), record("1", str(partner), name="Beta"))["1"]) == partner
    assert odoo.read(partner, "name", "active") == {"id": partner, "name": "Beta", "active": False}
    target = odoo.target("name", "active")
    assert differences(target, record("1", name="Beta", active=True)) == {"active"}
    written(target, record("1", name="Beta", active=True))
    assert odoo.read(partner, "active")["active"] is True


def test_related_records_are_looked_up_once_and_unknown_ones_are_left_out(odoo: Odoo) -> None:
    target = odoo.target()
    wanted = [Reference("res.country", "code", code) for code in ("CZ", "SK", "XX")]
    expected = {wanted[0]: odoo.country("CZ"), wanted[1]: odoo.country("SK")}
    odoo.world.calls.clear()
    assert target.resolve(wanted) == expected
    assert target.resolve(wanted) == expected
    assert odoo.world.calls["res.country.search_read"] == 1


TAG = Reference("res.partner.category", "name", "VIP")
MADE_TAG = Reference("res.partner.category", "name", "VIP", create=True)


@pytest.mark.parametrize("asked", [[TAG, MADE_TAG], [MADE_TAG, TAG]], ids=["made for the second", "made for the first"])
@pytest.mark.parametrize("together", [True, False], ids=["at once", "one after the other"])
def test_two_fields_may_name_one_related_record_and_only_one_have_it_made(
    odoo: Odoo, asked: list[Reference], together: bool
) -> None:
    target = odoo.target()
    if together:
        found = dict(target.resolve(asked))
    else:
        target.resolve(asked[:1])
        target.resolve(asked[1:])
        found = dict(target.resolve(asked))
    (made,) = odoo.world.call("res.partner.category", "search", [["name", "=", "VIP"]])
    assert found == {TAG: made, MADE_TAG: made}
    assert odoo.world.calls["res.partner.category.create"] == 1


def test_a_related_record_that_is_refused_stays_unknown_to_both_who_name_it(odoo: Odoo) -> None:
    lacks_a_name = [Reference("res.country", "code", "QQ", create=create) for create in (False, True)]
    assert odoo.target().resolve(lacks_a_name) == {}
    assert len(odoo.warnings) == 1


# Refused rows


def test_one_refused_partner_stands_alone_with_its_reason_and_the_others_are_written(odoo: Odoo) -> None:
    target = odoo.target("name", "country_id", "vat")
    czech = odoo.country("CZ")
    records = [record(str(i), name=f"Firma {i}", country_id=czech, vat=GOOD_VAT) for i in range(20)]
    records[7] = record("7", name="Firma 7", country_id=czech, vat=BAD_VAT)
    outcomes = written(target, *records)
    errors = the_errors(outcomes)
    assert set(errors) == {"7"}
    assert errors["7"].code == "refused"
    assert "The VAT number" in errors["7"].message
    assert "[Firma 7]" in errors["7"].message
    assert "\n" not in errors["7"].message
    assert len(odoo.partners(["name", "like", "Firma"])) == 19
    assert not outcomes["7"].transient


@pytest.mark.parametrize("culprit", [0, 1, 5])
def test_the_first_row_is_not_blamed_for_what_broke_the_batch(odoo: Odoo, culprit: int) -> None:
    target = odoo.target("name", "country_id", "vat")
    records = [
        record(str(i), name=f"Firma {i}", country_id=odoo.country("CZ"), vat=BAD_VAT if i == culprit else GOOD_VAT)
        for i in range(6)
    ]
    assert set(the_errors(written(target, *records))) == {str(culprit)}


def test_the_first_row_is_not_blamed_for_a_row_that_load_did_not_come_to(odoo: Odoo) -> None:
    """Existing records are written first, so the batch breaks at row 20; the search for culprits stops before it."""
    target = odoo.target("name", "country_id", "vat")
    czech = odoo.country("CZ")
    written(target, record("20", name="Firma 20", country_id=czech, vat=""))
    records = [
        record(str(i), name=f"Firma {i}", country_id=czech, vat=GOOD_VAT if i == 0 else BAD_VAT) for i in range(21)
    ]
    errors = the_errors(written(target, *records))
    assert set(errors) == {str(i) for i in range(1, 21)}
    assert all(f"[Firma {key}]" in error.message for key, error in errors.items())


def test_more_errors_than_load_reports_are_all_found(odoo: Odoo) -> None:
    target = odoo.target("name", "city")
    bad = {str(i) for i in range(0, 60, 2)}
    outcomes = written(target, *(record(str(i), name="" if str(i) in bad else f"F{i}", city="X") for i in range(60)))
    assert set(the_errors(outcomes)) == bad
    assert {error.message for error in the_errors(outcomes).values()} == {"Contacts require a name"}
    assert odoo.world.created[PARTNER] == 30


def test_all_wrong_cells_of_a_row_are_told_with_their_fields(odoo: Odoo) -> None:
    target = odoo.target("name", "country_id", "lang", "type")
    outcomes = written(
        target,
        record("1", name="Alfa", country_id=999_999, lang="xx", type="palace"),
        record("2", name="Beta", country_id="", lang="", type="contact"),
    )
    error = the_errors(outcomes)["1"]
    assert error.field == "country_id, lang, type"
    assert "database id '999999'" in error.message
    assert "'palace' not found" in error.message
    assert target_id(outcomes["2"])


def test_losing_a_race_is_tried_again_and_then_left_for_later(odoo: Odoo, naps: list[float]) -> None:
    target = odoo.target()
    target.current([record("1", name="Alfa")])
    odoo.switch(concurrent_loads=2)
    assert not the_errors(written(target, record("1", name="Alfa"), record("2", name="Beta")))
    assert len(naps) == 2
    odoo.switch(concurrent_loads=50)
    outcomes = written(target, record("1", name="Gama"), record("2", name="Delta"))
    assert {error.code for error in the_errors(outcomes).values()} == {"concurrent_update"}
    assert all(outcome.transient for outcome in outcomes.values())


def test_a_missing_right_stops_the_pass_instead_of_failing_every_row(board: Switchboard) -> None:
    """`load` says it once for each row, in the user's language."""
    for name in DIALECTS:
        odoo = open_odoo(board, name, role="internal")
        with pytest.raises(ConfigurationError, match=r"user sync may not create res\.partner.*Contact Creation"):
            written(odoo.target(), *(record(str(i), name=f"F{i}") for i in range(100)))
        assert odoo.world.calls[f"{PARTNER}.load"] == 1


def test_rows_that_are_refused_alike_do_not_cost_a_look_at_the_rights_each_time(odoo: Odoo) -> None:
    target = odoo.target()
    for key in "123":
        assert the_errors(written(target, record(key, name="")))
    assert odoo.world.calls[f"{PARTNER}.check_access_rights"] == 3


# Adoption


def adopting(odoo: Odoo, *fields: str) -> OdooTarget:
    names = ("name", "company_registry", "vat", "ref", *fields)
    return odoo.target(*names, match_on=["company_registry", "vat", "ref"])


def company(key: str, **values: Any) -> TargetRecord:
    return record(key, **{"name": "Alfa", "company_registry": "", "vat": "", "ref": "", **values})


@pytest.mark.parametrize("field", ["company_registry", "vat", "ref"])
def test_the_one_partner_that_matches_is_linked_and_updated_instead_of_doubled(odoo: Odoo, field: str) -> None:
    existing = odoo.create(name="Alfa a. s.", **{field: "CZ12345679"})
    target = adopting(odoo)
    one = company("1", **{field: "CZ12345679"})
    assert found(target, one).linked is False
    assert target_id(written(target, one)["1"]) == existing
    assert odoo.external_id(existing) == "flexi_demo.adresar_1"
    assert odoo.read(existing, "name")["name"] == "Alfa"
    assert found(target, one).linked is True
    assert odoo.world.calls[f"{XML_ID}.create"] == 1


def test_the_first_field_that_finds_any_decides(odoo: Odoo) -> None:
    by_registry = odoo.create(name="A", company_registry="12345679")
    odoo.create(name="B", ref="ALFA")
    odoo.create(name="C", ref="ALFA")
    one = company("1", company_registry="12345679", ref="ALFA")
    assert target_id(written(adopting(odoo), one)["1"]) == by_registry


def test_several_matches_are_told_with_their_ids_and_nothing_is_linked(odoo: Odoo) -> None:
    ids = [odoo.create(name=f"Dvojče {i}", company_registry="12345679") for i in range(2)]
    target = adopting(odoo)
    error = target.current([company("1", company_registry="12345679")])["1"]
    assert isinstance(error, RecordError)
    assert (error.code, error.field) == ("ambiguous_match", "company_registry")
    assert f"(ids {ids[0]}, {ids[1]})" in error.message
    assert "flexi_demo.adresar_1" in error.message
    for i in range(7):
        odoo.create(name=f"Dvojče {i}", company_registry="12345679")
    error = target.current([company("1", company_registry="12345679")])["1"]
    assert isinstance(error, RecordError)
    assert error.message.startswith("9 records of res.partner have company_registry '12345679'")
    assert "…" in error.message


def test_contacts_below_a_company_do_not_make_it_ambiguous(odoo: Odoo) -> None:
    parent = odoo.create(name="Alfa", is_company=True, company_registry="12345679", vat=GOOD_VAT)
    child = odoo.create(name="Jan Novák", parent_id=parent)
    assert odoo.read(child, "vat")["vat"] == GOOD_VAT, "Odoo copies the company's numbers"
    one = company("1", company_registry="12345679", vat=GOOD_VAT)
    assert target_id(written(adopting(odoo), one)["1"]) == parent


def test_an_active_match_goes_before_archived_ones_and_an_archived_one_before_a_double(odoo: Odoo) -> None:
    archived = [odoo.create(name=f"Starý {i}", ref="R1", active=False) for i in range(2)]
    active = odoo.create(name="Nový", ref="R1")
    assert target_id(written(adopting(odoo), company("1", ref="R1"))["1"]) == active
    lonely = odoo.create(name="Spící", ref="R2", active=False)
    assert target_id(written(adopting(odoo), company("2", ref="R2"))["2"]) == lonely
    assert all(odoo.external_id(one) == "" for one in archived)


def test_a_partner_that_another_record_of_ours_has_is_not_adopted(odoo: Odoo) -> None:
    target = adopting(odoo)
    first = target_id(written(target, company("1", ref="R1"))["1"])
    second = target_id(written(target, company("2", ref="R1"))["2"])
    assert first != second
    assert odoo.external_id(first) == "flexi_demo.adresar_1"


def test_a_partner_that_another_system_has_linked_may_be_adopted(odoo: Odoo) -> None:
    existing = odoo.create(name="Alfa", ref="R1")
    link = {"module": "shop", "name": "customer_9", "model": PARTNER, "res_id": existing}
    odoo.world.call(XML_ID, "create", [link])
    assert target_id(written(adopting(odoo), company("1", ref="R1"))["1"]) == existing


def test_empty_numbers_match_nobody(odoo: Odoo) -> None:
    odoo.create(name="Bez čísla")
    assert adopting(odoo).current([company("1")]) == {}


def test_without_match_on_nobody_is_adopted(odoo: Odoo) -> None:
    existing = odoo.create(name="Alfa", ref="R1")
    target = odoo.target("name", "ref")
    assert target_id(written(target, record("1", name="Alfa", ref="R1"))["1"]) != existing


def test_many_adoptions_are_one_request_to_link(odoo: Odoo) -> None:
    existing = [odoo.create(name=f"F{i}", ref=f"R{i}") for i in range(50)]
    outcomes = written(adopting(odoo), *(company(str(i), ref=f"R{i}") for i in range(50)))
    assert [target_id(outcomes[str(i)]) for i in range(50)] == existing
    assert odoo.world.calls[f"{XML_ID}.create"] == 1


@pytest.mark.parametrize("name", list(DIALECTS))
def test_a_contact_creator_may_sync_but_not_link(board: Switchboard, name: str) -> None:
    """Such a user may `load` with external ids, but neither read nor create them."""
    odoo = open_odoo(board, name, role="contact_manager")
    target = odoo.target()
    partner = target_id(written(target, record("1", name="Alfa"))["1"])
    assert target_id(written(target, record("1", name="Beta"))["1"]) == partner
    assert target_id(written(target, record("1", str(partner), name="Gama"))["1"]) == partner
    with pytest.raises(ConfigurationError, match=r"match_on.*user sync must read external ids.*Access Rights") as no:
        adopting(odoo).current([company("2", ref="R1")])
    assert "remove match_on" in str(no.value)
    assert PASSWORD not in str(no.value)


def test_a_user_who_may_see_links_but_not_make_them_is_told_so(odoo: Odoo) -> None:
    odoo.create(name="Alfa", ref="R1")
    odoo.switch(deny={XML_ID: ["create"]})
    with pytest.raises(ConfigurationError, match=r"must create external ids \(ir\.model\.data\)"):
        written(adopting(odoo), company("1", ref="R1"))


# Deleting


def three(odoo: Odoo, **settings: Any) -> tuple[OdooTarget, list[TargetRecord]]:
    target = odoo.target(**settings)
    outcomes = written(target, *(record(key, name=f"Firma {key}") for key in "123"))
    return target, [record(key, outcomes[key].target_id) for key in "123"]


def test_deleting_archives_and_a_second_time_writes_nothing(odoo: Odoo) -> None:
    target, records = three(odoo)
    outcomes = target.delete(records)
    assert {key: outcome.error for key, outcome in outcomes.items()} == dict.fromkeys("123")
    assert [outcomes[one.key].target_id for one in records] == [one.target_id for one in records]
    assert not any(odoo.read(one.target_id, "active")["active"] for one in records)
    assert odoo.world.calls[f"{PARTNER}.write"] == 1
    assert target.delete(records) == {key: Outcome(outcome.target_id) for key, outcome in outcomes.items()}
    assert odoo.world.calls[f"{PARTNER}.write"] == 1


def test_unlinking_removes_the_records_and_their_external_ids(odoo: Odoo) -> None:
    target, records = three(odoo, deletion="unlink")
    outcomes = target.delete(records)
    assert {outcome.target_id for outcome in outcomes.values()} == {None}
    assert odoo.partners(["name", "like", "Firma"]) == []
    assert target.current([record("1", name="Firma 1")]) == {}
    assert odoo.world.calls[f"{PARTNER}.unlink"] == 1


@pytest.mark.parametrize("deletion", ["archive", "unlink"])
def test_what_is_gone_or_never_was_is_deleted_already(odoo: Odoo, deletion: str) -> None:
    target, records = three(odoo, deletion=deletion)
    odoo.world.call(PARTNER, "unlink", [int(records[0].target_id or 0)])
    outcomes = target.delete([*records, record("999")])
    assert not the_errors(outcomes)
    assert set(outcomes) == {"1", "2", "3", "999"}
    assert outcomes["1"].target_id is None
    assert outcomes["999"].target_id is None


@pytest.mark.parametrize("deletion", ["archive", "unlink"])
def test_what_has_the_number_of_a_record_in_a_restored_odoo_is_not_deleted_for_it(odoo: Odoo, deletion: str) -> None:
    target, records = three(odoo, deletion=deletion)
    stranger, own = target_id(written(target, record("8", name="Stranger"))["8"]), records[0].target_id
    moved = record("1", str(stranger))  # what we remember of it, from before the backup
    never = record("9", str(stranger))
    outcomes = target.delete([moved, never])
    assert not the_errors(outcomes)
    assert outcomes["9"].target_id is None
    assert odoo.read(stranger, "active") == {"id": stranger, "active": True}
    assert odoo.partners(["id", "=", own], ["active", "=", True]) == []


@pytest.mark.parametrize("name", list(DIALECTS))
def test_a_user_who_may_not_see_external_ids_deletes_by_number(board: Switchboard, name: str) -> None:
    odoo = open_odoo(board, name, role="contact_manager")
    target, records = three(odoo)
    assert not the_errors(target.delete(records))
    assert not any(odoo.read(one.target_id, "active")["active"] for one in records)


@pytest.mark.parametrize("deletion", ["archive", "unlink"])
def test_a_record_that_vanishes_under_our_hands_is_deleted_too(board: Switchboard, odoo: Odoo, deletion: str) -> None:
    target, records = three(odoo, deletion=deletion)
    gone = int(records[1].target_id or 0)
    assert board.app is not None
    board.app = BeforeCall(board.app, deletion, lambda: odoo.world.call(PARTNER, "unlink", [gone]))
    outcomes = target.delete(records)
    assert not the_errors(outcomes)
    assert odoo.partners(["name", "like", "Firma"], ["active", "=", True]) == []


@pytest.mark.parametrize("deletion", ["archive", "unlink"])
@pytest.mark.parametrize("readable", [True, False], ids=["to be read", "hidden"])
def test_a_record_that_a_rule_protects_fails_and_the_others_go(odoo: Odoo, deletion: str, readable: bool) -> None:
    target, records = three(odoo, deletion=deletion)
    protected = int(records[1].target_id or 0)
    operations = ["write" if deletion == "archive" else "unlink", *([] if readable else ["read"])]
    odoo.switch(hidden={PARTNER: {operation: [protected] for operation in operations}})
    outcomes = target.delete(records)
    assert {key: error.code for key, error in the_errors(outcomes).items()} == {"2": "forbidden"}
    assert "access to" in str(the_errors(outcomes)["2"].message)
    assert (outcomes["2"].target_id, outcomes["2"].transient) == (str(protected), False)
    odoo.switch(hidden={})
    assert odoo.partners(["name", "like", "Firma"], ["active", "=", True]) == [protected]


@pytest.mark.parametrize(("deletion", "right"), [("archive", "write"), ("unlink", "unlink")])
def test_a_user_who_may_delete_nothing_is_told_so(odoo: Odoo, deletion: str, right: str) -> None:
    target, records = three(odoo, deletion=deletion)
    odoo.switch(deny={PARTNER: [right]})
    with pytest.raises(ConfigurationError, match=rf"may not {right} res\.partner"):
        target.delete(records)


def test_a_record_that_a_rule_protects_is_not_written_and_the_others_are(odoo: Odoo) -> None:
    target, records = three(odoo)
    odoo.switch(hidden={PARTNER: {"write": [int(records[1].target_id or 0)]}})
    outcomes = written(target, *(record(r.key, r.target_id, name=f"New {r.key}") for r in records))
    assert {key: error.code for key, error in the_errors(outcomes).items()} == {"2": "refused"}
    assert len(odoo.partners(["name", "like", "New"])) == 2


class BeforeCall:
    """Does something right before the first call that archives or unlinks."""

    def __init__(self, app: ASGIApp, deletion: str, action: Callable[[], object]) -> None:
        self.app = app
        self.method = "write" if deletion == "archive" else "unlink"
        self.actions = [action]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        named = scope["path"].rpartition("/")[2] == self.method
        if self.actions and (named or self._calls(message)):
            self.actions.pop()()

        async def replay() -> Message:
            return message

        await self.app(scope, replay, send)

    def _calls(self, message: Message) -> bool:
        args: Sequence[Any] = json.loads(message.get("body") or b"{}").get("params", {}).get("args", ())
        return len(args) > 4 and args[4] == self.method


@pytest.mark.parametrize("deletion", ["archive", "unlink"])
@pytest.mark.parametrize(
    "body", ['{"unexpected": true}', '{"jsonrpc": "2.0", "id": 1, "result": {"unexpected": true}}']
)
def test_only_a_confirmed_delete_is_one(odoo: Odoo, deletion: str, body: str) -> None:
    target, records = three(odoo, deletion=deletion)
    reads = 2
    odoo.fault("status", status=200, body=body, headers={"content-type": "application/json"}, skip=reads, times=1)
    with pytest.raises(UnavailableError, match=r"Odoo answered res\.partner"):
        target.delete(records)
    assert len(odoo.partners(["name", "like", "Firma"], ["active", "=", True])) == len(records)
    assert not the_errors(target.delete(records))
    assert odoo.partners(["name", "like", "Firma"], ["active", "=", True]) == []


def test_a_link_that_is_not_confirmed_makes_no_double(odoo: Odoo) -> None:
    there = odoo.create(name="Alfa", ref="R1")
    target = odoo.target("name", "ref", match_on=["ref"])
    wanted = record("7", name="Beta", ref="R1")
    current = found(target, wanted)
    odoo.fault("status", status=200, body='{"unexpected": true}', headers={"content-type": "application/json"}, times=1)
    with pytest.raises(UnavailableError):
        target.upsert([wanted], {"7": current})
    assert target_id(written(target, wanted)["7"]) == there
    assert odoo.partners(["ref", "=", "R1"]) == [there]


def test_one_record_that_may_not_be_deleted_stands_alone(odoo: Odoo) -> None:
    target, records = three(odoo, deletion="unlink")
    user = odoo.world.add_user("novak", password="x", role="internal")
    odoo.link(user.partner_id, "adresar_4")
    outcomes = target.delete([*records, record("4", str(user.partner_id))])
    errors = the_errors(outcomes)
    assert set(errors) == {"4"}
    assert "linked to an active user" in errors["4"].message
    assert outcomes["4"].target_id == str(user.partner_id)
    assert odoo.partners(["name", "like", "Firma"]) == []


def test_a_model_without_an_active_field_is_unlinked(odoo: Odoo) -> None:
    made = odoo.world.call(
        "res.country.state", "create", [{"name": "X", "code": "X", "country_id": odoo.country("CZ")}]
    )
    state = made[0] if isinstance(made, list) else made
    target = OdooTarget(odoo.client(), "res.country.state", ("name",), "flexi_demo")
    odoo.link(state, "adresar_1", model="res.country.state")
    assert target.delete([record("1", str(state))])["1"].target_id is None
    assert odoo.world.call("res.country.state", "read", [state]) == []
