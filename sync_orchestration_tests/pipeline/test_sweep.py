"""A pass over a repository: its states as Citeck's counterparty synchronisation has them, whatever comes between."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.interface.database import connect
from sync_orchestration.interface.state import change_state, database_time, lock_state, read_state
from sync_orchestration.pipeline.errors import ConfigurationError, UnavailableError
from sync_orchestration.pipeline.passes import running_pass
from sync_orchestration.pipeline.sweep import reset, resume_at_start, state_of_sweep
from sync_orchestration.sandbox.alfresco import alfresco_app
from sync_orchestration.sandbox.faults import FaultRule
from sync_orchestration.sandbox.kontur import kontur_app
from sync_orchestration.sandbox.server import serve
from sync_orchestration_tests.pipeline.conftest import Conn
from sync_orchestration_tests.pipeline.contractors import (
    KEY,
    SYNC,
    Contractors,
    WatchedAlfresco,
    WatchedKontur,
    shipped_settings,
    written,
)
from sync_orchestration_tests.pipeline.toys import KilledError, Notes

INITIAL = (
    '{"lastModifiedNodeDbid": null, "status": "TRIGGER_WAITING", "countProcessedNodes": 0, "tryCount": 0, '
    '"nextTry": null, "error": null}'
)
COUNT = 12
LAST = 10 * COUNT
FEW = 4


class Board:
    """A server into which each test plugs its stand-in."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


@pytest.fixture(scope="module")
def boards() -> Iterator[list[tuple[Board, str]]]:
    with ExitStack() as stack:
        made = [Board(), Board()]
        yield [(board, stack.enter_context(serve(board))) for board in made]


@pytest.fixture
def contractors(boards: list[tuple[Board, str]], database_url: str, monkeypatch: pytest.MonkeyPatch) -> Contractors:
    """Twelve contractors, read five at a time; a window holds ten of them, and a run is one window."""
    monkeypatch.setenv("ALFRESCO_PASSWORD", "admin")
    monkeypatch.setenv("KONTUR_KEY", KEY)
    alfresco = WatchedAlfresco.model_validate(
        {"kind": "alfresco", "url": boards[0][1], "user": "admin", "password": "$ALFRESCO_PASSWORD"}
    )
    kontur = WatchedKontur.model_validate({"kind": "kontur", "url": boards[1][1], "key": "$KONTUR_KEY"})
    made = Contractors(database_url, alfresco, kontur, small_settings(batch=5))
    begin_anew(made, boards)
    return made


def small_settings(batch: int) -> SyncSettings:
    settings = shipped_settings(batch=batch, window=100)
    triggers = settings.triggers.model_copy(update={"windows_per_run": 1})
    return settings.model_copy(update={"triggers": triggers})


def begin_anew(contractors: Contractors, boards: list[tuple[Board, str]], count: int = COUNT, apart: int = 10) -> None:
    contractors.watch()
    contractors.begin(count, apart)
    boards[0][0].app, boards[1][0].app = alfresco_app(contractors.world), kontur_app(contractors.register)
    with connect(contractors.url) as conn:
        conn.execute("TRUNCATE sync.interface_row, sync.interface_attempt, sync.sync_state, sync.lookup_answer")


def shown(conn: Conn) -> dict[str, Any]:
    return state_of_sweep(read_state(conn, SYNC))


def let_the_wait_be_over(conn: Conn) -> None:
    with conn.transaction():
        state = lock_state(conn, SYNC)
        change_state(conn, state, next_try=database_time(conn) - timedelta(seconds=1))


def break_register(contractors: Contractors, status: int = 503) -> None:
    contractors.register.faults.add(FaultRule(kind="status", path="/api3/req", status=status, times=None))


def fail(contractors: Contractors, conn: Conn) -> None:
    with pytest.raises(UnavailableError):
        contractors.run(conn, at_once=True)


# The table of states


def test_the_state_begins_with_exactly_these_keys_in_this_order(conn: Conn) -> None:
    assert json.dumps(shown(conn)) == INITIAL


