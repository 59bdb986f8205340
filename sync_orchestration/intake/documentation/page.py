"""The documentation as one HTML page that needs nothing from elsewhere."""

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from html import escape

from sync_orchestration.intake.contract import SyncContract
from sync_orchestration.intake.documentation.examples import Example, examples_of
from sync_orchestration.intake.documentation.markdown import FIELD_HEAD, field_row, limit_rows
from sync_orchestration.intake.fates import STATUSES
from sync_orchestration.intake.kinds import KINDS, RECORD_CODES
from sync_orchestration.intake.settings import IntakeSettings

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "table{border-collapse:collapse;margin:1rem 0;display:block;overflow-x:auto}"
    "th,td{border:1px solid #ccc;padding:.3rem .6rem;text-align:left;vertical-align:top}"
    "th{background:#f3f3f3}pre{background:#f7f7f7;padding:.8rem;overflow-x:auto}"
    "@media(prefers-color-scheme:dark){body{background:#181818;color:#ddd}th,pre{background:#262626}"
    "th,td{border-color:#444}a{color:#8bf}}"
)


def page_policy() -> str:
    """Return the Content-Security-Policy of the page: its own style by hash, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; frame-ancestors 'none'"


def page(settings: IntakeSettings) -> str:
    """Return the page."""
    kinds = [(k.code, str(k.http), str(k.rpc), "yes" if k.retryable else "", k.message) for k in KINDS]
    title = escape(settings.title)
    parts = [
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<style>{_STYLE}</style></head><body><h1>{title}</h1>",
        "<p>The same calls exist as JSON-RPC 2.0 at <code>POST /rpc</code> and as plain REST. Every call carries "
        '<code>Authorization: Bearer …</code>. Machines read <a href="/openapi.json">openapi.json</a>.</p>',
        *(part for contract in settings.contracts for part in _sync(contract)),
        "<h2>Why a call is refused</h2>",
        _table(("code", "HTTP", "JSON-RPC", "try again", "meaning"), kinds),
        "<h2>Why a record is refused</h2>",
        _table(("code", "meaning"), RECORD_CODES.items()),
        "<h2>What becomes of a record</h2>",
        _table(("status", "meaning"), STATUSES.items()),
        "<h2>Limits</h2>",
        _table(("limit", "value"), limit_rows(settings.limits)),
        "</body></html>\n",
    ]
    return "\n".join(parts)


def _sync(contract: SyncContract) -> Iterator[str]:
    yield f'<h2 id="{escape(contract.name)}">{escape(contract.name)}</h2><p>{escape(contract.description)}</p>'
    yield _table(FIELD_HEAD, map(field_row, contract.fields))
    for example in examples_of(contract):
        yield _example(example)


def _example(example: Example) -> str:
    body = "" if example.body is None else "\n\n" + json.dumps(example.body, indent=2, ensure_ascii=False)
    request = escape(f"{example.method} {example.path}{body}")
    error = "" if example.rpc_error is None else f", error {example.rpc_error}"
    return f"<h3>{escape(example.name)}</h3><pre>{request}</pre><p>Answer: HTTP {example.status}{error}</p>"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    def row(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    return f"<table>{row(head, 'th')}{''.join(row(cells, 'td') for cells in rows)}</table>"
