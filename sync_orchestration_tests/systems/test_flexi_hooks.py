"""Web hooks of a Flexi company: registered once, they call us, are revived and removed, and keep their secret."""

import json
import logging
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from sync_orchestration.pipeline.errors import ConfigurationError, SyncError, UnavailableError
from sync_orchestration.sandbox.server import serve
from sync_orchestration.systems.flexi_hooks import FlexiHook, FlexiHooks
from sync_orchestration_tests.hook_receiver import HookReceiver

from .conftest import Flexi, Script, Switchboard, as_json, winstrom

SECRET = "hook/secret+4f1c9a7e2b=="
HOOKS = "/c/demo/hooks.json"


@pytest.fixture
def receiver() -> Iterator[HookReceiver]:
    found = HookReceiver()
    with serve(found) as url:
        found.url = f"{url}/hooks/flexi/demo"
        yield found


@pytest.fixture
def hooks(flexi: Flexi) -> FlexiHooks:
    flexi.switch(hook_delay_seconds=0)
    return FlexiHooks.of(flexi.client(), SECRET)


def refused(hooks: FlexiHooks, url: str, **how: Any) -> str:
    with pytest.raises(ConfigurationError) as refusal:
        hooks.register(url, **how)
    said = str(refusal.value)
    assert SECRET not in said
    return said


def test_a_registered_hook_is_tried_and_then_comes_with_its_secret_when_a_record_changes(
    flexi: Flexi, hooks: FlexiHooks, receiver: HookReceiver
) -> None:
    assert hooks.register(receiver.url) is True
    tried = receiver.next()
    assert (tried.path, tried.secret, tried.body) == ("/hooks/flexi/demo", SECRET, "")
    key = flexi.partner("A")
    told = receiver.next()
    assert told.secret == SECRET
    assert [row["id"] for row in json.loads(told.body)["winstrom"]["changes"]] == [key]
    (hook,) = hooks.listed()
    assert (hook.id, hook.url, hook.format, hook.penalty) == ("1", receiver.url, "JSON", "0")


def test_an_address_is_registered_once_however_often_it_is_asked_for(hooks: FlexiHooks, receiver: HookReceiver) -> None:
    assert [hooks.register(receiver.url) for _ in range(3)] == [True, False, False]
    assert hooks.register(f"{receiver.url}_other") is True
    assert [hook.url for hook in hooks.listed()] == [receiver.url, f"{receiver.url}_other"]


def test_a_registration_whose_answer_is_lost_is_found_and_not_repeated(
    flexi: Flexi, hooks: FlexiHooks, receiver: HookReceiver
) -> None:
    flexi.fault("reset_after", HOOKS, method="PUT")
    assert hooks.register(receiver.url) is True
    assert len(hooks.listed()) == 1


def test_a_registration_that_never_happened_is_said(flexi: Flexi, hooks: FlexiHooks, receiver: HookReceiver) -> None:
    flexi.fault("reset", HOOKS, method="PUT")
    with pytest.raises(UnavailableError):
        hooks.register(receiver.url)
    assert hooks.listed() == []
    flexi.fault("html", HOOKS, method="PUT")
    with pytest.raises(UnavailableError, match=r"confirmed the web hook .* but does not list it"):
        hooks.register(receiver.url)


def test_an_address_that_refuses_the_trial_is_not_registered_unless_the_trial_is_left_out(
    hooks: FlexiHooks, receiver: HookReceiver
) -> None:
    receiver.statuses = [401]
    said = refused(hooks, receiver.url)
    assert receiver.url in said
    assert "must be reachable from the Flexi server" in said
    assert "enableHooks" in said
    assert hooks.listed() == []
    receiver.calls.queue.clear()
    assert hooks.register(receiver.url, skip_url_test=True) is True
    assert receiver.calls.empty()


def test_a_hook_in_penalty_is_revived_and_told_what_it_missed(
    flexi: Flexi, hooks: FlexiHooks, receiver: HookReceiver
) -> None:
    flexi.switch(hook_penalty_seconds=3600)
    hooks.register(receiver.url, skip_url_test=True)
    receiver.statuses = [503]
    key = flexi.partner("A")
    receiver.next()
    flexi.world.hooks["demo"].wait_until_idle(10)
    assert [hook.penalty for hook in hooks.listed()] == ["1"]
    hooks.revive("1")
    assert [row["id"] for row in json.loads(receiver.next().body)["winstrom"]["changes"]] == [key]
    flexi.world.hooks["demo"].wait_until_idle(10)
    assert [hook.penalty for hook in hooks.listed()] == ["0"]


def test_a_removed_hook_is_gone_also_when_somebody_else_was_faster(
    flexi: Flexi, hooks: FlexiHooks, receiver: HookReceiver
) -> None:
    hooks.register(receiver.url)
    flexi.fault("reset_after", "/hooks/1", method="DELETE")  # the second try finds it gone
    hooks.remove("1")
    assert hooks.listed() == []


@pytest.mark.parametrize("action", ["revive", "remove"])
@pytest.mark.parametrize("number", ["7", "", "../changes/disable", "1/retry"])
def test_a_hook_that_does_not_exist_is_named_with_those_that_do(
    flexi: Flexi, hooks: FlexiHooks, receiver: HookReceiver, action: str, number: str
) -> None:
    with pytest.raises(ConfigurationError, match="there is none at all"):
        getattr(hooks, action)(number)
    hooks.register(receiver.url)
    with pytest.raises(ConfigurationError, match=r"company demo has no web hook .*; there are 1"):
        getattr(hooks, action)(number)
    assert flexi.client().tracking_is_on()
    assert len(hooks.listed()) == 1


