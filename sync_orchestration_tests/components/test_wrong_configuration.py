"""A wrong configuration is nobody's record's fault: the pass stops before it touches a row, and says what to change."""

from collections.abc import Callable
from typing import Any

import pytest

from sync_orchestration.sandbox.faults import FaultRule
from sync_orchestration_tests.components.house import SECRET, House, house, servers
from sync_orchestration_tests.components.places import own_project

__all__ = ["house", "own_project", "servers"]

WRONG = "another-secret-9f31"
Spoil = Callable[[House], object]

FLEXI, REGISTER, PARTNERS = "flexi_partners", "contractors", "contractor_partners"
OUT, IN, PUSHED = "odoo_to_rest", "rest_to_odoo", "intake_partners"
TO_ODOO = (FLEXI, PARTNERS, IN, PUSHED)


def variable(name: str, value: str = WRONG) -> Spoil:
    return lambda house: house.setenv(name, value)


def yaml(sync: str, **changes: Any) -> Spoil:
    """Another YAML: `source__model` is `model` below `source`."""

    def change(settings: dict[str, Any]) -> None:
        for path, value in changes.items():
            *parts, last = path.split("__")
            place = settings
            for part in parts:
                place = place[part]
            place[last] = value

    return lambda house: house.edit(sync, change)


def deny(model: str, *operations: str) -> Spoil:
    return lambda house: house.switch_odoo(deny={model: operations})


def answer(system: str, status: int, path: str) -> Spoil:
    return lambda house: getattr(house, system).faults.add(
        FaultRule(kind="status", status=status, path=path, times=None)
    )


def state_reference(model: str, field: str) -> dict[str, Any]:
    return {"from": "country", "reference": {"model": model, "field": field}}


def flexi_country(model: str, field: str) -> Spoil:
    reference = {"from": "stat", "transform": [{"strip_prefix": "code:"}], **state_reference(model, field)}
    return yaml(FLEXI, mapping__country_id={**reference, "from": "stat"})


def forgotten_answers(house: House) -> None:
    """The register must be asked again, with another key."""
    house.conn.execute("DELETE FROM sync.lookup_answer")
    house.setenv("KONTUR_KEY", WRONG)


def written_before(sync: str) -> Spoil:
    """All records are there already and have changed; they may no longer be written."""

    def spoil(house: House) -> None:
        assert house.sync(sync).problem is None
        house.odoo.call("res.partner", "write", [r["id"] for r in linked(house)], {"name": "somebody else's"})
        house.conn.execute("DELETE FROM sync.interface_row WHERE sync = %s AND status <> 'processed'", (sync,))
        house.conn.execute("DELETE FROM sync.interface_attempt")
        house.conn.execute("UPDATE sync.interface_row SET status = 'pending', attempts = 0 WHERE sync = %s", (sync,))
        deny("res.partner", "write")(house)

    return spoil


def linked(house: House) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = house.odoo.call(
        "ir.model.data", "search_read", [["model", "=", "res.partner"], ["noupdate", "=", False]], ["res_id"]
    )
    return [{"id": row["res_id"]} for row in found]


