"""Transforms of dates and times. They are called with text that is not empty."""

import datetime as dt
import re
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

_ISO_DATE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ][0-9:.]+)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?")
_CZECH_DATE = re.compile(r"([0-9]{1,2})\.\s*([0-9]{1,2})\.\s*([0-9]{4})")
_UTC = ZoneInfo("UTC")


def _reads_what_it_writes(form: str) -> str:
    dt.datetime.strptime(dt.datetime(2000, 1, 2, tzinfo=dt.UTC).strftime(form), form).replace(tzinfo=dt.UTC)
    return form


OutputFormat = Annotated[str, Field(pattern="%")]
InputFormat = Annotated[OutputFormat, AfterValidator(_reads_what_it_writes)]


def date(value: str, formats: tuple[InputFormat, ...] = (), to: OutputFormat = "%Y-%m-%d") -> str:
    """Read a date and write it as ISO or as the ``strftime`` format ``to``.

    Read are ISO dates and times, ``27.5.2026`` and the given ``strptime`` formats. A zone is dropped and
    never converted: Flexi glues the zone of its server to plain dates, ``2026-05-27+02:00`` (recorded Flexi
    traffic).
    """
    parsed = _date(value, formats)
    # Text is quicker than strftime, and pads years before 1000 on every platform.
    return parsed.isoformat() if to == "%Y-%m-%d" else parsed.strftime(to)


def datetime(value: str, zone: ZoneInfo = _UTC) -> str:
    """Read an ISO time and write it as ``YYYY-MM-DD HH:MM:SS`` in UTC, the only form that Odoo takes.

    A time without an offset is a time of ``zone``; a bare date is its midnight. Fractions are cut off.
    """
    try:
        parsed = dt.datetime.fromisoformat(value)
    except ValueError:
        msg = f"'{value[:80]}' is not an ISO date and time"
        raise ValueError(msg) from None
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=zone)
    try:
        moment = parsed.astimezone(dt.UTC)
    except OverflowError:
        msg = f"'{value[:80]}' lies beyond the calendar in UTC"
        raise ValueError(msg) from None
    return moment.replace(microsecond=0, tzinfo=None).isoformat(sep=" ")


def _date(value: str, formats: tuple[str, ...]) -> dt.date:
    for form in formats:
        try:
            # The zone is meant to be dropped: this is a date.
            return dt.datetime.strptime(value, form).replace(tzinfo=dt.UTC).date()
        except ValueError:
            continue
    try:
        if iso := _ISO_DATE.fullmatch(value):
            return dt.date.fromisoformat(iso[1])
        if czech := _CZECH_DATE.fullmatch(value):
            return dt.date(int(czech[3]), int(czech[2]), int(czech[1]))
    except ValueError:
        msg = f"'{value[:80]}' is not a day of the calendar"
        raise ValueError(msg) from None
    msg = f"'{value[:80]}' is not a date"
    raise ValueError(msg)
