"""The two syncs between Odoo and a CRM on bad days: killed, unheard, asked for patience, shut out, lied to."""

import json
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, timedelta
from email.utils import format_datetime
from types import SimpleNamespace
from typing import Any

import pytest

from sync_orchestration.interface.state import database_time
from sync_orchestration.pipeline.errors import UnavailableError
from sync_orchestration.sandbox.faults import FaultRule
from sync_orchestration.sandbox.odoo import OdooWorld, odoo_app
from sync_orchestration.sandbox.rest import RestWorld, rest_app
from sync_orchestration_tests.components.places import Board
from sync_orchestration_tests.components.rest_places import (
    COMPANIES,
    IN,
    KEY,
    OUT,
    TOKEN,
    Exchange,
    Worker,
    exchange,
    new_exchange,
    sent,
    shipped,
)
from sync_orchestration_tests.recording import Recording

__all__ = ["exchange", "new_exchange", "sent", "shipped"]

FEW = 6


@pytest.fixture(autouse=True)
def nobody_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests that are tried again are so at once."""
    monkeypatch.setattr("tenacity.nap.time", SimpleNamespace(sleep=lambda _seconds: None))


# Interrupted anywhere

MODES: dict[str, tuple[str, dict[str, Any]]] = {
    "idempotency": ("on", {"find": None}),
    "idempotency and find": ("on", {}),
    "find, the key is not heeded": ("off", {}),
    "find, no key": ("off", {"idempotency_header": None}),
    "find, batches": ("off", {"batch": {"size": 2, "path": "/partners/batch", "results": "data"}}),
    "neither": ("off", {"find": None, "idempotency_header": None}),
    "idempotency, batches": ("on", {"find": None, "batch": {"size": 2, "path": "/partners/batch", "results": "data"}}),
}

ASKING = ("neither", "idempotency, batches")
"""Modes in which a person is asked, for a record can neither be looked for nor the same request be sent again."""


@pytest.fixture
def begin(exchange: Exchange, boards: tuple[Board, Board], database_url: str) -> Callable[[str], Worker]:
    """Begin anew with an Odoo of six companies and an empty CRM, which is written to in one of the MODES."""

    def begin(mode: str) -> Worker:
        idempotency, target = MODES[mode]
        for table in ("interface_row", "interface_attempt", "sync_state"):
            exchange.conn.execute(f"DELETE FROM sync.{table}".encode())
        exchange.odoo, exchange.crm = OdooWorld.demo(19, api_key=KEY), RestWorld()
        for number in exchange.companies[FEW:]:
            exchange.odoo.call("res.partner", "unlink", [number])
        exchange.crm.access.token = TOKEN
        exchange.switch(idempotency=idempotency)
        exchange.heard = Recording(rest_app(exchange.crm))
        boards[0].app, boards[1].app = odoo_app(exchange.odoo), exchange.heard
        exchange.changed(OUT, lambda s: s["target"].update(target))
        return Worker(exchange, database_url, exchange.project.syncs[OUT])

    return begin


def settle_doubts(place: Exchange) -> None:
    """Do what the rows in doubt ask a person for: look there, delete what is there, and retry."""
    doubtful = [key for key, row in place.failing().items() if row.code == "in_doubt"]
    for key in doubtful:
        if key in place.partners():
            place.crm.remove("partners", place.partners()[key]["id"])
    place.retry(keys=doubtful)


def assert_all_there_once(place: Exchange) -> None:
    partners = place.partners()
    assert sorted(partners, key=int) == [str(number) for number in place.companies]
    assert place.crm.created_twice() == []
    linked = {key: row.target_id for key, row in place.rows().items() if row.target_id is not None}
    assert linked == {key: str(partner["id"]) for key, partner in partners.items()}


@pytest.mark.parametrize("mode", MODES)
def test_a_worker_killed_before_any_request_to_the_crm_loses_and_doubles_nothing(
    begin: Callable[[str], Worker], exchange: Exchange, mode: str
) -> None:
    number = 1
    while (worker := begin(mode)).killed_before("rest", number):
        there = exchange.partners().keys()
        settled = {key for key, row in exchange.rows().items() if row.status == "processed"}
        exchange.asked()
        worker.finish()
        made = [asked.body for asked in exchange.asked() if asked.method == "POST"]
        assert exchange.crm.created_twice() == []
        if mode in ASKING:
            assert there - settled <= exchange.failing().keys()
            assert len(exchange.failing()) <= (4 if mode == "neither" else FEW), "no more than were under way"
            settle_doubts(exchange)
        elif mode == "idempotency":
            assert {body["external_ref"] for body in made} == {str(n) for n in exchange.companies} - settled
            assert exchange.crm.idempotency.replayed == len(there - settled)
            assert exchange.crm.writes["created"] == FEW
        else:
            bodies = [item for body in made for item in (body if isinstance(body, list) else [body])]
            assert {body["external_ref"] for body in bodies} == {str(n) for n in exchange.companies} - there
            assert exchange.crm.writes["created"] == FEW
        assert_all_there_once(exchange)
        exchange.asked()
        worker.finish()
        assert exchange.written() == []
        number += 1
    assert number == (FEW // 2 if "batch" in MODES[mode][1] else FEW) + 1


def test_a_worker_killed_before_any_request_to_odoo_loses_and_doubles_nothing(
    begin: Callable[[str], Worker], exchange: Exchange
) -> None:
    number = 1
    while (worker := begin("find, no key")).killed_before("odoo", number):
        worker.finish()
        assert_all_there_once(exchange)
        assert exchange.crm.writes["created"] == FEW
        number += 1
    assert number > 4


def test_a_worker_killed_among_updates_and_deletes_comes_to_the_same_end(
    begin: Callable[[str], Worker], exchange: Exchange
) -> None:
    number = 1
    while True:
        worker = begin("find, no key")
        worker.finish()
        changed, archived, again = exchange.companies[:3]
        exchange.write(changed, city="Aš")
        exchange.write(archived, active=False)
        new = exchange.add_company("Nová firma s.r.o.")
        killed = worker.killed_before("rest", number)
        # What was given in vain must not be taken for what the CRM holds.
        exchange.write(again, city="Cheb")
        exchange.write(changed, city="Brno")
        worker.finish()
        assert_all_there_once(exchange)
        partners = exchange.partners()
        assert (partners[str(changed)]["city"], partners[str(again)]["city"]) == ("Brno", "Cheb")
        assert str(new) in partners
        assert str(archived) not in partners
        if not killed:
            break
        number += 1
    assert number == 4


@pytest.mark.parametrize("kind", ["reset_after", "hang_after", "truncate", "html"])
@pytest.mark.parametrize("mode", MODES)
def test_an_answer_that_gets_lost_loses_and_doubles_nothing(
    begin: Callable[[str], Worker], exchange: Exchange, mode: str, kind: Any
) -> None:
    worker = begin(mode)
    if kind == "hang_after":
        worker.rest = worker.rest.model_copy(update={"timeout": 1.0})
    exchange.crm.faults.add(FaultRule(kind=kind, method="POST", seconds=5.0, skip=1, times=1))
    in_one = 2 if "batch" in MODES[mode][1] else 1
    with suppress(UnavailableError):
        worker.finish()
    assert exchange.crm.faults.injected[kind] == 1
    lost = exchange.failing()
    assert len(lost) == in_one
    # An HTML page in the place of the answer is given before the work, so its record is not there.
    assert len(exchange.partners()) == FEW - in_one * (kind == "html")
    worker.finish()
    if any(row.code == "not_understood" for row in exchange.failing().values()):
        exchange.retry()
    if mode == "idempotency":
        assert exchange.crm.idempotency.replayed == (kind != "html"), "it is sent again, under the same key"
    if mode in ASKING:
        assert {row.code for row in exchange.failing().values()} == {"in_doubt"}
        settle_doubts(exchange)
    else:
        assert exchange.crm.writes["created"] == FEW
    assert_all_there_once(exchange)


@pytest.mark.parametrize("news", ["an edit", "a delete"])
@pytest.mark.parametrize("mode", ["idempotency", *ASKING])
def test_news_of_a_record_whose_answer_was_lost_waits_for_a_person(
    begin: Callable[[str], Worker], exchange: Exchange, mode: str, news: str
) -> None:
    """Another body is another request, whatever its key, and what may be there cannot be deleted without its id."""
    worker = begin(mode)
    exchange.crm.faults.add(FaultRule(kind="reset_after", method="POST", times=1))
    with suppress(UnavailableError):
        worker.finish()
    (key,) = list(exchange.partners().keys() - {k for k, row in exchange.rows().items() if row.target_id})[:1]
    exchange.write(int(key), **({"city": "Brno"} if news == "an edit" else {"active": False}))
    for _ in range(2):
        worker.finish()
        assert exchange.crm.created_twice() == []
        assert exchange.failing().keys() >= {key}, "it may be there"
        assert exchange.failing()[key].code == "in_doubt"
        assert "It may have been made" in str(exchange.failing()[key].message)
    settle_doubts(exchange)
    worker.finish()
    assert_all_there_once(exchange)
    assert exchange.rows()[key].status == "processed"
    assert (key in exchange.partners()) is (news == "an edit")
    assert news == "a delete" or exchange.partners()[key]["city"] == "Brno"


def test_a_batch_whose_answer_was_lost_is_not_made_again_by_batches_of_other_sizes(
    begin: Callable[[str], Worker], exchange: Exchange
) -> None:
    worker = begin("idempotency, batches")
    for number in range(120 - FEW):
        exchange.add_company(f"Firma {number}")
    exchange.changed(OUT, lambda s: s["target"]["batch"].update(size=60))
    worker.settings = exchange.project.syncs[OUT]
    exchange.crm.faults.add(FaultRule(kind="reset_after", method="POST", times=1))
    for _ in range(2):
        with suppress(UnavailableError):
            worker.finish()
        assert exchange.crm.created_twice() == []
    assert {row.code for row in exchange.failing().values()} == {"in_doubt"}
    assert len(exchange.failing()) == 50, "the others were not under way, and so are in no doubt"
    assert exchange.counts()["processed"] == 70
    settle_doubts(exchange)
    assert_all_there_once(exchange)


def test_a_key_that_the_crm_may_have_forgotten_is_not_relied_on(
    begin: Callable[[str], Worker], exchange: Exchange
) -> None:
    worker = begin("idempotency")
    exchange.crm.faults.add(FaultRule(kind="reset_after", method="POST", times=1))
    with suppress(UnavailableError):
        worker.finish()
    exchange.crm.idempotency.expire()
    exchange.conn.execute("UPDATE sync.interface_row SET doubt_since = doubt_since - interval '1 day'")
    worker.finish()
    assert [row.code for row in exchange.failing().values()] == ["in_doubt"]
    assert exchange.crm.created_twice() == []
    settle_doubts(exchange)
    assert_all_there_once(exchange)


@pytest.mark.parametrize("settings", [{"batch": None}, {"batch": None, "wrap": "data"}])
def test_what_was_in_doubt_under_other_settings_is_not_the_same_request(
    begin: Callable[[str], Worker], exchange: Exchange, settings: dict[str, Any]
) -> None:
    worker = begin("idempotency, batches")
    assert worker.killed_before("rest", 2)
    assert exchange.partners()
    exchange.changed(OUT, lambda s: s["target"].update(settings))
    worker.settings = exchange.project.syncs[OUT]
    worker.finish()
    assert {row.code for row in exchange.failing().values()} == {"in_doubt"}
    assert exchange.failing().keys() >= exchange.partners().keys()
    assert exchange.crm.created_twice() == []


def test_a_doubt_outlives_what_happens_to_the_record_meanwhile(
    begin: Callable[[str], Worker], exchange: Exchange
) -> None:
    """A record whose answer was lost breaks a rule, is mended, and is still looked for before it is made."""
    worker = begin("find, no key")
    exchange.crm.faults.add(FaultRule(kind="reset_after", method="POST", times=1))
    worker.finish()
    ((key, row),) = exchange.failing().items()
    assert row.code == "no_answer"
    for values in ({"email": "nowhere"}, {"country_id": False, "email": False}):
        exchange.write(int(key), **values)
        worker.finish()
        assert exchange.rows()[key].target_id is None
    exchange.write(int(key), country_id=exchange.odoo.db.tables["res.country"].find("code", ["CZ"])[0])
    worker.finish()
    assert_all_there_once(exchange)
    assert exchange.crm.writes["created"] == FEW


def test_one_that_was_deleted_is_made_anew_although_the_crm_remembers_the_first_request(
    begin: Callable[[str], Worker], exchange: Exchange
) -> None:
    for mode in ("idempotency", "idempotency and find"):
        worker = begin(mode)
        number = exchange.companies[0]
        for active in (True, False, True, False, True):
            exchange.write(number, active=active)
            worker.finish()
            assert (str(number) in exchange.partners()) is active
        assert_all_there_once(exchange)
        assert exchange.crm.idempotency.replayed == 0


def test_contacts_that_were_being_written_to_odoo_are_there_once(exchange: Exchange, database_url: str) -> None:
    exchange.changed(IN, lambda s: (s["target"].update(batch=10), s["source"].update(page=15)))
    before, number = exchange.odoo.created["res.partner"], 1
    worker = Worker(exchange, database_url, exchange.project.syncs[IN])
    # Each time a little farther, on the same database.
    while worker.killed_before("odoo", number) or worker.killed_before("rest", number):
        number += 1
    worker.finish()
    assert exchange.odoo.created["res.partner"] - before == len(exchange.people())
    wanted = {str(one["id"]) for one in exchange.crm.live("contacts")} - exchange.failing(IN).keys()
    assert exchange.people().keys() == wanted


# Asked for patience


@pytest.mark.parametrize("hint", ["seconds", "date"])
def test_a_short_wish_for_patience_is_kept_by_all_and_no_record_fails(exchange: Exchange, hint: str) -> None:
    exchange.switch(max_calls=12, quota_hint=hint)
    report = exchange.sync()
    assert report.problem is None
    assert report.counts["processed"] == COMPANIES
    assert exchange.crm.created_twice() == []
    assert 1 <= exchange.crm.access.over_quota <= 8, "four ask at a time, and nobody asks while it is not time"
    assert {status for _, status, _, _ in exchange.attempts()} == {"success", "skipped"}


@pytest.mark.parametrize("times", [2, None])
def test_without_a_hint_the_delay_grows_and_then_the_pass_ends_but_no_record_fails(
    exchange: Exchange, times: int | None
) -> None:
    exchange.crm.faults.add(FaultRule(kind="status", status=429, times=times, method="POST"))
    report = exchange.sync()
    if times is None:
        assert "status 429" in str(report.problem)
        assert exchange.crm.faults.injected["status"] == 3
        assert exchange.state().status == "RETRY_WAITING"
        assert exchange.counts() == {"pending": COMPANIES + 1}
        exchange.crm.faults.clear()
        assert exchange.sync().problem is None
    assert exchange.counts() == {"processed": COMPANIES, "skipped": 1}
    assert {status for _, status, _, _ in exchange.attempts()} == {"success", "skipped"}


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_long_wish_for_patience_ends_the_pass_and_holds_for_every_sync_of_the_connection(
    exchange: Exchange, form: str
) -> None:
    until = database_time(exchange.conn).replace(microsecond=0) + timedelta(hours=1)
    asked = "3600" if form == "seconds" else format_datetime(until.astimezone(UTC), usegmt=True)
    rule = FaultRule(kind="status", status=429, headers={"Retry-After": asked}, path="^/partners", skip=5, times=None)
    exchange.crm.faults.add(rule)
    report = exchange.sync()
    assert "asks to wait" in str(report.problem) or "asked for patience" in str(report.problem)
    assert exchange.failing() == {}
    assert exchange.counts()["processed"] == 5
    state = exchange.state()
    assert state.status == "RETRY_WAITING"
    assert state.next_try is not None
    assert state.next_try >= until - timedelta(seconds=1)
    exchange.crm.faults.clear()
    exchange.crm.faults.reset_counts()
    assert "waits until" in str(exchange.tick())
    # The other sync, and a run by hand, leave that server alone as well.
    for sync in (IN, OUT):
        assert "asked for patience" in str(exchange.sync(sync).problem)
        waiting = exchange.state(sync)
        assert waiting.status == "RETRY_WAITING"
        assert waiting.next_try is not None
        assert waiting.next_try >= until - timedelta(seconds=1)
    assert exchange.crm.faults.requests == {}
    assert exchange.failing() == exchange.failing(IN) == {}
    exchange.conn.execute("DELETE FROM sync.connection_pause")
    exchange.asked()
    assert exchange.sync().problem is None
    assert [str(asked) for asked in exchange.asked()] == ["POST /partners"] * (COMPANIES - 5), "none was in doubt"
    assert exchange.crm.writes["created"] == COMPANIES


# Shut out


def wrong_token(place: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REST_TOKEN", "wrong-token-8e2b")


def wrong_path(place: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REST_URL", os.environ["REST_URL"] + "/v2/api")


def forbidden(place: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    place.switch(forbidden=("/partners", "/contacts"))


def no_tls(place: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REST_URL", os.environ["REST_URL"].replace("http://", "https://"))


def wrong_port(place: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REST_URL", "http://127.0.0.1:9")


WRONG: dict[str, tuple[Any, str]] = {
    "credentials": (wrong_token, "refuses the credentials of its connection"),
    "path": (wrong_path, "knows no such path"),
    "rights": (forbidden, "does not let this user do"),
    "TLS": (no_tls, "does not speak TLS"),
    "address": (wrong_port, "cannot be reached at http://127.0.0.1:9"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_setting_is_named_by_check_and_stops_a_pass_before_it_touches_a_row(
    exchange: Exchange, boards: tuple[Board, Board], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    spoil, said = WRONG[name]
    right = boards[1].url
    spoil(exchange, monkeypatch)
    found = exchange.check()
    assert found["odoo"].ok
    assert not found["rest"].ok
    assert said in found["rest"].detail
    for sync in (OUT, IN):
        report = exchange.sync(sync)
        assert said in str(report.problem)
        assert len(str(report.problem).split(". ")) <= 3
        assert set(exchange.counts(sync)) <= {"pending"}
        assert exchange.attempts(sync) == []
        assert exchange.state(sync).status == ("RETRY_WAITING" if name == "address" else "ERROR")
    assert "wrong-token-8e2b" not in exchange.everything_readable() + found["rest"].detail

    exchange.switch(forbidden=())
    monkeypatch.setenv("REST_URL", right)
    monkeypatch.setenv("REST_TOKEN", TOKEN)
    assert exchange.check()["rest"].ok
    exchange.asked()
    assert exchange.sync().problem is None
    assert [str(asked) for asked in exchange.asked()] == ["POST /partners"] * COMPANIES, "none was in doubt"


@pytest.mark.parametrize(
    ("auth", "settings"),
    [
        ("none", {}),
        ("basic", {"user": "$REST_USER", "password": "$REST_PASSWORD"}),
        ("key", {"key": "$REST_KEY", "key_header": "X-Api-Key"}),
    ],
)
def test_every_way_to_log_in_works_and_a_wrong_secret_is_told(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch, auth: Any, settings: dict[str, str]
) -> None:
    exchange.switch(auth=auth)
    monkeypatch.setenv("REST_USER", "sync")
    monkeypatch.setenv("REST_PASSWORD", "sync")
    monkeypatch.setenv("REST_KEY", TOKEN)
    exchange.connected("rest", auth=auth, token=None, **settings)
    assert exchange.check()["rest"].ok
    assert exchange.sync().counts["processed"] == COMPANIES
    if auth != "none":
        monkeypatch.setenv("REST_PASSWORD" if auth == "basic" else "REST_KEY", "another-secret-4f")
        found = exchange.check()["rest"]
        assert "refuses the credentials" in found.detail
        assert "another-secret-4f" not in found.detail


def test_one_record_that_may_not_be_written_is_its_own_trouble(sent: Exchange) -> None:
    *others, barred = sorted(sent.companies, key=str)[:3]
    sent.switch(forbidden=(f"PUT /partners/{sent.partners()[str(barred)]['id']}",))
    for company in (*others, barred):
        sent.write(company, city="Aš")
    assert sent.sync().problem is None
    assert {key: row.code for key, row in sent.failing().items()} == {str(barred): "forbidden"}
    assert {sent.partners()[str(company)]["city"] for company in others} == {"Aš"}


# Lied to

PAGE = "<html><body>" + "Please sign in. " * 40 + "</body></html>"


@pytest.mark.parametrize(
    ("body", "kind", "said"),
    [
        (PAGE, "text/html", f"“{PAGE[:200]}”"),
        ('{"data": [{"id": 1, "name": "half a re', "application/json", '“{"data": [{"id": 1, "name": "half a re”'),
        (f"the token {TOKEN} is odd", "text/plain", "“the token *** is odd”"),
    ],
)
def test_a_list_that_cannot_be_understood_is_quoted_without_secrets(
    exchange: Exchange, body: str, kind: str, said: str
) -> None:
    headers = {"content-type": kind}
    exchange.crm.faults.add(FaultRule(kind="status", status=200, headers=headers, body=body, times=None))
    problem = str(exchange.sync(IN).problem)
    assert said in problem
    assert exchange.state(IN).error == problem
    assert TOKEN not in problem + exchange.everything_readable()
    assert not exchange.check()["rest"].ok
    assert TOKEN not in exchange.check()["rest"].detail
    exchange.crm.faults.clear()
    assert exchange.sync(IN).problem is None


@pytest.mark.parametrize("status", [200, 201, 400, 422, 500])
def test_whatever_the_crm_answers_to_a_write_no_secret_is_in_anything_that_people_read(
    exchange: Exchange, status: int
) -> None:
    leak = json.dumps({"message": f"Bearer {TOKEN} is odd", "odoo": KEY})
    for times, body in ((3, leak), (3, f"<p>Authorization: Bearer {TOKEN}</p>" + PAGE)):
        kind = "application/json" if body == leak else "text/html"
        exchange.crm.faults.add(
            FaultRule(
                kind="status", method="POST", status=status, body=body, headers={"content-type": kind}, times=times
            )
        )
    report = exchange.sync()
    failing = exchange.failing()
    assert len(failing) == 6
    assert all(row.message for row in failing.values())
    assert all(len(str(row.message)) < 600 for row in failing.values())
    readable = exchange.everything_readable() + str(report)
    assert TOKEN not in readable
    assert {code for _, outcome, code, _ in exchange.attempts() if outcome == "error"} == {status}


def test_no_secret_of_odoo_is_in_anything_that_people_read(exchange: Exchange) -> None:
    body = f"<html>Traceback: Authorization: bearer {KEY}</html>"
    for status in (200, 403, 500):
        exchange.odoo.faults.add(FaultRule(kind="status", status=status, body=body, times=None))
        problem = str(exchange.sync().problem) + str(exchange.sync(IN).problem) + exchange.check()["odoo"].detail
        assert KEY not in problem + exchange.everything_readable()
        assert "None" not in problem
        exchange.odoo.faults.clear()
    assert exchange.sync().problem is None


def test_a_crm_that_breaks_at_every_record_is_left_alone_and_no_record_is_lost(exchange: Exchange) -> None:
    exchange.crm.faults.add(
        FaultRule(
            kind="status",
            method="POST",
            status=500,
            body="{}",
            headers={"content-type": "application/json"},
            times=None,
        )
    )
    exchange.sync()
    assert set(exchange.counts()) <= {"failed", "pending", "skipped"}
    exchange.crm.faults.clear()
    exchange.conn.execute("UPDATE sync.interface_row SET next_attempt_at = now() WHERE next_attempt_at > now()")
    assert exchange.sync().problem is None
    assert exchange.counts() == {"processed": COMPANIES, "skipped": 1}
    assert exchange.crm.created_twice() == []
