"""Fills a company with a realistic, deterministic address book, some records of which a target will refuse."""

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from . import people
from .company import Company
from .values import ZONE, derived_code
from .words import (
    COUNTRIES,
    CZECH_STREETS,
    CZECH_TOWNS,
    FEMALE_NAMES,
    FOREIGN_FIRMS,
    FOREIGN_PREFIX,
    FOREIGN_STREETS,
    FOREIGN_TOWNS,
    FORMS,
    FUNCTIONS,
    MALE_NAMES,
    NOTES,
    SURNAMES,
    TRADES,
)

TROUBLES = ("implausible_email", "unknown_country", "blank_name", "invalid_vat")
"""Kinds of records that a target refuses; together about 1.5 % of all partners."""

_SHARE_PER_TROUBLE = 0.015 / len(TROUBLES)
_FIRST_MOMENT = datetime(2016, 3, 10, 14, 7, 42, 673_000, tzinfo=ZONE)
_YEARS = timedelta(days=8 * 365)
_ODD_CODES = ("{}/{}", "{}+{}", "{} {}%", "{} {}", "Č. {}-{}", "{} & SYN {}", "ŘŽ-{}/{}")
_COUNTRY_SHARES = {
    "CZ": 72, "SK": 10, "DE": 5, "PL": 4, "AT": 3, "UA": 3, "HU": 1, "FR": 1, "IT": 1, "GB": 1, "NL": 1, "US": 1,
}  # fmt: skip
_VAT_NUMBERS = {
    "SK": people.slovak_vat,
    "DE": people.german_vat,
    "AT": people.austrian_vat,
    "PL": people.polish_vat,
}


