"""The Kontur.Focus stand-in answers, refuses and counts as the real register is known to."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from starlette.types import ASGIApp, Receive, Scope, Send

from sync_orchestration.sandbox.alfresco import AlfrescoWorld
from sync_orchestration.sandbox.check_digits import inn10, inn12, is_inn, is_ogrn, ogrn13, ogrnip15
from sync_orchestration.sandbox.companies import demo_companies
from sync_orchestration.sandbox.faults import FaultRule
from sync_orchestration.sandbox.kontur import KonturSwitches, KonturWorld, kontur_app
from sync_orchestration.sandbox.server import serve

Json = dict[str, Any]

SEED, CONTRACTORS = 1, 300


class Stage:
    """One server for the whole file: each test puts its own world's app on it."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


@pytest.fixture(scope="module")
def stage() -> Iterator[tuple[Stage, str]]:
    stage = Stage()
    with serve(stage) as url:
        yield stage, url


@pytest.fixture
def world() -> KonturWorld:
    return KonturWorld.demo(SEED, CONTRACTORS)


@pytest.fixture
def url(world: KonturWorld, stage: tuple[Stage, str]) -> str:
    stage[0].app = kontur_app(world)
    return stage[1]


def ask(url: str, world: KonturWorld, method: str = "req", **params: str) -> requests.Response:
    return requests.get(f"{url}/api3/{method}", params={"key": world.key, **params})


def inns(world: KonturWorld, role: str = "plain") -> list[str]:
    return [company.inn for company in world.companies if company.role == role]


def test_one_call_answers_up_to_100_numbers_in_an_order_of_its_own(url: str, world: KonturWorld) -> None:
    asked = inns(world)[:100]
    answer = ask(url, world, inn=",".join(asked))
    answered = [item["inn"] for item in answer.json()]
    assert answer.headers["content-type"] == "application/json"
    assert sorted(answered) == sorted(asked)
    assert answered != asked
    assert world.asked.total() == 100


def test_companies_are_found_by_ogrn_as_well(url: str, world: KonturWorld) -> None:
    company = world.companies[0]
    items = ask(url, world, ogrn=company.ogrn).json()
    assert [(item["inn"], item["ogrn"]) for item in items] == [(company.inn, company.ogrn)]


def test_unknown_numbers_are_absent(url: str, world: KonturWorld) -> None:
    known = inns(world)[0]
    unknown = next(c.inn for c in demo_companies(SEED, CONTRACTORS) if not c.registered)
    assert [item["inn"] for item in ask(url, world, inn=f"{unknown},{known}").json()] == [known]
    answer = ask(url, world, inn=unknown)
    assert (answer.status_code, answer.json()) == (200, [])


def test_malformed_numbers_are_ignored_beside_good_ones_and_refused_alone(url: str, world: KonturWorld) -> None:
    known = inns(world)[0]
    mixed = ask(url, world, inn=f"00000,{known},7707083894,12a4567890, {known}")
    assert [item["inn"] for item in mixed.json()] == [known]
    for params in ({"inn": "00000"}, {"inn": "7707083894"}, {"inn": ""}, {}):
        refused = ask(url, world, **params)
        assert (refused.status_code, refused.text) == (400, "inn/ogrn param is not specified")
        assert refused.headers["content-type"] == "text/plain; charset=utf-8"


def test_what_counts_as_malformed_is_a_switch(url: str, world: KonturWorld) -> None:
    foreign = inn10("990912345")
    assert ask(url, world, inn=foreign).status_code == 400
    world.switches = KonturSwitches(foreign_inn="absent", malformed="length")
    assert ask(url, world, inn=foreign).json() == []
    assert ask(url, world, inn="7707083894").json() == []


def test_one_inn_can_stand_for_two_bodies(url: str, world: KonturWorld) -> None:
    alive = ask(url, world, inn=inns(world, "twins")[0]).json()
    assert len({item["ogrn"] for item in alive}) == 2
    assert not any("dissolved" in item["UL"]["status"] for item in alive)
    one_alive = ask(url, world, inn=inns(world, "twins_one_alive")[0]).json()
    dead = [item["UL"] for item in one_alive if item["UL"]["status"].get("dissolved")]
    assert len(one_alive) == 2
    assert len(dead) == 1
    assert not {"okpo", "heads"} & set(dead[0])
    assert "short" not in dead[0]["legalName"]


