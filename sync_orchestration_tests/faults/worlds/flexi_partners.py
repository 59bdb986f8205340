"""The address book of a Flexi company, and the Odoo that its companies become partners of."""

from collections.abc import Mapping
from datetime import UTC, datetime

from starlette.types import ASGIApp

from sync_orchestration.sandbox.faults import Faults
from sync_orchestration.sandbox.flexi import FlexiWorld, flexi_app
from sync_orchestration.sandbox.flexi.company import OpenTransaction
from sync_orchestration.sandbox.odoo import odoo_app
from sync_orchestration_tests.faults.worlds.base import (
    CITIES,
    EMAILS,
    NAMES,
    PHONES,
    Deed,
    Picture,
    Values,
    World,
    one_of,
)
from sync_orchestration_tests.faults.worlds.odoo_side import OdooSide, odoo_variables

REFUSED_VAT = "CZ12345670"
FEEDS: tuple[dict[str, str | bool | int], ...] = (
    {},
    {"next_value": "last_plus_one"},
    {"global_version": "last_assigned"},
    {"duplicate_updates": True},
    {"late_visible_every": 3},
    {"changes_when_off": "403"},
    {"default_order": "id"},
)
OLDEST_TRANSACTION = 600  # versions; well within the overlap of 1000


class FlexiPartnersWorld(World):
    """A Flexi and an Odoo."""

    sync = "flexi_partners"
    target = "odoo"
    deeds = (
        "create", "create", "update", "update", "update", "spoil", "hide", "delete", "begin_late", "begin_late",
        "commit", "commit", "hold", "release", "documents", "feed_otherwise", "track_not", "track", "restore",
        "meddle", "wipe",
    )  # fmt: skip

    def __init__(self, version: int) -> None:
        super().__init__(version)
        self.flexi = FlexiWorld(seed=1)
        self.company = self.flexi.add_company("demo")
        for code in ("CZ", "SK", "XX"):
            self.company.create("stat", {"kod": code, "nazev": code})
        self.first_version = self.company.global_version
        self.odoo = OdooSide(version, "flexi_demo")
        self.open: dict[int, OpenTransaction] = {}

    def apps(self) -> dict[str, ASGIApp]:
        return {"flexi": flexi_app(self.flexi), "odoo": odoo_app(self.odoo.world)}

    def faults(self) -> dict[str, Faults]:
        return {"flexi": self.flexi.faults, "odoo": self.odoo.world.faults}

    def variables(self, urls: Mapping[str, str]) -> dict[str, str]:
        flexi = {"FLEXI_COMPANY": "demo", "FLEXI_USER": "sync", "FLEXI_PASSWORD": "sync", "FLEXI_URL": urls["flexi"]}
        return {**odoo_variables(urls), **flexi}

    def begin(self, number: int) -> None:
        for one in range(number):
            self.create(one, one)

    # What people do

    def do(self, deed: Deed) -> bool:
        before = self._records()
        done = super().do(deed)
        after = self._records()
        if deed.what == "restore":
            # Versions are given a second time; whoever looks after they have overtaken the cursor cannot tell.
            self.untold |= before.keys() | after.keys()
        if not self.company.log.enabled:
            # Whoever looks after tracking is on again cannot tell either.
            self.untold |= {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
        return done

    def _records(self) -> dict[str, dict[str, str]]:
        return {str(one): self.company.record("adresar", one) or {} for one in self.company.ids("adresar")}

    def create(self, number: int, choice: int) -> None:
        self.made += 1
        fields = {**values_of(choice), "kod": f"K{self.made}", "nazev": f"{one_of(NAMES, choice)} {self.made}"}
        self.company.create("adresar", fields, unchecked=True)

    def update(self, number: int, choice: int) -> None:
        self.company.update("adresar", self._one(number), values_of(choice), unchecked=True)

    def spoil(self, number: int, choice: int) -> None:
        spoilt: Values = one_of(
            ({"email": "info(at)alfa"}, {"nazev": " "}, {"stat": "code:XX"}, {"dic": REFUSED_VAT, "stat": "code:CZ"}),
            choice,
        )
        self.company.update("adresar", self._one(number), spoilt, unchecked=True)

    def hide(self, number: int, choice: int) -> None:
        """Its validity ends, or begins again."""
        self.company.update("adresar", self._one(number), {"platiDo": one_of(("2015", "9999"), choice)})

    def delete(self, number: int, choice: int) -> None:
        self.company.delete("adresar", self._one(number))

    def begin_late(self, number: int, choice: int) -> None:
        """Somebody works for long: the version is taken now, the effect shows at the commit."""
        locked = self._one(number)
        transaction = self.company.open_transaction()
        if choice % 4 == 0:
            transaction.delete("adresar", locked)
        else:
            transaction.update("adresar", locked, values_of(choice))
        self.open[locked] = transaction

    def commit(self, number: int, choice: int) -> None:
        self.open.pop(one_of(sorted(self.open), number)).commit()

    def hold(self, number: int, choice: int) -> None:
        """From now on the feed shows nothing new."""
        self.company.hold_versions()

    def release(self, number: int, choice: int) -> None:
        self.company.release_versions()

    def documents(self, number: int, choice: int) -> None:
        """Versions pass that are none of the sync's business."""
        self.company.noise_changes(7 * choice)
        newest = self.company.log.last_assigned
        for key in [
            k for k, tx in self.open.items() if newest - min(tx._versions, default=newest) > OLDEST_TRANSACTION
        ]:
            self.open.pop(key).commit()

    def feed_otherwise(self, number: int, choice: int) -> None:
        self.flexi.change_switches({**DEFAULTS, **one_of(FEEDS, choice)})

    def track_not(self, number: int, choice: int) -> None:
        """Somebody switches tracking off; what happens then is in no feed."""
        for key in sorted(self.open):
            self.open.pop(key).commit()
        self.company.disable_changes()

    def track(self, number: int, choice: int) -> None:
        self.company.enable_changes()

    def restore(self, number: int, choice: int) -> None:
        """A backup is restored."""
        self.open.clear()
        self.company.release_versions()
        self.flexi.restore("demo", max(self.company.global_version - choice, self.first_version))

    def meddle(self, number: int, choice: int) -> None:
        """Somebody edits a partner in Odoo."""
        name, partner = one_of(self.odoo.linked(), number)
        self.odoo.write(partner, **({"active": False} if choice == 0 else {"city": f"By hand {choice}"}))
        self.touched.add(name.removeprefix("adresar_"))

    def wipe(self, number: int, choice: int) -> None:
        """Somebody deletes a partner in Odoo."""
        name, partner = one_of(self.odoo.linked(), number)
        self.odoo.unlink(partner)
        self.touched.add(name.removeprefix("adresar_"))

    def _one(self, number: int) -> int:
        """A record that no open transaction holds."""
        return one_of([one for one in self.company.ids("adresar") if one not in self.open], number)

    # What must come of it

    def settle(self) -> None:
        for key in sorted(self.open):
            self.open.pop(key).commit()
        self.company.release_versions()
        self.company.enable_changes()
        self.flexi.change_switches(DEFAULTS)

    def found(self) -> dict[str, Values]:
        names = ("name", "email", "phone", "city", "vat", "company_registry", "country", "is_company", "active")
        return {
            key.removeprefix("adresar_"): {name: values[name] for name in names}
            for key, values in self.odoo.found().items()
        }

    def picture(self) -> Picture:
        records = self._records()
        countries = {str(one): (self.company.record("stat", one) or {})["kod"] for one in self.company.ids("stat")}
        refused = {key for key, record in records.items() if is_refused(record, countries)}
        found = self.found()
        return Picture(
            wanted={key: wanted(record, countries) for key, record in records.items() if key not in refused},
            found=found,
            refused=refused,
            leftover={key for key, values in found.items() if key not in records and values["active"]},
            doubled=self.odoo.doubled(),
            touched=set(self.touched),
            untold=set(self.untold),
        )


DEFAULTS: dict[str, str | bool | int] = {
    "next_value": "next_existing",
    "global_version": "highest_visible",
    "duplicate_updates": False,
    "late_visible_every": 0,
    "changes_when_off": "empty",
    "default_order": "kod",
}


def values_of(choice: int) -> Values:
    return {
        "email": one_of(EMAILS, choice),
        "tel": " ".join(one_of(PHONES, choice // 2).split()),
        "mesto": one_of(CITIES, choice // 3),
        "stat": one_of(("code:CZ", "code:SK", ""), choice),
        "dic": "",
        "ic": one_of(("", "11111111", ""), choice // 2),
    }


def is_refused(record: Values, countries: Mapping[str, str]) -> bool:
    return (
        not record["nazev"].strip()
        or "(at)" in record["email"]
        or countries.get(record["stat"]) == "XX"
        or record["dic"] == REFUSED_VAT
    )


def wanted(record: Values, countries: Mapping[str, str]) -> Values:
    year = datetime.now(UTC).year
    return {
        "name": record["nazev"].strip(),
        "email": record["email"].strip(),
        "phone": record["tel"].strip(),
        "city": record["mesto"].strip(),
        "vat": record["dic"].strip(),
        "company_registry": record["ic"].strip(),
        "country": countries.get(record["stat"], ""),
        "is_company": record["ic"].strip() != "",
        "active": int(record["platiDo"] or 9999) >= year,
    }
