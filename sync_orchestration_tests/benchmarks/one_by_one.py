"""What else brings partners from Flexi into Odoo: a script, one record after the other; bare batches, the floor."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sync_orchestration.mapping.diff import changed_fields
from sync_orchestration.mapping.records import Reference
from sync_orchestration.pipeline.protocols import CurrentRecord, TargetRecord
from sync_orchestration.systems.odoo.errors import OdooError
from sync_orchestration_tests.benchmarks.product import OpenedSource, OpenedTarget, record_mapping

_QUIET = {"tracking_disable": True}


@dataclass(slots=True)
class OneByOne:
    """A usual integration script: search the external id of a record, write or create it, one record a call.

    It asks for each country once and, like ours, leaves out what Odoo does not have and what the rules refuse.
    """

    source: OpenedSource
    target: OpenedTarget
    _countries: dict[str, int] = field(default_factory=dict)

    def write_all(self) -> None:
        for key, mapped in _mapped(self.source):
            try:
                self._write(f"adresar_{key}", mapped)
            except (OdooError, LookupError):
                continue  # a script logs it and goes on

    def _write(self, name: str, mapped: Mapping[str, Any]) -> None:
        call = self.target.target.client.call
        known = self.target.target.client.fields("res.partner")
        values = {
            one: self._country(value) if isinstance(value, Reference) else value
            for one, value in mapped.items()
            if one in known
        }
        domain = [["module", "=", "flexi_demo"], ["name", "=", name], ["model", "=", "res.partner"]]
        if found := call("ir.model.data", "search_read", domain=domain, fields=["res_id"]):
            call("res.partner", "write", [found[0]["res_id"]], vals=values, context=_QUIET)
            return
        made = call("res.partner", "create", vals_list=[values], context=_QUIET)
        link = {"module": "flexi_demo", "name": name, "model": "res.partner", "res_id": made[0]}
        call("ir.model.data", "create", vals_list=[link])

    def _country(self, wanted: Reference) -> int:
        if wanted.value not in self._countries:
            found = self.target.target.client.call("res.country", "search", domain=[["code", "=", wanted.value]])
            self._countries[wanted.value] = found[0]
        return self._countries[wanted.value]


@dataclass(slots=True)
class BareBatches:
    """The floor: pages are mapped, read from Odoo at once, compared, and what differs is loaded at once.

    Nothing is stored, and whoever ends it early begins anew.
    """

    source: OpenedSource
    target: OpenedTarget
    _ids: dict[str, str] = field(default_factory=dict)

    def write_all(self) -> None:
        odoo, batch = self.target.target, list[TargetRecord]()
        for key, mapped in _mapped(self.source):
            references = [value for value in mapped.values() if isinstance(value, Reference)]
            found = odoo.resolve(references)
            if len(found) < len(references):
                continue
            values = {one: found[value] if isinstance(value, Reference) else value for one, value in mapped.items()}
            batch.append(TargetRecord(key, f"adresar_{key}", values, self._ids.get(key)))
            if len(batch) == odoo.batch:
                self._write(batch)
                batch = []
        self._write(batch)

    def _write(self, batch: list[TargetRecord]) -> None:
        odoo = self.target.target
        current = {key: one for key, one in odoo.current(batch).items() if isinstance(one, CurrentRecord)}
        differing = [
            record
            for record in batch
            if record.key not in current or changed_fields(record.values, current[record.key].values, odoo.same)
        ]
        outcomes = odoo.upsert(differing, current) if differing else {}
        self._ids |= {key: one.target_id for key, one in current.items()}
        self._ids |= {key: one.target_id for key, one in outcomes.items() if one.target_id}


def _mapped(source: OpenedSource) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield key and values of each record of the source that the rules let through."""
    mapping = record_mapping()
    for page in source.source.snapshot(None):
        for record in page:
            mapped = mapping.apply(record.payload)
            if not mapped.errors:
                yield record.key, mapped.values
