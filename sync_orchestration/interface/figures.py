"""What monitoring may know of the tables, read so that a million rows cost no more than a thousand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row, dict_row

from sync_orchestration.interface.queries import query
from sync_orchestration.interface.rows import counts_by_status

BOUND = 10_000
"""So many failing or unread rows of a sync are told apart from more."""

_FIRST_ROWS = 1_000
_ATTEMPTS_AT_ONCE = 20_000
_COUNTING_MS = 60_000


@dataclass(frozen=True, slots=True)
class StateFigures:
    """How one sync stands. `count_processed` grows with every settled row; a sweep begins it anew."""

    sync: str
    status: str
    has_error: bool
    last_position: int | None
    count_processed: int
    try_count: int


@dataclass(frozen=True, slots=True)
class TableFigures:
    """What one look found. `waiting` is in seconds; `failing` by sync and code and `unread` are counted up to BOUND."""

    states: Sequence[StateFigures]
    waiting: Mapping[str, float]
    failing: Mapping[tuple[str, str], int]
    unread: Mapping[str, int]
    incidents: Mapping[tuple[str, str], int]


def table_figures(conn: Connection[Any], syncs: Sequence[str], relays: Mapping[str, str]) -> TableFigures:
    """Look at the tables: at `syncs`, whatever else has a state, and how far `relays` (reader → read) are behind."""
    with conn.cursor(row_factory=class_row(StateFigures)) as cur:
        states = cur.execute(query("figures_of_states")).fetchall()
    names = sorted({*syncs, *(state.sync for state in states)})
    of_relays = {"syncs": list(relays), "sources": list(relays.values()), "bound": BOUND}
    waiting = conn.execute(query("figures_of_waiting"), {"syncs": names, "bound": _FIRST_ROWS}).fetchall()
    failing = conn.execute(query("figures_of_failing"), {"syncs": names, "bound": BOUND}).fetchall()
    incidents = conn.execute(query("figures_of_incidents")).fetchall()
    return TableFigures(
        states=states,
        waiting=dict(waiting),
        failing={(sync, code): rows for sync, code, rows in failing},
        unread=dict(conn.execute(query("figures_of_relays"), of_relays).fetchall()),
        incidents={(subject, kind): number for subject, kind, number in incidents},
    )


def count_rows(conn: Connection[Any]) -> dict[str, dict[str, int]]:
    """Count all rows by sync and status: a scan of the whole table, which may take a minute."""
    with conn.transaction():
        conn.execute(query("limit_statement"), {"statement_ms": _COUNTING_MS})
        return counts_by_status(conn)


@dataclass(slots=True)
class AttemptCounter:
    """Adds up attempts by sync and status from the first look on, each once.

    Attempts become visible in another order than that of their numbers. So they are counted up to the newest of an
    earlier look, once every transaction that was under way then has ended.
    """

    totals: dict[tuple[str, str], int] = field(default_factory=dict)
    _counted: int | None = field(default=None, init=False)
    _newest: int = field(default=0, init=False)
    _certain_after: int = field(default=0, init=False)

    def look(self, conn: Connection[Any]) -> Mapping[tuple[str, str], int]:
        """Count what is certain by now, a bounded number at a time; returns all totals."""
        with conn.cursor(row_factory=dict_row) as cur:
            seen = cur.execute(query("attempts_horizon")).fetchone()
        if seen is None:
            raise RuntimeError("the newest attempt could not be read")
        if self._counted is None:
            self._counted = seen["newest"]
        elif self._certain_after <= seen["oldest_running"]:
            self._counted = self._add(conn, self._counted, min(self._newest, self._counted + _ATTEMPTS_AT_ONCE))
        if self._counted >= self._newest:
            self._newest, self._certain_after = seen["newest"], seen["next_transaction"]
        return dict(self.totals)

    def _add(self, conn: Connection[Any], after: int, until: int) -> int:
        for sync, status, number in conn.execute(query("figures_of_attempts"), {"after": after, "until": until}):
            self.totals[sync, status] = self.totals.get((sync, status), 0) + number
        return until
