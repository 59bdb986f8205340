"""Which address does what, below ``/c``."""

from urllib.parse import quote

from . import about, feed, hooks, imports, lists
from .answers import Answer, FlexiError, unknown_address, unknown_record
from .bodies import parse_import, parse_members
from .calls import Call
from .company import Company
from .conditions import Condition
from .hooks import HookDispatcher
from .identifiers import find_record, is_numeric, split_identifiers
from .records import Record
from .schema import EVIDENCES, Evidence

WRITES = ("PUT", "POST")


def company_route(company: Company, dispatcher: HookDispatcher, call: Call) -> Answer:
    """Answer a request below ``/c/{company}``."""
    rest = call.segments[2:]
    if not rest:
        _allow(call, "GET")
        return about.one_company(company)
    if rest[0] == "changes":
        return _changes(company, call, rest[1:])
    if rest[0] == "hooks":
        return _hooks(dispatcher, call, rest[1:])
    if company.switches().rest_licence == "none":
        raise unknown_address(call.url)
    if rest == ("evidence-list",):
        return about.evidence_list(company)
    evidence = EVIDENCES.get(rest[0])
    if evidence is None:
        raise unknown_address(call.url)
    return _evidence(company, evidence, call, rest[1:])


def _changes(company: Company, call: Call, rest: tuple[str, ...]) -> Answer:
    if not rest:
        _allow(call, "GET")
        if company.switches().rest_licence == "none":
            raise unknown_address(call.url)
        return feed.feed(company, call.params, call.format, call.url)
    if rest == ("status",):
        _allow(call, "GET")
        return feed.status(company)
    if rest in (("enable",), ("disable",)):
        _allow(call, *WRITES)
        return feed.control(company, rest[0])
    if rest == ("control",):
        return Answer(200, text="<html><body>Changes API</body></html>", media_type="text/html")
    raise unknown_address(call.url)


def _hooks(dispatcher: HookDispatcher, call: Call, rest: tuple[str, ...]) -> Answer:
    if not rest and call.method == "GET":
        return dispatcher.listed()
    if not rest:
        _allow(call, *WRITES)
        dispatcher.register(call.params)
    elif not is_numeric(rest[0]):
        raise unknown_address(call.url)
    elif rest[1:] == ("retry",):
        _allow(call, *WRITES)
        dispatcher.retry(int(rest[0]))
    else:
        _allow(call, "DELETE")
        dispatcher.remove(int(rest[0]))
    return hooks.done()


def _evidence(company: Company, evidence: Evidence, call: Call, rest: tuple[str, ...]) -> Answer:
    if not rest:
        return _list_url(company, evidence, call)
    if rest[0] in ("get", "query"):
        _allow(call, *WRITES)
        return _by_body(company, evidence, call, rest[0])
    if rest[0] in ("properties", "relations"):
        return about.properties(evidence) if rest[0] == "properties" else about.relations(evidence)
    if rest[0].startswith("("):
        _allow(call, "GET")
        text = rest[0].strip()
        if len(rest) > 1 or not text.endswith(")"):
            raise unknown_address(call.url)
        return Answer(200, lists.list_records(company, evidence, call.params, call.format, filter_text=text[1:-1]))
    return _detail_url(company, evidence, call, rest)


def _list_url(company: Company, evidence: Evidence, call: Call) -> Answer:
    if call.method == "GET":
        return Answer(200, lists.list_records(company, evidence, call.params, call.format))
    _allow(call, *WRITES)
    return _import(company, call)


def _by_body(company: Company, evidence: Evidence, call: Call, service: str) -> Answer:
    members = parse_members(call.body, call.content_type)
    if service == "get":
        identifiers = members.pop("id", [])
        params = call.params.plus(members)
        return Answer(200, lists.records_by_identifiers(company, evidence, params, call.format, identifiers))
    text = (members.pop("filter", None) or [""])[0]
    applies = company.switches().validity_filter_on_get_and_query
    return Answer(
        200,
        lists.list_records(
            company,
            evidence,
            call.params.plus(members),
            call.format,
            filter_text=text,
            apply_validity=applies,
        ),
    )


def _detail_url(company: Company, evidence: Evidence, call: Call, rest: tuple[str, ...]) -> Answer:
    record = _named(company, evidence, rest[0])
    if len(rest) == 2 and rest[1] in ("properties", "relations"):
        return about.properties(evidence) if rest[1] == "properties" else about.relations(evidence)
    if len(rest) >= 2:
        return _collection_url(company, evidence, call, record, rest[1:])
    if call.method == "GET":
        return _detail(company, evidence, call, record, rest[0])
    _allow(call, *WRITES, "DELETE")
    _require_write_licence(company)
    if call.method == "DELETE":
        return imports.delete_record(company, evidence.path, record, call.format)
    content = parse_import(call.body, call.content_type)
    return imports.import_records(company, content, call.params, call.format, only_id=record.id)


def _detail(company: Company, evidence: Evidence, call: Call, record: Record, identifier: str) -> Answer:
    if not is_numeric(identifier):
        how = company.switches().get_by_code
        if how == "not_found":
            raise unknown_record(evidence.path, identifier)
        if how == "redirect":
            query = f"?{call.query}" if call.query else ""
            where = f"/c/{company.name}/{evidence.path}/{record.id}"
            return Answer(303, headers={"Location": quote(f"{where}.{call.format}") + query})
    return Answer(200, lists.one_record(company, evidence, call.params, call.format, record))


def _collection_url(company: Company, evidence: Evidence, call: Call, record: Record, rest: tuple[str, ...]) -> Answer:
    collection = evidence.collection(rest[0])
    if collection is None or len(rest) > 2 or (len(rest) == 2 and not rest[1].startswith("(")):
        raise unknown_address(call.url)
    _allow(call, "GET")
    children = company.tables[collection.evidence].children_of(record.id)
    of_parent = Condition(lambda _: True, frozenset(child.id for child in children))
    return Answer(
        200,
        lists.list_records(
            company,
            EVIDENCES[collection.evidence],
            call.params,
            call.format,
            filter_text=rest[1][1:-1] if len(rest) == 2 else "",
            narrowed=of_parent,
        ),
    )


def _named(company: Company, evidence: Evidence, text: str) -> Record:
    table = company.tables[evidence.path]
    found = {find_record(table, identifier) for identifier in split_identifiers(text)} - {None}
    if len(found) != 1:
        raise unknown_record(evidence.path, text)
    (record_id,) = found
    return table.records[record_id or 0]


def _import(company: Company, call: Call) -> Answer:
    _require_write_licence(company)
    return imports.import_records(company, parse_import(call.body, call.content_type), call.params, call.format)


def _require_write_licence(company: Company) -> None:
    if company.switches().rest_licence != "full":
        raise FlexiError(402, "REST API pro zápis není licencováno.")


def _allow(call: Call, *methods: str) -> None:
    if call.method not in methods:
        raise FlexiError(405)
