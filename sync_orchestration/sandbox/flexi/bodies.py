"""Bodies of imports: JSON or XML read into the same items."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element, ParseError

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from .answers import FlexiError


@dataclass
class Item:
    """One record of an import: its identifiers, its fields, its attributes and its child items."""

    evidence: str
    identifiers: list[str] = field(default_factory=list)
    fields: dict[str, object] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)
    children: dict[str, list["Item"]] = field(default_factory=dict)


@dataclass
class Import:
    """The whole body."""

    attributes: dict[str, str]
    items: list[Item]


def parse_import(body: bytes, content_type: str) -> Import:
    """Read the body of a write by its content type; form data is never accepted."""
    try:
        if "xml" in content_type:
            return _from_xml(ElementTree.fromstring(body))
        return _from_json(json.loads(body))
    except (ValueError, ParseError, DefusedXmlException) as error:
        raise FlexiError(400, f"Chybný formát vstupu: {error}") from error


def parse_members(body: bytes, content_type: str) -> dict[str, list[str]]:
    """Read the plain members of ``winstrom``, as get and query take them; every value is a list."""
    try:
        if "xml" in content_type:
            members: dict[str, list[str]] = {}
            for child in ElementTree.fromstring(body):
                members.setdefault(child.tag, []).append(child.text or "")
            return members
        inner = _winstrom(json.loads(body))
    except (ValueError, ParseError, DefusedXmlException) as error:
        raise FlexiError(400, f"Chybný formát vstupu: {error}") from error
    return {name: [str(v) for v in _listed(value)] for name, value in inner.items() if name[:1] != "@"}


def _winstrom(document: object) -> Mapping[str, object]:
    if not isinstance(document, dict) or not isinstance(document.get("winstrom"), dict):
        raise FlexiError(400, "Chybí kořenový prvek winstrom.")
    inner: Mapping[str, object] = document["winstrom"]
    return inner


def _from_json(document: object) -> Import:
    inner = _winstrom(document)
    attributes = {name[1:]: _text(value) for name, value in inner.items() if name.startswith("@")}
    items = []
    for name, value in inner.items():
        if "@" in name:
            continue
        # Actions and filters for a whole evidence stand beside it: "adresar@action".
        shared = {key.partition("@")[2]: _text(v) for key, v in inner.items() if key.startswith(f"{name}@")}
        for record in _listed(value):
            if isinstance(record, dict):
                item = _json_item(name, record)
                item.attributes = {**shared, **item.attributes}
                items.append(item)
    return Import(attributes, items)


def _json_item(evidence: str, record: Mapping[str, object]) -> Item:
    item = Item(evidence)
    for name, value in record.items():
        if name == "id":
            item.identifiers = [str(v) for v in _listed(value)]
        elif name.startswith("@"):
            item.attributes[name[1:]] = _text(value)
        elif isinstance(value, (list, dict)):
            item.children[name] = [_json_item(name, v) for v in _listed(value) if isinstance(v, dict)]
        else:
            item.fields[name] = value
    return item


def _from_xml(root: Element) -> Import:
    if root.tag != "winstrom":
        raise FlexiError(400, "Chybí kořenový prvek winstrom.")
    return Import(dict(root.attrib), [_xml_item(child) for child in root])


def _xml_item(element: Element) -> Item:
    item = Item(element.tag, attributes=dict(element.attrib))
    for child in element:
        if child.tag == "id":
            item.identifiers.append((child.text or "").strip())
        elif len(child):
            item.children[child.tag] = [_xml_item(grandchild) for grandchild in child]
            item.fields.update(_attribute_fields(child))
        else:
            item.fields[child.tag] = child.text or ""
            item.fields.update(_attribute_fields(child))
    return item


def _attribute_fields(element: Element) -> Iterator[tuple[str, str]]:
    return ((f"{element.tag}@{name}", value) for name, value in element.attrib.items())


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
