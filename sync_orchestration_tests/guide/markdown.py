"""Small pieces of Markdown: tables and code that no text of the program can break."""

import re
from collections.abc import Iterable, Sequence

_DOUBLE_BACKTICKS = re.compile(r"``(.+?)``", re.DOTALL)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; cells are Markdown already, on one line each."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(" ".join(cell.split()) for cell in line) + " |\n" for line in lines)


def text(value: str) -> str:
    """Return a text of the program as Markdown that shows it as it is: in a table cell or a line of its own."""
    # What an author put between backticks stays code, the rest must mean nothing to Markdown or to HTML.
    parts = re.split(r"(`[^`]+`)", _DOUBLE_BACKTICKS.sub(r"`\1`", value))
    return "".join(code(part[1:-1]) if part[:1] == "`" and len(part) > 2 else _escaped(part) for part in parts)


def code(value: str) -> str:
    """Return a value as code, fit for a table cell."""
    if not value.strip():
        return f'`"{value}"`'
    shown = value.replace("|", "\\|").replace("\n", " ")
    return f"`` {shown} ``" if "`" in shown else f"`{shown}`"


def anchor(title: str) -> str:
    """Return a heading's id that does not change when its words do."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def _escaped(value: str) -> str:
    escaped = value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("|", "\\|")
    return re.sub(r"([*_\[\]{}])", r"\\\1", escaped)
