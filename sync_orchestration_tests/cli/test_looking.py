"""What a run would do, and what the runs have tried, as people and programs are told it."""

from sync_orchestration_tests.cli.test_cli import call, called, complaint
from sync_orchestration_tests.components.places import PARTNERS, REFUSED, SYNC, Place


def test_a_dry_run_tells_programs_every_field_and_writes_nothing(place: Place) -> None:
    answer = called("run", SYNC, "--dry-run", "--json")["syncs"][SYNC]
    would = answer["would"]
    assert sum(would.values()) == PARTNERS
    assert would["create"] >= PARTNERS - 2 * REFUSED
    fields = {change["field"]: change for change in answer["changes"] if change["record_key"] == "1"}
    assert fields["name"]["before"] == ""
    assert fields["name"]["after"]
    assert place.counts == {}
    assert place.partners() == {}


def test_a_dry_run_shows_people_what_differs_before_and_after(synced: Place) -> None:
    company, key = synced.company, next(iter(synced.partners()))
    record = company.record("adresar", int(key))
    assert record is not None
    company.update("adresar", int(key), {"mesto": "Nová Ves"})
    result = call("run", SYNC, "--dry-run")
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    assert "would be 0 created, 1 changed, 0 deleted" in result.stdout
    assert any(line[:3] == ["update", key, "city"] and line[-2:] == ["Nová", "Ves"] for line in lines)
    assert synced.partners()[key]["city"] != "Nová Ves"


def test_the_log_tells_every_try_with_its_answer(synced: Place) -> None:
    attempts = called("log", SYNC, "--limit", "500", "--json")["attempts"]
    assert len(attempts) == PARTNERS
    failed = {attempt["record_key"]: attempt for attempt in attempts if attempt["status"] == "error"}
    assert failed.keys() == synced.failing.keys()
    for key, row in synced.failing.items():
        assert failed[key]["error"] == row.error_message
    (only,) = called("log", SYNC, "--key", next(iter(failed)), "--json")["attempts"]
    assert (only["model"], only["operation"]) == ("res.partner", "create")
    shown = call("log", SYNC, "--limit", "3").stdout
    assert "res.partner" in shown
    assert len(shown.splitlines()) == 4


def test_the_log_of_a_sync_that_is_not_there_is_a_wrong_call(place: Place) -> None:
    assert "There is no sync nobody" in complaint(call("log", "nobody"), 2)
