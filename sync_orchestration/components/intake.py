"""The intake's YAML: who may push to which sync, which hooks wake which, and how much is too much."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import dagster as dg
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from sync_orchestration.components.connections import Connection, OdooConnection
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.components.sharing import share
from sync_orchestration.components.target_settings import OdooTargetSettings
from sync_orchestration.intake import Hook, IntakeSettings, Limits, Operator, References, Sender, TargetUnreachableError
from sync_orchestration.mapping.records import Reference
from sync_orchestration.pipeline.errors import ConfigurationError, SyncError, UnavailableError
from sync_orchestration.systems.odoo.client import OdooClient
from sync_orchestration.systems.odoo.target import OdooTarget

_VARIABLE, _HASH = "$", "sha256:"
_NOT_THERE = "which does not exist"
_USUAL_DAGSTER = "http://127.0.0.1:3000"
_WAKES = {"flexi": "connection", "odoo": "sync"}
_HOOKS: Mapping[str, dict[str, Any]] = {
    # The header is the one that Flexi sends its secKey in (podpora.flexibee.eu, Web Hooks).
    "flexi": {"header": "X-FB-Hook-SecKey"},
    # An Odoo server action sends no header at all, so its secret is in the path; the id is in _id (measured).
    "odoo": {"key_field": "_id"},
}


def _no_secret_in_a_file(value: str) -> str:
    if not value.startswith((_VARIABLE, _HASH)):
        raise ValueError("a secret belongs in the environment: write $NAME of its variable, or sha256: and its hash")
    return value


Secret = Annotated[str, AfterValidator(_no_secret_in_a_file), Field(json_schema_extra={"pattern": r"^(\$|sha256:)"})]


class _Settings(BaseModel):
    # What is refused may be a secret that somebody wrote into the file.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class SenderSettings(_Settings):
    """A system that pushes records."""

    tokens: list[Secret] = Field(
        min_length=1, description="Its bearer tokens, all valid at once: $NAME of a variable, or sha256:<hex>."
    )
    syncs: list[str] = Field(min_length=1, description="The syncs that it may push to.")


class HookSettings(_Settings):
    """Calls of another system that something changed."""

    kind: Literal["flexi", "odoo"] = Field(description="Whose hook it is.")
    name: str = Field(description="Whom it wakes: a Flexi connection, or a sync that reads Odoo.")
    secrets: list[Secret] = Field(min_length=1, description="Its secrets, all valid at once, like tokens.")

    @property
    def names_records(self) -> bool:
        """True where a call names the record that has changed."""
        return "key_field" in _HOOKS[self.kind]


class OperatorSettings(_Settings):
    """Who may use the record browser."""

    tokens: list[Secret] = Field(min_length=1, description="What they log in with, all valid at once, like a sender's.")
    may: Literal["look", "operate"] = Field(
        "look", description="look: read records; operate: also retry, skip and re-read them."
    )


class LimitSettings(_Settings):
    """How much is too much."""

    body_bytes: int = Field(5 * 1024 * 1024, ge=1_000, description="Bytes of one call.")
    records: int = Field(1_000, ge=1, le=10_000, description="Records of one push.")
    calls_per_second: float = Field(50.0, gt=0, description="Calls of one sender per second, in the long run.")
    burst: int = Field(100, ge=50, description="Calls of one sender at once.")
    running: int = Field(4, ge=1, le=64, description="Calls that are worked on at once.")
    waiting: int = Field(16, ge=1, le=1_000, description="Calls that may wait; more are told to come again.")


class IntakeModel(_Settings):
    """The attributes of an Intake component."""

    senders: dict[str, SenderSettings] = Field(default_factory=dict, description="Who pushes, by name.")
    hooks: list[HookSettings] = Field(default_factory=list, description="Who may call that something changed.")
    operators: dict[str, OperatorSettings] = Field(
        default_factory=dict, description="Who may use the record browser, by name; none: it is off."
    )
    limits: LimitSettings = Field(
        default_factory=lambda: LimitSettings.model_validate({}), description="How much is too much."
    )
    public_url: str = Field("$INTAKE_PUBLIC_URL", description="Where senders reach the intake, for its documentation.")
    dagster_url: str = Field(
        "$SYNC_UI_URL", description=f"Address of the Dagster UI, for links to runs; unset: {_USUAL_DAGSTER}."
    )


class Intake(dg.Component):
    """The intake, one YAML folder. It is served by `sync-orchestration intake`, not by Dagster."""

    def __init__(self, model: IntakeModel) -> None:
        self.model = model

    @classmethod
    def get_model_cls(cls) -> type[BaseModel]:
        return IntakeModel

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> "Intake":
        del context
        return cls(IntakeModel.model_validate(attributes or {}))

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Build nothing by itself: the sensor that follows hooks is built where all syncs are known."""
        del context
        return dg.Definitions()


def pushed_syncs(syncs: Mapping[str, SyncSettings]) -> dict[str, SyncSettings]:
    """Return the syncs whose records are pushed."""
    return {name: sync for name, sync in syncs.items() if sync.source.pushed and sync.enabled}


