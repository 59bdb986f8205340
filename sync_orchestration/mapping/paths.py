"""Paths into a source's record: ``nazev``, ``heads.0.fio``, ``tags.name``, ``stat@showAs``, ``external-ids.0``."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import BeforeValidator, InstanceOf

from sync_orchestration.mapping.errors import MappingError
from sync_orchestration.mapping.records import JSON

_LONGEST_INDEX = 6


@dataclass(frozen=True, slots=True)
class SourcePath:
    """A compiled path. ``top`` is the record's field that it starts at, ``read`` finds the value or None."""

    text: str
    top: str
    read: Callable[[JSON], JSON] = field(repr=False, compare=False)


def top_of(path: str) -> str:
    """Return the record's own field that a path starts at."""
    return path.partition(".")[0]


def compile_path(text: str) -> SourcePath:
    """Compile a dotted path: a step is a key of an object, an index of a list, or a key of every object in a list.

    Raises MappingError for an empty path or an empty step.
    """
    steps = text.split(".")
    if any(not step.strip() for step in steps):
        msg = f"'{text}' is not a path: a step between the dots is empty"
        raise MappingError(msg)
    read = _reader_of_field(text) if len(steps) == 1 else _reader_of_steps(steps)
    return SourcePath(text=text, top=steps[0], read=read)


def _reader_of_field(key: str) -> Callable[[JSON], JSON]:
    def read(record: JSON) -> JSON:
        return record.get(key) if isinstance(record, dict) else None

    return read


def _reader_of_steps(steps: list[str]) -> Callable[[JSON], JSON]:
    walk = tuple((step, _index(step)) for step in steps)

    def read(record: JSON) -> JSON:
        found = record
        for key, index in walk:
            if isinstance(found, dict):
                found = found.get(key)
            elif isinstance(found, list) and index is None:
                found = [item[key] for item in found if isinstance(item, dict) and key in item]
            elif isinstance(found, list) and index is not None and index < len(found):
                found = found[index]
            else:
                return None
        return found

    return read


def _index(step: str) -> int | None:
    return int(step) if step.isascii() and step.isdigit() and len(step) <= _LONGEST_INDEX else None


def _from_text(value: object) -> object:
    return compile_path(value) if isinstance(value, str) else value


PathArgument = Annotated[InstanceOf[SourcePath], BeforeValidator(_from_text)]
"""A transform's argument that is a path; whoever compiles the transform learns from it what is read."""
