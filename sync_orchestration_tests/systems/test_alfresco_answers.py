"""A change counts as done only where the node shows it; what a server refuses of one node is that node's alone."""

from decimal import Decimal
from typing import Any

import pytest

from sync_orchestration.mapping.records import RecordError
from sync_orchestration.pipeline.errors import ConfigurationError, SyncError, UnavailableError
from sync_orchestration.pipeline.protocols import CurrentRecord, Outcome, PartlyDoneError, TargetRecord
from sync_orchestration.sandbox.faults import FaultRule
from sync_orchestration.systems.alfresco.target import AlfrescoTarget
from sync_orchestration.systems.alfresco.values import same_value, sent_value, was_taken
from sync_orchestration_tests.systems.conftest import Script, Switchboard, as_json
from sync_orchestration_tests.systems.repositories import TYPE, Repository, opened, record, written

KPP, OKPO = "idocs:kpp", "idocs:okpo"


def error_of(found: Outcome | RecordError) -> RecordError | None:
    return found.error if isinstance(found, Outcome) else found


def current_of(repo: Repository, *records: TargetRecord) -> dict[str, CurrentRecord]:
    return {k: c for k, c in repo.target().current(records).items() if isinstance(c, CurrentRecord)}


# What is passed over in silence


def test_what_the_server_passes_over_in_silence_fails_and_is_named_and_the_rest_is_done(citeck: Repository) -> None:
    citeck.switch(protected_attributes=[KPP])
    ignored, partly, done = citeck.add(3)
    outcomes = written(
        citeck,
        record(ignored, kpp="770101002"),
        record(partly, kpp="770101002", okpo="00242766"),
        record(done, okpo="00242766"),
    )
    assert outcomes[done] == Outcome(done, response_code=200, duration_ms=outcomes[done].duration_ms)  # type: ignore[union-attr]
    for key in (ignored, partly):
        found = outcomes[key]
        assert isinstance(found, Outcome)
        assert found.error is not None
        assert (found.error.code, found.error.field, found.transient) == ("not_taken", KPP, False)
        assert f"the server did not take {KPP}:" in found.error.message
    assert citeck.world.nodes[partly].properties[OKPO] == "00242766"


def test_a_property_that_the_model_does_not_know_is_named(citeck: Repository) -> None:
    (key,) = citeck.add(1)
    error = error_of(written(citeck, record(key, okpo="00242766", nosuch="a", nosuchother="b"))[key])
    assert error is not None
    assert (error.code, error.field) == ("not_taken", "idocs:nosuch, idocs:nosuchother")


def test_a_value_that_cannot_be_unset_is_named(citeck: Repository) -> None:
    (key,) = citeck.add(1)
    citeck.switch(protected_attributes=[KPP])
    assert error_of(written(citeck, record(key, kpp=""))[key]) is not None
    citeck.switch(protected_attributes=[])
    assert error_of(written(citeck, record(key, kpp=""))[key]) is None


def test_a_batch_is_seen_again_with_one_request(citeck: Repository) -> None:
    keys = citeck.add(30)
    outcomes = written(citeck, *(record(key, kpp="770101002", okpo="00242766") for key in keys))
    assert {error_of(found) for found in outcomes.values()} == {None}
    asked = [request.path.rpartition("/")[2] for request in citeck.recording.asked]
    assert asked == ["query", *["mutate"] * 30, "query"]
    assert len(citeck.recording.asked[-1].body["records"]) == 30


def test_what_was_refused_is_not_asked_for_again(citeck: Repository) -> None:
    locked = citeck.add(1)[0]
    citeck.world.trouble("locked", locked)
    error = error_of(written(citeck, record(locked, kpp="770101002"))[locked])
    assert error is not None
    assert error.code == "locked"
    assert [request.path.rpartition("/")[2] for request in citeck.recording.asked] == ["query", "mutate"]


def test_the_answer_of_the_rest_api_shows_it_without_another_request(v1: Repository) -> None:
    done, ignored = v1.add(2)
    outcomes = written(
        v1, record(done, kpp="770101002"), TargetRecord(ignored, ignored, {"cm:modifier": "sync", OKPO: "1"}, ignored)
    )
    assert error_of(outcomes[done]) is None
    error = error_of(outcomes[ignored])
    assert error is not None
    assert (error.code, error.field) == ("not_taken", "cm:modifier")
    assert [request.method for request in v1.recording.asked] == ["GET", "GET", "PUT", "PUT"]


