import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_orchestration.mapping.json_parts import JsonObject
from sync_orchestration.mapping.register_addresses import Address, read_address
from sync_orchestration.mapping.register_answers import (
    Ambiguous,
    State,
    choose_body,
    contractor_view,
    full_name,
    head,
    is_alive,
    kpp_is_special,
    kpp_kind,
    short_name,
    state,
    status_text,
)
from sync_orchestration.mapping.values import is_empty
from sync_orchestration.sandbox.alfresco.demo import contractor
from sync_orchestration.sandbox.companies import demo_companies
from sync_orchestration.sandbox.company import Company
from sync_orchestration.sandbox.kontur.items import req_item
from sync_orchestration.sandbox.kontur.switches import Shape
from sync_orchestration_tests.mapping.json_values import VALUES

Json = dict[str, Any]

SAMPLES = Path(__file__).parents[2].parent / "shared" / "contracts" / "kontur"
SKB_2018 = "req_ul_6663003127_2018.json"
SKB_2021 = "req_inn_561100409545_6663003127.json"
HOSPITAL_2024 = "req_ul_4712017259_2024_new_address_format.json"
TWO_BODIES = "req_inn_7736050003_two_records.json"
ENTREPRENEUR_2018 = "req_ip_561100409545_2018.json"

COMPANIES = demo_companies(seed=7, contractors=300)
SHAPES: tuple[Shape, ...] = get_args(Shape)


def sample(name: str) -> list[Json]:
    path = SAMPLES / name
    if not path.exists():
        pytest.skip(f"no contract sample kontur/{name} beside the checkout")
    items: list[Json] = json.loads(path.read_text(encoding="utf-8"))
    return items


def entity(ogrn: str = "1026605606620", **body: Any) -> Json:
    return {"inn": "6663003127", "ogrn": ogrn, "UL": body}


def entrepreneur(ogrn: str = "309565808600188", **body: Any) -> Json:
    return {"inn": "561100409545", "ogrn": ogrn, "IP": body}


def topo(short: str | None, full: str | None, value: str) -> Json:
    names = {"topoShortName": short, "topoFullName": full, "topoValue": value}
    return {key: text for key, text in names.items() if text is not None}


# The whole view


def test_a_company_in_the_shape_of_2018_fills_every_field() -> None:
    assert contractor_view(sample(SKB_2018)[0]) == {
        "inn": "6663003127",
        "ogrn": "1026605606620",
        "name": 'АО "ПФ "СКБ КОНТУР"',
        "full_name": 'АКЦИОНЕРНОЕ ОБЩЕСТВО "ПРОИЗВОДСТВЕННАЯ ФИРМА "СКБ КОНТУР"',
        "short_name": 'АО "ПФ "СКБ КОНТУР"',
        "kpp": "668601001",
        "okpo": "00242766",
        "head": "Мраморов Дмитрий Михайлович",
        "address": "620017, Свердловская область, г. Екатеринбург, пр-кт Космонавтов, дом 56",
        "zip": "620017",
        "region": "Свердловская область",
        "city": "Екатеринбург",
        "street": "пр-кт Космонавтов, дом 56",
        "status": "Действующее",
        "state": "active",
        "active": True,
    }


def test_a_company_in_the_shape_of_2024_keeps_the_registers_own_line() -> None:
    view = contractor_view(sample(HOSPITAL_2024)[0])
    line = "188760, Ленинградская область, р-н Приозерский, г. Приозерск, ул. Калинина, д. 35"
    assert (view["address"], view["city"], view["street"]) == (line, "Приозерск", "ул. Калинина, д. 35")
    assert (view["okpo"], view["head"]) == ("05278964", "Тарасов Виктор Сергеевич")  # chief physician, no director


