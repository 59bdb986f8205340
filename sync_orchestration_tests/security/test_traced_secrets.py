"""Traces go to a system of somebody else's: no secret is in any, whatever the servers repeat, and no record's data."""

import pytest
import requests

from sync_orchestration.pipeline.spans import span
from sync_orchestration_tests.security.house import EVERY_SECRET, SECRETS, SYNCS, House, lines
from sync_orchestration_tests.security.test_planted_secrets import TABLE
from sync_orchestration_tests.span_receiver import receiving, tracing_to

_FAULTS = ("wrong credentials", "a redirect")


def test_no_secret_and_no_key_of_a_record_is_in_any_span(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20traces-geheim-51c0ffee")
    with receiving() as receiver, tracing_to(receiver.url, monkeypatch):
        headers = {"Authorization": f"Bearer {SECRETS['INTAKE_TOKEN']}"}
        pushed = {"records": [{"key": "KEY-OF-ALFA", "data": {"name": "Name of Alfa", "country": "CZ"}}]}
        url = f"{house.intake_url}/v1/intake_partners/records"
        assert requests.post(url, json=pushed, headers=headers, timeout=60).status_code == 200
        requests.get(f"{url}/KEY-OF-ALFA?token={SECRETS['INTAKE_TOKEN']}", headers=headers, timeout=60)
        requests.post(f"{house.intake_url}/hooks/odoo/odoo_to_rest/{SECRETS['INTAKE_HOOK_SECRET']}", timeout=60)
        for name in SYNCS:
            assert house.sync(name).problem is None
        for number, fault in enumerate(_FAULTS):
            house.conn.execute("TRUNCATE sync.connection_pause")
            house.say(*TABLE[fault])
            for name in SYNCS[number % 2 :: 2]:
                house.sync(name)
        spans = receiver.collect()
        arrived = [("span", body.decode("utf-8", "replace")) for body in receiver.bodies]
    assert {"read", "land", "look up", "map", "write", "settle"} <= {span.name for span in spans}
    assert {span.attributes.get("sync.system") for span in spans} >= {"Flexi", "Odoo", "Alfresco", "Kontur"}
    assert any(span.is_error for span in spans)
    assert lines(arrived) == []
    told = "".join(text for _, text in arrived)
    assert "KEY-OF-ALFA" not in told
    assert "Name of Alfa" not in told
    keys = [key for (key,) in house.conn.execute("SELECT record_key FROM sync.interface_row").fetchall()]
    targets = [key for (key,) in house.conn.execute("SELECT target_id FROM sync.interface_row").fetchall()]
    # Short numbers stand in any text; nodes of Alfresco and keys that were pushed do not.
    assert [key for key in {*keys, *targets} if key and len(key) > 8 and key in told] == []
    assert all(secret not in told for secret in EVERY_SECRET)
    assert "traces-geheim-51c0ffee" not in told


def test_a_secret_that_stands_in_a_name_is_masked_before_it_is_sent(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20traces-geheim-51c0ffee")
    with receiving() as receiver, tracing_to(receiver.url, monkeypatch):
        with span(f"GET /{SECRETS['KONTUR_KEY']}", {"url.template": "/traces-geheim-51c0ffee"}):
            pass
        receiver.collect()
    assert [(one.name, one.attributes) for one in receiver.spans] == [("GET /***", {"url.template": "/***"})]
