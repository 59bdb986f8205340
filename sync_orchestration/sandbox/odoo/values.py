"""From the values of create and write to stored values, refused or coerced as Odoo's fields do."""

import re
from datetime import datetime
from html import escape

from .database import Env
from .errors import BadInputError, DatabaseError, Json, Row, WrongValueError
from .models import Field, Model

_LOG_FIELDS = frozenset({"id", "display_name", "create_date", "create_uid", "write_date", "write_uid", "complete_name"})
_COMPUTED = frozenset({"phone_sanitized", "message_ids", "message_follower_ids", "child_ids"})
_DATETIME_FORMATS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d")
_BLOCK = re.compile(r"\s*<(p|div|ul|ol|h[1-6]|table|blockquote|pre|section|article)\b", re.IGNORECASE)
_DANGEROUS = re.compile(r"<(script|style|iframe|object)\b.*?(</\1\s*>|$)", re.IGNORECASE | re.DOTALL)
_HANDLER = re.compile(r"\s+on\w+\s*=\s*(\"[^\"]*\"|'[^']*'|[^\s>]+)", re.IGNORECASE)
_MARKUP = re.compile(r"</?[a-zA-Z][^<>]*>")


def prepare(env: Env, model: Model, vals: Row, old: Row | None) -> Row:
    """Return the stored values for `vals`; an unknown field is a ValueError, a computed one is ignored."""
    prepared: Row = {}
    for name, value in vals.items():
        field = model.fields.get(name)
        if field is None:
            where = f"in {model.name!r}" if env.db.version >= 19 else f"on model {model.name!r}"
            raise WrongValueError(f"Invalid field {name!r} {where}")
        if name in _LOG_FIELDS or name in _COMPUTED:
            continue
        prepared[name] = stored_value(env, model, field, value, old)
    return prepared


def stored_value(env: Env, model: Model, field: Field, value: Json, old: Row | None = None) -> Json:
    """Return the value a field keeps for the value it was given."""
    if field.type == "many2many":
        return _commands(env, model, field, value, list(old[field.name]) if old else [])
    if field.type == "many2one":
        return _reference(env, model, field, value)
    if field.type == "boolean":
        return bool(value)
    if field.type in ("integer", "float", "monetary"):
        return _number(field, value)
    return False if value is None or value is False else _textual(model, field, value)


def _textual(model: Model, field: Field, value: Json) -> Json:
    if field.type in ("datetime", "date"):
        return _moment(value, field.type)
    if field.type == "selection":
        return _choice(model, field, value)
    text = str(value)
    if "\x00" in text:
        raise WrongValueError("A string literal cannot contain NUL (0x00) characters.")
    return sanitized_html(text) if field.type == "html" else text


def sanitized_html(text: str) -> Json:
    """Return what the sanitiser leaves: no scripts, plain text in a paragraph, nothing for blank text."""
    if not text.strip():
        return False
    clean = _HANDLER.sub("", _DANGEROUS.sub("", text))
    pieces, last = [], 0
    for match in _MARKUP.finditer(clean):
        pieces += [_escaped(clean[last : match.start()]), match[0]]
        last = match.end()
    pieces.append(_escaped(clean[last:]))
    html = "".join(pieces)
    return html if _BLOCK.match(html) else f"<p>{html}</p>"


def check_database(env: Env, model: Model, row: Row) -> None:
    """Check what PostgreSQL checks of the row itself: NOT NULL and CHECK."""
    for field in model.fields.values():
        if field.required and row[field.name] in (False, None):
            raise DatabaseError(
                "not_null",
                model=model.name,
                description=model.description,
                field=(field.name, field.string),
                text=f'null value in column "{field.name}" violates not-null constraint',
            )
    if model.name == "res.partner" and row["type"] == "contact" and row["name"] is False:
        raise DatabaseError(
            "check",
            model=model.name,
            description=model.description,
            constraint="res_partner_check_name",
            text="Contacts require a name",
        )
    if model.name == "ir.model.data":
        check_external_id(env, row, own_table=True)


