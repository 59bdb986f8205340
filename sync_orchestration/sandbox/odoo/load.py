"""``load``: rows of text to records, atomic per call, with a message per fault of a row.

The order of events is Odoo's own: convert every row, write the batch at once, and only when that fails write row
by row to find the culprits; everything is undone if any message is an error.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from . import crud
from .convert import CellError, Converter
from .database import Env
from .errors import DatabaseError, Json, OdooError, Row, UserError, ValidationError, WrongCallError, WrongValueError
from .query import search
from .values import check_external_id

_TOO_MANY = (
    "Found more than 10 errors and more than one error per 10 records, interrupted to avoid showing too many errors."
)


@dataclass(frozen=True)
class _Record:
    external_id: str
    database_id: int
    values: Row
    info: Row


@dataclass
class _Load:
    env: Env
    model: str
    module: str
    loses_race: bool
    ids: list[int] = field(default_factory=list)
    messages: list[Row] = field(default_factory=list)
    batch: list[_Record] = field(default_factory=list)
    batch_external_ids: set[str] = field(default_factory=set)

    @property
    def failed(self) -> bool:
        return any(message["type"] == "error" for message in self.messages)

    def flush(self) -> None:
        """Write the rows gathered so far: at once, or one by one where that fails."""
        if not self.batch:
            return
        batch, self.batch = self.batch, []
        self.batch_external_ids.clear()
        savepoint = self.env.tx.savepoint()
        global_message = None
        try:
            self.ids += self._write(batch)
        except UserError as error:
            # The batch's own error is pinned on its first row, whichever row it is about.
            global_message = {**batch[0].info, "type": "error", "message": error.message}
        except (OdooError, DatabaseError):
            pass  # Odoo drops it as well: the pass row by row reports it.
        else:
            return
        self.env.tx.rollback(savepoint)
        errors = self._write_one_by_one(batch)
        if errors and global_message and global_message not in self.messages:
            self.messages.insert(0, global_message)

    def _write_one_by_one(self, batch: list[_Record]) -> int:
        errors = 0
        for position, record in enumerate(batch, 1):
            savepoint = self.env.tx.savepoint()
            message = self._try(record)
            if message is not None:
                self.env.tx.rollback(savepoint)
                self.messages.append({**record.info, "type": "error", **message})
                errors += 1
            if errors >= 10 and errors >= position / 10:
                self.messages.append({"type": "warning", "message": _TOO_MANY})
                break
        return errors

    def _try(self, record: _Record) -> Row | None:
        try:
            self.ids += self._write([record])
        except DatabaseError as error:
            return dict(error.as_import_message(self.env.db.version))
        except UserError as error:
            return {"message": error.message}
        except OdooError as error:
            text = f"Unknown error during import: <class '{error.name.removeprefix('builtins.')}'>: {error.message}"
            return {"message": text, "moreinfo": "Resolve other errors first"}
        return None

    def _write(self, records: list[_Record]) -> list[int]:
        """Update the records that exist, then create the others in one go; returns the ids in row order."""
        if self.loses_race:
            raise DatabaseError(
                "serialization",
                model=self.model,
                description=self.model,
                text="could not serialize access due to concurrent update\n",
            )
        ids = [self._existing(record) for record in records]
        for record, row_id in zip(records, ids, strict=True):
            if row_id:
                crud.write(self.env, self.model, [row_id], record.values)
        created: dict[str, int] = {}
        repeated: list[int] = []
        fresh: list[int] = []
        for position, record in enumerate(records):
            if ids[position]:
                continue
            if record.external_id and record.external_id in created:
                repeated.append(position)
                continue
            created[record.external_id] = position
            fresh.append(position)
        if fresh:
            made = crud.create(self.env, self.model, [records[position].values for position in fresh])
            for position, row_id in zip(fresh, made, strict=True):
                ids[position] = row_id
                self._link(records[position].external_id, row_id)
        for position in repeated:
            # The same external id twice in a batch: one record, the last row wins.
            ids[position] = ids[created[records[position].external_id]]
            crud.write(self.env, self.model, [ids[position]], records[position].values)
        return ids

    def _existing(self, record: _Record) -> int:
        if not record.external_id:
            return record.database_id
        link = self.env.db.external_id(*record.external_id.split(".", 1))
        if link is None:
            return 0
        if link["model"] != self.model:
            raise ValidationError(
                f"For external id {record.external_id} when trying to create/update a record of model "
                f"{self.model} found record of different model {link['model']} ({link['id']})"
            )
        if self.env.db.row(self.model, link["res_id"]) is None:
            self.env.tx.put("ir.model.data", link["id"], None)
            return 0
        return int(link["res_id"])

    def _link(self, external_id: str, row_id: int) -> None:
        if not external_id:
            return
        module, name = external_id.split(".", 1)
        check_external_id(self.env, {"module": module, "name": name}, own_table=False)
        self.env.db.link(self.env.tx, external_id, self.model, row_id, self.env.user.uid)


def load(env: Env, model: str, fields: Sequence[str], data: Sequence[Sequence[Json]], *, loses_race: bool) -> Row:
    """Import the rows; answers ids or False, the messages, and where a limited import goes on."""
    paths = [_path(name) for name in fields]
    for path in paths:
        _check_column(env, model, path)
    run = _Load(env, model, str(env.context.get("module") or "__import__"), loses_race)
    savepoint = env.tx.savepoint()
    limit = env.context.get("_import_limit") or float("inf")
    last = -1
    for index, row in enumerate(data):
        if index >= limit:
            break
        _take(run, paths, row, index)
        last = index
    run.flush()
    if run.failed:
        env.tx.rollback(savepoint)
    nextrow = last + 1 if last + 1 >= limit else 0
    return {"ids": False if run.failed else run.ids, "messages": run.messages, "nextrow": nextrow}


def _take(run: _Load, paths: list[list[str]], row: Sequence[Json], index: int) -> None:
    """Convert one row and add it to the batch, also when a cell is wrong: all rows are looked at."""
    record = _cells(run, paths, row)
    info: Row = {"rows": {"from": index, "to": index}, "record": index}
    database_id = _database_id(run, record.pop(".id", None), info)
    external_id = record.pop("id", None) or ""
    values = _converted(run, record, info)
    if external_id and not isinstance(external_id, str):
        raise WrongCallError(f"argument of type '{type(external_id).__name__}' is not iterable")
    if external_id and "." not in external_id:
        external_id = f"{run.module}.{external_id}"
    if external_id:
        run.batch_external_ids.add(external_id)
    run.batch.append(_Record(external_id, database_id, values, info))


def _cells(run: _Load, paths: list[list[str]], row: Sequence[Json]) -> Row:
    """Group the cells of a row by field; a relation holds its filled cells by sub-field."""
    fields = run.env.model(run.model).fields
    record: Row = {}
    for path, cell in zip(paths, row, strict=False):
        name = path[0]
        if name not in ("id", ".id") and fields[name].type in ("many2one", "many2many", "one2many"):
            record.setdefault(name, {})
            if cell:
                record[name][path[1] if len(path) > 1 else None] = cell
        else:
            record[name] = cell
    return record


def _converted(run: _Load, record: Row, info: Row) -> Row:
    definition = run.env.model(run.model)

    def flush_external(external_id: str) -> None:
        if external_id in run.batch_external_ids:
            run.flush()

    def flush_model(model: str) -> None:
        if model == run.model:
            run.flush()

    converter = Converter(run.env, definition, run.module, flush_external, flush_model)
    values: Row = {}
    for name, cell in record.items():
        one = definition.fields[name]
        try:
            values[name], warnings = converter.value(one, cell)
        except CellError as error:
            message = error.message.replace("%(field)s", one.string)
            extra = {"field": name, "field_name": one.string, **error.extra}
            run.messages.append({**info, "type": "error", "message": message, **extra})
            continue
        for warning in warnings:
            run.messages.append(
                {**info, "type": "warning", "message": warning, "field": name, "field_name": one.string}
            )
    return values


def _database_id(run: _Load, cell: Json, info: Row) -> int:
    if not cell:
        return 0
    try:
        row_id = int(cell)
    except ValueError:
        row_id = -1
    if search(run.env, run.model, [("id", "=", row_id)]):
        return row_id
    text = f"Unknown database identifier '{cell}'"
    run.messages.append({**info, "type": "error", "message": text, "field": ".id"})
    return 0


def _path(name: str) -> list[str]:
    """Split a column name; `field.id` and `field:id` are older spellings."""
    slashed = re.sub(r"([^/])\.id", r"\1/.id", name)
    return re.sub(r"([^/]):id", r"\1/id", slashed).split("/")


def _check_column(env: Env, model: str, path: list[str]) -> None:
    name = path[0]
    if name == ".id":
        return
    one = env.model(model).fields.get(name)
    if one is None:
        raise WrongValueError(f"Invalid field name '{name}'")
    if len(path) > 1 and path[1] not in ("id", ".id"):
        related = env.db.models.get(one.relation)
        if related is None or path[1] not in related.fields:
            raise WrongValueError(f"Invalid field name '{path[1]}'")
