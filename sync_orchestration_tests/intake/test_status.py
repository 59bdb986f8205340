"""A sender asks what became of its records."""

from typing import Any

import pytest

from sync_orchestration_tests.intake.test_versions import process
from sync_orchestration_tests.intake.world import CRM_TOKEN, Intake, partner


def status_of(intake: Intake, key: str = "1") -> dict[str, Any]:
    told: dict[str, Any] = intake.get(f"/v1/partners/records/{key}").json()
    return told


def test_a_stored_record_is_pending(intake: Intake) -> None:
    intake.push(partner("1", version=4))
    told = status_of(intake)
    assert told.pop("received_at").endswith("+00:00")
    assert told == {"key": "1", "status": "pending", "operation": "update", "version": 4, "attempts": 0}


def test_a_processed_record_has_the_targets_id(intake: Intake) -> None:
    intake.push(partner("1"))
    process(intake)
    told = status_of(intake)
    assert (told["status"], told["target_system"], told["target_id"]) == ("processed", "odoo", "T1")
    assert told["processed_at"]


def test_a_failed_record_says_why_how_often_and_when_again(intake: Intake) -> None:
    intake.push(partner("1"))
    process(intake, "failed", error_code="validation", error_field="name", error_message="too odd")
    told = status_of(intake)
    assert told["errors"] == [{"field": "name", "code": "validation", "message": "too odd"}]
    assert (told["status"], told["attempts"], told["next_attempt_at"]) == ("failed", 1, None)


def test_a_skipped_record_says_why(intake: Intake) -> None:
    intake.push(partner("1"))
    process(intake, "skipped", error_code="skipped", error_message="does not meet the condition")
    told = status_of(intake)
    assert (told["status"], told["reason"]) == ("skipped", "does not meet the condition")


def test_an_error_is_no_longer_told_once_the_record_is_on_its_way_again(intake: Intake) -> None:
    intake.push(partner("1"))
    process(intake, "failed", error_code="validation", error_message="too odd")
    intake.push(partner("1", "Better"))
    assert "errors" not in status_of(intake)


def test_an_unknown_key_is_404(intake: Intake) -> None:
    answer = intake.get("/v1/partners/records/1")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_record")


def test_another_senders_record_is_unknown(intake: Intake) -> None:
    intake.push(partner("1"))
    assert intake.get("/v1/partners/records/1", token=CRM_TOKEN).status_code == 404


@pytest.mark.parametrize("key", ["a/b", "a b", "č?#%", "..", "a%2Fb"])
def test_any_key_can_be_asked_for(intake: Intake, key: str) -> None:
    assert intake.outcomes(partner(key)) == ["accepted"]
    quoted = "".join(f"%{byte:02X}" for byte in key.encode())
    assert status_of(intake, quoted)["key"] == key


def test_many_keys_are_asked_for_in_one_call(intake: Intake) -> None:
    intake.push(partner("1"), partner("2"))
    told = intake.rpc("records.status", {"sync": "partners", "keys": ["2", "x", "1", "\ud800", "\x00"]}).json()
    found = [(one["key"], one["status"]) for one in told["result"]["records"]]
    assert found == [("2", "pending"), ("x", "unknown"), ("1", "pending"), ("\ud800", "unknown"), ("\x00", "unknown")]
