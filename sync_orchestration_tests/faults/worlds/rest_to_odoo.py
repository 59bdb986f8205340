"""Contacts of a CRM that become Odoo's partners."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.types import ASGIApp

from sync_orchestration.sandbox.faults import Faults
from sync_orchestration.sandbox.odoo import odoo_app
from sync_orchestration.sandbox.rest import RestSwitches, RestWorld, rest_app
from sync_orchestration_tests.faults.worlds.base import (
    CITIES,
    EMAILS,
    NAMES,
    OUT_OF_SIGHT,
    PHONES,
    Picture,
    Values,
    World,
    one_of,
)
from sync_orchestration_tests.faults.worlds.odoo_side import OdooSide, odoo_variables

TOKEN = "token-of-the-crm"
LISTS: tuple[dict[str, Any], ...] = (
    {},
    {"duplicates": True},
    {"order": "newest_first"},
    {"order": "updated_at"},
    {"empty_page": 2},
    {"last_empty": True},
    {"totals": False, "time_digits": 3},
    {"deleted_item": "gone"},
)
SPOILT: tuple[dict[str, Any], ...] = ({"email": "nobody(at)nowhere"}, {"name": "  "}, {"country": "XX"}, {"name": None})


class RestToOdooWorld(World):
    """A CRM and an Odoo."""

    sync = "rest_to_odoo"
    target = "odoo"
    deeds = (
        "create", "create", "update", "update", "update", "spoil", "remove", "revive", "late", "unheard",
        "list_otherwise", "meddle", "wipe",
    )  # fmt: skip

    def __init__(self, version: int) -> None:
        super().__init__(version)
        self.crm = RestWorld()
        self.crm.access.token = TOKEN
        self.odoo = OdooSide(version, "rest_contacts")

    def apps(self) -> dict[str, ASGIApp]:
        return {"rest": rest_app(self.crm), "odoo": odoo_app(self.odoo.world)}

    def faults(self) -> dict[str, Faults]:
        return {"rest": self.crm.faults, "odoo": self.odoo.world.faults}

    def variables(self, urls: Mapping[str, str]) -> dict[str, str]:
        return {**odoo_variables(urls), "REST_URL": urls["rest"], "REST_TOKEN": TOKEN}

    def begin(self, number: int) -> None:
        for one in range(number):
            self.create(one, one)

    # What people do

    def create(self, number: int, choice: int) -> None:
        self.made += 1
        self.crm.put("contacts", {**values_of(choice), "name": f"{one_of(NAMES, choice)} {self.made}"})

    def update(self, number: int, choice: int) -> None:
        self.crm.change("contacts", self._one(number), **values_of(choice))

    def spoil(self, number: int, choice: int) -> None:
        self.crm.change("contacts", self._one(number), **one_of(SPOILT, choice))

    def remove(self, number: int, choice: int) -> None:
        self.crm.remove("contacts", self._one(number))

    def revive(self, number: int, choice: int) -> None:
        gone = [record.number for record in self.crm.collections["contacts"] if record.deleted]
        self.crm.change("contacts", one_of(gone, number), **values_of(choice))

    def late(self, number: int, choice: int) -> None:
        """A change shows although its time lies behind others that were read."""
        earlier = datetime.now(UTC) - timedelta(seconds=100 + 70 * (choice % 8))
        if choice % 2:
            self.made += 1
            self.crm.put("contacts", {**values_of(choice), "name": f"Late {self.made}"}, updated_at=earlier)
        else:
            self.crm.change("contacts", self._one(number), updated_at=earlier, **values_of(choice))

    def unheard(self, number: int, choice: int) -> None:
        """A change whose time is so old that no read of changes lists it."""
        key = self._one(number)
        old = datetime.now(UTC) - timedelta(seconds=OUT_OF_SIGHT)
        self.crm.change("contacts", key, updated_at=old, **values_of(choice))
        self.untold.add(str(key))

    def list_otherwise(self, number: int, choice: int) -> None:
        self.crm.switches = RestSwitches.model_validate(one_of(LISTS, choice))

    def meddle(self, number: int, choice: int) -> None:
        """Somebody edits a partner in Odoo."""
        key, partner = one_of(self.odoo.linked(), number)
        self.odoo.write(partner, **({"active": False} if choice == 0 else {"city": f"By hand {choice}"}))
        self.touched.add(key)

    def wipe(self, number: int, choice: int) -> None:
        """Somebody deletes a partner in Odoo."""
        key, partner = one_of(self.odoo.linked(), number)
        self.odoo.unlink(partner)
        self.touched.add(key)

    def _one(self, number: int) -> int:
        return one_of([record.number for record in self.crm.collections["contacts"].live()], number)

    # What must come of it

    def settle(self) -> None:
        self.crm.switches = RestSwitches()

    def found(self) -> dict[str, Values]:
        return {
            key: {name: values[name] for name in ("name", "email", "phone", "city", "country", "is_company", "active")}
            for key, values in self.odoo.found().items()
        }

    def picture(self) -> Picture:
        with self.crm.lock:
            live = {str(record.number): dict(record.values) for record in self.crm.collections["contacts"].live()}
        refused = {key for key, values in live.items() if is_refused(values, self.odoo)}
        found = self.found()
        return Picture(
            wanted={key: wanted(values) for key, values in live.items() if key not in refused},
            found=found,
            refused=refused,
            leftover={key for key, values in found.items() if key not in live and values["active"]},
            doubled=self.odoo.doubled(),
            touched=set(self.touched),
            untold=set(self.untold),
        )


def values_of(choice: int) -> Values:
    return {
        "email": one_of(EMAILS, choice) or None,
        "phone": one_of(PHONES, choice // 2),
        "city": one_of(CITIES, choice // 3),
        "country": one_of(("cz", "SK", None), choice),
    }


def is_refused(values: Values, odoo: OdooSide) -> bool:
    email, country = values.get("email") or "", (values.get("country") or "").upper()
    return (
        not (values["name"] or "").strip()
        or (email != "" and re.fullmatch(r"\w+@\w+\.\w+", email) is None)
        or (country != "" and odoo.country(country) is False)
    )


def wanted(values: Values) -> Values:
    return {
        "name": " ".join(values["name"].split()),
        "email": values.get("email") or "",
        "phone": " ".join((values.get("phone") or "").split()),
        "city": (values.get("city") or "").strip(),
        "country": (values.get("country") or "").upper(),
        "is_company": False,
        "active": True,
    }
