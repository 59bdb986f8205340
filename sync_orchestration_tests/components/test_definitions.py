"""What Dagster is told: everything has a name and a description, and a mistake in the YAML names its place."""

import sys
from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest
from dagster._utils.error import serializable_error_info_from_exc_info
from pydantic import BaseModel
from syrupy.assertion import SnapshotAssertion

from sync_orchestration.components.connections import ConnectionsModel
from sync_orchestration.components.notifications import NotificationSettings
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.definitions import Project, definitions
from sync_orchestration.pipeline.errors import ConfigurationError
from sync_orchestration_tests.components.places import DefsFolder

SECOND_COMPANY = """
type: sync_orchestration.Connections
attributes:
  connections:
    flexi_slovakia:
      kind: flexi
      url: $SLOVAKIA_URL
      company: slovakia
      user: $SLOVAKIA_USER
      password: $SLOVAKIA_PASSWORD
"""


def config_fields(config_type: Any, path: str) -> Iterator[tuple[str, Any]]:
    for name, field in sorted(getattr(config_type, "fields", {}).items()):
        yield f"{path}.{name}", field
        yield from config_fields(field.config_type, f"{path}.{name}")


def op_config_fields(job: dg.JobDefinition) -> Iterator[tuple[str, Any]]:
    """Yield the fields that a person fills in in the Launchpad, by op."""
    for op in sorted(job.all_node_defs, key=lambda node: node.name):
        if isinstance(op, dg.OpDefinition):
            yield from config_fields(op.config_schema.config_type, op.name)


def user_jobs(project: Project) -> list[dg.JobDefinition]:
    found = [job for job in project.definitions.resolve_all_job_defs() if not job.name.startswith("__")]
    return sorted(found, key=lambda job: job.name)


def described(project: Project) -> str:
    """Say in text what Dagster knows, so that a change of it shows in review as a difference of lines."""
    return "\n".join(
        [*_assets(project), *_checks(project), *_jobs(project), *_schedules(project), *_sensors(project), ""]
    )


def _assets(project: Project) -> Iterator[str]:
    graph = project.definitions.resolve_asset_graph()
    for key in sorted(graph.get_all_asset_keys()):
        node = graph.get(key)
        yield f"asset {key.to_user_string()}"
        yield f"  group {node.group_name}, kinds {', '.join(sorted(node.kinds))}, pools {sorted(node.pools or ())}"
        yield f"  after {', '.join(sorted(k.to_user_string() for k in node.parent_keys)) or 'nothing'}"
        partitions = node.partitions_def
        name = partitions.name if isinstance(partitions, dg.DynamicPartitionsDefinition) else partitions
        policy = node.backfill_policy.policy_type.value if node.backfill_policy else "none"
        yield f"  partitions {name}, backfill {policy}"
        yield f"  “{node.description}”"


def _checks(project: Project) -> Iterator[str]:
    specs = [spec for checks in project.definitions.resolve_asset_graph().assets_defs for spec in checks.check_specs]
    for spec in sorted(specs, key=lambda spec: (spec.asset_key, spec.name)):
        yield f"check {spec.name} of {spec.asset_key.to_user_string()}"
        yield f"  “{spec.description}”"


def _jobs(project: Project) -> Iterator[str]:
    for job in user_jobs(project):
        yield f"job {job.name}"
        yield f"  “{job.description}”"
        yield f"  ops {', '.join(sorted(node.name for node in job.all_node_defs))}"
        for path, field in op_config_fields(job):
            need = "required" if field.is_required else f"default {field.default_value!r}"
            values = getattr(field.config_type, "config_values", None)
            offered = f" of {', '.join(values)}" if values else ""
            yield f"  config {path}: {field.config_type.given_name or field.config_type.key}{offered}, {need}"
            yield f"    “{field.description}”"


