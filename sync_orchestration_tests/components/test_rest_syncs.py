"""Companies of Odoo go to a CRM and contacts of the CRM to Odoo: the two syncs as they are shipped, end to end."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from sync_orchestration.pipeline.errors import ConfigurationError
from sync_orchestration.sandbox.faults import FaultRule
from sync_orchestration_tests.components.places import DefsFolder
from sync_orchestration_tests.components.rest_places import (
    COMPANIES,
    CONTACTS,
    IN,
    OUT,
    Exchange,
    NewExchange,
    defs_folder,
    exchange,
    new_exchange,
    sent,
    shipped,
)

__all__ = ["defs_folder", "exchange", "new_exchange", "sent", "shipped"]


@pytest.fixture(autouse=True)
def nobody_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests that are tried again are so at once."""
    monkeypatch.setattr("tenacity.nap.time", SimpleNamespace(sleep=lambda _seconds: None))


@pytest.fixture
def received(exchange: Exchange) -> Exchange:
    """The made-up CRM after its contacts were read once."""
    assert exchange.sync(IN).problem is None
    exchange.asked()
    return exchange


# Outbound


@pytest.mark.parametrize("odoo", [18, 19])
def test_the_first_run_sends_every_company_once_and_the_second_sends_nothing(
    new_exchange: NewExchange, odoo: int
) -> None:
    place = new_exchange(odoo)
    report = place.sync()
    assert report.problem is None
    assert dict(report.counts) == {"landed": 21, "processed": COMPANIES, "skipped": 1, "failed": 0, "unchanged": 0}
    assert sorted(place.partners(), key=int) == [str(number) for number in place.companies]
    assert place.written() == ["POST /partners"] * COMPANIES
    assert {row.target_id for row in place.rows().values() if row.status == "processed"} == {
        str(partner["id"]) for partner in place.crm.live("partners")
    }
    for number in place.companies[:3]:
        (company,) = place.odoo.call("res.partner", "read", [number], ["name", "email", "city", "company_registry"])
        assert company.items() - {("id", number), ("company_registry", company["company_registry"])} <= (
            place.partners()[str(number)].items()
        )
        assert place.partners()[str(number)]["registration_number"] == company["company_registry"]

    again = place.sync()
    assert again.problem is None
    assert again.counts["processed"] == again.counts["unchanged"] == 0
    assert place.asked() == [], "the CRM is not asked for anything"


def test_relations_and_lists_are_sent_as_their_names(exchange: Exchange) -> None:
    tags = exchange.odoo.call("res.partner.category", "create", [{"name": "Nicest"}, {"name": "Loudest"}])
    exchange.write(exchange.companies[0], category_id=[[6, 0, tags]])
    exchange.sync()
    partner = exchange.partners()[str(exchange.companies[0])]
    assert partner["tags"] == "Nicest, Loudest"
    assert len(partner["country"]) == 2


def test_a_changed_partner_is_one_request_and_a_new_one_another(sent: Exchange) -> None:
    changed = sent.companies[0]
    sent.write(changed, city="Žďár nad Sázavou", email=False)
    new = sent.add_company("Nová firma s.r.o.")
    assert sent.sync().counts["processed"] == 2
    partners = sent.partners()
    assert sent.written() == ["POST /partners", f"PUT /partners/{partners[str(changed)]['id']}"]
    assert partners[str(changed)]["city"] == "Žďár nad Sázavou"
    assert not partners[str(changed)]["email"]
    assert partners[str(new)]["name"] == "Nová firma s.r.o."


def test_a_change_of_a_field_that_is_not_mapped_sends_nothing(sent: Exchange) -> None:
    sent.write(sent.companies[0], comment="<p>Ask for Jana.</p>")
    assert sent.sync().problem is None
    assert sent.asked() == []


def test_one_that_is_archived_deleted_or_leaves_the_domain_is_deleted_there(sent: Exchange) -> None:
    archived, deleted, left, stays = sent.companies[:4]
    ids = {number: sent.partners()[str(number)]["id"] for number in (archived, deleted, left)}
    sent.write(archived, active=False)
    sent.odoo.call("res.partner", "unlink", [deleted])
    sent.write(left, is_company=False)
    report = sent.sync()
    assert report.problem is None
    assert sent.written() == sorted(f"DELETE /partners/{number}" for number in ids.values())
    assert not {str(number) for number in ids} & sent.partners().keys()
    assert str(stays) in sent.partners()
    assert sent.sync().problem is None
    assert sent.asked() == [], "they are deleted once"
    sent.write(archived, active=True)
    sent.sync()
    assert sent.written() == ["POST /partners"]
    assert str(archived) in sent.partners()


