"""Compile a mapping once, apply it to many records."""

import datetime as dt
import hashlib
import importlib
import json
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Mapping as AbstractMapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from sync_orchestration.mapping.errors import MappingError, TransformError
from sync_orchestration.mapping.fields import Fields, FieldSpec, ReferenceSpec, RuleSpec
from sync_orchestration.mapping.paths import compile_path, top_of
from sync_orchestration.mapping.records import JSON, MappedRecord, RecordError, Reference, Value
from sync_orchestration.mapping.rules import Rule, compile_rule
from sync_orchestration.mapping.transforms import CompiledStep, compile_step, utc_today
from sync_orchestration.mapping.values import as_text, is_empty, shown

_FIELDS = TypeAdapter(Fields)
_RULES = TypeAdapter(list[RuleSpec])
_KINDS = (str, bool, int, float, Decimal, list, dict, Reference)
_LONGEST_REASON = 200

_Checked = TypeVar("_Checked")


@dataclass(frozen=True, slots=True)
class _Field:
    target: str
    read: Callable[[JSON], Value]  # raises TransformError, nothing else
    paths: frozenset[str]
    reads_whole_record: bool = False


@dataclass(frozen=True, slots=True)
class Mapping:
    """A compiled mapping with its rules.

    ``targets`` are the target's fields in the order of the YAML. ``paths`` are all paths into the source's record
    that are used, ``source_paths`` the record's own (top-level) fields among them: what to ask the source for, and
    what must not vanish from it. ``reads_whole_record`` is true when a python function does not say what it reads,
    so that ``paths`` is not all. ``fingerprint`` (hex) is the same for the same configuration in every process.
    """

    targets: tuple[str, ...]
    paths: frozenset[str]
    reads_whole_record: bool
    fingerprint: str
    _fields: tuple[_Field, ...] = field(repr=False)
    _rules: tuple[Rule, ...] = field(repr=False)

    @property
    def source_paths(self) -> frozenset[str]:
        return frozenset(top_of(path) for path in self.paths)

    def apply(self, payload: JSON) -> MappedRecord:
        """Map and check one record of the source. All its errors are reported at once; data never raises."""
        if not isinstance(payload, dict):
            error = RecordError("format", None, f"the record is {shown(payload)}, not an object with fields")
            return MappedRecord({}, (error,))
        values: dict[str, Value] = {}
        errors: list[RecordError] = []
        for one in self._fields:
            try:
                values[one.target] = one.read(payload)
            except TransformError as fault:
                errors.append(RecordError("transform", one.target, str(fault)))
        for rule in self._rules:
            # A field whose transform failed has its error already.
            if rule.field in values:
                complaint = rule.check(values[rule.field])
                if complaint is not None:
                    errors.append(complaint)
        return MappedRecord(values, tuple(errors))


def compile_mapping(
    fields: AbstractMapping[str, Any],
    rules: Iterable[Any] = (),
    *,
    today: Callable[[], dt.date] = utc_today,
) -> Mapping:
    """Compile the YAML's ``mapping`` and ``rules``, given as plain data or as the models of ``fields``.

    ``today`` is the clock of the transforms that ask for the date. Raises MappingError that names the field
    and what is wrong with it.
    """
    specs = {name: _spec_of(form) for name, form in _validated(_FIELDS, dict(fields), "mapping").items()}
    rule_specs = _validated(_RULES, list(rules), "rules")
    for rule in rule_specs:
        if rule.field not in specs:
            msg = f"rules: there is no field '{rule.field}' in the mapping; its fields are {', '.join(specs)}"
            raise MappingError(msg)
    compiled = tuple(_compile_field(target, spec, today) for target, spec in specs.items())
    return Mapping(
        targets=tuple(specs),
        paths=frozenset().union(*(one.paths for one in compiled)),
        reads_whole_record=any(one.reads_whole_record for one in compiled),
        fingerprint=_fingerprint(specs, rule_specs),
        _fields=compiled,
        _rules=tuple(map(compile_rule, rule_specs)),
    )


def _validated(adapter: TypeAdapter[_Checked], data: Any, part: str) -> _Checked:
    try:
        return adapter.validate_python(data)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False, include_context=False)
        said = "; ".join(f"{'.'.join(map(str, fault['loc'])) or part}: {fault['msg']}" for fault in faults)
        msg = f"{part}: {said}"
        raise MappingError(msg) from error


def _compile_field(target: str, spec: FieldSpec, today: Callable[[], dt.date]) -> _Field:
    try:
        return _field(target, spec, [compile_step(step, today=today) for step in spec.transform])
    except MappingError as error:
        msg = f"mapping: {target}: {error}"
        raise MappingError(msg) from error


