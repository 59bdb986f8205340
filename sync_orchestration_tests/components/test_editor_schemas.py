"""The JSON schemas that editors check and explain the YAML folders with."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator
from jsonschema.exceptions import best_match

from sync_orchestration import defs as own_folder
from sync_orchestration.cli.defs_folder import kinds, template
from sync_orchestration.components.editor_schemas import COMPONENTS
from sync_orchestration.mapping.transforms import TRANSFORMS
from sync_orchestration_tests.schemas import FOLDER, rendered

DEFS = Path(own_folder.__file__).parent
SHIPPED = sorted(path.parent.name for path in DEFS.glob("*/defs.yaml"))
_MODELINE = re.compile(r"# yaml-language-server: \$schema=(\S+)\n")


def validator(name: str) -> Draft7Validator:
    schema = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    Draft7Validator.check_schema(schema)
    return Draft7Validator(schema)


def complaints(name: str, document: Any) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in validator(name).iter_errors(document)]


def complaint(name: str, document: Any) -> str:
    """Return the complaint that matters most, with the place that an editor underlines."""
    error = best_match(validator(name).iter_errors(document))
    assert error is not None, "nothing is wrong with it"
    return f"{error.json_path}: {error.message}"


def test_the_schemas_in_the_package_are_those_of_the_code() -> None:
    there = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}
    assert there.keys() == rendered().keys()
    for name, text in rendered().items():
        assert there[name] == text, f"{name} is out of date; run: make schemas"


def test_there_is_a_schema_for_each_type_that_a_shipped_yaml_is_of() -> None:
    types = {yaml.safe_load((DEFS / folder / "defs.yaml").read_text(encoding="utf-8"))["type"] for folder in SHIPPED}
    assert types == {f"sync_orchestration.{component.__name__}" for component in COMPONENTS}


@pytest.mark.parametrize("folder", SHIPPED)
def test_a_shipped_yaml_begins_with_its_schema_and_keeps_to_it(folder: str) -> None:
    path = DEFS / folder / "defs.yaml"
    text = path.read_text(encoding="utf-8")
    named = _MODELINE.match(text)
    assert named is not None
    schema = (path.parent / named[1]).resolve()
    document = yaml.safe_load(text)
    assert schema == FOLDER / f"{document['type'].rpartition('.')[2]}.json"
    assert complaints(schema.name, document) == []


@pytest.mark.parametrize("kind", kinds())
def test_a_template_keeps_to_the_schema(kind: str) -> None:
    text = re.sub(r"@(CONNECTION )?(\w+)@", lambda found: found[2].lower(), template(kind))
    assert complaints("RecordSync.json", yaml.safe_load(text)) == []


def properties(node: Any, schema: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every property of a schema at any depth, a reference followed once."""
    if isinstance(node, list):
        for part in node:
            yield from properties(part, schema, path)
    elif isinstance(node, dict):
        found = node.get("properties")
        for name, told in found.items() if isinstance(found, dict) else ():
            reference = told.get("$ref", "").rpartition("/")[2]
            yield f"{path}.{name}", {**schema["$defs"].get(reference, {}), **told}
        for name, part in node.items():
            yield from properties(part, schema, f"{path}.{name}" if name not in ("properties", "$defs") else path)


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda component: component.__name__)
def test_an_editor_can_explain_every_setting(component: type) -> None:
    schema = json.loads((FOLDER / f"{component.__name__}.json").read_text(encoding="utf-8"))
    found = list(properties(schema, schema))
    assert found
    # What only tells which kind it is is explained in the kind itself.
    bare = [path for path, told in found if "description" not in told and not {"const", "enum"} & told.keys()]
    assert bare == []


def test_every_transform_is_offered_with_what_it_does() -> None:
    schema = json.loads((FOLDER / "RecordSync.json").read_text(encoding="utf-8"))
    steps = schema["$defs"]["FieldSpec"]["properties"]["transform"]["items"]["anyOf"]
    offered = {step["const"]: step["description"] for step in steps if "const" in step}
    assert offered.keys() == TRANSFORMS.keys()
    assert all(offered.values())


