"""Connections: the reachable outside systems, as Dagster resources. Their secrets come from the environment only."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import dagster as dg
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from sync_orchestration.components.known_secrets import known_secrets, passwords_in
from sync_orchestration.interface.turns import MOST_TURNS
from sync_orchestration.mapping.scrub import mask
from sync_orchestration.pipeline.errors import ConfigurationError
from sync_orchestration.systems.alfresco.citeck import CiteckRecords
from sync_orchestration.systems.alfresco.v1 import AlfrescoV1
from sync_orchestration.systems.flexi import FlexiClient
from sync_orchestration.systems.http import HttpClient, HttpSettings
from sync_orchestration.systems.kontur import KonturClient
from sync_orchestration.systems.links import alfresco_page, flexi_page, odoo_page
from sync_orchestration.systems.odoo.client import Dialect, OdooClient

_VARIABLE = "$"
_SECRET_FIELDS = ("password", "secret", "key", "token")
# For editors, which then mark a secret in a file; what refuses it is the validator below.
_A_VARIABLE: dict[str, Any] = {"pattern": r"^\$"}


def read_variable(setting: str) -> str:
    """Return a setting, read from the environment where it names a variable. Raises ConfigurationError when unset."""
    if not setting.startswith(_VARIABLE):
        return setting
    variable = setting.removeprefix(_VARIABLE)
    found = dg.EnvVar(variable).get_value()
    if not found:
        raise ConfigurationError(f"The environment variable {variable} is not set.")
    return found


def _named_by_variable(secret: str) -> str:
    if not secret.startswith(_VARIABLE):
        raise ValueError("a secret belongs in the environment: write the name of its variable, like $NAME")
    return secret


class Connection(dg.ConfigurableResource):  # type: ignore[type-arg]
    """One reachable outside system. A value that begins with $ names an environment variable, read when it is used."""

    # Dagster's own resources take what they do not know without a word, so a misspelt setting would have no effect.
    model_config = ConfigDict(extra="forbid")

    kind: str = Field(description="What kind of system it is.")
    url: str = Field(description="Address of the server, e.g. $FLEXI_URL or https://odoo.example.com.")
    timeout: float = Field(60.0, gt=0, description="Seconds to wait for a connection and for each silence after it.")
    patience: float = Field(
        default=10.0,
        ge=1,
        description="How many times the timeout one exchange may take in all, whatever keeps coming.",
    )
    verify_tls: bool = Field(default=True, description="False accepts any TLS certificate; for tests only.")
    parallel: int = Field(
        default=4,
        ge=1,
        le=MOST_TURNS,
        description="Requests under way at the server at a time, of all workers together.",
    )

    @field_validator(*_SECRET_FIELDS, mode="after", check_fields=False)
    @classmethod
    def _no_secret_in_a_file(cls, value: str | None) -> str | None:
        return value if value is None else _named_by_variable(value)

    def secret_variables(self) -> list[str]:
        """Return the environment variables that hold secrets of this connection."""
        given = (getattr(self, name, None) for name in _SECRET_FIELDS)
        return [name.removeprefix(_VARIABLE) for name in given if isinstance(name, str)]

    def missing_variables(self) -> list[str]:
        """Return the environment variables that this connection needs and that are not set."""
        names = (getattr(self, name) for name in type(self).model_fields)
        wanted = [n.removeprefix(_VARIABLE) for n in names if isinstance(n, str) and n.startswith(_VARIABLE)]
        return [name for name in wanted if not os.environ.get(name)]

    def value(self, name: str) -> str:
        """Return a setting, read from the environment where it names a variable."""
        return read_variable(str(getattr(self, name)))

    def page_of(self, what: str, record_id: str) -> str | None:
        """Return where people see a record of an evidence, model or type in this system; None: it has no such page."""
        del what, record_id
        return None

    def http(self, name: str, auth: tuple[str, str] | None, secrets: tuple[str, ...], **more: Any) -> HttpClient:
        """Return a client of this system; `name` is how messages call it, `more` are further HttpSettings."""
        if missing := self.missing_variables():
            raise ConfigurationError(f"{name} is switched off: set {', '.join(missing)}.")
        url = self.value("url")
        if not url.startswith(("http://", "https://")):
            shown = mask(url, passwords_in(url))
            raise ConfigurationError(f"The address of {name} must begin with https:// (or http://): {shown}")
        return HttpClient(
            HttpSettings(
                name=name,
                base_url=url,
                auth=auth,
                timeout=self.timeout,
                patience=self.patience,
                verify_tls=self.verify_tls,
                parallel=self.parallel,
                # A system may echo what it never should have had: what another one was sent.
                secrets=tuple(dict.fromkeys((*secrets, *known_secrets()))),
                **more,
            )
        )


def unset_variables(connections: Sequence[Connection]) -> list[str]:
    """Return the environment variables that keep whoever uses these connections switched off."""
    return [variable for connection in connections for variable in connection.missing_variables()]


class FlexiConnection(Connection):
    """One company of an ABRA Flexi server."""

    kind: Literal["flexi"] = Field("flexi", description="A company of ABRA Flexi.")
    company: str = Field(description="The company's name in the URL (dbNazev), e.g. $FLEXI_COMPANY.")
    user: str = Field(description="A Flexi user with the REST API, e.g. $FLEXI_USER.")
    password: str = Field(
        description="Its password; always a variable, e.g. $FLEXI_PASSWORD.", json_schema_extra=_A_VARIABLE
    )
    feed_format: Literal["json", "xml"] = Field("json", description="Which rendering of the change feed to read.")

    def client(self) -> FlexiClient:
        """Return a client of the company. Raises ConfigurationError when a variable is unset."""
        if missing := self.missing_variables():
            raise ConfigurationError(f"Flexi is switched off: set {', '.join(missing)}.")
        password = self.value("password")
        http = self.http("Flexi", (self.value("user"), password), (password,))
        return FlexiClient(http, self.value("company"), self.feed_format)

    def page_of(self, what: str, record_id: str) -> str | None:
        return flexi_page(self.value("url"), self.value("company"), what, record_id)


class OdooConnection(Connection):
    """One database of an Odoo server, 18 or 19."""

    kind: Literal["odoo"] = Field("odoo", description="A database of Odoo.")
    database: str = Field(description="The database's name, e.g. $ODOO_DATABASE.")
    user: str = Field(description="Login of the user that writes; a dedicated one is best, e.g. $ODOO_USER.")
    secret: str = Field(
        description="Its API key or password; always a variable, e.g. $ODOO_API_KEY.", json_schema_extra=_A_VARIABLE
    )
    dialect: Dialect = Field("auto", description="How to talk to it; auto asks the server: JSON-2 from 19 on.")
    timeout: float = Field(150.0, gt=0, description="Seconds; longer than Odoo's own limit of 120 for one request.")

    def client(self) -> OdooClient:
        """Return a client of the database. Raises ConfigurationError when a variable is unset."""
        if missing := self.missing_variables():
            raise ConfigurationError(f"Odoo is switched off: set {', '.join(missing)}.")
        secret = self.value("secret")
        http = self.http("Odoo", None, (secret,))
        return OdooClient(http, self.value("database"), self.value("user"), secret, self.dialect)

    def page_of(self, what: str, record_id: str) -> str | None:
        return odoo_page(self.value("url"), what, record_id)


class AlfrescoConnection(Connection):
    """An Alfresco repository, or a Citeck one."""

    kind: Literal["alfresco"] = Field("alfresco", description="A repository of Alfresco or Citeck.")
    user: str = Field(description="A user who may read and change the nodes, e.g. $ALFRESCO_USER.")
    password: str = Field(
        description="Its password; always a variable, e.g. $ALFRESCO_PASSWORD.", json_schema_extra=_A_VARIABLE
    )
    dialect: Literal["alfresco", "citeck"] = Field(
        "alfresco", description="alfresco: the REST API v1; citeck: the ECOS Records API."
    )
    parallel: int = Field(16, ge=1, le=MOST_TURNS, description="As elsewhere; a sync sends up to 16 at a time.")
    records_path: str = Field(
        "/alfresco/s/citeck/ecos/records", description="Where the Records API is; /gateway/api/records at the gateway."
    )

    def nodes(self, node_type: str, attributes: Sequence[str]) -> AlfrescoV1 | CiteckRecords:
        """Return the nodes of a type. Raises ConfigurationError when a variable is unset."""
        if missing := self.missing_variables():
            raise ConfigurationError(f"Alfresco is switched off: set {', '.join(missing)}.")
        password = self.value("password")
        http = self.http("Alfresco", (self.value("user"), password), (password,))
        if self.dialect == "citeck":
            return CiteckRecords(http, node_type, attributes, self.records_path)
        return AlfrescoV1(http, node_type)

    def page_of(self, what: str, record_id: str) -> str | None:
        del what
        return alfresco_page(self.value("url"), record_id, citeck=self.dialect == "citeck")


class KonturConnection(Connection):
    """The company register Kontur.Focus."""

    kind: Literal["kontur"] = Field("kontur", description="The company register Kontur.Focus.")
    key: str = Field(
        description="The key of the API; always a variable, e.g. $KONTUR_KEY.", json_schema_extra=_A_VARIABLE
    )

    def client(self) -> KonturClient:
        """Return a client of the register. Raises ConfigurationError when a variable is unset."""
        if missing := self.missing_variables():
            raise ConfigurationError(f"Kontur is switched off: set {', '.join(missing)}.")
        key = self.value("key")
        return KonturClient(self.http("Kontur", None, (key,)), key)


class ApiConnection(Connection):
    """An API over HTTP, with the usual ways to log in to one."""

    auth: Literal["none", "basic", "bearer", "key"] = Field(
        "none", description="How to log in: none; basic: user and password; bearer: token; key: a key in a header."
    )
    user: str | None = Field(None, description="User of basic auth, e.g. $REST_USER.")
    password: str | None = Field(
        None, description="Its password; always a variable, e.g. $REST_PASSWORD.", json_schema_extra=_A_VARIABLE
    )
    token: str | None = Field(
        None, description="Token of bearer auth; always a variable, e.g. $REST_TOKEN.", json_schema_extra=_A_VARIABLE
    )
    key: str | None = Field(
        None, description="Key of key auth; always a variable, e.g. $REST_KEY.", json_schema_extra=_A_VARIABLE
    )
    key_header: str = Field("X-Api-Key", description="Header that carries the key.")
    headers: dict[str, str] = Field({}, description="More headers of every request, e.g. a version; no secrets.")
    parallel: int = Field(32, ge=1, le=MOST_TURNS, description="As elsewhere; a sync sends up to 32 at a time.")
    tries: int = Field(3, ge=1, le=10, description="How often a request is sent that meets a passing fault.")
    retry_seconds: float = Field(2.0, ge=0, description="Wait before the second try; it doubles, with jitter.")

    @model_validator(mode="after")
    def _has_what_its_auth_needs(self) -> Self:
        needed = {"none": (), "basic": ("user", "password"), "bearer": ("token",), "key": ("key",)}[self.auth]
        if lacking := [name for name in needed if getattr(self, name) is None]:
            raise ValueError(f"auth {self.auth} needs {' and '.join(lacking)}")
        return self

    def logged_in(self, name: str, more_secrets: tuple[str, ...] = ()) -> HttpClient:
        """Return a client that logs in; `name` is how messages call the API, `more_secrets` are masked as well.

        Raises ConfigurationError when a variable is unset.
        """
        used = [field for field in ("password", "token", "key") if getattr(self, field) is not None]
        secrets = {field: self.value(field) for field in used}
        headers = {"Accept": "application/json", **self.headers}
        if self.auth == "bearer":
            headers["Authorization"] = f"Bearer {secrets['token']}"
        elif self.auth == "key":
            headers[self.key_header] = secrets["key"]
        return self.http(
            name,
            (self.value("user"), secrets["password"]) if self.auth == "basic" else None,
            (*secrets.values(), *more_secrets),
            headers=headers,
            tries=self.tries,
            first_delay=self.retry_seconds,
        )


class RestConnection(ApiConnection):
    """Any REST API that speaks JSON."""

    kind: Literal["rest"] = Field("rest", description="Any REST API that speaks JSON.")
    check_path: str = Field("/", description="Path that `check` reads when no sync names one; it must be harmless.")

    def client(self) -> HttpClient:
        """Return a client of the API. Raises ConfigurationError when a variable is unset."""
        return self.logged_in("The REST API")


class PythonConnection(ApiConnection):
    """A system that Python classes of the user's own speak to."""

    kind: Literal["python"] = Field("python", description="A system that Python classes of your own speak to.")
    secrets: dict[str, str] = Field(
        {}, description="More secrets, by the parameter of the class that takes them; always variables."
    )

    @field_validator("secrets", mode="after")
    @classmethod
    def _no_secrets_in_a_file(cls, value: dict[str, str]) -> dict[str, str]:
        return {name: _named_by_variable(secret) for name, secret in value.items()}

    def secret_variables(self) -> list[str]:
        """Return the environment variables that hold secrets of this connection."""
        return [*super().secret_variables(), *(name.removeprefix(_VARIABLE) for name in self.secrets.values())]

    def missing_variables(self) -> list[str]:
        """Return the environment variables that this connection needs and that are not set."""
        more = (name.removeprefix(_VARIABLE) for name in self.secrets.values())
        return [*super().missing_variables(), *(name for name in more if not os.environ.get(name))]

    def secret_values(self) -> dict[str, str]:
        """Return the further secrets by parameter. Raises ConfigurationError when a variable is unset."""
        return {name: read_variable(variable) for name, variable in self.secrets.items()}


AnyConnection = Annotated[
    FlexiConnection | OdooConnection | AlfrescoConnection | KonturConnection | RestConnection | PythonConnection,
    Field(discriminator="kind"),
]


class ConnectionsModel(BaseModel):
    """The attributes of a Connections component."""

    # What is refused may be a secret that somebody wrote into the file.
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    connections: dict[str, AnyConnection] = Field(description="The connections by name; syncs refer to the names.")


class Connections(dg.Component):
    """A set of connections, one YAML folder; each becomes a resource of its name."""

    def __init__(self, connections: dict[str, AnyConnection], folder: Path) -> None:
        self.connections = connections
        self.folder = folder

    @classmethod
    def get_model_cls(cls) -> type[BaseModel]:
        return ConnectionsModel

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> "Connections":
        return cls(ConnectionsModel.model_validate(attributes).connections, context.path)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Offer each connection as a resource."""
        del context
        return dg.Definitions(resources=dict(self.connections))
