"""The text forms of values: every value of the ``/c/`` dialect is a string, in JSON as in XML."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from .schema import Field

ZONE = ZoneInfo("Europe/Prague")
"""The server's own time zone: change rows carry its wall time without an offset."""

_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})(Z|[+-]\d{2}:\d{2}|T.*)?")
_CZECH_WEIGHTS = {"č": "cž", "ř": "rž", "š": "sž", "ž": "zž", "ch": "hž"}


class ValueRefusedError(ValueError):
    """A value that the field does not take; `code` is what the server writes beside the message."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


def offset_text(moment: datetime) -> str:
    """Return the zone offset as ``+02:00``."""
    plain = moment.strftime("%z")
    return f"{plain[:3]}:{plain[3:]}"


def datetime_text(moment: datetime) -> str:
    """Return the form of ``lastUpdate``: milliseconds and the offset."""
    return moment.astimezone(ZONE).isoformat(timespec="milliseconds")


def date_text(day: date) -> str:
    """Return a date with that day's offset glued on, as the server prints it."""
    return day.isoformat() + offset_text(datetime.combine(day, time(), ZONE))


def timestamp_text(moment: datetime) -> str:
    """Return the form of a change row: local time, no zone, one to six fraction digits."""
    text = moment.astimezone(ZONE).strftime("%Y-%m-%d %H:%M:%S.%f").rstrip("0")
    return text + "0" if text.endswith(".") else text


def double_text(number: Decimal) -> str:
    """Return the number as Java prints a double: ``500.0``, ``1.2290034529E8``."""
    value = float(number)
    if value == 0:
        return "0.0"
    if 1e-3 <= abs(value) < 1e7:
        return repr(value)
    sign, digits, _ = Decimal(repr(value)).normalize().as_tuple()
    mantissa = "".join(map(str, digits))
    exponent = Decimal(repr(value)).adjusted()
    return f"{'-' if sign else ''}{mantissa[0]}.{mantissa[1:] or '0'}E{exponent}"


def canonical(field: Field, raw: str) -> str:
    """Return `raw` as the server keeps it. Raises ValueRefusedError."""
    if field.type == "string":
        return _text(field, raw)
    text = raw.strip()
    if not text:
        return ""
    if field.type == "select":
        return _select(field, text)
    return _READERS[field.type](text)


def _text(field: Field, raw: str) -> str:
    text = raw.upper() if field.upper else raw
    if field.max_length is not None and len(text) > field.max_length:
        raise ValueRefusedError(f"Pole '{field.title}' smí mít nejvýše {field.max_length} znaků.", "INVALID")
    return text


def _integer(text: str) -> str:
    try:
        return str(int(text))
    except ValueError as error:
        raise ValueRefusedError(f"Je očekáváno celé číslo, ale '{text}' není číslo", "PROP") from error


def _numeric(text: str) -> str:
    try:
        return double_text(Decimal(text))
    except InvalidOperation as error:
        raise ValueRefusedError(f"Je očekáváno číslo, ale '{text}' není číslo", "PROP") from error


def _logic(text: str) -> str:
    if text.lower() not in ("true", "false"):
        raise ValueRefusedError(f"Je očekávána logická hodnota, ale bylo '{text}'", "PROP")
    return text.lower()


def _date(text: str) -> str:
    match = _DATE.fullmatch(text)
    message = f"Je očekáváno datum, ale bylo '{text}'"
    if match is None:
        raise ValueRefusedError(message, "PROP")
    try:
        return date_text(date(int(match[1]), int(match[2]), int(match[3])))
    except ValueError as error:
        raise ValueRefusedError(message, "PROP") from error


def _select(field: Field, text: str) -> str:
    if text not in field.choices:
        raise ValueRefusedError(f"Hodnota '{text}' není pro pole '{field.title}' přípustná", "PROP")
    return text


_READERS: Mapping[str, Callable[[str], str]] = {
    "integer": _integer,
    "numeric": _numeric,
    "logic": _logic,
    "date": _date,
    "datetime": str,
}


def without_accents(text: str) -> str:
    """Return the text with base letters only."""
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))


def collation_key(text: str) -> tuple[str, str]:
    """Return a sort key in Czech order: č after c, ch after h, other accents only break ties."""
    lowered = text.lower()
    primary = "".join(
        _CZECH_WEIGHTS.get(piece, piece if piece.isascii() else without_accents(piece))
        for piece in re.findall(r"ch|.", lowered, re.DOTALL)
    )
    return primary, text


def derived_code(name: str) -> str:
    """Return the code that the server makes up from a name when none was sent."""
    letters = "".join(c for c in name.upper() if c.isalnum())
    return letters[:20] or "NOVY"
