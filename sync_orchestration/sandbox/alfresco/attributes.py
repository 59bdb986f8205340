"""Attributes of the Records API: ``idocs:inn?str``, ``sys:node-dbid?num``, ``idocs:contractorType[]?str``."""

import re
from typing import Any

from sync_orchestration.sandbox.alfresco.errors import QueryError
from sync_orchestration.sandbox.alfresco.nodes import Node

RECORD_PREFIX = "alfresco/@"

_ATTRIBUTE = re.compile(r"(?P<name>[^?\[\]]*)(?P<many>\[\])?(?:\?(?P<scalar>\w+))?")
_SHORT = {"_created": "cm:created", "_modified": "cm:modified", "_name": "cm:name"}


def value_of(node: Node, attribute: str) -> Any:
    """The value of one attribute of a node; a bare name means its display form."""
    match = _ATTRIBUTE.fullmatch(attribute.strip())
    if match is None:
        raise QueryError(f"Incorrect attribute: {attribute}")
    name, scalar = match["name"], match["scalar"] or "disp"
    if not name:
        return _of_record(node, scalar)
    stored = _stored(node, name)
    values = stored if isinstance(stored, list) else [stored]
    scalars = [_scalar(value, scalar) for value in values if value not in (None, "")]
    if match["many"]:
        return scalars
    return scalars[0] if scalars else None


def _of_record(node: Node, scalar: str) -> Any:
    match scalar:
        case "id" | "assoc":
            return RECORD_PREFIX + node.ref
        case "localId":
            return node.ref
        case _:
            names = ("idocs:shortOrganizationName", "idocs:fullOrganizationName")
            return next((node.properties[name] for name in names if node.properties.get(name)), node.name)


def _stored(node: Node, name: str) -> Any:
    name = _SHORT.get(name, name)
    match name:
        case "cm:modifier" | "_modifier":
            return node.modifier
        case "cm:creator" | "_creator":
            return node.creator
        case "_type":
            return "emodel/type@idocs-contractor"
        case _:
            return node.as_document().get(name)


def _scalar(value: Any, scalar: str) -> Any:
    match scalar:
        case "num":
            return _number(value)
        case "bool":
            return value if isinstance(value, bool) else str(value).lower() == "true"
        case "json" | "raw":
            return value
        case _:
            # Numbers come as plain digits, without a thousands separator.
            return str(value).lower() if isinstance(value, bool) else str(value)


def _number(value: Any) -> float | None:
    """A double, whatever it was: a dbid becomes ``1043.0``, and an INN loses its leading zero."""
    try:
        return float(value)
    except ValueError:
        return None
