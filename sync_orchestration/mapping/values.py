"""How one value is understood: is it empty, which text or number is it, how is it shown to a person."""

import math
import re
from decimal import Decimal

from sync_orchestration.mapping.records import Reference, Value

# An exponent of at most three digits: "1E999999999" is short text but a whole number of a billion digits.
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_LONGEST_NUMBER = 400
_SHOWN = 80
_EASY_BITS = 4096  # Python refuses to print integers of more than 4300 digits


def is_empty(value: Value) -> bool:
    """Tell whether a value says nothing: None, blank text, an empty list or object. False and 0 do speak."""
    if isinstance(value, str):
        return not value or value.isspace()
    if isinstance(value, Reference):
        return not value.value
    return value is None or (isinstance(value, list | dict) and not value)


def as_text(value: Value) -> str | None:
    """Return a scalar as text, or None for a list or an object.

    Booleans are ``true`` and ``false``, numbers are written without exponent, a reference is the value it
    names.
    """
    match value:
        case str():
            text: str | None = value
        case None:
            text = ""
        case bool():
            text = "true" if value else "false"
        case int():
            text = str(value) if value.bit_length() < _EASY_BITS else str(Decimal(value))
        case float():
            text = format(Decimal(repr(value)), "f")
        case Decimal():
            text = format(value, "f")
        case Reference():
            text = value.value
        case _:
            text = None
    return text


def as_number(value: Value) -> Decimal | None:
    """Return a finite number or a text that is one (``"500.0"``, ``"1.2290034529E8"``), otherwise None.

    Flexi sends all numbers as text, large ones with an exponent (recorded Flexi traffic).
    """
    if isinstance(value, str):
        text = value.strip()
        return Decimal(text) if len(text) <= _LONGEST_NUMBER and _NUMBER.fullmatch(text) else None
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return Decimal(value)
    if isinstance(value, float):
        return Decimal(repr(value)) if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return value if value.is_finite() else None
    return None


def shown(value: Value) -> str:
    """Return a value as a short piece of a message: text in quotes, at most 80 characters of it."""
    text = as_text(value)
    if text is None:
        return f"a list of {len(value)}" if isinstance(value, list) else "an object"
    if len(text) > _SHOWN:
        text = text[: _SHOWN - 1] + "…"
    return f"'{text}'" if isinstance(value, str | Reference) else text or "nothing"
