"""Words from which the made-up partners are composed. Any likeness to a real firm is chance."""

from collections.abc import Mapping

COUNTRIES: Mapping[str, str] = {
    "AT": "Rakousko", "AU": "Austrálie", "BA": "Bosna a Hercegovina", "BE": "Belgie", "BG": "Bulharsko",
    "BY": "Bělorusko", "CA": "Kanada", "CH": "Švýcarsko", "CN": "Čína", "CY": "Kypr", "DE": "Německo",
    "DK": "Dánsko", "EE": "Estonsko", "ES": "Španělsko", "FI": "Finsko", "FR": "Francie",
    "GB": "Velká Británie", "GR": "Řecko", "HR": "Chorvatsko", "HU": "Maďarsko", "IE": "Irsko",
    "IL": "Izrael", "IN": "Indie", "IT": "Itálie", "JP": "Japonsko", "LT": "Litva", "LU": "Lucembursko",
    "LV": "Lotyšsko", "MD": "Moldavsko", "MT": "Malta", "NL": "Nizozemsko", "NO": "Norsko",
    "PL": "Polsko", "PT": "Portugalsko", "RO": "Rumunsko", "RS": "Srbsko", "SE": "Švédsko",
    "SI": "Slovinsko", "CZ": "Česká republika", "SK": "Slovensko", "TR": "Turecko", "UA": "Ukrajina",
    "US": "Spojené státy americké", "VN": "Vietnam", "XK": "Kosovo", "XX": "Neurčeno",
}  # fmt: skip
"""The table of countries; CZ is the 39th, as on the recorded servers. A target may not know XK and XX."""

MALE_NAMES = ("Jan", "Petr", "Jiří", "Tomáš", "Ondřej", "Zdeněk", "Luděk", "Bořivoj", "Matěj", "Vítězslav")
FEMALE_NAMES = ("Jana", "Věra", "Lenka", "Žaneta", "Alžběta", "Kateřina", "Ludmila", "Šárka", "Eliška")
SURNAMES = (
    ("Novák", "Nováková"), ("Svoboda", "Svobodová"), ("Dvořák", "Dvořáková"), ("Černý", "Černá"),
    ("Procházka", "Procházková"), ("Kučera", "Kučerová"), ("Veselý", "Veselá"), ("Krejčí", "Krejčí"),
    ("Němec", "Němcová"), ("Růžička", "Růžičková"), ("Šťastný", "Šťastná"), ("Žižka", "Žižková"),
    ("Matuštík", "Matuštíková"), ("Říha", "Říhová"), ("Bartoš", "Bartošová"), ("Chalupa", "Chalupová"),
    ("Ďuriš", "Ďurišová"), ("Vlček", "Vlčková"), ("Zeman", "Zemanová"), ("Kůň", "Koňová"),
)  # fmt: skip
FUNCTIONS = ("jednatel", "účetní", "obchodní zástupkyně", "vedoucí skladu", "nákupčí", "ředitelka", "")

TRADES = (
    "Stavby", "Kovovýroba", "Elektro", "Agro", "Pekárna", "Truhlářství", "Autoservis", "Papírna", "Sklo",
    "Zámečnictví", "Cukrářství", "Vodoinstalace", "Střechy", "Řeznictví", "Mlékárna", "Květiny", "Nábytek",
    "Lékárna", "Účetní služby", "Dřevovýroba", "Pivovar", "Tiskárna", "Železářství", "Optika", "Čalounictví",
)  # fmt: skip
FORMS = (", s.r.o.", " s.r.o.", ", spol. s r.o.", " a.s.", ", a.s.", " v.o.s.", ", z.s.", ", družstvo", " k.s.")

