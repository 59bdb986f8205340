"""The JSON-RPC transport: /jsonrpc with the services common, object and db."""

import json
from collections.abc import Sequence

from .calls import Outcome, Request, perform
from .costs import AUTHENTICATE_SECONDS
from .errors import Json, NoSuchDatabaseError, NoSuchServiceError, OdooError, PythonError, Row
from .faulttext import body_of
from .world import SERVER_VERSIONS, OdooWorld


class JsonRpcAnswer:
    """Builds the envelope: result or error, and for None neither of them."""

    def __init__(self, world: OdooWorld, request_id: Json) -> None:
        self._world = world
        self._envelope: Row = {"jsonrpc": "2.0", "id": request_id}

    def result(self, value: Json) -> bytes:
        envelope = self._envelope if value is None else {**self._envelope, "result": value}
        return json.dumps(envelope).encode()

    def error(self, error: OdooError) -> bytes:
        fault = {
            "code": 200 if self._world.version < 19 else 0,
            "message": "Odoo Server Error",
            "data": body_of(error, self._world.version),
        }
        return json.dumps({**self._envelope, "error": fault}).encode()


def dispatch(world: OdooWorld, params: Row) -> tuple[Json, float] | Outcome:
    """Serve one call; a model method gives its outcome, the rest a result and its cost in seconds."""
    try:
        service, method, args = params["service"], params["method"], params["args"]
    except (KeyError, TypeError) as error:
        raise PythonError(TypeError("OdooJsonRPC.jsonrpc() missing required arguments")) from error
    if service == "common":
        return _common(world, method, args)
    if service == "db":
        return _databases(world, method)
    if service != "object":
        raise NoSuchServiceError(f"'{service}'")
    return perform(world, _request(world, method, args))


def _common(world: OdooWorld, method: str, args: Sequence[Json]) -> tuple[Json, float]:
    world.calls[f"common.{method}"] += 1
    if method == "version":
        version, info = SERVER_VERSIONS[world.version]
        serie = f"{world.version}.0"
        answer = {
            "server_version": version,
            "server_version_info": info,
            "server_serie": serie,
            "protocol_version": 1,
        }
        return answer, 0.0
    if method not in ("authenticate", "login"):
        raise OdooError(f"Method not found: {method}")
    _check_database(world, args[0])
    uid = world.authenticate(args[1], args[2])
    switches = world.switches
    return uid or False, AUTHENTICATE_SECONDS * switches.cost_scale if switches.simulate_costs else 0.0


def _databases(world: OdooWorld, method: str) -> tuple[Json, float]:
    if method != "list":
        raise OdooError(f"Method not found: {method}")
    return [world.database, *world.switches.other_databases], 0.0


def _request(world: OdooWorld, method: str, args: Sequence[Json]) -> Request:
    if method not in ("execute_kw", "execute"):
        raise OdooError(f"Method not available {method}")
    try:
        database, uid, secret, model, name = args[:5]
    except ValueError as error:
        raise PythonError(error) from error
    _check_database(world, database)
    user = world.signed_in(uid, secret)
    if method == "execute":
        return Request(user, model, name, args[5:])
    positional = args[5] if len(args) > 5 else []
    named = dict(args[6] or {}) if len(args) > 6 else {}
    if name == "create" and not positional:
        # odoo/api.py, call_kw: the first positional argument decides whether an id or a list is answered.
        raise PythonError(IndexError("list index out of range"))
    return Request(user, model, name, positional, named, named.pop("context", None) or {})


def _check_database(world: OdooWorld, name: Json) -> None:
    if name not in (world.database, *world.switches.other_databases):
        raise NoSuchDatabaseError(
            'connection to server on socket "/var/run/postgresql/.s.PGSQL.5432" failed: '
            f'FATAL:  database "{name}" does not exist\n'
        )
