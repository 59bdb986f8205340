"""The kit for authors of systems: it says nothing of a good one, and names each way in which one is bad."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from sync_orchestration.mapping.records import RecordError
from sync_orchestration.pipeline.conformance import check_lookup, check_source, check_target
from sync_orchestration.pipeline.lookup import Question
from sync_orchestration.pipeline.protocols import (
    Change,
    ChangePage,
    CurrentRecord,
    InventoryItem,
    Outcome,
    SourceHead,
    SourceRecord,
    TargetRecord,
)
from sync_orchestration_tests.pipeline.toys import ToySource, ToyTarget

RECORDS = [TargetRecord(key, f"ext-{key}", {"name": f"Firma {key}"}, None) for key in "abc"]
REFUSED = TargetRecord("z", "ext-z", {"name": "bad"}, None)


class CountedSource(ToySource):
    """A source that can be counted through."""

    def inventory(self) -> Iterator[Sequence[InventoryItem]]:
        yield [InventoryItem(key, 1, self.records[key]) for key in self.records]


def filled(source: ToySource) -> ToySource:
    for key in "abcde":
        source.put(key, name=f"Firma {key}")
    source.put("b", name="Firma B")
    source.drop("d")
    return source


def test_nothing_is_said_of_a_good_source() -> None:
    assert check_source(filled(CountedSource())) == []


def pages(source: ToySource, change: Callable[[ChangePage], ChangePage]) -> None:
    good = source._page
    source._page = lambda start: change(good(start))  # type: ignore[method-assign]


def fingerprint_of_the_moment(source: ToySource) -> None:
    heads = iter(range(1_000))
    source.head = lambda: SourceHead(source.newest, f"history {next(heads)}")  # type: ignore[method-assign]


def forgets(source: ToySource) -> None:
    good, asked = source._page, iter(range(1_000))

    def page(start: int) -> ChangePage:
        found = good(start)
        return replace(found, changes=found.changes[next(asked) % 2 :])

    source._page = page  # type: ignore[method-assign]


def fetches(source: ToySource, answer: Callable[[str], SourceRecord | None]) -> None:
    def fetch(keys: Sequence[str]) -> Mapping[str, SourceRecord]:
        return {key: found for key in keys if (found := answer(key)) is not None}

    source.fetch = fetch  # type: ignore[method-assign]


def lists(source: ToySource, change: Callable[[list[SourceRecord]], list[SourceRecord]]) -> None:
    def snapshot(after: str | None) -> Iterator[Sequence[SourceRecord]]:
        yield change([source._record(key) for key in sorted(source.records)])

    source.snapshot = snapshot  # type: ignore[method-assign]


def fails(source: ToySource) -> None:
    def head() -> SourceHead:
        raise KeyError("version")

    source.head = head  # type: ignore[method-assign]


BAD_SOURCES: dict[str, tuple[Callable[[ToySource], None], str]] = {
    "a fingerprint of the moment": (fingerprint_of_the_moment, "head tells another fingerprint each time"),
    "no fingerprint": (lambda s: setattr(s, "fingerprint", ""), "head tells no fingerprint"),
    "a head that fails": (fails, "head failed: KeyError: 'version'."),
    "pages in any order": (
        lambda s: pages(s, lambda p: replace(p, changes=p.changes[::-1])),
        "a page of changes is not in ascending order",
    ),
    "positions that are shared": (
        lambda s: pages(s, lambda p: replace(p, changes=[replace(c, position=c.position // 2) for c in p.changes])),
        "two changes have the same position: then the feed must be times.",
    ),
    "a next position that stands still": (
        lambda s: pages(s, lambda p: replace(p, next_position=p.next_position - 1)),
        "next_position is not beyond the last change",
    ),
    "more that never comes": (
        lambda s: setattr(s, "changes", lambda start: iter([replace(s._page(start), more=True)])),
        "the last page of changes says that there are more.",
    ),
    "a newest position of the past": (
        lambda s: pages(s, lambda p: replace(p, newest=1)),
        "newest lies before a change of its own page.",
    ),
    "changes that are told once": (forgets, "changes tells other changes when it is asked again"),
    "a start that is passed over": (
        lambda s: setattr(s, "changes", lambda start: iter([replace(s._page(start + (start > 0)), more=False)])),
        "does not tell exactly the changes at or after",
    ),
    "an operation of its own": (
        lambda s: pages(s, lambda p: replace(p, changes=[replace(c, operation="upsert") for c in p.changes])),  # type: ignore[arg-type]
        "a change is a 'upsert': no operation.",
    ),
    "a change without a key": (
        lambda s: pages(s, lambda p: replace(p, changes=[replace(c, key="") for c in p.changes])),
        "a change has no key",
    ),
    "a peek that sees nothing": (
        lambda s: setattr(s, "peek", lambda start: ChangePage([], start, s.newest, more=False)),
        "peek(0) says that nothing is new",
    ),
    "a peek that sees everything always": (
        lambda s: setattr(s, "peek", lambda start: s._page(0)),
        "peek tells changes after the newest position.",
    ),
    "a record listed twice": (lambda s: lists(s, lambda found: found + found[:1]), "snapshot lists a record twice."),
    "nothing listed": (lambda s: lists(s, lambda found: []), "snapshot lists no record"),
    "a record that is not listed": (lambda s: lists(s, lambda found: found[1:]), "a change of ['a'] is told, but"),
    "a listing that does not go on": (
        lambda s: setattr(s, "snapshot", lambda after: iter([] if after else [[s._record(k) for k in s.records]])),
        "snapshot, going on after",
    ),
    "a payload that is no JSON": (
        lambda s: s.records["a"].update(when=object()),
        "the payload of a is no JSON object.",
    ),
    "a record for every key": (
        lambda s: fetches(s, lambda key: s._record(key) if key in s.records else SourceRecord(key, {})),
        "fetch gives a record for the key 999999999, which no record has.",
    ),
    "a record that cannot be fetched": (lambda s: fetches(s, lambda key: None), "fetch leaves out a, which snapshot"),
    "a record told in two ways": (
        lambda s: fetches(s, lambda key: SourceRecord(key, {"name": "?"}) if key in s.records else None),
        "fetch and snapshot tell a differently",
    ),
    "a record under another's key": (
        lambda s: fetches(s, lambda key: s._record("a") if key in s.records else None),
        "fetch gives under b the record a.",
    ),
    "an inventory that leaves some out": (
        lambda s: setattr(s, "inventory", lambda: iter([[InventoryItem("a", 1)]])),
        "inventory counts other records than snapshot lists.",
    ),
    "an inventory that counts twice": (
        lambda s: setattr(s, "inventory", lambda: iter([[InventoryItem(k, 1) for k in [*s.records, "a"]]])),
        "inventory counts a record twice.",
    ),
}


@pytest.mark.parametrize(("spoil", "said"), BAD_SOURCES.values(), ids=BAD_SOURCES)
def test_what_is_wrong_with_a_source_is_said(spoil: Callable[[ToySource], None], said: str) -> None:
    source = filled(CountedSource())
    spoil(source)
    assert [sentence for sentence in check_source(source) if said in sentence] != []


def test_changes_that_never_end_are_said_too() -> None:
    source = filled(ToySource())
    page = ChangePage([Change("a", "update", 1)], 2, 2, more=True)

    def endless(start: int) -> Iterator[ChangePage]:
        while True:
            yield page

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sync_orchestration.pipeline.conformance.sources._MOST_PAGES", 10)
        source.changes = endless  # type: ignore[method-assign]
        assert "changes does not end: 10 pages were read." in check_source(source)


def test_nothing_is_said_of_a_good_target_and_nothing_is_left_in_it() -> None:
    target = ToyTarget(refuses={"bad": "no such name"})
    assert check_target(target, RECORDS, {"name": "Another"}, refused=REFUSED) == []
    assert target.stored == {}


def upserts(target: ToyTarget, change: Callable[[dict[str, Outcome]], object]) -> None:
    good = target.upsert

    def upsert(records: Sequence[TargetRecord], current: Mapping[str, CurrentRecord]) -> Mapping[str, Outcome]:
        told = dict(good(records, current))
        change(told)
        return told

    target.upsert = upsert  # type: ignore[method-assign]


def doubles(target: ToyTarget) -> None:
    """Know no records but by the id that was told."""
    ids = iter(range(1_000))

    def upsert(records: Sequence[TargetRecord], current: Mapping[str, CurrentRecord]) -> Mapping[str, Outcome]:
        told = {}
        for record in records:
            target_id = record.target_id or f"id-{next(ids)}"
            target.stored[target_id] = dict(record.values)
            told[record.key] = Outcome(target_id)
        return told

    def current(records: Sequence[TargetRecord]) -> Mapping[str, CurrentRecord | RecordError]:
        known = {r.key: r.target_id for r in records if r.target_id in target.stored}
        return {key: CurrentRecord(str(i), target.stored[str(i)]) for key, i in known.items()}

    target.upsert, target.current = upsert, current  # type: ignore[method-assign]


def rounds(target: ToyTarget) -> None:
    good = target.current

    def current(records: Sequence[TargetRecord]) -> Mapping[str, CurrentRecord | RecordError]:
        found = {k: c for k, c in good(records).items() if isinstance(c, CurrentRecord)}
        return {key: replace(one, values={"name": str(one.values["name"])[:3]}) for key, one in found.items()}

    target.current = current  # type: ignore[method-assign]


def nobody_is_gone(target: ToyTarget) -> None:
    target.delete = lambda records: {r.key: Outcome() for r in records}  # type: ignore[method-assign]


def gone_is_an_error(target: ToyTarget) -> None:
    good = target.delete

    def delete(records: Sequence[TargetRecord]) -> Mapping[str, Outcome]:
        error = Outcome(error=RecordError("gone", None, "there is no such record"))
        there = {r.key for r in records if r.external_id in target.stored}
        return {**good(records), **{r.key: error for r in records if r.key not in there}}

    target.delete = delete  # type: ignore[method-assign]


def raises(target: ToyTarget) -> None:
    def upsert(records: Sequence[TargetRecord], current: Mapping[str, CurrentRecord]) -> Mapping[str, Outcome]:
        raise ValueError("one of them is bad")

    target.upsert = upsert  # type: ignore[method-assign]


BAD_TARGETS: dict[str, tuple[Callable[[ToyTarget], Any], str]] = {
    "an outcome that is not told": (
        lambda t: upserts(t, lambda told: told.pop("a", None)),
        "upsert tells no outcome of a.",
    ),
    "an id that is not told": (
        lambda t: upserts(t, lambda told: told.update({k: Outcome() for k in told})),
        "upsert tells no target_id of a, which is a text.",
    ),
    "records made twice": (doubles, "upsert made a twice, after a try whose answer was lost."),
    "values that come back otherwise": (rounds, "name is 'Fir' and not 'Firma a': each run would write it again."),
    "a record that is not found again": (
        lambda t: setattr(t, "current", lambda records: {}),
        "current does not find a after it was written.",
    ),
    "a record that is found before it was written": (
        lambda t: setattr(t, "current", lambda records: {r.key: CurrentRecord(r.external_id, {}) for r in records}),
        "current finds records that were not written yet.",
    ),
    "a delete that does nothing": (nobody_is_gone, "current still finds ['a'] after its delete."),
    "a delete that minds": (gone_is_an_error, "delete, repeated, fails for a: there is no such record."),
    "an error that is raised": (raises, "upsert failed: ValueError: one of them is bad."),
    "a refusal that is not told": (lambda t: t.refuses.clear(), "upsert tells no error of z, which must be refused."),
    "a refusal without a reason": (lambda t: t.refuses.update(bad=""), "upsert tells no reason why z is refused."),
}


@pytest.mark.parametrize(("spoil", "said"), BAD_TARGETS.values(), ids=BAD_TARGETS)
def test_what_is_wrong_with_a_target_is_said(spoil: Callable[[ToyTarget], Any], said: str) -> None:
    target = ToyTarget(refuses={"bad": "no such name"})
    spoil(target)
    found = check_target(target, RECORDS, {"name": "Another"}, refused=REFUSED)
    assert [sentence for sentence in found if said in sentence] != [], found


class Register:
    """A lookup in memory."""

    name, batch = "register", 10

    def __init__(self, **bodies: dict[str, Any]) -> None:
        self.bodies = bodies

    def question(self, payload: dict[str, Any]) -> Question:
        number = payload.get("number")
        return Question(number) if number else Question(None, RecordError("empty", "number", "no number"), skip=True)

    def ask(self, numbers: Sequence[str]) -> Mapping[str, list[dict[str, Any]]]:
        return {number: [self.bodies[number]] for number in numbers if number in self.bodies}

    def answer(self, payload: dict[str, Any], bodies: Sequence[dict[str, Any]]) -> dict[str, Any] | RecordError | None:
        return bodies[0] if bodies else None


PAYLOADS: list[Any] = [{"number": "1"}, {"number": "2"}, {}]

BAD_LOOKUPS: dict[str, tuple[Callable[[Register], Any], str]] = {
    "an answer about another": (
        lambda r: setattr(r, "ask", lambda numbers: {"7": []}),
        "ask answers for a number that it was not asked for.",
    ),
    "an answer about everything": (
        lambda r: setattr(r, "ask", lambda numbers: {n: [{"name": "?"}] for n in numbers}),
        "ask knows something of 0000000000.",
    ),
    "no question and no reason": (
        lambda r: setattr(r, "question", lambda payload: Question(payload.get("number"))),
        "a record has neither a number nor a reason.",
    ),
    "something made of nothing": (
        lambda r: setattr(r, "answer", lambda payload, bodies: {}),
        "answer makes something of no answer at all.",
    ),
    "an answer that fails": (
        lambda r: setattr(r, "answer", lambda payload, bodies: bodies[0]),
        "question failed: IndexError: list index out of range.",
    ),
}


def test_nothing_is_said_of_a_good_lookup() -> None:
    assert check_lookup(Register(**{"1": {"name": "Alfa"}}), PAYLOADS) == []


@pytest.mark.parametrize(("spoil", "said"), BAD_LOOKUPS.values(), ids=BAD_LOOKUPS)
def test_what_is_wrong_with_a_lookup_is_said(spoil: Callable[[Register], Any], said: str) -> None:
    register = Register(**{"1": {"name": "Alfa"}})
    spoil(register)
    assert said in check_lookup(register, PAYLOADS)
