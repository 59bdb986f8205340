"""The job that lets a Flexi company tell the intake of changes, so that the poll comes earlier."""

import os
from collections.abc import Mapping, Sequence

import dagster as dg

from sync_orchestration.components.assets import plain_failures
from sync_orchestration.components.connections import Connection, FlexiConnection
from sync_orchestration.pipeline.errors import ConfigurationError
from sync_orchestration.systems.flexi_hooks import SECRET, FlexiHook, FlexiHooks, shown

SECRET_VARIABLE = "INTAKE_HOOK_SECRET"  # noqa: S105 - a name
URL_VARIABLE = "INTAKE_PUBLIC_URL"

_ACTIONS = ("list", "register", "revive", "remove")
_ABOUT_URL = f"Address of the intake as Flexi reaches it, e.g. https://sync.example.com; empty: ${URL_VARIABLE}."
_ABOUT_HOOK = "Number of the hook to revive or remove; empty: the one that leads to the intake."
_ABOUT_TEST = "Register without letting Flexi try the address first."


def flexi_hook_job(connections: Mapping[str, Connection]) -> dg.JobDefinition:
    """Build the job that lists, registers, revives and removes web hooks.

    The secret of a hook is read from the environment only, for Dagster keeps and shows the config of a run.
    """
    flexis = [name for name, connection in connections.items() if isinstance(connection, FlexiConnection)]

    @dg.op(
        description="Lists the web hooks of a Flexi company, or registers, revives or removes one.",
        config_schema={
            "connection": dg.Field(_names("HookConnection", flexis), description="The Flexi connection."),
            "action": dg.Field(
                _names("HookAction", _ACTIONS),
                default_value="list",
                description="List the hooks; register the intake; revive one that Flexi calls no more; remove one.",
            ),
            "url": dg.Field(str, default_value="", description=_ABOUT_URL),
            "hook": dg.Field(str, default_value="", description=_ABOUT_HOOK),
            "skip_url_test": dg.Field(bool, default_value=False, description=_ABOUT_TEST),
        },
    )
    def web_hooks(context: dg.OpExecutionContext) -> None:
        config = context.op_config
        name, action = config["connection"], config["action"]
        with plain_failures():
            connection = connections[name]
            if not isinstance(connection, FlexiConnection):
                raise ConfigurationError(f"The connection {name!r} is not a Flexi.")
            hooks = FlexiHooks.of(connection.client(), os.environ.get(SECRET_VARIABLE, ""))
            url = _address(config["url"], name)
            if action == "register":
                done = _register(hooks, url, skip_url_test=config["skip_url_test"])
            elif action == "list":
                done = ""
            else:
                done = _change(hooks, action, config["hook"], url)
            listed = hooks.listed()
            context.log.info(f"{done}{_sentence(hooks, listed, url)}")
            context.add_output_metadata({"hooks": _table(hooks, listed), "count": len(listed)})

    @dg.job(
        name="flexi_hook_control",
        description="Lets a Flexi company call the intake after each change (web hook), so that changes are read at "
        "once: lists, registers, revives or removes its hooks.",
        executor_def=dg.in_process_executor,
    )
    def job() -> None:
        web_hooks()

    return job


def _names(kind: str, names: Sequence[str]) -> dg.Enum:
    return dg.Enum(kind, [dg.EnumValue(name) for name in names] or [dg.EnumValue("none")])


def _address(given: str, connection: str) -> str:
    """Return the address that the intake listens to for this connection; empty when nobody said where it is."""
    base = given or os.environ.get(URL_VARIABLE, "")
    if not base:
        return ""
    if not base.startswith(("http://", "https://")) or shown(base) != base:
        raise ConfigurationError(
            f"The address of the intake must be like https://sync.example.com, without user, password and parameters: "
            f"{shown(base)} (config url, or {URL_VARIABLE})."
        )
    path = f"/hooks/flexi/{connection}"
    return base.rstrip("/").removesuffix(path) + path


def _register(hooks: FlexiHooks, url: str, *, skip_url_test: bool) -> str:
    if not url:
        raise ConfigurationError(
            f"Where Flexi reaches the intake is not known: set {URL_VARIABLE}, or give url in the config."
        )
    if not hooks.secret:
        raise ConfigurationError(f"The environment variable {SECRET_VARIABLE} is not set.")
    if not SECRET.fullmatch(hooks.secret):
        raise ConfigurationError(
            f"{SECRET_VARIABLE} must be the secret itself (no hash of it) and of letters, digits and - . _ ~ + / = "
            "only. Make one with `openssl rand -hex 32`."
        )
    if hooks.register(url, skip_url_test=skip_url_test):
        return f"Flexi calls {hooks.client.http.masked(url)} from now on. "
    return (
        f"Flexi calls {hooks.client.http.masked(url)} already, with the secret that it was given then; to give it "
        "another one, remove the hook and register it again. "
    )


def _change(hooks: FlexiHooks, action: str, number: str, url: str) -> str:
    """Revive or remove one hook by its number, or those that lead to the intake."""
    chosen = [number] if number else [hook.id for hook in hooks.leading_to(url)]
    if not chosen:
        where = f"leads to {hooks.client.http.masked(url)}" if url else f"can be ours, for {URL_VARIABLE} is not set"
        raise ConfigurationError(f"No web hook {where}. Give the number of the hook; action list shows them.")
    change = hooks.remove if action == "remove" else hooks.revive
    for hook_id in chosen:
        change(hook_id)
    said = "is removed" if action == "remove" else "is called again at once"
    return "".join(f"Web hook {hooks.client.http.masked(hook_id)} {said}. " for hook_id in chosen)


def _sentence(hooks: FlexiHooks, listed: Sequence[FlexiHook], url: str) -> str:
    ours = [hook.id for hook in listed if hook.url == url]
    company = f"The Flexi company {hooks.client.company} has {len(listed)} web hook{'' if len(listed) == 1 else 's'}"
    if not url:
        return f"{company}."
    leads = f"number {', '.join(ours)} leads" if ours else "none leads"
    return f"{company}; {leads} to the intake."


def _table(hooks: FlexiHooks, listed: Sequence[FlexiHook]) -> dg.TableMetadataValue:
    def record(hook: FlexiHook) -> dg.TableRecord:
        values = {
            "id": hook.id,
            "url": hook.shown_url,
            "format": hook.format,
            "last version": hook.last_version,
            "penalty": hook.penalty,
        }
        return dg.TableRecord({name: hooks.client.http.masked(value) for name, value in values.items()})

    columns = [dg.TableColumn(name) for name in ("id", "url", "format", "last version", "penalty")]
    return dg.MetadataValue.table([record(hook) for hook in listed], dg.TableSchema(columns))
