"""A request as the server understands it: path segments, format, parameters, credentials."""

import base64
import binascii
import re
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote

from starlette.datastructures import Headers
from starlette.requests import Request

from .lists import Parameters

_EXTENSION = re.compile(r"\.(json|xml|html|csv|dbf|pdf|xls|xlsx|isdoc|isdocx|ical|vcf|js)$")


@dataclass(frozen=True)
class Call:
    """One request; `format` is ``html`` where nothing said which one is wanted."""

    method: str
    segments: tuple[str, ...]
    format: str
    params: Parameters
    headers: Headers
    body: bytes
    url: str
    query: str

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "")

    def credentials(self) -> tuple[str, str] | None:
        """Return user and password of HTTP Basic, None where no usable ones were sent."""
        scheme, _, encoded = self.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        return user, password


async def read_call(request: Request) -> Call:
    """Read a request; the path is split before it is decoded, since codes and filters may hold slashes."""
    raw_path: bytes = request.scope["raw_path"]
    segments = [part for part in raw_path.decode("ascii").split("/") if part]
    extension = None
    if segments and (match := _EXTENSION.search(segments[-1])):
        extension = match[1]
        segments[-1] = segments[-1][: match.start()]
    query = request.scope["query_string"].decode("ascii")
    params = Parameters(parse_qs(query, keep_blank_values=True))
    return Call(
        method=request.method,
        segments=tuple(unquote(part) for part in segments),
        format=extension or params.one("format") or _accepted(request.headers),
        params=params,
        headers=request.headers,
        body=await request.body(),
        url=_address(request, segments, query),
        query=query,
    )


def _address(request: Request, segments: list[str], query: str) -> str:
    """Return the address as the server's messages print it: without the extension."""
    plain = f"{request.url.scheme}://{request.url.netloc}/{'/'.join(segments)}"
    return f"{plain}?{query}" if query else plain


def _accepted(headers: Headers) -> str:
    accept = headers.get("accept", "")
    for name in ("json", "xml"):
        if f"application/{name}" in accept or f"text/{name}" in accept:
            return name
    return "html"
