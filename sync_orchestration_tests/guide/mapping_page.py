"""The transforms and rules that a mapping may use, with what their own documentation says."""

import inspect
import typing

from pydantic import BaseModel

from sync_orchestration.mapping import fields
from sync_orchestration.mapping.transforms import TRANSFORMS, Transform
from sync_orchestration_tests.guide.markdown import code, table, text

_INJECTED = "today"
_KINDS = {
    "text": "Transforms of text",
    "filled": "Transforms of any value that is not empty",
    "any": "Transforms of any value, empty ones too",
    "record": "Transforms of the whole record",
}
_ABOUT = {
    "text": "Numbers and truths are made text first. An empty value stays empty.",
    "filled": "An empty value stays empty.",
    "any": "They also see that there is nothing.",
    "record": "Each is the first step of a field that has no `from`.",
}
_RULES = (
    ("required", "`required`", "There must be a value.", "required"),
    ("email", "`email`", "An e-mail address, or several with commas or semicolons between.", "email"),
)

_HEAD = """# Transforms and rules

A field of `mapping:` is a path in the source's record, or a description of where its value comes from
([settings](settings.md#recordsync-field)). `transform` is a list of steps, applied from left to right. A step is a
name (`upper`), a name with its argument (`{strip_prefix: "code:"}`) or arguments (`{replace: {old: "-", new: ""}}`).
A value that a step cannot read fails the record with the code `transform`.
"""


def mapping_page() -> str:
    """Return the page."""
    parts = [_HEAD]
    for kind, title in _KINDS.items():
        rows = [_transform(name, one) for name, one in TRANSFORMS.items() if one.kind == kind]
        parts.append(f"## {title}\n\n{_ABOUT[kind]}\n\n" + table(["step", "arguments", "what it does"], rows))
    parts.append("## Rules\n\n" + _rules())
    return "\n".join(parts)


def _transform(name: str, transform: Transform) -> list[str]:
    parameters = [
        one for one in list(inspect.signature(transform.function).parameters.values())[1:] if one.name != _INJECTED
    ]
    return [
        code(name),
        "<br>".join(_parameter(one) for one in parameters),
        text(" ".join((inspect.getdoc(transform.function) or "").split())),
    ]


def _parameter(parameter: inspect.Parameter) -> str:
    name = code(parameter.name.rstrip("_"))
    if parameter.default is inspect.Parameter.empty:
        return name
    default = "" if parameter.default in (None, ()) else f", by default {code(str(parameter.default))}"
    return f"{name} (optional{default})"


def _rules() -> str:
    rows = [[form, said, code(error)] for _, form, said, error in _RULES]
    rows += [
        [_form(fields.MaxLengthRule), _about(fields.MaxLengthRule), code("max_length")],
        [_form(fields.RangeRule), _about(fields.RangeRule), code("range")],
        [_form(fields.MatchesRule), _about(fields.MatchesRule), code("format")],
        [_form(fields.OneOfRule), _about(fields.OneOfRule), code("not_allowed")],
    ]
    before = (
        "What must hold of a mapped record before it is written. All errors of a record are told at once. An empty "
        "value passes every rule but `required`. With `message:` a rule says something else; `{value}` stands for the "
        "value.\n\n"
    )
    return before + table(["rule", "what must hold", "code"], rows)


def _form(model: type[BaseModel]) -> str:
    ((name, field),) = model.model_fields.items()
    inner = field.annotation
    if isinstance(inner, type) and issubclass(inner, BaseModel):
        names = ", ".join(f"{one}: …" for one in inner.model_fields)
        return code(f"{{{name}: {{{names}}}}}")
    return code(f"{{{name}: {'[…]' if typing.get_origin(inner) is tuple else '…'}}}")


def _about(model: type[BaseModel]) -> str:
    ((_, field),) = model.model_fields.items()
    return text(f"{inspect.cleandoc(model.__doc__ or '')} {field.description or ''}")
