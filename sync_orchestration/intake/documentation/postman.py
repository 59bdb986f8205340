"""The examples as a Postman collection (format v2.1), each with the status that its answer has."""

import json
from typing import Any

from sync_orchestration.intake.contract import SyncContract
from sync_orchestration.intake.documentation.examples import Example, examples_of
from sync_orchestration.intake.settings import IntakeSettings

SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
BASE_URL, TOKEN = "base_url", "token"  # names of the collection's variables


def postman_collection(settings: IntakeSettings) -> dict[str, Any]:
    """Return the collection; the requests of a folder work in their order."""
    return {
        "info": {
            "name": settings.title,
            "schema": SCHEMA,
            "description": "Set the variables base_url and token of the collection, then send a folder from top to "
            "bottom. Each call is there once as it works and once as it fails.",
        },
        "auth": {"type": "bearer", "bearer": [{"key": "token", "value": f"{{{{{TOKEN}}}}}", "type": "string"}]},
        "variable": [
            {"key": BASE_URL, "value": settings.public_url.rstrip("/")},
            {"key": TOKEN, "value": "", "type": "secret"},
        ],
        "item": [_folder(contract) for contract in settings.contracts],
    }


def _folder(contract: SyncContract) -> dict[str, Any]:
    items = [_item(example) for example in examples_of(contract)]
    return {"name": contract.name, "description": contract.description, "item": items}


def _item(example: Example) -> dict[str, Any]:
    request = _request(example)
    checks = [f"pm.test('answers {example.status}', () => pm.response.to.have.status({example.status}));"]
    if example.rpc_error is not None:
        code = example.rpc_error
        checks.append(f"pm.test('error {code}', () => pm.expect(pm.response.json().error.code).to.eql({code}));")
    return {
        "name": example.name,
        "event": [{"listen": "test", "script": {"type": "text/javascript", "exec": checks}}],
        "request": request,
        "response": [{"name": example.name, "originalRequest": request, "code": example.status, "header": []}],
    }


def _request(example: Example) -> dict[str, Any]:
    request: dict[str, Any] = {
        "method": example.method,
        "header": [{"key": "Content-Type", "value": "application/json"}] if example.body is not None else [],
        "url": {
            "raw": f"{{{{{BASE_URL}}}}}{example.path}",
            "host": [f"{{{{{BASE_URL}}}}}"],
            "path": example.path.strip("/").split("/"),
        },
    }
    if example.body is not None:
        text = json.dumps(example.body, indent=2, ensure_ascii=False)
        request["body"] = {"mode": "raw", "raw": text, "options": {"raw": {"language": "json"}}}
    return request