def _schedules(project: Project) -> Iterator[str]:
    for one in sorted(project.definitions.get_repository_def().schedule_defs, key=lambda one: one.name):
        yield f"schedule {one.name}: {one.cron_schedule} {one.execution_timezone or 'UTC'} {one.default_status.value}"
        yield f"  runs {one.job_name}"
        yield f"  “{one.description}”"


def _sensors(project: Project) -> Iterator[str]:
    for one in sorted(project.definitions.get_repository_def().sensor_defs, key=lambda one: one.name):
        yield f"sensor {one.name}: every {one.minimum_interval_seconds} s, {one.default_status.value}"
        yield f"  runs {', '.join(sorted(target.job_name for target in one.targets)) or 'nothing'}"
        yield f"  “{one.description}”"


def test_everything_loads_where_nothing_is_configured(own_project: Project) -> None:
    own_project.definitions.get_repository_def().load_all_definitions()
    dg.Definitions.validate_loadable(definitions())
    assert own_project.missing_variables(own_project.syncs["flexi_partners"]) == [
        "FLEXI_URL",
        "FLEXI_COMPANY",
        "FLEXI_USER",
        "FLEXI_PASSWORD",
        "ODOO_URL",
        "ODOO_DATABASE",
        "ODOO_USER",
        "ODOO_API_KEY",
    ]


def test_what_dagster_knows_is_what_was_reviewed(own_project: Project, snapshot: SnapshotAssertion) -> None:
    assert described(own_project) == snapshot


def test_everything_that_shows_in_the_ui_has_a_description(own_project: Project) -> None:
    repository = own_project.definitions.get_repository_def()
    graph = own_project.definitions.resolve_asset_graph()
    texts = {f"asset {key.to_user_string()}": graph.get(key).description for key in graph.get_all_asset_keys()}
    texts |= {f"check {s.name}": s.description for checks in graph.assets_defs for s in checks.check_specs}
    texts |= {f"job {job.name}": job.description for job in user_jobs(own_project)}
    texts |= {f"schedule {s.name}": s.description for s in repository.schedule_defs}
    texts |= {f"sensor {s.name}": s.description for s in repository.sensor_defs}
    for job in user_jobs(own_project):
        texts |= {f"{job.name}: {path}": field.description for path, field in op_config_fields(job)}
    for name, resource in repository.get_top_level_resources().items():
        schema = config_fields(resource.config_schema.config_type, name)
        texts |= {f"resource {path}": field.description for path, field in schema}
    assert len(texts) > 40
    assert [name for name, text in texts.items() if not text] == []


def test_the_launchpad_offers_the_names_of_the_syncs_and_connections(own_project: Project) -> None:
    offered = {}
    for job in user_jobs(own_project):
        for path, field in op_config_fields(job):
            if values := getattr(field.config_type, "config_values", None):
                offered[path] = sorted(values)
    assert "flexi_partners" in own_project.syncs
    for path in ("chosen_records.sync", "failed_records.sync", "whole_source.sync"):
        assert offered[path] == sorted(own_project.syncs)
    assert offered["changes_api.action"] == ["disable", "enable", "status"]
    assert offered["changes_api.connection"] == ["flexi"]


@pytest.mark.parametrize("model", [SyncSettings, ConnectionsModel, NotificationSettings])
def test_every_attribute_of_the_yaml_is_described_for_the_editor(model: type[BaseModel]) -> None:
    schema = model.model_json_schema()
    parts = {model.__name__: schema, **schema["$defs"]}
    bare = [
        f"{name}.{attribute}"
        for name, part in parts.items()
        for attribute, shown in part.get("properties", {}).items()
        if not (shown.get("description") or parts[shown.get("$ref", "").rpartition("/")[2]].get("description"))
    ]
    assert bare == []


