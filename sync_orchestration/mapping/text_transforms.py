"""Transforms from text to text or to a list of texts. They are called with text that is not empty."""

import re
from typing import Annotated

from pydantic import Field

from sync_orchestration.mapping.records import JSON
from sync_orchestration.mapping.rules import addresses_in, is_plausible_address

_NOT_DIGITS = re.compile(r"[^0-9]+")

NotEmpty = Annotated[str, Field(min_length=1)]


def strip(value: str, characters: str | None = None) -> str:
    """Take spaces, or the given characters, off both ends."""
    return value.strip(characters)


def upper(value: str) -> str:
    """Write in capitals."""
    return value.upper()


def lower(value: str) -> str:
    """Write in small letters."""
    return value.lower()


def collapse_spaces(value: str) -> str:
    """Make every run of white space, line ends and no-break spaces included, one space."""
    return " ".join(value.split())


def strip_prefix(value: str, prefix: NotEmpty) -> str:
    """Take a prefix off, if it is there: ``code:CZ`` is ``CZ``."""
    return value.removeprefix(prefix)


def strip_suffix(value: str, suffix: NotEmpty) -> str:
    """Take a suffix off, if it is there."""
    return value.removesuffix(suffix)


def replace(value: str, old: NotEmpty, new: str = "") -> str:
    """Put ``new`` wherever ``old`` stands."""
    return value.replace(old, new)


def truncate(value: str, length: Annotated[int, Field(ge=1)]) -> str:
    """Keep the first ``length`` characters."""
    return value[:length].rstrip()


def split(value: str, separator: NotEmpty = ",") -> list[JSON]:
    """Cut at every separator into a list without empty pieces: ``VIP,DULEZITE``."""
    return [piece for piece in map(str.strip, value.split(separator)) if piece]


def digits(value: str) -> str:
    """Keep only the digits 0-9."""
    return _NOT_DIGITS.sub("", value)


def phone(value: str, country_prefix: Annotated[str, Field(pattern=r"^\+[0-9]{1,4}$")] | None = None) -> str:
    """Make runs of spaces one space and, where the number has none, put the country prefix before it.

    Nothing else is touched: extensions, remarks and second numbers are the person's own.
    """
    number = " ".join(value.split())
    if country_prefix is None or number.startswith(("+", "00")) or not any(map(str.isdigit, number)):
        return number
    return f"{country_prefix} {number}"


def split_emails_first(value: str) -> str:
    """Keep the first plausible address of several (``a@b.cz, c@d.cz``).

    Where none is plausible the text stays as it is, so that a rule can name it.
    """
    return next(filter(is_plausible_address, addresses_in(value)), value)
