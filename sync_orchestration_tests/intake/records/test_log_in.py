"""Who may see records, and who may press buttons; nobody else learns anything."""

import hmac
from typing import Any

import pytest
import requests
from starlette.requests import Request
from starlette.responses import Response

from sync_orchestration.intake import IntakeConfigurationError, IntakeSettings, Operator, Sender
from sync_orchestration.intake.doorkeeper import digest_of
from sync_orchestration.intake.records.login import COOKIE, SECONDS, Reception
from sync_orchestration_tests.intake.records.library import (
    OPERATOR,
    SETTINGS,
    VIEWER,
    Library,
    about,
    seen,
    serve_library,
    without_operators,
)

PAGES = [
    "/records",
    "/records?status=failed",
    "/records/failures",
    "/records/export.csv",
    "/records/export.xlsx",
    "/records/partners/flexi/1",
    "/records/retry",
]


def log_in(library: Library, token: str, wanted: str = "/records") -> requests.Response:
    form = {"token": token, "next": wanted}
    return requests.post(f"{library.url}/records/login", data=form, timeout=30, allow_redirects=False)


@pytest.mark.parametrize("path", PAGES)
def test_without_a_log_in_a_page_leads_to_the_log_in_and_shows_nothing(library: Library, path: str) -> None:
    library.fails("1")
    answer = requests.get(library.url + path, timeout=30, allow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/records/login?next=%2Frecords")
    assert "nowhere" not in answer.text
    assert "nowhere" not in requests.get(library.url + path, timeout=30).text


@pytest.mark.parametrize("token", ["wrong", "", f"sha256:{digest_of(OPERATOR).hex()}", OPERATOR + "x"])
def test_a_wrong_token_opens_nothing(library: Library, token: str) -> None:
    answer = log_in(library, token)
    assert (answer.status_code, "Set-Cookie" in answer.headers) == (401, False)
    assert "not one of an operator" in seen(answer.text)
    program = library.as_program(token or "x").get("/records")
    assert (program.status_code, program.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_whoever_has_logged_in_comes_to_the_page_that_was_wanted(library: Library) -> None:
    answer = log_in(library, OPERATOR, "/records?status=failed")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/records?status=failed")


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example/records", "//evil.example/records", "/\\evil.example", "/docs", "javascript:alert(1)", ""],
)
def test_a_log_in_leads_nowhere_but_to_the_records(library: Library, elsewhere: str) -> None:
    assert log_in(library, OPERATOR, elsewhere).headers["Location"] == "/records"


def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(library: Library) -> None:
    cookie = log_in(library, OPERATOR).headers["Set-Cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    for part in ("HttpOnly", "SameSite=strict", "Path=/records", f"Max-Age={SECONDS}"):
        assert part.lower() in cookie.lower()
    assert OPERATOR not in cookie


def test_behind_tls_the_cookie_is_sent_over_tls_only(database_url: str) -> None:
    settings = IntakeSettings((), (), operators=SETTINGS.operators, public_url="https://sync.example.com")
    with serve_library(database_url, settings) as library:
        assert "secure" in log_in(library, OPERATOR).headers["Set-Cookie"].lower()


def test_a_cookie_that_was_changed_or_made_up_is_none(library: Library) -> None:
    good = log_in(library, VIEWER).cookies[COOKIE]
    body, _, signature = good.partition(".")
    for forged in (body, f"{body}.", f"{body[:-4]}AAAA.{signature}", "x.y", "." + signature, "é.é", "x" * 5_000):
        answer = requests.get(
            f"{library.url}/records",
            headers={"Cookie": f"{COOKIE}={forged}".encode()},
            timeout=30,
            allow_redirects=False,
        )
        assert answer.status_code == 303, forged


def test_a_log_in_ends_after_eight_hours() -> None:
    now = [1_000_000.0]
    reception = Reception(SETTINGS.operators, clock=lambda: now[0])
    cookie = _cookie_of(reception)
    assert _visitor(reception, cookie) == "olga"
    now[0] += SECONDS + 1
    assert _visitor(reception, cookie) is None


def test_a_restart_ends_all_log_ins() -> None:
    cookie = _cookie_of(Reception(SETTINGS.operators))
    assert _visitor(Reception(SETTINGS.operators), cookie) is None


def _cookie_of(reception: Reception) -> str:
    response = Response()
    reception.welcome(response, SETTINGS.operators[0], encrypted=False)
    return response.headers["set-cookie"].partition("=")[2].partition(";")[0]


def _visitor(reception: Reception, cookie: str) -> str | None:
    headers = [(b"cookie", f"{COOKIE}={cookie}".encode())]
    found = reception.visitor(Request({"type": "http", "headers": headers}))
    return None if found is None else found.name


def test_every_known_token_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bool] = []

    def counting(one: Any, other: Any) -> bool:
        compared.append(True)
        return real(one, other)

    real = hmac.compare_digest
    reception = Reception(SETTINGS.operators)
    monkeypatch.setattr("sync_orchestration.intake.records.login.hmac.compare_digest", counting)
    assert reception.operator(OPERATOR.encode()) is not None
    assert reception.operator(b"wrong") is None
    assert len(compared) == 4, "two for each of both"


def test_who_follows_a_link_of_another_site_need_not_log_in_again(library: Library) -> None:
    link = f"{library.url}/records?status=failed&text=%22x"
    answer = requests.get(link, headers={"Sec-Fetch-Site": "cross-site"}, timeout=30, allow_redirects=False)
    assert answer.status_code == 200
    assert 'content="0; url=/records?status=failed&amp;text=%22x"' in answer.text
    # The second time it is a page of ours that leads there, so the browser brings its cookie; who has none logs in.
    again = requests.get(link, headers={"Sec-Fetch-Site": "same-origin"}, timeout=30, allow_redirects=False)
    assert again.status_code == 303


def test_a_log_out_takes_the_cookie_back(library: Library) -> None:
    reader = library.logged_in()
    assert reader.get().status_code == 200
    assert reader.press("/records/logout", {}).headers["Location"] == "/records/login"
    assert reader.get().status_code == 303


def test_who_may_look_only_has_no_buttons_and_cannot_press_them(library: Library) -> None:
    library.fails("1")
    viewer = library.logged_in(VIEWER)
    page = viewer.text("/records/partners/flexi/1")
    assert "nowhere is no address" in page
    assert "Try again" not in page
    assert "Retry the failed" not in viewer.text()
    for path in ("/records/ask", "/records/skip", "/records/retry"):
        answer = viewer.press(path, about("1", word="retry", reason="x", position="1"))
        assert answer.status_code == 403
    assert viewer.get("/records/retry").status_code == 403
    assert (library.wakes(), library.words(), library.status("1")) == ([], [], "failed")


@pytest.mark.parametrize("mark", ["", "wrong", "é"])
def test_a_form_of_another_site_does_nothing(library: Library, mark: str) -> None:
    library.fails("1")
    reader = library.logged_in()
    for path in ("/records/ask", "/records/skip", "/records/retry", "/records/logout", "/records/compare"):
        form = about("1", word="retry", reason="x", position="1", mark=mark)
        answer = reader.session.post(library.url + path, data=form, timeout=30)
        assert answer.status_code == 403
    assert (library.wakes(), library.words(), library.status("1")) == ([], [], "failed")
    assert reader.get().status_code == 200, "not even logged out"


def test_the_mark_of_one_log_in_is_no_good_for_another(library: Library) -> None:
    library.fails("1")
    one, other = library.logged_in(), library.logged_in()
    answer = one.press("/records/ask", about("1", word="retry"))
    assert answer.status_code == 303
    form = {**about("1", word="reread"), "mark": _mark_of(one.get().text)}
    assert other.session.post(library.url + "/records/ask", data=form, timeout=30).status_code == 403


def _mark_of(page: str) -> str:
    return page.partition('name="mark" value="')[2].partition('"')[0]


def test_a_program_presses_buttons_with_its_bearer_token(library: Library) -> None:
    library.fails("1")
    program = library.as_program()
    form = about("1", word="retry")
    answer = program.session.post(library.url + "/records/ask", data=form, timeout=30, allow_redirects=False)
    assert answer.status_code == 303
    assert library.wakes() == [("retry", "partners", "1")]


def test_a_crowd_that_guesses_tokens_is_slowed_down(library: Library) -> None:
    assert 429 in {log_in(library, f"guess {number}").status_code for number in range(40)}


def test_without_an_operator_the_browser_is_off_and_says_so(database_url: str) -> None:
    with serve_library(database_url, without_operators()) as library:
        library.fails("1")
        for path in [*PAGES, "/records/login"]:
            answer = requests.get(library.url + path, timeout=30, allow_redirects=False)
            assert answer.status_code == 404
            assert "The record browser is switched off: set INTAKE_OPERATOR_TOKEN" in seen(answer.text)
            assert "nowhere" not in answer.text
        assert log_in(library, OPERATOR).status_code == 404
        assert requests.get(f"{library.url}/healthz", timeout=30).status_code == 200


@pytest.mark.parametrize("path", [*PAGES, "/records/login", "/records/records.css", "/records/partners/flexi/nobody"])
def test_every_page_forbids_scripts_frames_and_copies(library: Library, path: str) -> None:
    library.fails("1")
    headers = library.as_program().get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script" not in policy
    assert "unsafe" not in policy
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("path", ["/records", "/records/login", "/records/partners/flexi/1", "/records/failures"])
def test_no_page_needs_anything_from_elsewhere_or_any_script(library: Library, path: str) -> None:
    library.fails("1")
    page = library.as_program().get(path).text
    assert "<script" not in page
    assert " style=" not in page
    assert 'src="' not in page
    assert page.count("<link") == 1
    assert 'href="/records/records.css"' in page


def test_two_people_never_share_a_token() -> None:
    twice = (Operator("olga", (OPERATOR,)), Operator("viktor", (OPERATOR,)))
    with pytest.raises(IntakeConfigurationError, match="same token"):
        IntakeSettings((), (), operators=twice)
    with pytest.raises(IntakeConfigurationError, match="same token"):
        IntakeSettings((), (Sender("erp", (OPERATOR,), frozenset()),), operators=twice[:1])
