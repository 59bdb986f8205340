"""`intake` and `docs`: the service that others push to is started, documented and stopped by commands."""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from sync_orchestration.cli.demo import _all_settled
from sync_orchestration.cli.intake import intake_service, serving, write_documentation
from sync_orchestration.cli.samples import push_samples
from sync_orchestration.cli.services import free_port
from sync_orchestration.cli.usage import UsageError
from sync_orchestration.components.headless import bring_up_to_date
from sync_orchestration_tests.cli.test_cli import COMMAND, call, complaint
from sync_orchestration_tests.components.places import NewPlace, Place
from sync_orchestration_tests.intake.test_documentation import requests_of, sent

TOKEN = "token-of-the-erp-3b8d"
SYNC = "intake_partners"
KEPT = Path(__file__).parents[2] / "docs" / "interface"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder without .env."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def place(new_place: NewPlace, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("INTAKE_TOKEN", TOKEN)
    return new_place(partners=20)


@contextmanager
def served(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the command until it serves; yields the process and its first line."""
    command = [*COMMAND, "intake", *options]
    with subprocess.Popen(
        command, env=os.environ.copy(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def test_the_intake_serves_until_it_is_told_to_stop(place: Place) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with served("--port", str(port)) as (process, said):
        assert said == f"The intake listens on {url} for {SYNC}."
        health = requests.get(f"{url}/healthz", timeout=30)
        assert health.json() == {"status": "alive"}
        assert "server" not in health.headers
        assert requests.get(f"{url}/readyz", timeout=30).json() == {"status": "ready"}
        record = {"key": "C-1", "data": {"name": "Alfa", "country": "CZ"}}
        answer = requests.post(
            f"{url}/v1/{SYNC}/records",
            json={"records": [record]},
            headers={"Authorization": f"Bearer {TOKEN}"},
            timeout=30,
        )
        assert answer.json()["accepted"] == 1
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=60)
    assert process.returncode in (0, -signal.SIGTERM)
    assert (output, errors) == ("", ""), "neither a payload nor a traceback in its log"
    assert place.conn.execute("SELECT record_key FROM sync.interface_row").fetchall() == [("C-1",)]


def test_without_a_token_it_says_what_to_set(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INTAKE_TOKEN")
    said = complaint(call("intake"), 2)
    assert said == "The intake is switched off: set INTAKE_TOKEN (see .env.example)."
    assert intake_service(free_port(), "postgresql://x") is None, "and `dev` leaves it out"


def test_a_certificate_without_its_key_is_a_mistake(place: Place) -> None:
    assert complaint(call("intake", "--tls-certificate", "tls.pem"), 2) == (
        "TLS needs both --tls-certificate and --tls-key."
    )


def test_a_certificate_that_cannot_be_read_is_named(place: Place) -> None:
    said = complaint(call("intake", "--tls-certificate", "tls.pem", "--tls-key", "key.pem"), 2)
    assert said.startswith("The certificate tls.pem and its key key.pem cannot be used: ")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the certificate is made by openssl")
def test_with_a_certificate_it_speaks_tls(place: Place, tmp_path: Path) -> None:
    certificate, key = tmp_path / "tls.pem", tmp_path / "key.pem"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    made += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "1"]
    subprocess.run([*made, "-out", str(certificate), "-keyout", str(key)], check=True, capture_output=True)
    port = free_port()
    with served("--port", str(port), "--tls-certificate", str(certificate), "--tls-key", str(key)) as (_, said):
        assert said.startswith(f"The intake listens on https://127.0.0.1:{port} ")
        health = requests.get(f"https://localhost:{port}/healthz", verify=str(certificate), timeout=30)
        assert health.json() == {"status": "alive"}


def test_a_taken_port_is_named(place: Place) -> None:
    with serving() as url:
        port = url.rpartition(":")[2]
        said = complaint(call("intake", "--port", port), 2)
        assert said == f"The intake cannot listen on 127.0.0.1, port {port}: Address already in use."


# The documentation


def test_the_files_in_docs_are_what_the_command_writes(tmp_path: Path) -> None:
    result = call("docs", "--folder", str(tmp_path / "docs"))
    assert result.exit_code == 0, result.stderr
    written = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "docs").iterdir()}
    assert result.stdout.split() == [str(tmp_path / "docs" / name) for name in sorted(written, key=_in_order)]
    kept = {path.name: path.read_text(encoding="utf-8") for path in KEPT.iterdir()}
    assert kept == written, "write them anew: sync-orchestration docs --folder docs/interface"


def _in_order(name: str) -> int:
    return ["openapi.json", "postman_collection.json", "codes.md", f"{SYNC}.md"].index(name)


def test_the_documentation_names_the_address_that_senders_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTAKE_PUBLIC_URL", "https://sync.example.com")
    write_documentation(tmp_path)
    document = json.loads((tmp_path / "openapi.json").read_text())
    assert document["servers"] == [{"url": "https://sync.example.com"}]
    assert "sync.example.com" in (tmp_path / "postman_collection.json").read_text()


def references_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "$ref":
                yield inner
            else:
                yield from references_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references_in(inner)


def test_the_openapi_document_is_whole() -> None:
    document = json.loads((KEPT / "openapi.json").read_text(encoding="utf-8"))
    assert document["openapi"] == "3.1.0"
    assert document["info"].keys() >= {"title", "version"}
    for reference in references_in(document):
        found = document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
        assert isinstance(found, dict), reference
    operations = {
        (method, path): operation for path, item in document["paths"].items() for method, operation in item.items()
    }
    assert ("post", "/rpc") in operations
    assert ("post", f"/v1/{SYNC}/records") in operations
    ids = [operation["operationId"] for operation in operations.values()]
    assert len(ids) == len(set(ids))
    for (_, path), operation in operations.items():
        named = {p["name"] for p in operation.get("parameters", []) if p["in"] == "path"}
        assert named == set(re.findall(r"\{(\w+)\}", path))
        assert all(answer["description"] for answer in operation["responses"].values())


def test_the_working_examples_of_the_collection_work_and_the_failing_ones_fail(place: Place) -> None:
    collection = json.loads((KEPT / "postman_collection.json").read_text(encoding="utf-8"))
    with serving() as url:
        for item in requests_of(collection):
            answer = sent(item, {"base_url": url, "token": TOKEN})
            assert answer.status_code == item["response"][0]["code"], (item["name"], answer.text)
    assert place.conn.execute("SELECT record_key, status FROM sync.interface_row").fetchall() == [("C-1001", "pending")]


def test_nothing_of_this_machine_is_in_the_documentation() -> None:
    for path in KEPT.iterdir():
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"/work/|/home/|/root/|/tmp/|127\.0\.0\.1", text), path.name


def test_where_nothing_is_pushed_there_is_nothing_to_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync_orchestration.cli.intake.pushed_syncs", lambda _syncs: {})
    with pytest.raises(UsageError, match="Nothing is pushed"):
        write_documentation(tmp_path)


def test_dev_and_demo_keep_the_intake_running_where_somebody_can_push(place: Place) -> None:
    service = intake_service(8080, "postgresql://x")
    assert service is not None
    assert service.command[-3:] == ["intake", "--port", "8080"]
    assert service.env["SYNC_POSTGRES_URL"] == "postgresql://x"


def test_the_demo_sums_up_when_what_was_pushed_is_written_too(place: Place) -> None:
    syncs = [place.project.syncs[SYNC]]
    with serving() as url:
        push_samples(url, TOKEN)
    assert not _all_settled(syncs)
    report = bring_up_to_date(place.instance, place.definitions, syncs[0], place.project.connections)
    assert report.counts["processed"] == 66
    assert _all_settled(syncs), "though a sync that is pushed to has no cursor"
