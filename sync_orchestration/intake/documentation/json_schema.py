"""Contracts as JSON Schema (2020-12), for OpenAPI and for senders who ask by ``records.schema``."""

from typing import Any

from sync_orchestration.intake.contract import FieldContract, FieldType, SyncContract
from sync_orchestration.intake.settings import Limits

_TYPES: dict[FieldType, dict[str, Any]] = {
    "text": {"type": "string"},
    "integer": {"type": "integer", "format": "int64"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "datetime": {"type": "string", "format": "date-time"},
    "list": {"type": "array"},
    "object": {"type": "object"},
}


def rules_of(contract: FieldContract) -> list[str]:
    """Return what must hold of a field as short sentences for people."""
    rules = []
    if contract.max_length is not None:
        rules.append(f"at most {contract.max_length} characters")
    if contract.format == "email":
        rules.append("an e-mail address, or several with commas between")
    if contract.matches is not None:
        rules.append(f"matches the regular expression {contract.matches}")
    if contract.one_of:
        rules.append(f"one of {', '.join(map(str, contract.one_of))}")
    if contract.reference is not None:
        rules.append(f"must exist in the target: {contract.reference.model} by {contract.reference.field}")
    if contract.same_sync:
        rules.append("the key of another record of this sync, which may come later or in the same call")
    return rules


def schema_of_field(contract: FieldContract) -> dict[str, Any]:
    """Return the schema of one field; one that is not required may be null."""
    schema = dict(_TYPES[contract.type])
    if contract.max_length is not None:
        schema["maxLength"] = contract.max_length
    if contract.required and contract.type == "text":
        schema["minLength"] = 1
    if contract.matches is not None:
        schema["pattern"] = contract.matches
    if contract.one_of:
        schema["enum"] = list(contract.one_of)
    if not contract.required:
        schema["type"] = [schema["type"], "null"]
        if contract.one_of:
            schema["enum"] = [*contract.one_of, None]
    said = [text for text in (contract.description, *rules_of(contract)) if text]
    if said:
        schema["description"] = "; ".join(said)
    if contract.example is not None:
        schema["examples"] = [contract.example]
    return schema


def schema_of_data(contract: SyncContract) -> dict[str, Any]:
    """Return the schema of a record's data."""
    return {
        "type": "object",
        "properties": {one.name: schema_of_field(one) for one in contract.fields},
        "required": [one.name for one in contract.fields if one.required],
        "additionalProperties": contract.unknown_fields == "keep",
    }


def schema_of_record(contract: SyncContract) -> dict[str, Any]:
    """Return the schema of a record with its envelope."""
    return {
        "type": "object",
        "properties": {
            "key": {
                "type": "string",
                "minLength": 1,
                "maxLength": contract.key_length,
                "description": contract.key_description,
            },
            "operation": {
                "enum": list(contract.operations),
                "default": "update",
                "description": "create and update both bring the whole record; a delete needs no data.",
            },
            "version": {
                "type": ["integer", "null"],
                "format": "int64",
                "minimum": 0,
                "description": "Your own growing number of the record's state. Between two numbers the higher is "
                "newer; without one whatever comes later.",
            },
            "data": {"anyOf": [schema_of_data(contract), {"type": "null"}], "description": "The whole record."},
        },
        "required": ["key"],
        "additionalProperties": False,
    }


def schema_of_sync(contract: SyncContract, limits: Limits) -> dict[str, Any]:
    """Return what ``records.schema`` answers: the schema of a record, and how much fits into a call."""
    return {
        "sync": contract.name,
        "description": contract.description,
        "unknown_fields": contract.unknown_fields,
        "record": schema_of_record(contract),
        "limits": {
            "records": limits.records,
            "body_bytes": limits.body_bytes,
            "depth": limits.depth,
            "text_length": limits.text_length,
            "calls_per_second": limits.calls_per_second,
        },
    }
