"""The benchmarks, small: whoever runs one after a year still gets a table, of worlds that end alike."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import pytest

from sync_orchestration_tests.benchmarks import (
    growth,
    into_odoo,
    peers,
    prerendered,
    register,
    stand_ins,
)
from sync_orchestration_tests.benchmarks.browsing import measure_browsing
from sync_orchestration_tests.benchmarks.dagster_costs import measure_dagster
from sync_orchestration_tests.benchmarks.growth import measure_growth
from sync_orchestration_tests.benchmarks.idle import idle_cost
from sync_orchestration_tests.benchmarks.into_odoo import measure_into_odoo
from sync_orchestration_tests.benchmarks.latency import latency_of
from sync_orchestration_tests.benchmarks.many_syncs import copy_package
from sync_orchestration_tests.benchmarks.measured import FOLDER, Measured, kept
from sync_orchestration_tests.benchmarks.page import write_page
from sync_orchestration_tests.benchmarks.peers import FLOOR, OURS, TUNED, USUAL, measure_peers
from sync_orchestration_tests.benchmarks.register import measure_register
from sync_orchestration_tests.benchmarks.running import running


@pytest.fixture(autouse=True)
def in_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare the tests the start of dozens of processes: works and servers are threads of this one.

    Not where other syncs are loaded: Dagster keeps the shapes of configurations by name for the life of a process.
    """
    for module in (growth, into_odoo, peers, prerendered, register, stand_ins):
        monkeypatch.setattr(module, "in_own_process", called, raising=False)
        monkeypatch.setattr(module, "elsewhere", in_a_thread, raising=False)


def called(work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return work(*args, **kwargs)


@contextmanager
def in_a_thread(work: Callable[..., None], *args: Any) -> Iterator[Any]:
    ours, theirs = Pipe()
    thread = threading.Thread(target=work, args=(theirs, *args), daemon=True)
    thread.start()
    try:
        yield ours.recv()
    finally:
        ours.close()
        thread.join(timeout=10)


def ends_alike(found: Measured) -> bool:
    return any(note.endswith(": yes.") for note in found.notes)


def first_cells(found: Measured) -> list[str]:
    return [row[0] for row in found.grids[0].rows]


def test_ours_and_the_bare_steps_land_the_same_records() -> None:
    found = measure_peers(1, changes=300, partners=250, with_dlt=False)
    assert first_cells(found) == [FLOOR, OURS]
    assert ends_alike(found), found.text


def test_dlt_lands_the_same_records() -> None:
    pytest.importorskip("dlt", reason="of the group bench")
    found = measure_peers(1, changes=300, partners=250)
    assert first_cells(found) == [FLOOR, OURS, TUNED, USUAL]
    assert ends_alike(found), found.text


def test_ours_a_script_and_bare_batches_leave_the_same_partners_in_odoo() -> None:
    found = measure_into_odoo(1, records=30, script_records=30, cost_scale=0.0)
    assert first_cells(found) == ["first load", "0 % changed", "10 % changed", "100 % changed"]
    assert ends_alike(found), found.text


def test_whoever_asks_the_register_in_batches_finds_as_much_as_one_by_one() -> None:
    found = measure_register(1, contractors=120)
    rows = {row[0]: row for row in found.grids[0].rows}
    assert {row[-1] for row in rows.values()} == {rows["ours"][-1]} != {"0"}
    assert rows["ours, again within a day"][1] == "0", found.text


def test_a_larger_feed_is_landed_whole() -> None:
    found = measure_growth(1, sizes=(100, 300))
    assert [(row[0], row[1]) for row in found.grids[0].rows] == [
        ("100", OURS),
        ("100", FLOOR),
        ("300", OURS),
        ("300", FLOOR),
    ]
    assert len(found.panels) == 2


def test_every_look_of_the_record_browser_comes_out() -> None:
    found = measure_browsing(1, rows=2_000, written=1_000)
    assert len(found.grids[0].rows) == 23
    assert [row[0] for row in found.grids[1].rows] == ["landing", "claiming", "settling"]


def test_the_costs_of_dagster_come_out() -> None:
    found = measure_dagster(1, syncs=2, partitions=20)
    assert "list 20 partitions" in first_cells(found), found.text


@pytest.mark.skipif("BENCH_SERVICES" not in os.environ, reason="takes two minutes; set BENCH_SERVICES to run it")
def test_latency_and_idle_cost_of_the_real_services_come_out(tmp_path: Path) -> None:
    copy_package(tmp_path, 1, poll_seconds=5)
    with running(20, tmp_path) as world:
        world.start()
        world.wait_for_first_syncs(1)
        arrived = latency_of(world, 1, 0.0)
        idle = idle_cost(world, 1, 0.02)
    assert first_cells(arrived)[-1] == "until Odoo held the change"
    assert {"daemon", "PostgreSQL", "all together"} <= set(first_cells(idle)), idle.text


def test_what_was_kept_makes_the_page_with_command_and_machine(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="of the group bench")
    results = kept(FOLDER)
    page = write_page(FOLDER, tmp_path)
    text = page.read_text(encoding="utf-8")
    assert results
    for one in results:
        assert f"## {one.title}" in text
        assert f"`{one.command}`" in text
        assert one.machine.text in text
    assert (tmp_path / "pictures" / "performance.svg").read_text(encoding="utf-8").startswith("<?xml")
