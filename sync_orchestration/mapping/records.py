"""What a mapping takes and gives: JSON in, values and errors out."""

from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"


@dataclass(frozen=True, slots=True)
class Reference:
    """A related record of the target, named by a value that the target itself looks up later.

    ``Reference("res.country", "code", "CZ")`` is "the country whose code is CZ". With ``create`` one that is missing
    is made, with that field and no other. A reference to another record of the same sync has no model: its value is
    that record's key in the source, and the record may not have been written yet.
    """

    model: str
    field: str
    value: str
    create: bool = False

    @property
    def is_same_sync(self) -> bool:
        return not self.model


Value: TypeAlias = "JSON | Decimal | Reference"


@dataclass(frozen=True, slots=True)
class RecordError:
    """One reason why one record is not acceptable.

    ``code`` is for machines (``transform``, ``required``, ``email``, ``max_length``, ``range``, ``format``,
    ``not_allowed``), ``field`` is the target's field or None for the record as a whole, ``message`` is for
    people.
    """

    code: str
    field: str | None
    message: str


@dataclass(frozen=True, slots=True)
class MappedRecord:
    """The target's values of one record, and everything that is wrong with it.

    An empty value is always ``""`` (it clears the field), never None. A field whose transform failed is
    absent from ``values`` and present in ``errors``.
    """

    values: dict[str, Value]
    errors: tuple[RecordError, ...]
