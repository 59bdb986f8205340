"""Writes a batch with `load`, which is all or nothing, and finds out which rows were to blame.

What `load` answers was measured on 18.0 and 19.0: a refused batch writes nothing; conversion errors come for all
rows at once, database errors for at most ten; an error that breaks the batch is put on the batch's first row too.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sync_orchestration.mapping.records import RecordError
from sync_orchestration.pipeline.errors import UnavailableError
from sync_orchestration.pipeline.protocols import Outcome
from sync_orchestration.systems.odoo.client import OdooClient
from sync_orchestration.systems.odoo.errors import OdooError

_SERIALIZATION = "could not serialize access"
_SERIALIZATION_DELAYS = (0.2, 0.4, 0.8, 1.6)
"""Seconds to wait before rows that lost a race are loaded again; so often for all rows of a batch together."""
_FOREIGN_KEY = "another model requires the record being deleted"


@dataclass(frozen=True, slots=True)
class LoadRow:
    """One row of a `load`: the record's key and the cells in the order of the columns."""

    key: str
    cells: Sequence[str]


@dataclass(frozen=True, slots=True)
class Loader:
    """Loads rows of one model under one context."""

    client: OdooClient
    model: str
    context: Mapping[str, Any]

    def load(self, columns: Sequence[str], rows: Sequence[LoadRow]) -> dict[str, Outcome]:
        """Write the rows; each gets its outcome. The good ones of a refused batch are written without the bad ones.

        Raises SyncError when Odoo, not a row, is at fault.
        """
        outcomes: dict[str, Outcome] = {}
        delays = iter(_SERIALIZATION_DELAYS)
        todo = [list(rows)]
        while todo:
            batch = todo.pop()
            if not batch:
                continue
            started = time.monotonic()
            answer = self._load_once(columns, batch, delays)
            took = round((time.monotonic() - started) * 1_000)
            if isinstance(answer, list):
                outcomes.update(
                    (row.key, Outcome(str(target_id), duration_ms=took, response_code=200))
                    for row, target_id in zip(batch, answer, strict=True)
                )
                continue
            blamed = {i: _with_field(error, columns, batch[i]) for i, error in answer.items() if i < len(batch)}
            if len({error.message for error in blamed.values() if error.field is None}) == 1:
                # One and the same text on all rows may be about the user, not about them.
                self.client.refuse_without_rights(self.model)
            if not blamed and len(batch) == 1:
                raise UnavailableError(f"Odoo wrote nothing of a {self.model} and did not say why.")
            if not blamed:
                middle = len(batch) // 2
                todo += [batch[middle:], batch[:middle]]
                continue
            for i, error in blamed.items():
                transient = error.code == "concurrent_update"
                outcomes[batch[i].key] = Outcome(error=error, transient=transient, response_code=200, duration_ms=took)
            todo.append([row for i, row in enumerate(batch) if i not in blamed])
        return outcomes

    def _load_once(
        self, columns: Sequence[str], batch: Sequence[LoadRow], delays: Iterator[float]
    ) -> list[int] | dict[int, RecordError]:
        """Return the ids in row order, or the errors by row number (none: the batch is refused as a whole)."""
        while True:
            try:
                answer = self.client.call(
                    self.model, "load", fields=list(columns), data=[list(r.cells) for r in batch], context=self.context
                )
            except OdooError as error:
                if error.is_about_rights:
                    self.client.refuse_without_rights(self.model)
                elif not error.is_record_fault:
                    raise
                self.client.refuse_broken_context(self.model, self.context)
                return {0: RecordError(error.code, None, error.message)} if len(batch) == 1 else {}
            ids, messages = _ids_and_messages(answer, self.model, self.client.http.masked)
            if ids:
                if len(ids) != len(batch):
                    raise UnavailableError(f"Odoo wrote {len(ids)} records of {self.model} for {len(batch)} rows.")
                return ids
            errors = blamed_rows(messages)
            if not errors and len(batch) == 1 and (texts := [m for m in messages if m.get("type") == "error"]):
                return {0: _record_error(texts)}
            if not _all_concurrent(errors) or (delay := next(delays, None)) is None:
                return errors
            # Odoo does not repeat a `load` that lost a race against another writer; the race is over by now.
            time.sleep(delay)


