"""Master data as a fresh Odoo database has it: countries, a few states, currencies, models and parameters.

Codes, names and external ids are those of Odoo's own ``res_country_data.xml``.
"""

_COUNTRIES = """
AD Andorra|AE United Arab Emirates|AF Afghanistan|AG Antigua and Barbuda|AI Anguilla|AL Albania|AM Armenia
AO Angola|AQ Antarctica|AR Argentina|AS American Samoa|AT Austria|AU Australia|AW Aruba|AX Åland Islands
AZ Azerbaijan|BA Bosnia and Herzegovina|BB Barbados|BD Bangladesh|BE Belgium|BF Burkina Faso|BG Bulgaria
BH Bahrain|BI Burundi|BJ Benin|BL Saint Barthélémy|BM Bermuda|BN Brunei Darussalam|BO Bolivia
BQ Bonaire, Sint Eustatius and Saba|BR Brazil|BS Bahamas|BT Bhutan|BV Bouvet Island|BW Botswana|BY Belarus
BZ Belize|CA Canada|CC Cocos (Keeling) Islands|CF Central African Republic|CD Congo (DRC)
CG Congo (Republic)|CH Switzerland|CI Côte d'Ivoire|CK Cook Islands|CL Chile|CM Cameroon|CN China|CO Colombia
CR Costa Rica|CU Cuba|CV Cape Verde|CW Curaçao|CX Christmas Island|CY Cyprus|CZ Czech Republic|DE Germany
DJ Djibouti|DK Denmark|DM Dominica|DO Dominican Republic|DZ Algeria|EC Ecuador|EE Estonia|EG Egypt
EH Western Sahara|ER Eritrea|ES Spain|ET Ethiopia|FI Finland|FJ Fiji|FK Falkland Islands|FM Micronesia
FO Faroe Islands|FR France|GA Gabon|GD Grenada|GE Georgia|GF French Guiana|GH Ghana|GI Gibraltar|GG Guernsey
GL Greenland|GM Gambia|GN Guinea|GP Guadeloupe|GQ Equatorial Guinea|GR Greece
GS South Georgia and the South Sandwich Islands|GT Guatemala|GU Guam|GW Guinea-Bissau|GY Guyana|HK Hong Kong
HM Heard Island and McDonald Islands|HN Honduras|HR Croatia|HT Haiti|HU Hungary|ID Indonesia|IE Ireland
IL Israel|IM Isle of Man|IN India|IO British Indian Ocean Territory|IQ Iraq|IR Iran|IS Iceland|IT Italy
JE Jersey|JM Jamaica|JO Jordan|JP Japan|KE Kenya|KG Kyrgyzstan|KH Cambodia|KI Kiribati|KM Comoros
KN Saint Kitts and Nevis|KP North Korea|KR South Korea|KW Kuwait|KY Cayman Islands|KZ Kazakhstan|LA Laos
LB Lebanon|LC Saint Lucia|LI Liechtenstein|LK Sri Lanka|LR Liberia|LS Lesotho|LT Lithuania|LU Luxembourg
LV Latvia|LY Libya|MA Morocco|MC Monaco|MD Moldova|ME Montenegro|MF Saint Martin (French part)|MG Madagascar
MH Marshall Islands|MK North Macedonia|ML Mali|MM Myanmar|MN Mongolia|MO Macau|MP Northern Mariana Islands
MQ Martinique|MR Mauritania|MS Montserrat|MT Malta|MU Mauritius|MV Maldives|MW Malawi|MX Mexico|MY Malaysia
MZ Mozambique|NA Namibia|NC New Caledonia|NE Niger|NF Norfolk Island|NG Nigeria|NI Nicaragua|NL Netherlands
NO Norway|NP Nepal|NR Nauru|NU Niue|NZ New Zealand|OM Oman|PA Panama|PE Peru|PF French Polynesia
PG Papua New Guinea|PH Philippines|PK Pakistan|PL Poland|PM Saint Pierre and Miquelon|PN Pitcairn Islands
PR Puerto Rico|PS State of Palestine|PT Portugal|PW Palau|PY Paraguay|QA Qatar|RE Réunion|RO Romania|RS Serbia
RU Russian Federation|RW Rwanda|SA Saudi Arabia|SB Solomon Islands|SC Seychelles|SD Sudan|SE Sweden
SG Singapore|SH Saint Helena, Ascension and Tristan da Cunha|SI Slovenia|SJ Svalbard and Jan Mayen|SK Slovakia
SL Sierra Leone|SM San Marino|SN Senegal|SO Somalia|SR Suriname|SS South Sudan|ST São Tomé and Príncipe
SV El Salvador|SX Sint Maarten (Dutch part)|SY Syria|SZ Eswatini|TC Turks and Caicos Islands|TD Chad
TF French Southern Territories|TG Togo|TH Thailand|TJ Tajikistan|TK Tokelau|TM Turkmenistan|TN Tunisia
TO Tonga|TL Timor-Leste|TR Türkiye|TT Trinidad and Tobago|TV Tuvalu|TW Taiwan|TZ Tanzania|UA Ukraine|UG Uganda
GB United Kingdom|UM USA Minor Outlying Islands|US United States|UY Uruguay|UZ Uzbekistan
VA Holy See (Vatican City State)|VC Saint Vincent and the Grenadines|VE Venezuela
VG Virgin Islands (British)|VI Virgin Islands (USA)|VN Vietnam|VU Vanuatu|WF Wallis and Futuna|WS Samoa
YE Yemen|YT Mayotte|ZA South Africa|ZM Zambia|ZW Zimbabwe|XK Kosovo
"""

COUNTRIES: tuple[tuple[str, str], ...] = tuple(
    (entry[:2], entry[3:]) for line in _COUNTRIES.strip().splitlines() for entry in line.split("|")
)

# Odoo names the United Kingdom's record after the everyday abbreviation, not after the code.
COUNTRY_EXTERNAL_NAMES = {"GB": "uk"}

PHONE_CODES = {
    "AT": "43",
    "BY": "375",
    "CZ": "420",
    "DE": "49",
    "GB": "44",
    "KZ": "7",
    "PL": "48",
    "RU": "7",
    "SK": "421",
    "UA": "380",
    "US": "1",
}

# Neither Ukraine nor Czechia has states in the base module.
STATES: tuple[tuple[str, str, str], ...] = (
    ("US", "CA", "California"),
    ("US", "NY", "New York"),
    ("US", "TX", "Texas"),
    ("CA", "ON", "Ontario"),
    ("AU", "NSW", "New South Wales"),
    ("RU", "MOW", "Moscow"),
    ("RU", "SPE", "Saint Petersburg"),
    ("RU", "SVE", "Sverdlovsk oblast"),
)

CURRENCIES: tuple[tuple[str, str, bool], ...] = (
    ("EUR", "€", True),
    ("USD", "$", True),
    ("CZK", "Kč", False),
    ("UAH", "₴", False),
    ("RUB", "руб", False),
    ("PLN", "zł", False),
)

CATEGORIES: tuple[str, ...] = ("Customer", "Vendor", "Prospects", "Consulting Services", "Office Supplies")

CONFIG_PARAMETERS: tuple[tuple[str, str], ...] = (
    ("database.uuid", "5b0a2f0e-6d43-11f0-9c5a-0242ac120002"),
    ("web.base.url", "http://localhost:8069"),
    ("mail.catchall.domain", "example.com"),
)
