"""With SYNC_LOG_FORMAT=json every line of a log is JSON that says whose it is, and holds no secret."""

import json
import logging
import logging.config
from collections.abc import Callable, Iterator
from typing import Any

import coloredlogs  # type: ignore[import-untyped]
import pytest
import requests

from sync_orchestration.components.json_logs import follow_log_format
from sync_orchestration.components.known_secrets import remember_secrets
from sync_orchestration.intake import IntakeSettings, intake_app
from sync_orchestration.sandbox.server import serve
from sync_orchestration_tests.components.places import SYNC, Place

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def ours() -> Iterator[logging.Logger]:
    """The logger of this project, as it was before afterwards."""
    logger = logging.getLogger("sync_orchestration")
    before = logger.handlers[:], logger.level, logger.propagate
    yield logger
    logger.handlers[:], logger.level, logger.propagate = before


@pytest.fixture
def lines(ours: logging.Logger, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Lines]:
    """A process that is told to log JSON; what it has logged since the last look."""
    kept = [(handler, handler.formatter) for one in logging._handlerList if (handler := one())]  # type: ignore[attr-defined]
    set_formatter = logging.Handler.setFormatter
    monkeypatch.setattr(logging.Handler, "setFormatter", set_formatter)
    monkeypatch.setenv("SYNC_LOG_FORMAT", "json")

    def logged() -> list[dict[str, Any]]:
        out = capfd.readouterr()
        return [json.loads(line) for line in (out.err + out.out).splitlines()]

    yield logged
    for handler, formatter in kept:
        set_formatter(handler, formatter)


def test_a_run_tells_in_each_line_which_sync_window_and_run_it_is(place: Place, lines: Lines) -> None:
    follow_log_format()
    request = place.requested()
    job = place.definitions.resolve_job_def(SYNC)
    result = job.execute_in_process(instance=place.instance, tags=request.tags, raise_on_error=False)
    logged = lines()
    assert result.success
    assert len(logged) > 10
    window = request.tags["dagster/asset_partition_range_start"]
    of_steps = [line for line in logged if line.get("sync") == SYNC]
    assert len(of_steps) == len([line for line in logged if line["logger"] == "dagster"])
    assert all((line["run_id"], line["window"]) == (result.run_id, window) for line in of_steps)
    assert all(line["level"] in ("debug", "info", "warning", "error") and line["time"] for line in logged)


def test_what_a_step_says_of_a_system_names_it(place: Place, lines: Lines) -> None:
    follow_log_format()
    request = place.requested()
    job = place.definitions.resolve_job_def(SYNC)
    assert job.execute_in_process(instance=place.instance, tags=request.tags).success
    (said,) = [line for line in lines() if "has no mobile" in line["message"]]
    assert (said["system"], said["sync"], said["level"]) == ("odoo", SYNC, "warning")


def test_no_line_holds_a_secret_whoever_writes_it(lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    follow_log_format()
    monkeypatch.setenv("A_SECRET_OF_LOGS", 'log-geheim-"5d2e')
    remember_secrets(["A_SECRET_OF_LOGS"])
    follow_log_format()  # once more changes nothing
    log = logging.getLogger("sync_orchestration.somewhere")
    try:
        int('log-geheim-"5d2e')
    except ValueError:
        log.exception("%s is wrong", 'log-geheim-"5d2e', extra={"system": 'of log-geheim-"5d2e'})
    (line,) = lines()
    assert (line["message"], line["system"], line["level"]) == ("*** is wrong", "of ***", "error")
    assert "ValueError: invalid literal for int() with base 10: '***'" in line["exception"]
    assert "geheim" not in json.dumps(line)


def test_handlers_that_others_install_later_write_json_too(lines: Lines) -> None:
    follow_log_format()
    installed = logging.getLogger("another.library")
    coloredlogs.install(logger=installed, level="INFO", fmt="%(message)s")
    config = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"plain": {"format": "%(message)s"}},
        "handlers": {"plain": {"class": "logging.StreamHandler", "formatter": "plain"}},
        "loggers": {"another.server": {"handlers": ["plain"], "level": "INFO"}},
    }
    logging.config.dictConfig(config)
    installed.info("one")
    logging.getLogger("another.server").info("two\nlines")
    assert [(line["logger"], line["message"]) for line in lines()] == [
        ("another.library", "one"),
        ("another.server", "two\nlines"),
    ]


def test_calls_of_the_intake_are_logged_by_their_pattern_and_sender(place: Place, lines: Lines) -> None:
    follow_log_format()
    app = intake_app(IntakeSettings(contracts=(), senders=()), place.conn.info.dsn, {})
    with serve(app) as url:
        requests.get(f"{url}/v1/partners/records/KEY?token=secret", timeout=60)
    app.close()
    (line,) = lines()
    assert line["logger"] == "sync_orchestration.intake.access"
    assert line["message"].startswith("GET /v1/{sync}/records/{key:path} 401 ")
    assert line["system"] == "-"


def test_without_the_variable_logs_are_as_they_ever_were(
    ours: logging.Logger, capfd: pytest.CaptureFixture[str]
) -> None:
    follow_log_format()
    assert not hasattr(logging.Handler.setFormatter, "is_ours")
    assert ours.handlers == []
    logging.getLogger("sync_orchestration.intake.access").info("a call")
    assert capfd.readouterr() == ("", "")
