"""Transforms between kinds of value. ValueError and TypeError mean: not this value, and say why."""

from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, Field

from sync_orchestration.mapping.fields import Scalar, text_keys
from sync_orchestration.mapping.records import Value
from sync_orchestration.mapping.values import as_number, as_text, is_empty, shown

# English and Czech; Flexi itself says "true" and "false" (recorded Flexi traffic).
_TRUTHS = frozenset({"true", "t", "1", "yes", "y", "on", "ano"})
_FALSEHOODS = frozenset({"false", "f", "0", "no", "n", "off", "ne"})


def present(value: Value) -> bool:
    """Tell whether there is a value at all."""
    return not is_empty(value)


def to_bool(value: Value) -> bool:
    """Read a truth: true/false, 1/0, yes/no, on/off, ano/ne in any case of letters."""
    if isinstance(value, bool):
        return value
    word = (as_text(value) or "").strip().lower()
    if word in _TRUTHS:
        return True
    if word in _FALSEHOODS:
        return False
    msg = f"{shown(value)} is neither true nor false"
    raise ValueError(msg)


def negate(value: Value) -> bool:
    """Read a truth and turn it round, e.g. Flexi's ``canceled`` into Odoo's ``active``."""
    return not to_bool(value)


def to_decimal(value: Value, places: Annotated[int, Field(ge=0, le=12)] | None = None) -> Decimal:
    """Read an exact number (``1.2290034529E8``), rounded half to even where ``places`` are given."""
    number = as_number(value)
    if number is None:
        msg = f"{shown(value)} is not a number"
        raise ValueError(msg)
    return number if places is None else round(number, places)


def to_int(value: Value) -> int:
    """Read a whole number; ``500.0`` is one, ``1.5`` is not."""
    number = as_number(value)
    if number is None or number != number.to_integral_value():
        msg = f"{shown(value)} is not a whole number"
        raise ValueError(msg)
    return int(number)


def to_text(value: Value) -> str:
    """Write as text: numbers without exponent, truths as ``true`` and ``false``."""
    text = as_text(value)
    if text is None:
        msg = f"{shown(value)} has no form as text"
        raise ValueError(msg)
    return text


def join(value: Value, separator: str = " ") -> str:
    """Make one text of a list, leaving out its empty items."""
    return separator.join(to_text(item) for item in _items(value) if not is_empty(item))


def first(value: Value) -> Value:
    """Keep the first item of a list that is not empty."""
    return next((item for item in _items(value) if not is_empty(item)), "")


def false_to_empty(value: Value) -> Value:
    """Make a false empty: Odoo answers ``false`` for any field without a value (Odoo's external API)."""
    return "" if value is False else value


def lookup_table(
    value: Value,
    table: Annotated[dict[str, Scalar | None], BeforeValidator(text_keys), Field(min_length=1)],
    default: Scalar | None = None,
) -> Value:
    """Exchange a value by a table, compared as text.

    A value that the table does not hold becomes ``default``; without a default it is an error. An empty value
    stays empty unless the table holds ``""``.
    """
    text = as_text(value)
    if text is not None and text in table:
        return table[text]
    if is_empty(value):
        return ""
    if default is None:
        msg = f"{shown(value)} is not in the table"
        raise ValueError(msg)
    return default


def _items(value: Value) -> list[Value]:
    if not isinstance(value, list):
        msg = f"{shown(value)} is not a list"
        raise TypeError(msg)
    return list(value)
