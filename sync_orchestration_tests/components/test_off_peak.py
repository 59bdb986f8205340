"""Triggers begin nothing outside the off-peak hours of a sync; a person may at any time."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from sync_orchestration.components.run_requests import off_peak_wait
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration_tests.components.places import SYNC, DefsFolder, NewPlace

NIGHT = "22:00-06:00"


def settings(**triggers: Any) -> SyncSettings:
    return SyncSettings.model_validate(
        {
            "name": "partners",
            "source": {"kind": "odoo", "connection": "odoo"},
            "target": {"kind": "odoo", "connection": "other"},
            "mapping": {"name": "name"},
            "triggers": triggers,
        }
    )


def wait(at: str, **triggers: Any) -> str | None:
    moment = datetime.fromisoformat(at).replace(tzinfo=UTC)
    return off_peak_wait(settings(**triggers), lambda: moment)


def test_without_hours_nothing_is_waited_for() -> None:
    assert wait("2026-11-22T12:00") is None


def test_within_the_hours_nothing_is_waited_for_and_outside_it_is_said_for_what() -> None:
    assert wait("2026-11-22T23:00", hours=NIGHT) is None
    assert wait("2026-11-22T05:59:59", hours=NIGHT) is None
    assert wait("2026-11-22T06:00", hours=NIGHT) == "waits for its off-peak hours, 22:00-06:00 UTC"


@pytest.mark.parametrize(
    ("at", "waits"),
    [
        # winter: an hour ahead of UTC
        ("2026-11-22T20:59", True),
        ("2026-11-22T21:00", False),
        ("2026-11-22T05:00", True),
        # summer: two hours
        ("2026-07-22T19:59", True),
        ("2026-07-22T20:00", False),
        ("2026-07-22T04:00", True),
    ],
)
def test_the_hours_are_those_of_the_syncs_own_time_zone(at: str, waits: bool) -> None:
    assert (wait(at, hours=NIGHT, timezone="Europe/Prague") is not None) is waits


@pytest.mark.parametrize("hours", ["22-6", "25:00-06:00", "06:00-06:00"])
def test_hours_that_cannot_be_read_are_refused_at_loading(hours: str) -> None:
    with pytest.raises(ValidationError, match=r"triggers\.hours"):
        settings(hours=hours)


def test_a_time_zone_that_is_none_is_refused_at_loading() -> None:
    with pytest.raises(ValidationError, match="there is no time zone 'Mars/Olympus'"):
        settings(hours=NIGHT, timezone="Mars/Olympus")


def around(now: datetime, begin: timedelta, end: timedelta) -> str:
    return f"{now + begin:%H:%M}-{now + end:%H:%M}"


def test_the_sensor_waits_for_the_hours_and_a_person_does_not(defs_folder: DefsFolder, new_place: NewPlace) -> None:
    later = around(datetime.now(UTC), timedelta(hours=4), timedelta(hours=8))
    defs_folder.change(SYNC, lambda a: a.setdefault("triggers", {}).update(hours=later, timezone="UTC"))
    place = new_place(project=defs_folder.load(), partners=5)
    assert place.skipped() == f"waits for its off-peak hours, {later} UTC"
    assert place.requests == {}, "and the source is not asked"
    assert place.bring_up_to_date().problem is None
    assert sum(place.counts.values()) > 0


def test_the_sensor_begins_a_run_within_the_hours(defs_folder: DefsFolder, new_place: NewPlace) -> None:
    now = around(datetime.now(UTC), -timedelta(hours=4), timedelta(hours=4))
    defs_folder.change(SYNC, lambda a: a.setdefault("triggers", {}).update(hours=now, timezone="UTC"))
    place = new_place(project=defs_folder.load(), partners=5)
    assert place.requested().run_key
