"""Companies of an Odoo that are sent to a CRM."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.types import ASGIApp

from sync_orchestration.sandbox.faults import Faults
from sync_orchestration.sandbox.odoo import OdooWorld, odoo_app
from sync_orchestration.sandbox.odoo.world import OpenTransaction
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
from sync_orchestration_tests.faults.worlds.odoo_side import KEY, odoo_variables
from sync_orchestration_tests.faults.worlds.rest_to_odoo import TOKEN

SWITCHES: tuple[dict[str, Any], ...] = (
    {},
    {"write_body": "id"},
    {"write_body": "none"},
    {"deletes": "vanish"},
    {"deleted_item": "gone"},
    {"duplicates": True},
)


class OdooToRestWorld(World):
    """An Odoo and a CRM."""

    sync = "odoo_to_rest"
    target = "rest"
    full_read_heals = False
    deeds = (
        "create", "create", "update", "update", "update", "spoil", "set_aside", "archive", "unarchive", "unlink",
        "uncompany", "tag", "begin_late", "commit", "commit", "unheard", "answer_otherwise", "meddle", "wipe",
    )  # fmt: skip

    def __init__(self, version: int) -> None:
        super().__init__(version)
        self.odoo = OdooWorld(version, api_key=KEY)
        self.crm = RestWorld()
        self.crm.access.token = TOKEN
        # Where a request is not known again by its key, only a look before it keeps a record from being made twice.
        self.usual_switches: dict[str, Any] = {} if version == 19 else {"idempotency": "off"}
        self.crm.switches = RestSwitches.model_validate(self.usual_switches)
        self.open: dict[int, OpenTransaction] = {}
        self.vanished: set[str] = set()
        self.longest = datetime.now(UTC)

    def apps(self) -> dict[str, ASGIApp]:
        return {"odoo": odoo_app(self.odoo), "rest": rest_app(self.crm)}

    def faults(self) -> dict[str, Faults]:
        return {"odoo": self.odoo.faults, "rest": self.crm.faults}

    def variables(self, urls: Mapping[str, str]) -> dict[str, str]:
        return {**odoo_variables(urls), "REST_URL": urls["rest"], "REST_TOKEN": TOKEN}

    def begin(self, number: int) -> None:
        for one in range(number):
            self.create(one, one)

    # What people do

    def create(self, number: int, choice: int) -> None:
        self.made += 1
        values = {**self._values(choice), "name": f"{one_of(NAMES, choice)} {self.made}", "is_company": True}
        self.odoo.call("res.partner", "create", [values])

    def update(self, number: int, choice: int) -> None:
        self.odoo.call("res.partner", "write", [self._one(number)], self._values(choice))

    def spoil(self, number: int, choice: int) -> None:
        self.odoo.call("res.partner", "write", [self._one(number)], {"email": "nobody(at)nowhere"})

    def set_aside(self, number: int, choice: int) -> None:
        self.odoo.call("res.partner", "write", [self._one(number)], {"country_id": False})

    def archive(self, number: int, choice: int) -> None:
        self.odoo.call("res.partner", "write", [self._one(number)], {"active": False})

    def unarchive(self, number: int, choice: int) -> None:
        hidden = [i for i, row in self._rows().items() if row["is_company"] and not row["active"]]
        self.odoo.call("res.partner", "write", [one_of(hidden, number)], {"active": True})

    def unlink(self, number: int, choice: int) -> None:
        """No feed tells of a deletion in Odoo."""
        gone = self._one(number)
        self.odoo.call("res.partner", "unlink", [gone])
        self.vanished.add(str(gone))

    def uncompany(self, number: int, choice: int) -> None:
        """It leaves the domain, which no feed tells either."""
        gone = self._one(number)
        self.odoo.call("res.partner", "write", [gone], {"is_company": False})
        self.vanished.add(str(gone))

    def tag(self, number: int, choice: int) -> None:
        tags = sorted(self.odoo.db.tables["res.partner.category"].rows)[: choice % 3]
        self.odoo.call("res.partner", "write", [self._one(number)], {"category_id": [[6, 0, tags]]})

    def begin_late(self, number: int, choice: int) -> None:
        """Somebody works for long: the time is taken now, the effect shows at the commit."""
        locked = self._one(number)
        transaction = self.odoo.open_transaction()
        transaction.started -= timedelta(seconds=60 * (choice % 8))
        transaction.call("res.partner", "write", [locked], self._values(choice))
        self.open[locked] = transaction

    def commit(self, number: int, choice: int) -> None:
        self.open.pop(one_of(sorted(self.open), number)).commit()

    def unheard(self, number: int, choice: int) -> None:
        """A transaction has been open for hours."""
        changed = self._one(number)
        # Of two that began within one second the inventory, which compares times, cannot tell the second.
        self.longest = min(self.longest - timedelta(seconds=1), datetime.now(UTC) - timedelta(seconds=OUT_OF_SIGHT))
        self.odoo.call("res.partner", "write", [changed], self._values(choice), started=self.longest)
        self.untold.add(str(changed))

    def answer_otherwise(self, number: int, choice: int) -> None:
        self.crm.switches = RestSwitches.model_validate({**self.usual_switches, **one_of(SWITCHES, choice)})

    def meddle(self, number: int, choice: int) -> None:
        """Somebody edits a record in the CRM."""
        record = one_of(self.crm.live("partners"), number)
        self.crm.change("partners", record["id"], city=f"By hand {choice}")
        self.touched.add(record["external_ref"])

    def wipe(self, number: int, choice: int) -> None:
        """Somebody deletes a record in the CRM."""
        record = one_of(self.crm.live("partners"), number)
        self.crm.remove("partners", record["id"])
        self.touched.add(record["external_ref"])

    def _rows(self) -> dict[int, dict[str, Any]]:
        with self.odoo.lock:
            return dict(self.odoo.db.tables["res.partner"].rows)

    def _companies(self) -> dict[int, dict[str, Any]]:
        rows = self._rows().items()
        return {i: row for i, row in rows if row["is_company"] and row["active"] and not row["parent_id"]}

    def _one(self, number: int) -> int:
        """A company that no open transaction holds; never the user's own, which Odoo lets nobody delete."""
        return one_of([i for i in self._companies() if i not in self.open and i > 1], number)

    def _values(self, choice: int) -> Values:
        code = one_of(("CZ", "SK", "CZ"), choice)
        return {
            "email": one_of(EMAILS, choice) or False,
            "phone": one_of(PHONES, choice // 2) or False,
            "city": one_of(CITIES, choice // 3) or False,
            "country_id": self.odoo.db.tables["res.country"].find("code", [code])[0],
        }

    # What must come of it

    def settle(self) -> None:
        for number in sorted(self.open):
            self.open.pop(number).commit()
        self.crm.switches = RestSwitches.model_validate(self.usual_switches)

    def found(self) -> dict[str, Values]:
        return {
            partner["external_ref"]: {name: partner.get(name) or "" for name in FIELDS}
            for partner in self.crm.live("partners")
        }

    def picture(self) -> Picture:
        companies = {str(i): row for i, row in self._companies().items()}
        skipped = {key for key, row in companies.items() if not row["country_id"]}
        refused = {
            key
            for key, row in companies.items()
            if key not in skipped and row["email"] and not re.fullmatch(r"\w+@\w+\.\w+", row["email"])
        }
        found = self.found()
        return Picture(
            wanted={k: self._wanted(row) for k, row in companies.items() if k not in skipped | refused},
            found=found,
            refused=refused,
            skipped=skipped,
            leftover=found.keys() - companies.keys() - self.touched,
            doubled=self.crm.created_twice(),
            touched=set(self.touched),
            untold=self.untold | self.vanished,
        )

    def _wanted(self, row: dict[str, Any]) -> Values:
        with self.odoo.lock:
            country = self.odoo.db.row("res.country", row["country_id"]) or {}
            tags = [self.odoo.db.row("res.partner.category", one) or {} for one in row["category_id"] or ()]
        texts = {name: str(row[name] or "").strip() for name in ("name", "email", "city")}
        return {
            **texts,
            "name": texts["name"],
            "phone": " ".join(str(row["phone"] or "").split()),
            "country": country.get("code", ""),
            "tags": ", ".join(str(one["name"]) for one in tags),
        }


FIELDS = ("name", "email", "phone", "city", "country", "tags")
