"""Nodes as JSON, and a file that is always replaced as a whole."""

import json
from pathlib import Path
from typing import Any

from sync_orchestration.sandbox.alfresco.nodes import Document, Node

_PLAIN = ("dbid", "uuid", "name", "created", "modified", "type", "properties", "creator", "modifier")


def replace_file(path: Path, state: dict[str, Any]) -> None:
    """Write `state` so that a reader sees the old or the new file, never half of one."""
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(state, ensure_ascii=False), encoding="utf-8")
    fresh.replace(path)


def dumped(node: Node) -> dict[str, Any]:
    """A node with its troubles and what the index knows of it."""
    return {
        **{name: getattr(node, name) for name in _PLAIN},
        "aspects": sorted(node.aspects),
        "troubles": sorted(node.troubles),
        "indexed": node.indexed and {**node.indexed, "ASPECTS": sorted(node.indexed["ASPECTS"])},
    }


def loaded(stored: dict[str, Any]) -> Node:
    """The node that `dumped` has written."""
    indexed: Document | None = stored["indexed"]
    if indexed is not None:
        indexed["ASPECTS"] = frozenset(indexed["ASPECTS"])
    return Node(
        **{name: stored[name] for name in _PLAIN},
        aspects=set(stored["aspects"]),
        troubles=set(stored["troubles"]),
        indexed=indexed,
    )
