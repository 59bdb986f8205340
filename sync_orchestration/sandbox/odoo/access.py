"""Who may do what: users, access rights per model, the portal's record rule, and the texts of refusals."""

from dataclasses import dataclass, field
from typing import Literal

from .errors import AccessError
from .switches import Operation

Role = Literal["administrator", "access_rights", "contact_manager", "internal", "portal"]

_CONTACT_MODELS = ("res.partner", "res.partner.category", "res.partner.title", "res.country", "res.country.state")
_PUBLIC_MODELS = ("res.partner", "res.country", "res.country.state", "res.currency")
_INTERNAL_MODELS = (*_CONTACT_MODELS, "res.currency", "res.users")
_ACCESS_MODELS = ("ir.model.data", "res.users")

_HEADS: dict[Operation, str] = {
    "read": "You are not allowed to access '%s' (%s) records.",
    "write": "You are not allowed to modify '%s' (%s) records.",
    "create": "You are not allowed to create '%s' (%s) records.",
    "unlink": "You are not allowed to delete '%s' (%s) records.",
}

GROUPS: dict[Role, frozenset[str]] = {
    "administrator": frozenset(
        {"base.group_user", "base.group_partner_manager", "base.group_erp_manager", "base.group_system"}
    ),
    "access_rights": frozenset({"base.group_user", "base.group_partner_manager", "base.group_erp_manager"}),
    "contact_manager": frozenset({"base.group_user", "base.group_partner_manager"}),
    "internal": frozenset({"base.group_user"}),
    "portal": frozenset({"base.group_portal"}),
}


@dataclass(frozen=True)
class User:
    """A user that may sign in."""

    uid: int
    login: str
    role: Role
    partner_id: int
    password: str = field(repr=False)
    api_key: str | None = field(default=None, repr=False)
    tz: str = ""

    def accepts(self, secret: object) -> bool:
        """Tell whether `secret` is the password or the API key; RPC takes either."""
        return bool(secret) and secret in (self.password, self.api_key)


def permitted(user: User, model: str, operation: Operation) -> bool:
    """Tell whether the user's groups give the right."""
    if user.role == "administrator" or (user.role == "access_rights" and model in _ACCESS_MODELS):
        return True
    if operation == "read":
        return model in (_PUBLIC_MODELS if user.role == "portal" else _INTERNAL_MODELS)
    return user.role in ("contact_manager", "access_rights") and model in _CONTACT_MODELS


def refusal(model: str, description: str, operation: Operation, version: int) -> AccessError:
    """Return the error of a missing right, worded as ir.model.access does."""
    groups = [_group_name(model, version)]
    if operation == "read" and model in _INTERNAL_MODELS:
        groups = ["User types/Internal User", *(["User types/Portal"] if model in _PUBLIC_MODELS else [])]
    listed = "\n".join(f"\t- {group}" for group in groups)
    return AccessError(
        f"{_HEADS[operation] % (description, model)}\n\n"
        f"This operation is allowed for the following groups:\n{listed}\n\n"
        "Contact your administrator to request access if necessary."
    )


def hidden_record(
    description: str, model: str, operation: Operation, user: User, record_name: str, row_id: int
) -> AccessError:
    """Return the error of a record rule, in Odoo's own jocular words."""
    return AccessError(
        "Uh-oh! Looks like you have stumbled upon some top-secret records.\n\n"
        f"Sorry, {user.login} (id={user.uid}) doesn't have '{operation}' access to:\n"
        f"- {description}, {record_name} ({model}: {row_id})\n\n"
        "If you really, really need access, perhaps you can win over your friendly administrator "
        "with a batch of freshly baked cookies."
    )


def _group_name(model: str, version: int) -> str:
    if model in _CONTACT_MODELS:
        return "Extra Rights/Contact Creation" if version < 19 else "Contact/Contact Creation"
    return "Administration/Settings" if model == "ir.config_parameter" else "Administration/Access Rights"
