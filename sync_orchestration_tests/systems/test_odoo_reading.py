"""What is read of an Odoo record, and how its JSON looks: paths through relations, empty values, times."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync_orchestration.mapping.compile import compile_mapping
from sync_orchestration.pipeline.errors import ConfigurationError, UnavailableError
from sync_orchestration_tests.systems.conftest import Script, Switchboard, as_json
from sync_orchestration_tests.systems.odoo_days import PARTNER, PASSWORD, Days, days

__all__ = ["days"]

TAG = "res.partner.category"
COUNTRY = "res.country"


def payload(days: Days, key: str, *paths: str) -> dict[str, Any]:
    return days.source(*paths, archived=True).fetch([key])[key].payload


def tag(days: Days, name: str, **values: Any) -> int:
    (made,) = days.odoo.world.call(TAG, "create", [{"name": name, **values}])
    return int(made)


# Values


def test_false_is_empty_for_every_type_but_a_truth_value(days: Days) -> None:
    key = days.create()
    paths = [
        "email",
        "country_id",
        "parent_id.name",
        "category_id",
        "category_id.name",
        "child_ids",
        "comment",
        "website",
    ]
    assert payload(days, key, "name", *paths, "is_company") == {
        "id": int(key),
        "name": "A",
        "email": None,
        "country_id": None,
        "parent_id": None,
        "category_id": [],
        "child_ids": [],
        "comment": None,
        "website": None,
        "is_company": False,
    }


def test_zero_is_a_number_and_not_empty(days: Days) -> None:
    made = tag(days, "Gold", color=0)
    assert days.source("color", model=TAG, domain=[]).fetch([str(made)])[str(made)].payload == {"id": made, "color": 0}


def test_times_are_iso_8601_in_utc(days: Days) -> None:
    key = days.create()
    assert payload(days, key, "create_date")["create_date"] == "2026-11-23T04:46:23Z"


# Relations


def test_a_path_leads_through_relations_of_every_kind(days: Days) -> None:
    """To one, to many, to the children, and on from there."""
    gold, silver = tag(days, "Gold"), tag(days, "Silver")
    company = days.create("Agrofert", country_id=days.odoo.country("CZ"))
    key = days.create("Branch", parent_id=int(company), category_id=[[6, 0, [gold, silver]]])
    contacts = [days.create(name, parent_id=int(key)) for name in ("Ada", "Bob")]
    found = payload(days, key, "parent_id.country_id.code", "category_id.name", "child_ids.name")
    assert found["parent_id"] == {
        "id": int(company),
        "display_name": "Agrofert",
        "country_id": {"id": days.odoo.country("CZ"), "display_name": found_name(days, "CZ"), "code": "CZ"},
    }
    assert [(one["id"], one["name"]) for one in found["category_id"]] == [(gold, "Gold"), (silver, "Silver")]
    assert [(str(one["id"]), one["name"]) for one in found["child_ids"]] == list(
        zip(contacts, ["Ada", "Bob"], strict=True)
    )


def found_name(days: Days, code: str) -> str:
    return str(days.odoo.world.call(COUNTRY, "read", [days.odoo.country(code)], ["name"])[0]["name"])


def test_a_mapping_reads_what_its_paths_lead_to(days: Days) -> None:
    gold, silver = tag(days, "Gold"), tag(days, "Silver")
    key = days.create("A", country_id=days.odoo.country("CZ"), category_id=[[6, 0, [silver, gold]]])
    mapping = compile_mapping(
        {
            "name": "name",
            "country": "country_id.code",
            "first_tag": "category_id.0.name",
            "no_such_tag": "category_id.7.name",
            "country_name": "country_id.display_name",
        },
        [],
    )
    mapped = mapping.apply(payload(days, key, *mapping.paths))
    assert mapped.errors == ()
    first = days.odoo.read(key, "category_id")["category_id"][0]
    assert dict(mapped.values) == {
        "name": "A",
        "country": "CZ",
        "first_tag": {gold: "Gold", silver: "Silver"}[first],
        "no_such_tag": "",
        "country_name": found_name(days, "CZ"),
    }


def test_a_relation_without_a_path_is_its_id_and_name_and_many_are_their_ids(days: Days) -> None:
    gold = tag(days, "Gold")
    key = days.create(country_id=days.odoo.country("CZ"), category_id=[[6, 0, [gold]]])
    before = days.calls("search_read", COUNTRY)
    found = payload(days, key, "country_id", "category_id")
    assert found["country_id"] == {"id": days.odoo.country("CZ"), "display_name": found_name(days, "CZ")}
    assert found["category_id"] == [gold]
    assert days.calls("search_read", COUNTRY) == before, "for that nothing more is asked"


def test_each_related_record_is_read_once_however_many_pages_refer_to_it(days: Days) -> None:
    for n in range(12):
        days.create(f"n{n}", country_id=days.odoo.country(["CZ", "SK", "UA"][n % 3]))
    source = days.source("name", "country_id.code", page=3)
    codes = [record.payload["country_id"]["code"] for page in source.snapshot(None) for record in page]
    assert codes == ["CZ", "SK", "UA"] * 4
    assert days.calls("search_read", COUNTRY) == 1
    list(source.changes(0))
    assert days.calls("search_read", COUNTRY) == 1


def test_two_paths_through_one_relation_cost_one_request(days: Days) -> None:
    days.create(country_id=days.odoo.country("CZ"))
    source = days.source("country_id.code", "country_id.name", "country_id")
    ((record,),) = source.snapshot(None)
    assert record.payload["country_id"]["code"] == "CZ"
    assert record.payload["country_id"]["name"] == found_name(days, "CZ")
    assert days.calls("search_read", COUNTRY) == 1


def test_an_archived_related_record_is_still_what_the_record_refers_to(days: Days) -> None:
    gold = tag(days, "Gold")
    company = days.create("Old company", active=False)
    key = days.create(parent_id=int(company), category_id=[[6, 0, [gold]]])
    days.odoo.world.call(TAG, "write", [gold], {"active": False})
    found = payload(days, key, "parent_id.name", "category_id.name")
    assert found["parent_id"]["name"] == "Old company"
    assert [one["name"] for one in found["category_id"]] == ["Gold"]


def test_a_related_record_that_the_rules_hide_has_its_id_and_name(days: Days) -> None:
    """Odoo leaves out of a list what a rule hides, and names it all the same where another record refers to it."""
    group = days.create("Group")
    company = days.create("Company", parent_id=int(group))
    user = days.odoo.world.add_user("guest", password=PASSWORD, api_key="guest-key", role="portal")
    days.write(str(user.partner_id), parent_id=int(company))
    secret = PASSWORD if days.odoo.world.version == 18 else "guest-key"
    source = days.source("parent_id.name", domain=[], client=days.odoo.client(user="guest", secret=secret))
    found = source.fetch([company])[company].payload
    assert found["parent_id"] == {"id": int(group), "display_name": "Group"}


# Mistakes


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("emial", "no field 'emial' on res.partner; is email meant?"),
        ("zzzzzz", "no field 'zzzzzz' on res.partner$"),
        ("country_id.cod", "no field 'cod' on res.country; is code meant?"),
        ("parent_id.parent_id.nam", "no field 'nam' on res.partner; is name meant?"),
        ("name.first", "res.partner.name is no relation, so name.first leads nowhere"),
        ("0", "no field '0' on res.partner"),
    ],
)
def test_a_path_that_leads_nowhere_is_said_with_what_may_be_meant(days: Days, path: str, said: str) -> None:
    days.create()
    with pytest.raises(ConfigurationError, match=said):
        days.source(path).peek(0)


def test_a_field_that_only_one_version_has_is_said_to_be_missing_in_the_other(days: Days) -> None:
    days.create()
    source = days.source("mobile")
    if days.odoo.world.version == 18:
        assert source.peek(0).changes
    else:
        with pytest.raises(ConfigurationError, match="no field 'mobile'"):
            source.peek(0)


def test_a_missing_right_on_a_related_model_is_said_with_the_user_and_that_model(days: Days) -> None:
    days.create(country_id=days.odoo.country("CZ"))
    source = days.source("country_id.code")
    source.reading.names()
    days.odoo.switch(deny={COUNTRY: ("read",)})
    with pytest.raises(ConfigurationError, match=r"user sync may not read res\.country"):
        source.peek(0)
    with pytest.raises(ConfigurationError, match=r"user sync may not read res\.country"):
        days.source("country_id.code").peek(0)


@pytest.mark.parametrize("rows", [None, "text", [1], [{"code": "CZ"}]], ids=["nothing", "text", "a number", "no id"])
def test_an_answer_about_related_records_that_is_none_is_a_fault_of_the_system(
    board: Switchboard, days: Days, rows: Any
) -> None:
    source = days.source("country_id.code")
    source.reading.names()
    board.app = Script([as_json(rows if days.odoo.dialect == "json-2" else {"result": rows})])
    with pytest.raises(UnavailableError, match=r"res\.country.*no list of records"):
        source.reading.payloads([{"id": 1, "country_id": [7, "Czechia"]}])


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.text(min_size=1, max_size=5).filter(str.strip).filter(lambda text: "\x00" not in text),
            "country": st.sampled_from(["CZ", "SK", "UA", None]),
            "tags": st.sets(st.integers(0, 2)),
        }
    ),
    min_size=1,
    max_size=5,
)


@given(rows=ROWS)
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_records_refer_to_is_what_is_read(days: Days, rows: list[dict[str, Any]]) -> None:
    tags = [tag(days, f"tag {n}") for n in range(3)]
    made: dict[str, dict[str, Any]] = {}
    for row in rows:
        country = False if row["country"] is None else days.odoo.country(row["country"])
        linked = [tags[n] for n in row["tags"]]
        made[days.create(row["name"], country_id=country, category_id=[[6, 0, linked]])] = row
    source = days.source("name", "country_id.code", "category_id.name", domain=[["id", "in", list(map(int, made))]])
    read = {record.key: record.payload for page in source.snapshot(None) for record in page}
    stored = days.odoo.world.db.tables[PARTNER].rows
    for key, row in made.items():
        found = read[key]
        assert found["name"] == stored[int(key)]["name"]
        assert (found["country_id"] or {}).get("code") == row["country"]
        assert {one["name"] for one in found["category_id"]} == {f"tag {n}" for n in row["tags"]}
