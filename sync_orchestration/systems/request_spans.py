"""The span of one HTTP request: method, path without keys, status, and which system was asked."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from sync_orchestration.pipeline.spans import span

_WORD = re.compile(r"[A-Za-z._~-]*\d?|v\d+(\.\d+)*")
_HIDDEN = "{}"


class KeyedPath(str):
    """A path that names a record; `template` is the same path with names in place of its keys."""

    template: str

    def __new__(cls, path: str, template: str) -> "KeyedPath":
        made = super().__new__(cls, path)
        made.template = template.partition("?")[0]
        return made


def template_of(path: str) -> str:
    """Return a path without its query and without whatever in it may be a key."""
    if isinstance(path, KeyedPath):
        return path.template
    segments = path.partition("?")[0].split("/")
    return "/".join(segment if _WORD.fullmatch(segment) else _HIDDEN for segment in segments)


@contextmanager
def request_span(system: str, server: str, method: str, path: str) -> Iterator[Span]:
    """Open the span of a request to `path` of `system`; `server` is its scheme, host and port."""
    template = template_of(path)
    attributes: dict[str, str | int] = {
        "sync.system": system,
        "http.request.method": method,
        "url.template": template,
        # Not taken apart: an address that is none has its own message.
        "server.address": server.partition("//")[2],
    }
    with span(f"{method} {template}", attributes, SpanKind.CLIENT) as opened:
        yield opened


def note_status(opened: Span, status: int) -> None:
    """Note how a request was answered."""
    opened.set_attribute("http.response.status_code", status)
    if status >= 400:
        opened.set_attribute("error.type", str(status))
        opened.set_status(Status(StatusCode.ERROR))
