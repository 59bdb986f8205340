"""What a benchmark found: tables and curves, with machine, versions and command; kept as JSON."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from sync_orchestration_tests.benchmarks.report import table

FOLDER = Path(__file__).parents[2] / "docs" / "measured"
_COMPARED = ("dagster", "psycopg", "requests", "dlt", "pyarrow")


class Grid(BaseModel):
    """A table: the first column says what, the others hold figures."""

    model_config = ConfigDict(frozen=True)

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def text(self) -> str:
        return table(self.title, self.head, self.rows)


class Goal(BaseModel):
    """What was to be reached, the figure that was, and whether that is enough."""

    model_config = ConfigDict(frozen=True)

    wanted: str
    found: str
    met: bool

    @property
    def text(self) -> str:
        return f"{'met' if self.met else 'NOT met'}: {self.wanted}; measured {self.found}"


class Panel(BaseModel):
    """A part of the picture: bars by label, or a line for each name over `places`."""

    model_config = ConfigDict(frozen=True)

    title: str
    kind: Literal["bars", "lines"]
    places: tuple[str | float, ...]
    values: dict[str, tuple[float, ...]]


class Machine(BaseModel):
    """What it was measured on; `load`: processes that wanted a core in the minute before, and in the last one."""

    model_config = ConfigDict(frozen=True)

    cores: int = Field(default_factory=lambda: os.cpu_count() or 1)
    system: str = Field(default_factory=lambda: f"{platform.system()} {platform.machine()}")
    python: str = Field(default_factory=platform.python_version)
    load: tuple[float, ...] = ()
    versions: dict[str, str] = Field(default_factory=lambda: {n: v for n in _COMPARED if (v := _version(n))})

    @property
    def text(self) -> str:
        loads = " to ".join(f"{load:.1f}" for load in self.load)
        programs = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        return f"{self.cores} cores, load {loads}, {self.system}, Python {self.python}, {programs}"


class Measured(BaseModel):
    """The outcome of one benchmark."""

    model_config = ConfigDict(frozen=True)

    name: str
    title: str
    grids: tuple[Grid, ...]
    notes: tuple[str, ...] = ()
    goals: tuple[Goal, ...] = ()
    panels: tuple[Panel, ...] = ()
    machine: Machine
    measured_on: str = Field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"))
    command: str = ""

    @property
    def text(self) -> str:
        parts = [*(grid.text for grid in self.grids), *self.notes, *(goal.text for goal in self.goals)]
        return "\n\n".join([self.title, *parts, self.machine.text])

    def keep(self, folder: Path, command: str) -> None:
        """Write it where `kept` finds it; the command is kept with it."""
        folder.mkdir(parents=True, exist_ok=True)
        with_command = self.model_copy(update={"command": command})
        (folder / f"{self.name}.json").write_text(with_command.model_dump_json(indent=1) + "\n", encoding="utf-8")


def kept(folder: Path) -> list[Measured]:
    """Return what was kept, by name."""
    files = sorted(folder.glob("*.json"))
    return [Measured.model_validate_json(file.read_text(encoding="utf-8")) for file in files]


def load_now() -> float:
    """Return how many processes wanted a core in the last minute: far more than cores, and seconds mean little."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
