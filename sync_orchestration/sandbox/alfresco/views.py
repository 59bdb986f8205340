"""Nodes in the words of the v1 REST API and of the old metadata web script."""

from typing import Any

from sync_orchestration.sandbox.alfresco.model import long_qname
from sync_orchestration.sandbox.alfresco.nodes import Node

Json = dict[str, Any]

SEARCH_INCLUDES = frozenset(
    {
        *("allowableOperations", "aspectNames", "isLink", "path", "properties", "association", "isLocked"),
        *("permissions", "isFavorite"),
    }
)
NODE_INCLUDES = SEARCH_INCLUDES | {"definition", "isDirectLinkEnabled"}

_PARENT = "b4ab7a3c-6d1f-4e55-9b63-2f1d5c0a7e10"
_HOME = ("Company Home", "Data Dictionary", "Data Lists", "contractors")


def search_row(node: Node, include: frozenset[str], *, stale: bool) -> Json:
    """A row of a search answer."""
    entry = _entry(node) | _included(node, include, stale=stale)
    return {"entry": entry | {"search": {"score": 1.0}, "location": "nodes"}}


def node_entry(node: Node, include: frozenset[str] = frozenset()) -> Json:
    """A node by itself: always with its properties and aspects."""
    return {"entry": _entry(node) | _included(node, include | {"properties", "aspectNames"}, stale=False)}


def metadata(node: Node, *, short: bool, rendered_numbers: bool) -> Json:
    """The old metadata web script, the one plain call that returns ``sys:node-dbid``."""
    properties = {
        **node.properties,
        "cm:name": node.name,
        "cm:created": _iso(node.created),
        "cm:creator": node.creator,
        "cm:modified": _iso(node.modified),
        "cm:modifier": node.modifier,
        "sys:node-dbid": f"{node.dbid:,}" if rendered_numbers else node.dbid,
        "sys:node-uuid": node.uuid,
        "sys:store-protocol": "workspace",
        "sys:store-identifier": "SpacesStore",
    }
    name = str if short else long_qname
    return {
        "nodeRef": node.ref,
        "type": name(node.type),
        "mimetype": "application/octet-stream",
        "properties": {name(key): value for key, value in properties.items()},
        "aspects": [name(aspect) for aspect in sorted({*node.aspects, "sys:referenceable", "sys:localized"})],
    }


def _entry(node: Node) -> Json:
    if node.entry is None:
        node.entry = {
            "isFile": True,
            "createdByUser": _user(node.creator),
            "modifiedAt": node.modified,
            "nodeType": node.type,
            "parentId": _PARENT,
            "createdAt": node.created,
            "isFolder": False,
            "modifiedByUser": _user(node.modifier),
            "name": node.name,
            "id": node.uuid,
        }
    return node.entry


def _included(node: Node, include: frozenset[str], *, stale: bool) -> Json:
    more: Json = {}
    if "properties" in include:
        properties = node.visible_properties(node.indexed if stale else None)
        if properties:
            more["properties"] = properties
    if "aspectNames" in include:
        more["aspectNames"] = sorted(node.aspects)
    if "isLocked" in include:
        more["isLocked"] = "locked" in node.troubles
    if "isLink" in include:
        more["isLink"] = False
    if "isFavorite" in include:
        more["isFavorite"] = False
    if "allowableOperations" in include:
        denied = "write_denied" in node.troubles
        more["allowableOperations"] = [] if denied else ["delete", "update", "updatePermissions"]
    if "path" in include:
        elements = [{"id": _PARENT, "name": name} for name in _HOME]
        more["path"] = {"name": "/" + "/".join(_HOME), "isComplete": True, "elements": elements}
    if "permissions" in include:
        more["permissions"] = {"isInheritanceEnabled": True}
    return more


def _user(name: str) -> Json:
    return {"id": name, "displayName": "Administrator" if name == "admin" else name}


def _iso(date: str) -> str:
    return date.replace("+0000", "Z")
