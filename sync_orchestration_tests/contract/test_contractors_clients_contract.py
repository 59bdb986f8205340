"""What our clients send to Alfresco and to Kontur fits the official OpenAPI files, where those are at hand."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import yaml

from sync_orchestration.sandbox.alfresco import AlfrescoWorld, alfresco_app
from sync_orchestration.sandbox.kontur import KonturWorld, kontur_app
from sync_orchestration.sandbox.server import serve
from sync_orchestration.systems.alfresco.source import AlfrescoSource
from sync_orchestration.systems.alfresco.v1 import AlfrescoV1
from sync_orchestration.systems.http import HttpClient, HttpSettings
from sync_orchestration.systems.kontur import KonturClient
from sync_orchestration_tests.contract.test_alfresco_kontur_stand_in_contract import contract, violations
from sync_orchestration_tests.recording import Asked, Recording

PUBLIC = "/alfresco/api/-default-/public"


@cache
def description(file: str) -> dict[str, Any]:
    """Return one OpenAPI file."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with contract("openapi", file).open(encoding="utf-8") as stream:
        loaded: dict[str, Any] = yaml.load(stream, loader)
    return loaded


def operation(file: str, asked: Asked) -> dict[str, Any]:
    """Return what is described for a request, found by its path and method."""
    base = description(file).get("basePath", "")
    for template, methods in description(file)["paths"].items():
        parts = f"{base}{template}".split("/")
        given = asked.path.split("/")
        fits = len(parts) == len(given) and all(p == g or p.startswith("{") for p, g in zip(parts, given, strict=True))
        if fits and asked.method.lower() in methods:
            described: dict[str, Any] = methods[asked.method.lower()]
            return described
    raise AssertionError(f"{file} describes no {asked}")


def body_violations(file: str, asked: Asked) -> list[str]:
    """Return what the description does not allow in a request's body and parameters."""
    known = description(file)["definitions"]
    parameters = operation(file, asked).get("parameters", [])
    # Parameters may be shared; those used here stand with the operation or not at all.
    names = {p["name"] for p in parameters if p.get("in") == "query"}
    found = [f"{name} is not described" for name in asked.params if name not in names]
    bodies = [p for p in parameters if p.get("in") == "body"]
    if asked.body is not None:
        assert bodies, f"{asked} has a body that is not described"
        found += violations(asked.body, bodies[0]["schema"], known)
    return found


@pytest.fixture(scope="module")
def to_alfresco() -> Iterator[list[Asked]]:
    """Every kind of request that a pass in the plain dialect sends."""
    world = AlfrescoWorld.demo(contractors=100)
    recording = Recording(alfresco_app(world))
    with serve(recording) as url:
        dialect = AlfrescoV1(HttpClient(HttpSettings("Alfresco", url, ("admin", "admin"))), "idocs:contractor")
        source = AlfrescoSource(dialect, 50)
        source.head()
        keys = [change.key for page in source.changes(0) for change in page.changes]
        dialect.read(keys[:2])
        dialect.check()
        dialect.change(world.planted["unchanged"][0], {"idocs:okpo": "00242766", "idocs:CEOname": None})
        yield list(recording.asked)


def test_searches_fit_the_official_description(to_alfresco: list[Asked]) -> None:
    searches = [asked for asked in to_alfresco if asked.path.endswith("/search")]
    assert len(searches) >= 4
    for asked in searches:
        assert body_violations("alfresco-search.yaml", asked) == []


def test_reads_and_changes_of_nodes_fit_the_official_description(to_alfresco: list[Asked]) -> None:
    nodes = [asked for asked in to_alfresco if "/nodes/" in asked.path]
    assert {asked.method for asked in nodes} == {"GET", "PUT"}
    for asked in nodes:
        assert body_violations("alfresco-core.yaml", asked) == []


def test_nothing_else_is_asked_but_the_metadata_web_script(to_alfresco: list[Asked]) -> None:
    """It is no part of the public API; the recorded repository has it as a script with limited support."""
    others = {str(a) for a in to_alfresco if not a.path.startswith(f"{PUBLIC}/")}
    assert others == {"GET /alfresco/s/api/metadata"}


def test_questions_to_the_register_fit_the_official_description() -> None:
    paths = json.loads(contract("openapi", "kontur-focus-v2.trimmed.json").read_text(encoding="utf-8"))["paths"]
    world = KonturWorld.demo(contractors=100)
    recording = Recording(kontur_app(world))
    with serve(recording) as url:
        client = KonturClient(HttpClient(HttpSettings("Kontur", url, secrets=(world.key,))), world.key)
        client.companies("inn", [company.inn for company in world.companies][:100])
        client.companies("ogrn", [company.ogrn for company in world.companies][:1])
        client.usage()
    assert [str(a) for a in recording.asked] == ["GET /api3/req", "GET /api3/req", "GET /api3/stat"]
    for asked in recording.asked:
        described = {p["name"]: p for p in paths[asked.path]["get"]["parameters"]}
        required = {name for name, p in described.items() if p.get("required")}
        assert required <= set(asked.params) <= set(described)
        assert asked.body is None
        assert all(len(values) == 1 for values in asked.params.values())
    numbers = recording.asked[0].params["inn"][0].split(",")
    assert len(numbers) <= 100


def test_the_checker_finds_what_is_not_described(to_alfresco: list[Asked]) -> None:
    search = next(asked for asked in to_alfresco if asked.path.endswith("/search"))
    spoilt = Asked(search.method, search.path, {"page": ["1"]}, {**search.body, "sorting": []})
    assert len(body_violations("alfresco-search.yaml", spoilt)) == 2
    with pytest.raises(AssertionError, match="describes no"):
        operation("alfresco-search.yaml", Asked("PATCH", search.path, {}, None))
