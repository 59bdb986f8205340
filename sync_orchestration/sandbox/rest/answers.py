"""Answers before they are sent, and refusals in each of the shapes that APIs use for them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from sync_orchestration.sandbox.rest.records import Id, Json, Record
from sync_orchestration.sandbox.rest.switches import RestSwitches


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers and body: all that has to be remembered to give the same answer again."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    content: str = ""

    def response(self, **more_headers: str) -> Response:
        """The answer as Starlette sends it; a header may stand on several lines."""
        response = Response(self.content, self.status)
        for name, value in (*self.headers, *more_headers.items()):
            response.headers.append(name.replace("_", "-"), value)
        return response


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field."""

    field: str
    message: str


class RefusedError(Exception):
    """A request, or one item of a batch, that is not carried out."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        fields: tuple[FieldError, ...] = (),
        existing_id: Id | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.fields = fields
        self.existing_id = existing_id
        self.headers = dict(headers or {})


def json_answer(status: int, body: object, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """An answer with a JSON body."""
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Answer(status, (("content-type", "application/json"), *headers), content)


def item_answer(status: int, body: Json, switches: RestSwitches, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """An answer with one record, in the envelope of the switches."""
    return json_answer(status, {"data": body} if switches.envelope == "data" else body, headers)


def written_answer(
    status: int, record: Record, switches: RestSwitches, headers: tuple[tuple[str, str], ...] = ()
) -> Answer:
    """The answer to a create (201) or an update (200)."""
    if switches.write_body == "none":
        return Answer(204 if status == 200 else status, headers)
    body = record.served(switches) if switches.write_body == "record" else {"id": record.id(switches)}
    return item_answer(status, body, switches, headers)


def refusal_answer(error: RefusedError, switches: RestSwitches) -> Answer:
    """The refusal in the shape of the switches."""
    body, headers = refusal_body(error, switches), tuple(error.headers.items())
    if isinstance(body, str):
        return Answer(error.status, (("content-type", "text/plain; charset=utf-8"), *headers), body)
    answer = json_answer(error.status, body)
    kind = "application/problem+json" if switches.errors == "problem" else "application/json"
    return Answer(error.status, (("content-type", kind), *headers), answer.content)


def refusal_body(error: RefusedError, switches: RestSwitches) -> Json | str:
    """What is said about a refusal, alone or beside the item of a batch."""
    existing = {} if error.existing_id is None else {"existing_id": error.existing_id}
    match switches.errors:
        case "list":
            listed = [{"field": f.field, "message": f.message} for f in error.fields]
            return {"errors": listed or [{"field": None, "message": error.message}], **existing}
        case "fields":
            by_field: dict[str, list[str]] = {}
            for wrong in error.fields:
                by_field.setdefault(wrong.field, []).append(wrong.message)
            return {"message": error.message, "errors": by_field, **existing}
        case "message":
            return {"message": _sentence(error), **existing}
        case "problem":
            details = [{"pointer": f"#/{f.field}", "detail": f.message} for f in error.fields]
            return _problem(error) | ({"errors": details} if details else {}) | existing
        case "text":
            return _sentence(error)


def _problem(error: RefusedError) -> Json:
    return {
        "type": "about:blank",
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "detail": error.message,
    }


def _sentence(error: RefusedError) -> str:
    details = "; ".join(f"{wrong.field}: {wrong.message}" for wrong in error.fields)
    return f"{error.message}: {details}" if details else error.message


def put_at(body: Json, path: str, value: Any) -> None:
    """Set a value at a dotted path, making the objects on the way."""
    *parents, last = path.split(".")
    for name in parents:
        body = body.setdefault(name, {})
    body[last] = value