ROW = {"id": 4, "url": "https://a.example/hook", "format": "JSON", "lastVersion": "12", "penaltyCount": 3}
HOOK = FlexiHook("4", "https://a.example/hook", "JSON", "12", "3")


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"hooks": [ROW]}, [HOOK]),
        ({"hook": [ROW]}, [HOOK]),
        ({"hook": ROW}, [HOOK]),
        ({"hooks": {"hook": [ROW, ROW]}}, [HOOK, HOOK]),
        ({"hooks": {"hook": ROW}}, [HOOK]),
        ({"hooks": []}, []),
        ({"hooks": ""}, []),
        ({"hooks": {}}, []),
        ({}, []),
        ({"hooks": [{"id": "1", "url": "https://b.example"}]}, [FlexiHook("1", "https://b.example", "", "", "")]),
    ],
)
def test_a_list_of_hooks_is_understood_in_every_shape_that_is_told_of(
    board: Switchboard, hooks: FlexiHooks, members: dict[str, Any], expected: list[FlexiHook]
) -> None:
    board.app = Script([winstrom(**members)])
    assert hooks.listed() == expected


@pytest.mark.parametrize("members", [{"hooks": ["x"]}, {"hooks": "x"}, {"hook": [{"id": "1"}]}, {"hooks": 5}])
def test_a_list_of_something_else_is_no_list_of_hooks(
    board: Switchboard, hooks: FlexiHooks, members: dict[str, Any]
) -> None:
    board.app = Script([winstrom(**members)])
    with pytest.raises(UnavailableError, match="no web hook"):
        hooks.listed()


def test_without_the_changes_api_there_are_no_hooks_and_the_way_out_is_said(flexi: Flexi, hooks: FlexiHooks) -> None:
    flexi.company.disable_changes()
    assert "flexi_changes_control" in refused(hooks, "https://a.example")


@pytest.mark.parametrize(
    ("status", "expected"),
    [(401, "FLEXI_PASSWORD"), (402, "licence"), (403, "licence has the REST API"), (404, "enableHooks")],
)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_refusal_says_what_to_look_at(
    flexi: Flexi, hooks: FlexiHooks, receiver: HookReceiver, method: str, status: int, expected: str
) -> None:
    hooks.register(receiver.url)
    flexi.fault("status", "/c/demo/hooks", method=method, status=status, body="{}")
    actions: dict[str, Callable[[], object]] = {
        "GET": hooks.listed,
        "PUT": lambda: hooks.register(f"{receiver.url}_other"),
        "DELETE": lambda: hooks.remove("1"),
    }
    wanted = actions[method]
    if (method, status) == ("DELETE", 404):
        wanted()  # it is gone, as it should be
        return
    with pytest.raises(ConfigurationError, match=expected):
        wanted()


def test_a_no_with_status_200_is_a_no(board: Switchboard, hooks: FlexiHooks) -> None:
    no = as_json({"winstrom": {"success": "false", "message": "Nelze"}})
    board.app = Script([winstrom(success="true"), winstrom(hooks=[]), no])
    assert "“Nelze”" in refused(hooks, "https://a.example")
    board.app = Script([winstrom(hooks=[ROW]), no])
    with pytest.raises(ConfigurationError, match="“Nelze”"):
        hooks.revive("4")


FORMS = [SECRET, "hook%2Fsecret%2B4f1c9a7e2b%3D%3D", "hook/secret%2B4f1c9a7e2b%3D%3D", "secret+4f1c", "secret%2B4f1c"]
ECHO = " ".join(f"<b>Adresa /c/demo/hooks?secKey={form}&format=JSON</b>" for form in FORMS[:3])


@pytest.mark.parametrize(
    "fault",
    [
        *({"kind": "status", "status": status, "body": ECHO} for status in (400, 401, 403, 404, 409, 500, 502)),
        {"kind": "status", "status": 302, "headers": {"Location": f"/login?back=secKey%3D{FORMS[1]}"}},
        {"kind": "reset"},
        {"kind": "truncate"},
        {"kind": "html"},
        None,
    ],
    ids=str,
)
def test_the_secret_is_in_no_message_traceback_or_log(
    flexi: Flexi,
    hooks: FlexiHooks,
    receiver: HookReceiver,
    fault: dict[str, Any] | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    if fault is not None:
        flexi.fault(fault.pop("kind"), HOOKS, method="PUT", **fault)
    told = [repr(hooks)]
    try:
        hooks.register(receiver.url)
        told += [repr(hook) for hook in hooks.listed()]
    except SyncError as error:
        told += [str(error), repr(error), "".join(traceback.format_exception(error))]
    ours = [record.getMessage() for record in caplog.records if record.name == "urllib3.connectionpool"]
    assert ours == [], "urllib3 would log each request's address"
    text = "\n".join([*told, *ours, caplog.text])
    assert [form for form in FORMS if form in text] == []


@pytest.mark.parametrize("secret", ["", "with blank", "<b>", "háček", "line\nbreak", "sha256:ab", "a'b", 'a"b', "a%b"])
def test_a_secret_that_could_not_be_sent_or_masked_is_refused(flexi: Flexi, secret: str) -> None:
    before = flexi.requests
    with pytest.raises(ConfigurationError, match="must be of letters"):
        FlexiHooks.of(flexi.client(), secret).register("https://a.example")
    assert flexi.requests == before


def test_secrets_in_the_addresses_of_other_programs_are_not_shown() -> None:
    hook = replace(HOOK, url="https://user:pw-1@a.example:8443/hook?token=t-2#f-3")
    assert hook.shown_url == "https://a.example:8443/hook"
    assert "pw-1" not in repr(hook)
    assert replace(HOOK, url="http://[broken").shown_url == "an address that is none"
