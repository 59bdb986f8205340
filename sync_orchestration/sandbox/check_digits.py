"""Which Russian company numbers exist in principle: the check digits of INN and OGRN.

The weights are those of the Federal Tax Service as published in python-stdnum (``stdnum.ru.inn``). For the
15-digit OGRNIP the remainder is taken modulo 10 once more, which python-stdnum leaves out.
"""

_INN10 = (2, 4, 10, 3, 5, 9, 4, 6, 8)
_INN12_FIRST = (7, 2, 4, 10, 3, 5, 9, 4, 6, 8)
_INN12_SECOND = (3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)


def inn10(body: str) -> str:
    """The 10-digit INN of a legal entity that begins with these nine digits."""
    return body + _weighted(body, _INN10)


def inn12(body: str) -> str:
    """The 12-digit INN of a person that begins with these ten digits."""
    eleven = body + _weighted(body, _INN12_FIRST)
    return eleven + _weighted(eleven, _INN12_SECOND)


def ogrn13(body: str) -> str:
    """The 13-digit OGRN of a legal entity that begins with these twelve digits."""
    return body + str(int(body) % 11 % 10)


def ogrnip15(body: str) -> str:
    """The 15-digit OGRNIP of an entrepreneur that begins with these fourteen digits."""
    return body + str(int(body) % 13 % 10)


def is_inn(number: str) -> bool:
    """Whether `number` is an INN by its length and check digits; a row of zeros is none."""
    if not _is_number(number):
        return False
    if len(number) == 10:
        return inn10(number[:9]) == number
    return len(number) == 12 and inn12(number[:10]) == number


def is_ogrn(number: str) -> bool:
    """Whether `number` is an OGRN or OGRNIP by its length and check digits."""
    if not _is_number(number):
        return False
    if len(number) == 13:
        return ogrn13(number[:12]) == number
    return len(number) == 15 and ogrnip15(number[:14]) == number


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and bool(text.strip("0"))


def _weighted(digits: str, weights: tuple[int, ...]) -> str:
    return str(sum(int(d) * w for d, w in zip(digits, weights, strict=True)) % 11 % 10)
