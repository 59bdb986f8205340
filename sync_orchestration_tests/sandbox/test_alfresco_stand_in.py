"""The Alfresco/Citeck stand-in keeps the traps that the real repository has."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from starlette.types import ASGIApp, Receive, Scope, Send

from sync_orchestration.sandbox.alfresco import AlfrescoSwitches, AlfrescoWorld, alfresco_app
from sync_orchestration.sandbox.check_digits import is_inn
from sync_orchestration.sandbox.faults import FaultRule
from sync_orchestration.sandbox.server import serve

Json = dict[str, Any]

SEARCH = "/alfresco/api/-default-/public/search/versions/1/search"
NODES = "/alfresco/api/-default-/public/alfresco/versions/1/nodes"
TICKETS = "/alfresco/api/-default-/public/authentication/versions/1/tickets"
RECORDS = "/alfresco/s/citeck/ecos/records"
BY_DBID = [{"type": "FIELD", "field": "sys:node-dbid", "ascending": True}]
ALL = 'TYPE:"idocs:contractor" AND sys:node\\-dbid:<0 TO MAX]'


class Client:
    """A plain client with the admin's password."""

    def __init__(self, url: str, world: AlfrescoWorld) -> None:
        self.url, self.world = url, world
        self.http = requests.Session()
        self.http.auth = ("admin", "admin")

    def search(self, query: str = ALL, *, language: str = "afts", **more: Any) -> Json:
        answer = self.search_response(query, language=language, **more)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()["list"]
        return found

    def search_response(self, query: str = ALL, *, language: str = "afts", **more: Any) -> requests.Response:
        body = {"query": {"language": language, "query": query}, "sort": BY_DBID, **more}
        if language == "cmis":
            del body["sort"]
        return self.http.post(self.url + SEARCH, json=body)

    def dbids(self, found: Json) -> list[int]:
        return [self.world.node(row["entry"]["id"]).dbid for row in found["entries"]]

    def put(self, node_id: str, **properties: Any) -> requests.Response:
        body = {"properties": {f"idocs:{name}": value for name, value in properties.items()}}
        return self.http.put(f"{self.url}{NODES}/{node_id}", json=body)

    def get(self, node_id: str) -> Json:
        answer = self.http.get(f"{self.url}{NODES}/{node_id}")
        assert answer.status_code == 200, answer.text
        entry: Json = answer.json()["entry"]
        return entry

    def metadata(self, node_id: str) -> Json:
        params = {"nodeRef": f"workspace://SpacesStore/{node_id}", "shortQNames": "true"}
        answer: Json = self.http.get(f"{self.url}/alfresco/s/api/metadata", params=params).json()
        return answer

    def records(self, action: str, **body: Any) -> Json:
        answer = self.http.post(f"{self.url}{RECORDS}/{action}", json={"version": 1, **body})
        assert answer.status_code == 200, answer.text
        page: Json = answer.json()
        return page

    def records_query(self, query: Any, attributes: Json | None = None, **more: Any) -> Json:
        asked = {
            "sourceId": "alfresco/",
            "language": "predicate",
            "query": query,
            "sortBy": [{"attribute": "sys:node-dbid", "ascending": True}],
            "page": {"maxItems": 100, "skipCount": 0},
            "consistency": "EVENTUAL",
            **more,
        }
        return self.records("query", query=asked, attributes=attributes or {"dbid": "sys:node-dbid?str"})


