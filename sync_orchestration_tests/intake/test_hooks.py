"""Other systems call that something changed: a hint is kept, nothing else."""

import psycopg
import pytest

from sync_orchestration.interface.database import connect
from sync_orchestration.interface.wakes import CHANNEL, forget_wakes, record_wake, waiting_wakes
from sync_orchestration_tests.intake.world import FEED_SECRET, RECORD_SECRET, Intake, partner

FEED = {"X-Secret": FEED_SECRET}
BODY = {"_action": "Tell(#3)", "_id": 7, "_model": "res.partner", "id": 7, "name": "Acme"}
LISTING = (
    '{"winstrom":{"@globalVersion":"3656513","changes":[{"@evidence":"adresar","@in-version":"3656513",'
    '"@operation":"create","@timestamp":"2021-03-13 00:26:28.318788","id":"4462","external-ids":["code:LUKAPO"]}],'
    '"next":"none"}}'
)
EMPTY_LISTING = '{"winstrom":{"@globalVersion":"12","changes":[],"next":"none"}}'


@pytest.mark.parametrize("body", ["", LISTING, EMPTY_LISTING, "<winstrom/>", b"\xff\x00", "x" * 200_000])
def test_a_feeds_hook_with_its_secret_wakes_the_connection_whatever_it_brings(
    intake: Intake, body: str | bytes
) -> None:
    answer = intake.post("/hooks/feed/demo", body, token=None, headers=FEED)
    assert (answer.status_code, answer.content) == (200, b"")
    assert intake.wakes() == [("feed", "demo", "")]


def test_hooks_that_come_again_are_one_hint(intake: Intake) -> None:
    for _ in range(3):
        intake.post("/hooks/feed/demo", token=None, headers=FEED)
        intake.post(f"/hooks/records/partners_out/{RECORD_SECRET}", BODY, token=None)
    assert intake.wakes() == [("feed", "demo", ""), ("records", "partners_out", "7")]


@pytest.mark.parametrize("headers", [{}, {"X-Secret": ""}, {"X-Secret": "wrong"}, {"X-Secret": RECORD_SECRET}])
def test_a_feeds_hook_without_its_secret_wakes_nobody(intake: Intake, headers: dict[str, str]) -> None:
    assert intake.post("/hooks/feed/demo", LISTING, token=None, headers=headers).status_code == 401
    assert intake.post(f"/hooks/feed/demo/{FEED_SECRET}", LISTING, token=None).status_code == 401
    assert intake.wakes() == []


def test_a_records_hook_is_let_in_by_path_or_by_token(intake: Intake) -> None:
    assert intake.post(f"/hooks/records/partners_out/{RECORD_SECRET}", BODY, token=None).status_code == 200
    assert intake.post("/hooks/records/partners_out", {**BODY, "_id": 8}, token=RECORD_SECRET).status_code == 200
    assert intake.wakes() == [("records", "partners_out", "7"), ("records", "partners_out", "8")]


@pytest.mark.parametrize("path", ["partners_out/wrong", "partners_out", "nowhere/wrong", "nowhere", "../feed/demo"])
def test_a_records_hook_without_its_secret_is_refused_like_one_that_does_not_exist(intake: Intake, path: str) -> None:
    expected = intake.post("/hooks/no/such", BODY, token="wrong")
    answer = intake.post(f"/hooks/records/{path}", BODY, token="wrong")
    assert (answer.status_code, answer.content) == (401, expected.content)
    assert intake.wakes() == []


@pytest.mark.parametrize(
    "body", ["", "{", "[]", "{}", '{"_id": true}', '{"_id": 0}', '{"_id": "7"}', f'{{"_id": {2**63}}}']
)
def test_a_records_hook_that_names_no_record_is_refused(intake: Intake, body: str) -> None:
    assert intake.post(f"/hooks/records/partners_out/{RECORD_SECRET}", body, token=None).status_code == 400
    assert intake.wakes() == []


def test_a_senders_token_does_not_open_a_hook(intake: Intake) -> None:
    assert intake.post("/hooks/records/partners_out", BODY).status_code == 401


def test_a_hint_that_came_again_since_it_was_looked_at_stays(conn: psycopg.Connection[tuple[object, ...]]) -> None:
    record_wake(conn, "records", "out", ["1", "2"])
    looked_at = waiting_wakes(conn, "records", "out")
    assert [wake.record_key for wake in looked_at] == ["1", "2"]
    record_wake(conn, "records", "out", ["2"])
    assert forget_wakes(conn, "records", "out", looked_at) == 1
    assert [wake.record_key for wake in waiting_wakes(conn, "records", "out")] == ["2"]
    assert waiting_wakes(conn, "records", "other") == []


def test_hints_beyond_the_bound_become_one_for_everything(conn: psycopg.Connection[tuple[object, ...]]) -> None:
    for number in range(8):
        record_wake(conn, "records", "out", [str(number)], bound=5)
    assert [wake.record_key for wake in waiting_wakes(conn, "records", "out")] == ["0", "1", "2", "3", "4", ""]


def test_whoever_listens_hears_of_hints_and_of_pushed_records(intake: Intake) -> None:
    with connect(intake.database_url) as conn:
        conn.execute(f"LISTEN {CHANNEL}".encode())
        intake.post("/hooks/feed/demo", token=None, headers=FEED)
        assert [n.payload for n in conn.notifies(timeout=30, stop_after=1)] == ["feed/demo"]
        intake.push(partner("1"))
        assert [n.payload for n in conn.notifies(timeout=30, stop_after=1)] == ["intake/partners"]


def test_what_brings_nothing_new_is_not_announced(intake: Intake) -> None:
    with connect(intake.database_url) as conn:
        conn.execute(f"LISTEN {CHANNEL}".encode())
        intake.push(partner("1"))
        assert [n.payload for n in conn.notifies(timeout=30, stop_after=1)] == ["intake/partners"]
        intake.push(partner("1"), partner("2", ""))
        intake.post("/hooks/feed/demo", token=None, headers=FEED)
        assert [n.payload for n in conn.notifies(timeout=30, stop_after=1)] == ["feed/demo"]
