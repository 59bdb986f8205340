"""The part of the content model that contractors live in.

Types, aspects and property types are those of Citeck's public ``idocsModel.xml`` and Alfresco's own models.
"""

from dataclasses import dataclass
from typing import Literal

PropertyType = Literal["d:text", "d:int", "d:long", "d:boolean", "d:datetime"]

NAMESPACES = {
    "idocs": "http://www.citeck.ru/model/content/idocs/1.0",
    "cm": "http://www.alfresco.org/model/content/1.0",
    "sys": "http://www.alfresco.org/model/system/1.0",
    "dl": "http://www.alfresco.org/model/datalist/1.0",
    "acme": "http://www.acme.example/model/1.0",
}

CONTRACTOR = "idocs:contractor"

PARENTS = {
    "cm:content": "cm:cmobject",
    "cm:cmobject": "sys:base",
    "dl:dataListItem": "cm:content",
    "idocs:entity": "dl:dataListItem",
    "idocs:abstractContractor": "idocs:entity",
    CONTRACTOR: "idocs:abstractContractor",
    "acme:supplier": CONTRACTOR,
}
"""Each type's parent. ``acme:supplier`` stands for a customer's own subtype of contractors."""


@dataclass(frozen=True)
class PropertyDefinition:
    """One property of the model; `aspect` is None where the type itself has it."""

    type: PropertyType
    aspect: str | None = None
    multiple: bool = False
    allowed: frozenset[str] | None = None


def _texts(aspect: str | None, *names: str) -> dict[str, PropertyDefinition]:
    return {f"idocs:{name}": PropertyDefinition("d:text", aspect) for name in names}


PROPERTIES: dict[str, PropertyDefinition] = {
    **_texts("idocs:organizationInfo", "fullOrganizationName", "shortOrganizationName", "engOrganizationName"),
    **_texts("idocs:publicRegInfo", "inn", "kpp", "ogrn", "okpo", "bill", "okonh", "okato"),
    **_texts("idocs:entityInfo", "juridicalAddress", "postAddress", "code", "phoneNumber"),
    **_texts(None, "CEOname"),
    **_texts("idocs:hasContactInfo", "firstName", "lastName", "patronymicName"),
    **_texts("idocs:communicationInfo", "phone", "fax", "email"),
    **_texts("idocs:diadocInfo", "diadocBoxId"),
    **_texts("idocs:hasBankAccount", "bankTitle", "bankId", "accountNumber", "corresponentAccountNumber"),
    **_texts("idocs:hasIndividualEntrepreneurInfo", "psrnsp"),
    "idocs:contractorID": PropertyDefinition("d:int"),
    "idocs:doNotSendContractToEdiFlag": PropertyDefinition("d:boolean"),
    "idocs:contractorType": PropertyDefinition(
        "d:text", "idocs:contractorType", multiple=True, allowed=frozenset({"customer", "vendor", "employee"})
    ),
    "idocs:contractorKind": PropertyDefinition(
        "d:text",
        "idocs:hasContractorKind",
        allowed=frozenset({"legal-entity", "individual", "public-body", "individual-entrepreneur"}),
    ),
    "cm:title": PropertyDefinition("d:text", "cm:titled"),
    "cm:description": PropertyDefinition("d:text", "cm:titled"),
}
"""Every property that can be written."""

ASPECTS_OF_CONTRACTOR = frozenset(
    {"cm:auditable", "idocs:organizationInfo", "idocs:publicRegInfo", "idocs:entityInfo", "idocs:contractorType"}
)

AUDIT_PROPERTIES = ("cm:name", "cm:created", "cm:creator", "cm:modified", "cm:modifier")
SYSTEM_PROPERTIES = ("sys:node-dbid", "sys:node-uuid", "sys:store-protocol", "sys:store-identifier")


def is_a(node_type: str, wanted: str) -> bool:
    """Whether `node_type` is `wanted` or inherits from it."""
    step: str | None = node_type
    while step is not None:
        if step == wanted:
            return True
        step = PARENTS.get(step)
    return False


def is_type(name: str) -> bool:
    """Whether the dictionary knows a type of this name."""
    return name in PARENTS or name in PARENTS.values()


def long_qname(short: str) -> str:
    """``idocs:inn`` as ``{http://…}inn``."""
    prefix, _, local = short.partition(":")
    return f"{{{NAMESPACES.get(prefix, prefix)}}}{local}"


def short_qname(name: str) -> str:
    """``{http://…}inn`` as ``idocs:inn``; a short name stays as it is."""
    if not name.startswith("{"):
        return name
    uri, _, local = name[1:].partition("}")
    prefixes = {value: key for key, value in NAMESPACES.items()}
    return f"{prefixes.get(uri, uri)}:{local}"