CASES: list[tuple[str, str, Spoil, str]] = [
    # Credentials, addresses and names of databases, by the variable that holds them.
    (FLEXI, "password of the source", variable("FLEXI_PASSWORD"), "FLEXI_PASSWORD"),
    (FLEXI, "company", variable("FLEXI_COMPANY", "nobody"), "FLEXI_COMPANY"),
    (REGISTER, "password of the repository", variable("ALFRESCO_PASSWORD"), "ALFRESCO_PASSWORD"),
    (REGISTER, "key of the register", variable("KONTUR_KEY"), "KONTUR_KEY"),
    (PARTNERS, "key of the register", forgotten_answers, "KONTUR_KEY"),
    (OUT, "key of the source", variable("ODOO_API_KEY"), "ODOO_API_KEY"),
    (OUT, "database of the source", variable("ODOO_DATABASE", "nobody"), "ODOO_DATABASE"),
    (OUT, "token of the target", variable("REST_TOKEN"), "refuses the credentials"),
    (IN, "token of the source", variable("REST_TOKEN"), "refuses the credentials"),
    *((sync, "key of the target", variable("ODOO_API_KEY"), "ODOO_API_KEY") for sync in TO_ODOO),
    *((sync, "database of the target", variable("ODOO_DATABASE", "nobody"), "ODOO_DATABASE") for sync in TO_ODOO),
    # Rights.
    *((sync, "right to create", deny("res.partner", "create"), "may not create res.partner") for sync in TO_ODOO),
    *((sync, "right to write", written_before(sync), "may not write res.partner") for sync in TO_ODOO),
    *((sync, "right to read", deny("res.partner", "read"), "may not read res.partner") for sync in TO_ODOO),
    *((sync, "right to countries", deny("res.country", "read"), "res.country") for sync in TO_ODOO),
    (PARTNERS, "right to tags", deny("res.partner.category", "create"), "may not create res.partner.category"),
    (OUT, "right to the source", deny("res.partner", "read"), "may not read res.partner"),
    (OUT, "right to a relation", deny("res.country", "read"), "may not read res.country"),
    (OUT, "right to the target", lambda h: h.switch_rest(forbidden=("/partners",)), "does not let this user do"),
    (IN, "right to the source", lambda h: h.switch_rest(forbidden=("/contacts",)), "does not let this user do"),
    (REGISTER, "right to the nodes", answer("alfresco", 403, "/nodes/"), "may not"),
    (FLEXI, "right to the evidence", answer("flexi", 403, "/adresar"), "no right to read adresar"),
    # The YAML: what a system does not know.
    (FLEXI, "evidence", yaml(FLEXI, source__evidence="adresarr"), "adresarr"),
    (FLEXI, "field of the source", yaml(FLEXI, mapping__name="nazevv"), "nazevv"),
    (OUT, "model of the source", yaml(OUT, source__model="res.partnr"), "res.partnr"),
    (OUT, "field of the source", yaml(OUT, mapping__name="nmae"), "nmae"),
    (OUT, "field of a relation", yaml(OUT, mapping__country="country_id.cod"), "cod"),
    (OUT, "domain", yaml(OUT, source__domain=[["is_compny", "=", True]]), "domain"),
    (OUT, "condition", yaml(OUT, when="contry_id is not empty"), "contry_id"),
    (OUT, "path of the target", yaml(OUT, target__path="/partnerz", target__find=None), "/partnerz"),
    (OUT, "method of the target", yaml(OUT, target__create={"method": "PATCH", "path": "/partners"}), "/partners"),
    (IN, "path of the source", yaml(IN, source__path="/contactz"), "/contactz"),
    (IN, "list in the answer", yaml(IN, source__records="dta"), "dta"),
    (IN, "key of a record", yaml(IN, source__key="idd"), "idd"),
    (IN, "time of a change", yaml(IN, source__changed={"field": "updatedat"}), "updatedat"),
    (REGISTER, "type of the nodes", yaml(REGISTER, source__type="idocs:nothing"), "idocs:nothing"),
    (FLEXI, "model of a reference", flexi_country("res.contry", "code"), "res.contry"),
    (FLEXI, "field of a reference", flexi_country("res.country", "cod"), "cod"),
    *((sync, "model", yaml(sync, target__model="res.partnr"), "res.partnr") for sync in TO_ODOO),
    *((sync, "context", yaml(sync, target__context={"lang": "fr_FR"}), "target.context") for sync in TO_ODOO),
    *(
        (
            sync,
            "model of a reference",
            yaml(sync, mapping__country_id=state_reference("res.contry", "code")),
            "res.contry",
        )
        for sync in (IN, PUSHED)
    ),
    *(
        (sync, "field of a reference", yaml(sync, mapping__country_id=state_reference("res.country", "cod")), "cod")
        for sync in (IN, PUSHED)
    ),
]


@pytest.mark.parametrize(
    ("sync", "what", "spoil", "said"), [pytest.param(*case, id=f"{case[0]}: {case[1]}") for case in CASES]
)
def test_a_wrong_setting_stops_the_pass_before_it_touches_a_row_and_is_named(
    house: House, sync: str, what: str, spoil: Spoil, said: str
) -> None:
    del what
    if sync == PARTNERS:
        assert house.sync(REGISTER).problem is None
    house.land(sync)
    spoil(house)
    before = house.rows(sync)
    problem = str(house.sync(sync).problem)
    assert said in problem
    assert len(problem.split(". ")) <= 3
    assert SECRET not in problem
    assert WRONG not in problem
    assert before == house.rows(sync) == {("pending", 0)}
    assert house.attempts(sync) == 0
    state = house.state(sync)
    assert state.error == problem
    assert state.status == "ERROR"