def check_external_id(env: Env, row: Row, *, own_table: bool) -> None:
    """Check an external id: no space in the name, unique per module."""
    if " " in row["name"]:
        raise DatabaseError(
            "check",
            model="ir.model.data",
            description="Model Data",
            constraint="ir_model_data_name_nospaces",
            text="External IDs cannot contain spaces",
            own_table=own_table,
        )
    existing = env.db.external_id(row["module"], row["name"])
    if existing is not None and existing["id"] != row.get("id"):
        raise DatabaseError(
            "unique",
            model="ir.model.data",
            description="Model Data",
            constraint="ir_model_data_module_name_uniq_index",
            text="duplicate key value violates unique constraint "
            f'"ir_model_data_module_name_uniq_index"\nDETAIL:  Key (module, name)=({row["module"]}, '
            f"{row['name']}) already exists.\n",
        )


def _escaped(text: str) -> str:
    """Escape text without touching the entities it already has."""
    pieces = re.split(r"(&(?:amp|lt|gt|quot|nbsp|#\d+);)", text)
    return "".join(piece if i % 2 else escape(piece, quote=False) for i, piece in enumerate(pieces))


def _number(field: Field, value: Json) -> Json:
    convert = int if field.type == "integer" else float
    try:
        return convert(value or 0)
    except (TypeError, ValueError) as error:
        raise WrongValueError(str(error)) from error


def _moment(value: Json, kind: str) -> str:
    formats = _DATETIME_FORMATS if kind == "datetime" else _DATETIME_FORMATS[2:]
    for pattern in formats:
        try:
            moment = datetime.strptime(str(value), pattern)  # noqa: DTZ007 - Odoo's datetimes carry no zone
        except ValueError:
            continue
        return moment.strftime("%Y-%m-%d %H:%M:%S" if kind == "datetime" else "%Y-%m-%d")
    raise WrongValueError(f"time data {value!r} does not match format {formats[0]!r}")


def _choice(model: Model, field: Field, value: Json) -> Json:
    if not value:
        return False
    if value not in dict(field.selection):
        raise WrongValueError(f"Wrong value for {model.name}.{field.name}: {value!r}")
    return value


def _reference(env: Env, model: Model, field: Field, value: Json) -> Json:
    if not value:
        return False
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadInputError(f'invalid input syntax for type integer: "{value}"')
    table = model.name.replace(".", "_")
    constraint = f"{table}_{field.name}_fkey"
    if field.relation in env.db.tables and value not in env.db.tables[field.relation].rows:
        raise DatabaseError(
            "foreign_key",
            model=model.name,
            description=model.description,
            constraint=constraint,
            text=f'insert or update on table "{table}" violates foreign key constraint "{constraint}"\n',
        )
    return value


def _commands(env: Env, model: Model, field: Field, value: Json, ids: list[int]) -> list[int]:
    """Apply the x2many commands (3 unlink, 4 link, 5 clear, 6 set); a plain list of ids sets them."""
    if not value:
        return []
    commands = value if isinstance(value, list) else [value]
    if all(isinstance(command, int) for command in commands):
        commands = [[6, 0, commands]]
    for command in commands:
        ids = _command(env, model, field, command, ids)
    return ids


def _command(env: Env, model: Model, field: Field, command: list[Json], ids: list[int]) -> list[int]:
    code = command[0]
    if code in (2, 3):
        return [one for one in ids if one != command[1]]
    if code == 4:
        linked = _reference(env, model, field, command[1])
        return ids if linked in ids else [*ids, linked]
    if code == 5:
        return []
    if code == 6:
        return list(dict.fromkeys(_reference(env, model, field, one) for one in command[2]))
    raise WrongValueError(f"Wrong value for {model.name}.{field.name}: {command!r}")