def test_a_pass_goes_from_waiting_over_in_progress_to_waiting(contractors: Contractors, conn: Conn) -> None:
    assert contractors.run(conn).reason == "nothing new"
    assert json.dumps(shown(conn)) == INITIAL
    contractors.cron(conn)
    assert shown(conn) == {**json.loads(INITIAL), "status": "IN_PROGRESS"}
    contractors.run(conn)
    # The page that crosses the end of a window is read whole, and its rows are written in their own windows.
    halfway = shown(conn)
    assert halfway["status"] == "IN_PROGRESS"
    assert 0 < halfway["countProcessedNodes"] < COUNT
    assert 10 <= halfway["lastModifiedNodeDbid"] < LAST
    while contractors.run(conn).windows:
        pass
    done = {"lastModifiedNodeDbid": LAST, "status": "TRIGGER_WAITING", "countProcessedNodes": COUNT}
    assert shown(conn) == {**json.loads(INITIAL), **done}
    assert sorted(written(contractors)) == sorted(contractors.keys)


def test_the_watermark_only_grows_within_a_pass(contractors: Contractors, conn: Conn) -> None:
    contractors.cron(conn)
    seen = []
    while contractors.run(conn).windows:
        seen.append(shown(conn)["lastModifiedNodeDbid"])
    assert seen == sorted(seen)
    assert len(seen) > 1


def test_a_failed_batch_is_tried_three_times_more_then_the_pass_waits_for_its_cron(
    contractors: Contractors, conn: Conn
) -> None:
    contractors.cron(conn)
    break_register(contractors)
    for tries, delay in ((1, 10), (2, 60), (3, 600)):
        before = database_time(conn)
        fail(contractors, conn)
        state, after = read_state(conn, SYNC), database_time(conn)
        assert (state.status, state.try_count) == ("RETRY_WAITING", tries)
        assert state.next_try is not None
        assert before <= state.next_try - timedelta(seconds=delay) <= after
        assert shown(conn)["nextTry"] == state.next_try.isoformat()
        assert "Kontur" in str(state.error)
        assert shown(conn)["lastModifiedNodeDbid"] is None
        waiting = contractors.plan(conn)
        assert waiting.windows == []
        assert "to try again after" in waiting.reason
    fail(contractors, conn)
    ended = shown(conn)
    assert (ended["status"], ended["tryCount"], ended["nextTry"]) == ("ERROR", 3, None)
    assert "Kontur" in ended["error"]
    assert "waits for its next trigger" in contractors.run(conn).reason
    assert written(contractors) == []


def test_when_the_wait_is_over_the_same_batch_is_tried_again(contractors: Contractors, conn: Conn) -> None:
    contractors.cron(conn)
    break_register(contractors)
    fail(contractors, conn)
    contractors.register.faults.clear()
    assert contractors.plan(conn).windows == []
    let_the_wait_be_over(conn)
    contractors.run(conn)
    state = shown(conn)
    assert (state["status"], state["tryCount"], state["nextTry"], state["error"]) == ("IN_PROGRESS", 0, None, None)


def test_a_batch_that_succeeds_begins_the_count_of_tries_anew(contractors: Contractors, conn: Conn) -> None:
    contractors.cron(conn)
    contractors.run(conn)
    contractors.world.faults.add(FaultRule(kind="status", path="/search", status=503, times=2))
    fail(contractors, conn)
    fail(contractors, conn)
    assert shown(conn)["tryCount"] == 2
    contractors.run(conn, at_once=True)
    assert shown(conn)["tryCount"] == 0
    break_register(contractors)
    contractors.register.add(*contractors.companies)
    with conn.transaction():
        conn.execute("DELETE FROM sync.lookup_answer")
    contractors.cron(conn)
    fail(contractors, conn)
    assert shown(conn)["tryCount"] == 1


def test_after_error_the_cron_goes_on_where_the_pass_stopped(contractors: Contractors, conn: Conn) -> None:
    contractors.cron(conn)
    contractors.run(conn)
    halfway = shown(conn)
    contractors.world.faults.add(FaultRule(kind="status", path="/search|nodes", status=503, times=4))
    for _ in range(4):
        fail(contractors, conn)
    assert shown(conn)["status"] == "ERROR"
    contractors.cron(conn)
    assert shown(conn) == {**halfway, "status": "IN_PROGRESS"}
    contractors.finish()
    assert shown(conn)["countProcessedNodes"] == COUNT
    assert set(contractors.register.asked.values()) == {1}


def test_a_finished_pass_is_followed_by_one_over_everything(contractors: Contractors, conn: Conn) -> None:
    contractors.finish()
    first = shown(conn)
    contractors.cron(conn)
    assert shown(conn) == {**json.loads(INITIAL), "status": "IN_PROGRESS"}
    contractors.finish()
    assert shown(conn) == first
    assert len(written(contractors)) == COUNT
    assert set(contractors.register.asked.values()) == {1}


