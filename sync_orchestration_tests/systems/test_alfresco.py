"""Contractors are read in order and whole, and changed only where they differ, in both dialects."""

from typing import Any

import pytest
from starlette.responses import Response

from sync_orchestration.mapping.records import RecordError
from sync_orchestration.pipeline.errors import ConfigurationError, SyncError, UnavailableError
from sync_orchestration.pipeline.protocols import CurrentRecord, Outcome
from sync_orchestration.sandbox.faults import FaultRule
from sync_orchestration.systems.alfresco.source import AlfrescoSource
from sync_orchestration_tests.systems.conftest import Script, Switchboard, as_json
from sync_orchestration_tests.systems.repositories import (
    METADATA,
    PASSWORD,
    TYPE,
    Repository,
    opened,
    record,
    written,
)

# Reading


def test_every_node_is_read_once_in_the_order_of_its_dbid(repo: Repository) -> None:
    keys = repo.add(25)
    assert repo.read(page=10) == keys
    positions = [c.position for page in repo.source(10).changes(0) for c in page.changes]
    assert positions == sorted(positions)
    assert positions[-1] == repo.world.nodes[keys[-1]].dbid == repo.source().head().position


def test_every_query_has_a_range_of_dbids_and_says_ascending_the_first_one_too(repo: Repository) -> None:
    keys = repo.add(25)
    repo.read(page=10)
    bounds = [0, *(repo.world.nodes[keys[i]].dbid for i in (9, 19))]
    if repo.name == "citeck":
        said = [next(p["val"] for p in s["query"]["query"]["val"] if p["t"] == "gt") for s in repo.searches]
        assert said == bounds
        assert {s["version"] for s in repo.searches} == {1}
        assert [s["query"]["sortBy"] for s in repo.searches] == [
            [{"attribute": "sys:node-dbid", "ascending": True}]
        ] * 3
    else:
        wanted = [f'TYPE:"{TYPE}" AND sys:node\\-dbid:<{bound} TO MAX]' for bound in bounds]
        assert [s["query"]["query"] for s in repo.searches] == wanted
        assert [s["sort"][0]["ascending"] for s in repo.searches] == [True] * 3


@pytest.mark.parametrize(("nodes", "searches"), [(0, 1), (9, 1), (10, 1), (11, 2), (20, 2)])
def test_the_end_is_where_the_server_says_so_and_never_a_short_page(
    repo: Repository, nodes: int, searches: int
) -> None:
    keys = repo.add(nodes)
    assert repo.read(page=10) == keys
    assert len(repo.searches) == searches


def test_short_and_empty_pages_with_more_to_come_are_walked_over(repo: Repository) -> None:
    keys = repo.add(50)
    hidden = {*keys[3:6], *keys[10:35], keys[-1]}
    repo.world.trouble("unreadable", *hidden)
    assert repo.read(page=10) == [key for key in keys if key not in hidden]


def test_a_repository_of_nothing_but_unreadable_nodes_is_an_empty_one(repo: Repository) -> None:
    repo.world.trouble("unreadable", *repo.add(25))
    assert repo.read(page=10) == []
    assert repo.source().head().position == 0


def test_the_newest_node_is_found_behind_newer_ones_that_may_not_be_read(repo: Repository) -> None:
    """Else a pass would take the repository for an empty one, and end after its first window."""
    keys = repo.add(130)
    repo.world.trouble("unreadable", *keys[-3:])
    assert repo.source().head().position == repo.world.nodes[keys[-4]].dbid
    repo.world.trouble("unreadable", *keys[5:])
    assert repo.source().head().position == repo.world.nodes[keys[4]].dbid


def test_a_page_costs_one_search_and_one_reading_of_the_watermark(repo: Repository) -> None:
    repo.add(30)
    repo.read(page=10)
    assert len(repo.searches) == 3
    # The Records API tells every dbid with its row.
    assert len(repo.recording.to(METADATA)) == (3 if repo.name == "alfresco" else 0)


def test_reading_goes_on_behind_the_watermark(repo: Repository) -> None:
    keys = repo.add(30)
    assert repo.read(page=10, start=repo.world.nodes[keys[11]].dbid + 1) == keys[12:]
    assert repo.source(10).peek(0).more


def test_nodes_that_the_index_shows_late_are_found_by_the_next_reading(repo: Repository) -> None:
    keys = repo.add(20)
    repo.world.hide(keys[2], keys[13])
    assert repo.read(page=10) == [key for key in keys if key not in (keys[2], keys[13])]
    repo.world.track()
    assert repo.read(page=10) == keys


