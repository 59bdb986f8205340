"""Answers of the server: the ``winstrom`` envelope in JSON and XML, and the shapes of its errors."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

from pydantic import JsonValue

from .schema import EVIDENCES

Body = dict[str, JsonValue]

_ITEM_NAMES: Mapping[str, str] = {
    "results": "result",
    "errors": "error",
    "hooks": "hook",
    **{f.name: f.target for e in EVIDENCES.values() for f in e.fields if f.target},
    **{c.name: c.evidence for e in EVIDENCES.values() for c in e.collections},
}
_WRAPPED_AT_ROOT = ("results", "hooks")


@dataclass(frozen=True)
class Answer:
    """What to send: `payload` in the format that was asked for, or ready `text` of its own type."""

    status: int
    payload: Body | None = None
    text: str | None = None
    media_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class FlexiError(Exception):
    """A refusal that becomes an error body."""

    def __init__(self, status: int, message: str | None = None, code: str | None = None) -> None:
        super().__init__(message or str(status))
        self.status = status
        self.message = message
        self.code = code
        self.headers: dict[str, str] = {}

    def body(self) -> Body:
        inner: Body = {"@version": "1.0", "success": "false"}
        if self.message is not None:
            inner["message"] = self.message
        if self.code is not None:
            inner["message@messageCode"] = self.code
        return {"winstrom": inner}


def unknown_address(url: str) -> FlexiError:
    """Return the error for a company, evidence or service that does not exist."""
    return FlexiError(404, f"Adresa {url} není platná.", "adresaNeplatnaUrl")


def unknown_record(evidence: str, identifier: str) -> FlexiError:
    """Return the error for a record that does not exist, or does no more."""
    bean = EVIDENCES[evidence].bean
    return FlexiError(404, f"Záznam nebyl v datovém zdroji nalezen: {bean}#{identifier}", "formZaznamNenalezen")


def envelope(**members: JsonValue) -> Body:
    """Return a ``winstrom`` body."""
    return {"winstrom": {"@version": "1.0", **members}}


def to_json(payload: Body) -> str:
    """Return the compact JSON text, letters unescaped."""
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"))


def to_xml(payload: Body) -> str:
    """Return the XML twin of a JSON body: ``@name`` is an attribute, ``field@name`` one of that field."""
    parts = ['<?xml version="1.0" encoding="utf-8"?>\n']
    for name, content in payload.items():
        _element(parts, name, {}, content, at_root=True)
    return "".join(parts)


def open_tag(name: str, attributes: Mapping[str, str]) -> str:
    """Return a start tag."""
    return f"<{name}{''.join(f' {key}={quoteattr(value)}' for key, value in attributes.items())}>"


def _element(
    parts: list[str], name: str, attributes: Mapping[str, str], content: JsonValue, *, at_root: bool = False
) -> None:
    if isinstance(content, dict):
        own = {key[1:]: str(value) for key, value in content.items() if key.startswith("@")}
        parts.append(open_tag(name, {**own, **attributes}))
        _children(parts, content, at_root=at_root)
    else:
        parts.append(open_tag(name, attributes))
        if isinstance(content, list):
            for item in content:
                _item(parts, _ITEM_NAMES.get(name, name), item)
        elif content is not None:
            parts.append(escape(str(content)))
    parts.append(f"</{name}>")


def _children(parts: list[str], content: Body, *, at_root: bool) -> None:
    attributes: dict[str, dict[str, str]] = {}
    for key, value in content.items():
        owner, _, name = key.partition("@")
        if owner and name:
            attributes.setdefault(owner, {})[name] = str(value)
    for key, value in content.items():
        if "@" in key:
            continue
        if key == "external-ids" and isinstance(value, list):
            parts += [f"<id>{escape(str(ext_id))}</id>" for ext_id in value]
        elif at_root and isinstance(value, list) and key not in _WRAPPED_AT_ROOT:
            for item in value:
                _item(parts, key, item)
        else:
            _element(parts, key, attributes.get(key, {}), value)


def _item(parts: list[str], name: str, item: JsonValue) -> None:
    if name == "error" and isinstance(item, dict):
        said = {key: str(value) for key, value in item.items() if key != "message"}
        parts.append(f"{open_tag(name, said)}{escape(str(item['message']))}</error>")
    else:
        _element(parts, name, {}, item)
