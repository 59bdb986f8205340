"""What a row's status and code mean, as a page; and the codes that the program can give, read from its source."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import sync_orchestration
from sync_orchestration.mapping.records import RecordError
from sync_orchestration_tests.guide.codes import FAILED, SKIPPED, STATUSES
from sync_orchestration_tests.guide.markdown import code, table

_SQL_TEXT = re.compile(r"'(\w+)'")
_PACKAGE = Path(sync_orchestration.__file__).parent
_GIVES_A_CODE = (RecordError.__name__, "Refusal", "_no")
_ELSEWHERE = ("sandbox", "intake")

_HEAD = """# Statuses and codes

Each record has one row in each sync. `status`, `status --failed`, `explain`, the asset `…/interface_status` and the
check `no_failed_records` tell its status; a failed or skipped one also has a code, the field where one is at fault, and
a message in plain words, often the other system's own. What a sender at the intake is told stands in
[codes and limits](../interface/codes.md).
"""


def codes_page() -> str:
    """Return the page."""
    parts = [_HEAD, "## Statuses\n\n" + table(["status", "meaning"], [[code(k), v] for k, v in STATUSES.items()])]
    parts.append("## Why a record has failed\n")
    for title, codes in FAILED.items():
        rows = [[code(name), meaning, way_out] for name, (meaning, way_out) in codes.items()]
        parts.append(f"### {title}\n\n" + table(["code", "meaning", "what to do"], rows))
    parts.append(
        "## Why a record was skipped\n\n" + table(["code", "meaning"], [[code(k), v] for k, v in SKIPPED.items()])
    )
    parts.append(_STATES)
    return "\n".join(parts)


_STATES = """## States of a sync

| state | meaning |
| --- | --- |
| `TRIGGER_WAITING` | The next trigger begins a pass. All is done, or, with an `error`, the source cannot be asked. |
| `IN_PROGRESS` | A pass is under way. |
| `RETRY_WAITING` | A pass stopped at a fault that may pass. It is tried again at `next_try`. |
| `ERROR` | Tries are used up, or a person must act: see `status`. Tried again after 10 min; a sweep by its cron. |
"""


def told_codes() -> set[str]:
    """Return the codes that the page tells."""
    return {name for codes in FAILED.values() for name in codes} | set(SKIPPED)


def given_codes() -> set[str]:
    """Return every code that stands in the program where a record is refused; the intake has a page of its own."""
    found: set[str] = set()
    for path in sorted(_PACKAGE.rglob("*.py")):
        if path.relative_to(_PACKAGE).parts[0] not in _ELSEWHERE:
            found.update(_codes_in(ast.parse(path.read_text(encoding="utf-8"))))
    return found


def spoken_texts() -> set[str]:
    """Return every text that stands anywhere in the program, its SQL included."""
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in _PACKAGE.rglob("*.py"))
    nodes = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant))
    sql = (_PACKAGE / "interface" / "sql" / "queries.sql").read_text(encoding="utf-8")
    return {node.value for node in nodes if isinstance(node.value, str)} | set(_SQL_TEXT.findall(sql))


def _codes_in(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in _GIVES_A_CODE and node.args:
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value
