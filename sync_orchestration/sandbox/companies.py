"""The made-up companies that both Alfresco's contractors and Kontur's register speak of.

Everything follows from the seed, so the two stand-ins agree without knowing each other. Names, people and
numbers are invented; check digits are valid.
"""

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from sync_orchestration.sandbox.check_digits import inn10, inn12, ogrn13, ogrnip15
from sync_orchestration.sandbox.company import Branch, Company, Head, Manager, Person, Place, Topo

ROLES = (
    "leading_zero",  # INN begins with 0, as in the regions 01 to 09
    "leading_zero_person",  # an entrepreneur whose INN begins with 0
    "branches",  # has branches with a KPP of their own
    "moved",  # had another KPP in an earlier inspection
    "largest",  # also has a KPP as one of the largest taxpayers
    "twins",  # two living bodies share one INN
    "twins_one_alive",  # two bodies share one INN, one of them dissolved
    "entrepreneur_again",  # gave up and registered anew: one INN, two OGRNIP
    "dissolved",
    "managed",  # led by a management company, has no head
    "unregistered",  # well-formed number that the register does not know
)
"""Companies with a trait; all others are ``plain`` or ``entrepreneur``."""

_MOST_CONTRACTORS = 80_000
_CITY, _REGION, _TERRITORY, _REPUBLIC = (
    ("г", "город"),
    ("обл", "область"),
    ("край", "край"),
    ("респ", "республика"),
)
_Places = tuple[tuple[str, Topo, str | None, str], ...]
_PLACES: _Places = (
    ("77", Topo(*_CITY, "Москва"), None, "127018"),
    ("78", Topo(*_CITY, "Санкт-Петербург"), None, "190000"),
    ("66", Topo(*_REGION, "Свердловская"), "Екатеринбург", "620017"),
    ("74", Topo(*_REGION, "Челябинская"), "Челябинск", "454048"),
    ("59", Topo(*_TERRITORY, "Пермский"), "Пермь", "614077"),
    ("23", Topo(*_TERRITORY, "Краснодарский"), "Краснодар", "350000"),
    ("63", Topo(*_REGION, "Самарская"), "Самара", "443001"),
    ("47", Topo(*_REGION, "Ленинградская"), "Приозерск", "188760"),
)
_ZERO_PLACES: _Places = (
    ("01", Topo(*_REPUBLIC, "Адыгея"), "Майкоп", "385000"),
    ("02", Topo(*_REPUBLIC, "Башкортостан"), "Уфа", "450000"),
    ("05", Topo(*_REPUBLIC, "Дагестан"), "Махачкала", "367000"),
)
_STREETS = (
    "Ленина",
    "Мира",
    "Калинина",
    "Энтузиастов",
    "Сущевский Вал",
    "Заводская",
    "Садовая",
    "Космонавтов",
)
_FIRST = (
    *("Ромашка", "Север", "Полюс", "Вектор", "Гранит", "Берёзка", "Орион", "Заря", "Прогресс", "Исток"),
    *("Маяк", "Кедр", "Лазурит", "Магистраль", "Рубеж", "Сокол"),
)
_SECOND = ("Строй", "Торг", "Сервис", "Логистика", "Инвест", "Снаб", "Тех", "Агро", "Пром", "Плюс")
_FORMS = (
    ("ООО", "Общество с ограниченной ответственностью"),
    ("АО", "Акционерное общество"),
    ("ПАО", "Публичное акционерное общество"),
)
_LAST_NAMES = ("Иванов", "Петров", "Сидоров", "Кузнецов", "Тарасов", "Морозов", "Ёлкин", "Римский-Корсаков")
_FIRST_NAMES = ("Иван", "Виктор", "Алексей", "Дмитрий", "Евгений", "Пётр", "Сергей", "Юрий")
_MIDDLE_NAMES = ("Иванович", "Сергеевич", "Борисович", "Михайлович", "Юрьевич", "Петрович")
_POSITIONS = (
    "Генеральный директор",
    "ДИРЕКТОР",
    "Генеральный Директор",
    "Главный врач",
    "Председатель Правления",
)


