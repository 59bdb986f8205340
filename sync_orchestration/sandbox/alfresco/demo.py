"""The demo's contractors: the companies of the register as years of manual entry have left them.

Each planted trouble has a name under which ``AlfrescoWorld.planted`` lists the nodes that have it.
"""

import random
from collections.abc import Iterator
from itertools import count
from typing import Any

from sync_orchestration.sandbox.alfresco.nodes import Trouble
from sync_orchestration.sandbox.check_digits import inn10, inn12, is_inn
from sync_orchestration.sandbox.companies import demo_companies, per_role
from sync_orchestration.sandbox.company import Company

Properties = dict[str, Any]
Plan = tuple[str, Properties]
"""What is wrong (or right) with a contractor, and its properties."""

INVISIBLE: tuple[Trouble, ...] = ("vanished", "unreadable")
NODE_TROUBLES: tuple[Trouble, ...] = ("locked", "integrity", "write_denied", *INVISIBLE)
"""Troubles of the node, not of its number; they stand in a plan as its kind."""

_FEWEST_CONTRACTORS = 100


def demo_plans(seed: int, contractors: int) -> list[Plan]:
    """What to add to an empty repository, in order: `contractors` visible contractors and a few that are not."""
    if contractors < _FEWEST_CONTRACTORS:
        raise ValueError(f"a demo with every trouble needs at least {_FEWEST_CONTRACTORS} contractors")
    rng = random.Random(seed + 1)
    companies = demo_companies(seed, contractors)
    by_role: dict[str, list[Company]] = {}
    for company in companies:
        by_role.setdefault(company.role, []).append(company)
    ordinary = iter(by_role.pop("plain"))
    entrepreneurs = by_role.pop("entrepreneur")
    some = per_role(contractors)
    plans = [plan for company in _one_per_inn(by_role) for plan in _of_role(company)]
    plans += [plan for _ in range(some) for plan in _bad_numbers(rng, ordinary)]
    plans += [plan for _ in range(some) for plan in _bad_nodes(ordinary)]
    visible = sum(1 for kind, _ in plans if kind not in INVISIBLE)
    ordinary_plans = _ordinary(rng, [*entrepreneurs, *ordinary])
    plans += [next(ordinary_plans) for _ in range(contractors - visible)]
    rng.shuffle(plans)
    return plans


def _one_per_inn(by_role: dict[str, list[Company]]) -> list[Company]:
    """The companies with a trait, one of each INN (twins are two bodies, but one contractor)."""
    return list({c.inn: c for companies in by_role.values() for c in reversed(companies)}.values())


def _of_role(company: Company) -> list[Plan]:
    """The contractors of a company with a trait."""
    plain = contractor(company)
    former = {
        "idocs:shortOrganizationName": f"Бывшее {company.inn}",
        "idocs:okpo": "00123456",
        "idocs:CEOname": "Ликвидатор Иван Иванович",
    }
    without_ogrn = {name: value for name, value in plain.items() if name != "idocs:ogrn"}
    match company.role:
        case "leading_zero" | "leading_zero_person":
            lost = plain | _inn(company.inn.lstrip("0"))
            return [("leading_zero", plain), ("lost_leading_zero", lost)]
        case "branches":
            branch = company.branches[0]
            address = {"idocs:kpp": branch.kpp, "idocs:juridicalAddress": branch.place.one_line()}
            return [("head_office", plain), ("branch_kpp", plain | address)]
        case "twins":
            return [("ambiguous_inn", without_ogrn), ("ambiguous_resolved_by_ogrn", plain)]
        case "dissolved":
            # The register knows less of a dissolved company than the contractor does.
            return [("dissolved", plain | former)]
    changes: dict[str, tuple[str, Properties]] = {
        "moved": ("old_kpp", {"idocs:kpp": next(iter(company.old_kpps), None)}),
        "largest": ("largest_taxpayer_kpp", {"idocs:kpp": company.largest_taxpayer_kpp}),
        "twins_one_alive": ("one_alive", {"idocs:ogrn": None}),
        "entrepreneur_again": ("one_alive", {"idocs:psrnsp": None}),
        "unregistered": ("not_found", {}),
    }
    kind, change = changes.get(company.role, (company.role, {}))
    return [(kind, plain | change)]


