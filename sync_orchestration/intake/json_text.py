"""Reads the JSON of a call: strict where JSON is loose, and never surprised by what is in it."""

import json
import math
import re
from dataclasses import dataclass
from typing import Any

_BRACKETS = b'[]{}"'
_ALL_BUT_BRACKETS = bytes(set(range(256)) - set(_BRACKETS))
_AS_LISTS = bytes.maketrans(b"{}", b"[]")
_SUSPICIOUS = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_LONGEST_NUMBER = 100  # digits; PostgreSQL and Python take more, but nothing that is written to does


class BadJsonError(ValueError):
    """The text is not JSON, or such JSON as no two programs read alike. The message quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class Read:
    """A JSON value. `suspicious`: some text in it may hold what PostgreSQL cannot store."""

    value: Any
    suspicious: bool


def read_json(body: bytes, depth: int) -> Read:
    """Return the value of a UTF-8 JSON text with at most `depth` nested lists and objects.

    Raises BadJsonError also for what JSON leaves open: a name twice in one object, NaN and Infinity, numbers beyond
    the range of a double or of more than 100 digits.
    """
    if nesting_exceeds(body, depth):
        raise BadJsonError(f"lists and objects are nested more than {depth} deep, or a bracket is missing")
    try:
        text = body.decode("utf-8")
        value = _decoder.decode(text)
    except UnicodeDecodeError as error:
        raise BadJsonError(f"byte {error.start} is not UTF-8") from error
    except json.JSONDecodeError as error:
        raise BadJsonError(f"{error.msg} (line {error.lineno}, column {error.colno})") from error
    return Read(value, _SUSPICIOUS.search(text) is not None)


def nesting_exceeds(body: bytes, depth: int) -> bool:
    """Tell whether brackets are nested deeper, before a parser gets to see them; missing ones count as deeper.

    Each round takes away the innermost pairs, so that the number of rounds is the depth. All of it runs in C.
    """
    unescaped = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    outside_texts = unescaped.translate(None, _ALL_BUT_BRACKETS).split(b'"')[::2]
    brackets = b"".join(outside_texts).translate(_AS_LISTS)
    for _ in range(depth):
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"")
    return bool(brackets)


def to_bytes(value: Any) -> bytes:
    """Return an answer's JSON; half a surrogate pair, which an id may hold, is written as it came: escaped."""
    try:
        return _plain(value).encode("utf-8")
    except UnicodeEncodeError:
        return _escaped(value).encode("ascii")


_plain = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_escaped = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadJsonError("a name stands twice in one object")
    return found


def _constant(name: str) -> Any:
    raise BadJsonError(f"{name} is not a number of JSON")


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise BadJsonError("a number is beyond the range of a double")
    return number


def _int(text: str) -> int:
    if len(text) > _LONGEST_NUMBER:
        raise BadJsonError(f"a number has more than {_LONGEST_NUMBER} digits")
    return int(text)


_decoder = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_float=_float, parse_int=_int)
