"""Every setting of the YAML folders, as tables made from the JSON schemas that editors use."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import sync_orchestration
from sync_orchestration_tests.guide.markdown import anchor, code, table, text

FOLDER = Path(sync_orchestration.__file__).parent / "schemas"
_MOST_KINDS = 6
_FIRST = ("RecordSync", "Connections", "Intake", "Notifications")
_DEFINED = "#/$defs/"
_NUMBERS = {"minimum": "at least", "exclusiveMinimum": "more than", "maximum": "at most"}
_NAMES = {"string": "text", "boolean": "true or false", "integer": "whole number", "number": "number", "object": "map"}


def settings_page() -> str:
    """Return the page."""
    there = sorted(path.stem for path in FOLDER.glob("*.json"))
    names = [*(name for name in _FIRST if name in there), *(name for name in there if name not in _FIRST)]
    return "\n".join([_HEAD, *(part for name in names for part in _component(name))])


_HEAD = """# Settings

Every YAML below `sync_orchestration/defs/` names its `type` and has `attributes`. This page lists them all, from the
same models that load the files: what is not here is refused, with file and line.

A value that begins with `$` names an environment variable. A list setting without a default is empty.
"""


def _component(name: str) -> Iterator[str]:
    schema = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    definitions = schema.get("$defs", {})
    attributes = schema["properties"]["attributes"]
    yield f"## {name} {{ #{anchor(name)} }}\n\n{text(schema['description'])}\n"
    yield f"`type: sync_orchestration.{name}`, and under `attributes:`\n"
    yield _settings(name, attributes, definitions)
    for part in _in_order(attributes, definitions):
        if "properties" in definitions[part]:
            title, where = _title(part, definitions[part])
            yield f"### {title} {{ #{_place(name, part)} }}\n\n{text(where)}\n"
            yield _settings(name, definitions[part], definitions)


def _title(part: str, schema: Mapping[str, Any]) -> tuple[str, str]:
    kind = schema["properties"].get("kind", {}).get("const")
    name = part.removesuffix("Settings").removesuffix("Spec")
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()
    return words.capitalize() + (f" (`kind: {kind}`)" if kind else ""), schema.get("description", "")


def _settings(component: str, schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    required = schema.get("required", [])
    rows = [
        [code(name), _value(component, one, required=name in required), text(_said_of(one, definitions))]
        for name, one in schema.get("properties", {}).items()
    ]
    return table(["setting", "value", "what it is"], rows)


def _said_of(setting: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    part = definitions.get(str(setting.get("$ref", "")).removeprefix(_DEFINED), {})
    return str(setting.get("description") or part.get("description") or "")


def _value(component: str, schema: Mapping[str, Any], *, required: bool) -> str:
    """Say what a value may be, and whether there must be one or which one counts without."""
    kind, default = _kind(component, schema), schema.get("default")
    if required:
        return f"{kind}; **required**"
    return kind if default is None or "const" in schema else f"{kind}; by default {code(_yaml(default))}"


def _yaml(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _kind(component: str, schema: Mapping[str, Any]) -> str:
    """Say in words what a value may be."""
    if "$ref" in schema:
        part = schema["$ref"].removeprefix(_DEFINED)
        return "any value" if part == "JsonValue" else f"[{_words(part)}](#{_place(component, part)})"
    if "allOf" in schema:
        return "one of " + ", ".join(_branch(component, one) for one in schema["allOf"])
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        kinds = dict.fromkeys(_kind(component, one) for one in choices if one.get("type") != "null")
        return " or ".join(kinds) if len(kinds) <= _MOST_KINDS else "see below"
    if values := schema.get("enum") or [schema[name] for name in ("const",) if name in schema]:
        return " or ".join(code(str(one)) for one in values)
    return _plain_kind(component, schema)


def _plain_kind(component: str, schema: Mapping[str, Any]) -> str:
    if schema.get("type") == "array":
        return f"list of {_plural(_kind(component, schema.get('items', {})))}"
    if isinstance(schema.get("additionalProperties"), Mapping):
        return f"map of names to {_kind(component, schema['additionalProperties'])}"
    limits = [f"{words} {schema[name]:,}" for name, words in _NUMBERS.items() if name in schema]
    return ", ".join([_NAMES.get(str(schema.get("type")), "any value"), *limits])


def _branch(component: str, choice: Mapping[str, Any]) -> str:
    (condition,) = choice["if"]["properties"].values()
    part = choice["then"]["$ref"].removeprefix(_DEFINED)
    return f"[{code(str(condition['const']))}](#{_place(component, part)})"


def _plural(kind: str) -> str:
    return {"text": "texts", "any value": "values", "whole number": "whole numbers"}.get(kind, kind)


def _words(part: str) -> str:
    name = part.removesuffix("Settings").removesuffix("Spec")
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()


def _place(component: str, part: str) -> str:
    return anchor(f"{component}-{_words(part)}")


def _in_order(schema: Any, definitions: Mapping[str, Any]) -> list[str]:
    """Return the names of all parts that a schema leads to, in the order in which a reader meets them."""
    found: dict[str, None] = {}
    todo = [schema]
    while todo:
        one = todo.pop(0)
        for name in _references(one):
            if name not in found:
                found[name] = None
                todo.append(definitions[name])
    return list(found)


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"].removeprefix(_DEFINED)
        for value in schema.values():
            yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)
