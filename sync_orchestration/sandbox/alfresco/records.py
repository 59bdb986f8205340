"""Citeck's Records API. Whatever goes wrong after the login is HTTP 200 in version 1 and 500 in version 0."""

import time
import uuid
from typing import Any

from starlette.responses import JSONResponse, Response

from sync_orchestration.sandbox.alfresco import afts, cmis
from sync_orchestration.sandbox.alfresco.attributes import RECORD_PREFIX, value_of
from sync_orchestration.sandbox.alfresco.errors import EntityNotFoundError, QueryError, RepositoryError
from sync_orchestration.sandbox.alfresco.nodes import Node, uuid_of
from sync_orchestration.sandbox.alfresco.predicates import converted
from sync_orchestration.sandbox.alfresco.search import Consistency, Search
from sync_orchestration.sandbox.alfresco.updates import check_writable, record_update
from sync_orchestration.sandbox.alfresco.world import AlfrescoWorld

Json = dict[str, Any]

_CONSISTENCIES: dict[str, Consistency] = {"EVENTUAL": "EVENTUAL", "TRANSACTIONAL": "TRANSACTIONAL"}


class RecordsApi:
    """Query and mutate over one world; each is called with the world's lock held."""

    def __init__(self, world: AlfrescoWorld) -> None:
        self.world = world

    def query(self, body: Json) -> Response:
        version = _version(body)
        try:
            if "query" in body:
                return _answer(version, **self._queried(body))
            records = [self._record(ref, body.get("attributes")) for ref in _references(body)]
            return _answer(version, records=records, has_more=False, total=len(records))
        except RepositoryError as error:
            return self._failure(version, error, [])

    def mutate(self, body: Json, user: str) -> Response:
        version = _version(body)
        records = body.get("records") or ([body["record"]] if body.get("record") else [])
        try:
            self._mutated(records, user)
        except RepositoryError as error:
            # Everything is rolled back, yet the ids are echoed as if all were well.
            return self._failure(version, error, _echoed(records))
        return _answer(version, records=_echoed(records))

    def _queried(self, body: Json) -> Json:
        result = self.world.search(self._search(body["query"]))
        with_nulls = self.world.switches.vanished_records == "nulls"
        nodes = result.page if with_nulls else result.rows
        rows = [self._row(node, body.get("attributes")) for node in nodes]
        total = len(rows) if result.total is None else result.total
        return {"records": rows, "has_more": result.has_more, "total": total}

    def _search(self, query: Json) -> Search:
        language = query.get("language") or "predicate"
        text, sort = query.get("query"), self._sort(query.get("sortBy"))
        page = query.get("page") or {}
        consistency = _CONSISTENCIES.get(str(query.get("consistency")), "DEFAULT")
        skip, limit = int(page.get("skipCount") or 0), page.get("maxItems")
        limit = int(limit) if limit is not None and int(limit) >= 0 else None
        if language == "cmis-alfresco":
            parsed, cmis_sort = cmis.parse(str(text))
            return Search(parsed, cmis_sort or sort, skip, limit, consistency, language="cmis")
        if language == "fts-alfresco":
            parsed = afts.parse(str(text))
        elif language == "predicate":
            parsed = converted(text or {})
        else:
            raise QueryError(f"Language is not supported: {language}")
        if "afterId" in page:
            return self._after(page["afterId"], parsed, limit)
        return Search(parsed, sort, skip, limit, consistency)

    def _after(self, after: str | None, query: afts.Query, limit: int | None) -> Search:
        """Citeck's own keyset paging: exclusive lower bound, ascending dbid first, no skip."""
        # The last node is read for its dbid, so it must still be there.
        bound = self.world.node(after).dbid if after else 0
        above = afts.Range("sys:node-dbid", str(bound), None, low_inclusive=False, high_inclusive=True)
        return Search(afts.Junction("AND", (query, above)), (("sys:node-dbid", True),), 0, limit)

    def _sort(self, sort_by: Any) -> tuple[tuple[str, bool], ...]:
        default = self.world.switches.records_sort_ascending
        items = sort_by if isinstance(sort_by, list) else [sort_by] if sort_by else []
        return tuple((str(item["attribute"]).removeprefix("@"), bool(item.get("ascending", default))) for item in items)

    def _record(self, reference: str, attributes: Any) -> Json:
        """One record that was asked for by its id, read from the repository and not from the index."""
        node = self.world.nodes.get(uuid_of(reference))
        if node is None:
            # Not only missing nodes: `emodel/meta@`, the usual connection test, lives in another service.
            return {"id": reference, "attributes": dict.fromkeys(_aliases(attributes))}
        return self._row(node, attributes)

    def _row(self, node: Node, attributes: Any) -> Json:
        aliases = _aliases(attributes).items()
        values = {alias: value_of(node, name) if node.is_readable else None for alias, name in aliases}
        return {"id": RECORD_PREFIX + node.ref, "attributes": values}

    def _mutated(self, records: list[Json], user: str) -> None:
        updates = []
        for record in records:
            node = self._mutable(str(record.get("id", "")))
            check_writable(node, self.world.switches)
            update = record_update(node, record.get("attributes") or {}, self.world.switches.protected_attributes)
            if update.properties:
                updates.append(update)
        if updates:
            self.world.write(updates, user=user, surface="records")

    def _mutable(self, record: str) -> Node:
        if not record.startswith(RECORD_PREFIX) or not record.removeprefix(RECORD_PREFIX):
            raise EntityNotFoundError(f"RecordsDAO is not found for record: {record}")
        return self.world.node(record)

    def _failure(self, version: int, error: RepositoryError, records: list[Json]) -> Response:
        if version == 0:
            return JSONResponse({"message": str(error), "exception": error.java_class}, 500)
        message: Json = {
            "level": "ERROR",
            "time": int(time.time() * 1000),
            "type": self.world.switches.records_error_type,
            "msg": str(error),
            "requestId": str(uuid.uuid4()),
            "requestTrace": [f"alfresco:{uuid.uuid4()}"],
        }
        if message["type"] == "records-error":
            message["msg"] = {"type": error.java_class, "msg": str(error), "stackTrace": []}
        return _answer(version, records=records, messages=[message])


def _answer(
    version: int,
    *,
    records: list[Json],
    has_more: bool = False,
    total: int = 0,
    messages: list[Json] | None = None,
) -> Response:
    page = {"records": records, "hasMore": has_more, "totalCount": total}
    if version == 0:
        return JSONResponse({**page, "errors": []})
    return JSONResponse({"messages": messages or [], "txnActions": [], **page, "version": version})


def _version(body: Json) -> int:
    """The version of the body: absent means the legacy 0."""
    return int(body.get("version") or body.get("v") or 0)


def _references(body: Json) -> list[str]:
    return [str(ref) for ref in body.get("records") or ([body["record"]] if body.get("record") else [])]


def _aliases(attributes: Any) -> dict[str, str]:
    """Attribute by the name under which the caller wants it; a list of attributes names itself."""
    if isinstance(attributes, dict):
        return attributes
    return {str(attribute): str(attribute) for attribute in attributes or ()}


def _echoed(records: list[Json]) -> list[Json]:
    return [{"id": record.get("id"), "attributes": {}} for record in records]
