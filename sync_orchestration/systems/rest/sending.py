"""Sends writes a few at a time, notices when the other side is down, and loses no outcome when it stops."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock

from sync_orchestration.mapping.records import JSON, RecordError
from sync_orchestration.pipeline.errors import SyncError, UnavailableError, may_have_acted
from sync_orchestration.pipeline.protocols import Outcome, PartlyDoneError
from sync_orchestration.pipeline.spans import carried
from sync_orchestration.systems.http import Answer
from sync_orchestration.systems.rest.answers import refused_rights
from sync_orchestration.systems.rest.doubts import doubtful
from sync_orchestration.systems.rest.settings import Call, Resource

MOST_FAILING = 20
"""So many records in a row that the server fails at are the server's fault."""

MOST_LOST = 3
"""So many requests in a row without an answer are too: each may have taken its whole time limit."""

MOST_FORBIDDEN = 3
"""So many records in a row that the user may not write, and none that it may, are no matter of single records."""

_SYSTEM_LIKE = frozenset({"server_error", "not_understood"})

Job = Callable[[dict[str, Outcome]], None]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer to a write, and how long it took."""

    answer: Answer
    took: int


class LostAnswerError(Exception):
    """A create may have arrived, but its answer did not. `outcome` is what becomes of its record.

    `can_be_cleared`: the API can be asked for it, or told again.
    """

    def __init__(self, cause: UnavailableError, *, can_be_cleared: bool) -> None:
        super().__init__(str(cause))
        self.cause = cause
        error = RecordError("no_answer", None, str(cause)) if can_be_cleared else doubtful(str(cause))
        self.outcome = Outcome(error=error, transient=can_be_cleared, in_doubt=True)


def _is_forbidden(outcome: Outcome) -> bool:
    return outcome.error is not None and outcome.error.code == "forbidden"


@dataclass(slots=True)
class Sender:
    """The writes of one target. `has_answered`: some write was answered, so the credentials are good for it."""

    resource: Resource
    has_answered: bool = field(default=False, init=False)
    _failing: int = field(default=0, init=False)
    _lost: int = field(default=0, init=False)
    _accepted: bool = field(default=False, init=False)
    _forbidden: int = field(default=0, init=False)
    _lock: Lock = field(default_factory=Lock, init=False)

    def run(self, jobs: Sequence[Job], outcomes: dict[str, Outcome]) -> Mapping[str, Outcome]:
        """Run jobs that each add to `outcomes`: the first ones alone until others are worth trying, then in threads.

        Raises the SyncError that stopped it, as a PartlyDoneError when some outcomes exist.
        """
        stopped: list[SyncError] = []

        def run_one(job: Job) -> None:
            if not stopped:
                try:
                    job(outcomes)
                except SyncError as error:
                    stopped.append(error)

        waiting = list(reversed(jobs))
        while waiting and self._is_unsure and not stopped:
            run_one(waiting.pop())
        if waiting and not stopped:
            with ThreadPoolExecutor(max_workers=self.resource.parallel) as pool:
                list(pool.map(carried(run_one), reversed(waiting)))
        if not stopped:
            return outcomes
        cause = next((error for error in stopped if may_have_acted(error)), stopped[0])
        told = outcomes if self._accepted else {k: o for k, o in outcomes.items() if not _is_forbidden(o)}
        if told:
            raise PartlyDoneError(cause, told) from cause
        raise cause

    @property
    def _is_unsure(self) -> bool:
        """True until some write tells that others are worth trying."""
        return not self.has_answered or (self._forbidden > 0 and not self._accepted)

    def send(self, call: Call, path: str, body: JSON, once: str | None = None) -> Reply:
        """Send one write. `once` is the key of what must not be done twice: a create that is not put to a known place.

        Raises LostAnswerError when such a request may have been acted upon, UnavailableError when it was not, or
        when it may as well be sent again later. A record that can be looked up is never sent again unlooked-for: not
        every API that is sent an idempotency key heeds it.
        """
        resource = self.resource
        headers = dict(resource.headers)
        if once is not None and resource.idempotency_header:
            headers[resource.idempotency_header] = once
        repeatable = once is None or (bool(resource.idempotency_header) and resource.find is None)
        started = time.monotonic()
        try:
            answer = resource.http.send(
                call.method, path, json_body=body, headers=headers, repeatable=repeatable, refusals=(500,)
            )
        except UnavailableError as error:
            if once is None or not error.may_have_acted:
                raise
            raise LostAnswerError(error, can_be_cleared=resource.find is not None or resource.repeats) from None
        return Reply(answer, round((time.monotonic() - started) * 1_000))

    def heard(self, reply: Reply, *outcomes: Outcome) -> None:
        """Take note of an answer and what became of its records.

        Raises UnavailableError when nothing but failures comes back, ConfigurationError when the user may write none.
        """
        http = self.resource.http
        with self._lock:
            self.has_answered, self._lost = True, 0
            for outcome in outcomes:
                failed = outcome.error is not None and outcome.error.code in _SYSTEM_LIKE
                self._failing = self._failing + 1 if failed else 0
                self._accepted |= outcome.error is None
                self._forbidden += _is_forbidden(outcome)
            down = self._failing >= MOST_FAILING
            shut_out = self._forbidden >= MOST_FORBIDDEN and not self._accepted
        if shut_out:
            raise refused_rights(http, reply.answer)
        if down:
            raise UnavailableError(
                f"{http.settings.name} answers every record with status {reply.answer.status}: "
                f"“{http.quote(reply.answer.body)}”. Nothing more was sent after {MOST_FAILING} in a row."
            )

    def missed(self, lost: LostAnswerError) -> None:
        """Take note of an answer that did not arrive. Raises its cause when that goes on."""
        with self._lock:
            self._lost += 1
            down = self._lost >= MOST_LOST
        if down:
            # What is in doubt has its outcome; nothing else was sent.
            raise UnavailableError(str(lost.cause), lost.cause.retry_after)
