"""The buttons: try again, read again, leave out; for one record, or (try again) for those of a filter."""

from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import quote

from psycopg import Connection
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sync_orchestration.intake.records.desk import Desk, TroubleError, Visit
from sync_orchestration.intake.records.filters import as_fields, as_query, read_filter, record_path
from sync_orchestration.intake.records.record import found_row
from sync_orchestration.interface.browsing import ListedRow, RowFilter, browse
from sync_orchestration.interface.persons_word import WORDS, Word, ask, skip

MOST_AT_ONCE = 1_000
"""Records that one press of the button for a whole filter tries again."""

_NAMED = 10
_LONGEST_REASON = 500


class Buttons:
    """What people do with records."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[Route]:
        """Return the routes."""
        serve = partial(self._desk.serve, operate=True)
        return [
            Route("/records/ask", serve(self.ask), methods=["POST"]),
            Route("/records/skip", serve(self.skip), methods=["POST"]),
            Route("/records/retry", serve(self.confirm), methods=["GET"]),
            Route("/records/retry", serve(self.retry_all), methods=["POST"]),
        ]

    async def ask(self, visit: Visit) -> Response:
        """Have one record tried or read again."""
        word = _word(visit.form.get("word", ""))
        row = await self._desk.look(lambda conn: found_row(conn, visit.form))
        if word == "retry" and row.status != "failed":
            raise TroubleError(409, f"The record is {row.status}, and only a failed one can be tried again.")
        await self._desk.work(lambda conn: ask(conn, word, [row], visit.visitor.name))
        self._desk.note(visit, f"{word} {row.sync} {row.source_system} {row.record_key!r}")
        return _back_to(record_path(row), word)

    async def skip(self, visit: Visit) -> Response:
        """Leave one record out until it changes; the reason is the person's own."""
        reason = " ".join(visit.form.get("reason", "").split())
        if not reason or len(reason) > _LONGEST_REASON:
            raise TroubleError(400, f"Say why the record is left out, in at most {_LONGEST_REASON} characters.")
        row = await self._desk.look(lambda conn: found_row(conn, visit.form))
        seen = visit.form.get("position", "")
        if str(row.position) != seen or not await self._desk.work(
            lambda conn: skip(conn, row, visit.visitor.name, reason)
        ):
            raise TroubleError(
                409, "The record has changed since you looked at it, or it neither fails nor waits. Look at it again."
            )
        self._desk.note(visit, f"skip {row.sync} {row.source_system} {row.record_key!r}")
        return _back_to(record_path(row), "skip")

    async def confirm(self, visit: Visit) -> Response:
        """Show what trying the failed records of a filter again would be."""
        wanted = _failed(read_filter(visit.request.query_params))
        rows = await self._desk.look(partial(_rows, wanted))
        return self._desk.show(
            visit,
            "confirm.html",
            fields=as_fields(wanted),
            query=as_query(wanted),
            number=min(len(rows), MOST_AT_ONCE),
            there_are_more=len(rows) > MOST_AT_ONCE,
            some=rows[:_NAMED],
        )

    async def retry_all(self, visit: Visit) -> Response:
        """Have the failed records of a filter tried again, so many that failed last."""
        wanted = _failed(read_filter(visit.form))
        rows = (await self._desk.look(partial(_rows, wanted)))[:MOST_AT_ONCE]
        if rows:
            await self._desk.work(lambda conn: ask(conn, "retry", rows, visit.visitor.name))
        self._desk.note(visit, f"retry of {len(rows)} records: {as_query(wanted)}")
        said = f"{len(rows):,} records are tried again, five hundred of a sync at a time, beginning within seconds."
        return self._desk.show(visit, "message.html", message=said, back=as_query(wanted))


def _failed(wanted: RowFilter) -> RowFilter:
    return replace(wanted, status="failed")


def _rows(wanted: RowFilter, conn: Connection[Any]) -> list[ListedRow]:
    return browse(conn, wanted, limit=MOST_AT_ONCE + 1)


def _word(text: str) -> Word:
    for word in WORDS:
        if word == text:
            return word
    raise TroubleError(400, "There is no such button.")


def _back_to(path: str, done: str) -> Response:
    return RedirectResponse(f"{path}{'&' if '?' in path else '?'}done={quote(done)}", 303)
