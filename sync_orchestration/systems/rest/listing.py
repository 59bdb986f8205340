"""A list of records, read page by page to its end, whatever the paging."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sync_orchestration.interface.rows import Payload
from sync_orchestration.mapping.conditions import Condition
from sync_orchestration.mapping.records import JSON
from sync_orchestration.pipeline.errors import ConfigurationError, SyncError, UnavailableError
from sync_orchestration.systems.http import Answer, HttpClient
from sync_orchestration.systems.rest.answers import described, fault_of
from sync_orchestration.systems.rest.paging import Ask, Paging, SeenPage, Single
from sync_orchestration.systems.rest.reading import get_json, is_null_at, key_text, read_at, shape

MOST_PAGES = 1_000_000


@dataclass(frozen=True, slots=True)
class ChangedBy:
    """How a record tells when it changed last (`field`, a dotted path) and how the list is asked for what changed.

    `param` is the query parameter for "changed at or after", in the `format` `iso`, `date`, `epoch`, `epoch_ms` or a
    strftime pattern; without one the whole list is read for each look at the changes.
    """

    field: str
    param: str | None = None
    format: str = "iso"


@dataclass(frozen=True, slots=True)
class Collection:
    """A list of records of a REST API.

    `records` is the dotted path of the list in the answer (None: the answer itself), `key` that of a record's key.
    `record_path` (`/contacts/{key}`) reads one record, which stands at `record` of the answer. A record that meets
    `deleted` counts as gone. `parallel` records are read at a time.
    """

    http: HttpClient
    path: str
    records: str | None = None
    key: str = "id"
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    paging: Paging = field(default_factory=Single)
    record_path: str | None = None
    record: str | None = None
    changed: ChangedBy | None = None
    deleted: Condition | None = None
    parallel: int = 4

    @property
    def shown(self) -> str:
        """The list as messages name it."""
        return f"the list {self.http.masked(self.path)} of {self.http.settings.name}"


@dataclass(frozen=True, slots=True)
class Listed:
    """One record of a list, with its key."""

    key: str
    payload: Payload


@dataclass(frozen=True, slots=True)
class ListPage:
    """One page; `more`: another one follows, be it empty."""

    records: Sequence[Listed]
    more: bool


def pages(collection: Collection, filters: Mapping[str, str], warn: Callable[[str], None]) -> Iterator[ListPage]:
    """Yield the pages of a list under additional `filters`, one request each.

    Raises UnavailableError when it does not come to its end, ConfigurationError when it is no list of records or is
    continued elsewhere. Records without a key are left out with a warning, unless it is all of them.
    """
    http, paging = collection.http, collection.paging
    ask = paging.first(Ask(collection.path, (*collection.params.items(), *filters.items())))
    # Hashes only, for a list may have millions of records and its cursors may be long.
    asked, known, last = {hash(ask)}, set[int](), frozenset[int]()
    before = 0
    for number in range(MOST_PAGES):
        answer, body = get_json(http, ask.path, list(ask.params), collection.headers)
        found = _records_of(collection, answer, body, number)
        listed = _keyed(collection, found, number, warn, seen_before=bool(known))
        keys = frozenset(hash(record.key) for record in listed)
        if keys and keys == last:
            raise _stuck(collection, number, "holds the same records as the page before")
        # A server that begins anew behind its end gives nothing but what was listed.
        ended = paging.by_count and bool(keys) and keys <= known
        seen = SeenPage(ask, body, answer.headers, number, len(found), before)
        following = None if ended else paging.following(seen, http)
        if following is not None and hash(following) in asked:
            raise _stuck(collection, number, "sends to a page that was read already")
        yield ListPage(listed, following is not None)
        if following is None:
            return
        ask, last = following, keys
        asked.add(hash(ask))
        known |= keys
        before += len(found)
    raise _stuck(collection, MOST_PAGES, "is not the last one still")


def _stuck(collection: Collection, number: int, why: str) -> UnavailableError:
    return UnavailableError(
        f"The paging of {collection.shown} does not advance: page {number + 1} {why}. Is its paging configured as the "
        "server does it? Where all records come at once use `none`; where the last page is repeated name the total."
    )


def _records_of(collection: Collection, answer: Answer, body: JSON, number: int) -> list[JSON]:
    """Return the list in an answer; null in its place is an empty one, as some servers write it."""
    http = collection.http
    if not 200 <= answer.status < 300:
        raise _refusal(collection, answer, number)
    if answer.status == 204 and body is None:
        return []
    found = read_at(body, collection.records)
    if isinstance(found, list):
        return found
    if found is None and is_null_at(body, collection.records) and not _has_errors(body):
        return []
    place = "" if collection.records is None else f" at '{collection.records}'"
    message = f"Page {number + 1} of {collection.shown} has no list of records{place}: the answer has {shape(body)}."
    if number or _has_errors(body):
        raise UnavailableError(f"{message} It begins “{http.quote(answer.body)}”.")
    raise ConfigurationError(f"{message} Correct the path of the records.")


def _refusal(collection: Collection, answer: Answer, number: int) -> SyncError:
    if number and answer.status in (400, 404, 416, 422):
        return UnavailableError(
            f"Page {number + 1} of {collection.shown} was answered with {described(collection.http, answer)}. If that "
            "is how the server says that there are no more, name the total in the paging, or use another kind."
        )
    return fault_of(collection.http, answer)


def _has_errors(body: JSON) -> bool:
    return isinstance(body, dict) and bool(body.get("error") or body.get("errors"))


def _keyed(
    collection: Collection, found: list[JSON], number: int, warn: Callable[[str], None], *, seen_before: bool
) -> list[Listed]:
    listed = []
    for record in found:
        key = key_text(read_at(record, collection.key)) if isinstance(record, dict) else None
        if key is not None and isinstance(record, dict):
            listed.append(Listed(key, record))
    missing = len(found) - len(listed)
    if missing and not listed and not seen_before:
        raise ConfigurationError(
            f"No record on page {number + 1} of {collection.shown} has a key at '{collection.key}': the first one has "
            f"{shape(found[0])}. Correct the path of the key."
        )
    if missing:
        warn(
            f"{missing} of {len(found)} records on page {number + 1} of {collection.shown} have no key at "
            f"'{collection.key}' and are left out."
        )
    return listed
