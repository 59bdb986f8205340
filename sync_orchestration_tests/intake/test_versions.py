"""The same key again: one row, the newer wins, and a row that is being written is written again."""

import threading
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync_orchestration.interface.database import connect
from sync_orchestration.interface.intake import PushedRecord, land_pushed, prepare_session
from sync_orchestration.interface.rows import Scope, Settlement, Status, claim, hire_worker, settle
from sync_orchestration.pipeline.windows import DAY, window_at
from sync_orchestration_tests.intake.world import Intake, partner


def process(intake: Intake, status: Status = "processed", *, sync: str = "partners", **said: Any) -> None:
    """Let a worker settle everything that is pending."""
    with connect(intake.database_url) as conn:
        worker = hire_worker(conn, "run-1")
        rows = claim(worker, sync, Scope(), 1_000)
        with conn.transaction():
            settlements = [Settlement(row, status, f"T{row.record_key}", **said) for row in rows]
            settle(worker, sync=sync, target_system="odoo", settlements=settlements)


def test_the_same_payload_again_is_unchanged(intake: Intake) -> None:
    assert intake.outcomes(partner("1")) == ["accepted"]
    before = intake.rows()
    assert intake.outcomes(partner("1"), partner("2")) == ["unchanged", "accepted"]
    assert intake.rows()["1"] == before["1"]


def test_the_order_of_fields_is_no_change(intake: Intake) -> None:
    intake.push({"key": "1", "data": {"a": 1, "b": {"c": 1, "d": 2}}}, sync="notes")
    assert intake.outcomes({"key": "1", "data": {"b": {"d": 2, "c": 1}, "a": 1}}, sync="notes") == ["unchanged"]


def test_a_newer_version_replaces_a_pending_one_in_the_same_row(intake: Intake) -> None:
    intake.push(partner("1", "Old", version=1))
    assert intake.outcomes(partner("1", "New", version=2)) == ["accepted"]
    rows = intake.rows()
    assert list(rows) == ["1"]
    assert (rows["1"]["payload"]["name"], rows["1"]["version"], rows["1"]["status"]) == ("New", 2, "pending")


def test_an_older_version_is_stale_and_changes_nothing(intake: Intake) -> None:
    intake.push(partner("1", "New", version=2))
    before = intake.rows()
    assert intake.outcomes(partner("1", "Old", version=1)) == ["stale"]
    assert intake.rows() == before


def test_among_equal_versions_the_later_wins(intake: Intake) -> None:
    intake.push(partner("1", "One", version=2))
    assert intake.outcomes(partner("1", "Other", version=2)) == ["accepted"]


def test_without_a_version_arrival_decides_and_the_known_version_stays(intake: Intake) -> None:
    intake.push(partner("1", "A", version=5))
    assert intake.outcomes(partner("1", "B")) == ["accepted"]
    assert intake.outcomes(partner("1", "C", version=4)) == ["stale"]
    assert intake.outcomes(partner("1", "D", version=6)) == ["accepted"]


def test_a_higher_version_that_says_the_same_is_unchanged_but_counts(intake: Intake) -> None:
    intake.push(partner("1", "A", version=1))
    assert intake.outcomes(partner("1", "A", version=9)) == ["unchanged"]
    assert intake.outcomes(partner("1", "B", version=5)) == ["stale"]


def test_the_position_grows_with_each_change_even_within_one_second(intake: Intake) -> None:
    positions = []
    for number in range(20):
        intake.push(partner("1", f"N{number}"))
        positions.append(intake.rows()["1"]["position"])
    assert positions == sorted(set(positions))


def test_a_window_is_the_day_of_the_position(intake: Intake) -> None:
    intake.push(partner("1"))
    last_second = int(datetime(2343, 10, 16, 23, 59, 59, tzinfo=UTC).timestamp())
    intake.sql("UPDATE sync.interface_row SET position = %s", last_second)
    intake.push(partner("1", "Later"))
    row = intake.rows()["1"]
    assert (row["position"], row["partition_key"]) == (last_second + 1, "2343-10-17")
    assert row["partition_key"] == window_at(row["position"], DAY).key


def test_a_clock_that_was_set_back_does_not_make_a_change_older(intake: Intake) -> None:
    intake.push(partner("1"))
    intake.sql("UPDATE sync.interface_row SET position = position + 1000000")
    before = intake.rows()["1"]["position"]
    assert intake.outcomes(partner("1", "Later")) == ["accepted"]
    assert intake.rows()["1"]["position"] == before + 1


def test_the_same_key_twice_in_one_call_the_later_wins(intake: Intake) -> None:
    assert intake.outcomes(partner("1", "First"), partner("2"), partner("1", "Last")) == [
        "stale",
        "accepted",
        "accepted",
    ]
    assert intake.rows()["1"]["payload"]["name"] == "Last"


def test_the_same_key_twice_in_one_call_the_higher_version_wins(intake: Intake) -> None:
    assert intake.outcomes(partner("1", "High", version=9), partner("1", "Low", version=3)) == ["accepted", "stale"]
    assert intake.rows()["1"]["payload"]["name"] == "High"


def test_a_bad_record_does_not_outrank_a_good_one_of_the_same_key(intake: Intake) -> None:
    assert intake.outcomes(partner("1", "Good"), partner("1", "")) == ["accepted", "refused"]
    assert intake.rows()["1"]["payload"]["name"] == "Good"


