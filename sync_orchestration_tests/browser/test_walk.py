"""The walk of a data engineer: catalog, partitions, backfill, failing check, the record, mended, tried again, green."""

import re
from typing import TYPE_CHECKING, Any

import pytest

from sync_orchestration_tests.benchmarks.running import Running, wait_until
from sync_orchestration_tests.browser.conftest import OPERATOR, picture

if TYPE_CHECKING:
    from playwright.sync_api import Page

expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=90_000)  # milliseconds
_PATIENCE = 180.0


def dagster(world: Running, path: str) -> str:
    return f"http://127.0.0.1:{world.ports[0]}{path}"


@pytest.fixture
def all_well(world: Running) -> Running:
    """The first sync is done, and what was refused is mended, so that one broken record will stand out."""
    planted = sorted(one for ids in world.flexi.planted.values() for one in ids)
    assert wait_until(lambda: world.created >= len(world.company.ids("adresar")) - len(planted), _PATIENCE)
    for one in planted:
        world.company.update("adresar", one, {"nazev": f"Mended {one}", "email": "", "dic": "", "stat": "code:CZ"})
    assert wait_until(lambda: world.is_caught_up and failing(world) == 0, _PATIENCE), said(world)
    return world


def failing(world: Running) -> int:
    return int(world.value("SELECT count(*) FROM sync.interface_row WHERE status = 'failed'"))


def backfilled(world: Running) -> Any:
    """The status of the newest run that a person has launched, not a sensor."""
    return world.value(
        "SELECT status FROM runs WHERE NOT EXISTS (SELECT 1 FROM run_tags "
        "WHERE run_tags.run_id = runs.run_id AND run_tags.key = 'dagster/sensor_name') ORDER BY id DESC LIMIT 1"
    )


def said(world: Running) -> Any:
    return world.value("SELECT string_agg(record_key || ': ' || error_message, '; ') FROM sync.interface_row")


def test_a_person_backfills_finds_the_one_bad_record_mends_it_and_sees_green(all_well: Running, page: "Page") -> None:
    world = all_well
    one = sorted(world.company.ids("adresar"))[0]

    page.goto(dagster(world, "/assets"))
    page.get_by_text("odoo", exact=True).first.wait_for()
    picture(page, "catalog")

    page.goto(dagster(world, "/assets/odoo/partners?view=partitions"))
    expect(page.get_by_text("Materialized (1)")).to_be_visible()
    picture(page, "partitions")

    page.get_by_role("button", name=re.compile("Materialize")).first.click()
    page.get_by_role("button", name="All", exact=True).click()
    expect(page.get_by_text("1 partition", exact=True)).to_be_visible()
    picture(page, "backfill")
    page.get_by_role("button", name=re.compile("Launch")).last.click()
    assert wait_until(lambda: backfilled(world) == "SUCCESS", _PATIENCE), backfilled(world)

    world.company.update("adresar", one, {"email": "nowhere"})
    assert wait_until(lambda: failing(world) == 1, _PATIENCE)
    page.goto(dagster(world, "/assets/odoo/partners?view=checks"))
    page.get_by_text("no_failed_records").first.click()
    expect(page.get_by_text("e-mail 'nowhere' is not an address").first).to_be_visible()
    picture(page, "failing-check")

    link = page.locator("a[href*='/records']").first
    page.goto(str(link.get_attribute("href")))
    page.get_by_label(re.compile("token", re.IGNORECASE)).fill(OPERATOR)
    page.get_by_role("button", name=re.compile("log in", re.IGNORECASE)).click()
    page.get_by_role("link", name=str(one), exact=True).click()
    expect(page.get_by_role("heading", name=re.compile(f"^{one} "))).to_be_visible()
    expect(page.get_by_text("e-mail 'nowhere' is not an address").first).to_be_visible()
    picture(page, "record")

    # A mended record would come by itself; a person does not want to wait for the poll.
    world.company.update("adresar", one, {"email": "mended@example.com"})
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("is tried again within seconds").first).to_be_visible()
    assert wait_until(lambda: failing(world) == 0 and world.unsettled == 0, _PATIENCE), said(world)
    page.goto(f"http://127.0.0.1:{world.ports[1]}/records/flexi_partners/flexi/{one}")
    expect(page.get_by_role("heading", name=f"{one} processed")).to_be_visible()
    picture(page, "record-mended")

    page.goto(dagster(world, "/assets/odoo/partners?view=checks"))
    page.get_by_text("no_failed_records").first.click()
    expect(page.get_by_text("no record is failing").first).to_be_visible()
    picture(page, "green")
