"""One record's whole story, as people and programs are told it."""

import pytest

from sync_orchestration_tests.cli.test_cli import call, called, complaint
from sync_orchestration_tests.components.places import SYNC, Place


def test_a_refused_partner_says_why_it_failed_and_what_to_type(synced: Place) -> None:
    key = str(synced.flexi.planted["implausible_email"][0])
    told = call("explain", SYNC, key).stdout
    row = synced.failing[key]
    assert f"{SYNC} {key}" in told
    assert f"Failed ({row.error_code}): email: {row.error_message}" in told
    assert f"rule email email: {row.error_message}" in told
    assert "rule name required: holds" in told
    assert f"sync-orchestration retry {SYNC} {key}" in told
    assert "It waits for a person's word, or for a change of it in the source" in told
    (tried,) = called("log", SYNC, "--key", key, "--json")["attempts"]
    assert f"{tried['started_at'][:19]}" in told.replace(" UTC", "")
    order = ["Received", "What the mapping makes of it", "What comes next", "Every try so far", "What you can do"]
    assert sorted(order, key=told.index) == order


def test_a_written_partner_says_that_it_is_as_the_source_said(synced: Place) -> None:
    key, partner = next(iter(synced.partners().items()))
    (story,) = called("explain", SYNC, key, "--json")["stories"]
    assert story["row"]["status"] == "processed"
    assert story["row"]["target_id"] == str(partner["id"])
    assert story["row"]["payload"]["nazev"]
    assert story["next_write"]["action"] == "unchanged"
    assert story["next_write"]["differences"] == []
    assert story["next_write"]["there"]["name"] == partner["name"]
    assert story["outlook"]["coming"] == [{"what": "Nothing, until it changes in the source.", "at": None}]
    assert [one["status"] for one in story["tries"]] == ["success"]
    mapped = {field["field"]: field for field in story["mapped"]["fields"]}
    assert mapped["name"]["origin"] == "nazev"
    assert mapped["country_id"]["origin"] == "stat → strip_prefix → upper → res.country by code"
    assert mapped["country_id"]["received"] == "code:" + mapped["country_id"]["value"]


def test_what_somebody_changed_in_the_target_is_shown_as_the_difference(synced: Place) -> None:
    key, partner = next(iter(synced.partners().items()))
    city = partner["city"]
    synced.edit_in_odoo(key, city="Elsewhere")
    (story,) = called("explain", SYNC, key, "--json")["stories"]
    assert story["next_write"]["action"] == "update"
    assert story["next_write"]["differences"] == [{"field": "city", "there": "Elsewhere", "would_be": city}]
    told = call("explain", SYNC, key).stdout
    assert f"city: Elsewhere → {city}" in told
    assert f"sync-orchestration run {SYNC} --all" in told
    assert synced.partners()[key]["city"] == "Elsewhere", "nothing was written"


def test_the_tries_are_told_in_their_order(synced: Place) -> None:
    key = str(synced.flexi.planted["implausible_email"][0])
    assert call("retry", SYNC, key).exit_code == 0
    (story,) = called("explain", SYNC, key, "--json")["stories"]
    moments = [one["started_at"] for one in story["tries"]]
    assert len(moments) == 2
    assert moments == sorted(moments)
    assert story["row"]["attempts"] == 2


def test_the_window_and_the_place_in_it_are_told(synced: Place) -> None:
    (story,) = called("explain", SYNC, next(iter(synced.partners())), "--json")["stories"]
    window = story["window"]
    assert window["start"] <= story["row"]["position"] < window["end"]
    assert f"{window['start']:012d}" == story["row"]["partition_key"]


def test_an_unknown_key_is_answered_with_the_nearest_ones(synced: Place) -> None:
    keys = set(synced.partners()) | set(synced.failing)
    said = complaint(call("explain", SYNC, "1999"), 2)
    assert f"{SYNC} knows no record '1999'. The nearest are " in said
    near = said.partition("The nearest are ")[2].rstrip(".").split(", ")
    assert set(near) <= keys
    assert "199" in near
    partner = synced.partners()["7"]
    assert "7" in complaint(call("explain", SYNC, f"{partner['id']}-x"), 2) or near


def test_before_the_first_run_there_is_no_record_to_tell_of(place: Place) -> None:
    said = complaint(call("explain", SYNC, "1"), 2)
    assert said == f"{SYNC} knows no record '1'. None has arrived yet: run the sync first."


def test_an_unknown_sync_is_a_wrong_call(place: Place) -> None:
    assert "There is no sync nobody" in complaint(call("explain", "nobody", "1"), 2)


def test_what_is_known_is_told_also_where_the_target_cannot_be_asked(
    synced: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = str(synced.flexi.planted["implausible_email"][0])
    monkeypatch.setenv("ODOO_URL", "")
    (story,) = called("explain", SYNC, key, "--json")["stories"]
    assert story["next_write"] is None
    assert story["problem"] == "Odoo is switched off: set ODOO_URL."
    assert story["row"]["status"] == "failed"
    assert [rule["field"] for rule in story["mapped"]["rules"] if rule["complaint"]] == ["email"]
    assert {"what": "Set ODOO_URL.", "command": "sync-orchestration check"} in story["outlook"]["advice"]


def test_a_server_that_asked_for_patience_is_named_with_the_time(synced: Place) -> None:
    key = next(iter(synced.partners()))
    server = f"http://{synced.project.connections['odoo'].value('url').split('/')[2]}"
    synced.conn.execute(
        "INSERT INTO sync.connection_pause (server, until) VALUES (%s, now() + interval '1 hour')", (server,)
    )
    synced.conn.execute(
        "UPDATE sync.interface_row SET status = 'pending' WHERE sync = %s AND record_key = %s", (SYNC, key)
    )
    (story,) = called("explain", SYNC, key, "--json")["stories"]
    assert story["next_write"] is None
    (paused,) = [one for one in story["outlook"]["coming"] if "asked all for patience" in one["what"]]
    assert "connection odoo" in paused["what"]
    assert paused["at"]
    assert f"sync-orchestration run {SYNC}" in call("explain", SYNC, key).stdout


def test_what_a_sender_wrote_does_nothing_to_the_terminal(synced: Place) -> None:
    key = next(iter(synced.partners()))
    synced.conn.execute(
        "UPDATE sync.interface_row SET payload = payload || %s::jsonb WHERE sync = %s AND record_key = %s",
        ('{"nazev": "\\u001b[2J[red]Alfa[/nothing]"}', SYNC, key),
    )
    told = call("explain", SYNC, key).stdout
    assert "[red]Alfa[/nothing]" in told
    assert "\x1b" not in told
