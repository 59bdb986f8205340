"""The repository's memory: nodes, the lagging index, users, and every write that clients have made."""

import hashlib
import json
import random
import threading
import time
import uuid as uuids
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Self

from sync_orchestration.sandbox.alfresco.demo import NODE_TROUBLES, demo_plans
from sync_orchestration.sandbox.alfresco.errors import EntityNotFoundError
from sync_orchestration.sandbox.alfresco.model import CONTRACTOR, is_a
from sync_orchestration.sandbox.alfresco.nodes import Node, Trouble, stamp, uuid_of
from sync_orchestration.sandbox.alfresco.search import Index, Result, Search, run
from sync_orchestration.sandbox.alfresco.statefile import dumped, loaded, replace_file
from sync_orchestration.sandbox.alfresco.switches import AlfrescoSwitches
from sync_orchestration.sandbox.alfresco.updates import Update, apply, automatic_name, check_writable
from sync_orchestration.sandbox.faults import Faults

_NEVER = float("inf")


@dataclass(frozen=True)
class Write:
    """One node that a client has written, through which API, and with which values."""

    uuid: str
    surface: Literal["v1", "records"]
    properties: dict[str, Any]


class AlfrescoWorld:
    """One repository with its index. All methods may be called from any thread."""

    def __init__(
        self,
        *,
        seed: int = 0,
        users: dict[str, str] | None = None,
        bearer: str = "sandbox-bearer",
        first_dbid: int = 1000,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        state_file: Path | None = None,
    ) -> None:
        self.lock = threading.RLock()
        self.faults = Faults(seed)
        self.switches = AlfrescoSwitches()
        self.users = users or {"admin": "admin"}
        self.bearer = bearer
        """The access token that an identity service would have issued."""
        self.tickets: dict[str, str] = {}
        """User by ticket."""
        self.clock = clock
        self.txn = 100
        self.index = Index()
        self.writes: list[Write] = []
        self.planted: dict[str, list[str]] = {}
        """Node ids by what was made wrong with them; see ``AlfrescoWorld.demo``."""
        self.random = random.Random(seed)
        self.state_file = state_file
        self.next_dbid = first_dbid
        self.nodes: dict[str, Node] = {}
        self._names: dict[str, str] = {}
        self._untracked: dict[str, float] = {}
        if state_file and state_file.exists():
            self._load(state_file)

    @classmethod
    def demo(cls, seed: int = 1, contractors: int = 1500, *, state_file: Path | None = None) -> Self:
        """A repository of about `contractors` visible contractors with planted troubles."""
        world = cls(seed=seed, state_file=state_file)
        if world.nodes:
            return world
        world.state_file = None
        for kind, properties in demo_plans(seed, contractors):
            if world.random.random() < 0.01:
                world.add(node_type="cm:content")
            node = world.add(properties, node_type="acme:supplier" if kind == "subtype" else CONTRACTOR)
            world.planted.setdefault(kind, []).append(node.uuid)
            node.troubles.update(trouble for trouble in NODE_TROUBLES if trouble == kind)
        world.state_file = state_file
        world.save()
        return world

    # What a test or a person at the demo does to the repository.

    def add(
        self,
        properties: dict[str, Any] | None = None,
        *,
        node_type: str = CONTRACTOR,
        dbid: int | None = None,
        indexed: bool = True,
    ) -> Node:
        """Add a node. With a lower `dbid` and ``indexed=False`` it is one that shows up late (see `track`)."""
        with self.lock:
            if dbid is None:
                # Other nodes share the table, so contractors do not follow each other without gaps.
                dbid = self.next_dbid + self.random.choice((0, 0, 0, 1, 2, 5))
            self.next_dbid = max(self.next_dbid, dbid + 1)
            now = stamp(self.clock())
            node_id = str(uuids.UUID(int=self.random.getrandbits(128), version=4))
            node = Node(dbid, node_id, name=node_id, created=now, modified=now, type=node_type)
            node.properties = {k: v for k, v in (properties or {}).items() if v is not None}
            self.nodes[node.uuid] = node
            self._rename(node, automatic_name(node))
            self._committed(node, due=None if indexed else _NEVER)
            self.save()
            return node

    def edit(self, uuid: str, **properties: Any) -> None:
        """Change properties as a person in the web client does (keys without ``idocs:``)."""
        with self.lock:
            node = self.nodes[uuid]
            changes = {f"idocs:{name}": value for name, value in properties.items()}
            self._apply(Update(node, changes), "user")
            self.save()

    def trouble(self, kind: Trouble, *node_ids: str) -> None:
        """Make something wrong with nodes; a vanished one stays in the index."""
        with self.lock:
            for node_id in node_ids:
                self.nodes[node_id].troubles.add(kind)
            self.save()

    def heal(self, kind: Trouble, *node_ids: str) -> None:
        """Undo `trouble`."""
        with self.lock:
            for node_id in node_ids:
                self.nodes[node_id].troubles.discard(kind)
            self.save()

    def delete(self, node_id: str) -> None:
        """Delete a node from the database and from the index."""
        with self.lock:
            node = self.nodes.pop(node_id)
            node.troubles.add("vanished")
            self._names.pop(node.name.casefold(), None)
            self._untracked.pop(node_id, None)
            self.index.drop(node)
            self.txn += 1
            self.save()

    def hide(self, *node_ids: str) -> None:
        """Take nodes out of the index until `track` is called, as for a transaction that commits late."""
        with self.lock:
            for node_id in node_ids:
                self.index.drop(self.nodes[node_id])
                self._untracked[node_id] = _NEVER

    def track(self, *node_ids: str) -> None:
        """Let the index catch up with these nodes, or with everything."""
        with self.lock:
            for node_id in node_ids or tuple(self._untracked):
                self._untracked.pop(node_id, None)
                self.index.put(self.nodes[node_id])

    # What the APIs do to the repository.

    def node(self, reference: str) -> Node:
        """The live node of an id or a node reference; raises `EntityNotFoundError`."""
        node_id = uuid_of(reference)
        node = self.nodes.get(node_id)
        if node is None or not node.is_live:
            raise EntityNotFoundError(f"The entity with id: {node_id} was not found")
        return node

    def live_nodes(self) -> Iterable[Node]:
        """Every node that the database has."""
        return (node for node in self.nodes.values() if node.is_live)

    def contractors(self) -> list[Node]:
        """All live contractors, readable or not, by node-dbid."""
        with self.lock:
            found = (node for node in self.live_nodes() if is_a(node.type, CONTRACTOR))
            return sorted(found, key=lambda node: node.dbid)

    def search(self, search: Search) -> Result:
        """Answer a query from the database or from the index."""
        now = time.monotonic()
        self.track_due(now)
        return run(self, search)

    def write(self, updates: list[Update], *, user: str, surface: Literal["v1", "records"]) -> None:
        """Apply checked updates as one transaction: nothing is applied when one node cannot be written."""
        for update in updates:
            check_writable(update.node, self.switches)
        for update in updates:
            self._apply(update, user)
            self.writes.append(Write(update.node.uuid, surface, dict(update.properties)))
        self.save()

    def ticket_for(self, user: str) -> str:
        """The user's ticket; there is one per user at a time."""
        for ticket, owner in self.tickets.items():
            if owner == user:
                return ticket
        noise = f"{user}{self.random.getrandbits(64)}".encode()
        ticket = "TICKET_" + hashlib.sha1(noise, usedforsecurity=False).hexdigest()
        self.tickets[ticket] = user
        return ticket

    def expire_tickets(self) -> None:
        """End every ticket, as an hour without requests does."""
        with self.lock:
            self.tickets.clear()

    def track_due(self, now: float) -> None:
        """Index what has waited long enough."""
        due = [node_id for node_id, moment in self._untracked.items() if moment <= now]
        if due:
            self.track(*due)

    def overview(self) -> dict[str, Any]:
        """Counts for ``/_sandbox/state``."""
        with self.lock:
            troubles = Counter(trouble for node in self.nodes.values() for trouble in node.troubles)
            return {
                "nodes": len(self.nodes),
                "contractors": sum(1 for node in self.contractors() if node.is_readable),
                "indexed": len(self.index),
                "not_yet_indexed": len(self._untracked),
                "transactions": self.txn,
                "writes": len(self.writes),
                "nodes_written": len({write.uuid for write in self.writes}),
                "troubles": dict(troubles),
                "planted": {kind: len(node_ids) for kind, node_ids in self.planted.items()},
            }

    def save(self) -> None:
        """Write the whole state to the state file, if there is one."""
        if self.state_file is None:
            return
        state = {
            "txn": self.txn,
            "next_dbid": self.next_dbid,
            "switches": self.switches.model_dump(mode="json"),
            "planted": self.planted,
            "nodes": [dumped(node) for node in self.nodes.values()],
        }
        replace_file(self.state_file, state)

    def _load(self, path: Path) -> None:
        state = json.loads(path.read_text(encoding="utf-8"))
        self.txn, self.next_dbid, self.planted = state["txn"], state["next_dbid"], state["planted"]
        self.switches = AlfrescoSwitches.model_validate(state["switches"])
        # Begun anew from the seed, the generator would hand out the stored nodes' ids a second time.
        self.random.seed(f"restarted at {self.txn}")
        for node in map(loaded, state["nodes"]):
            self.nodes[node.uuid] = node
            self._names[node.name.casefold()] = node.uuid
            if node.indexed is None:
                self._untracked[node.uuid] = _NEVER
                continue
            self.index.restore(node)
            if node.indexed != node.as_document():
                self._untracked[node.uuid] = 0.0

    def _apply(self, update: Update, user: str) -> None:
        node, former_name = update.node, update.node.name
        apply(update, user=user, now=stamp(self.clock()))
        named = self.switches.auto_name and is_a(node.type, CONTRACTOR)
        name = automatic_name(node) if named else node.name
        node.name = former_name
        self._rename(node, name)
        self._committed(node, due=None)

    def _rename(self, node: Node, wanted: str) -> None:
        if self._names.get(node.name.casefold()) == node.uuid:
            del self._names[node.name.casefold()]
        name, clashes = wanted, 0
        while name.casefold() in self._names:
            clashes += 1
            name = f"{wanted} ({clashes})"
        node.name = name
        self._names[name.casefold()] = node.uuid
        node.changed()

    def _committed(self, node: Node, due: float | None) -> None:
        """Count the transaction and let the index have it now, later or not before it is told to track."""
        self.txn += 1
        lag = self.switches.index_lag_seconds
        if due is None and lag == 0 and node.uuid not in self._untracked:
            self.index.put(node)
            return
        wait = _NEVER if lag is None else time.monotonic() + lag
        self._untracked[node.uuid] = max(self._untracked.get(node.uuid, 0.0), wait if due is None else due)