def add_second_company(folder: DefsFolder) -> None:
    """Do what the YAML says: copy the folder, give the sync another name and the target another asset."""
    (folder.path / "slovakia").mkdir()
    (folder.path / "slovakia" / "defs.yaml").write_text(SECOND_COMPANY, encoding="utf-8")
    first = folder.path / "flexi_partners" / "defs.yaml"
    (folder.path / "slovak_partners").mkdir()
    (folder.path / "slovak_partners" / "defs.yaml").write_text(first.read_text(encoding="utf-8"), encoding="utf-8")
    folder.replace("slovak_partners", "name: flexi_partners", "name: slovak_partners")
    folder.replace("slovak_partners", "connection: flexi\n", "connection: flexi_slovakia\n")
    folder.replace("slovak_partners", "asset: odoo/partners", "asset: odoo/slovak_partners")


def test_a_second_company_is_a_copied_folder_and_shares_nothing_with_the_first(defs_folder: DefsFolder) -> None:
    add_second_company(defs_folder)
    project = defs_folder.load()
    repository = project.definitions.get_repository_def()
    repository.load_all_definitions()
    graph = project.definitions.resolve_asset_graph()

    def of(group: str) -> set[str]:
        return {k.to_user_string() for k in graph.get_all_asset_keys() if graph.get(k).group_name == group}

    assert of("flexi_partners") == {"flexi/adresar", "odoo/partners", "flexi_partners/interface_status"}
    assert of("slovak_partners") == {
        "flexi_slovakia/adresar",
        "odoo/slovak_partners",
        "slovak_partners/interface_status",
    }
    parents = graph.get(dg.AssetKey(["odoo", "slovak_partners"])).parent_keys
    assert {k.to_user_string() for k in parents} == {"flexi_slovakia/adresar"}
    partitions = {
        node.partitions_def.name
        for node in map(graph.get, graph.get_all_asset_keys())
        if isinstance(node.partitions_def, dg.DynamicPartitionsDefinition)
    }
    assert partitions == {"flexi_partners_windows", "slovak_partners_windows"}
    assert {s.name for s in repository.sensor_defs} == {
        "flexi_partners_sensor",
        "record_browser_sensor",
        "slovak_partners_sensor",
    }
    sensors = {s.name: s.required_resource_keys for s in repository.sensor_defs}
    assert sensors["slovak_partners_sensor"] == {"interface", "flexi_slovakia", "odoo"}
    assert len({key for checks in graph.assets_defs for key in checks.check_keys}) == 8


def test_two_companies_write_the_one_odoo_one_after_the_other(defs_folder: DefsFolder) -> None:
    add_second_company(defs_folder)
    graph = defs_folder.load().definitions.resolve_asset_graph()
    pools = {key.to_user_string(): graph.get(key).pools for key in graph.get_all_asset_keys()}
    assert pools["odoo/partners"] == pools["odoo/slovak_partners"] == {"odoo_writes"}


MISTAKES = {
    "an attribute that does not exist": (
        ("flexi_partners", "    evidence: adresar", "    evidense: adresar"),
        r"attributes\.source\..*evidense at .*flexi_partners/defs\.yaml:\d+: Extra inputs are not permitted",
    ),
    "a transform that does not exist": (
        ("flexi_partners", "strip_prefix:", "strip_prefixx:"),
        r"flexi_partners/defs\.yaml.*mapping: country_id: unknown transform 'strip_prefixx'; known are .*strip_prefix",
    ),
    "a rule on a field that is not mapped": (
        ("flexi_partners", "{field: email, rule: email}", "{field: e_mail, rule: email}"),
        r"flexi_partners/defs\.yaml.*rules: there is no field 'e_mail' in the mapping",
    ),
    "an external id without the key": (
        ("flexi_partners", "external_id: flexi_{company}.adresar_{key}", "external_id: flexi.adresar"),
        r"attributes\.target\..*external_id at .*flexi_partners/defs\.yaml:\d+: String should match pattern",
    ),
    "an external id with an unknown part": (
        ("flexi_partners", "flexi_{company}.adresar_{key}", "flexi_{compny}.adresar_{key}"),
        r"external_id at .*flexi_partners/defs\.yaml:\d+: there is no \{compny\} to fill in; there are \{company\}",
    ),
    "a secret in the file": (
        ("connections", "password: $FLEXI_PASSWORD", "password: hunter2"),
        r"password at .*connections/defs\.yaml:\d+: a secret belongs in the environment: write the name",
    ),
    "a kind of system that is not known": (
        ("connections", "kind: odoo", "kind: oddo"),
        r"attributes\.connections\.odoo at .*connections/defs\.yaml:\d+: .*'flexi', 'odoo'",
    ),
    "a connection that is not defined": (
        ("flexi_partners", "connection: odoo", "connection: oddo"),
        r"The sync flexi_partners names the connection 'oddo'; known are: .*flexi, .*odoo",
    ),
    "a connection of another kind": (
        ("flexi_partners", "connection: flexi\n", "connection: odoo\n"),
        r"The sync flexi_partners takes the connection 'odoo' for flexi, but it is odoo\.",
    ),
    "a component that does not exist": (
        ("flexi_partners", "sync_orchestration.RecordSync", "sync_orchestration.RecordSink"),
        r"has no attribute `RecordSink`",
    ),
    "a bracket that is not closed": (
        ("flexi_partners", "match_on: [company_registry, vat, ref]", "match_on: [company_registry"),
        r"The YAML cannot be read: .*flexi_partners/defs\.yaml",
    ),
    "a name with a space": (
        ("flexi_partners", "name: flexi_partners", "name: Flexi partners"),
        r"attributes\.name at .*flexi_partners/defs\.yaml:6",
    ),
}