def per_role(contractors: int) -> int:
    """How many companies of each role belong to a world of this many contractors."""
    return max(1, contractors // 250)


def demo_companies(seed: int, contractors: int) -> list[Company]:
    """The companies behind `contractors` contractors: some of each role, the rest without a trait."""
    if contractors > _MOST_CONTRACTORS:
        raise ValueError(f"the made-up numbers suffice for {_MOST_CONTRACTORS} contractors")
    maker = _Maker(random.Random(seed))
    companies = [c for role in ROLES for _ in range(per_role(contractors)) for c in maker.with_role(role)]
    # Some contractors stand for none of these companies or for two, so there are a few more of them.
    while len(companies) < contractors + 10 * per_role(contractors):
        companies.append(maker.entrepreneur() if len(companies) % 5 == 0 else maker.entity("plain"))
    return companies


class _Maker:
    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self._serials: Iterator[int] = iter(rng.sample(range(10_000, 99_999), 89_999))

    def with_role(self, role: str) -> list[Company]:
        if role == "leading_zero_person":
            return [self.entrepreneur(role, _ZERO_PLACES)]
        if role == "entrepreneur_again":
            again, former = self.entrepreneur(role), self.entrepreneur(role)
            again = replace(again, dissolved=None)
            return [again, replace(former, inn=again.inn, person=again.person, dissolved="2018-01-10")]
        company = self.entity(role)
        if role == "twins":
            return [company, self._twin(company)]
        if role == "twins_one_alive":
            return [company, self._erroneous_twin(company)]
        return [self._with_trait(company)]

    def _with_trait(self, company: Company) -> Company:
        region = company.inn[:2]
        changes: dict[str, Any] = {}
        match company.role:
            case "branches":
                changes = {"branches": self._branches(company)}
            case "moved":
                changes = {"old_kpps": (f"{region}9901001", f"{region}9801001")}
            case "largest":
                changes = {"largest_taxpayer_kpp": "997650001"}
            case "dissolved":
                changes = {"dissolved": "2023-06-15", "heads": (), "okpo": None, "short_name": None}
            case "managed":
                changes = {"heads": (), "managers": (self._manager(),)}
            case "unregistered":
                changes = {"registered": False}
        return replace(company, **changes)

    def _manager(self) -> Manager:
        company = self.entity("manager")
        return Manager(company.full_name or company.inn, company.inn, company.ogrn, "2019-04-01")

    def entity(self, role: str) -> Company:
        """A living legal entity with one head and no further trait."""
        place = self._place(_ZERO_PLACES if role == "leading_zero" else _PLACES)
        inspection = f"{place.region_code}{self.rng.randint(1, 49):02d}"
        serial = next(self._serials)
        abbreviation, form = self.rng.choice(_FORMS)
        name = f"{self.rng.choice(_FIRST)}-{self.rng.choice(_SECOND)}"
        if self.rng.random() < 0.5:
            name += f" {serial % 1000}"
        year = self.rng.randint(2002, 2022)
        short = f'{abbreviation} "{name}"'
        return Company(
            kind="UL",
            role=role,
            inn=inn10(f"{inspection}{serial:05d}"),
            ogrn=ogrn13(f"1{year % 100:02d}{place.region_code}{self.rng.randint(0, 99):02d}{serial:05d}"),
            registration_date=f"{year}-{self.rng.randint(1, 12):02d}-{self.rng.randint(1, 28):02d}",
            okpo=f"{self.rng.randint(1, 99_999_999):08d}",
            kpp=f"{inspection}01001",
            full_name=f'{form} "{name}"',
            short_name=short,
            readable_name=short,
            place=place,
            heads=self._heads(),
        )

    def entrepreneur(self, role: str = "entrepreneur", places: _Places = _PLACES) -> Company:
        """An individual entrepreneur; one in ten has given up."""
        region = self.rng.choice(places)[0]
        serial = next(self._serials)
        return Company(
            kind="IP",
            role=role,
            inn=self._person_inn(region),
            ogrn=ogrnip15(f"3{self.rng.randint(4, 23):02d}{region}{serial:09d}"),
            registration_date=f"{self.rng.randint(2004, 2023)}-03-27",
            okpo=f"{self.rng.randint(1, 9_999_999_999):010d}",
            person=self._person(),
            place=self._place(places),
            dissolved="2018-01-10" if self.rng.random() < 0.1 else None,
        )

    def _twin(self, company: Company) -> Company:
        other = self.entity(company.role)
        return replace(other, inn=company.inn)

    def _erroneous_twin(self, company: Company) -> Company:
        """A body entered by mistake and struck off: no short name, no OKPO, no heads, a foreign KPP."""
        other = self.entity(company.role)
        return replace(
            other,
            inn=company.inn,
            registration_date="2002-06-02",
            kpp="151541001",
            short_name=None,
            readable_name=None,
            okpo=None,
            heads=(),
            dissolved="2006-12-20",
        )

    def _branches(self, company: Company) -> tuple[Branch, ...]:
        near, far = self._place(_PLACES), self._place(_PLACES)
        return (
            Branch(near, "2008-10-03", f"ФИЛИАЛ {company.short_name}", f"{near.region_code}0143001"),
            Branch(Place(far.region_code, far.region), "2010-02-16"),
        )

    def _place(self, places: _Places) -> Place:
        code, region, city, zip_code = self.rng.choice(places)
        return Place(
            region_code=code,
            region=region,
            zip_code=zip_code,
            district=Topo("р-н", "район", "Приозерский") if city == "Приозерск" else None,
            city=Topo(*_CITY, city) if city else None,
            street=Topo("ул", "улица", self.rng.choice(_STREETS)),
            house=str(self.rng.randint(1, 120)),
            bulk=str(self.rng.randint(1, 4)) if self.rng.random() < 0.2 else None,
            flat=str(self.rng.randint(1, 500)) if self.rng.random() < 0.4 else None,
        )

    def _heads(self) -> tuple[Head, ...]:
        """Mostly one; in one company of ten the director stands second."""
        if self.rng.random() < 0.1:
            return self._head("Председатель Правления"), self._head("Исполнительный директор")
        return (self._head(self.rng.choice(_POSITIONS)),)

    def _head(self, position: str) -> Head:
        since = f"{self.rng.randint(2010, 2024)}-01-28"
        return Head(self._person(), position, self._person_inn("66"), since)

    def _person(self) -> Person:
        return Person(self.rng.choice(_LAST_NAMES), self.rng.choice(_FIRST_NAMES), self.rng.choice(_MIDDLE_NAMES))

    def _person_inn(self, region: str) -> str:
        return inn12(f"{region}{self.rng.randint(1, 49):02d}{self.rng.randint(0, 999_999):06d}")
