"""The ways to name a record: numeric id, ``code:``, ``ext:``, ``in:``, ``vatid:``, several in brackets."""

import re

from .records import Table

_GROUP = re.compile(r"\[((?:\\.|[^\[\]\\])*)\]")


def split_identifiers(text: str) -> list[str]:
    """Return the identifiers of ``123`` or of ``[123][code:X]``, where ``\\`` escapes a bracket."""
    if not text.startswith("["):
        return [text]
    return [re.sub(r"\\(.)", r"\1", group) for group in _GROUP.findall(text)]


def is_numeric(identifier: str) -> bool:
    """Whether this is the internal numeric id."""
    return identifier.isascii() and identifier.isdigit()


def is_identifier(text: str) -> bool:
    """Whether the text has the form of an identifier at all."""
    return is_numeric(text) or (text.split(":", 1)[0] in ("code", "ext", "in", "vatid") and ":" in text)


def find_record(table: Table, identifier: str) -> int | None:
    """Return the numeric id of the record that `identifier` names, None if there is none."""
    if is_numeric(identifier):
        return int(identifier) if int(identifier) in table.records else None
    kind, _, rest = identifier.partition(":")
    if kind == "code":
        return table.id_of_code(rest)
    if kind == "ext":
        return table.id_of_ext(identifier)
    if kind in ("in", "vatid") and table.evidence.path == "adresar":
        return table.id_where("ic" if kind == "in" else "dic", rest)
    return None
