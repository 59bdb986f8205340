"""Is a system still shaped as the mapping expects? What was seen of its fields last is compared with what is there now.

Some systems describe their records; of the others, the records that were landed last are looked through.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, Literal, Protocol, runtime_checkable

from sync_orchestration.interface.fields_seen import Shape
from sync_orchestration.mapping.paths import compile_path
from sync_orchestration.pipeline.errors import ConfigurationError

Side = Literal["source", "target"]

ENOUGH_RECORDS = 20
"""Fewer records landed since the last look tell nothing; they are looked at together with later ones."""

_BY_CHANCE = 0.001
"""A field that some records have is gone when so unlikely none of the new ones would have it."""

_MIXED = "mixed"
_GONE = "gone"


@runtime_checkable
class Described(Protocol):
    """A source or target whose system says which fields its records have."""

    def describe(self) -> Mapping[str, Shape]:
        """Return the shape of every field, and of every path that is read through one. Raises SyncError."""


@dataclass(frozen=True, slots=True)
class Drift:
    """One field that is not what it was. `serious`: the mapping uses it, so records will fail."""

    side: Side
    field: str
    was: str
    now: str
    serious: bool


def compare_shapes(
    side: Side, was: Mapping[str, Shape], now: Mapping[str, Shape], mapped: Collection[str], *, accepted: bool = False
) -> list[Drift]:
    """Return what has changed on one side. A field that was never seen is no drift, nor is anything at the first look.

    `accepted`: the sync was configured anew, so a field that is still there may be as it is now.
    """
    drifts: list[Drift] = []
    for field, before in was.items():
        after, used = now.get(field), field in mapped
        if after is None or _has_vanished(before, after):
            if used or side == "source":
                drifts.append(Drift(side, field, before.told, _gone(field, was, now), serious=used))
        elif used and not accepted and (change := _change(before, after)):
            drifts.append(Drift(side, field, before.told, after.told, serious=change == "serious"))
        elif side == "target" and not used and after.required and not before.required:
            drifts.append(Drift(side, field, before.told, after.told, serious=False))
    return drifts


def tells_enough(now: Mapping[str, Shape]) -> bool:
    """Tell whether a profile is of enough records to be compared and remembered; a description always is."""
    return all(shape.share is None or shape.records >= ENOUGH_RECORDS for shape in now.values())


def _has_vanished(before: Shape, after: Shape) -> bool:
    """Tell whether records that were landed lack a field that so many before had."""
    if before.share is None or after.share is None:
        return False
    return before.share > 0 == after.share and (1 - before.share) ** after.records < _BY_CHANCE


def _change(before: Shape, after: Shape) -> Literal["serious", "slight"] | None:
    if before.kind and after.kind and before.kind != after.kind and _MIXED not in (before.kind, after.kind):
        return "serious"
    if after.readonly and not before.readonly:
        return "serious"
    return "slight" if after.required and not before.required else None


def _gone(field: str, was: Mapping[str, Shape], now: Mapping[str, Shape]) -> str:
    """Say that a field is gone, and which new one may be the same under another name."""
    new = [name for name in now if name not in was]
    close = get_close_matches(field, new, n=1) or (new if len(new) == 1 else [])
    return f"{_GONE}; is it {close[0]} now?" if close else _GONE


def profile(payloads: Sequence[Mapping[str, Any]], paths: Iterable[str]) -> dict[str, Shape]:
    """Return the shape of each path as these records have it: the share that has a value there, and its JSON type."""
    found: dict[str, Shape] = {}
    for text in paths:
        path = compile_path(text)
        values = [value for payload in payloads if (value := path.read(dict(payload))) not in (None, "", [], {})]
        share = len(values) / len(payloads) if payloads else 0.0
        found[text] = Shape(_kind(values), share=share, records=len(payloads))
    return found


def _kind(values: Sequence[Any]) -> str:
    kinds = Counter(_json_type(value) for value in values)
    if not kinds:
        return ""
    ((kind, number),) = kinds.most_common(1)
    return kind if number >= 0.9 * len(values) else _MIXED


def _json_type(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "text"
    if isinstance(value, list):
        return "list"
    return "object" if isinstance(value, dict) else "number"


def refuse_unknown(described: Mapping[str, Shape], paths: Collection[str], what: str) -> None:
    """Raise ConfigurationError for the first path of a mapping that leads to no field of `what`."""
    for path in sorted(paths):
        if path not in described:
            close = get_close_matches(path, described, n=1)
            meant = f"; is {close[0]} meant?" if close else "."
            raise ConfigurationError(f"{what} has no field {path!r}, which the mapping names{meant}")


def grown(before: Mapping[str, Shape], now: Mapping[str, Shape]) -> dict[str, Shape]:
    """Return the profile of new records with what is known of more records before: the memory grows with each look."""
    found: dict[str, Shape] = {}
    for path, shape in now.items():
        known = before.get(path)
        if known is None or known.share is None or shape.share is None or not known.records + shape.records:
            found[path] = shape
            continue
        records = known.records + shape.records
        share = (known.share * known.records + shape.share * shape.records) / records
        found[path] = replace(shape, kind=shape.kind or known.kind, share=share, records=min(records, 10_000))
    return found
