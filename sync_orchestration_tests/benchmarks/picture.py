"""Draws what was measured, as SVG."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sync_orchestration_tests.benchmarks.measured import Panel

_COLUMNS = 2
_WIDTH, _HEIGHT = 5.0, 2.6  # inches of a panel
_COLOURS = ("#3b6ea5", "#d98c3f")
_GROUP = 0.8  # of the room between two places is filled with bars
_WIDE_RANGE = 100
"""Where the longest bar is so many times the shortest, lengths are logarithms."""


def draw(panels: Sequence[Panel], file: Path) -> None:
    """Draw the panels, two in a row; the same panels give the same file."""
    import matplotlib as mpl  # noqa: PLC0415 - of the group `bench`, which only the report needs
    from matplotlib.figure import Figure  # noqa: PLC0415 - as above

    if not panels:
        return
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "performance", "font.size": 9}):
        rows = -(-len(panels) // _COLUMNS)
        figure = Figure(figsize=(_COLUMNS * _WIDTH, rows * _HEIGHT), layout="constrained")
        for place, panel in enumerate(panels):
            axes = figure.add_subplot(rows, _COLUMNS, place + 1)
            axes.set_title(panel.title, loc="left")
            axes.spines[["top", "right"]].set_visible(False)
            (_bars if panel.kind == "bars" else _lines)(axes, panel)
        file.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(file, metadata={"Date": None, "Creator": None})


def _bars(axes: Any, panel: Panel) -> None:
    height = _GROUP / len(panel.values)
    for number, (name, values) in enumerate(panel.values.items()):
        middle = (number - (len(panel.values) - 1) / 2) * height
        places = [place + middle for place in range(len(panel.places))]
        bars = axes.barh(places, values, height, label=name, color=_COLOURS[number])
        axes.bar_label(bars, fmt="{:,.1f}", padding=3)
    axes.set_yticks(range(len(panel.places)), [str(place) for place in panel.places])
    axes.invert_yaxis()
    axes.margins(x=0.15)
    lengths = [length for values in panel.values.values() for length in values]
    if max(lengths) > _WIDE_RANGE * min(lengths) > 0:
        axes.set_xscale("log")
        axes.set_xlim(left=min(1.0, *lengths))
    if len(panel.values) > 1:
        axes.legend(loc="lower right", frameon=False)


def _lines(axes: Any, panel: Panel) -> None:
    for number, (name, values) in enumerate(panel.values.items()):
        axes.plot(panel.places, values, marker="o", label=name, color=_COLOURS[number])
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    if len(panel.values) > 1:
        axes.legend(loc="best", frameon=False)
