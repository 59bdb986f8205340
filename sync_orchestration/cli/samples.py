"""What the demo's shop pushes to the intake: people before the companies that they belong to, and two mistakes."""

from typing import Any

import requests

from sync_orchestration.cli.output import out, shown

_CUSTOMERS = 60
_TOWNS = ("Praha", "Brno", "Ostrava", "Plzeň", "Liberec", "Olomouc")


def push_samples(url: str, token: str) -> None:
    """Push them, and print what the intake says. Raises requests.RequestException when it does not answer."""
    answer = requests.post(
        f"{url}/v1/intake_partners/records",
        json={"records": [*_customers(), *_mistakes()]},
        headers={"Authorization": f"Bearer {token}"},
        timeout=30,
    )
    answer.raise_for_status()
    report = answer.json()
    refused = sum(record["outcome"] == "refused" for record in report["records"])
    out.print(f"A shop pushed {len(report['records'])} records to the intake; {refused} were refused at the door:")
    for error in report["errors"]:
        told = shown(f"{error['key']} {error['field']}: {error['message']}")
        out.print(f"  [red]refused[/red] {told}", soft_wrap=True)


def _customers() -> list[dict[str, Any]]:
    """Return people before the companies that they belong to, which is not the order in which they can be written."""
    people = [
        {
            "key": f"S-{n}",
            "data": {
                "name": f"Customer {n}",
                "country": "CZ",
                "city": _TOWNS[n % len(_TOWNS)],
                "email": f"customer{n}@shop.example",
                "is_company": False,
                "parent": f"S-{1_000 + n // 10}",
            },
        }
        for n in range(_CUSTOMERS)
    ]
    companies = [
        {"key": f"S-{1_000 + n}", "data": {"name": f"Shop customer {n} s.r.o.", "country": "CZ", "is_company": True}}
        for n in range(_CUSTOMERS // 10)
    ]
    return [*people, *companies]


def _mistakes() -> list[dict[str, Any]]:
    return [
        {"key": "S-2000", "data": {"name": "Nowhere Ltd.", "country": "XX", "email": "nowhere"}},
        {"key": "S-2001", "data": {"country": "CZ", "phone": 420222333444}},
    ]
