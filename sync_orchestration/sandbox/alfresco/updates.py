"""Changing properties the way the repository does: checked first, applied as one transaction."""

import re
from dataclasses import dataclass, field
from typing import Any

from sync_orchestration.sandbox.alfresco.errors import (
    IntegrityError,
    InvalidArgumentError,
    NamespaceForbiddenError,
    NodeLockedError,
    PermissionDeniedError,
    ReadOnlyError,
)
from sync_orchestration.sandbox.alfresco.model import AUDIT_PROPERTIES, PROPERTIES, PropertyDefinition
from sync_orchestration.sandbox.alfresco.nodes import Node
from sync_orchestration.sandbox.alfresco.switches import AlfrescoSwitches

_ILLEGAL_IN_NAMES = re.compile(r'["*\\><?/:|]')


@dataclass(frozen=True)
class Update:
    """A checked change of one node: values are converted, None unsets. `aspects` replaces the whole set."""

    node: Node
    properties: dict[str, Any] = field(default_factory=dict)
    name: str | None = None
    aspects: frozenset[str] | None = None


def check_writable(node: Node, switches: AlfrescoSwitches) -> None:
    """Raise what the repository raises when this node cannot be written at all."""
    if switches.read_only:
        raise ReadOnlyError("Access Denied. The system is currently in read-only mode.")
    if node.troubles & {"unreadable", "write_denied"}:
        raise PermissionDeniedError("Permission was denied")
    if "locked" in node.troubles:
        raise NodeLockedError(f"Can't perform operation since the node (id:{node.uuid}) is locked.")
    if "integrity" in node.troubles:
        raise IntegrityError(
            "Found 1 integrity violations:\nThe association source multiplicity has been violated: \n"
            f"   Source Node: {node.ref}"
        )


def v1_update(node: Node, body: dict[str, Any]) -> Update:
    """The update that a v1 request body asks for. Unknown properties are refused."""
    changes: dict[str, Any] = {}
    for name, value in (body.get("properties") or {}).items():
        if name.startswith("sys:"):
            raise NamespaceForbiddenError(f"NameSpace cannot be used by API: {name}")
        if name in AUDIT_PROPERTIES:
            continue
        if name not in PROPERTIES:
            raise InvalidArgumentError(f"Unknown property: {name}")
        changes[name] = _converted(name, value)
    name = body.get("name")
    if name is not None and (_ILLEGAL_IN_NAMES.search(name) or name.endswith((".", " "))):
        raise IntegrityError(f"Found 1 integrity violations:\nInvalid property value for cm:name: {name}")
    aspects = body.get("aspectNames")
    if aspects and any(aspect.startswith("sys:") for aspect in aspects):
        raise NamespaceForbiddenError("NameSpace cannot be used by API: sys:hidden")
    return Update(node, changes, name, None if aspects is None else frozenset(aspects))


def record_update(node: Node, attributes: dict[str, Any], protected: frozenset[str]) -> Update:
    """The update that a record mutation asks for. Unknown and protected attributes are skipped in silence."""
    changes: dict[str, Any] = {}
    for attribute, value in attributes.items():
        name = attribute.partition("?")[0]
        if name not in PROPERTIES or name in protected:
            continue
        if value is None and node.properties.get(name) is None:
            continue
        changes[name] = _converted(name, value)
    return Update(node, changes)


def apply(update: Update, *, user: str, now: str) -> None:
    """Put the values into the node; aspects that the properties belong to come along by themselves."""
    node = update.node
    for name, value in update.properties.items():
        if value is None:
            node.properties.pop(name, None)
            continue
        node.properties[name] = value
        aspect = PROPERTIES[name].aspect
        if aspect:
            node.aspects.add(aspect)
    if update.aspects is not None:
        node.aspects = set(update.aspects) | {"cm:auditable"}
    if update.name is not None:
        node.name = update.name
    node.modified = now
    node.modifier = user
    node.changed()


def automatic_name(node: Node) -> str:
    """What Citeck's naming behaviour makes of the full organization name."""
    full = str(node.properties.get("idocs:fullOrganizationName") or "")
    return _ILLEGAL_IN_NAMES.sub("_", full).rstrip(". ") or node.name


def _converted(name: str, value: Any) -> Any:
    definition = PROPERTIES[name]
    if value is None:
        return None
    if definition.multiple:
        values = value if isinstance(value, list) else [value]
        return [_single(name, definition, item) for item in values]
    if isinstance(value, list):
        raise IntegrityError(f"Found 1 integrity violations:\nThe property {name} is not multi-valued")
    return _single(name, definition, value)


def _single(name: str, definition: PropertyDefinition, value: Any) -> Any:
    if isinstance(value, dict):
        raise InvalidArgumentError(f"Could not convert value of {name}")
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if definition.allowed is not None and text not in definition.allowed:
        raise IntegrityError(
            f"Found 1 integrity violations:\nInvalid property value for {name}: "
            f"The value '{text}' is not an allowed value."
        )
    if definition.type == "d:int":
        if not text.lstrip("-").isdigit():
            raise InvalidArgumentError(f"Could not convert {name}: {text} is no number")
        return int(text)
    return text == "true" if definition.type == "d:boolean" else text
