"""The job that registers Flexi's web hooks: from the Launchpad to a call that wakes the intake."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import dagster as dg
import pytest

from sync_orchestration.intake import Hook, IntakeSettings, intake_app
from sync_orchestration.sandbox.faults import FaultRule
from sync_orchestration.sandbox.server import serve
from sync_orchestration_tests.components.places import Place
from sync_orchestration_tests.hook_receiver import HookReceiver

SECRET = "hook/secret+4f1c9a7e2b=="
PATH = "/hooks/flexi/flexi"

Open = Callable[[HookReceiver], HookReceiver]


@pytest.fixture
def open_receiver(place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Serve a receiver of hooks as the intake that the environment names."""
    with ExitStack() as stack:

        def open_one(receiver: HookReceiver) -> HookReceiver:
            receiver.url = stack.enter_context(serve(receiver))
            monkeypatch.setenv("INTAKE_PUBLIC_URL", receiver.url)
            monkeypatch.setenv("INTAKE_HOOK_SECRET", SECRET)
            place.flexi.change_switches({"hook_delay_seconds": 0})
            return receiver

        yield open_one


@pytest.fixture
def receiver(open_receiver: Open) -> HookReceiver:
    return open_receiver(HookReceiver())


def control(place: Place, action: str | None = None, **config: Any) -> dg.ExecuteInProcessResult:
    """Run the job as from the Launchpad."""
    given = {"connection": "flexi", **({} if action is None else {"action": action}), **config}
    return place.run("flexi_hook_control", {"web_hooks": given})


def table(result: dg.ExecuteInProcessResult) -> list[dict[str, Any]]:
    assert result.success
    output = next(event for event in result.events_for_node("web_hooks") if event.is_successful_output)
    shown = output.step_output_data.metadata["hooks"]
    assert isinstance(shown, dg.TableMetadataValue)
    assert len(shown.schema.columns) == 5
    return [dict(record.data) for record in shown.records]


def logged(place: Place, result: dg.ExecuteInProcessResult) -> str:
    return "\n".join(str(event) for event in place.instance.all_logs(result.run_id))


def failure(result: dg.ExecuteInProcessResult) -> str:
    """Return what the failed step says to people."""
    assert not result.success
    data = next(event.step_failure_data for event in result.all_events if event.is_step_failure)
    assert data.user_failure_data is not None, data.error
    return data.user_failure_data.description or ""


def test_a_registered_hook_wakes_the_intake_when_a_record_changes(place: Place, open_receiver: Open) -> None:
    hook = Hook("flexi", "flexi", (SECRET,), header="X-FB-Hook-SecKey")
    app = intake_app(IntakeSettings(contracts=(), senders=(), hooks=(hook,)), place.conn.info.dsn, {})
    receiver = open_receiver(HookReceiver(inner=app))
    try:
        assert control(place, "register").success
        assert receiver.next().path == PATH
        place.conn.execute("DELETE FROM sync.wake")
        place.company.update("adresar", place.company.ids("adresar")[0], {"nazev": "Changed"})
        assert receiver.next().secret == SECRET
        assert place.conn.execute("SELECT kind, name FROM sync.wake").fetchall() == [("flexi", "flexi")]
    finally:
        app.close()


def test_hooks_are_registered_listed_revived_and_removed_in_the_ui(place: Place, receiver: HookReceiver) -> None:
    nothing = control(place)
    assert table(nothing) == []
    assert "has 0 web hooks; none leads to the intake" in logged(place, nothing)
    registered = control(place, "register")
    url = f"{receiver.url}{PATH}"
    version = str(place.company.global_version)
    row = {"id": "1", "url": url, "format": "JSON", "last version": version, "penalty": "0"}
    assert table(registered) == [row]
    assert f"Flexi calls {url} from now on." in logged(place, registered)
    assert "number 1 leads to the intake" in logged(place, control(place))
    again = control(place, "register")
    assert table(again) == [row]
    assert "already, with the secret that it was given then" in logged(place, again)
    assert "Web hook 1 is called again at once." in logged(place, control(place, "revive"))
    removed = control(place, "remove")
    assert table(removed) == []
    assert "Web hook 1 is removed." in logged(place, removed)


