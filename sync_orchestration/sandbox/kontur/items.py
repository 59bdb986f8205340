"""Companies in the words of ``/api3/req`` and ``/api3/egrDetails``, in the shapes of 2018, 2021 and 2024.

Falsy keys are left out, as the service does: ``dissolved`` stands there only when it is true.
"""

from typing import Any

from sync_orchestration.sandbox.company import Branch, Company, Head, Place, Topo
from sync_orchestration.sandbox.kontur.switches import Shape

Json = dict[str, Any]

_OPF = {
    "Общество": ("12300", "Общества с ограниченной ответственностью"),
    "Акционерное": ("12267", "Непубличные акционерные общества"),
    "Публичное": ("12247", "Публичные акционерные общества"),
}


def req_item(company: Company, shape: Shape) -> Json:
    """One element of the answer of ``/api3/req``."""
    body = _entity(company, shape) if company.kind == "UL" else _entrepreneur(company, shape)
    summary = {"redStatements": True} if company.dissolved else {"greenStatements": True}
    item = _head_of_item(company) | {company.kind: body, "briefReport": {"summary": summary}}
    item["contactPhones"] = {} if company.dissolved else {"count": 1 + int(company.inn[-2:])}
    if shape == "2024":
        item["contactEmails"] = {}
    return item


def egr_details_item(company: Company, shape: Shape) -> Json:
    """One element of the answer of ``/api3/egrDetails``: no name and, for a legal entity, no address."""
    place = company.place
    address: Json | None = None
    if company.kind == "IP" and place:
        address = _present(
            regionCode=place.region_code,
            regionName=_topo(place.region, shape),
            city=_topo(place.city, shape),
        )
    activity = {
        "code": "47.19",
        "text": "Торговля розничная прочая в неспециализированных магазинах",
        "date": company.registration_date,
    }
    body = _present(
        okpo=company.okpo,
        shortenedAddress=address,
        activities={"principalActivity": activity, "okvedVersion": "2"},
        regInfo={"ogrnDate": company.registration_date},
        nalogRegBody=_present(
            nalogCode=company.inn[:4],
            nalogName="Инспекция Федеральной налоговой службы",
            nalogRegDate=company.registration_date,
            kpp=company.kpp,
            date=company.registration_date,
        ),
    )
    return _head_of_item(company) | {company.kind: body}


def _head_of_item(company: Company) -> Json:
    href = f"https://focus.kontur.ru/entity?query={company.ogrn}"
    return {"inn": company.inn, "ogrn": company.ogrn, "focusHref": href}


def _entity(company: Company, shape: Shape) -> Json:
    okopf, opf = _OPF.get((company.full_name or "").split(" ", maxsplit=1)[0], _OPF["Акционерное"])
    names = _present(
        short=_cased(company.short_name, shape),
        full=_cased(company.full_name, shape),
        readable=company.readable_name if shape == "2024" else None,
        date=company.registration_date,
    )
    return _present(
        kpp=company.kpp,
        okpo=company.okpo,
        okato="65401385000",
        okfs="16",
        oktmo="65701000001",
        okogu="4210014",
        okopf=okopf,
        opf=opf,
        legalName=names,
        legalAddress=_legal_address(company, shape),
        branches=[_branch(branch, shape) for branch in company.branches],
        status=_status(company),
        registrationDate=company.registration_date,
        dissolutionDate=company.dissolved,
        heads=[_head(head, shape) for head in company.heads],
        managementCompanies=[
            {"name": m.name, "inn": m.inn, "ogrn": m.ogrn, "date": m.since, "firstDate": m.since}
            for m in company.managers
        ],
    ) | {"history": _present(kpps=[{"kpp": kpp, "date": "2005-07-29"} for kpp in company.old_kpps])}


