from collections.abc import Callable

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from sync_orchestration.mapping.records import JSON
from sync_orchestration.mapping.registration_numbers import CleanNumber, NumberKind, clean_number, is_inn, is_ogrn
from sync_orchestration.sandbox.alfresco.demo import demo_plans
from sync_orchestration.sandbox.check_digits import inn10, inn12, ogrn13, ogrnip15
from sync_orchestration_tests.mapping.json_values import VALUES

VALID: dict[NumberKind, Callable[[str], bool]] = {"inn": is_inn, "ogrn": is_ogrn}


def bodies(length: int, first: str = "0123456789") -> st.SearchStrategy[str]:
    """Digits without the check digits; a region 00 does not exist, nor are foreign numbers meant."""
    rest = st.text("0123456789", min_size=length - 1, max_size=length - 1)
    return st.builds(str.__add__, st.sampled_from(first), rest).filter(lambda body: body[:2] not in {"00", "99"})


INNS = st.one_of(bodies(9).map(inn10), bodies(10).map(inn12))
OGRNS = st.one_of(bodies(12, "15").map(ogrn13), bodies(14, "3").map(ogrnip15))
NUMBERS: st.SearchStrategy[tuple[NumberKind, str]] = st.one_of(
    st.tuples(st.just("inn"), INNS), st.tuples(st.just("ogrn"), OGRNS)
)
KINDS = st.sampled_from(("inn", "ogrn"))
FIELDS = st.one_of(
    st.text(),
    st.text("0123456789ОоЗз \u00a0\n/,;-.№инИНкпКПогрОГР", max_size=40),
    st.builds("{}{}{}".format, st.text("0 \nИН:", max_size=3), INNS, st.text(" /,;0123456789КП", max_size=11)),
    VALUES,
)


@pytest.mark.parametrize(
    "number", ["6663003127", "7736050003", "7707083893", "4712017259", "561100409545", "666102227581"]
)
def test_an_inn_of_the_register_passes_its_check_digits(number: str) -> None:
    assert is_inn(number)


@pytest.mark.parametrize(
    "number",
    [
        "1026605606620",
        "1027700070518",
        "1061515009555",
        "1027700132195",
        "309565808600188",
        "304500116000157",
    ],
)
def test_an_ogrn_of_the_register_passes_its_check_digit(number: str) -> None:
    assert is_ogrn(number)


@pytest.mark.parametrize(
    "number",
    [
        "7707083894",
        "9999999999",
        "5611004095",
        "0000000000",  # passes the formula
        "000000000000",
        "",
        "770708389",
        "7707083893 ",
        "٧٧٠٧٠٨٣٨٩٣",  # digits, but not ours
        "7707083893²",
    ],
)
def test_a_text_that_is_no_inn_is_not_taken_for_one(number: str) -> None:
    assert not is_inn(number)


@pytest.mark.parametrize(
    "number", ["309565808600189", "1026605606621", "0000000000000", "000000000000000", "7707083893", ""]
)
def test_a_text_that_is_no_ogrn_is_not_taken_for_one(number: str) -> None:
    assert not is_ogrn(number)


@given(bodies(14, "3"))
@example("30000000000011")  # the remainder is 10 or more, which python-stdnum refuses
def test_every_remainder_of_an_entrepreneurs_number_has_a_check_digit(body: str) -> None:
    assert is_ogrn(ogrnip15(body))


@given(NUMBERS)
def test_the_check_digits_agree_with_those_that_the_register_gives_out(number: tuple[NumberKind, str]) -> None:
    kind, text = number
    assert VALID[kind](text)


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("7736050003", "7736050003"),
        (" 7736 050 003 ", "7736050003"),
        ("7736\u00a0050003", "7736050003"),
        ("7736050003\n", "7736050003"),
        ("7736\r\n050003", "7736050003"),
        ("\ufeff77360\u200b50003", "7736050003"),  # invisible characters of a copied cell
        ("ИНН 7736050003", "7736050003"),
        ("инн: 7736050003", "7736050003"),
        ("INN7736050003", "7736050003"),
        ("ИНН №7736050003", "7736050003"),
        ("RU7736050003", "7736050003"),
        ("«7736050003»", "7736050003"),
        ("'7736050003", "7736050003"),  # the apostrophe of a spreadsheet
        ("7736-050-003", "7736050003"),
        ("7736050003.0", "7736050003"),
        (7736050003, "7736050003"),
        (7736050003.0, "7736050003"),
        ("７７３６０５０００３", "7736050003"),
        ("7736050003/772801001", "7736050003"),
        ("7736050003/", "7736050003"),
        ("7736050003 / 7728\u00a001001", "7736050003"),
        ("7736050003 772801001", "7736050003"),
        ("772801001/7736050003", "7736050003"),
        ("ИНН/КПП 7736050003/772801001", "7736050003"),
        ("ИНН 7736050003, КПП 772801001", "7736050003"),
        ("ОГРН 1027700070518 ИНН 7736050003", "7736050003"),
        ("7736050003 (ОГРН 1027700070518)", "7736050003"),
        ("7707083893, 7707083893", "7707083893"),  # one number twice
        ("5611 0040 9545", "561100409545"),
    ],
)
def test_an_inn_is_found_in_what_people_write_around_it(written: str | float, number: str) -> None:
    assert clean_number(written, "inn") == CleanNumber(number, None, None)


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("1027700070518", "1027700070518"),
        ("ОГРН 1027700070518", "1027700070518"),
        ("ОГРНИП: 304500116000157", "304500116000157"),
        ("1 02 77 00 07051 8", "1027700070518"),
        ("ИНН 7736050003 ОГРН 1027700070518", "1027700070518"),
    ],
)
def test_an_ogrn_is_found_in_what_people_write_around_it(written: str, number: str) -> None:
    assert clean_number(written, "ogrn") == CleanNumber(number, None, None)


