"""What an answer to a write means for its record; what is not the record's fault is raised."""

from sync_orchestration.interface.rows import Payload
from sync_orchestration.mapping.records import JSON, RecordError
from sync_orchestration.pipeline.protocols import Outcome
from sync_orchestration.systems.http import Answer, HttpClient
from sync_orchestration.systems.rest.addresses import last_segment
from sync_orchestration.systems.rest.answers import (
    BUSY,
    Said,
    refused_credentials,
    said_by,
    wrong_path,
)
from sync_orchestration.systems.rest.reading import key_text, parsed, read_at
from sync_orchestration.systems.rest.sending import Reply
from sync_orchestration.systems.rest.settings import Resource

GONE = frozenset({404, 410})
_SHORTEST_SECRET = 8
"""Characters: a shorter one may be part of an id by chance."""


def is_success(answer: Answer) -> bool:
    """Tell whether the request was done."""
    return 200 <= answer.status < 300


def refuse_system_fault(http: HttpClient, answer: Answer, *, first: bool, creates: bool) -> None:
    """Raise ConfigurationError for an answer that no other record would change.

    Whether a missing right (403) is the record's or everybody's, the sender tells by how many there are.
    """
    if answer.status == 401:
        raise refused_credentials(http, answer)
    if answer.status == 407 and first:
        raise refused_credentials(http, answer)
    if (creates and answer.status in (404, 405)) or (answer.status == 405 and first):
        raise wrong_path(http, answer)


def created(resource: Resource, reply: Reply, written: Payload, own_place: str | None) -> Outcome:
    """Return the outcome of a create that succeeded: with the id from the body, from Location, or `own_place`."""
    answer, http = reply.answer, resource.http
    try:
        body, is_json = parsed(answer), True
    except ValueError:
        body, is_json = None, False
    location = last_segment(answer.headers.get("Location", ""))
    target_id = (
        key_text(read_at(body, resource.id_field)) or location or (own_place if is_json or not answer.body else None)
    )
    if target_id is not None and not _holds_secret(target_id, http):
        return done(target_id, reply, written)
    quoted = f"status {answer.status}: “{http.quote(answer.body)}”"
    if is_json or not answer.body.strip():
        error = RecordError("no_id", None, f"the answer tells no id at '{resource.id_field}', {quoted}")
    else:
        error = RecordError("not_understood", None, f"the answer is not JSON, {quoted}")
    # It is there by now, so only who can find it may try again without a person.
    return Outcome(None, error, resource.find is not None, answer.status, reply.took, in_doubt=True)


def _holds_secret(target_id: str, http: HttpClient) -> bool:
    """Tell whether what a server gives as an id repeats a secret, for ids are stored and shown."""
    return any(len(secret) >= _SHORTEST_SECRET and secret in target_id for secret in http.settings.secrets)


def updated(resource: Resource, reply: Reply, target_id: str | None, written: Payload | None) -> Outcome:
    """Return the outcome of an update or a delete that succeeded; a page for people is no success."""
    answer = reply.answer
    if answer.content_type == "text/html" and answer.body.lstrip().startswith(b"<"):
        message = f"the answer is a page, status {answer.status}: “{resource.http.quote(answer.body)}”"
        error = RecordError("not_understood", None, message)
        return Outcome(None, error, transient=True, response_code=answer.status, duration_ms=reply.took, in_doubt=True)
    return done(target_id, reply, written)


def done(target_id: str | None, reply: Reply, written: Payload | None) -> Outcome:
    """Return the outcome of a success."""
    return Outcome(target_id, None, response_code=reply.answer.status, duration_ms=reply.took, written=written)


def refused(http: HttpClient, reply: Reply) -> Outcome:
    """Return the outcome of a write that was not done, with what the other side says."""
    return failed(reply, reply.answer.status, said_by(http, reply.answer))


def failed(reply: Reply, status: int, said: Said) -> Outcome:
    """Return the outcome of a record with this status, be it that of the answer or of one result in it."""
    is_server = status >= 500 or status in BUSY
    code = "server_error" if is_server else {409: "conflict", 403: "forbidden", 407: "forbidden"}.get(status, "refused")
    message = said.message or "no reason was given"
    if is_server or not said.message:
        message = f"status {status}: {message}"
    error = RecordError(code, said.field, message)
    # A server that broke may have done its work before.
    return Outcome(None, error, is_server, status, reply.took, in_doubt=status >= 500)


def id_in(record: JSON, id_field: str) -> str | None:
    """Return the id of a record in a list; it stands there without what `id_field` leads through in other answers."""
    return key_text(read_at(record, id_field)) or key_text(read_at(record, id_field.rpartition(".")[2]))
