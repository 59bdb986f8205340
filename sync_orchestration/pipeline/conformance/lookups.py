"""Checks a Lookup: a question or a reason for each record, and answers to what was asked only."""

from collections.abc import Sequence

from sync_orchestration.interface.rows import Payload
from sync_orchestration.mapping.records import RecordError
from sync_orchestration.pipeline.conformance.findings import Findings
from sync_orchestration.pipeline.lookup import Lookup, Question


def check_lookup(lookup: Lookup, payloads: Sequence[Payload], *, unknown: str = "0000000000") -> list[str]:
    """Ask about a few records; each question may have to be paid for. `unknown` is a number of nobody."""
    found = Findings()
    with found.asking("question"):
        found.expect(lookup.name, "the lookup has no name, under which its answers are kept.")
        found.expect(lookup.batch >= 1, "batch is less than one number.")
        questions = [lookup.question(payload) for payload in payloads]
        _check_asking(found, lookup, payloads, questions, unknown)
        found.expect(isinstance(lookup.question({}), Question), "an empty record has no question, not even a reason.")
    return found.sentences


def _check_asking(
    found: Findings, lookup: Lookup, payloads: Sequence[Payload], questions: Sequence[Question], unknown: str
) -> None:
    numbers = list(dict.fromkeys(q.number for q in questions if q.number is not None))[: lookup.batch]
    found.expect(numbers, "no record has a number to ask for, so no answer could be checked.")
    for question in questions:
        found.expect(question.number is not None or question.error, "a record has neither a number nor a reason.")
    if numbers:
        answers = lookup.ask(numbers)
        found.expect(set(answers) <= set(numbers), "ask answers for a number that it was not asked for.")
        for payload, question in zip(payloads, questions, strict=True):
            if question.number in numbers:
                told = lookup.answer(payload, answers.get(question.number, []))
                found.expect(told is None or isinstance(told, dict | RecordError), "answer is no record and no error.")
    found.expect(not lookup.ask([unknown]).get(unknown), f"ask knows something of {unknown}.")
    found.expect(lookup.answer(payloads[0], []) is None, "answer makes something of no answer at all.")
