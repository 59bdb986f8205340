"""The JSON-2 transport of 19.0: POST /json/2/<model>/<method> with a bearer key."""

import json

from .access import User
from .calls import Request
from .errors import BadRequestError, Json, UnauthorizedError
from .world import OdooWorld


def request_of(world: OdooWorld, model: str, method: str, authorization: str, body: bytes) -> Request:
    """Return the call that an HTTP request stands for."""
    user = _user(world, authorization)
    try:
        named = json.loads(body or b"{}")
    except ValueError as error:
        raise BadRequestError(f"could not parse the body as json: {error}") from error
    if not isinstance(named, dict):
        raise BadRequestError("could not parse the body, expecting a json object")
    ids: Json = named.pop("ids", ())
    context = named.pop("context", None) or {}
    return Request(user, model, method, (), named, context, ids, json2=True)


def database_of(world: OdooWorld, header: str | None) -> str | None:
    """Return the database the request is for; None where it names none of several, or an unknown one."""
    databases = [world.database, *world.switches.other_databases]
    if header is None:
        return databases[0] if len(databases) == 1 else None
    return header if header in databases else None


def _user(world: OdooWorld, authorization: str) -> User:
    scheme, _, key = authorization.partition(" ")
    if scheme.lower() != "bearer" or not key:
        raise UnauthorizedError("User not authenticated, use an API Key with a Bearer Authorization header.")
    user = world.user_of_key(key.strip())
    if user is None:
        raise UnauthorizedError("Invalid apikey")
    return user
