"""What each system is asked to do, all of it listed here: a call that needs a new right shows up in review.

The lists are those of docs/security.md. Odoo's user has exactly the groups that are documented for the sync.
"""

import re
from collections.abc import Iterable
from typing import Any

import pytest
import requests

from sync_orchestration.sandbox.odoo.access import Role
from sync_orchestration_tests.security.conftest import NewHouse
from sync_orchestration_tests.security.house import SECRETS, SYNCS, House

ODOO_18 = {("common", "authenticate")}
ODOO_19 = {("res.users", "context_get")}
ODOO_ALWAYS = {("res.partner", "fields_get")}

ODOO: dict[str, tuple[Role, set[tuple[str, str]]]] = {
    "flexi_partners": (
        "access_rights",  # match_on adds external ids to partners that are there already
        {
            ("ir.model.data", "search_read"),
            ("res.country", "search_read"),
            ("res.partner", "fields_get"),
            ("res.partner", "load"),
            ("res.partner", "search_read"),
            ("res.partner", "check_access_rights"),
            ("res.partner", "write"),
        },
    ),
    "contractor_partners": (
        "access_rights",
        {
            ("ir.model.data", "create"),
            ("ir.model.data", "search_read"),
            ("res.country", "search_read"),
            ("res.partner", "fields_get"),
            ("res.partner", "load"),
            ("res.partner", "search_read"),
            ("res.partner.category", "create"),
            ("res.partner.category", "search_read"),
        },
    ),
    "rest_to_odoo": (
        "contact_manager",
        {
            ("ir.model.data", "search_read"),  # is refused, and done without
            ("res.country", "search_read"),
            ("res.partner", "fields_get"),
            ("res.partner", "load"),
            ("res.partner", "search_read"),
        },
    ),
    "intake_partners": (
        "contact_manager",
        {
            ("ir.model.data", "search_read"),
            ("res.country", "search_read"),
            ("res.partner", "fields_get"),
            ("res.partner", "load"),
            ("res.partner", "search_read"),
        },
    ),
    "odoo_to_rest": (
        "internal",  # reads only
        {
            ("res.country", "fields_get"),
            ("res.country", "search_read"),
            ("res.partner", "fields_get"),
            ("res.partner", "search_read"),
            ("res.partner.category", "fields_get"),
            ("res.partner.category", "search_read"),
        },
    ),
}

PATHS = {
    "flexi": {
        "GET /c/demo.json",
        "GET /c/demo/adresar/(id gt N).json",
        "GET /c/demo/adresar.json",
        "GET /c/demo/adresar/properties.json",  # which fields there are
        "GET /c/demo/changes.json",
        "GET /c/demo/changes/status.json",
        "POST /c/demo/adresar/get.json",  # a read: the ids stand in its body
    },
    "alfresco": {
        "GET /alfresco/api/-default-/public/alfresco/versions/1/nodes/ID",
        "GET /alfresco/s/api/metadata",
        "POST /alfresco/api/-default-/public/search/versions/1/search",
        "PUT /alfresco/api/-default-/public/alfresco/versions/1/nodes/ID",
    },
    "kontur": {"GET /api3/req"},
    "rest": {
        "GET /contacts",
        "GET /contacts/N",
        "GET /partners",
        "POST /partners",
        "PUT /partners/N",
        "DELETE /partners/N",
    },
}

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")


def asked_of_odoo(house: House) -> set[tuple[str, str]]:
    """(model, method) of every call; of JSON-RPC's own services their names."""
    found = set()
    for _, path, body in house.voices["odoo"].asked:
        if path.startswith("/json/2/"):
            model, method = path.split("/")[3:5]
            found.add((model, method))
        elif path == "/jsonrpc":
            params: Any = body["params"]
            call = params["args"][3:5] if params["method"] == "execute_kw" else [params["service"], params["method"]]
            found.add((call[0], call[1]))
    house.voices["odoo"].asked.clear()
    return found


def paths(house: House, system: str) -> set[str]:
    asked: Iterable[tuple[str, str, Any]] = house.voices[system].asked
    return {f"{method} {re.sub(r'[0-9]+(?=[).]|$)', 'N', _UUID.sub('ID', path))}" for method, path, _ in asked}


def push(house: House, key: str, **record: Any) -> None:
    answer = requests.post(
        f"{house.intake_url}/v1/intake_partners/records",
        json={"records": [{"key": key, **record}]},
        headers={"Authorization": f"Bearer {SECRETS['INTAKE_TOKEN']}"},
        timeout=60,
    )
    assert answer.json()["accepted"] == 1, answer.text


@pytest.mark.parametrize("version", [18, 19])
def test_every_sync_works_with_the_documented_rights_and_asks_for_nothing_else(
    new_house: NewHouse, version: int
) -> None:
    house = new_house(odoo=version)
    login = ODOO_18 if version == 18 else ODOO_19
    push(house, "K-1", data={"name": "Alfa", "country": "CZ", "parent": "K-2"})
    push(house, "K-2", data={"name": "Beta", "country": "CZ"})
    assert house.sync("contractors").problem is None
    asked_of_odoo(house)
    for name, (role, expected) in ODOO.items():
        house.give_role(role)
        report = house.sync(name)
        assert report.problem is None, f"{name} as {role}"
        assert report.counts["processed"] > 0, f"{name} as {role}: {report}"
        assert asked_of_odoo(house) <= expected | login | ODOO_ALWAYS, f"{name} needs a right that is not documented"
    for system, expected_paths in PATHS.items():
        assert paths(house, system) <= expected_paths, f"{system} is asked for what is not documented"
    assert set(SYNCS) == {"contractors", *ODOO}


@pytest.mark.parametrize(
    ("name", "role"), [("odoo_to_rest", "portal"), ("rest_to_odoo", "internal"), ("flexi_partners", "contact_manager")]
)
def test_one_right_less_stops_the_sync_with_a_sentence_and_writes_nothing(house: House, name: str, role: Role) -> None:
    house.give_role(role)
    before = len(house.odoo.db.tables["res.partner"].rows)
    problem = house.sync(name).problem
    assert problem is not None
    assert "Odoo" in problem
    assert len(house.odoo.db.tables["res.partner"].rows) == before
