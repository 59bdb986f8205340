"""A page for each sync, and one for all: fields, rules, codes."""

import json
from collections.abc import Iterable, Sequence

from sync_orchestration.intake.contract import FieldContract, SyncContract
from sync_orchestration.intake.documentation.examples import bad_record, examples_of, good_record
from sync_orchestration.intake.documentation.json_schema import rules_of
from sync_orchestration.intake.fates import STATUSES
from sync_orchestration.intake.kinds import KINDS, RECORD_CODES
from sync_orchestration.intake.settings import IntakeSettings, Limits

FIELD_HEAD = ("field", "type", "required", "what must hold", "description")


def field_row(contract: FieldContract) -> tuple[str, ...]:
    """Return one field as the cells of a table."""
    required = "yes" if contract.required else ""
    return contract.name, contract.type, required, "; ".join(rules_of(contract)), contract.description


def sync_page(contract: SyncContract) -> str:
    """Return the Markdown page of one sync."""
    unknown = "refused" if contract.unknown_fields == "refuse" else "kept"
    calls = [(e.name, f"`{e.method} {e.path}`", str(e.status)) for e in examples_of(contract)]
    parts = [
        f"# {contract.name}",
        contract.description,
        f"A record has a `key` ({contract.key_description} At most {contract.key_length} characters), an `operation` "
        f"({', '.join(contract.operations)}; by default update), its `data`, and if you like a `version`, a growing "
        "whole number. The data are always the whole record. Between two versions the higher is newer, otherwise "
        "what comes later.",
        "## Fields",
        table(FIELD_HEAD, map(field_row, contract.fields)),
        f"Other fields are {unknown}. Fields that are named like secrets are never stored.",
        *(_mapping_rules(contract)),
        "## A good record",
        _json(good_record(contract)),
        "## A bad one",
        _json(bad_record(contract)),
        "## Calls",
        table(("call", "request", "HTTP status"), calls),
        "What the codes mean is in [codes.md](codes.md).",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def codes_page(settings: IntakeSettings) -> str:
    """Return the Markdown page of what all syncs have in common: codes, statuses, limits."""
    kinds = [(k.code, str(k.http), str(k.rpc), "yes" if k.retryable else "", k.message) for k in KINDS]
    parts = [
        "# Codes and limits",
        "## Why a call is refused",
        table(("code", "HTTP", "JSON-RPC", "try again", "meaning"), kinds),
        "JSON-RPC errors are answered with HTTP status 200, except 401, 408, 413, 429, 500 and 503. After 429 and 503 "
        "wait as many seconds as `Retry-After` says; sending the same again does no harm.",
        "## Why a record is refused",
        table(("code", "meaning"), RECORD_CODES.items()),
        "## What becomes of a record",
        table(("status", "meaning"), STATUSES.items()),
        "## Limits",
        table(("limit", "value"), limit_rows(settings.limits)),
    ]
    return "\n\n".join(parts) + "\n"


def limit_rows(limits: Limits) -> list[tuple[str, str]]:
    """Return the limits that senders meet, as rows of a table."""
    return [
        ("records in one call", f"{limits.records:,}"),
        ("calls in one JSON-RPC batch", f"{limits.calls:,}"),
        ("bytes of a body", f"{limits.body_bytes:,}"),
        ("seconds until a body has arrived", f"{limits.body_seconds:g}"),
        ("nested lists and objects", f"{limits.depth:,}"),
        ("characters of one text", f"{limits.text_length:,}"),
        ("calls a second, lasting", f"{limits.calls_per_second:g}"),
        ("calls at once", f"{limits.burst:,}"),
    ]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _json(value: object) -> str:
    return f"```json\n{json.dumps(value, indent=2, ensure_ascii=False)}\n```"


def _mapping_rules(contract: SyncContract) -> list[str]:
    if contract.mapping is None:
        return []
    targets = ", ".join(contract.mapping.targets)
    return [
        "The record is also translated for the target when it comes; errors of that name the target's fields: "
        f"{targets}."
    ]
