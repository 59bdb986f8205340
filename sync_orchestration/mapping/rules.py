"""Rules: what a mapped value must be, and the plain sentence that says why it is not."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from sync_orchestration.mapping.fields import (
    Bounds,
    MatchesRule,
    MaxLengthRule,
    OneOfRule,
    RangeRule,
    RuleSpec,
)
from sync_orchestration.mapping.records import RecordError, Value
from sync_orchestration.mapping.values import as_number, as_text, is_empty, shown

_ADDRESS = re.compile(r"[^\s@,;<>()]+@[^\s@,;<>().]+(?:\.[^\s@,;<>().]+)+")
_SEPARATORS = re.compile(r"[,;]")

_Complaint = Callable[[Value], str | None]


@dataclass(frozen=True, slots=True)
class Rule:
    """A compiled rule. ``check(value)`` returns the error, or None when all is well; it never raises."""

    field: str
    check: Callable[[Value], RecordError | None]


def is_plausible_address(text: str) -> bool:
    """Tell whether a text looks like one e-mail address: one @, a dot in the domain, no spaces."""
    return _ADDRESS.fullmatch(text) is not None


def addresses_in(text: str) -> list[str]:
    """Return the parts of a text that commas and semicolons separate, without the empty ones."""
    return [part for part in map(str.strip, _SEPARATORS.split(text)) if part]


def compile_rule(spec: RuleSpec) -> Rule:
    """Compile one rule of the YAML. Empty values pass every rule except ``required``."""
    code, complain = _complaint(spec)
    field, own_message, required = spec.field, spec.message, spec.rule == "required"

    def check(value: Value) -> RecordError | None:
        if is_empty(value) and not required:
            return None
        said = complain(value)
        if said is None:
            return None
        if own_message is not None:
            said = own_message.replace("{value}", shown(value))
        return RecordError(code=code, field=field, message=said)

    return Rule(field=field, check=check)


def _complaint(spec: RuleSpec) -> tuple[str, _Complaint]:
    match spec.rule:
        case MaxLengthRule(max_length=longest):
            return "max_length", _longer_than(longest)
        case RangeRule(range=bounds):
            return "range", _outside(bounds)
        case MatchesRule(matches=expression):
            return "format", _unlike(expression)
        case OneOfRule(one_of=allowed):
            return "not_allowed", _none_of([as_text(value) or "" for value in allowed])
        case "email":
            return "email", _no_address
        case _:
            return "required", _missing(spec.field)


def _missing(field: str) -> _Complaint:
    said = f"{field} is required and is empty"

    def complain(value: Value) -> str | None:
        return said if is_empty(value) else None

    return complain


def _no_address(value: Value) -> str | None:
    text = as_text(value)
    # Several addresses in one field are usual in Flexi, and Odoo accepts them too.
    parts = addresses_in(text) if text is not None else []
    if parts and all(map(is_plausible_address, parts)):
        return None
    return f"e-mail {shown(value)} is not an address"


def _longer_than(longest: int) -> _Complaint:
    def complain(value: Value) -> str | None:
        text = as_text(value)
        if text is None:
            return f"{shown(value)} is not a text"
        if len(text) > longest:
            return f"{shown(value)} has {len(text)} characters, at most {longest} are allowed"
        return None

    return complain


def _outside(bounds: Bounds) -> _Complaint:
    smallest = None if bounds.min is None else Decimal(str(bounds.min))
    largest = None if bounds.max is None else Decimal(str(bounds.max))

    def complain(value: Value) -> str | None:
        number = as_number(value)
        if number is None:
            return f"{shown(value)} is not a number"
        if smallest is not None and number < smallest:
            return f"{shown(value)} is less than {smallest}"
        if largest is not None and number > largest:
            return f"{shown(value)} is more than {largest}"
        return None

    return complain


def _unlike(expression: str) -> _Complaint:
    pattern = re.compile(expression)

    def complain(value: Value) -> str | None:
        text = as_text(value)
        if text is not None and pattern.search(text):
            return None
        return f"{shown(value)} does not have the form {expression}"

    return complain


def _none_of(allowed: list[str]) -> _Complaint:
    known = frozenset(allowed)
    listed = ", ".join(allowed)

    def complain(value: Value) -> str | None:
        return None if as_text(value) in known else f"{shown(value)} is not one of {listed}"

    return complain
