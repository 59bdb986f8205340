"""Reading JSON that may hold anything: each function returns the part that was hoped for, or nothing."""

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from sync_orchestration.mapping.records import JSON

JsonObject: TypeAlias = Mapping[str, JSON]


def text_in(value: JSON) -> str | None:
    """Return a text without the spaces around it, or None where there is no text or nothing in it."""
    return value.strip() or None if isinstance(value, str) else None


def object_in(value: JSON) -> JsonObject:
    """Return an object, or an empty one."""
    return value if isinstance(value, dict) else {}


def objects_in(value: JSON) -> Iterator[JsonObject]:
    """Yield the objects of a list; of anything else there are none."""
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())
