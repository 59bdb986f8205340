"""The page of one record: as received, as mapped, what differs, every attempt, and the buttons."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from starlette.responses import Response
from starlette.routing import Route

from sync_orchestration.intake.checks import is_storable
from sync_orchestration.intake.records.desk import Desk, TroubleError, Visit
from sync_orchestration.intake.records.rendering import shown_value
from sync_orchestration.intake.records.views import Comparison, Mapped, TargetNotComparedError
from sync_orchestration.interface.persons_word import waits_for
from sync_orchestration.interface.single import Try, WholeRow, tries_at, whole_rows
from sync_orchestration.mapping.comparison import same
from sync_orchestration.mapping.diff import changed_fields
from sync_orchestration.mapping.scrub import SENSITIVE_NAMES, scrub

_ATTEMPTS = 200
_DONE = {
    "retry": "The record is tried again within seconds, with what its source holds then.",
    "reread": "The record is read again from its source within seconds, and written.",
    "skip": "The record is left out until it changes.",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that differs, as it is shown."""

    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Looked:
    """What a record's page shows. `differences` are those to what was last written; None: that is not remembered."""

    row: WholeRow
    mapped: Mapped | None
    differences: list[Difference] | None
    attempts: list[Try]
    more_attempts: bool
    waits: list[str]


class RecordPages:
    """The pages of single records."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[Route]:
        """Return the routes; that of a record comes after all that begin like it."""
        return [
            Route("/records/compare", self._desk.serve(self.compare), methods=["POST"]),
            Route("/records/{sync}/{source_system}", self._desk.serve(self.record), methods=["GET"]),
            Route("/records/{sync}/{source_system}/{key:path}", self._desk.serve(self.record), methods=["GET"]),
        ]

    async def record(self, visit: Visit) -> Response:
        """Show a record; its key is in the path, or in the query where no path can hold it."""
        request = visit.request
        key = request.path_params.get("key", request.query_params.get("key", ""))
        names = {"sync": request.path_params["sync"], "source_system": request.path_params["source_system"]}
        looked = await self._desk.look(lambda conn: self._looked(conn, {**names, "key": key}))
        return self._shown(visit, looked, done=_DONE.get(request.query_params.get("done", "")))

    async def compare(self, visit: Visit) -> Response:
        """Show a record beside what its target holds now."""
        looked = await self._desk.look(lambda conn: self._looked(conn, visit.form))
        view = self._desk.views.get(looked.row.sync)
        if view is None:
            raise TroubleError(404, "This sync is not configured any more, so its target cannot be asked.")
        try:
            found = await self._desk.take_time(lambda: self._desk.run_here(lambda conn: view.compare(conn, looked.row)))
        except TargetNotComparedError as error:
            return self._shown(visit, looked, not_compared=str(error))
        return self._shown(visit, looked, comparison=found)

    def _looked(self, conn: Connection[Any], names: Mapping[str, str]) -> Looked:
        row = found_row(conn, names)
        view = self._desk.views.get(row.sync)
        mapped = None if view is None else view.map(conn, row)
        attempts = tries_at(conn, row, _ATTEMPTS + 1)[::-1]
        return Looked(
            row=row,
            mapped=mapped,
            differences=differences(mapped, row),
            attempts=attempts[:_ATTEMPTS],
            more_attempts=len(attempts) > _ATTEMPTS,
            waits=[*waits_for(conn, row)],
        )

    def _shown(
        self,
        visit: Visit,
        looked: Looked,
        *,
        comparison: Comparison | None = None,
        not_compared: str | None = None,
        done: str | None = None,
    ) -> Response:
        row = looked.row
        view = self._desk.views.get(row.sync)
        sensitive = SENSITIVE_NAMES if view is None else view.sensitive
        return self._desk.show(
            visit,
            "record.html",
            row=row,
            payload=None if row.payload is None else scrub(row.payload, sensitive),
            written=None if row.written is None else scrub(row.written, sensitive),
            looked=looked,
            configured=view is not None,
            source_link=_link(view.source_link(row)) if view else None,
            target_link=_link(view.target_link(row)) if view else None,
            dagster_url=self._desk.settings.dagster_url,
            comparison=comparison,
            compared=[] if comparison is None else _as_differences(comparison.changes),
            not_compared=not_compared,
            done=done,
        )


def found_row(conn: Connection[Any], names: Mapping[str, str]) -> WholeRow:
    """Return the row that sync, source_system and key name. Raises TroubleError where there is none."""
    wanted = [names.get(name, "") for name in ("sync", "key", "source_system")]
    found = whole_rows(conn, *wanted) if all(map(is_storable, wanted)) else []
    if not found:
        raise TroubleError(404, "There is no such record.")
    return found[0]


def differences(mapped: Mapped | None, row: WholeRow) -> list[Difference] | None:
    """Return the fields that differ from what was last written; related records are known by id there, and left out."""
    if mapped is None or row.written is None:
        return None
    ours = {field: value for field, value in mapped.values.items() if field not in mapped.related}
    return _as_differences(changed_fields(ours, row.written, _same))


def _same(_field: str, before: Any, after: Any) -> bool:
    return bool(before == after) or same(before, after)


def _as_differences(changes: Mapping[str, tuple[Any, Any]]) -> list[Difference]:
    return [Difference(field, shown_value(before), shown_value(after)) for field, (before, after) in changes.items()]


def _link(address: str | None) -> str | None:
    """Return an address that a page may link to: one of the web."""
    return address if address is not None and address.startswith(("http://", "https://")) else None
