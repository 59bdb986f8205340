"""JSON-RPC 2.0 (jsonrpc.org/specification, 2013-01-04): single calls, batches, notifications."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sync_orchestration.intake.incidents import incident
from sync_orchestration.intake.kinds import BAD_PARAMS, BAD_REQUEST, NO_METHOD, CallError
from sync_orchestration.intake.service import Caller, Service

_VERSION = "2.0"
_MISSING: Final = object()
_UNKNOWN = "unknown"

PARAMETERS: Final[Mapping[str, tuple[str, ...]]] = {
    "records.push": ("sync", "records", "atomic"),
    "records.status": ("sync", "key", "keys"),
    "records.schema": ("sync",),
}
"""The methods with the names of their parameters, in the order in which a list of them is read."""


@dataclass(frozen=True, slots=True)
class RpcAnswer:
    """What goes back: a response or a list of them (None: nothing, for there were notifications only)."""

    body: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Dispatcher:
    """Answers the parsed body of one HTTP request."""

    service: Service

    def answer(self, caller: Caller, body: Any) -> RpcAnswer:
        """Make all calls of a body, one after the other. Never raises for what is in it."""
        if not isinstance(body, list):
            return self._single(caller, body)
        if not body:
            return failed(CallError(BAD_REQUEST, "The batch is empty."))
        if len(body) > self.service.limits.calls:
            return failed(CallError(BAD_REQUEST, f"A batch holds at most {self.service.limits.calls} calls."))
        answers = [self._single(caller, one).body for one in body]
        told = [one for one in answers if one is not None]
        return RpcAnswer(told) if told else RpcAnswer(None, 204)

    def _single(self, caller: Caller, request: Any) -> RpcAnswer:
        if (complaint := _malformed(request)) is not None:
            self.service.metrics.refused(_UNKNOWN, BAD_REQUEST.code)
            return failed(CallError(BAD_REQUEST, complaint), _id_of(request))
        wants_answer = "id" in request
        try:
            result = self._call(caller, request["method"], request.get("params", {}))
        except CallError as error:
            return failed(error, request["id"]) if wants_answer else RpcAnswer(None, 204)
        if not wants_answer:
            return RpcAnswer(None, 204)
        return RpcAnswer({"jsonrpc": _VERSION, "result": result, "id": request["id"]})

    def _call(self, caller: Caller, method: str, params: Any) -> Any:
        names = PARAMETERS.get(method)
        with self.service.metrics.measured(_UNKNOWN if names is None else method):
            if names is None:
                raise CallError(NO_METHOD, f"There is no such method; there are {', '.join(PARAMETERS)}.")
            given = _named(params, names)
            try:
                return self._result(caller, method, given)
            except CallError:
                raise
            except Exception as error:  # nothing that happens to one call may reach the others of a batch
                raise incident(error) from error

    def _result(self, caller: Caller, method: str, given: dict[str, Any]) -> Any:
        sync, service = given.get("sync"), self.service
        match method:
            case "records.push":
                atomic = given.get("atomic", False)
                return service.push(caller, sync, given.get("records"), atomic=atomic).as_json()
            case "records.schema":
                return service.schema(caller, sync)
            case _ if given.get("key") is None:
                return {"records": service.status(caller, sync, given.get("keys"))}
            case _ if given.get("keys") is None:
                return service.status_of_one(caller, sync, given["key"])
            case _:
                raise CallError(BAD_PARAMS, "Ask by key or by keys, not by both.")


def failed(error: CallError, request_id: Any = None) -> RpcAnswer:
    """Return the response to a call that is refused; `request_id` None where it is not known."""
    told = {"code": error.kind.rpc, "message": error.message, "data": error.details()}
    status = error.kind.http if error.kind.speaks_http else 200
    return RpcAnswer({"jsonrpc": _VERSION, "error": told, "id": request_id}, status, error.headers)


def calls_in(body: Any) -> int:
    """Return how many calls a body makes."""
    return max(1, len(body)) if isinstance(body, list) else 1


def _malformed(request: Any) -> str | None:
    if not isinstance(request, dict):
        return "A request is an object."
    if request.get("jsonrpc") != _VERSION:
        return 'A request has "jsonrpc": "2.0".'
    if not isinstance(request.get("method"), str):
        return "A request has a method, which is a text."
    if "id" in request and not _is_id(request["id"]):
        return "An id is a text, a number or null."
    if not isinstance(request.get("params", {}), dict | list):
        return "Params are an object or a list."
    return None


def _is_id(value: Any) -> bool:
    return value is None or (isinstance(value, str | int | float) and not isinstance(value, bool))


def _id_of(request: Any) -> Any:
    """Return the id of a malformed request if it can be told."""
    found = request.get("id", _MISSING) if isinstance(request, dict) else _MISSING
    return found if found is not _MISSING and _is_id(found) else None


def _named(params: dict[str, Any] | list[Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Return parameters by name; those of a list stand in the order of `names`."""
    if isinstance(params, list):
        if len(params) > len(names):
            raise CallError(BAD_PARAMS, f"The method has at most {len(names)} parameters: {', '.join(names)}.")
        return dict(zip(names, params, strict=False))
    if unknown := sorted(set(params) - set(names)):
        raise CallError(BAD_PARAMS, f"The method has no parameter {unknown[0][:80]!r}; it has {', '.join(names)}.")
    return params
