"""A node of the repository, in itself and as the index and the APIs see it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from sync_orchestration.sandbox.alfresco.model import ASPECTS_OF_CONTRACTOR, CONTRACTOR

Trouble = Literal["locked", "integrity", "unreadable", "write_denied", "vanished"]
"""What can be wrong with a node. A vanished node is gone from the database, but the index still finds it."""

Document = dict[str, Any]
"""What a search engine knows of a node: its properties, ``TYPE``, ``ASPECTS`` and the system fields."""

STORE = "workspace://SpacesStore/"


@dataclass(slots=True)
class Node:
    """One node. `indexed` is what the index knows of it, None while the index knows nothing."""

    dbid: int
    uuid: str
    name: str
    created: str
    modified: str
    type: str = CONTRACTOR
    properties: dict[str, Any] = field(default_factory=dict)
    aspects: set[str] = field(default_factory=lambda: set(ASPECTS_OF_CONTRACTOR))
    creator: str = "admin"
    modifier: str = "admin"
    troubles: set[Trouble] = field(default_factory=set)
    indexed: Document | None = None
    document: Document | None = field(default=None, repr=False)
    entry: dict[str, Any] | None = field(default=None, repr=False)

    @property
    def ref(self) -> str:
        """The node reference, ``workspace://SpacesStore/…``."""
        return STORE + self.uuid

    @property
    def is_live(self) -> bool:
        """Whether the database still has the node."""
        return "vanished" not in self.troubles

    @property
    def is_readable(self) -> bool:
        """Whether a user of the API gets to see the node."""
        return self.is_live and "unreadable" not in self.troubles

    def changed(self) -> None:
        """Throw away what was prepared from the former values."""
        self.document = None
        self.entry = None

    def as_document(self) -> Document:
        """The node as a search engine sees it now."""
        if self.document is None:
            self.document = {
                **self.properties,
                "TYPE": self.type,
                "ASPECTS": frozenset(self.aspects),
                "cm:name": self.name,
                "cm:created": self.created,
                "cm:modified": self.modified,
                "sys:node-dbid": self.dbid,
                "sys:node-uuid": self.uuid,
            }
        return self.document

    def visible_properties(self, of: Document | None = None) -> dict[str, Any]:
        """The properties as the v1 API returns them: nothing of ``sys:``, and no empty strings."""
        source = self.properties if of is None else {name: of[name] for name in of if name.startswith("idocs:")}
        return {name: value for name, value in source.items() if value != ""}


def uuid_of(reference: str) -> str:
    """The node id in ``workspace://SpacesStore/…``, ``alfresco/@workspace://…`` or a bare id."""
    return reference.rpartition("/")[2].rpartition("@")[2]


def stamp(moment: datetime) -> str:
    """A date as Alfresco writes it: milliseconds, and an offset without a colon."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}+0000"
