"""Transforms that see the whole record; each is the first step of a field that has no ``from``."""

import datetime as dt
from collections.abc import Callable
from typing import Annotated

from pydantic import Field

from sync_orchestration.mapping.paths import PathArgument
from sync_orchestration.mapping.records import JSON, Value
from sync_orchestration.mapping.value_transforms import to_text
from sync_orchestration.mapping.values import as_number, is_empty, shown

_UNLIMITED = (0, 9999)

Paths = Annotated[tuple[PathArgument, ...], Field(min_length=1)]


def valid_in_years(
    record: JSON,
    *,
    from_: PathArgument | None = None,
    to: PathArgument | None = None,
    today: Callable[[], dt.date],
) -> bool:
    """Tell whether today's year lies between two fields that hold years, both inclusive.

    Flexi says "unlimited" by 0, 9999 or nothing (recorded Flexi traffic). The answer changes at New Year
    without any change of the record, so a yearly full pass belongs to it.
    """
    year = today().year
    begin, end = _year(record, from_), _year(record, to)
    return (begin is None or begin <= year) and (end is None or year <= end)


def first_of(record: JSON, paths: Paths) -> JSON:
    """Take the first of several fields that is not empty, e.g. a company's name or a sole trader's."""
    for path in paths:
        value = path.read(record)
        if not is_empty(value):
            return value.strip() if isinstance(value, str) else value
    return ""


def join_fields(record: JSON, paths: Paths, separator: str = " ") -> str:
    """Make one text of several fields, leaving out the empty ones."""
    values: list[Value] = [path.read(record) for path in paths]
    return separator.join(to_text(value).strip() for value in values if not is_empty(value))


def _year(record: JSON, path: PathArgument | None) -> int | None:
    value = None if path is None else path.read(record)
    if is_empty(value):
        return None
    number = as_number(value)
    if number is None or number != number.to_integral_value():
        msg = f"{shown(value)} is not a year"
        raise ValueError(msg)
    return None if number in _UNLIMITED else int(number)
