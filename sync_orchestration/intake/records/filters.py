"""What stands after the question mark: a filter, and where the page before ended."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

from sync_orchestration.intake.checks import is_storable
from sync_orchestration.interface.browsing import ListedRow, Place, RowFilter
from sync_orchestration.interface.rows import Status
from sync_orchestration.interface.single import WholeRow

STATUSES: tuple[Status, ...] = ("failed", "pending", "processing", "skipped", "processed")
"""All of them; what people look for comes first."""

_TIMES = ("received_from", "received_to", "failed_from", "failed_to")
_TEXTS = ("sync", "error_code", "key", "text")
_LONGEST = {"sync": 200, "error_code": 200, "key": 10_000, "text": 1_000}

_BROKEN = "This link to a further page is broken; begin with the first one."


class FilterError(Exception):
    """A filter cannot be understood; the message is for people."""


def read_filter(given: Mapping[str, str]) -> RowFilter:
    """Return the filter of a form or a link; an empty field asks for nothing. Raises FilterError."""
    texts = {name: _text(name, value) for name in _TEXTS if (value := given.get(name, ""))}
    times = {name: _time(value) for name in _TIMES if (value := given.get(name, "").strip())}
    status = given.get("status") or None
    if status is not None and status not in STATUSES:
        raise FilterError(f"There is no status like that; there are {', '.join(STATUSES)}.")
    return RowFilter(status=status, **texts, **times)  # type: ignore[arg-type]


def _text(name: str, value: str) -> str:
    text = value if name == "key" else value.strip()
    if len(text) > _LONGEST[name]:
        raise FilterError(f"What is searched for as {name.replace('_', ' ')} has at most {_LONGEST[name]} characters.")
    if not is_storable(text):
        raise FilterError("What is searched for holds a character that no record can have.")
    return text


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise FilterError("A time is written like 2026-11-28 or 2026-11-28T14:30, and is in UTC.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def as_fields(wanted: RowFilter) -> dict[str, str]:
    """Return a filter as the fields of a form; times as the browser's own field for them wants them."""
    fields = {}
    for name, value in asdict(wanted).items():
        if isinstance(value, datetime):
            fields[name] = value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="minutes")
        elif value:
            fields[name] = value
    return fields


def as_query(wanted: RowFilter, **more: str) -> str:
    """Return a filter as the query of a link, without the question mark."""
    return urlencode({**as_fields(wanted), **more})


def place_text(row: ListedRow) -> str:
    """Return where a page ended, as a link carries it."""
    place = row.place
    said = [place.received_at.isoformat(), place.record_key, place.sync, place.source_system]
    return base64.urlsafe_b64encode(json.dumps(said).encode()).decode()


def read_place(text: str) -> Place | None:
    """Return where the page before ended; None on the first page. Raises FilterError."""
    if not text:
        return None
    try:
        moment, *names = json.loads(base64.b64decode(text, altchars=b"-_", validate=True))
        place = Place(datetime.fromisoformat(moment).astimezone(UTC), *names)
    except (binascii.Error, ValueError, TypeError, OverflowError, RecursionError):
        raise FilterError(_BROKEN) from None
    if not all(isinstance(name, str) and is_storable(name) for name in names):
        raise FilterError(_BROKEN)
    return place


def record_path(row: ListedRow | WholeRow) -> str:
    """Return the address of a record's page, whatever its key holds.

    Browsers take a lone dot or two for a step up, encoded or not, so such a key goes into the query.
    """
    owner = f"/records/{quote(row.sync, safe='')}/{quote(row.source_system, safe='')}"
    if row.record_key.strip(".") == "":
        return f"{owner}?{urlencode({'key': row.record_key})}"
    return f"{owner}/{quote(row.record_key, safe='')}"
