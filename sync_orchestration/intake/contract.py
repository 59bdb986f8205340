"""What a sync agrees with its senders: the fields of a record and what must hold of them. Plain data."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from sync_orchestration.interface.rows import Operation
from sync_orchestration.mapping.compile import Mapping as RecordMapping
from sync_orchestration.mapping.conditions import Condition
from sync_orchestration.mapping.scrub import SENSITIVE_NAMES, is_sensitive

FieldType = Literal["text", "integer", "number", "boolean", "date", "datetime", "list", "object"]
Scalar = str | int | float | bool

OPERATIONS: tuple[Operation, ...] = ("create", "update", "delete")
_NAME = re.compile(r"[a-z][a-z0-9_]*")


class IntakeConfigurationError(ValueError):
    """The intake is configured wrongly; the message names the thing and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class RelatedModel:
    """A record of the target that must exist: the one of `model` whose `field` is the value."""

    model: str
    field: str


@dataclass(frozen=True, slots=True)
class FieldContract:
    """One field of the pushed data. An empty value (null, blank text, nothing in a list) passes all but `required`.

    `max_length` counts characters. `matches` is a regular expression, searched in the text. `reference` names what
    must exist in the target; `same_sync` says that the value is the key of another record of this sync, which may
    come later. `example` is a good value, and is needed where none can be made up. Texts in `date` are YYYY-MM-DD, in
    `datetime` ISO 8601, without an offset taken as UTC.
    """

    name: str
    type: FieldType = "text"
    description: str = ""
    required: bool = False
    max_length: int | None = None
    format: Literal["email"] | None = None
    matches: str | None = None
    one_of: tuple[Scalar, ...] = ()
    reference: RelatedModel | None = None
    same_sync: bool = False
    example: Any = None

    def __post_init__(self) -> None:
        for complaint in self._complaints():
            raise IntakeConfigurationError(f"field {self.name!r}: {complaint}")

    def _complaints(self) -> Iterator[str]:
        if not self.name.strip() or len(self.name) > 200:
            yield "a field needs a name of at most 200 characters"
        if self.type not in get_args(FieldType):
            yield f"{self.type!r} is not a type; there are {', '.join(get_args(FieldType))}"
        of_text = [
            word
            for word, given in (
                ("max_length", self.max_length is not None),
                ("format", self.format is not None),
                ("matches", self.matches is not None),
                ("same_sync", self.same_sync),
            )
            if given
        ]
        if of_text and self.type != "text":
            yield f"{of_text[0]} belongs to fields of type text"
        if self.reference is not None and (self.same_sync or self.type not in ("text", "integer")):
            yield "reference belongs to a text or an integer that is not the key of another record of this sync"
        if self.matches is not None:
            try:
                re.compile(self.matches)
            except re.error as error:
                yield f"matches is not a regular expression: {error}"
        if self.example is None and (self.matches is not None or self.reference is not None):
            yield "a field with matches or reference needs an example of a good value"


@dataclass(frozen=True, slots=True)
class SyncContract:
    """What may be pushed to one sync.

    `entity` is what kind of records these are. Fields that are not listed are refused, or kept (`unknown_fields`).
    `operations` are those that senders may ask for. With a `mapping` a record must also pass the sync's own
    translation and rules, unless it does not meet `condition`: then it will be skipped, not refused. Fields with a
    `sensitive` name are never stored.
    """

    name: str
    entity: str
    fields: tuple[FieldContract, ...]
    description: str = ""
    unknown_fields: Literal["refuse", "keep"] = "refuse"
    operations: tuple[Operation, ...] = OPERATIONS
    key_description: str = "Your own key of the record: it never changes, and no other record has it."
    key_example: str = "1001"
    key_length: int = 200
    mapping: RecordMapping | None = field(default=None, repr=False)
    condition: Condition | None = field(default=None, repr=False)
    sensitive: frozenset[str] = SENSITIVE_NAMES

    def __post_init__(self) -> None:
        for complaint in self._complaints():
            raise IntakeConfigurationError(f"sync {self.name!r}: {complaint}")

    def _complaints(self) -> Iterator[str]:
        names = [one.name for one in self.fields]
        if not _NAME.fullmatch(self.name):
            yield "its name must be of small letters, digits and underscores, and begin with a letter"
        if not names and self.unknown_fields == "refuse":
            yield "it has no fields"
        if doubles := sorted({name for name in names if names.count(name) > 1}):
            yield f"field {doubles[0]!r} stands there twice"
        if secret := [name for name in names if is_sensitive(name, self.sensitive)]:
            yield f"field {secret[0]!r} is named like a secret, and those are never stored"
        if not self.operations or not set(self.operations) <= set(OPERATIONS):
            yield f"operations are {', '.join(OPERATIONS)}, and at least one"
        if not 1 <= self.key_length <= 500:
            yield "key_length is from 1 to 500 characters"

    @property
    def by_name(self) -> Mapping[str, FieldContract]:
        return {one.name: one for one in self.fields}

    @property
    def has_references(self) -> bool:
        """True where records name others that must exist in the target; a mapping may always do so."""
        return self.mapping is not None or any(one.reference is not None for one in self.fields)