def test_a_flood_of_deletes_is_held_until_a_person_confirms_it(exchange: Exchange) -> None:
    exchange.changed(OUT, lambda s: s.update(guard={"share": 0.1, "least": 3}))
    exchange.sync()
    exchange.asked()
    gone = exchange.companies[:6]
    for number in gone:
        exchange.write(number, active=False)
    assert exchange.sync().problem is None
    assert exchange.written() == []
    assert {key: row.code for key, row in exchange.failing().items()} == {str(n): "delete_held" for n in gone}
    exchange.retry()
    assert exchange.written() == [], "a retry alone is no confirmation"
    exchange.retry(confirm_deletes=True)
    assert len(exchange.written()) == len(gone)
    assert len(exchange.partners()) == COMPANIES - len(gone)


def test_a_partner_deleted_in_the_crm_by_hand_is_made_again_when_it_changes_next(sent: Exchange) -> None:
    number = sent.companies[0]
    old = sent.partners()[str(number)]["id"]
    sent.crm.remove("partners", old)
    sent.sync()
    assert str(number) not in sent.partners(), "until then nobody knows"
    sent.write(number, city="Aš")
    assert sent.sync().counts["processed"] == 1
    new = sent.partners()[str(number)]
    assert (new["city"], new["id"] != old) == ("Aš", True)
    assert sent.rows()[str(number)].target_id == str(new["id"])
    assert sent.written() == ["POST /partners", f"PUT /partners/{old}"]


def test_one_that_does_not_meet_the_condition_is_skipped_with_the_reason(sent: Exchange) -> None:
    (skipped,) = [row for row in sent.rows().values() if row.status == "skipped"]
    assert skipped.message == "does not meet the condition: country_id is not empty"
    assert ("skipped", None, skipped.message) in [attempt[1:] for attempt in sent.attempts()]


def test_rules_show_all_that_is_wrong_with_a_record_and_nothing_of_it_is_sent(sent: Exchange) -> None:
    sent.changed(OUT, lambda s: s["rules"].append({"field": "city", "rule": "required"}))
    number = sent.companies[0]
    sent.write(number, email="nobody at nowhere", city=False)
    assert sent.sync().counts["failed"] == 1
    row = sent.failing()[str(number)]
    assert (row.field, row.attempts) == ("email, city", 1)
    assert "nobody at nowhere" in str(row.message)
    assert "city" in str(row.message)
    assert sent.written() == []


@pytest.mark.parametrize(("errors", "status"), [("list", 422), ("fields", 422), ("problem", 400), ("text", 422)])
def test_a_refusal_is_the_records_error_at_once_and_passes_after_it_was_mended(
    exchange: Exchange, errors: str, status: int
) -> None:
    exchange.switch(errors=errors, invalid_status=status)
    exchange.changed(OUT, lambda s: s.update(rules=[]))
    number = exchange.companies[0]
    exchange.write(number, email="office@@example")
    report = exchange.sync()
    assert report.problem is None
    assert (report.counts["processed"], report.counts["failed"]) == (COMPANIES - 1, 1)
    assert len(exchange.written()) == COMPANIES, "it was tried once"
    row = exchange.failing()[str(number)]
    assert (row.code, row.attempts) == ("refused", 1)
    assert "is not a valid e-mail address" in str(row.message)
    (attempt,) = [a for a in exchange.attempts() if a[0] == str(number)]
    assert attempt == (str(number), "error", status, row.message)
    exchange.retry()
    assert exchange.failing()[str(number)].attempts == 2

    exchange.write(number, email="office@example.com")
    exchange.retry()
    assert exchange.failing() == {}
    assert exchange.partners()[str(number)]["email"] == "office@example.com"
    assert exchange.sync().counts["processed"] == 0


def test_a_conflict_is_told_in_the_words_of_the_crm(exchange: Exchange) -> None:
    first, second = exchange.companies[:2]
    for number in (first, second):
        exchange.write(number, vat=False, country_id=exchange.odoo.db.tables["res.country"].find("code", ["AD"])[0])
        exchange.write(number, vat="F-123456-Z")
    exchange.sync()
    ((key, row),) = exchange.failing().items()
    assert key in (str(first), str(second))
    assert (row.code, row.field) == ("conflict", "vat")
    assert "is already used. Existing ID: " in str(row.message)