def refuse_strangers(
    model: IntakeModel, syncs: Mapping[str, SyncSettings], connections: Mapping[str, Connection]
) -> None:
    """Raise ConfigurationError for a sender or a hook that names what does not exist, or is of another kind."""
    for name, sender in model.senders.items():
        for sync in sender.syncs:
            if sync not in syncs:
                raise ConfigurationError(f"The sender {name!r} of the intake names the sync {sync!r}, {_NOT_THERE}.")
            if not syncs[sync].source.pushed:
                raise ConfigurationError(
                    f"The sender {name!r} of the intake names the sync {sync!r}, to which nothing is pushed."
                )
    for hook in model.hooks:
        said = f"The {hook.kind} hook of the intake names the {_WAKES[hook.kind]} {hook.name!r}"
        whom = connections.get(hook.name) if hook.kind == "flexi" else syncs.get(hook.name)
        if whom is None:
            raise ConfigurationError(f"{said}, {_NOT_THERE}.")
        kind = whom.source.kind if isinstance(whom, SyncSettings) else whom.kind
        if kind != hook.kind:
            raise ConfigurationError(f"{said}, which is of the kind {kind}.")
    names = [f"{hook.kind}/{hook.name}" for hook in model.hooks]
    if doubles := [name for name in names if names.count(name) > 1]:
        raise ConfigurationError(f"Two hooks of the intake are {doubles[0]}. Keep one: it may have several secrets.")


def missing_variables(model: IntakeModel) -> list[str]:
    """Return the unset variables without which nobody could push: those of all tokens.

    None is missing where there is somebody who can look at records: for them it is served too.
    """
    if has_operators(model):
        return []
    tokens = [token for sender in model.senders.values() for token in sender.tokens]
    missing = [token.removeprefix(_VARIABLE) for token in tokens if not _value(token)]
    return [] if len(missing) < len(tokens) else missing


def has_operators(model: IntakeModel) -> bool:
    """Tell whether anybody can log in to the record browser."""
    return any(_values(operator.tokens) for operator in model.operators.values())


def secret_variables(model: IntakeModel) -> list[str]:
    """Return the environment variables that hold tokens of senders and operators, and secrets of hooks."""
    given = [
        *(token for sender in model.senders.values() for token in sender.tokens),
        *(token for operator in model.operators.values() for token in operator.tokens),
        *(secret for hook in model.hooks for secret in hook.secrets),
    ]
    return [one.removeprefix(_VARIABLE) for one in given if one.startswith(_VARIABLE)]


def intake_settings(model: IntakeModel, syncs: Mapping[str, SyncSettings], url: str) -> IntakeSettings:
    """Return what the intake is told; senders, hooks and operators whose variables are all unset are left out.

    `url` is where it is served, in case the YAML's `public_url` is not set. Raises ConfigurationError for what
    contradicts itself.
    """
    pushed = pushed_syncs(syncs)
    contracts = [contract for sync in pushed.values() if (contract := sync.contract())]
    senders = [
        Sender(name, tokens, frozenset(sender.syncs) & pushed.keys())
        for name, sender in model.senders.items()
        if (tokens := _values(sender.tokens))
    ]
    hooks = [
        Hook(hook.kind, hook.name, secrets, **_HOOKS[hook.kind])
        for hook in model.hooks
        if (secrets := _values(hook.secrets))
    ]
    operators = [
        Operator(name, tokens, operator.may)
        for name, operator in model.operators.items()
        if (tokens := _values(operator.tokens))
    ]
    try:
        return IntakeSettings(
            contracts=tuple(contracts),
            senders=tuple(senders),
            hooks=tuple(hooks),
            operators=tuple(operators),
            limits=Limits(**model.limits.model_dump()),
            public_url=_value(model.public_url) or url,
            dagster_url=(_value(model.dagster_url) or _USUAL_DAGSTER).rstrip("/"),
        )
    except ValueError as error:
        raise ConfigurationError(f"The intake's YAML contradicts itself: {error}") from None


def _values(secrets: Sequence[str]) -> tuple[str, ...]:
    return tuple(value for secret in secrets if (value := _value(secret)))


def _value(setting: str) -> str:
    return os.environ.get(setting.removeprefix(_VARIABLE), "") if setting.startswith(_VARIABLE) else setting


def references(syncs: Mapping[str, SyncSettings], connections: Mapping[str, Connection]) -> dict[str, References]:
    """Return for each pushed sync who looks up the related records that it names; one object a connection."""
    found: dict[str, References] = {}
    by_connection: dict[str, References] = {}
    for name, sync in pushed_syncs(syncs).items():
        connection = connections.get(sync.target.connection)
        if isinstance(sync.target, OdooTargetSettings) and isinstance(connection, OdooConnection):
            found[name] = by_connection.setdefault(sync.target.connection, OdooReferences(connection))
        else:
            found[name] = NoReferences()
    return found


class NoReferences:
    """Stands for a target that has no related records."""

    def missing(self, wanted: Sequence[Reference]) -> set[Reference]:
        """Return all of them."""
        return set(wanted)


@dataclass(slots=True)
class OdooReferences:
    """Asks an Odoo whether related records exist; logs in with the first question. Safe to use from several threads."""

    connection: OdooConnection
    _client: OdooClient | None = None

    def missing(self, wanted: Sequence[Reference]) -> set[Reference]:
        """Return those that do not exist. Raises TargetUnreachableError when Odoo cannot tell."""
        try:
            if self._client is None:
                client = self.connection.client()
                share(client.http)
                self._client = client
            # A target of its own for each question, since a target remembers what it has found.
            target = OdooTarget(client=self._client, model="", fields=[], module="")
            return set(wanted) - set(target.resolve(wanted))
        except UnavailableError as error:
            raise TargetUnreachableError(str(error), error.retry_after) from error
        except SyncError as error:
            raise TargetUnreachableError(str(error)) from error
