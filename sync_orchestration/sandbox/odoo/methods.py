"""The public methods of the models: what a remote call may name, with the parameter names of each version."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast, get_args

from . import crud
from .access import GROUPS, hidden_record, permitted
from .database import Env
from .errors import AccessError, Json, MissingError, NoSuchMethodError, Row, UserError, WrongValueError
from .load import load as load_rows
from .naming import name_create as create_by_name
from .naming import name_search as search_by_name
from .query import read as read_records
from .query import search as search_ids
from .query import visible_ids
from .switches import Operation


@dataclass(frozen=True)
class Method:
    """A callable method; a record method takes the ids before its own parameters."""

    name: str
    call: Callable[..., Json]
    on_records: bool
    models: tuple[str, ...] = ()

    def signature(self) -> inspect.Signature:
        """Return the parameters that a caller gives: without environment and model."""
        signature = inspect.signature(self.call)
        return signature.replace(parameters=list(signature.parameters.values())[2:])


def lookup(version: int, model: str, name: str) -> Method:
    """Return the method; a private one is an AccessError, an unknown one an AttributeError."""
    if name.startswith("_"):
        raise AccessError(f"Private methods (such as '{model}.{name}') cannot be called remotely.")
    method = _METHODS_19.get(name) if version >= 19 else _METHODS_18.get(name)
    if method is None or (method.models and model not in method.models):
        raise NoSuchMethodError(f"The method '{model}.{name}' does not exist")
    return method


def ids_of(value: Json) -> list[int]:
    """Return the ids a caller gave for the records: a list, one id, or nothing."""
    if not value:
        return []
    return [value] if isinstance(value, int) else list(value)


def search(
    env: Env, model: str, domain: Json, offset: int = 0, limit: int | None = None, order: str | None = None
) -> Json:
    """Return the ids of the matching records."""
    crud.require(env, model, "read")
    return search_ids(env, model, domain, offset=offset or 0, limit=limit or None, order=order)


def search_count(env: Env, model: str, domain: Json, limit: int | None = None) -> Json:
    """Return how many records match."""
    crud.require(env, model, "read")
    return len(search_ids(env, model, domain, limit=limit or None, order="id"))


def search_read(
    env: Env,
    model: str,
    domain: Json = None,
    fields: list[str] | None = None,
    offset: int = 0,
    limit: int | None = None,
    order: str | None = None,
    load: str | None = "_classic_read",
) -> Json:
    """Search and read in one call."""
    ids = search(env, model, domain, offset, limit, order)
    return read_records(env, model, ids, fields, names=load == "_classic_read")


def read(env: Env, model: str, ids: Json, fields: list[str] | None = None, load: str | None = "_classic_read") -> Json:
    """Read records by id, archived ones too."""
    crud.require(env, model, "read")
    return read_records(env, model, ids_of(ids), fields, names=load == "_classic_read")


def create(env: Env, model: str, vals_list: Json) -> Json:
    """Create one record (a dict) or several (a list)."""
    return crud.create(env, model, vals_list if isinstance(vals_list, list) else [vals_list])


def write(env: Env, model: str, ids: Json, vals: Row) -> Json:
    """Write the same values to all given records."""
    return crud.write(env, model, ids_of(ids), vals)


def unlink(env: Env, model: str, ids: Json) -> Json:
    """Delete records."""
    return crud.unlink(env, model, ids_of(ids))


def copy(env: Env, model: str, ids: Json, default: Row | None = None) -> Json:
    """Copy records."""
    copies = []
    for row_id in ids_of(ids):
        row = env.db.row(model, row_id)
        if row is None:
            raise MissingError.of(model, row_id, env.user.uid)
        kept = {name: value for name, value in row.items() if name not in ("message_ids", "child_ids")}
        kept["name"] = f"{row.get('name') or ''} (copy)"
        copies += crud.create(env, model, [{**kept, **(default or {})}])
    return copies


def action_archive(env: Env, model: str, ids: Json) -> Json:
    """Archive records; returns nothing."""
    _set_active(env, model, ids, active=False)


def action_unarchive(env: Env, model: str, ids: Json) -> Json:
    """Unarchive records; returns nothing."""
    _set_active(env, model, ids, active=True)


def load(env: Env, model: str, fields: Sequence[str], data: Sequence[Sequence[Json]]) -> Json:
    """Import rows of text."""
    return load_rows(env, model, fields, data, loses_race=env.loses_race)


def fields_get(env: Env, model: str, allfields: list[str] | None = None, attributes: list[str] | None = None) -> Json:
    """Describe the fields."""
    crud.require(env, model, "read")
    answer: Row = {}
    for name, field in env.model(model).fields.items():
        if allfields and name not in allfields:
            continue
        description = field.description()
        answer[name] = {key: description[key] for key in attributes or description if key in description}
    return answer


def name_search_18(
    env: Env,
    model: str,
    name: str = "",
    args: Json = None,
    operator: str = "ilike",
    limit: int | None = 100,
) -> Json:
    """Find records by name; the domain is called `args`."""
    crud.require(env, model, "read")
    ids = search_by_name(env, model, name, args, operator=operator, limit=limit)
    return [[row_id, env.db.display_name(model, row_id)] for row_id in ids]


def name_search_19(
    env: Env,
    model: str,
    name: str = "",
    domain: Json = None,
    operator: str = "ilike",
    limit: int | None = 100,
) -> Json:
    """Find records by name; the domain is called `domain`."""
    return name_search_18(env, model, name, domain, operator, limit)


def name_create(env: Env, model: str, name: str) -> Json:
    """Create a record from its name; returns id and name."""
    row_id = create_by_name(env, model, name)
    return [row_id, env.db.display_name(model, row_id)]


def check_access_rights(env: Env, model: str, operation: str, raise_exception: Json = 1) -> Json:
    """Tell whether the user has the right; deprecated since 18.0 but served."""
    if not raise_exception:
        return has_access(env, model, [], operation)
    crud.require(env, model, _operation(operation))
    return None


def has_access(env: Env, model: str, ids: Json, operation: str) -> Json:
    """Tell whether the user may do this with these records."""
    try:
        crud.require(env, model, _operation(operation))
    except AccessError:
        return False
    visible = visible_ids(env, model, _operation(operation))
    return visible is None or set(ids_of(ids)) <= visible


def get_external_id(env: Env, model: str, ids: Json) -> Json:
    """Return one external id per record, "" where there is none."""
    answer = {}
    for row_id in ids_of(ids):
        links = env.db.external_ids_of(model, row_id)
        answer[str(row_id)] = links[0]["complete_name"] if links else ""
    return answer


def check_object_reference(
    env: Env,
    _model: str,
    module: str,
    xml_id: str,
    raise_on_access_error: Json = 0,
) -> Json:
    """Return model and id of an external id; archived records count as hidden."""
    link = env.db.external_id(module, xml_id)
    if link is None or env.db.row(link["model"], link["res_id"]) is None:
        raise WrongValueError(f"External ID not found in the system: {module}.{xml_id}")
    target, res_id = link["model"], link["res_id"]
    if permitted(env.user, target, "read") and search_ids(env, target, [("id", "=", res_id)]):
        return [target, res_id]
    if raise_on_access_error:
        raise AccessError(f'Not enough access rights on the external ID "{module}.{xml_id}"')
    return [target, False]


def message_post(env: Env, model: str, ids: Json, body: str = "", **_options: Json) -> Json:
    """Add a message to the chatter of one record."""
    row_ids = ids_of(ids)
    if len(row_ids) != 1:
        raise WrongValueError(f"Expected singleton: {model}({', '.join(map(str, row_ids))})")
    row = env.db.row(model, row_ids[0])
    if row is None:
        raise MissingError.of(model, row_ids[0], env.user.uid)
    note = env.db.add_message(model, row_ids[0], body, env.user.uid)
    env.tx.put(model, row_ids[0], {**row, "message_ids": [note, *row["message_ids"]]})
    return [note]


def has_group(env: Env, model: str, ids: Json, group_ext_id: str) -> Json:
    """Tell whether the user itself is in the group."""
    if ids_of(ids) != [env.user.uid]:
        raise hidden_record("User", model, "read", env.user, "another user", 0)
    return group_ext_id in GROUPS[env.user.role]


def context_get(env: Env, _model: str) -> Json:
    """Return the user's own context."""
    return {"lang": env.db.switches.languages[0], "tz": env.user.tz or False, "uid": env.user.uid}


