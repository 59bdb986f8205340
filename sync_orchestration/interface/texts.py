"""What PostgreSQL can hold: texts without NUL characters and lone surrogates, JSON with finite numbers only."""

import json
import math
from typing import Any, overload

# Made once, for json.dumps makes an encoder at each call.
_rendered = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode

_NUL, _IN_ITS_PLACE = "\x00", "�"


@overload
def storable(text: str) -> str: ...


@overload
def storable(text: None) -> None: ...


def storable(text: str | None) -> str | None:
    """Return `text` with what a text column refuses replaced; other systems' messages may hold anything."""
    if text is None or (_NUL not in text and text.isascii()):
        return text
    return text.replace(_NUL, _IN_ITS_PLACE).encode("utf-8", "replace").decode("utf-8")


def to_json(value: Any) -> str:
    """Render JSON as text that a jsonb column takes; a number that is none (1e999, NaN) becomes its name."""
    try:
        text = _rendered(value)
    except ValueError:
        text = _rendered(_finite(value))
    if "\\u0000" in text:
        text = _rendered(_without_nul(_finite(value)))
    return text.encode("utf-8", "replace").decode("utf-8")


def is_storable_json(ascii_text: str) -> bool:
    """Tell whether JSON rendered in ASCII certainly is what a jsonb column takes; a doubtful one may be as well."""
    # NUL characters, half surrogate pairs (whole ones too) and numbers that are none, as they look in ASCII. One by
    # one, since every record passes here.
    return not ("\\u0000" in ascii_text or "\\ud" in ascii_text or "NaN" in ascii_text or "Infinity" in ascii_text)


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace(_NUL, _IN_ITS_PLACE)
    if isinstance(value, list):
        return [_without_nul(item) for item in value]
    if isinstance(value, dict):
        return {_without_nul(key): _without_nul(item) for key, item in value.items()}
    return value


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return json.dumps(value)
    if isinstance(value, list):
        return [_finite(item) for item in value]
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return value
