"""Writes docs/performance.md, and its picture, of what the benchmarks have kept."""

from collections.abc import Sequence
from pathlib import Path

from sync_orchestration_tests.benchmarks.measured import Grid, Measured, kept
from sync_orchestration_tests.benchmarks.picture import draw

_ORDER = ("landing", "into_odoo", "register", "growth", "browsing", "latency", "idle", "dagster")
_INTRODUCTION = """# Performance

This page is written by `make bench` from what it measured; do not edit it. Whatever is compared ran side by side in
one run, in turn, each in a process of its own; figures are medians. Look at the ratios: seconds depend on the machine
and on what else it did, which stands below each table (load: how many processes wanted a core, before and after).
"""


def write_page(folder: Path, docs: Path) -> Path:
    """Write the page and its picture into `docs` of what is kept in `folder`; returns the page."""
    found = sorted(kept(folder), key=lambda one: _ORDER.index(one.name) if one.name in _ORDER else len(_ORDER))
    picture = docs / "pictures" / "performance.svg"
    draw([panel for one in found for panel in one.panels], picture)
    page = docs / "performance.md"
    parts = [_INTRODUCTION, f"![What was measured, drawn](pictures/{picture.name})\n", *map(_section, found)]
    page.write_text("\n".join(parts), encoding="utf-8")
    return page


def _section(one: Measured) -> str:
    goals = [f"- {'Reached' if goal.met else '**Missed**'}: {goal.wanted}; it is {goal.found}." for goal in one.goals]
    parts = [
        f"## {one.title}",
        *(_table(grid) for grid in one.grids),
        *one.notes,
        *(["\n".join(goals)] if goals else []),
        f"*`{one.command}`, {one.measured_on}; {one.machine.text}.*",
    ]
    return "\n\n".join(parts) + "\n"


def _table(grid: Grid) -> str:
    rule = ["---", *["---:"] * (len(grid.head) - 1)]
    return "\n".join([f"{grid.title}:", "", *map(_row, [grid.head, rule, *grid.rows])])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
