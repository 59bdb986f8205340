"""Where the next page of a list is. Each kind of paging is a value that makes the next request from the last page."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from sync_orchestration.mapping.records import JSON
from sync_orchestration.mapping.values import as_number
from sync_orchestration.pipeline.errors import ConfigurationError, UnavailableError
from sync_orchestration.systems.http import HttpClient
from sync_orchestration.systems.rest.addresses import path_below
from sync_orchestration.systems.rest.reading import key_text, read_at, shape


@dataclass(frozen=True, slots=True)
class Ask:
    """One request for a page: a path below the connection's address, and its parameters."""

    path: str
    params: tuple[tuple[str, str], ...] = ()

    def with_params(self, changes: Mapping[str, str]) -> "Ask":
        """Return the request with these parameters instead of what they were."""
        kept = tuple((name, value) for name, value in self.params if name not in changes)
        return Ask(self.path, (*kept, *changes.items()))


@dataclass(frozen=True, slots=True)
class SeenPage:
    """A page that arrived: `number` counts pages from 0, `before` the records of the pages before, `count` its own."""

    ask: Ask
    body: JSON
    headers: Mapping[str, str]
    number: int
    count: int
    before: int


@dataclass(frozen=True, slots=True)
class Single:
    """The whole list comes with one answer."""

    by_count: ClassVar[bool] = False

    def first(self, ask: Ask) -> Ask:
        return ask

    def following(self, page: SeenPage, http: HttpClient) -> Ask | None:
        """Return None: there is no next page."""
        del page, http
        return None


@dataclass(frozen=True, slots=True)
class PageNumber:
    """Pages are numbered from `first_page` on.

    A server may give fewer records than `size` on every page, so only an empty page is the last, unless the answer
    tells the number of all records or pages at `total` or `total_pages`.
    """

    by_count: ClassVar[bool] = True

    param: str = "page"
    size_param: str | None = None
    size: int = 100
    first_page: int = 1
    total: str | None = None
    total_pages: str | None = None

    def first(self, ask: Ask) -> Ask:
        return _sized(ask, self.size_param, self.size).with_params({self.param: str(self.first_page)})

    def following(self, page: SeenPage, http: HttpClient) -> Ask | None:
        """Return the request for the next page; None after the last one."""
        pages = as_number(read_at(page.body, self.total_pages)) if self.total_pages else None
        if _all_are_listed(page, self.total, http) or (pages is not None and page.number + 1 >= pages):
            return None
        return page.ask.with_params({self.param: str(self.first_page + page.number + 1)})


@dataclass(frozen=True, slots=True)
class Offset:
    """Each page begins after so many records; it ends as PageNumber does."""

    by_count: ClassVar[bool] = True

    param: str = "offset"
    size_param: str | None = "limit"
    size: int = 100
    total: str | None = None

    def first(self, ask: Ask) -> Ask:
        return _sized(ask, self.size_param, self.size).with_params({self.param: "0"})

    def following(self, page: SeenPage, http: HttpClient) -> Ask | None:
        """Return the request for the next page; None after the last one."""
        if _all_are_listed(page, self.total, http):
            return None
        return page.ask.with_params({self.param: str(page.before + page.count)})


@dataclass(frozen=True, slots=True)
class Cursor:
    """The answer tells at `field` what to send as `param` for the next page; nothing there is the end."""

    by_count: ClassVar[bool] = False

    field: str
    param: str = "cursor"
    size_param: str | None = None
    size: int = 100

    def first(self, ask: Ask) -> Ask:
        return _sized(ask, self.size_param, self.size)

    def following(self, page: SeenPage, http: HttpClient) -> Ask | None:
        """Return the request for the next page; None after the last one."""
        told = _told(page, self.field, "cursor", http)
        return None if told is None else page.ask.with_params({self.param: told})


@dataclass(frozen=True, slots=True)
class NextUrl:
    """The answer tells at `field` the address of the next page, absolute or relative; nothing there is the end."""

    by_count: ClassVar[bool] = False

    field: str = "next"
    size_param: str | None = None
    size: int = 100

    def first(self, ask: Ask) -> Ask:
        return _sized(ask, self.size_param, self.size)

    def following(self, page: SeenPage, http: HttpClient) -> Ask | None:
        """Return the request for the next page; None after the last one.

        Raises ConfigurationError for an address elsewhere.
        """
        told = _told(page, self.field, "address", http)
        return None if told is None else Ask(path_below(http, page.ask.path, told))


@dataclass(frozen=True, slots=True)
class LinkHeader:
    """The header Link tells the address of the next page (RFC 8288, rel="next"); without one it is the end."""

    by_count: ClassVar[bool] = False

    size_param: str | None = None
    size: int = 100

    def first(self, ask: Ask) -> Ask:
        return _sized(ask, self.size_param, self.size)

    def following(self, page: SeenPage, http: HttpClient) -> Ask | None:
        """Return the request for the next page; None after the last one.

        Raises ConfigurationError for an address elsewhere.
        """
        told = next_link(page.headers.get("Link", ""))
        return None if told is None else Ask(path_below(http, page.ask.path, told))


Paging: TypeAlias = Single | PageNumber | Offset | Cursor | NextUrl | LinkHeader


def _sized(ask: Ask, param: str | None, size: int) -> Ask:
    return ask if param is None else ask.with_params({param: str(size)})


def _all_are_listed(page: SeenPage, total: str | None, http: HttpClient) -> bool:
    """Tell whether a counted list has ended. Raises UnavailableError when it breaks off before its own total."""
    told = as_number(read_at(page.body, total)) if total else None
    listed = page.before + page.count
    if page.count == 0 and told is not None and told > listed:
        raise UnavailableError(
            f"{http.settings.name} lists {listed} of {told} records of {page.ask.path} and then an empty page. If "
            f"'{total}' counts records too that this user may not see, remove that setting."
        )
    return page.count == 0 or (told is not None and listed >= told)


def _told(page: SeenPage, field: str, what: str, http: HttpClient) -> str | None:
    told = read_at(page.body, field)
    if told is None or told is False or told == "":
        return None
    text = key_text(told)
    if text is None:
        raise ConfigurationError(
            f"{http.settings.name} tells no {what} of the next page at '{field}' of {page.ask.path}, but {shape(told)}."
        )
    return text


_LINK = re.compile(r"\s*<([^>]*)>")
_PARAMETER = re.compile(r"""\s*;\s*([^\s=;,"]+)\s*(?:=\s*("(?:[^"\\]|\\.)*"|[^\s;,"]*))?""")


def next_link(header: str) -> str | None:
    """Return the target of the first link with the relation `next` in a Link header (RFC 8288), or None."""
    for target, parameters in links(header):
        if "next" in parameters.get("rel", "").lower().split() and "anchor" not in parameters:
            return target
    return None


def links(header: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield target and parameters of each link; of a parameter that is given twice the first counts.

    What is no link is passed over up to the next comma.
    """
    place = 0
    while place < len(header):
        link = _LINK.match(header, place)
        if link:
            place = link.end()
            parameters: dict[str, str] = {}
            while parameter := _PARAMETER.match(header, place):
                parameters.setdefault(parameter[1].lower(), _unquoted(parameter[2] or ""))
                place = parameter.end()
            yield link[1].strip(), parameters
        comma = header.find(",", place)
        place = len(header) if comma < 0 else comma + 1


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
