"""Keeps secrets out of what is stored, shown or sent: sensitive keys of payloads, secret values in texts."""

import base64
import html
import json
import re
from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import overload
from urllib.parse import quote, quote_plus

from sync_orchestration.mapping.records import JSON

SENSITIVE_NAMES = frozenset(
    {
        "access_key",
        "api_key",
        "authorization",
        "bearer",
        "client_secret",
        "cookie",
        "credential",
        "credentials",
        "heslo",
        "hesla",
        "passphrase",
        "passwd",
        "password",
        "passwords",
        "private_key",
        "pwd",
        "secret",
        "secrets",
        "session_id",
        "token",
        "tokens",
    }
)
"""Names of fields never stored, sent or shown. To extend: ``scrub(payload, SENSITIVE_NAMES | {"pin"})``."""

MASK = "***"

_MEMORY = 4096
_KINDS, _KEYS_OF_A_KIND = 256, 256
_SHORTEST_ENCODED = 4  # bytes; shorter secrets in base64 are too like any other text


@overload
def scrub(payload: dict[str, JSON], names: Collection[str] = ...) -> dict[str, JSON]: ...


@overload
def scrub(payload: JSON, names: Collection[str] = ...) -> JSON: ...


def scrub(payload: JSON, names: Collection[str] = SENSITIVE_NAMES) -> JSON:
    """Return a copy of a JSON value without the keys that are named like secrets, at any depth.

    A key matches where a name stands in it as a whole word or several: ``access_token``, ``clientSecret`` and
    ``X-API-Key`` go, ``tokenizer`` and ``secretary`` stay. The payload itself is not changed.
    """
    known = names if isinstance(names, frozenset) else frozenset(names)
    result = _without_sensitive(payload, known)
    # No recursion: the payload comes from outside, and its depth is not ours to trust.
    todo = [result]
    while todo:
        parent = todo.pop()
        # Every field of every record passes here, so only those that hold others cost more than a look. Replacing
        # the value of a key that is there does not disturb the walk over a dict.
        if isinstance(parent, dict):
            for name, value in parent.items():
                if isinstance(value, (dict, list)):
                    parent[name] = copy = _without_sensitive(value, known)
                    todo.append(copy)
        elif isinstance(parent, list):
            for place, value in enumerate(parent):
                if isinstance(value, (dict, list)):
                    parent[place] = copy = _without_sensitive(value, known)
                    todo.append(copy)
    return result


def _without_sensitive(value: JSON, names: frozenset[str]) -> JSON:
    """Return a copy of an object or list, of an object without its sensitive keys; what they hold is not copied."""
    if isinstance(value, dict):
        hidden = _hidden(value, names)
        return {name: inner for name, inner in value.items() if name not in hidden} if hidden else value.copy()
    return value.copy() if isinstance(value, list) else value


def _hidden(value: dict[str, JSON], names: frozenset[str]) -> frozenset[str]:
    """Return the sensitive keys of an object."""
    # Records of one kind have the same keys, so a kind is judged once; what is remembered of it has a bound.
    if len(value) <= _KEYS_OF_A_KIND:
        return _hidden_of_kind(tuple(value), names)
    return frozenset(name for name in value if is_sensitive(name, names))


@lru_cache(maxsize=_KINDS)
def _hidden_of_kind(keys: tuple[str, ...], names: frozenset[str]) -> frozenset[str]:
    return frozenset(name for name in keys if is_sensitive(name, names))


@lru_cache(maxsize=_MEMORY)
def is_sensitive(key: str, names: frozenset[str] = SENSITIVE_NAMES) -> bool:
    """Tell whether a key holds one of the names as whole words, whatever the case and the separators."""
    known = _joined(names)
    longest = max(map(len, known), default=0)
    words = _words(key)
    for start in range(len(words)):
        joined = ""
        for word in words[start:]:
            joined += word
            if joined in known:
                return True
            if len(joined) >= longest:
                break
    return False


