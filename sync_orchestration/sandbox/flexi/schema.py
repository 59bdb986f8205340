"""The evidences that the stand-in knows: their fields, as the server's own metadata (2026.1.1) names them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, cast

FieldType = Literal["string", "integer", "numeric", "logic", "date", "datetime", "select", "relation"]

_SELECTS: Mapping[str, Mapping[str, str]] = {
    "formExportK": {"formExport.edi": "EDI", "formExport.xml": "XML"},
    "typVztahuK": {
        "typVztahu.odberDodav": "Odběr./Dodav.",
        "typVztahu.odberatel": "Odběratel",
        "typVztahu.dodavatel": "Dodavatel",
        "typVztahu.vyrobce": "Výrobce",
        "typVztahu.socialka": "Správa sociálního zabezpečení",
        "typVztahu.zdravotka": "Zdravotní pojišťovna",
        "typVztahu.financniUrad": "Finanční úřad",
        "typVztahu.vyrobna": "Výrobna",
        "typVztahu.vsechno": "Vše",
    },
    "isdocPrilohaMailuK": {
        "isdocPrilohaMailu.podleTypDokl": "podle typu dokladu",
        "isdocPrilohaMailu.ano": "ano",
        "isdocPrilohaMailu.ne": "ne",
    },
    "stavUhrK": {
        "stavUhr.castUhr": "Částečně uhrazeno",
        "stavUhr.uhrazeno": "Uhrazeno",
        "stavUhr.uhrazenoRucne": "Ručně uhrazeno",
    },
    "typPolozkyK": {"typPolozky.obecny": "obecná", "typPolozky.katalog": "katalogová"},
}

_TITLES = {"kod": "Zkratka", "nazev": "Název", "firma": "Firma", "stat": "Stát", "typVztahuK": "Typ vztahu"}

# name:type(size)>target followed by marks: ! mandatory, ^ upper case, * in the summary, - read-only
_NOTATION = re.compile(r"(?P<name>[\w-]+):(?P<type>\w+)(?:\((?P<size>[\d,]+)\))?(?:>(?P<target>[\w-]+\w))?"
                       r"(?P<marks>[!^*-]*)")  # fmt: skip

_HEAD = "id:integer*- lastUpdate:datetime*- "
_AUTHORS = " updatedBy:relation(254)>uzivatel- createdBy:relation(254)>uzivatel-"
_ADDRESS = "ulice:string(255) mesto:string(255) psc:string(255) stat:relation(3)>stat^ region:relation>region "

_ADRESAR = (
    _HEAD + "kod:string(20)!^* nazev:string(255)!* nazevA:string(255) nazevB:string(255) nazevC:string(255) "
    "poznam:string popis:string platiOd:integer platiDo:integer ulice:string(255)* mesto:string(255)* "
    "psc:string(255)* tel:string(255) mobil:string(255) fax:string(255) email:string(255) www:string(255) "
    "stat:relation(3)>stat^* region:relation>region eanKod:string(20) ic:string(20)* dic:string(20)* "
    "vatId:string(20)* postovniShodna:logic faEanKod:string(20) faJmenoFirmy:string(255) "
    "faUlice:string(255) faMesto:string(255) faPsc:string(255) splatDny:integer limitFak:numeric(12,2) "
    "limitPoSplatDny:integer limitPoSplatZakaz:logic platceDph:logic formExportK:select(50) "
    "typVztahuK:select(50) kodPojistovny:string(20)^ nazevPojistovny:string(255) osloveni:string "
    "slevaDokl:numeric(6,2) obpAutomHotovo:logic nazev2:string(255) nazev2A:string(255) "
    "nazev2B:string(255) nazev2C:string(255) nespolehlivyPlatce:logic revize:integer stitky:string "
    "pocetPriloh:integer- katastrUzemi:string(255) parcela:string(255) datNaroz:date rodCis:string(20)^ "
    "datZaloz:date canceled:logic isdocPrilohaMailuK:select(50) createdDate:datetime- "
    "skupFir:relation>skupina-firem stredisko:relation(20)>stredisko^ faStat:relation(3)>stat^ "
    "faRegion:relation>region zodpOsoba:relation(254)>uzivatel skupCen:relation>cenikova-skupina "
    "formaUhradyCis:relation>forma-uhrady" + _AUTHORS
)
_KONTAKT = (
    _HEAD + _ADDRESS + "tel:string(255)* mobil:string(255)* fax:string(255) email:string(255)* "
    "www:string(255) popis:string poznam:string prijmeni:string(255)* jmeno:string(255)* osloveni:string "
    "titul:string(255) titulZa:string(255) funkce:string(255)* oddeleni:string primarni:logic "
    "odesilatFak:logic odesilatObj:logic odesilatNab:logic odesilatPpt:logic odesilatSkl:logic "
    "odesilatPok:logic datNaroz:date rodCis:string(20)^ stitky:string pocetPriloh:integer- "
    "username:string(255) password:string(255) blocked:logic blockedText:string createdDate:datetime- "
    "firma:relation(20)>adresar^*" + _AUTHORS
)
_BANK_ACCOUNT = (
    _HEAD + _ADDRESS + "popis:string poznam:string nazBanky:string(255) buc:string(255) iban:string(255) "
    "bic:string(255) specSym:string(255) varSym:string(30) primarni:logic firma:relation>adresar!* "
    "smerKod:relation(20)>penezni-ustav^ konSym:relation(20)>konst-symbol^ registered:logic"
)
_INVOICE = (
    _HEAD + "kod:string(20)!^* varSym:string(30)! cisObj:string(2000) datVyst:date!* datSplat:date* "
    "popis:string(255)* poznam:string typDokl:relation>typ-faktury-vydane! sumCelkem:numeric(15,2)* "
    "sumCelkemMen:numeric(15,2)* sumZalohy:numeric(15,2)*- sumZalohyMen:numeric(15,2)*- "
    "zbyvaUhradit:numeric(15,2)*- zbyvaUhraditMen:numeric(15,2)*- stavUhrK:select(50)* storno:logic- "
    "mena:relation>mena* firma:relation>adresar*"
)
_INVOICE_ITEM = (
    _HEAD + "kod:string(64)^* nazev:string(255)* typPolozkyK:select(50)! mnozMj:numeric(19,6)* "
    "cenaMj:numeric(19,6)* sumCelkem:numeric(15,2)* doklFak:relation>faktura-vydana-"
)
_CODE_LIST = (
    _HEAD + "kod:string(20)!^* nazev:string(255)!* nazevA:string(255) nazevB:string(255) "
    "nazevC:string(255) poznam:string popis:string platiOd:integer platiDo:integer"
)


@dataclass(frozen=True, slots=True)
class Field:
    """One property of an evidence."""

    name: str
    type: FieldType
    size: str
    target: str | None
    mandatory: bool
    upper: bool
    in_summary: bool
    writable: bool

    @property
    def max_length(self) -> int | None:
        return None if not self.size or self.type == "numeric" else int(self.size)

    @property
    def title(self) -> str:
        return _TITLES.get(self.name, self.name)

    @property
    def choices(self) -> Mapping[str, str]:
        return _SELECTS[self.name] if self.type == "select" else {}


@dataclass(frozen=True, slots=True)
class Collection:
    """Records of another evidence that belong to one record, e.g. the contacts of a partner."""

    name: str
    evidence: str
    parent_field: str
    import_name: str


@dataclass(frozen=True)
class Evidence:
    """One kind of record; `path` is its name in URLs, bodies and the feed."""

    path: str
    title: str
    bean: str
    fields: tuple[Field, ...]
    import_status: Literal["SUPPORTED", "NOT_DIRECT", "NOT_DOCUMENTED"] = "SUPPORTED"
    validity: bool = False
    default_order: Literal["kod", "id", "datVyst"] = "kod"
    collections: tuple[Collection, ...] = ()
    empty_collections: tuple[str, ...] = ()
    presets: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        self.by_name: dict[str, Field]
        object.__setattr__(self, "by_name", {f.name: f for f in self.fields})

    @property
    def has_code(self) -> bool:
        """Whether records are found, and named in the feed, as ``code:…``; document items are not."""
        return "kod" in self.by_name and self.by_name["kod"].mandatory

    @property
    def blank(self) -> dict[str, str]:
        """The values of a record about which nothing was said."""
        by_type = {"logic": "false", "numeric": "0.0"}
        return {f.name: self.presets.get(f.name, by_type.get(f.type, "")) for f in self.fields}

    def collection(self, name: str) -> Collection | None:
        return next((c for c in self.collections if name in (c.name, c.import_name)), None)


def _fields(notation: str) -> tuple[Field, ...]:
    fields = []
    for word in notation.split():
        match = _NOTATION.fullmatch(word)
        if match is None:
            raise ValueError(f"not a field: {word}")
        marks = match["marks"]
        fields.append(
            Field(
                name=match["name"],
                type=cast("FieldType", match["type"]),
                size=match["size"] or "",
                target=match["target"],
                mandatory="!" in marks,
                upper="^" in marks,
                in_summary="*" in marks,
                writable="-" not in marks,
            )
        )
    return tuple(fields)


def _code_list(path: str, title: str) -> Evidence:
    bean = "cz.winstrom.vo.lst." + "".join(part.capitalize() for part in path.split("-"))
    presets = {"platiOd": "0", "platiDo": "9999"}
    return Evidence(path, title, bean, _fields(_CODE_LIST), presets=presets)


_ALL = (
    Evidence(
        path="adresar",
        title="Adresy firem",
        bean="cz.winstrom.vo.adr.Adresar",
        fields=_fields(_ADRESAR),
        validity=True,
        collections=(
            Collection("kontakty", "kontakt", "firma", "kontakty"),
            Collection("bankovniSpojeni", "adresar-bankovni-ucet", "firma", "bankovniSpojeni"),
        ),
        empty_collections=("kontakty", "mistaUrceni"),
        presets={
            "platiOd": "0",
            "platiDo": "9999",
            "postovniShodna": "true",
            "typVztahuK": "typVztahu.odberDodav",
            "revize": "0",
            "pocetPriloh": "0",
        },
    ),
    Evidence(
        path="kontakt",
        title="Kontakty",
        bean="cz.winstrom.vo.adr.Kontakt",
        fields=_fields(_KONTAKT),
        default_order="id",
        presets={"pocetPriloh": "0"},
    ),
    Evidence(
        path="adresar-bankovni-ucet",
        title="Bankovní spojení",
        bean="cz.winstrom.vo.adr.BanSpoj",
        fields=_fields(_BANK_ACCOUNT),
        import_status="NOT_DOCUMENTED",
        default_order="id",
    ),
    Evidence(
        path="faktura-vydana",
        title="Vydané faktury",
        bean="cz.winstrom.vo.dok.DoklFak",
        fields=_fields(_INVOICE),
        default_order="datVyst",
        collections=(Collection("polozkyDokladu", "faktura-vydana-polozka", "doklFak", "polozkyFaktury"),),
    ),
    Evidence(
        path="faktura-vydana-polozka",
        title="Položky vydaných faktur a prodejek",
        bean="cz.winstrom.vo.dok.PolFak",
        fields=_fields(_INVOICE_ITEM),
        import_status="NOT_DIRECT",
        default_order="id",
        presets={"typPolozkyK": "typPolozky.obecny"},
    ),
    Evidence(
        path="rocni-rada",
        title="Roční řady",
        bean="cz.winstrom.vo.lst.RocniRada",
        fields=_fields(_HEAD + "rok:integer* cisAkt:integer*"),
        default_order="id",
    ),
    _code_list("stat", "Státy"),
    _code_list("mena", "Měny"),
    _code_list("typ-faktury-vydane", "Typy vydaných faktur"),
    _code_list("skupina-firem", "Skupiny firem"),
    _code_list("stredisko", "Střediska"),
    _code_list("uzivatel", "Uživatelé"),
    _code_list("region", "Kraje"),
    _code_list("forma-uhrady", "Formy úhrady"),
    _code_list("cenikova-skupina", "Cenové skupiny"),
    _code_list("penezni-ustav", "Peněžní ústavy"),
    _code_list("konst-symbol", "Konstantní symboly"),
)

EVIDENCES: Mapping[str, Evidence] = MappingProxyType({evidence.path: evidence for evidence in _ALL})
"""Every evidence by its path."""

PARENTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {c.evidence: (e.path, c.parent_field) for e in _ALL for c in e.collections}
)
"""Child evidence to (parent evidence, field of the child that names its parent)."""
