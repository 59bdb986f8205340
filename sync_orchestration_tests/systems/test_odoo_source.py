"""An Odoo model is followed by write_date: on 18 and 19, through shared seconds, late commits and pages that move."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from sync_orchestration.components.source_settings import OdooSourceSettings
from sync_orchestration.pipeline.errors import ConfigurationError, UnavailableError
from sync_orchestration.pipeline.protocols import Change, ChangePage, InventorySource
from sync_orchestration.systems.odoo.errors import OdooError
from sync_orchestration.systems.odoo.source import OdooSource
from sync_orchestration_tests.systems.conftest import Script, Switchboard, as_json
from sync_orchestration_tests.systems.odoo_days import OURS, PARTNER, PASSWORD, Days, days

__all__ = ["days"]


def keys_of(pages: list[ChangePage]) -> list[str]:
    return [change.key for page in pages for change in page.changes]


def all_changes(source: OdooSource, start: int = 0) -> dict[str, Change]:
    """Read the feed to its end, as a reader does; checks what every page promises."""
    found: dict[str, Change] = {}
    reached = start
    for page in source.changes(start):
        positions = [change.position for change in page.changes]
        assert positions == sorted(positions)
        assert all(reached <= position for position in positions), "what a page says is listed is listed"
        assert page.newest >= max(positions, default=0)
        reached = page.next_position
        found |= {change.key: change for change in page.changes}
    return found


def names(source: OdooSource, start: int = 0) -> dict[str, Any]:
    return {key: change.payload and change.payload["name"] for key, change in all_changes(source, start).items()}


def test_it_is_a_source_that_can_be_counted_through(days: Days) -> None:
    assert isinstance(days.source(), InventorySource)


# Seconds


def test_the_head_is_the_second_of_the_newest_change_in_this_database(days: Days) -> None:
    days.create()
    days.wait(seconds=90)
    days.create()
    head = days.source().head()
    assert (head.position, head.fingerprint) == (days.second, "odoo/res.partner")


def test_what_was_written_in_the_second_that_is_asked_for_is_listed_however_late_in_it(days: Days) -> None:
    """18 compares write_date with its microseconds, 19 in whole seconds; `>` would lose records on one of them."""
    keys = [days.create("early in the second")]
    days.wait(microseconds=700_000)
    keys.append(days.create("late in it"))
    assert list(all_changes(days.source(), days.second)) == keys
    assert {change.position for change in all_changes(days.source()).values()} == {days.second}
    assert all_changes(days.source(), days.second + 1) == {}


def test_a_change_after_the_newest_in_the_same_second_is_listed_again_from_that_second(days: Days) -> None:
    days.create("first")
    newest = days.source().head().position
    days.wait(microseconds=1)
    later = days.create("second")
    assert later in all_changes(days.source(), newest)


def test_a_record_changed_twice_in_one_second_is_listed_as_it_was_changed_last(days: Days) -> None:
    key = days.create("first")
    start = days.second
    assert names(days.source(), start) == {key: "first"}
    days.wait(microseconds=1)
    days.write(key, name="second")
    assert names(days.source(), start) == {key: "second"}


@pytest.mark.parametrize("page", [1, 3, 10, 11, 500])
def test_many_records_of_one_second_are_all_listed_over_several_pages(days: Days, page: int) -> None:
    before = [days.create(f"before {n}") for n in range(2)]
    days.wait(seconds=1)
    # One transaction has one write_date, down to the microsecond.
    made = days.odoo.world.call(PARTNER, "create", [{"name": f"n{n}", "ref": "ours"} for n in range(10)])
    days.wait(seconds=1)
    after = [days.create(f"after {n}") for n in range(2)]
    assert list(all_changes(days.source(page=page))) == [*before, *map(str, made), *after]


def test_the_second_after_a_full_one_is_not_passed_over(days: Days) -> None:
    for _ in range(3):
        for n in range(4):
            days.create(f"n{n}")
            days.wait(microseconds=10)
        days.wait(seconds=1)
    assert len(all_changes(days.source(page=2))) == 12


def test_a_transaction_that_becomes_visible_late_is_listed_where_it_began(days: Days) -> None:
    long = days.odoo.world.open_transaction()
    began = days.second
    long.call(PARTNER, "create", [{"name": "of the long one", "ref": "ours"}])
    days.wait(seconds=600)
    days.create("of a short one")
    assert names(days.source()) == {next(iter(names(days.source()))): "of a short one"}
    cursor = days.source().head().position
    long.commit()
    assert "of the long one" not in names(days.source(), cursor).values(), "whoever reads from the cursor loses it"
    assert names(days.source(), cursor - 900) == names(days.source(), began)
    assert "of the long one" in names(days.source(), cursor - 900).values()


def test_every_write_may_lie_in_the_past(days: Days) -> None:
    days.odoo.switch(transaction_seconds=300)
    key = days.create()
    assert all_changes(days.source())[key].position == days.second - 300
    assert days.source().head().position == days.second - 300


TIMES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=14)


@given(times=TIMES, page=st.integers(1, 6), start=st.integers(0, 20))
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_times_and_the_pages_every_record_from_the_start_on_is_listed(
    days: Days, times: list[tuple[int, int]], page: int, start: int
) -> None:
    first, wanted = days.second, set()
    for seconds, microseconds in times:
        days.wait(seconds=seconds, microseconds=microseconds)
        key = days.create()
        if days.second >= first + start:
            wanted.add(key)
    assert wanted <= all_changes(days.source(page=page), first + start).keys()
    days.wait(seconds=60)


# Pages that move


@pytest.mark.parametrize("page", [2, 3, 5])
@pytest.mark.parametrize("same_second", [True, False])
def test_no_record_is_lost_while_records_change_between_the_pages(days: Days, page: int, same_second: bool) -> None:
    made = []
    for n in range(12):
        made.append(days.create(f"n{n}"))
        days.wait(seconds=0 if same_second else 1, microseconds=1)
    found: dict[str, Change] = {}
    start = 0
    for number, listed in enumerate(days.source(page=page).changes(0)):
        found |= {change.key: change for change in listed.changes}
        start = listed.next_position
        if number < 5:
            # The oldest moves to the end, as every change does, and another one goes for good.
            days.write(made[number], name="changed meanwhile")
            days.wait(microseconds=1)
        if number == 2:
            days.delete(made[11])
    # The next read begins an overlap behind what this one has reached.
    found |= all_changes(days.source(), start - 60)
    there = {str(i) for i in days.odoo.partners(*OURS)}
    assert there <= found.keys()
    assert {found[made[n]].payload["name"] for n in range(3)} == {"changed meanwhile"}  # type: ignore[index]


def test_a_full_read_and_an_inventory_are_paged_by_id_so_that_nothing_moves(days: Days) -> None:
    made = [days.create(f"n{n}") for n in range(7)]
    source = days.source(page=2)
    pages = source.snapshot(None)
    listed = [record.key for record in next(pages)]
    days.write(made[0], name="moves in every other order")
    days.delete(made[1])
    days.delete(made[4])
    listed += [record.key for page in pages for record in page]
    assert listed == [key for key in made if key != made[4]]
    # Ids are compared as numbers, not as texts.
    assert [record.key for page in source.snapshot(made[5]) for record in page] == [made[6]]


# What is there


def test_records_come_with_payload_and_position_in_the_feed_the_full_read_and_by_key(days: Days) -> None:
    key = days.create("Agrofert", email="a@example.com")
    source = days.source("name", "email")
    payload = {"id": int(key), "name": "Agrofert", "email": "a@example.com"}
    (change,) = all_changes(source).values()
    ((listed,),) = source.snapshot(None)
    fetched = source.fetch([key])[key]
    assert (change.payload, listed.payload, fetched.payload) == (payload, payload, payload)
    assert change.position == listed.position == fetched.position == days.second
    ((item,),) = source.inventory()
    assert (item.key, item.position, item.payload) == (key, days.second, None)


def test_an_archived_record_is_a_delete_and_comes_back_when_it_is_restored(days: Days) -> None:
    key = days.create()
    days.write(key, active=False)
    source = days.source()
    assert [(c.operation, c.payload) for c in all_changes(source).values()] == [("delete", None)]
    assert everywhere(source, key) == [False] * 4
    assert source.head().position == days.second, "the head counts it all the same"
    days.write(key, active=True)
    assert names(source) == {key: "A"}
    assert everywhere(source, key) == [True] * 4


def test_archived_records_take_part_where_that_is_wanted(days: Days) -> None:
    key = days.create(active=False)
    source = days.source(archived=True)
    assert names(source) == {key: "A"}
    assert everywhere(source, key) == [True] * 4


def everywhere(source: OdooSource, key: str) -> list[bool]:
    """Tell whether a record is met in the full read, the inventory, by its key, and by a question of a person."""
    return [
        key in [record.key for page in source.snapshot(None) for record in page],
        key in [item.key for page in source.inventory() for item in page],
        key in source.fetch([key]),
        key in source.select([["id", ">", 0]]),
    ]


def test_a_deleted_record_and_one_that_matches_no_more_are_in_no_list_and_in_no_feed(days: Days) -> None:
    deleted, changed, kept = days.create(), days.create(), days.create()
    days.delete(deleted)
    days.write(changed, ref="another's")
    source = days.source()
    assert list(all_changes(source)) == [kept]
    assert everywhere(source, deleted) == everywhere(source, changed) == [False] * 4
    assert list(source.fetch([deleted, changed, kept])) == [kept]


def test_a_model_without_a_flag_that_archives_is_read_as_well(days: Days) -> None:
    source = days.source("name", "code", model="res.country", domain=[["code", "in", ["CZ", "SK"]]])
    assert {change.payload["code"] for change in all_changes(source).values() if change.payload} == {"CZ", "SK"}
    assert sum(len(page) for page in source.inventory()) == 2


def test_a_model_without_records_has_nothing_and_no_error(days: Days) -> None:
    source = days.source(domain=[["ref", "=", "nobody's"]])
    assert source.head().position == 0
    assert source.peek(0) == ChangePage([], 0, 0, more=False)
    assert list(source.changes(days.second)) == [ChangePage([], days.second, days.second, more=False)]
    assert list(source.snapshot(None)) == []
    assert list(source.inventory()) == []
    assert source.select([]) == []


def test_a_record_without_write_date_does_not_hide_the_newest_of_the_others(days: Days) -> None:
    """A module's SQL can leave it empty, and PostgreSQL lists what is empty first when the newest is first."""
    bare, dated = days.create("bare"), days.create("dated")
    table = days.odoo.world.db.tables[PARTNER]
    table.put(int(bare), {**table.rows[int(bare)], "write_date": False})
    source = days.source()
    assert source.head().position == days.second
    assert names(source) == {dated: "dated"}
    assert everywhere(source, bare) == [True] * 4, "the full read and the inventory do not go by time"
    assert source.fetch([bare])[bare].position == 0


