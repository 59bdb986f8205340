"""What the server accepts into a record: known types, existing relations, mandatory and unique fields."""

from collections.abc import Mapping
from dataclasses import dataclass

from .identifiers import find_record, is_identifier
from .records import Record, Table
from .schema import EVIDENCES, Evidence, Field
from .values import ValueRefusedError, canonical, derived_code


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason to refuse a record; `code` is PROP for a bad value or reference, INVALID for validation."""

    message: str
    field: str
    code: str
    value: str | None = None


def checked_values(
    tables: Mapping[str, Table], evidence: str, fields: Mapping[str, object], record: Record | None
) -> tuple[dict[str, str], list[Problem]]:
    """Return what would be stored and everything that is wrong with it.

    Unknown fields and fields that nobody may write are left out in silence.
    """
    kind = EVIDENCES[evidence]
    values: dict[str, str] = {}
    problems: list[Problem] = []
    for name, given in fields.items():
        field = kind.by_name.get(name)
        if field is None or not _may_be_set(kind, field):
            continue
        raw = _as_text(given)
        try:
            if field.type == "relation":
                lenient = _as_text(fields.get(f"{name}@if-not-found", "")) == "null"
                values[name] = _relation(tables, field, raw, lenient=lenient)
            else:
                values[name] = canonical(field, raw)
        except ValueRefusedError as refused:
            problems.append(Problem(str(refused), name, refused.code, raw))
    bad = {problem.field for problem in problems}
    _complete(tables[evidence], values, record, bad)
    problems += _missing(kind, values, record, bad)
    problems += _duplicate_code(tables[evidence], values, record)
    return values, problems


def _may_be_set(kind: Evidence, field: Field) -> bool:
    # Items come with their parent, which sets the read-only relation to itself.
    return field.writable or (kind.import_status == "NOT_DIRECT" and field.type == "relation")


def _as_text(raw: object) -> str:
    if raw is None:
        return ""
    if isinstance(raw, bool):
        return "true" if raw else "false"
    return str(raw)


def _relation(tables: Mapping[str, Table], field: Field, raw: str, *, lenient: bool) -> str:
    text = raw.strip()
    if not text:
        return ""
    if not is_identifier(text):
        raise ValueRefusedError(f"Je očekáváno číselné ID, ale '{text}' není číslo", "PROP")
    target = find_record(tables[field.target or ""], text)
    if target is not None:
        return str(target)
    if lenient:
        return ""
    raise ValueRefusedError(f"Zadaný text '{text}' musí identifikovat objekt", "PROP")


def _complete(table: Table, values: dict[str, str], record: Record | None, bad: set[str]) -> None:
    """Make up a code where none was sent: metadata calls it mandatory, yet imports without it succeed."""
    if record is not None or not table.evidence.has_code or "kod" in values or "kod" in bad:
        return
    code = derived_code(values.get("nazev", ""))
    number = 0
    candidate = code
    while table.id_of_code(candidate) is not None:
        number += 1
        candidate = code[: 20 - len(str(number))] + str(number)
    values["kod"] = candidate


def _missing(kind: Evidence, values: dict[str, str], record: Record | None, bad: set[str]) -> list[Problem]:
    problems = []
    for field in kind.fields:
        if not field.mandatory or field.name in bad or field.name in kind.presets:
            continue
        said = field.name in values
        if (said and not values[field.name].strip()) or (not said and record is None):
            message = f"Pole '{field.title}' musí být vyplněno."
            problems.append(Problem(message, field.name, "INVALID"))
    return problems


def _duplicate_code(table: Table, values: dict[str, str], record: Record | None) -> list[Problem]:
    if not table.evidence.has_code or "kod" not in values:
        return []
    holder = table.id_of_code(values["kod"])
    if holder is None or (record is not None and holder == record.id):
        return []
    message = f"Zkratku již používá jiný záznam: {values['kod']}"
    return [Problem(message, "kod", "INVALID", values["kod"])]
