"""What an answer means when it is no success, and what the other side says about it, in one line for people."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sync_orchestration.mapping.records import JSON
from sync_orchestration.pipeline.errors import ConfigurationError, SyncError, UnavailableError
from sync_orchestration.systems.http import Answer, HttpClient
from sync_orchestration.systems.rest.reading import parsed

LONGEST_MESSAGE = 500
_LONGEST_FIELD = 100
_MOST_ERRORS = 10
_DEEPEST = 4

_TEXTS = ("title", "message", "error", "detail", "details", "error_description", "msg", "reason", "description")
_LISTS = ("errors", "violations", "invalid_params", "invalid-params")
_FIELDS = ("field", "pointer", "property", "propertyPath", "attribute", "param", "parameter")
_FIELDS_OF_LISTED = (*_FIELDS, "loc", "path", "name")  # elsewhere a path is an address, and a name that of the error
_NO_FIELDS = frozenset({"non_field_errors", "__all__", "base", ""})
_WHERE_IT_STOOD = frozenset({"body", "data", "attributes", "query"})

BUSY = frozenset({408, 425})
"""Statuses that say: not now. Others of their kind never get here, for the client waits and asks again."""


@dataclass(frozen=True, slots=True)
class Said:
    """What an error answer says: a message in one line ('' where it says nothing), and the field it names."""

    message: str
    field: str | None = None


def said_by(http: HttpClient, answer: Answer) -> Said:
    """Return what an answer says, without secrets. Never raises, whatever the body."""
    try:
        body = parsed(answer)
    except ValueError:
        return Said(http.quote(answer.body))
    found = said_in(body, http.masked)
    return found if found.message or body in (None, {}, [], "") else Said(http.quote(answer.body))


def said_in(body: JSON, masked: Callable[[str], str] = str) -> Said:
    """Return what an error body says: RFC 9457 problems, lists and objects of errors by field, and plain texts."""
    found = list(dict.fromkeys(_texts(body, None, 0)))[:_MOST_ERRORS]
    fields = dict.fromkeys(field for field, _ in found if field is not None)
    message = "; ".join(text if field is None else f"{field}: {text}" for field, text in found)
    return Said(
        _cut(masked(_one_line(message)), LONGEST_MESSAGE),
        _cut(masked(_one_line(", ".join(fields))), _LONGEST_FIELD) or None,
    )


def _texts(body: JSON, field: str | None, depth: int) -> Iterator[tuple[str | None, str]]:
    """Yield (field or None, text) of everything in an error body that is meant for people."""
    if depth > _DEEPEST:
        return
    if isinstance(body, str):
        if body.strip():
            yield field, _one_line(body)
    elif isinstance(body, list):
        for item in body[:_MOST_ERRORS]:
            named = _field_named(item, _FIELDS_OF_LISTED) if isinstance(item, dict) else None
            yield from _texts(item, named or field, depth + 1)
    elif isinstance(body, dict):
        yield from _texts_of_object(body, _field_named(body, _FIELDS) or field, depth)


def _texts_of_object(body: dict[str, JSON], field: str | None, depth: int) -> Iterator[tuple[str | None, str]]:
    known = False
    for name in (*_TEXTS, *_LISTS):
        value = body.get(name)
        if isinstance(value, str | list | dict):
            known = True
            by_field = isinstance(value, dict) and name in (*_LISTS, "details")
            yield from _by_field(value, depth + 1) if by_field else _texts(value, field, depth + 1)
    if not known and body and all(_is_list_of_texts(value) for value in body.values()):
        yield from _by_field(body, depth + 1)


def _by_field(errors: JSON, depth: int) -> Iterator[tuple[str | None, str]]:
    """Yield the texts of an object that has a field's name before each error."""
    if isinstance(errors, dict):
        for name, value in list(errors.items())[:_MOST_ERRORS]:
            yield from _texts(value, None if name in _NO_FIELDS else _one_line(name), depth)


def _is_list_of_texts(value: JSON) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, str) for item in value)


def _field_named(error: Mapping[str, JSON], names: Sequence[str]) -> str | None:
    """Return the field that one error names: as a name, a JSON pointer (also JSON:API's source) or a list of steps."""
    source = error.get("source")
    for holder in (error, source if isinstance(source, dict) else {}):
        for name in names:
            if field := _field_text(holder.get(name)):
                return field
    return None


def _field_text(value: JSON) -> str | None:
    if isinstance(value, list):
        steps = [str(step) for step in value if isinstance(step, str | int)]
    elif isinstance(value, str):
        # A pointer: #/data/attributes/name; everything else is taken as it is.
        text = value.strip().removeprefix("#")
        steps = text.split("/") if text.startswith("/") else [text]
    else:
        return None
    while steps and steps[0] in (*_WHERE_IT_STOOD, "") and len(steps) > 1:
        steps = steps[1:]
    return _one_line(".".join(steps)) or None


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def described(http: HttpClient, answer: Answer) -> str:
    """Return the status of an answer with what it says, for the middle of a sentence."""
    message = said_by(http, answer).message
    return f"status {answer.status}" + (f" (“{message}”)" if message else "")


def fault_of(http: HttpClient, answer: Answer) -> SyncError:
    """Return what to raise when a request that is not about one record was refused."""
    settings = http.settings
    where = http.masked(answer.what)
    told = f"{settings.name} answered {where} with {described(http, answer)}"
    match answer.status:
        case 401 | 407:
            return refused_credentials(http, answer)
        case 403:
            return refused_rights(http, answer)
        case 404 | 405 | 410:
            return wrong_path(http, answer)
        case status if status >= 500 or status < 400 or status in BUSY:
            return UnavailableError(f"{told}.")
        case _:
            return ConfigurationError(f"{told}. Check the path and the parameters.")


def refused_credentials(http: HttpClient, answer: Answer) -> ConfigurationError:
    """Return the error of a wrong password or key."""
    return ConfigurationError(
        f"{http.settings.name} ({http.settings.shown_url}) refuses the credentials of its connection: "
        f"{http.masked(answer.what)} was answered with {described(http, answer)}. Check user and password, or the "
        f"token{' of the proxy' if answer.status == 407 else ''}."
    )


def refused_rights(http: HttpClient, answer: Answer) -> ConfigurationError:
    """Return the error of a user who may not do what the sync is for."""
    return ConfigurationError(
        f"{http.settings.name} does not let this user do {http.masked(answer.what)}: {described(http, answer)}. Give "
        "the user the right, or use other credentials."
    )


def wrong_path(http: HttpClient, answer: Answer) -> ConfigurationError:
    """Return the error of a path or a method that the system does not know."""
    what = "allows no such method" if answer.status == 405 else "knows no such path"
    return ConfigurationError(
        f"{http.settings.name} ({http.settings.shown_url}) {what}: {http.masked(answer.what)} was answered with "
        f"{described(http, answer)}. Check the address of the connection and the path."
    )
