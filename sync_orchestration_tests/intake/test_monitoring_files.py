"""Dashboard, alerts and the page about them speak of figures that are really served, and only of those."""

import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from sync_orchestration.intake import IntakeSettings, RunFigures, intake_app
from sync_orchestration.sandbox.server import serve

ROOT = Path(__file__).parent.parent.parent
DASHBOARD = json.loads((ROOT / "deploy/grafana/dashboard.json").read_text(encoding="utf-8"))
ALERTS = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yaml").read_text(encoding="utf-8"))
PAGE = (ROOT / "docs/observing.md").read_text(encoding="utf-8")

_NAME = re.compile(r"\b(?:sync|intake)_[a-z_]+\b(?!\s*[=!]~?)")
_SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
_COLUMNS = {"grid": 24}


@pytest.fixture
def families(database_url: str) -> list[Metric]:
    """What an intake serves that knows everything."""
    app = intake_app(IntakeSettings(contracts=(), senders=()), database_url, {}, runs=RunFigures)
    try:
        with serve(app) as url:
            while "sync_requests" not in (text := requests.get(f"{url}/metrics", timeout=60).text):
                pass
    finally:
        app.close()
    return list(text_string_to_metric_families(text))


def _panels() -> list[dict[str, Any]]:
    return list(DASHBOARD["panels"])


def _expressions() -> Iterator[tuple[str, str]]:
    for panel in _panels():
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], variable["definition"]
    for rule in _rules():
        yield rule["alert"], rule["expr"]


def _rules() -> list[dict[str, Any]]:
    return [rule for group in ALERTS["groups"] for rule in group["rules"]]


def test_every_figure_of_dashboard_and_alerts_is_served(families: list[Metric]) -> None:
    served = {f"{one.name}{suffix}" for one in families for suffix in _SUFFIXES[one.type]}
    asked = [(title, name) for title, expression in _expressions() for name in _NAME.findall(expression)]
    assert len(asked) > 40
    assert [(title, name) for title, name in asked if name not in served] == []


def test_every_figure_that_is_served_stands_on_the_dashboard_or_in_the_page(families: list[Metric]) -> None:
    assert [row for row in map(_row, families) if row not in PAGE] == []
    rows = re.findall(r"^\| `((?:sync|intake)_\w+)` \|", PAGE, re.MULTILINE)
    assert sorted(rows) == sorted(_shown(one) for one in families)


def _shown(family: Metric) -> str:
    return family.name + ("_total" if family.type == "counter" else "")


def _row(family: Metric) -> str:
    return f"| `{_shown(family)}` | {family.type} | {family.documentation} |"


def test_no_panel_lies_on_another_one_and_each_says_what_it_shows() -> None:
    places = [(panel["title"], panel["gridPos"]) for panel in _panels()]
    for (one, a), (other, b) in combinations(places, 2):
        apart_x = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        apart_y = a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
        assert apart_x or apart_y, f"{one!r} and {other!r} overlap"
    assert all(place["x"] + place["w"] <= _COLUMNS["grid"] for _, place in places)
    assert len({panel["id"] for panel in _panels()}) == len(_panels())
    assert [panel["title"] for panel in _panels() if panel["type"] != "row" and not panel.get("description")] == []


def test_the_data_source_is_chosen_by_whoever_looks() -> None:
    assert [v["type"] for v in DASHBOARD["templating"]["list"] if v["name"] == "datasource"] == ["datasource"]
    sources = {
        json.dumps(one["datasource"])
        for panel in _panels()
        if panel["type"] != "row"
        for one in (panel, *panel["targets"])
    }
    assert sources == {json.dumps({"type": "prometheus", "uid": "${datasource}"})}


def test_every_alert_says_what_to_do() -> None:
    assert len(_rules()) == len({rule["alert"] for rule in _rules()}) <= 10
    for rule in _rules():
        said = rule["annotations"]
        assert said["summary"].endswith(".")
        assert said["what_to_do"].endswith(".")
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["alert"] in PAGE
