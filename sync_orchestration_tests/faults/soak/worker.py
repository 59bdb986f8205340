"""A worker of one sync, which works until its standard input ends or somebody kills it: ``… soak.worker SYNC SEED``."""

import random
import select
import sys

import psycopg

from sync_orchestration.interface.database import DatabaseError, connect, database_url
from sync_orchestration.pipeline.errors import SyncError
from sync_orchestration_tests.faults.soak.box import TIMEOUT
from sync_orchestration_tests.faults.watching import brisk_connections
from sync_orchestration_tests.faults.working import RUNS, Process, shipped_settings

_PAUSE = 0.05  # seconds in which an end of the input is waited for


def main() -> None:
    """Run whatever a process may be there for, again and again."""
    sync, chance = sys.argv[1], random.Random(sys.argv[2])
    settings, connections = shipped_settings(sync, small=False), brisk_connections(TIMEOUT)
    while not select.select([sys.stdin], [], [], _PAUSE)[0]:
        try:
            with connect(database_url()) as conn:
                Process(conn, settings, connections, 1 + chance.randrange(20)).run(
                    chance.choice(RUNS), chance.randrange(1_000)
                )
        except (SyncError, DatabaseError, psycopg.OperationalError) as error:
            # What a run fails with; the next one is begun by itself.
            sys.stdout.write(f"{type(error).__name__}: {str(error)[:200]}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
