"""A system that pushes its partners, and the Odoo that they go to."""

import threading
from collections.abc import Mapping
from typing import Any

import requests
from starlette.types import ASGIApp

from sync_orchestration.sandbox.faults import Faults
from sync_orchestration.sandbox.odoo import odoo_app
from sync_orchestration_tests.faults.worlds.base import (
    CITIES,
    EMAILS,
    NAMES,
    PHONES,
    Picture,
    Values,
    World,
    one_of,
)
from sync_orchestration_tests.faults.worlds.odoo_side import OdooSide, odoo_variables

INTAKE_TOKEN = "token-of-the-erp-3b8d"
REFUSED_VAT = "CZ12345670"
SENDER = "erp"
BRANCH = ("name", "email", "parent", "active")
"""What is asked of a branch: Odoo itself hands a company's address and numbers down to it."""
COMPANY = ("name", "email", "phone", "city", "country", "vat", "is_company", "parent", "active")
AT_THE_DOOR: tuple[Values, ...] = ({"country": "XX"}, {"name": ""}, {"email": "nobody"}, {"colour": "red"})


class IntakePartnersWorld(World):
    """A sender with an outbox, and an Odoo. What the sender holds to be true is what it was told is accepted."""

    sync = "intake_partners"
    target = "odoo"
    sends = frozenset({
        "create", "update", "spoil", "child", "delete", "revive", "again", "outdated", "refused_at_the_door",
    })  # fmt: skip
    deeds = (
        "create", "create", "update", "update", "update", "spoil", "child", "child", "delete", "revive", "again",
        "outdated", "refused_at_the_door", "meddle", "wipe",
    )  # fmt: skip

    def __init__(self, version: int) -> None:
        super().__init__(version)
        self.odoo = OdooSide(version, "intake_partners")
        self.intake_url = ""
        self.records: dict[str, Values | None] = {}
        """By key; None was deleted."""
        self.orphaned: set[str] = set()
        """Whose parent has been deleted at some time."""
        self.outbox: list[dict[str, Any]] = []
        self.sent: list[dict[str, Any]] = []
        self.number = 0
        self._session = requests.Session()
        self._lock = threading.Lock()

    def apps(self) -> dict[str, ASGIApp]:
        return {"odoo": odoo_app(self.odoo.world)}

    def faults(self) -> dict[str, Faults]:
        return {"odoo": self.odoo.world.faults}

    def variables(self, urls: Mapping[str, str]) -> dict[str, str]:
        return {**odoo_variables(urls), "INTAKE_TOKEN": INTAKE_TOKEN}

    def begin(self, number: int) -> None:
        for one in range(number):
            self.create(one, one)

    # What the sender does

    def create(self, number: int, choice: int) -> None:
        self.made += 1
        self._put(f"C-{self.made:04d}", {**values_of(choice), "name": f"{one_of(NAMES, choice)} {self.made}"})

    def update(self, number: int, choice: int) -> None:
        key, values = self._one(number)
        self._put(key, {**values, **values_of(choice)})

    def spoil(self, number: int, choice: int) -> None:
        """Odoo will refuse it; the door cannot know."""
        key, values = self._one(number)
        self._put(key, {**values, "vat": REFUSED_VAT, "country": "CZ", "is_company": True})

    def child(self, number: int, choice: int) -> None:
        """A branch of a company that is pushed later, or before."""
        self.made += 1
        parent = f"C-{max(1, self.made - 3 + choice % 5):04d}"
        key = f"C-{self.made:04d}"
        values = {**values_of(choice), "name": f"Branch {self.made}"}
        self._put(key, values if parent >= key else {**values, "parent": parent})

    def delete(self, number: int, choice: int) -> None:
        key, _ = self._one(number)
        self.orphaned |= {one for one, values in self.records.items() if values and values.get("parent") == key}
        self.records[key] = None
        self._push({"key": key, "operation": "delete"})

    def revive(self, number: int, choice: int) -> None:
        key = one_of(sorted(key for key, values in self.records.items() if values is None), number)
        self._put(key, {**values_of(choice), "name": f"Again {choice}"})

    def again(self, number: int, choice: int) -> None:
        """The answer was lost, so the same is pushed once more."""
        if self.sent:
            self.outbox.append(self.sent[-1])
        self.flush()

    def outdated(self, number: int, choice: int) -> None:
        """Something older overtakes nothing."""
        if self.sent:
            self.outbox.append({**one_of(self.sent[:-1], number)})
        self.flush()

    def refused_at_the_door(self, number: int, choice: int) -> None:
        self.made += 1
        record = {"name": "Refused", "country": "CZ", **one_of(AT_THE_DOOR, choice)}
        answer = self._post({"key": f"C-{self.made:04d}", "data": record})
        told = answer.json() if answer is not None and answer.status_code < 500 else None
        assert told is None or "accepted" not in str(told.get("records", "")), told

    def meddle(self, number: int, choice: int) -> None:
        """Somebody edits a partner in Odoo."""
        name, partner = one_of(self.odoo.linked(), number)
        self.odoo.write(partner, **({"active": False} if choice == 0 else {"name": f"By hand {choice}"}))
        self.touched.add(name.removeprefix(f"{SENDER}_"))

    def wipe(self, number: int, choice: int) -> None:
        """Somebody deletes a partner in Odoo that has no branches."""
        parents = {row["parent_id"] for row in self.odoo.rows().values()}
        name, partner = one_of([(n, p) for n, p in self.odoo.linked() if p not in parents], number)
        self.odoo.unlink(partner)
        self.touched.add(name.removeprefix(f"{SENDER}_"))

    def flush(self) -> None:
        """Push what waits; what is not acknowledged stays and is pushed again."""
        with self._lock:
            while self.outbox:
                answer = self._post(self.outbox[0])
                if answer is None or answer.status_code >= 500 or answer.status_code == 429:
                    return
                assert answer.status_code == 200, answer.text
                self.outbox.pop(0)

    def _put(self, key: str, values: Values) -> None:
        self.records[key] = values
        self._push({"key": key, "data": values})

    def _push(self, record: dict[str, Any]) -> None:
        self.number += 1
        self.outbox.append({**record, "version": self.number})
        self.sent.append(self.outbox[-1])
        self.flush()

    def _post(self, record: dict[str, Any]) -> requests.Response | None:
        try:
            return self._session.post(
                f"{self.intake_url}/v1/{self.sync}/records",
                json={"records": [record]},
                headers={"Authorization": f"Bearer {INTAKE_TOKEN}"},
                timeout=60,
            )
        except requests.RequestException:
            return None

    def _one(self, number: int) -> tuple[str, Values]:
        return one_of([(key, values) for key, values in sorted(self.records.items()) if values is not None], number)

    # What must come of it

    def settle(self) -> None:
        self.flush()

    def found(self) -> dict[str, Values]:
        return {
            key.removeprefix(f"{SENDER}_"): {
                **{name: values[name] for name in (BRANCH if values["parent"] else COMPANY)},
                "parent": values["parent"].removeprefix(f"{SENDER}_"),
            }
            for key, values in self.odoo.found().items()
        }

    def picture(self) -> Picture:
        live = {key: values for key, values in self.records.items() if values is not None}
        found = self.found()
        picture = Picture({}, found, doubled=self.odoo.doubled(), touched=set(self.touched))
        for key, values in sorted(live.items()):
            parent = values.get("parent")
            if values.get("vat") == REFUSED_VAT or (parent and parent not in self.records):
                picture.refused.add(key)
            elif parent and (parent not in picture.wanted or key in self.orphaned):
                picture.either.add(key)
            else:
                whole = wanted(values)
                picture.wanted[key] = {name: whole[name] for name in (BRANCH if parent else COMPANY)}
        picture.leftover = {key for key, values in found.items() if key not in live and values["active"]}
        # A branch cannot be written either, until its company is there again, nor a branch of that: its key is later.
        for key, values in sorted(live.items()):
            if values.get("parent") in picture.touched:
                picture.touched.add(key)
        return picture


def values_of(choice: int) -> Values:
    chosen: Values = {
        "email": one_of(EMAILS, choice),
        "phone": one_of(PHONES, choice // 2),
        "city": one_of(CITIES, choice // 3),
        "country": one_of(("CZ", "SK", "CZ"), choice),
    }
    return {name: value for name, value in chosen.items() if value}


def wanted(values: Values) -> Values:
    texts = {name: str(values.get(name) or "").strip() for name in ("email", "city", "vat", "country", "parent")}
    return {
        **texts,
        "name": " ".join(values["name"].split()),
        "phone": " ".join(str(values.get("phone") or "").split()),
        "is_company": values.get("is_company", True),
        "active": True,
    }
