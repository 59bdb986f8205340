"""Records that somebody chooses in the Launchpad, by their keys or by a domain of Odoo; tried out before, if wished."""

from typing import Any

import dagster as dg
import pytest

from sync_orchestration_tests.components.rest_places import OUT, Exchange, exchange, new_exchange, shipped

__all__ = ["exchange", "new_exchange", "shipped"]


def chosen(exchange: Exchange, **config: Any) -> dg.ExecuteInProcessResult:
    settings = {"sync": OUT, "keys": [], "domain": "", "dry_run": False, **config}
    return exchange.job("sync_records", "chosen_records", **settings)


def metadata_of(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    (output,) = (e for e in result.all_events if e.is_successful_output)
    return {name: value.value for name, value in output.step_output_data.metadata.items()}


def test_a_domain_chooses_records_and_only_they_are_sent(exchange: Exchange) -> None:
    companies = exchange.companies
    names = [["id", "in", companies[:3]]]
    assert chosen(exchange, domain=str(names)).success
    assert {int(key) for key in exchange.partners()} == set(companies[:3])


@pytest.mark.parametrize("domain", ["[('id', '>', 0)]", '[["id", ">", 0]]'], ids=["as in Odoo", "as JSON"])
def test_a_dry_run_of_a_domain_sends_nothing_and_shows_what_would_be(exchange: Exchange, domain: str) -> None:
    result = chosen(exchange, domain=domain, dry_run=True)
    assert result.success
    shown = metadata_of(result)
    assert shown["would_create"] == len(exchange.companies)
    assert shown["changes"]
    assert exchange.partners() == {}
    assert exchange.rows() == {}


def test_a_dry_run_without_a_choice_is_of_everything_new(exchange: Exchange) -> None:
    assert metadata_of(chosen(exchange, dry_run=True))["would_create"] == len(exchange.companies)
    exchange.sync()
    company = exchange.companies[0]
    exchange.write(company, city="Nová Ves")
    shown = metadata_of(chosen(exchange, dry_run=True))
    assert shown["would_update"] == 1
    assert exchange.partners()[str(company)]["city"] != "Nová Ves"


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({}, "No record is chosen"),
        ({"domain": "[('id', '=', 0)]"}, "No record is chosen"),
        ({"domain": "__import__('os').getcwd()"}, "is no domain"),
        ({"domain": "id = 4"}, "is no domain"),
        ({"sync": "rest_to_odoo", "domain": "[('id', '>', 0)]"}, "knows no domains"),
    ],
)
def test_a_choice_that_cannot_be_is_refused_with_a_plain_sentence(
    exchange: Exchange, config: dict[str, Any], said: str
) -> None:
    result = chosen(exchange, **config)
    assert not result.success
    (failure,) = (e for e in result.all_events if e.is_step_failure)
    assert failure.step_failure_data.user_failure_data is not None
    assert said in str(failure.step_failure_data.user_failure_data.description)
