"""Numbers and names of made-up partners: identification and VAT numbers that pass their checks, phones, codes."""

import random

from .values import without_accents


def company_number(rng: random.Random) -> str:
    """Return a Czech or Slovak IČO with its valid check digit."""
    digits = [rng.randint(1, 7), *(rng.randint(0, 9) for _ in range(6))]
    remainder = sum(digit * weight for digit, weight in zip(digits, range(8, 1, -1), strict=True)) % 11
    check = (11 - remainder) % 10
    return "".join(map(str, digits)) + str(check)


def personal_vat(rng: random.Random) -> str:
    """Return the Czech DIČ of a sole trader: CZ and a birth number divisible by eleven."""
    while True:
        born = f"{rng.randint(60, 95)}{rng.randint(1, 12):02}{rng.randint(1, 28):02}{rng.randint(0, 999):03}"
        check = int(born) % 11
        if check < 10:
            return f"CZ{born}{check}"


def slovak_vat(rng: random.Random) -> str:
    """Return a Slovak VAT number: ten digits divisible by eleven, the third one 2, 3, 4, 7, 8 or 9."""
    while True:
        number = int(f"20{rng.choice('234')}{rng.randint(0, 9_999_999):07}")
        number += -number % 11
        if str(number)[2] in "234789":
            return f"SK{number}"


def german_vat(rng: random.Random) -> str:
    """Return a German VAT number (ISO 7064, MOD 11,10)."""
    digits = [rng.randint(1, 9), *(rng.randint(0, 9) for _ in range(7))]
    product = 10
    for digit in digits:
        total = (digit + product) % 10 or 10
        product = 2 * total % 11
    return "DE" + "".join(map(str, digits)) + str((11 - product) % 10)


def austrian_vat(rng: random.Random) -> str:
    """Return an Austrian VAT number."""
    digits = [rng.randint(0, 9) for _ in range(7)]
    total = sum(digits[::2]) + sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return "ATU" + "".join(map(str, digits)) + str((6 - total) % 10)


def polish_vat(rng: random.Random) -> str:
    """Return a Polish VAT number."""
    while True:
        digits = [rng.randint(1, 9), *(rng.randint(0, 9) for _ in range(8))]
        weights = (6, 5, 7, 2, 3, 4, 5, 6, 7)
        check = sum(digit * weight for digit, weight in zip(digits, weights, strict=True)) % 11
        if check < 10:
            return "PL" + "".join(map(str, digits)) + str(check)


def czech_phone(rng: random.Random) -> str:
    """Return a phone in one of the spellings that people type."""
    number = f"{rng.choice(('602', '603', '721', '777', '224', '541'))}{rng.randint(0, 999_999):06}"
    a, b, c = number[:3], number[3:6], number[6:]
    spellings = (
        f"+420 {a} {b} {c}", f"+420{number}", f"{a} {b} {c}", number, f"00420 {a}{b}{c}", f"+420-{a}-{b}-{c}",
        f"tel. {a}/{b}{c}", f"({a}) {b} {c}", f"{a}.{b}.{c}", f"{a} {b} {c}, kl. {rng.randint(10, 99)}",
    )  # fmt: skip
    return rng.choice(spellings)


def iban(rng: random.Random) -> tuple[str, str]:
    """Return a Czech account number with its bank code, and the IBAN with valid check digits."""
    bank = rng.choice(("0100", "0300", "0800", "2010", "5500"))
    prefix, number = rng.choice((0, 19, 35, 107)), rng.randint(10_000_000, 9_999_999_999)
    basic = f"{bank}{prefix:06}{number:010}"
    check = 98 - int(basic + "123500") % 97
    plain = f"{prefix}-{number}" if prefix else str(number)
    return plain, f"CZ{check:02}{basic}"


def domain(name: str) -> str:
    """Return a domain name made of a firm's name."""
    letters = without_accents(name.split(",", maxsplit=1)[0]).lower()
    word = "-".join("".join(c if c.isascii() and c.isalnum() else " " for c in letters).split()[:3])
    return f"{word or 'firma'}.example"
