"""Checks pushed data against a sync's contract; all errors of a record at once."""

import datetime as dt
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from sync_orchestration.intake.contract import FieldContract, FieldType, IntakeConfigurationError, SyncContract
from sync_orchestration.mapping.fields import MatchesRule, MaxLengthRule, OneOfRule, RuleSpec
from sync_orchestration.mapping.records import JSON, RecordError, Reference
from sync_orchestration.mapping.rules import Rule, compile_rule
from sync_orchestration.mapping.values import as_text, is_empty, shown

LARGEST_INTEGER = 2**63 - 1
_MOST_ERRORS = 20
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_DATETIME = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})?", re.ASCII)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

_TYPE_NAMES: dict[FieldType, str] = {
    "text": "a text",
    "integer": f"a whole number from {-LARGEST_INTEGER} to {LARGEST_INTEGER}",
    "number": "a number",
    "boolean": "true or false",
    "date": "a date like 2026-11-28",
    "datetime": "a time like 2026-11-28T14:30:00Z",
    "list": "a list",
    "object": "an object",
}

# What is empty without being null: blank text, an empty list, an empty object. Numbers and truths always speak.
_KINDS_OF_EMPTY: dict[FieldType, type | tuple[type, ...]] = {
    "text": str,
    "date": str,
    "datetime": str,
    "list": list,
    "object": dict,
    "integer": (),
    "number": (),
    "boolean": (),
}


def is_of_type(value: JSON, type_: FieldType) -> bool:
    """Tell whether a value of JSON is one of a contract's type."""
    return _IS_OF[type_](value)


def _is_iso(text: str) -> bool:
    try:
        dt.datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


_IS_OF: dict[FieldType, Callable[[JSON], bool]] = {
    "text": lambda value: isinstance(value, str),
    "integer": lambda value: type(value) is int and abs(value) <= LARGEST_INTEGER,
    "number": lambda value: type(value) in (int, float),
    "boolean": lambda value: isinstance(value, bool),
    "date": lambda value: isinstance(value, str) and _DATE.fullmatch(value) is not None and _is_iso(value),
    "datetime": lambda value: isinstance(value, str) and _DATETIME.fullmatch(value) is not None and _is_iso(value),
    "list": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


@dataclass(frozen=True, slots=True)
class _Field:
    contract: FieldContract
    rules: tuple[Callable[[JSON], RecordError | None], ...]

    def errors(self, key: str, value: JSON) -> Iterator[RecordError]:
        contract = self.contract
        if value is None or (is_empty(value) and isinstance(value, _KINDS_OF_EMPTY[contract.type])):
            if contract.required:
                yield RecordError("required", contract.name, f"{contract.name} is required and is empty")
            return
        if not is_of_type(value, contract.type):
            yield RecordError("type", contract.name, f"{shown(value)} is not {_TYPE_NAMES[contract.type]}")
            return
        for check in self.rules:
            complaint = check(value)
            if complaint is not None:
                yield complaint
        if contract.same_sync and value == key:
            yield RecordError("itself", contract.name, f"the record names itself in {contract.name}")


@dataclass(frozen=True, slots=True)
class DataChecker:
    """A compiled contract: checks the data of single records, and tells what they need to find in the target."""

    contract: SyncContract
    text_length: int
    _fields: dict[str, _Field] = field(repr=False)
    _required: tuple[str, ...] = field(repr=False)

    @classmethod
    def of(cls, contract: SyncContract, text_length: int) -> "DataChecker":
        """Compile a contract. Raises IntakeConfigurationError for an example that breaks its own field's rules."""
        fields = {one.name: _Field(one, tuple(_rules(one))) for one in contract.fields}
        required = tuple(one.name for one in contract.fields if one.required)
        checker = cls(contract, text_length, fields, required)
        for one in contract.fields:
            if one.example is not None and (found := list(fields[one.name].errors(contract.key_example, one.example))):
                raise IntakeConfigurationError(
                    f"sync {contract.name!r}: the example of {one.name!r} is not good: {found[0].message}"
                )
        return checker

    def errors(self, key: str, data: dict[str, JSON], *, suspicious: bool) -> list[RecordError]:
        """Return what is wrong with the data of a record; `suspicious`: texts may hold what cannot be stored."""
        found = [
            RecordError("required", name, f"{name} is required and is missing")
            for name in self._required
            if name not in data
        ]
        for name, value in data.items():
            known = self._fields.get(name)
            if known is not None:
                found += known.errors(key, value)
            elif self.contract.unknown_fields == "refuse":
                found.append(RecordError("unknown_field", shortened(name), f"there is no field {shown(name)}"))
            if isinstance(value, dict | list) or suspicious or (isinstance(value, str) and len(value) > 1_000):
                found += self._bad_texts(name, value)
        return found

    def _bad_texts(self, name: str, value: JSON) -> Iterator[RecordError]:
        """Yield the first text of a field, at any depth, that is too long, and the first that cannot be stored."""
        long = odd = False
        for text in texts_in({name: value}):
            if len(text) > self.text_length and not long:
                long = True
                said = f"a text has {len(text)} characters, at most {self.text_length} are allowed"
                yield RecordError("max_length", shortened(name), said)
            if not odd and _UNSTORABLE.search(text):
                odd = True
                yield RecordError("characters", shortened(name), "a text holds a NUL character or half of a pair")

    def references(self, data: dict[str, JSON]) -> Iterator[tuple[str, Reference]]:
        """Yield field and related record of the target for each reference that the contract knows."""
        for one in self.contract.fields:
            value = data.get(one.name)
            if one.reference is not None and not is_empty(value) and is_of_type(value, one.type):
                yield one.name, Reference(one.reference.model, one.reference.field, as_text(value) or "")


def texts_in(value: JSON) -> Iterator[str]:
    """Yield every text in a value, names of fields too, without recursion."""
    todo: list[JSON] = [value]
    while todo:
        one = todo.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, list):
            todo += one
        elif isinstance(one, dict):
            yield from one
            todo += one.values()


def is_storable(text: str) -> bool:
    """Tell whether PostgreSQL can hold a text: no NUL character, no half of a surrogate pair."""
    return _UNSTORABLE.search(text) is None


def shortened(name: str) -> str:
    """Return a name of the sender's as an answer can show it."""
    return name if len(name) <= 100 else name[:99] + "…"


def bounded(errors: Sequence[RecordError]) -> list[RecordError]:
    """Return each error once, the first twenty, with a word about the rest."""
    unique = list({(error.code, error.field): error for error in reversed(errors)}.values())[::-1]
    if len(unique) <= _MOST_ERRORS:
        return unique
    return [*unique[:_MOST_ERRORS], RecordError("more", None, f"and {len(unique) - _MOST_ERRORS} more errors")]


def _rules(contract: FieldContract) -> Iterator[Callable[[JSON], RecordError | None]]:
    name = contract.name
    if contract.max_length is not None:
        yield _check(RuleSpec(field=name, rule=MaxLengthRule(max_length=contract.max_length)))
    if contract.format == "email":
        yield _check(RuleSpec(field=name, rule="email"))
    if contract.matches is not None:
        yield _check(RuleSpec(field=name, rule=MatchesRule(matches=contract.matches)))
    if contract.one_of:
        yield _check(RuleSpec(field=name, rule=OneOfRule(one_of=contract.one_of)))


def _check(spec: RuleSpec) -> Callable[[JSON], RecordError | None]:
    rule: Rule = compile_rule(spec)
    return rule.check