# Keys and domains


@pytest.mark.parametrize("key", ["", "abc", "-1", "1.0", " 7", "7 ", "0x7", "٣", "²", "1_0", "res.partner,7", "None"])
def test_a_key_that_is_no_id_is_not_there_and_costs_no_request(days: Days, key: str) -> None:
    source = days.source()
    source.fetch(["1"])
    before = days.odoo.requests
    assert source.fetch([key]) == {}
    assert days.odoo.requests == before


def test_keys_that_are_no_ids_do_not_disturb_the_others(days: Days) -> None:
    key = days.create()
    assert list(days.source().fetch(["abc", key, "99999999999", key.zfill(1)])) == [key]


@pytest.mark.parametrize(
    "domain",
    [
        ["|", ["name", "=", "A"], ["name", "=", "B"]],
        ["&", *OURS, "|", ["name", "=", "A"], ["name", "=", "B"]],
        [*OURS, "!", ["name", "=", "C"]],
        ["|", "|", ["name", "=", "A"], ["name", "=", "B"], ["name", "=", "nobody"]],
    ],
    ids=["one or", "an and before it", "a not", "or or"],
)
def test_a_domain_with_operators_means_the_same_beside_our_own_conditions(days: Days, domain: list[Any]) -> None:
    a, b, c = days.create("A"), days.create("B"), days.create("C")
    days.wait(seconds=5)
    late = days.create("B")
    source = days.source(domain=domain, page=2)
    assert list(all_changes(source)) == [a, b, late]
    assert list(all_changes(source, days.second)) == [late]
    assert [record.key for page in source.snapshot(a) for record in page] == [b, late]
    assert [item.key for page in source.inventory() for item in page] == [a, b, late]
    assert list(source.fetch([b, c])) == [b]
    assert source.select(["|", ["name", "=", "A"], ["name", "=", "C"]]) == [a]


