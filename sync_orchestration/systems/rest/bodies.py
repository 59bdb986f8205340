"""Mapped values as JSON bodies, and whether two values of JSON are the same to us."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sync_orchestration.interface.rows import Payload
from sync_orchestration.mapping.records import JSON, RecordError
from sync_orchestration.mapping.values import as_number
from sync_orchestration.pipeline.errors import ConfigurationError
from sync_orchestration.systems.rest.reading import read_at

_LARGEST_EXPONENT = 308  # of a float, and what other languages read


def as_json(values: Mapping[str, Any]) -> Payload | RecordError:
    """Return mapped values as JSON, still with dotted names; an error for a number that JSON cannot hold."""
    try:
        return {name: _json(value) for name, value in values.items()}
    except OverflowError as error:
        name = next(name for name, value in values.items() if not _is_sendable(value))
        return RecordError("not_json", name, f"{error} cannot be sent as a number")


def _is_sendable(value: Any) -> bool:
    try:
        _json(value)
    except OverflowError:
        return False
    return True


def _json(value: Any) -> JSON:
    if isinstance(value, Mapping):
        return {str(name): _json(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise OverflowError(str(value))
    return value if value is None or isinstance(value, str | bool | int | float) else str(value)


def _number(value: Decimal) -> int | float:
    """Return a decimal as a whole number where it is one, otherwise as the nearest fraction."""
    if not value.is_finite() or value.adjusted() > _LARGEST_EXPONENT:
        raise OverflowError(str(value))
    return int(value) if value == value.to_integral_value() else float(value)


def nested(values: Mapping[str, JSON]) -> Payload:
    """Return a body in which ``address.city`` is the field `city` of an object `address`.

    Raises ConfigurationError where one field would have to be a value and an object at once.
    """
    body: Payload = {}
    for name, value in values.items():
        *parents, last = name.split(".")
        place = body
        for parent in parents:
            inner = place.get(parent, {})
            if not isinstance(inner, dict):
                raise _both(name)
            # A copy, for the object may be a mapped value that is remembered as it is.
            copy = dict(inner)
            place[parent] = copy
            place = copy
        if last in place and (isinstance(place[last], dict) or isinstance(value, dict)):
            raise _both(name)
        place[last] = value
    return body


def _both(name: str) -> ConfigurationError:
    return ConfigurationError(f"The field {name} of the mapping lies inside of another field of it: map only one.")


def wrapped(body: JSON, path: str | None) -> JSON:
    """Return a body under a dotted key, or bare."""
    for step in reversed(path.split(".") if path else []):
        body = {step: body}
    return body


def flat(record: JSON, names: Collection[str]) -> dict[str, JSON]:
    """Return the values of these dotted names in a record; what it lacks is left out."""
    return {name: value for name in names if (value := read_at(record, name)) is not None}


def with_siblings(changed: Collection[str], names: Collection[str]) -> list[str]:
    """Return the changed names with all that stand in the same objects.

    Not every server merges an object that it is given into what it has; some put it in its place.
    """
    tops = {name.partition(".")[0] for name in changed}
    return [name for name in names if name.partition(".")[0] in tops]


@dataclass(frozen=True, slots=True)
class Unknown:
    """The value of a field of which nobody knows what is there; no value is the same."""

    def __str__(self) -> str:
        return "(unknown)"


UNKNOWN = Unknown()


def same_json(left: Any, right: Any) -> bool:
    """Tell whether two values are equal as JSON; nothing and empty text are, and 1 is 1.0, but true is no number."""
    return bool(_normal(left) == _normal(right))


def _normal(value: Any) -> Any:
    if value is None or value == "" or isinstance(value, Unknown):
        return value or None
    if isinstance(value, bool):
        return ("truth", value)
    if isinstance(value, Mapping):
        return {str(name): _normal(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_normal(item) for item in value]
    number = None if isinstance(value, str) else as_number(value)
    return str(value) if number is None else number