def _entrepreneur(company: Company, shape: Shape) -> Json:
    person = company.person
    if person is None:
        raise ValueError(f"the entrepreneur {company.inn} has no name")
    name = {"firstName": person.first, "lastName": person.last, "middleName": person.middle}
    return _present(
        fio=person.fio,
        structuredFio=name if shape == "2024" else None,
        okpo=company.okpo,
        okato="53401364000",
        okfs="16",
        okogu="4210015",
        okopf="50102",
        opf="Индивидуальные предприниматели",
        oktmo="53701000001",
        registrationDate=company.registration_date,
        dissolutionDate=company.dissolved,
        status=_status(company),
    )


def _status(company: Company) -> Json:
    return _present(statusString=company.status, dissolved=company.dissolved is not None, date=company.dissolved)


def _legal_address(company: Company, shape: Shape) -> Json | None:
    if company.place is None:
        return None
    return _present(
        parsedAddressRF=_parsed_address(company.place, shape),
        parsedAddressRFFias=_fias_address(company.place) if shape == "2024" else None,
        date=company.registration_date,
        firstDate=company.registration_date if shape != "2018" else None,
    )


def _branch(branch: Branch, shape: Shape) -> Json:
    # The KPP of a branch came into the answers after 2018.
    return _present(
        name=branch.name,
        kpp=branch.kpp if shape != "2018" else None,
        parsedAddressRF=_parsed_address(branch.place, shape),
        date=branch.since,
    )


def _head(head: Head, shape: Shape) -> Json:
    person = head.person
    name = {"firstName": person.first, "lastName": person.last, "middleName": person.middle}
    return _present(
        fio=person.fio,
        innfl=head.inn,
        position=head.position,
        date=head.since,
        firstDate=head.since,
        structuredFio=name if shape == "2024" else None,
    )


def _parsed_address(place: Place, shape: Shape) -> Json:
    house = Topo("д" if shape == "2024" else "дом", "дом", place.house) if place.house else None
    address = _present(
        zipCode=place.zip_code,
        kladrCode=f"{place.region_code}0000010000522" if place.street else None,
        regionCode=place.region_code,
        regionName=_topo(place.region, shape),
        district=_topo(place.district, shape),
        city=_topo(place.city, shape),
        settlement=_topo(place.settlement, shape),
        street=_topo(place.street, shape),
        house=_topo(house, shape),
        bulk=_part("к.", "корпус", place.bulk, shape),
        flat=_part("кв.", "квартира", place.flat, shape),
    )
    if shape == "2018":
        return address
    raw = _present(houseRaw=place.house, bulkRaw=place.bulk, flatRaw=place.flat)
    if shape == "2021":
        return address | raw
    dashes = {"houseRaw": "--", "bulkRaw": "--", "flatRaw": "--"} if place.street else {}
    return address | dashes | raw | {"oneLineFormatOfAddress": place.one_line()}


def _fias_address(place: Place) -> Json:
    buildings = [{"topoShortName": "д.", "topoFullName": "дом", "topoValue": place.house}] if place.house else []
    return _present(
        fiasId=10_000_000 + int(place.zip_code or 0),
        zipCode=place.zip_code,
        regionCode=place.region_code,
        region=_topo(place.region, "2024"),
        city=_topo(place.city, "2024"),
        street=_topo(place.street, "2024"),
        buildings=buildings,
        isConverted=True,
        oneLineFormatOfAddressFias=place.one_line(),
    )


def _topo(topo: Topo | None, shape: Shape) -> Json | None:
    if topo is None:
        return None
    # Since 2023 or 2024 the short names bring their dot along («обл.», «г.»).
    short = f"{topo.short}." if shape == "2024" and topo.dotted else topo.short
    return {"topoShortName": short, "topoFullName": topo.full, "topoValue": topo.value}


def _part(short: str, full: str, value: str | None, shape: Shape) -> Json | None:
    """Building part and flat, which had no names before 2024."""
    if value is None:
        return None
    names = {"topoShortName": short, "topoFullName": full} if shape == "2024" else {}
    return names | {"topoValue": value}


def _cased(name: str | None, shape: Shape) -> str | None:
    return name.upper() if name and shape == "2018" else name


def _present(**values: Any) -> Json:
    return {key: value for key, value in values.items() if value not in (None, False, [], {}, "")}