@pytest.mark.parametrize(
    "domain",
    [["|"], ["|", ["name", "=", "A"]], ["&", ["name", "=", "A"]], ["!"], [["name", "=", "A"], "|", ["ref", "=", "B"]]],
    ids=["only or", "or of one", "and of one", "not of nothing", "or at the end"],
)
def test_a_domain_that_lacks_a_term_is_refused_before_it_swallows_one_of_ours(domain: list[Any]) -> None:
    """Odoo would take our condition on the time for the missing one, and list what nobody meant."""
    with pytest.raises(ValidationError, match="lacks a term"):
        OdooSourceSettings.model_validate({"kind": "odoo", "connection": "odoo", "domain": domain})


@pytest.mark.parametrize("domain", [[], OURS, ["!", *OURS], ["|", *OURS, *OURS], [*OURS, "|", "!", *OURS, *OURS]])
def test_a_domain_that_is_complete_is_taken(domain: list[Any]) -> None:
    assert OdooSourceSettings.model_validate({"kind": "odoo", "connection": "odoo", "domain": domain}).domain == domain


# What people have to correct


CALLS: dict[str, Callable[[OdooSource], object]] = {
    "head": lambda source: source.head(),
    "feed": lambda source: list(source.changes(0)),
    "full read": lambda source: list(source.snapshot(None)),
    "inventory": lambda source: list(source.inventory()),
    "fetch": lambda source: source.fetch(["1"]),
    "select": lambda source: source.select([]),
}


