"""Contractors of a repository, what the register says of them, and the partners that they become."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any, ClassVar

from starlette.types import ASGIApp

from sync_orchestration.sandbox.alfresco import AlfrescoWorld, alfresco_app
from sync_orchestration.sandbox.alfresco.demo import contractor
from sync_orchestration.sandbox.alfresco.nodes import Node
from sync_orchestration.sandbox.companies import demo_companies
from sync_orchestration.sandbox.company import Company
from sync_orchestration.sandbox.faults import Faults
from sync_orchestration.sandbox.kontur import KonturWorld, kontur_app
from sync_orchestration.sandbox.odoo import odoo_app
from sync_orchestration_tests.faults.worlds.base import NothingThereError, Picture, Values, World, one_of
from sync_orchestration_tests.faults.worlds.odoo_side import OdooSide, odoo_variables

REGISTER_KEY = "key-of-the-register-0001"
OUTDATED: tuple[Values, ...] = (
    {"okpo": None},
    {"shortOrganizationName": "Прежнее название"},
    {"CEOname": "Прежний Директор", "kpp": "770101001"},
    {"juridicalAddress": "г. Москва, ул. Прежняя, д. 1", "postAddress": ""},
)
WRITTEN = ("fullOrganizationName", "shortOrganizationName", "juridicalAddress", "postAddress", "okpo", "CEOname", "kpp",
           "ogrn")  # fmt: skip
"""What the register decides of a legal entity."""
BAD_NUMBERS = ("123456", "нет данных")  # failed
NO_NUMBERS = ("", "0000000000")  # skipped


@cache
def plain_companies() -> tuple[Company, ...]:
    """Living legal entities without a trait."""
    return tuple(company for company in demo_companies(1, 1_500) if company.role == "plain")


class ContractorsWorld(World):
    """A repository and a register."""

    sync = "contractors"
    usual = ("outdate", "add")
    target = "alfresco"
    deeds: ClassVar[tuple[str, ...]] = (
        "add", "add", "outdate", "outdate", "outdate", "spoil", "renumber", "delete", "lock", "refuse", "let_go",
        "vanish", "show_late", "move", "forget", "lag",
    )  # fmt: skip

    def __init__(self, version: int) -> None:
        super().__init__(version)
        self.alfresco = AlfrescoWorld(seed=1, first_dbid=10)
        self.companies = list(plain_companies())
        self.register = KonturWorld(self.companies, key=REGISTER_KEY)
        self.company_of: dict[str, str] = {}
        """OGRN by node."""

    def apps(self) -> dict[str, ASGIApp]:
        return {"alfresco": alfresco_app(self.alfresco), "kontur": kontur_app(self.register)}

    def faults(self) -> dict[str, Faults]:
        return {"alfresco": self.alfresco.faults, "kontur": self.register.faults}

    def variables(self, urls: Mapping[str, str]) -> dict[str, str]:
        return {
            "ALFRESCO_URL": urls["alfresco"],
            "ALFRESCO_USER": "admin",
            "ALFRESCO_PASSWORD": "admin",
            "KONTUR_URL": urls["kontur"],
            "KONTUR_KEY": REGISTER_KEY,
        }

    def begin(self, number: int) -> None:
        for one in range(number):
            self.add(one, one)

    # What people do, in the repository and at the register

    def add(self, number: int, choice: int, *, indexed: bool = True) -> None:
        if self.made == len(self.companies):
            raise NothingThereError
        company = self.companies[self.made]
        self.made += 1
        stale = {f"idocs:{name}": value for name, value in one_of(OUTDATED, choice).items()}
        node = self.alfresco.add({**contractor(company), **(stale if choice % 4 else {})}, indexed=indexed)
        self.company_of[node.uuid] = company.ogrn

    def outdate(self, number: int, choice: int) -> None:
        self.alfresco.edit(self._one(number), **one_of(OUTDATED, choice))

    def spoil(self, number: int, choice: int) -> None:
        self.alfresco.edit(self._one(number), inn=one_of((*BAD_NUMBERS, *NO_NUMBERS), choice))

    def renumber(self, number: int, choice: int) -> None:
        """Somebody mends the number."""
        node = self._one(number)
        self.alfresco.edit(node, inn=self._known(node).inn)

    def delete(self, number: int, choice: int) -> None:
        self.alfresco.delete(self._one(number))

    def lock(self, number: int, choice: int) -> None:
        self.alfresco.trouble("locked", self._one(number))

    def refuse(self, number: int, choice: int) -> None:
        self.alfresco.trouble("integrity", self._one(number))

    def let_go(self, number: int, choice: int) -> None:
        troubled = [node.uuid for node in self.alfresco.contractors() if node.troubles]
        node = one_of(troubled, number)
        self.alfresco.heal("locked", node)
        self.alfresco.heal("integrity", node)

    def vanish(self, number: int, choice: int) -> None:
        """A node is deleted, and the index has not heard of it."""
        self.alfresco.trouble("vanished", self._one(number))

    def show_late(self, number: int, choice: int) -> None:
        """A node is there that no search finds before the index has caught up."""
        self.add(number, choice, indexed=False)

    def lag(self, number: int, choice: int) -> None:
        self.alfresco.track()

    def move(self, number: int, choice: int) -> None:
        """The register enters a change."""
        company = self._known(self._one(number))
        self.register.change(company.ogrn, okpo=f"{10_000_000 + choice}")

    def forget(self, number: int, choice: int) -> None:
        """The register knows a company no longer, or knows it again."""
        node = self._one(number)
        company = next(one for one in self.companies if one.ogrn == self.company_of[node])
        if self.register.found(company.inn):
            self.register.remove(company.ogrn)
        else:
            self.register.add(replace(company, okpo=f"{20_000_000 + choice}"))

    def _one(self, number: int) -> str:
        return one_of([node.uuid for node in self.alfresco.contractors()], number)

    def _known(self, node: str) -> Company:
        found = [one for one in self.register.companies if one.ogrn == self.company_of[node]]
        return one_of(found, 0)

    # What must come of it

    def settle(self) -> None:
        self.alfresco.track()

    def found(self) -> dict[str, Values]:
        return self.nodes()

    def nodes(self) -> dict[str, Values]:
        """What the repository holds."""
        return {node.uuid: written(node.properties) for node in self.alfresco.contractors()}

    def picture(self) -> Picture:
        picture = Picture({}, self.nodes())
        for node in self.alfresco.contractors():
            company = self.entry(node)
            number = node.properties.get("idocs:inn") or ""
            if company is not None:
                self._judge(picture, node, company)
            elif number in BAD_NUMBERS:
                picture.refused.add(node.uuid)
            else:
                picture.skipped.add(node.uuid)
        return picture

    def entry(self, node: Node) -> Company | None:
        """What the register says of a node."""
        found = self.register.found(node.properties.get("idocs:inn") or "-")
        return found[0] if found else None

    def _judge(self, picture: Picture, node: Node, company: Company) -> None:
        wanted = written(contractor(company))
        # A postal address is only filled in, never replaced.
        wanted["postAddress"] = picture.found[node.uuid]["postAddress"] or wanted["postAddress"]
        if node.troubles and wanted != picture.found[node.uuid]:
            picture.refused.add(node.uuid)
        else:
            picture.wanted[node.uuid] = wanted


def written(properties: Mapping[str, Any]) -> Values:
    return {name: str(properties.get(f"idocs:{name}") or "") for name in WRITTEN}


class ContractorPartnersWorld(ContractorsWorld):
    """The same, and an Odoo."""

    sync = "contractor_partners"
    upstream = ("contractors",)
    target = "odoo"
    deeds = (*ContractorsWorld.deeds, "meddle", "wipe")

    def __init__(self, version: int) -> None:
        super().__init__(version)
        self.odoo = OdooSide(version, "alfresco_contractors")
        # Where all syncs share the interface tables, the partners of another world's Odoo must not look like these.
        self.odoo.world.db.tables["res.partner"].next_id = 1_000_000
        # One that somebody has entered before; it is to be linked, not made again.
        known = self.companies[0]
        self.odoo.world.call("res.partner", "create", [{"name": "BY HAND", "company_registry": known.inn}])
        self.odoo.begin()

    def apps(self) -> dict[str, ASGIApp]:
        return {**super().apps(), "odoo": odoo_app(self.odoo.world)}

    def faults(self) -> dict[str, Faults]:
        return {**super().faults(), "odoo": self.odoo.world.faults}

    def variables(self, urls: Mapping[str, str]) -> dict[str, str]:
        return {**super().variables(urls), **odoo_variables(urls)}

    def adopted(self, key: str) -> bool:
        return dict(self.odoo.links()).get(key) in self.odoo.before

    def meddle(self, number: int, choice: int) -> None:
        """Somebody edits a partner in Odoo."""
        key, partner = one_of(self.odoo.linked(), number)
        self.odoo.write(partner, **({"active": False} if choice == 0 else {"name": f"By hand {choice}"}))
        self.touched.add(key)

    def wipe(self, number: int, choice: int) -> None:
        """Somebody deletes a partner in Odoo."""
        key, partner = one_of(self.odoo.linked(), number)
        self.odoo.unlink(partner)
        self.touched.add(key)

    def found(self) -> dict[str, Values]:
        return {
            key: {name: values[name] for name in ("name", "company_registry", "country", "is_company", "active")}
            for key, values in self.odoo.found().items()
        }

    def picture(self) -> Picture:
        above = Picture({}, self.nodes())
        picture = Picture({}, self.found(), doubled=self.odoo.doubled(), touched=set(self.touched))
        for node in self.alfresco.contractors():
            company = self.entry(node)
            if company is None:
                continue
            self._judge(above, node, company)
            if node.uuid not in above.refused:
                picture.wanted[node.uuid] = {
                    "name": company.short_name or company.readable_name,
                    "company_registry": company.inn,
                    "country": "RU",
                    "is_company": True,
                    "active": True,
                }
        there = {node.uuid for node in self.alfresco.contractors()}
        # One that the sync of contractors lets through no more is none of Odoo's partners.
        picture.leftover = {
            key for key, values in picture.found.items() if values["active"] and key in there - picture.wanted.keys()
        }
        return picture
