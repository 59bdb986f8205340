"""Opaque cursors. They hold a place in the order, not a count, so they stand firm while records come and go."""

import base64
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Self

from sync_orchestration.sandbox.rest.answers import RefusedError
from sync_orchestration.sandbox.rest.records import Record
from sync_orchestration.sandbox.rest.switches import RestSwitches

Place = tuple[float, int]

_BEFORE_ALL: Place = (float("-inf"), 0)


@dataclass(frozen=True, slots=True)
class Cursor:
    """After which place the page begins, and how many pages came before it."""

    place: Place
    pages: int

    @classmethod
    def read(cls, token: str) -> Self:
        """The cursor in a token; a token that we did not make is refused."""
        try:
            state = json.loads(base64.urlsafe_b64decode(token.encode()))
            return cls((float(state["place"][0]), int(state["place"][1])), int(state["pages"]))
        except (ValueError, LookupError, TypeError, OverflowError) as error:
            raise RefusedError(400, "Invalid cursor") from error

    def token(self) -> str:
        return base64.urlsafe_b64encode(json.dumps(asdict(self)).encode()).decode()


def in_order(rows: list[Record], switches: RestSwitches) -> list[Record]:
    """The rows in the order in which lists show them."""
    return sorted(rows, key=lambda record: _place(record, switches))


def cursor_page(
    rows: list[Record], cursor: Cursor | None, size: int, switches: RestSwitches
) -> tuple[list[Record], Cursor | None]:
    """The rows after a cursor, and the cursor of the page that follows, if one does."""
    start, pages = (cursor.place, cursor.pages) if cursor else (_BEFORE_ALL, 0)
    left = [row for row in rows if _place(row, switches) > start]
    if left and switches.empty_page == pages + 1:
        return [], Cursor(start, pages + 1)
    before = rows[: len(rows) - len(left)][-1:] if switches.duplicates else []
    fresh = left[: max(1, size - len(before))]
    if len(fresh) == len(left):
        return before + fresh, _after_the_last(start, pages, fresh, switches)
    return before + fresh, Cursor(_place(fresh[-1], switches), pages + 1)


def _after_the_last(start: Place, pages: int, fresh: list[Record], switches: RestSwitches) -> Cursor | None:
    if switches.endless:
        # The same place again, in a token that nobody has seen yet.
        return Cursor(start, pages + 1)
    if switches.last_empty and fresh:
        return Cursor(_place(fresh[-1], switches), pages + 1)
    return None


def _place(record: Record, switches: RestSwitches) -> Place:
    match switches.order:
        case "id":
            return (0.0, record.number)
        case "newest_first":
            return (0.0, -record.number)
        case "updated_at":
            return (record.updated_at.astimezone(UTC).timestamp(), record.number)


def moment(text: str) -> datetime:
    """An ISO 8601 moment that says its time zone."""
    # A `+` that was not encoded arrives as a space, and is as wrong here as on any server.
    parsed = datetime.fromisoformat(text) if "T" in text else None
    if parsed is None or parsed.tzinfo is None:
        raise ValueError(text)
    return parsed