def test_falsy_keys_are_left_out(url: str, world: KonturWorld) -> None:
    living, dissolved, managed = (
        ask(url, world, inn=inns(world, role)[0]).json()[0] for role in ("plain", "dissolved", "managed")
    )
    assert living["UL"]["status"] == {"statusString": "Действующее"}
    assert dissolved["UL"]["status"]["dissolved"] is True
    assert dissolved["contactPhones"] == {}
    assert "heads" not in managed["UL"]
    assert managed["UL"]["managementCompanies"][0]["name"]


def test_an_entrepreneur_has_neither_kpp_nor_legal_name_nor_address(url: str, world: KonturWorld) -> None:
    item = ask(url, world, inn=inns(world, "entrepreneur")[0]).json()[0]
    assert "UL" not in item
    assert item["IP"]["fio"]
    assert len(item["ogrn"]) == 15
    assert not {"kpp", "legalName", "legalAddress", "heads"} & set(item["IP"])


def test_the_shape_of_the_answer_follows_the_year(url: str, world: KonturWorld) -> None:
    asked = next(c for c in world.companies if c.role == "plain" and c.place and c.place.city)
    shapes = {}
    for year in ("2018", "2021", "2024"):
        world.switches = KonturSwitches.model_validate({"shape": year})
        shapes[year] = ask(url, world, inn=asked.inn).json()[0]["UL"]
    address = {year: ul["legalAddress"]["parsedAddressRF"] for year, ul in shapes.items()}
    assert [a["city"]["topoShortName"] for a in address.values()] == ["г", "г", "г."]
    assert ["houseRaw" in a for a in address.values()] == [False, True, True]
    assert ["oneLineFormatOfAddress" in a for a in address.values()] == [False, False, True]
    assert shapes["2018"]["legalName"]["full"].isupper()
    assert not shapes["2024"]["legalName"]["full"].isupper()
    assert "structuredFio" in shapes["2024"]["heads"][0]


def test_details_have_no_names_and_the_city_of_an_entrepreneur(url: str, world: KonturWorld) -> None:
    entity = ask(url, world, "egrDetails", inn=inns(world)[0]).json()[0]["UL"]
    person = ask(url, world, "egrDetails", inn=inns(world, "entrepreneur")[0]).json()[0]["IP"]
    assert not {"legalName", "legalAddress", "shortenedAddress"} & set(entity)
    assert person["shortenedAddress"]["regionName"]["topoValue"]


def test_a_wrong_key_is_refused_in_two_ways(url: str, world: KonturWorld) -> None:
    refused = requests.get(f"{url}/api3/req", params={"key": "wrong", "inn": "7707083893"})
    assert (refused.status_code, refused.text) == (403, "No valid key specified")
    refused = requests.get(f"{url}/api3/stat", params={"key": "wrong"})
    assert (refused.status_code, refused.text) == (400, "Param 'key' not specified or invalid")
    assert requests.get(f"{url}/api3/stat", params={"key": world.key[:20]}).status_code == 200
    world.switches = KonturSwitches(tariff=frozenset({"req"}))
    assert ask(url, world, "egrDetails", inn="7707083893").status_code == 403


def test_the_quota_counts_distinct_companies_and_ends(url: str, world: KonturWorld) -> None:
    world.switches = KonturSwitches(limit=2)
    first, second, third = inns(world)[:3]
    for _ in range(3):
        assert ask(url, world, inn=f"{first},{second}").status_code == 200
    stat = requests.get(f"{url}/api3/stat", params={"key": world.key}).json()[0]
    assert (stat["spent"], stat["limit"], stat["limitType"]) == (2, 2, "LegalEntities")
    assert ask(url, world, inn=third).status_code == 403
    assert ask(url, world, inn=first).status_code == 200
    world.switches = KonturSwitches(limit=2, exhausted_status=402)
    assert ask(url, world, inn=third).status_code == 402
    assert world.asked[first] == 4


def test_the_quota_can_count_calls(url: str, world: KonturWorld) -> None:
    world.switches = KonturSwitches(limit=2, limit_type="Requests")
    statuses = [ask(url, world, inn=inns(world)[0]).status_code for _ in range(3)]
    assert statuses == [200, 200, 403]


