"""What the record browser is told of each sync: its mapping, its target, and where its records are seen by people."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import psycopg

from sync_orchestration.components.chosen import compared_with_target
from sync_orchestration.components.connections import Connection
from sync_orchestration.components.known_secrets import without_secrets
from sync_orchestration.components.lookups import OpenLookup
from sync_orchestration.components.running import LogObserver
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.intake.records.views import Comparison, Mapped, SyncView, TargetNotComparedError
from sync_orchestration.interface.rows import Payload
from sync_orchestration.interface.single import WholeRow
from sync_orchestration.mapping.compile import Mapping as RecordMapping
from sync_orchestration.mapping.records import RecordError, Reference, Value
from sync_orchestration.mapping.scrub import scrub
from sync_orchestration.pipeline.errors import SyncError
from sync_orchestration.pipeline.lookup import Question


def record_views(syncs: Mapping[str, SyncSettings], connections: Mapping[str, Connection]) -> dict[str, SyncView]:
    """Return what the record browser is told, by sync."""
    views = {}
    for name, settings in syncs.items():
        behind = _Behind(settings, connections, settings.compiled())
        views[name] = SyncView(
            map=behind.mapped,
            compare=behind.compared,
            source_link=behind.source_page,
            target_link=behind.target_page,
            sensitive=settings.sensitive_names,
        )
    return views


@dataclass(frozen=True, slots=True)
class _Behind:
    """One sync as its view asks for it."""

    settings: SyncSettings
    connections: Mapping[str, Connection]
    mapping: RecordMapping

    def mapped(self, conn: psycopg.Connection[Any], row: WholeRow) -> Mapped:
        if row.payload is None:
            return Mapped(note="The record is deleted in its source, so there is nothing to map.")
        condition = self.settings.condition()
        payload, note = self._looked_up(conn, row)
        if condition is not None and not condition.holds(row.payload):
            note = f"It is left out: it does not meet the condition {condition.text}"
        found = self.mapping.apply(payload)
        values = {field: _shown(value) for field, value in found.values.items()}
        return Mapped(
            values=scrub(values, self.settings.sensitive_names),
            errors=tuple(map(_masked, found.errors)),
            note=None if note is None else without_secrets(note),
            related=frozenset(field for field, value in found.values.items() if isinstance(value, Reference)),
        )

    def _looked_up(self, conn: psycopg.Connection[Any], row: WholeRow) -> tuple[Payload, str | None]:
        """Return the record with the kept answer of its lookup, or as it is and why; nothing is asked."""
        payload, lookup = row.payload or {}, self.settings.lookup
        if lookup is None or lookup.connection not in self.connections:
            return payload, None
        try:
            enquiry = OpenLookup.of(self.settings, self.connections[lookup.connection]).enquiry(conn, only_kept=True)
        except SyncError as error:
            return payload, f"Mapped without its lookup: {error}"
        answer = enquiry.enrich([row.as_claimed()])[row.record_key]
        if not isinstance(answer, Question):
            return answer, None
        return payload, f"Mapped without its lookup: {answer.error.message if answer.error else 'nothing is known yet'}"

    def compared(self, conn: psycopg.Connection[Any], row: WholeRow) -> Comparison:
        try:
            plan = compared_with_target(conn, self.settings, self.connections, row.as_claimed(), LogObserver.silent())
        except SyncError as error:
            raise TargetNotComparedError(without_secrets(str(error))) from error
        changes = dict(plan.changes or {})
        if plan.action == "create" and plan.record is not None:
            changes = {field: ("", value) for field, value in plan.record.values.items() if value not in ("", None)}
        reason = None if plan.reason is None else without_secrets(plan.reason)
        return Comparison(plan.action, changes, tuple(map(_masked, plan.errors)), reason)

    def source_page(self, row: WholeRow) -> str | None:
        return self._page(self.settings.source.connection, self.settings.source.entity, row.record_key)

    def target_page(self, row: WholeRow) -> str | None:
        return self._page(self.settings.target.connection, self.settings.target.model, row.target_id)

    def _page(self, connection: str, what: str, record_id: str | None) -> str | None:
        found = self.connections.get(connection)
        if found is None or record_id is None or found.missing_variables():
            return None
        return found.page_of(what, record_id)


def _masked(error: RecordError) -> RecordError:
    return replace(error, message=without_secrets(error.message))


def _shown(value: Value) -> Any:
    if not isinstance(value, Reference):
        return value
    return (
        f"record {value.value} of this sync"
        if value.is_same_sync
        else f"{value.model} with {value.field} {value.value}"
    )
