"""Whoever changes what is read of Odoo gets every record anew by himself, whichever run comes first."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from sync_orchestration.components.planning import plan_inventory
from sync_orchestration.components.running import OpenSource
from sync_orchestration.definitions import Project
from sync_orchestration.interface.state import read_state
from sync_orchestration_tests.components.rest_places import (
    COMPANIES,
    OUT,
    QUIET,
    Exchange,
    exchange,
    new_exchange,
    sent,
    shipped,
)

__all__ = ["exchange", "new_exchange", "sent", "shipped"]


def read_the_comment_too(attributes: dict[str, Any]) -> None:
    attributes["source"]["fields"] = [*attributes["source"].get("fields", []), "comment"]


def comments(place: Exchange) -> int:
    """How many companies have been landed with their comment, which may be empty."""
    found = place.conn.execute(
        "SELECT count(*) FROM sync.interface_row WHERE sync = %s AND payload ? 'comment'", [OUT]
    ).fetchone()
    return 0 if found is None else int(found[0])


def run_by_hand(place: Exchange, selection: list[dg.AssetKey] | None = None) -> dg.ExecuteInProcessResult:
    """Materialize the newest day in the UI."""
    newest = place.instance.get_dynamic_partitions(place.project.syncs[OUT].partitions)[-1]
    return place.project.definitions.resolve_job_def(OUT).execute_in_process(
        instance=place.instance,
        run_config=QUIET,
        tags={"dagster/asset_partition_range_start": newest, "dagster/asset_partition_range_end": newest},
        asset_selection=selection,
        raise_on_error=False,
    )


@pytest.fixture
def changed(sent: Exchange) -> Exchange:
    """The companies were sent once, then the configuration was changed."""
    sent.changed(OUT, read_the_comment_too)
    assert comments(sent) == 0
    return sent


def test_the_next_tick_of_the_sensor_asks_for_a_run_that_reads_everything(changed: Exchange) -> None:
    assert isinstance(changed.tick(), dg.RunRequest)
    assert changed.sync().problem is None
    assert comments(changed) >= COMPANIES
    assert isinstance(changed.tick(), str), "and nothing more is to be done"


def test_a_run_by_hand_reads_everything_too(changed: Exchange) -> None:
    assert run_by_hand(changed).success
    assert comments(changed) >= COMPANIES


def test_a_run_of_the_target_alone_does_not_swallow_the_change(changed: Exchange) -> None:
    target = dg.AssetKey(changed.project.syncs[OUT].target_asset_key)
    assert run_by_hand(changed, [target]).success
    assert comments(changed) == 0
    assert isinstance(changed.tick(), dg.RunRequest)
    assert changed.sync().problem is None
    assert comments(changed) >= COMPANIES


def test_an_inventory_does_not_go_first_and_swallow_the_change(changed: Exchange) -> None:
    settings = changed.project.syncs[OUT]
    source = OpenSource.of(settings, changed.connections[settings.source.connection]).source
    plan = plan_inventory(changed.conn, settings, source)
    assert (plan.windows, plan.reason) == ([], "a full read comes before an inventory")
    assert isinstance(changed.tick(), dg.RunRequest)


def test_a_sensor_that_was_started_before_the_change_does_not_take_it_back(sent: Exchange, tmp_path: Path) -> None:
    """A code server loads the YAML once, every run anew."""
    yaml = tmp_path / "defs.yaml"
    yaml.write_text("no note")
    sent.changed(OUT, lambda _attributes: None)
    sent.project.syncs[OUT].remember_file(yaml)
    code_server = sent.project
    yaml.write_text("a note")
    sent.changed(OUT, lambda attributes: attributes["mapping"].update(note={"constant": "from Odoo"}))
    assert sent.sync().problem is None
    sent.project = code_server
    assert isinstance(sent.tick(), str), "it would order a full read with every tick"
    assert not read_state(sent.conn, OUT).baseline_is_due
    sent.write(sent.companies[0], city="Cheb")
    assert isinstance(sent.tick(), dg.RunRequest), "and goes on to look for news"


def test_a_source_under_another_name_is_refused_before_every_record_is_made_again(sent: Exchange) -> None:
    name = sent.project.syncs[OUT].source.connection
    sent.connections = {**sent.connections, "odoo_prod": sent.connections[name]}
    sent.changed(OUT, lambda attributes: attributes["source"].update(connection="odoo_prod"))
    before = sent.rows()
    refused = f"odoo_to_rest has read from a connection named {name} so far, and its source is now odoo_prod"
    assert refused in str(sent.tick())
    assert refused in (sent.sync().problem or "")
    assert sent.rows() == before
    sent.changed(OUT, lambda attributes: attributes["source"].update(connection=name))
    assert sent.sync().problem is None
    assert sent.rows().keys() == before.keys()


def test_every_shipped_sync_remembers_its_yaml(own_project: Project) -> None:
    for settings in own_project.syncs.values():
        assert settings._file is not None
        assert settings.name in settings._file.path.read_text()