def test_an_answer_that_tells_no_values_is_no_proof_so_the_node_is_read(v1: Repository) -> None:
    """A node without any value is told so."""
    key = v1.world.add({KPP: "770101001"}).uuid
    assert error_of(written(v1, record(key, kpp=""))[key]) is None
    assert [request.method for request in v1.recording.asked] == ["GET", "PUT", "GET"]


def test_a_node_that_is_gone_right_after_its_change_is_told_as_gone(board: Switchboard) -> None:
    gone = as_json({"version": 1, "records": [{"id": "alfresco/@workspace://SpacesStore/a", "attributes": {}}]})
    board.app = Script([gone])
    target = AlfrescoTarget(opened("citeck", board.url), TYPE)
    outcomes = target.upsert([record("a", kpp="1")], {"a": CurrentRecord("a", {})})
    assert outcomes["a"].error == RecordError("vanished", None, "the node no longer exists")


def test_changes_that_cannot_be_seen_again_are_left_to_the_next_pass(citeck: Repository) -> None:
    """They are neither done nor refused; compared afresh, they are found to be done."""
    locked, changed = citeck.add(2)
    citeck.world.trouble("locked", locked)
    records = [record(key, kpp="770101002") for key in (locked, changed)]
    current = current_of(citeck, *records)
    citeck.world.faults.add(FaultRule(kind="status", status=500, path=".*/records/query", times=None))
    with pytest.raises(PartlyDoneError) as stopped:
        citeck.target().upsert(records, current)
    assert isinstance(stopped.value.cause, UnavailableError)
    assert set(stopped.value.outcomes) == {locked}
    assert citeck.world.nodes[changed].properties[KPP] == "770101002"


def test_a_server_that_breaks_on_the_way_loses_no_answer(v1: Repository) -> None:
    first, broken, *rest = v1.add(9)
    records = [record(key, kpp="770101002") for key in (first, broken, *rest)]
    current = current_of(v1, *records)
    target = v1.target()
    v1.world.faults.add(FaultRule(kind="status", status=500, method="PUT", path=f".*{broken}", times=None))
    with pytest.raises(SyncError) as stopped:
        target.upsert(records, current)
    told = stopped.value.outcomes if isinstance(stopped.value, PartlyDoneError) else {}
    assert set(told) == {write.uuid for write in v1.world.writes}


# One node's right


def test_a_node_that_may_not_be_changed_holds_up_no_other(repo: Repository) -> None:
    first, denied, last = repo.add(3)
    repo.world.trouble("write_denied", denied)
    outcomes = written(repo, *(record(key, kpp="770101002") for key in (first, denied, last)))
    error = error_of(outcomes[denied])
    assert error is not None
    assert error.code == "forbidden"
    assert "the user may not change this node" in error.message
    assert {write.uuid for write in repo.world.writes} == {first, last}
    assert {error_of(outcomes[key]) for key in (first, last)} == {None}


def test_a_node_that_may_not_be_read_any_more_holds_up_no_other(v1: Repository) -> None:
    """The Records API shows such a node as one that is not there."""
    first, hidden, last = v1.add(3)
    v1.world.trouble("unreadable", hidden)
    outcomes = written(v1, *(record(key, kpp="770101002") for key in (first, hidden, last)))
    error = error_of(outcomes[hidden])
    assert error is not None
    assert error.code == "forbidden"
    assert "the user may not read this node" in error.message
    assert {write.uuid for write in v1.world.writes} == {first, last}


def test_where_no_node_may_be_read_the_right_is_missing(v1: Repository) -> None:
    keys = v1.add(4)
    v1.world.trouble("unreadable", *keys[:3])
    records = [record(key, kpp="770101002") for key in keys]
    assert len(current_of(v1, *records)) == 1
    with pytest.raises(ConfigurationError, match=r"nodes of which the user may not read one, 3 were tried\. Give it"):
        v1.target().current(records[:3])