@pytest.mark.parametrize("state", ["TRIGGER_WAITING", "IN_PROGRESS", "RETRY_WAITING", "ERROR"])
def test_a_restart_lets_a_waiting_pass_go_on_at_once_and_changes_nothing_else(
    contractors: Contractors, conn: Conn, state: str
) -> None:
    if state != "TRIGGER_WAITING":
        contractors.cron(conn)
    if state in ("RETRY_WAITING", "ERROR"):
        break_register(contractors)
        for _ in range(4 if state == "ERROR" else 2):
            fail(contractors, conn)
        contractors.register.faults.clear()
    before = shown(conn)
    assert before["status"] == state
    resume_at_start(conn, SYNC)
    if state == "RETRY_WAITING":
        went_on = {"status": "IN_PROGRESS", "tryCount": 0, "nextTry": None, "error": None}
        assert shown(conn) == {**before, **went_on}
        assert contractors.run(conn).windows
    else:
        assert shown(conn) == before
        assert bool(contractors.run(conn).windows) is (state == "IN_PROGRESS")


@pytest.mark.parametrize("failed", [False, True])
def test_a_changed_configuration_begins_the_pass_anew(contractors: Contractors, conn: Conn, failed: bool) -> None:
    contractors.cron(conn)
    contractors.run(conn)
    if failed:
        contractors.world.faults.add(FaultRule(kind="status", path="/search|nodes", status=503, times=4))
        for _ in range(4):
            fail(contractors, conn)
    assert contractors.settings.lookup is not None
    lookup = contractors.settings.lookup.model_copy(update={"attribute": "idocs:ogrn", "search": "ogrn"})
    contractors.settings = contractors.settings.model_copy(update={"lookup": lookup})
    contractors.cron(conn)
    assert shown(conn) == {**json.loads(INITIAL), "status": "IN_PROGRESS"}
    contractors.finish()
    assert shown(conn)["countProcessedNodes"] == COUNT


def test_a_reset_forgets_the_state_and_keeps_the_rows(contractors: Contractors, conn: Conn) -> None:
    contractors.cron(conn)
    contractors.run(conn)
    break_register(contractors)
    fail(contractors, conn)
    rows = contractors.outcome()["rows"]
    reset(conn, SYNC)
    assert json.dumps(shown(conn)) == INITIAL
    assert contractors.outcome()["rows"] == rows
    contractors.register.faults.clear()
    contractors.finish()
    assert shown(conn)["status"] == "TRIGGER_WAITING"


@pytest.mark.parametrize(("where", "status"), [("alfresco", 401), ("alfresco", 403), ("kontur", 403), ("kontur", 402)])
def test_what_only_a_person_can_mend_is_an_error_at_once(
    contractors: Contractors, conn: Conn, where: str, status: int
) -> None:
    contractors.cron(conn)
    world = contractors.world if where == "alfresco" else contractors.register
    world.faults.add(FaultRule(kind="status", status=status, body=f"no {KEY}", times=None))
    with pytest.raises(ConfigurationError):
        contractors.run(conn)
    state = shown(conn)
    assert (state["status"], state["tryCount"], state["nextTry"]) == ("ERROR", 0, None)
    assert where == "alfresco" or KEY not in state["error"]


def test_a_server_that_asks_for_patience_is_given_it(contractors: Contractors, conn: Conn) -> None:
    contractors.cron(conn)
    contractors.register.faults.add(
        FaultRule(kind="status", path="/api3", status=429, headers={"retry-after": "300"}, times=None)
    )
    before = database_time(conn)
    fail(contractors, conn)
    next_try = read_state(conn, SYNC).next_try
    assert next_try is not None
    assert next_try >= before + timedelta(seconds=300)


def test_a_pass_that_ended_before_it_could_say_so_is_ended_by_the_next_look(
    contractors: Contractors, conn: Conn
) -> None:
    """Else it would be in progress for ever: nothing is left to run, and a cron leaves a pass under way alone."""
    contractors.finish()
    contractors.cron(conn)
    settings = contractors.settings
    with suppress(KilledError), running_pass(conn, SYNC, settings.retry_policy, settings.config_hash):
        while (state := read_state(conn, SYNC)).has_more_to_sweep:
            contractors.source.reader(conn, "run", Notes()).sweep(until=(state.pass_end or 0) + 1)
        conn.execute("UPDATE sync.interface_row SET status = 'processed'")
        raise KilledError
    assert shown(conn)["status"] == "IN_PROGRESS"
    assert contractors.plan(conn).windows == []
    assert shown(conn)["status"] == "TRIGGER_WAITING"


