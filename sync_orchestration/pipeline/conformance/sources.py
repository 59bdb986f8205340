"""Checks a Source: its positions, that it tells the same again, whole and in parts, and that its lists agree."""

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice, pairwise
from typing import Any

from sync_orchestration.pipeline.conformance.findings import Findings, check_description
from sync_orchestration.pipeline.landing import Feed
from sync_orchestration.pipeline.protocols import Change, ChangePage, InventorySource, Source, SourceRecord

_MOST_PAGES = 10_000
_A_FEW = 5
_OPERATIONS = frozenset({"create", "update", "delete"})


def check_source(source: Source, *, feed: Feed = "versions", unknown: str = "999999999") -> list[str]:
    """Read a source whole, and again, and in parts; write nothing. `unknown` is a key that no record has."""
    found = Findings()
    with found.asking("head"):
        _check_head(found, source)
    changes: list[Change] = []
    with found.asking("changes"):
        changes = _check_changes(found, source, feed)
    with found.asking("peek"):
        _check_peek(found, source, changes)
    records: dict[str, SourceRecord] = {}
    with found.asking("snapshot"):
        records = _check_snapshot(found, source, goes_on=feed != "sweep")
    with found.asking("fetch"):
        _check_fetch(found, source, records, changes, unknown)
    if isinstance(source, InventorySource):
        with found.asking("inventory"):
            _check_inventory(found, source, records)
    with found.asking("describe"):
        check_description(found, source)
    return found.sentences


def _check_head(found: Findings, source: Source) -> None:
    head = source.head()
    found.expect(_is_position(head.position), "head tells no position, a number from 0 on.")
    found.expect(_is_text(head.fingerprint), "head tells no fingerprint of its history.")
    found.expect(
        source.head().fingerprint == head.fingerprint,
        "head tells another fingerprint each time: everything would be read anew each time.",
    )


