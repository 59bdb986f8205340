"""The command line: what it prints for people and for programs, how it ends, and how it says what is wrong."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from sync_orchestration.cli.main import app
from sync_orchestration.cli.services import free_port
from sync_orchestration.interface.embedded import is_running, stop_embedded
from sync_orchestration.sandbox.faults import FaultRule
from sync_orchestration_tests.components.places import KEY, PARTNERS, REFUSED, SYNC, Place

COMMAND = [sys.executable, "-m", "sync_orchestration.cli"]


@pytest.fixture(autouse=True)
def nobody_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests that are tried again are so at once."""
    monkeypatch.setattr("tenacity.nap.time", SimpleNamespace(sleep=lambda _seconds: None))


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder without .env."""
    monkeypatch.chdir(tmp_path)


def call(*arguments: str) -> Result:
    """Call the command in this process, as its entry point does."""
    return CliRunner().invoke(app, list(arguments))


def called(*arguments: str) -> dict[str, Any]:
    """Call a command that succeeds, and return the JSON on its stdout."""
    result = call(*arguments)
    assert result.exit_code == 0, result.stderr
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def complaint(result: Result, code: int) -> str:
    """Return what a failed command says on stderr: one or two plain sentences a problem, and never a traceback."""
    assert result.exit_code == code, (result.exit_code, result.stdout, result.stderr, result.exception)
    said: str = result.stderr.strip()
    assert said
    assert "Traceback" not in said
    assert 'File "' not in said
    return " ".join(said.split())


# The JSON contracts


def test_run_tells_programs_what_became_of_each_sync(place: Place) -> None:
    answer = called("run", SYNC, "--json")
    assert list(answer) == ["syncs"]
    assert list(answer["syncs"]) == [SYNC]
    report = answer["syncs"][SYNC]
    numbers = {name: report[name] for name in ("landed", "processed", "unchanged", "failed", "skipped", "pending")}
    assert numbers == {
        "landed": PARTNERS,
        "processed": PARTNERS - REFUSED,
        "unchanged": 0,
        "failed": REFUSED,
        "skipped": 0,
        "pending": 0,
    }
    assert set(report) == {*numbers, "requests", "seconds", "cursor"}
    assert set(report["requests"]) == {"flexi", "odoo"}
    assert all(isinstance(number, int) for number in report["requests"].values())
    assert isinstance(report["seconds"], float)
    assert report["cursor"] == str(place.company.global_version + 1)

    idle = called("run", SYNC, "--json")["syncs"][SYNC]
    assert idle["requests"] == {"flexi": 1, "odoo": 0}
    assert (idle["landed"], idle["processed"], idle["failed"], idle["pending"]) == (0, 0, 0, 0)
    assert idle["cursor"] == report["cursor"]


def test_run_all_reads_the_whole_source_again_and_writes_nothing_that_is_right(place: Place) -> None:
    called("run", "--json")
    report = called("run", SYNC, "--all", "--json")["syncs"][SYNC]
    assert (report["landed"], report["unchanged"], report["processed"]) == (PARTNERS, PARTNERS - REFUSED, 0)


def test_status_tells_programs_the_counts_the_state_and_the_failing_rows(place: Place) -> None:
    cursor = called("run", SYNC, "--json")["syncs"][SYNC]["cursor"]
    answer = called("status", SYNC, "--json", "--failed")
    assert list(answer) == ["syncs"]
    status = answer["syncs"][SYNC]
    assert set(status) == {"counts", "cursor", "state", "rows"}
    assert status["counts"] == {
        "pending": 0,
        "processing": 0,
        "processed": PARTNERS - REFUSED,
        "failed": REFUSED,
        "skipped": 0,
    }
    assert status["cursor"] == cursor
    assert status["state"]["status"] == "TRIGGER_WAITING"
    assert {"last_position", "count_processed", "try_count", "next_try", "error", "config_hash"} <= set(status["state"])
    rows = {row["record_key"]: row for row in status["rows"]}
    assert set(rows) == {str(number) for ids in place.flexi.planted.values() for number in ids}
    row = rows[str(place.flexi.planted["implausible_email"][0])]
    assert (row["operation"], row["error_field"], row["attempts"]) == ("create", "email", 1)
    assert row["error_code"]
    assert "e-mail" in row["error_message"]
    assert row["first_failed_at"].startswith("20")


def test_status_without_failed_lists_no_rows(place: Place) -> None:
    called("run", SYNC, "--json")
    assert called("status", "--json")["syncs"][SYNC]["rows"] == []


def test_status_before_the_first_run_is_all_zeros(place: Place) -> None:
    status = called("status", SYNC, "--json")["syncs"][SYNC]
    assert set(status["counts"].values()) == {0}
    assert status["cursor"] == ""


def test_check_tells_programs_how_each_connection_does(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = called("check", "--json")
    assert list(answer) == ["connections"]
    assert {"flexi", "odoo"} <= set(answer["connections"])
    for name in ("flexi", "odoo"):
        health = answer["connections"][name]
        assert set(health) == {"ok", "detail", "milliseconds"}
        assert health["ok"] is True
        assert isinstance(health["milliseconds"], int)
    monkeypatch.setenv("FLEXI_PASSWORD", "wrong-secret")
    result = call("check", "--json")
    assert result.exit_code == 1
    broken = json.loads(result.stdout)["connections"]
    assert (broken["flexi"]["ok"], broken["odoo"]["ok"]) == (False, True)
    assert "FLEXI_PASSWORD" in broken["flexi"]["detail"]
    assert "wrong-secret" not in result.output


def test_check_where_nothing_is_configured_names_the_variables_and_is_no_failure() -> None:
    connections = called("check", "--json")["connections"]
    assert connections["odoo"]["ok"] is True
    assert connections["odoo"]["detail"].startswith("switched off: set ODOO_URL")


# For people


def test_run_prints_a_summary_and_the_first_reasons(place: Place) -> None:
    result = call("run", SYNC)
    assert result.exit_code == 0, result.stderr
    header, line, *reasons = result.stdout.splitlines()
    assert header.split() == ["sync", "landed", "written", "unchanged", "failed", "skipped", "pending"]
    assert line.split() == [SYNC, str(PARTNERS), str(PARTNERS - REFUSED), "0", str(REFUSED), "0", "0"]
    assert len(reasons) == REFUSED
    number = place.flexi.planted["blank_name"][0]
    assert any(f"failed {SYNC} create {number} name" in reason for reason in reasons)


def test_status_prints_a_line_for_each_sync_and_the_failing_rows_when_asked(place: Place) -> None:
    called("run", SYNC, "--json")
    plain = call("status")
    assert plain.exit_code == 0
    line = next(line.split() for line in plain.stdout.splitlines() if line.split()[0] == SYNC)
    assert str(PARTNERS - REFUSED) in line
    assert "create" not in plain.stdout
    assert call("status", SYNC, "--failed").stdout.count("failed flexi_partners create") == REFUSED


def test_check_prints_a_line_for_each_connection(place: Place) -> None:
    result = call("check")
    assert result.exit_code == 0
    lines = {line.split()[0]: line for line in result.stdout.splitlines() if line.strip()}
    assert "company demo, Changes API on" in lines["flexi"]
    assert "ok" in lines["odoo"]


def test_retry_puts_mended_records_through_and_tells_what_still_fails(place: Place) -> None:
    called("run", SYNC, "--json")
    mended, still = place.flexi.planted["blank_name"][0], place.flexi.planted["invalid_vat"][0]
    place.company.update("adresar", mended, {"nazev": "Jméno s.r.o."})
    result = call("retry", SYNC, str(mended), str(still))
    assert result.exit_code == 0, result.stderr
    assert f"{SYNC}: {REFUSED - 1} failed, {PARTNERS - REFUSED + 1} processed" in result.stdout
    assert place.partners()[str(mended)]["name"] == "Jméno s.r.o."
    assert place.failing[str(still)].attempts == 2
    assert call("retry", SYNC).exit_code == 0
    assert {row.attempts for row in place.failing.values()} == {2, 3}


def test_retry_lets_held_deletes_go_on_only_when_told_so(place: Place) -> None:
    called("run", SYNC, "--json")
    gone = [int(key) for key in sorted(place.partners(), key=int)[:60]]
    for key in gone:
        place.company.delete("adresar", key)
    assert called("run", SYNC, "--json")["syncs"][SYNC]["failed"] == 60
    call("retry", SYNC)
    assert place.counts["failed"] == 60 + REFUSED
    assert call("retry", SYNC, "--confirm-deletes").exit_code == 0
    assert place.counts["failed"] == REFUSED
    assert not any(place.partners()[str(key)]["active"] for key in gone)


# Mistakes and bad days


USAGE = {
    "a sync that does not exist": (["run", "flexi_partner"], "There is no sync flexi_partner; known are "),
    "status of a sync that does not exist": (["status", "flexi_partner"], "known are "),
    "retry of a sync that does not exist": (["retry", "nothing"], "There is no sync nothing"),
    "run where nothing is configured": (["run"], "No sync is configured: set "),
    "retry without a sync": (["retry"], "Missing argument"),
    "an option that does not exist": (["run", "--everything"], "No such option"),
    "a command that does not exist": (["walk"], "No such command"),
    "an Odoo that does not exist": (["demo", "--odoo", "7"], "--odoo is 18 or 19."),
}


@pytest.mark.parametrize(("arguments", "said"), USAGE.values(), ids=USAGE)
def test_a_command_called_wrongly_ends_with_two_and_says_why(arguments: list[str], said: str) -> None:
    result = call(*arguments)
    assert said in complaint(result, 2)
    assert result.stdout == ""


def nothing_listens(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEXI_URL", f"http://127.0.0.1:{free_port()}")


def wrong_odoo_key(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ODOO_API_KEY", "wrong-secret")


def wrong_flexi_password(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEXI_PASSWORD", "wrong-secret")


def unknown_company(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEXI_COMPANY", "nobody")


def changes_api_off(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.company.disable_changes()


def no_licence(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.flexi.change_switches({"rest_licence": "none"})


def html_instead_of_json(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.flexi.faults.add(FaultRule(kind="html", times=None))


def odoo_is_down(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.odoo.faults.add(FaultRule(kind="reset", times=None))


def one_variable_is_unset(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ODOO_API_KEY")


BAD_DAYS: dict[str, tuple[Callable[[Place, pytest.MonkeyPatch], None], str]] = {
    "nothing listens at Flexi's address": (nothing_listens, "Flexi"),
    "a wrong key of Odoo": (wrong_odoo_key, "ODOO_API_KEY"),
    "a wrong password of Flexi": (wrong_flexi_password, "FLEXI_PASSWORD"),
    "a company that Flexi does not have": (unknown_company, "FLEXI_COMPANY"),
    "the Changes API is off": (changes_api_off, "flexi_changes_control"),
    "a licence without the REST API": (no_licence, "403"),
    "a page of HTML instead of an answer": (html_instead_of_json, "HTML"),
    "an Odoo that cuts every connection": (odoo_is_down, "Odoo"),
    "a variable that is unset": (one_variable_is_unset, "ODOO_API_KEY"),
}


@pytest.mark.parametrize(("happens", "named"), BAD_DAYS.values(), ids=BAD_DAYS)
def test_a_sync_that_cannot_complete_ends_with_one_and_says_what_to_do(
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    happens: Callable[[Place, pytest.MonkeyPatch], None],
    named: str,
) -> None:
    happens(place, monkeypatch)
    result = call("run", SYNC, "--json")
    said = complaint(result, 1)
    assert said.startswith(f"{SYNC}: ")
    assert named in said
    assert said.count("\n") == 0
    assert "wrong-secret" not in result.output
    assert KEY not in result.output
    report = json.loads(result.stdout)["syncs"][SYNC]
    assert report["failed"] == 0, "the system is at fault, not a record"
    assert report["error"] in said


def test_a_database_that_cannot_be_reached_is_told_by_its_variable(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNC_POSTGRES_URL", f"postgresql://nobody:hush-hush@127.0.0.1:{free_port()}/none")
    for arguments in (["status"], ["run", SYNC], ["retry", SYNC]):
        said = complaint(call(*arguments), 1)
        assert "SYNC_POSTGRES_URL" in said
        assert "hush-hush" not in said


def test_a_pass_that_failed_goes_on_with_the_next_run(place: Place) -> None:
    place.odoo.faults.add(FaultRule(kind="reset", times=None))
    assert call("run", SYNC, "--json").exit_code == 1
    assert place.counts == {"pending": PARTNERS}
    place.odoo.faults.clear()
    report = called("run", SYNC, "--json")["syncs"][SYNC]
    assert (report["landed"], report["processed"]) == (0, PARTNERS - REFUSED)


# As a process


def environment(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "SYNC_STATE_DIR": str(tmp_path / "s")}


def test_the_command_as_a_process_keeps_its_complaints_off_stdout(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "run", "nothing", "--json"],
        env=environment(tmp_path),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("There is no sync nothing; known are ")
    assert len(done.stderr.splitlines()) == 1


def told_apart(output: str) -> tuple[list[str], str, list[str]]:
    """Return what the demo says before its table, the head of the table, and the rest."""
    lines = output.splitlines()
    head = next(number for number, line in enumerate(lines) if line.split()[:1] == ["sync"])
    return lines[:head], lines[head], lines[head + 1 :]


def test_the_demo_syncs_a_made_up_company_once_and_sums_it_up(tmp_path: Path) -> None:
    state = tmp_path / "s" / "demo"
    try:
        done = subprocess.run(
            [*COMMAND, "demo", "--once"],
            env=environment(tmp_path),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        assert is_running(state), "the embedded server stays for the next command"
        assert not (tmp_path / "s" / "postgres").exists(), "ids of stand-ins are never among the rows of real systems"
        assert (tmp_path / "s").stat().st_mode & 0o66 == 0
    finally:
        stop_embedded(state)
    pushed, header, lines = told_apart(done.stdout)
    assert pushed[0] == "A shop pushed 68 records to the intake; 2 were refused at the door:"
    assert "  refused S-2000 country: the target has no res.country with code 'XX'" in pushed
    assert "  refused S-2001 name: name is required and is missing" in pushed
    assert next(line.split() for line in lines if line.split()[0] == "intake_partners")[2:] == [
        "66",
        "0",
        "0",
        "0",
        "0",
    ]
    assert header.split()[:4] == ["sync", "landed", "written", "unchanged"]
    line = next(line.split() for line in lines if line.split()[0] == SYNC)
    landed, written, unchanged, failed, skipped, pending = map(int, line[1:])
    assert landed == 2_000
    assert written + failed == landed
    assert 20 <= failed <= 40
    assert (unchanged, skipped, pending) == (0, 0, 0)
    assert sum(line.strip().startswith(f"failed {SYNC} ") for line in lines) == 5
    assert f"more: sync-orchestration status {SYNC} --failed" in done.stdout
