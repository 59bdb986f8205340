"""Tax numbers as the module base_vat checks and rewrites them, on 18.0 and on 19.0."""

import re
from collections.abc import Callable

from .data import COUNTRIES

_COUNTRY_CODES = frozenset(code for code, _ in COUNTRIES)

_EU_TEXT = "AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE"
_EU = frozenset(_EU_TEXT.split())
# The country group "European Union Prefixed Countries" of 19.0.
_EU_PREFIXED = _EU | {"CH", "NO", "GB", "SM"}

_EXPECTED = {
    "AT": "ATU12345675",
    "BE": "BE0477472701",
    "CZ": "CZ12345679",
    "DE": "DE123456788 or 12/345/67890",
    "PL": "PL1234567883",
    "RU": "RU123456789047",
    "SK": "SK2022749619",
}
_EXPECTED_19 = {
    "RU": "123456789047",
    "UA": "12345678 or UA12345678 (EDRPOU), 1234567890 (RNOPP) or 123456789012 (IPN)",
}

_FILLINGS = {"AT": " -./", "BE": " -./", "CZ": " /", "DE": " -./,", "PL": " -", "RU": " ", "SK": " -"}


def fix_18(vat: str, country: str | None) -> str:
    """Return the number as 18.0 stores it: tidied only if it carries the prefix of its country."""
    prefix, number = _split_18(vat)
    if (country and country.lower() != prefix) or prefix.upper() not in _FILLINGS:
        return vat
    return prefix.upper() + compact(prefix.upper(), number)


def is_valid_18(vat: str, country: str | None, *, is_company: bool) -> bool:
    """Tell whether 18.0 accepts the number: first by its prefix, then by the partner's country."""
    prefix, number = _split_18(vat)
    if prefix == "eu" and country not in _EU:
        return True
    known_prefix = prefix.upper() in _COUNTRY_CODES
    if known_prefix and _passes_18(prefix.upper(), number, is_company=is_company):
        return True
    if country:
        return _passes_18(country, vat, is_company=is_company)
    return not known_prefix


def check_19(vat: str, country: str | None) -> tuple[str, str | None]:
    """Return the number as 19.0 stores it, and the refused number (without prefix) if it is wrong."""
    if not country or vat.lower() in ("/", "na") or len(vat) <= 1:
        return vat, None
    prefix, number = _split_19(vat)
    if prefix == "EU" and country not in _EU:
        return vat, None
    prefixed = prefix if prefix in _EU_PREFIXED and country in _EU_PREFIXED else ""
    code = prefixed or country
    bare = compact(code, number if prefixed else vat)
    if _check(code, bare):
        return prefixed + bare, None
    foreign_eu = prefix in _EU_PREFIXED and not prefixed
    if foreign_eu and _check(prefix, compact(prefix, number)):
        return prefix + compact(prefix, number), None
    return prefixed + bare, bare


def error_message(country: str | None, wrong: str, partner_name: str, version: int) -> str:
    """Return the text of the ValidationError."""
    unknown = "'CC##' (CC=Country Code, ##=VAT Number)" if version < 19 else ""
    known = {**_EXPECTED, **(_EXPECTED_19 if version >= 19 else {})}
    expected = known.get(country or "", unknown)
    note = f" \nNote: the expected format is {expected}" if expected else ""
    return f"\nThe VAT number [{wrong}] for partner [{partner_name}] does not seem to be valid.{note}"


def compact(country: str, number: str) -> str:
    """Strip the separators that are usual in the country, and its own prefix."""
    if country not in _FILLINGS:
        return number
    stripped = number.translate({ord(char): None for char in _FILLINGS[country]}).upper()
    if country == "BE" and len(stripped.removeprefix("BE")) == 9:
        return "0" + stripped.removeprefix("BE")
    return stripped if country == "RU" else stripped.removeprefix(country)


def _split_18(vat: str) -> tuple[str, str]:
    size = 2 if len(vat) > 1 and vat[1].isalpha() else 1
    return vat[:size].lower(), vat[size:].replace(" ", "")


