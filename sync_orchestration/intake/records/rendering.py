"""Pages as HTML: templates with every value escaped, times in UTC, and headers that let nothing else in."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import Response

from sync_orchestration.intake.records.filters import record_path
from sync_orchestration.mapping.plain_text import escaped_controls, plain

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_LONGEST_JSON = 200_000


def page(template: str, status: int = 200, headers: Mapping[str, str] | None = None, **values: Any) -> Response:
    """Return a page."""
    text = _templates().get_template(template).render(**values)
    return Response(text, status, {"Content-Security-Policy": POLICY, **(headers or {})}, media_type="text/html")


@cache
def style() -> bytes:
    """Return the one style sheet."""
    return resources.files(__package__).joinpath("static/records.css").read_bytes()


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader(__package__ or "", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(moment=_moment, minute=_minute, plain=_plain, json=_json, value=shown_value)
    environment.globals.update(record_path=record_path)
    return environment


def _moment(moment: datetime | None) -> Markup:
    """Return a time in UTC for people and programs; empty where there is none."""
    return _timed(moment, "%Y-%m-%d %H:%M:%S")


def _minute(moment: datetime | None) -> Markup:
    """Return the same without seconds, for a table that is wide enough."""
    return _timed(moment, "%Y-%m-%d %H:%M")


def _timed(moment: datetime | None, form: str) -> Markup:
    if moment is None:
        return Markup("")
    utc = moment.astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(utc.isoformat(timespec="seconds"), utc.strftime(form))


def _plain(text: Any) -> Markup:
    """Return a text from outside on one line, without characters that would make it look like another."""
    return escape("" if text is None else plain(str(text)))


def _json(value: Any) -> Markup:
    """Return JSON as people read it; a very long one is cut and says so."""
    text = escaped_controls(json.dumps(value, ensure_ascii=False, indent=2, default=str))
    if len(text) > _LONGEST_JSON:
        text = f"{text[:_LONGEST_JSON]}\n… {len(text) - _LONGEST_JSON:,} more characters are not shown"
    return escape(text)


def shown_value(value: Any) -> str:
    """Return one field's value on one line."""
    if value is None or value == "":
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return plain(text)