def test_hooks_of_other_programs_are_shown_and_changed_only_by_number(place: Place, receiver: HookReceiver) -> None:
    other = control(place, "register", url=f"{receiver.url}/other/")
    assert [row["url"] for row in table(other)] == [f"{receiver.url}/other{PATH}"]
    assert "No web hook leads to" in failure(control(place, "remove"))
    assert "has no web hook '7'; there are 1" in failure(control(place, "revive", hook="7"))
    assert table(control(place, "remove", hook="1")) == []


def test_the_whole_address_may_be_given_too(place: Place, receiver: HookReceiver) -> None:
    whole = control(place, "register", url=f"{receiver.url}{PATH}")
    assert [row["url"] for row in table(whole)] == [f"{receiver.url}{PATH}"]


def test_a_receiver_that_refuses_is_not_registered_unless_it_is_not_tried(place: Place, receiver: HookReceiver) -> None:
    receiver.statuses = [500]
    assert "must be reachable from the Flexi server" in failure(control(place, "register"))
    assert table(control(place)) == []
    assert len(table(control(place, "register", skip_url_test=True))) == 1


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("INTAKE_HOOK_SECRET", None, "INTAKE_HOOK_SECRET is not set"),
        ("INTAKE_HOOK_SECRET", f"sha256:{'0' * 64}", "must be the secret itself"),
        ("INTAKE_PUBLIC_URL", None, "set INTAKE_PUBLIC_URL"),
        ("INTAKE_PUBLIC_URL", "sync.example.com", "must be like https://"),
        ("INTAKE_PUBLIC_URL", "https://me:pw-1@sync.example.com", "without user, password"),
        ("INTAKE_PUBLIC_URL", "https://sync.example.com/?token=pw-1", "without user, password"),
        ("FLEXI_PASSWORD", None, "Flexi is switched off: set FLEXI_PASSWORD"),
    ],
)
def test_what_is_missing_for_a_registration_is_named(
    place: Place,
    receiver: HookReceiver,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str | None,
    said: str,
) -> None:
    if value is None:
        monkeypatch.delenv(variable)
    else:
        monkeypatch.setenv(variable, value)
    result = control(place, "register")
    assert said in failure(result)
    assert "pw-1" not in logged(place, result)
    assert receiver.calls.empty()


def test_listing_needs_neither_the_secret_nor_the_address_of_the_intake(place: Place) -> None:
    result = control(place)
    assert table(result) == []
    assert "The Flexi company demo has 0 web hooks." in logged(place, result)
    assert "INTAKE_PUBLIC_URL is not set" in failure(control(place, "remove"))


@pytest.mark.parametrize("fault", [None, "echo", "reset", "refused"])
def test_the_secret_is_in_no_event_of_a_run(
    place: Place, receiver: HookReceiver, capfd: pytest.CaptureFixture[str], fault: str | None
) -> None:
    if fault == "echo":
        body = f"No: /c/demo/hooks?secKey={SECRET} secKey=hook%2Fsecret%2B4f1c9a7e2b%3D%3D"
        place.flexi.faults.add(FaultRule(kind="status", path="hooks", method="PUT", status=400, body=body))
    elif fault == "reset":
        place.flexi.faults.add(FaultRule(kind="reset", path="hooks", method="PUT"))
    elif fault == "refused":
        receiver.statuses = [403]
    result = control(place, "register")
    assert result.success is (fault is None)
    run = place.instance.get_run_by_id(result.run_id)
    told = [
        logged(place, result),
        str(run),
        str(run and run.run_config),
        str(table(control(place))),
        *capfd.readouterr(),
    ]
    assert [part for part in ("secret+4f1c", "secret%2B4f1c") if part in "\n".join(told)] == []