pushes = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from("XYZ"), st.none() | st.integers(0, 3), st.booleans()),
    min_size=1,
    max_size=6,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(pushes=pushes)
def test_one_call_ends_as_the_same_records_in_calls_of_their_own(intake: Intake, pushes: list[Any]) -> None:
    records = [
        {"key": key, "operation": "delete", "version": version}
        if is_delete
        else {"key": key, "data": {"name": name}, "version": version}
        for key, name, version, is_delete in pushes
    ]
    ended = []
    for calls in ([records], [[record] for record in records]):
        intake.sql("DELETE FROM sync.interface_row")
        for call in calls:
            assert intake.push(*call).status_code == 200
        ended.append({k: (r["operation"], r["payload"], r["version"]) for k, r in intake.rows().items()})
    assert ended[0] == ended[1]


def test_a_delete_needs_no_data_and_the_row_says_so(intake: Intake) -> None:
    intake.push(partner("1"))
    assert intake.outcomes({"key": "1", "operation": "delete"}) == ["accepted"]
    row = intake.rows()["1"]
    assert (row["operation"], row["payload"], row["status"]) == ("delete", None, "pending")
    assert intake.outcomes({"key": "1", "operation": "delete"}) == ["unchanged"]


def test_a_delete_that_overtakes_its_record_still_wins(intake: Intake) -> None:
    assert intake.outcomes({"key": "1", "operation": "delete", "version": 8}) == ["accepted"]
    assert intake.outcomes(partner("1", version=7)) == ["stale"]
    assert intake.rows()["1"]["operation"] == "delete"


def test_a_record_that_comes_back_after_its_delete_is_written_again(intake: Intake) -> None:
    intake.push(partner("1"))
    intake.push({"key": "1", "operation": "delete"})
    process(intake)
    assert intake.outcomes(partner("1")) == ["accepted"]
    assert intake.rows()["1"]["status"] == "pending"


def test_create_of_a_record_that_is_in_the_target_is_an_update(intake: Intake) -> None:
    intake.push(partner("1", operation="create"))
    assert intake.rows()["1"]["operation"] == "create"
    process(intake)
    intake.push(partner("1", "Again", operation="create"))
    assert intake.rows()["1"]["operation"] == "update"


def test_a_record_that_changes_while_it_is_written_is_written_again(intake: Intake) -> None:
    intake.push(partner("1", "Old"))
    with connect(intake.database_url) as conn:
        worker = hire_worker(conn, "run-1")
        rows = claim(worker, "partners", Scope(), 10)
        assert [row.payload for row in rows] == [{"name": "Old"}]
        assert intake.outcomes(partner("1", "New")) == ["accepted"]
        assert intake.rows()["1"]["status"] == "processing"
        assert intake.get("/v1/partners/records/1").json()["status"] == "pending"
        with conn.transaction():
            settlements = [Settlement(row, "processed", "T1") for row in rows]
            settle(worker, sync="partners", target_system="odoo", settlements=settlements)
        assert intake.rows()["1"]["status"] == "pending"
        assert [row.payload for row in claim(worker, "partners", Scope(), 10)] == [{"name": "New"}]


def test_the_payload_that_is_being_written_already_is_unchanged(intake: Intake) -> None:
    intake.push(partner("1"))
    with connect(intake.database_url) as conn:
        worker = hire_worker(conn, "run-1")
        claim(worker, "partners", Scope(), 10)
        assert intake.outcomes(partner("1")) == ["unchanged"]
        assert intake.rows()["1"]["claimed_position"] is not None


def test_a_failed_record_sent_again_is_tried_again(intake: Intake) -> None:
    intake.push(partner("1"))
    process(intake, "failed", error_code="target", error_message="refused")
    assert intake.outcomes(partner("1")) == ["accepted"]
    row = intake.rows()["1"]
    assert (row["status"], row["attempts"]) == ("pending", 1)


def test_a_failed_record_that_is_tried_again_by_itself_is_left_to_it(intake: Intake) -> None:
    intake.push(partner("1"))
    process(intake, "failed", error_code="busy", error_message="busy")
    intake.sql("UPDATE sync.interface_row SET next_attempt_at = now() + interval '1 hour'")
    assert intake.outcomes(partner("1")) == ["unchanged"]
    assert intake.outcomes(partner("1", "Other")) == ["accepted"]
    assert intake.rows()["1"]["next_attempt_at"] is None


@pytest.mark.parametrize("status", ["processed", "skipped"])
def test_a_record_that_is_done_with_is_unchanged_when_it_says_the_same(intake: Intake, status: Status) -> None:
    intake.push(partner("1"))
    process(intake, status)
    assert intake.outcomes(partner("1")) == ["unchanged"]
    assert intake.outcomes(partner("1", "New")) == ["accepted"]


def test_calls_with_the_same_keys_in_opposite_order_do_not_block_each_other(database_url: str) -> None:
    keys = [f"{number:03}" for number in range(200)]
    failures: list[psycopg.Error] = []

    def pusher(mark: str, ordered: list[str]) -> None:
        try:
            with connect(database_url) as conn:
                prepare_session(conn)
                for turn in range(10):
                    records = [PushedRecord(key, "update", None, {"n": 1}, f"{mark}{turn}{key}") for key in ordered]
                    land_pushed(conn, sync="s", source_system="x", entity="e", records=records)
        except psycopg.Error as error:
            failures.append(error)

    threads = [threading.Thread(target=pusher, args=args) for args in (("a", keys), ("b", keys[::-1]))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
