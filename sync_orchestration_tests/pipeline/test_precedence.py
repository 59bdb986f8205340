"""Two syncs write one record: the one with precedence decides, the other links it and says what it lost."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from sync_orchestration.interface.rows import ClaimedRow
from sync_orchestration.mapping.compile import compile_mapping
from sync_orchestration.pipeline.plan import PlannedWrite, Precedence, Translation, plan_writes
from sync_orchestration.pipeline.protocols import CurrentRecord, TargetRecord
from sync_orchestration_tests.pipeline.toys import ToyTarget

OTHER = "flexi_partners"


@dataclass
class Shared(ToyTarget):
    """A target whose records may be strangers, found by their content; they are then not linked yet."""

    strangers: set[str] = field(default_factory=set)

    def current(self, records: Any) -> Any:
        found = super().current(records)
        held = {k: c for k, c in found.items() if isinstance(c, CurrentRecord)}
        return {k: replace(c, linked=c.target_id not in self.strangers) for k, c in held.items()}


def planned(
    held: dict[str, Any] | None,
    *,
    owned: bool = True,
    linked: bool = True,
    fields: frozenset[str] = frozenset({"name", "city"}),
    precedence: bool = True,
    **values: Any,
) -> PlannedWrite:
    """Plan the write of one record over what the target holds."""
    target = Shared(stored={} if held is None else {"x:1": held}, strangers=set() if linked else {"x:1"})
    first = Precedence(OTHER, fields, lambda ids: set(ids) if owned else set())
    translation = Translation(
        mapping=compile_mapping({name: name for name in values}, []),
        external_id=lambda key: f"x:{key}",
        precedence=first if precedence else None,
    )
    row = ClaimedRow("s", "src", "1", "e", "update", 1, values, [], 0, None, False)
    (plan,) = plan_writes([row], translation, target, lambda _ids: {})
    return plan


def record(plan: PlannedWrite) -> TargetRecord:
    assert plan.record is not None
    return plan.record


def test_a_field_that_the_other_sync_decides_is_left_and_the_row_is_skipped_with_the_reason() -> None:
    plan = planned({"name": "Old", "city": "Brno"}, name="New", city="Brno")
    assert plan.action == "skip"
    assert plan.reason == "flexi_partners has precedence: name is 'Old', not 'New'"
    assert [(e.code, e.field) for e in plan.errors] == [("precedence", "name")]
    assert plan.current == CurrentRecord("x:1", {"name": "Old", "city": "Brno"})


def test_every_lost_field_is_named() -> None:
    plan = planned({"name": "Old", "city": "Brno"}, name="New", city="Praha")
    assert plan.reason is not None
    assert "city is 'Brno', not 'Praha', name is 'Old', not 'New'" in plan.reason
    assert plan.errors[0].field == "city, name"


def test_a_field_that_is_its_own_is_written_and_the_lost_one_still_told() -> None:
    plan = planned({"name": "Old", "phone": ""}, name="New", phone="1")
    assert plan.action == "update"
    assert plan.changes == {"phone": ("", "1")}
    assert record(plan).values == {"phone": "1"}
    assert plan.reason is not None


def test_a_record_found_by_its_content_is_linked_although_every_field_is_lost() -> None:
    plan = planned({"name": "Old"}, linked=False, name="New")
    assert plan.action == "update"
    assert record(plan).values == {}
    assert plan.changes == {}
    assert plan.reason is not None


def test_a_record_found_by_its_content_that_agrees_is_linked_without_a_word() -> None:
    plan = planned({"name": "Same"}, linked=False, name="Same")
    assert (plan.action, plan.reason, plan.errors) == ("update", None, ())


@pytest.mark.parametrize(
    ("held", "options", "action"),
    [
        pytest.param({"name": "Same"}, {}, "unchanged", id="both agree"),
        pytest.param({"name": "Old"}, {"owned": False}, "update", id="the other sync does not have the record"),
        pytest.param({"name": "Old"}, {"fields": frozenset({"city"})}, "update", id="the other decides other fields"),
        pytest.param({"name": "Old"}, {"precedence": False}, "update", id="nobody has precedence"),
        pytest.param(None, {}, "create", id="there is no record yet"),
    ],
)
def test_without_a_quarrel_precedence_changes_nothing(
    held: dict[str, Any] | None, options: dict[str, Any], action: str
) -> None:
    plan = planned(held, name="Same" if action == "unchanged" else "New", **options)
    assert (plan.action, plan.reason) == (action, None)
    assert action == "unchanged" or record(plan).values == {"name": "New"}


@pytest.mark.parametrize(
    ("target_id", "owned", "action"),
    [
        pytest.param("x:1", True, "skip", id="the other sync has the record too"),
        pytest.param("x:1", False, "delete", id="it is this sync's alone"),
        pytest.param(None, True, "delete", id="it was never written"),
    ],
)
def test_a_record_that_the_other_sync_has_too_is_not_deleted(target_id: str | None, owned: bool, action: str) -> None:
    asked: list[str] = []

    def owned_by_other(ids: Sequence[str]) -> set[str]:
        asked.extend(ids)
        return set(ids) if owned else set()

    translation = Translation(
        mapping=compile_mapping({"name": "name"}, []),
        external_id=lambda key: f"x:{key}",
        precedence=Precedence(OTHER, frozenset({"name"}), owned_by_other),
    )
    row = ClaimedRow("s", "src", "1", "e", "delete", 1, None, [], 0, target_id, False)
    (plan,) = plan_writes([row], translation, Shared(stored={"x:1": {"name": "Old"}}), lambda _ids: {})
    assert plan.action == action
    assert asked == ([] if target_id is None else [target_id])
    if action == "skip":
        assert plan.reason == "flexi_partners has precedence: the record is its own too, so it is not deleted"
        assert [(e.code, e.field) for e in plan.errors] == [("precedence", None)]