class Stage:
    """One server for the whole file: each test puts its own world's app on it."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


@pytest.fixture(scope="module")
def stage() -> Iterator[tuple[Stage, str]]:
    stage = Stage()
    with serve(stage) as url:
        yield stage, url


@pytest.fixture
def world() -> AlfrescoWorld:
    """Thirty contractors numbered 0 to 29 by their OKPO, with valid but meaningless INNs."""
    world = AlfrescoWorld(seed=3)
    for number in range(30):
        world.add({"idocs:fullOrganizationName": f'ООО "Рога {number}"', "idocs:inn": "7736050003"})
    return world


@pytest.fixture
def client(world: AlfrescoWorld, stage: tuple[Stage, str]) -> Client:
    stage[0].app = alfresco_app(world)
    return Client(stage[1], world)


def ids(world: AlfrescoWorld) -> list[str]:
    return [node.uuid for node in world.contractors()]


def above(dbid: int) -> Json:
    return {
        "t": "and",
        "val": [
            {"t": "eq", "att": "TYPE", "val": "idocs:contractor"},
            {"t": "gt", "att": "sys:node-dbid", "val": dbid},
        ],
    }


# Reading through the v1 search


@pytest.mark.parametrize("field", ["sys:node\\-dbid", "sys:node-dbid", "@sys\\:node\\-dbid", "@sys:node-dbid", "DBID"])
def test_a_range_on_the_dbid_is_understood_in_every_spelling(client: Client, field: str) -> None:
    dbids = [node.dbid for node in client.world.contractors()]
    exclusive = client.search(f'TYPE:"idocs:contractor" AND {field}:<{dbids[9]} TO MAX]')
    inclusive = client.search(f'TYPE:"idocs:contractor" AND {field}:[{dbids[9]} TO {dbids[12]}>')
    assert client.dbids(exclusive) == dbids[10:]
    assert client.dbids(inclusive) == dbids[9:12]
    assert exclusive["pagination"]["totalItems"] == 20
    assert exclusive["context"]["consistency"]["lastTxId"] == client.world.txn


def test_the_sort_is_descending_unless_told_otherwise(client: Client) -> None:
    found = client.search(sort=[{"type": "FIELD", "field": "sys:node-dbid"}])
    assert client.dbids(found) == sorted(client.dbids(found), reverse=True)


def test_without_a_range_the_database_answers_unordered_and_without_consistency(client: Client) -> None:
    found = client.search('TYPE:"idocs:contractor"')
    assert "context" not in found
    assert "totalItems" not in found["pagination"]
    assert len(client.dbids(found)) == 30
    assert client.dbids(found) != sorted(client.dbids(found))


def test_an_exact_dbid_or_a_cmis_comparison_finds_nothing_and_says_nothing(client: Client) -> None:
    dbid = client.world.contractors()[0].dbid
    exact = client.search(f'TYPE:"idocs:contractor" AND =sys:node\\-dbid:{dbid}')
    cmis = client.search(
        "SELECT * FROM idocs:contractor AS c WHERE c.sys:node-dbid > 0 ORDER BY c.sys:node-dbid ASC",
        language="cmis",
    )
    assert exact["entries"] == cmis["entries"] == []
    assert len(client.search("SELECT * FROM idocs:contractor", language="cmis")["entries"]) == 30


def test_the_database_ends_at_its_permission_checks_whatever_page_is_asked_for(client: Client) -> None:
    client.world.switches = AlfrescoSwitches(max_permission_checks=10)
    first = client.search('TYPE:"idocs:contractor"', paging={"maxItems": 7})
    second = client.search('TYPE:"idocs:contractor"', paging={"maxItems": 7, "skipCount": 7})
    assert [first["pagination"]["hasMoreItems"], second["pagination"]["hasMoreItems"]] == [True, False]
    assert len(first["entries"]) + len(second["entries"]) == 10
    assert len(client.search(limits={"permissionEvaluationCount": 2000})["entries"]) == 10
    assert len(client.search()["entries"]) == 30


def test_vanished_and_unreadable_nodes_make_short_and_empty_pages_with_more_to_come(client: Client) -> None:
    gone = ids(client.world)
    client.world.trouble("vanished", *gone[10:19])
    client.world.trouble("unreadable", gone[19], gone[3])
    pages = [client.search(paging={"maxItems": 10, "skipCount": skip}) for skip in (0, 10, 20)]
    assert [len(page["entries"]) for page in pages] == [9, 0, 10]
    assert [page["pagination"]["hasMoreItems"] for page in pages] == [True, True, False]
    assert [page["pagination"]["count"] for page in pages] == [9, 0, 10]
    assert pages[0]["pagination"]["totalItems"] == 30


def test_a_node_with_a_lower_dbid_can_appear_late(client: Client) -> None:
    late = client.world.add({"idocs:inn": "6663003127"}, dbid=5, indexed=False)
    assert 5 not in client.dbids(client.search())
    assert client.get(late.uuid)["properties"] == {"idocs:inn": "6663003127"}
    requests.post(f"{client.url}/_sandbox/track")
    assert client.dbids(client.search())[0] == 5


def test_the_index_finds_by_old_values_until_it_has_tracked_a_write(client: Client) -> None:
    client.world.switches = AlfrescoSwitches(index_lag_seconds=None, stale_search_rows=True)
    node_id = ids(client.world)[0]
    client.put(node_id, kpp="772801001")
    row = client.search(include=["properties"])["entries"][0]["entry"]
    assert (row["id"], row["properties"].get("idocs:kpp")) == (node_id, None)
    assert client.get(node_id)["properties"]["idocs:kpp"] == "772801001"
    assert client.search(ALL + " AND idocs:kpp:772801001")["entries"] == []
    client.world.track()
    row = client.search(include=["properties"])["entries"][0]["entry"]
    assert row["properties"]["idocs:kpp"] == "772801001"


def test_system_properties_and_empty_texts_are_never_returned(client: Client) -> None:
    node_id = ids(client.world)[0]
    client.world.edit(node_id, kpp="", okpo="00040778")
    names = set(client.get(node_id)["properties"])
    row = client.search(include=["properties"])["entries"][0]["entry"]
    assert names == set(row["properties"]) == {"idocs:fullOrganizationName", "idocs:inn", "idocs:okpo"}
    assert "properties" not in client.search()["entries"][0]["entry"]
    sneaky = client.http.get(f"{client.url}{NODES}/{node_id}", params={"include": "properties/sys:node-dbid"})
    assert sneaky.status_code == 400


def test_a_node_without_any_value_has_no_properties_key(client: Client) -> None:
    node = client.world.add({"idocs:inn": ""})
    assert "properties" not in client.get(node.uuid)


def test_dates_have_an_offset_without_a_colon(client: Client) -> None:
    entry = client.get(ids(client.world)[0])
    assert entry["modifiedAt"].endswith("+0000")
    assert "content" not in entry
    assert entry["isFile"] is True


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"include": ["definition"]}, "definition"),
        ({"paging": {"maxItems": 0}}, "Only positive values supported for maxItems."),
        ({"paging": {"skipCount": -1}}, "Negative values"),
        ({"sort": [{"type": "FIELD"}]}, "field"),
    ],
)
def test_a_wrong_search_request_is_refused_with_400(client: Client, more: Json, message: str) -> None:
    answer = client.search_response(**more)
    assert answer.status_code == 400
    assert message in answer.json()["error"]["briefSummary"]


def test_cmis_cannot_be_sorted_from_outside(client: Client) -> None:
    body = {"query": {"language": "cmis", "query": "SELECT * FROM idocs:contractor"}, "sort": BY_DBID}
    assert client.http.post(client.url + SEARCH, json=body).status_code == 400


def test_an_unknown_type_or_a_broken_query_is_an_error(client: Client) -> None:
    assert client.search_response('TYPE:"idocs:nobody"').status_code == 500
    client.world.switches = AlfrescoSwitches(query_error_status=400)
    assert client.search_response('TYPE:"idocs:contractor" AND (').status_code == 400


@pytest.mark.parametrize("index", ["noindex", "elasticsearch"])
def test_without_solr_a_range_on_the_dbid_cannot_be_asked(client: Client, index: str) -> None:
    client.world.switches = AlfrescoSwitches.model_validate({"index": index})
    assert client.search_response().status_code == 500


def test_type_includes_subtypes_and_exacttype_does_not(client: Client) -> None:
    client.world.add({"idocs:inn": "6663003127"}, node_type="acme:supplier")
    exactly = client.search('EXACTTYPE:"idocs:contractor" AND sys:node\\-dbid:<0 TO MAX]')
    assert (len(client.search()["entries"]), len(exactly["entries"])) == (31, 30)


def test_the_watermark_comes_from_the_metadata_web_script(client: Client) -> None:
    node = client.world.contractors()[-1]
    assert client.metadata(node.uuid)["properties"]["sys:node-dbid"] == node.dbid
    client.world.switches = AlfrescoSwitches(metadata_numbers="freemarker")
    assert client.metadata(node.uuid)["properties"]["sys:node-dbid"] == f"{node.dbid:,}"
    client.world.trouble("vanished", node.uuid)
    assert client.metadata(node.uuid) == {}


# Writing through v1


def test_an_update_merges_and_null_unsets(client: Client) -> None:
    node_id = ids(client.world)[0]
    client.put(node_id, kpp="772801001", okpo="00040778")
    answer = client.put(node_id, okpo=None)
    assert answer.json()["entry"]["properties"] == {
        "idocs:fullOrganizationName": 'ООО "Рога 0"',
        "idocs:inn": "7736050003",
        "idocs:kpp": "772801001",
    }
    assert [write.properties for write in client.world.writes][-1] == {"idocs:okpo": None}


def test_mandatory_properties_can_be_blanked_without_an_error(client: Client) -> None:
    assert client.put(ids(client.world)[0], fullOrganizationName=None).status_code == 200


def test_every_update_renames_the_node_and_bumps_its_date(client: Client) -> None:
    first, second = ids(client.world)[:2]
    before = client.get(first)
    client.put(second, fullOrganizationName='АО "А/Б"...  ')
    after = client.put(first, fullOrganizationName='АО "А/Б"...  ').json()["entry"]
    assert client.get(second)["name"] == "АО _А_Б_"
    assert after["name"] == "АО _А_Б_ (1)"
    assert after["modifiedAt"] >= before["modifiedAt"]


def test_a_number_sent_as_a_number_is_stored_as_a_text_without_its_zeros(client: Client) -> None:
    node_id = ids(client.world)[0]
    client.put(node_id, okpo=242766)
    assert client.get(node_id)["properties"]["idocs:okpo"] == "242766"


@pytest.mark.parametrize(
    ("properties", "status", "message"),
    [
        ({"idocs:nonsense": "x"}, 400, "Unknown property: idocs:nonsense"),
        ({"sys:node-dbid": "1"}, 400, "NameSpace cannot be used by API: sys:node-dbid"),
        ({"idocs:contractorID": "x"}, 400, "is no number"),
        ({"idocs:contractorKind": "martian"}, 422, "integrity violations"),
        ({"idocs:inn": ["1", "2"]}, 422, "not multi-valued"),
    ],
)
def test_a_wrong_update_is_refused(client: Client, properties: Json, status: int, message: str) -> None:
    url = f"{client.url}{NODES}/{ids(client.world)[0]}"
    answer = client.http.put(url, json={"properties": properties})
    assert answer.status_code == answer.json()["error"]["statusCode"] == status
    assert message in answer.json()["error"]["briefSummary"]
    assert client.world.writes == []


@pytest.mark.parametrize(
    ("trouble", "status"),
    [("locked", 409), ("integrity", 422), ("write_denied", 403), ("unreadable", 403), ("vanished", 404)],
)
def test_a_troubled_node_refuses_in_its_own_way(client: Client, trouble: Any, status: int) -> None:
    node_id = ids(client.world)[0]
    client.world.trouble(trouble, node_id)
    assert client.put(node_id, kpp="772801001").status_code == status
    client.world.heal(trouble, node_id)
    assert client.put(node_id, kpp="772801001").status_code == 200


def test_a_read_only_repository_refuses_with_500_and_says_so_in_discovery(client: Client) -> None:
    client.world.switches = AlfrescoSwitches(read_only=True)
    assert client.put(ids(client.world)[0], kpp="1").status_code == 500
    repository = client.http.get(f"{client.url}/alfresco/api/discovery").json()["entry"]["repository"]
    assert repository["status"]["isReadOnly"] is True


# Logging in, testing the connection


def test_a_wrong_password_is_401_everywhere_but_403_for_a_ticket(client: Client) -> None:
    wrong = ("admin", "wrong")
    answer = requests.post(client.url + SEARCH, json={"query": {"query": ALL}}, auth=wrong)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="Alfresco"'
    assert requests.post(f"{client.url}{RECORDS}/query", json={}, auth=wrong).status_code == 401
    tickets = client.url + TICKETS
    assert requests.post(tickets, json={"userId": "admin", "password": "wrong"}).status_code == 403
    assert requests.post(tickets, json={"userId": "admin"}).status_code == 400


def test_a_ticket_logs_in_by_header_and_by_parameter_until_it_expires(client: Client) -> None:
    created = requests.post(client.url + TICKETS, json={"userId": "admin", "password": "admin"})
    assert created.status_code == 201
    ticket = created.json()["entry"]["id"]
    header = {"Authorization": "Basic " + base64.b64encode(ticket.encode()).decode()}
    node = f"{client.url}{NODES}/{ids(client.world)[0]}"
    assert requests.get(f"{client.url}{TICKETS}/-me-", headers=header).json() == {"entry": {"id": ticket}}
    assert requests.get(node, headers=header).status_code == 200
    assert requests.get(node, params={"alf_ticket": ticket}).status_code == 200
    client.world.expire_tickets()
    assert requests.get(node, headers=header).status_code == 401


def test_bearer_is_refused_unless_an_identity_service_is_configured(client: Client) -> None:
    node, header = f"{client.url}{NODES}/{ids(client.world)[0]}", {"Authorization": "Bearer sandbox-bearer"}
    refused = requests.get(node, headers=header)
    assert refused.status_code == 401
    assert "Authorization 'Bearer' not supported." in refused.json()["error"]["briefSummary"]
    client.world.switches = AlfrescoSwitches(bearer=True)
    assert requests.get(node, headers=header).status_code == 200


def test_the_gateway_wants_a_bearer_token(client: Client) -> None:
    url, body = f"{client.url}/gateway/api/records/query", {"version": 1, "record": "emodel/meta@"}
    assert client.http.post(url, json=body).status_code == 401
    header = {"Authorization": "Bearer sandbox-bearer"}
    assert requests.post(url, json=body, headers=header).json()["messages"] == []


def test_the_probe_needs_no_login(client: Client) -> None:
    probe = f"{client.url}/alfresco/api/-default-/public/alfresco/versions/1/probes/-ready-"
    assert requests.get(probe).status_code == 200
    client.world.switches = AlfrescoSwitches(ready=False)
    assert requests.get(probe).status_code == 503


# The Records API


def test_records_are_read_in_order_with_their_dbid(client: Client) -> None:
    dbids = [node.dbid for node in client.world.contractors()]
    attributes = {"dbid": "sys:node-dbid?str", "n": "sys:node-dbid?num", "inn": "idocs:inn", "kpp": "idocs:kpp"}
    page = client.records_query(above(dbids[4]), attributes, page={"maxItems": 10})
    assert [int(row["attributes"]["dbid"]) for row in page["records"]] == dbids[5:15]
    assert (page["hasMore"], page["totalCount"], page["version"]) == (True, 25, 1)
    assert page["records"][0] == {
        "id": f"alfresco/@workspace://SpacesStore/{ids(client.world)[5]}",
        "attributes": {"dbid": str(dbids[5]), "n": float(dbids[5]), "inn": "7736050003", "kpp": None},
    }


def test_records_can_be_asked_in_fts_and_after_an_id(client: Client) -> None:
    dbids = [node.dbid for node in client.world.contractors()]
    fts = f'TYPE:"idocs:contractor" AND @sys\\:node\\-dbid:<{dbids[9]} TO MAX]'
    by_fts = client.records_query(fts, language="fts-alfresco")
    after = f"alfresco/@workspace://SpacesStore/{ids(client.world)[9]}"
    by_id = client.records_query(
        'TYPE:"idocs:contractor"', language="fts-alfresco", page={"maxItems": 100, "afterId": after}
    )
    assert by_fts["records"] == by_id["records"]
    assert [int(row["attributes"]["dbid"]) for row in by_id["records"]] == dbids[10:]


def test_records_can_be_read_by_their_ids_in_one_request(client: Client) -> None:
    wanted = [f"alfresco/@workspace://SpacesStore/{node_id}" for node_id in ids(client.world)[:3]]
    page = client.records("query", records=[*wanted, "alfresco/@workspace://SpacesStore/x"], attributes=["?id"])
    assert [row["attributes"]["?id"] for row in page["records"]] == [*wanted, None]


def test_an_error_of_the_records_api_is_http_200_in_version_1_and_500_in_version_0(client: Client) -> None:
    query = {"sourceId": "alfresco/", "language": "sql", "query": "select 1"}
    page = client.records("query", query=query)
    assert (page["records"], page["messages"][0]["level"]) == ([], "ERROR")
    assert "Language is not supported" in page["messages"][0]["msg"]
    client.world.switches = AlfrescoSwitches(records_error_type="records-error")
    message = client.records("query", query=query)["messages"][0]
    assert set(message["msg"]) == {"type", "msg", "stackTrace"}
    old = client.http.post(f"{client.url}{RECORDS}/query", json={"query": query})
    assert old.status_code == 500


def test_version_0_answers_in_the_old_shape(client: Client) -> None:
    body = {"query": {"sourceId": "alfresco/", "query": above(0)}, "attributes": ["idocs:inn?str"]}
    page = client.http.post(f"{client.url}{RECORDS}/query", json=body).json()
    assert set(page) == {"records", "errors", "hasMore", "totalCount"}


def test_a_comma_in_a_predicate_becomes_alternatives_and_a_slash_an_interval(client: Client) -> None:
    client.world.add({"idocs:inn": "6663003127"})

    def found(value: str) -> int:
        predicate = {"t": "eq", "att": "idocs:inn", "val": value}
        return int(client.records_query(predicate)["totalCount"])

    assert found("6663003127") == 1
    assert found("6663003127,7736050003") == 31
    assert found("7736050003/772801001") == 0
    assert found("6000000000/7000000000") == 1


def test_a_mutation_is_all_or_nothing_and_still_http_200(client: Client) -> None:
    first, second = ids(client.world)[:2]
    client.world.trouble("locked", second)
    records = [
        {"id": f"alfresco/@workspace://SpacesStore/{node_id}", "attributes": {"idocs:kpp": "772801001"}}
        for node_id in (first, second)
    ]
    failed = client.records("mutate", records=records)
    assert [record["id"] for record in failed["records"]] == [record["id"] for record in records]
    assert failed["messages"][0]["level"] == "ERROR"
    assert client.world.writes == []
    client.world.heal("locked", second)
    assert client.records("mutate", records=records)["messages"] == []
    assert {write.uuid for write in client.world.writes} == {first, second}


def test_unknown_and_protected_attributes_are_skipped_without_a_word(client: Client) -> None:
    client.world.switches = AlfrescoSwitches(protected_attributes=frozenset({"idocs:okpo"}))
    node_id = ids(client.world)[0]
    attributes = {"idocs:nonsense": "x", "idocs:okpo": "1", "idocs:kpp?str": "772801001", "idocs:bill": None}
    record = {"id": f"alfresco/@workspace://SpacesStore/{node_id}", "attributes": attributes}
    assert client.records("mutate", records=[record])["messages"] == []
    assert [write.properties for write in client.world.writes] == [{"idocs:kpp": "772801001"}]


def test_vanished_records_are_dropped_or_full_of_nulls(client: Client) -> None:
    client.world.trouble("vanished", *ids(client.world)[:10])
    page = {"maxItems": 10}
    assert client.records_query(above(0), page=page)["records"] == []
    client.world.switches = AlfrescoSwitches(vanished_records="nulls")
    rows = client.records_query(above(0), page=page)["records"]
    assert [row["attributes"] for row in rows] == [{"dbid": None}] * 10


# The sandbox itself


def test_switches_and_troubles_can_be_set_over_http(client: Client) -> None:
    switched = requests.post(f"{client.url}/_sandbox/switches", json={"auto_name": False}).json()
    assert switched["auto_name"] is False
    node_id = ids(client.world)[0]
    requests.post(f"{client.url}/_sandbox/nodes/{node_id}", json={"trouble": "locked"})
    assert client.put(node_id, kpp="1").status_code == 409
    assert requests.get(f"{client.url}/_sandbox/state").json()["troubles"] == {"locked": 1}


def test_a_fault_can_be_armed(client: Client) -> None:
    client.world.faults.add(FaultRule(kind="status", status=503, path=SEARCH))
    assert client.search_response().status_code == 503
    assert client.search_response().status_code == 200


def test_a_restarted_stand_in_goes_on_from_its_state_file(tmp_path: Path) -> None:
    state_file = tmp_path / "alfresco.json"
    world = AlfrescoWorld.demo(contractors=100, state_file=state_file)
    hidden = world.add({"idocs:inn": "7736050003"}, indexed=False)
    world.edit(world.planted["changed"][0], kpp="772801001")
    again = AlfrescoWorld.demo(contractors=100, state_file=state_file)
    assert again.overview() == world.overview()
    assert again.node(hidden.uuid).indexed is None
    before = len(again.nodes)
    assert [n.properties for n in again.contractors()] == [n.properties for n in world.contractors()]
    for _ in range(20):
        again.add({"idocs:inn": "6663003127"})
    assert len(again.nodes) == before + 20


def test_the_demo_shows_every_planted_trouble_and_as_many_contractors_as_asked_for() -> None:
    world = AlfrescoWorld.demo(seed=1)
    assert world.overview()["contractors"] == 1500
    spoilt = ("bad_check_digit", "too_short", "spaces", "nbsp", "newline", "prefix", "zeros", "text", "blank")
    more = ("inn_slash_kpp", "lost_leading_zero", "cyrillic_digits", "two_numbers", "edrpou", "belarus")
    for kind in (*spoilt, *more):
        assert world.planted[kind]
        assert not any(is_inn(world.node(n).properties["idocs:inn"]) for n in world.planted[kind]), kind
    # Two zeros before a 10-digit INN leave one in ten with check digits that fit a 12-digit one.
    padded = [world.node(n).properties["idocs:inn"] for n in world.planted["padded_to_12"]]
    assert all(len(number) == 12 and is_inn(number.removeprefix("00")) for number in padded)
    for kind in ("foreign", "duplicate", "branch_kpp", "largest_taxpayer_kpp", "ambiguous_inn", "not_found"):
        assert all(is_inn(world.node(n).properties["idocs:inn"]) for n in world.planted[kind]), kind
    assert all("idocs:inn" not in world.node(n).properties for n in world.planted["empty"])
    assert [n.properties for n in AlfrescoWorld.demo(seed=1).contractors()] == [
        n.properties for n in world.contractors()
    ]
