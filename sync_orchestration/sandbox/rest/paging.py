"""One page of a list, in each of the ways in which APIs cut lists into pages."""

import math
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request

from sync_orchestration.sandbox.rest.answers import RefusedError
from sync_orchestration.sandbox.rest.cursors import Cursor, cursor_page
from sync_orchestration.sandbox.rest.links import link_headers, next_url
from sync_orchestration.sandbox.rest.records import Record
from sync_orchestration.sandbox.rest.switches import Paging, RestSwitches


@dataclass(frozen=True, slots=True)
class Page:
    """The records of a page, and what is said beside them."""

    rows: list[Record]
    fields: dict[str, Any] = field(default_factory=dict)
    """Values for the body by dotted path; a list that has any cannot be a bare array."""
    counts: dict[str, Any] = field(default_factory=dict)
    """Sizes and totals: in ``meta`` of a wrapped list, in headers beside a bare one."""
    headers: tuple[tuple[str, str], ...] = ()


def page_of(rows: list[Record], style: Paging, request: Request, switches: RestSwitches) -> Page:
    """The page that a request asks for, of rows that are filtered and in order."""
    asked = request.query_params
    if style == "none":
        return Page(rows)
    size = _size(asked, switches)
    match style:
        case "page":
            return _numbered_page(rows, asked, size, switches)
        case "offset":
            return _offset_page(rows, asked, size, switches)
        case "link":
            return _linked_page(rows, request, size, switches)
        case "cursor" | "next_url":
            return _cursor_page(rows, style, request, size, switches)


def _numbered_page(rows: list[Record], asked: QueryParams, size: int, switches: RestSwitches) -> Page:
    book = _Book(rows, size, switches)
    number = _whole_number(asked, "page", 1, least=1)
    counts = {"page": number, "per_page": size}
    return Page(book.page(number), counts=counts | book.totals("total_pages"))


def _offset_page(rows: list[Record], asked: QueryParams, size: int, switches: RestSwitches) -> Page:
    book = _Book(rows, size, switches)
    offset = _whole_number(asked, "offset", 0, least=0)
    return Page(book.slice(offset), counts={"offset": offset, "limit": size} | book.totals())


def _linked_page(rows: list[Record], request: Request, size: int, switches: RestSwitches) -> Page:
    book = _Book(rows, size, switches)
    number = _whole_number(request.query_params, "page", 1, least=1)
    numbers = {"first": 1, "prev": number - 1} if number > 1 else {}
    if number < book.pages or switches.endless:
        numbers |= {"next": number + 1, "last": max(book.pages, number + 1) if switches.endless else book.pages}
    return Page(book.page(number), headers=link_headers(request, numbers, size, switches))


def _cursor_page(rows: list[Record], style: Paging, request: Request, size: int, switches: RestSwitches) -> Page:
    text = request.query_params.get("cursor")
    cursor = Cursor.read(text) if text and not switches.ignores_paging else None
    chosen, following = cursor_page(rows, cursor, size, switches)
    token = following.token() if following else None
    if style == "cursor":
        has_more = {"meta.has_more": token is not None}
        return Page(chosen, {switches.cursor_field: token, **has_more})
    url = next_url(request, {"cursor": token, "limit": str(size)}, switches) if token else None
    return Page(chosen, {switches.next_field: url})


class _Book:
    """The rows laid out in pages, with the traps of the switches between them.

    The layout is computed anew for each request from what is there now. That is the trouble with numbers and
    offsets on living data: a record that comes or goes shifts all that follow.
    """

    def __init__(self, rows: list[Record], size: int, switches: RestSwitches) -> None:
        self.size = size
        self.switches = switches
        self.total = len(rows)
        # None stands for a place that is counted, and of which nothing is shown.
        self._places: list[Record | None] = []
        sheets = _overlapping(rows, size) if switches.duplicates else _sheets(rows, size)
        nothing: list[Record | None] = [None] * size
        for number, sheet in enumerate(sheets, start=1):
            self._places += nothing if number == switches.empty_page else []
            self._places += sheet
        if switches.last_empty:
            self._places += [None] * (-len(self._places) % size) + nothing
        self.pages = max(1, math.ceil(len(self._places) / size))

    def page(self, number: int) -> list[Record]:
        if number > self.pages and not self.switches.endless and self.switches.beyond_end == "not_found":
            raise RefusedError(404, "Invalid page")
        return self.slice((number - 1) * self.size)

    def slice(self, offset: int) -> list[Record]:
        """As many places as a page has, from `offset` on."""
        if self.switches.ignores_paging:
            offset = 0
        if self.switches.endless:
            offset = min(offset, (self.pages - 1) * self.size)
        return [row for row in self._places[offset : offset + self.size] if row is not None]

    def totals(self, *names: str) -> dict[str, int]:
        """The totals, unless the API keeps them to itself."""
        known = {"total": self.total} | dict.fromkeys(names, self.pages)
        return known if self.switches.totals else {}


def _sheets(rows: list[Record], size: int) -> list[list[Record]]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _overlapping(rows: list[Record], size: int) -> list[list[Record]]:
    """Pages of which each begins with the last record of the one before."""
    fresh = max(1, size - 1)
    old = size - fresh
    return [rows[:size], *(rows[start - old : start + fresh] for start in range(size, len(rows), fresh))]


def _size(asked: QueryParams, switches: RestSwitches) -> int:
    """How many records this page has; servers give fewer than asked without a word."""
    name = "per_page" if "per_page" in asked else "limit"
    size = _whole_number(asked, name, switches.default_page, least=1)
    if size > switches.max_page and switches.above_max == "refuse":
        raise RefusedError(400, f"{name} must not be greater than {switches.max_page}")
    return min(size, switches.max_page)


def _whole_number(asked: QueryParams, name: str, default: int, *, least: int) -> int:
    text = asked.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) >= least):
        raise RefusedError(400, f"{name} must be a whole number of at least {least}")
    return int(text)