def test_a_partial_update_has_only_the_fields_that_changed(exchange: Exchange) -> None:
    exchange.changed(OUT, lambda s: s["target"].update(update={"method": "PATCH", "path": "/partners/{id}"}))
    exchange.sync()
    exchange.asked()
    number = exchange.companies[0]
    exchange.crm.change("partners", exchange.partners()[str(number)]["id"], note="Written in the CRM")
    exchange.write(number, city="Aš")
    exchange.sync()
    (asked,) = exchange.asked()
    assert (asked.method, asked.body) == ("PATCH", {"city": "Aš"})
    assert exchange.partners()[str(number)]["note"] == "Written in the CRM"


@pytest.mark.parametrize("atomic", [False, True])
def test_one_poisoned_record_of_a_batch_fails_alone(exchange: Exchange, atomic: bool) -> None:
    exchange.switch(batch_atomic=atomic, batch_shuffled=True)
    batch = {"size": 7, "path": "/partners/batch", "results": "data", "index": "index", "result_status": "status"}
    exchange.changed(OUT, lambda s: (s["target"].update(batch=batch), s.update(rules=[])))
    number = exchange.companies[3]
    exchange.write(number, email="poison")
    report = exchange.sync()
    assert (report.counts["processed"], report.counts["failed"]) == (COMPANIES - 1, 1)
    row = exchange.failing()[str(number)]
    assert row.attempts == 1
    assert ("email" in str(row.message)) is not atomic or "refused" in str(row.message)
    assert exchange.crm.created_twice() == []
    assert len(exchange.partners()) == COMPANIES - 1
    assert {asked.path for asked in exchange.asked()} == {"/partners/batch"}
    exchange.write(number, email="cured@example.com")
    exchange.retry()
    assert exchange.failing() == {}
    assert len(exchange.partners()) == COMPANIES


def test_a_batch_that_the_crm_finds_too_large_is_sent_in_smaller_ones(exchange: Exchange) -> None:
    exchange.switch(batch_limit=6)
    exchange.changed(OUT, lambda s: s["target"].update(batch={"path": "/partners/batch", "results": "data"}))
    assert exchange.sync().counts["processed"] == COMPANIES
    assert len(exchange.partners()) == COMPANIES


def test_a_sensitive_field_that_was_mapped_by_mistake_is_neither_stored_nor_sent(new_exchange: NewExchange) -> None:
    place = new_exchange(19, custom_fields={"x_api_key": "char", "x_note": "char"})
    for number in place.companies:
        place.write(number, x_api_key="leak-7d1", x_note=f"note {number}")
    mistakes = {"note": "x_note", "website": "x_api_key", "api_key": "x_note", "deep.password": "x_note"}
    place.changed(OUT, lambda s: s["mapping"].update(mistakes))
    assert place.sync().problem is None
    bodies = [asked.body for asked in place.asked()]
    assert len(bodies) == COMPANIES
    assert {body["note"] for body in bodies} == {f"note {number}" for number in place.companies}
    assert not any(body["website"] or "api_key" in body or "password" in str(body) for body in bodies)
    assert "leak-7d1" not in str(bodies) + place.everything_readable()


def test_more_names_can_be_declared_sensitive(exchange: Exchange) -> None:
    exchange.changed(OUT, lambda s: s.update(sensitive=["phone"]))
    for number in exchange.companies:
        exchange.write(number, phone="ask for Xaverius")
    exchange.sync()
    assert len(exchange.partners()) == COMPANIES
    assert "Xaverius" not in str([asked.body for asked in exchange.asked()]) + exchange.everything_readable()


def test_chosen_records_are_sent_again_although_nothing_changed(sent: Exchange) -> None:
    chosen = str(sent.companies[0])
    sent.crm.change("partners", sent.partners()[chosen]["id"], name="Edited by hand")
    assert sent.job("sync_records", "chosen_records", sync=OUT, keys=[chosen]).success
    assert sent.counts() == {"processed": COMPANIES, "skipped": 1}


