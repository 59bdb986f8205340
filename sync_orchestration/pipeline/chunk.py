"""A chunk of a feed: changes of several pages, coalesced before they are landed."""

from collections.abc import Callable, Iterable

from sync_orchestration.interface.rows import Payload
from sync_orchestration.pipeline.protocols import Change


class Chunk:
    """Changes of several pages, coalesced: of each record only the newest is kept."""

    def __init__(self, start: int) -> None:
        self.end = start
        self.notices = 0
        self.positions: list[int] = []
        self._newest: dict[str, Change] = {}
        self._parts: list[Change] = []

    def add(self, change: Change) -> None:
        self.notices += 1
        self.positions.append(change.position)
        if change.part is not None:
            self._parts.append(change)
        else:
            self._newest[change.key] = change

    def whole_records(self, holders: Callable[[Payload], Iterable[str]]) -> list[Change]:
        """Return one change a record; a lost part is a change of every record that holds it."""
        for change in self._parts:
            for key in holders(change.part or {}):
                known = self._newest.get(key)
                if known is None or (known.operation != "delete" and known.position < change.position):
                    self._newest[key] = Change(key, "update", change.position)
        return list(self._newest.values())