def _bad_numbers(rng: random.Random, ordinary: Iterator[Company]) -> Iterator[Plan]:
    """One contractor for each way in which people spoil a number."""

    def spoilt(kind: str, number: str, company: Company) -> Plan:
        return kind, contractor(company) | _inn(number)

    def one() -> Company:
        return next(ordinary)

    for kind, form in (
        ("spaces", "{0} {1} "),
        ("nbsp", "{0}\u00a0{1}"),
        ("newline", "{0}{1}\n"),
        ("prefix", "ИНН {0}{1}"),
        ("padded_to_12", "00{0}{1}"),
    ):
        company = one()
        yield spoilt(kind, form.format(company.inn[:4], company.inn[4:]), company)
    company = one()
    yield spoilt("inn_slash_kpp", f"{company.inn}/{company.kpp}", company)
    company = next(c for c in ordinary if set(c.inn) & {"0", "3"})
    yield spoilt("cyrillic_digits", company.inn.replace("0", "О").replace("3", "З"), company)
    first, second = one(), one()
    yield spoilt("two_numbers", f"{first.inn},{second.inn}", first)
    company = one()
    yield spoilt("bad_check_digit", company.inn[:9] + str((int(company.inn[9]) + 1) % 10), company)
    yield spoilt("too_short", one().inn[:6], one())
    yield spoilt("text", "нет данных", one())
    yield spoilt("zeros", "0000000000", one())
    yield spoilt("blank", "   ", one())
    yield spoilt("foreign", inn10(f"9909{rng.randint(10_000, 99_999)}"), one())
    yield spoilt("edrpou", f"{rng.randint(20_000_000, 49_999_999)}", one())
    yield spoilt("belarus", _unp(rng), one())
    yield spoilt("individual", inn12(f"7712{rng.randint(0, 999_999):06d}"), one())
    _, without = "empty", contractor(one())
    del without["idocs:inn"]
    yield "empty", without


def _bad_nodes(ordinary: Iterator[Company]) -> Iterator[Plan]:
    """Contractors whose number is right and whose node is not, and several contractors of one company."""
    for kind in NODE_TROUBLES:
        # Something to write, or the refusal would never show.
        yield kind, contractor(next(ordinary)) | {"idocs:okpo": "", "idocs:CEOname": "Прежний Директор"}
    yield "subtype", contractor(next(ordinary))
    company = next(ordinary)
    yield from (("duplicate", contractor(company)) for _ in range(2))


def _ordinary(rng: random.Random, companies: list[Company]) -> Iterator[Plan]:
    """Contractors as they should be; a third of them have fallen behind the register."""
    rng.shuffle(companies)
    for number, company in zip(count(), companies, strict=False):
        properties = contractor(company)
        if number % 3:
            yield "unchanged", properties
            continue
        stale: list[Properties] = [{"idocs:okpo": None}, {"idocs:shortOrganizationName": "Прежнее название"}]
        if company.kind == "UL":
            stale += [
                {"idocs:kpp": f"{company.inn[:2]}9701001"},
                {"idocs:juridicalAddress": "г. Москва, ул. Прежняя, д. 1"},
                {"idocs:CEOname": "Прежний Директор Иванович"},
                {"idocs:fullOrganizationName": f"{company.full_name} (прежнее)"},
            ]
        yield "changed", properties | rng.choice(stale)


def contractor(company: Company) -> Properties:
    """The properties of a contractor that agrees with the register in every field."""
    common = {"idocs:inn": company.inn, "idocs:okpo": company.okpo, "idocs:contractorType": ["vendor"]}
    if company.kind == "IP":
        fio = company.person.fio if company.person else ""
        return common | {
            "idocs:fullOrganizationName": f"Индивидуальный предприниматель {fio}",
            "idocs:shortOrganizationName": f"ИП {fio}",
            "idocs:psrnsp": company.ogrn,
            "idocs:contractorKind": "individual-entrepreneur",
        }
    address = company.place.one_line() if company.place else None
    return common | {
        "idocs:fullOrganizationName": company.full_name,
        "idocs:shortOrganizationName": company.short_name or company.readable_name,
        "idocs:kpp": company.kpp,
        "idocs:ogrn": company.ogrn,
        "idocs:juridicalAddress": address,
        "idocs:postAddress": address,
        "idocs:CEOname": _leader(company),
        "idocs:contractorKind": "legal-entity",
    }


def _leader(company: Company) -> str | None:
    directors = [head for head in company.heads if "директор" in head.position.lower()]
    for head in (*directors, *company.heads):
        return head.person.fio
    return company.managers[0].name if company.managers else None


def _inn(number: str) -> Properties:
    return {"idocs:inn": number}


def _unp(rng: random.Random) -> str:
    """A Belarusian number of nine digits that is not a Russian one without its leading zero."""
    return next(n for n in iter(lambda: str(rng.randint(100_000_000, 799_999_999)), "") if not is_inn(f"0{n}"))