Spoil = Callable[[dict[str, Any]], object]

UNEXPECTED = "Additional properties are not allowed"

MISTAKES: list[tuple[str, str, Spoil, str]] = [
    ("flexi_partners", "a misspelt setting", lambda a: a.update(maping={}), f"$.attributes: {UNEXPECTED} ('maping'"),
    (
        "flexi_partners",
        "a setting of the source misspelt",
        lambda a: a["source"].update(evidense="faktura"),
        f"$.attributes.source: {UNEXPECTED} ('evidense'",
    ),
    (
        "flexi_partners",
        "a setting that is missing",
        lambda a: a["source"].pop("connection"),
        "$.attributes.source: 'connection' is a required property",
    ),
    (
        "flexi_partners",
        "a kind that does not exist",
        lambda a: a["source"].update(kind="sap"),
        "$.attributes.source.kind: 'sap' is not one of",
    ),
    (
        "flexi_partners",
        "a name that cannot be one",
        lambda a: a.update(name="Flexi Partners"),
        "$.attributes.name: 'Flexi Partners' does not match",
    ),
    (
        "flexi_partners",
        "a text for a number",
        lambda a: a["target"].update(batch="many"),
        "$.attributes.target.batch: 'many' is not of type 'integer'",
    ),
    (
        "flexi_partners",
        "a number out of bounds",
        lambda a: a["target"].update(batch=5_000),
        "$.attributes.target.batch: 5000 is greater than the maximum of 1000",
    ),
    (
        "flexi_partners",
        "an unknown choice",
        lambda a: a["target"].update(deletion="remove"),
        "$.attributes.target.deletion: 'remove' is not one of ['archive', 'unlink']",
    ),
    (
        "flexi_partners",
        "an unknown transform",
        lambda a: a["mapping"].update(name={"from": "nazev", "transform": ["uper"]}),
        "$.attributes.mapping.name",
    ),
    (
        "flexi_partners",
        "an unknown rule",
        lambda a: a["rules"].append({"field": "vat", "rule": "vat"}),
        "$.attributes.rules[2].rule",
    ),
    (
        "odoo_to_rest",
        "a path without its slash",
        lambda a: a["target"].update(path="partners"),
        "$.attributes.target.path: 'partners' does not match '^/'",
    ),
    (
        "intake_partners",
        "a type of a pushed field",
        lambda a: a["source"]["fields"]["name"].update(type="string"),
        "$.attributes.source.fields.name.type: 'string' is not one of",
    ),
    (
        "connections",
        "a misspelt setting of a connection",
        lambda a: a["connections"]["odoo"].update(tiemout=5),
        f"$.attributes.connections.odoo: {UNEXPECTED} ('tiemout'",
    ),
    (
        "connections",
        "a secret in the file",
        lambda a: a["connections"]["flexi"].update(password="winstrom"),
        "$.attributes.connections.flexi.password: 'winstrom' does not match",
    ),
    (
        "intake",
        "a secret in the file",
        lambda a: a["senders"]["erp"].update(tokens=["abc"]),
        "$.attributes.senders.erp.tokens[0]: 'abc' does not match",
    ),
    (
        "notifications",
        "an address in the file",
        lambda a: a.update(urls="mailto://x"),
        "$.attributes.urls: 'mailto://x' does not match",
    ),
]


@pytest.mark.parametrize(
    ("folder", "what", "spoil", "said"), [pytest.param(*case, id=f"{case[0]}: {case[1]}") for case in MISTAKES]
)
def test_an_editor_marks_a_mistake_at_its_place_and_names_the_field(
    folder: str, what: str, spoil: Spoil, said: str
) -> None:
    del what
    document = yaml.safe_load((DEFS / folder / "defs.yaml").read_text(encoding="utf-8"))
    spoil(document["attributes"])
    name = f"{document['type'].rpartition('.')[2]}.json"
    assert complaint(name, document).startswith(said)


def test_another_type_than_the_schemas_own_is_marked() -> None:
    assert complaint("RecordSync.json", {"type": "sync_orchestration.Intake", "attributes": {}})
