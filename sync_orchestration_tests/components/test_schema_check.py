"""A field that vanishes or changes is named by a check before records fail, for every system that can tell."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import dagster as dg
import pytest
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from typer.testing import CliRunner

from sync_orchestration.cli.main import app
from sync_orchestration.components.schema import SCHEMA_IS_AS_MAPPED, check_schemas
from sync_orchestration.sandbox.odoo.models import Field
from sync_orchestration_tests.components.house import SECRET, Board, House, house, servers

__all__ = ["house", "servers"]

FLEXI, REGISTER, IN, OUT, PUSHED = "flexi_partners", "contractors", "rest_to_odoo", "odoo_to_rest", "intake_partners"

ADRESAR = (
    *("id", "kod", "nazev", "ic", "dic", "ulice", "mesto", "psc", "stat", "tel", "mobil", "email", "www", "popis"),
    *("platiOd", "platiDo", "nazevA"),
)


def checked(house: House, sync: str) -> dg.AssetCheckEvaluation:
    """Let the daily job look at the fields; returns what it found of one sync."""
    job = house.project.definitions.resolve_job_def("schema_checks")
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    result = job.execute_in_process(instance=house.instance, run_config=quiet, raise_on_error=False)
    key = dg.AssetKey(house.project.syncs[sync].target_asset_key)
    return next(e for e in result.get_asset_check_evaluations() if e.asset_key == key)


def table(found: dg.AssetCheckEvaluation) -> list[dict[str, Any]]:
    value = found.metadata["changed"]
    assert isinstance(value, dg.TableMetadataValue)
    return [dict(record.data) for record in value.records]


def odoo_field(house: House, name: str, change: Callable[[Field], Field | None]) -> None:
    model = house.odoo.db.models["res.partner"]
    changed = change(model.fields[name])
    others = {key: field for key, field in model.fields.items() if key != name}
    fields = others if changed is None else {**others, changed.name: changed}
    house.odoo.db.models = {**house.odoo.db.models, "res.partner": replace(model, fields=fields)}


class Properties:
    """In front of a Flexi: describes an evidence as the test wants it."""

    def __init__(self, app: ASGIApp, fields: dict[str, str]) -> None:
        self.app, self.fields, self.asked = app, fields, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not scope.get("path", "").endswith("/properties.json"):
            await self.app(scope, receive, send)
            return
        self.asked += 1
        listed = [{"propertyName": name, "type": kind} for name, kind in self.fields.items()]
        await JSONResponse({"properties": {"property": listed}})(scope, receive, send)


def test_a_vanished_source_field_of_flexi_is_named_until_it_is_back(house: House, servers: dict[str, Board]) -> None:
    fields = dict.fromkeys(ADRESAR, "string")
    servers["flexi"].app = flexi = Properties(servers["flexi"].app, fields)
    assert checked(house, FLEXI).passed
    assert flexi.asked == 1, "one cheap question"
    assert checked(house, FLEXI).passed
    del fields["ic"]
    fields["icOsoby"] = "string"
    for _ in range(2):
        found = checked(house, FLEXI)
        assert not found.passed
        assert found.severity == dg.AssetCheckSeverity.ERROR
        assert table(found) == [{"field": "source: ic", "was": "string", "is": "gone; is it icOsoby now?"}]
    fields["ic"] = "string"
    assert checked(house, FLEXI).passed


def test_a_source_field_that_is_not_mapped_is_mentioned_once(house: House, servers: dict[str, Board]) -> None:
    fields = dict.fromkeys(ADRESAR, "string")
    servers["flexi"].app = Properties(servers["flexi"].app, fields)
    checked(house, FLEXI)
    del fields["nazevA"]
    found = checked(house, FLEXI)
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert table(found) == [{"field": "source: nazevA", "was": "string", "is": "gone"}]
    assert checked(house, FLEXI).passed


@pytest.mark.parametrize("sync", [FLEXI, IN, PUSHED, "contractor_partners"])
@pytest.mark.parametrize(
    ("change", "now"),
    [
        (lambda field: None, "gone"),
        (lambda field: replace(field, name="city_name"), "gone; is it city_name now?"),
        (lambda field: replace(field, readonly=True), "char, read-only"),
        (lambda field: replace(field, type="many2one"), "many2one"),
    ],
    ids=["gone", "renamed", "read-only", "another type"],
)
def test_a_changed_target_field_of_odoo_is_named(house: House, sync: str, change: Any, now: str) -> None:
    connections = house.connections
    settings = [house.project.syncs[sync]]
    assert check_schemas(connections, settings)[sync].drifts == []
    odoo_field(house, "city", change)
    look = check_schemas(connections, settings)[sync]
    assert look.serious
    assert [(drift.field, drift.was, drift.now) for drift in look.drifts if drift.side == "target"] == [
        ("city", "char", now)
    ]


def test_a_changed_source_field_of_odoo_is_named_also_behind_a_relation(house: House) -> None:
    settings = [house.project.syncs[OUT]]
    assert not check_schemas(house.connections, settings)[OUT].drifts
    country = house.odoo.db.models["res.country"]
    fields = {name: field for name, field in country.fields.items() if name != "code"}
    house.odoo.db.models = {**house.odoo.db.models, "res.country": replace(country, fields=fields)}
    assert [drift.field for drift in check_schemas(house.connections, settings)[OUT].drifts] == ["country_id.code"]


def test_a_target_field_that_became_required_is_a_warning(house: House) -> None:
    settings = [house.project.syncs[PUSHED]]
    check_schemas(house.connections, settings)
    odoo_field(house, "function", lambda field: replace(field, required=True))
    look = check_schemas(house.connections, settings)[PUSHED]
    assert (look.serious, [drift.now for drift in look.drifts]) == (False, ["char, required"])


def test_a_path_that_no_contact_has_any_more_is_named(house: House) -> None:
    house.land(IN)
    assert checked(house, IN).passed
    for contact in house.rest.live("contacts"):
        house.rest.change("contacts", contact["id"], email=None, mail=contact["email"])
    house.sync(IN)
    found = checked(house, IN)
    assert found.severity == dg.AssetCheckSeverity.ERROR
    assert [row["field"] for row in table(found)] == ["source: email"]
    assert not checked(house, IN).passed, "until it is back"
    for contact in house.rest.live("contacts"):
        house.rest.change("contacts", contact["id"], email=contact["mail"])
    house.sync(IN)
    assert checked(house, IN).passed


def test_a_property_that_no_node_has_any_more_is_named(house: House) -> None:
    house.land(REGISTER)
    assert checked(house, REGISTER).passed
    for node in house.alfresco.nodes.values():
        node.properties.pop("idocs:inn", None)
    house.land(REGISTER)
    found = checked(house, REGISTER)
    assert [row["field"] for row in table(found)] == ["source: idocs:inn"]


def test_a_sync_that_is_switched_off_or_cannot_be_reached_is_not_accused(house: House) -> None:
    house.monkeypatch.delenv("KONTUR_KEY")
    assert checked(house, REGISTER).description == "switched off: KONTUR_KEY not set"
    house.setenv("FLEXI_PASSWORD", "another-secret")
    found = checked(house, FLEXI)
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "FLEXI_PASSWORD" in str(found.description)


def test_no_run_of_a_sync_pays_for_the_look(house: House) -> None:
    for name in house.project.syncs:
        steps = {node.name for node in house.project.definitions.resolve_job_def(name).nodes}
        assert any("no_failed_records" in step for step in steps)
        assert not any(SCHEMA_IS_AS_MAPPED in step for step in steps)


def test_check_tells_what_has_changed_and_fails_when_records_will(house: House) -> None:
    runner = CliRunner()
    assert "schemas" not in json.loads(runner.invoke(app, ["check", "--json"]).stdout)
    odoo_field(house, "city", lambda field: None)
    result = runner.invoke(app, ["check", "--json"])
    assert result.exit_code == 1
    told = json.loads(result.stdout)["schemas"][PUSHED]
    assert told == {"ok": False, "changed": [{"side": "target", "field": "city", "was": "char", "is": "gone"}]}
    plain = runner.invoke(app, ["check"])
    assert "intake_partners: target field city was char, is gone" in plain.stderr
    assert SECRET not in plain.output
