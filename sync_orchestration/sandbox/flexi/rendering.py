"""How a record looks in an answer: the level of detail, relations, collections and embedded objects."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from .company import Company
from .records import Record
from .schema import EVIDENCES, Collection, Evidence, Field

Names = dict[str, "Names"]


@dataclass(frozen=True)
class View:
    """What of a record is shown."""

    fields: Sequence[Field]
    collections: dict[str, "View"] = field(default_factory=dict)
    embedded: dict[str, "View"] = field(default_factory=dict)
    always_empty: Sequence[str] = ()
    ext_ids: bool = True


def view_of(
    evidence: Evidence,
    *,
    detail: str,
    relations: Sequence[str] = (),
    includes: Sequence[str] = (),
    ext_ids: bool = True,
    empty_collections: bool = True,
) -> View:
    """Return the view for the parameters of a request; unknown names are ignored, ``id`` is always shown.

    `detail` is ``id``, ``summary``, ``full`` or ``custom:a,b,rel(c,d)``.
    """
    names = _parse_names(detail.removeprefix("custom:")) if detail.startswith("custom:") else {}
    if detail.startswith("custom:"):
        fields = [f for f in evidence.fields if f.name == "id" or f.name in names]
    elif detail == "id":
        fields = [evidence.by_name["id"]]
    elif detail == "full":
        fields = list(evidence.fields)
    else:
        fields = [f for f in evidence.fields if f.in_summary]
    collections = {
        c.name: _nested_view(EVIDENCES[c.evidence], names.get(c.name))
        for c in evidence.collections
        if c.name in relations or c.name in names
    }
    embedded = {
        f.name: _nested_view(EVIDENCES[f.target], names.get(f.name))
        for f in fields
        if f.target and (f"/{evidence.path}/{f.name}/" in includes or names.get(f.name))
    }
    empty = [n for n in evidence.empty_collections if detail == "full" and n not in collections]
    return View(fields, collections, embedded, empty if empty_collections else (), ext_ids)


def renderer(
    company: Company, evidence: Evidence, view: View, extension: str
) -> Callable[[Record], dict[str, JsonValue]]:
    """Return a function that renders the records of one evidence; `extension` ends the references."""
    plan = [_field_step(company, f, view, extension) for f in view.fields if f.name != "id"]
    children = [
        (found, renderer(company, EVIDENCES[found.evidence], inner, extension))
        for name, inner in view.collections.items()
        if (found := evidence.collection(name)) is not None
    ]

    def render(record: Record) -> dict[str, JsonValue]:
        values = record.values
        shown: dict[str, JsonValue] = {"id": str(record.id)}
        if record.ext_ids and view.ext_ids:
            shown["external-ids"] = list(record.ext_ids)
        for name, step in plan:
            if step is None:
                shown[name] = values[name]
            else:
                step(shown, values[name])
        for name in view.always_empty:
            shown[name] = []
        for collection, render_child in children:
            shown[collection.name] = [render_child(c) for c in _children(company, collection, record)]
        return shown

    return render


Step = Callable[[dict[str, JsonValue], str], None]


def _field_step(company: Company, field_: Field, view: View, extension: str) -> tuple[str, Step | None]:
    if field_.type == "relation":
        return field_.name, _relation_step(company, field_, view.embedded.get(field_.name), extension)
    if field_.type == "select":
        return field_.name, _select_step(field_)
    return field_.name, None


def _select_step(field_: Field) -> Step:
    name, choices = field_.name, field_.choices

    def step(shown: dict[str, JsonValue], value: str) -> None:
        shown[name] = value
        if value:
            shown[f"{name}@showAs"] = choices.get(value, value)

    return step


def _relation_step(company: Company, field_: Field, embedded: View | None, extension: str) -> Step:
    name = field_.name
    target = EVIDENCES[field_.target or ""]
    records = company.tables[target.path].records
    render = None if embedded is None else renderer(company, target, embedded, extension)

    def step(shown: dict[str, JsonValue], value: str) -> None:
        record = records.get(int(value)) if value else None
        if record is None:
            shown[name] = ""
            return
        shown[name] = identifier_of(target, record) if render is None else [render(record)]
        shown[f"{name}@ref"] = f"/c/{company.name}/{target.path}/{value}.{extension}"
        shown[f"{name}@showAs"] = show_as(target, record)

    return step


def identifier_of(evidence: Evidence, record: Record) -> str:
    """Return how a relation names its target: by code, or by the bare id where there is no code."""
    return f"code:{record.values['kod']}" if evidence.has_code else str(record.id)


def show_as(evidence: Evidence, record: Record) -> str:
    """Return the text that stands for a record in relations: ``CODE: name``."""
    name = record.values.get("nazev", "")
    if not evidence.has_code:
        return name
    return f"{record.values['kod']}: {name}" if name else record.values["kod"]


def _children(company: Company, collection: Collection, record: Record) -> list[Record]:
    return company.tables[collection.evidence].children_of(record.id)


def _nested_view(evidence: Evidence, names: Names | None) -> View:
    if not names:
        return view_of(evidence, detail="full", empty_collections=False)
    return view_of(evidence, detail="custom:" + _joined(names))


def _joined(names: Names) -> str:
    return ",".join(f"{name}({_joined(inner)})" if inner else name for name, inner in names.items())


def _parse_names(text: str) -> Names:
    """Read ``a,b,rel(c,d)``."""
    root: Names = {}
    stack = [root]
    word = ""
    for character in text + ",":
        if character not in "(),":
            word += character
            continue
        inner: Names = {}
        if word.strip():
            stack[-1][word.strip()] = inner
        word = ""
        if character == "(":
            stack.append(inner)
        elif character == ")" and len(stack) > 1:
            stack.pop()
    return root