CZECH_TOWNS = (
    ("Praha 1", "110 00"), ("Praha 4 - Nusle", "14000"), ("Brno", "602 00"), ("Ostrava", "70200"),
    ("Plzeň", "301 00"), ("Liberec", "46001"), ("Olomouc", "779 00"), ("České Budějovice", "370 01"),
    ("Hradec Králové", "50002"), ("Ústí nad Labem", "400 01"), ("Pardubice", "53002"), ("Zlín", "760 01"),
    ("Havířov", "CZ-736 01"), ("Kladno", "27201"), ("Jihlava", "586 01"), ("Třebíč", "67401"),
    ("Žďár nad Sázavou", "591 01"), ("Česká Třebová", "56002"), ("Uherské Hradiště", "686 01"),
    ("Jindřichův Hradec", "37701"), ("Kroměříž", "767 01"), ("Šumperk", "78701"), ("Tábor", "390 02"),
)  # fmt: skip
CZECH_STREETS = (
    "Nádražní", "Husova", "Masarykovo náměstí", "Na Příkopě", "Žižkova", "Školní", "U Řeky", "Dlouhá",
    "Pod Kaštany", "Třída Míru", "Jiráskova", "Křížíkova", "Lipová", "K Mlýnu", "Sídliště Západ",
)  # fmt: skip

FOREIGN_FIRMS: Mapping[str, tuple[str, ...]] = {
    "SK": ("Tatranské pekárne s.r.o.", "Oceliareň Žilina a.s.", "Drevo Liptov, spol. s r.o.", "Ľan a syn s.r.o."),
    "DE": ("Müller & Söhne GmbH", "Bäckerei Groß KG", "Schäfer Werkzeuge AG", "Löwenbräu Handel GmbH & Co. KG"),
    "AT": ("Österreichische Holz GmbH", "Gröbner Maschinenbau AG", "Alpenglück KG"),
    "PL": ("Zakłady Śrubowe Sp. z o.o.", "Łódzkie Tkaniny S.A.", "Żuraw Transport Sp.j."),
    "UA": ("ТОВ «Агро-Захід»", "Київські меблі ТОВ", "TOV Karpaty Trade", "ФОП Шевченко І. П."),
    "HU": ("Pápai Sütőipari Kft.", "Győri Gép Zrt."),
    "FR": ("Boulangerie Lefèvre SARL", "L'Atelier d'Été SAS"),
    "IT": ("Caffè Perché S.r.l.", "Officine Meccaniche Forlì S.p.A."),
    "GB": ("O'Brien & Sons Ltd", "North Sea Tools PLC"),
    "NL": ("Van der Meer Bloemen B.V.",),
    "US": ("Acme Tools, Inc.", "Blue Ridge Trading LLC"),
}  # fmt: skip
FOREIGN_TOWNS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "SK": (("Bratislava", "811 01"), ("Žilina", "01001"), ("Košice", "040 01"), ("Trenčín", "91101")),
    "DE": (("München", "80331"), ("Köln", "D-50667"), ("Görlitz", "02826")),
    "AT": (("Wien", "1010"), ("Linz", "A-4020")),
    "PL": (("Wrocław", "50-001"), ("Łódź", "90-001"), ("Kraków", "30-001")),
    "UA": (("Львів", "79000"), ("Київ", "01001"), ("Užhorod", "88000")),
    "HU": (("Győr", "9021"), ("Budapest", "1051")),
    "FR": (("Orléans", "45000"), ("Paris", "75001")),
    "IT": (("Forlì", "47121"), ("Milano", "20121")),
    "GB": (("London", "SW1A 1AA"), ("Leeds", "LS1 4AP")),
    "NL": (("Utrecht", "3511 AB"),),
    "US": (("Asheville, NC", "28801"), ("New York, NY", "10001")),
}  # fmt: skip
FOREIGN_STREETS = ("Hauptstraße", "Hlavná", "Rynek", "High Street", "вул. Шевченка")
FOREIGN_PREFIX: Mapping[str, str] = {
    "SK": "421", "DE": "49", "AT": "43", "PL": "48", "UA": "380", "HU": "36", "FR": "33", "IT": "39",
    "GB": "44", "NL": "31", "US": "1",
}  # fmt: skip

NOTES = (
    "Platí vždy včas.", "Volat až po 10. hodině.", "Pozor, sídlo ≠ provozovna!", "Fakturovat čtvrtletně.",
    "Odběratel od roku 2009;\nsleva 5 % dohodnuta ústně.", "Dodací adresa: sklad „U Řeky“, vrata č. 3",
)  # fmt: skip