@pytest.mark.parametrize("call", list(CALLS))
def test_a_missing_right_is_said_with_the_user_and_the_model(days: Days, call: str) -> None:
    days.odoo.switch(deny={PARTNER: ("read",)})
    with pytest.raises(ConfigurationError, match=r"user sync may not read res\.partner"):
        CALLS[call](days.source())


@pytest.mark.parametrize("call", list(CALLS))
def test_a_domain_that_odoo_refuses_is_said_to_be_at_fault(days: Days, call: str) -> None:
    with pytest.raises(ConfigurationError, match=r"nofield.*Check domain and fields of the source"):
        CALLS[call](days.source(domain=[["nofield", "=", 1]]))


@pytest.mark.parametrize("call", list(CALLS))
def test_a_model_that_does_not_exist_is_named(days: Days, call: str) -> None:
    with pytest.raises((ConfigurationError, OdooError), match=r"res\.nope"):
        CALLS[call](days.source(model="res.nope"))


def test_a_field_that_does_not_exist_is_named_with_the_one_that_may_be_meant(days: Days) -> None:
    with pytest.raises(ConfigurationError, match=r"no field 'emial' on res\.partner; is email meant"):
        days.source("name", "emial").peek(0)


def test_a_user_of_the_portal_reads_only_what_the_rules_leave_to_it(days: Days) -> None:
    days.create()
    user = days.odoo.world.add_user("guest", password=PASSWORD, api_key="guest-key", role="portal")
    secret = PASSWORD if days.odoo.world.version == 18 else "guest-key"
    source = days.source(domain=[], client=days.odoo.client(user="guest", secret=secret))
    assert [record.key for page in source.snapshot(None) for record in page] == [str(user.partner_id)]


# Requests


def test_a_look_at_a_quiet_source_is_one_request(days: Days) -> None:
    days.create()
    source = days.source()
    source.peek(days.second)
    before = days.odoo.requests
    assert len(source.peek(days.second).changes) == 1
    assert days.odoo.requests == before + 1


def test_a_look_at_more_than_a_page_tells_of_the_newest_too(days: Days) -> None:
    for n in range(5):
        days.create(f"n{n}")
        days.wait(seconds=10)
    page = days.source(page=2).peek(0)
    assert (page.more, page.newest) == (True, days.second - 10)


def test_the_inventory_reads_no_more_than_id_and_time(days: Days) -> None:
    days.create()
    source = days.source("name", "country_id.code")
    before = days.calls("search_read", "res.country")
    list(source.inventory())
    assert days.calls("search_read", "res.country") == before


def test_a_full_page_is_followed_by_the_question_for_more(days: Days) -> None:
    for n in range(4):
        days.create(f"n{n}")
    source = days.source(page=2)
    before = days.calls("search_read")
    assert [len(page) for page in source.snapshot(None)] == [2, 2]
    assert days.calls("search_read") - before == 3


# Answers that are none


@pytest.mark.parametrize(
    "rows",
    [
        None,
        {"id": 1},
        ["text"],
        [{"name": "no id", "write_date": "2026-11-22 04:46:23"}],
        [{"id": "7", "name": "an id that is text", "write_date": "2026-11-22 04:46:23", "active": True}],
        [{"id": 7, "name": "a time that is none", "write_date": "tomorrow", "active": True}],
        [{"id": 7, "write_date": "2026-11-22 04:46:23", "active": True}],
    ],
    ids=["nothing", "one record", "texts", "no id", "id as text", "no time", "a field is missing"],
)
def test_an_answer_that_is_no_list_of_records_is_a_fault_of_the_system(
    board: Switchboard, days: Days, rows: Any
) -> None:
    source = days.source()
    source.peek(0)
    answer = rows if days.odoo.dialect == "json-2" else {"jsonrpc": "2.0", "id": 1, "result": rows}
    board.app = Script([as_json(answer)])
    with pytest.raises(UnavailableError, match=r"no list of records|no time"):
        source.peek(0)


def test_pages_end_although_the_server_gives_the_same_records_for_ever_later_seconds(days: Days) -> None:
    """Each page begins later than the one before, or counts up the ids of one second."""
    for n in range(6):
        days.create(f"n{n}")
        days.wait(microseconds=400_000)
    starts = [page.next_position for page in days.source(page=2).changes(0)]
    assert all(before <= after for before, after in pairwise(starts))
    assert len(starts) < 12