def test_an_entrepreneur_has_an_ogrnip_and_no_kpp_address_or_head() -> None:
    assert contractor_view(sample(SKB_2021)[0]) == {
        "inn": "561100409545",
        "psrnsp": "309565808600188",
        "name": "ИП Иванов Иван Иванович",
        "full_name": "Индивидуальный предприниматель Иванов Иван Иванович",
        "short_name": "ИП Иванов Иван Иванович",
        "okpo": "0164667059",
        "status": "Индивидуальный предприниматель прекратил деятельность в связи с принятием им "
        "соответствующего решения",
        "state": "dissolved",
        "active": False,
    }


def test_what_the_register_no_longer_says_of_a_dissolved_company_is_absent() -> None:
    view = contractor_view(sample(TWO_BODIES)[1])
    assert {"short_name", "okpo", "head", "zip", "street"}.isdisjoint(view)
    assert (view["name"], view["kpp"], view["active"]) == ("ГАЗПРОМ ОАО", "151541001", False)


@pytest.mark.parametrize("item", [{}, {"inn": "", "UL": None}, {"UL": {"legalName": {"full": "  "}, "status": {}}}])
def test_an_item_that_says_nothing_gives_no_field(item: JsonObject) -> None:
    assert contractor_view(item) == {}


KNOWN_KEYS = st.sampled_from(
    [
        *("legalName", "short", "full", "readable", "kpp", "okpo", "status", "statusString", "dissolved", "heads"),
        *("legalAddress", "parsedAddressRF", "parsedAddressRFFias", "regionName", "city", "street", "topoValue"),
        *("fio", "position", "managementCompanies", "name", "branches", "zipCode", "oneLineFormatOfAddress"),
    ]
)
BODIES = st.recursive(
    st.one_of(VALUES, st.sampled_from(["", "  ", "--", "директор", "г", "Москва", True])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KNOWN_KEYS, inner, max_size=6)),
    max_leaves=25,
)
ITEMS = st.one_of(
    st.dictionaries(st.sampled_from(["inn", "ogrn", "UL", "IP"]), BODIES, max_size=4),
    st.builds(lambda body: {"inn": "6663003127", "ogrn": "1026605606620", "UL": body}, BODIES),
    st.builds(lambda body: {"inn": "561100409545", "ogrn": "309565808600188", "IP": body}, BODIES),
)


@given(ITEMS, st.one_of(st.none(), st.text(), st.sampled_from(["668643001", "997250001"])))
def test_no_answer_however_odd_gives_an_empty_value(item: JsonObject, stored_kpp: str | None) -> None:
    view = contractor_view(item, stored_kpp=stored_kpp)
    assert [key for key, value in view.items() if is_empty(value)] == []


@given(st.lists(ITEMS, max_size=4), st.one_of(st.none(), st.text(), st.just("1026605606620")))
def test_choosing_among_odd_items_never_fails(items: list[JsonObject], stored_ogrn: str | None) -> None:
    chosen = choose_body(items, stored_ogrn)
    assert (chosen is None) == (not items)
    assert chosen is None or isinstance(chosen, Ambiguous) or chosen in items


@pytest.mark.parametrize("company", COMPANIES[:120], ids=lambda company: f"{company.role}-{company.inn}")
def test_a_contractor_that_agrees_with_the_register_finds_nothing_to_change(company: Company) -> None:
    view = contractor_view(req_item(company, "2024"))
    wanted = {
        "full_name": "idocs:fullOrganizationName",
        "short_name": "idocs:shortOrganizationName",
        "kpp": "idocs:kpp",
        "okpo": "idocs:okpo",
        "ogrn": "idocs:ogrn",
        "psrnsp": "idocs:psrnsp",
        "address": "idocs:juridicalAddress",
        "head": "idocs:CEOname",
    }
    stored = contractor(company)
    assert {key: view.get(key) for key in wanted} == {key: stored.get(name) for key, name in wanted.items()}


# Which body is meant


def test_of_two_bodies_the_one_with_the_stored_ogrn_is_meant_even_if_dissolved() -> None:
    items = sample(TWO_BODIES)
    assert choose_body(items, "ОГРН 1061515009555") == items[1]


