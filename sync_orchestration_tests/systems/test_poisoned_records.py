"""A poisoned record is found among its batch with few requests, wherever it stands and whoever refuses it."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from math import log2
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sync_orchestration.mapping.records import Reference
from sync_orchestration.pipeline.errors import ConfigurationError
from sync_orchestration.pipeline.protocols import CurrentRecord, Outcome, TargetRecord
from sync_orchestration.sandbox.rest import RestSwitches, RestWorld, rest_app
from sync_orchestration.systems.http import HttpClient, HttpSettings
from sync_orchestration.systems.rest.settings import BatchSettings, Call, Resource
from sync_orchestration.systems.rest.target import RestTarget

from .conftest import PARTNER, Odoo, Switchboard, as_json, open_odoo, record, written

BATCH = 256

Places = Collection[int]


@dataclass(frozen=True)
class Written:
    """What became of a batch, and the number of requests that took."""

    outcomes: Mapping[str, Outcome]
    requests: int

    @property
    def refused(self) -> set[int]:
        return {int(key) for key, outcome in self.outcomes.items() if outcome.error is not None}


Way = Callable[[Switchboard, int, Places], Written]


def a_batch(size: int, bad: Places) -> list[Any]:
    return [record(str(i), name="" if i in bad else f"Firma {i}", city="Praha") for i in range(size)]


def loaded(board: Switchboard, size: int, bad: Places) -> Written:
    """Odoo names the rows that break a constraint, ten in an answer."""
    odoo = open_odoo(board, "odoo 19 with an API key")
    target = odoo.target("name", "city")
    outcomes = target.upsert(a_batch(size, bad), {})
    return Written(outcomes, odoo.world.calls[f"{PARTNER}.load"])


def loaded_with_wrong_cells(board: Switchboard, size: int, bad: Places) -> Written:
    """Odoo names all rows with cells that it cannot read, in one answer."""
    odoo = open_odoo(board, "odoo 18")
    target = odoo.target("name", "country_id")
    records = [record(str(i), name=f"F{i}", country_id=999_999 if i in bad else "") for i in range(size)]
    outcomes = target.upsert(records, {})
    return Written(outcomes, odoo.world.calls[f"{PARTNER}.load"])


@dataclass
class Doorman:
    """In front of an Odoo 19: refuses what names one of the culprits, in words that do not say which."""

    app: ASGIApp
    method: str
    is_bad: Callable[[Any], bool]
    answer: Response
    asked: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not scope.get("path", "").endswith(f"/{self.method}"):
            await self.app(scope, receive, send)
            return
        self.asked += 1
        message = await receive()
        body = json.loads(message["body"])

        async def replay() -> Message:
            return message

        await (self.answer if self.is_bad(body) else self.app)(scope, replay, send)


def loaded_without_a_word(board: Switchboard, size: int, bad: Places) -> Written:
    """Odoo refuses a batch and names no row of it."""
    odoo = open_odoo(board, "odoo 19 with an API key")
    nothing = as_json({"ids": False, "messages": [{"type": "error", "message": "Somewhere is something wrong"}]})
    assert board.app is not None
    board.app = door = Doorman(board.app, "load", lambda body: any(row[1] == "" for row in body["data"]), nothing)
    outcomes = odoo.target("name", "city").upsert(a_batch(size, bad), {})
    return Written(outcomes, door.asked)


def loaded_past_a_rule(board: Switchboard, size: int, bad: Places) -> Written:
    """A module of Odoo's raises the error of a record rule out of `load`; the user has the right to the model."""
    odoo = open_odoo(board, "odoo 19 with an API key")
    refusal = as_json({"name": "odoo.exceptions.AccessError", "message": "Another company's"}, 403)
    assert board.app is not None
    board.app = door = Doorman(board.app, "load", lambda body: any(row[1] == "" for row in body["data"]), refusal)
    outcomes = odoo.target("name", "city").upsert(a_batch(size, bad), {})
    return Written(outcomes, door.asked)


def protected(board: Switchboard, size: int, bad: Places) -> Written:
    """A record rule of Odoo's keeps some from being archived, and all others of the request with them."""
    odoo = open_odoo(board, "odoo 19 with an API key")
    ids = [odoo.create(name=f"F{i}") for i in range(size)]
    for i, one in enumerate(ids):
        odoo.link(one, f"adresar_{i}")
    odoo.switch(hidden={PARTNER: {"write": [ids[i] for i in bad]}})
    outcomes = odoo.target().delete([record(str(i), str(ids[i])) for i in range(size)])
    return Written(outcomes, odoo.world.calls[f"{PARTNER}.write"])


def archived(board: Switchboard, size: int, bad: Places) -> Written:
    """An automation of Odoo's refuses to archive some, and all others of the request with them."""
    odoo = open_odoo(board, "odoo 19 with an API key")
    ids = [odoo.create(name=f"F{i}") for i in range(size)]
    for i, one in enumerate(ids):
        odoo.link(one, f"adresar_{i}")
    culprits = {ids[i] for i in bad}
    refusal = as_json({"name": "odoo.exceptions.UserError", "message": "Somebody still needs it"}, 422)
    assert board.app is not None
    board.app = door = Doorman(board.app, "write", lambda body: bool(culprits & set(body["ids"])), refusal)
    outcomes = odoo.target().delete([record(str(i), str(ids[i])) for i in range(size)])
    return Written(outcomes, door.asked)


