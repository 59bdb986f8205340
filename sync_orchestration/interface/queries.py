"""The named SQL statements of ``sql/queries.sql``."""

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import LiteralString

_NAME = re.compile(r"^-- (name|part): (\w+)$", re.MULTILINE)


@cache
def _statements() -> dict[str, LiteralString]:
    text = resources.files("sync_orchestration.interface").joinpath("sql/queries.sql").read_text("utf-8")
    pieces = _NAME.split(text)[1:]
    found = list(zip(pieces[::3], pieces[1::3], map(_without_comments, pieces[2::3]), strict=True))
    parts = {name: part for kind, name, part in found if kind == "part"}
    return {name: _with_parts(statement, parts) for kind, name, statement in found if kind == "name"}


def _without_comments(statement: str) -> LiteralString:
    return "\n".join(line for line in statement.splitlines() if not line.startswith("--")).strip()


def _with_parts(statement: LiteralString, parts: Mapping[str, LiteralString]) -> LiteralString:
    for name, part in parts.items():
        statement = statement.replace(f"{{{name}}}", part)
    return statement


def query(name: str) -> LiteralString:
    """Return the statement called `name`.

    Raises KeyError for an unknown name. The text comes from our own file and takes its values as parameters
    only, hence the promise to the type checker that it is literal.
    """
    return _statements()[name]