@pytest.mark.parametrize("stored", [None, "", "1026605606620", "1061515009556", "нет"])
def test_without_a_matching_ogrn_the_only_living_body_is_meant(stored: str | None) -> None:
    items = sample(TWO_BODIES)
    assert choose_body(items, stored) == items[0]
    assert choose_body(items[::-1], stored) == items[0]


@pytest.mark.parametrize("dissolved", [False, True])
def test_bodies_that_nothing_tells_apart_are_ambiguous_and_all_are_named(dissolved: bool) -> None:
    status = {"statusString": "x", "dissolved": True} if dissolved else {"statusString": "Действующее"}
    items = [
        entity("1026605606620", legalName={"full": "Первая"}, status=status),
        entity("1027700070518", legalName={"full": "Вторая"}, status=status),
    ]
    chosen = choose_body(items, None)
    assert isinstance(chosen, Ambiguous)
    assert chosen.candidates == tuple(items)
    for named in ("6663003127", "1026605606620", "Первая", "1027700070518", "Вторая"):
        assert named in chosen.message


def test_a_single_body_is_meant_whatever_the_stored_ogrn_says() -> None:
    item = entity(status={"dissolved": True})
    assert choose_body([item], "1027700070518") == item
    assert choose_body([item, dict(item)], None) == item  # listed twice, it is still one body


def test_an_entrepreneur_who_registered_anew_is_the_living_one() -> None:
    former = entrepreneur("304500116000157", status={"dissolved": True})
    again = entrepreneur("309565808600188", status={"statusString": "Действующее"})
    assert choose_body([former, again], None) == again
    assert choose_body([former, again], "304500116000157") == former


def test_no_bodies_are_no_choice() -> None:
    assert choose_body([], "1026605606620") is None


# State


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"statusString": "Действующее"}, "active"),
        ({"reorganizing": True}, "reorganizing"),
        ({"dissolving": True, "reorganizing": True}, "dissolving"),
        ({"bankrupting": True, "dissolving": True}, "bankrupting"),
        ({"dissolved": True, "bankrupting": True}, "dissolved"),
        ({"statusString": "Действующее", "dissolved": False}, "active"),
    ],
)
@pytest.mark.parametrize("item", [entity, entrepreneur])
def test_the_gravest_state_counts(item: Any, status: Json, expected: State) -> None:
    assert state(item(status=status)) == expected
    assert is_alive(item(status=status)) == (expected != "dissolved")


def test_a_dissolution_date_beside_a_living_status_is_no_end() -> None:
    (item,) = sample(ENTREPRENEUR_2018)
    assert item["IP"]["dissolutionDate"]
    assert is_alive(item)


def test_without_a_status_the_dissolution_date_tells() -> None:
    assert not is_alive(entity(dissolutionDate="2020-01-01"))


def test_a_state_is_told_in_the_registers_words_or_else_in_ours() -> None:
    assert status_text(entity(status={"statusString": "Юридическое лицо ликвидировано"})) == (
        "Юридическое лицо ликвидировано"
    )
    assert status_text(entity(status={"bankrupting": True})) == "В процессе банкротства"


# Names and head


def test_the_readable_name_serves_where_there_is_no_short_one() -> None:
    item = entity(legalName={"full": "Полное", "readable": "Читаемое"})
    assert (full_name(item), short_name(item)) == ("Полное", "Читаемое")


def test_an_entrepreneurs_name_may_come_in_parts() -> None:
    item = entrepreneur(structuredFio={"firstName": "Иван", "lastName": "Иванов"})
    assert (full_name(item), short_name(item)) == ("Индивидуальный предприниматель Иванов Иван", "ИП Иванов Иван")


