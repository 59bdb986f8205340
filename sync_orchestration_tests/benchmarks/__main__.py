"""Run benchmarks and print their tables: ``python -m sync_orchestration_tests.benchmarks [WHICH …]``.

Those against peers keep what they found in docs/measured; ``report`` makes docs/performance.md of all that is kept.
"""

import argparse
import sys
from collections.abc import Callable

from sync_orchestration_tests.benchmarks.browsing import measure_browsing
from sync_orchestration_tests.benchmarks.dagster_costs import measure_dagster
from sync_orchestration_tests.benchmarks.growth import measure_growth
from sync_orchestration_tests.benchmarks.idle import measure_idle
from sync_orchestration_tests.benchmarks.intake import compare_intake
from sync_orchestration_tests.benchmarks.into_odoo import measure_into_odoo
from sync_orchestration_tests.benchmarks.landing import compare_landing
from sync_orchestration_tests.benchmarks.latency import CHANGES_A_ROUND, measure_latency
from sync_orchestration_tests.benchmarks.measured import FOLDER, Measured
from sync_orchestration_tests.benchmarks.observing import compare_observing
from sync_orchestration_tests.benchmarks.outage import measure_outage
from sync_orchestration_tests.benchmarks.page import write_page
from sync_orchestration_tests.benchmarks.peers import measure_peers
from sync_orchestration_tests.benchmarks.recovery import measure_recovery
from sync_orchestration_tests.benchmarks.register import measure_register
from sync_orchestration_tests.benchmarks.sending import compare_sending
from sync_orchestration_tests.benchmarks.spreading import measure_spreading
from sync_orchestration_tests.benchmarks.turns import measure_turns
from sync_orchestration_tests.benchmarks.writing import count_writing

_KEPT: dict[str, Callable[[int], Measured]] = {
    "peers": measure_peers,
    "odoo": measure_into_odoo,
    "register": measure_register,
    "growth": measure_growth,
    "browsing": measure_browsing,
    "dagster": measure_dagster,
    "idle": lambda minutes: measure_idle(minutes=minutes),
    "latency": lambda rounds: measure_latency(CHANGES_A_ROUND * rounds),
}
_PRINTED: dict[str, Callable[[int], str]] = {
    "landing": compare_landing,
    "writing": lambda _rounds: count_writing(),
    "sending": compare_sending,
    "intake": compare_intake,
    "turns": lambda _rounds: measure_turns(),
    "observing": compare_observing,
    "spreading": lambda _rounds: measure_spreading(),
    "recovery": measure_recovery,
    "outage": lambda _rounds: measure_outage(),
}
_USUAL = ("landing", "writing", "sending", "intake", "peers", "odoo", "register", "growth", "browsing", "dagster")
"""What runs when nothing is named: all but those that watch the real services for many minutes."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks", description="Measure; prints tables of plain text.")
    known = [*_KEPT, *_PRINTED, "report"]
    parser.add_argument("which", nargs="*", help=f"some of {', '.join(known)}; without any: {', '.join(_USUAL)}")
    parser.add_argument("--rounds", type=int, default=5, help="times that everything is run in turn; of idle: minutes")
    options = parser.parse_args()
    if strangers := [name for name in options.which if name not in known]:
        parser.error(f"there is no benchmark {strangers[0]!r}; there are {', '.join(known)}")
    for name in options.which or [*_USUAL, "report"]:
        if name in _KEPT:
            found = _KEPT[name](options.rounds)
            found.keep(FOLDER, f"python -m sync_orchestration_tests.benchmarks {name} --rounds {options.rounds}")
            sys.stdout.write(found.text + "\n\n")
        elif name in _PRINTED:
            sys.stdout.write(_PRINTED[name](options.rounds) + "\n\n")
        else:
            sys.stdout.write(f"{write_page(FOLDER, FOLDER.parent)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
