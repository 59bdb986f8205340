"""What can be said against a call or a record: one table for both interfaces, the metrics and the documentation."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of refusal of a whole call. `rpc` is its JSON-RPC code, `http` its status; `retryable`: as it is."""

    code: str
    rpc: int
    http: int
    message: str
    retryable: bool = False

    @property
    def speaks_http(self) -> bool:
        """True where even a JSON-RPC answer has this status: a proxy, a client's retry logic acts on it."""
        return self.http in (401, 408, 413, 429, 500, 503)


BAD_JSON: Final = Kind("bad_json", -32700, 400, "The body is not JSON that this service reads.")
BAD_REQUEST: Final = Kind("bad_request", -32600, 400, "This is no JSON-RPC 2.0 request.")
NO_METHOD: Final = Kind("no_method", -32601, 404, "There is no such method here.")
BAD_PARAMS: Final = Kind("bad_params", -32602, 400, "The parameters of the call are wrong.")
INTERNAL: Final = Kind(
    "internal", -32603, 500, "Something unexpected happened here. Try again, then name the incident."
)
NO_ACCESS: Final = Kind("no_access", -32001, 401, "This needs a valid token that is allowed to use this sync.")
TOO_FAST: Final = Kind("too_fast", -32002, 429, "Too many calls in a short time.", retryable=True)
OVERLOADED: Final = Kind("overloaded", -32003, 503, "Too many calls are under way.", retryable=True)
REFERENCES_UNAVAILABLE: Final = Kind(
    "references_unavailable", -32004, 503, "The target cannot be asked for related records just now.", retryable=True
)
STORAGE_UNAVAILABLE: Final = Kind(
    "storage_unavailable", -32005, 503, "The call cannot be stored just now.", retryable=True
)
TOO_LARGE: Final = Kind("too_large", -32006, 413, "The call is too large.")
TOO_SLOW: Final = Kind("too_slow", -32007, 408, "The body did not arrive in time.", retryable=True)
REFUSED: Final = Kind("records_refused", -32010, 422, "Nothing was stored, since records were refused.")
UNKNOWN_RECORD: Final = Kind("unknown_record", -32011, 404, "You have pushed no record with this key.")
NO_METHOD_FOR_ADDRESS: Final = Kind("wrong_verb", -32601, 405, "This address does not know this HTTP method.")

KINDS: Final = (
    BAD_JSON,
    BAD_REQUEST,
    NO_METHOD,
    BAD_PARAMS,
    INTERNAL,
    NO_ACCESS,
    TOO_FAST,
    OVERLOADED,
    REFERENCES_UNAVAILABLE,
    STORAGE_UNAVAILABLE,
    TOO_LARGE,
    TOO_SLOW,
    REFUSED,
    UNKNOWN_RECORD,
    NO_METHOD_FOR_ADDRESS,
)

RECORD_CODES: Final[Mapping[str, str]] = {
    "record": "The record is not an object with a key.",
    "key": "The key is missing, too long or holds characters that no key may have.",
    "operation": "The operation is not one that this sync takes.",
    "version": "The version is not a whole number from 0 to 9223372036854775807.",
    "data": "The data is missing or not an object.",
    "required": "The field must be there and say something.",
    "type": "The value is of another type than agreed.",
    "format": "The text does not have the agreed form.",
    "email": "The text is not an e-mail address.",
    "max_length": "The text is longer than agreed, or than any text may be.",
    "not_allowed": "The value is not one of those agreed.",
    "range": "The number is out of the agreed range.",
    "unknown_field": "There is no such field in this sync.",
    "unknown_reference": "The related record does not exist in the target.",
    "itself": "The record names itself as its related record.",
    "characters": "The text holds a NUL character or half of a surrogate pair.",
    "transform": "The value cannot be translated for the target.",
    "more": "The record has more errors than are listed.",
    "atomic": "The record itself is good, but the call is atomic and another record was refused.",
}
"""Why one record is refused, by code; a sync's own rules use these codes too."""


class CallError(Exception):
    """A whole call is refused. `message` is for people; `data` goes with the answer as it is (JSON)."""

    def __init__(
        self,
        kind: Kind,
        message: str | None = None,
        *,
        retry_after: float | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message or kind.message)
        self.kind = kind
        self.message = message or kind.message
        self.retry_after = retry_after
        self.data = dict(data or {})

    def details(self) -> dict[str, Any]:
        """Return what both interfaces tell beside code and message; `retry_after` in whole seconds."""
        details: dict[str, Any] = {"code": self.kind.code, "retryable": self.kind.retryable, **self.data}
        if self.retry_after is not None:
            details["retry_after"] = whole_seconds(self.retry_after)
        return details

    @property
    def headers(self) -> dict[str, str]:
        """The HTTP headers that belong to the refusal."""
        headers = {}
        if self.retry_after is not None:
            headers["Retry-After"] = str(whole_seconds(self.retry_after))
        if self.kind is NO_ACCESS:
            headers["WWW-Authenticate"] = "Bearer"
        return headers


def whole_seconds(seconds: float) -> int:
    """Round up to at least one second, which is what Retry-After can say."""
    return max(1, -int(-seconds // 1))
