"""The CRM's memory: two collections, the keys of repeated requests, and what was done to them."""

import json
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from sync_orchestration.sandbox.faults import Faults
from sync_orchestration.sandbox.rest.access import Access
from sync_orchestration.sandbox.rest.demo import demo_contacts
from sync_orchestration.sandbox.rest.idempotency import IdempotencyKeys
from sync_orchestration.sandbox.rest.records import Collection, Id, Json, Record, deleted
from sync_orchestration.sandbox.rest.switches import RestSwitches

Clock = Callable[[], datetime]

COLLECTIONS = ("partners", "contacts")


def _utc_now() -> datetime:
    return datetime.now(UTC)


class RestWorld:
    """One CRM with one client. All methods may be called from any thread."""

    def __init__(
        self,
        *,
        seed: int = 0,
        clock: Clock = _utc_now,
        user: str = "sync",
        password: str = "sync",  # noqa: S107  the stand-in's own, and no secret
        token: str = "sandbox-rest-token",  # noqa: S107 - the same
        state_file: Path | None = None,
    ) -> None:
        self.lock = threading.RLock()
        self.faults = Faults(seed)
        self.switches = RestSwitches()
        self.clock = clock
        self.seed = seed
        self.access = Access(user, password, token)
        self.idempotency = IdempotencyKeys()
        self.collections = {name: Collection(name) for name in COLLECTIONS}
        self.writes: Counter[str] = Counter()
        """What clients did: ``created``, ``updated``, ``unchanged`` (an update that changed nothing), ``deleted``."""
        self.after_page: deque[Callable[[], object]] = deque()
        """Things that happen between the pages of a list: one is done after each page that was served."""
        self.in_flight = 0
        self.max_in_flight = 0
        """The greatest number of requests that were in the server at once."""
        self._arrivals = threading.Condition(self.lock)
        self._planted: dict[str, list[int]] = {}
        self._state_file = state_file
        self._saved: dict[str, Any] = {}
        if state_file and state_file.exists():
            self._load(state_file)

    @classmethod
    def demo(
        cls, seed: int = 1, contacts: int = 300, *, clock: Clock = _utc_now, state_file: Path | None = None
    ) -> Self:
        """A CRM without partners, and with contacts from the ten days before today; see `planted`."""
        world = cls(seed=seed, clock=clock, state_file=state_file)
        if state_file and state_file.exists():
            return world
        # From midnight, so that a demo started twice on one day is the same demo.
        today = clock().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        demo = demo_contacts(seed, contacts, today)
        for values, moment in demo.contacts:
            world.collections["contacts"].add(values, moment)
        for number in demo.planted["deleted"]:
            record = world.collections["contacts"].numbered(number)
            world.collections["contacts"].keep(deleted(record, record.updated_at))
        world._planted = demo.planted
        world.save()
        return world

    @property
    def planted(self) -> dict[str, list[Id]]:
        """The ids of the contacts of each kind of trouble.

        ``bad_email``, ``no_name``, ``unknown_country`` (XX), ``no_country``, ``spaces``, ``deleted``, ``duplicate``
        (another contact has their name and address), and ``same_moment``: changed in one import.
        """
        with self.lock:
            contacts = self.collections["contacts"]
            return {kind: [contacts.numbered(n).id(self.switches) for n in ns] for kind, ns in self._planted.items()}

    def put(self, collection: str, values: Mapping[str, Any], *, updated_at: datetime | None = None) -> Json:
        """Enter a record past all checks; it is returned as a client gets it."""
        with self.lock:
            record = self.collections[collection].add(values, updated_at or self.clock())
            self.save()
            return record.served(self.switches)

    def change(self, collection: str, record_id: Id, *, updated_at: datetime | None = None, **values: Any) -> Json:
        """Change some fields of a record past all checks; a deleted one comes back to life."""
        with self.lock:
            record = self._found(collection, record_id)
            now = updated_at or self.clock()
            changed = replace(record, values={**record.values, **values}, updated_at=now, deleted=False)
            self.collections[collection].keep(changed)
            self.save()
            return changed.served(self.switches)

    def remove(self, collection: str, record_id: Id, *, updated_at: datetime | None = None) -> None:
        """Delete a record, as somebody in the CRM's own window does."""
        with self.lock:
            record = self._found(collection, record_id)
            self.collections[collection].keep(deleted(record, updated_at or self.clock()))
            self.save()

    def record(self, collection: str, record_id: Id) -> Json | None:
        """A living record as a client gets it."""
        with self.lock:
            record = self.collections[collection].find(record_id, self.switches)
            return record.served(self.switches) if record and not record.deleted else None

    def live(self, collection: str) -> list[Json]:
        """All living records as clients get them, oldest first."""
        with self.lock:
            return [record.served(self.switches) for record in self.collections[collection].live()]

    def created_twice(self) -> list[str]:
        """The external references that more than one living partner has: the marks of a doubled write."""
        with self.lock:
            partners = self.collections["partners"].live()
            counts = Counter(str(p.values["external_ref"]) for p in partners if p.values.get("external_ref"))
            return sorted(reference for reference, count in counts.items() if count > 1)

    @contextmanager
    def arrival(self) -> Iterator[None]:
        """A request is in the server for the length of the block."""
        with self._arrivals:
            self.in_flight += 1
            self.max_in_flight = max(self.max_in_flight, self.in_flight)
            self._arrivals.notify_all()
        try:
            yield
        finally:
            with self.lock:
                self.in_flight -= 1

    def wait_until_in_flight(self, count: int, timeout: float = 10.0) -> bool:
        """Wait until this many requests are in the server at once; with the switch `held` they stay there."""
        with self._arrivals:
            return self._arrivals.wait_for(lambda: self.in_flight >= count, timeout)

    def page_served(self) -> None:
        """Let happen what was to happen between two pages."""
        if self.after_page:
            self.after_page.popleft()()

    def overview(self) -> dict[str, Any]:
        """Counts for ``/_sandbox/state``."""
        with self.lock:
            return {
                **{name: len(collection.live()) for name, collection in self.collections.items()},
                "deleted": {name: len(list(c)) - len(c.live()) for name, c in self.collections.items()},
                "writes": dict(self.writes),
                "created_twice": self.created_twice(),
                "replayed": self.idempotency.replayed,
                "over_quota": self.access.over_quota,
                "max_in_flight": self.max_in_flight,
            }

    def save(self) -> None:
        """Add what has changed to the state file, if there is one: a line each, for a whole file would be slow."""
        if self._state_file is None:
            return
        news: list[dict[str, Any]] = [
            {"collection": name, "record": record}
            for name, collection in self.collections.items()
            for record in collection.take_unsaved()
        ]
        news += [{"idempotency": use} for use in self.idempotency.take_unsaved()]
        rest = {"planted": self._planted, "switches": self.switches.model_dump(mode="json")}
        if rest != self._saved:
            self._saved = rest
            news.append(rest)
        with self._state_file.open("a", encoding="utf-8") as file:
            file.write("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in news))

    def _load(self, state_file: Path) -> None:
        for line in state_file.read_text(encoding="utf-8").splitlines(keepends=True):
            if not line.endswith("\n"):
                break  # the server was killed while it wrote; nobody has got an answer for this
            stored = json.loads(line)
            if "record" in stored:
                self.collections[stored["collection"]].load(stored["record"])
            elif "idempotency" in stored:
                self.idempotency.load(stored["idempotency"])
            else:
                self._planted = stored["planted"]
                self.switches = RestSwitches.model_validate(stored["switches"])

    def _found(self, collection: str, record_id: Id) -> Record:
        record = self.collections[collection].find(record_id, self.switches)
        if record is None:
            raise KeyError(f"{collection} {record_id}")
        return record
