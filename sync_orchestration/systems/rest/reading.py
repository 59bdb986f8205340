"""Reading JSON of any shape by dotted paths, and asking for it."""

import json
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from sync_orchestration.mapping.errors import MappingError
from sync_orchestration.mapping.paths import compile_path
from sync_orchestration.mapping.records import JSON
from sync_orchestration.pipeline.errors import ConfigurationError
from sync_orchestration.systems.http import Answer, HttpClient

_NAMED_FIELDS = 12
_UNHOLDABLE = re.compile("[\x00\ud800-\udfff]")


def read_at(body: JSON, path: str | None) -> JSON:
    """Return what stands at a dotted path, or None; no path means the body itself.

    A field whose own name has dots in it (``@odata.nextLink``) is found by that name.
    """
    if path is None:
        return body
    if isinstance(body, dict) and path in body:
        return body[path]
    return _reader(path)(body)


def is_null_at(body: JSON, path: str | None) -> bool:
    """Tell whether null stands at a path, where read_at finds nothing: the place itself is there."""
    if path is None:
        return body is None
    holder, _, name = path.rpartition(".")
    parent = read_at(body, holder or None)
    return (isinstance(parent, dict) and name in parent) or (isinstance(body, dict) and path in body)


@lru_cache(maxsize=256)
def _reader(path: str) -> Callable[[JSON], JSON]:
    try:
        return compile_path(path).read
    except MappingError as error:
        raise ConfigurationError(f"{error}.") from None


def key_text(value: JSON) -> str | None:
    """Return a key or an id as text; None for what cannot be one (nothing, a truth, a fraction, a list …).

    Nor can a text that no database holds: with a NUL or half a surrogate pair.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return str(value)
    return value if isinstance(value, str) and value.strip() and not _UNHOLDABLE.search(value) else None


def parsed(answer: Answer) -> JSON:
    """Return the JSON of an answer. Raises ValueError when it is none."""
    try:
        body: JSON = json.loads(answer.body)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    return body


def get_json(
    http: HttpClient, path: str, params: list[tuple[str, str]], headers: Mapping[str, str]
) -> tuple[Answer, JSON]:
    """GET and return the answer with its JSON: None with an error status, or where nothing was said (204).

    Raises UnavailableError when a success is not JSON, also after asking again.
    """
    request: dict[str, Any] = {"params": params, "headers": headers}
    answer = http.send("GET", path, **request)
    if answer.status >= 400 or (answer.status == 204 and not answer.body):
        return answer, None
    try:
        return answer, parsed(answer)
    except ValueError:
        return http.send_json("GET", path, **request)


def shape(body: JSON) -> str:
    """Describe JSON in a few words for a message: the names of its fields, never their values."""
    if isinstance(body, dict):
        names = [str(name)[:40] for name in list(body)[:_NAMED_FIELDS]]
        return f"the fields {', '.join(names)}{' …' if len(body) > _NAMED_FIELDS else ''}" if names else "no fields"
    if isinstance(body, list):
        return f"a list of {len(body)}"
    return "nothing" if body is None else f"a {'text' if isinstance(body, str) else 'single value'}"