@pytest.mark.parametrize(
    ("written", "kind", "number", "remark"),
    [
        ("007736050003", "inn", "7736050003", "padding zeros removed: '007736050003' is 7736050003"),
        ("0561100409545", "inn", "561100409545", "padding zeros removed: '0561100409545' is 561100409545"),
        ("77З6О5ООО3", "inn", "7736050003", "letters read as digits: '77З6О5ООО3' is 7736050003"),
        ("275001231", "inn", "0275001231", "leading zero restored: '275001231' is 0275001231"),
        ("001027700070518", "ogrn", "1027700070518", "padding zeros removed: '001027700070518' is 1027700070518"),
    ],
)
def test_a_number_that_had_to_be_guessed_says_so(written: str, kind: NumberKind, number: str, remark: str) -> None:
    assert clean_number(written, kind) == CleanNumber(number, None, None, remark)


@pytest.mark.parametrize(
    ("written", "code", "message"),
    [
        (None, "empty", "there is no INN"),
        ("", "empty", "there is no INN"),
        (" \u00a0\n", "empty", "there is no INN"),
        ("-", "empty", "there is no INN"),
        ("ИНН/КПП:", "empty", "there is no INN"),
        ("0000000000", "zeros", "'0000000000' is only zeros, not an INN"),
        ("0", "zeros", "'0' is only zeros, not an INN"),
        ("нет данных", "not_a_number", "'нет данных' is not an INN"),
        ("ОЗОН", "not_a_number", "'ОЗОН' is not an INN"),  # letters that look like digits are no number alone
        ("7.70708E+09", "not_a_number", "'7.70708E+09' is not an INN"),
        ("7736050003/нет", "not_a_number", "'7736050003/нет' is not an INN"),
        ("12.05.2020", "not_a_number", "'12.05.2020' is not an INN"),
        ("+7 495 123 45 67", "not_a_number", "'+7 495 123 45 67' is not an INN"),
        (["7736050003"], "not_a_number", "a list of 1 is not an INN"),
        (True, "not_a_number", "'true' is not an INN"),
        ("7707083893,7736050003", "two_numbers", "'7707083893,7736050003' holds more than one number"),
        ("7707083893 7736050003", "two_numbers", "'7707083893 7736050003' holds more than one number"),
        ("7707083893\n7736050004", "two_numbers", "'7707083893 7736050004' holds more than one number"),
        ("ИНН 7707083893 ИНН 7736050003", "two_numbers", "'ИНН 7707083893 ИНН 7736050003' holds more than one number"),
        ("773605", "wrong_length", "'773605' is of length 6; an INN has 10 or 12 digits"),
        ("191234567", "wrong_length", "'191234567' is of length 9; an INN has 10 or 12 digits"),  # Belarus
        ("7707083894", "bad_check_digit", "INN '7707083894' has a wrong check digit"),
        ("7707083894/772801001", "bad_check_digit", "INN '7707083894/772801001' has a wrong check digit"),
        ("9999999999", "bad_check_digit", "INN '9999999999' has a wrong check digit"),
        ("12345678", "edrpou", "'12345678' has 8 digits: it is a Ukrainian code (EDRPOU), not an INN"),
        ("00032129", "edrpou", "'00032129' has 8 digits: it is a Ukrainian code (EDRPOU), not an INN"),
        ("ЄДРПОУ 00032129", "edrpou", "'ЄДРПОУ 00032129' is a Ukrainian code (EDRPOU), not an INN"),
        ("УНП 191234567", "foreign", "'УНП 191234567' is a foreign number, not an INN"),
        ("1027700070518", "wrong_kind", "'1027700070518' is an OGRN, not an INN"),
        ("ОГРН 1027700070518", "wrong_kind", "'ОГРН 1027700070518' is another number, not an INN"),
        ("КПП 772801001", "wrong_kind", "'КПП 772801001' is another number, not an INN"),
    ],
)
def test_what_is_no_inn_gets_a_code_and_a_sentence_that_names_it(written: JSON, code: str, message: str) -> None:
    assert clean_number(written, "inn") == CleanNumber(None, code, message)


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("7736050003", "wrong_kind"),
        ("12345678", "wrong_length"),  # eight digits say nothing in place of an OGRN
        ("309565808600189", "bad_check_digit"),
        ("000000000000000", "zeros"),
        ("1027700070518;1061515009555", "two_numbers"),
    ],
)
def test_what_is_no_ogrn_gets_a_code(written: str, code: str) -> None:
    found = clean_number(written, "ogrn")
    assert (found.number, found.code) == (None, code)


