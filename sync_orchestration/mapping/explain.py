"""What a mapping makes of one record, field by field and rule by rule, for a person who asks why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sync_orchestration.mapping.compile import Mapping as RecordMapping
from sync_orchestration.mapping.fields import FieldForm, FieldSpec, RuleSpec
from sync_orchestration.mapping.paths import compile_path
from sync_orchestration.mapping.records import JSON, Reference, Value
from sync_orchestration.mapping.rules import compile_rule


@dataclass(frozen=True, slots=True)
class ExplainedField:
    """One field of the target: where it comes from in words, what stands there, and what it becomes.

    `received` is None where nothing of the source is read. `complaint` says why there is no value.
    """

    field: str
    origin: str
    received: JSON
    value: JSON
    complaint: str | None = None


@dataclass(frozen=True, slots=True)
class ExplainedRule:
    """One rule and its outcome; no `complaint`: it holds."""

    field: str
    rule: str
    complaint: str | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a mapping makes of a record."""

    fields: tuple[ExplainedField, ...]
    rules: tuple[ExplainedRule, ...]


def explain(
    mapping: RecordMapping, fields: Mapping[str, FieldForm], rules: Sequence[RuleSpec], payload: JSON
) -> Explanation:
    """Return what `mapping`, compiled of `fields` and `rules`, makes of a record of the source. Data never raises."""
    mapped = mapping.apply(payload)
    faults = {error.field: error.message for error in mapped.errors if error.code == "transform"}
    return Explanation(
        tuple(
            ExplainedField(
                name, _origin(form), _received(form, payload), _plain(mapped.values.get(name)), faults.get(name)
            )
            for name, form in fields.items()
        ),
        tuple(_outcome(rule, mapped.values, faults) for rule in rules),
    )


def _outcome(rule: RuleSpec, values: Mapping[str, Value], faults: Mapping[str | None, str]) -> ExplainedRule:
    if rule.field not in values:
        return ExplainedRule(rule.field, _in_words(rule), faults.get(rule.field, "there is no value to look at"))
    error = compile_rule(rule).check(values[rule.field])
    return ExplainedRule(rule.field, _in_words(rule), error.message if error else None)


def _in_words(rule: RuleSpec) -> str:
    if isinstance(rule.rule, str):
        return rule.rule
    ((name, argument),) = rule.rule.model_dump(exclude_none=True).items()
    if isinstance(argument, dict):
        return f"{name} {', '.join(f'{key} {value}' for key, value in argument.items())}"
    return f"{name} {', '.join(map(str, argument)) if isinstance(argument, tuple | list) else argument}"


def _origin(form: FieldForm) -> str:
    """Say where a value comes from: a path, the steps after it, a default."""
    if not isinstance(form, FieldSpec):
        return form
    if form.constant is not None:
        return f"always {_scalar(form.constant)}"
    parts = [form.source or form.python or "", *map(_step, form.transform)]
    if form.reference is not None:
        what = (
            "another record of this sync"
            if form.reference.same_sync
            else f"{form.reference.model} by {form.reference.field}"
        )
        parts.append(what)
    said = " → ".join(part for part in parts if part)
    return said if form.default is None else f"{said}, or {_scalar(form.default)}"


def _step(step: str | Mapping[str, Any]) -> str:
    return step if isinstance(step, str) else ", ".join(step)


def _scalar(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _received(form: FieldForm, payload: JSON) -> JSON:
    path = form if not isinstance(form, FieldSpec) else form.source
    return None if path is None else compile_path(path).read(payload)


def _plain(value: Value) -> JSON:
    """Return a value as JSON: a related record by the value that names it."""
    if isinstance(value, Reference):
        return value.value
    if isinstance(value, bool | int | float | str | list | dict) or value is None:
        return value
    return str(value)
