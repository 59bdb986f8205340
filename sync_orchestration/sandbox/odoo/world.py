"""The stand-in's world: one Odoo database, its users, its counts, and the calls made from tests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from ..faults import Faults
from . import state
from .access import Role, User
from .calls import Request, perform
from .database import Clock, Hook
from .demo import fill
from .errors import AccessDeniedError, Json, MissingError, Row
from .instance import Instance
from .switches import OdooSwitches
from .webhooks import body, deliver

SUPPORTED_VERSIONS = (18, 19)
SERVER_VERSIONS: dict[int, tuple[str, list[Json]]] = {
    18: ("18.0-20260203", [18, 0, 0, "final", 0, ""]),
    19: ("19.0-20260203", [19, 0, 0, "final", 0, ""]),
}


class OdooWorld(Instance):
    """Everything a running Odoo knows. Safe to use from several threads."""

    def __init__(
        self,
        version: int = 18,
        *,
        seed: int = 0,
        database: str = "odoo",
        login: str = "sync",
        password: str = "sync",  # noqa: S107 - the stand-in's well-known password
        api_key: str | None = None,
        role: Role = "administrator",
        custom_fields: Mapping[str, str] | None = None,
        switches: OdooSwitches | None = None,
        state_file: Path | None = None,
        clock: Clock | None = None,
    ) -> None:
        if version not in SUPPORTED_VERSIONS:
            raise ValueError(f"no stand-in for Odoo {version}: {SUPPORTED_VERSIONS}")
        super().__init__(
            version,
            switches=switches or OdooSwitches(),
            clock=clock or _utc_now,
            custom_fields=custom_fields,
            state_file=state_file,
        )
        self.seed = seed
        self.database = database
        self.faults = Faults(seed)
        self.users: dict[int, User] = {}
        self._add_base_users()
        self.bot = self.add_user(login, password=password, api_key=api_key, role=role)
        self.restored = state_file is not None and state_file.exists()
        if state_file is not None and state_file.exists():
            state.restore(self.db, state_file)

    @classmethod
    def demo(cls, version: int = 18, *, existing: Sequence[Row] = (), seed: int = 0, **settings: Json) -> "OdooWorld":
        """Return a world with a company and some sixty partners.

        Up to forty of the `existing` values (keys: name, company_registry, vat, ref, country_code, …) become
        partners that a sync should adopt; two of them are there twice.
        """
        world = cls(version, seed=seed, **settings)
        if not world.restored:
            fill(world.db, existing, seed)
            world.save()
        return world

    def add_user(self, login: str, *, password: str, role: Role, api_key: str | None = None, tz: str = "") -> User:
        """Add a user with a contact of its own."""
        with self.lock:
            tx = self.db.begin()
            partner_id = self.db.insert(tx, "res.partner", {"name": login, "email": f"{login}@example.com"})
            values = {"name": login, "login": login, "partner_id": partner_id, "tz": tz or False}
            uid = self.db.insert(tx, "res.users", values)
            user = User(uid, login, role, partner_id, password, api_key, tz)
            self.users[uid] = user
            return user

    def authenticate(self, login: Json, secret: Json) -> int | None:
        """Return the uid if login and password (or API key) belong together."""
        for user in self.users.values():
            if user.login == login and user.accepts(secret):
                return user.uid
        return None

    def signed_in(self, uid: Json, secret: Json) -> User:
        """Return the user, or raise as execute_kw does."""
        if not uid:
            raise AccessDeniedError
        user = self.users.get(int(uid))
        if user is None:
            raise MissingError.of("res.users", int(uid), int(uid))
        if not user.accepts(secret):
            raise AccessDeniedError
        return user

    def user_of_key(self, key: str) -> User | None:
        """Return the user whose API key this is."""
        return next((user for user in self.users.values() if user.api_key and user.api_key == key), None)

    def call(
        self,
        model: str,
        method: str,
        *args: Json,
        user: User | None = None,
        context: Mapping[str, Json] | None = None,
        started: datetime | None = None,
        **kwargs: Json,
    ) -> Json:
        """Call a method in process, as the RPC would; posts its web hooks before it returns."""
        request = Request(user or self.bot, model, method, args, kwargs, context or {})
        outcome = perform(self, request, started=started)
        outcome.deliver()
        return outcome.finish()

    def open_transaction(self) -> "OpenTransaction":
        """Begin a transaction now that commits later: its rows get today's start as write_date."""
        return OpenTransaction(self, self.db.clock())

    def add_webhook(
        self,
        model: str,
        url: str,
        *,
        fields: Sequence[str] = (),
        trigger: str = "on_create_or_write",
        trigger_fields: Sequence[str] = (),
        name: str = "Send Webhook Notification",
    ) -> Hook:
        """Register an automation rule that posts to `url`."""
        unknown = set(fields) - set(self.db.models[model].fields)
        if unknown:
            raise ValueError(f"{model} has no fields {sorted(unknown)}")
        with self.lock:
            hook_id = 300 + len(self.db.hooks)
            hook = Hook(hook_id, name, model, url, tuple(fields), trigger, tuple(trigger_fields))
            self.db.hooks.append(hook)
        return hook

    def run_webhook(self, hook: Hook, ids: Sequence[int]) -> None:
        """Run the rule's action from the menu, on chosen records: one post per record."""
        rows = self.db.tables[hook.model].rows
        self.webhook_outcomes += deliver([(hook.url, body(hook, rows[row_id])) for row_id in ids])

    def messages_of(self, model: str, row_id: int) -> list[str]:
        """Return the chatter of a record, oldest first."""
        messages = self.db.messages.values()
        return [m["body"] for m in messages if m["model"] == model and m["res_id"] == row_id]

    def summary(self) -> dict[str, Json]:
        """Return the overview that ``/_sandbox/state`` shows."""
        return {"database": self.database, "users": [u.login for u in self.users.values()], **super().summary()}

    def _add_base_users(self) -> None:
        tx = self.db.begin()
        company = {"name": "My Company", "is_company": True}
        self.db.insert(tx, "res.partner", company, external_id="base.main_partner")
        self.db.insert(tx, "res.partner", {"name": "OdooBot", "active": False}, external_id="base.partner_root")
        values = {"name": "OdooBot", "login": "__system__", "partner_id": 2, "active": False}
        self.db.insert(tx, "res.users", values, external_id="base.user_root")
        admin = self.add_user("admin", password="admin", role="administrator")  # noqa: S106 - well known
        self.db.link(tx, "base.user_admin", "res.users", admin.uid, 1)
        self.db.link(tx, "base.partner_admin", "res.partner", admin.partner_id, 1)


@dataclass
class OpenTransaction:
    """Calls that are made now and become visible only when the transaction commits."""

    world: OdooWorld
    started: datetime
    pending: list[tuple[str, str, tuple[Json, ...], dict[str, Json]]] = field(default_factory=list)

    def call(self, model: str, method: str, *args: Json, **kwargs: Json) -> None:
        """Keep a call for the commit."""
        self.pending.append((model, method, args, kwargs))

    def commit(self) -> list[Json]:
        """Make the calls with the write_date of the transaction's start; returns their results."""
        return [
            self.world.call(model, method, *args, started=self.started, **kwargs)
            for model, method, args, kwargs in self.pending
        ]


def _utc_now() -> datetime:
    return datetime.now(UTC)