def fill_company(company: Company, *, seed: int, partners: int) -> dict[str, list[int]]:
    """Create code lists, partners, contacts, bank accounts and invoices; returns the planted ids by trouble.

    The first four fifths of the partners are older than the recording of changes, as in a company that
    switched it on one day; the rest is in the feed.
    """
    rng = random.Random(f"{seed}/{company.name}/address book")
    # About two records for each partner, spread over the eight years in which the company kept them.
    filler = _Filler(company, rng, pause=_YEARS / (2 * partners + 100))
    with company.lock:
        recording = company.log.enabled
        company.disable_changes()
        filler.code_lists()
        planted_at = filler.choose_troubles(partners)
        for index in range(partners):
            if recording and index == partners * 4 // 5:
                _start_recording(company)
            filler.partner(planted_at.get(index))
        if recording and not company.log.enabled:
            _start_recording(company)
        filler.invoices(partners // 20)
    return filler.planted


def _start_recording(company: Company) -> None:
    # What was before can be restored by nothing: no version stands for it.
    company.journal.clear()
    company.enable_changes()


@dataclass
class _Filler:
    company: Company
    rng: random.Random
    pause: timedelta
    planted: dict[str, list[int]] = field(default_factory=lambda: {kind: [] for kind in TROUBLES})
    moment: datetime = _FIRST_MOMENT

    def code_lists(self) -> None:
        for code, name in COUNTRIES.items():
            self._create("stat", {"kod": code, "nazev": name})
        for code, name in (("CZK", "Česká koruna"), ("EUR", "Euro"), ("USD", "Americký dolar")):
            self._create("mena", {"kod": code, "nazev": name})
        for code, name in (("VIP", "Významní odběratelé"), ("ŠKOLY", "Školy a úřady")):
            self._create("skupina-firem", {"kod": code, "nazev": name})
        self._create("typ-faktury-vydane", {"kod": "FAKTURA", "nazev": "Faktura - daňový doklad"})
        self._create("uzivatel", {"kod": "SYNC", "nazev": "Synchronizace"})
        self._create("rocni-rada", {"rok": "2026", "cisAkt": "0"})

    def choose_troubles(self, partners: int) -> dict[int, str]:
        each = max(1, round(partners * _SHARE_PER_TROUBLE))
        places = self.rng.sample(range(partners), min(each * len(TROUBLES), partners))
        return {place: TROUBLES[i % len(TROUBLES)] for i, place in enumerate(places)}

    def partner(self, trouble: str | None) -> None:
        rng = self.rng
        # Troubles are planted into Czech firms, so that one thing alone is wrong with each of them.
        country = "CZ" if trouble else rng.choices(list(_COUNTRY_SHARES), list(_COUNTRY_SHARES.values()))[0]
        if country != "CZ":
            fields = self._foreign_firm(country)
        elif trouble is None and rng.random() < 0.2:
            fields = self._czech_person()
        else:
            fields = self._czech_firm()
        fields["kod"] = self._code(fields["nazev"])
        fields |= self._extras(expired=trouble is None and rng.random() < 0.03)
        if trouble is not None:
            fields |= self._trouble(trouble, fields)
        partner_id = self._create("adresar", fields, ext_ids=self._ext_ids())
        if trouble is not None:
            self.planted[trouble].append(partner_id)
        self._contacts(partner_id)

    def invoices(self, count: int) -> None:
        partner_ids = self.company.ids("adresar")
        for number in range(1, count + 1):
            invoice = {
                "kod": f"VF1-{number:04}/2026",
                "varSym": f"2026{number:06}",
                "datVyst": f"2026-{number % 6 + 1:02}-{number % 28 + 1:02}",
                "sumCelkem": f"{self.rng.randint(100, 99_999)}.{self.rng.randint(0, 99):02}",
                "typDokl": "code:FAKTURA",
                "mena": "code:CZK",
                "firma": str(self.rng.choice(partner_ids)),
            }
            invoice_id = self._create("faktura-vydana", invoice)
            for line in range(self.rng.randint(1, 3)):
                item = {"nazev": f"Položka {line + 1}", "doklFak": str(invoice_id), "mnozMj": "1"}
                self._create("faktura-vydana-polozka", item)

    def _create(self, evidence: str, fields: dict[str, str], *, ext_ids: tuple[str, ...] = ()) -> int:
        self.moment += self.pause * self.rng.uniform(0.1, 1.9)
        return self.company.create(evidence, fields, ext_ids=ext_ids, unchecked=True, at=self.moment)

    def _czech_firm(self) -> dict[str, str]:
        rng = self.rng
        trade, surname = rng.choice(TRADES), rng.choice(SURNAMES)[0]
        town = rng.choice(CZECH_TOWNS)
        number = people.company_number(rng)
        pays_vat = rng.random() < 0.7
        middle = rng.choice((surname, f"{surname} a syn", f"{town[0].split(' ')[0]} {surname}", f"{surname} & spol."))
        return self._address(town) | {
            "nazev": f"{trade} {middle}{rng.choice(FORMS)}",
            "ic": number,
            "dic": f"CZ{number}" if pays_vat else "",
            "platceDph": "true" if pays_vat else "false",
        }

    def _czech_person(self) -> dict[str, str]:
        rng = self.rng
        first, last = self._full_name()
        trades = rng.random() < 0.5
        pays_vat = trades and rng.random() < 0.4
        return self._address(rng.choice(CZECH_TOWNS)) | {
            "nazev": f"{rng.choice(('', 'Ing. ', 'Mgr. '))}{first} {last}",
            "ic": people.company_number(rng) if trades else "",
            "dic": people.personal_vat(rng) if pays_vat else "",
            "platceDph": "true" if pays_vat else "false",
            "datNaroz": "" if trades else f"{rng.randint(1950, 2004)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}",
        }

    def _foreign_firm(self, country: str) -> dict[str, str]:
        rng = self.rng
        town, postcode = rng.choice(FOREIGN_TOWNS[country])
        vat = _VAT_NUMBERS[country](rng) if country in _VAT_NUMBERS and rng.random() < 0.8 else ""
        number = {"SK": people.company_number(rng), "UA": str(rng.randint(20_000_000, 44_999_999))}
        return {
            "nazev": rng.choice(FOREIGN_FIRMS[country]),
            "ulice": f"{rng.choice(FOREIGN_STREETS)} {rng.randint(1, 99)}",
            "mesto": town,
            "psc": postcode,
            "stat": f"code:{country}",
            "ic": number.get(country, ""),
            "dic": vat,
            "vatId": vat if country == "SK" else "",
            "tel": f"+{FOREIGN_PREFIX[country]} {rng.randint(100, 999)} {rng.randint(100_000, 999_999)}",
        }

    def _address(self, town: tuple[str, str]) -> dict[str, str]:
        rng = self.rng
        house = rng.choice(
            (f"{rng.randint(1, 2500)}/{rng.randint(1, 60)}", f"č.p. {rng.randint(1, 300)}", f"{rng.randint(1, 99)}a")
        )
        return {
            "ulice": f"{rng.choice(CZECH_STREETS)} {house}",
            "mesto": town[0],
            "psc": town[1],
            "stat": "code:CZ",
            "tel": people.czech_phone(rng) if rng.random() < 0.8 else "",
            "mobil": people.czech_phone(rng) if rng.random() < 0.3 else "",
        }

    def _extras(self, *, expired: bool) -> dict[str, str]:
        rng = self.rng
        place = people.domain(rng.choice(TRADES) + " " + rng.choice(SURNAMES)[0])
        web = rng.choice((f"www.{place}", f"http://{place}", f"https://www.{place}/", place))
        relation = rng.choice(("odberatel", "dodavatel", "odberDodav"))
        return {
            "email": f"{rng.choice(('info', 'obchod', 'fakturace', 'Kancelar'))}@{place}" if rng.random() < 0.7 else "",
            "www": web if rng.random() < 0.5 else "",
            "poznam": rng.choice(NOTES) if rng.random() < 0.2 else "",
            "popis": rng.choice(NOTES) if rng.random() < 0.1 else "",
            "typVztahuK": f"typVztahu.{relation}",
            "skupFir": "code:VIP" if rng.random() < 0.05 else "",
            "stitky": rng.choice(("VIP", "VIP,DULEZITE")) if rng.random() < 0.05 else "",
            "splatDny": rng.choice(("", "14", "30")),
            "platiOd": "2010" if expired else "0",
            "platiDo": str(rng.randint(2015, 2022)) if expired else "9999",
        }

    def _trouble(self, kind: str, fields: dict[str, str]) -> dict[str, str]:
        if kind == "implausible_email":
            return {"email": self.rng.choice(("info(at)firma.cz", "neni", "nemá e-mail", "obchod@", "a b@firma"))}
        if kind == "unknown_country":
            return {"stat": "code:XX", "dic": ""}  # Kosovo's XK, odd as it looks, is known to Odoo
        if kind == "blank_name":
            return {"nazev": "   "}
        number = fields["ic"]
        return {"dic": f"CZ{number[:-1]}{(int(number[-1]) + self.rng.randint(1, 9)) % 10}"}

    def _code(self, name: str) -> str:
        table = self.company.tables["adresar"]
        code = derived_code(name)
        if self.rng.random() < 0.12:
            odd = self.rng.choice(_ODD_CODES).format(code[:8], self.rng.randint(1, 99))
            code = odd[:20].upper()
        unique, number = code, 0
        while table.id_of_code(unique) is not None:
            number += 1
            unique = f"{code[: 19 - len(str(number))]}-{number}"
        return unique

    def _ext_ids(self) -> tuple[str, ...]:
        number = self.company.tables["adresar"].next_id
        crm = (f"ext:CRM:{number}",) if self.rng.random() < 0.15 else ()
        shop = (f"ext:ESHOP:Z/{number}",) if self.rng.random() < 0.05 else ()
        return crm + shop

    def _contacts(self, partner_id: int) -> None:
        rng = self.rng
        for _ in range(rng.choices((0, 1, 2), (70, 22, 8))[0]):
            first, last = self._full_name()
            contact = {
                "jmeno": first,
                "prijmeni": last,
                "funkce": rng.choice(FUNCTIONS),
                "tel": people.czech_phone(rng),
                "email": f"{people.domain(last).removesuffix('.example')}@firma.example",
                "firma": str(partner_id),
            }
            self._create("kontakt", contact)
        if rng.random() < 0.25:
            account, iban = people.iban(rng)
            self._create(
                "adresar-bankovni-ucet",
                {"buc": account, "iban": iban, "firma": str(partner_id), "primarni": "true"},
            )

    def _full_name(self) -> tuple[str, str]:
        his, hers = self.rng.choice(SURNAMES)
        if self.rng.random() < 0.5:
            return self.rng.choice(MALE_NAMES), his
        return self.rng.choice(FEMALE_NAMES), hers
