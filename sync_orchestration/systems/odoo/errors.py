"""What an error of Odoo means for us: whose fault it is, and what to tell people.

Odoo names the Python exception in every error body, on both RPC dialects; its texts are translated, so only the
name decides. Measured on 18.0 and 19.0.
"""

from collections.abc import Callable
from typing import Any

from sync_orchestration.pipeline.errors import SyncError

RECORD_FAULTS = frozenset(
    {
        "odoo.exceptions.ValidationError",
        "odoo.exceptions.UserError",
        "odoo.exceptions.MissingError",
        "odoo.exceptions.RedirectWarning",
    }
)
"""Exceptions about the data of a call: the record's fault, as long as the call names records."""

_PASSING = ("psycopg2.", "psycopg.", "odoo.exceptions.ConcurrencyError", "odoo.exceptions.LockError")
_RIGHTS = frozenset({"odoo.exceptions.AccessError", "odoo.exceptions.AccessDenied"})
_LOGIN = frozenset({"odoo.exceptions.AccessDenied", "werkzeug.exceptions.Unauthorized"})


class OdooError(SyncError):
    """A call that Odoo refused.

    `name` is the exception's dotted name, `message` Odoo's text without traceback, `status` that of the HTTP answer.
    """

    def __init__(self, name: str, message: str, call: str, status: int = 200) -> None:
        super().__init__(f"Odoo refused {call}: {message}")
        self.name = name
        self.message = message
        self.status = status

    @property
    def is_record_fault(self) -> bool:
        """True when the data of the call was refused."""
        return self.name in RECORD_FAULTS

    @property
    def is_about_missing(self) -> bool:
        """True when a record of the call does not exist any more."""
        return self.name == "odoo.exceptions.MissingError"

    @property
    def is_passing(self) -> bool:
        """True when the database behind Odoo was busy or short of connections."""
        return self.name.startswith(_PASSING) and "does not exist" not in self.message

    @property
    def is_about_rights(self) -> bool:
        """True when the user lacks a right on the model, or a record rule keeps it from the record."""
        return self.name in _RIGHTS

    @property
    def code(self) -> str:
        """The code of a record that is refused with this error alone."""
        return "forbidden" if self.is_about_rights else "refused"

    @property
    def is_about_login(self) -> bool:
        """True when the user, the password or the key is wrong."""
        return self.name in _LOGIN


def error_from_body(body: Any, call: str, masked: Callable[[str], str], status: int = 200) -> OdooError:
    """Build the error from an error body: JSON-RPC's `error.data`, or the whole body in JSON-2.

    The traceback in `debug` is left out on purpose; `masked` takes secrets out of the text.
    """
    told = body if isinstance(body, dict) else {"message": body}
    name = str(told.get("name") or "unknown")
    message = " ".join(str(told.get("message") or name).split())
    return OdooError(name, masked(message), call, status)
