"""``python -m sync_orchestration_tests.faults.soak --minutes 10 --seed 1``: see `docs/reliability.md`, Convergence.

Two thirds of the time for workers of every sync, one third for the real services. Exit code 1 when anything was lost
or doubled, or ended by itself.
"""

import argparse
import random
import sys

from sync_orchestration_tests.faults.soak.disk import leave_small_disk, move_to_small_disk, small_disk
from sync_orchestration_tests.faults.soak.house import soak_house
from sync_orchestration_tests.faults.soak.syncs import soak_syncs

_MODULE = "sync_orchestration_tests.faults.soak"


def main() -> None:
    """Read the command line, soak, print what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--records", type=int, default=60)
    given = parser.parse_args()
    seed = random.SystemRandom().randrange(1_000_000) if given.seed is None else given.seed
    move_to_small_disk(_MODULE)
    _say(f"soak: {given.minutes:g} minutes, seed {seed}, {given.records} records in each source to begin with")
    if small_disk() is None:
        _say("the disk does not get full: only root can have a small one of his own (Linux, unshare)")
    chance = random.Random(seed)
    try:
        wrong = soak_syncs(given.minutes * 2 / 3, chance, given.records, _say)
        wrong += soak_house(given.minutes / 3, chance, _say)
    finally:
        leave_small_disk()
    for one in wrong:
        _say(f"WRONG {one}")
    sys.exit(1 if wrong else 0)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
