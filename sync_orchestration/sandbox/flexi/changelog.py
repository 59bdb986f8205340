"""The numbered log of a company's changes: versions are unique and grow, with gaps."""

import heapq
import random
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal, NamedTuple

Operation = Literal["create", "update", "delete"]


class ChangeRow(NamedTuple):
    """One change: its identifiers are those that the record had at that moment."""

    version: int
    evidence: str
    operation: Operation
    timestamp: str
    record_id: int
    identifiers: tuple[str, ...]


class Page(NamedTuple):
    """One answer of the feed; `following` is None where nothing more is visible."""

    rows: list[ChangeRow]
    following: int | None


@dataclass
class ChangeLog:
    """The visible rows in order of version, and the rows whose version was given but is not visible yet."""

    enabled: bool = False
    last_assigned: int = 0
    forgotten_up_to: int = 0
    versions: list[int] = field(default_factory=list)
    rows: dict[int, ChangeRow] = field(default_factory=dict)
    held: dict[int, ChangeRow] = field(default_factory=dict)
    holding: bool = False
    _late: dict[int, int] = field(default_factory=dict)
    _by_evidence: dict[str, list[int]] = field(default_factory=dict)
    _published: int = 0

    def assign(self, rng: random.Random, *, gaps: bool) -> int:
        """Give out the next version."""
        skipped = rng.randint(1, 4) if gaps and rng.random() < 0.12 else 0
        self.last_assigned += 1 + skipped
        return self.last_assigned

    def publish(self, rows: Iterable[ChangeRow], *, late_every: int, late_answers: int) -> None:
        """Make rows visible, except those that are held back."""
        for row in rows:
            self._published += 1
            if self.holding:
                self.held[row.version] = row
            elif late_every and self._published % late_every == 0:
                self.held[row.version] = row
                self._late[row.version] = late_answers
            else:
                self._show(row)

    def release(self) -> None:
        """Make every held row visible and hold no more."""
        self.holding = False
        for version in sorted(self.held):
            self._show(self.held[version])
        self.held.clear()
        self._late.clear()

    def highest_visible(self) -> int:
        return self.versions[-1] if self.versions else self.forgotten_up_to

    def page(self, start: int, limit: int, evidences: Sequence[str]) -> Page:
        """Return the rows from `start` (inclusive) on; being asked lets late rows in for the next time."""
        page = self.peek(start, limit, evidences)
        self._let_late_rows_in(start, page)
        return page

    def peek(self, start: int, limit: int, evidences: Sequence[str] = ()) -> Page:
        """Return the rows from `start` (inclusive) on."""
        if evidences:
            listed = [self._by_evidence.get(e, []) for e in dict.fromkeys(evidences)]
            tails = [islice(v, bisect_left(v, start), None) for v in listed]
            found = list(islice(heapq.merge(*tails), limit + 1))
        else:
            first = bisect_left(self.versions, start)
            found = self.versions[first : first + limit + 1]
        return Page([self.rows[v] for v in found[:limit]], found[limit] if len(found) > limit else None)

    def forget_before(self, version: int) -> None:
        """Drop the oldest rows, as a limited retention would."""
        self.forgotten_up_to = max(self.forgotten_up_to, version - 1)
        self._keep(bisect_left(self.versions, version), len(self.versions))

    def rewind(self, version: int) -> None:
        """Forget everything after `version`; later versions will be given again."""
        self._keep(0, bisect_right(self.versions, version))
        self.held = {v: row for v, row in self.held.items() if v <= version}
        self._late = {v: n for v, n in self._late.items() if v <= version}
        self.last_assigned = version
        self.forgotten_up_to = min(self.forgotten_up_to, version)

    def clear(self) -> None:
        """Lose all history, the numbering goes on."""
        self._keep(0, 0)
        self.held.clear()
        self._late.clear()
        self.forgotten_up_to = self.last_assigned

    def _show(self, row: ChangeRow) -> None:
        self.rows[row.version] = row
        for versions in (self.versions, self._by_evidence.setdefault(row.evidence, [])):
            if versions and versions[-1] > row.version:
                insort(versions, row.version)
            else:
                versions.append(row.version)

    def _keep(self, first: int, last: int) -> None:
        rows = [self.rows[v] for v in self.versions[first:last]]
        self.versions, self.rows, self._by_evidence = [], {}, {}
        for row in rows:
            self._show(row)

    def _let_late_rows_in(self, start: int, page: Page) -> None:
        reached = page.rows[-1].version if page.following is not None else self.last_assigned
        for version in [v for v in self._late if start <= v <= reached]:
            self._late[version] -= 1
            if self._late[version] == 0:
                del self._late[version]
                self._show(self.held.pop(version))
