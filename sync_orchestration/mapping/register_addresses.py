"""Addresses of the company register (Kontur): the shapes of 2018, 2021 and 2024 as one line and in parts."""

from dataclasses import dataclass

from sync_orchestration.mapping.json_parts import JsonObject, object_in, objects_in, text_in
from sync_orchestration.mapping.records import JSON


@dataclass(frozen=True, slots=True)
class Address:
    """One address: as a line, and in the parts that a partner's form has. A part that is unknown is None."""

    line: str
    zip: str | None = None
    region: str | None = None
    city: str | None = None
    street: str | None = None


def read_address(address: JsonObject) -> Address | None:
    """Read a ``legalAddress`` or a branch's address, in the shapes of 2018 to 2024, or a foreign one.

    The register's own line is preferred; without it the line is composed in the same manner.
    """
    classic, fias = object_in(address.get("parsedAddressRF")), object_in(address.get("parsedAddressRFFias"))
    return (
        _from_levels(_classic_levels(classic), classic, "oneLineFormatOfAddress")
        or _from_levels(_fias_levels(fias), fias, "oneLineFormatOfAddressFias")
        or _foreign(object_in(address.get("foreignAddress")))
    )


@dataclass(frozen=True, slots=True)
class _Levels:
    """An address from the large to the small, in the words of neither shape."""

    region: JsonObject
    districts: tuple[JsonObject, ...]
    city: JsonObject
    settlement: JsonObject
    rest: tuple[JsonObject, ...]


def _classic_levels(parsed: JsonObject) -> _Levels:
    return _Levels(
        region=object_in(parsed.get("regionName")),
        districts=(object_in(parsed.get("district")),),
        city=object_in(parsed.get("city")),
        settlement=object_in(parsed.get("settlement")),
        rest=tuple(object_in(parsed.get(level)) for level in ("street", "house", "bulk", "flat")),
    )


def _fias_levels(parsed: JsonObject) -> _Levels:
    return _Levels(
        region=object_in(parsed.get("region")),
        districts=tuple(object_in(parsed.get(level)) for level in ("municipalDistrict", "urbanSettlement")),
        city=object_in(parsed.get("city")),
        settlement=object_in(parsed.get("settlement")),
        rest=(
            *(object_in(parsed.get(level)) for level in ("planningStructure", "street")),
            *objects_in(parsed.get("buildings")),
            *(object_in(parsed.get(level)) for level in ("flat", "room")),
        ),
    )


def _from_levels(levels: _Levels, parsed: JsonObject, line_key: str) -> Address | None:
    region = _region(levels.region)
    districts = [part for part in map(_part, levels.districts) if part]
    city, settlement = _part(levels.city), _part(levels.settlement)
    rest = [part for part in map(_part, levels.rest) if part]
    # A federal city is a region and may be repeated as a city. Numbers of house and flat may well be equal.
    places = list(dict.fromkeys(part for part in (region, *districts, city, settlement) if part))
    zip_code = _value(parsed.get("zipCode"))
    composed = ", ".join(filter(None, (zip_code, *places, *rest))) if places or rest else None
    line = _value(parsed.get(line_key)) or composed
    if line is None:
        return None
    federal = _value(levels.region.get("topoValue")) if _is_city(levels.region) else None
    city_name = _value(levels.city.get("topoValue")) or federal or _value(levels.settlement.get("topoValue"))
    # Within a town the district above it says nothing more; a village needs it.
    near = [*(districts if not city else []), *([settlement] if settlement and (city or federal) else []), *rest]
    return Address(
        line=line,
        zip=zip_code,
        region=None if federal else region,
        city=city_name,
        street=", ".join(near) or None,
    )


def _foreign(address: JsonObject) -> Address | None:
    parts = [part for part in (_value(address.get("countryName")), _value(address.get("addressString"))) if part]
    return Address(line=", ".join(parts), street=parts[-1]) if parts else None


def _region(topo: JsonObject) -> str | None:
    """Write a region: «Ленинградская область», «Чеченская республика», but «респ. Адыгея», «г. Москва»."""
    value, full = _value(topo.get("topoValue")), _value(topo.get("topoFullName"))
    if value and full and not _is_city(topo):
        if full.casefold() in value.casefold():  # «Кемеровская область - Кузбасс»
            return value
        if value.endswith(("ая", "ий", "ый", "ой")):
            return f"{value} {full}"
    return _part(topo)


def _is_city(topo: JsonObject) -> bool:
    return text_in(topo.get("topoFullName")) == "город" or (text_in(topo.get("topoShortName")) or "").rstrip(".") == "г"


def _part(topo: JsonObject) -> str | None:
    """Write one step of an address: «ул. Калинина», «пр-кт Космонавтов», «дом 56»; a bare value stays bare."""
    value = _value(topo.get("topoValue"))
    if value is None:
        return None
    short, full = _value(topo.get("topoShortName")), _value(topo.get("topoFullName"))
    # Until about 2023 the register wrote «обл», «г», «ул»; since then it writes the dot itself.
    plain = (short or "").rstrip(".")
    kind = short if "-" in plain or plain == full else f"{plain}."
    return " ".join(filter(None, (kind if plain else full, value)))


def _value(value: JSON) -> str | None:
    """Return a part of an address; the register writes «--» for a part that is not there."""
    text = text_in(value)
    return text if text and text.strip("-—") else None