def test_with_verify_what_was_edited_in_the_crm_is_healed(exchange: Exchange) -> None:
    exchange.changed(OUT, lambda s: s["target"].update(verify=True))
    exchange.sync()
    chosen = str(exchange.companies[0])
    name = exchange.partners()[chosen]["name"]
    exchange.crm.change("partners", exchange.partners()[chosen]["id"], name="Edited by hand")
    exchange.asked()
    exchange.job("sync_records", "chosen_records", sync=OUT, keys=[chosen, str(exchange.companies[1])])
    assert exchange.partners()[chosen]["name"] == name
    assert [asked.method for asked in exchange.asked() if asked.method != "GET"] == ["PUT"]


def test_a_changed_mapping_is_sent_for_every_record_that_it_changes(sent: Exchange) -> None:
    sent.changed(OUT, lambda s: s["mapping"].update(note={"constant": "from Odoo"}))
    assert isinstance(sent.tick(), object)
    assert sent.sync().counts["processed"] == COMPANIES
    assert {partner["note"] for partner in sent.partners().values()} == {"from Odoo"}
    assert sent.crm.created_twice() == []


def test_source_and_target_are_compared_without_a_write(sent: Exchange) -> None:
    result = sent.project.definitions.resolve_job_def(f"{OUT}_comparison").execute_in_process(instance=sent.instance)
    (check,) = [e for e in result.get_asset_check_evaluations() if e.check_name == "source_matches_target"]
    assert check.passed, check.metadata
    assert sent.written() == []


# Inbound


@pytest.mark.parametrize("odoo", [18, 19])
def test_the_first_run_reads_every_contact_and_only_the_bad_ones_fail(new_exchange: NewExchange, odoo: int) -> None:
    place = new_exchange(odoo)
    report = place.sync(IN)
    assert report.problem is None
    planted = {kind: [str(number) for number in numbers] for kind, numbers in place.crm.planted.items()}
    blamed = {key: row.field for key, row in place.failing(IN).items()}
    assert blamed == {
        **dict.fromkeys(planted["bad_email"], "email"),
        **dict.fromkeys(planted["no_name"], "name"),
        **dict.fromkeys(planted["unknown_country"], "country_id"),
    }
    people = place.people()
    assert people.keys() == {
        f"{number}" for number in range(1, CONTACTS + 1) if str(number) not in {*blamed, *planted["deleted"]}
    }
    assert all(person["active"] and not person["is_company"] for person in people.values())
    spaced = place.crm.record("contacts", int(planted["spaces"][0]))
    assert spaced is not None
    assert people[planted["spaces"][0]]["name"] == " ".join(spaced["name"].split())

    before = place.odoo.written["res.partner"], place.odoo.created["res.partner"]
    place.asked()
    again = place.sync(IN)
    assert again.counts["processed"] == 0
    assert (place.odoo.written["res.partner"], place.odoo.created["res.partner"]) == before


def test_later_only_what_changed_is_asked_for(received: Exchange) -> None:
    received.crm.put("contacts", {"name": "Ema Nová", "country": "CZ"})
    received.crm.change("contacts", 1, city="Aš")
    since = received.crm.clock() - timedelta(days=1)
    received.changed(IN, lambda s: s["source"].update(inventory="0 0 1 1 *"))
    request = received.tick(IN)
    assert not isinstance(request, str), request
    assert all(asked.params["updated_since"][0] > since.isoformat() for asked in received.asked())
    assert received.sync(IN).counts["processed"] == 2
    assert received.people()["1"]["city"] == "Aš"
    assert received.people()[str(CONTACTS + 1)]["name"] == "Ema Nová"
    assert received.tick(IN) == "nothing new"


def test_a_tombstone_archives_the_partner_and_a_vanished_contact_is_found_by_the_inventory(received: Exchange) -> None:
    first, second = [int(key) for key in received.people()][:2]
    received.crm.remove("contacts", first)
    received.sync(IN)
    assert [received.people()[str(key)]["active"] for key in (first, second)] == [False, True]
    received.switch(deletes="vanish")
    received.crm.remove("contacts", second)
    received.sync(IN)
    assert not received.people()[str(second)]["active"]
    assert sum(not person["active"] for person in received.people().values()) == 2


