"""The YAML of ``mapping:`` and ``rules:`` as models; their JSON schema is the documentation in the editor."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    JsonValue,
    Tag,
    field_validator,
    model_validator,
)

Scalar = str | int | float | bool


def text_keys(value: Any) -> Any:
    """Return YAML data with every key as text, at any depth."""
    # YAML reads `{1: yes}` as a number and a truth; a lookup table means the texts of the source.
    if isinstance(value, dict):
        return {_text_key(key): text_keys(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [text_keys(item) for item in value]
    return value


def _text_key(key: Any) -> str:
    if key is None:
        return ""
    return str(key).lower() if isinstance(key, bool) else str(key)


class _Configuration(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class ReferenceSpec(_Configuration):
    """Which related record a value names: one of the target by model and field, or another one of this sync."""

    model: str = Field(default="", description="The target's model of the related record, e.g. res.country.")
    field: str = Field(default="", description="The field of that model which holds the value, e.g. code.")
    same_sync: bool = Field(
        default=False,
        description="The value is the key of another record of this sync, e.g. a parent company; the record waits "
        "until that one is written.",
    )
    create: bool = Field(default=False, description="Make a related record that is missing, e.g. a tag.")

    @model_validator(mode="after")
    def _names_one_thing(self) -> Self:
        if self.same_sync and (self.model or self.field or self.create):
            msg = "same_sync stands alone: the key says it all"
            raise ValueError(msg)
        if not self.same_sync and not (self.model and self.field):
            msg = "a reference needs model and field, or same_sync"
            raise ValueError(msg)
        return self


Step = str | Annotated[dict[str, JsonValue], BeforeValidator(text_keys)]


class FieldSpec(_Configuration):
    """Where one field of the target comes from: one of from, constant, python, whole-record transform."""

    source: str | None = Field(
        default=None,
        alias="from",
        min_length=1,
        description="Path in the source's record; dots walk objects and list indexes, e.g. heads.0.fio.",
    )
    transform: tuple[Step, ...] = Field(
        default=(),
        description="Steps from left to right: a transform's name, or {name: its argument or arguments}.",
    )
    reference: ReferenceSpec | None = Field(
        default=None, description="The value names a related record of the target, which the target looks up."
    )
    default: Scalar | None = Field(
        default=None, description="The value to use when the result is empty. Transforms do not touch it."
    )
    constant: Scalar | None = Field(default=None, description="The same value for every record.")
    python: str | None = Field(
        default=None,
        pattern=r"^[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*$",
        description="A function of the whole record, package.module:function. It must not change the record.",
    )
    reads: tuple[str, ...] = Field(
        default=(),
        description="The source's fields that the python function uses, so that only they need to be read.",
    )

    @model_validator(mode="after")
    def _has_one_origin(self) -> Self:
        origins = [
            name
            for name, given in (("from", self.source), ("constant", self.constant), ("python", self.python))
            if given is not None
        ]
        if len(origins) > 1:
            msg = f"a field has one origin, not {' and '.join(origins)}"
            raise ValueError(msg)
        if not origins and not self.transform:
            msg = "a field needs from, constant, python or a transform of the whole record"
            raise ValueError(msg)
        if self.reads and self.python is None:
            msg = "reads belongs to python; other fields say themselves what they read"
            raise ValueError(msg)
        return self


def _form_of_field(value: Any) -> str:
    return "path" if isinstance(value, str) else "spec"


FieldForm = Annotated[
    Annotated[str, Field(min_length=1, description="Path in the source's record."), Tag("path")]
    | Annotated[FieldSpec, Tag("spec")],
    Discriminator(_form_of_field),
]
Fields = dict[str, FieldForm]
"""``mapping:`` - target field: path, or target field: its FieldSpec."""


class MaxLengthRule(_Configuration):
    """Text of a limited length."""

    max_length: int = Field(ge=1, description="The largest number of characters.")


class Bounds(_Configuration):
    """The smallest and the largest number; either may be left out."""

    min: int | float | None = Field(default=None, allow_inf_nan=False, description="The smallest number allowed.")
    max: int | float | None = Field(default=None, allow_inf_nan=False, description="The largest number allowed.")

    @model_validator(mode="after")
    def _bounds_something(self) -> Self:
        if self.min is None and self.max is None:
            msg = "a range needs min or max"
            raise ValueError(msg)
        if self.min is not None and self.max is not None and self.min > self.max:
            msg = "the range is empty: min is larger than max"
            raise ValueError(msg)
        return self


class RangeRule(_Configuration):
    """A number between bounds."""

    range: Bounds = Field(description="The bounds, both inclusive.")


class MatchesRule(_Configuration):
    """Text that fits a regular expression."""

    matches: str = Field(
        min_length=1, description="Regular expression, searched in the text; use ^ and $ for all of it."
    )

    @field_validator("matches")
    @classmethod
    def _is_an_expression(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            msg = f"not a regular expression: {error}"
            raise ValueError(msg) from error
        return value


class OneOfRule(_Configuration):
    """One of a few values."""

    one_of: tuple[Scalar, ...] = Field(min_length=1, description="The values allowed, compared as text.")


_RULE_MODELS: dict[type[BaseModel], str] = {
    MaxLengthRule: "max_length",
    RangeRule: "range",
    MatchesRule: "matches",
    OneOfRule: "one_of",
}


def _form_of_rule(value: Any) -> str | None:
    if isinstance(value, str):
        return "named"
    if isinstance(value, dict):
        return next((name for name in _RULE_MODELS.values() if name in value), None)
    return _RULE_MODELS.get(type(value))


RuleForm = Annotated[
    Annotated[Literal["required", "email"], Tag("named")]
    | Annotated[MaxLengthRule, Tag("max_length")]
    | Annotated[RangeRule, Tag("range")]
    | Annotated[MatchesRule, Tag("matches")]
    | Annotated[OneOfRule, Tag("one_of")],
    Discriminator(
        _form_of_rule,
        custom_error_type="unknown_rule",
        custom_error_message="one of required, email, {max_length: …}, {range: …}, {matches: …}, {one_of: …}",
    ),
]


class RuleSpec(_Configuration):
    """One condition that a mapped record must meet before it is written."""

    field: str = Field(min_length=1, description="The target's field, as named in the mapping.")
    rule: RuleForm = Field(description="What must hold; an empty value passes everything but required.")
    message: str | None = Field(
        default=None,
        min_length=1,
        description="Said instead of the usual message; {value} stands for the value.",
    )
