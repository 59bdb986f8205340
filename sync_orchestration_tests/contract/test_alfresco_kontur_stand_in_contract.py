"""The stand-ins' answers against recorded payloads and the official OpenAPI files, where those are at hand."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from sync_orchestration.sandbox.alfresco import AlfrescoSwitches, AlfrescoWorld, alfresco_app
from sync_orchestration.sandbox.kontur import KonturSwitches, KonturWorld, kontur_app
from sync_orchestration.sandbox.server import serve

Json = dict[str, Any]

CONTRACTS = Path(__file__).parents[2].parent / "shared" / "contracts"
PUBLIC = "/alfresco/api/-default-/public"
AUTH = ("admin", "admin")
RANGE = 'TYPE:"idocs:contractor" AND sys:node\\-dbid:<0 TO MAX]'
SORT = [{"type": "FIELD", "field": "sys:node-dbid", "ascending": True}]


def contract(*parts: str) -> Path:
    path = CONTRACTS.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"no contract sample {'/'.join(parts)} beside the checkout")
    return path


def sample(*parts: str) -> Any:
    return json.loads(contract(*parts).read_text(encoding="utf-8"))


@cache
def definitions(file: str) -> Json:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with contract("openapi", file).open(encoding="utf-8") as stream:
        loaded: Json = yaml.load(stream, loader)["definitions"]
    return loaded


# A checker for the part of OpenAPI 2 that these files use

TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
}


def violations(value: Any, schema: Json, known: Json, path: str = "$") -> list[str]:
    """What is wrong with `value`; unknown keys of a described object count as wrong."""
    schema = resolved(schema, known)
    kind = schema.get("type", "object" if "properties" in schema else None)
    if kind and (not isinstance(value, TYPES[kind]) or (isinstance(value, bool) and kind != "boolean")):
        return [f"{path}: {value!r} is no {kind}"]
    found = []
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{path}: {value!r} is not one of {schema['enum']}")
    if "pattern" in schema and not re.search(schema["pattern"], value):
        found.append(f"{path}: {value!r} does not match {schema['pattern']}")
    if kind == "array":
        for number, item in enumerate(value):
            found += violations(item, schema.get("items", {}), known, f"{path}[{number}]")
    if kind == "object" and "properties" in schema:
        found += [f"{path}: {name} is missing" for name in schema.get("required", ()) if name not in value]
        for name, item in value.items():
            if name not in schema["properties"]:
                found.append(f"{path}: {name} is not described")
            else:
                found += violations(item, schema["properties"][name], known, f"{path}.{name}")
    return found


def resolved(schema: Json, known: Json) -> Json:
    if "$ref" in schema:
        return resolved(known[schema["$ref"].rpartition("/")[2]], known)
    if "allOf" not in schema:
        return schema
    parts = [resolved(part, known) for part in schema["allOf"]]
    return {
        "type": "object",
        "required": [name for part in parts for name in part.get("required", ())],
        "properties": {name: value for part in parts for name, value in part.get("properties", {}).items()},
    }


# A checker against samples: every leaf by its path, lists without their positions


def shape(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from shape(item, f"{path}.{name}")
    elif isinstance(value, list):
        for item in value:
            yield from shape(item, f"{path}[]")
    else:
        yield path, type(value).__name__


@pytest.fixture(scope="module")
def alfresco_world() -> AlfrescoWorld:
    return AlfrescoWorld.demo(contractors=150)


@pytest.fixture(scope="module")
def alfresco(alfresco_world: AlfrescoWorld) -> Iterator[str]:
    with serve(alfresco_app(alfresco_world)) as url:
        yield url


@pytest.fixture
def node_id(alfresco_world: AlfrescoWorld) -> str:
    return alfresco_world.planted["unchanged"][0]


def searched(url: str, **more: Any) -> requests.Response:
    body = {"query": {"language": "afts", "query": RANGE}, "sort": SORT, **more}
    return requests.post(f"{url}{PUBLIC}/search/versions/1/search", json=body, auth=AUTH)


# Alfresco against the official OpenAPI files


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"include": ["properties", "aspectNames", "path", "isLocked", "isLink", "allowableOperations"]},
        {"query": {"query": 'TYPE:"idocs:contractor"'}},
        {"paging": {"maxItems": 5, "skipCount": 20}},
    ],
)
def test_a_search_answer_fits_its_schema(alfresco: str, more: Json) -> None:
    known = definitions("alfresco-search.yaml")
    # The real service sends the `location` that its own description leaves out (it is in the recorded sample).
    node = {**known["Node"], "properties": {**known["Node"]["properties"], "location": {"type": "string"}}}
    known = {**known, "Node": node}
    page = searched(alfresco, **more).json()
    assert page["list"]["entries"]
    assert violations(page, known["ResultSetPaging"], known) == []


def test_a_node_answer_fits_its_schema(alfresco: str, node_id: str) -> None:
    known = definitions("alfresco-core.yaml")
    url = f"{alfresco}{PUBLIC}/alfresco/versions/1/nodes/{node_id}"
    read = requests.get(url, auth=AUTH).json()
    written = requests.put(url, json={"properties": {"idocs:bill": "1"}}, auth=AUTH).json()
    for answer in (read, written):
        assert violations(answer, known["NodeEntry"], known) == []


def test_tickets_probes_and_discovery_fit_their_schemas(alfresco: str) -> None:
    tickets = f"{alfresco}{PUBLIC}/authentication/versions/1/tickets"
    created = requests.post(tickets, json={"userId": "admin", "password": "admin"}).json()
    own = requests.get(f"{tickets}/-me-", params={"alf_ticket": created["entry"]["id"]}).json()
    probe = requests.get(f"{alfresco}{PUBLIC}/alfresco/versions/1/probes/-live-").json()
    repository = requests.get(f"{alfresco}/alfresco/api/discovery", auth=AUTH).json()
    for answer, file, name in (
        (created, "alfresco-auth.yaml", "TicketEntry"),
        (own, "alfresco-auth.yaml", "ValidTicketEntry"),
        (probe, "alfresco-core.yaml", "ProbeEntry"),
        (repository, "alfresco-discovery.yaml", "DiscoveryEntry"),
    ):
        known = definitions(file)
        assert violations(answer, known[name], known) == [], name


def test_error_answers_fit_their_schema(alfresco: str, node_id: str) -> None:
    known = definitions("alfresco-core.yaml")
    nodes = f"{alfresco}{PUBLIC}/alfresco/versions/1/nodes"
    answers = {
        401: requests.get(f"{nodes}/{node_id}", auth=("admin", "wrong")),
        404: requests.get(f"{nodes}/80a94ac4-3ec4-47ad-864e-5d939424c47c", auth=AUTH),
        400: requests.put(f"{nodes}/{node_id}", json={"properties": {"sys:hidden": "x"}}, auth=AUTH),
        500: searched(alfresco, query={"query": "("}),
    }
    for status, answer in answers.items():
        assert answer.status_code == answer.json()["error"]["statusCode"] == status
        assert violations(answer.json(), known["Error"], known) == []


def test_the_checker_itself_finds_what_is_wrong() -> None:
    known = {"A": {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}}
    ref = {"$ref": "#/definitions/A"}
    assert violations({"n": 1}, ref, known) == []
    assert violations({"n": "1"}, ref, known) == ["$.n: '1' is no integer"]
    assert violations({"m": True}, ref, known) == ["$: n is missing", "$: m is not described"]


# Alfresco against recorded payloads


def test_a_search_answer_has_the_keys_of_the_recorded_one(alfresco: str) -> None:
    recorded = sample("alfresco", "search_response_solr.json")["list"]
    page = searched(alfresco).json()["list"]
    assert set(page) == set(recorded)
    assert dict(shape([page["pagination"], page["context"]])) == dict(
        shape([recorded["pagination"], recorded["context"]])
    )
    # A contractor has no content; everything else stands in every row.
    wanted = {(path, kind) for path, kind in shape(recorded["entries"][0]) if ".content" not in path}
    assert set(shape(page["entries"][0])) == wanted


def test_a_written_node_has_the_keys_of_the_recorded_one(alfresco: str, node_id: str) -> None:
    recorded = sample("alfresco", "put_node_response.json")["entry"]
    url = f"{alfresco}{PUBLIC}/alfresco/versions/1/nodes/{node_id}"
    written = requests.put(url, json={"properties": {"idocs:bill": "2"}}, auth=AUTH).json()["entry"]
    assert set(written) == set(recorded) - {"content"}
    for key in ("createdAt", "modifiedAt"):
        assert re.sub(r"\d", "0", written[key]) == re.sub(r"\d", "0", recorded[key])


def test_errors_are_worded_as_recorded(alfresco: str, node_id: str) -> None:
    recorded = {entry["case"]: entry for entry in sample("alfresco", "errors.json")}
    nodes = f"{alfresco}{PUBLIC}/alfresco/versions/1/nodes"
    answers = {
        "bad credentials on any v1 call": requests.get(f"{nodes}/{node_id}", auth=("admin", "wrong")),
        "node does not exist": requests.get(f"{nodes}/80a94ac4-3ec4-47ad-864e-5d939424c47c", auth=AUTH),
        "sys: aspect/property in a write": requests.put(
            f"{nodes}/{node_id}", json={"aspectNames": ["sys:hidden"]}, auth=AUTH
        ),
    }
    for case, answer in answers.items():
        wanted, error = recorded[case], answer.json()["error"]
        assert answer.status_code == wanted["status"]
        assert set(wanted["body"]["error"]) <= set(error)
        assert error["errorKey"] == wanted["body"]["error"]["errorKey"]
        assert without_number(error["briefSummary"]) == without_number(wanted["body"]["error"]["briefSummary"])
        for header, value in wanted.get("headers", {}).items():
            assert answer.headers[header] == value


def without_number(summary: str) -> str:
    return re.sub(r"^\d{8} ", "", summary)


def test_a_ticket_and_the_discovery_look_as_recorded(alfresco: str) -> None:
    tickets = f"{alfresco}{PUBLIC}/authentication/versions/1/tickets"
    ticket = requests.post(tickets, json={"userId": "admin", "password": "admin"}).json()
    recorded_ticket = sample("alfresco", "ticket.json")
    assert dict(shape(ticket)) == dict(shape(recorded_ticket))
    assert re.sub(r"[0-9a-f]", "0", ticket["entry"]["id"]) == re.sub(r"[0-9a-f]", "0", recorded_ticket["entry"]["id"])
    recorded = dict(shape(sample("alfresco", "discovery.json")))
    served = dict(shape(requests.get(f"{alfresco}/alfresco/api/discovery", auth=AUTH).json()))
    # The community edition has no license; direct access URLs came after the recording.
    assert {path for path in set(recorded) - set(served) if ".license." not in path} == set()
    assert set(served) - set(recorded) == {".entry.repository.status.isDirectAccessUrlEnabled"}


def test_an_error_of_the_records_api_looks_as_recorded(alfresco: str, alfresco_world: AlfrescoWorld) -> None:
    recorded = sample("alfresco", "records_api_error_v1.json")
    alfresco_world.switches = AlfrescoSwitches(records_error_type="text")
    body = {"version": 1, "query": {"sourceId": "alfresco/", "language": "sql", "query": ""}}
    answer = requests.post(f"{alfresco}/alfresco/s/citeck/ecos/records/query", json=body, auth=AUTH)
    assert answer.status_code == 200
    assert dict(shape(answer.json())) == dict(shape(recorded))
    assert set(answer.json()) == set(recorded)


# Kontur against recorded payloads

REQ_SAMPLES = {
    "2018": ("req_ul_6663003127_2018.json", "req_ip_561100409545_2018.json"),
    "2021": ("req_inn_561100409545_6663003127.json", "req_inn_7736050003_two_records.json"),
    "2024": ("req_ul_4712017259_2024_new_address_format.json",),
}
DOCUMENTED_BUT_NOT_RECORDED = re.compile(
    r"\[\]\.(UL\.branches\[\]\.kpp"
    r"|UL\.branches\[\]\.parsedAddressRF\.(oneLineFormatOfAddress|bulkRaw|flatRaw|houseRaw)"
    r"|UL\.managementCompanies\[\]\.(name|inn|ogrn|date|firstDate)"
    r"|UL\.status\.(dissolved|date)|UL\.dissolutionDate|UL\.heads\[\]\.firstDate"
    r"|UL\.history\.kpps\[\]\.(kpp|date)|UL\.branches\[\]\.(name|date)"
    r"|UL\.(branches\[\]|legalAddress)\.parsedAddressRF\.(district|city|street|house|bulk|flat)\.topo\w+"
    r"|UL\.(branches\[\]|legalAddress)\.parsedAddressRF\.(zipCode|regionCode|kladrCode|bulkRaw|flatRaw)"
    r"|UL\.branches\[\]\.parsedAddressRF\.regionName\.topo\w+"
    r"|IP\.structuredFio\.(firstName|lastName|middleName)|IP\.\w+|IP\.status\.\w+"
    r"|briefReport\.summary\.redStatements|contactPhones\.count)"
)
"""Keys of the published response classes that the samples of one year happen not to show."""


@pytest.fixture(scope="module")
def kontur_world() -> KonturWorld:
    return KonturWorld.demo(contractors=300)


@pytest.fixture(scope="module")
def kontur(kontur_world: KonturWorld) -> Iterator[str]:
    with serve(kontur_app(kontur_world)) as url:
        yield url


def answered(url: str, world: KonturWorld, method: str = "req") -> list[Json]:
    items: list[Json] = []
    numbers = sorted({company.inn for company in world.companies})
    for start in range(0, len(numbers), 100):
        params = {"key": world.key, "inn": ",".join(numbers[start : start + 100])}
        items += requests.get(f"{url}/api3/{method}", params=params).json()
    return items


@pytest.mark.parametrize("year", list(REQ_SAMPLES))
def test_requisites_have_no_key_that_was_never_seen(kontur: str, kontur_world: KonturWorld, year: Any) -> None:
    kontur_world.switches = KonturSwitches(shape=year)
    recorded = {leaf for name in REQ_SAMPLES[year] for leaf in shape(sample("kontur", name))}
    strange = {
        leaf
        for leaf in shape(answered(kontur, kontur_world))
        if leaf not in recorded and not DOCUMENTED_BUT_NOT_RECORDED.fullmatch(leaf[0])
    }
    assert strange == set()


@pytest.mark.parametrize("year", list(REQ_SAMPLES))
def test_requisites_have_what_every_recorded_item_has(kontur: str, kontur_world: KonturWorld, year: Any) -> None:
    kontur_world.switches = KonturSwitches(shape=year)
    items = answered(kontur, kontur_world)
    for kind in ("UL", "IP"):
        recorded = [item for name in REQ_SAMPLES[year] for item in sample("kontur", name) if kind in item]
        if not recorded:
            continue
        always = set.intersection(*({path for path, _ in shape(item)} for item in recorded))
        always = {path for path in always if not optional(path)}
        for item in (item for item in items if kind in item):
            missing = always - {path for path, _ in shape(item)}
            body = item[kind]
            gone = {".UL.okpo", ".UL.legalName.short", ".UL.legalName.readable"}
            assert missing - (gone if "dissolutionDate" in body else set()) == set()


def optional(path: str) -> bool:
    """Whether a key depends on the company, although each company in the samples happens to have it."""
    return bool(
        re.search(
            r"heads|branches|history|district|\.city|Statements|contactPhones|[dD]issol|settlement"
            r"|status\.date|Fias\.",
            path,
        )
    )


def test_the_dots_of_short_names_follow_the_year(kontur: str, kontur_world: KonturWorld) -> None:
    for year, names in REQ_SAMPLES.items():
        kontur_world.switches = KonturSwitches.model_validate({"shape": year})
        recorded = {name for file in names for name in short_names(sample("kontur", file))}
        served = short_names(answered(kontur, kontur_world))
        for abbreviation in ("г", "обл", "ул"):
            dotted = f"{abbreviation}." in recorded
            assert (f"{abbreviation}." in served, abbreviation in served) == (dotted, not dotted), year


def short_names(items: list[Json]) -> set[str]:
    return {
        topo["topoShortName"]
        for item in items
        if "UL" in item
        for topo in item["UL"]["legalAddress"]["parsedAddressRF"].values()
        if isinstance(topo, dict) and "topoShortName" in topo
    }


def test_the_one_line_address_is_composed_as_recorded(kontur: str, kontur_world: KonturWorld) -> None:
    item = sample("kontur", "req_ul_4712017259_2024_new_address_format.json")[0]
    recorded = item["UL"]["legalAddress"]["parsedAddressRF"]["oneLineFormatOfAddress"]
    kontur_world.switches = KonturSwitches(shape="2024")
    lines = [
        item["UL"]["legalAddress"]["parsedAddressRF"]["oneLineFormatOfAddress"]
        for item in answered(kontur, kontur_world)
        if "UL" in item
    ]
    form = re.compile(r"\d{6}, Ленинградская область, р-н \w+, г\. \w+, ул\. [\w ]+, д\. \d+(, .+)?")
    assert form.fullmatch(recorded)
    assert any(form.fullmatch(line) for line in lines)


def test_details_have_no_key_that_was_never_seen(kontur: str, kontur_world: KonturWorld) -> None:
    recorded = set(shape(sample("kontur", "egrDetails_ip_561100409545_trimmed.json")))
    people = [item for item in answered(kontur, kontur_world, "egrDetails") if "IP" in item]
    assert people
    assert set(shape(people)) - recorded == set()


def test_refusals_are_worded_as_recorded(kontur: str, kontur_world: KonturWorld) -> None:
    recorded = {(entry["path"], entry["status"]): entry for entry in sample("kontur", "errors.json")}
    answers = {
        ("/api3/req", 403): {"key": "", "inn": "7707083893"},
        ("/api3/req", 400): {"key": kontur_world.key, "inn": "00000"},
        ("/api3/stat", 400): {"key": "wrong"},
        ("/api3/req", 200): {"key": kontur_world.key, "inn": "7707083893"},
    }
    assert set(answers) == set(recorded)
    for (path, status), params in answers.items():
        answer = requests.get(f"{kontur}{path}", params=params)
        wanted = recorded[path, status]
        assert (answer.status_code, answer.text) == (status, wanted["body"])
        if "/" in wanted["content_type"]:
            assert answer.headers["content-type"] == wanted["content_type"]


def test_the_methods_and_parameters_are_those_of_the_official_description(
    kontur: str, kontur_world: KonturWorld
) -> None:
    paths = sample("openapi", "kontur-focus-v2.trimmed.json")["paths"]
    for method in ("req", "egrDetails"):
        described = {p["name"]: p["description"] for p in paths[f"/api3/{method}"]["get"]["parameters"]}
        assert set(described) == {"key", "inn", "ogrn", "xml"}
        assert "100" in described["inn"]
        assert requests.get(f"{kontur}/api3/{method}", params={"key": kontur_world.key}).status_code == 400
    assert {p["name"] for p in paths["/api3/stat"]["get"]["parameters"]} == {"key"}
