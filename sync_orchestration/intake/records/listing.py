"""The list of records: a filter, the counts above it, a page of fifty."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from psycopg import Connection
from starlette.responses import Response
from starlette.routing import Route

from sync_orchestration.intake.records.desk import Desk, Visit
from sync_orchestration.intake.records.filters import STATUSES, as_fields, as_query, place_text, read_filter, read_place
from sync_orchestration.interface.browsing import Count, ListedRow, Place, RowFilter, browse, counts_up_to

ROWS = 50
"""Rows of a page."""

_COUNTED = 10_000


@dataclass(frozen=True, slots=True)
class Cell:
    """One number of the overview, as it is shown, and the filter of the rows that it counts."""

    text: str
    query: str


class Listing:
    """The first page that people see."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [Route("/records", self._desk.serve(self.list), methods=["GET"])]

    async def list(self, visit: Visit) -> Response:
        """Show a page of the rows that a filter finds."""
        given = visit.request.query_params
        wanted, after = read_filter(given), read_place(given.get("after", ""))
        rows, counts = await self._desk.look(lambda conn: _found(conn, wanted, after))
        shown = rows[:ROWS]
        syncs = sorted({*self._desk.views, *(count.sync for count in counts)})
        return self._desk.show(
            visit,
            "list.html",
            fields=as_fields(wanted),
            more_fields=as_fields(wanted).keys() - {"text", "sync", "status"},
            query=as_query(wanted),
            rows=shown,
            is_first=after is None,
            following=as_query(wanted, after=place_text(shown[-1])) if len(rows) > ROWS else None,
            overview=overview(counts),
            statuses=STATUSES,
            syncs=syncs,
            retry_query=as_query(replace(wanted, status="failed")) if wanted.status in (None, "failed") else None,
        )


def _found(conn: Connection[Any], wanted: RowFilter, after: Place | None) -> tuple[list[ListedRow], list[Count]]:
    return browse(conn, wanted, limit=ROWS + 1, after=after), counts_up_to(conn, _COUNTED + 1)


def overview(counts: Sequence[Count]) -> dict[str, dict[str, Cell]]:
    """Return how many rows each sync has in each status; beyond ten thousand nobody counts on."""
    found: dict[str, dict[str, Cell]] = {}
    for count in counts:
        text = f"{count.rows:,}" if count.rows <= _COUNTED else f"more than {_COUNTED:,}"
        query = as_query(RowFilter(sync=count.sync, status=count.status))
        found.setdefault(count.sync, {})[count.status] = Cell(text, query)
    return found
