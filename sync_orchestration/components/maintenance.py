"""Jobs that are no sync's alone: chosen and failed records, connections, the feed's switch, a full read, retention."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from zlib import crc32

import dagster as dg

from sync_orchestration.components.assets import plain_failures, status_metadata
from sync_orchestration.components.chosen import (
    ChosenResult,
    preview,
    read_everything,
    retry_failed,
    select_keys,
    sync_chosen,
)
from sync_orchestration.components.connections import Connection, FlexiConnection
from sync_orchestration.components.database import InterfaceDatabase
from sync_orchestration.components.flexi_hooks import flexi_hook_job
from sync_orchestration.components.health import check_connections
from sync_orchestration.components.metadata import counts_metadata, preview_metadata, preview_sentence
from sync_orchestration.components.notifications import NotificationSettings
from sync_orchestration.components.persons_words import word_sensor
from sync_orchestration.components.retention import purge_history_job, purge_history_schedule
from sync_orchestration.components.running import LogObserver
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.components.tracing import traced
from sync_orchestration.pipeline.errors import ConfigurationError
from sync_orchestration.pipeline.sweep import reset


def maintenance_definitions(
    syncs: Sequence[SyncSettings],
    connections: Mapping[str, Connection],
    notifications: NotificationSettings | None = None,
) -> dg.Definitions:
    """Build the maintenance jobs over all syncs and connections, and the schedule of the retention."""
    by_name = {sync.name: sync for sync in syncs}
    shared = [*_shared_targets(syncs)]
    purge_history = purge_history_job(syncs)
    sync_records, retry = _sync_records_job(by_name, connections), _retry_job(by_name, connections)
    return dg.Definitions(
        assets=shared,
        jobs=[
            sync_records,
            retry,
            _full_reconciliation_job(by_name, connections),
            _reset_job(by_name),
            _check_connections_job(by_name, connections, notifications),
            _flexi_changes_job(connections),
            flexi_hook_job(connections),
            purge_history,
        ],
        schedules=[purge_history_schedule(purge_history)],
        sensors=[word_sensor(syncs, connections, retry, sync_records)],
    )


def _shared_targets(syncs: Sequence[SyncSettings]) -> Iterator[dg.AssetSpec]:
    """Yield one asset for each model that several syncs write, so that the lineage shows where their roads meet."""
    writers: dict[tuple[str, str], list[SyncSettings]] = {}
    for sync in syncs:
        writers.setdefault((sync.target.connection, sync.target.model), []).append(sync)
    for (connection, model), several in writers.items():
        if len(several) > 1:
            yield dg.AssetSpec(
                key=[connection, model.replace(".", "_")],
                deps=[dg.AssetKey(sync.target_asset_key) for sync in several],
                description=f"All records of {model}, whichever sync wrote them.",
                kinds={several[0].target.kind},
                group_name="shared",
            )


def _one_of(kind: str, names: Sequence[str], description: str, default: str | None = None) -> dg.Field:
    """Return a config field of a few values, which the Launchpad offers and checks."""
    # Dagster remembers what an enum of a name holds, also for another project in the same process.
    name = f"{kind}_{crc32(' '.join(names).encode()):08x}"
    values = dg.Enum(name, [dg.EnumValue(one) for one in names] or [dg.EnumValue("none")])
    if default is None:
        return dg.Field(values, description=description)
    return dg.Field(values, description=description, default_value=default)


def _sync_records_job(syncs: Mapping[str, SyncSettings], connections: Mapping[str, Connection]) -> dg.JobDefinition:
    about_keys = "Keys of the records in the source, e.g. the numeric ids of Flexi or Odoo."
    about_domain = "An Odoo domain instead, of a sync that reads Odoo, e.g. [['country_id.code', '=', 'CZ']]."
    about_dry_run = (
        "Show what would be created, changed and deleted, and send nothing; without keys: of all that is new."
    )

    @dg.op(
        required_resource_keys={"interface"},
        description="Fetches the chosen records now and writes them, or shows what that would be.",
        config_schema={
            "sync": _one_of("Sync", list(syncs), "The sync to run."),
            "keys": dg.Field([str], default_value=[], description=about_keys),
            "domain": dg.Field(str, default_value="", description=about_domain),
            "dry_run": dg.Field(bool, default_value=False, description=about_dry_run),
        },
    )
    def chosen_records(context: dg.OpExecutionContext) -> None:
        config = context.op_config
        settings = syncs[config["sync"]]
        with traced(context, settings.name), plain_failures(), _interface(context).session() as conn:
            chosen = select_keys(settings, connections, config["domain"]) if config["domain"] else []
            keys = [*config["keys"], *chosen]
            if config["domain"]:
                context.log.info(f"{len(chosen)} records match the domain")
            if not keys and (config["domain"] or not config["dry_run"]):
                raise ConfigurationError("No record is chosen: give keys, or a domain that some records match.")
            if config["dry_run"]:
                found = preview(conn, settings, connections, keys, _observer(context))
                context.log.info(preview_sentence(found))
                context.add_output_metadata(preview_metadata(found))
                return
            result = sync_chosen(conn, settings, connections, keys, context.run_id, _observer(context))
            _show(context, conn, settings, result)

    return _one_op_job(
        "sync_records",
        chosen_records,
        "Syncs chosen records: give the sync and keys of its source, or an Odoo domain. dry_run only shows it.",
    )


def _retry_job(syncs: Mapping[str, SyncSettings], connections: Mapping[str, Connection]) -> dg.JobDefinition:
    confirm = "Also let the deletes go on that the guard against floods of deletes holds."

    @dg.op(
        required_resource_keys={"interface"},
        description="Fetches failed records anew and writes them again.",
        config_schema={
            "sync": _one_of("Sync", list(syncs), "The sync whose failed records are tried again."),
            "keys": dg.Field([str], default_value=[], description="Only these records; empty: all failed ones."),
            "confirm_deletes": dg.Field(bool, default_value=False, description=confirm),
        },
    )
    def failed_records(context: dg.OpExecutionContext) -> None:
        config = context.op_config
        settings = syncs[config["sync"]]
        with traced(context, settings.name), plain_failures(), _interface(context).session() as conn:
            result = retry_failed(
                conn,
                settings,
                connections,
                config["keys"] or None,
                context.run_id,
                _observer(context),
                confirm_deletes=config["confirm_deletes"],
            )
            _show(context, conn, settings, result)

    return _one_op_job(
        "retry_failed_records", failed_records, "Tries failed records again: all of a sync, or chosen keys."
    )


def _full_reconciliation_job(
    syncs: Mapping[str, SyncSettings], connections: Mapping[str, Connection]
) -> dg.JobDefinition:
    @dg.op(
        required_resource_keys={"interface"},
        description="Reads the whole source again and writes what differs.",
        config_schema={"sync": _one_of("Sync", list(syncs), "The sync to read whole.")},
    )
    def whole_source(context: dg.OpExecutionContext) -> None:
        settings = syncs[context.op_config["sync"]]
        with traced(context, settings.name), plain_failures(), _interface(context).session() as conn:
            result = read_everything(conn, settings, connections, context.run_id, _observer(context))
            _show(context, conn, settings, result)

    return _one_op_job(
        "full_reconciliation",
        whole_source,
        "Reads a source whole: after its history was reset or tracking was off, or to heal the target.",
    )


def _reset_job(syncs: Mapping[str, SyncSettings]) -> dg.JobDefinition:
    @dg.op(
        required_resource_keys={"interface"},
        description="Forgets how far a sync has come; its rows and their links stay.",
        config_schema={"sync": _one_of("Sync", list(syncs), "The sync to reset.")},
    )
    def forgotten_state(context: dg.OpExecutionContext) -> None:
        settings = syncs[context.op_config["sync"]]
        with plain_failures(), _interface(context).session() as conn:
            reset(conn, settings.name)
        context.log.info(f"{settings.name} begins at the first record the next time it is triggered.")

    return _one_op_job("reset_state", forgotten_state, "Lets a sync begin at the first record the next time.")


def _check_connections_job(
    syncs: Mapping[str, SyncSettings],
    connections: Mapping[str, Connection],
    notifications: NotificationSettings | None,
) -> dg.JobDefinition:
    @dg.op(description="Tries every connection with harmless calls.")
    def connections_one_by_one(context: dg.OpExecutionContext) -> None:
        health = check_connections(connections, list(syncs.values()), notifications)
        rows = [
            dg.TableRecord(
                {"connection": h.name, "ok": "yes" if h.ok else "no", "detail": h.detail, "ms": h.milliseconds}
            )
            for h in health
        ]
        context.add_output_metadata({"connections": dg.MetadataValue.table(rows)})
        if broken := [h for h in health if not h.ok]:
            details = "; ".join(f"{h.name}: {h.detail}" for h in broken)
            raise dg.Failure(description=details, metadata={"connections": dg.MetadataValue.table(rows)})

    return _one_op_job(
        "check_connections",
        connections_one_by_one,
        "Tries every connection with harmless calls and says what is wrong with it.",
    )


def _flexi_changes_job(connections: Mapping[str, Connection]) -> dg.JobDefinition:
    flexis = [name for name, connection in connections.items() if isinstance(connection, FlexiConnection)]

    @dg.op(
        description="Asks whether the Changes API of a Flexi company is on, or switches it.",
        config_schema={
            "connection": _one_of("FlexiConnection", flexis, "The Flexi connection."),
            "action": _one_of("ChangesAction", ["status", "enable", "disable"], "Ask, or switch it.", "status"),
        },
    )
    def changes_api(context: dg.OpExecutionContext) -> None:
        name, action = context.op_config["connection"], context.op_config["action"]
        with plain_failures():
            connection = connections[name]
            if not isinstance(connection, FlexiConnection):
                raise ConfigurationError(f"The connection {name!r} is not a Flexi.")
            client = connection.client()
            if action != "status":
                client.switch_tracking(on=action == "enable")
            state = "on" if client.tracking_is_on() else "off"
        context.log.info(f"The Changes API of the company {client.company} is {state}.")
        context.add_output_metadata({"changes_api": state})

    return _one_op_job(
        "flexi_changes_control",
        changes_api,
        "Asks, switches on or off the Changes API. Switching on needs a moment in which nobody is logged in to Flexi.",
    )


def _one_op_job(name: str, op: dg.OpDefinition, description: str) -> dg.JobDefinition:
    @dg.job(name=name, description=description, executor_def=dg.in_process_executor)
    def job() -> None:
        op()

    return job


def _interface(context: dg.OpExecutionContext) -> InterfaceDatabase:
    found: InterfaceDatabase = context.resources.interface
    return found


def _observer(context: dg.OpExecutionContext) -> LogObserver:
    return LogObserver.on(context.log.info, context.log.warning)


def _show(context: dg.OpExecutionContext, conn: Any, settings: SyncSettings, result: ChosenResult) -> None:
    """Say what came of it, and renew the status table of the sync."""
    context.log.info(result.sentence)
    context.add_output_metadata(counts_metadata(result.counts))
    context.log_event(
        dg.AssetMaterialization(
            [settings.name, "interface_status"],
            description=result.sentence,
            metadata=status_metadata(conn, settings),
        )
    )