def test_a_node_that_may_not_be_read_is_not_taken_for_one_that_is_gone(v1: Repository) -> None:
    """What the source lacks is deleted, also in whatever is made of it."""
    seen, hidden = v1.add(2)
    v1.world.trouble("unreadable", hidden)
    with pytest.raises(ConfigurationError, match=f"node {hidden} cannot be read: the user may not read this node"):
        v1.source().fetch([seen, hidden])


# When two values are the same


SAME: list[tuple[Any, Any]] = [
    (None, ""),
    ("", None),
    (None, "  "),
    (None, []),
    ("770101001 ", "770101001"),
    ("true", True),
    (False, "false"),
    ("5", 5),
    ("5.0", 5),
    (5, "5"),
    (5.5, "5.50"),
    (242766, "00242766"),  # a property that holds numbers
    (["vendor"], "vendor"),
    ("vendor", ["vendor"]),
    (["a", "b"], ["a", "b "]),
    ("2022-05-23T08:52:16.785+0000", "2022-05-23T08:52:16.785Z"),
    ("2022-05-23T08:52:16.785+0000", "2022-05-23T11:52:16.785999+03:00"),
    ("2022-05-22T21:00:00.000+0000", "2022-05-23"),  # midnight in Moscow
    ("2022-05-23T00:00:00.000Z", "2022-05-23"),
    ("2022-05-22T18:30:00.000Z", "2022-05-23"),  # … and in Delhi
    ("2022-05-23", "2022-05-23T00:00:00"),
    ("2022-05-23T08:52:16.000+0000", "2022-05-23T11:52:16"),
]
DIFFERENT: list[tuple[Any, Any]] = [
    (None, "0"),
    (None, 0),
    (None, False),
    ("770101001", "770101002"),
    ("00242766", "242766"),
    ("00242766", 242766),
    ("5", 6),
    ("true", False),
    (["a"], ["a", "b"]),
    (["a", "b"], ["b", "a"]),
    ("a", ["a", "b"]),
    ("20220523", "2022-05-23"),
    ("2022-05-23", "2022-05-24"),
    ("2022-05-22T21:00:00.000+0000", "2022-05-22T21:00:01.000+0000"),
    ("2022-05-21T21:00:00.000+0000", "2022-05-23"),
    ("2022-05-22T21:07:00.000+0000", "2022-05-23"),  # no zone is that far from midnight
    ("2022-05-99", "2022-05-23T00:00:00Z"),
    ("0001-01-01T00:00:00+14:00", "2022-05-23"),
    ({"a": 1}, "a"),
]


@pytest.mark.parametrize(("held", "wanted"), SAME)
def test_a_value_in_another_form_is_the_same(held: Any, wanted: Any) -> None:
    assert same_value(held, wanted)
    assert was_taken(held, wanted)


@pytest.mark.parametrize(("held", "wanted"), DIFFERENT)
def test_another_value_is_another(held: Any, wanted: Any) -> None:
    assert not same_value(held, wanted)


def test_of_several_values_that_were_sent_citeck_tells_one(citeck: Repository) -> None:
    (key,) = citeck.add(1)
    assert error_of(written(citeck, record(key, contractorType=["customer", "vendor"]))[key]) is None
    assert citeck.world.nodes[key].properties["idocs:contractorType"] == ["customer", "vendor"]
    assert not was_taken(None, ["customer", "vendor"])
    assert not was_taken("employee", ["customer", "vendor"])


@pytest.mark.parametrize("properties", [{"contractorID": 7}, {"doNotSendContractToEdiFlag": True}, {"code": "7.50"}])
def test_a_number_or_a_truth_that_was_taken_is_no_difference_afterwards(
    repo: Repository, properties: dict[str, Any]
) -> None:
    (key,) = repo.add(1)
    wanted = record(key, **properties)
    assert error_of(written(repo, wanted)[key]) is None
    held = current_of(repo, wanted)[key].values
    assert {name for name, value in wanted.values.items() if not same_value(held.get(name), value)} == set()


def test_empty_is_sent_as_unset_and_a_decimal_as_a_number() -> None:
    assert [sent_value(v) for v in ("", None, Decimal("7"), Decimal("7.5"), 0, False)] == [None, None, 7, 7.5, 0, False]