def test_nodes_of_other_types_are_not_read_but_those_of_a_subtype_are(repo: Repository) -> None:
    repo.world.add({"idocs:inn": "1"}, node_type="cm:content")
    kept = repo.world.add({"idocs:inn": "2"}, node_type="acme:supplier")
    assert repo.read() == [kept.uuid]


def test_an_answer_of_the_database_engine_is_refused_with_its_remedy(board: Switchboard) -> None:
    entry = {"entry": {"id": "a", "properties": {}}}
    pagination = {"count": 1, "hasMoreItems": False, "skipCount": 0, "maxItems": 100}
    board.app = Script([as_json({"list": {"pagination": pagination, "entries": [entry]}})])
    with pytest.raises(ConfigurationError, match=r"from its database, not from the search index.*dialect citeck"):
        opened("alfresco", board.url).page(0, 100, 0)


def test_an_answer_out_of_order_ends_the_pass(board: Switchboard) -> None:
    rows = [{"id": f"alfresco/@workspace://SpacesStore/{i}", "attributes": {"dbid": str(i)}} for i in (7, 5)]
    board.app = Script([as_json({"version": 1, "records": rows, "hasMore": False})])
    with pytest.raises(UnavailableError, match="did not answer in the order of node-dbid"):
        next(AlfrescoSource(opened("citeck", board.url)).changes(0))


@pytest.mark.parametrize("engine", ["noindex", "elasticsearch"])
@pytest.mark.parametrize("status", [400, 500])
def test_a_repository_whose_index_has_no_dbids_is_never_read_unordered(
    v1: Repository, engine: str, status: int
) -> None:
    v1.add(3)
    v1.switch(index=engine, query_error_status=status)
    with pytest.raises(SyncError, match=r"sys:node-dbid|Range term is unsupported"):
        v1.read()


def test_a_dbid_rendered_for_people_is_not_guessed_at(v1: Repository) -> None:
    v1.world.next_dbid = 1_927
    v1.add(1)
    v1.switch(metadata_numbers="freemarker")
    with pytest.raises(UnavailableError, match=r"'1,9\d\d'"):
        v1.read()


def test_a_gone_record_that_is_listed_with_nulls_is_passed_over(citeck: Repository) -> None:
    keys = citeck.add(12)
    citeck.switch(vanished_records="nulls")
    citeck.world.trouble("vanished", keys[0], keys[5], keys[9], keys[11])
    assert citeck.read(page=5) == [key for i, key in enumerate(keys) if i not in (0, 5, 9, 11)]
    assert citeck.source().head().position == citeck.world.nodes[keys[10]].dbid


# Comparing and writing


def test_what_the_search_shows_to_be_equal_is_not_even_read(repo: Repository) -> None:
    (key,) = repo.add(1)
    seen = {"idocs:inn": "0000000000", "idocs:kpp": "770101001 "}
    found = repo.target().current([record(key, seen, inn="0000000000", kpp="770101001", okpo="")])
    assert found == {key: CurrentRecord(key, seen)}
    assert repo.recording.asked == []


def test_a_difference_is_believed_only_after_a_fresh_read(v1: Repository) -> None:
    """The index lags: what it still shows may have been written over a moment ago."""
    v1.switch(stale_search_rows=True)
    (key,) = v1.add(1)
    v1.switch(index_lag_seconds=None)
    v1.world.edit(key, kpp="770101002")
    (page,) = v1.source().changes(0)
    (change,) = page.changes
    assert (change.payload or {})["idocs:kpp"] == "770101001"
    found = v1.target().current([record(key, change.payload, kpp="770101002")])[key]
    assert isinstance(found, CurrentRecord)
    assert found.values["idocs:kpp"] == "770101002"


def test_only_what_differs_is_sent(repo: Repository) -> None:
    (key,) = repo.add(1)
    outcome = written(repo, record(key, inn="0000000000", kpp="770101002", okpo="00242766"))[key]
    assert isinstance(outcome, Outcome)
    assert (outcome.error, outcome.target_id) == (None, key)
    (write,) = repo.world.writes
    assert write.properties == {"idocs:kpp": "770101002", "idocs:okpo": "00242766"}
    assert repo.world.nodes[key].properties["idocs:inn"] == "0000000000"


def test_aspects_and_names_are_never_sent(v1: Repository) -> None:
    (key,) = v1.add(1)
    written(v1, record(key, kpp="770101002"))
    (asked,) = [a for a in v1.recording.asked if a.method == "PUT"]
    assert asked.body == {"properties": {"idocs:kpp": "770101002"}}


