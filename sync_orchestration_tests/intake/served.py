"""An intake in a process of its own: ``python -m sync_orchestration_tests.intake.served DATABASE_URL``.

Prints its address and serves until its standard input ends.
"""

import sys

from sync_orchestration_tests.intake.world import serve_intake


def main() -> None:
    with serve_intake(sys.argv[1]) as intake:
        sys.stdout.write(intake.url + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
