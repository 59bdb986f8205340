"""After an outage of a week: the sensor catches up alone in a few runs, or somebody backfills; both end equal."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pytest

from sync_orchestration.pipeline.windows import window_of_key
from sync_orchestration_tests.components.places import SYNC, DefsFolder, NewPlace, Place

CHANGES = 20_000
WINDOW = 250
"""Eighty windows, as two hundred thousand changes in windows of 2,500 would be."""

MOST_RUNS = 10
BURSTS = 20


@pytest.fixture
def down(new_place: NewPlace, defs_folder: DefsFolder) -> Place:
    """A company that went on for a week after its first sync, while nothing ran here."""
    defs_folder.change(SYNC, lambda attributes: attributes["source"].update(window=WINDOW, overlap=50))
    place = new_place(project=defs_folder.load())
    assert place.bring_up_to_date().problem is None
    live_on(place)
    place.flexi.faults.reset_counts()
    return place


def live_on(place: Place) -> None:
    """Rename, create and delete partners among thousands of changes that concern nobody here."""
    company = place.company
    end = company.global_version + CHANGES
    troubled = {i for ids in place.flexi.planted.values() for i in ids}
    usual = [i for i in company.ids("adresar") if i not in troubled]
    gone, lasting = usual[:10], usual[10:]
    for burst in range(BURSTS):
        for n, one in enumerate(lasting[burst::BURSTS]):
            company.update("adresar", one, {"nazev": f"Week {burst}.{n}", "mesto": "Brno"})
        company.create("adresar", {"kod": f"W{burst}", "nazev": f"Founded in the week {burst}"})
        if burst % 2 == 0:
            company.delete("adresar", gone[burst // 2])
        left = (end - company.global_version) // (BURSTS - burst)
        company.bulk_changes(left, len(company.ids("adresar")))
    assert company.global_version >= end


def wanted(place: Place) -> dict[str, tuple[Any, ...]]:
    """Return name and town of each partner that is valid this year, as the company has them."""
    troubled = {i for ids in place.flexi.planted.values() for i in ids}
    records = {i: place.company.record("adresar", i) or {} for i in place.company.ids("adresar") if i not in troubled}
    valid = {i: record for i, record in records.items() if int(record["platiDo"] or 9999) >= datetime.now(UTC).year}
    return {str(i): (record["nazev"].strip(), record["mesto"].strip()) for i, record in valid.items()}


def held(place: Place) -> dict[str, tuple[Any, ...]]:
    return {key: (row["name"], row["city"] or "") for key, row in place.partners().items() if row["active"]}


def requested(place: Place) -> Iterator[dg.RunRequest]:
    """Yield the runs that the sensor asks for, one after the other, until nothing is new."""
    while isinstance(found := place.tick(), dg.RunRequest):
        yield found


def test_the_sensor_alone_catches_up_in_a_few_runs_whose_progress_shows(down: Place) -> None:
    assert held(down) != wanted(down)
    cursors = [down.state.last_position or 0]
    windows = []
    for request in requested(down):
        result = down.run(tags=request.tags)
        assert result.success
        cursors.append(down.state.last_position or 0)
        shown = [
            e for e in result.get_asset_materialization_events() if e.asset_key == dg.AssetKey(["flexi", "adresar"])
        ]
        assert shown[-1].materialization.metadata["cursor"].value == str(cursors[-1])
        windows += [e.partition for e in shown]
    assert 1 < len(cursors) - 1 <= MOST_RUNS
    assert cursors == sorted(set(cursors)), "each run has come further"
    assert len(windows) >= CHANGES // WINDOW, "every window of the week is shown"
    assert held(down) == wanted(down)
    assert down.compared().passed


def test_a_backfill_over_chosen_windows_in_any_order_ends_equal(down: Place) -> None:
    missed = [key for key in down.add_all_windows() if window_of_key(key, WINDOW).end > (down.state.last_position or 0)]
    assert len(missed) >= CHANGES // WINDOW
    newest, middle, oldest = missed[60:], missed[30:60], missed[:30]
    for chosen in (newest, oldest, middle):
        assert down.backfill(*chosen).success
    assert down.counts.get("pending", 0) == 0
    assert held(down) == wanted(down)
    assert down.compared().passed
    assert isinstance(down.tick(), str), "nothing is left to the sensor"
