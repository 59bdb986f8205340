"""Tables of every released version are brought to this one: nothing is lost, a sync goes on, a death leaves no half."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from sync_orchestration.interface.database import connect
from sync_orchestration.interface.intake import PushedRecord, land_pushed, prepare_session
from sync_orchestration.interface.inventory import note_seen, open_inventory, unseen_keys
from sync_orchestration.interface.lookups import fresh_answers
from sync_orchestration.interface.migrate import is_current, known_version, migrate
from sync_orchestration.interface.requeue import requeue_due, requeue_failed
from sync_orchestration.interface.rows import (
    Scope,
    Settlement,
    claim,
    counts_by_status,
    hire_worker,
    land,
    release_dead_claims,
    settle,
)
from sync_orchestration.interface.state import all_states, change_state, lock_state
from sync_orchestration.mapping.diff import payload_hash
from sync_orchestration_tests.databases import empty_database
from sync_orchestration_tests.interface import released
from sync_orchestration_tests.interface.at_hand import record, row_of, statuses

Conn = psycopg.Connection[Any]
MIGRATE = [
    sys.executable,
    "-c",
    "import sys; from sync_orchestration.interface.migrate import migrate; print(migrate(sys.argv[1]))",
]
SYNC = "partners"


@pytest.fixture
def empty_url(postgres_server: str) -> Iterator[str]:
    """The URL of a database without any table."""
    with empty_database(postgres_server) as url:
        yield url


@pytest.fixture
def conn(empty_url: str) -> Iterator[Conn]:
    with connect(empty_url) as found:
        yield found


def upgraded(conn: Conn, url: str, version: str) -> released.Rows:
    """Bring filled tables of a version to this one; returns what they held before."""
    released.make(conn, version)
    released.fill(conn)
    before = released.everything(conn)
    assert migrate(url) == known_version()
    return before


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def test_every_schema_has_its_migration() -> None:
    assert released.versions()[0] == "0001"
    assert released.versions()[-1] == known_version()


@pytest.mark.parametrize("version", released.versions())
def test_an_upgrade_loses_nothing(conn: Conn, empty_url: str, version: str) -> None:
    before = upgraded(conn, empty_url, version)
    assert len(before["interface_row"]) > 300
    assert {row["status"] for row in before["sync_state"]} == {
        "TRIGGER_WAITING", "IN_PROGRESS", "RETRY_WAITING", "ERROR",
    }  # fmt: skip
    assert released.lost(before, released.everything(conn)) == []
    assert is_current(conn)
    migrated = [state for state in all_states(conn) if state.sync == "baseline"]
    assert (migrated[0].baseline_after, migrated[0].baseline_is_due) == ("bulk-150", True)


@pytest.mark.parametrize("version", released.versions())
def test_a_sync_goes_on_with_upgraded_rows(conn: Conn, empty_url: str, version: str) -> None:
    upgraded(conn, empty_url, version)
    before = counts_by_status(conn, SYNC)[SYNC]
    worker = hire_worker(conn, "run-2")
    assert worker.number > released.DEAD_WORKER

    # Waiting rows are claimed, those of a worker that died with the old program too; the rest stays as it is.
    assert release_dead_claims(conn, SYNC) == 2
    rows = {row.record_key: row for row in claim(worker, SYNC, Scope(), 1_000)}
    assert set(rows) == {"new", "changed", "going", "held", "overtaken"}
    assert rows["changed"].target_id == "311"
    assert rows["changed"].external_ids == ["code:changed"]
    assert rows["changed"].payload == {
        "name": "Alfa changed s.r.o.", "dic": "CZ12345679", "tagy": ["a", "b"], "nic": None,
    }  # fmt: skip
    settlements = [Settlement(row, "processed", row.target_id or f"new-{key}") for key, row in rows.items()]
    with conn.transaction():
        assert settle(worker, sync=SYNC, target_system="odoo", settlements=settlements) == len(rows)
    after = counts_by_status(conn, SYNC)[SYNC]
    assert after["processed"] == before["processed"] + len(rows)
    assert row_of(conn, "new")["settled_version"] > 500, "settlings are counted on"

    # Failed rows: by themselves when due, and by a person's word.
    assert requeue_due(conn, SYNC) == 1
    assert statuses(conn)["passing"] == "pending"
    assert set(requeue_failed(conn, SYNC, ["refused"])) == {"refused"}
    assert {row.record_key: row.attempts for row in claim(worker, SYNC, Scope(), 10)} == {"refused": 3, "passing": 3}

    # News of known and of new records.
    with conn.transaction():
        news = [record("done", 500, "renamed"), record("unheard of", 501), record("left out", 502, None)]
        assert land(conn, sync=SYNC, source_system="flexi", run_id="run-2", records=news) == 3
    found = statuses(conn)
    assert (found["done"], found["unheard of"], found["left out"]) == ("pending", "pending", "pending")
    assert row_of(conn, "done")["target_id"] == "316"

    # The cursor moves on from where it was.
    with conn.transaction():
        state = change_state(conn, lock_state(conn, SYNC), last_position=503)
    assert (state.last_position, state.count_processed, state.config_hash) == (503, 300, "c0ffee")


@pytest.mark.parametrize("version", released.versions())
def test_inventory_answers_and_intake_work_on_upgraded_tables(conn: Conn, empty_url: str, version: str) -> None:
    upgraded(conn, empty_url, version)
    with open_inventory(conn) as began:
        note_seen(conn, [key for key in statuses(conn) if key not in ("bulk-7", "bulk-8")])
        assert unseen_keys(conn, SYNC, before=began) == ["bulk-7", "bulk-8"]
    age = datetime.now(UTC) - released.NOON
    answers = fresh_answers(conn, "kontur/inn", ["7707083893", "7700000000", "1"], age * 2)
    assert answers == {"7707083893": [{"ogrn": "1027700132195"}], "7700000000": []}
    prepare_session(conn)
    data: Any = {"name": "Alfa"}
    pushed = [PushedRecord(key, "update", 6, data, payload_hash(data)) for key in ("C-1", "C-2")]
    landed = land_pushed(conn, sync="pushed", source_system="erp", entity="partner", records=pushed)
    assert landed.accepted == {"C-1", "C-2"}
    assert landed.stale == set()
    again = [PushedRecord("C-1", "update", 4, {"name": "old"}, "0")]
    landed = land_pushed(conn, sync="pushed", source_system="erp", entity="partner", records=again)
    assert landed.stale == {"C-1"}


# A migration that dies, and two at once


@contextmanager
def stopped_after(conn: Conn, statements: int) -> Iterator[Callable[[], None]]:
    """Let a migration stop after so many of its statements until the block's function is called."""
    conn.execute("CREATE SEQUENCE public.ddl")
    conn.execute("SELECT pg_advisory_lock(4711)")
    conn.execute(
        "CREATE FUNCTION public.stop_here() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF nextval('public.ddl') = {statements} THEN PERFORM pg_advisory_lock(4711); END IF; END $$".encode()
    )
    conn.execute("CREATE EVENT TRIGGER stop_here ON ddl_command_end EXECUTE FUNCTION public.stop_here()")
    yield lambda: void(conn.execute("SELECT pg_advisory_unlock(4711)"))
    conn.execute("DROP EVENT TRIGGER stop_here")