def test_two_bodies_merged_into_one_item_are_told_apart_by_the_length_of_the_ogrn() -> None:
    merged: Json = {"UL": {"legalName": {"full": "Общество"}}, "IP": {"fio": "Иванов"}}
    assert full_name({"ogrn": "1026605606620"} | merged) == "Общество"
    assert full_name({"ogrn": "309565808600188"} | merged) == "Индивидуальный предприниматель Иванов"


def person(fio: str | None, position: str | None) -> Json:
    return {key: value for key, value in (("fio", fio), ("position", position)) if value}


@pytest.mark.parametrize(
    ("heads", "managers", "expected"),
    [
        ([person("А", "Председатель Правления"), person("Б", "ГЕНЕРАЛЬНЫЙ ДИРЕКТОР")], [], "Б"),
        ([person("А", "Председатель Правления"), person("Б", "Заместитель директора")], [], "А"),
        ([person("А", "Главный врач"), person("Б", None)], [], "А"),
        ([person(None, "Директор"), person("Б", "Главный врач")], [], "Б"),  # nobody's name is no head
        ([], [{"name": "ООО Управа", "inn": "7707083893"}], "ООО Управа"),
        ([person("А", "Директор")], [{"name": "ООО Управа"}], "А"),
        ([], [], None),
    ],
)
def test_the_director_leads_else_the_first_head_else_the_management_company(
    heads: list[Json], managers: list[Json], expected: str | None
) -> None:
    assert head(entity(heads=heads, managementCompanies=managers)) == expected


# The KPP that a record holds


@pytest.mark.parametrize(
    ("stored", "kind"),
    [
        ("668601001", "ordinary"),  # the company's own
        ("667301001", "ordinary"),  # a former one: the company moved, so it is to be replaced
        (None, "ordinary"),
        ("", "ordinary"),
        ("6686", "ordinary"),
        ("770443001", "branch"),
        ("770444001", "branch"),
        ("770445001", "branch"),
        ("770402001", "branch"),
        ("540101001", "branch"),  # by the register's list of branches
        ("7704 43\u00a0001", "branch"),
        ("20443001", "branch"),  # 020443001 after a spreadsheet
        ("997250001", "largest_taxpayer"),
    ],
)
def test_a_stored_kpp_is_known_for_what_it_is(stored: str | None, kind: str) -> None:
    item = entity(
        kpp="668601001", branches=[{"kpp": "540101001"}, {"name": "без КПП"}], history={"kpps": [{"kpp": "667301001"}]}
    )
    assert kpp_kind(stored, item) == kind
    assert kpp_is_special(stored, item) == (kind != "ordinary")


def test_a_company_whose_own_kpp_is_that_of_a_largest_taxpayer_is_ordinary() -> None:
    assert not kpp_is_special("997250001", entity(kpp="997250001"))


def test_the_view_leaves_a_branchs_kpp_and_address_and_a_largest_taxpayers_kpp_alone() -> None:
    (item,) = sample(HOSPITAL_2024)
    branch = contractor_view(item, stored_kpp="781343001")
    largest = contractor_view(item, stored_kpp="997250001")
    everything = contractor_view(item)
    of_address = {"address", "zip", "region", "city", "street"}
    assert set(everything) - set(branch) == {"kpp"} | of_address
    assert set(everything) - set(largest) == {"kpp"}


# Addresses