def test_too_many_calls_are_answered_with_429(url: str, world: KonturWorld) -> None:
    world.switches = KonturSwitches(max_calls=1, window_seconds=600, retry_after=7)
    answers = [ask(url, world, inn=inns(world)[0]) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert answers[1].headers["Retry-After"] == "7"


def test_more_than_100_numbers_are_refused(url: str, world: KonturWorld) -> None:
    too_many = ",".join(inns(world)[:101])
    assert ask(url, world, inn=too_many).status_code == 400
    world.switches = KonturSwitches(above_limit="cut")
    assert len(ask(url, world, inn=too_many).json()) == 100


def test_the_page_for_people_is_html(url: str) -> None:
    page = requests.get(f"{url}/api3/req/userform")
    assert page.headers["content-type"].startswith("text/html")


def test_faults_and_switches_can_be_set_over_http(url: str, world: KonturWorld) -> None:
    requests.post(f"{url}/_sandbox/switches", json={"shape": "2018"})
    assert world.switches.shape == "2018"
    requests.post(f"{url}/_sandbox/faults", json=FaultRule(kind="html", path="/api3/req").model_dump())
    broken = ask(url, world, inn=inns(world)[0])
    assert broken.headers["content-type"].startswith("text/html")
    assert requests.get(f"{url}/_sandbox/state").json()["companies"] == len(world.companies)


def test_a_company_can_change_and_disappear(url: str, world: KonturWorld) -> None:
    company = next(c for c in world.companies if c.role == "plain")
    ask(url, world, inn=company.inn)
    world.change(company.ogrn, kpp="660101001", dissolved="2026-01-31")
    body = ask(url, world, inn=company.inn).json()[0]["UL"]
    assert (body["kpp"], body["status"]["dissolved"]) == ("660101001", True)
    world.remove(company.ogrn)
    assert ask(url, world, inn=company.inn).json() == []


def test_a_restarted_register_remembers_what_was_paid_for(tmp_path: Path) -> None:
    state_file = tmp_path / "kontur.json"
    world = KonturWorld.demo(SEED, CONTRACTORS, state_file=state_file)
    world.remove(world.companies[0].ogrn)
    with serve(kontur_app(world)) as url:
        ask(url, world, inn=inns(world)[0])
    again = KonturWorld.demo(SEED, CONTRACTORS, state_file=state_file)
    assert again.overview() == world.overview()
    assert set(again.companies) == set(world.companies)


def test_the_register_knows_the_companies_of_the_contractors() -> None:
    alfresco, kontur = AlfrescoWorld.demo(SEED, CONTRACTORS), KonturWorld.demo(SEED, CONTRACTORS)

    def bodies(kind: str) -> set[int]:
        nodes = (alfresco.node(node_id) for node_id in alfresco.planted[kind])
        return {len(kontur.found(node.properties["idocs:inn"])) for node in nodes}

    for kind in ("unchanged", "changed", "branch_kpp", "largest_taxpayer_kpp", "dissolved", "duplicate"):
        assert bodies(kind) == {1}, kind
    for kind in ("ambiguous_inn", "ambiguous_resolved_by_ogrn", "one_alive"):
        assert bodies(kind) == {2}, kind
    for kind in ("not_found", "individual", "foreign", "edrpou", "lost_leading_zero", "spaces"):
        assert bodies(kind) == {0}, kind


def test_what_is_stored_of_an_unchanged_contractor_is_what_the_register_says() -> None:
    alfresco, kontur = AlfrescoWorld.demo(SEED, CONTRACTORS), KonturWorld.demo(SEED, CONTRACTORS)
    for node_id in alfresco.planted["unchanged"]:
        properties = alfresco.node(node_id).properties
        company = kontur.found(properties["idocs:inn"])[0]
        assert properties["idocs:okpo"] == company.okpo
        assert properties.get("idocs:kpp") == company.kpp
        assert properties.get("idocs:ogrn", properties.get("idocs:psrnsp")) == company.ogrn


@pytest.mark.parametrize(
    "number", ["6663003127", "7736050003", "7707083893", "4712017259", "561100409545", "666102227581"]
)
def test_real_inns_have_valid_check_digits(number: str) -> None:
    assert is_inn(number)
    assert (inn10(number[:9]) if len(number) == 10 else inn12(number[:10])) == number


@pytest.mark.parametrize("number", ["1026605606620", "1027700070518", "309565808600188", "304500116000157"])
def test_real_ogrns_have_valid_check_digits(number: str) -> None:
    assert is_ogrn(number)
    assert (ogrn13(number[:12]) if len(number) == 13 else ogrnip15(number[:14])) == number


@pytest.mark.parametrize(
    "number", ["7707083894", "9999999999", "309565808600189", "5611004095", "0000000000", "000000000000000"]
)
def test_other_numbers_have_not(number: str) -> None:
    assert not is_inn(number)
    assert not is_ogrn(number)
