"""Other systems push partners to the intake, and they become Odoo's: from the push to what the sender is told."""

import importlib
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from sync_orchestration.components.chosen import preview
from sync_orchestration.components.running import LogObserver
from sync_orchestration.definitions import load_project
from sync_orchestration.pipeline.errors import ConfigurationError
from sync_orchestration.pipeline.preview import Preview
from sync_orchestration.sandbox.faults import FaultRule
from sync_orchestration_tests.components.intake_places import (
    SHOP,
    SYNC,
    Change,
    Counter,
    NewCounter,
    counter,
    gone,
    new_counter,
    own_defs,
    partner,
    two_senders,
)
from sync_orchestration_tests.components.places import DefsFolder

__all__ = ["counter", "new_counter", "own_defs", "two_senders"]

BAD_VAT = "CZ1"
"""Good enough for the door, which knows no check digits; Odoo refuses it."""


@pytest.fixture(autouse=True)
def nobody_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests that are tried again are so at once."""
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _seconds: None)


def planned(counter: Counter, *keys: str, whole: bool = False) -> Preview:
    """What a dry run says."""
    observer = LogObserver.on(lambda _: None, lambda _: None)
    return preview(counter.conn, counter.project.syncs[SYNC], counter.project.connections, keys, observer, whole=whole)


# A push and its fate


@pytest.mark.parametrize("odoo", [18, 19])
def test_a_pushed_record_becomes_a_partner_and_its_sender_is_told_the_id(new_counter: NewCounter, odoo: int) -> None:
    counter = new_counter(odoo)
    report = counter.push(partner("C-1", "Alfa  Trade", vat="CZ12345679", email="info@alfa.example"))
    assert (report["accepted"], report["errors"]) == (1, [])
    assert counter.told("C-1")["status"] == "pending"
    done = counter.sync()
    assert (done.problem, done.counts["processed"], done.pending) == (None, 1, 0)
    (made,) = counter.partners().values()
    assert list(counter.partners()) == ["erp_C-1"]
    assert (made["name"], made["vat"], made["is_company"]) == ("Alfa Trade", "CZ12345679", True)
    told = counter.told("C-1")
    assert (told["status"], told["target_system"], told["target_id"]) == ("processed", "odoo", str(made["id"]))
    assert told["processed_at"]


def test_a_record_that_odoo_refuses_fails_alone_and_passes_after_a_newer_push(counter: Counter) -> None:
    counter.accepted(partner("bad", vat=BAD_VAT), *(partner(f"good-{n}") for n in range(5)))
    result = counter.follow(counter.asked())
    assert result.success, "the run is green with a warning"
    assert counter.counts == {"processed": 5, "failed": 1}
    told = counter.told("bad")
    assert (told["status"], told["attempts"], told["next_attempt_at"]) == ("failed", 1, None)
    assert "VAT" in told["errors"][0]["message"]
    shown = str(result.asset_materializations_for_node(f"{SYNC}__interface_status")[0].metadata)
    assert "VAT" in shown
    assert "update bad" in shown
    (check,) = [e for e in result.get_asset_check_evaluations() if e.check_name == "no_failed_records"]
    assert not check.passed

    counter.accepted(partner("bad", vat="CZ12345679"))
    assert counter.sync().counts["processed"] == 1
    told = counter.told("bad")
    assert told["status"] == "processed"
    assert "errors" not in told
    assert counter.failing == {}


def test_a_record_that_odoo_refused_passes_after_a_retry(counter: Counter) -> None:
    counter.accepted(partner("bad", vat=BAD_VAT), partner("good"))
    counter.sync()
    assert counter.job("retry_failed_records", "failed_records").success
    assert counter.failing["bad"].attempts == 2
    counter.odoo.switches = counter.odoo.switches.model_copy(update={"base_vat": False})
    counter.odoo.faults.reset_counts()
    assert counter.job("retry_failed_records", "failed_records", keys=["bad"]).success
    assert counter.counts == {"processed": 2}
    assert counter.partners()["erp_bad"]["vat"] == BAD_VAT


def test_an_unchanged_push_costs_nothing(counter: Counter) -> None:
    counter.accepted(partner("C-1"))
    counter.sync()
    counter.odoo.faults.reset_counts()
    assert counter.push(partner("C-1"))["unchanged"] == 1
    assert counter.asked() == "nothing new"
    assert counter.sync().counts["processed"] == 0
    assert dict(counter.odoo.faults.requests) == {}


def test_a_change_that_changes_nothing_in_odoo_is_no_write(counter: Counter) -> None:
    counter.accepted(partner("C-1", "Alfa"))
    counter.sync()
    counter.writes()
    counter.accepted(partner("C-1", " Alfa "))
    assert counter.sync().counts["unchanged"] == 1
    assert counter.writes() == []
    assert counter.told("C-1")["status"] == "processed"


def test_a_newer_version_that_comes_while_the_record_is_written_is_written_too(counter: Counter) -> None:
    counter.accepted(partner("C-1", "First", version=1))
    counter.odoo_server.todo["/load"] = lambda: counter.accepted(partner("C-1", "Second", version=2))
    assert counter.sync().problem is None
    assert not counter.odoo_server.todo
    assert counter.partners()["erp_C-1"]["name"] == "Second"
    assert (counter.told("C-1")["status"], counter.told("C-1")["version"]) == ("processed", 2)
    assert counter.push(partner("C-1", "Older", version=1))["stale"] == 1
    assert counter.sync().counts["processed"] == 0


def test_a_delete_archives_the_partner_and_a_later_push_brings_it_back(counter: Counter) -> None:
    counter.accepted(partner("C-1"))
    counter.sync()
    made = counter.partners()["erp_C-1"]
    counter.accepted(gone("C-1"))
    assert counter.sync().counts["processed"] == 1
    assert counter.partners()["erp_C-1"]["active"] is False
    assert counter.told("C-1")["status"] == "processed"
    counter.accepted(partner("C-1", "Back again"))
    counter.sync()
    back = counter.partners()["erp_C-1"]
    assert (back["id"], back["active"], back["name"]) == (made["id"], True, "Back again")


def test_a_delete_of_what_was_never_written_does_nothing(counter: Counter) -> None:
    counter.accepted(gone("C-1"))
    assert counter.sync().problem is None
    assert counter.told("C-1")["status"] == "processed"
    assert counter.writes() == []


def test_two_senders_with_the_same_key_have_two_partners(counter: Counter) -> None:
    counter.accepted(partner("1", "Of the ERP"), partner("2", "Child of the ERP", parent="1"))
    counter.accepted(partner("1", "Of the shop"), partner("2", "Child of the shop", parent="1"), token=SHOP)
    counter.sync()
    names = {name: row["name"] for name, row in counter.partners().items()}
    assert names == {
        "erp_1": "Of the ERP", "erp_2": "Child of the ERP", "shop_1": "Of the shop", "shop_2": "Child of the shop",
    }  # fmt: skip
    for sender in ("erp", "shop"):
        assert counter.partners()[f"{sender}_2"]["parent_id"] == counter.partners()[f"{sender}_1"]["id"]
    counter.accepted(gone("2"), token=SHOP)
    counter.sync()
    assert [row["active"] for _, row in sorted(counter.partners().items())] == [True, True, True, False]
    assert counter.told("2")["target_id"] != counter.told("2", SHOP)["target_id"]


# Records that name each other


def parent_of(counter: Counter, key: str) -> Any:
    return counter.partners()[f"erp_{key}"]["parent_id"]


def test_children_pushed_before_their_parents_are_written_after_them(counter: Counter) -> None:
    counter.accepted(partner("c", parent="b"), partner("b", parent="a"), partner("a"))
    assert counter.sync().counts["processed"] == 3
    assert parent_of(counter, "c") == counter.partners()["erp_b"]["id"]
    assert parent_of(counter, "b") == counter.partners()["erp_a"]["id"]
    assert counter.failing == {}


def test_a_child_waits_for_a_parent_that_is_pushed_later(counter: Counter) -> None:
    counter.accepted(partner("child", parent="later"), partner("other"))
    assert counter.sync().counts["processed"] == 1
    told = counter.told("child")
    assert (told["status"], told["errors"][0]["code"]) == ("failed", "waits_for_record")
    assert told["next_attempt_at"], "it is tried again by itself"
    counter.accepted(partner("later"))
    assert counter.sync().counts["processed"] == 2
    assert counter.told("child")["status"] == "processed"
    assert parent_of(counter, "child") == counter.partners()["erp_later"]["id"]


def test_a_child_of_a_parent_that_odoo_refuses_waits_until_that_is_mended(counter: Counter) -> None:
    counter.accepted(partner("parent", vat=BAD_VAT), partner("child", parent="parent"))
    counter.sync()
    assert counter.failing.keys() == {"parent", "child"}
    assert counter.told("child")["errors"][0]["code"] == "waits_for_record"
    counter.accepted(partner("parent"))
    counter.sync()
    assert counter.counts == {"processed": 2}


# What sets it off


def test_the_poll_asks_for_a_run_only_when_rows_wait(counter: Counter) -> None:
    assert counter.asked() == "nothing new"
    counter.accepted(partner("C-1"))
    first = counter.asked()
    assert isinstance(first, dg.RunRequest)
    again = counter.asked()
    assert isinstance(again, dg.RunRequest)
    assert again.run_key == first.run_key, "a tick that is repeated asks for no second run"
    assert counter.follow(first).success
    assert counter.asked() == "nothing new"
    assert counter.counts == {"processed": 1}


def test_the_schedule_asks_likewise_and_before_other_syncs(new_counter: NewCounter, tmp_path: Path) -> None:
    # A schedule is given its instance by reference, so not one in memory.
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        counter = new_counter(instance=instance)
        schedule = counter.definitions.get_repository_def().get_schedule_def(f"{SYNC}_schedule")
        assert schedule.cron_schedule == "*/5 * * * *"
        assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
        resources = counter.resources
        with dg.build_schedule_context(instance=instance, resources=resources) as context:
            assert schedule.evaluate_tick(context).skip_message == "nothing new"
        counter.accepted(partner("C-1"))
        with dg.build_schedule_context(instance=instance, resources=resources) as context:
            (request,) = schedule.evaluate_tick(context).run_requests or []
        poll = counter.asked()
        assert isinstance(poll, dg.RunRequest)
        assert request.tags["dagster/priority"] == poll.tags["dagster/priority"] == "5"
        assert counter.follow(request).success
        assert counter.counts == {"processed": 1}
        assert counter.asked() == "nothing new"


def test_a_day_is_written_again_by_a_backfill_and_nothing_is_doubled(counter: Counter) -> None:
    counter.accepted(*(partner(f"C-{n}") for n in range(4)))
    counter.moved(2, "C-0", "C-1")
    counter.sync()
    before_yesterday, *_, today = counter.instance.get_dynamic_partitions(f"{SYNC}_windows")
    made = counter.partners()
    for row in made.values():
        counter.odoo.call("res.partner", "write", [row["id"]], {"city": "Changed by hand"})
    day = {
        "dagster/asset_partition_range_start": before_yesterday,
        "dagster/asset_partition_range_end": before_yesterday,
    }
    assert counter.run(tags=day).success
    cities = {name: row["city"] for name, row in sorted(counter.partners().items())}
    assert [bool(city) for city in cities.values()] == [False, False, True, True], "only that day's are as pushed"
    assert {row["id"] for row in counter.partners().values()} == {row["id"] for row in made.values()}
    assert before_yesterday < today
    assert len(counter.instance.get_dynamic_partitions(f"{SYNC}_windows")) == 3, "the day between is there too"


def test_chosen_records_are_written_again_changed_or_not(counter: Counter) -> None:
    counter.accepted(partner("C-1", "One"), partner("C-2", "Two"))
    counter.sync()
    for row in counter.partners().values():
        counter.odoo.call("res.partner", "write", [row["id"]], {"name": "By hand"})
    assert counter.job("sync_records", "chosen_records", keys=["C-1", "never-pushed"]).success
    assert {row["name"] for row in counter.partners().values()} == {"One", "By hand"}
    assert counter.counts == {"processed": 2}


def test_full_reconciliation_and_run_all_write_everything_again_and_delete_nothing(counter: Counter) -> None:
    counter.accepted(partner("C-1"), partner("C-2"), partner("gone"))
    counter.sync()
    counter.accepted(gone("gone"))
    counter.sync()
    for by_job in (True, False):
        counter.odoo.call("res.partner", "write", [counter.partners()["erp_C-1"]["id"]], {"name": "By hand"})
        if by_job:
            assert counter.job("full_reconciliation", "whole_source").success
        else:
            assert counter.sync(everything=True).problem is None
        assert counter.partners()["erp_C-1"]["name"] == "Partner C-1"
        assert counter.partners()["erp_C-2"]["active"]
        assert not counter.partners()["erp_gone"]["active"]
        assert counter.counts == {"processed": 3}
    counter.writes()
    assert counter.sync(everything=True).counts["unchanged"] == 2
    assert counter.writes() == []


def test_a_reset_state_forgets_no_record(counter: Counter) -> None:
    counter.accepted(partner("C-1"))
    counter.sync()
    assert counter.job("reset_state", "forgotten_state").success
    assert counter.sync().problem is None
    assert counter.counts == {"processed": 1}
    assert counter.partners()["erp_C-1"]["active"]
    assert counter.push(partner("C-1"))["unchanged"] == 1


def test_a_dry_run_shows_what_waits_and_does_none_of_it(counter: Counter) -> None:
    counter.accepted(partner("C-1", "One"), partner("C-2", "Two"))
    counter.accepted(partner("C-1", "Of the shop"), token=SHOP)
    assert dict(planned(counter).counts) == {"create": 3}
    assert dict(planned(counter, "C-2").counts) == {"create": 1}
    assert counter.writes() == []
    assert counter.counts == {"pending": 3}
    counter.sync()
    assert dict(planned(counter).counts) == {}
    assert dict(planned(counter, "C-1", "never-pushed").counts) == {"unchanged": 2}
    counter.odoo.call("res.partner", "write", [counter.partners()["erp_C-2"]["id"]], {"name": "By hand"})
    assert dict(planned(counter, whole=True).counts) == {"unchanged": 2, "update": 1}
    assert [tuple(row) for row in planned(counter, "C-2").table.itertuples(index=False)] == [
        ("update", "C-2", "name", "By hand", "Two")
    ]
    counter.writes()
    assert counter.job("sync_records", "chosen_records", keys=["C-2"], dry_run=True).success
    assert counter.writes() == []
    assert counter.counts == {"processed": 3}


def test_a_changed_mapping_lets_all_pushed_records_be_written_anew(
    own_defs: DefsFolder, new_counter: NewCounter
) -> None:
    counter = new_counter()
    counter.accepted(partner("old", city="Brno"), partner("new", city="Aš"))
    counter.moved(3, "old")
    counter.sync()
    own_defs.change(SYNC, lambda s: s["mapping"].update(street="city"))
    counter.changed(own_defs.load())
    request = counter.asked()
    assert isinstance(request, dg.RunRequest)
    assert counter.sync().problem is None
    assert {row["street"] for row in counter.partners().values()} == {"Brno", "Aš"}
    assert counter.asked() == "nothing new"


# Bad days


def test_odoo_is_down_and_later_everything_is_processed(counter: Counter) -> None:
    counter.accepted(partner("C-1"), partner("C-2"))
    counter.odoo.faults.add(FaultRule(kind="status", status=503, times=None))
    assert not counter.follow(counter.asked()).success
    assert counter.status == "RETRY_WAITING"
    assert counter.counts == {"pending": 2}
    assert {counter.told(key)["status"] for key in ("C-1", "C-2")} == {"pending"}
    assert "waits until" in str(counter.asked())
    assert counter.push(partner("C-3"))["accepted"] == 1, "the country is known; nothing is lost meanwhile"
    counter.odoo.faults.clear()
    counter.conn.execute("UPDATE sync.sync_state SET next_try = now()")
    assert counter.follow(counter.asked()).success
    assert counter.counts == {"processed": 3}
    assert counter.status == "TRIGGER_WAITING"


def test_a_country_that_cannot_be_looked_up_is_no_refusal(counter: Counter) -> None:
    counter.odoo.faults.add(FaultRule(kind="status", status=503, times=None))
    answer = counter.post(f"/v1/{SYNC}/records", {"records": [partner("C-1")]}, token=SHOP)
    assert answer.status_code == 503
    assert answer.json()["error"]["retryable"] is True
    assert int(answer.headers["Retry-After"]) >= 1
    assert counter.counts == {}


@pytest.fixture
def unset(new_counter: NewCounter, monkeypatch: pytest.MonkeyPatch) -> Counter:
    found = new_counter()
    monkeypatch.delenv("ODOO_API_KEY")
    return found


def test_a_sync_without_an_odoo_is_off_and_senders_are_asked_to_come_again(unset: Counter) -> None:
    assert unset.asked() == "switched off: ODOO_API_KEY not set"
    assert unset.project.missing_variables(unset.project.syncs[SYNC]) == ["ODOO_API_KEY"]
    answer = unset.post(f"/v1/{SYNC}/records", {"records": [partner("C-1")]}, token=SHOP)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "references_unavailable")
    assert unset.counts == {}


# Mistakes in the YAML


def mistake(defs: DefsFolder, folder: str, change: Change) -> str:
    defs.change(folder, change)
    with pytest.raises(ConfigurationError) as told:
        defs.load()
    return str(told.value)


def hooks(hook: dict[str, Any]) -> Change:
    return lambda s: s["hooks"].append({"secrets": ["$INTAKE_HOOK_SECRET"], **hook})


def sender(*syncs: str, token: str = "$TOKEN") -> Change:
    return lambda s: s["senders"].update(crm={"tokens": [token], "syncs": list(syncs)})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (sender("no_such_sync"), "The sender 'crm' of the intake names the sync 'no_such_sync', which does not exist."),
        (
            sender(SYNC, "flexi_partners"),
            "The sender 'crm' of the intake names the sync 'flexi_partners', to which nothing is pushed.",
        ),
        (
            hooks({"kind": "flexi", "name": "other"}),
            "The flexi hook of the intake names the connection 'other', which does not exist.",
        ),
        (
            hooks({"kind": "flexi", "name": "odoo"}),
            "The flexi hook of the intake names the connection 'odoo', which is of the kind odoo.",
        ),
        (
            hooks({"kind": "odoo", "name": "other"}),
            "The odoo hook of the intake names the sync 'other', which does not exist.",
        ),
        (
            hooks({"kind": "odoo", "name": "flexi_partners"}),
            "The odoo hook of the intake names the sync 'flexi_partners', which is of the kind flexi.",
        ),
        (
            hooks({"kind": "flexi", "name": "flexi"}),
            "Two hooks of the intake are flexi/flexi. Keep one: it may have several secrets.",
        ),
    ],
)
def test_senders_and_hooks_that_name_what_is_not_there_are_refused_when_loaded(
    own_defs: DefsFolder, change: Change, said: str
) -> None:
    assert mistake(own_defs, "intake", change) == said


@pytest.mark.parametrize(
    "change",
    [
        sender(SYNC, token="plain-secret-91c7"),
        lambda s: s["hooks"][0].update(secrets=["plain-secret-91c7"]),
    ],
)
def test_a_secret_in_the_yaml_is_refused_and_not_repeated(own_defs: DefsFolder, change: Change) -> None:
    said = mistake(own_defs, "intake", change)
    assert "a secret belongs in the environment" in said
    assert "plain-secret" not in said


@pytest.mark.parametrize(
    ("field", "attributes", "said"),
    [
        ("zip", {"type": "integer", "max_length": 5}, "field 'zip': max_length belongs to fields of type text"),
        ("city", {"matches": "(", "example": "x"}, "field 'city': matches is not a regular expression"),
        ("city", {"matches": "^[A-Z]"}, "needs an example of a good value"),
        ("city", {"max_length": 3, "example": "Praha"}, f"sync {SYNC!r}: the example of 'city' is not good"),
        ("password", {}, f"sync {SYNC!r}: field 'password' is named like a secret"),
        ("city", {"type": "texte"}, "source.intake.fields.city.type"),
    ],
)
def test_a_field_with_a_bad_contract_is_refused_when_loaded(
    own_defs: DefsFolder, field: str, attributes: dict[str, Any], said: str
) -> None:
    assert said in mistake(own_defs, SYNC, lambda s: s["source"]["fields"].update({field: attributes}))


def test_a_sync_that_is_switched_off_takes_no_pushes_and_breaks_nothing(
    own_defs: DefsFolder, new_counter: NewCounter
) -> None:
    own_defs.replace(SYNC, "  name: intake_partners\n", "  name: intake_partners\n  enabled: false\n")
    counter = new_counter(project=own_defs.load())
    report = counter.push(partner("C-1"))
    assert report["code"] == "no_access", "as if there were no such sync"
    assert counter.counts == {}


def test_a_sync_into_a_rest_api_can_be_pushed_to(own_defs: DefsFolder, new_counter: NewCounter) -> None:
    def to_the_crm(attributes: dict[str, Any]) -> None:
        attributes["source"]["fields"] = {"name": {"required": True}}
        attributes["mapping"] = {"name": "name"}
        attributes["target"] = {"kind": "rest", "connection": "rest", "path": "/partners", "asset": "rest/pushed"}

    own_defs.change(SYNC, to_the_crm)
    counter = new_counter(project=own_defs.load())
    assert counter.push({"key": "C-1", "data": {"name": "Alfa"}})["accepted"] == 1


def test_two_intakes_are_refused(own_defs: DefsFolder) -> None:
    second = own_defs.path / "second"
    second.mkdir()
    (second / "defs.yaml").write_text("type: sync_orchestration.Intake\nattributes: {}\n")
    with pytest.raises(ConfigurationError, match="Two folders are of the type Intake"):
        load_project(importlib.import_module(own_defs.path.name))
