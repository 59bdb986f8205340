"""Addresses that a server or a record gives: they must not lead a request away from where it belongs."""

import re
from collections.abc import Mapping
from urllib.parse import quote, unquote, urljoin, urlsplit

from sync_orchestration.mapping.records import RecordError
from sync_orchestration.pipeline.errors import ConfigurationError
from sync_orchestration.systems.http import HttpClient
from sync_orchestration.systems.request_spans import KeyedPath

_PLACE = re.compile(r"\{([^{}]*)\}")
_PORTS = {"http": 80, "https": 443}
_LEADS_ELSEWHERE = frozenset({"", ".", ".."})


def filled(template: str, values: Mapping[str, str]) -> str | RecordError:
    """Return a path with ``{id}`` and ``{key}`` filled in, percent-encoded; an error for a value that no path can hold.

    Dots alone would climb out of the path, even encoded, and nothing at all would address the whole collection.
    """
    unknown = [name for name in _PLACE.findall(template) if name not in values]
    if unknown:
        raise ConfigurationError(
            f"The path {template} has {{{unknown[0]}}}, but only {' and '.join(f'{{{v}}}' for v in values)} can stand "
            "in it."
        )
    path, separator, query = template.partition("?")
    segments = [_with_values(segment, values) for segment in path.split("/")]
    for segment, given in zip(segments, path.split("/"), strict=True):
        if _PLACE.search(given) and segment in _LEADS_ELSEWHERE:
            return RecordError("bad_id", None, f"'{segment}' cannot be part of the path {template}")
    return KeyedPath("/".join(segments) + separator + _with_values(query, values), template)


def _with_values(text: str, values: Mapping[str, str]) -> str:
    return _PLACE.sub(lambda place: quote(values[place[1]], safe="", errors="surrogatepass"), text)


def last_segment(location: str) -> str | None:
    """Return the last segment of a Location header, which is the id of what was created."""
    try:
        path = urlsplit(location).path
    except ValueError:
        return None
    return unquote(path.rstrip("/").rpartition("/")[2]).strip() or None


def path_below(http: HttpClient, asked: str, address: str) -> str:
    """Return an address that the server gave, absolute or relative to the path just asked, as a path of `http`.

    Raises ConfigurationError for another scheme, host or port, where the credentials must not go, and for a place
    outside of the connection's own path.
    """
    name, base = http.settings.name, http.settings.base_url.rstrip("/")
    try:
        # Joined twice, for only a relative reference is rid of its dots.
        joined = urlsplit(urljoin(base + asked, address.strip()))
        target = urlsplit(urljoin(base + asked, joined._replace(scheme="", netloc="").geturl() or "/"))
        home = urlsplit(base)
        is_home = _origin(joined.scheme, joined.hostname, joined.port) == _origin(home.scheme, home.hostname, home.port)
    except ValueError:
        raise ConfigurationError(
            http.masked(f"{name} gave an address of the next page that is none: {address[:200]}.")
        ) from None
    if not is_home:
        raise ConfigurationError(
            http.masked(
                f"{name} sends to {joined.scheme}://{joined.netloc.rpartition('@')[2]} for the next page, but its "
                f"address is {http.settings.shown_url}: the credentials would leave, so it is not followed. Correct "
                "the address of the connection, or how the server (or a proxy before it) names itself."
            )
        )
    below = target.path.removeprefix(home.path)
    if not target.path.startswith(home.path) or (below and not below.startswith("/")):
        raise ConfigurationError(
            http.masked(
                f"{name} sends to {target.path} for the next page, which is not below its address "
                f"{http.settings.shown_url}. Shorten the address of the connection, and put the rest into the path."
            )
        )
    return below + (f"?{target.query}" if target.query else "")


def _origin(scheme: str, host: str | None, port: int | None) -> tuple[str, str | None, int | None]:
    return scheme.lower(), host, port or _PORTS.get(scheme.lower())
