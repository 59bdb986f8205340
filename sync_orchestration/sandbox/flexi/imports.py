"""Writing: upserts and deletes of several records, in one transaction or one per record."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import JsonValue

from .answers import Answer, Body, FlexiError, envelope
from .bodies import Import, Item
from .company import Company, RecordRefusedError
from .comparisons import Context, WqlError
from .identifiers import find_record, is_identifier, is_numeric
from .lists import Parameters
from .records import Record
from .rendering import renderer, view_of
from .schema import EVIDENCES
from .transactions import Transaction
from .validation import Problem, checked_values
from .values import ZONE
from .wql import compile_filter

Outcome = Literal["created", "updated", "deleted", "skipped", "failed"]


@dataclass(frozen=True)
class _Result:
    outcome: Outcome
    shown: Body


@dataclass
class _Job:
    company: Company
    params: Parameters
    extension: str
    dry_run: bool = False
    results: list[_Result] = field(default_factory=list)

    def count(self, outcome: Outcome) -> int:
        return sum(result.outcome == outcome for result in self.results)


def import_records(
    company: Company, content: Import, params: Parameters, extension: str, *, only_id: int | None = None
) -> Answer:
    """Carry out an import; with `only_id` the URL has named the one record, which exists."""
    for item in content.items:
        if item.evidence not in EVIDENCES:
            raise FlexiError(400, f"Neznámá evidence '{item.evidence}'.")
        if EVIDENCES[item.evidence].import_status == "NOT_DIRECT":
            raise FlexiError(400, "Import není povolen.", "importNotAllowed")
        if only_id is not None:
            item.identifiers = [str(only_id), *(i for i in item.identifiers if not is_numeric(i))]
    job = _Job(company, params, extension, dry_run=params.flag("dry-run"))
    if content.attributes.get("atomic") == "false" and not job.dry_run:
        for item in content.items:
            _write_alone(job, item)
    else:
        _write_together(job, content.items)
    return _answer(job)


def delete_record(company: Company, evidence: str, record: Record, extension: str) -> Answer:
    """Carry out HTTP DELETE on a detail URL."""
    job = _Job(company, Parameters({}), extension)
    with company.transaction() as tx:
        tx.delete(evidence, record)
    job.results.append(_Result("deleted", _shown(job, evidence, record, None)))
    return Answer(200, _body(job, success=True))


def _write_alone(job: _Job, item: Item) -> None:
    try:
        with job.company.transaction() as tx:
            results = list(_write(job, tx, item))
    except RecordRefusedError as refused:
        results = [_failure(item, refused.problems)]
    job.results += results


def _write_together(job: _Job, items: list[Item]) -> None:
    with job.company.transaction() as tx:
        refusal = _write_in_order(job, tx, items)
        if refusal is not None or job.dry_run:
            tx.abandon()
    if refusal is None:
        return
    position, problems = refusal
    job.results = [_failure(items[position], problems)]
    if job.company.switches().atomic_failure_results == "one_per_record":
        untouched = [_Result("skipped", _request_id(item)) for item in items]
        job.results = [*untouched[:position], *job.results, *untouched[position + 1 :]]


def _write_in_order(job: _Job, tx: Transaction, items: list[Item]) -> tuple[int, list[Problem]] | None:
    """Write until the first refusal; returns where it was and why."""
    for position, item in enumerate(items):
        try:
            job.results += _write(job, tx, item)
        except RecordRefusedError as refused:
            return position, refused.problems
    return None


def _write(job: _Job, tx: Transaction, item: Item) -> Iterator[_Result]:
    """Write one top-level record, or with ``@filter`` all that match."""
    request_id = item.identifiers[0] if item.identifiers else None
    if "filter" in item.attributes:
        for record in _filtered(job.company, item):
            yield _write_to(job, tx, item, record, None)
    else:
        yield _write_to(job, tx, item, _named_record(job.company, item), request_id)


def _write_to(job: _Job, tx: Transaction, item: Item, record: Record | None, request_id: str | None) -> _Result:
    action = item.attributes.get("action")
    if action == "delete":
        if record is None:
            raise RecordRefusedError([Problem("Záznam nebyl nalezen.", "id", "INVALID", request_id)])
        tx.delete(item.evidence, record)
        return _Result("deleted", _shown(job, item.evidence, record, request_id))
    if action is not None:
        raise RecordRefusedError([Problem(f"Akce '{action}' není podporována.", "id", "INVALID")])
    mode = item.attributes.get("create" if record is None else "update", "ok")
    if mode == "fail":
        said = "neexistuje" if record is None else "již existuje"
        raise RecordRefusedError([Problem(f"Záznam {said}.", "id", "INVALID", request_id)])
    if mode == "ignore":
        shown = _request_id(item) if record is None else _shown(job, item.evidence, record, request_id)
        return _Result("skipped", shown)
    written = _upsert(job.company, tx, item.evidence, item, record)
    shown = _shown(job, item.evidence, written, request_id)
    if job.dry_run:
        render = renderer(
            job.company,
            EVIDENCES[item.evidence],
            view_of(EVIDENCES[item.evidence], detail="full"),
            job.extension,
        )
        shown["content"] = {item.evidence: [render(written)]}
        if record is None:
            shown["id"] = f"-{written.id}"
    return _Result("created" if record is None else "updated", shown)


def _upsert(company: Company, tx: Transaction, evidence: str, item: Item, record: Record | None) -> Record:
    ext_ids, fields = _identity(item, record)
    values, problems = checked_values(company.tables, evidence, fields, record)
    if problems:
        raise RecordRefusedError(problems)
    if record is None:
        record = tx.create(evidence, values, ext_ids)
    else:
        tx.update(evidence, record, values, ext_ids)
    for name, children in item.children.items():
        _write_children(company, tx, evidence, name, children, item.fields, record)
    return record


def _write_children(
    company: Company,
    tx: Transaction,
    evidence: str,
    name: str,
    children: list[Item],
    parent_fields: Mapping[str, object],
    parent: Record,
) -> None:
    collection = EVIDENCES[evidence].collection(name)
    if collection is None:
        return
    table = company.tables[collection.evidence]
    if str(parent_fields.get(f"{name}@removeAll", "")).lower() == "true":
        for child in table.children_of(parent.id):
            tx.delete(collection.evidence, child)
    for item in children:
        item.evidence = collection.evidence
        item.fields[collection.parent_field] = str(parent.id)
        _upsert(company, tx, collection.evidence, item, _named_record(company, item))


def _identity(item: Item, record: Record | None) -> tuple[tuple[str, ...], dict[str, object]]:
    """Return the external ids to keep and the fields, with a code that was sent as an identifier."""
    kept = record.ext_ids if record is not None else ()
    removed = item.attributes.get("removeExternalIds")
    if removed is not None:
        kept = tuple(i for i in kept if not i.startswith(f"ext:{removed}"))
    sent = (i for i in item.identifiers if i.startswith("ext:"))
    fields = dict(item.fields)
    for identifier in item.identifiers:
        if identifier.startswith("code:"):
            fields.setdefault("kod", identifier.removeprefix("code:"))
    return tuple(dict.fromkeys([*kept, *sent])), fields


def _named_record(company: Company, item: Item) -> Record | None:
    """Return the record that all known identifiers name; only a numeric one must be known."""
    table = company.tables[item.evidence]
    found: set[int] = set()
    for identifier in item.identifiers:
        if not is_identifier(identifier):
            message = f"Je očekáváno číselné ID, ale '{identifier}' není číslo"
            raise RecordRefusedError([Problem(message, "id", "PROP", identifier)])
        record_id = find_record(table, identifier)
        if record_id is not None:
            found.add(record_id)
        elif is_numeric(identifier):
            message = f"Záznam s ID {identifier} neexistuje."
            raise RecordRefusedError([Problem(message, "id", "PROP", identifier)])
    if len(found) > 1:
        message = "Zadané identifikátory označují různé záznamy."
        raise RecordRefusedError([Problem(message, "id", "INVALID", ",".join(item.identifiers))])
    return table.records[found.pop()] if found else None


def _filtered(company: Company, item: Item) -> list[Record]:
    table = company.tables[item.evidence]
    context = Context(table.evidence, company.tables, lambda: company.clock().astimezone(ZONE))
    try:
        condition = compile_filter(item.attributes["filter"], context)
    except WqlError as error:
        raise FlexiError(400, f"Špatný formát WQL dotazu: {error}") from error
    return [table.records[i] for i in table.ordered("id") if condition.test(table.records[i])]


def _shown(job: _Job, evidence: str, record: Record, request_id: str | None) -> Body:
    shown: Body = {"id": str(record.id)}
    if request_id is not None:
        shown["request-id"] = request_id
    shown["ref"] = f"/c/{job.company.name}/{evidence}/{record.id}.{job.extension}"
    if job.params.flag("code-in-response") and "kod" in record.values:
        shown["code"] = record.values["kod"]
    return shown


def _request_id(item: Item) -> Body:
    return {"request-id": item.identifiers[0]} if item.identifiers else {}


def _failure(item: Item, problems: list[Problem]) -> _Result:
    named = item.identifiers[0] if item.identifiers else "temporary-id=null"
    errors: list[JsonValue] = []
    for problem in problems:
        error: Body = {
            "message": problem.message,
            "for": problem.field,
            "path": f"{item.evidence}[{named}].{problem.field}",
        }
        if problem.value is not None:
            error["value"] = problem.value
        error["code"] = problem.code
        errors.append(error)
    return _Result("failed", {**_request_id(item), "errors": errors})


def _answer(job: _Job) -> Answer:
    failed = job.count("failed")
    written = len(job.results) - failed - job.count("skipped")
    if failed and not (written and job.company.switches().partial_failure == "201"):
        return Answer(400, _body(job, success=False))
    if not written or job.dry_run or job.company.switches().write_status == "200":
        return Answer(200, _body(job, success=True))
    first = next(r for r in job.results if r.outcome not in ("failed", "skipped"))
    return Answer(201, _body(job, success=True), headers={"Location": str(first.shown["ref"])})


def _body(job: _Job, *, success: bool) -> Body:
    outcomes: tuple[Outcome, ...] = ("created", "updated", "deleted", "skipped", "failed")
    stats: Body = {outcome: str(job.count(outcome)) for outcome in outcomes}
    results: list[JsonValue] = [result.shown for result in job.results]
    return envelope(success="true" if success else "false", stats=stats, results=results)