# Rows and positions


def test_late_and_deleted_nodes_do_not_keep_others_from_being_looked_at(contractors: Contractors, conn: Conn) -> None:
    """Plain Alfresco tells one dbid a page, so a node that joins or leaves moves the positions of its page."""
    contractors.finish()
    for number, disturb in enumerate(("late", "gone")):
        if disturb == "late":
            contractors.world.add(contractors.world.nodes[contractors.keys[-1]].properties, dbid=15)
        else:
            contractors.world.delete(contractors.keys[1])
        for company in contractors.companies:
            contractors.register.change(company.ogrn, okpo=f"9{number}{company.inn[:6]}")
        conn.execute("DELETE FROM sync.lookup_answer")
        contractors.world.writes.clear()
        contractors.finish()
        readable = {node.uuid for node in contractors.world.contractors()}
        assert set(written(contractors)) == readable
        assert shown(conn)["countProcessedNodes"] == len(readable)


def test_a_node_that_shows_late_is_found_by_the_next_pass(contractors: Contractors, conn: Conn) -> None:
    contractors.world.hide(contractors.keys[3])
    contractors.finish()
    assert shown(conn)["countProcessedNodes"] == COUNT - 1
    contractors.world.track()
    contractors.finish()
    assert shown(conn)["countProcessedNodes"] == COUNT
    assert set(written(contractors)) == set(contractors.keys)


def test_newest_nodes_that_may_not_be_read_do_not_cut_the_pass_short(contractors: Contractors, conn: Conn) -> None:
    contractors.world.trouble("unreadable", *contractors.keys[-2:])
    contractors.finish()
    assert shown(conn)["countProcessedNodes"] == COUNT - 2


def test_an_empty_repository_is_a_finished_pass(contractors: Contractors, conn: Conn) -> None:
    for key in contractors.keys:
        contractors.world.delete(key)
    contractors.finish()
    assert shown(conn) == {**json.loads(INITIAL)}


def test_a_locked_node_fails_alone_and_is_written_by_a_later_pass(contractors: Contractors, conn: Conn) -> None:
    contractors.world.trouble("locked", contractors.keys[4])
    contractors.finish()
    assert contractors.outcome()["rows"] == {"processed": COUNT - 1, "failed": 1}
    contractors.world.heal("locked", contractors.keys[4])
    contractors.finish()
    assert contractors.outcome()["rows"] == {"processed": COUNT}
    assert sorted(written(contractors)) == sorted(contractors.keys)


# Killed anywhere


def killed_at(contractors: Contractors, number: int, how: str) -> None:
    """Work until the given request, then die: like a killed process, or by losing the database."""
    with connect(contractors.url) as conn:
        left = number

        def count() -> None:
            nonlocal left
            left -= 1
            if left != 0:
                return
            if how == "killed":
                raise KilledError
            with connect(contractors.url) as other:
                other.execute("SELECT pg_terminate_backend(%s)", (conn.info.backend_pid,))

        contractors.watch(count)
        with suppress(KilledError, psycopg.Error):
            contractors.cron(conn)
            while contractors.run(conn).windows:
                pass
    contractors.watch()


@pytest.mark.parametrize("how", ["killed", "lost database"])
def test_a_pass_that_is_killed_at_any_request_comes_to_the_same_end(
    contractors: Contractors, boards: list[tuple[Board, str]], how: str
) -> None:
    requests = 0
    contractors.settings = small_settings(batch=2)
    begin_anew(contractors, boards, FEW, 60)

    def count() -> None:
        nonlocal requests
        requests += 1

    contractors.watch(count)
    contractors.finish()
    undisturbed = contractors.outcome()
    assert undisturbed["state"]["countProcessedNodes"] == FEW
    assert undisturbed["asked"] == {company.inn: 1 for company in contractors.companies}
    # A lost database is noticed at the next statement, so a few places are enough.
    for number in range(1, requests + 1, 1 if how == "killed" else 5):
        begin_anew(contractors, boards, FEW, 60)
        killed_at(contractors, number, how)
        contractors.finish()
        found = contractors.outcome()
        if how == "lost database":
            # An answer that came when nobody could keep it any more has to be asked for again.
            assert max(found["asked"].values()) <= 2
            found["asked"] = undisturbed["asked"]
        assert found == undisturbed, f"{how} at request {number} of {requests}"