def _check_changes(found: Findings, source: Source, feed: Feed) -> list[Change]:
    """Check the changes and return all of them."""
    pages = _bounded(found, "changes", source.changes(0))
    for page in pages:
        _check_page(found, page, feed)
    for page, following in pairwise(pages):
        found.expect(page.more, "changes ends with a page before the last one that says more=False.")
        found.expect(
            page.next_position <= following.next_position, "changes goes back: next_position falls from page to page."
        )
        if feed == "versions" and following.changes:
            found.expect(
                following.changes[0].position >= page.next_position,
                "changes lists a change below the next_position of the page before, so a window would miss it.",
            )
    found.expect(pages, "changes yields no page, not even an empty one that says where it stands.")
    found.expect(not pages or not pages[-1].more, "the last page of changes says that there are more.")
    changes = [change for page in pages for change in page.changes]
    again = _listed(found, source, 0)
    found.expect(
        _told(again) == _told(changes), "changes tells other changes when it is asked again: no window can be re-read."
    )
    if feed == "sweep":
        _check_going_on(found, source, pages)
    elif changes:
        middle = sorted(change.position for change in changes)[len(changes) // 2]
        found.expect(
            _told(_listed(found, source, middle)) == _told(one for one in changes if one.position >= middle),
            f"changes({middle}) does not tell exactly the changes at or after {middle} that changes(0) tells.",
        )
    return changes


def _check_going_on(found: Findings, source: Source, pages: Sequence[ChangePage]) -> None:
    """Take up a sweep behind a page in its middle; records of a page may share a position, so no other place counts."""
    number = (len(pages) - 1) // 2
    for page in pages[number : number + 1]:
        wanted = {change.key for later in pages[number + 1 :] for change in later.changes}
        told = {change.key for change in _listed(found, source, page.next_position)}
        found.expect(
            told == wanted, f"changes({page.next_position}) does not tell what comes after the page that ends there."
        )


def _check_page(found: Findings, page: ChangePage, feed: Feed) -> None:
    positions = [change.position for change in page.changes]
    found.expect(positions == sorted(positions), "a page of changes is not in ascending order of positions.")
    if feed == "versions":
        found.expect(
            len(set(positions)) == len(positions), "two changes have the same position: then the feed must be times."
        )
        found.expect(
            not positions or page.next_position > positions[-1],
            "next_position is not beyond the last change of its page, which would be listed again for ever.",
        )
    found.expect(not positions or page.newest >= positions[-1], "newest lies before a change of its own page.")
    for change in page.changes:
        found.expect(change.operation in _OPERATIONS, f"a change is a {change.operation!r}: no operation.")
        if change.part is None:
            found.expect(_is_text(change.key), "a change has no key, which is a text.")


def _check_peek(found: Findings, source: Source, changes: Sequence[Change]) -> None:
    first = source.peek(0)
    told = set(_told(changes))
    found.expect(set(_told(first.changes)) <= told, "peek(0) tells changes that changes(0) does not tell.")
    found.expect(
        first.changes or first.more or not changes, "peek(0) says that nothing is new, where changes(0) tells changes."
    )
    last = max([source.head().position, *(change.position for change in changes)])
    found.expect(not source.peek(last + 1).changes, "peek tells changes after the newest position.")


def _check_snapshot(found: Findings, source: Source, *, goes_on: bool) -> dict[str, SourceRecord]:
    """Check the listing and return its records by key; a listing that `goes_on` is taken up where it was left."""
    listed = [record for page in _bounded(found, "snapshot", source.snapshot(None)) for record in page]
    records = {record.key: record for record in listed}
    found.expect(listed, "snapshot lists no record, so nothing of it could be checked: put a few in.")
    found.expect(len(records) == len(listed), "snapshot lists a record twice.")
    for record in listed:
        found.expect(_is_text(record.key), "snapshot lists a record without a key.")
        found.expect(_is_json(record.payload), f"the payload of {record.key} is no JSON object.")
    if listed and goes_on:
        middle = len(listed) // 2
        rest = {
            record.key for page in _bounded(found, "snapshot", source.snapshot(listed[middle].key)) for record in page
        }
        missed = [record.key for record in listed[middle + 1 :] if record.key not in rest]
        found.expect(
            not missed, f"snapshot, going on after {listed[middle].key}, leaves out {len(missed)} that come after it."
        )
    return records


def _check_fetch(
    found: Findings, source: Source, records: Mapping[str, SourceRecord], changes: Sequence[Change], unknown: str
) -> None:
    some = list(records)[:_A_FEW]
    fetched = source.fetch([*some, unknown])
    found.expect(unknown not in fetched, f"fetch gives a record for the key {unknown}, which no record has.")
    for key in some:
        if not found.expect(key in fetched, f"fetch leaves out {key}, which snapshot lists."):
            continue
        found.expect(fetched[key].key == key, f"fetch gives under {key} the record {fetched[key].key}.")
        found.expect(
            fetched[key].payload == records[key].payload,
            f"fetch and snapshot tell {key} differently, so it would seem to change all the time.",
        )
    newest = {change.key: change for change in changes if change.part is None}
    gone = [key for key, change in newest.items() if change.operation == "delete" and key not in records][:_A_FEW]
    found.expect(not gone or not source.fetch(gone), "fetch gives a record whose newest change is its delete.")
    there = [key for key, change in newest.items() if change.operation != "delete"]
    missing = [key for key in there if key not in records]
    found.expect(not missing, f"a change of {missing[:1]} is told, but snapshot does not list that record.")


def _check_inventory(found: Findings, source: InventorySource, records: Mapping[str, SourceRecord]) -> None:
    items = [item for page in _bounded(found, "inventory", source.inventory()) for item in page]
    keys = [item.key for item in items]
    found.expect(len(set(keys)) == len(keys), "inventory counts a record twice.")
    found.expect(set(keys) == set(records), "inventory counts other records than snapshot lists.")
    for item in items:
        same = item.payload is None or item.key not in records or item.payload == records[item.key].payload
        found.expect(same, f"inventory and snapshot tell {item.key} differently, so it would change all the time.")


def _listed(found: Findings, source: Source, start: int) -> list[Change]:
    return [change for page in _bounded(found, "changes", source.changes(start)) for change in page.changes]


def _bounded(found: Findings, what: str, pages: Iterable[Any]) -> list[Any]:
    listed = list(islice(iter(pages), _MOST_PAGES))
    found.expect(len(listed) < _MOST_PAGES, f"{what} does not end: {_MOST_PAGES} pages were read.")
    return listed


def _told(changes: Iterable[Change]) -> list[tuple[int, str, str]]:
    return sorted((change.position, change.key, change.operation) for change in changes)


def _is_position(value: object) -> bool:
    return isinstance(value, int) and value >= 0


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_json(payload: object) -> bool:
    try:
        json.dumps(payload)
    except (TypeError, ValueError):
        return False
    return isinstance(payload, dict)
