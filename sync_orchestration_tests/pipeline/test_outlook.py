"""Where a record stands, what comes next and when, and what a person can do: decided from its row and its sync."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from sync_orchestration.interface.looks import Relative
from sync_orchestration.interface.single import WaitingWake, WholeRow
from sync_orchestration.interface.state import SyncState, read_state
from sync_orchestration.pipeline.outlook import Circumstances, Outlook, command, outlook

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
SOON = NOW + timedelta(minutes=10)
LOOKS = "The sensor looks every 30 s."


@pytest.fixture
def state(conn: psycopg.Connection[Any]) -> SyncState:
    return read_state(conn, "partners")


def row(**known: Any) -> WholeRow:
    usual: dict[str, Any] = dict.fromkeys(WholeRow.__slots__) | {
        "sync": "partners",
        "source_system": "erp",
        "record_key": "7",
        "entity": "partner",
        "operation": "update",
        "position": 5,
        "partition_key": "000000000000",
        "payload": {},
        "external_ids": [],
        "received_at": NOW,
        "status": "pending",
        "attempts": 0,
        "delete_confirmed": False,
        "in_doubt": False,
        "target_system": "odoo",
    }
    return WholeRow(**(usual | known))


def failed(code: str = "refused", **known: Any) -> WholeRow:
    return row(**({"status": "failed", "error_code": code, "error_field": "vat", "error_message": "no"} | known))


def said(found: Outlook) -> list[str]:
    return [coming.what for coming in found.coming]


def commands(found: Outlook) -> list[str | None]:
    return [advice.command for advice in found.advice]


def test_a_refused_record_waits_for_a_person(state: SyncState) -> None:
    found = outlook(failed(), Circumstances(LOOKS, state))
    assert found.standing == "Failed (refused): vat: no"
    assert said(found) == [
        "It waits for a person's word, or for a change of it in the source; nothing else tries it again."
    ]
    assert commands(found) == ["sync-orchestration retry partners 7"]


def test_a_passing_fault_is_tried_again_at_its_time(state: SyncState) -> None:
    found = outlook(failed(next_attempt_at=SOON), Circumstances(LOOKS, state))
    assert found.coming[0].at == SOON
    assert said(found) == ["It is tried again by itself.", LOOKS]


@pytest.mark.parametrize(
    ("awaited", "told"),
    [
        (None, "which has not arrived yet"),
        (Relative("failed", "update", None), "which is failed now"),
        (Relative("processed", "delete", None), "which was deleted in the source"),
    ],
)
def test_a_child_says_which_parent_it_waits_for_and_how_that_one_does(
    state: SyncState, awaited: Relative | None, told: str
) -> None:
    found = outlook(failed("waits_for_record", awaits="P 1"), Circumstances(LOOKS, state, awaited=awaited))
    assert said(found)[0] == f"It follows by itself when the record 'P 1' is written, {told}."
    assert commands(found) == ["sync-orchestration explain partners 'P 1'"]


def test_a_child_whose_parent_was_written_and_is_gone_says_how_both_come_back(state: SyncState) -> None:
    around = Circumstances(LOOKS, state, awaited=Relative("processed", "update", "7"))
    found = outlook(failed(awaits="P 1"), around)
    assert said(found)[0] == (
        "It follows by itself when the record 'P 1', which seems gone from the target, is written anew."
    )
    assert commands(found) == ["sync-orchestration run partners --all"]


def test_a_held_delete_says_how_it_is_confirmed(state: SyncState) -> None:
    found = outlook(failed("delete_held", operation="delete"), Circumstances(LOOKS, state))
    assert said(found) == ["The guard holds its delete until a person confirms it."]
    assert commands(found) == ["sync-orchestration retry --confirm-deletes partners 7"]


def test_a_switched_off_sync_says_which_variables_are_missing(state: SyncState) -> None:
    found = outlook(row(), Circumstances(LOOKS, state, unset=["ODOO_URL"]))
    assert said(found) == ["The next run of the sync writes it.", "The sync is switched off: ODOO_URL not set."]


def test_a_pass_that_failed_a_paused_server_and_off_peak_hours_are_all_told_with_their_times(state: SyncState) -> None:
    waiting = replace(state, status="RETRY_WAITING", error="Odoo is down.")
    around = Circumstances(
        LOOKS, waiting, rests_until=SOON, pauses={"odoo": NOW}, off_peak="waits for its off-peak hours, 22:00-06:00 UTC"
    )
    found = outlook(row(), around)
    assert said(found)[1:] == [
        "The server of the connection odoo asked all for patience.",
        "The last pass of the sync stopped: Odoo is down.",
        "The sync waits for its off-peak hours, 22:00-06:00 UTC.",
        LOOKS,
    ]
    assert [coming.at for coming in found.coming] == [None, NOW, SOON, None, None]
    assert commands(found) == ["sync-orchestration check", "sync-orchestration run partners"]


def test_what_the_state_of_the_sync_says_does_not_concern_a_record_that_is_done(state: SyncState) -> None:
    done = row(status="processed", target_id="33", processed_at=NOW)
    found = outlook(done, Circumstances(LOOKS, state, off_peak="waits", action="unchanged"))
    assert found.standing == "Written: it is 33 in odoo, as the source said it last."
    assert said(found) == ["Nothing, until it changes in the source."]
    assert found.advice == ()


def test_a_hook_that_nobody_has_followed_yet_is_told(state: SyncState) -> None:
    wakes = [WaitingWake("erp", "partners", "7", NOW), WaitingWake("books", "flexi", "", NOW)]
    assert said(outlook(row(status="skipped"), Circumstances(LOOKS, state, wakes=wakes)))[1:] == [
        "A hook (erp) has told partners to look at this record; that is not done yet.",
        "A hook (books) has told flexi to look at everything; that is not done yet.",
    ]


def test_nothing_triggers_a_sync_that_is_not_enabled(state: SyncState) -> None:
    assert said(outlook(row(), Circumstances(LOOKS, state, enabled=False)))[-1].startswith("Nothing triggers this sync")


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("412", "sync-orchestration retry partners 412"),
        ("a b; rm -rf", "sync-orchestration retry partners 'a b; rm -rf'"),
        ("--all", "sync-orchestration retry partners -- --all"),
    ],
)
def test_a_command_can_be_typed_as_it_is_shown(key: str, line: str) -> None:
    assert command("retry", "partners", key=key) == line
