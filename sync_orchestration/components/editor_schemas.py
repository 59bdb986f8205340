"""JSON schemas of the YAML folders, made of the models that load them: an editor explains, completes and checks.

Dagster's own generator (`dg utils generate-component-schema`) is not used. It makes one union of all types, in which
an editor cannot say which of ten kinds of source a misspelt field belongs to; it needs another package; and its
schemas are of one machine's environment, where these are part of the program. Its templates (`{{ env.X }}`) are not
rendered in our YAML: a value that begins with $ names a variable, which is read when it is used.
"""

import inspect
from collections.abc import Mapping
from typing import Any

import dagster as dg

from sync_orchestration.components.connections import Connections
from sync_orchestration.components.intake import Intake
from sync_orchestration.components.notifications import Notifications
from sync_orchestration.components.record_sync import RecordSync
from sync_orchestration.mapping.transforms import TRANSFORMS

COMPONENTS: tuple[type[dg.Component], ...] = (Connections, Intake, Notifications, RecordSync)
"""The component types that a YAML may be of."""

# The draft that every editor understands whole.
_DRAFT = "http://json-schema.org/draft-07/schema#"
_OF_DAGSTER = {
    "requirements": "What Dagster must find before it loads this file, e.g. environment variables.",
    "template_vars_module": "Not used here: values that begin with $ name environment variables.",
    "post_processing": "Changes that Dagster makes to the assets, e.g. owners or tags.",
}


def editor_schemas() -> dict[str, dict[str, Any]]:
    """Return the schema of each component type by its short name."""
    return {component.__name__: _schema_of(component) for component in COMPONENTS}


def _schema_of(component: type[dg.Component]) -> dict[str, Any]:
    model = component.get_model_cls()
    if model is None:
        raise TypeError(f"{component.__name__} has no attributes to describe")
    attributes = _told(model.model_json_schema())
    definitions = attributes.pop("$defs", {})
    if "FieldSpec" in definitions:
        definitions["FieldSpec"]["properties"]["transform"]["items"] = _steps()
    name = f"sync_orchestration.{component.__name__}"
    about = inspect.cleandoc(component.__doc__ or "")
    properties: dict[str, Any] = {
        "type": {"const": name, "description": about},
        "attributes": {**attributes, "description": "The settings."},
    }
    properties |= {key: {"description": said} for key, said in _OF_DAGSTER.items()}
    return {
        "$schema": _DRAFT,
        "title": component.__name__,
        "description": about,
        "type": "object",
        "properties": properties,
        "required": ["type", "attributes"] if attributes.get("required") else ["type"],
        "additionalProperties": False,
        "$defs": definitions,
    }


def _told(schema: Any) -> Any:
    """Let each choice by a field say which choice it took, so that a mistake is told of that one alone."""
    if isinstance(schema, list):
        return [_told(part) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    told = {name: _told(part) for name, part in schema.items() if name != "title" or not isinstance(part, str)}
    choice = told.pop("discriminator", None)
    if not isinstance(choice, Mapping):
        return told
    told.pop("oneOf")
    name, branches = choice["propertyName"], choice["mapping"]
    told |= {"type": "object", "required": [name], "properties": {name: {"enum": list(branches)}}}
    told["allOf"] = [
        {"if": {"properties": {name: {"const": value}}, "required": [name]}, "then": {"$ref": reference}}
        for value, reference in branches.items()
    ]
    return told


def _steps() -> dict[str, Any]:
    """Return the schema of one step of a transform: the known ones are offered, with what they do."""
    known = [{"const": name, "description": _about(name)} for name in sorted(TRANSFORMS)]
    arguments = {name: {"description": _about(name)} for name in sorted(TRANSFORMS)}
    return {
        "description": "A transform's name, or {name: its argument or arguments}.",
        "anyOf": [
            *known,
            {
                "type": "object",
                "properties": arguments,
                "additionalProperties": False,
                "minProperties": 1,
                "maxProperties": 1,
            },
        ],
    }


def _about(name: str) -> str:
    return (inspect.getdoc(TRANSFORMS[name].function) or "").partition("\n\n")[0]
