"""Run the benchmarks and print their tables: ``python -m sync_orchestration_tests.benchmarks [WHICH]``."""

import argparse
import sys

from sync_orchestration_tests.benchmarks.browsing import measure_browsing
from sync_orchestration_tests.benchmarks.intake import compare_intake
from sync_orchestration_tests.benchmarks.landing import compare_landing
from sync_orchestration_tests.benchmarks.observing import compare_observing
from sync_orchestration_tests.benchmarks.outage import measure_outage
from sync_orchestration_tests.benchmarks.recovery import measure_recovery
from sync_orchestration_tests.benchmarks.sending import compare_sending
from sync_orchestration_tests.benchmarks.spreading import measure_spreading
from sync_orchestration_tests.benchmarks.turns import measure_turns
from sync_orchestration_tests.benchmarks.writing import count_writing


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks", description="Measure; prints tables of plain text.")
    parser.add_argument(
        "which",
        nargs="?",
        choices=["landing", "writing", "sending", "intake", "turns", "observing", "browsing", "recovery", "spreading"],
        help="only one of them",
    )
    parser.add_argument("--rounds", type=int, default=5, help="times that ours and the bare steps are run in turn")
    parser.add_argument("--outage", action="store_true", help="recovery: after an outage instead of a kill")
    options = parser.parse_args()
    if options.which in (None, "landing"):
        sys.stdout.write(compare_landing(options.rounds) + "\n\n")
    if options.which in (None, "writing"):
        sys.stdout.write(count_writing() + "\n\n")
    if options.which in (None, "sending"):
        sys.stdout.write(compare_sending(options.rounds) + "\n\n")
    if options.which in (None, "intake"):
        sys.stdout.write(compare_intake(options.rounds) + "\n")
    if options.which in (None, "turns"):
        sys.stdout.write(measure_turns() + "\n")
    if options.which == "spreading":
        sys.stdout.write(measure_spreading() + "\n")
    if options.which == "observing":
        sys.stdout.write(compare_observing(options.rounds) + "\n")
    if options.which == "browsing":
        sys.stdout.write(measure_browsing(options.rounds) + "\n")
    if options.which == "recovery":
        sys.stdout.write((measure_outage() if options.outage else measure_recovery(options.rounds)) + "\n")


if __name__ == "__main__":
    main()