def unlinked(board: Switchboard, size: int, bad: Places) -> Written:
    """Odoo refuses to remove whom a user belongs to, and all others of the request with them."""
    odoo = open_odoo(board, "odoo 19 with an API key")
    users = {i: odoo.world.add_user(f"u{i}", password="x", role="internal").partner_id for i in bad}
    ids = {i: users.get(i) or odoo.create(name=f"F{i}") for i in range(size)}
    for i, one in ids.items():
        odoo.link(one, f"adresar_{i}")
    outcomes = odoo.target(deletion="unlink").delete([record(str(i), str(ids[i])) for i in range(size)])
    return Written(outcomes, odoo.world.calls[f"{PARTNER}.unlink"])


def linked(board: Switchboard, size: int, bad: Places) -> Written:
    """Odoo gives no external id that holds a space; those of all others are made in the same request."""
    odoo = open_odoo(board, "odoo 18")
    target = odoo.target("name", match_on=["ref"])
    ids = [odoo.create(name=f"F{i}", ref=f"R{i}") for i in range(size)]
    records = [
        TargetRecord(str(i), "with a space" if i in bad else f"adresar_{i}", {"name": f"F{i}"}, None)
        for i in range(size)
    ]
    current = {str(i): CurrentRecord(str(ids[i]), {"name": "before"}, linked=False) for i in range(size)}
    outcomes = target.upsert(records, current)
    return Written(outcomes, odoo.world.calls["ir.model.data.create"])


def sent_in_batches(board: Switchboard, size: int, bad: Places, **switches: Any) -> Written:
    world = RestWorld()
    world.switches = RestSwitches(batch_limit=size, auth="none", **switches)
    board.app = rest_app(world)
    http = HttpClient(HttpSettings(name="CRM", base_url=board.url, tries=1))
    resource = Resource(
        http=http,
        path="/partners",
        create=Call("POST", "/partners"),
        id_field="data.id",
        key_field="external_ref",
        batch=BatchSettings(size=size, path="/partners/batch", results="data", index="index"),
    )
    outcomes = RestTarget(resource).upsert(a_batch(size, bad), {})
    return Written(outcomes, http.requests_sent)


def sent_all_or_none(board: Switchboard, size: int, bad: Places) -> Written:
    """An API that refuses a batch whole and does not say for which record."""
    return sent_in_batches(board, size, bad, batch_atomic=True)


def sent_each_for_itself(board: Switchboard, size: int, bad: Places) -> Written:
    """An API that answers for each record of a batch."""
    return sent_in_batches(board, size, bad)


WAYS: Sequence[Way] = (
    loaded,
    loaded_with_wrong_cells,
    loaded_without_a_word,
    loaded_past_a_rule,
    archived,
    protected,
    unlinked,
    linked,
    sent_all_or_none,
    sent_each_for_itself,
)


def most_requests(size: int, culprits: int) -> int:
    """The bound: one request without culprits, and for each two halves at each of the levels above it."""
    return 1 + round(2 * culprits * log2(size))


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@settings(max_examples=6, suppress_health_check=list(HealthCheck))
@given(bad=st.frozensets(st.integers(0, BATCH - 1), max_size=12))
@example(bad=frozenset({0}))
@example(bad=frozenset({BATCH - 1}))
@example(bad=frozenset({0, BATCH - 1}))
@example(bad=frozenset(range(0, BATCH, 32)))
@example(bad=frozenset(range(20)))
def test_culprits_stand_alone_after_logarithmically_many_requests(
    board: Switchboard, way: Way, bad: frozenset[int]
) -> None:
    found = way(board, BATCH, bad)
    assert found.refused == bad
    assert len(found.outcomes) == BATCH
    assert found.requests <= most_requests(BATCH, len(bad))


def test_rows_that_go_on_losing_races_cost_few_loads_and_little_patience(odoo: Odoo, naps: list[float]) -> None:
    target = odoo.target()
    records = a_batch(60, ())
    target.current(records)
    odoo.switch(concurrent_loads=1_000)
    outcomes = written(target, *records)
    assert all(outcome.transient for outcome in outcomes.values())
    assert odoo.world.calls[f"{PARTNER}.load"] <= 4 + 60 / 9 + 2, "an answer names nine rows or ten"
    assert sum(naps) <= 3


@pytest.mark.parametrize("deleted", [False, True])
def test_a_language_that_odoo_does_not_have_is_a_wrong_setting_and_no_records_fault(odoo: Odoo, deleted: bool) -> None:
    target = odoo.target(context={"lang": "fr_FR"})
    gone = record("9", str(odoo.create(name="Gone")))
    odoo.link(int(gone.target_id or 0), "adresar_9")
    with pytest.raises(ConfigurationError, match=r"Invalid language code: fr_FR. Check target\.context"):
        target.delete([gone]) if deleted else target.upsert(a_batch(5, ()), {})


def test_one_related_record_that_cannot_be_made_is_the_trouble_of_those_that_name_it(odoo: Odoo) -> None:
    tag = Reference("res.partner.category", "name", "new", create=True)
    lacks_a_name = Reference("res.country", "code", "QQ", create=True)
    assert set(odoo.target().resolve([lacks_a_name, tag])) == {tag}
    assert len(odoo.warnings) == 1


def test_a_missing_right_to_make_related_records_stops_the_pass(board: Switchboard) -> None:
    odoo = open_odoo(board, "odoo 18")
    odoo.switch(deny={"res.partner.category": ("create",)})
    with pytest.raises(ConfigurationError, match=r"may not create res\.partner\.category"):
        odoo.target().resolve([Reference("res.partner.category", "name", "new", create=True)])
