"""Tickets of a help desk, read and written over its REST API."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from sync_orchestration.mapping.records import RecordError, Reference
from sync_orchestration.pipeline.protocols import (
    Change,
    ChangePage,
    CurrentRecord,
    Outcome,
    SourceHead,
    SourceRecord,
    TargetRecord,
)
from sync_orchestration.systems.http import HttpClient
from sync_orchestration.systems.rest.answers import fault_of, said_by


@dataclass(frozen=True)
class TicketSource:
    """Tickets by number. Every change in the desk has a version of its own, which is its position."""

    http: HttpClient
    page: int = 100

    def head(self) -> SourceHead:
        """The newest version, and the id of the history that the versions count."""
        about = _get(self.http, "/about")
        return SourceHead(about["newest"], about["history"])

    def peek(self, start: int) -> ChangePage:
        told = _get(self.http, "/changes", since=start, limit=self.page)
        changes = [Change(one["ticket"], one["what"], one["version"]) for one in told["changes"]]
        return ChangePage(changes, told["next"], told["newest"], told["more"])

    def changes(self, start: int) -> Iterator[ChangePage]:
        page = self.peek(start)
        yield page
        while page.more:
            page = self.peek(page.next_position)
            yield page

    def fetch(self, keys: Sequence[str]) -> Mapping[str, SourceRecord]:
        """The tickets as they are now; the desk leaves out those that are gone."""
        found = _get(self.http, "/tickets", numbers=",".join(keys))
        return {one["number"]: SourceRecord(one["number"], one) for one in found}

    def snapshot(self, after: str | None) -> Iterator[Sequence[SourceRecord]]:
        while found := _get(self.http, "/tickets", after=after or "", limit=self.page):
            yield [SourceRecord(one["number"], one) for one in found]
            after = found[-1]["number"]


@dataclass(frozen=True)
class TicketTarget:
    """Tickets under the numbers that they have in their source, so writing one twice writes it once."""

    http: HttpClient
    model = "ticket"

    def resolve(self, references: Sequence[Reference]) -> Mapping[Reference, Any]:
        """A ticket names no other record."""
        return {}

    def current(self, records: Sequence[TargetRecord]) -> Mapping[str, CurrentRecord | RecordError]:
        """What the desk holds, found by number."""
        numbers = ",".join(record.external_id for record in records)
        found = {one["number"]: one for one in _get(self.http, "/tickets", numbers=numbers)} if records else {}
        return {r.key: CurrentRecord(r.external_id, found[r.external_id]) for r in records if r.external_id in found}

    def same(self, field: str, current: Any, wanted: Any) -> bool:
        """The desk tells an empty field as null."""
        return (current or "") == (wanted or "")

    def upsert(self, records: Sequence[TargetRecord], current: Mapping[str, CurrentRecord]) -> Mapping[str, Outcome]:
        return {one.key: self._write("PUT", one, dict(one.values)) for one in records}

    def delete(self, records: Sequence[TargetRecord]) -> Mapping[str, Outcome]:
        """Delete each ticket; one that is gone already (404) is a success."""
        return {one.key: self._write("DELETE", one, None) for one in records}

    def _write(self, method: str, record: TargetRecord, body: dict[str, Any] | None) -> Outcome:
        answer = self.http.send(method, f"/tickets/{quote(record.external_id, safe='')}", json_body=body)
        if answer.status < 300 or (method == "DELETE" and answer.status == 404):
            return Outcome(record.external_id if body else None, response_code=answer.status)
        if answer.status == 422:
            said = said_by(self.http, answer)
            return Outcome(error=RecordError("refused", said.field, said.message), response_code=422)
        raise fault_of(self.http, answer)  # not this ticket's fault: the pass stops, its rows stay pending


def _get(http: HttpClient, path: str, **params: Any) -> Any:
    answer, body = http.send_json("GET", path, params={name: str(value) for name, value in params.items()})
    if answer.status != 200:
        raise fault_of(http, answer)
    return body
