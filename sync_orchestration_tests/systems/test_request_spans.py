"""What a span tells of an address: never a key."""

import pytest

from sync_orchestration.systems.alfresco.v1 import _path_of
from sync_orchestration.systems.request_spans import template_of
from sync_orchestration.systems.rest.addresses import filled


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/jsonrpc", "/jsonrpc"),
        ("/json/2/res.partner/load", "/json/2/res.partner/load"),
        ("/api3/req", "/api3/req"),
        ("/v1.2/partners?cursor=ALFA", "/v1.2/partners"),
        ("/c/demo/adresar/(id%20gt%205).json", "/c/demo/adresar/{}"),
        ("/c/demo/hooks/42/retry", "/c/demo/hooks/{}/retry"),
        ("/partners/3f2a-77", "/partners/{}"),
        ("/partners/jan@example.com", "/partners/{}"),
        (str(filled("/partners/{id}", {"id": "42"})), "/partners/{}"),
        (filled("/partners/{key}?full={key}", {"key": "ALFA"}), "/partners/{key}"),
        (_path_of("ALFA"), "/alfresco/api/-default-/public/alfresco/versions/1/nodes/{id}"),
    ],
)
def test_a_path_is_told_without_keys(path: str, told: str) -> None:
    assert template_of(path) == told
