"""The named SQL statements of ``sql/queries.sql``."""

import re
from functools import cache
from importlib import resources
from typing import LiteralString

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def _statements() -> dict[str, LiteralString]:
    text = resources.files("sync_orchestration.interface").joinpath("sql/queries.sql").read_text("utf-8")
    parts = _NAME.split(text)
    return dict(zip(parts[1::2], map(_without_comments, parts[2::2]), strict=True))


def _without_comments(statement: str) -> LiteralString:
    return "\n".join(line for line in statement.splitlines() if not line.startswith("--")).strip()


def query(name: str) -> LiteralString:
    """Return the statement called `name`.

    Raises KeyError for an unknown name. The text comes from our own file and takes its values as parameters
    only, hence the promise to the type checker that it is literal.
    """
    return _statements()[name]
