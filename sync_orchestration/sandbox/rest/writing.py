"""POST, PUT, PATCH and DELETE of single records, and batches of them."""

import json
import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NoReturn

from starlette.requests import Request

from sync_orchestration.sandbox.rest.answers import (
    Answer,
    RefusedError,
    json_answer,
    put_at,
    refusal_body,
    written_answer,
)
from sync_orchestration.sandbox.rest.links import origin
from sync_orchestration.sandbox.rest.reading import living
from sync_orchestration.sandbox.rest.records import Collection, Json, Record, deleted
from sync_orchestration.sandbox.rest.validation import check, usable
from sync_orchestration.sandbox.rest.world import RestWorld


class Writer:
    """Carries out what clients write to one collection. The caller holds the world's lock."""

    def __init__(self, world: RestWorld, collection: Collection) -> None:
        self.world = world
        self.switches = world.switches
        self.collection = collection

    def create(self, request: Request, body: bytes) -> Answer:
        """POST to the collection."""
        record = self._created(_object(_json(request, body)))
        path = f"{request.url.path.rstrip('/')}/{record.id(self.switches)}"
        match self.switches.location:
            case "absolute":
                headers: tuple[tuple[str, str], ...] = (("Location", origin(request) + path),)
            case "relative":
                headers = (("Location", path),)
            case "absent":
                headers = ()
        return written_answer(201, record, self.switches, headers)

    def update(self, request: Request, body: bytes, record_id: str) -> Answer:
        """PUT replaces all fields of a record, PATCH those that are named."""
        record = living(self.collection.find(record_id, self.switches), self.switches)
        sent = _object(_json(request, body))
        return written_answer(200, self._updated(record, sent, whole=request.method == "PUT"), self.switches)

    def delete(self, record_id: str) -> Answer:
        """DELETE of a record; a second one finds nothing."""
        record = living(self.collection.find(record_id, self.switches), self.switches)
        self.collection.keep(deleted(record, self.world.clock()))
        self.world.writes["deleted"] += 1
        return Answer(204)

    def batch(self, request: Request, body: bytes) -> Answer:
        """Creates the items without an id, updates those with one."""
        items = _items(_json(request, body))
        if len(items) > self.switches.batch_limit:
            raise RefusedError(413, f"A batch has at most {self.switches.batch_limit} items")
        snapshot, counted = self.collection.snapshot(), self.world.writes.copy()
        results = [self._result(index, item) for index, item in enumerate(items)]
        if self.switches.batch_atomic and any(result["error"] is not None for result in results):
            self.collection.restore(snapshot)
            self.world.writes = counted
            raise RefusedError(422, "The batch was refused")
        if self.switches.batch_shuffled:
            random.Random(self.world.seed).shuffle(results)
        if self.switches.envelope == "bare":
            return json_answer(self.switches.batch_status, results)
        wrapped: Json = {}
        put_at(wrapped, self.switches.list_field, results)
        return json_answer(self.switches.batch_status, wrapped)

    def _result(self, index: int, item: object) -> Json:
        try:
            sent = _object(item)
            if sent.get("id") is None:
                status, record = 201, self._created(sent)
            else:
                found = living(self.collection.find(sent["id"], self.switches), self.switches)
                status, record = 200, self._updated(found, sent, whole=False)
        except RefusedError as error:
            known = item.get("id") if isinstance(item, dict) else None
            return {"index": index, "id": known, "status": error.status, "error": refusal_body(error, self.switches)}
        return {"index": index, "id": record.id(self.switches), "status": status, "error": None}

    def _created(self, sent: Mapping[str, Any]) -> Record:
        values = usable(sent, self.collection, self.switches)
        check(values, self.collection, self.switches)
        self.world.writes["created"] += 1
        return self.collection.add(values, self.world.clock())

    def _updated(self, record: Record, sent: Mapping[str, Any], *, whole: bool) -> Record:
        changes = usable(sent, self.collection, self.switches)
        values = changes if whole else {**record.values, **changes}
        check(values, self.collection, self.switches, number=record.number)
        self.world.writes["updated" if values != record.values else "unchanged"] += 1
        # The time moves even if nothing else does: that is how two systems that answer each other never rest.
        return self.collection.keep(replace(record, values=values, updated_at=self.world.clock()))


def _json(request: Request, body: bytes) -> object:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise RefusedError(415, "The body must be application/json")
    try:
        # `NaN` and `Infinity` are Python's, not JSON's.
        parsed: object = json.loads(body.decode(), parse_constant=_no_json)
        # Half of a surrogate pair can be written in JSON and not be kept as text.
        json.dumps(parsed, ensure_ascii=False).encode()
    except ValueError as error:
        raise RefusedError(400, "The body is not valid JSON") from error
    return parsed


def _no_json(constant: str) -> NoReturn:
    raise ValueError(constant)


def _object(value: object) -> Json:
    if not isinstance(value, dict):
        raise RefusedError(400, "A JSON object is expected")
    return value


def _items(value: object) -> list[object]:
    items = value.get("items") if isinstance(value, dict) else value
    if not isinstance(items, list):
        raise RefusedError(400, "A JSON array, or an object with the array `items`, is expected")
    return items
