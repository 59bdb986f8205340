"""A filter's rows as a file: CSV piece by piece, Excel built on disk; both bounded, and harmless in a spreadsheet."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import IO, Any

import pandas as pd
from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from psycopg import Connection
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from sync_orchestration.intake.records.desk import Desk, Visit
from sync_orchestration.intake.records.filters import read_filter
from sync_orchestration.interface.browsing import ListedRow, Place, RowFilter, browse
from sync_orchestration.mapping.plain_text import plain

MOST_ROWS = 100_000
COLUMNS = (
    "sync",
    "source_system",
    "record_key",
    "operation",
    "status",
    "error_code",
    "error_field",
    "error_message",
    "attempts",
    "received_at",
    "first_failed_at",
    "last_attempt_at",
    "next_attempt_at",
    "target_id",
)
"""Times are in UTC."""

_AT_A_TIME = 2_000
_PIECE = 256 * 1024
_LONGEST_CELL = 32_000  # Excel's limit is 32,767
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some rows as cells; `is_cut`: they are the last of the file, but not of the filter."""

    cells: list[list[Any]]
    is_cut: bool = False


class Exports:
    """The files."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/records/export.csv", self._desk.serve(self.csv), methods=["GET"]),
            Route("/records/export.xlsx", self._desk.serve(self.excel), methods=["GET"]),
        ]

    async def csv(self, visit: Visit) -> Response:
        """Send a CSV file while it is read: a table that is too long is cut, and its last line says so."""
        pieces = self._pieces(read_filter(visit.request.query_params))
        # The first piece before any header is out, so that what goes wrong is still told as a page.
        first = await self._desk.take_time(lambda: next(pieces))
        return StreamingResponse(self._lines(first, pieces), media_type="text/csv; charset=utf-8", headers=_as("csv"))

    async def _lines(self, first: _Piece, others: Iterator[_Piece]) -> AsyncIterator[str]:
        # The byte order mark tells Excel that it is UTF-8.
        yield "\ufeff" + ",".join(COLUMNS) + "\n"
        piece: _Piece | None = first
        while piece is not None:
            yield pd.DataFrame(piece.cells, columns=COLUMNS).to_csv(index=False, header=False)
            if piece.is_cut:
                yield f'"{_cut()}"\n'
            piece = await self._desk.take_time(partial(next, others, None))

    async def excel(self, visit: Visit) -> Response:
        """Send an Excel file; a table that is too long is cut, and its last row says so."""
        pieces = self._pieces(read_filter(visit.request.query_params))
        file = await self._desk.take_time(lambda: _workbook(pieces))
        return StreamingResponse(_bytes(file), media_type=_EXCEL, headers=_as("xlsx"))

    def _pieces(self, wanted: RowFilter) -> Iterator[_Piece]:
        """Yield the rows of a filter, at least one piece; each is a look of its own, so that no session is held."""
        after: Place | None = None
        left = MOST_ROWS
        while True:
            limit = min(_AT_A_TIME, left)
            rows: list[ListedRow] = self._desk.look_here(partial(_browsed, wanted, limit + 1, after))
            left -= limit
            more = len(rows) > limit
            yield _Piece([_cells(row) for row in rows[:limit]], is_cut=more and left == 0)
            if not more or left == 0:
                return
            after = rows[limit - 1].place


def _browsed(wanted: RowFilter, limit: int, after: Place | None, conn: Connection[Any]) -> list[ListedRow]:
    return browse(conn, wanted, limit=limit, after=after)


def _cut() -> str:
    return f"cut after {MOST_ROWS:,} rows; narrow the filter to have the rest"


def _cells(row: ListedRow) -> list[Any]:
    return [_cell(getattr(row, name)) for name in COLUMNS]


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    return harmless(value) if isinstance(value, str) else value


def harmless(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula: one that begins like a formula has a ' before it."""
    safe = plain(text)[:_LONGEST_CELL]
    return f"'{safe}" if text.startswith(_FORMULA) or safe.lstrip().startswith(_FORMULA) else safe


def _workbook(pieces: Iterator[_Piece]) -> IO[bytes]:
    """Return an Excel file, written row by row; pandas would hold every cell in memory at once."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet("records")
    sheet.freeze_panes = "A2"
    sheet.append(COLUMNS)
    for piece in pieces:
        for cells in piece.cells:
            sheet.append([ILLEGAL_CHARACTERS_RE.sub("�", c) if isinstance(c, str) else c for c in cells])
        if piece.is_cut:
            sheet.append([_cut()])
    file = tempfile.TemporaryFile()  # noqa: SIM115 - closed when it was sent
    book.save(file)
    file.seek(0)
    return file


def _bytes(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(_PIECE):
            yield piece


def _as(ending: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="records.{ending}"'}