@lru_cache(maxsize=16)
def _joined(names: frozenset[str]) -> frozenset[str]:
    # Words are compared run together, so that api_key, apiKey, API-KEY and apikey are one name.
    return frozenset("".join(_words(name)) for name in names) - {""}


def _words(key: str) -> list[str]:
    words: list[str] = []
    word = ""
    for place, letter in enumerate(key):
        if not letter.isalnum():
            words.append(word)
            word = ""
            continue
        if word and _begins_word(word[-1], letter, key[place + 1 : place + 2]):
            words.append(word)
            word = ""
        word += letter
    words.append(word)
    return [word.lower() for word in words if word]


def _begins_word(before: str, letter: str, after: str) -> bool:
    if before.isalpha() != letter.isalpha():
        return True
    # clientSecret, and the last capital of an abbreviation before a word: APIKey.
    return letter.isupper() and (not before.isupper() or after.islower())


def mask(text: str, secrets: Iterable[str]) -> str:
    """Replace every occurrence of the secrets by ``***``.

    Found are the values themselves, their URL-quoted, JSON- and HTML-escaped forms, and the whole of a base64 text
    that holds one, such as the ``user:password`` of a basic authorization. Empty secrets are left out.
    """
    wanted = tuple(sorted({secret for secret in secrets if secret}, key=lambda secret: (-len(secret), secret)))
    return _pattern(wanted).sub(MASK, text) if wanted else text


def longest_form(secrets: Iterable[str]) -> int:
    """Return a length that no form of the secrets exceeds: an escaped control character is longest, six for one."""
    return max((6 * len(secret.encode("utf-8", "surrogatepass")) for secret in secrets), default=0)


@lru_cache(maxsize=64)
def _pattern(secrets: tuple[str, ...]) -> re.Pattern[str]:
    plain = {form for secret in secrets for form in _plain_forms(secret)}
    cores = {core for secret in secrets for core in _base64_cores(secret)}
    alternatives = [re.escape(form) for form in sorted(plain, key=lambda form: (-len(form), form))]
    if cores:
        inner = "|".join(re.escape(core) for core in sorted(cores, key=lambda core: (-len(core), core)))
        # The characters around the core belong to the same encoded text and hold pieces of the secret.
        alternatives.insert(0, f"(?:(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]*?)?(?:{inner})[A-Za-z0-9+/_-]*={{0,2}}")
    return re.compile("|".join(alternatives))


def _plain_forms(secret: str) -> set[str]:
    escaped = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    escaped |= {json.dumps(form)[1:-1] for form in escaped}  # JSON that quotes JSON, or Python's way to quote it
    escaped |= {form.replace("\\", "\\\\") for form in escaped}
    raw = secret.encode("utf-8", "surrogatepass")
    quoted = {quote(raw), quote(raw, safe=""), quote_plus(raw)}
    small = {re.sub("%[0-9A-F]{2}", lambda code: code[0].lower(), form) for form in quoted}
    page = html.escape(secret)
    pages = {page, page.replace("&#x27;", "&#39;"), html.escape(secret, quote=False)}
    return {secret, " ".join(secret.split())} - {""} | escaped | quoted | small | pages


def _base64_cores(secret: str) -> set[str]:
    """Return how the secret looks inside a base64 text, for each of the three ways its bytes may fall."""
    cores: set[str] = set()
    # requests writes basic authorization in Latin-1 where it can, others in UTF-8.
    latin = {secret.encode("latin-1")} if all(letter <= "\xff" for letter in secret) else set()
    for raw in latin | {secret.encode("utf-8", "surrogatepass")}:
        if len(raw) < _SHORTEST_ENCODED:
            continue
        for offset in range(3):
            encoded = base64.b64encode(b"\0" * offset + raw).decode().rstrip("=")
            # Only the characters that depend on the secret alone, not on what stands beside it.
            core = encoded[-(-offset * 8 // 6) : (offset + len(raw)) * 8 // 6]
            cores |= {core, core.replace("+", "-").replace("/", "_"), quote(core, safe="")}
    return cores
