"""Our own systems keep what the pipeline builds on, as the kit for other authors tells, against their stand-ins."""

from typing import Any

import pytest

from sync_orchestration.components.database import InterfaceDatabase
from sync_orchestration.components.kinds import open_lookup, open_source, open_target
from sync_orchestration.pipeline.conformance import check_lookup, check_source, check_target
from sync_orchestration.pipeline.protocols import SourceRecord, TargetRecord
from sync_orchestration_tests.components.house import House, house, servers
from sync_orchestration_tests.components.places import own_project

FEW = 7
"""Records in a page."""

__all__ = ["house", "own_project", "servers"]


def records_of(house: House, sync: str) -> list[SourceRecord]:
    settings = house.project.syncs[sync]
    source, _ = open_source(settings, house.connections[settings.source.connection], print)
    return [record for page in source.snapshot(None) for record in page]


@pytest.mark.parametrize("sync", ["flexi_partners", "contractors", "odoo_to_rest", "rest_to_odoo"])
def test_a_source_keeps_its_promises(house: House, sync: str) -> None:
    settings = house.project.syncs[sync]
    company = house.flexi.companies["demo"]
    first, second, *_ = company.ids("adresar")
    company.update("adresar", first, {"mesto": "Brno"})
    company.delete("adresar", second)
    pages = {"batch": FEW} if settings.source.kind == "alfresco" else {"page": FEW}
    settings = settings.model_copy(update={"source": settings.source.model_copy(update=pages)})
    source, _ = open_source(settings, house.connections[settings.source.connection], print)
    assert len(records_of(house, sync)) > 2 * FEW
    assert check_source(source, feed=settings.source.feed) == []


def test_the_records_of_another_sync_are_a_source_too(house: House) -> None:
    assert house.sync("contractors").problem is None
    settings = house.project.syncs["contractor_partners"]
    source, _ = open_source(settings, InterfaceDatabase(), print)
    assert check_source(source) == []


@pytest.mark.parametrize("sync", ["flexi_partners", "rest_to_odoo", "odoo_to_rest"])
def test_a_target_keeps_its_promises(house: House, sync: str) -> None:
    settings = house.project.syncs[sync]
    source = house.connections[settings.source.connection]
    target, _ = open_target(settings, house.connections[settings.target.connection], source, print)
    values: dict[str, Any] = {"name": "Conformance s.r.o.", "city": "Praha", "email": ""}
    records = [TargetRecord(key, f"kit_{key}", {**values, "name": f"Firma {key}"}, None) for key in "abc"]
    refused = TargetRecord("z", "kit_z", {**values, "name": ""}, None)
    is_odoo = settings.target.kind == "odoo"
    assert check_target(target, records, {"city": "Brno"}, refused=refused, archives=is_odoo) == []


def test_a_target_that_only_changes_keeps_its_promises(house: House) -> None:
    settings, alfresco = house.project.syncs["contractors"], house.connections["alfresco"]
    target, _ = open_target(settings, alfresco, alfresco, print)
    title = "idocs:fullOrganizationName"
    records = [
        TargetRecord(one.key, one.key, {title: one.payload.get(title) or ""}, one.key)
        for one in records_of(house, "contractors")[:3]
    ]
    assert check_target(target, records, {title: "Conformance"}, existing=True) == []


def test_the_lookup_keeps_its_promises(house: House) -> None:
    settings = house.project.syncs["contractors"]
    lookup, _ = open_lookup(settings, house.connections["kontur"])
    payloads = [record.payload for record in records_of(house, "contractors")]
    assert check_lookup(lookup, payloads, unknown="7707083893") == []