def _with_field(error: RecordError, columns: Sequence[str], row: LoadRow) -> RecordError:
    """Name the field of a constraint's error, which Odoo does not: the one whose value the message quotes first."""
    if error.field is not None:
        return error
    quoted: dict[str, int] = {}
    for column, cell in zip(columns, row.cells, strict=True):
        # base_vat quotes a number of an EU country with or without the country's two letters.
        spellings = {cell, cell[2:]} if column == "vat" else {cell}
        found = [error.message.find(f"[{spelling}]") for spelling in spellings if spelling and column != "id"]
        if place := [at for at in found if at >= 0]:
            quoted[column.partition("/")[0]] = min(place)
    return replace(error, field=min(quoted, key=lambda field: (quoted[field], field != "vat"))) if quoted else error


def _all_concurrent(errors: Mapping[int, RecordError]) -> bool:
    return bool(errors) and all(error.code == "concurrent_update" for error in errors.values())


def _ids_and_messages(
    answer: Any, model: str, masked: Callable[[str], str]
) -> tuple[list[int], list[Mapping[str, Any]]]:
    if not isinstance(answer, dict) or "ids" not in answer:
        raise UnavailableError(f"Odoo answered {model}.load with something that tells no ids.")
    ids, messages = answer["ids"], answer.get("messages")
    return (
        list(ids) if isinstance(ids, list) else [],
        [_masked(m, masked) for m in messages if isinstance(m, Mapping)] if isinstance(messages, list) else [],
    )


def _masked(message: Mapping[str, Any], masked: Callable[[str], str]) -> Mapping[str, Any]:
    return {name: masked(value) if isinstance(value, str) else value for name, value in message.items()}


def blamed_rows(messages: Sequence[Mapping[str, Any]]) -> dict[int, RecordError]:
    """Return the error of each row that `load` blames, by row number.

    What broke the batch is pinned on its first row, too. That message is dropped when the same text stands on another
    row as well, or may have stood there had `load` not stopped after ten errors; if it was the first row's own, it
    comes again when the batch is sent without the other rows.
    """
    errors = [m for m in messages if m.get("type") == "error" and _row_of(m) is not None]
    texts_elsewhere = {_text(m) for m in errors if _row_of(m) != 0}
    interrupted = any(_row_of(m) is None for m in messages)
    gathered: dict[int, list[Mapping[str, Any]]] = {}
    for place, message in enumerate(errors):
        row = _row_of(message)
        elsewhere = _text(message) in texts_elsewhere or (place == 0 and interrupted and bool(texts_elsewhere))
        if row is None or (row == 0 and elsewhere and not message.get("field")):
            continue
        gathered.setdefault(row, []).append(message)
    return {row: _record_error(found) for row, found in gathered.items()}


def _text(message: Mapping[str, Any]) -> str:
    return str(message.get("message") or "refused without a reason")


def _row_of(message: Mapping[str, Any]) -> int | None:
    rows = message.get("rows")
    row = rows.get("from") if isinstance(rows, Mapping) else None
    for number in (row, message.get("record")):
        if isinstance(number, int) and not isinstance(number, bool) and number >= 0:
            return number
    return None


def _record_error(messages: Sequence[Mapping[str, Any]]) -> RecordError:
    texts = list(dict.fromkeys(_plain(_text(message)) for message in messages))
    if any(_SERIALIZATION in text for text in texts):
        return RecordError("concurrent_update", None, "another transaction wrote the record at the same time")
    fields = dict.fromkeys(str(m["field"]).partition("/")[0] for m in messages if m.get("field"))
    return RecordError("refused", ", ".join(fields) or None, "; ".join(texts))


def _plain(text: str) -> str:
    """Make Odoo's message one line; a foreign key's text speaks of deleting, whatever was done."""
    text = " ".join(text.split()).strip("'")
    if _FOREIGN_KEY in text:
        return "a related record that the row names does not exist in Odoo"
    return text
