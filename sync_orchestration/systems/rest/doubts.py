"""Records that may have been made without our hearing of it: which may be sent again, and which wait for a person.

A server that heeds an idempotency key promises something for the very same request only, and for some time: by the
IETF's draft another body under a used key is refused (422; with others 400 or 409), and some give the first answer
whatever the body is. A key that it has not heard, or has forgotten, makes a record anew.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

from sync_orchestration.mapping.diff import payload_hash
from sync_orchestration.mapping.records import JSON, RecordError
from sync_orchestration.pipeline.protocols import Outcome, TargetRecord
from sync_orchestration.systems.rest.settings import Resource

_STILL_AT_IT = 409
"""Of a used key: the first request is not over, or it was another one."""

_NO_ANSWER = "an earlier try had no answer"


def doubtful(why: str = _NO_ANSWER, field: str | None = None) -> RecordError:
    """Return the error of a record that may be there, of an API that can neither be asked nor told twice."""
    said = f"{why.rstrip('.')}. It may have been made: look there, delete it if it is, then retry"
    return RecordError("in_doubt", field, said)


def may_be_sent_again(resource: Resource, record: TargetRecord) -> bool:
    """Tell whether making a record, which may have been made before, makes no second one.

    Either by its nature, or because its key still stands for it.
    """
    return resource.puts or key_holds(resource, record)


def key_holds(resource: Resource, record: TargetRecord) -> bool:
    """Tell whether the very same request goes out under the very same key as at first, while that is remembered."""
    first = record.first_tried_at
    return resource.repeats and first is not None and datetime.now(UTC) - first < resource.keys_last


def request_key(resource: Resource, records: Sequence[TargetRecord]) -> str:
    """Return the idempotency key of a request that makes these records.

    It is the same for every try of one doubt and no other: a record that is made anew, after a person's word or after
    it was deleted, must not be answered with the one before. What is sent is no part of it, or news of a record whose
    answer was lost would make a second one.
    """
    tries: list[JSON] = [
        [record.key, uuid4().hex if record.first_tried_at is None else record.first_tried_at.isoformat()]
        for record in records
    ]
    return payload_hash([resource.namespace, tries])


def refused_again(outcome: Outcome) -> Outcome:
    """Return what a refusal means for a record that was sent before: the first try may have made it all the same."""
    error = outcome.error
    if error is None or error.code == "forbidden" or (outcome.transient and outcome.response_code != _STILL_AT_IT):
        return replace(outcome, in_doubt=True)
    error = doubtful(f"{_NO_ANSWER}, and this one was refused: {error.message}", error.field)
    return replace(outcome, error=error, transient=outcome.response_code == _STILL_AT_IT, in_doubt=True)
