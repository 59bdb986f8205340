"""Calls methods of Odoo's models: by JSON-RPC up to 18, by JSON-2 from 19 on, with the same arguments."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

from sync_orchestration.pipeline.errors import ConfigurationError, UnavailableError
from sync_orchestration.systems.http import HttpClient
from sync_orchestration.systems.odoo.errors import OdooError, error_from_body

Dialect = Literal["auto", "json-rpc", "json-2"]
_WRITING = ("read", "create", "write")


class _Caller(Protocol):
    def call(
        self, model: str, method: str, ids: Sequence[int] | None, arguments: Mapping[str, Any], *, repeatable: bool
    ) -> Any: ...


class OdooClient:
    """One database of an Odoo server, as one user. `secret` is a password or an API key.

    The dialect is found out with the first call, unless it is named: a server that answers ``/web/version`` speaks
    JSON-2 (19.0 and later, measured).
    """

    def __init__(self, http: HttpClient, database: str, user: str, secret: str, dialect: Dialect = "auto") -> None:
        self.http = http
        self.database = database
        self.user = user
        self._secret = secret
        self._dialect = dialect
        self._caller: _Caller | None = None
        self._lock = threading.Lock()
        self._fields: dict[str, dict[str, dict[str, Any]]] = {}
        self._allowed: set[str] = set()
        self._sound: set[str] = set()

    def call(
        self,
        model: str,
        method: str,
        ids: Sequence[int] | None = None,
        *,
        repeatable: bool = True,
        **arguments: Any,
    ) -> Any:
        """Call a method with named arguments; `ids` are the records that it is called on, None for a model method.

        `repeatable` False is for calls whose effect would double if a lost answer made them be sent again.
        Raises OdooError when Odoo refuses the call, other SyncErrors when it cannot be reached or used.
        """
        try:
            return self._connected().call(model, method, ids, arguments, repeatable=repeatable)
        except OdooError as error:
            self._refuse_broken_access(error)
            if error.is_passing:
                raise UnavailableError(f"Odoo's database could not serve {model}.{method}: {error.message}") from None
            raise

    def create(self, model: str, vals_list: Sequence[Mapping[str, Any]]) -> list[int]:
        """Create records, as many as there are dicts of values; returns their ids. Raises as `call` does."""
        made = self.call(model, "create", vals_list=list(vals_list), repeatable=False)
        if not isinstance(made, list) or len(made) != len(vals_list) or not all(isinstance(one, int) for one in made):
            raise UnavailableError(f"Odoo answered {model}.create with something that is no list of their ids.")
        return made

    def change(self, model: str, method: str, ids: Sequence[int], **arguments: Any) -> None:
        """Call a method that changes records and returns nothing but that it did. Raises as `call` does."""
        done = self.call(model, method, ids, **arguments)
        # None: a module that overrides the method may have forgotten to return what it was told.
        if done is not True and done is not None:
            raise UnavailableError(f"Odoo answered {model}.{method} with something else than that it was done.")

    def fields(self, model: str) -> dict[str, dict[str, Any]]:
        """Return name → {type, relation, string} of the model's fields in this Odoo; asked once.

        Raises ConfigurationError for a model that is not there, or not for this user.
        """
        if model not in self._fields:
            attributes = ["type", "relation", "string", "readonly", "required"]
            try:
                found = self.call(model, "fields_get", attributes=attributes)
            except OdooError as error:
                raise self.refused_reading(model, error) from None
            if not isinstance(found, dict) or not all(isinstance(f, dict) and "type" in f for f in found.values()):
                raise UnavailableError(f"Odoo answered {model}.fields_get with something that describes no fields.")
            self._fields[model] = found
        return self._fields[model]

    def refused_reading(self, model: str, error: OdooError) -> ConfigurationError:
        """Return what a person has to correct when Odoo refuses to read a model at all."""
        what = f"The Odoo user {self.user} may not read" if error.is_about_rights else "Odoo refuses to read"
        return ConfigurationError(f"{what} {model}: {error.message}")

    def check(self, models: Sequence[str]) -> str:
        """Try the connection and the rights on `models` with harmless calls; returns a sentence. Raises SyncError."""
        for model in models:
            self._require_rights(model)
        return f"database {self.database}, {type(self._connected()).__name__.strip('_')}"

    def refuse_without_rights(self, model: str, operations: Sequence[str] = _WRITING) -> None:
        """Raise ConfigurationError when the user may not do this with `model` at all; asked until it may.

        `load` reports a missing right once for each row, in the user's language, as if the rows were wrong; and a
        record rule refuses single records with the error of a missing right.
        """
        known = f"{model} {operations}"
        if known not in self._allowed:
            self._require_rights(model, operations)
            self._allowed.add(known)

    def refuse_broken_context(self, model: str, context: Mapping[str, Any]) -> None:
        """Raise ConfigurationError when Odoo refuses any call with this context, an unknown language for one.

        It says so as if the data of the call were wrong; a call without data tells the two apart, once.
        """
        known = f"{model} {dict(context)}"
        if known in self._sound:
            return
        try:
            self.call(model, "fields_get", allfields=["id"], attributes=["type"], context=dict(context))
        except OdooError as error:
            raise ConfigurationError(
                f"Odoo refuses every call with the context of this sync: {error.message}. Check target.context in its "
                "YAML."
            ) from None
        self._sound.add(known)

    def _require_rights(self, model: str, operations: Sequence[str] = _WRITING) -> None:
        for operation in operations:
            if not self.call(model, "check_access_rights", operation=operation, raise_exception=False):
                raise ConfigurationError(
                    f"The Odoo user {self.user} may not {operation} {model}. Give it the right "
                    "(for contacts: Contact Creation)."
                )

    def _connected(self) -> _Caller:
        with self._lock:
            if self._caller is None:
                self._caller = self._connect()
            return self._caller

    def _connect(self) -> _Caller:
        if self._dialect == "json-2" or (self._dialect == "auto" and self._answers_web_version()):
            modern = _Json2(self.http, self.database, self._secret)
            if self._dialect == "json-2" or modern.accepts_secret():
                return modern
        # Also for 19 with a password: JSON-2 takes API keys only, JSON-RPC takes both.
        return _JsonRpc(self.http, self.database, self.user, self._secret)

    def _answers_web_version(self) -> bool:
        """Ask for the page that 19 brought; a server without it may also redirect, to its choice of databases."""
        try:
            answer = self.http.send("GET", "/web/version")
        except ConfigurationError:
            return False
        # A page instead of JSON is that of a proxy or a login form, and tells nothing of the version.
        return answer.status == 200 and answer.content_type.endswith("json")

    def _refuse_broken_access(self, error: OdooError) -> None:
        """Raise ConfigurationError for what no record can be blamed for."""
        if error.is_about_login:
            raise ConfigurationError(
                f"Odoo refuses the user {self.user} or its password or API key: check ODOO_USER and ODOO_API_KEY. "
                "(Interactive API keys of Odoo 19 end after three months at the latest.)"
            ) from None
        if "does not exist" in error.message and error.name.endswith("OperationalError"):
            raise ConfigurationError(f"Odoo has no database {self.database!r}: check ODOO_DATABASE.") from None


class _JsonRpc:
    """The dialect of Odoo 18 and before (deprecated, but still there, in 19). Every refusal has HTTP status 200."""

    def __init__(self, http: HttpClient, database: str, user: str, secret: str) -> None:
        self._http = http
        self._database = database
        self._secret = secret
        # Measured: authenticate costs 0.7 s of CPU in Odoo, so it is asked once and the uid kept.
        uid = self._request("common", "authenticate", [database, user, secret, {}], "authenticate", repeatable=True)
        if not uid:
            raise ConfigurationError(
                f"Odoo refuses the user {user} or its password or API key: check ODOO_USER and ODOO_API_KEY."
            )
        self._uid = uid

    def call(
        self, model: str, method: str, ids: Sequence[int] | None, arguments: Mapping[str, Any], *, repeatable: bool
    ) -> Any:
        named = dict(arguments)
        positional: list[Any] = [] if ids is None else [list(ids)]
        if method == "create":
            # Odoo looks at its first positional argument to shape the answer (odoo/api.py, call_kw).
            positional.append(named.pop("vals_list"))
        parameters = [self._database, self._uid, self._secret, model, method, positional, named]
        return self._request("object", "execute_kw", parameters, f"{model}.{method}", repeatable=repeatable)

    def _request(self, service: str, method: str, args: list[Any], call: str, *, repeatable: bool) -> Any:
        body = {
            "jsonrpc": "2.0",
            "method": "call",
            "id": 1,
            "params": {"service": service, "method": method, "args": args},
        }
        answer, reply = self._http.send_json("POST", "/jsonrpc", json_body=body, repeatable=repeatable)
        if answer.status in (404, 405):
            raise ConfigurationError(
                f"There is no Odoo at {self._http.settings.shown_url}, or its RPC is switched off "
                f"({answer.status}): check ODOO_URL."
            )
        if answer.status != 200 or not isinstance(reply, dict):
            raise UnavailableError(f"Odoo answered {call} with status {answer.status}: {self._http.quote(answer.body)}")
        error = reply.get("error")
        if error:
            data = error.get("data") if isinstance(error, dict) else None
            raise error_from_body(data or {"message": str(error)}, call, self._http.masked)
        # A method that returns None answers with neither result nor error, but it answers (measured).
        if not reply.keys() & {"jsonrpc", "id", "result"}:
            raise UnavailableError(
                f"Odoo answered {call} with something that is no reply of JSON-RPC: {self._http.quote(answer.body)}"
            )
        return reply.get("result")


class _Json2:
    """The dialect of Odoo 19 and later: one URL a method, a bearer key, real HTTP statuses."""

    def __init__(self, http: HttpClient, database: str, key: str) -> None:
        self._http = http
        self._headers = {"Authorization": f"Bearer {key}", "X-Odoo-Database": database}

    def accepts_secret(self) -> bool:
        """Tell whether the secret is an API key of this database."""
        try:
            self.call("res.users", "context_get", None, {}, repeatable=True)
        except OdooError as error:
            return not error.is_about_login
        return True

    def call(
        self, model: str, method: str, ids: Sequence[int] | None, arguments: Mapping[str, Any], *, repeatable: bool
    ) -> Any:
        body = dict(arguments) if ids is None else {"ids": list(ids), **arguments}
        call = f"{model}.{method}"
        answer, reply = self._http.send_json(
            "POST", f"/json/2/{model}/{method}", json_body=body, headers=self._headers, repeatable=repeatable
        )
        if answer.status == 200:
            return reply
        if isinstance(reply, dict):
            raise error_from_body(reply, call, self._http.masked, answer.status)
        if answer.status == 404:
            # Measured: an unknown or unnamed database is a 404 with an HTML body.
            raise ConfigurationError(
                f"Odoo at {self._http.settings.shown_url} does not know the database named by ODOO_DATABASE, "
                f"or has no {call} (404)."
            )
        raise UnavailableError(self._http.not_json(answer))