@pytest.mark.parametrize(("edit", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_the_yaml_is_refused_with_its_place(
    defs_folder: DefsFolder, edit: tuple[str, str, str], said: str
) -> None:
    defs_folder.replace(*edit)
    with pytest.raises(ConfigurationError, match=said):
        defs_folder.load()


def test_a_folder_copied_without_a_new_name_is_refused(defs_folder: DefsFolder) -> None:
    add_second_company(defs_folder)
    defs_folder.replace("slovak_partners", "name: slovak_partners", "name: flexi_partners")
    with pytest.raises(ConfigurationError, match="Two syncs have the same name: flexi_partners"):
        defs_folder.load()


def test_two_syncs_cannot_be_the_same_asset(defs_folder: DefsFolder) -> None:
    add_second_company(defs_folder)
    defs_folder.replace("slovak_partners", "asset: odoo/slovak_partners", "asset: odoo/partners")
    with pytest.raises(ConfigurationError, match="Two syncs have the same asset: odoo/partners"):
        defs_folder.load()


def test_a_secret_that_was_written_into_the_file_is_not_repeated_in_the_error(defs_folder: DefsFolder) -> None:
    defs_folder.replace("connections", "secret: $ODOO_API_KEY", "secret: hunter2")
    try:
        defs_folder.load()
    except ConfigurationError:
        shown = serializable_error_info_from_exc_info(sys.exc_info()).to_string()
    assert "a secret belongs in the environment" in shown
    assert "hunter2" not in shown


def test_a_sync_that_is_not_enabled_is_loaded_but_nothing_sets_it_off(defs_folder: DefsFolder) -> None:
    defs_folder.change("flexi_partners", lambda sync: sync.update(enabled=False))
    repository = defs_folder.load().definitions.get_repository_def()
    assert repository.get_sensor_def("flexi_partners_sensor").default_status is dg.DefaultSensorStatus.STOPPED
    comparison = repository.get_schedule_def("flexi_partners_comparison_schedule")
    assert comparison.default_status is dg.DefaultScheduleStatus.STOPPED


def test_a_sync_may_do_without_the_scheduled_comparison(defs_folder: DefsFolder) -> None:
    defs_folder.change("flexi_partners", lambda sync: sync.update(triggers={"reconcile": None}))
    repository = defs_folder.load().definitions.get_repository_def()
    names = {"purge_history_schedule", "schema_checks_schedule"}
    assert {schedule.name for schedule in repository.schedule_defs} == names
    assert "flexi_partners_comparison" in {job.name for job in repository.get_all_jobs()}
