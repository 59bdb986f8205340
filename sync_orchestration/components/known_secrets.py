"""Every secret that this process was given: what no text that leaves it may hold, whichever system echoes it.

Which variables hold secrets is known once the YAML is loaded; their values are read whenever a text is masked.
"""

import os
from collections.abc import Iterable
from urllib.parse import parse_qs, unquote, urlsplit

from sync_orchestration.mapping.scrub import mask
from sync_orchestration.systems.messengers import secrets_in

SHORTEST = 8
"""Shorter ones are masked in what their own system says, and not everywhere: `admin` is part of too many words."""

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_HEADERS = ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS")
_variables: set[str] = set()
_messengers: set[str] = set()
_urls = {"SYNC_POSTGRES_URL", "SYNC_CELERY_URL", *_PROXIES, *map(str.lower, _PROXIES)}


def remember_secrets(
    variables: Iterable[str] = (), *, urls: Iterable[str] = (), messengers: Iterable[str] = ()
) -> None:
    """Remember the names of variables that hold a secret each, a URL that may have a password, or messengers."""
    _variables.update(variables)
    _urls.update(urls)
    _messengers.update(messengers)


def known_secrets() -> tuple[str, ...]:
    """Return the values of all of them, and the passwords in URLs, of the database and of proxies too."""
    found = {os.environ.get(name, "") for name in _variables}
    for name in _messengers:
        found.update(secrets_in(os.environ.get(name, "")))
    for name in _urls:
        found.update(passwords_in(os.environ.get(name, "")))
    for name in _HEADERS:
        found.update(_values_in(os.environ.get(name, "")))
    return tuple(sorted(secret for secret in found if len(secret) >= SHORTEST))


def _values_in(headers: str) -> set[str]:
    """Return the values of headers as OpenTelemetry lists them, `name=value,…`, and what follows a scheme in them."""
    values = {unquote(one.partition("=")[2]).strip() for one in headers.split(",")}
    return values | {value.partition(" ")[2].strip() for value in values}


def passwords_in(url: str) -> list[str]:
    """Return the password of an address, as it stands there and decoded; nothing where there is none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    # A password with an @ or a / in it makes the address a wrong one, and is a secret all the same.
    userinfo = url.partition("//")[2].rpartition("@")[0]
    given = [parts.password or "", userinfo.partition(":")[2], *parse_qs(parts.query).get("password", [])]
    return list(dict.fromkeys(form for one in given if one for form in (one, unquote(one))))


def without_secrets(text: str) -> str:
    """Return a text without any known secret."""
    return mask(text, known_secrets())
