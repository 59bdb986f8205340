"""What the two ways of talking to Alfresco have in common: reading nodes in order, reading some, changing one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Properties = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Node:
    """One node as a search found it; `dbid` is None where the dialect does not tell it."""

    node_id: str
    dbid: int | None
    properties: Properties


@dataclass(frozen=True, slots=True)
class NodePage:
    """Nodes by ascending node-dbid. A page may be short or empty although there is `more`: some were not readable."""

    nodes: Sequence[Node]
    more: bool


@dataclass(frozen=True, slots=True)
class Changed:
    """A change that the server did not object to. `stored` is what the node holds since, where the answer tells it."""

    stored: Properties | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a node was not read or changed: a code for machines, a sentence for people; `transient` if it may pass."""

    code: str
    message: str
    status: int
    transient: bool = False


class Dialect(Protocol):
    """One server's way of reading and changing nodes of a type. Raises SyncError when the server is at fault."""

    def page(self, above: int, limit: int, skip: int) -> NodePage:
        """Return nodes with a node-dbid above `above`, ascending."""

    def dbid(self, node_id: str) -> int:
        """Return the node-dbid of a node."""

    def newest(self) -> int:
        """Return the highest node-dbid of the type; 0 where there is none."""

    def read(self, node_ids: Sequence[str]) -> Mapping[str, Properties | Refusal]:
        """Read nodes afresh from the repository; one that is gone is left out."""

    def change(self, node_id: str, properties: Properties) -> Changed | Refusal:
        """Change these properties of a node and no others; whether each was taken is for the caller to see."""

    def check(self) -> str:
        """Try the connection harmlessly; returns a sentence for people."""
