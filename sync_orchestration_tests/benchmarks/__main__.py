"""Run the benchmarks and print their tables: ``python -m sync_orchestration_tests.benchmarks [landing] [writing]``."""

import argparse
import sys

from sync_orchestration_tests.benchmarks.landing import compare_landing


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks", description="Measure; prints tables of plain text.")
    parser.add_argument("which", nargs="*", help="landing, writing (default: both)")
    parser.add_argument("--rounds", type=int, default=3, help="times that ours and the bare steps are run in turn")
    options = parser.parse_args()
    if "landing" in (options.which or ["landing"]):
        sys.stdout.write(compare_landing(options.rounds) + "\n\n")


if __name__ == "__main__":
    main()
