"""Russian register numbers (INN, OGRN) as they stand in contractor records: their check digits, and their cleaning.

A number is repaired only when its check digits fit afterwards; everything else gets a code and a plain sentence.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from sync_orchestration.mapping.records import Value
from sync_orchestration.mapping.values import as_text, is_empty, shown

NumberKind = Literal["inn", "ogrn"]

# The weights of the Federal Tax Service, as published in python-stdnum (stdnum.ru.inn).
_INN10 = (2, 4, 10, 3, 5, 9, 4, 6, 8)
_INN12_FIRST = (7, 2, 4, 10, 3, 5, 9, 4, 6, 8)
_INN12_SECOND = (3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)

_EDRPOU_LENGTH = 8

# An INN of 99 is a foreign company's (9909 since 2005): Kontur has those under foreignRepresentatives. But 9901 is
# the tax office of Baikonur, whose companies are Russian.
_FOREIGN, _BAIKONUR = "99", "9901"

_LABELS: Mapping[str, str] = {
    **dict.fromkeys(("инн", "inn", "ru"), "inn"),
    **dict.fromkeys(("огрнип", "огрн", "ogrnip", "ogrn"), "ogrn"),
    **dict.fromkeys(("кпп", "kpp", "окпо", "okpo"), "other"),
    **dict.fromkeys(("едрпоу", "єдрпоу", "егрпоу", "edrpou"), "edrpou"),
    **dict.fromkeys(("унп", "бин"), "foreign"),  # Belarus, Kazakhstan
}
# "RU" is a label only where a number follows at once: RU7707083893.
_LABEL = re.compile("|".join(label + "(?=[0-9])" * (label == "ru") for label in _LABELS), re.IGNORECASE)
_LINE_ENDS = re.compile(r"[\n\r\t]+")
_BETWEEN_NUMBERS = re.compile(r"[/\\,;|\n\r\t]+")
_WITHIN_NUMBER = re.compile(r"[\s_‐‑‒–—-]+")
_AROUND_NUMBER = " .,:;/\\|'\"`«»“”„()[]{}<>=*#_-"
_SPREADSHEET_FRACTION = re.compile(r"(?<=[0-9]{8})[.,]0+(?![0-9])")
_LONG_TOKEN = 8
_KPP = re.compile(r"[0-9]{4}[0-9A-Z]{2}[0-9]{3}")
_LOOK_ALIKES = {"0": "ОоOo", "1": "IlІі", "3": "Зз", "4": "Чч", "5": "Ss", "6": "б", "8": "ВB"}
_DIGIT_BY_LOOK = {ord(letter): digit for digit, letters in _LOOK_ALIKES.items() for letter in letters}


@dataclass(frozen=True, slots=True)
class CleanNumber:
    """What a field holds in place of a number: the number, or why there is none.

    Attributes
    ----------
    number
        The number, check digits right, or None.
    code
        Why there is none: ``empty``, ``zeros``, ``not_a_number``, ``two_numbers``, ``wrong_length``,
        ``wrong_kind`` (an OGRN in place of an INN, or the reverse), ``bad_check_digit``, ``edrpou``, ``foreign``.
        None where there is a number.
    message
        The same in a plain sentence that names the value.
    remark
        What had to be guessed to find the number (zeros, letters read as digits); None where nothing had.
    """

    number: str | None
    code: str | None
    message: str | None
    remark: str | None = None


@dataclass(frozen=True, slots=True)
class _Rules:
    name: str
    lengths: tuple[int, int]
    is_valid: Callable[[str], bool]


def is_inn(number: str) -> bool:
    """Tell whether a text is an INN of 10 or 12 digits whose check digits fit.

    None begins with 00, for the first two digits are a region. So padding (``00`` and an INN of 10 digits) is
    never taken for a person's INN, though the check digits of one in ten would allow it.
    """
    if not _is_digits(number) or number.startswith("00"):
        return False
    if len(number) == 10:
        return _check_digit_fits(number, _INN10)
    return len(number) == 12 and _check_digit_fits(number, _INN12_FIRST) and _check_digit_fits(number, _INN12_SECOND)


def is_ogrn(number: str) -> bool:
    """Tell whether a text is an OGRN of 13 digits, or an OGRNIP of 15, whose check digit fits."""
    if not _is_digits(number) or number.startswith("0"):
        return False
    if len(number) == 13:
        return int(number[:-1]) % 11 % 10 == int(number[-1])
    # python-stdnum leaves the last "% 10" out, and so refuses good numbers.
    return len(number) == 15 and number[0] in "34" and int(number[:-1]) % 13 % 10 == int(number[-1])


_RULES: Mapping[NumberKind, _Rules] = {
    "inn": _Rules("INN", (10, 12), is_inn),
    "ogrn": _Rules("OGRN", (13, 15), is_ogrn),
}


def clean_number(text: Value, kind: NumberKind) -> CleanNumber:
    """Find the one register number that a field holds; it never raises.

    Put right, where the check digits fit afterwards: spaces, line ends, labels («ИНН 77…»), a KPP behind the INN,
    padding zeros, a leading zero that a spreadsheet dropped, letters that look like digits.
    """
    name = _RULES[kind].name
    written = as_text(text)
    if written is None:
        return _no("not_a_number", f"{shown(text)} is not an {name}")
    value = shown(" ".join(written.split()))
    plain = _plain(written)
    if not _has_digit(plain):
        nothing_said = is_empty(_joined(_LABEL.sub("", plain)))
        return _no("empty", f"there is no {name}") if nothing_said else _no("not_a_number", f"{value} is not an {name}")
    sections = _sections(plain)
    bodies = [body for labels, body in sections if kind in labels] or [body for labels, body in sections if not labels]
    if not bodies:
        return _other_number(set().union(*(labels for labels, _ in sections)), value, name)
    pieces = _without_kpp([piece for body in bodies for piece in _pieces(body, kind)], kind)
    if len({_resolved(piece, kind) or piece for piece in pieces}) > 1:
        if sum(map(_has_digit, pieces)) > 1:
            return _no("two_numbers", f"{value} holds more than one number")
        return _no("not_a_number", f"{value} is not an {name}")
    return _from_piece(pieces[0], value, kind)


def _from_piece(piece: str, value: str, kind: NumberKind) -> CleanNumber:
    number = _resolved(piece, kind)
    if number is None:
        return _complaint(piece, value, kind)
    if kind == "inn" and len(number) == 10 and number.startswith(_FOREIGN) and not number.startswith(_BAIKONUR):
        return _no("foreign", f"INN {value} is a foreign company's, which the register does not hold")
    return CleanNumber(number, None, None, _remark(piece, number))


def _complaint(piece: str, value: str, kind: NumberKind) -> CleanNumber:
    """Say why a piece is not a number of this kind."""
    rules, other = _RULES[kind], _RULES["ogrn" if kind == "inn" else "inn"]
    digits = _as_digits(piece)
    if digits is None:
        return _no("not_a_number", f"{value} is not an {rules.name}")
    if not digits.strip("0"):
        return _no("zeros", f"{value} is only zeros, not an {rules.name}")
    if kind == "inn" and len(digits) == _EDRPOU_LENGTH:
        return _no("edrpou", f"{value} has 8 digits: it is a Ukrainian code (EDRPOU), not an INN")
    if other.is_valid(digits):
        return _no("wrong_kind", f"{value} is an {other.name}, not an {rules.name}")
    if len(digits) in rules.lengths:
        return _no("bad_check_digit", f"{rules.name} {value} has a wrong check digit")
    allowed = " or ".join(map(str, rules.lengths))
    return _no("wrong_length", f"{value} is of length {len(digits)}; an {rules.name} has {allowed} digits")


def _other_number(labels: set[str], value: str, name: str) -> CleanNumber:
    """Say what a field holds where every number in it bears the label of something else."""
    if "edrpou" in labels:
        return _no("edrpou", f"{value} is a Ukrainian code (EDRPOU), not an {name}")
    if "foreign" in labels:
        return _no("foreign", f"{value} is a foreign number, not an {name}")
    return _no("wrong_kind", f"{value} is another number, not an {name}")


def _no(code: str, message: str) -> CleanNumber:
    return CleanNumber(None, code, message)


def _plain(text: str) -> str:
    """Make unusual digits and spaces ordinary, and drop invisible characters."""
    # NFKC would make letters of «№», and letters can look like digits.
    ordinary = unicodedata.normalize("NFKC", text.replace("№", " "))
    visible = "".join(character for character in ordinary if unicodedata.category(character) != "Cf")
    return _SPREADSHEET_FRACTION.sub("", visible)


def _sections(text: str) -> list[tuple[set[str], str]]:
    """Cut a text at its labels; return the sections that hold digits, each with what its labels mean.

    Labels that stand together («ИНН/КПП 77…/77…») share what follows; what precedes them all has none.
    """
    sections: list[tuple[set[str], str]] = []
    meanings: set[str] = set()
    start = 0
    for match in [*_LABEL.finditer(text), None]:
        body = text[start : match.start() if match else len(text)]
        if _has_digit(body):
            sections.append((meanings, body))
            meanings = set()
        if match:
            meanings = meanings | {_LABELS[match.group().lower()]}
            start = match.end()
    return sections


def _pieces(text: str, kind: NumberKind) -> list[str]:
    """Cut a text into what may be numbers, each without the spaces and dashes within it."""
    whole = _joined(_LINE_ENDS.sub(" ", text))
    if _resolved(whole, kind):
        return [whole]
    pieces: list[str] = []
    for part in _BETWEEN_NUMBERS.split(text):
        tokens = [_joined(token) for token in _WITHIN_NUMBER.split(part)]
        # «7736050003 772801001» are two numbers, «7736 050 003» is one.
        apart = sum(len(token) >= _LONG_TOKEN for token in tokens) > 1 and not _resolved(_joined(part), kind)
        pieces += tokens if apart else [_joined(part)]
    return [piece for piece in pieces if piece]


def _without_kpp(pieces: list[str], kind: NumberKind) -> list[str]:
    """Put the likeliest number first and leave out the KPPs beside it."""
    likely = (piece for piece in pieces if len(piece) in _RULES[kind].lengths and _resolved(piece, kind))
    first = next(likely, pieces[0])
    return [first, *(piece for piece in pieces if piece != first and not _KPP.fullmatch(piece))]


def _joined(text: str) -> str:
    return _WITHIN_NUMBER.sub("", text.strip().strip(_AROUND_NUMBER))


def _as_digits(piece: str) -> str | None:
    """Return a piece with its look-alike letters as digits, or None where something else stands in it."""
    digits = piece.translate(_DIGIT_BY_LOOK)
    return digits if _has_digit(piece) and _is_digits(digits) else None


def _resolved(piece: str, kind: NumberKind) -> str | None:
    """Return the number that a piece is, its zeros put right, or None.

    Without its leading zeros a number can be read in one way only: an INN begins with a region, 01 at least, and
    has an even length; an OGRN begins with no zero. So padding is never mistaken for a part of the number.
    """
    significant = (_as_digits(piece) or "").lstrip("0")
    number = f"0{significant}" if kind == "inn" and len(significant) % 2 else significant
    return number if _RULES[kind].is_valid(number) else None


def _remark(piece: str, number: str) -> str | None:
    digits = _as_digits(piece) or ""
    guesses = [
        guess
        for guess, made in (
            ("letters read as digits", digits != piece),
            ("leading zero restored", len(digits) < len(number)),
            ("padding zeros removed", len(digits) > len(number)),
        )
        if made
    ]
    return f"{' and '.join(guesses)}: {shown(piece)} is {number}" if guesses else None


def _check_digit_fits(number: str, weights: tuple[int, ...]) -> bool:
    """Tell whether the digit behind the weighted ones is their check digit."""
    total = sum(weight * int(digit) for weight, digit in zip(weights, number, strict=False))
    return total % 11 % 10 == int(number[len(weights)])


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _has_digit(text: str) -> bool:
    return any(character.isascii() and character.isdigit() for character in text)
