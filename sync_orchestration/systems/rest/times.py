"""Times as other systems write them, and positions: whole seconds since the epoch, UTC."""

from datetime import UTC, datetime, timedelta

from sync_orchestration.mapping.records import JSON
from sync_orchestration.mapping.values import as_number
from sync_orchestration.pipeline.errors import ConfigurationError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = int(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())
_SHORTEST_EPOCH = 9  # digits; eight are a date, 20240131
_WESTERNMOST = timedelta(hours=12)

# From this number on a count since the epoch is of thousandths, millionths, …: seconds would lie beyond the year 5138.
_FINER = 10**11


def position_of(value: JSON, form: str = "iso") -> int | None:
    """Return the position of a time, or None where it cannot be read.

    Read are ISO 8601 (without a zone it is UTC), numbers of seconds or their thousandths, told apart by their size,
    and the strftime pattern `form`. What lies before 1970 is as old as can be: 0.
    """
    if isinstance(value, str):
        return _of_text(value.strip(), form)
    return _of_number(value)


def _of_text(text: str, form: str) -> int | None:
    if "%" in form:
        try:
            return _of_datetime(datetime.strptime(text, form))  # noqa: DTZ007 - _of_datetime gives it a zone
        except ValueError:
            pass
    if text.lstrip("+-").partition(".")[0].isdecimal() and len(text) >= _SHORTEST_EPOCH:
        return _of_number(text)
    try:
        return _of_datetime(datetime.fromisoformat(text))
    except ValueError:
        return None


def _of_datetime(found: datetime) -> int | None:
    aware = found if found.tzinfo else found.replace(tzinfo=UTC)
    try:
        return max((aware - _EPOCH) // timedelta(seconds=1), 0)
    except OverflowError:
        return None


def _of_number(value: JSON) -> int | None:
    number = as_number(value)
    if number is None or abs(number) > 10**25:
        return None
    seconds = int(number // 1)
    while abs(seconds) >= _FINER:
        seconds //= 1_000
    return min(max(seconds, 0), _LAST)


def written_time(position: int, form: str) -> str:
    """Return a position as the parameter of a filter: `iso`, `date`, `epoch`, `epoch_ms` or a strftime pattern.

    A date is early enough for every zone that the server may count its days in.
    """
    moment = _EPOCH + timedelta(seconds=min(max(position, 0), _LAST))
    if form == "iso":
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    if form == "date":
        return max(moment - _WESTERNMOST, _EPOCH).date().isoformat()
    if form == "epoch":
        return str(int(moment.timestamp()))
    if form == "epoch_ms":
        return str(int(moment.timestamp()) * 1_000)
    if "%" not in form:
        raise ConfigurationError(
            f"'{form}' is no format of a time: use iso, date, epoch, epoch_ms or a pattern such as %Y-%m-%d %H:%M:%S."
        )
    return moment.strftime(form)
