"""What all worlds have in common: deeds by number, a picture of both sides, a ledger of what was written."""

import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from starlette.types import ASGIApp, Receive, Scope, Send

from sync_orchestration.sandbox.faults import Faults

Values = dict[str, Any]
T = TypeVar("T")

OUT_OF_SIGHT = 2 * 60 * 60
"""Seconds: a change that shows so late lies before every overlap, and only an inventory can find it."""


class NothingThereError(Exception):
    """There is no such record to do something to."""


@dataclass(frozen=True)
class Deed:
    """What somebody does: a method of the world, the number of the record meant, the number of what it gets."""

    what: str
    number: int
    choice: int


@dataclass
class Picture:
    """Both sides at one moment. Keys are those of the sync's records.

    `wanted` is what the target must hold of the good records, `found` what it holds. `refused` must have failed and
    `skipped` have been left out, with a reason; of `either` nothing is asked but a settled row. `leftover` is still in
    the target although it is gone from the source; `doubled` is there twice, or belongs to nobody. `touched` was
    changed by hand in the target, `untold` by a change that no feed tells.
    """

    wanted: dict[str, Values]
    found: dict[str, Values]
    refused: set[str] = field(default_factory=set)
    skipped: set[str] = field(default_factory=set)
    either: set[str] = field(default_factory=set)
    leftover: set[str] = field(default_factory=set)
    doubled: list[str] = field(default_factory=list)
    touched: set[str] = field(default_factory=set)
    untold: set[str] = field(default_factory=set)

    def different(self, except_for: set[str]) -> dict[str, tuple[Values, Values | None]]:
        """Return what is not as it should be: wanted and found."""
        return {
            key: (values, self.found.get(key))
            for key, values in self.wanted.items()
            if key not in except_for and self.found.get(key) != values
        }


class World(ABC):
    """The systems of one sync in this process."""

    sync: ClassVar[str]
    upstream: ClassVar[tuple[str, ...]] = ()
    """Syncs that have to run before this one has anything to read."""
    deeds: ClassVar[tuple[str, ...]]
    """Names of methods; one that is there twice happens twice as often."""
    usual: ClassVar[tuple[str, str]] = ("update", "create")
    """The deeds that change a good record, and that make one."""
    target: ClassVar[str]
    """The connection that is written to."""
    sends: ClassVar[frozenset[str]] = frozenset()
    """Deeds that ask the target something over HTTP; all others may change it at once."""
    full_read_heals: ClassVar[bool] = True
    """False: what was done to the target by hand stays until the record changes in its source."""

    def __init__(self, version: int) -> None:
        self.version = version
        self.made = 0
        self.touched: set[str] = set()
        self.untold: set[str] = set()
        self.written: Counter[str] = Counter()
        """How often a request has changed what the target holds of a record."""
        self._last: dict[str, Values] = {}
        self._looking = threading.RLock()

    @abstractmethod
    def apps(self) -> dict[str, ASGIApp]:
        """The servers by connection."""

    @abstractmethod
    def faults(self) -> dict[str, Faults]:
        """What is wrong with each server."""

    @abstractmethod
    def variables(self, urls: Mapping[str, str]) -> dict[str, str]:
        """The environment in which the connections lead here."""

    @abstractmethod
    def begin(self, number: int) -> None:
        """Let there be some records before anything is synced."""

    @abstractmethod
    def found(self) -> dict[str, Values]:
        """What the target holds, by key of the record."""

    @abstractmethod
    def picture(self) -> Picture:
        """Look at both sides."""

    def settle(self) -> None:  # noqa: B027  most worlds have nothing under way
        """Let everything that is under way become visible."""

    def adopted(self, key: str) -> bool:
        """Tell of a record of the target whether somebody else had made it: to link it is not to write it."""
        return False

    def do(self, deed: Deed) -> bool:
        """Do it, unless there is nothing to do it to."""
        # What a deed changes in the target must not be taken for the work of a request that ends meanwhile.
        with nullcontext() if deed.what in self.sends else self._looking:
            try:
                getattr(self, deed.what)(deed.number, deed.choice)
            except NothingThereError:
                return False
            finally:
                if deed.what not in self.sends:
                    self.look()
        return True

    def served(self) -> dict[str, ASGIApp]:
        """The servers, the target's with a ledger at its door."""
        return {name: Ledger(self, app) if name == self.target else app for name, app in self.apps().items()}

    def look(self, *, write: bool = False) -> None:
        """Take note of what the target holds; with `write` what has changed was written by a request."""
        with self._looking:
            found, before = self.found(), self._last
            changed = {key for key in found.keys() | before.keys() if found.get(key) != before.get(key)}
            if write:
                self.written.update(key for key in changed if key in before or not self.adopted(key))
            self._last = found


@dataclass
class Ledger:
    """Stands before the target and notes after each request what it has changed there."""

    world: World
    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.app(scope, receive, send)
        finally:
            if scope["type"] == "http" and scope["method"] != "GET":
                # One event loop serves the target, and nothing is awaited here: nobody else comes between.
                self.world.look(write=True)


def one_of(things: Sequence[T], number: int) -> T:
    if not things:
        raise NothingThereError
    return things[number % len(things)]


CITIES = ("Praha", "Brno", "Žďár <nad> Sázavou & okolí", "", "Аш")
NAMES = ("Alfa", "Beta  s.r.o.", "Žluťoučký kůň", 'Gamma "quoted"', "Дельта")
EMAILS = ("", "a@example.com", "info@beta.example")
PHONES = ("", "+420 111 222 333", "777  888 999")
