"""Field definitions of the models, per Odoo version."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .errors import Json

RELATIONAL = ("many2one", "many2many", "one2many")

PARTNER_TYPES = (("contact", "Contact"), ("invoice", "Invoice"), ("delivery", "Delivery"), ("other", "Other"))


@dataclass(frozen=True)
class Field:
    """One field: what fields_get says of it and how values are stored."""

    name: str
    type: str
    string: str
    relation: str = ""
    selection: tuple[tuple[str, str], ...] = ()
    required: bool = False
    readonly: bool = False
    stored: bool = True
    default: Json = None

    @property
    def empty(self) -> Json:
        """Return the value that stands for "nothing" in a stored row."""
        if self.type in ("integer", "float", "monetary"):
            return 0
        return [] if self.type in ("many2many", "one2many") else False

    def description(self) -> dict[str, Json]:
        """Return the entry of fields_get."""
        entry: dict[str, Json] = {
            "name": self.name,
            "type": self.type,
            "string": self.string,
            "required": self.required,
            "readonly": self.readonly,
            "store": self.stored,
            "searchable": self.stored or self.name == "display_name",
            "sortable": self.stored,
            "company_dependent": False,
        }
        if self.relation:
            entry |= {"relation": self.relation, "domain": [], "context": {}}
        if self.type == "selection":
            entry["selection"] = [list(pair) for pair in self.selection]
        return entry


@dataclass(frozen=True)
class Model:
    """One model: its fields, its order and the fields a name is searched in."""

    name: str
    description: str
    fields: Mapping[str, Field]
    order: str = "id"
    rec_names: tuple[str, ...] = ("name",)
    indexed: tuple[str, ...] = ()
    tracked: frozenset[str] = field(default_factory=frozenset)

    @property
    def has_active(self) -> bool:
        return "active" in self.fields


def build_models(version: int, languages: tuple[str, ...], custom: Mapping[str, str] | None = None) -> dict[str, Model]:
    """Return the models of an Odoo of that version; `custom` names x_ fields of res.partner with their types."""
    models = [_partner(version, languages, custom or {}), *_master_data(), *_administration(version)]
    return {model.name: model for model in models}


def _technical() -> list[Field]:
    return [
        Field("id", "integer", "ID", readonly=True),
        Field("display_name", "char", "Display Name", readonly=True, stored=False),
        Field("create_date", "datetime", "Created on", readonly=True),
        Field("create_uid", "many2one", "Created by", "res.users", readonly=True),
        Field("write_date", "datetime", "Last Updated on", readonly=True),
        Field("write_uid", "many2one", "Last Updated by", "res.users", readonly=True),
    ]


def _fields(*fields: Field) -> dict[str, Field]:
    return {one.name: one for one in (*_technical(), *fields)}


def _char(name: str, string: str, *, required: bool = False) -> Field:
    return Field(name, "char", string, required=required)


def _active() -> Field:
    return Field("active", "boolean", "Active", default=True)


def _partner(version: int, languages: tuple[str, ...], custom: Mapping[str, str]) -> Model:
    fields = [
        _char("name", "Name"),
        Field("complete_name", "char", "Complete Name", readonly=True),
        _char("ref", "Reference"),
        _char("company_registry", "Company ID"),
        _char("vat", "Tax ID"),
        _char("street", "Street"),
        _char("street2", "Street2"),
        _char("city", "City"),
        _char("zip", "Zip"),
        Field("state_id", "many2one", "State", "res.country.state"),
        Field("country_id", "many2one", "Country", "res.country"),
        _char("phone", "Phone"),
        Field("phone_sanitized", "char", "Sanitized Number", readonly=True),
        _char("email", "Email"),
        _char("website", "Website Link" if version < 19 else "Website"),
        _char("function", "Job Position"),
        Field("comment", "html", "Notes"),
        Field("is_company", "boolean", "Is a Company", default=False),
        Field(
            "company_type",
            "selection",
            "Company Type",
            selection=(("person", "Individual" if version < 19 else "Person"), ("company", "Company")),
            stored=False,
        ),
        _active(),
        Field("parent_id", "many2one", "Related Company", "res.partner"),
        Field("child_ids", "one2many", "Contact", "res.partner", stored=False),
        Field("category_id", "many2many", "Tags", "res.partner.category"),
        Field(
            "lang",
            "selection",
            "Language",
            selection=tuple((code, code) for code in languages),
            default=languages[0],
        ),
        Field("type", "selection", "Address Type", selection=PARTNER_TYPES, default="contact"),
        Field("message_ids", "one2many", "Messages", "mail.message", readonly=True),
        Field("message_follower_ids", "one2many", "Followers", "mail.followers", readonly=True),
    ]
    if version < 19:
        fields += [_char("mobile", "Mobile"), Field("title", "many2one", "Title", "res.partner.title")]
    fields += [Field(name, kind, name) for name, kind in custom.items()]
    return Model(
        "res.partner",
        "Contact",
        _fields(*fields),
        order="complete_name ASC, id DESC",
        rec_names=("complete_name", "email", "ref", "vat", "company_registry"),
        indexed=("ref", "vat", "company_registry", "email", "name", "parent_id"),
        tracked=frozenset({"name", "email", "phone", "parent_id", "vat", "active"}),
    )


def _master_data() -> list[Model]:
    return [
        Model(
            "res.country",
            "Country",
            _fields(_char("name", "Country Name", required=True), _char("code", "Country Code", required=True)),
            order="name, id",
            indexed=("code", "name"),
        ),
        Model(
            "res.country.state",
            "Country state",
            _fields(
                _char("name", "State Name", required=True),
                _char("code", "State Code", required=True),
                Field("country_id", "many2one", "Country", "res.country", required=True),
            ),
            order="code, id",
        ),
        Model(
            "res.partner.category",
            "Partner Tags",
            _fields(
                _char("name", "Name", required=True),
                Field("color", "integer", "Color"),
                Field("parent_id", "many2one", "Category", "res.partner.category"),
                _active(),
            ),
            order="name, id",
            indexed=("name", "parent_id"),
        ),
        Model(
            "res.partner.title",
            "Partner Title",
            _fields(_char("name", "Title", required=True), _char("shortcut", "Abbreviation")),
            order="name",
            indexed=("name",),
        ),
        Model(
            "res.currency",
            "Currency",
            _fields(_char("name", "Currency", required=True), _char("symbol", "Symbol", required=True), _active()),
            order="active desc, name",
        ),
    ]


def _administration(version: int) -> list[Model]:
    groups = "groups_id" if version < 19 else "group_ids"
    return [
        Model(
            "res.users",
            "User",
            _fields(
                _char("name", "Name", required=True),
                _char("login", "Login", required=True),
                Field("partner_id", "many2one", "Related Partner", "res.partner", required=True),
                Field(groups, "many2many", "Groups", "res.groups", readonly=True),
                _char("tz", "Timezone"),
                _char("lang", "Language"),
                _active(),
            ),
            order="name, login",
        ),
        Model(
            "ir.model.data",
            "Model Data",
            _fields(
                _char("module", "Module", required=True),
                _char("name", "External Identifier", required=True),
                Field("complete_name", "char", "Complete ID", readonly=True),
                _char("model", "Model Name", required=True),
                Field("res_id", "integer", "Record ID"),
                Field("noupdate", "boolean", "Non Updatable", default=False),
            ),
            order="module, model, name",
            indexed=("complete_name", "name", "res_id"),
        ),
        Model(
            "ir.model",
            "Models",
            _fields(_char("name", "Model Description", required=True), _char("model", "Model", required=True)),
            order="model",
        ),
        Model(
            "ir.config_parameter",
            "System Parameter",
            _fields(_char("key", "Key", required=True), _char("value", "Value", required=True)),
            order="key",
            rec_names=("key",),
        ),
    ]