def test_without_a_time_of_change_what_changed_is_found_by_comparing(exchange: Exchange) -> None:
    exchange.changed(IN, lambda s: s["source"].update(changed=None))
    assert exchange.sync(IN).problem is None
    counts = exchange.counts(IN)
    exchange.crm.change("contacts", 1, city="Aš")
    exchange.asked()
    report = exchange.sync(IN)
    assert report.counts["processed"] == 1
    assert exchange.people()["1"]["city"] == "Aš"
    assert not any("updated_since" in asked.params for asked in exchange.asked())
    exchange.crm.remove("contacts", 1)
    exchange.sync(IN)
    assert not exchange.people()["1"]["active"]
    assert exchange.counts(IN) == counts
    assert exchange.sync(IN).counts["processed"] == 0


PAGING: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "page": ({"kind": "page", "param": "page", "size_param": "per_page"}, {}),
    "page, total": ({"kind": "page", "size_param": "per_page", "total": "meta.total"}, {}),
    "page, pages, from above": (
        {"kind": "page", "size_param": "per_page", "total_pages": "meta.total_pages"},
        {"order": "newest_first", "beyond_end": "not_found"},
    ),
    "page, overlapping": ({"kind": "page", "size_param": "per_page"}, {"duplicates": True}),
    "offset": ({"kind": "offset", "size_param": "limit"}, {"last_empty": True}),
    "cursor": (
        {"kind": "cursor", "param": "cursor", "size_param": "limit", "field": "meta.next_cursor"},
        {"order": "updated_at"},
    ),
    "link": ({"kind": "link", "size_param": "per_page"}, {"link_style": "tricky"}),
    "next_url": ({"kind": "next_url", "field": "next", "size_param": "limit"}, {"next_relative": True}),
    "none": ({"kind": "none"}, {}),
}


ENVELOPES = {"bare": None, "lists": "data", "data": "result.items"}
# A bare list has no room for totals and cursors.
LISTS = [
    (name, envelope)
    for name, (paging, _) in PAGING.items()
    for envelope in ENVELOPES
    if envelope != "bare" or not paging.keys() & {"total", "total_pages", "field"}
]


