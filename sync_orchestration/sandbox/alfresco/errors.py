"""The repository's own errors and how the v1 REST API maps them to a status and a body."""

import itertools
import uuid
from typing import Any

from starlette.responses import JSONResponse

_STACK_TRACE = (
    "For security reasons the stack trace is no longer displayed, but the property is kept for previous versions"
)
_log_numbers = itertools.count(5_220_001)


class RepositoryError(Exception):
    """Something that the repository refuses; the class says which status the REST API gives it."""

    status = 500
    error_key: str | None = None

    @property
    def java_class(self) -> str:
        """The class name that the Records API shows in its error messages."""
        return f"org.alfresco.{type(self).__name__}"


class InvalidArgumentError(RepositoryError):
    """400; the error key is the untranslated message itself."""

    status = 400


class NamespaceForbiddenError(RepositoryError):
    """400: the ``sys`` model cannot be written through the API."""

    status = 400
    error_key = "framework.exception.ApiDefault"


class AuthenticationError(RepositoryError):
    """401."""

    status = 401
    error_key = "framework.exception.ApiDefault"


class PermissionDeniedError(RepositoryError):
    """403."""

    status = 403
    error_key = "framework.exception.PermissionDenied"


class EntityNotFoundError(RepositoryError):
    """404."""

    status = 404
    error_key = "framework.exception.EntityNotFound"


class NodeLockedError(RepositoryError):
    """409, where WebDAV would say 423."""

    status = 409
    error_key = "framework.exception.ApiDefault"


class IntegrityError(RepositoryError):
    """422."""

    status = 422
    error_key = "framework.exception.ApiDefault"


class ReadOnlyError(RepositoryError):
    """500: the exception of a read-only repository is not in the status map."""

    error_key = "framework.exception.ApiDefault"


class QueryError(RepositoryError):
    """A query that cannot be parsed or run; the status is a switch."""

    error_key = "framework.exception.ApiDefault"


class DisabledServiceError(RepositoryError):
    """501."""

    status = 501
    error_key = "framework.exception.DisabledService"


class UnavailableError(RepositoryError):
    """503."""

    status = 503
    error_key = "framework.exception.ServiceUnavailable"


def error_response(error: RepositoryError, status: int | None = None) -> JSONResponse:
    """The error in the envelope that all v1 APIs share."""
    text = str(error)
    # The repository numbers its log entries and puts the number before the message, but not before this one.
    numbered = isinstance(error, NamespaceForbiddenError)
    body: dict[str, Any] = {
        "errorKey": error.error_key or text,
        "statusCode": status or error.status,
        "briefSummary": text if numbered else f"{next(_log_numbers):08d} {text}",
        "stackTrace": _STACK_TRACE,
        "descriptionURL": "https://api-explorer.alfresco.com",
        "logId": str(uuid.uuid4()),
    }
    headers = {"WWW-Authenticate": 'Basic realm="Alfresco"'} if error.status == 401 else None
    return JSONResponse({"error": body}, status or error.status, headers)
