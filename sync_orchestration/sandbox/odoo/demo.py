"""Demo content: a database in which somebody has kept partners by hand for years."""

import random
from collections.abc import Sequence

from .database import Database
from .errors import Json, Row
from .table import Transaction

ADOPTABLE = 40
DOUBLES = 2
UNRELATED = 20

_FIRST = ("Alfa", "Beta", "Delta", "Gamma", "Helios", "Kappa", "Lumen", "Nova", "Orion", "Prima", "Sigma", "Terra")
_SECOND = ("Trade", "Logistics", "Print", "Metal", "Foods", "Agro", "Systems", "Textile", "Glass", "Energy")
_FORMS = {"CZ": "s.r.o.", "SK": "s.r.o.", "DE": "GmbH", "PL": "Sp. z o.o.", "UA": "TOV", "AT": "GmbH"}
_CITIES = {"CZ": "Brno", "SK": "Žilina", "DE": "Dresden", "PL": "Wrocław", "UA": "Київ", "AT": "Linz"}


def fill(db: Database, existing: Sequence[Row], seed: int) -> None:
    """Add partners: the first of `existing` (two of them twice), and others that nobody syncs."""
    rng = random.Random(seed)
    tx = db.begin()
    adoptable = [_adoptable(db, values) for values in existing[:ADOPTABLE]]
    for values in adoptable:
        _add(db, tx, values)
    for values in [one for one in adoptable if one.get("company_registry")][:DOUBLES]:
        _add(db, tx, {**values, "name": f"{values['name']} (2)", "ref": False})
    unrelated = [_made_up(db, rng, number) for number in range(UNRELATED)]
    companies = [_add(db, tx, values) for values in unrelated]
    _add(db, tx, {"name": "Jan Dvořák", "parent_id": companies[0], "email": "dvorak@example.com"})
    _add(db, tx, {"name": "Closed Shop Ltd.", "is_company": True, "active": False, "ref": "OLD-1"})


def _adoptable(db: Database, values: Row) -> Row:
    """Return what a person typed in for that company: its numbers, and a name in capitals."""
    fields = db.models["res.partner"].fields
    name = str(values.get("name") or f"Company {values.get('company_registry') or values.get('ref')}")
    known: Row = {key: value for key, value in values.items() if key in fields and value}
    return {
        **known,
        "name": name.upper(),
        "is_company": True,
        "country_id": _country(db, str(values.get("country_code") or "")),
    }


def _made_up(db: Database, rng: random.Random, number: int) -> Row:
    code = rng.choice(sorted(_FORMS))
    return {
        "name": f"{rng.choice(_FIRST)} {rng.choice(_SECOND)} {_FORMS[code]}",
        "is_company": True,
        "city": _CITIES[code],
        "country_id": _country(db, code),
        "company_registry": f"9{rng.randrange(10**7):07d}",
        "email": f"office{number}@example.com",
        "comment": rng.choice([False, "<p>Pays late.</p>", "<p>Calls before noon.</p>"]),
    }


def _country(db: Database, code: str) -> Json:
    found = db.tables["res.country"].find("code", [code])
    return found[0] if found else False


def _add(db: Database, tx: Transaction, values: Row) -> int:
    return db.insert(tx, "res.partner", values, uid=2)
