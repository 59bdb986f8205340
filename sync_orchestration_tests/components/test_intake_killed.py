"""The process that writes what was pushed is killed in the middle: every acknowledged record is in Odoo, once."""

from collections.abc import Iterator

import dagster as dg
import pytest

from sync_orchestration.cli.environment import use_state_folder
from sync_orchestration.sandbox.odoo import OdooSwitches
from sync_orchestration_tests.components.intake_places import (
    SHOP,
    SYNC,
    Counter,
    NewCounter,
    new_counter,
    partner,
    two_senders,
)
from sync_orchestration_tests.components.test_killed_worker import finish, worker_until

__all__ = ["new_counter", "two_senders"]

RECORDS = 600


@pytest.fixture
def counter(new_counter: NewCounter) -> Iterator[Counter]:
    """A counter whose Dagster other processes write to."""
    use_state_folder()
    with dg.DagsterInstance.get() as instance:
        yield new_counter(instance=instance)


def made(counter: Counter, before: int) -> int:
    return counter.odoo.created["res.partner"] - before


def test_every_acknowledged_record_is_in_odoo_once_though_the_writer_was_killed(counter: Counter) -> None:
    before = counter.odoo.created["res.partner"]
    # Children first, and the same keys of two senders.
    records = [partner(str(n), parent=str(n + 1) if n % 3 == 0 else None) for n in range(RECORDS)]
    counter.accepted(*records)
    counter.accepted(*records[:50], token=SHOP)
    counter.odoo.switches = OdooSwitches(simulate_costs=True, cost_scale=3.0)
    with worker_until(lambda: made(counter, before) > 0, SYNC):
        # Pushed while the worker works.
        counter.accepted(*(partner(f"late-{n}") for n in range(50)))
        counter.accepted(partner("0", "Newer", parent="1"))
    counter.odoo.switches = OdooSwitches()
    assert 0 < made(counter, before) < RECORDS + 100
    assert counter.counts.get("processing", 0) > 0, "nobody had the time to give them back"

    assert finish(SYNC)["pending"] == 0

    assert counter.counts == {"processed": RECORDS + 100}
    assert len(counter.partners()) == RECORDS + 100
    assert made(counter, before) == RECORDS + 100, "none was made twice"
    assert counter.partners()["erp_0"]["name"] == "Newer"
    assert counter.partners()["erp_0"]["parent_id"] == counter.partners()["erp_1"]["id"]
    assert counter.told("late-49")["status"] == "processed"
