"""The interface as OpenAPI 3.1."""

from collections.abc import Iterable
from typing import Any

from sync_orchestration.intake.contract import SyncContract
from sync_orchestration.intake.documentation.examples import good_record
from sync_orchestration.intake.documentation.json_schema import schema_of_record
from sync_orchestration.intake.documentation.openapi_parts import components, error_answers, rpc_operation
from sync_orchestration.intake.settings import IntakeSettings

_JSON = "application/json"
_OPEN: dict[str, Any] = {"security": []}


def openapi(settings: IntakeSettings) -> dict[str, Any]:
    """Return the OpenAPI document of the senders' interface; hooks are not part of it."""
    paths: dict[str, Any] = {"/rpc": {"post": rpc_operation(settings)}}
    for contract in settings.contracts:
        paths |= _paths(contract, settings)
    paths |= _service_paths(settings)
    schemas = {f"record_{contract.name}": schema_of_record(contract) for contract in settings.contracts}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": settings.title,
            "version": "1",
            "description": "Records are checked when they come, stored before they are answered, and written to the "
            "target within minutes. The same calls exist as JSON-RPC 2.0 at /rpc and as plain REST.",
        },
        "servers": [{"url": settings.public_url}],
        "security": [{"token": []}],
        "paths": paths,
        "components": components(schemas),
    }


def _paths(contract: SyncContract, settings: IntakeSettings) -> dict[str, Any]:
    place, tags = f"/v1/{contract.name}", [contract.name]
    key = {
        "name": "key",
        "in": "path",
        "required": True,
        "description": contract.key_description,
        "schema": {"type": "string", "minLength": 1, "maxLength": contract.key_length},
    }
    return {
        f"{place}/records": {
            "post": {
                "operationId": f"push_{contract.name}",
                "tags": tags,
                "summary": "Push records",
                "description": contract.description,
                "requestBody": {
                    "required": True,
                    "content": {
                        _JSON: {
                            "schema": _push_schema(contract, settings),
                            "example": {"records": [good_record(contract)]},
                        }
                    },
                },
                "responses": _answers("PushReport", "What became of each record.", (400, 401, 408, 413, 422, 429, 503)),
            }
        },
        f"{place}/records/{{key}}": {
            "get": {
                "operationId": f"status_{contract.name}",
                "tags": tags,
                "summary": "What became of a record",
                "parameters": [key],
                "responses": _answers("RecordStatus", "The record's fate.", (401, 404, 405, 429, 503)),
            }
        },
        f"{place}/schema": {
            "get": {
                "operationId": f"schema_{contract.name}",
                "tags": tags,
                "summary": "What a record must be",
                "responses": _answers("SyncSchema", "JSON Schema and limits.", (401, 429, 503)),
            }
        },
    }


def _push_schema(contract: SyncContract, settings: IntakeSettings) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "records": {
                "type": "array",
                "minItems": 1,
                "maxItems": settings.limits.records,
                "items": {"$ref": f"#/components/schemas/record_{contract.name}"},
            },
            "atomic": {
                "type": "boolean",
                "default": False,
                "description": "True: one bad record refuses the whole call.",
            },
        },
        "required": ["records"],
        "additionalProperties": False,
    }


def _answers(schema: str, description: str, errors: Iterable[int]) -> dict[str, Any]:
    good = {
        "description": description,
        "content": {_JSON: {"schema": {"$ref": f"#/components/schemas/{schema}"}}},
    }
    return {"200": good, **error_answers(errors)}


def _service_paths(settings: IntakeSettings) -> dict[str, Any]:
    state = {"description": "The state.", "content": {_JSON: {"schema": {"$ref": "#/components/schemas/State"}}}}
    figures: dict[str, Any] = {
        "operationId": "metrics",
        "tags": ["service"],
        "summary": "Figures for Prometheus",
        "responses": {"200": {"description": "Prometheus text format.", "content": {"text/plain": {}}}},
    }
    if settings.open_metrics:
        figures |= _OPEN
    else:
        figures["responses"] |= error_answers([401])
    return {
        "/healthz": {
            "get": {
                "operationId": "health",
                "tags": ["service"],
                "summary": "Is the process alive?",
                "responses": {"200": state},
                **_OPEN,
            }
        },
        "/readyz": {
            "get": {
                "operationId": "readiness",
                "tags": ["service"],
                "summary": "Does the database answer, with tables of the right version?",
                "responses": {"200": state, "503": state},
                **_OPEN,
            }
        },
        "/metrics": {"get": figures},
    }
