"""Failures by day and code: bars as SVG, which the page draws itself, and the same numbers as a table."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from starlette.responses import Response
from starlette.routing import Route

from sync_orchestration.intake.records.desk import Desk, Visit
from sync_orchestration.intake.records.filters import read_filter
from sync_orchestration.interface.browsing import FailuresOfDay, failures_by_day

DAYS = 30
MOST_COUNTED = 100_000
_CODES = 6
_OTHERS = "others"
_NO_CODE = "no code"
WIDTH, HEIGHT = 720, 220
_LEFT, _BOTTOM, _TOP = 46, 24, 8


@dataclass(frozen=True, slots=True)
class Bar:
    """One rectangle; `shade` is the number of its code."""

    x: float
    y: float
    width: float
    height: float
    shade: int
    title: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A text at an axis, and where it stands."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars of `days` days in the unit of the picture, `codes` from most to least, and the numbers by day and code."""

    codes: list[str]
    days: list[date]
    numbers: dict[date, Counter[str]]
    bars: list[Bar]
    heights: list[Mark]
    dates: list[Mark]
    total: int


class Charts:
    """The page with the chart."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [Route("/records/failures", self._desk.serve(self.failures), methods=["GET"])]

    async def failures(self, visit: Visit) -> Response:
        """Show since when the records fail that fail now, and why."""
        wanted = read_filter(visit.request.query_params)
        today = datetime.now(UTC).date()
        since = datetime.combine(today - timedelta(days=DAYS - 1), datetime.min.time(), UTC)
        found = await self._desk.look(lambda conn: failures_by_day(conn, wanted.sync, since, bound=MOST_COUNTED + 1))
        return self._desk.show(
            visit,
            "failures.html",
            chart=chart_of(found, today),
            sync=wanted.sync,
            syncs=sorted(self._desk.views),
            days=DAYS,
            is_cut=sum(one.rows for one in found) > MOST_COUNTED,
            width=WIDTH,
            height=HEIGHT,
        )


def chart_of(found: Sequence[FailuresOfDay], today: date) -> Chart:
    """Draw the last thirty days; codes beyond the six most frequent are one."""
    all_codes: Counter[str] = Counter()
    for one in found:
        all_codes[one.code or _NO_CODE] += one.rows
    frequent = [code for code, _ in all_codes.most_common(_CODES)]
    codes = [*frequent, _OTHERS] if len(all_codes) > len(frequent) else frequent
    days = [today - timedelta(days=ago) for ago in reversed(range(DAYS))]
    numbers: dict[date, Counter[str]] = {day: Counter() for day in days}
    for one in found:
        code = one.code or _NO_CODE
        if one.day in numbers:
            numbers[one.day][code if code in frequent else _OTHERS] += one.rows
    top = _round_up(max(counts.total() for counts in numbers.values()))
    return Chart(
        codes=codes,
        days=days,
        numbers=numbers,
        bars=_bars(codes, numbers, top),
        heights=[Mark(_y(top * part / 2, top), f"{top * part // 2:,}") for part in range(3)],
        dates=[
            Mark(_x(place) + _step() / 2, day.strftime("%d %b")) for place, day in enumerate(days) if place % 5 == 2
        ],
        total=sum(counts.total() for counts in numbers.values()),
    )


def _bars(codes: Sequence[str], numbers: dict[date, Counter[str]], top: int) -> list[Bar]:
    bars = []
    for place, (day, counts) in enumerate(numbers.items()):
        below = 0
        for shade, code in enumerate(codes):
            if rows := counts[code]:
                y = _y(below + rows, top)
                height = round(_y(below, top) - y, 1)
                title = f"{day.isoformat()}: {rows:,} {code}"
                bars.append(Bar(round(_x(place) + 2, 1), y, round(_step() - 4, 1), height, shade, title))
                below += rows
    return bars


def _step() -> float:
    return (WIDTH - _LEFT) / DAYS


def _x(place: int) -> float:
    return _LEFT + place * _step()


def _y(rows: float, top: int) -> float:
    return round(HEIGHT - _BOTTOM - rows / top * (HEIGHT - _BOTTOM - _TOP), 1)


def _round_up(number: int) -> int:
    """Return the next even number with one or two leading digits, so that the axis has plain marks."""
    unit = int("1".ljust(len(str(number)) - 1, "0"))
    rounded = -(-number // (2 * unit)) * 2 * unit
    return max(2, rounded)