def _operation(name: str) -> Operation:
    for operation in get_args(Operation):
        if operation == name:
            return cast("Operation", operation)
    raise WrongValueError(f"Invalid access mode: {name!r}")


def _set_active(env: Env, model: str, ids: Json, *, active: bool) -> None:
    if not env.model(model).has_active:
        raise UserError(f"Model {model} has no field active")
    rows = env.db.tables[model].rows
    changing = [row_id for row_id in ids_of(ids) if row_id in rows and rows[row_id]["active"] != active]
    crud.write(env, model, changing, {"active": active})


_ON_MODEL = (search, search_count, search_read, create, load, fields_get, name_create, check_access_rights)
_ON_RECORDS = (read, write, unlink, copy, action_archive, action_unarchive, has_access, get_external_id)

_COMMON = {
    **{function.__name__: Method(function.__name__, function, on_records=False) for function in _ON_MODEL},
    **{function.__name__: Method(function.__name__, function, on_records=True) for function in _ON_RECORDS},
    "message_post": Method("message_post", message_post, on_records=True, models=("res.partner",)),
    "has_group": Method("has_group", has_group, on_records=True, models=("res.users",)),
    "context_get": Method("context_get", context_get, on_records=False, models=("res.users",)),
    "check_object_reference": Method(
        "check_object_reference", check_object_reference, on_records=False, models=("ir.model.data",)
    ),
}
_METHODS_18 = {**_COMMON, "name_search": Method("name_search", name_search_18, on_records=False)}
_METHODS_19 = {**_COMMON, "name_search": Method("name_search", name_search_19, on_records=False)}
