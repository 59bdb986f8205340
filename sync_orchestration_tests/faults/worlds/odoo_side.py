"""An Odoo as a target: who is linked, what is there twice, and what a person does to it by hand."""

from collections.abc import Mapping
from typing import Any

from sync_orchestration.sandbox.odoo import OdooWorld
from sync_orchestration_tests.faults.worlds.base import Values

KEY = "key-of-odoo"
FIELDS = ("name", "email", "phone", "city", "vat", "company_registry", "street", "zip", "is_company", "active")


def odoo_variables(urls: Mapping[str, str]) -> dict[str, str]:
    """The environment in which the connection to Odoo leads to the one of a world."""
    return {"ODOO_URL": urls["odoo"], "ODOO_DATABASE": "odoo", "ODOO_USER": "sync", "ODOO_API_KEY": KEY}


class OdooSide:
    """Partners that a sync makes, under external ids of `module`."""

    def __init__(self, version: int, module: str) -> None:
        self.world = OdooWorld(version, api_key=KEY)
        self.module = module
        self.before: set[int] = set()
        self.begin()

    def begin(self) -> None:
        """Everything that is there now belongs to somebody else."""
        self.before = set(self.rows())

    def rows(self) -> dict[int, dict[str, Any]]:
        with self.world.lock:
            return dict(self.world.db.tables["res.partner"].rows)

    def links(self) -> list[tuple[str, int]]:
        """External id and partner of each link of the sync."""
        with self.world.lock:
            data = list(self.world.db.tables["ir.model.data"].rows.values())
        return [(str(row["name"]), int(row["res_id"])) for row in data if row["module"] == self.module]

    def found(self) -> dict[str, Values]:
        """What each linked partner holds; texts as Odoo tells them, "" for an empty one."""
        rows = self.rows()
        return {name: self._values(rows[number]) for name, number in self.links() if number in rows}

    def doubled(self) -> list[str]:
        """Partners with two external ids, external ids with two partners, and partners that nobody knows."""
        links, rows = self.links(), self.rows()
        names, numbers = [name for name, _ in links], [number for _, number in links]
        twice = [f"external id {name}" for name in set(names) if names.count(name) > 1]
        twice += [f"partner {number} of {names}" for number in set(numbers) if numbers.count(number) > 1]
        return twice + [f"partner {n} {rows[n]['name']!r}" for n in sorted(rows.keys() - self.before - set(numbers))]

    def linked(self) -> list[tuple[str, int]]:
        return [(name, number) for name, number in sorted(self.links()) if number in self.rows()]

    def write(self, number: int, **values: Any) -> None:
        self.world.call("res.partner", "write", [number], values)

    def unlink(self, number: int) -> None:
        self.world.call("res.partner", "unlink", [number])

    def country(self, code: str) -> int | bool:
        found = self.world.db.tables["res.country"].find("code", [code]) if code else []
        return int(found[0]) if found else False

    def _values(self, row: dict[str, Any]) -> Values:
        country = self.world.db.row("res.country", row["country_id"]) if row["country_id"] else None
        texts: Values = {name: row[name] if isinstance(row[name], bool) else str(row[name] or "") for name in FIELDS}
        empty = {name: "" for name in FIELDS if name not in ("is_company", "active") and not row[name]}
        parent = {number: name for name, number in self.links()}.get(row["parent_id"] or 0, "")
        return {**texts, **empty, "country": country["code"] if country else "", "parent": parent}