@pytest.mark.parametrize(
    ("name", "line"),
    [
        (SKB_2018, "620017, Свердловская область, г. Екатеринбург, пр-кт Космонавтов, дом 56"),
        (SKB_2018, "127254, г. Москва, пер. Добролюбова, дом 3, 1, 412"),  # parts without names stay bare
        (SKB_2018, "199034, г. Санкт-Петербург, линия 14-Я в.о, дом 7, А, 431"),
        (SKB_2018, "614077, Пермский край, г. Пермь, ул. Аркадия Гайдара, дом 3, оф. 3"),
        (SKB_2021, "620017, Свердловская область, г. Екатеринбург, пр-кт Космонавтов, дом 56"),
        (SKB_2021, "194044, г. Санкт-Петербург, ул. Гельсингфорсская, дом 2, лит. А, помещение 11н, 12н"),
        (SKB_2021, "614010, Пермский край, г. Пермь, ул. Куйбышева, дом 95, корп. Б, пом. 1"),
        (TWO_BODIES, "117420, г. Москва, ул. Намёткина, дом 16"),
        (TWO_BODIES, "г. Москва, поселение Воскресенское, д. Городище"),
        (TWO_BODIES, "Московская область"),
        (TWO_BODIES, "Ямало-Ненецкий автономный округ, г. Новый Уренгой"),
        (TWO_BODIES, "143522, Московская область, р-н Истринский, тер. Пансионата Союз"),
        (TWO_BODIES, "Азербайджанская Республика, AZ1014, Г. БАКУ, НАСИМИНСКИЙ РАЙОН, УЛ. РАСУЛА РЗЫ, ДОМ 75"),
        (TWO_BODIES, "респ. Северная Осетия - Алания, г. Владикавказ"),
        (HOSPITAL_2024, "188760, Ленинградская область, р-н Приозерский, г. Приозерск, ул. Калинина, д. 35"),
    ],
)
def test_an_address_of_the_samples_reads_as_a_person_would_write_it(name: str, line: str) -> None:
    assert line in {address.line for address in addresses(sample(name))}


def addresses(items: list[Json]) -> Iterator[Address]:
    """Every address of the items, those of branches too."""
    for body in (item["UL"] for item in items if "UL" in item):
        for place in (body["legalAddress"], *body.get("branches", [])):
            address = read_address(place)
            assert address is not None
            yield address


@pytest.mark.parametrize("name", [SKB_2018, SKB_2021, TWO_BODIES, HOSPITAL_2024])
def test_every_part_of_a_sample_address_stands_in_its_line(name: str) -> None:
    for address in addresses(sample(name)):
        assert "None" not in address.line
        assert ".." not in address.line
        assert "--" not in address.line
        for part in (address.zip, address.region, address.city, address.street):
            assert part is None or part in address.line


def test_the_composed_line_is_the_registers_own() -> None:
    place = sample(HOSPITAL_2024)[0]["UL"]["legalAddress"]
    classic = dict(place["parsedAddressRF"])
    line = classic.pop("oneLineFormatOfAddress")
    composed = read_address({"parsedAddressRF": classic})
    assert composed is not None
    assert composed.line == line


def test_an_address_in_the_shape_of_fias_alone_reads_alike() -> None:
    place = sample(HOSPITAL_2024)[0]["UL"]["legalAddress"]
    fias = dict(place["parsedAddressRFFias"])
    own = read_address({"parsedAddressRFFias": fias})
    line = fias.pop("oneLineFormatOfAddressFias")
    composed = read_address({"parsedAddressRFFias": fias})
    assert own == composed == Address(line, "188760", "Ленинградская область", "Приозерск", "ул. Калинина, д. 35")


@pytest.mark.parametrize("shape", SHAPES)
def test_one_place_has_the_same_parts_in_the_shapes_of_all_years(shape: Shape) -> None:
    for company in COMPANIES:
        view, newest = (contractor_view(req_item(company, each)) for each in (shape, "2024"))
        for part in ("zip", "region", "city"):
            assert view.get(part) == newest.get(part)