@given(st.text("0123456789", min_size=5, max_size=5))
def test_a_foreign_companys_inn_is_never_asked_for(serial: str) -> None:
    number = inn10(f"9909{serial}")
    assert clean_number(f"ИНН {number}", "inn") == CleanNumber(
        None, "foreign", f"INN 'ИНН {number}' is a foreign company's, which the register does not hold"
    )


def test_a_company_of_baikonur_is_russian_though_its_inn_begins_with_99() -> None:
    number = inn10("990100001")
    assert clean_number(number, "inn").number == number


def test_a_padded_inn_that_looks_like_a_persons_is_still_the_companys() -> None:
    numbers = [inn10(f"7736{serial:05d}") for serial in range(2_000)]
    alike = [number for number in numbers if inn12(f"00{number[:8]}") == f"00{number}"]
    assert alike  # the trap is real: the check digits of both readings fit
    assert [clean_number(f"00{number}", "inn").number for number in alike] == alike


@given(NUMBERS)
def test_a_good_number_is_left_as_it_is(number: tuple[NumberKind, str]) -> None:
    kind, text = number
    assert clean_number(text, kind) == CleanNumber(text, None, None)


@given(NUMBERS, st.data())
def test_a_good_number_survives_what_people_and_spreadsheets_do_to_it(
    number: tuple[NumberKind, str], data: st.DataObject
) -> None:
    kind, text = number
    written = text
    if data.draw(st.booleans()) and text.startswith("0"):
        written = written[1:]
    elif data.draw(st.booleans()):
        written = "0" * data.draw(st.integers(1, 4)) + written
    if data.draw(st.booleans()):
        written = written.replace("0", "О").replace("3", "З")
    gap = data.draw(st.sampled_from(("", " ", "\u00a0", "\u2009", "\n", "-")))
    cut = data.draw(st.integers(1, len(written) - 1))
    written = f"{written[:cut]}{gap}{written[cut:]}" if gap != "\n" else f"{gap}{written}{gap}"
    label = {"inn": "ИНН: ", "ogrn": "ОГРН № "}[kind]
    written = data.draw(st.sampled_from(("{}", f"{label}{{}}", " {}\t", "{}/772801001", "«{}»"))).format(written)
    assume(any(map(str.isdigit, written.partition("/")[0])))  # letters alone are no number
    assert clean_number(written, kind).number == text


@given(FIELDS, KINDS)
def test_a_cleaned_number_always_passes_its_check_digits(field: str, kind: NumberKind) -> None:
    found = clean_number(field, kind)
    assert found.number is None or VALID[kind](found.number)


@given(FIELDS, KINDS)
def test_there_is_either_a_number_or_a_reason(field: str, kind: NumberKind) -> None:
    found = clean_number(field, kind)
    assert (found.number is None) == (found.code is not None) == bool(found.message)
    assert found.message is None or len(found.message) < 200


@given(FIELDS, KINDS)
def test_cleaning_a_cleaned_number_changes_nothing(field: str, kind: NumberKind) -> None:
    number = clean_number(field, kind).number
    assert number is None or clean_number(number, kind) == CleanNumber(number, None, None)


@given(NUMBERS, NUMBERS)
def test_no_number_is_made_of_two(one: tuple[NumberKind, str], other: tuple[NumberKind, str]) -> None:
    kind, text = one
    assume(other[0] == kind and other[1] != text)
    for separator in (",", ", ", " ", "/", "\n", ";", " и "):
        assert clean_number(f"{text}{separator}{other[1]}", kind).number is None


@given(st.text("0123456789 -/ИНКП", max_size=24), KINDS)
def test_no_digit_is_invented_but_one_leading_zero(field: str, kind: NumberKind) -> None:
    number = clean_number(field, kind).number
    digits = "".join(filter(str.isdigit, field))
    assert number is None or number in digits or (number[0] == "0" and number[1:] in digits)


SPOILT = {
    "empty": "empty",
    "blank": "empty",
    "zeros": "zeros",
    "text": "not_a_number",
    "two_numbers": "two_numbers",
    "bad_check_digit": "bad_check_digit",
    "too_short": "wrong_length",
    "belarus": "wrong_length",
    "foreign": "foreign",
    "edrpou": "edrpou",
}


@pytest.mark.parametrize("seed", [1, 2])
def test_of_1500_contractors_only_those_with_a_spoilt_number_are_not_asked_for(seed: int) -> None:
    plans = demo_plans(seed, 1_500)
    assert SPOILT.keys() <= {kind for kind, _ in plans}
    found = [(kind, clean_number(properties.get("idocs:inn"), "inn").code) for kind, properties in plans]
    assert [(kind, code) for kind, code in found if code != SPOILT.get(kind)] == []
