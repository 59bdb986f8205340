"""One Odoo database: models, tables, external ids and names. Knows nothing of users' calls or HTTP."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from .access import User
from .data import (
    CATEGORIES,
    CONFIG_PARAMETERS,
    COUNTRIES,
    COUNTRY_EXTERNAL_NAMES,
    CURRENCIES,
    STATES,
)
from .errors import Json, Row
from .models import PARTNER_TYPES, Model, build_models
from .switches import OdooSwitches
from .table import Table, Transaction

_TYPE_LABELS = dict(PARTNER_TYPES)


class Clock(Protocol):
    """Says the time, in UTC."""

    def __call__(self) -> datetime: ...


@dataclass(frozen=True)
class Hook:
    """An outgoing web hook: an automation rule whose action posts to a URL."""

    hook_id: int
    name: str
    model: str
    url: str
    fields: tuple[str, ...]
    trigger: str
    trigger_fields: tuple[str, ...]


class Database:
    """Tables of one Odoo database with the master data every database has."""

    def __init__(self, version: int, switches: OdooSwitches, clock: Clock, custom: Mapping[str, str] | None) -> None:
        self.version = version
        self.switches = switches
        self.clock = clock
        self.hooks: list[Hook] = []
        self.models: dict[str, Model] = build_models(version, switches.languages, custom)
        if version >= 19:
            del self.models["res.partner.title"]
        self.tables = {name: Table(model.indexed) for name, model in self.models.items()}
        self.messages: dict[int, Row] = {}
        self._fill()

    def begin(self, started: datetime | None = None) -> Transaction:
        """Start a transaction; its start is the write_date of all it writes."""
        moment = started or self.clock() - timedelta(seconds=self.switches.transaction_seconds)
        # A start on a whole second would hide that write_date is stored finer than it is returned.
        moment = moment.replace(microsecond=moment.microsecond or 1)
        return Transaction(self.tables, moment.strftime("%Y-%m-%d %H:%M:%S.%f"))

    def row(self, model: str, row_id: int) -> Row | None:
        return self.tables[model].rows.get(row_id)

    def display_name(self, model: str, row_id: Json) -> str:
        """Return the name under which a record is shown in other records."""
        row = self.tables[model].rows.get(row_id) if model in self.tables else None
        if row is None:
            return f"{model},{row_id}"
        if model in ("res.partner", "ir.model.data"):
            return str(row["complete_name"] or "")
        if model == "res.partner.category" and row["parent_id"]:
            return f"{self.display_name(model, row['parent_id'])} / {row['name']}"
        if model == "res.country.state":
            country = self.row("res.country", row["country_id"]) or {}
            return f"{row['name']} ({country.get('code', '')})"
        return str(row["key"] if model == "ir.config_parameter" else row["name"])

    def complete_name(self, row: Row) -> str:
        """Return a partner's stored full name: a contact is shown after its company."""
        name = str(row["name"] or "")
        parent = self.row("res.partner", row["parent_id"]) if row["parent_id"] else None
        if parent is None:
            return name
        if not name and row["type"] != "contact":
            name = _TYPE_LABELS.get(row["type"], "")
        return name if row["is_company"] else f"{parent['name']}, {name}"

    def external_id(self, module: str, name: str) -> Row | None:
        """Return the ir.model.data row of an external id."""
        table = self.tables["ir.model.data"]
        found = [i for i in table.find("complete_name", [f"{module}.{name}"]) if table.rows[i]["module"] == module]
        return table.rows[found[0]] if found else None

    def external_ids_of(self, model: str, row_id: int) -> list[Row]:
        """Return the ir.model.data rows that point to a record."""
        table = self.tables["ir.model.data"]
        return [table.rows[i] for i in table.find("res_id", [row_id]) if table.rows[i]["model"] == model]

    def new_row(self, model: str, tx: Transaction, uid: int, values: Row) -> Row:
        """Return a complete row with defaults and log fields, under a fresh id. It is not stored yet."""
        definition = self.models[model]
        row: Row = {
            one.name: one.empty if one.default is None else one.default
            for one in definition.fields.values()
            if one.stored
        }
        row |= values
        row["id"] = self.tables[model].take_id()
        row |= {"create_uid": uid, "write_uid": uid, "create_date": tx.started, "write_date": tx.started}
        return row

    def insert(self, tx: Transaction, model: str, values: Row, *, external_id: str = "", uid: int = 1) -> int:
        """Store a record without rights or constraints, as the installation of a module does."""
        row = self.new_row(model, tx, uid, values)
        if model == "res.partner":
            row["complete_name"] = self.complete_name(row)
        tx.put(model, row["id"], row)
        if external_id:
            self.link(tx, external_id, model, row["id"], uid)
        return int(row["id"])

    def link(self, tx: Transaction, external_id: str, model: str, row_id: int, uid: int) -> None:
        """Store an external id for a record."""
        module, name = external_id.split(".", 1)
        values = {"module": module, "name": name, "complete_name": external_id, "model": model, "res_id": row_id}
        row = self.new_row("ir.model.data", tx, uid, values)
        tx.put("ir.model.data", row["id"], row)

    def add_message(self, model: str, row_id: int, body: str, uid: int) -> int:
        """Store a chatter message; returns its id."""
        message_id = len(self.messages) + 1
        self.messages[message_id] = {"id": message_id, "model": model, "res_id": row_id, "body": body, "uid": uid}
        return message_id

    def _fill(self) -> None:
        tx = self.begin()
        for code, name in COUNTRIES:
            external = COUNTRY_EXTERNAL_NAMES.get(code, code.lower())
            self.insert(tx, "res.country", {"code": code, "name": name}, external_id=f"base.{external}")
        for country, code, name in STATES:
            values = {
                "code": code,
                "name": name,
                "country_id": self.tables["res.country"].find("code", [country])[0],
            }
            external = f"base.state_{country.lower()}_{code.lower()}"
            self.insert(tx, "res.country.state", values, external_id=external)
        for name, symbol, active in CURRENCIES:
            values = {"name": name, "symbol": symbol, "active": active}
            self.insert(tx, "res.currency", values, external_id=f"base.{name}")
        for number, name in enumerate(CATEGORIES):
            self.insert(tx, "res.partner.category", {"name": name}, external_id=f"base.res_partner_category_{number}")
        for key, value in CONFIG_PARAMETERS:
            self.insert(tx, "ir.config_parameter", {"key": key, "value": value})
        for model in self.models.values():
            self.insert(tx, "ir.model", {"model": model.name, "name": model.description})


@dataclass(frozen=True)
class Env:
    """What a statement runs with: database, user, context and transaction."""

    db: Database
    user: User
    tx: Transaction
    context: Mapping[str, Json] = field(default_factory=dict)
    loses_race: bool = False

    @property
    def active_test(self) -> bool:
        return bool(self.context.get("active_test", True))

    @property
    def tracking(self) -> bool:
        return not self.context.get("tracking_disable")

    def model(self, name: str) -> Model:
        return self.db.models[name]
