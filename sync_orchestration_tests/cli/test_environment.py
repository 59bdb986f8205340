"""Whose servers a command means: those of the environment, or those of a running demo."""

import os
from pathlib import Path

import pytest

from sync_orchestration.cli.environment import load_settings, write_demo_file
from sync_orchestration.cli.usage import UsageError

DEMO = {
    "FLEXI_URL": "http://127.0.0.1:1",
    "ODOO_URL": "http://127.0.0.1:2",
    "INTAKE_TOKEN": "of the demo",
    "SYNC_STATE_DIR": "/the/demo",
    "SYNC_POSTGRES_URL": "",
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder without .env, and an environment that is as before afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", dict(os.environ))


def test_without_a_demo_nothing_is_set() -> None:
    before = dict(os.environ)
    assert not load_settings()
    assert os.environ == before


def test_a_running_demo_is_meant_where_nothing_else_is_set() -> None:
    write_demo_file(DEMO)
    assert load_settings()
    assert os.environ.items() >= DEMO.items()


def test_whoever_has_exported_an_address_of_the_demo_still_means_the_demo() -> None:
    write_demo_file(DEMO)
    os.environ["FLEXI_URL"] = DEMO["FLEXI_URL"]
    assert load_settings()
    assert os.environ.items() >= DEMO.items()


def test_the_demo_s_rows_are_looked_for_in_the_demo_s_database(tmp_path: Path) -> None:
    write_demo_file(DEMO)
    (tmp_path / ".env").write_text("SYNC_POSTGRES_URL=postgresql://real/rows\n")
    assert load_settings()
    assert (os.environ["SYNC_POSTGRES_URL"], os.environ["SYNC_STATE_DIR"]) == ("", "/the/demo")


def test_settings_that_are_no_utf_8_are_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes("FLEXI_USER=Jiří\n".encode("cp1250"))
    with pytest.raises(UsageError, match="not UTF-8"):
        load_settings()


def test_another_system_of_ones_own_is_never_mixed_with_the_demo() -> None:
    write_demo_file(DEMO)
    os.environ["FLEXI_URL"] = "https://flexi.example.com"
    assert not load_settings()
    assert os.environ["FLEXI_URL"] == "https://flexi.example.com"
    assert "ODOO_URL" not in os.environ
    assert os.environ["SYNC_STATE_DIR"] != DEMO["SYNC_STATE_DIR"]
