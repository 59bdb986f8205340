"""The parts of the OpenAPI document that do not depend on a sync: answers, errors, JSON-RPC."""

from collections.abc import Iterable
from typing import Any

from sync_orchestration.intake.contract import OPERATIONS
from sync_orchestration.intake.documentation.examples import good_record, rpc_call
from sync_orchestration.intake.fates import STATUSES
from sync_orchestration.intake.kinds import KINDS, RECORD_CODES
from sync_orchestration.intake.rpc import PARAMETERS
from sync_orchestration.intake.settings import IntakeSettings

_JSON = "application/json"
_TEXT = {"type": "string"}
_TEXT_OR_NULL = {"type": ["string", "null"]}
_COUNT = {"type": "integer", "minimum": 0}
_OUTCOMES = {
    "accepted": "Stored; it will be written to the target.",
    "unchanged": "Known already, nothing to do.",
    "stale": "Older than what is known, or than another record of the same key in the same call.",
    "refused": "Not stored; the errors say why.",
}


def error_answers(statuses: Iterable[int]) -> dict[str, Any]:
    """Return the answers of these HTTP statuses, and of an unexpected fault."""
    said: dict[int, list[str]] = {}
    for kind in KINDS:
        said.setdefault(kind.http, []).append(f"{kind.code}: {kind.message}")
    content = {_JSON: {"schema": {"$ref": "#/components/schemas/Error"}}}
    answers: dict[str, Any] = {}
    for status in [*statuses, 500]:
        answers[str(status)] = {"description": " ".join(said[status]), "content": content}
        if status in (429, 503):
            wait = {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}
            answers[str(status)]["headers"] = {"Retry-After": wait}
    return answers


def rpc_operation(settings: IntakeSettings) -> dict[str, Any]:
    """Return the operation of JSON-RPC."""
    answer = {"$ref": "#/components/schemas/RpcResponse"}
    request = {"$ref": "#/components/schemas/RpcRequest"}
    body = {"anyOf": [request, {"type": "array", "minItems": 1, "maxItems": settings.limits.calls, "items": request}]}
    examples = {
        contract.name: {"value": rpc_call("records.push", sync=contract.name, records=[good_record(contract)])}
        for contract in settings.contracts
    }
    told = {_JSON: {"schema": {"anyOf": [answer, {"type": "array", "items": answer}]}}}
    responses: dict[str, Any] = {
        "200": {"description": "Responses, errors too.", "content": told},
        "204": {"description": "There were notifications only."},
    }
    for status in (401, 408, 413, 429, 500, 503):
        description = " ".join(f"{kind.rpc}: {kind.message}" for kind in KINDS if kind.http == status)
        responses[str(status)] = {"description": description, "content": told}
    return {
        "operationId": "rpc",
        "tags": ["JSON-RPC"],
        "summary": "JSON-RPC 2.0, single calls and batches",
        "description": "Methods: " + "; ".join(f"{name}({', '.join(names)})" for name, names in PARAMETERS.items()),
        "requestBody": {"required": True, "content": {_JSON: {"schema": body, "examples": examples}}},
        "responses": responses,
    }


def components(schemas: dict[str, Any]) -> dict[str, Any]:
    """Return the components, `schemas` among them."""
    return {
        "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        "schemas": {**schemas, **_answer_schemas(), **_rpc_schemas()},
    }


def _answer_schemas() -> dict[str, Any]:
    record = {"index": _COUNT, "key": _TEXT_OR_NULL}
    codes = ", ".join(RECORD_CODES)
    error = {**record, "field": _TEXT_OR_NULL, "code": {**_TEXT, "description": f"One of {codes}."}, "message": _TEXT}
    outcome = {"enum": list(_OUTCOMES), "description": " ".join(f"{name}: {said}" for name, said in _OUTCOMES.items())}
    status = {
        "enum": list(STATUSES),
        "description": " ".join(f"{name}: {said}" for name, said in STATUSES.items()),
    }
    cause = {"field": _TEXT_OR_NULL, "code": _TEXT_OR_NULL, "message": _TEXT_OR_NULL}
    return {
        "PushReport": _object(
            {
                "sync": _TEXT,
                **dict.fromkeys(_OUTCOMES, _COUNT),
                "records": {"type": "array", "items": _object({**record, "outcome": outcome})},
                "errors": {"type": "array", "items": _object(error)},
            }
        ),
        "RecordStatus": _object(
            {
                "key": _TEXT,
                "status": status,
                "operation": {"enum": list(OPERATIONS)},
                "version": {"type": ["integer", "null"]},
                "received_at": {**_TEXT, "format": "date-time"},
                "attempts": _COUNT,
                "target_system": _TEXT_OR_NULL,
                "target_id": _TEXT,
                "processed_at": _TEXT_OR_NULL,
                "last_attempt_at": _TEXT_OR_NULL,
                "next_attempt_at": _TEXT_OR_NULL,
                "errors": {"type": "array", "items": _object(cause)},
                "reason": _TEXT_OR_NULL,
            },
            ["key", "status"],
        ),
        "SyncSchema": _object(
            {
                "sync": _TEXT,
                "description": _TEXT,
                "unknown_fields": {"enum": ["refuse", "keep"]},
                "record": {"type": "object"},
                "limits": {"type": "object", "additionalProperties": {"type": "number"}},
            }
        ),
        "State": _object({"status": _TEXT}),
        "Error": _object({"error": {"$ref": "#/components/schemas/ErrorDetails", "required": ["message"]}}),
        "ErrorDetails": _object(
            {
                "code": {"enum": sorted({kind.code for kind in KINDS})},
                "message": _TEXT,
                "retryable": {"type": "boolean", "description": "True: the same call may succeed later."},
                "retry_after": {"type": "integer", "minimum": 1, "description": "Seconds to wait."},
                "report": {"$ref": "#/components/schemas/PushReport"},
                "incident": {**_TEXT, "description": "What to name when you ask about it."},
            },
            ["code", "retryable"],
        ),
    }


def _rpc_schemas() -> dict[str, Any]:
    identity = {"type": ["string", "number", "null"]}
    version = {"const": "2.0"}
    error = {"code": {"type": "integer"}, "message": _TEXT, "data": {"$ref": "#/components/schemas/ErrorDetails"}}
    return {
        "RpcRequest": {
            "type": "object",
            "properties": {
                "jsonrpc": version,
                "method": {"enum": list(PARAMETERS)},
                "params": {"type": ["object", "array"]},
                "id": identity,
            },
            "required": ["jsonrpc", "method"],
        },
        "RpcResponse": {
            "type": "object",
            "properties": {"jsonrpc": version, "id": identity, "result": {"type": "object"}, "error": _object(error)},
            "required": ["jsonrpc", "id"],
            "oneOf": [{"required": ["result"]}, {"required": ["error"]}],
            "additionalProperties": False,
        },
    }


def _object(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
        "additionalProperties": False,
    }