def _split_19(vat: str) -> tuple[str, str]:
    prefix, number = vat[:2].upper(), vat[2:].replace(" ", "")
    return (prefix, number) if prefix.isalpha() else ("", vat)


def _passes_18(country: str, number: str, *, is_company: bool) -> bool:
    if country == "UA":
        # Measured on 18.0: a company needs the 12 digits of a VAT payer, so an EDRPOU (8) is refused.
        return len(number) == 12 if is_company else len(number) in (9, 10)
    return _check(country, compact(country, number))


def _check(country: str, number: str) -> bool:
    check = _CHECKS.get(country)
    return check(number) if check else True


def _cz(number: str) -> bool:
    if not number.isdigit():
        return False
    if len(number) == 8:
        rest = (11 - sum((8 - i) * int(digit) for i, digit in enumerate(number[:7]))) % 11
        return number[0] != "9" and int(number[7]) == (rest or 1) % 10
    if len(number) == 9 and number[0] == "6":
        rest = sum((8 - i) * int(digit) for i, digit in enumerate(number[1:8])) % 11
        return int(number[8]) == 8 - (10 - rest) % 11
    return _birth_number(number)


def _birth_number(number: str) -> bool:
    """Check a Czech or Slovak birth number: month and day, and modulo 11 from 1954 on."""
    if not number.isdigit() or len(number) not in (9, 10):
        return False
    month, day = int(number[2:4]) % 50 % 20, int(number[4:6])
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return False
    return len(number) == 9 or int(number[:9]) % 11 % 10 == int(number[9])


def _sk(number: str) -> bool:
    if _birth_number(number):
        return True
    if not number.isdigit() or len(number) != 10:
        return False
    return number[0] != "0" and number[2] in "234789" and int(number) % 11 == 0


def _de(number: str) -> bool:
    if re.fullmatch(r"\d{10,11}|\d{13}", number.replace("/", "")):
        return True
    if not re.fullmatch(r"[1-9]\d{8}", number):
        return False
    check = 5
    for digit in number:
        check = (((check or 10) * 2) % 11 + int(digit)) % 10
    return check == 1


def _pl(number: str) -> bool:
    if not re.fullmatch(r"\d{10}", number):
        return False
    weights = (6, 5, 7, 2, 3, 4, 5, 6, 7, -1)
    return sum(w * int(digit) for w, digit in zip(weights, number, strict=True)) % 11 == 0


def _at(number: str) -> bool:
    if not re.fullmatch(r"U\d{8}", number):
        return False
    digits = [int(digit) for digit in reversed(number[1:8])]
    luhn = sum(digits[::2]) + sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return (6 - luhn) % 10 == int(number[8])


def _be(number: str) -> bool:
    return bool(re.fullmatch(r"[01]\d{9}", number)) and (int(number[:8]) + int(number[8:])) % 97 == 0


def _ru(number: str) -> bool:
    if not re.fullmatch(r"\d{10}|\d{12}", number):
        return False
    digits = [int(digit) for digit in number]

    def weighted(*weights: int) -> int:
        return sum(w * digit for w, digit in zip(weights, digits, strict=False)) % 11

    if len(number) == 10:
        return weighted(2, 4, 10, 3, 5, 9, 4, 6, 8) % 10 == digits[9]
    # base_vat forgets "modulo 10" here, so that some right numbers of persons are refused.
    first = weighted(7, 2, 4, 10, 3, 5, 9, 4, 6, 8)
    second = weighted(3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)
    return first == digits[10] and second == digits[11]


def _ua(number: str) -> bool:
    """19.0: EDRPOU, RNOPP or IPN, with or without prefix."""
    return bool(re.fullmatch(r"(UA)?(\d{8}|\d{10}|\d{12})", number))


_CHECKS: dict[str, Callable[[str], bool]] = {
    "AT": _at,
    "BE": _be,
    "CZ": _cz,
    "DE": _de,
    "PL": _pl,
    "RU": _ru,
    "SK": _sk,
    "UA": _ua,
}
