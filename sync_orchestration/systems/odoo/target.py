"""Records of one Odoo model as a Target: found by external id, compared, loaded in batches, archived or deleted."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sync_orchestration.interface.fields_seen import Shape
from sync_orchestration.mapping.records import RecordError, Reference
from sync_orchestration.pipeline.errors import ConfigurationError, UnavailableError
from sync_orchestration.pipeline.protocols import CurrentRecord, Outcome, TargetRecord
from sync_orchestration.systems.odoo.client import OdooClient
from sync_orchestration.systems.odoo.describing import described
from sync_orchestration.systems.odoo.errors import OdooError
from sync_orchestration.systems.odoo.load import Loader, LoadRow
from sync_orchestration.systems.odoo.values import added_ids, load_cell, load_column, same_value

_NAMED_IDS = 5


@dataclass(slots=True)
class OdooTarget:
    """Writes the mapped `fields` of `model`.

    External ids are ``<module>.<name>``; the module must not be one of Odoo's own. With `match_on`, a record that
    has no external id yet is linked to the one existing record that has the same value in the first of these
    fields that finds any. `deletion` archives or unlinks.
    """

    client: OdooClient
    model: str
    fields: Sequence[str]
    module: str
    match_on: Sequence[str] = ()
    deletion: Literal["archive", "unlink"] = "archive"
    context: Mapping[str, Any] = field(default_factory=lambda: {"tracking_disable": True})
    batch: int = 500
    warn: Callable[[str], None] = lambda _: None
    _references: dict[Reference, int | None] = field(default_factory=dict, init=False)
    _known_fields: dict[str, str] | None = field(default=None, init=False)

    def resolve(self, references: Sequence[Reference]) -> Mapping[Reference, int]:
        """Return the database ids of related records; each is looked up once, those of one field together."""
        unknown = [r for r in references if r not in self._references]
        for model, name in dict.fromkeys((r.model, r.field) for r in unknown):
            # Two fields may name one record, and only one of them want it made.
            wanted: dict[str, bool] = {}
            for reference in unknown:
                if (reference.model, reference.field) == (model, name):
                    wanted[reference.value] = reference.create or wanted.get(reference.value, False)
            rows = self._search_read(model, [[name, "in", sorted(wanted)]], [name], {})
            # Backwards, so that of several records with one value the oldest is taken.
            found_there = {str(row[name]): int(row["id"]) for row in reversed(rows)}
            for value, create in wanted.items():
                found_id = found_there.get(value)
                if found_id is None and create:
                    found_id = self._made(model, name, value)
                # What is there now is so for both; what is missing may still be made for one that wants it.
                both = (False, True) if create or found_id is not None else (False,)
                self._references.update((Reference(model, name, value, wants_it), found_id) for wants_it in both)
        return {r: found for r in references if (found := self._references[r]) is not None}

    def _made(self, model: str, name: str, value: str) -> int | None:
        """Make a related record that the mapping wants made; one that is refused stays unknown to its records alone."""
        try:
            (made,) = self.client.create(model, [{name: value}])
        except OdooError as error:
            if error.is_about_rights:
                raise ConfigurationError(
                    f"The Odoo user {self.client.user} may not create {model}, as `create: true` in the "
                    "mapping wants. Give it the right, or remove that."
                ) from None
            if not error.is_record_fault:
                raise
            self.warn(f"Odoo made no {model} {value!r}: {error.message}")
            return None
        return made

    def current(self, records: Sequence[TargetRecord]) -> Mapping[str, CurrentRecord | RecordError]:
        """Return what Odoo holds: one read of external ids for new records, one of the model's records for all."""
        ids = {r.key: int(r.target_id) for r in records if r.target_id is not None}
        ids.update(self._ids_by_external_id([r for r in records if r.target_id is None]) or {})
        strangers = [r for r in records if r.key not in ids] if self.match_on else []
        rows = {row["id"]: row for row in self._read(list(ids.values()), strangers)}
        found: dict[str, CurrentRecord | RecordError] = {
            key: CurrentRecord(str(target_id), rows[target_id]) for key, target_id in ids.items() if target_id in rows
        }
        found.update(self._adoptable(strangers, rows))
        return found

    def same(self, field: str, current: Any, wanted: Any) -> bool:
        """Tell whether Odoo holds the wanted value already; a field that this Odoo lacks is never a difference."""
        kind = self._kinds().get(field)
        return kind is None or same_value(field, kind, current, wanted)

    def upsert(self, records: Sequence[TargetRecord], current: Mapping[str, CurrentRecord]) -> Mapping[str, Outcome]:
        """Create or update by `load` with external ids, after linking the adopted records."""
        adopted = [(r, current[r.key]) for r in records if r.key in current and not current[r.key].linked]
        outcomes = self._link(adopted)
        records = [record for record in records if record.key not in outcomes]
        kinds = self._kinds()
        # Measured: `load` takes datetimes in the user's time zone, unlike every other method.
        loader = Loader(self.client, self.model, {"tz": "UTC", **self.context})
        for names, alike in self._by_fields(records).items():
            if not names:  # linked, and nothing else is this sync's to write
                outcomes.update((r.key, Outcome(current[r.key].target_id)) for r in alike if r.key in current)
                continue
            columns = ["id", *(load_column(name, kinds[name]) for name in names)]
            for batch in _batched(alike, self.batch):
                rows = [
                    LoadRow(r.key, [f"{self.module}.{r.external_id}", *self._cells(r, names, current.get(r.key))])
                    for r in batch
                ]
                outcomes.update(loader.load(columns, rows))
        return outcomes

    def describe(self) -> Mapping[str, Shape]:
        """Return what Odoo says of the model's fields, with one request."""
        return described(self.client, self.model)

    def _cells(self, record: TargetRecord, names: Sequence[str], current: CurrentRecord | None) -> list[str]:
        kinds = self._kinds()
        held = current.values if current else {}
        return [
            load_cell(
                kinds[n], added_ids(held.get(n), record.values[n]) if kinds[n] == "many2many" else record.values[n]
            )
            for n in names
        ]

    def _by_fields(self, records: Sequence[TargetRecord]) -> dict[tuple[str, ...], list[TargetRecord]]:
        """Group records that write the same fields: a column left out keeps Odoo's value, an empty one clears it."""
        kinds = self._kinds()
        groups: dict[tuple[str, ...], list[TargetRecord]] = {}
        for record in records:
            names = tuple(name for name in self.fields if name in kinds and name in record.values)
            groups.setdefault(names, []).append(record)
        return groups

    def delete(self, records: Sequence[TargetRecord]) -> Mapping[str, Outcome]:
        """Archive or unlink; what is gone or archived already needs no request of its own.

        A record without the external id is not ours: an Odoo that was restored may have given its number anew.
        """
        linked = self._ids_by_external_id(records)
        # This user may not see external ids, so the number alone must do.
        by_number = {r.key: int(r.target_id) for r in records if r.target_id is not None}
        ids = by_number if linked is None else linked
        flag = ["active"] if "active" in self.client.fields(self.model) else []
        there = {row["id"]: row for row in self._search_read(self.model, [["id", "in", list(ids.values())]], flag, {})}
        archive = self.deletion == "archive" and bool(flag)
        todo = {
            key: target_id
            for key, target_id in ids.items()
            # What has an external id and cannot be read is hidden by a record rule; the request will tell.
            if (linked is not None or target_id in there)
            and not (archive and target_id in there and not there[target_id]["active"])
        }
        outcomes = {
            r.key: Outcome(str(ids[r.key]) if archive and ids.get(r.key) in there else None)
            for r in records
            if r.key not in todo
        }
        for batch in _batched(list(todo.items()), self.batch):
            outcomes.update(self._remove(batch, archive=archive))
        return outcomes

    def _remove(self, batch: Sequence[tuple[str, int]], *, archive: bool) -> dict[str, Outcome]:
        """Archive or unlink a batch; a refused one is halved until each culprit stands alone."""
        ids = [target_id for _, target_id in batch]
        started = time.monotonic()
        try:
            if archive:
                self.client.change(self.model, "write", ids, vals={"active": False}, context=dict(self.context))
            else:
                self.client.change(self.model, "unlink", ids, context=dict(self.context))
        except OdooError as error:
            if error.is_about_rights:
                self.client.refuse_without_rights(self.model, ["write" if archive else "unlink"])
            elif not error.is_record_fault:
                raise
            elif not error.is_about_missing:
                self.client.refuse_broken_context(self.model, self.context)
            if len(batch) == 1:
                return {batch[0][0]: _refused(error, str(ids[0]), started)}
            middle = len(batch) // 2
            return self._remove(batch[:middle], archive=archive) | self._remove(batch[middle:], archive=archive)
        took = round((time.monotonic() - started) * 1_000)
        return {key: Outcome(str(target_id) if archive else None, duration_ms=took) for key, target_id in batch}

    def _kinds(self) -> dict[str, str]:
        """Return field → type of the mapped fields that this Odoo has; the others are left out with one warning."""
        if self._known_fields is None:
            known = self.client.fields(self.model)
            missing = [name for name in self.fields if name not in known]
            if missing:
                self.warn(f"This Odoo has no {', '.join(missing)} on {self.model}; left out of the sync.")
            self._known_fields = {name: known[name]["type"] for name in self.fields if name in known}
        return self._known_fields

    def _ids_by_external_id(self, records: Sequence[TargetRecord]) -> dict[str, int] | None:
        """Return the ids of the records that have their external id; None: this user may not see external ids."""
        if not records:
            return {}
        names = sorted({r.external_id for r in records})
        domain = [["module", "=", self.module], ["name", "in", names], ["model", "=", self.model]]
        rows = self._read_external_ids(domain, ["name", "res_id"])
        if rows is None:
            return None
        ids = {str(row["name"]): int(row["res_id"]) for row in rows}
        return {r.key: ids[r.external_id] for r in records if r.external_id in ids}

    def _read_external_ids(self, domain: list[Any], names: list[str]) -> list[dict[str, Any]] | None:
        try:
            rows = self._search_read("ir.model.data", domain, names, {})
        except OdooError as error:
            if not error.is_about_rights:
                raise
            # `load` finds external ids with rights of its own, so only adoption needs to see them.
            if self.match_on:
                raise ConfigurationError(self._needs_rights("read")) from None
            return None
        # An external id whose record is gone may be left without one.
        return [row for row in rows if isinstance(row["res_id"], int) and row["res_id"]]

    def _needs_rights(self, operation: str) -> str:
        return (
            f"To link existing records (match_on), the Odoo user {self.client.user} must {operation} external ids "
            "(ir.model.data): give it Administration / Access Rights, or remove match_on from the sync."
        )

    def _read(self, ids: Sequence[int], strangers: Sequence[TargetRecord]) -> list[dict[str, Any]]:
        """Read records by id, and those that strangers may be, in one request."""
        alternatives: list[list[Any]] = [["id", "in", sorted(set(ids))]] if ids else []
        for name in self._matched_on():
            values = sorted({str(r.values[name]) for r in strangers if r.values.get(name)})
            if values:
                alternatives.append([name, "in", values])
        if not alternatives:
            return []
        domain = ["|"] * (len(alternatives) - 1) + alternatives
        names = list(dict.fromkeys([*self._kinds(), *self._matched_on(), *self._adoption_fields()]))
        return self._search_read(self.model, domain, names, {})

    def _matched_on(self) -> list[str]:
        known = self.client.fields(self.model) if self.match_on else {}
        return [name for name in self.match_on if name in known]

    def _adoption_fields(self) -> list[str]:
        """Return the fields that tell which of several matches count."""
        known = self.client.fields(self.model) if self.match_on else {}
        return [name for name in ("parent_id", "active") if name in known]

    def _adoptable(
        self, strangers: Sequence[TargetRecord], rows: Mapping[int, Mapping[str, Any]]
    ) -> dict[str, CurrentRecord | RecordError]:
        """Find the existing record of each stranger: the only one with its value in the first field that finds any.

        Contacts below a company carry the company's numbers (Odoo copies commercial fields), so they do not count;
        archived records count only where no active one matches.
        """
        if not strangers or not rows:
            return {}
        heads = [row for row in rows.values() if not row.get("parent_id")]
        ours = self._linked_already([row["id"] for row in heads])
        free = [row for row in heads if row["id"] not in ours]
        found: dict[str, CurrentRecord | RecordError] = {}
        for name in self._matched_on():
            by_value: dict[str, list[Mapping[str, Any]]] = {}
            for row in free:
                by_value.setdefault(str(row[name] or ""), []).append(row)
            for record in strangers:
                matches = by_value.get(str(record.values.get(name) or ""), [])
                if record.key in found or not record.values.get(name) or not matches:
                    continue
                active = [row for row in matches if row.get("active", True)] or matches
                found[record.key] = (
                    CurrentRecord(str(active[0]["id"]), active[0], linked=False)
                    if len(active) == 1
                    else self._ambiguous(record, name, active)
                )
        return found

    def _ambiguous(self, record: TargetRecord, name: str, matches: Sequence[Mapping[str, Any]]) -> RecordError:
        ids = sorted(row["id"] for row in matches)
        listed = ", ".join(map(str, ids[:_NAMED_IDS])) + ("…" if len(ids) > _NAMED_IDS else "")
        return RecordError(
            "ambiguous_match",
            name,
            f"{len(ids)} records of {self.model} have {name} {record.values[name]!r} (ids {listed}): merge them, or "
            f"link one by the external id {self.module}.{record.external_id}",
        )

    def _linked_already(self, ids: Sequence[int]) -> set[int]:
        domain = [["module", "=", self.module], ["model", "=", self.model], ["res_id", "in", sorted(ids)]]
        return {row["res_id"] for row in self._read_external_ids(domain, ["res_id"]) or ()} if ids else set()

    def _link(self, adopted: Sequence[tuple[TargetRecord, CurrentRecord]]) -> dict[str, Outcome]:
        """Give adopted records their external ids, in one request; returns the outcomes of those that got none.

        A request that is refused is halved until each culprit stands alone.
        """
        if not adopted:
            return {}
        values = [
            {
                "module": self.module,
                "name": record.external_id,
                "model": self.model,
                "res_id": int(current.target_id),
                "noupdate": True,
            }
            for record, current in adopted
        ]
        started = time.monotonic()
        try:
            self.client.create("ir.model.data", values)
        except OdooError as error:
            if error.is_about_rights:
                raise ConfigurationError(self._needs_rights("create")) from None
            if not error.is_record_fault:
                raise
            if len(adopted) == 1:
                return {adopted[0][0].key: _refused(error, None, started)}
            middle = len(adopted) // 2
            return self._link(adopted[:middle]) | self._link(adopted[middle:])
        return {}

    def _search_read(
        self, model: str, domain: list[Any], names: Sequence[str], context: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        """Read all records that match, archived ones too."""
        rows = self.client.call(
            model,
            "search_read",
            domain=domain,
            fields=list(names),
            order="id",
            context={"active_test": False, **context},
        )
        wanted = {"id", *names}
        if not isinstance(rows, list) or not all(
            isinstance(row, dict) and wanted <= row.keys() and isinstance(row["id"], int) for row in rows
        ):
            raise UnavailableError(f"Odoo answered {model}.search_read with something that is no list of its records.")
        return rows


def _refused(error: OdooError, target_id: str | None, started: float) -> Outcome:
    """Return the outcome of a record that Odoo refused alone; one that is gone is deleted already."""
    took = round((time.monotonic() - started) * 1_000)
    if error.is_about_missing and target_id is not None:
        return Outcome(None)
    refusal = RecordError(error.code, None, error.message)
    return Outcome(target_id, refusal, response_code=error.status, duration_ms=took)


def _batched(items: Sequence[Any], size: int) -> Iterator[Any]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
