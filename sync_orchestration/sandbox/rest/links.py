"""URLs of other pages: in the body, and in the ``Link`` header of RFC 8288."""

from urllib.parse import urlencode

from starlette.requests import Request

from sync_orchestration.sandbox.rest.switches import RestSwitches

_PLACES = frozenset({"page", "per_page", "limit", "offset", "cursor"})


def next_url(request: Request, place: dict[str, str], switches: RestSwitches) -> str:
    """The URL of another page of the list that `request` asks for; filters are kept."""
    kept = [(name, value) for name, value in request.query_params.multi_items() if name not in _PLACES]
    path = f"{request.url.path}?{urlencode([*kept, *place.items()])}"
    if switches.next_relative:
        return path
    return (switches.foreign_next or origin(request)).rstrip("/") + path


def origin(request: Request) -> str:
    """Scheme and host under which the client reached this server."""
    return f"{request.url.scheme}://{request.url.netloc}"


def link_headers(
    request: Request, numbers: dict[str, int], size: int, switches: RestSwitches
) -> tuple[tuple[str, str], ...]:
    """The ``Link`` header for page numbers by relation; no header when there is nothing to say."""
    urls = {
        relation: next_url(request, {"page": str(number), "per_page": str(size)}, switches)
        for relation, number in numbers.items()
    }
    if switches.link_style == "tricky":
        return _tricky(urls)
    links = ", ".join(f'<{url}>; rel="{relation}"' for relation, url in urls.items())
    return (("Link", links),) if links else ()


def _tricky(urls: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """Correct by RFC 8288, and wrong for whoever splits at commas or looks for ``rel="next"``."""
    lines = [('</docs?about=a,b;rel="next">; rel="service-doc"; title="what comes \\"next\\", and after; rel=next"')]
    for relation, url in urls.items():
        match relation:
            case "next":
                lines.append(f'<{url}>; title="the page, that follows; next"; REL="https://example.com/rels/on Next"')
            case "last":
                lines.append(f"<{url}> ;rel=last")
            case _:
                lines.append(f'<{url}>; rel="{relation}"')
    return (("Link", lines[0]), ("Link", " , ".join(lines[1:]))) if urls else (("Link", lines[0]),)