def _field(target: str, spec: FieldSpec, steps: list[CompiledStep]) -> _Field:
    paths = frozenset(path.text for step in steps for path in step.paths)
    if spec.constant is not None:
        origin: Callable[[JSON], Value] = _always(spec.constant)
    elif spec.python is not None:
        origin = _result_of(spec.python)
        paths |= {compile_path(path).text for path in spec.reads}
    elif spec.source is not None:
        path = compile_path(spec.source)
        origin = _cleaned(path.read)
        paths |= {path.text}
    else:
        origin, steps = _result_of_step(steps[0]), steps[1:]
    if late := [step.name for step in steps if step.whole_record]:
        msg = f"transform {late[0]} sees the whole record: it must be the first step of a field without from"
        raise MappingError(msg)
    return _Field(
        target=target,
        read=_pipeline(origin, steps, spec),
        paths=paths,
        reads_whole_record=spec.python is not None and not spec.reads,
    )


def _pipeline(
    origin: Callable[[JSON], Value], steps: Sequence[CompiledStep], spec: FieldSpec
) -> Callable[[JSON], Value]:
    calls = tuple((step.name, step.call) for step in steps)
    default: Value = "" if spec.default is None else spec.default
    reference = spec.reference

    def read(payload: JSON) -> Value:
        value = origin(payload)
        for name, call in calls:
            try:
                value = call(value)
            except Exception as error:
                raise _failure(name, error, value) from error
        if is_empty(value):
            value = default
        return value if reference is None or is_empty(value) else _reference(reference, value)

    return read


def _always(value: Value) -> Callable[[JSON], Value]:
    def origin(_payload: JSON) -> Value:
        return value

    return origin


def _cleaned(read: Callable[[JSON], JSON]) -> Callable[[JSON], Value]:
    def origin(payload: JSON) -> Value:
        value = read(payload)
        # Also takes off no-break spaces, which people paste from web pages.
        return value.strip() if isinstance(value, str) else value

    return origin


def _result_of_step(step: CompiledStep) -> Callable[[JSON], Value]:
    if not step.whole_record:
        msg = f"transform {step.name} needs a value: say from which field it comes (from: …)"
        raise MappingError(msg)
    name, call = step.name, step.call

    def origin(payload: JSON) -> Value:
        try:
            return call(payload)
        except Exception as error:
            raise _failure(name, error, None) from error

    return origin


def _result_of(dotted: str) -> Callable[[JSON], Value]:
    function = _imported(dotted)

    def origin(payload: JSON) -> Value:
        try:
            value = function(payload)
        except Exception as error:
            # The function is the user's own: whatever it raises is this record's error, not the run's.
            raise _failure(dotted, error, None) from error
        if value is not None and not isinstance(value, _KINDS):
            msg = f"{dotted}: gave a {type(value).__name__}, which is no value of a field"
            raise TransformError(msg)
        return value

    return origin


def _imported(dotted: str) -> Callable[[JSON], Any]:
    module_name, _, name = dotted.partition(":")
    try:
        function = getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError) as error:
        msg = f"python: {dotted} cannot be imported: {error}"
        raise MappingError(msg) from error
    if not callable(function):
        msg = f"python: {dotted} is not a function"
        raise MappingError(msg)
    imported: Callable[[JSON], Any] = function
    return imported


def _reference(spec: ReferenceSpec, value: Value) -> Reference:
    text = as_text(value)
    if text is None:
        msg = f"reference: {shown(value)} cannot name one related record"
        raise TransformError(msg)
    return Reference(spec.model, spec.field, text, spec.create)


def _failure(name: str, error: Exception, value: Value) -> TransformError:
    reason = str(error)[:_LONGEST_REASON]
    if isinstance(error, ValueError | TypeError) and reason:
        return TransformError(f"{name}: {reason}")
    on = "" if value is None else f" on {shown(value)}"
    return TransformError(f"{name}: failed{on}: {type(error).__name__} {reason}".rstrip())


def _spec_of(form: str | FieldSpec) -> FieldSpec:
    return FieldSpec.model_validate({"from": form}) if isinstance(form, str) else form


def _fingerprint(specs: AbstractMapping[str, FieldSpec], rules: Sequence[RuleSpec]) -> str:
    configuration = {
        "mapping": {
            name: spec.model_dump(mode="json", by_alias=True, exclude_defaults=True) for name, spec in specs.items()
        },
        "rules": [rule.model_dump(mode="json", exclude_defaults=True) for rule in rules],
    }
    return hashlib.sha256(json.dumps(configuration, sort_keys=True).encode()).hexdigest()