@pytest.mark.parametrize(
    ("region", "written"),
    [
        (topo("обл", "область", "Свердловская"), "Свердловская область"),
        (topo("обл.", "область", "Свердловская"), "Свердловская область"),
        (topo("край", "край", "Пермский"), "Пермский край"),
        (topo("Аобл", "автономная область", "Еврейская"), "Еврейская автономная область"),
        (topo("Респ", "республика", "Чеченская"), "Чеченская республика"),
        (topo("респ.", "республика", "Адыгея"), "респ. Адыгея"),
        (topo("обл", "область", "Кемеровская область - Кузбасс"), "Кемеровская область - Кузбасс"),
        (topo("АО", "автономный округ", "Чукотский Автономный округ"), "Чукотский Автономный округ"),
        (topo("г", "город", "Москва"), "г. Москва"),
        (topo("г.", None, "Москва"), "г. Москва"),
        (topo(None, "область", "Томская"), "Томская область"),
        (topo(None, None, "Байконур"), "Байконур"),
    ],
)
def test_a_region_is_written_as_people_do(region: Json, written: str) -> None:
    address = read_address({"parsedAddressRF": {"regionName": region}})
    assert address is not None
    assert address.line == written


def test_a_federal_city_is_the_city_and_is_not_said_twice() -> None:
    moscow = topo("г", "город", "Москва")
    parsed: Json = {
        "regionName": moscow,
        "city": moscow,
        "street": topo("ул", "улица", "Мира"),
        "house": topo("д", "дом", "1"),
    }
    assert read_address({"parsedAddressRF": parsed}) == Address(
        "г. Москва, ул. Мира, д. 1", None, None, "Москва", "ул. Мира, д. 1"
    )


def test_equal_numbers_of_house_and_flat_both_stay() -> None:
    parsed: Json = {"street": topo("ул", "улица", "Мира"), "bulk": {"topoValue": "1"}, "flat": {"topoValue": "1"}}
    address = read_address({"parsedAddressRF": parsed})
    assert address is not None
    assert address.line == "ул. Мира, 1, 1"


def test_a_village_is_the_city_and_keeps_its_district() -> None:
    parsed: Json = {
        "regionName": topo("обл", "область", "Московская"),
        "district": topo("р-н", "район", "Истринский"),
        "settlement": topo("д", "деревня", "Льялово"),
        "house": topo("дом", "дом", "5"),
    }
    address = read_address({"parsedAddressRF": parsed})
    assert address is not None
    assert address.line == "Московская область, р-н Истринский, д. Льялово, дом 5"
    assert (address.region, address.city, address.street) == ("Московская область", "Льялово", "р-н Истринский, дом 5")


@pytest.mark.parametrize(
    "address",
    [
        {},
        {"parsedAddressRF": {"zipCode": "620017", "regionCode": "66", "houseRaw": "--"}},  # a code is no address
        {"parsedAddressRF": {"street": {"topoShortName": "ул.", "topoValue": "--"}}},
        {"foreignAddress": {"countryName": " "}},
        {"parsedAddressRF": None, "parsedAddressRFFias": [], "foreignAddress": "Баку"},
    ],
)
def test_where_the_register_gives_no_address_there_is_none(address: Json) -> None:
    assert read_address(address) is None


TOPOS = st.fixed_dictionaries(
    {"topoValue": st.sampled_from(["Мира", "Мир", "Ленинская", "5", "12А", "Москва"])},
    optional={
        "topoShortName": st.sampled_from(["г", "г.", "обл", "обл.", "р-н", "ул", "ул.", "дом", "д.", "край"]),
        "topoFullName": st.sampled_from(["город", "область", "район", "улица", "дом", "край"]),
    },
)
LEVELS = ("regionName", "district", "city", "settlement", "street", "house", "bulk", "flat")


@given(st.dictionaries(st.sampled_from(LEVELS), TOPOS, min_size=1), st.sampled_from([None, "620017"]))
def test_a_composed_address_holds_every_part_with_one_dot_at_most(parsed: Json, zip_code: str | None) -> None:
    address = read_address({"parsedAddressRF": parsed | ({"zipCode": zip_code} if zip_code else {})})
    assert address is not None
    for part in parsed.values():
        assert part["topoValue"] in address.line
    assert ".." not in address.line
    assert "  " not in address.line
    assert address.line.startswith(zip_code or "")
    assert not any(is_empty(part) for part in (address.city, address.street, address.region) if part is not None)