@pytest.mark.parametrize(("name", "envelope"), LISTS)
def test_a_list_is_read_to_its_end_however_it_is_paged_and_wrapped(
    exchange: Exchange, name: str, envelope: str
) -> None:
    records = ENVELOPES[envelope]
    paging, traps = PAGING[name]
    style = "page" if name.startswith("page") else name
    exchange.switch(paging=style, envelope=envelope, list_field=records or "data", **traps)

    def change(sync: dict[str, Any]) -> None:
        sync["source"].update(paging=paging, page=7, records=records)
        sync["source"].update(record="data" if envelope == "data" else None)

    exchange.changed(IN, change)
    plan = exchange.landed(IN)
    assert plan.keys() == {str(number) for number in range(1, CONTACTS + 1)} - {
        str(number) for number in exchange.crm.planted["deleted"]
    }
    assert len(exchange.asked()) > (0 if style == "none" else CONTACTS // 7)


def test_the_same_contact_twice_in_a_list_is_one_partner(exchange: Exchange) -> None:
    exchange.switch(duplicates=True)
    exchange.changed(IN, lambda s: s["source"].update(page=5))
    before = exchange.odoo.created["res.partner"]
    assert exchange.sync(IN).problem is None
    assert exchange.odoo.created["res.partner"] - before == len(exchange.people())
    assert len(exchange.people()) + len(exchange.failing(IN)) == CONTACTS - len(exchange.crm.planted["deleted"])


def test_a_list_that_ends_early_deletes_nothing(received: Exchange) -> None:
    received.changed(IN, lambda s: s["source"].update(page=10))
    assert received.sync(IN).problem is None
    received.switch(deletes="vanish")
    active = {key for key, person in received.people().items() if person["active"]}
    received.crm.faults.add(FaultRule(kind="status", path="^/contacts$", status=500, skip=2, times=None))
    report = received.sync(IN)
    assert report.problem is not None
    assert "status 500" in report.problem
    assert {key for key, person in received.people().items() if person["active"]} == active
    assert received.state(IN).status == "RETRY_WAITING"
    received.crm.faults.clear()
    assert received.sync(IN).problem is None
    assert {key for key, person in received.people().items() if person["active"]} == active


def test_a_bad_contact_passes_after_it_was_mended_in_the_crm(received: Exchange) -> None:
    (number, *_) = received.crm.planted["no_name"]
    received.crm.change("contacts", number, name="Jana Dvořáková")
    received.retry(IN)
    assert str(number) not in received.failing(IN)
    assert received.people()[str(number)]["name"] == "Jana Dvořáková"


def test_a_partner_is_found_again_in_both_directions_without_an_echo(received: Exchange) -> None:
    """A person from the CRM is no company, so the other sync does not send it back."""
    received.sync(OUT)
    received.asked()
    received.sync(IN)
    received.sync(OUT)
    assert received.written() == []
    assert len(received.partners()) == COMPANIES


# Mistakes in the YAML

MISTAKES = {
    "a transform that does not exist": (
        (OUT, "transform: [phone]", "transform: [fone]"),
        r"odoo_to_rest/defs\.yaml.*mapping: phone: unknown transform 'fone'; known are .*phone",
    ),
    "a kind of paging that does not exist": (
        (IN, "kind: page,", "kind: pages,"),
        r"paging\.kind at .*rest_to_odoo/defs\.yaml:\d+: .*'page', 'offset', 'cursor', 'link', 'next_url'",
    ),
    "a kind of log-in that does not exist": (
        ("connections", "auth: bearer  ", "auth: oauth2  "),
        r"auth at .*connections/defs\.yaml:\d+: .*'none', 'basic', 'bearer' or 'key'",
    ),
    "a secret in the file": (
        ("connections", "token: $REST_TOKEN", "token: hunter2"),
        r"token at .*connections/defs\.yaml:\d+: a secret belongs in the environment",
    ),
    "basic auth without a user": (
        ("connections", "auth: bearer  ", "auth: basic  "),
        r"connections\.rest.* at .*connections/defs\.yaml:\d+: auth basic needs user and password",
    ),
    "a search without the key": (
        (OUT, "find: /partners?external_ref={key}", "find: /partners?external_ref="),
        r"find at .*odoo_to_rest/defs\.yaml:\d+: String should match pattern",
    ),
    "hours that no clock shows": (
        (OUT, '# hours: "22:00-06:00"', 'hours: "25:00-06:00"'),
        r"triggers\.hours at .*odoo_to_rest/defs\.yaml:\d+: .*25:00",
    ),
    "a term of a domain with two parts": (
        (OUT, '["parent_id", "=", false]', '["parent_id", "="]'),
        r"source\..*domain at .*odoo_to_rest/defs\.yaml:\d+: \['parent_id', '='\] is no term of a domain",
    ),
    "a condition that says nothing": (
        (OUT, "when: country_id is not empty", "when: country_id is not nothing"),
        r"when at .*odoo_to_rest/defs\.yaml:\d+: column 19: expected empty, but there is nothing",
    ),
    "a rule that does not exist": (
        (OUT, "{field: email, rule: email}", "{field: email, rule: mail}"),
        r"rules.* at .*odoo_to_rest/defs\.yaml:\d+: .*'email'",
    ),
    "a path that is no path": (
        (OUT, "path: /partners\n", "path: partners\n"),
        r"target\..*path at .*odoo_to_rest/defs\.yaml:\d+: String should match pattern",
    ),
}


@pytest.mark.parametrize(("edit", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_the_yaml_is_refused_with_file_and_line(
    defs_folder: DefsFolder, edit: tuple[str, str, str], said: str
) -> None:
    (defs_folder.path / OUT / "defs.yaml").write_text(
        (defs_folder.path / OUT / "defs.yaml").read_text(encoding="utf-8").replace("[parent_id,", '["parent_id",'),
        encoding="utf-8",
    )
    defs_folder.replace(*edit)
    with pytest.raises(ConfigurationError, match=said) as refused:
        defs_folder.load()
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("odoo", [18, 19])
def test_a_field_that_odoo_does_not_have_is_found_by_check_with_the_name_of_the_sync(
    new_exchange: NewExchange, odoo: int
) -> None:
    place = new_exchange(odoo)
    assert all(health.ok for health in place.check().values())
    place.changed(OUT, lambda s: s["mapping"].update(city="citty"))
    found = place.check()["odoo"]
    assert not found.ok
    assert found.detail.startswith(f"{OUT}: This Odoo has no field 'citty' on res.partner; is city meant?")
    place.changed(OUT, lambda s: s["mapping"].update(city="city"))
    place.changed(IN, lambda s: s["mapping"].update(citty="city"))
    found = place.check()["odoo"]
    assert found.ok, "a mapping may serve several versions of Odoo"
    assert f"{IN}: this Odoo has no citty on res.partner, left out of the sync" in found.detail
