"""Look up: what another system knows about records, asked in batches and kept, so that nothing is paid for twice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from typing import Any, Protocol, runtime_checkable

from psycopg import Connection

from sync_orchestration.interface.lookups import fresh_answers, store_answers
from sync_orchestration.interface.rows import ClaimedRow, Payload
from sync_orchestration.mapping.records import RecordError
from sync_orchestration.pipeline.spans import span

ANSWER = "register"
"""Under this name a record's mapping finds what was looked up."""


@dataclass(frozen=True, slots=True)
class Question:
    """The number to ask for, or why there is none; `skip` when that is no fault of the record."""

    number: str | None
    error: RecordError | None = None
    skip: bool = False


class Lookup(Protocol):
    """A system that is asked about records by number."""

    @property
    def batch(self) -> int:
        """How many numbers one request may ask for."""

    @property
    def name(self) -> str:
        """What is asked, e.g. kontur/inn; answers are kept under this name."""

    def question(self, payload: Payload) -> Question:
        """Return what to ask about a record."""

    def ask(self, numbers: Sequence[str]) -> Mapping[str, list[Payload]]:
        """Ask for up to `batch` numbers with one request; a number that is unknown is left out."""

    def answer(self, payload: Payload, bodies: Sequence[Payload]) -> Payload | RecordError | None:
        """Return what the answer says about this record; None: nothing."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What is spent of one quota of a system that is asked."""

    method: str
    limit: int
    spent: int


@runtime_checkable
class Metered(Protocol):
    """A lookup whose questions are counted or paid for."""

    def usage(self) -> Sequence[Usage]:
        """Return what is spent of each quota; asking for that must cost nothing."""


@dataclass(slots=True)
class LookupCounts:
    """How many distinct numbers there were, and how many of them had to be asked for."""

    numbers: int = 0
    asked: int = 0
    found: int = 0


@dataclass(slots=True)
class Enquiry:
    """A lookup with its memory: an answer younger than `max_age` is not asked for again.

    With `only_kept`, for a dry run, nothing is asked at all, since a question may have to be paid for.
    """

    conn: Connection[Any]
    lookup: Lookup
    max_age: timedelta = timedelta(hours=24)
    only_kept: bool = False
    counts: LookupCounts = field(default_factory=LookupCounts)

    @span("look up")
    def ask_about(self, payloads: Sequence[Payload]) -> dict[str, list[Payload]]:
        """Return the bodies by number for all askable records, each number once; what was asked is kept at once.

        Raises SyncError when the system cannot be asked; the answers so far stay.
        """
        questions = (self.lookup.question(payload).number for payload in payloads)
        numbers = list(dict.fromkeys(number for number in questions if number is not None))
        answers = fresh_answers(self.conn, self.lookup.name, numbers, self.max_age)
        missing = [] if self.only_kept else [number for number in numbers if number not in answers]
        self.counts.numbers += len(numbers)
        iterator = iter(missing)
        while batch := list(islice(iterator, self.lookup.batch)):
            found = self.lookup.ask(batch)
            bodies = {number: list(found.get(number, [])) for number in batch}
            with self.conn.transaction():
                store_answers(self.conn, self.lookup.name, bodies)
            answers.update(bodies)
            self.counts.asked += len(batch)
            self.counts.found += len(found)
        return answers

    def enrich(self, rows: Sequence[ClaimedRow]) -> dict[str, Payload | Question]:
        """Return each row's payload with the answer under ANSWER, or the question that has none (with its reason)."""
        answers = self.ask_about([row.payload or {} for row in rows])
        return {row.record_key: self._enriched(row.payload or {}, answers) for row in rows}

    def _enriched(self, payload: Payload, answers: Mapping[str, list[Payload]]) -> Payload | Question:
        question = self.lookup.question(payload)
        if question.number is None:
            return question
        if question.number not in answers:
            reason = RecordError("not_asked", None, f"{self.lookup.name} is only asked about it by a run")
            return Question(None, reason, skip=True)
        answer = self.lookup.answer(payload, answers[question.number])
        if answer is None:
            reason = RecordError("not_found", None, f"{self.lookup.name} knows no {question.number}")
            return Question(None, reason, skip=True)
        if isinstance(answer, RecordError):
            return Question(None, answer)
        return {**payload, ANSWER: answer}
