"""Named transforms: the register of them, and the way from a step of the YAML to something callable.

A step is a name (``upper``) or a name with its argument (``{strip_prefix: "code:"}``) or arguments
(``{replace: {old: "-", new: ""}}``). The arguments of a transform are the parameters of its function, checked
against their annotations when the configuration is compiled.
"""

import datetime as dt
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from sync_orchestration.mapping import record_transforms, text_transforms, time_transforms, value_transforms
from sync_orchestration.mapping.errors import MappingError
from sync_orchestration.mapping.paths import SourcePath
from sync_orchestration.mapping.records import Value
from sync_orchestration.mapping.value_transforms import to_text
from sync_orchestration.mapping.values import is_empty

Kind = Literal[
    "text",  # is called with text, never empty; numbers and truths are made text first
    "filled",  # is called with any value but an empty one
    "any",  # is called with any value, empty ones too
    "record",  # is called with the whole record
]


@dataclass(frozen=True, slots=True)
class Transform:
    """A transform of the register: its function, and what the function is called with."""

    kind: Kind
    function: Callable[..., Value]


@dataclass(frozen=True, slots=True)
class CompiledStep:
    """A step ready to run. ``call`` may raise ValueError or TypeError with a message that names the value."""

    name: str
    whole_record: bool
    call: Callable[[Any], Value]
    paths: tuple[SourcePath, ...] = ()


TRANSFORMS: Mapping[str, Transform] = {
    "strip": Transform("text", text_transforms.strip),
    "upper": Transform("text", text_transforms.upper),
    "lower": Transform("text", text_transforms.lower),
    "collapse_spaces": Transform("text", text_transforms.collapse_spaces),
    "strip_prefix": Transform("text", text_transforms.strip_prefix),
    "strip_suffix": Transform("text", text_transforms.strip_suffix),
    "replace": Transform("text", text_transforms.replace),
    "truncate": Transform("text", text_transforms.truncate),
    "split": Transform("text", text_transforms.split),
    "digits": Transform("text", text_transforms.digits),
    "phone": Transform("text", text_transforms.phone),
    "split_emails_first": Transform("text", text_transforms.split_emails_first),
    "date": Transform("text", time_transforms.date),
    "datetime": Transform("text", time_transforms.datetime),
    "to_bool": Transform("filled", value_transforms.to_bool),
    "negate": Transform("filled", value_transforms.negate),
    "to_int": Transform("filled", value_transforms.to_int),
    "to_decimal": Transform("filled", value_transforms.to_decimal),
    "to_text": Transform("filled", value_transforms.to_text),
    "join": Transform("filled", value_transforms.join),
    "first": Transform("filled", value_transforms.first),
    "false_to_empty": Transform("filled", value_transforms.false_to_empty),
    "present": Transform("any", value_transforms.present),
    "lookup_table": Transform("any", value_transforms.lookup_table),
    "valid_in_years": Transform("record", record_transforms.valid_in_years),
    "first_of": Transform("record", record_transforms.first_of),
    "join_fields": Transform("record", record_transforms.join_fields),
}

# A parameter that the caller of compile_step gives, never the YAML.
_INJECTED = "today"


def utc_today() -> dt.date:
    """Return today's date in UTC, so that every worker says the same wherever it stands."""
    return dt.datetime.now(dt.UTC).date()


def compile_step(step: str | Mapping[str, Any], *, today: Callable[[], dt.date] = utc_today) -> CompiledStep:
    """Compile one step of the YAML.

    Raises MappingError that names an unknown transform and the known ones, or a bad argument and the good
    ones.
    """
    name, given = _name_and_argument(step)
    transform = TRANSFORMS.get(name)
    if transform is None:
        msg = f"unknown transform '{name}'; known are {', '.join(sorted(TRANSFORMS))}"
        raise MappingError(msg)
    arguments = _arguments(name, transform.function, given)
    paths = tuple(path for value in arguments.values() for path in _paths_in(value))
    if _INJECTED in inspect.signature(transform.function).parameters:
        arguments[_INJECTED] = today
    function = partial(transform.function, **arguments) if arguments else transform.function
    return CompiledStep(
        name=name,
        whole_record=transform.kind == "record",
        call=_guarded(transform.kind, function),
        paths=paths,
    )


_NOTHING = object()


def _name_and_argument(step: str | Mapping[str, Any]) -> tuple[str, Any]:
    if isinstance(step, str):
        return step, _NOTHING
    if len(step) != 1:
        msg = f"a step is a transform's name or one {{name: argument}}, not {len(step)}: {', '.join(step)}"
        raise MappingError(msg)
    return next(iter(step.items()))


def _arguments(name: str, function: Callable[..., Value], given: Any) -> dict[str, Any]:
    parameters = {
        parameter.name.rstrip("_"): parameter
        for parameter in list(inspect.signature(function).parameters.values())[1:]
        if parameter.name != _INJECTED
    }
    allowed = f"its arguments are {', '.join(parameters)}" if parameters else "it has no arguments"
    if given is _NOTHING:
        named: Mapping[str, Any] = {}
    elif isinstance(given, Mapping):
        named = given
    elif parameters:
        named = {next(iter(parameters)): given}
    else:
        msg = f"transform {name}: {allowed}"
        raise MappingError(msg)
    if unknown := [key for key in named if key not in parameters]:
        msg = f"transform {name}: unknown argument '{unknown[0]}'; {allowed}"
        raise MappingError(msg)
    for key, parameter in parameters.items():
        if key not in named and parameter.default is inspect.Parameter.empty:
            msg = f"transform {name}: the argument {key} is missing; {allowed}"
            raise MappingError(msg)
    return {parameters[key].name: _checked(name, key, parameters[key], value) for key, value in named.items()}


def _checked(name: str, key: str, parameter: inspect.Parameter, value: Any) -> Any:
    try:
        return _adapter(parameter.annotation).validate_python(value)
    except ValidationError as error:
        msg = f"transform {name}: argument {key}: {error.errors()[0]['msg']}"
        raise MappingError(msg) from error


@cache
def _adapter(annotation: Any) -> TypeAdapter[Any]:
    # Made once: for a mapping that is compiled again and again it would be most of the work.
    return TypeAdapter(annotation)


def _paths_in(value: Any) -> tuple[SourcePath, ...]:
    if isinstance(value, SourcePath):
        return (value,)
    return tuple(item for item in value if isinstance(item, SourcePath)) if isinstance(value, tuple) else ()


def _guarded(kind: Kind, function: Callable[..., Value]) -> Callable[[Any], Value]:
    if kind in {"any", "record"}:
        return function

    def of_filled(value: Value) -> Value:
        return "" if is_empty(value) else function(value)

    def of_text(value: Value) -> Value:
        if is_empty(value):
            return ""
        return function(value if isinstance(value, str) else to_text(value))

    return of_text if kind == "text" else of_filled


def describe_transforms() -> dict[str, str]:
    """Return every transform's name with the first line of its documentation, for the user's reference."""
    return {name: (inspect.getdoc(item.function) or "").partition("\n")[0] for name, item in TRANSFORMS.items()}
