"""Lists of records: filter, implicit validity, order, paging and detail."""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import JsonValue

from .answers import FlexiError
from .company import Company
from .comparisons import Context, WqlError
from .conditions import Condition, both
from .identifiers import find_record
from .records import Record, Table
from .rendering import View, renderer, view_of
from .schema import Evidence, Field
from .values import ZONE, collation_key
from .wql import compile_filter

DEFAULT_LIMIT = 20


@dataclass(frozen=True)
class Parameters:
    """URL parameters, each possibly given several times."""

    values: Mapping[str, Sequence[str]]

    def one(self, name: str, default: str = "") -> str:
        return self.values[name][-1] if self.values.get(name) else default

    def all(self, name: str) -> list[str]:
        return [v for v in self.values.get(name, ()) if v]

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return a boolean; the bare name means true."""
        if name not in self.values:
            return default
        return self.one(name).lower() not in ("false", "0", "no")

    def names(self, name: str) -> list[str]:
        """Return the words of a comma list."""
        return [word.strip() for word in self.one(name).split(",") if word.strip()]

    def number(self, name: str, default: int) -> int:
        text = self.one(name)
        if not text:
            return default
        if not text.isdigit():
            raise FlexiError(400, f"Parametr {name} musí být nezáporné celé číslo.")
        return int(text)

    def plus(self, other: Mapping[str, Sequence[str]]) -> "Parameters":
        return Parameters({**self.values, **other})


def list_records(
    company: Company,
    evidence: Evidence,
    params: Parameters,
    extension: str,
    *,
    filter_text: str = "",
    narrowed: Condition | None = None,
    apply_validity: bool = True,
) -> dict[str, JsonValue]:
    """Return the ``winstrom`` body of a list request."""
    table = company.tables[evidence.path]
    condition = _condition(company, evidence, filter_text) if filter_text.strip() else None
    if narrowed is not None:
        condition = narrowed if condition is None else both(narrowed, condition)
    if apply_validity and _validity_applies(company, evidence, params):
        condition = _with_validity(company, condition)
    start = params.number("start", 0)
    limit = params.number("limit", DEFAULT_LIMIT)
    count_all = params.flag("add-row-count")
    matching = _matching(company, table, params, condition)
    if count_all:
        every = list(matching)
        page = every[start : start + limit] if limit else every[start:]
        return _body(company, evidence, params, extension, page, row_count=len(every))
    stop = start + limit if limit else None
    return _body(company, evidence, params, extension, list(itertools.islice(matching, start, stop)))


def records_by_identifiers(
    company: Company, evidence: Evidence, params: Parameters, extension: str, identifiers: Iterable[str]
) -> dict[str, JsonValue]:
    """Return the records in the order in which they were asked for; unknown ones are silently left out."""
    table = company.tables[evidence.path]
    found = (find_record(table, identifier) for identifier in identifiers)
    records: Iterable[Record] = [table.records[i] for i in found if i is not None]
    on = company.switches().validity_filter_on_get_and_query
    if on and _validity_applies(company, evidence, params):
        records = filter(_with_validity(company, None).test, records)
    return _body(company, evidence, params, extension, list(records))


def one_record(
    company: Company, evidence: Evidence, params: Parameters, extension: str, record: Record
) -> dict[str, JsonValue]:
    """Return the body of a detail: a list of one."""
    return _body(company, evidence, params, extension, [record], default_detail="full")


def _body(
    company: Company,
    evidence: Evidence,
    params: Parameters,
    extension: str,
    records: Sequence[Record],
    *,
    row_count: int | None = None,
    default_detail: str = "summary",
) -> dict[str, JsonValue]:
    render = renderer(company, evidence, _view(company, evidence, params, default_detail), extension)
    inner: dict[str, JsonValue] = {"@version": "1.0"}
    if row_count is not None:
        inner["@rowCount"] = str(row_count)
    if params.flag("add-global-version"):
        inner["@globalVersion"] = str(company.global_version)
    inner[evidence.path] = [render(record) for record in records]
    return {"winstrom": inner}


def _view(company: Company, evidence: Evidence, params: Parameters, default_detail: str) -> View:
    return view_of(
        evidence,
        detail=params.one("detail", default_detail),
        relations=params.names("relations"),
        includes=params.names("includes"),
        ext_ids=not params.flag("no-ext-ids"),
        empty_collections=company.switches().empty_collections_in_full,
    )


def _condition(company: Company, evidence: Evidence, text: str) -> Condition:
    def local_time() -> datetime:
        return company.clock().astimezone(ZONE)

    try:
        return compile_filter(text, Context(evidence, company.tables, local_time))
    except WqlError as error:
        raise FlexiError(400, f"Špatný formát WQL dotazu: {error}") from error


def _validity_applies(company: Company, evidence: Evidence, params: Parameters) -> bool:
    on = evidence.validity and company.switches().validity_filter
    return on and params.flag("filtrovat-platnost", default=True)


def _with_validity(company: Company, condition: Condition | None) -> Condition:
    """Add the filter that the server itself lays on: ``PlatiOd <= year AND PlatiDo >= year``."""
    year = company.clock().astimezone(ZONE).year

    def is_valid(record: Record) -> bool:
        since, until = record.values["platiOd"], record.values["platiDo"]
        return int(since or 0) <= year <= int(until or 9999)

    valid = Condition(is_valid)
    return valid if condition is None else both(condition, valid)


def _matching(company: Company, table: Table, params: Parameters, condition: Condition | None) -> Iterable[Record]:
    order = _requested_order(table.evidence, params, company)
    default = table.evidence.default_order if company.switches().default_order == "kod" else "id"
    if condition is not None and condition.ids is not None:
        ids: Iterable[int] = sorted(condition.ids & table.records.keys())
        if not order:
            order = [(table.evidence.by_name[default], default == "datVyst")]
    elif order and order[0][0].name == "id" and not order[0][1]:
        ids = table.ids_above(condition.above if condition else -1)
        order = []
    elif order:
        ids = table.ordered("id")
    else:
        ids = table.ordered(default)
    records = (table.records[i] for i in ids)
    chosen = records if condition is None else filter(condition.test, records)
    if not order:
        return chosen
    ordered = list(chosen)
    for field, descends in reversed(order):
        ordered.sort(key=_sort_key(field), reverse=descends)
    return ordered


def _requested_order(evidence: Evidence, params: Parameters, company: Company) -> list[tuple[Field, bool]]:
    """Return fields with whether they descend. The vendor's text: ``@A`` descends, ``@D`` ascends."""
    descending_mark = "A" if company.switches().order_suffix == "A_descends" else "D"
    wanted = []
    for text in params.all("order"):
        name, _, mark = text.partition("@")
        wanted.append((name, mark == descending_mark))
    if params.one("sort"):
        wanted.append((params.one("sort"), params.one("dir", "ASC").upper() == "DESC"))
    return [(evidence.by_name[name], down) for name, down in wanted if name in evidence.by_name]


def _sort_key(field: Field) -> Callable[[Record], tuple[int, float] | tuple[str, str]]:
    name = field.name
    if name == "id":
        return lambda record: (record.id, 0.0)
    if field.type in ("integer", "numeric"):
        return lambda record: (1, float(record.values[name])) if record.values[name] else (0, 0.0)
    if field.type in ("date", "datetime"):
        return lambda record: (record.values[name], "")
    return lambda record: collation_key(record.values[name])
