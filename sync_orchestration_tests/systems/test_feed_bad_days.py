"""The bad days of a Flexi feed: each has one clear message that says what is wrong and what to do about it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from starlette.responses import Response

from sync_orchestration.pipeline.errors import (
    ConfigurationError,
    FeedResetError,
    SyncError,
    TrackingOffError,
    UnavailableError,
)
from sync_orchestration.pipeline.land import Reader
from sync_orchestration.pipeline.landing import Landing

from .conftest import PASSWORD, Flexi, Script, Switchboard, winstrom

JSON = {"content-type": "application/json"}
XML = {"content-type": "application/xml"}


def head(flexi: Flexi) -> Any:
    return flexi.source().head()


def feed(flexi: Flexi) -> Any:
    return list(flexi.source().changes(0))


def xml_feed(flexi: Flexi) -> Any:
    return list(flexi.source("xml").changes(0))


def fetch(flexi: Flexi) -> Any:
    return flexi.source().fetch(["1"])


def snapshot(flexi: Flexi) -> Any:
    return list(flexi.source().snapshot(None))


def check(flexi: Flexi) -> Any:
    return flexi.client().check()


def enable(flexi: Flexi) -> Any:
    return flexi.client().switch_tracking(on=True)


def lock(flexi: Flexi, **switches: Any) -> None:
    flexi.company.disable_changes()
    flexi.switch(users_logged_in=True, **switches)


@dataclass(frozen=True)
class BadDay:
    """What goes wrong, what is tried, and the words that the message must have; `requests` is what it may cost."""

    name: str
    happens: Callable[[Flexi], Any]
    tried: tuple[Callable[[Flexi], Any], ...]
    error: type[SyncError]
    words: tuple[str, ...]
    requests: int | None = None


BAD_DAYS = [
    BadDay(
        "Changes API off",
        lambda f: f.company.disable_changes(),
        (head, check),
        TrackingOffError,
        ("Changes API", "company demo is switched off", "flexi_changes_control", "full reconciliation"),
        1,
    ),
    BadDay(
        "no licence for the REST API",
        lambda f: f.switch(rest_licence="none"),
        (head, check, enable),
        ConfigurationError,
        ("403", "licence lacks the REST API", "user's role"),
        1,
    ),
    BadDay(
        "no licence to enable",
        lambda f: f.switch(rest_licence="read_only"),
        (enable,),
        ConfigurationError,
        ("403", "licence lacks the REST API"),
        1,
    ),
    BadDay(
        "somebody is logged in while tracking is enabled, told as HTML",
        lock,
        (enable,),
        ConfigurationError,
        ("could not lock its tables", "somebody is logged in", "leave the company demo", "again"),
        1,
    ),
    BadDay(
        "somebody is logged in while tracking is enabled, told as JSON",
        lambda f: lock(f, error_500_body="json"),
        (enable,),
        ConfigurationError,
        ("could not lock its tables", "somebody is logged in", "leave the company demo", "again"),
        1,
    ),
    BadDay(
        "wrong password",
        lambda f: setattr(f.world, "password", "another"),
        (head, feed, xml_feed, fetch, snapshot, check, enable),
        ConfigurationError,
        ("refuses the user or password (401)", "FLEXI_USER", "FLEXI_PASSWORD"),
        1,
    ),
    BadDay(
        "unknown company",
        lambda f: f.world.remove_company("demo"),
        (head, feed, xml_feed, fetch, snapshot, check),
        ConfigurationError,
        ("no company 'demo'", "404", "FLEXI_COMPANY", "rights"),
        1,
    ),
    BadDay(
        "not a Flexi at all",
        lambda f: f.fault("status", status=404, body="<h1>nginx</h1>", times=None),
        (head, feed, xml_feed, fetch, snapshot, check),
        ConfigurationError,
        ("no company 'demo'", "404"),
        1,
    ),
    BadDay(
        "no right to read the evidence",
        lambda f: f.fault("status", "adresar", status=403, headers=JSON, body='{"winstrom": {"message": "Zakázáno"}}'),
        (head, fetch, snapshot),
        ConfigurationError,
        ("no right to read adresar (403)", "Zakázáno"),
    ),
    BadDay(
        "REST API not licensed",
        lambda f: f.fault("status", status=402, headers=JSON, body="{}", times=None),
        (head, feed, fetch),
        ConfigurationError,
        ("licence does not include the REST API", "402"),
        1,
    ),
    BadDay(
        "daily quota used up",
        lambda f: f.switch(daily_quota=0, quota_retry_after_seconds=600),
        (head, feed, xml_feed, fetch, snapshot, check),
        UnavailableError,
        ("Flexi asked for patience", "429", "wait 600 s"),
        1,
    ),
    BadDay(
        "a login page instead of JSON",
        lambda f: f.fault("html", times=None),
        (head, feed, fetch, snapshot, check),
        UnavailableError,
        ("HTML page", "status 200", "instead of JSON", "Sign in", "http://127.0.0.1", "login page or a proxy"),
        3,
    ),
    BadDay(
        "a login page instead of XML",
        lambda f: f.fault("html", times=None),
        (xml_feed,),
        UnavailableError,
        ("HTML page", "status 200", "instead of XML", "Sign in", "login page or a proxy"),
    ),
    BadDay(
        "a body that ends too early",
        lambda f: f.fault("truncate", times=None),
        (head, feed, xml_feed, fetch, snapshot, check),
        UnavailableError,
        ("The answer of Flexi to", "broke off", "/c/demo"),
        3,
    ),
    BadDay(
        "JSON that was cut on its way",
        lambda f: f.fault("status", status=200, headers=JSON, body='{"winstrom": {"changes": [', times=None),
        (head, feed, fetch, snapshot, check),
        UnavailableError,
        ("is cut off", "status 200", '{"winstrom"'),
        3,
    ),
    BadDay(
        "XML that was cut on its way",
        lambda f: f.fault("status", status=200, headers=XML, body='<winstrom globalVersion="6"><adr', times=None),
        (xml_feed,),
        UnavailableError,
        ("no change feed or is cut off", "<winstrom"),
    ),
    BadDay(
        "a redirect to the login form",
        lambda f: f.fault("status", status=302, headers={"Location": "/login-logout/login.html"}, times=None),
        (head, feed, xml_feed, fetch, snapshot, check, enable),
        ConfigurationError,
        ("redirect to /login-logout/login.html", "Is the URL right", "does the user exist"),
        1,
    ),
    BadDay(
        "a bug of the server",
        lambda f: f.fault("status", status=500, body="<h1>NullPointerException</h1>", times=None),
        (head, feed, xml_feed, fetch, snapshot, check),
        UnavailableError,
        ("Flexi failed", "status 500", "NullPointerException"),
        3,
    ),
    BadDay(
        "maintenance",
        lambda f: f.fault("status", status=503, times=None),
        (head, feed, xml_feed, fetch, snapshot, check),
        UnavailableError,
        ("Flexi is not available", "status 503"),
        3,
    ),
    BadDay(
        "another operation is under way",
        lambda f: f.fault("status", status=409, headers=JSON, body='{"winstrom": {"message": "Probíhá"}}', times=None),
        (head, feed, fetch),
        UnavailableError,
        ("could not answer", "now", "409", "Probíhá"),
        1,
    ),
    BadDay(
        "the connection is cut",
        lambda f: f.fault("reset", times=None),
        (head, feed, xml_feed, fetch, snapshot, check),
        UnavailableError,
        ("Flexi cannot be reached at http://127.0.0.1",),
        3,
    ),
    BadDay(
        "a filter that this Flexi does not know",
        lambda f: f.fault("status", status=400, headers=JSON, body='{"winstrom": {"message": "WQL"}}', times=None),
        (feed, fetch, snapshot),
        ConfigurationError,
        ("Flexi refused", "status 400", "WQL"),
        1,
    ),
]


CASES = [pytest.param(day, tried, id=f"{day.name} - {tried.__name__}") for day in BAD_DAYS for tried in day.tried]


@pytest.mark.parametrize(("day", "tried"), CASES)
def test_a_bad_day_has_a_message_of_its_own(
    flexi: Flexi, day: BadDay, tried: Callable[[Flexi], Any], naps: list[float]
) -> None:
    day.happens(flexi)
    with pytest.raises(SyncError) as raised:
        tried(flexi)
    message = str(raised.value)
    assert type(raised.value) is day.error, message
    missing = [word for word in day.words if word not in message]
    assert not missing, message
    assert_is_for_people(message)
    assert day.requests is None or flexi.requests == day.requests


def assert_is_for_people(message: str) -> None:
    assert "\n" not in message
    assert len(message) < 500
    assert message.endswith((".", "?", "”")), message
    assert PASSWORD not in message
    assert "heslo" not in message
    assert not re.search(r"Traceback|object at 0x|HTTPConnection|Error\(", message)


def test_a_quota_tells_the_pass_when_to_come_again(flexi: Flexi, naps: list[float]) -> None:
    flexi.switch(daily_quota=0, quota_retry_after_seconds=3_600)
    with pytest.raises(UnavailableError) as refused:
        feed(flexi)
    assert (refused.value.retry_after, naps) == (3_600.0, [])


def test_a_short_pause_is_waited_for_and_nobody_is_told(flexi: Flexi, naps: list[float]) -> None:
    flexi.partner("A")
    flexi.fault("status", status=429, headers={"Retry-After": "4"})
    assert len(feed(flexi)) == 1
    assert naps == [4.0]


@pytest.mark.parametrize("kind", ["reset", "truncate", "html"])
def test_a_passing_bad_moment_is_not_a_bad_day(flexi: Flexi, kind: str) -> None:
    flexi.partner("A")
    flexi.fault(kind)
    assert len(feed(flexi)) == 1
    flexi.fault(kind)
    assert len(fetch(flexi)) == 1


def test_a_flexi_that_is_not_there_is_named_with_its_address(board: Switchboard, flexi: Flexi) -> None:
    client = Flexi(flexi.world, flexi.company, "http://127.0.0.1:1").client()
    with pytest.raises(UnavailableError, match=r"Flexi cannot be reached at http://127\.0\.0\.1:1: .*refused\.") as no:
        client.check()
    assert_is_for_people(str(no.value))


@pytest.mark.parametrize("body", ["", "{}", "[]", "null", "Přihlášení"])
def test_tracking_is_not_called_off_by_an_answer_that_says_nothing(board: Switchboard, flexi: Flexi, body: str) -> None:
    board.app = Script([Response(body, media_type="application/json")])
    with pytest.raises(UnavailableError):
        flexi.client().tracking_is_on()


def test_a_list_without_a_version_means_that_tracking_is_off(board: Switchboard, flexi: Flexi) -> None:
    board.app = Script([winstrom(success="true"), winstrom(adresar=[])])
    with pytest.raises(TrackingOffError, match="switched off"):
        head(flexi)


# Days that only the cursor knows of


class Nobody:
    def progress(self, step: str, count: int) -> None:
        """Not interested."""

    def warn(self, message: str) -> None:
        raise AssertionError(message)


@pytest.fixture
def read(flexi: Flexi, conn: psycopg.Connection[Any]) -> Callable[[], None]:
    """Bring the interface table up to date, as each pass does."""
    landing = Landing("flexi_partners", "flexi", "adresar")

    def run() -> None:
        Reader(conn, flexi.source(), landing, "run", Nobody()).bring_up_to_date()

    return run


def off_and_on(flexi: Flexi, read: Callable[[], None]) -> None:
    flexi.company.disable_changes()
    with pytest.raises(TrackingOffError):
        read()
    flexi.company.enable_changes()


def replaced(flexi: Flexi, _: Callable[[], None]) -> None:
    flexi.world.remove_company("demo")
    flexi.world.add_company("first")
    company = flexi.world.add_company("demo")
    company.bulk_changes(20, len([company.create("adresar", {"kod": c, "nazev": c}) for c in "KLMNO"]))


HISTORIES: list[tuple[str, Callable[[Flexi, Callable[[], None]], Any], tuple[str, ...]]] = [
    (
        "an older backup was restored",
        lambda f, _: f.world.restore("demo", 3),
        ("newest version is 3", "versions up to 8 were read", "restored from a backup"),
    ),
    ("tracking was off for a while", off_and_on, ("another one", "tracking was off for a while")),
    ("the company was replaced by another of its name", replaced, ("another one", "company was replaced")),
]


@pytest.mark.parametrize(("happens", "words"), [case[1:] for case in HISTORIES], ids=[case[0] for case in HISTORIES])
def test_a_history_that_the_cursor_does_not_belong_to_is_refused_until_a_full_reconciliation(
    flexi: Flexi, read: Callable[[], None], happens: Callable[..., Any], words: tuple[str, ...]
) -> None:
    for code in "ABCDEFGH":
        flexi.partner(code)
    read()
    happens(flexi, read)
    for _ in range(2):
        with pytest.raises(FeedResetError) as refused:
            read()
        message = str(refused.value)
        missing = [word for word in (*words, "full reconciliation", "job full_reconciliation") if word not in message]
        assert not missing, message
        assert_is_for_people(message)
