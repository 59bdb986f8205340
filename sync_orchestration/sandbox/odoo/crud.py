"""create, write and unlink: rights, stored values, constraints, chatter and automation, in Odoo's order."""

from . import partner
from .access import hidden_record, permitted, refusal
from .database import Env
from .errors import MissingError, Row, UserError
from .query import visible_ids
from .switches import Operation
from .values import check_database, prepare
from .webhooks import announce


def require(env: Env, model: str, operation: Operation) -> None:
    """Raise AccessError unless the user's groups give the right."""
    denied = operation in env.db.switches.deny.get(model, ())
    if denied or not permitted(env.user, model, operation):
        raise refusal(model, env.model(model).description, operation, env.db.version)


def create(env: Env, model: str, vals_list: list[Row]) -> list[int]:
    """Create all records or none: first all rows in the database, then the Python constraints."""
    require(env, model, "create")
    definition = env.model(model)
    created: list[tuple[Row, set[str]]] = []
    for vals in vals_list:
        given = partner.tidy(env, vals, None) if model == "res.partner" else vals
        values = prepare(env, definition, given, None)
        row = env.db.new_row(model, env.tx, env.user.uid, values)
        check_database(env, definition, _completed(env, model, row))
        created.append((_stored(env, model, row), set(values)))
    for row, changed in created:
        _settle(env, model, row, changed)
    ids = [row["id"] for row, _ in created]
    for row_id in ids:
        _note_creation(env, model, row_id)
        announce(env, model, None, env.db.tables[model].rows[row_id])
    return ids


def write(env: Env, model: str, ids: list[int], vals: Row) -> bool:
    """Write the same values to all records; every record written gets a new write_date."""
    require(env, model, "write")
    if not vals:
        return True
    definition = env.model(model)
    for row_id in ids:
        old = env.db.row(model, row_id)
        if old is None:
            raise MissingError.of(model, row_id, env.user.uid)
        _refuse_hidden(env, model, row_id, "write")
        given = partner.tidy(env, vals, old) if model == "res.partner" else vals
        values = prepare(env, definition, given, old)
        row = {**old, **values, "write_date": env.tx.started, "write_uid": env.user.uid}
        check_database(env, definition, _completed(env, model, row))
        _settle(env, model, _stored(env, model, row), set(values))
        new = env.db.tables[model].rows[row_id]
        _note_change(env, model, old, new)
        announce(env, model, old, new)
    return True


def unlink(env: Env, model: str, ids: list[int]) -> bool:
    """Delete records together with their external ids; contacts lose their company."""
    require(env, model, "unlink")
    for row_id in dict.fromkeys(ids):
        old = env.db.row(model, row_id)
        if old is None:
            raise MissingError.of(model, row_id, env.user.uid)
        _refuse_hidden(env, model, row_id, "unlink")
        _refuse_in_use(env, model, row_id)
        announce(env, model, old, None)
        for external in env.db.external_ids_of(model, row_id):
            env.tx.put("ir.model.data", external["id"], None)
        if "parent_id" in env.model(model).fields:
            for child_id in env.db.tables[model].find("parent_id", [row_id]):
                env.tx.put(model, child_id, {**env.db.tables[model].rows[child_id], "parent_id": False})
        env.tx.put(model, row_id, None)
    return True


def _completed(env: Env, model: str, row: Row) -> Row:
    if model == "res.partner":
        partner.derive(env, row)
    elif model == "ir.model.data":
        row["complete_name"] = f"{row['module']}.{row['name']}"
    return row


def _stored(env: Env, model: str, row: Row) -> Row:
    env.tx.put(model, row["id"], row)
    return row


def _settle(env: Env, model: str, row: Row, changed: set[str]) -> None:
    """Check the constraints that are Python code, and keep contacts in step with their company."""
    if model == "res.partner.category" and "parent_id" in changed:
        partner.check_hierarchy(env, model, row, "You can not create recursive tags.")
    if model != "res.partner":
        return
    partner.check(env, row, changed)
    taken = partner.inherited(env, row, changed)
    if taken:
        row = _stored(env, model, _completed(env, model, {**row, **taken}))
    for child_id, vals in partner.passed_down(env, row, changed | set(taken)):
        child = env.db.tables[model].rows[child_id]
        # Only a contact that is written gets a new write_date; a recomputed name leaves it.
        stamp = {"write_date": env.tx.started, "write_uid": env.user.uid} if vals else {}
        _stored(env, model, _completed(env, model, {**child, **vals, **stamp}))


def _note_creation(env: Env, model: str, row_id: int) -> None:
    """Leave the creation note and follow the record, unless the context disables tracking."""
    if model != "res.partner" or not env.tracking:
        return
    row = env.db.tables[model].rows[row_id]
    note = env.db.add_message(model, row_id, "Contact created", env.user.uid)
    _stored(env, model, {**row, "message_ids": [note], "message_follower_ids": [env.user.partner_id]})


def _note_change(env: Env, model: str, old: Row, new: Row) -> None:
    tracked = env.model(model).tracked
    changed = sorted(name for name in tracked if old[name] != new[name])
    if not changed or not env.tracking:
        return
    note = env.db.add_message(model, new["id"], f"Changed: {', '.join(changed)}", env.user.uid)
    _stored(env, model, {**new, "message_ids": [note, *new["message_ids"]]})


def _refuse_hidden(env: Env, model: str, row_id: int, operation: Operation) -> None:
    visible = visible_ids(env, model, operation)
    if visible is not None and row_id not in visible:
        name = env.db.display_name(model, row_id)
        raise hidden_record(env.model(model).description, model, operation, env.user, name, row_id)


def _refuse_in_use(env: Env, model: str, row_id: int) -> None:
    if model != "res.partner":
        return
    users = env.db.tables["res.users"].rows.values()
    if any(user["partner_id"] == row_id for user in users):
        raise UserError("You cannot delete contacts linked to an active user.")
