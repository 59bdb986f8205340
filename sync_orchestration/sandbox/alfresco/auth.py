"""Who is asking: Basic, ticket, or a bearer token where an identity service is configured."""

import base64
import binascii

from starlette.requests import Request

from sync_orchestration.sandbox.alfresco.errors import AuthenticationError
from sync_orchestration.sandbox.alfresco.world import AlfrescoWorld


def authenticated(world: AlfrescoWorld, request: Request) -> str:
    """The user of a request to Alfresco itself; raises `AuthenticationError`."""
    scheme, credentials = _authorization(request)
    if scheme == "bearer" and not world.switches.bearer:
        raise AuthenticationError("Authorization 'Bearer' not supported.")
    if scheme == "bearer":
        return _bearer_user(world, credentials)
    ticket = request.query_params.get("alf_ticket") or ticket_in(request)
    if ticket is not None:
        if ticket not in world.tickets:
            raise _failed(request)
        return world.tickets[ticket]
    user, _, password = _decoded(credentials).partition(":")
    if scheme != "basic" or user not in world.users or world.users[user] != password:
        raise _failed(request)
    return user


def authenticated_at_gateway(world: AlfrescoWorld, request: Request) -> str:
    """The user of a request to the Citeck gateway, which wants a bearer token."""
    scheme, credentials = _authorization(request)
    if scheme == "bearer":
        return _bearer_user(world, credentials)
    if world.switches.gateway_auth == "any":
        return authenticated(world, request)
    raise AuthenticationError("Full authentication is required to access this resource")


def ticket_in(request: Request) -> str | None:
    """The ticket that stands in the Authorization header in place of user and password."""
    scheme, credentials = _authorization(request)
    decoded = _decoded(credentials) if scheme == "basic" else ""
    ticket = decoded.removeprefix("ROLE_TICKET:")
    return ticket if ticket.startswith("TICKET_") else None


def _bearer_user(world: AlfrescoWorld, credentials: str) -> str:
    if credentials != world.bearer:
        raise AuthenticationError("The access token is not valid")
    return "service-account-sync"


def _authorization(request: Request) -> tuple[str, str]:
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    return scheme.lower(), credentials.strip()


def _decoded(credentials: str) -> str:
    try:
        return base64.b64decode(credentials, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _failed(request: Request) -> AuthenticationError:
    script = f"org/alfresco/api/ResourceWebScript.{request.method.lower()}"
    return AuthenticationError(f"Authentication failed for Web Script {script}")
