"""A sync through Dagster, from the first read to the worst day: on real stand-ins, a real database, real runs."""

import math
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

from sync_orchestration.sandbox.faults import FaultRule
from sync_orchestration_tests.components.places import (
    KEY,
    PARTNERS,
    REFUSED,
    SYNC,
    DefsFolder,
    NewPlace,
    Place,
)

ONE_QUESTION = {"GET /c/demo/changes.json": 1}
SOURCE = dg.AssetKey(["flexi", "adresar"])
TARGET = dg.AssetKey(["odoo", "partners"])
STATUS = dg.AssetKey([SYNC, "interface_status"])


@pytest.fixture(autouse=True)
def nobody_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests that are tried again are so at once."""
    monkeypatch.setattr("tenacity.nap.time", SimpleNamespace(sleep=lambda _seconds: None))


def failure(result: dg.ExecuteInProcessResult) -> str:
    """Return what the failed step of a run says to people."""
    assert not result.success
    data = next(event.step_failure_data for event in result.all_events if event.is_step_failure)
    assert data.user_failure_data is not None, data.error
    return data.user_failure_data.description or ""


def metadata(result: dg.ExecuteInProcessResult, asset: dg.AssetKey) -> dict[str, dg.MetadataValue[Any]]:
    """Return the metadata of the last materialization of an asset in a run."""
    found = [e for e in result.get_asset_materialization_events() if e.asset_key == asset]
    return dict(found[-1].materialization.metadata)


def numbers(result: dg.ExecuteInProcessResult, asset: dg.AssetKey) -> dict[str, float]:
    shown = metadata(result, asset).items()
    return {k: v.value for k, v in shown if isinstance(v, dg.IntMetadataValue | dg.FloatMetadataValue) and v.value}


def op_numbers(result: dg.ExecuteInProcessResult, op: str) -> dict[str, Any]:
    """Return what the op of a maintenance job shows."""
    output = next(e for e in result.events_for_node(op) if e.is_successful_output)
    return {name: value.value for name, value in output.step_output_data.metadata.items()}


def change_names(place: Place, keys: Sequence[int], name: str = "Changed") -> None:
    for key in keys:
        place.company.update("adresar", key, {"nazev": f"{name} {key}"})


def good_keys(place: Place, count: int) -> list[int]:
    """Return the ids of some partners that nothing is wrong with."""
    troubled = {number for ids in place.flexi.planted.values() for number in ids}
    return [number for number in place.company.ids("adresar") if number not in troubled][:count]


# The first sync, and what follows it


@pytest.mark.parametrize("odoo", [18, 19])
def test_the_first_sync_writes_everybody_but_those_that_odoo_must_refuse(new_place: NewPlace, odoo: int) -> None:
    place = new_place(odoo=odoo)
    report = place.bring_up_to_date()
    assert report.problem is None
    assert dict(report.counts) == {
        "landed": PARTNERS,
        "processed": PARTNERS - REFUSED,
        "failed": REFUSED,
        "unchanged": 0,
        "skipped": 0,
    }
    assert report.pending == 0
    assert report.cursor == str(place.company.global_version + 1)
    blamed = {
        kind: {place.failing[str(number)].error_field for number in ids} for kind, ids in place.flexi.planted.items()
    }
    assert blamed == {
        "implausible_email": {"email"},
        "unknown_country": {"country_id"},
        "blank_name": {"name"},
        "invalid_vat": {"vat"},
    }
    assert len(place.partners()) == PARTNERS - REFUSED
    assert place.compared().passed


def test_the_first_sync_is_asked_for_by_the_sensor_and_then_nothing_is_new(place: Place) -> None:
    request = place.requested()
    result = place.run(tags=request.tags)
    assert result.success
    assert numbers(result, SOURCE)["landed"] == PARTNERS
    assert numbers(result, TARGET)["processed"] == PARTNERS - REFUSED
    assert place.skipped() == "nothing new"


def test_an_idle_tick_costs_exactly_one_request(synced: Place) -> None:
    synced.tick()
    assert synced.requests == ONE_QUESTION
    assert synced.bring_up_to_date().requests["flexi"] == 1
    assert synced.requests == ONE_QUESTION


def test_creations_updates_and_deletions_arrive_in_odoo(synced: Place) -> None:
    changed, gone = good_keys(synced, 2)
    new = synced.company.create("adresar", {"kod": "NOVÁ", "nazev": "Nová firma s.r.o.", "stat": "code:CZ"})
    synced.company.update("adresar", changed, {"mesto": "Žďár nad Sázavou", "tel": ""})
    synced.company.delete("adresar", gone)
    report = synced.bring_up_to_date()
    assert (report.counts["landed"], report.counts["processed"], report.counts["failed"]) == (3, 3, 0)
    partners = synced.partners()
    assert (partners[str(new)]["name"], partners[str(new)]["active"]) == ("Nová firma s.r.o.", True)
    assert (partners[str(changed)]["city"], partners[str(changed)]["phone"]) == ("Žďár nad Sázavou", False)
    assert partners[str(gone)]["active"] is False


def test_ten_changes_of_one_record_are_one_write(synced: Place) -> None:
    (key,) = good_keys(synced, 1)
    for number in range(10):
        synced.company.update("adresar", key, {"nazev": f"Name {number}"})
    before = synced.odoo.written["res.partner"]
    report = synced.bring_up_to_date()
    assert (report.counts["landed"], report.counts["processed"]) == (1, 1)
    assert synced.odoo.written["res.partner"] == before + 1
    assert synced.partners()[str(key)]["name"] == "Name 9"


def test_a_change_of_a_field_that_is_not_mapped_writes_nothing(synced: Place) -> None:
    (key,) = good_keys(synced, 1)
    synced.company.update("adresar", key, {"poznam": "ask for Jana"})
    before = synced.odoo.calls["load"]
    report = synced.bring_up_to_date()
    assert report.counts["processed"] == 0
    assert synced.odoo.calls["load"] == before


def test_a_refused_partner_is_shown_with_its_reason_and_passes_after_it_was_mended(synced: Place) -> None:
    (number,) = synced.flexi.planted["implausible_email"]
    row = synced.failing[str(number)]
    assert (row.error_field, row.attempts) == ("email", 1)
    assert "e-mail" in (row.error_message or "")
    synced.company.update("adresar", number, {"email": "office@example.com"})
    assert synced.bring_up_to_date().counts["processed"] == 1
    assert str(number) not in synced.failing
    assert synced.partners()[str(number)]["email"] == "office@example.com"


# The sensor


def test_a_tick_after_a_change_asks_for_the_window_of_the_change(synced: Place) -> None:
    change_names(synced, good_keys(synced, 1))
    request = synced.requested()
    assert synced.requests == ONE_QUESTION
    assert request.tags["dagster/asset_partition_range_start"] == request.tags["dagster/asset_partition_range_end"]
    assert synced.run(tags=request.tags).success
    assert synced.skipped() == "nothing new"


def test_a_tick_that_is_repeated_asks_for_the_same_run_until_that_run_exists(synced: Place) -> None:
    change_names(synced, good_keys(synced, 1))
    first, again = synced.requested(), synced.requested()
    assert first.run_key == again.run_key
    synced.run(tags=first.tags)
    change_names(synced, good_keys(synced, 1), "Once more")
    assert synced.requested().run_key != first.run_key


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED])
def test_a_tick_during_a_run_asks_for_no_second_one(synced: Place, status: dg.DagsterRunStatus) -> None:
    change_names(synced, good_keys(synced, 1))
    job = synced.definitions.resolve_job_def(SYNC)
    synced.instance.create_run_for_job(job, tags=synced.requested().tags, status=status)
    synced.flexi.faults.reset_counts()
    assert synced.skipped() == "a run of this sync is under way"
    assert synced.requests == {}


def test_a_sync_whose_variables_are_unset_is_switched_off_and_says_which(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FLEXI_PASSWORD")
    assert place.skipped() == "switched off: FLEXI_PASSWORD not set"


def test_a_sync_whose_target_is_not_configured_is_switched_off_too(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ODOO_API_KEY")
    assert place.skipped() == "switched off: ODOO_API_KEY not set"
    assert place.requests == {}


def test_a_failed_pass_waits_before_it_is_tried_again(synced: Place) -> None:
    change_names(synced, good_keys(synced, 3))
    synced.odoo.faults.add(FaultRule(kind="status", status=503, times=None))
    request = synced.requested()
    assert "Odoo" in failure(synced.run(tags=request.tags))
    assert synced.state.status == "RETRY_WAITING"
    synced.flexi.faults.reset_counts()
    assert "waits until" in synced.skipped()
    assert synced.requests == {}
    synced.odoo.faults.clear()
    synced.conn.execute("UPDATE sync.sync_state SET next_try = now() - interval '1 second'")
    assert synced.run(tags=synced.requested().tags).success
    assert synced.partners()[str(good_keys(synced, 1)[0])]["name"].startswith("Changed")
    assert (synced.state.status, synced.state.try_count, synced.state.error) == ("TRIGGER_WAITING", 0, None)


def test_a_source_that_asks_for_patience_is_left_alone_for_so_long(synced: Place) -> None:
    synced.flexi.faults.add(FaultRule(kind="status", status=429, headers={"Retry-After": "3600"}, times=None))
    assert "wait 3600 s" in synced.skipped()
    synced.flexi.faults.reset_counts()
    assert "waits until" in synced.skipped()
    assert synced.requests == {}


def test_a_pass_that_a_person_must_mend_does_not_fail_anew_with_every_tick(
    synced: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ODOO_API_KEY", "expired")
    change_names(synced, good_keys(synced, 1))
    assert "ODOO_API_KEY" in failure(synced.run(tags=synced.requested().tags))
    assert "ODOO_API_KEY" in synced.skipped()
    monkeypatch.setenv("ODOO_API_KEY", KEY)
    assert synced.bring_up_to_date().counts["processed"] == 1
    assert synced.skipped() == "nothing new"


# Windows: an outage, a backfill


@pytest.fixture
def small_windows(defs_folder: DefsFolder, new_place: NewPlace) -> Place:
    """A synced place whose windows hold a hundred versions each."""

    def change(sync: dict[str, Any]) -> None:
        sync["source"] |= {"window": 100, "overlap": 50}
        sync["triggers"] = {"windows_per_run": 10}

    defs_folder.change(SYNC, change)
    place = new_place(project=defs_folder.load())
    assert place.bring_up_to_date().problem is None
    return place


def test_an_outage_of_many_windows_becomes_few_runs(small_windows: Place) -> None:
    place = small_windows
    place.company.bulk_changes(2_500, 150)
    change_names(place, good_keys(place, 150), "After the outage")
    windows = (place.company.global_version + 1) // 100 - int(place.state.last_position or 0) // 100 + 1
    assert windows > 20
    runs = 0
    while isinstance(request := place.tick(), dg.RunRequest):
        assert place.run(tags=request.tags).success
        runs += 1
    assert runs <= math.ceil(windows / 10)
    assert place.skipped() == "nothing new"
    assert place.compared().passed
    assert set(place.instance.get_dynamic_partitions(f"{SYNC}_windows")) >= {
        place.state.first_window,
        place.failing[str(place.flexi.planted["blank_name"][0])].partition_key,
    }


def test_a_backfill_of_chosen_windows_reads_them_again_and_heals_what_was_edited_by_hand(small_windows: Place) -> None:
    place = small_windows
    first, second, third = good_keys(place, 3)
    for key in (first, second):
        place.company.noise_changes(150)
        change_names(place, [key])
    place.bring_up_to_date()
    windows = place.add_all_windows()
    for key in (first, second, third):
        place.edit_in_odoo(str(key), name="Edited by hand")
    of_first, of_second = (
        place.conn.execute("SELECT partition_key FROM sync.interface_row WHERE record_key = %s", [str(key)]).fetchone()
        for key in (first, second)
    )
    assert of_first is not None
    assert of_second is not None
    result = place.backfill(of_first[0], of_second[0])
    assert result.success
    names = {key: place.partners()[str(key)]["name"] for key in (first, second, third)}
    # The third one lies in the window of the first read, which was not chosen.
    assert names == {first: f"Changed {first}", second: f"Changed {second}", third: "Edited by hand"}
    in_range = [key for key in windows if of_first[0] <= key <= of_second[0]]
    written = [e.partition for e in result.get_asset_materialization_events() if e.asset_key == TARGET]
    assert sorted(str(key) for key in written) == in_range
    place.backfill(place.state.first_window or "")
    assert place.compared().passed


def test_a_backfill_of_everything_is_one_run_and_writes_nothing_that_is_right_already(small_windows: Place) -> None:
    place = small_windows
    place.company.bulk_changes(1_000, 100)
    place.bring_up_to_date()
    before = place.odoo.written["res.partner"]
    result = place.backfill(*place.add_all_windows())
    assert result.success
    assert numbers(result, SOURCE)["landed"] >= PARTNERS
    assert numbers(result, TARGET)["unchanged"] == PARTNERS - REFUSED
    assert place.odoo.written["res.partner"] == before


# Deletes


def test_a_flood_of_deletes_is_held_until_a_person_confirms_it(synced: Place) -> None:
    gone = good_keys(synced, 60)
    for key in gone:
        synced.company.delete("adresar", key)
    report = synced.bring_up_to_date()
    assert report.problem is None
    held = {key for key, row in synced.failing.items() if row.error_code == "delete_held"}
    assert held == {str(key) for key in gone}
    assert "60 of 196 records would be deleted" in (synced.failing[str(gone[0])].error_message or "")
    assert all(synced.partners()[str(key)]["active"] for key in gone)

    synced.run("retry_failed_records", {"failed_records": {"sync": SYNC}})
    assert all(synced.partners()[str(key)]["active"] for key in gone), "a retry alone is no confirmation"

    assert synced.run("retry_failed_records", {"failed_records": {"sync": SYNC, "confirm_deletes": True}}).success
    assert not any(synced.partners()[str(key)]["active"] for key in gone)
    assert len(synced.failing) == REFUSED


def test_a_plausible_number_of_deletes_needs_no_word(synced: Place) -> None:
    gone = good_keys(synced, 50)
    for key in gone:
        synced.company.delete("adresar", key)
    assert synced.bring_up_to_date().counts["processed"] == 50
    assert not any(synced.partners()[str(key)]["active"] for key in gone)


# Jobs


def test_chosen_records_are_written_again_although_nothing_changed(synced: Place) -> None:
    chosen, other = good_keys(synced, 2)
    name = synced.partners()[str(chosen)]["name"]
    for key in (chosen, other):
        synced.edit_in_odoo(str(key), name="Edited by hand")
    result = synced.run("sync_records", {"chosen_records": {"sync": SYNC, "keys": [str(chosen)]}})
    assert result.success
    assert op_numbers(result, "chosen_records")["processed"] == 1
    assert synced.partners()[str(chosen)]["name"] == name
    assert synced.partners()[str(other)]["name"] == "Edited by hand"
    assert metadata(result, STATUS)["failing_records"].value == REFUSED


def test_a_chosen_record_that_is_gone_from_the_source_is_archived(synced: Place) -> None:
    (key,) = good_keys(synced, 1)
    synced.company.disable_changes()
    synced.company.delete("adresar", key)
    synced.company.enable_changes()
    assert synced.run("sync_records", {"chosen_records": {"sync": SYNC, "keys": [str(key)]}}).success
    assert synced.partners()[str(key)]["active"] is False


def test_chosen_records_before_the_first_sync_are_refused_with_the_way_out(place: Place) -> None:
    result = place.run("sync_records", {"chosen_records": {"sync": SYNC, "keys": ["5"]}})
    assert "has not read its source whole yet; run it once first" in failure(result)


def test_the_launchpad_refuses_a_sync_that_does_not_exist(place: Place) -> None:
    with pytest.raises(dg.DagsterInvalidConfigError, match="flexi_partner"):
        place.run("sync_records", {"chosen_records": {"sync": "flexi_partner", "keys": ["5"]}})


def test_failed_records_are_retried_with_what_the_source_holds_now(synced: Place) -> None:
    mended, not_mended = synced.flexi.planted["blank_name"][0], synced.flexi.planted["invalid_vat"][0]
    synced.company.update("adresar", mended, {"nazev": "Jméno s.r.o."})
    result = synced.run(
        "retry_failed_records", {"failed_records": {"sync": SYNC, "keys": [str(mended), str(not_mended)]}}
    )
    assert result.success
    shown = op_numbers(result, "failed_records")
    assert (shown["processed"], shown["failed"]) == (1, 1)
    assert synced.partners()[str(mended)]["name"] == "Jméno s.r.o."
    assert synced.failing[str(not_mended)].attempts == 2
    others = [row for key, row in synced.failing.items() if key != str(not_mended)]
    assert {row.attempts for row in others} == {1}
    assert len(others) == REFUSED - 2


def test_a_retry_keeps_the_reasons_when_the_source_cannot_be_read(synced: Place) -> None:
    before = synced.failing
    synced.flexi.faults.add(FaultRule(kind="reset", times=None))
    assert not synced.run("retry_failed_records", {"failed_records": {"sync": SYNC}}).success
    assert synced.failing == before


def test_every_connection_is_tried_and_what_is_wrong_is_said(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    result = place.run("check_connections")
    assert result.success
    shown = {r.data["connection"]: r.data for r in op_numbers(result, "connections_one_by_one")["connections"].records}
    assert {name: shown[name]["ok"] for name in ("flexi", "odoo")} == {"flexi": "yes", "odoo": "yes"}
    assert "Changes API on" in str(shown["flexi"]["detail"])
    monkeypatch.setenv("ODOO_API_KEY", "wrong-key")
    monkeypatch.setenv("FLEXI_COMPANY", "other")
    said = failure(place.run("check_connections"))
    assert "ODOO_API_KEY" in said
    assert "FLEXI_COMPANY" in said
    assert "wrong-key" not in said


def test_a_connection_that_is_not_configured_is_no_failure(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ODOO_API_KEY")
    result = place.run("check_connections")
    assert result.success
    rows = {r.data["connection"]: r.data for r in op_numbers(result, "connections_one_by_one")["connections"].records}
    assert rows["odoo"]["detail"] == "switched off: set ODOO_API_KEY"


def test_the_changes_api_is_asked_and_switched_by_the_job(place: Place) -> None:
    def control(action: str) -> dg.ExecuteInProcessResult:
        return place.run("flexi_changes_control", {"changes_api": {"connection": "flexi", "action": action}})

    assert op_numbers(control("status"), "changes_api") == {"changes_api": "on"}
    assert op_numbers(control("disable"), "changes_api") == {"changes_api": "off"}
    assert place.company.log.enabled is False
    place.flexi.change_switches({"users_logged_in": True})
    said = failure(control("enable"))
    assert "could not lock its tables, since somebody is logged in" in said
    assert op_numbers(control("status"), "changes_api") == {"changes_api": "off"}
    place.flexi.change_switches({"users_logged_in": False})
    assert op_numbers(control("enable"), "changes_api") == {"changes_api": "on"}


def test_history_that_is_old_enough_is_purged_and_the_rest_stays(synced: Place) -> None:
    (gone,) = good_keys(synced, 1)
    synced.company.delete("adresar", gone)
    synced.bring_up_to_date()
    synced.conn.execute(
        "UPDATE sync.interface_attempt SET started_at = now() - interval '91 days' WHERE status = 'success'"
    )
    synced.conn.execute(
        "UPDATE sync.interface_row SET processed_at = now() - interval '91 days', "
        "received_at = now() - interval '91 days' WHERE operation = 'delete'"
    )
    result = synced.run("purge_history")
    assert result.success
    assert op_numbers(result, "old_history") == {
        "interface_attempt": PARTNERS - REFUSED + 1,
        "interface_row": 1,
        "incident": 0,
        "field_seen": 0,
        "wake": 0,
        "connection_pause": 0,
        "lookup_answer": 0,
    }
    left = synced.conn.execute("SELECT count(*), min(status) FROM sync.interface_attempt").fetchone()
    assert left == (REFUSED, "error")
    assert sum(synced.counts.values()) == PARTNERS - 1


# The feed's bad days


def test_a_restored_source_is_refused_until_it_was_read_whole(synced: Place) -> None:
    backup = synced.company.global_version
    changed, *_ = good_keys(synced, 1)
    before = synced.partners()[str(changed)]["name"]
    change_names(synced, [changed])
    lost = synced.company.create("adresar", {"kod": "LOST", "nazev": "Created after the backup"})
    synced.bring_up_to_date()
    assert synced.freshness().passed
    synced.flexi.restore("demo", backup)

    assert "restored from a backup" in synced.skipped()
    assert "full_reconciliation" in synced.skipped()
    red = synced.freshness()
    assert not red.passed
    assert "restored from a backup" in str(red.metadata["problem"].value)

    assert synced.run("full_reconciliation", {"whole_source": {"sync": SYNC}}).success
    assert synced.freshness().passed
    assert synced.partners()[str(changed)]["name"] == before
    assert synced.partners()[str(lost)]["active"] is False
    assert synced.skipped() == "nothing new"
    assert synced.compared().passed


def latest_freshness(place: Place) -> bool | None:
    """Return what the UI shows of the feed now; None where it was never looked at."""
    key = dg.AssetCheckKey(SOURCE, "feed_is_fresh")
    record = place.instance.event_log_storage.get_latest_asset_check_execution_by_key([key]).get(key)
    if record is None or record.event is None or record.event.dagster_event is None:
        return None
    return record.event.dagster_event.asset_check_evaluation_data.passed


def test_tracking_that_is_off_is_an_alert_and_never_no_changes(synced: Place) -> None:
    synced.company.disable_changes()
    change_names(synced, good_keys(synced, 1), "Not recorded")
    assert "Changes API of the Flexi company demo is switched off" in synced.skipped()
    assert latest_freshness(synced) is False


def test_changes_made_while_tracking_was_off_are_found_by_a_full_read(synced: Place) -> None:
    (key,) = good_keys(synced, 1)
    synced.company.disable_changes()
    change_names(synced, [key], "Not recorded")
    synced.skipped()
    synced.company.enable_changes()
    assert "tracking was off for a while" in synced.skipped()
    assert latest_freshness(synced) is False
    assert "tracking was off" in str(synced.bring_up_to_date().problem)
    assert synced.run("full_reconciliation", {"whole_source": {"sync": SYNC}}).success
    assert synced.partners()[str(key)]["name"] == f"Not recorded {key}"
    assert synced.skipped() == "nothing new"
    assert latest_freshness(synced) is True


def test_a_first_sync_of_a_company_that_tracks_nothing_says_how_to_switch_it_on(place: Place) -> None:
    place.company.disable_changes()
    said = place.skipped()
    assert "flexi_changes_control" in said
    assert place.bring_up_to_date().problem == said
    assert place.counts == {}


# The comparison, and what the UI shows


def differences(evaluation: dg.AssetCheckEvaluation) -> list[dg.TableRecord]:
    """Return the rows of the table of findings."""
    table = evaluation.metadata["differences"]
    assert isinstance(table, dg.TableMetadataValue)
    return list(table.records)


def test_the_comparison_is_green_after_a_sync_and_names_what_somebody_edited(synced: Place) -> None:
    green = synced.compared()
    assert green.passed
    assert green.metadata["compared"].value == PARTNERS
    first, second = good_keys(synced, 2)
    synced.edit_in_odoo(str(first), city="Elsewhere")
    synced.edit_in_odoo(str(second), city="Elsewhere", phone="000")
    red = synced.compared()
    assert not red.passed
    assert red.severity is dg.AssetCheckSeverity.ERROR
    findings = {(str(r.data["finding"]), r.data["field"]): int(r.data["records"] or 0) for r in differences(red)}
    assert findings[("different", "city")] == 2
    assert findings[("different", "phone")] == 1
    assert sum(n for (kind, _), n in findings.items() if kind.startswith(("failing", "refused"))) == REFUSED


def test_the_comparison_finds_a_partner_that_was_deleted_in_odoo(synced: Place) -> None:
    (key,) = good_keys(synced, 1)
    synced.odoo.call("res.partner", "unlink", [synced.partners()[str(key)]["id"]])
    red = synced.compared()
    assert not red.passed
    missing = [r.data for r in differences(red) if r.data["finding"] == "missing"]
    assert [(row["records"], row["example"]) for row in missing] == [(1, str(key))]


def tables(shown: dict[str, dg.MetadataValue[Any]]) -> list[dg.TableMetadataValue]:
    return [value for value in shown.values() if isinstance(value, dg.TableMetadataValue)]


def test_the_tables_of_failing_records_have_room_in_the_ui(synced: Place) -> None:
    for key in good_keys(synced, 60):
        synced.company.update("adresar", key, {"nazev": " "}, unchecked=True)
    result = synced.run(tags=synced.requested().tags)
    assert result.success, "failing records are no failure of the run"
    checked = synced.check("no_failed_records", result)
    assert not checked.passed
    assert checked.severity is dg.AssetCheckSeverity.WARN
    shown = [metadata(result, TARGET), metadata(result, STATUS), dict(checked.metadata)]
    for values in shown:
        assert values["failing_records"].value == 60 + REFUSED
        (table,) = tables(values)
        assert table.schema is not None
        assert len(table.schema.columns) <= 5
        assert len(table.records) == 50
        assert f"The first 50 of {60 + REFUSED}" in str(values["failing_in_full"].value)
    status = metadata(result, STATUS)
    assert {n: status[n].value for n in ("processed", "failed", "pending", "processing", "skipped")} == {
        "processed": PARTNERS - REFUSED - 60,
        "failed": 60 + REFUSED,
        "pending": 0,
        "processing": 0,
        "skipped": 0,
    }


def test_every_count_is_a_number_that_the_ui_plots(synced: Place) -> None:
    change_names(synced, good_keys(synced, 2))
    result = synced.run(tags=synced.requested().tags)
    wanted = {
        SOURCE: {"landed", "changes", "fetched", "deleted", "requests_flexi", "seconds"},
        TARGET: {"processed", "unchanged", "failed", "skipped", "failing_records", "requests_odoo", "seconds"},
        STATUS: {"processed", "pending", "processing", "failed", "skipped", "failing_records"},
    }
    for asset, names in wanted.items():
        shown = metadata(result, asset)
        plain = {n for n, v in shown.items() if isinstance(v, dg.IntMetadataValue | dg.FloatMetadataValue)}
        assert names <= plain, asset


def test_the_failing_records_of_other_windows_are_not_shown_with_this_one(small_windows: Place) -> None:
    place = small_windows
    place.company.bulk_changes(200, 1)
    place.bring_up_to_date()
    key = good_keys(place, 2)[1]
    place.company.update("adresar", key, {"nazev": " "}, unchecked=True)
    result = place.run(tags=place.requested().tags)
    assert metadata(result, TARGET)["failing_records"].value == 1
    assert metadata(result, STATUS)["failing_records"].value == 1 + REFUSED


# Wrong settings


@pytest.mark.parametrize(
    ("variable", "wrong"),
    [("FLEXI_PASSWORD", "wrong-secret"), ("FLEXI_COMPANY", "nobody"), ("ODOO_API_KEY", "wrong-secret")],
)
def test_a_wrong_setting_stops_the_pass_before_it_touches_a_row_and_is_named(
    place: Place, monkeypatch: pytest.MonkeyPatch, variable: str, wrong: str
) -> None:
    request = place.requested()
    monkeypatch.setenv(variable, wrong)
    result = place.run(tags=request.tags)
    said = failure(result)
    assert variable in said
    assert "wrong-secret" not in said
    assert len(said.split(". ")) <= 3
    assert set(place.counts) <= {"pending"}
    assert place.conn.execute("SELECT count(*) FROM sync.interface_attempt").fetchone() == (0,)
    assert place.state.status == "ERROR"
    assert place.state.error == said


def test_no_secret_is_in_any_event_of_a_run(synced: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    change_names(synced, good_keys(synced, 1))
    request = synced.requested()
    monkeypatch.setenv("FLEXI_PASSWORD", "the-very-secret-password")
    result = synced.run(tags=request.tags)
    assert not result.success
    events = " ".join(str(event) for event in synced.instance.all_logs(result.run_id))
    assert "FLEXI_PASSWORD" in events
    assert "the-very-secret-password" not in events


def test_partners_that_odoo_has_already_are_linked_and_not_doubled(new_place: NewPlace) -> None:
    place = new_place()
    key = next(k for k in good_keys(place, PARTNERS) if place.company.record("adresar", k)["ic"])  # type: ignore[index]
    number = place.company.record("adresar", key)["ic"]  # type: ignore[index]
    theirs = place.odoo.call("res.partner", "create", [{"name": "KNOWN BEFORE", "company_registry": number}])
    place.bring_up_to_date()
    linked = place.partners()[str(key)]
    assert linked["id"] in (theirs if isinstance(theirs, list) else [theirs])
    assert linked["name"] != "KNOWN BEFORE"