def void(_: object) -> None:
    """Say that a result does not matter."""


def waits_for(conn: Conn, lock: str) -> bool:
    """Whether somebody of this database waits for an advisory lock with this last part of its number."""
    row = conn.execute(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid::bigint::text = %s "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        [lock],
    ).fetchone()
    return row is not None and row[0] > 0


def statements_of_an_upgrade(url: str) -> int:
    """Count what an upgrade from the first version does, in a database that is then emptied again."""
    with connect(url) as conn:
        released.make(conn, "0001")
        with stopped_after(conn, 10_000):
            migrate(url)
        row = conn.execute("SELECT last_value FROM public.ddl").fetchone()
        conn.execute("DROP SCHEMA sync CASCADE; DROP SEQUENCE public.ddl; DROP FUNCTION public.stop_here()")
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0], ids=["after the first statement", "in the middle", "at the end"])
def test_a_migration_killed_between_statements_leaves_the_old_version_and_the_next_start_migrates(
    conn: Conn, empty_url: str, share: float
) -> None:
    stop_at = max(1, round(share * statements_of_an_upgrade(empty_url)))
    released.make(conn, "0001")
    released.fill(conn)
    before = released.everything(conn)

    with stopped_after(conn, stop_at) as go_on:
        with subprocess.Popen([*MIGRATE, empty_url], stdout=subprocess.PIPE) as process:
            wait_until(lambda: waits_for(conn, "4711") or process.poll() is not None)
            os.kill(process.pid, signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL
        go_on()
        wait_until(lambda: not others(conn))
    version = conn.execute("SELECT version_num FROM sync.alembic_version").fetchone()
    assert version == ("0001",)
    assert released.everything(conn) == before

    assert migrate(empty_url) == known_version()
    assert released.lost(before, released.everything(conn)) == []


def others(conn: Conn) -> int:
    """Return how many other sessions this database has."""
    row = conn.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    ).fetchone()
    return 0 if row is None else int(row[0])


def test_of_two_processes_that_migrate_at_once_one_waits_for_the_other(conn: Conn, empty_url: str) -> None:
    released.make(conn, "0001")
    released.fill(conn)
    before = released.everything(conn)
    row = conn.execute("SELECT (hashtext('sync_orchestration.migrate')::bigint & 4294967295)::text").fetchone()
    assert row is not None
    with stopped_after(conn, 1) as go_on, ExitStack() as stack:
        first = stack.enter_context(subprocess.Popen([*MIGRATE, empty_url], stdout=subprocess.PIPE, text=True))
        wait_until(lambda: waits_for(conn, "4711"))
        second = stack.enter_context(subprocess.Popen([*MIGRATE, empty_url], stdout=subprocess.PIPE, text=True))
        wait_until(lambda: waits_for(conn, row[0]))
        go_on()
        said = [process.communicate(timeout=60)[0].strip() for process in (first, second)]
    assert said == [known_version(), known_version()]
    assert released.lost(before, released.everything(conn)) == []