@pytest.mark.parametrize(
    ("trouble", "code", "passes"),
    [("locked", "locked", True), ("integrity", "integrity", False), ("vanished", "vanished", False)],
)
def test_trouble_with_one_node_is_that_nodes_alone(repo: Repository, trouble: Any, code: str, passes: bool) -> None:
    first, troubled, last = repo.add(3)
    repo.world.trouble(trouble, troubled)
    outcomes = written(repo, *(record(key, kpp="770101002") for key in (first, troubled, last)))
    assert [write.uuid for write in repo.world.writes] != []
    assert {write.uuid for write in repo.world.writes} == {first, last}
    found = outcomes[troubled]
    error = found.error if isinstance(found, Outcome) else found
    assert error is not None
    assert error.code == code
    assert isinstance(found, RecordError) or found.transient is passes


def test_a_node_that_vanishes_between_the_read_and_the_write_is_that_nodes_alone(repo: Repository) -> None:
    kept, gone = repo.add(2)
    records = [record(kept, kpp="770101002"), record(gone, kpp="770101002")]
    target = repo.target()
    current = {k: c for k, c in target.current(records).items() if isinstance(c, CurrentRecord)}
    repo.world.delete(gone)
    outcomes = target.upsert(records, current)
    assert outcomes[kept].error is None
    error = outcomes[gone].error
    assert error is not None
    assert error.code == "vanished"


# What stops the pass


@pytest.mark.parametrize("status", [500, 501, 503])
def test_a_broken_server_stops_the_pass(repo: Repository, status: int) -> None:
    (key,) = repo.add(1)
    target = repo.target()
    records = [record(key, kpp="770101002")]
    current = {k: c for k, c in target.current(records).items() if isinstance(c, CurrentRecord)}
    repo.world.faults.add(FaultRule(kind="status", status=status, times=None))
    with pytest.raises(UnavailableError):
        target.upsert(records, current)
    with pytest.raises(UnavailableError):
        repo.read()
    assert repo.world.writes == []


def test_a_wrong_password_is_named_by_its_variable_and_never_shown(repo: Repository) -> None:
    with pytest.raises(ConfigurationError, match="ALFRESCO_PASSWORD") as refused:
        AlfrescoSource(repo.opened("geheim-чужой")).head()
    assert "geheim" not in str(refused.value)


def test_a_password_that_the_server_repeats_is_masked(board: Switchboard) -> None:
    said = {"error": {"statusCode": 400, "briefSummary": f"05220073 bad {PASSWORD}"}}
    board.app = Script([as_json(said, 400)])
    with pytest.raises(ConfigurationError, match="bad") as refused:
        opened("alfresco", board.url).check()
    assert PASSWORD not in str(refused.value)
    assert "05220073" not in str(refused.value)
    board.app = Script([as_json({"version": 1, "messages": [{"level": "ERROR", "msg": f"bad {PASSWORD}"}]})])
    with pytest.raises(ConfigurationError, match="bad") as refused:
        opened("citeck", board.url).check()
    assert PASSWORD not in str(refused.value)


@pytest.mark.parametrize("kind", ["text", "records-error"])
def test_an_error_of_citeck_is_an_error_although_its_status_is_200(citeck: Repository, kind: str) -> None:
    citeck.switch(index="noindex", records_error_type=kind)
    with pytest.raises(ConfigurationError, match="Range term is unsupported"):
        citeck.read()


def test_a_missing_records_api_is_told(board: Switchboard) -> None:
    board.app = Script([Response("nothing", 404)])
    with pytest.raises(ConfigurationError, match="no Records API"):
        opened("citeck", board.url).check()


def test_the_connection_is_tried_harmlessly(repo: Repository) -> None:
    repo.add(3)
    assert repo.dialect.check() == ("3 records of " if repo.name == "citeck" else "3 nodes of ") + TYPE
    assert repo.world.writes == []


ODD_BODIES: list[Any] = [{"unexpected": True}, [], "text", {"list": []}, {"list": {"pagination": {}, "entries": [{}]}}]


@pytest.mark.parametrize("name", ["alfresco", "citeck"])
@pytest.mark.parametrize("body", ODD_BODIES)
def test_json_of_another_shape_is_a_passing_fault_for_reads_and_no_success_for_a_write(
    board: Switchboard, name: str, body: Any
) -> None:
    board.app = Script([as_json(body)])
    dialect = opened(name, board.url)
    with pytest.raises(UnavailableError):
        dialect.page(0, 10, 0)
    with pytest.raises(UnavailableError):
        dialect.read(["a"])
    with pytest.raises(UnavailableError):
        dialect.change("a", {"idocs:okpo": "1"})


def test_a_page_in_the_place_of_the_answer_to_a_change_is_no_success(repo: Repository) -> None:
    (key,) = repo.add(1)
    repo.world.faults.add(FaultRule(kind="html", times=None))
    with pytest.raises(UnavailableError, match="HTML page"):
        repo.dialect.change(key, {"idocs:okpo": "12345678"})
    assert repo.world.writes == []
